/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/sync.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/frame.h"

unsigned sync_version_agree(uint32_t peer_version, uint32_t peer_min)
{
	unsigned version = peer_version < SYNC_VERSION ? peer_version : SYNC_VERSION;
	unsigned min = peer_min ? peer_min : peer_version;

	return version >= SYNC_VERSION_MIN && version >= min ? version : 0;
}

/* ---- sync types */

#define K(name) ((uint64_t)1 << V3__KIND__KIND_##name)

/*
 * What each of upstream's syncers carries, in the kinds of the datastore. With felix's there is
 * what the objects' owners need to see of one another on the same connection: nothing.
 */
static const struct sync_type {
	const char *name;
	uint64_t kinds, own;
} types[] = {
	{ "felix",
	  K(CLUSTER_INFORMATION) | K(FELIX_CONFIGURATION) | K(GLOBAL_NETWORK_POLICY) |
	          K(STAGED_GLOBAL_NETWORK_POLICY) | K(GLOBAL_NETWORK_SET) | K(IP_POOL) | K(NODE) |
	          K(PROFILE) | K(WORKLOAD_ENDPOINT) | K(NETWORK_POLICY) | K(STAGED_NETWORK_POLICY) |
	          K(STAGED_KUBERNETES_NETWORK_POLICY) | K(NETWORK_SET) | K(TIER) |
	          K(HOST_ENDPOINT) | K(BGP_CONFIGURATION) | K(BGP_PEER) | K(LIVE_MIGRATION) |
	          K(IPAM_BLOCK),
	  0 },
	{ "bgp",
	  K(IP_POOL) | K(BGP_CONFIGURATION) | K(NODE) | K(BGP_PEER) | K(BGP_FILTER) |
	          K(IPAM_AFFINITY),
	  K(IPAM_AFFINITY) },
	{ "tunnel-ip-allocation", K(IP_POOL) | K(NODE), 0 },
	{ "node-status", K(CALICO_NODE_STATUS), 0 },
};

static const struct sync_type *type_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

int sync_type_kinds(const char *type, uint64_t *ret)
{
	const struct sync_type *t = type && *type ? type_find(type) : NULL;

	if (type && *type && !t)
		return -ENOENT;
	*ret = t ? t->kinds : ~(uint64_t)0;
	return 0;
}

const char *sync_type_names(void)
{
	return "felix, bgp, tunnel-ip-allocation, node-status";
}

uint64_t sync_type_own_kinds(const char *type)
{
	const struct sync_type *t = type && *type ? type_find(type) : NULL;

	return t ? t->own : 0;
}

int sync_object_is_of(const char *name, const char *node)
{
	size_t len = strlen(node);

	/* "<node>/10.0.0.0/26"; a virtual affinity has a prefix before that and is nobody's */
	return strncmp(name, node, len) == 0 && name[len] == '/';
}

/* ---- compression */

int sync_unpack(const struct frame_codec *codec, const Sync__V1__Compressed *m, struct buf *out,
                struct err *err)
{
	if (m->raw_size > SYNC_RAW_MAX)
		return err_set(err, -EMSGSIZE, "compressed frames that announce %u bytes",
		               m->raw_size);
	if (m->raw_size == 0 || codec->unpack(m->frames.data, m->frames.len, m->raw_size, out) < 0)
		return err_set(err, -EPROTO, "compressed frames that cannot be unpacked");
	return 0;
}
