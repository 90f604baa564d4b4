/* SPDX-License-Identifier: BSD-2-Clause */
/* ipam configure: changes what is named, and leaves the rest as it is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/ipam.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "proto/v3_ippool.pb-c.h"

#define CONFIG V3__KIND__KIND_IPAM_CONFIG
#define TRIES 100
#define BLOCKS_MAX 1000000
#define COOLDOWN_MAX 1200

/* What is to be changed; a pointer or has_ says what. */
struct change {
	bool has_strict, strict, has_max, has_cooldown;
	int64_t max, cooldown;
	const char *persistence;
};

/* As upstream's language reads a boolean. */
static int parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(s, yes[i]) == 0 || strcmp(s, no[i]) == 0) {
			*ret = strcmp(s, yes[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_number(const char *s, int64_t max, int64_t *ret)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || end == s || *end || v < 0 || v > max)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int read_change(const struct options *o, struct change *c, struct err *err)
{
	const char *strict = o->ipam.strict_affinity, *max = o->ipam.max_blocks;

	*c = (struct change){ .persistence = o->ipam.kubevirt_persistence,
		              .has_strict = strict && *strict,
		              .has_max = max && *max,
		              .has_cooldown = o->ipam.cooldown_sec >= 0,
		              .cooldown = o->ipam.cooldown_sec };
	if (c->persistence && !*c->persistence)
		c->persistence = NULL;
	if (c->has_strict && parse_bool(strict, &c->strict) != 0)
		return err_set(err, -EINVAL,
		               "invalid value. Use true or false to set strictaffinity");
	if (c->has_max && parse_number(max, BLOCKS_MAX, &c->max) != 0)
		return err_set(err, -EINVAL, "invalid value for maxblockhost. Use a valid number");
	if (c->persistence && strcmp(c->persistence, "Enabled") != 0 &&
	    strcmp(c->persistence, "Disabled") != 0)
		return err_set(
		        err, -EINVAL,
		        "invalid value for --kubevirt-ip-persistence. Use Enabled or Disabled");
	if (c->cooldown > COOLDOWN_MAX)
		return err_set(err, -EINVAL,
		               "invalid value for --ip-cooldown-seconds: %lld is more than %d",
		               (long long)c->cooldown, COOLDOWN_MAX);
	if (!c->has_strict && !c->has_max && !c->persistence && !c->has_cooldown)
		return err_set(err, -EINVAL, "at least one configuration option must be specified");
	return 0;
}

/* Applies the change to what is stored. -EINVAL: the two do not go together. */
static int apply(const struct change *c, V3__IpamConfig *m, struct err *err)
{
	if (c->has_strict)
		m->has_strict_affinity = m->strict_affinity = c->strict;
	if (c->has_max) {
		m->has_maxblocksperhost = c->max != 0;
		m->maxblocksperhost = c->max;
	}
	if (c->persistence)
		msg_set_str(&m->kubevirtvmaddresspersistence, c->persistence);
	if (c->has_cooldown) {
		m->has_ipcooldownseconds = c->cooldown != 0;
		m->ipcooldownseconds = c->cooldown;
	}
	if (!m->strict_affinity && !m->auto_allocate_blocks)
		return err_set(err, -EINVAL,
		               "error: Cannot disable 'StrictAffinity' and 'AutoAllocateBlocks' at "
		               "the same time");
	if (m->maxblocksperhost > 0 && !m->strict_affinity)
		return err_set(err, -EINVAL,
		               "error: MaxBlocksPerHost requires StrictAffinity to be enabled");
	return 0;
}

/* One attempt. 1: somebody was quicker. */
static int try_change(struct db *db, const struct change *c, struct err *err)
{
	CLEANUP(result_p) struct store_result *done = NULL;
	struct resource *now, *wanted;
	int rc = ipam_config(db, &now, err);

	if (rc)
		return err_wrap(err, rc, "error");
	wanted = resource_copy(now);
	rc = apply(c, (V3__IpamConfig *)wanted->msg, err);
	if (rc == 0 && !msg_equal(now->msg, wanted->msg)) {
		done = wanted->revision ? db_update(db, wanted) : db_create(db, wanted);
		if (done->status == STORE_CONFLICT || done->status == STORE_ALREADY_EXISTS ||
		    done->status == STORE_NOT_FOUND) {
			db_error(done, CONFIG, NULL, "default", err);
			rc = 1;
		} else if (done->status != STORE_OK) {
			db_error(done, CONFIG, NULL, "default", err);
			rc = err_wrap(err, err->code, "error");
		}
	}
	resource_free(now);
	resource_free(wanted);
	return rc;
}

int cmd_ipam_configure(const struct options *o)
{
	struct change c;
	struct err err;
	struct db *db;
	int rc = read_change(o, &c, &err);

	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	db = db_begin(o, false);
	if (!db)
		return 1;
	rc = 1;
	for (int i = 0; i < TRIES && rc > 0; i++)
		rc = try_change(db, &c, &err);
	db_close(db);
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (c.has_strict)
		printf("Successfully set StrictAffinity to: %s\n", c.strict ? "true" : "false");
	if (c.has_max)
		printf("Successfully set MaxBlocksPerHost to: %lld\n", (long long)c.max);
	if (c.persistence)
		printf("Successfully set KubeVirtVMAddressPersistence to: %s\n", c.persistence);
	if (c.has_cooldown)
		printf("Successfully set IPCooldownSeconds to: %lld\n", (long long)c.cooldown);
	return 0;
}
