/* SPDX-License-Identifier: BSD-2-Clause */
/* node status: is this node's Calico there, and what do its BGP sessions do. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calicoctl/node.h"
#include "calicoctl/nodestatus.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "proto/bgpd_bgp_v1.pb-c.h"
#include "proto/ctl_v1.pb-c.h"

#define ANSWER_MS 2000

bool node_is_root(void)
{
	if (geteuid() == 0)
		return true;
	puts("Need super user privileges: Operation not permitted");
	return false;
}

/* Somebody listens on felixd's socket. */
static int felixd_is_there(const struct options *o, struct err *err)
{
	struct ipc_call c;
	int rc = ipc_call_open(&c, o->run_dir, "felixd", "ctl.sock",
	                       &ctl__v1__from_daemon__descriptor, ANSWER_MS, err);

	ipc_call_close(&c);
	return rc;
}

static int get_peers(const struct options *o, ProtobufCMessage **ret, struct err *err)
{
	Bgp__V1__GetPeers get = BGP__V1__GET_PEERS__INIT;
	Bgp__V1__ToBgpd request = BGP__V1__TO_BGPD__INIT;
	struct ipc_call c;
	int rc = ipc_call_open(&c, o->run_dir, "bgpd", "api.sock", &bgp__v1__from_bgpd__descriptor,
	                       ANSWER_MS, err);

	request.payload_case = BGP__V1__TO_BGPD__PAYLOAD_GET_PEERS;
	request.get_peers = &get;
	if (rc == 0)
		rc = ipc_call(&c, &request.base, ret, err);
	ipc_call_close(&c);
	return rc;
}

int node_status(const struct options *o, FILE *to, struct err *err)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	const Bgp__V1__FromBgpd *reply;
	ProtobufCMessage *m;
	int rc = felixd_is_there(o, err);

	if (rc) {
		CLEANUP(free_p) char *why = xstrdup(err->text);

		return err_set(err, rc, "Calico process is not running.\n%.400s", why);
	}
	fputs("Calico process is running.\n", to);
	rc = get_peers(o, &m, err);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		fputs("The BGP backend process (bgpd) is not running.\n\n", to);
		return 0;
	}
	if (rc)
		return err_wrap(err, rc, "Error querying bgpd");
	reply = (const Bgp__V1__FromBgpd *)m;
	if (reply->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_PEERS) {
		nodestatus_write(reply->peers, time(NULL), &out);
		fprintf(to, "%s\n", buf_cstr(&out));
	} else {
		rc = err_set(err, -EPROTO, "Error querying bgpd: %s",
		             reply->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_ERROR &&
		                             reply->error->text
		                     ? reply->error->text
		                     : "the answer is not a list of peers");
	}
	protobuf_c_message_free_unpacked(m, NULL);
	return rc;
}

int cmd_node_status(const struct options *o)
{
	struct err err;
	int rc;

	if (!node_is_root())
		return 1;
	rc = node_status(o, stdout, &err);
	fflush(stdout);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
