/* SPDX-License-Identifier: BSD-2-Clause */
/* sync: what both ends of typhad's protocol must agree on. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/ipc/frame.h"
#include "common/loop/codec.h"
#include "proto/typhad_sync_v1.pb-c.h"

struct err;

#define SYNC_VERSION 2u     /* that this software speaks */
#define SYNC_VERSION_MIN 1u /* the oldest that it still speaks */

/* The newest version that both speak; 0: there is none. peer_min 0: peer_version is its only one.
 */
unsigned sync_version_agree(uint32_t peer_version, uint32_t peer_min);

/* The kinds (bits, by number) that a client of this type needs; NULL or "": all. -ENOENT: there is
 * no such type. */
int sync_type_kinds(const char *type, uint64_t *ret);
/* "felix, bgp, ..." */
const char *sync_type_names(void);
/* Of the kinds of this type, those of which a client gets its own node's objects only. */
uint64_t sync_type_own_kinds(const char *type);
/* Is an object of such a kind this node's? */
int sync_object_is_of(const char *name, const char *node);

#define SYNC_RAW_MAX (IPC_FRAME_MAX + IPC_FRAME_HEADER) /* of Compressed: bytes when unpacked */

/* Appends the frames that m holds. -EPROTO or -EMSGSIZE, with a sentence. */
int sync_unpack(const struct frame_codec *codec, const Sync__V1__Compressed *m, struct buf *out,
                struct err *err);
