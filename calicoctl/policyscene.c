/* SPDX-License-Identifier: BSD-2-Clause */
/* The resources that decide about packets, and the ends of a packet among them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/db.h"
#include "calicoctl/policy.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_node.pb-c.h"

static const model_kind scene_kinds[] = {
	V3__KIND__KIND_TIER,
	V3__KIND__KIND_PROFILE,
	V3__KIND__KIND_WORKLOAD_ENDPOINT,
	V3__KIND__KIND_HOST_ENDPOINT,
	V3__KIND__KIND_NETWORK_SET,
	V3__KIND__KIND_GLOBAL_NETWORK_SET,
	V3__KIND__KIND_NETWORK_POLICY,
	V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
	V3__KIND__KIND_STAGED_NETWORK_POLICY,
	V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY,
	V3__KIND__KIND_NODE,
	V3__KIND__KIND_FELIX_CONFIGURATION,
};

static void add(struct policy_scene *s, const struct resource *r)
{
	struct err err;

	if (policy_world_add(s->w, r, &err) < 0)
		fprintf(stderr, "%s %s%s%s counts as absent: %s\n", kind_info(r->kind)->name,
		        r->ns ? visible(r->ns) : "", r->ns ? "/" : "", visible(r->name),
		        visible(err.text));
}

int policy_scene_load(struct db *db, struct policy_scene *ret, struct err *err)
{
	*ret = (struct policy_scene){ .w = policy_world_new() };
	ret->lists = xcalloc(ARRAY_SIZE(scene_kinds), sizeof(struct store_result *));
	for (size_t i = 0; i < ARRAY_SIZE(scene_kinds); i++) {
		struct store_result *r = db_list(db, scene_kinds[i], NULL, NULL);

		ret->lists[ret->n_lists++] = r;
		if (r->status != STORE_OK) {
			db_error(r, scene_kinds[i], NULL, "", err);
			policy_scene_done(ret);
			return err->code;
		}
		for (size_t k = 0; k < r->n; k++)
			add(ret, r->items[k]);
	}
	policy_world_settle(ret->w);
	return 0;
}

void policy_scene_done(struct policy_scene *s)
{
	policy_world_free(s->w);
	for (size_t i = 0; i < s->n_lists; i++)
		store_result_free(s->lists[i]);
	free(s->lists);
	*s = (struct policy_scene){ 0 };
}

/* The n-th resource of a kind; NULL behind the last. */
static const struct resource *nth(const struct policy_scene *s, model_kind kind, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(scene_kinds); i++)
		if (scene_kinds[i] == kind)
			return n < s->lists[i]->n ? s->lists[i]->items[n] : NULL;
	return NULL;
}

const char *policy_scene_to_host_action(const struct policy_scene *s, const char *node)
{
	CLEANUP(free_p) char *own = xasprintf("node.%s", node);
	const char *action = NULL;
	const struct resource *r;

	for (size_t i = 0; (r = nth(s, V3__KIND__KIND_FELIX_CONFIGURATION, i)); i++) {
		const V3__FelixConfigurationSpec *spec =
		        ((const V3__FelixConfiguration *)r->msg)->spec;
		bool is_own = strcmp(r->name, own) == 0;

		if (spec && spec->defaultendpointtohostaction &&
		    (is_own || (!action && strcmp(r->name, "default") == 0)))
			action = spec->defaultendpointtohostaction;
	}
	return action ? action : "Drop";
}

/* ---- failsafe ports */

struct failsafe {
	int protocol;
	uint16_t port;
};

static const struct failsafe failsafe_in[] = {
	{ IPPROTO_TCP, 22 },   { IPPROTO_UDP, 68 },   { IPPROTO_TCP, 179 },
	{ IPPROTO_TCP, 2379 }, { IPPROTO_TCP, 2380 }, { IPPROTO_TCP, 5473 },
	{ IPPROTO_TCP, 6443 }, { IPPROTO_TCP, 6666 }, { IPPROTO_TCP, 6667 },
};
static const struct failsafe failsafe_out[] = {
	{ IPPROTO_UDP, 53 },   { IPPROTO_UDP, 67 },   { IPPROTO_TCP, 179 },
	{ IPPROTO_TCP, 2379 }, { IPPROTO_TCP, 2380 }, { IPPROTO_TCP, 5473 },
	{ IPPROTO_TCP, 6443 }, { IPPROTO_TCP, 6666 }, { IPPROTO_TCP, 6667 },
};

/* NULL: nothing is configured. */
static const V3__ProtoPortList *failsafes_of(const struct policy_scene *s, const char *node,
                                             enum policy_direction d)
{
	CLEANUP(free_p) char *own = xasprintf("node.%s", node);
	const V3__ProtoPortList *list = NULL;
	const struct resource *r;

	for (size_t i = 0; (r = nth(s, V3__KIND__KIND_FELIX_CONFIGURATION, i)); i++) {
		const V3__FelixConfigurationSpec *spec =
		        ((const V3__FelixConfiguration *)r->msg)->spec;
		const V3__ProtoPortList *its = !spec ? NULL
		                               : d == POLICY_INGRESS
		                                       ? spec->failsafeinboundhostports
		                                       : spec->failsafeoutboundhostports;
		bool is_own = strcmp(r->name, own) == 0;

		if (its && (is_own || (!list && strcmp(r->name, "default") == 0)))
			list = its;
	}
	return list;
}

static bool is_configured(const V3__ProtoPort *f, const struct ip_addr *far,
                          const struct policy_packet *p)
{
	int protocol =
	        f->protocol && *f->protocol ? protocol_number_of_name(f->protocol) : IPPROTO_TCP;
	struct ip_prefix net;

	if (protocol != p->protocol || f->port != p->dst.port)
		return false;
	return !f->net || !*f->net ||
	       (ip_prefix_parse(f->net, &net) == 0 && ip_prefix_contains(&net, far));
}

bool policy_scene_is_failsafe(const struct policy_scene *s, const char *node,
                              enum policy_direction d, const struct policy_packet *p)
{
	const V3__ProtoPortList *list = failsafes_of(s, node, d);
	const struct failsafe *f = d == POLICY_INGRESS ? failsafe_in : failsafe_out;

	if (list) {
		for (size_t i = 0; i < list->n_items; i++)
			if (is_configured(list->items[i],
			                  d == POLICY_INGRESS ? &p->src.addr : &p->dst.addr, p))
				return true;
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(failsafe_in); i++)
		if (f[i].protocol == p->protocol && f[i].port == p->dst.port)
			return true;
	return false;
}

/* ---- endpoints by name */

static bool is_workload(const struct policy_party *p)
{
	return p->r->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT;
}

static bool is_host_endpoint(const struct policy_party *p)
{
	return p->r->kind == V3__KIND__KIND_HOST_ENDPOINT;
}

static const char *pod_of(const struct policy_party *p)
{
	const V3__WorkloadEndpointSpec *s = ((const V3__WorkloadEndpoint *)p->r->msg)->spec;

	return s->pod && *s->pod             ? s->pod
	       : s->workload && *s->workload ? s->workload
	       : s->containerid              ? s->containerid
	                                     : "";
}

static const struct policy_party *workload(const struct policy_scene *s, const char *ns,
                                           const char *name)
{
	for (size_t i = 0; i < s->w->n_parties; i++) {
		const struct policy_party *p = &s->w->parties[i];

		if (is_workload(p) && strcmp(p->r->ns, ns) == 0 &&
		    (strcmp(pod_of(p), name) == 0 || strcmp(p->r->name, name) == 0))
			return p;
	}
	return NULL;
}

static const struct policy_party *host_endpoint(const struct policy_scene *s, const char *name)
{
	for (size_t i = 0; i < s->w->n_parties; i++)
		if (is_host_endpoint(&s->w->parties[i]) &&
		    strcmp(s->w->parties[i].r->name, name) == 0)
			return &s->w->parties[i];
	return NULL;
}

/* "ns/pod" or "pod". */
static const struct policy_party *workload_named(const struct policy_scene *s, const char *text,
                                                 const char *ns)
{
	const char *slash = strchr(text, '/');
	CLEANUP(free_p) char *given = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;

	return workload(s, given ? given : ns ? ns : "default", slash ? slash + 1 : text);
}

int policy_party_find(const struct policy_scene *s, const char *text, const char *ns,
                      const struct policy_party **ret, struct err *err)
{
	*ret = workload_named(s, text, ns);
	if (!*ret)
		*ret = host_endpoint(s, text);
	if (*ret)
		return 0;
	if (strchr(text, '/'))
		return err_set(err, -ENOENT, "there is no pod %s", visible(text));
	return err_set(err, -ENOENT,
	               "there is no pod '%s' in namespace '%s', and no host endpoint of this name",
	               visible(text), ns ? visible(ns) : "default");
}

void policy_party_text(const struct policy_party *p, struct buf *out)
{
	if (is_workload(p)) {
		buf_str(out, "pod ");
		visible_add(out, p->r->ns, false);
		buf_byte(out, '/');
		visible_add(out, pod_of(p), false);
	} else {
		buf_str(out, "host endpoint ");
		visible_add(out, p->r->name, false);
	}
	buf_str(out, " on ");
	visible_add(out, p->node, false);
}

/* ---- nodes */

static void take_address(const char *text, struct policy_end *e)
{
	struct ip_prefix p;

	if (!text || ip_prefix_parse(text, &p) < 0)
		return;
	if (p.addr.family == AF_INET && !e->v4.family)
		e->v4 = p.addr;
	else if (p.addr.family == AF_INET6 && !e->v6.family)
		e->v6 = p.addr;
}

static bool is_address(const char *text, const struct ip_addr *addr)
{
	struct ip_prefix p;

	return text && ip_prefix_parse(text, &p) == 0 && ip_addr_eq(&p.addr, addr);
}

static bool node_has(const V3__Node *n, const struct ip_addr *addr)
{
	const V3__NodeSpec *s = n->spec;

	if (!s)
		return false;
	if (s->bgp &&
	    (is_address(s->bgp->ipv4address, addr) || is_address(s->bgp->ipv6address, addr)))
		return true;
	for (size_t i = 0; i < s->n_addresses; i++)
		if (is_address(s->addresses[i]->address, addr))
			return true;
	return false;
}

static void take_node_addresses(const V3__Node *n, struct policy_end *e)
{
	if (!n->spec)
		return;
	if (n->spec->bgp) {
		take_address(n->spec->bgp->ipv4address, e);
		take_address(n->spec->bgp->ipv6address, e);
	}
	for (size_t i = 0; i < n->spec->n_addresses; i++)
		take_address(n->spec->addresses[i]->address, e);
}

/* The host endpoint that judges what the node does at this address: one that expects it, else the
 * one for all interfaces; of several, the one with the lowest name. */
static const struct policy_party *endpoint_of_node(const struct policy_scene *s, const char *node,
                                                   const struct ip_addr *a, const struct ip_addr *b)
{
	const struct policy_party *any = NULL;

	for (size_t i = 0; i < s->w->n_parties; i++) {
		const struct policy_party *p = &s->w->parties[i];
		const char *interface;

		if (!is_host_endpoint(p) || strcmp(p->node, node) != 0)
			continue;
		interface = ((const V3__HostEndpoint *)p->r->msg)->spec->interfacename;
		if (interface && strcmp(interface, "*") == 0)
			any = any ? any : p;
		else if ((a->family && policy_party_has(p, a)) ||
		         (b->family && policy_party_has(p, b)))
			return p;
	}
	return any;
}

static void be_node(const struct policy_scene *s, const struct resource *node, struct policy_end *e)
{
	e->is_host = true;
	e->node = node->name;
	take_node_addresses((const V3__Node *)node->msg, e);
	e->party = endpoint_of_node(s, e->node, &e->v4, &e->v6);
}

/* ---- an end of a packet */

static void be_party(const struct policy_party *p, struct policy_end *e)
{
	e->party = p;
	e->node = p->node;
	e->is_host = is_host_endpoint(p);
	for (size_t i = 0; i < p->n_nets; i++) {
		char text[IP_PREFIX_STR_MAX];

		take_address(ip_prefix_str(&p->nets[i], text), e);
	}
}

/* An address: of a pod, of a host endpoint, of a node, or of somebody outside. */
static void find_by_address(const struct policy_scene *s, const struct ip_addr *addr,
                            struct policy_end *e)
{
	const struct resource *node;

	if (addr->family == AF_INET)
		e->v4 = *addr;
	else
		e->v6 = *addr;
	for (size_t i = 0; i < s->w->n_parties && !e->party; i++) {
		const struct policy_party *p = &s->w->parties[i];

		if ((is_workload(p) || is_host_endpoint(p)) && policy_party_has(p, addr)) {
			e->party = p;
			e->node = p->node;
			e->is_host = is_host_endpoint(p);
		}
	}
	for (size_t i = 0; !e->party && (node = nth(s, V3__KIND__KIND_NODE, i)); i++) {
		if (!node_has((const V3__Node *)node->msg, addr))
			continue;
		e->is_host = true;
		e->node = node->name;
		e->party = endpoint_of_node(s, e->node, &e->v4, &e->v6);
		return;
	}
}

int policy_end_find(const struct policy_scene *s, const char *flag, const char *text,
                    const char *ns, struct policy_end *ret, struct err *err)
{
	const struct policy_party *p;
	const struct resource *node;
	struct ip_addr addr;

	*ret = (struct policy_end){ .text = text };
	if (ip_addr_parse(text, &addr) == 0) {
		find_by_address(s, &addr, ret);
		return 0;
	}
	if ((p = workload_named(s, text, ns))) {
		be_party(p, ret);
		return 0;
	}
	for (size_t i = 0; (node = nth(s, V3__KIND__KIND_NODE, i)); i++) {
		if (strcmp(node->name, text) == 0) {
			be_node(s, node, ret);
			return 0;
		}
	}
	if ((p = host_endpoint(s, text))) {
		be_party(p, ret);
		for (size_t i = 0; (node = nth(s, V3__KIND__KIND_NODE, i)); i++)
			if (strcmp(node->name, p->node) == 0)
				take_node_addresses((const V3__Node *)node->msg, ret);
		return 0;
	}
	if (strchr(text, '/'))
		return err_set(err, -ENOENT, "%s: there is no pod %s", flag, visible(text));
	return err_set(err, -ENOENT,
	               "%s: '%s' is no address, no pod in namespace '%s', no node and no host "
	               "endpoint",
	               flag, visible(text), ns ? visible(ns) : "default");
}
