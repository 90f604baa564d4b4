/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames of typhad's protocol, as either side reads them from a stranger: the first byte says
 * which. What a server counts before it unpacks must be what it unpacks; what a client is sent
 * packed must be unpacked within its bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/frame.h"
#include "common/model/resource.h"
#include "common/store/sync.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void resource_read(const Sync__V1__Resource *m)
{
	const struct kind_info *k = m ? kind_info(m->kind) : NULL;

	if (k && m->has_body)
		msg_free(msg_unpack(k->message, m->body.data, m->body.len));
	if (m && m->name)
		(void)sync_object_is_of(m->name, "node");
}

static void server_reads(const struct cursor *body)
{
	const ProtobufCMessageDescriptor *desc = &sync__v1__to_typhad__descriptor;
	bool within = ipc_fields_within(desc, body, IPC_REQUEST_FIELDS_MAX);
	Sync__V1__ToTyphad *m = (Sync__V1__ToTyphad *)ipc_unpack(desc, body);
	uint64_t kinds;

	/* Whatever can be unpacked can be counted: nothing gets by. */
	if (m && !within && cursor_left(body) < IPC_REQUEST_FIELDS_MAX)
		abort();
	if (!m)
		return;
	if (m->payload_case == SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO) {
		(void)sync_version_agree(m->hello->version, m->hello->min_version);
		(void)sync_type_kinds(m->hello->sync_type, &kinds);
	}
	if (m->payload_case == SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY)
		resource_read(m->apply->resource);
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

static void client_reads(const struct cursor *body, bool inner)
{
	Sync__V1__FromTyphad *m =
	        (Sync__V1__FromTyphad *)ipc_unpack(&sync__v1__from_typhad__descriptor, body);
	CLEANUP(buf_done) struct buf raw = { 0 };
	struct cursor next;
	size_t used;

	if (!m)
		return;
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE)
		resource_read(m->update->resource);
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED && !inner &&
	    sync_unpack(&codec_zstd, m->compressed, &raw, NULL) == 0) {
		if (raw.len > SYNC_RAW_MAX)
			abort();
		for (size_t at = 0; at < raw.len; at += used) {
			if (ipc_frame_next(raw.data + at, raw.len - at, &next, &used) != 1)
				break;
			client_reads(&next, true);
		}
	}
	protobuf_c_message_free_unpacked(&m->base, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor body;
	bool server;
	size_t used;

	if (size == 0)
		return 0;
	server = *data & 1;
	for (size_t at = 1; at < size; at += used) {
		if (ipc_frame_next(data + at, size - at, &body, &used) != 1)
			break;
		if (server)
			server_reads(&body);
		else
			client_reads(&body, false);
	}
	return 0;
}
