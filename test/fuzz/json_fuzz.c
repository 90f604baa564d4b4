/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text: refused with a place and a sentence, or a tree that is written and read as itself. */
#include <assert.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_written(const struct json *j, unsigned indent)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct json *again;

	json_write(j, indent, &text);
	assert(json_parse(buf_cstr(&text), text.len, &again, NULL) == 0);
	assert(json_equal(j, again));
	json_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err = { 0 };
	struct json *j, *copy;

	if (json_parse((const char *)data, len, &j, &err) < 0) {
		assert(strncmp(err.text, "line ", 5) == 0);
		return 0;
	}
	check_written(j, 0);
	check_written(j, 3);
	copy = json_copy(j);
	assert(json_equal(j, copy));
	json_free(copy);
	json_free(j);
	return 0;
}
