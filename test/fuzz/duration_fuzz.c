/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read as a duration is written as a text that is read as the same, and written so again.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(free_p) char *text = xstrndup((const char *)data, len);
	CLEANUP(buf_done) struct buf first = { 0 }, second = { 0 };
	struct err err = { 0 };
	int64_t ns, again;

	if (duration_parse(text, &ns, &err) < 0) {
		assert(err.text[0] != '\0');
		return 0;
	}
	duration_str(ns, &first);
	assert(duration_parse(buf_cstr(&first), &again, NULL) == 0 && again == ns);
	duration_str(again, &second);
	assert(strcmp(buf_cstr(&first), buf_cstr(&second)) == 0);
	return 0;
}
