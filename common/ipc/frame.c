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

ProtobufCMessage *ipc_unpack(const ProtobufCMessageDescriptor *desc, const struct cursor *body)
{
	return protobuf_c_message_unpack(desc, NULL, cursor_left(body), body->at);
}
