/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text: refused with a sentence, or its canonical text is a selector that matches the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *lookup(void *arg, const char *label)
{
	(void)arg;
	switch (label[0] % 4) {
	case 0:
		return NULL;
	case 1:
		return "";
	case 2:
		return label;
	}
	return "b";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct selector *s, *again;
	struct selector_restriction r;
	struct err err = { 0 };
	char *text = xstrndup((const char *)data, len);

	if (selector_parse(text, &s, &err) == 0) {
		assert(selector_parse_derived(selector_str(s), &again, &err) == 0);
		bool match = selector_match(s, lookup, NULL);

		assert(match == selector_match(again, lookup, NULL));
		if (selector_restriction(s, &r) && match)
			assert(lookup(NULL, r.label));
		selector_unref(again);
		selector_unref(s);
	} else {
		assert(err.text[0]);
	}
	free(text);
	return 0;
}
