/* SPDX-License-Identifier: BSD-2-Clause */
/* Any key: not ours, or it comes back from what was read in it. */
#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(free_p) char *key = xstrndup((const char *)data, len);
	CLEANUP(free_p) char *ns = NULL;
	CLEANUP(free_p) char *name = NULL;
	CLEANUP(free_p) char *again = NULL;
	model_kind kind;

	if (key_parse(key, &kind, &ns, &name) < 0)
		return 0;
	again = key_of(kind, ns, name, NULL);
	assert(strchr(key, '%') || (again && strcmp(again, key) == 0));
	return 0;
}
