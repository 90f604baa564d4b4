/* SPDX-License-Identifier: BSD-2-Clause */
/* A value of the datastore: the first byte chooses the kind. What can be read can be written, and
 * reads the same again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/store/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct resource *r = NULL, *again = NULL;
	struct buf value = { 0 };

	if (len == 0 || !kind_info((model_kind)data[0]) ||
	    object_decode((model_kind)data[0], NULL, "name", 1, (const char *)data + 1, len - 1, &r,
	                  NULL) < 0)
		return 0;
	object_stamp(r, NULL, 0);
	if (object_encode(r, &value, NULL) == 0) {
		if (object_decode(r->kind, NULL, "name", 1, buf_cstr(&value), value.len, &again,
		                  NULL) < 0)
			abort();
		resource_free(again);
	}
	buf_done(&value);
	resource_free(r);
	return 0;
}
