/* SPDX-License-Identifier: BSD-2-Clause */
#include "confd/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define DEFAULT_PORT 179
#define NS_PER_SEC INT64_C(1000000000)
#define RESTART_MAX_SEC 4095

struct build {
	const struct model_input *in;
	const struct bgp_node *me;
	int family;
	uint32_t own_as, default_as;
	struct peers *out;
};

/* ---- nodes */

/* listenPort: of node.<name>, else of default, else 179. */
static uint16_t listen_port(const struct model_input *in, const char *node)
{
	char name[300];
	const struct resource *r[2];

	snprintf(name, sizeof(name), "node.%s", node);
	r[0] = objects_find(&in->configs, name);
	r[1] = objects_find(&in->configs, "default");
	for (unsigned i = 0; i < 2; i++) {
		const V3__BGPConfiguration *c =
		        r[i] ? (const V3__BGPConfiguration *)r[i]->msg : NULL;

		if (c && c->spec && c->spec->has_listenport && c->spec->listenport > 0 &&
		    c->spec->listenport < 65536)
			return (uint16_t)c->spec->listenport;
	}
	return DEFAULT_PORT;
}

void bgp_node_of(const struct model_input *in, const struct resource *node, int family,
                 struct bgp_node *ret)
{
	const V3__Node *n = (const V3__Node *)node->msg;
	const V3__NodeBgpSpec *bgp = n->spec ? n->spec->bgp : NULL;
	const char *text = !bgp ? NULL : family == AF_INET ? bgp->ipv4address : bgp->ipv6address;
	struct ip_prefix p;

	*ret = (struct bgp_node){ .name = node->name, .port = listen_port(in, node->name) };
	if (!bgp)
		return;
	if (text && ip_prefix_parse(text, &p) == 0 && p.addr.family == family)
		ret->addr = p.addr;
	ret->has_as = bgp->asnumber && bgp->asnumber->has_value;
	ret->as = ret->has_as ? bgp->asnumber->value : 0;
	ret->cluster_id = bgp->routereflectorclusterid && *bgp->routereflectorclusterid
	                          ? bgp->routereflectorclusterid
	                          : NULL;
}

static const char *node_label(void *arg, const char *label)
{
	const V3__Node *n = (const V3__Node *)((const struct resource *)arg)->msg;

	return n->metadata ? meta_get(n->metadata->n_labels, n->metadata->labels, label) : NULL;
}

/* A selector that does not parse selects nobody: validation refuses it when it is written. */
static bool selects(const char *text, const struct resource *node)
{
	struct selector *s;
	bool match;

	if (selector_parse(text, &s, NULL) < 0)
		return false;
	match = selector_match(s, node_label, (void *)node);
	selector_unref(s);
	return match;
}

static uint32_t as_of(const struct build *b, const struct bgp_node *n)
{
	return n->has_as ? n->as : b->default_as;
}

/* The node that has this address; false: no node. */
static bool node_of_addr(const struct build *b, const struct ip_addr *a, struct bgp_node *ret)
{
	for (size_t i = 0; i < b->in->nodes.n; i++) {
		bgp_node_of(b->in, b->in->nodes.items[i], b->family, ret);
		if (ret->addr.family && ip_addr_eq(&ret->addr, a))
			return true;
	}
	return false;
}

/* ---- one peer */

static bool taken(const struct build *b, const struct ip_addr *a)
{
	for (size_t i = 0; i < b->out->n; i++)
		if (ip_addr_eq(&b->out->items[i].address, a))
			return true;
	return false;
}

/* Adds p unless its address is ours or taken. kind: Mesh, Global, Node. */
static void add(struct build *b, const char *kind, struct peer *p)
{
	char addr[IP_ADDR_STR_MAX], own[IP_ADDR_STR_MAX];
	size_t len;

	if (p->address.family != b->family || ip_addr_eq(&p->address, &b->me->addr) ||
	    taken(b, &p->address))
		return;
	ip_addr_str(&p->address, addr);
	ip_addr_str(&b->me->addr, own);
	/* As upstream: by the texts, not the numbers, and never for Node_ peers. Both ends must
	 * agree. */
	p->passive = p->calico_node && strcmp(kind, "Node") != 0 && strcmp(addr, own) > 0;
	snprintf(p->name, sizeof(p->name), "%s_%s", kind, addr);
	for (char *c = p->name; *c; c++)
		if (*c == '.' || *c == ':')
			*c = '_';
	len = strlen(p->name);
	if (p->port && strcmp(kind, "Mesh") != 0)
		snprintf(p->name + len, sizeof(p->name) - len, "_port_%u", p->port);
	b->out->items = xrealloc(b->out->items, (b->out->n + 1) * sizeof(*b->out->items));
	b->out->items[b->out->n++] = *p;
}

static void add_mesh(struct build *b)
{
	for (size_t i = 0; i < b->in->nodes.n; i++) {
		struct bgp_node n;
		struct peer p = { .calico_node = true, .next_hop = "auto", .origin = "mesh" };

		bgp_node_of(b->in, b->in->nodes.items[i], b->family, &n);
		if (strcmp(n.name, b->in->node) == 0 || !n.addr.family || n.cluster_id)
			continue;
		p.address = n.addr;
		p.remote_as =
		        n.has_as ? n.as : b->own_as; /* as upstream: ours, not the cluster's */
		p.port = n.port == DEFAULT_PORT ? 0 : n.port;
		add(b, "Mesh", &p);
	}
}

/* Whole seconds, as many as twelve bits hold (RFC 4724 section 3). */
static unsigned restart_sec(int64_t ns)
{
	if (ns <= 0)
		return 0;
	if (ns >= RESTART_MAX_SEC * NS_PER_SEC)
		return RESTART_MAX_SEC;
	return (unsigned)((ns + NS_PER_SEC / 2) / NS_PER_SEC);
}

/* What a BGPPeer says of every peer that comes of it. */
static struct peer peer_of_spec(const struct resource *r)
{
	const V3__BgpPeerSpec *s = ((const V3__BGPPeer *)r->msg)->spec;
	struct peer p = { .next_hop = "auto", .origin = r->name };

	if (s->nexthopmode && strcmp(s->nexthopmode, "Self") == 0)
		p.next_hop = "self";
	else if (s->nexthopmode && strcmp(s->nexthopmode, "Keep") == 0)
		p.next_hop = "keep";
	p.source_none = s->sourceaddress && strcmp(s->sourceaddress, "None") == 0;
	if (s->maxrestarttime)
		p.restart_sec = restart_sec(s->maxrestarttime->ns);
	return p;
}

/* Clients are internal peers that do not belong to the same cluster of reflectors. */
static void set_reflection(struct build *b, struct peer *p, const char *peer_cluster_id)
{
	p->rr_client = b->me->cluster_id && p->remote_as == b->own_as &&
	               (!peer_cluster_id || strcmp(peer_cluster_id, b->me->cluster_id) != 0);
}

static void add_node_peer(struct build *b, const char *kind, const struct resource *r,
                          const struct bgp_node *n)
{
	struct peer p = peer_of_spec(r);

	if (!n->addr.family || strcmp(n->name, b->in->node) == 0)
		return;
	p.address = n->addr;
	p.calico_node = true;
	p.remote_as = as_of(b, n);
	p.port = n->port == DEFAULT_PORT ? 0 : n->port;
	set_reflection(b, &p, n->cluster_id);
	add(b, kind, &p);
}

/* "10.0.0.1", "10.0.0.1:180", "[fd00::1]:180", "fd00::1". */
static bool parse_peer_ip(const char *s, struct ip_addr *ret, uint16_t *ret_port)
{
	char host[IP_ADDR_STR_MAX + 2];
	const char *colon;
	char *end;
	unsigned long port;

	*ret_port = 0;
	if (!s || strlen(s) >= 64)
		return false;
	if (ip_addr_parse(s, ret) == 0)
		return true;
	colon = strrchr(s, ':');
	if (!colon || (size_t)(colon - s) >= sizeof(host))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || end == colon + 1 || port == 0 || port > 65535)
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - s), s);
	if (*host == '[') {
		if (colon[-1] != ']')
			return false;
		host[strlen(host) - 1] = '\0';
		memmove(host, host + 1, strlen(host));
	}
	*ret_port = (uint16_t)port;
	return ip_addr_parse(host, ret) == 0;
}

/* The peers that a BGPPeer makes of its own side: an address, or the nodes that a selector selects.
 */
static void add_forward(struct build *b, const char *kind, const struct resource *r)
{
	const V3__BgpPeerSpec *s = ((const V3__BGPPeer *)r->msg)->spec;
	struct peer p = peer_of_spec(r);
	struct bgp_node n;

	if (s->peerselector && *s->peerselector) {
		for (size_t i = 0; i < b->in->nodes.n; i++) {
			if (!selects(s->peerselector, b->in->nodes.items[i]))
				continue;
			bgp_node_of(b->in, b->in->nodes.items[i], b->family, &n);
			add_node_peer(b, kind, r, &n);
		}
		return;
	}
	if (!parse_peer_ip(s->peerip, &p.address, &p.port)) {
		log_warn("BGPPeer has no usable peerIP", "bgppeer=%s", LOG_VIS(r->name));
		return;
	}
	p.remote_as = s->asnumber && s->asnumber->has_value ? s->asnumber->value : b->default_as;
	if (node_of_addr(b, &p.address, &n)) {
		p.calico_node = true;
		if (p.port == 0 && as_of(b, &n) == p.remote_as && n.port != DEFAULT_PORT)
			p.port = n.port;
		set_reflection(b, &p, n.cluster_id);
	} else {
		set_reflection(b, &p, NULL);
	}
	add(b, kind, &p);
}

static bool is_global(const V3__BgpPeerSpec *s)
{
	return !(s->node && *s->node) && !(s->nodeselector && *s->nodeselector);
}

/* Whether the BGPPeer is one of this node's. */
static bool applies_to(const V3__BgpPeerSpec *s, const struct resource *node)
{
	if (s->node && *s->node)
		return strcmp(s->node, node->name) == 0;
	return is_global(s) || selects(s->nodeselector, node);
}

/* Whether the BGPPeer names this node as the other end. */
static bool points_to(const struct build *b, const V3__BgpPeerSpec *s, const struct resource *own)
{
	struct ip_addr a;
	uint16_t port;

	if (s->peerselector && *s->peerselector)
		return selects(s->peerselector, own);
	return parse_peer_ip(s->peerip, &a, &port) && ip_addr_eq(&a, &b->me->addr) &&
	       (port == 0 || port == b->me->port) && s->asnumber && s->asnumber->has_value &&
	       s->asnumber->value == b->own_as;
}

static void add_reverse(struct build *b, const struct resource *r, const struct resource *own)
{
	const V3__BgpPeerSpec *s = ((const V3__BGPPeer *)r->msg)->spec;

	if (!points_to(b, s, own))
		return;
	for (size_t i = 0; i < b->in->nodes.n; i++) {
		struct bgp_node n;

		if (!applies_to(s, b->in->nodes.items[i]))
			continue;
		bgp_node_of(b->in, b->in->nodes.items[i], b->family, &n);
		add_node_peer(b, "Node", r, &n);
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct peer *)a)->name, ((const struct peer *)b)->name);
}

void peers_build(const struct model_input *in, const struct bgp_node *me, int family,
                 uint32_t own_as, uint32_t default_as, bool mesh, struct peers *ret)
{
	struct build b = { in, me, family, own_as, default_as, ret };
	const struct resource *own = objects_find(&in->nodes, in->node);

	*ret = (struct peers){ 0 };
	if (!me->addr.family || !own)
		return;
	for (unsigned pass = 0; pass < 3; pass++) {
		for (size_t i = 0; i < in->peers.n; i++) {
			const struct resource *r = in->peers.items[i];
			const V3__BgpPeerSpec *s = ((const V3__BGPPeer *)r->msg)->spec;

			if (!s)
				continue;
			if (pass == 0 && is_global(s))
				add_forward(&b, "Global", r);
			else if (pass == 1 && !is_global(s) && applies_to(s, own))
				add_forward(&b, "Node", r);
			else if (pass == 2)
				add_reverse(&b, r, own);
		}
	}
	if (mesh && !me->cluster_id)
		add_mesh(&b);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
}

void peers_done(struct peers *p)
{
	free(p->items);
	*p = (struct peers){ 0 };
}
