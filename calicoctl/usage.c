/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/usage.h"

#include <math.h>
#include <string.h>

#include "calicoctl/boxtable.h"
#include "common/base/mem.h"

#define COLUMNS 6
#define NUMBERS 0x3c /* the columns that are numbers */

static double size_of(const struct ip_prefix *p)
{
	return ldexp(1, (int)(ip_addr_bits(&p->addr) - p->len));
}

/* Reservations of which none is inside another: two prefixes either do not touch, or one covers the
 * other. */
static struct ip_prefix *distinct(const struct usage_input *in, size_t *ret_n)
{
	struct ip_prefix *kept = xcalloc(in->n_reserved + 1, sizeof(*kept));
	size_t n = 0;

	for (size_t i = 0; i < in->n_reserved; i++) {
		bool covered = false;

		for (size_t k = 0; k < in->n_reserved && !covered; k++)
			covered = k != i && ip_prefix_covers(&in->reserved[k], &in->reserved[i]) &&
			          (in->reserved[k].len < in->reserved[i].len || k < i);
		if (!covered)
			kept[n++] = ip_prefix_network(&in->reserved[i]);
	}
	*ret_n = n;
	return kept;
}

static double reserved_in(const struct ip_prefix *p, const struct ip_prefix *reserved, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (ip_prefix_covers(&reserved[i], p))
			return size_of(p);
		if (ip_prefix_covers(p, &reserved[i]))
			sum += size_of(&reserved[i]);
	}
	return sum;
}

static struct usage_row block_row(const V3__IpamBlock *b, const struct ip_prefix *cidr,
                                  const struct ip_prefix *reserved, size_t n)
{
	struct usage_row row = { .is_block = true, .cidr = *cidr, .total = size_of(cidr) };

	row.in_use = row.total - (double)b->n_unallocated;
	row.reserved = reserved_in(cidr, reserved, n);
	for (size_t i = 0; i < b->n_unallocated; i++) {
		struct ip_addr a = ip_prefix_nth(cidr, (uint32_t)b->unallocated[i]);
		bool taken = false;

		for (size_t k = 0; k < n && row.reserved > 0 && !taken; k++)
			taken = ip_prefix_contains(&reserved[k], &a);
		row.free += !taken;
	}
	return row;
}

static void add_row(struct usage *u, const struct usage_row *row)
{
	u->rows = xrealloc(u->rows, (u->n + 1) * sizeof(*u->rows));
	u->rows[u->n++] = *row;
}

/* The pool's row, behind it its blocks', and then what they leave of it. */
static void add_pool(struct usage *u, const struct ip_prefix *pool, const struct usage_row *blocks,
                     const size_t *owner, size_t n_blocks, size_t index,
                     const struct ip_prefix *reserved, size_t n_reserved)
{
	struct usage_row row = { .cidr = *pool, .total = size_of(pool) };
	size_t at = u->n;
	double outside;

	row.reserved = reserved_in(pool, reserved, n_reserved);
	outside = row.total - row.reserved;
	add_row(u, &row);
	for (size_t i = 0; i < n_blocks; i++) {
		if (owner[i] != index)
			continue;
		row.in_use += blocks[i].in_use;
		row.free += blocks[i].free;
		outside -= blocks[i].total - blocks[i].reserved;
		add_row(u, &blocks[i]);
	}
	row.free += outside > 0 ? outside : 0;
	u->rows[at] = row;
}

void usage_count(const struct usage_input *in, struct usage *ret)
{
	CLEANUP(free_p) struct usage_row *blocks = xcalloc(in->n_blocks + 1, sizeof(*blocks));
	CLEANUP(free_p) size_t *owner = xcalloc(in->n_blocks + 1, sizeof(*owner));
	CLEANUP(free_p) struct ip_prefix *reserved = NULL;
	size_t n_reserved, n = 0;

	*ret = (struct usage){ 0 };
	reserved = distinct(in, &n_reserved);
	for (size_t i = 0; i < in->n_blocks; i++) {
		struct ip_prefix cidr;

		if (!in->blocks[i]->cidr || ip_prefix_parse(in->blocks[i]->cidr, &cidr) != 0)
			continue;
		blocks[n] = block_row(in->blocks[i], &cidr, reserved, n_reserved);
		while (owner[n] < in->n_pools && !ip_prefix_overlaps(&in->pools[owner[n]], &cidr))
			owner[n]++;
		n++;
	}
	for (size_t p = 0; p < in->n_pools; p++)
		add_pool(ret, &in->pools[p], blocks, owner, n, p, reserved, n_reserved);
	for (size_t i = 0; i < n; i++)
		if (owner[i] == in->n_pools)
			add_row(ret, &blocks[i]);
}

void usage_done(struct usage *u)
{
	free(u->rows);
	*u = (struct usage){ 0 };
}

static char *share_str(double n, double total)
{
	return xasprintf("%.5g (%.0f%%)", n, 100 * n / total);
}

void usage_write(const struct usage *u, bool blocks, struct buf *out)
{
	static const char *const heading[COLUMNS] = { "GROUPING",   "CIDR",         "IPS TOTAL",
		                                      "IPS IN USE", "IPS RESERVED", "IPS FREE" };
	CLEANUP(free_p) const char **cells = xcalloc((u->n + 1) * COLUMNS, sizeof(*cells));
	size_t rows = 1;

	memcpy(cells, heading, sizeof(heading));
	for (size_t i = 0; i < u->n; i++) {
		const struct usage_row *r = &u->rows[i];
		const char **row = cells + rows * COLUMNS;
		char cidr[IP_PREFIX_STR_MAX];

		if (r->is_block && !blocks)
			continue;
		row[0] = xstrdup(r->is_block ? "Block" : "IP Pool");
		row[1] = xstrdup(ip_prefix_str(&r->cidr, cidr));
		row[2] = xasprintf("%.5g", r->total);
		row[3] = share_str(r->in_use, r->total);
		row[4] = share_str(r->reserved, r->total);
		row[5] = share_str(r->free, r->total);
		rows++;
	}
	boxtable_write(cells, COLUMNS, rows, NUMBERS, out);
	for (size_t i = COLUMNS; i < rows * COLUMNS; i++)
		free((char *)cells[i]);
}
