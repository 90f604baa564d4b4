/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec: frames packed smaller. Who offers none links none.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct frame_codec {
	const char *name; /* in Hello: "zstd" */
	/* Appends what data becomes. -ENOMEM. */
	int (*pack)(const void *data, size_t len, struct buf *out);
	/* Appends what data was, which must be raw_len bytes. The caller has checked raw_len
	 * against its limit. -EPROTO when it is something else. */
	int (*unpack)(const void *data, size_t len, size_t raw_len, struct buf *out);
};

extern const struct frame_codec codec_zstd;
