/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of bgpd for its tests. The run directory comes from CALICO_RUN_DIR.
 *
 *     bgpd_client peers             name state graceful received sent
 *     bgpd_client routes            prefix peer nexthop localpref best|- stale|- aspath
 *     bgpd_client check|load FILE   exit code 1 and the sentence when it is refused
 *     bgpd_client counter NAME      one number
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/ipc/sock.h"
#include "proto/bgpd_bgp_v1.pb-c.h"
#include "proto/ctl_v1.pb-c.h"

static int die(const struct err *err)
{
	(void)fprintf(stderr, "bgpd_client: %s\n", err->text);
	return 1;
}

static int counter(const char *name)
{
	Ctl__V1__HowAreYou how = CTL__V1__HOW_ARE_YOU__INIT;
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	ProtobufCMessage *reply = NULL;
	CLEANUP(ipc_call_close) struct ipc_call c = { .fd = -1 };
	struct err err = { 0 };

	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_HEALTH;
	m.health = &how;
	if (ipc_call_open(&c, NULL, "bgpd", "ctl.sock", &ctl__v1__from_daemon__descriptor, 5000,
	                  &err) < 0 ||
	    ipc_call(&c, &m.base, &reply, &err) < 0)
		return die(&err);
	Ctl__V1__FromDaemon *f = (Ctl__V1__FromDaemon *)reply;
	for (size_t i = 0; f->health && i < f->health->n_counters; i++)
		if (strcmp(f->health->counters[i]->name, name) == 0)
			(void)printf("%" PRIu64 "\n", f->health->counters[i]->value);
	protobuf_c_message_free_unpacked(reply, NULL);
	return 0;
}

static bool show(const Bgp__V1__FromBgpd *f)
{
	if (f->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_ERROR) {
		(void)printf("%s\n", f->error->text);
		return false;
	}
	if (f->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_PEERS)
		for (size_t i = 0; i < f->peers->n_peers; i++) {
			const Bgp__V1__Peer *p = f->peers->peers[i];

			(void)printf("%s %s %s %u %u\n", p->name, p->state,
			             p->graceful_restart ? "graceful" : "-", p->prefixes_received,
			             p->prefixes_sent);
		}
	if (f->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_ROUTES)
		for (size_t i = 0; i < f->routes->n_routes; i++) {
			const Bgp__V1__Route *r = f->routes->routes[i];

			(void)printf("%s %s %s %u %s %s %s\n", r->prefix,
			             *r->peer ? r->peer : "local",
			             r->next_hop && *r->next_hop ? r->next_hop : "-", r->local_pref,
			             r->best ? "best" : "-", r->stale ? "stale" : "-", r->as_path);
		}
	return true;
}

int main(int argc, char **argv)
{
	Bgp__V1__GetPeers peers = BGP__V1__GET_PEERS__INIT;
	Bgp__V1__GetRoutes routes = BGP__V1__GET_ROUTES__INIT;
	Bgp__V1__CheckConfig check = BGP__V1__CHECK_CONFIG__INIT;
	Bgp__V1__LoadConfig load = BGP__V1__LOAD_CONFIG__INIT;
	Bgp__V1__ToBgpd m = BGP__V1__TO_BGPD__INIT;
	CLEANUP(ipc_call_close) struct ipc_call c = { .fd = -1 };
	struct err err = { 0 };
	bool more = true, good = true;
	const char *verb = argc > 1 ? argv[1] : "";

	if (strcmp(verb, "counter") == 0 && argc == 3)
		return counter(argv[2]);
	if (strcmp(verb, "peers") == 0) {
		m.payload_case = BGP__V1__TO_BGPD__PAYLOAD_GET_PEERS;
		m.get_peers = &peers;
	} else if (strcmp(verb, "routes") == 0) {
		m.payload_case = BGP__V1__TO_BGPD__PAYLOAD_GET_ROUTES;
		m.get_routes = &routes;
	} else if (strcmp(verb, "check") == 0 && argc == 3) {
		m.payload_case = BGP__V1__TO_BGPD__PAYLOAD_CHECK_CONFIG;
		check.path = argv[2];
		m.check_config = &check;
	} else if (strcmp(verb, "load") == 0 && argc == 3) {
		m.payload_case = BGP__V1__TO_BGPD__PAYLOAD_LOAD_CONFIG;
		load.path = argv[2];
		m.load_config = &load;
	} else {
		(void)fprintf(stderr, "usage: bgpd_client peers | routes | check FILE | load FILE "
		                      "| counter NAME\n");
		return 2;
	}
	m.has_request_id = true;
	m.request_id = 1;
	if (ipc_call_open(&c, NULL, "bgpd", "api.sock", &bgp__v1__from_bgpd__descriptor, 5000,
	                  &err) < 0 ||
	    ipc_call_send(&c, &m.base, &err) < 0)
		return die(&err);
	while (more) {
		ProtobufCMessage *reply = NULL;

		if (ipc_call_recv(&c, &reply, &err) < 0)
			return die(&err);
		const Bgp__V1__FromBgpd *f = (Bgp__V1__FromBgpd *)reply;
		good = show(f);
		more = f->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_ROUTES && f->routes->more;
		protobuf_c_message_free_unpacked(reply, NULL);
	}
	return good ? 0 : 1;
}
