/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/release.h"

#include <errno.h>
#include <string.h>

#include "calicoctl/ipam.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/block.h"

#define TRIES 100

#define BLOCK V3__KIND__KIND_IPAM_BLOCK
#define AFFINITY V3__KIND__KIND_IPAM_AFFINITY
#define HANDLE V3__KIND__KIND_IPAM_HANDLE

/* 0: done; 1: somebody was quicker, look again; negative: failed. */
static int outcome(struct store_result *r /* taken */, model_kind kind, const char *name,
                   struct err *err)
{
	int rc = 0;

	if (r->status == STORE_CONFLICT) {
		rc = 1;
	} else if (r->status != STORE_OK && r->status != STORE_NOT_FOUND) {
		db_error(r, kind, NULL, name, err);
		rc = err->code;
	}
	store_result_free(r);
	return rc;
}

/* Writes a changed copy back, or removes the object, if it is still as it was read. */
static int write_back(struct db *db, const struct resource *changed, bool remove, struct err *err)
{
	if (remove)
		return outcome(db_remove(db, changed->kind, NULL, changed->name, changed->revision),
		               changed->kind, changed->name, err);
	return outcome(db_update(db, changed), changed->kind, changed->name, err);
}

/* *ret: a copy, or NULL when there is none. */
static int fetch(struct db *db, model_kind kind, const char *name, struct resource **ret,
                 struct err *err)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, kind, NULL, name);

	*ret = NULL;
	if (r->status == STORE_OK)
		*ret = resource_copy(r->items[0]);
	else if (r->status != STORE_NOT_FOUND)
		db_error(r, kind, NULL, name, err);
	return r->status == STORE_OK || r->status == STORE_NOT_FOUND ? 0 : err->code;
}

static int give_up_trying(model_kind kind, const char *name, struct err *err)
{
	return err_set(err, -EAGAIN, "update conflict: %s(%s)", kind_info(kind)->name, name);
}

/* ---- handles */

static int decrement_handle(struct db *db, const char *id, const char *cidr, int64_t n,
                            struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct resource *r;
		V3__IpamHandle *h;
		int64_t have;
		int rc = fetch(db, HANDLE, id, &r, err);

		if (rc || !r)
			return rc;
		h = (V3__IpamHandle *)r->msg;
		have = handle_count(h, cidr);
		handle_set_count(h, cidr, have > n ? have - n : 0);
		rc = write_back(db, r, h->n_block == 0, err);
		resource_free(r);
		if (rc <= 0)
			return rc;
	}
	return give_up_trying(HANDLE, id, err);
}

/* What a write to a block took from handles. */
struct taken {
	char **handles;
	int64_t *counts;
	size_t n;
};

static void taken_add(struct taken *t, char *handle /* taken; may be NULL */)
{
	size_t i = 0;

	if (!handle)
		return;
	while (i < t->n && strcmp(t->handles[i], handle) != 0)
		i++;
	if (i < t->n) {
		t->counts[i]++;
		free(handle);
		return;
	}
	t->handles = xrealloc(t->handles, (t->n + 1) * sizeof(*t->handles));
	t->counts = xrealloc(t->counts, (t->n + 1) * sizeof(*t->counts));
	t->handles[t->n] = handle;
	t->counts[t->n++] = 1;
}

static void taken_done(struct taken *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->handles[i]);
	free(t->handles);
	free(t->counts);
	*t = (struct taken){ 0 };
}

/* ---- addresses */

/* Whether the address is still what the wish says. -ENOENT: nobody's; -EAGAIN: somebody else's by
 * now. */
static int check_wish(const V3__IpamBlock *b, uint32_t ordinal, const struct release_wish *w,
                      struct err *err)
{
	const V3__IpamAttribute *a = block_owner_of(b, ordinal);
	uint64_t sequence = block_sequence_of(b, ordinal);
	char text[IP_ADDR_STR_MAX];

	if (!a)
		return -ENOENT;
	if (w->has_sequence && sequence != w->sequence)
		return err_set(err, -EAGAIN,
		               "%s: the given sequence number (%llu) does not match (%llu) when "
		               "attempting to release IP",
		               ip_addr_str(&w->addr, text), (unsigned long long)w->sequence,
		               (unsigned long long)sequence);
	if (w->handle && *w->handle && !handle_eq(a->handle_id, w->handle))
		return err_set(err, -EAGAIN,
		               "%s: the given handle (%s) does not match (%s) when attempting to "
		               "release IP",
		               ip_addr_str(&w->addr, text), w->handle,
		               a->handle_id ? a->handle_id : "");
	return 0;
}

/* Releases in the message what may be released. Returns how many; what became of all is counted in
 * *ret. */
static size_t release_in(V3__IpamBlock *b, const struct ip_prefix *cidr,
                         const struct release_wish *const *wishes, size_t n, uint64_t now,
                         struct release_outcome *ret, struct taken *taken)
{
	size_t released = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t ordinal = (uint32_t)ip_prefix_ordinal(cidr, &wishes[i]->addr);
		struct err err = { 0 };
		int rc = check_wish(b, ordinal, wishes[i], &err);
		char *handle = NULL;

		if (rc == 0)
			rc = block_release_ordinal(b, ordinal, now, &handle);
		if (rc == -ENOENT) {
			ret->unallocated++;
		} else if (rc) {
			if (ret->changed++ == 0)
				ret->why = err;
		} else {
			released++;
			taken_add(taken, handle);
		}
	}
	return released;
}

/* All wishes in one block, in one write. */
static int release_from(struct db *db, const char *name, const struct release_wish *const *wishes,
                        size_t n, uint32_t cooldown_sec, struct release_outcome *ret,
                        struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct release_outcome outcome = *ret;
		uint64_t now = wall_unix_ns() / 1000000000u;
		struct taken taken = { 0 };
		struct ip_prefix cidr;
		struct resource *r;
		V3__IpamBlock *b;
		size_t released;
		int rc = fetch(db, BLOCK, name, &r, err);

		if (rc)
			return rc;
		if (!r) {
			ret->unallocated += n;
			return 0;
		}
		b = (V3__IpamBlock *)r->msg;
		if (!block_check(b, &cidr, err)) {
			resource_free(r);
			return err_wrap(err, -EINVAL, "IPAM block %s is malformed", name);
		}
		released = release_in(b, &cidr, wishes, n, now, &outcome, &taken);
		if (released) {
			(void)block_gc(b, now, cooldown_sec);
			block_bump(b);
			rc = write_back(db, r, block_empty(b) && (!b->affinity || !*b->affinity),
			                err);
		}
		for (size_t k = 0; rc == 0 && k < taken.n; k++)
			rc = decrement_handle(db, taken.handles[k], name, taken.counts[k], err);
		taken_done(&taken);
		resource_free(r);
		if (rc == 0) {
			*ret = outcome;
			ret->released += released;
		}
		if (rc <= 0)
			return rc;
	}
	return give_up_trying(BLOCK, name, err);
}

static int by_address(const void *a, const void *b)
{
	const struct release_wish *x = *(const struct release_wish *const *)a,
	                          *y = *(const struct release_wish *const *)b;

	return ip_addr_cmp(&x->addr, &y->addr);
}

struct named_prefix {
	struct ip_prefix cidr;
	const char *name; /* borrowed from the list */
};

static int by_cidr(const void *a, const void *b)
{
	return ip_prefix_cmp(&((const struct named_prefix *)a)->cidr,
	                     &((const struct named_prefix *)b)->cidr);
}

/* Blocks and wishes in the same order: one walk over both. */
static int release_sorted(struct db *db, const struct named_prefix *blocks, size_t n_blocks,
                          const struct release_wish *const *wishes, size_t n, uint32_t cooldown_sec,
                          struct release_outcome *ret, struct err *err)
{
	int first = 0;

	for (size_t i = 0, b = 0; i < n;) {
		struct err one;
		size_t end;
		int rc;

		while (b < n_blocks && !ip_prefix_contains(&blocks[b].cidr, &wishes[i]->addr) &&
		       ip_addr_cmp(&blocks[b].cidr.addr, &wishes[i]->addr) < 0)
			b++;
		if (b == n_blocks || !ip_prefix_contains(&blocks[b].cidr, &wishes[i]->addr)) {
			ret->unallocated++;
			i++;
			continue;
		}
		for (end = i + 1;
		     end < n && ip_prefix_contains(&blocks[b].cidr, &wishes[end]->addr);)
			end++;
		rc = release_from(db, blocks[b].name, wishes + i, end - i, cooldown_sec, ret, &one);
		if (rc && !first) {
			first = rc;
			if (err)
				*err = one;
		}
		i = end;
	}
	return first;
}

int release_wishes(struct db *db, const struct release_wish *wishes, size_t n,
                   struct release_outcome *ret, struct err *err)
{
	CLEANUP(result_p) struct store_result *listed = NULL;
	CLEANUP(free_p) const struct release_wish **sorted = NULL;
	CLEANUP(free_p) struct named_prefix *blocks = NULL;
	size_t n_blocks = 0;
	uint32_t cooldown;
	int rc;

	*ret = (struct release_outcome){ 0 };
	if (n == 0)
		return 0;
	rc = ipam_cooldown(db, &cooldown, err);
	if (rc)
		return rc;
	listed = db_list(db, BLOCK, NULL, NULL);
	if (listed->status != STORE_OK) {
		db_error(listed, BLOCK, NULL, "", err);
		return err->code;
	}
	sorted = xcalloc(n, sizeof(*sorted));
	for (size_t i = 0; i < n; i++)
		sorted[i] = &wishes[i];
	qsort(sorted, n, sizeof(*sorted), by_address);
	blocks = xcalloc(listed->n + 1, sizeof(*blocks));
	for (size_t i = 0; i < listed->n; i++)
		if (ip_prefix_parse(listed->items[i]->name, &blocks[n_blocks].cidr) == 0)
			blocks[n_blocks++].name = listed->items[i]->name;
	qsort(blocks, n_blocks, sizeof(*blocks), by_cidr);
	return release_sorted(db, blocks, n_blocks, sorted, n, cooldown, ret, err);
}

int release_addresses(struct db *db, const struct ip_addr *addrs, size_t n, struct err *err)
{
	CLEANUP(free_p) struct release_wish *wishes = xcalloc(n + 1, sizeof(*wishes));
	struct release_outcome outcome;

	for (size_t i = 0; i < n; i++)
		wishes[i].addr = addrs[i];
	return release_wishes(db, wishes, n, &outcome, err);
}

/* ---- affinities */

/* Whether "host:<node>" is who the block belongs to. */
static bool is_affine(const V3__IpamBlock *b, const char *node)
{
	return b->affinity && strncmp(b->affinity, "host:", 5) == 0 &&
	       strcmp(b->affinity + 5, node) == 0;
}

static int release_block(struct db *db, const char *node, const char *cidr, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct ip_prefix whole;
		struct resource *r;
		V3__IpamBlock *b;
		int rc = fetch(db, BLOCK, cidr, &r, err);

		if (rc || !r)
			return rc;
		b = (V3__IpamBlock *)r->msg;
		if (!is_affine(b, node)) { /* somebody else's by now */
			resource_free(r);
			return 0;
		}
		if (!block_check(b, &whole, err)) {
			resource_free(r);
			return err_wrap(err, -EINVAL, "IPAM block %s is malformed", cidr);
		}
		msg_set_str(&b->affinity, NULL);
		msg_set_str(&b->affinity_claim_time, NULL);
		block_bump(b);
		rc = write_back(db, r, block_empty(b), err);
		resource_free(r);
		if (rc <= 0)
			return rc;
	}
	return give_up_trying(BLOCK, cidr, err);
}

/* First the affinity is marked, so that its node takes no address from the block any more; then the
 * block; then it goes. */
static int release_affinity(struct db *db, const char *name, const char *node, const char *cidr,
                            struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		CLEANUP(result_p) struct store_result *marked = NULL;
		V3__IpamAffinity *a;
		struct resource *r;
		int rc = fetch(db, AFFINITY, name, &r, err);

		if (rc || !r)
			return rc;
		a = (V3__IpamAffinity *)r->msg;
		msg_set_str(&a->state, "pendingDeletion");
		marked = db_update(db, r);
		resource_free(r);
		if (marked->status == STORE_CONFLICT)
			continue;
		if (marked->status != STORE_OK) {
			if (marked->status == STORE_NOT_FOUND)
				return 0;
			db_error(marked, AFFINITY, NULL, name, err);
			return err->code;
		}
		rc = release_block(db, node, cidr, err);
		if (rc == 0)
			rc = outcome(
			        db_remove(db, AFFINITY, NULL, name, marked->items[0]->revision),
			        AFFINITY, name, err);
		if (rc <= 0)
			return rc;
	}
	return give_up_trying(AFFINITY, name, err);
}

int release_affinities(struct db *db, const char *node, const struct ip_prefix *within,
                       struct err *err)
{
	CLEANUP(free_p) char *prefix = node ? xasprintf("%s/", node) : NULL;
	CLEANUP(result_p) struct store_result *all = db_list(db, AFFINITY, NULL, prefix);
	int rc = 0;

	if (all->status != STORE_OK) {
		db_error(all, AFFINITY, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < all->n && rc == 0; i++) {
		const char *name = all->items[i]->name, *slash = strchr(name, '/');
		CLEANUP(free_p) char *owner = slash ? xstrndup(name, (size_t)(slash - name)) : NULL;
		struct ip_prefix cidr;

		if (!owner || (node && strcmp(owner, node) != 0) ||
		    ip_prefix_parse(slash + 1, &cidr) != 0 ||
		    (within && !ip_prefix_covers(within, &cidr)))
			continue;
		rc = release_affinity(db, name, owner, slash + 1, err);
	}
	return rc;
}
