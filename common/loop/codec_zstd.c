/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec_zstd: level 1: what is packed goes out at once, to many, and has a network before it. The
 * contexts are made once and kept: the loop has one thread.
 */
#include <errno.h>
#include <zstd.h>

#include "common/loop/codec.h"

#define LEVEL 1

static int zstd_pack(const void *data, size_t len, struct buf *out)
{
	static ZSTD_CCtx *ctx;
	size_t bound = ZSTD_compressBound(len), n;
	void *to;

	if (!ctx)
		ctx = ZSTD_createCCtx();
	if (!ctx)
		return -ENOMEM;
	to = buf_extend(out, bound);
	n = ZSTD_compressCCtx(ctx, to, bound, data, len, LEVEL);
	out->len -= bound;
	if (ZSTD_isError(n))
		return -ENOMEM;
	out->len += n;
	return 0;
}

static int zstd_unpack(const void *data, size_t len, size_t raw_len, struct buf *out)
{
	static ZSTD_DCtx *ctx;
	size_t n;
	void *to;

	if (!ctx)
		ctx = ZSTD_createDCtx();
	if (!ctx)
		return -ENOMEM;
	if (ZSTD_getFrameContentSize(data, len) != raw_len)
		return -EPROTO; /* before any memory is taken for it */
	to = buf_extend(out, raw_len);
	n = ZSTD_decompressDCtx(ctx, to, raw_len, data, len);
	if (ZSTD_isError(n) || n != raw_len) {
		out->len -= raw_len;
		return -EPROTO;
	}
	return 0;
}

const struct frame_codec codec_zstd = {
	.name = "zstd",
	.pack = zstd_pack,
	.unpack = zstd_unpack,
};
