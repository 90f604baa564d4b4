/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/release.h"

#include <errno.h>
#include <string.h>

#include "calicoctl/block.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"

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

/* ---- addresses */

static int decrement_handle(struct db *db, const char *id, const char *cidr, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct resource *r;
		int rc = fetch(db, HANDLE, id, &r, err);

		if (rc || !r)
			return rc;
		rc = write_back(db, r, handle_decrement((V3__IpamHandle *)r->msg, cidr, 1), err);
		resource_free(r);
		if (rc <= 0)
			return rc;
	}
	return give_up_trying(HANDLE, id, err);
}

static int release_from(struct db *db, const char *name, const struct ip_prefix *cidr,
                        const struct ip_addr *addr, bool cooldown, struct err *err)
{
	unsigned ordinal = (unsigned)ip_prefix_ordinal(cidr, addr);

	for (int i = 0; i < TRIES; i++) {
		CLEANUP(free_p) char *handle = NULL;
		char now[RFC3339_MAX];
		struct resource *r;
		V3__IpamBlock *b;
		int rc = fetch(db, BLOCK, name, &r, err);

		if (rc || !r)
			return rc;
		b = (V3__IpamBlock *)r->msg;
		rfc3339_sec(now, wall_unix_ns() / 1000000000u);
		if (!block_release(b, ordinal, cooldown, now, &handle)) {
			resource_free(r);
			return 0;
		}
		b->sequencenumber++;
		b->has_sequencenumber = 1;
		rc = write_back(db, r, block_is_empty(b) && (!b->affinity || !*b->affinity), err);
		if (rc == 0 && handle)
			rc = decrement_handle(db, handle, b->cidr, err);
		resource_free(r);
		if (rc <= 0)
			return rc;
	}
	return give_up_trying(BLOCK, name, err);
}

static int read_cooldown(struct db *db, bool *ret, struct err *err)
{
	struct resource *r;
	int rc = fetch(db, V3__KIND__KIND_IPAM_CONFIG, "default", &r, err);
	const V3__IpamConfig *config = r ? (const V3__IpamConfig *)r->msg : NULL;

	*ret = config && config->has_ipcooldownseconds && config->ipcooldownseconds > 0;
	resource_free(r);
	return rc;
}

int release_addresses(struct db *db, const struct ip_addr *addrs, size_t n, struct err *err)
{
	CLEANUP(result_p) struct store_result *blocks = NULL;
	bool cooldown;
	int rc;

	if (n == 0)
		return 0;
	rc = read_cooldown(db, &cooldown, err);
	if (rc)
		return rc;
	blocks = db_list(db, BLOCK, NULL, NULL);
	if (blocks->status != STORE_OK) {
		db_error(blocks, BLOCK, NULL, "", err);
		return err->code;
	}
	for (size_t i = 0; i < blocks->n && rc == 0; i++) {
		const char *name = blocks->items[i]->name;
		struct ip_prefix cidr;

		if (ip_prefix_parse(name, &cidr) != 0)
			continue;
		for (size_t k = 0; k < n && rc == 0; k++)
			if (ip_prefix_contains(&cidr, &addrs[k]))
				rc = release_from(db, name, &cidr, &addrs[k], cooldown, err);
	}
	return rc;
}

/* ---- affinities */

static int release_block(struct db *db, const char *node, const char *cidr, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct resource *r;
		V3__IpamBlock *b;
		int rc = fetch(db, BLOCK, cidr, &r, err);

		if (rc || !r)
			return rc;
		b = (V3__IpamBlock *)r->msg;
		if (!block_is_affine(b, node)) { /* somebody else's by now */
			resource_free(r);
			return 0;
		}
		msg_set_str(&b->affinity, NULL);
		msg_set_str(&b->affinity_claim_time, NULL);
		b->sequencenumber++;
		b->has_sequencenumber = 1;
		rc = write_back(db, r, block_is_empty(b), err);
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
