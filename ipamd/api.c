/* SPDX-License-Identifier: BSD-2-Clause */
/* api: the socket of the CNI plugin and of the other daemons. */
#include "ipamd/request.h"

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	request_new(ipc_peer_arg(p), p, (const Ipam__V1__ToIpamd *)msg);
}

static void on_close(struct ipc_peer *p)
{
	request_peer_closed(ipc_peer_arg(p), p);
}

const struct ipc_server_ops ipamd_api_ops = {
	.name = "api",
	.request = &ipam__v1__to_ipamd__descriptor,
	.mode = 0660,
	.on_message = on_message,
	.on_close = on_close,
};
