/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/ipam.h"

#include <errno.h>
#include <stdio.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "proto/v3_ippool.pb-c.h"

#define CONFIG V3__KIND__KIND_IPAM_CONFIG
#define BLOCK V3__KIND__KIND_IPAM_BLOCK
#define BLOCK_LEN_4 26
#define BLOCK_LEN_6 122

int ipam_list(struct db *db, model_kind kind, struct store_result **ret, struct err *err)
{
	struct store_result *r = db_list(db, kind, NULL, NULL);

	if (r->status != STORE_OK) {
		db_error(r, kind, NULL, "", err);
		store_result_free(r);
		return err->code;
	}
	*ret = r;
	return 0;
}

int ipam_config(struct db *db, struct resource **ret, struct err *err)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, CONFIG, NULL, "default");
	V3__IpamConfig *none;

	if (r->status == STORE_OK) {
		*ret = resource_copy(r->items[0]);
		return 0;
	}
	if (r->status != STORE_NOT_FOUND) {
		db_error(r, CONFIG, NULL, "default", err);
		return err->code;
	}
	none = (V3__IpamConfig *)msg_new(&v3__ipam_config__descriptor);
	none->has_auto_allocate_blocks = 1;
	none->auto_allocate_blocks = 1;
	msg_set_str(&none->kubevirtvmaddresspersistence, "Enabled");
	*ret = resource_new(CONFIG, NULL, "default", 0, &none->base);
	return 0;
}

int ipam_cooldown(struct db *db, uint32_t *ret_sec, struct err *err)
{
	struct resource *r;
	int64_t sec;
	int rc = ipam_config(db, &r, err);

	if (rc)
		return rc;
	sec = ((const V3__IpamConfig *)r->msg)->ipcooldownseconds;
	*ret_sec = sec < 0 ? 0 : sec > UINT32_MAX ? UINT32_MAX : (uint32_t)sec;
	resource_free(r);
	return 0;
}

/* The block of this pool that the address would be in. */
static bool block_in(const V3__IPPool *pool, const struct ip_addr *addr, struct ip_prefix *ret)
{
	struct ip_prefix cidr;
	int64_t len;

	if (!pool->spec || !pool->spec->cidr || ip_prefix_parse(pool->spec->cidr, &cidr) != 0 ||
	    !ip_prefix_contains(&cidr, addr))
		return false;
	len = pool->spec->blocksize;
	if (len == 0)
		len = addr->family == AF_INET ? BLOCK_LEN_4 : BLOCK_LEN_6;
	if (len < 0 || len > (int64_t)ip_addr_bits(addr))
		return false;
	*ret = (struct ip_prefix){ *addr, (uint8_t)len };
	*ret = ip_prefix_network(ret);
	return true;
}

/* By the pools: one small list and a key. */
static int find_by_pools(struct db *db, const struct ip_addr *addr, struct resource **ret,
                         struct err *err)
{
	CLEANUP(result_p) struct store_result *pools = NULL;
	int rc = ipam_list(db, V3__KIND__KIND_IP_POOL, &pools, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < pools->n; i++) {
		CLEANUP(result_p) struct store_result *r = NULL;
		char name[IP_PREFIX_STR_MAX];
		struct ip_prefix cidr;

		if (!block_in((const V3__IPPool *)pools->items[i]->msg, addr, &cidr))
			continue;
		r = db_get(db, BLOCK, NULL, ip_prefix_str(&cidr, name));
		if (r->status == STORE_OK) {
			*ret = resource_copy(r->items[0]);
			return 0;
		}
		if (r->status != STORE_NOT_FOUND) {
			db_error(r, BLOCK, NULL, name, err);
			return err->code;
		}
	}
	return 0;
}

int ipam_block_of(struct db *db, const struct ip_addr *addr, struct resource **ret, struct err *err)
{
	CLEANUP(result_p) struct store_result *blocks = NULL;
	int rc;

	*ret = NULL;
	rc = find_by_pools(db, addr, ret, err);
	if (rc || *ret)
		return rc;
	rc = ipam_list(db, BLOCK, &blocks, err); /* of a pool that is gone, or had other blocks */
	for (size_t i = 0; rc == 0 && i < blocks->n && !*ret; i++) {
		struct ip_prefix cidr;

		if (ip_prefix_parse(blocks->items[i]->name, &cidr) == 0 &&
		    ip_prefix_contains(&cidr, addr))
			*ret = resource_copy(blocks->items[i]);
	}
	return rc;
}

int ipam_address(const char *text, struct ip_addr *ret)
{
	if (ip_addr_parse(text, ret) == 0)
		return 0;
	fprintf(stderr, "Error executing command: invalid IP address specified: %s\n",
	        visible(text));
	return -EINVAL;
}
