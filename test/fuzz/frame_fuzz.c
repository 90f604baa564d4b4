/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of frames as typhad and its clients read it: cut into frames, unpacked as either
 * envelope, bodies unpacked as what they claim to be. */
#include <stddef.h>
#include <stdint.h>

#include "common/ipc/frame.h"
#include "common/model/resource.h"
#include "proto/typhad_sync_v1.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void try_resource(const Sync__V1__Resource *r)
{
	const struct kind_info *k = r ? kind_info(r->kind) : NULL;

	if (k && r->has_body)
		msg_free(msg_unpack(k->message, r->body.data, r->body.len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct cursor body;
	size_t used;

	while (ipc_frame_next(data, len, &body, &used) == 1) {
		ProtobufCMessage *to = ipc_unpack(&sync__v1__to_typhad__descriptor, &body);
		ProtobufCMessage *from = ipc_unpack(&sync__v1__from_typhad__descriptor, &body);
		const Sync__V1__ToTyphad *m = (const Sync__V1__ToTyphad *)to;
		const Sync__V1__FromTyphad *f = (const Sync__V1__FromTyphad *)from;

		if (m && m->payload_case == SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE)
			try_resource(m->create->resource);
		if (f && f->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE)
			try_resource(f->update->resource);
		if (f) { /* what was read can be written */
			struct ipc_frame *again = ipc_frame_pack(from);

			ipc_frame_unref(again);
		}
		if (to)
			protobuf_c_message_free_unpacked(to, NULL);
		if (from)
			protobuf_c_message_free_unpacked(from, NULL);
		data += used;
		len -= used;
	}
	return 0;
}
