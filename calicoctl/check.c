/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/check.h"

#include <errno.h>
#include <string.h>

#include "calicoctl/blockcheck.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/json/json.h"
#include "common/model/block.h"
#include "common/model/mapper.h"
#include "proto/v3_endpoint.pb-c.h"

#define NODES_SHOWN 20

/* What is known of an address: which entries of the report are about it, and who uses it. */
struct known {
	struct hmap_node node;
	struct ip_addr ip;
	size_t *entries; /* indices of the report's addresses */
	size_t n_entries;
	char **owners;
	size_t n_owners;
};

/* A name that is counted: a handle that blocks mention, a node's addresses. */
struct name {
	struct hmap_node node;
	char *text;
	size_t count;
	bool found;
};

struct check {
	bool all, problems;
	struct report report;
	const V3__IpamAttribute **attrs; /* of the report's addresses; NULL: the block has none */
	size_t attrs_cap;
	struct hmap known, handles, nodes;
	const struct store_result *blocks, *stored_handles;
	struct buf invalid; /* lines about damaged blocks */
	size_t n_invalid;
	struct ip_prefix *pools; /* the enabled ones */
	size_t n_pools, in_use;
};

struct check *check_new(bool all, bool problems)
{
	struct check *c = xcalloc(1, sizeof(*c));

	c->all = all;
	c->problems = all || problems;
	return c;
}

static void names_done(struct hmap *m)
{
	hmap_for_each (n, m, struct name, node) {
		free(n->text);
		free(n);
	}
	hmap_done(m);
}

void check_free(struct check *c)
{
	if (!c)
		return;
	hmap_for_each (k, &c->known, struct known, node) {
		for (size_t i = 0; i < k->n_owners; i++)
			free(k->owners[i]);
		free(k->owners);
		free(k->entries);
		free(k);
	}
	hmap_done(&c->known);
	names_done(&c->handles);
	names_done(&c->nodes);
	report_done(&c->report);
	buf_done(&c->invalid);
	free(c->attrs);
	free(c->pools);
	free(c);
}

static struct name *name_of(struct hmap *m, const char *text)
{
	uint32_t hash = hash_str(text);

	hmap_find(n, m, hash, struct name, node, strcmp(n->text, text) == 0);
	if (!n) {
		n = xcalloc(1, sizeof(*n));
		n->text = xstrdup(text);
		hmap_insert(m, &n->node, hash);
	}
	return n;
}

static struct known *known_of(struct check *c, const struct ip_addr *ip)
{
	uint32_t hash = ip_addr_hash(ip);

	hmap_find(k, &c->known, hash, struct known, node, ip_addr_eq(&k->ip, ip));
	if (!k) {
		k = xcalloc(1, sizeof(*k));
		k->ip = *ip;
		hmap_insert(&c->known, &k->node, hash);
	}
	return k;
}

/* ---- who uses an address */

static void record_use(struct check *c, const struct ip_addr *ip, const char *owner,
                       struct buf *out)
{
	struct known *k = known_of(c, ip);
	char text[IP_ADDR_STR_MAX];

	if (c->all)
		buf_printf(out, "  %s belongs to %s\n", ip_addr_str(ip, text), owner);
	if (k->n_owners == 0)
		c->in_use++;
	k->owners = xrealloc(k->owners, (k->n_owners + 1) * sizeof(*k->owners));
	k->owners[k->n_owners++] = xstrdup(owner);
}

/* ---- blocks */

typedef V3__IpamAttribute__SecondaryEntry attr_entry;

static const char *attr_get(const V3__IpamAttribute *a, const char *key)
{
	for (size_t i = 0; a && i < a->n_secondary; i++)
		if (a->secondary[i]->key && strcmp(a->secondary[i]->key, key) == 0)
			return a->secondary[i]->value && *a->secondary[i]->value
			               ? a->secondary[i]->value
			               : NULL;
	return NULL;
}

static void take_attr(char **to, const V3__IpamAttribute *a, const char *key)
{
	*to = xstrdup(attr_get(a, key));
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(attr_entry *const *)a)->key, (*(attr_entry *const *)b)->key);
}

/* "namespace=ns1,node=n1,pod=web-0" */
static void write_attrs(size_t n, attr_entry *const *entries, struct buf *out)
{
	CLEANUP(free_p) attr_entry **sorted = xcalloc(n + 1, sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = entries[i];
	qsort(sorted, n, sizeof(*sorted), by_key);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s=%s", i ? "," : "", sorted[i]->key,
		           sorted[i]->value ? sorted[i]->value : "");
}

static void write_attribute(const V3__IpamAttribute *a, struct buf *out)
{
	if (!a) {
		buf_str(out, "<missing>");
		return;
	}
	buf_printf(out, "Main:%s Extra:", a->handle_id ? a->handle_id : "<none>");
	write_attrs(a->n_secondary, a->secondary, out);
	if (a->n_alternateownerattrs) {
		buf_str(out, " Alternate:");
		write_attrs(a->n_alternateownerattrs, (attr_entry *const *)a->alternateownerattrs,
		            out);
	}
}

static void remember_attr(struct check *c, size_t i, const V3__IpamAttribute *a)
{
	if (i == c->attrs_cap) {
		c->attrs_cap = c->attrs_cap ? c->attrs_cap * 2 : 64;
		c->attrs = xrealloc(c->attrs, c->attrs_cap * sizeof(*c->attrs));
	}
	c->attrs[i] = a;
}

/* One allocated ordinal of a block, which may be damaged. */
static void record_allocation(struct check *c, const V3__IpamBlock *b, const struct ip_prefix *cidr,
                              uint32_t ordinal, struct buf *out)
{
	const char *owner =
	        b->affinity && strncmp(b->affinity, "host:", 5) == 0 ? b->affinity + 5 : "";
	int32_t index = b->allocations[ordinal];
	const V3__IpamAttribute *a = (size_t)index < b->n_attributes ? b->attributes[index] : NULL;
	struct report_address *r = report_add_address(&c->report);
	size_t i = c->report.n_addresses - 1;
	char ip[IP_ADDR_STR_MAX];
	struct known *k;

	r->ip = ip_prefix_nth(cidr, ordinal);
	remember_attr(c, i, a);
	take_attr(&r->pod, a, "pod");
	take_attr(&r->ns, a, "namespace");
	take_attr(&r->type, a, "type");
	take_attr(&r->created, a, "timestamp");
	take_attr(&r->node, a, "node");
	if (!r->node)
		r->node = xstrdup(owner);
	r->borrowed = strcmp(r->node, owner) != 0;
	r->cooling = a && a->releasedat && *a->releasedat;
	r->has_sequence = true;
	r->sequence = block_sequence_of(b, ordinal);
	k = known_of(c, &r->ip);
	k->entries = xrealloc(k->entries, (k->n_entries + 1) * sizeof(*k->entries));
	k->entries[k->n_entries++] = i;
	if (a && handle_eq(a->handle_id, BLOCK_WINDOWS_HANDLE)) {
		record_use(c, &r->ip, "Reserved for Windows", out);
	} else if (a && a->handle_id) {
		r->handle = xstrndup(a->handle_id, strcspn(a->handle_id, "\r"));
		name_of(&c->handles, r->handle)->count++;
	}
	name_of(&c->nodes, r->node)->count++;
	if (c->all) {
		buf_printf(out, "  %s allocated; attrs ", ip_addr_str(&r->ip, ip));
		write_attribute(a, out);
		buf_byte(out, '\n');
	}
}

static void find_invalid(struct check *c, uint64_t now)
{
	for (size_t i = 0; i < c->blocks->n; i++) {
		const struct resource *r = c->blocks->items[i];
		struct ip_prefix cidr;
		struct err err;

		if (ip_prefix_parse(r->name, &cidr) != 0 ||
		    blockcheck((const V3__IpamBlock *)r->msg, &cidr, now, &err) == 0)
			continue;
		buf_printf(&c->invalid, "  IPAMBlock BlockKey(cidr=%s) is invalid: %s\n", r->name,
		           err.text);
		c->n_invalid++;
	}
}

void check_blocks(struct check *c, struct store_result *blocks, uint32_t cooldown_sec,
                  uint64_t now_unix_sec, struct buf *out)
{
	c->blocks = blocks;
	find_invalid(c, now_unix_sec);
	buf_printf(out, "Found %zu IPAM blocks.\n", blocks->n);
	for (size_t i = 0; i < blocks->n; i++) {
		V3__IpamBlock *b = (V3__IpamBlock *)blocks->items[i]->msg;
		struct ip_prefix cidr;

		if (block_check(b, &cidr, NULL))
			(void)block_gc(b, now_unix_sec, cooldown_sec);
		buf_printf(out, " IPAM block %s affinity=%s:\n", blocks->items[i]->name,
		           b->affinity && *b->affinity ? b->affinity : "<none>");
		if (ip_prefix_parse(blocks->items[i]->name, &cidr) != 0)
			continue;
		for (uint32_t o = 0; o < b->n_allocations; o++)
			if (b->allocations[o] >= 0)
				record_allocation(c, b, &cidr, o, out);
	}
	buf_printf(out, "IPAM blocks record %zu allocations.\n\n", c->report.n_addresses);
}

/* ---- pools, nodes, services, endpoints, handles */

int check_pools(struct check *c, const struct store_result *pools, struct buf *out, struct err *err)
{
	c->pools = xcalloc(pools->n + 1, sizeof(*c->pools));
	for (size_t i = 0; i < pools->n; i++) {
		const V3__IpPoolSpec *spec = ((const V3__IPPool *)pools->items[i]->msg)->spec;

		if (!spec || spec->disabled)
			continue;
		buf_printf(out, "  %s\n", spec->cidr ? spec->cidr : "");
		if (!spec->cidr || ip_prefix_parse(spec->cidr, &c->pools[c->n_pools]) != 0)
			return err_set(err, -EINVAL,
			               "failed to parse IP pool CIDR: invalid CIDR address: %s",
			               spec->cidr ? spec->cidr : "");
		c->n_pools++;
	}
	buf_printf(out, "Found %zu active IP pools.\n\n", c->n_pools);
	return 0;
}

/* An address with or without a length. */
static int parse_address(const char *text, struct ip_addr *ret)
{
	struct ip_prefix p;

	if (ip_prefix_parse(text, &p) != 0)
		return -EINVAL;
	*ret = p.addr;
	return 0;
}

/* The addresses of a node's tunnels, of either family. */
static int record_node(struct check *c, const struct resource *node, size_t *count, struct buf *out,
                       struct err *err)
{
	static const struct {
		const char *group, *field, *name;
	} tunnels[] = {
		{ NULL, "ipv4VXLANTunnelAddr", "IPv4VXLANTunnelAddr" },
		{ NULL, "ipv6VXLANTunnelAddr", "IPv6VXLANTunnelAddr" },
		{ "wireguard", "interfaceIPv4Address", "Wireguard.InterfaceIPv4Address" },
		{ "wireguard", "interfaceIPv6Address", "Wireguard.InterfaceIPv6Address" },
		{ "bgp", "ipv4IPIPTunnelAddr", "IPv4IPIPTunnelAddr" },
	};
	CLEANUP(free_p) char *owner = xasprintf("Node(%s)", node->name);
	struct json *j = mapper_write(node->msg);
	const struct json *spec = json_get(j, "spec");
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tunnels) && rc == 0; i++) {
		const struct json *group =
		        tunnels[i].group && spec ? json_get(spec, tunnels[i].group) : spec;
		const char *text = group ? json_str(json_get(group, tunnels[i].field)) : NULL;
		struct ip_addr ip;

		if (!text || !*text)
			continue;
		if (parse_address(text, &ip) != 0) {
			rc = err_set(err, -EINVAL, "failed to parse %s (%s) of node %s",
			             tunnels[i].name, text, node->name);
			continue;
		}
		record_use(c, &ip, owner, out);
		++*count;
	}
	json_free(j);
	return rc;
}

int check_nodes(struct check *c, const struct store_result *nodes, struct buf *out, struct err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < nodes->n; i++) {
		int rc = record_node(c, nodes->items[i], &count, out, err);

		if (rc)
			return rc;
	}
	buf_printf(out, "Found %zu node tunnel IPs.\n\n", count);
	return 0;
}

void check_services(struct check *c, struct buf *out)
{
	size_t count = 0;

	for (size_t i = 0; i < c->report.n_addresses; i++) {
		const struct report_address *a = &c->report.addresses[i];
		const char *service = attr_get(c->attrs[i], "service");
		CLEANUP(free_p) char *owner = NULL;

		if (!a->type || strcmp(a->type, "LoadBalancer") != 0)
			continue;
		owner = xasprintf("Service(%s/%s)", a->ns ? a->ns : "", service ? service : "");
		record_use(c, &a->ip, owner, out);
		count++;
	}
	buf_printf(out,
	           "No Kubernetes to ask: the %zu addresses that were given out for services "
	           "count as used.\n\n",
	           count);
}

int check_endpoints(struct check *c, const struct store_result *weps, struct buf *out,
                    struct err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < weps->n; i++) {
		const struct resource *r = weps->items[i];
		const V3__WorkloadEndpointSpec *spec = ((const V3__WorkloadEndpoint *)r->msg)->spec;
		CLEANUP(free_p)
		char *owner = xasprintf("Workload(%s/%s)", r->ns ? r->ns : "", r->name);

		for (size_t k = 0; spec && k < spec->n_ipnetworks; k++) {
			struct ip_addr ip;

			if (parse_address(spec->ipnetworks[k], &ip) != 0)
				return err_set(err, -EINVAL,
				               "failed to parse IP (%s) of workload %s/%s",
				               spec->ipnetworks[k], r->ns ? r->ns : "", r->name);
			record_use(c, &ip, owner, out);
			count++;
		}
	}
	buf_printf(out, "Found %zu workload IPs.\nWorkloads and nodes are using %zu IPs.\n\n",
	           count, c->in_use);
	return 0;
}

static int by_count(const void *a, const void *b)
{
	const struct name *x = *(const struct name *const *)a, *y = *(const struct name *const *)b;

	return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->text, y->text);
}

/* The names of a set, in order; the array is the caller's. */
static struct name **sorted_names(const struct hmap *m, int (*cmp)(const void *, const void *))
{
	struct name **list = xcalloc(m->n + 1, sizeof(*list));
	size_t n = 0;

	hmap_for_each (it, m, struct name, node)
		list[n++] = it;
	qsort(list, n, sizeof(*list), cmp);
	return list;
}

static void write_nodes(const struct check *c, struct buf *out)
{
	CLEANUP(free_p) struct name **list = sorted_names(&c->nodes, by_count);
	size_t n = c->nodes.n;

	buf_printf(out, "Looking for top (up to %d) nodes by allocations...\n", NODES_SHOWN);
	for (size_t i = 0; i < n && i < NODES_SHOWN; i++)
		buf_printf(out, "  %s has %zu allocations\n", list[i]->text, list[i]->count);
	if (n)
		buf_printf(out, "Node with most allocations has %zu; median is %zu\n",
		           list[0]->count, list[n / 2]->count);
	buf_byte(out, '\n');
}

void check_handles(struct check *c, const struct store_result *handles, struct buf *out)
{
	c->stored_handles = handles;
	write_nodes(c, out);
}

/* ---- the verdict */

static int by_ip(const void *a, const void *b)
{
	return ip_addr_cmp(&(*(const struct known *const *)a)->ip,
	                   &(*(const struct known *const *)b)->ip);
}

static struct known **sorted_known(const struct check *c)
{
	struct known **list = xcalloc(c->known.n + 1, sizeof(*list));
	size_t n = 0;

	hmap_for_each (k, &c->known, struct known, node)
		list[n++] = k;
	qsort(list, n, sizeof(*list), by_ip);
	return list;
}

/* How many of an address's entries cool down. */
static size_t cooling(const struct check *c, const struct known *k)
{
	size_t n = 0;

	for (size_t e = 0; e < k->n_entries; e++)
		n += c->report.addresses[k->entries[e]].cooling;
	return n;
}

static size_t find_leaks(struct check *c, struct known *const *list, struct buf *out)
{
	size_t leaked = 0;

	buf_str(out, "Scanning for IPs that are allocated but not actually in use...\n");
	for (size_t i = 0; i < c->known.n; i++) {
		const struct known *k = list[i];
		char ip[IP_ADDR_STR_MAX];

		if (k->n_entries == 0 || k->n_owners || cooling(c, k))
			continue;
		leaked++;
		for (size_t e = 0; e < k->n_entries && c->problems; e++) {
			buf_printf(out, "  %s leaked; attrs ", ip_addr_str(&k->ip, ip));
			write_attribute(c->attrs[k->entries[e]], out);
			buf_byte(out, '\n');
		}
	}
	buf_printf(out, "Found %zu IPs that are allocated in IPAM but not actually in use.\n",
	           leaked);
	return leaked;
}

static void write_owners(const struct known *k, const char *what, struct buf *out)
{
	char ip[IP_ADDR_STR_MAX];

	for (size_t i = 0; i < k->n_owners; i++)
		buf_printf(out, "  %s in use by %s %s\n", ip_addr_str(&k->ip, ip), k->owners[i],
		           what);
}

static size_t find_strays(struct check *c, struct known *const *list, struct buf *out)
{
	size_t outside = 0, inside = 0;

	buf_str(out, "Scanning for IPs that are in use by a workload or node but not allocated in "
	             "IPAM...\n");
	for (size_t i = 0; i < c->known.n; i++) {
		const struct known *k = list[i];
		bool pooled = false;
		char ip[IP_ADDR_STR_MAX];

		if (c->problems && k->n_owners > 1)
			buf_printf(out, "  %s has multiple owners.\n", ip_addr_str(&k->ip, ip));
		if (k->n_entries > cooling(c, k) || k->n_owners == 0)
			continue;
		for (size_t p = 0; p < c->n_pools && !pooled; p++)
			pooled = ip_prefix_contains(&c->pools[p], &k->ip);
		*(pooled ? &inside : &outside) += 1;
		if (c->problems)
			write_owners(k,
			             pooled ? "and in active IPAM pool but has no IPAM allocation."
			                    : "is not in any active IP pool.",
			             out);
	}
	buf_printf(out, "Found %zu in-use IPs that are not in active IP pools.\n", outside);
	buf_printf(out,
	           "Found %zu in-use IPs that are in active IP pools but have no corresponding "
	           "IPAM allocation.\n\n",
	           inside);
	return outside + inside;
}

static size_t find_leaked_handles(struct check *c, struct buf *out)
{
	size_t good = 0;

	buf_str(out, "Scanning for IPAM handles with no matching IPs...\n");
	for (size_t i = 0; i < c->stored_handles->n; i++) {
		const struct resource *r = c->stored_handles->items[i];
		struct report_handle *h;

		hmap_find(n, &c->handles, hash_str(r->name), struct name, node,
		          strcmp(n->text, r->name) == 0);
		if (n) {
			n->found = true;
			good++;
			continue;
		}
		if (c->all)
			buf_printf(out, "  %s doesn't have any active IPs.\n", r->name);
		h = report_add_handle(&c->report);
		h->id = xstrdup(r->name);
		h->revision = xasprintf("%llu", (unsigned long long)r->revision);
	}
	buf_printf(out, "Found %zu handles with no matching IPs (and %zu handles with matches).\n",
	           c->report.n_handles, good);
	return c->report.n_handles;
}

/* Upstream does not count these as problems: the address itself is accounted for. */
static void find_missing_handles(struct check *c, struct buf *out)
{
	CLEANUP(free_p) struct name **list = sorted_names(&c->handles, by_count);
	size_t missing = 0;

	buf_str(out, "Scanning for IPs with missing handle...\n");
	for (size_t i = 0; i < c->handles.n; i++) {
		if (list[i]->found)
			continue;
		missing++;
		if (c->problems)
			buf_printf(out, "  %s is in use in a block but doesn't exist.\n",
			           list[i]->text);
	}
	buf_printf(out, "Found %zu handles mentioned in blocks with no matching handle resource.\n",
	           missing);
}

/* The report's entries learn who uses their addresses. */
static void enter_owners(struct check *c)
{
	hmap_for_each (k, &c->known, struct known, node) {
		for (size_t e = 0; e < k->n_entries; e++) {
			struct report_address *a = &c->report.addresses[k->entries[e]];

			a->in_use = k->n_owners > 0;
			a->owners = xcalloc(k->n_owners + 1, sizeof(*a->owners));
			for (size_t i = 0; i < k->n_owners; i++)
				a->owners[a->n_owners++] = xstrdup(k->owners[i]);
		}
	}
}

size_t check_finish(struct check *c, struct report *ret, struct buf *out)
{
	CLEANUP(free_p) struct known **list = sorted_known(c);
	size_t problems = find_leaks(c, list, out);

	problems += find_strays(c, list, out);
	problems += find_leaked_handles(c, out);
	find_missing_handles(c, out);
	problems += c->n_invalid;
	buf_printf(out, "Validating IPAMBlock structures...\n%sFound %zu invalid IPAMBlocks.\n",
	           buf_cstr(&c->invalid), c->n_invalid);
	buf_printf(out, "Check complete; found %zu problems.\n", problems);
	enter_owners(c);
	*ret = c->report;
	c->report = (struct report){ 0 };
	report_sort(ret);
	return problems;
}
