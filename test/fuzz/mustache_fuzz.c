/* SPDX-License-Identifier: BSD-2-Clause */
/* A template as anybody may have written it, rendered over a tree with every kind of value. */
#include "common/base/buf.h"
#include "common/base/err.h"
#include "confd/mustache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "{\"a\":[1,\"x<y\",{\"b\":null,\"c\":{\"d\":true}},[2,3],[]],"
	                           "\"b\":\"v\",\"c\":{\"d\":false,\"a\":[{}]},\"e\":\"\"}";
	static struct json *tree;
	struct buf out = { 0 };
	struct mustache *m;
	struct err err;

	if (!tree && json_parse(text, sizeof(text) - 1, &tree, &err) < 0)
		return 0;
	if (size > 4096 || mustache_parse((const char *)data, size, &m, &err) < 0)
		return 0;
	(void)mustache_render(m, tree, &out, &err);
	buf_done(&out);
	mustache_free(m);
	return 0;
}
