/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes, read to their end and not beyond. */
#include "calicoctl/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = { 0 };

	redact((const char *)data, size, &out);
	buf_done(&out);
	return 0;
}
