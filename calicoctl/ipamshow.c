/* SPDX-License-Identifier: BSD-2-Clause */
/* ipam show: pools and how full they are, borrowed addresses, one address, the configuration. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/boxtable.h"
#include "calicoctl/ipam.h"
#include "calicoctl/usage.h"
#include "calicoctl/visible.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/model/block.h"
#include "common/model/mapper.h"

/* ---- pools and blocks */

/* The CIDRs of all IPReservations; one that cannot be read is left out, as upstream does. */
static int read_reservations(struct db *db, struct ip_prefix **ret, size_t *ret_n, struct err *err)
{
	CLEANUP(result_p) struct store_result *all = NULL;
	int rc;

	if (!kind_info(V3__KIND__KIND_IP_RESERVATION))
		return 0;
	rc = ipam_list(db, V3__KIND__KIND_IP_RESERVATION, &all, err);
	for (size_t i = 0; rc == 0 && i < all->n; i++) {
		struct json *j = mapper_write(all->items[i]->msg);
		const struct json *spec = json_get(j, "spec"),
		                  *list = spec ? json_get(spec, "reservedCIDRs") : NULL;

		for (size_t k = 0; list && list->type == JSON_ARRAY && k < list->len; k++) {
			const char *text = json_str(list->items[k]);
			struct ip_prefix p;

			if (!text || ip_prefix_parse(text, &p) != 0)
				continue;
			*ret = xrealloc(*ret, (*ret_n + 1) * sizeof(**ret));
			(*ret)[(*ret_n)++] = p;
		}
		json_free(j);
	}
	return rc;
}

int ipam_usage(struct db *db, bool with_blocks, struct buf *out, struct err *err)
{
	CLEANUP(result_p) struct store_result *pools = NULL, *blocks = NULL;
	CLEANUP(free_p) struct ip_prefix *cidrs = NULL, *reserved = NULL;
	CLEANUP(free_p) const V3__IpamBlock **msgs = NULL;
	CLEANUP(usage_done) struct usage usage = { 0 };
	struct usage_input in = { 0 };
	int rc;

	if ((rc = ipam_list(db, V3__KIND__KIND_IP_POOL, &pools, err)) != 0 ||
	    (rc = ipam_list(db, V3__KIND__KIND_IPAM_BLOCK, &blocks, err)) != 0 ||
	    (rc = read_reservations(db, &reserved, &in.n_reserved, err)) != 0)
		return rc;
	cidrs = xcalloc(pools->n + 1, sizeof(*cidrs));
	for (size_t i = 0; i < pools->n; i++) {
		const V3__IpPoolSpec *spec = ((const V3__IPPool *)pools->items[i]->msg)->spec;

		if (spec && spec->cidr && ip_prefix_parse(spec->cidr, &cidrs[in.n_pools]) == 0)
			in.n_pools++;
	}
	msgs = xcalloc(blocks->n + 1, sizeof(*msgs));
	for (size_t i = 0; i < blocks->n; i++)
		msgs[i] = (const V3__IpamBlock *)blocks->items[i]->msg;
	in.pools = cidrs;
	in.reserved = reserved;
	in.blocks = msgs;
	in.n_blocks = blocks->n;
	usage_count(&in, &usage);
	usage_write(&usage, with_blocks, out);
	return 0;
}

/* ---- borrowed addresses */

#define BORROWED_COLUMNS 6

struct borrowed {
	char **cells; /* rows of BORROWED_COLUMNS */
	size_t n;
	size_t unknown; /* addresses that do not say which node has them */
};

static const char *attribute(const V3__IpamAttribute *a, const char *key)
{
	for (size_t i = 0; i < a->n_secondary; i++)
		if (strcmp(a->secondary[i]->key, key) == 0)
			return a->secondary[i]->value;
	return NULL;
}

static void add_borrowed(struct borrowed *all, const char *block, const char *owner,
                         const struct ip_addr *addr, const V3__IpamAttribute *a)
{
	const char *ns = attribute(a, "namespace"), *vmi = attribute(a, "vmi-name"),
	           *pod = attribute(a, "pod"), *type = attribute(a, "type");
	char text[IP_ADDR_STR_MAX], **row;

	all->cells = xrealloc(all->cells, (all->n + 1) * BORROWED_COLUMNS * sizeof(*all->cells));
	row = all->cells + all->n++ * BORROWED_COLUMNS;
	row[0] = xstrdup(ip_addr_str(addr, text));
	row[1] = xstrdup(visible(attribute(a, "node")));
	row[2] = xstrdup(block);
	row[3] = xstrdup(visible(owner));
	row[4] = xstrdup(vmi ? "vmi" : pod ? "pod" : type ? visible(type) : "");
	row[5] = vmi || pod ? xasprintf("%s/%s", ns ? visible(ns) : "", visible(vmi ? vmi : pod))
	                    : xstrdup("");
}

static void find_borrowed(const struct resource *r, struct borrowed *all)
{
	const V3__IpamBlock *b = (const V3__IpamBlock *)r->msg;
	const char *colon = b->affinity ? strchr(b->affinity, ':') : NULL;
	const char *owner = colon ? colon + 1 : b->affinity ? b->affinity : "";
	struct ip_prefix cidr;

	if (ip_prefix_parse(r->name, &cidr) != 0)
		return;
	for (uint32_t o = 0; o < b->n_allocations; o++) {
		int32_t i = b->allocations[o];
		const V3__IpamAttribute *a =
		        i >= 0 && (size_t)i < b->n_attributes ? b->attributes[i] : NULL;
		struct ip_addr addr = ip_prefix_nth(&cidr, o);
		const char *node = a ? attribute(a, "node") : NULL;

		if (a && !node)
			all->unknown++;
		else if (a && strcmp(node, owner) != 0)
			add_borrowed(all, r->name, owner, &addr, a);
	}
}

static int show_borrowed(struct db *db, struct buf *out, struct err *err)
{
	static const char *const heading[BORROWED_COLUMNS] = { "IP",    "BORROWING-NODE",
		                                               "BLOCK", "BLOCK OWNER",
		                                               "TYPE",  "ALLOCATED-TO" };
	CLEANUP(result_p) struct store_result *blocks = NULL;
	CLEANUP(free_p) const char **cells = NULL;
	struct borrowed all = { 0 };
	int rc = ipam_list(db, V3__KIND__KIND_IPAM_BLOCK, &blocks, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < blocks->n; i++)
		find_borrowed(blocks->items[i], &all);
	cells = xcalloc((all.n + 1) * BORROWED_COLUMNS, sizeof(*cells));
	memcpy(cells, heading, sizeof(heading));
	for (size_t i = 0; i < all.n * BORROWED_COLUMNS; i++)
		cells[BORROWED_COLUMNS + i] = all.cells[i];
	boxtable_write(cells, BORROWED_COLUMNS, all.n + 1, 0, out);
	if (all.unknown)
		buf_printf(out,
		           "\nNote: found %zu IP allocations without an explicit node association. "
		           "Unable to determine if they are borrowed.\n",
		           all.unknown);
	for (size_t i = 0; i < all.n * BORROWED_COLUMNS; i++)
		free(all.cells[i]);
	free(all.cells);
	return 0;
}

/* ---- the configuration */

static int show_configuration(struct db *db, struct buf *out, struct err *err)
{
	struct resource *r;
	const V3__IpamConfig *c;
	char max[24], cooldown[24], persistence[64];
	int rc = ipam_config(db, &r, err);

	if (rc)
		return err_wrap(err, rc, "error");
	c = (const V3__IpamConfig *)r->msg;
	snprintf(max, sizeof(max), "%lld", (long long)c->maxblocksperhost);
	snprintf(cooldown, sizeof(cooldown), "%lld", (long long)c->ipcooldownseconds);
	snprintf(persistence, sizeof(persistence), "%s",
	         c->kubevirtvmaddresspersistence && *c->kubevirtvmaddresspersistence
	                 ? visible(c->kubevirtvmaddresspersistence)
	                 : "(*ipam.VMAddressPersistence)(nil)");
	const char *cells[] = {
		"PROPERTY",
		"VALUE",
		"StrictAffinity",
		c->strict_affinity ? "true" : "false",
		"AutoAllocateBlocks",
		c->auto_allocate_blocks ? "true" : "false",
		"MaxBlocksPerHost",
		max,
		"KubeVirtVMAddressPersistence",
		persistence,
		"IPCooldownSeconds",
		cooldown,
	};

	boxtable_write(cells, 2, ARRAY_SIZE(cells) / 2, 0, out);
	resource_free(r);
	return 0;
}

/* ---- one address */

static int by_key(const void *a, const void *b)
{
	return strcmp((*(V3__IpamAttribute__SecondaryEntry *const *)a)->key,
	              (*(V3__IpamAttribute__SecondaryEntry *const *)b)->key);
}

static void write_attributes(const char *title, size_t n, V3__IpamAttribute__SecondaryEntry **list,
                             struct buf *out)
{
	if (n == 0)
		return;
	qsort(list, n, sizeof(*list), by_key);
	buf_printf(out, "%s:\n", title);
	for (size_t i = 0; i < n; i++) {
		buf_str(out, "  ");
		visible_add(out, list[i]->key, false);
		buf_str(out, ": ");
		visible_add(out, list[i]->value ? list[i]->value : "", false);
		buf_byte(out, '\n');
	}
}

static void write_owner(const char *text, V3__IpamAttribute *a, struct buf *out)
{
	buf_printf(out, "IP %s is in use\nHandle ID: ", text);
	visible_add(out, a->handle_id ? a->handle_id : "<none>", false);
	buf_byte(out, '\n');
	if (a->n_secondary == 0)
		buf_str(out, "No Active Owner attributes defined\n");
	write_attributes("Active Owner Attributes", a->n_secondary, a->secondary, out);
	write_attributes("Alternate Owner Attributes", a->n_alternateownerattrs,
	                 (V3__IpamAttribute__SecondaryEntry **)a->alternateownerattrs, out);
}

/* What the block says of the address now: a cool-down that is over has ended. */
static int show_in_block(struct db *db, struct resource *r, const struct ip_addr *addr,
                         struct buf *out, struct err *err)
{
	V3__IpamBlock *b = (V3__IpamBlock *)r->msg;
	char text[IP_ADDR_STR_MAX];
	struct ip_prefix cidr;
	uint32_t ordinal, cooldown;
	int rc;

	if (!block_check(b, &cidr, err))
		return err_wrap(err, -EINVAL, "IPAM block %s is malformed", r->name);
	rc = ipam_cooldown(db, &cooldown, err);
	if (rc)
		return rc;
	(void)block_gc(b, wall_unix_ns() / 1000000000u, cooldown);
	ordinal = (uint32_t)ip_prefix_ordinal(&cidr, addr);
	(void)ip_addr_str(addr, text);
	if (b->allocations[ordinal] < 0)
		buf_printf(out, "%s is not assigned\n", text);
	else if (!block_owner_of(b, ordinal))
		return err_set(err, -EBUSY, "address %s is in cooldown", text);
	else
		write_owner(text, b->attributes[b->allocations[ordinal]], out);
	return 0;
}

static int show_address(struct db *db, const struct ip_addr *addr, struct buf *out, struct err *err)
{
	char text[IP_ADDR_STR_MAX];
	struct resource *r;
	int rc = ipam_block_of(db, addr, &r, err);

	if (rc)
		return rc;
	if (r)
		rc = show_in_block(db, r, addr, out, err);
	else
		buf_printf(out, "%s is not assigned\n", ip_addr_str(addr, text));
	resource_free(r);
	return rc;
}

int cmd_ipam_show(const struct options *o)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct ip_addr addr;
	struct err err;
	struct db *db;
	int rc;

	if (o->ipam.ip && ipam_address(o->ipam.ip, &addr) != 0)
		return 1;
	db = db_begin(o, false);
	if (!db)
		return 1;
	if (o->ipam.ip)
		rc = show_address(db, &addr, &out, &err);
	else if (o->ipam.borrowed && !o->ipam.blocks)
		rc = show_borrowed(db, &out, &err);
	else if (o->ipam.configuration && !o->ipam.blocks)
		rc = show_configuration(db, &out, &err);
	else
		rc = ipam_usage(db, o->ipam.blocks, &out, &err);
	db_close(db);
	fputs(buf_cstr(&out), stdout);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
