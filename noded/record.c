/* SPDX-License-Identifier: BSD-2-Clause */
#include "noded/record.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/model/selector.h"

#define NODE_IP_TYPE "CalicoNodeIP"

static bool set_str(char **field, const char *value)
{
	if (*field ? value && strcmp(*field, value) == 0 : !value)
		return false;
	msg_set_str(field, value);
	return true;
}

bool record_addr(const V3__Node *node, int family, struct ip_prefix *ret)
{
	const V3__NodeBgpSpec *bgp = node && node->spec ? node->spec->bgp : NULL;
	const char *text = !bgp ? NULL : family == AF_INET ? bgp->ipv4address : bgp->ipv6address;

	return text && *text && ip_prefix_parse(text, ret) == 0 && ret->addr.family == family;
}

/* spec.addresses holds what each source knows of the node: ours are the entries of our type. */
static bool set_node_ips(V3__NodeSpec *spec, const char *const ips[2])
{
	size_t kept = 0, have = 0, want = (ips[0] != NULL) + (ips[1] != NULL);
	bool same = true;

	for (size_t i = 0; i < spec->n_addresses; i++) {
		const V3__NodeAddress *a = spec->addresses[i];

		if (!a->type || strcmp(a->type, NODE_IP_TYPE) != 0)
			continue;
		have++;
		same &= a->address && ((ips[0] && strcmp(a->address, ips[0]) == 0) ||
		                       (ips[1] && strcmp(a->address, ips[1]) == 0));
	}
	if (same && have == want)
		return false;
	for (size_t i = 0; i < spec->n_addresses; i++) {
		if (spec->addresses[i]->type && strcmp(spec->addresses[i]->type, NODE_IP_TYPE) == 0)
			msg_free(&spec->addresses[i]->base);
		else
			spec->addresses[kept++] = spec->addresses[i];
	}
	spec->addresses = xrealloc(spec->addresses, (kept + want + 1) * sizeof(*spec->addresses));
	for (unsigned f = 0; f < 2; f++) {
		V3__NodeAddress *a;

		if (!ips[f])
			continue;
		a = (V3__NodeAddress *)msg_new(&v3__node_address__descriptor);
		a->address = xstrdup(ips[f]);
		a->type = xstrdup(NODE_IP_TYPE);
		spec->addresses[kept++] = a;
	}
	spec->n_addresses = kept;
	return true;
}

static bool set_orch_ref(V3__NodeSpec *spec, const char *k8s_node)
{
	V3__OrchRef *r = NULL;

	for (size_t i = 0; i < spec->n_orchrefs && !r; i++)
		if (spec->orchrefs[i]->orchestrator &&
		    strcmp(spec->orchrefs[i]->orchestrator, "k8s") == 0)
			r = spec->orchrefs[i];
	if (!r) {
		r = (V3__OrchRef *)msg_new(&v3__orch_ref__descriptor);
		r->orchestrator = xstrdup("k8s");
		spec->orchrefs =
		        xrealloc(spec->orchrefs, (spec->n_orchrefs + 1) * sizeof(*spec->orchrefs));
		spec->orchrefs[spec->n_orchrefs++] = r;
	}
	return set_str(&r->nodename, k8s_node);
}

bool record_apply(V3__Node *node, const struct record_wish *w)
{
	V3__ObjectMeta *meta = model_meta(&node->base, true);
	const char *ips[2] = { NULL, NULL };
	char text[2][IP_PREFIX_STR_MAX];
	V3__NodeBgpSpec *bgp;
	bool changed = false;

	if (!node->spec)
		node->spec = (V3__NodeSpec *)msg_new(&v3__node_spec__descriptor);
	if (!node->spec->bgp)
		node->spec->bgp = (V3__NodeBgpSpec *)msg_new(&v3__node_bgp_spec__descriptor);
	bgp = node->spec->bgp;
	for (unsigned f = 0; f < 2; f++) {
		char **field = f == 0 ? &bgp->ipv4address : &bgp->ipv6address;

		if (w->clear[f])
			changed |= set_str(field, NULL);
		else if (w->addr[f].addr.family)
			changed |= set_str(field, ip_prefix_str(&w->addr[f], text[f]));
		ips[f] = *field && **field ? *field : NULL;
	}
	if (w->have_as && (!bgp->asnumber || bgp->asnumber->value != w->as)) {
		if (!bgp->asnumber)
			bgp->asnumber = (V3__AsNumber *)msg_new(&v3__as_number__descriptor);
		bgp->asnumber->has_value = true;
		bgp->asnumber->value = w->as;
		changed = true;
	}
	changed |= set_node_ips(node->spec, ips);
	if (w->k8s_node)
		changed |= set_orch_ref(node->spec, w->k8s_node);
	for (size_t i = 0; i < w->n_labels; i++) {
		const char *have = meta_get(meta->n_labels, meta->labels, w->labels[i].key);

		if (have && strcmp(have, w->labels[i].value) == 0)
			continue;
		meta_set(&meta->n_labels, &meta->labels, w->labels[i].key, w->labels[i].value);
		changed = true;
	}
	/* An empty bgp object is refused by validation: absent or with content. */
	if (!bgp->ipv4address && !bgp->ipv6address && !bgp->asnumber && !bgp->ipv4ipiptunneladdr &&
	    !bgp->routereflectorclusterid && bgp->base.n_unknown_fields == 0) {
		msg_free(&bgp->base);
		node->spec->bgp = NULL;
	}
	return changed;
}

/* ---- labels */

void record_labels_free(struct record_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(labels[i].key);
		free(labels[i].value);
	}
	free(labels);
}

int record_labels_parse(const char *text, struct record_label **ret, size_t *ret_n, struct err *err)
{
	struct record_label *labels = NULL;
	size_t n = 0;

	while (text && *text) {
		size_t len = strcspn(text, ",");
		const char *equals = memchr(text, '=', len);

		if (len) {
			if (!equals || equals == text) {
				record_labels_free(labels, n);
				return err_set(err, -EINVAL, "label '%.*s' is not KEY=VALUE",
				               (int)len, text);
			}
			labels = xrealloc(labels, (n + 1) * sizeof(*labels));
			labels[n].key = xstrndup(text, (size_t)(equals - text));
			labels[n++].value = xstrndup(equals + 1, len - (size_t)(equals + 1 - text));
		}
		text += len + (text[len] == ',');
	}
	*ret = labels;
	*ret_n = n;
	return 0;
}

/* ---- the default pool */

static int parse_mode(const char *what, const char *s, const char **ret, struct err *err)
{
	static const struct {
		const char *text, *mode;
	} modes[] = { { "", "Never" },
		      { "off", "Never" },
		      { "never", "Never" },
		      { "always", "Always" },
		      { "crosssubnet", "CrossSubnet" },
		      { "cross-subnet", "CrossSubnet" } };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcasecmp(s ? s : "", modes[i].text) == 0) {
			*ret = modes[i].mode;
			return 0;
		}
	return err_set(err, -EINVAL, "%s '%s' is none of Off, Never, CrossSubnet, Always", what, s);
}

/* As upstream: a few spellings of no, everything else is yes. */
static bool parse_bool(const char *s, bool dflt)
{
	static const char *const no[] = { "false", "0", "no", "n", "f" };

	if (!s || !*s)
		return dflt;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (strcasecmp(s, no[i]) == 0)
			return false;
	return true;
}

V3__IPPool *record_pool_new(const struct record_pool *p, struct err *err)
{
	unsigned max = p->family == AF_INET ? 32 : 128, min = p->family == AF_INET ? 20 : 116;
	unsigned long block = p->family == AF_INET ? 26 : 122;
	char text[IP_PREFIX_STR_MAX], *end;
	const char *ipip, *vxlan;
	struct selector *sel;
	struct ip_prefix cidr;
	V3__IPPool *pool;

	if (ip_prefix_parse(p->cidr, &cidr) < 0 || cidr.addr.family != p->family)
		return err_set(err, -EINVAL, "'%s' is not an %s CIDR", p->cidr,
		               max == 32 ? "IPv4" : "IPv6"),
		       NULL;
	cidr = ip_prefix_network(&cidr);
	if (p->block_size && *p->block_size) {
		block = strtoul(p->block_size, &end, 10);
		if (*end || block < min || block > max)
			return err_set(err, -EINVAL,
			               "block size '%s' is not a number from %u to %u",
			               p->block_size, min, max),
			       NULL;
	}
	if (block < cidr.len)
		return err_set(err, -EINVAL, "blocks of /%lu do not fit into %s", block, p->cidr),
		       NULL;
	if (parse_mode("IPIP mode", p->ipip, &ipip, err) < 0 ||
	    parse_mode("VXLAN mode", p->vxlan, &vxlan, err) < 0)
		return NULL;
	if (strcmp(ipip, "Never") != 0 && (strcmp(vxlan, "Never") != 0 || p->family == AF_INET6))
		return err_set(err, -EINVAL, "IPIP excludes VXLAN, and IPv6"), NULL;
	if (selector_parse(p->node_selector, &sel, err) < 0)
		return err_wrap(err, -EINVAL, "node selector"), NULL;
	selector_unref(sel);

	pool = (V3__IPPool *)msg_new(&v3__ippool__descriptor);
	pool->kind = xstrdup("IPPool");
	pool->apiversion = xstrdup(MODEL_API_VERSION);
	model_meta(&pool->base, true)->name =
	        xstrdup(p->family == AF_INET ? "default-ipv4-ippool" : "default-ipv6-ippool");
	pool->spec = (V3__IpPoolSpec *)msg_new(&v3__ip_pool_spec__descriptor);
	pool->spec->cidr = xstrdup(ip_prefix_str(&cidr, text));
	pool->spec->ipipmode = xstrdup(ipip);
	pool->spec->vxlanmode = xstrdup(vxlan);
	pool->spec->has_natoutgoing = pool->spec->natoutgoing =
	        parse_bool(p->nat_outgoing, p->family == AF_INET);
	pool->spec->has_disablebgpexport = pool->spec->disablebgpexport =
	        parse_bool(p->disable_bgp_export, false);
	pool->spec->has_blocksize = true;
	pool->spec->blocksize = (int64_t)block;
	pool->spec->nodeselector =
	        xstrdup(p->node_selector && *p->node_selector ? p->node_selector : "all()");
	pool->spec->assignmentmode = xstrdup("Automatic");
	pool->spec->alloweduses = xcalloc(2, sizeof(char *));
	pool->spec->alloweduses[pool->spec->n_alloweduses++] = xstrdup("Workload");
	pool->spec->alloweduses[pool->spec->n_alloweduses++] = xstrdup("Tunnel");
	return pool;
}

const char *record_pool_cidr(const struct ip_prefix *host, size_t n, char out[IP_PREFIX_STR_MAX])
{
	static const uint8_t any[2][2] = { { 192, 168 }, { 172, 16 } };

	for (unsigned i = 0; i <= 16; i++) {
		struct ip_prefix p = { .addr = { .family = AF_INET }, .len = 16 };
		bool taken = false;

		memcpy(p.addr.bytes, any[i > 0], 2);
		p.addr.bytes[1] = (uint8_t)(p.addr.bytes[1] + (i > 0 ? i - 1 : 0));
		for (size_t k = 0; k < n; k++)
			taken |= host[k].addr.family == AF_INET && ip_prefix_overlaps(&p, &host[k]);
		if (!taken || i == 16)
			return ip_prefix_str(&p, out);
	}
	return "192.168.0.0/16";
}
