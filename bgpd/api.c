/* SPDX-License-Identifier: BSD-2-Clause */
/* api.sock: check and load a configuration (confd), peers and routes (calicoctl). */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "bgpd/bgpd.h"
#include "bgpd/export.h"
#include "bgpd/peer.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/loop/server.h"
#include "proto/bgpd_bgp_v1.pb-c.h"

#define ROUTES_PER_REPLY 1000u

static void reply_error(struct ipc_peer *to, uint64_t id, const char *text, const char *path,
                        unsigned line)
{
	Bgp__V1__Error e = BGP__V1__ERROR__INIT;
	Bgp__V1__FromBgpd m = BGP__V1__FROM_BGPD__INIT;

	e.text = (char *)text;
	e.path = (char *)path;
	e.has_line = line != 0;
	e.line = line;
	m.has_request_id = true;
	m.request_id = id;
	m.payload_case = BGP__V1__FROM_BGPD__PAYLOAD_ERROR;
	m.error = &e;
	(void)ipc_peer_send(to, &m.base);
}

static void reply_done(struct ipc_peer *to, uint64_t id)
{
	Bgp__V1__Done d = BGP__V1__DONE__INIT;
	Bgp__V1__FromBgpd m = BGP__V1__FROM_BGPD__INIT;

	m.has_request_id = true;
	m.request_id = id;
	m.payload_case = BGP__V1__FROM_BGPD__PAYLOAD_DONE;
	m.done = &d;
	(void)ipc_peer_send(to, &m.base);
}

static void on_config(struct bgpd *b, struct ipc_peer *to, uint64_t id, const char *path, bool load)
{
	struct config *c = NULL;
	struct err err = { 0 };
	unsigned line = 0;
	struct stat st;
	int r;

	if (!path || !*path)
		path = bgpd_config_path(b);
	/* A client names the file: opening a FIFO would stop us until somebody writes to it. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		r = err_set(&err, -EINVAL, "'%s' is not a regular file", LOG_VIS(path));
	else
		r = config_load(path, &c, &line, &err);
	if (r == 0 && load) {
		r = speaker_load(b, c, &err);
	} else if (r == 0) {
		config_free(c);
	}
	if (r < 0) {
		if (load)
			log_error("configuration refused; the old one stays", "path=%s error=%s",
			          LOG_VIS(path), LOG_VIS(err.text));
		reply_error(to, id, err.text, path, line);
	} else {
		reply_done(to, id);
	}
}

/* The strings that a reply borrows while it is sent. */
struct peer_text {
	char address[IP_ADDR_STR_MAX];
};

static void on_get_peers(struct bgpd *b, struct ipc_peer *to, uint64_t id)
{
	Bgp__V1__Peers peers = BGP__V1__PEERS__INIT;
	Bgp__V1__FromBgpd m = BGP__V1__FROM_BGPD__INIT;
	struct ip_addr router = ip_addr_v4(b->config ? b->config->router_id : 0);
	char router_text[IP_ADDR_STR_MAX];
	size_t n = 0;

	list_for_each (it, &b->peers)
		n++;
	CLEANUP(free_p) Bgp__V1__Peer *rows = xcalloc(n + 1, sizeof(*rows));
	CLEANUP(free_p) Bgp__V1__Peer **refs = xcalloc(n + 1, sizeof(*refs));
	CLEANUP(free_p) struct peer_text *texts = xcalloc(n + 1, sizeof(*texts));

	n = 0;
	list_for_each (it, &b->peers) {
		struct peer *p = list_entry(it, struct peer, link);
		Bgp__V1__Peer *row = &rows[n];

		bgp__v1__peer__init(row);
		row->name = p->name;
		row->address = (char *)ip_addr_str(&p->source.address, texts[n].address);
		row->has_port = row->has_remote_as = row->has_local_as = row->has_since_unix_sec =
		        true;
		row->port = p->cfg->port;
		row->remote_as = p->cfg->remote_as;
		row->local_as = b->config->local_as;
		row->state = (char *)fsm_state_name(p->shown);
		row->since_unix_sec = p->since_unix_sec;
		row->last_error = p->last_error;
		row->has_prefixes_received = row->has_prefixes_sent = row->has_graceful_restart =
		        true;
		row->prefixes_received = p->source.n_paths;
		row->prefixes_sent = export_told(p);
		row->graceful_restart = p->live && p->cfg->graceful.on && p->open.gr;
		refs[n++] = row;
	}
	peers.n_peers = n;
	peers.peers = refs;
	peers.router_id = b->config ? (char *)ip_addr_str(&router, router_text) : NULL;
	m.has_request_id = true;
	m.request_id = id;
	m.payload_case = BGP__V1__FROM_BGPD__PAYLOAD_PEERS;
	m.peers = &peers;
	(void)ipc_peer_send(to, &m.base);
}

struct route_text {
	char prefix[IP_PREFIX_STR_MAX], next_hop[IP_ADDR_STR_MAX];
	char *as_path;
};

struct routes_reply {
	struct ipc_peer *to;
	uint64_t id;
	Bgp__V1__Route rows[ROUTES_PER_REPLY], *refs[ROUTES_PER_REPLY];
	struct route_text texts[ROUTES_PER_REPLY];
	size_t n;
};

static void send_routes(struct routes_reply *r, bool more)
{
	Bgp__V1__Routes routes = BGP__V1__ROUTES__INIT;
	Bgp__V1__FromBgpd m = BGP__V1__FROM_BGPD__INIT;

	routes.n_routes = r->n;
	routes.routes = r->refs;
	routes.has_more = true;
	routes.more = more;
	m.has_request_id = true;
	m.request_id = r->id;
	m.payload_case = BGP__V1__FROM_BGPD__PAYLOAD_ROUTES;
	m.routes = &routes;
	(void)ipc_peer_send(r->to, &m.base);
	for (size_t i = 0; i < r->n; i++)
		free(r->texts[i].as_path);
	r->n = 0;
}

static void add_route(struct routes_reply *r, const struct path *p)
{
	Bgp__V1__Route *row = &r->rows[r->n];
	struct route_text *t = &r->texts[r->n];
	struct buf path = { 0 };

	attr_path_str(&p->attrs->set.as_path, &path);
	t->as_path = buf_take(&path);
	bgp__v1__route__init(row);
	row->prefix = (char *)ip_prefix_str(&p->entry->node.prefix, t->prefix);
	row->next_hop = (char *)ip_addr_str(&p->attrs->set.next_hop, t->next_hop);
	row->peer = (char *)(p->source->kind == ROUTE_BGP ? p->source->name : "");
	row->has_best = row->has_stale = row->has_local_pref = true;
	row->best = p->entry->best == p;
	row->stale = p->stale;
	row->as_path = t->as_path;
	row->local_pref = path_local_pref(p);
	r->refs[r->n++] = row;
}

static void on_get_routes(struct bgpd *b, struct ipc_peer *to, uint64_t id,
                          const Bgp__V1__GetRoutes *get)
{
	struct routes_reply *r = xcalloc(1, sizeof(*r));

	r->to = to;
	r->id = id;
	for (unsigned f = 0; f < BGP_FAMILIES; f++) {
		if (get->has_afi && get->afi && get->afi != bgp_family_afi(f))
			continue;
		trie_for_each(n,
		              &b->rib.tries[f]) for (const struct path *p =
		                                             container_of(n, struct rib_entry, node)
		                                                     ->paths;
		                                     p; p = p->next)
		{
			if (get->peer && *get->peer && strcmp(get->peer, p->source->name) != 0)
				continue;
			if (r->n == ROUTES_PER_REPLY)
				send_routes(r, true);
			add_route(r, p);
		}
	}
	send_routes(r, false);
	free(r);
}

static void on_message(struct ipc_peer *from, ProtobufCMessage *msg)
{
	struct bgpd *b = ipc_peer_arg(from);
	const Bgp__V1__ToBgpd *m = (Bgp__V1__ToBgpd *)msg;

	switch (m->payload_case) {
	case BGP__V1__TO_BGPD__PAYLOAD_CHECK_CONFIG:
		on_config(b, from, m->request_id, m->check_config->path, false);
		break;
	case BGP__V1__TO_BGPD__PAYLOAD_LOAD_CONFIG:
		on_config(b, from, m->request_id, m->load_config->path, true);
		break;
	case BGP__V1__TO_BGPD__PAYLOAD_GET_PEERS:
		on_get_peers(b, from, m->request_id);
		break;
	case BGP__V1__TO_BGPD__PAYLOAD_GET_ROUTES:
		on_get_routes(b, from, m->request_id, m->get_routes);
		break;
	default:
		reply_error(from, m->request_id, "bgpd does not know this request", NULL, 0);
		break;
	}
}

int api_start(struct bgpd *b, struct err *err)
{
	static const struct ipc_server_ops ops = {
		.name = "api",
		.request = &bgp__v1__to_bgpd__descriptor,
		.mode = 0660,
		.max_peers = 64,
		.on_message = on_message,
	};
	char path[108];

	daemon_sock_path(b->d, "bgpd", "api.sock", path);
	return ipc_server_new(b->loop, path, &ops, b, &b->api, err);
}

void api_stop(struct bgpd *b)
{
	ipc_server_free(b->api);
	b->api = NULL;
}
