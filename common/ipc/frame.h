/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame: protobuf messages on a stream.
 *
 * A frame is a 4-byte big-endian length and that many bytes: one packed envelope. Every envelope's
 * first field is "optional uint64 request_id = 1", so that code that knows nothing of the messages
 * can match replies to requests. An encoded frame is reference counted: it is packed once, however
 * many connections it goes out on.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/cursor.h"

struct err;

#define IPC_FRAME_MAX (4u << 20) /* bytes behind the length; more is refused before it is read */
#define IPC_FRAME_HEADER 4u

/* How every envelope that protoc-c generates begins. */
struct ipc_envelope {
	ProtobufCMessage base;
	protobuf_c_boolean has_request_id;
	uint64_t request_id;
};

struct ipc_frame {
	uint32_t refs;
	uint32_t len : 31;   /* with the header */
	uint32_t shared : 1; /* held by more than one queue: not on any one's account */
	uint8_t data[];      /* header and body */
};

/* Packs msg. The caller owns one reference. NULL when the message is larger than IPC_FRAME_MAX. */
struct ipc_frame *ipc_frame_pack(const ProtobufCMessage *msg);
struct ipc_frame *ipc_frame_ref(struct ipc_frame *f);
void ipc_frame_unref(struct ipc_frame *f); /* NULL is fine */

/*
 * Looks at the start of a stream. 1: *ret_body is a whole frame's body (borrowed), *ret_consumed
 * what to drop; 0: not yet whole; -EMSGSIZE: the announced length is above IPC_FRAME_MAX. A length
 * of 0 is a frame with an empty message.
 */
int ipc_frame_next(const void *data, size_t len, struct cursor *ret_body, size_t *ret_consumed);

/*
 * Is body, read as desc, a message of at most max fields, those of inner messages included?
 * Unpacked, a field of two bytes takes a hundred: who reads what strangers send asks first. false
 * also when it is no message at all.
 */
bool ipc_fields_within(const ProtobufCMessageDescriptor *desc, const struct cursor *body,
                       size_t max);
#define IPC_REQUEST_FIELDS_MAX 65536u /* of a request: the largest, a Watch, has some dozens */

/* Unpacks a body. The result is freed with protobuf_c_message_free_unpacked(). NULL if it is not
 * such a message. */
ProtobufCMessage *ipc_unpack(const ProtobufCMessageDescriptor *desc, const struct cursor *body);
