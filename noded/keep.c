/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keep: the loop of noded's life.
 *
 *     the host's addresses change, or the Node in the datastore does, or the datastore is back
 *         -> what should the Node say?  -> a compare-and-swap, if it says something else
 *
 * A new address is first looked for among the other nodes: two nodes with one address would tear
 * down each other's sessions.
 */
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "noded/noded.h"
#include "proto/v3_bgp.pb-c.h"

#define RETRY_FIRST_MS 200u
#define RETRY_MAX_MS 10000u

static void on_turn(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	keep_run(idle->data);
}

void keep_soon(struct noded *n)
{
	if (!n->stopping)
		(void)uv_idle_start(&n->turn, on_turn);
}

static void on_retry(uv_timer_t *t)
{
	keep_soon(t->data);
}

/* The datastore refused for a reason that may pass. */
static void retry_later(struct noded *n, const char *why)
{
	n->retry_ms = n->retry_ms == 0                 ? RETRY_FIRST_MS
	              : n->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS
	                                               : n->retry_ms * 2;
	daemon_ready(n->d, false, why);
	(void)uv_timer_start(&n->retry, on_retry, n->retry_ms, 0);
}

/* ---- what the Node should say */

static bool is_local(const struct noded *n, const struct ip_addr *a, struct ip_prefix *ret)
{
	for (size_t i = 0; i < n->n_addrs; i++)
		if (ip_addr_eq(&n->addrs[i].prefix.addr, a)) {
			*ret = n->addrs[i].prefix;
			return true;
		}
	return false;
}

static bool run_detection(struct noded *n, unsigned f, const struct ip_prefix *have,
                          struct ip_prefix *ret)
{
	const struct ip_addr *target = detect_target(n->plan[f].detect);
	struct ip_addr source, *from = NULL;

	if (target && target->family == (f == 0 ? AF_INET : AF_INET6) &&
	    addrs_source(target, &source))
		from = &source;
	/* At the start as upstream: from scratch. Later, an address that still fits stays. */
	return detect_run(n->plan[f].detect, f == 0 ? AF_INET : AF_INET6, n->addrs, n->n_addrs,
	                  from, have && n->plan[f].seen_local ? &have->addr : NULL, ret);
}

static void plan_family(struct noded *n, unsigned f)
{
	const V3__Node *node = n->node ? (const V3__Node *)n->node->msg : NULL;
	struct addr_plan *p = &n->plan[f];
	struct ip_prefix have, local;
	bool has = record_addr(node, f == 0 ? AF_INET : AF_INET6, &have);
	const char *variable = f == 0 ? "IP" : "IP6";
	/* Told at every look, and a storm of events is many looks. */
	static struct log_limit limit = LOG_LIMIT_INIT(4, 60000);
	char text[IP_PREFIX_STR_MAX];
	unsigned held;

	n->wish.addr[f] = (struct ip_prefix){ 0 };
	switch (p->mode) {
	case ADDR_NONE:
		return;
	case ADDR_FIXED:
		n->wish.addr[f] = p->fixed;
		if (!p->fixed_has_len && is_local(n, &p->fixed.addr, &local))
			n->wish.addr[f].len = local.len;
		return;
	case ADDR_KEEP:
		if (has && is_local(n, &have.addr, &local)) {
			p->seen_local = true;
			return;
		}
		if (has && !p->seen_local) {
			if (log_limit_pass(&limit, &held))
				log_warn("the node's address is on no interface of this host",
				         "address=%s variable=%s suppressed=%u",
				         ip_prefix_str(&have, text), variable, held);
			return;
		}
		break;
	case ADDR_DETECT:
		break;
	}
	if (run_detection(n, f, has ? &have : NULL, &n->wish.addr[f]))
		p->seen_local = true;
	else if (has && log_limit_pass(&limit, &held))
		log_warn("failed to autodetect an address: the Node keeps the old one",
		         "address=%s variable=%s suppressed=%u", ip_prefix_str(&have, text),
		         variable, held);
}

/* ---- the objects that a new cluster begins with */

static void on_created(void *arg, const struct store_result *r)
{
	struct keep_default *def = arg;

	def->asked = false;
	if (def->n->stopping)
		return;
	def->done = r->status == STORE_OK || r->status == STORE_ALREADY_EXISTS;
	if (r->status == STORE_OK)
		log_info("created", "kind=%s name=%s", kind_info(r->items[0]->kind)->name,
		         r->items[0]->name);
	else if (!def->done)
		retry_later(def->n, r->text);
}

static void create(struct noded *n, unsigned which, model_kind kind, const char *name,
                   ProtobufCMessage *msg /* taken */)
{
	struct keep_default *def = &n->defaults[which];
	struct resource *r = resource_new(kind, NULL, name, 0, msg);

	def->n = n;
	def->asked = true;
	store_create(n->store, r, on_created, def);
	resource_free(r);
}

static bool wanted(const struct noded *n, unsigned which)
{
	return !n->defaults[which].done && !n->defaults[which].asked;
}

static void create_defaults(struct noded *n)
{
	V3__IpamConfig *ipam;
	V3__BGPConfiguration *bgp;

	for (unsigned f = 0; f < 2; f++)
		if (n->new_pool[f] && wanted(n, DEFAULT_POOL4 + f))
			create(n, DEFAULT_POOL4 + f, V3__KIND__KIND_IP_POOL,
			       n->new_pool[f]->metadata->name, msg_copy(&n->new_pool[f]->base));
	if (wanted(n, DEFAULT_IPAM)) {
		ipam = (V3__IpamConfig *)msg_new(&v3__ipam_config__descriptor);
		ipam->has_auto_allocate_blocks = ipam->auto_allocate_blocks = true;
		create(n, DEFAULT_IPAM, V3__KIND__KIND_IPAM_CONFIG, "default", &ipam->base);
	}
	if (!wanted(n, DEFAULT_BGP))
		return;
	bgp = (V3__BGPConfiguration *)msg_new(&v3__bgpconfiguration__descriptor);
	bgp->kind = xstrdup("BGPConfiguration");
	bgp->apiversion = xstrdup(MODEL_API_VERSION);
	model_meta(&bgp->base, true)->name = xstrdup("default");
	bgp->spec = (V3__BgpConfigurationSpec *)msg_new(&v3__bgp_configuration_spec__descriptor);
	create(n, DEFAULT_BGP, V3__KIND__KIND_BGP_CONFIGURATION, "default", &bgp->base);
}

static void on_pools(void *arg, const struct store_result *r)
{
	struct noded *n = arg;

	n->listing = false;
	if (n->stopping)
		return;
	if (r->status != STORE_OK) {
		retry_later(n, r->text); /* keep_run() asks again */
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		const V3__IPPool *p = (const V3__IPPool *)r->items[i]->msg;
		struct ip_prefix cidr;

		/* A family that has a pool needs none of ours, now or later. */
		if (p->spec && p->spec->cidr && ip_prefix_parse(p->spec->cidr, &cidr) == 0)
			n->defaults[DEFAULT_POOL4 + (cidr.addr.family == AF_INET6)].done = true;
	}
	n->in_sync = n->live;
	keep_soon(n);
}

static void list_pools(struct noded *n)
{
	n->listing = true;
	store_list(n->store, V3__KIND__KIND_IP_POOL, NULL, NULL, on_pools, n);
}

/* ---- writing */

static void settled(struct noded *n)
{
	struct err err;

	n->retry_ms = 0;
	n->conflict = false;
	(void)uv_timer_stop(&n->retry);
	create_defaults(n);
	/* The CNI plugin waits for this file: from now on pods can come. */
	if (n->file_path && !n->file_written) {
		if (file_replace(n->file_path, n->d->node, strlen(n->d->node), 0644, &err) < 0)
			log_error("the nodename file could not be written: pods cannot be started",
			          "reason=%s", LOG_VIS(err.text));
		else
			n->file_written = true;
	}
	daemon_ready(n->d, true, "the Node is as it should be");
}

static void on_written(void *arg, const struct store_result *r)
{
	struct noded *n = arg;

	if (n->stopping)
		return;
	n->writing = false;
	switch (r->status) {
	case STORE_OK:
	case STORE_CONFLICT:
	case STORE_ALREADY_EXISTS:
		n->count_conflicts += r->status != STORE_OK;
		if (r->n && r->items[0]->msg) {
			resource_free(n->node);
			n->node = resource_copy(r->items[0]);
		}
		break;
	case STORE_NOT_FOUND:
		resource_free(n->node);
		n->node = NULL;
		break;
	case STORE_INVALID:
	case STORE_UNAVAILABLE:
		log_warn("the Node could not be written", "reason=%s", LOG_VIS(r->text));
		retry_later(n, r->text);
		return;
	}
	keep_soon(n); /* looks whether it is right now */
}

static void write_node(struct noded *n, struct resource *r)
{
	const V3__Node *node = (const V3__Node *)r->msg;
	const V3__NodeBgpSpec *bgp = node->spec->bgp;

	n->count_writes++;
	log_info("writing the Node", "ipv4=%s ipv6=%s as=%u",
	         bgp && bgp->ipv4address ? bgp->ipv4address : "none",
	         bgp && bgp->ipv6address ? bgp->ipv6address : "none",
	         bgp && bgp->asnumber ? bgp->asnumber->value : 0);
	if (n->node)
		store_update(n->store, r, on_written, n);
	else
		store_create(n->store, r, on_written, n);
	resource_free(r);
}

static void on_nodes(void *arg, const struct store_result *r)
{
	struct noded *n = arg;
	struct resource *pending = n->pending;

	n->pending = NULL;
	if (n->stopping || r->status != STORE_OK) {
		resource_free(pending);
		n->writing = false;
		if (!n->stopping)
			retry_later(n, r->text);
		return;
	}
	for (size_t i = 0; i < r->n; i++) {
		for (unsigned f = 0; f < 2; f++) {
			int family = f == 0 ? AF_INET : AF_INET6;
			struct ip_prefix other, mine;
			char text[IP_ADDR_STR_MAX];

			if (strcmp(r->items[i]->name, n->d->node) == 0 ||
			    !record_addr((const V3__Node *)r->items[i]->msg, family, &other) ||
			    !record_addr((const V3__Node *)pending->msg, family, &mine) ||
			    !ip_addr_eq(&other.addr, &mine.addr))
				continue;
			if (!n->conflict)
				log_error(f == 0 ? "IPv4 address conflict"
				                 : "IPv6 address conflict",
				          "address=%s other_node=%s", ip_addr_str(&mine.addr, text),
				          LOG_VIS(r->items[i]->name));
			n->conflict = true;
			resource_free(pending);
			n->writing = false;
			retry_later(n, "another node has this node's address: see the log");
			return;
		}
	}
	n->conflict = false;
	write_node(n, pending);
}

static bool same_addrs(const V3__Node *a, const V3__Node *b)
{
	for (unsigned f = 0; f < 2; f++) {
		struct ip_prefix pa = { 0 }, pb = { 0 };
		bool ha = record_addr(a, f ? AF_INET6 : AF_INET, &pa),
		     hb = record_addr(b, f ? AF_INET6 : AF_INET, &pb);

		if (hb && (!ha || !ip_addr_eq(&pa.addr, &pb.addr)))
			return false;
	}
	return true;
}

/* ---- what should be, against what is */

void keep_run(struct noded *n)
{
	struct ip_prefix v4, v6;
	struct resource *r;
	struct err err;
	V3__Node *node;

	if (addrs_read(n, &err) < 0) {
		log_error("the host's addresses could not be read", "reason=%s", LOG_VIS(err.text));
		retry_later(n, err.text);
		return;
	}
	if (n->live && !n->in_sync && !n->listing)
		list_pools(n);
	if (!n->in_sync || n->writing)
		return;
	plan_family(n, 0);
	plan_family(n, 1);
	if (n->node) {
		r = resource_copy(n->node);
	} else {
		node = (V3__Node *)msg_new(&v3__node__descriptor);
		node->kind = xstrdup("Node");
		node->apiversion = xstrdup(MODEL_API_VERSION);
		model_meta(&node->base, true)->name = xstrdup(n->d->node);
		r = resource_new(V3__KIND__KIND_NODE, NULL, n->d->node, 0, &node->base);
	}
	node = (V3__Node *)r->msg;
	if (!record_apply(node, &n->wish) && n->node) {
		resource_free(r);
		settled(n);
		return;
	}
	if (!record_addr(node, AF_INET, &v4) && !record_addr(node, AF_INET6, &v6) &&
	    (n->plan[0].mode != ADDR_NONE || n->plan[1].mode != ADDR_NONE)) {
		resource_free(r);
		/* An address that comes is an event; nothing to wait for by the clock. */
		daemon_ready(n->d, false,
		             "no IPv4 or IPv6 addresses configured or detected, required for "
		             "Calico networking");
		return;
	}
	n->writing = true;
	if (same_addrs(n->node ? (const V3__Node *)n->node->msg : NULL, node)) {
		write_node(n, r);
		return;
	}
	n->count_addr_changes++;
	if (daemon_opt_flag(n->d, "disable-ip-check")) {
		write_node(n, r);
		return;
	}
	n->pending = r;
	store_list(n->store, V3__KIND__KIND_NODE, NULL, NULL, on_nodes, n);
}

/* ---- the watch */

static void on_update(void *arg, const struct resource *r)
{
	struct noded *n = arg;

	if (r->kind != V3__KIND__KIND_NODE)
		return;
	if (strcmp(r->name, n->d->node) != 0) {
		if (n->conflict)
			keep_soon(n); /* perhaps it gives up the address that we want */
		return;
	}
	if (n->node && r->revision < n->node->revision)
		return;
	resource_free(n->node);
	n->node = resource_copy(r);
	keep_soon(n);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct noded *n = arg;

	(void)ns;
	if (kind != V3__KIND__KIND_NODE)
		return;
	if (strcmp(name, n->d->node) == 0) {
		log_warn("the Node has been removed, and this node lives: it is written again",
		         "node=%s", name);
		resource_free(n->node);
		n->node = NULL;
		keep_soon(n);
	} else if (n->conflict) {
		keep_soon(n); /* perhaps the one that had our address */
	}
}

static void on_in_sync(void *arg)
{
	struct noded *n = arg;

	n->live = true;
	keep_soon(n);
}

static void on_down(void *arg, const char *why)
{
	struct noded *n = arg;

	n->live = n->in_sync = false;
	daemon_ready(n->d, false, why);
}

const struct store_watch_ops keep_watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
};
