/* SPDX-License-Identifier: BSD-2-Clause */
/* A block as anybody may have stored it: refused, or good for every operation. */
#include <assert.h>

#include "common/base/mem.h"
#include "common/model/block.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block_owner o = { (char *)"h", NULL, 0 };
	struct ip_prefix cidr;
	ProtobufCMessage *m;
	uint32_t got[4];
	char *handle = NULL;

	if (mapper_read_text(&v3__ipam_block__descriptor, (const char *)data, size, MAPPER_KEEP, &m,
	                     NULL) < 0)
		return 0;
	V3__IpamBlock *b = (V3__IpamBlock *)m;

	if (block_check(b, &cidr, NULL)) {
		(void)block_gc(b, 1787380400, 10);
		(void)block_take(b, &o, 4, got);
		(void)block_take_ordinal(b, &o, 1);
		(void)block_release_ordinal(b, 0, 1787380400, &handle);
		(void)block_release_handle(b, "h", 1787380400, 0, NULL);
		(void)block_empty(b);
		assert(block_check(b, &cidr, NULL));
		free(handle);
	}
	msg_free(m);
	return 0;
}
