/* SPDX-License-Identifier: BSD-2-Clause */
/* Two JSON values, a line each: an object and a patch of each type. */
#include <stdlib.h>
#include <string.h>

#include "calicoctl/patch.h"
#include "common/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
	struct json *object = NULL, *patch = NULL, *before;
	struct err err;

	if (!line || json_parse(text, (size_t)(line - text), &object, NULL) != 0)
		return 0;
	if (json_parse(line + 1, size - (size_t)(line + 1 - text), &patch, NULL) != 0) {
		json_free(object);
		return 0;
	}
	before = json_copy(object);
	for (int type = PATCH_STRATEGIC; type <= PATCH_JSON; type++) {
		struct json *after = NULL;

		if (patch_apply((enum patch_type)type, object, patch, &after, &err) == 0)
			json_free(after);
		if (!json_equal(object, before))
			abort();
	}
	json_free(object);
	json_free(before);
	json_free(patch);
	return 0;
}
