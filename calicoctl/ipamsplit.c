/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipam split: several small pools in place of a large one.
 *
 * Blocks and addresses do not say which pool they are of: they lie in one. So they go on as they
 * are, in the part that covers them. The parts are written before the pool goes; all of them are
 * judged before the first is written. What is interrupted can be done again: parts that are there
 * already are taken for what they are.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/cluster.h"
#include "calicoctl/ipam.h"
#include "calicoctl/split.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/validate.h"
#include "proto/v3_ippool.pb-c.h"

#define POOL V3__KIND__KIND_IP_POOL
#define NAME_MAX_LEN 253
#define NAME_KEPT 245 /* of a name that would become too long */

/* By name or by CIDR, as it is written in the pool. */
static int find_pool(struct db *db, const char *name, const char *cidr, struct resource **ret,
                     struct err *err)
{
	CLEANUP(result_p) struct store_result *r = NULL;
	int rc;

	*ret = NULL;
	if (name) {
		r = db_get(db, POOL, NULL, name);
		if (r->status != STORE_OK) {
			db_error(r, POOL, NULL, name, err);
			return err_wrap(err, err->code, "unable to find IP pool with name %s",
			                visible(name));
		}
		*ret = resource_copy(r->items[0]);
		return 0;
	}
	rc = ipam_list(db, POOL, &r, err);
	if (rc)
		return err_wrap(err, rc, "unable to list IP pools to find the pool specified by %s",
		                visible(cidr));
	for (size_t i = 0; i < r->n && !*ret; i++) {
		const V3__IpPoolSpec *spec = ((const V3__IPPool *)r->items[i]->msg)->spec;

		if (spec && spec->cidr && strcmp(spec->cidr, cidr) == 0)
			*ret = resource_copy(r->items[i]);
	}
	return *ret ? 0
	            : err_set(err, -ENOENT, "unable to find IP pool covering the specified CIDR %s",
	                      visible(cidr));
}

/* The pool again, with a name and a CIDR of its own. */
static struct resource *part_of(const struct resource *pool, const struct ip_prefix *cidr,
                                unsigned index)
{
	char text[IP_PREFIX_STR_MAX], name[NAME_MAX_LEN + 64];
	ProtobufCMessage *msg = msg_copy(pool->msg);
	V3__ObjectMeta *meta = model_meta(msg, true);

	if (snprintf(name, sizeof(name), "split-%s-%u", pool->name, index) > NAME_MAX_LEN)
		snprintf(name, sizeof(name), "split-%.*s-%u", NAME_KEPT - 6, pool->name, index);
	msg_set_str(&meta->name, name);
	msg_set_str(&meta->uid, NULL);
	msg_set_str(&meta->resourceversion, NULL);
	msg_set_str(&meta->creationtimestamp, NULL);
	msg_set_str(&((V3__IPPool *)msg)->spec->cidr, ip_prefix_str(cidr, text));
	return resource_new(POOL, NULL, name, 0, msg);
}

static int check_part(const struct resource *part, struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct violations found;
	size_t n = model_validate(POOL, part->msg, &found);

	if (n) {
		violations_str(&found, &text);
		err_set(err, -EINVAL, "IP pool %s would not be valid: %s", part->name,
		        buf_cstr(&text));
	}
	violations_done(&found);
	return n ? -EINVAL : 0;
}

static int create_part(struct db *db, const struct resource *part, struct err *err)
{
	const char *cidr = ((const V3__IPPool *)part->msg)->spec->cidr;
	CLEANUP(result_p) struct store_result *done = db_create(db, part);

	if (done->status == STORE_OK)
		return 0;
	if (done->status == STORE_ALREADY_EXISTS && done->n && done->items[0]->msg) {
		const V3__IpPoolSpec *spec = ((const V3__IPPool *)done->items[0]->msg)->spec;

		if (spec && spec->cidr && strcmp(spec->cidr, cidr) == 0)
			return 0;
	}
	db_error(done, POOL, NULL, part->name, err);
	return err_wrap(err, err->code, "error creating the split pool with cidr %s", cidr);
}

static int replace_pool(struct db *db, const struct resource *pool, struct resource *const *parts,
                        size_t n, struct err *err)
{
	CLEANUP(result_p) struct store_result *gone = NULL;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = check_part(parts[i], err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = create_part(db, parts[i], err);
	if (rc)
		return rc;
	gone = db_remove(db, POOL, NULL, pool->name, pool->revision);
	if (gone->status == STORE_OK)
		return 0;
	db_error(gone, POOL, NULL, pool->name, err);
	return err_wrap(err, err->code, "error removing the IP pool that was split %s", pool->name);
}

static int split(struct db *db, const struct options *o, int64_t n, struct err *err)
{
	CLEANUP(free_p) struct ip_prefix *cidrs = NULL;
	CLEANUP(free_p) struct resource **parts = NULL;
	const V3__IpPoolSpec *spec;
	struct resource *pool;
	struct ip_prefix cidr;
	int rc = cluster_demand_lock(db, "split the IP pools", err);

	if (rc)
		return rc;
	rc = find_pool(db, o->ipam.name, o->ipam.cidr, &pool, err);
	if (rc)
		return rc;
	spec = ((const V3__IPPool *)pool->msg)->spec;
	if (!spec || !spec->cidr || ip_prefix_parse(spec->cidr, &cidr) != 0)
		rc = err_set(err, -EINVAL, "error reading CIDR %s before attempting to split it",
		             spec && spec->cidr ? spec->cidr : "");
	if (rc == 0)
		rc = split_prefix(&cidr, n, &cidrs, err);
	if (rc) {
		err_wrap(err, rc, "error splitting the CIDR %s into %lld CIDRs",
		         spec && spec->cidr ? spec->cidr : "", (long long)n);
		resource_free(pool);
		return rc;
	}
	parts = xcalloc((size_t)n, sizeof(struct resource *));
	for (size_t i = 0; i < (size_t)n; i++)
		parts[i] = part_of(pool, &cidrs[i], (unsigned)i);
	rc = replace_pool(db, pool, parts, (size_t)n, err);
	if (rc == 0) {
		printf("IP Pool %s was successfully split into %lld smaller pools.\n", pool->name,
		       (long long)n);
		for (size_t i = 0; i < (size_t)n; i++)
			printf("Created %s with CIDR %s.\n", parts[i]->name,
			       ((const V3__IPPool *)parts[i]->msg)->spec->cidr);
		puts("Please refer to the documentation for final steps.");
	}
	for (size_t i = 0; i < (size_t)n; i++)
		resource_free(parts[i]);
	resource_free(pool);
	return rc;
}

int cmd_ipam_split(const struct options *o)
{
	char *end;
	long long n;
	struct err err;
	struct db *db;
	int rc;

	errno = 0;
	n = strtoll(o->args[0], &end, 10);
	if (errno || *end || end == o->args[0]) {
		fprintf(stderr,
		        "error reading number to split IP pools into. %s is not a valid number\n",
		        visible(o->args[0]));
		return 1;
	}
	if ((!o->ipam.name || !*o->ipam.name) && (!o->ipam.cidr || !*o->ipam.cidr)) {
		fputs("no name or CIDR provided. Provide a name or CIDR to denote the IP pool to "
		      "split\n",
		      stderr);
		return 1;
	}
	db = db_begin(o, false);
	if (!db)
		return 1;
	rc = split(db, o, n, &err);
	db_close(db);
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	return rc ? 1 : 0;
}
