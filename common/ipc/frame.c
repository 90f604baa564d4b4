/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/ipc/frame.h"

#include <errno.h>

#include "common/base/mem.h"

struct ipc_frame *ipc_frame_pack(const ProtobufCMessage *msg)
{
	size_t body = protobuf_c_message_get_packed_size(msg);
	struct ipc_frame *f;

	if (body > IPC_FRAME_MAX)
		return NULL;
	f = xcalloc(1, sizeof(*f) + IPC_FRAME_HEADER + body);
	f->refs = 1;
	f->len = IPC_FRAME_HEADER + body;
	f->data[0] = (uint8_t)(body >> 24);
	f->data[1] = (uint8_t)(body >> 16);
	f->data[2] = (uint8_t)(body >> 8);
	f->data[3] = (uint8_t)body;
	(void)protobuf_c_message_pack(msg, f->data + IPC_FRAME_HEADER);
	return f;
}

struct ipc_frame *ipc_frame_ref(struct ipc_frame *f)
{
	f->refs++;
	return f;
}

void ipc_frame_unref(struct ipc_frame *f)
{
	if (f && --f->refs == 0)
		free(f);
}

int ipc_frame_next(const void *data, size_t len, struct cursor *ret_body, size_t *ret_consumed)
{
	struct cursor c = cursor_of(data, len);
	uint32_t body;

	if (!cursor_be32(&c, &body))
		return 0;
	if (body > IPC_FRAME_MAX)
		return -EMSGSIZE;
	if (!cursor_sub(&c, body, ret_body))
		return 0;
	*ret_consumed = IPC_FRAME_HEADER + body;
	return 1;
}

/* ---- counting fields (the encoding: protobuf.dev/programming-guides/encoding) */

#define DEPTH_MAX 32

static bool varint(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;
	uint8_t byte;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		if (!cursor_u8(c, &byte))
			return false;
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = v;
			return true;
		}
	}
	return false;
}

static bool fields_take(size_t *left, size_t n)
{
	if (*left < n)
		return false;
	*left -= n;
	return true;
}

static bool count_fields(const ProtobufCMessageDescriptor *desc, struct cursor c, unsigned depth,
                         size_t *left)
{
	while (cursor_left(&c)) {
		const ProtobufCFieldDescriptor *f;
		struct cursor value;
		uint64_t tag, n;

		if (!varint(&c, &tag) || tag >> 3 > UINT32_MAX || !fields_take(left, 1))
			return false;
		switch (tag & 7) {
		case 0:
			if (!varint(&c, &n))
				return false;
			continue;
		case 1:
			if (!cursor_sub(&c, 8, &value))
				return false;
			continue;
		case 5:
			if (!cursor_sub(&c, 4, &value))
				return false;
			continue;
		case 2:
			break;
		default:
			return false; /* groups: nobody has them */
		}
		if (!varint(&c, &n) || n > cursor_left(&c) || !cursor_sub(&c, (size_t)n, &value))
			return false;
		f = protobuf_c_message_descriptor_get_field(desc, (unsigned)(tag >> 3));
		if (!f || f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES)
			continue;
		if (f->type != PROTOBUF_C_TYPE_MESSAGE) { /* packed numbers */
			if (!fields_take(left, (size_t)n / 8))
				return false;
		} else if (depth == 0 || !count_fields(f->descriptor, value, depth - 1, left)) {
			return false;
		}
	}
	return true;
}

bool ipc_fields_within(const ProtobufCMessageDescriptor *desc, const struct cursor *body,
                       size_t max)
{
	return count_fields(desc, *body, DEPTH_MAX, &max);
}

ProtobufCMessage *ipc_unpack(const ProtobufCMessageDescriptor *desc, const struct cursor *body)
{
	return protobuf_c_message_unpack(desc, NULL, cursor_left(body), body->at);
}
