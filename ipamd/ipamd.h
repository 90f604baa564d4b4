/* SPDX-License-Identifier: BSD-2-Clause */
/* ipamd: the root object, and how its parts are told apart: cache (what is), lane, handle and claim
 * (what is written), request (who asked). */
#pragma once

#include <uv.h>

#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/loop/daemon.h"
#include "common/loop/server.h"
#include "common/store/store.h"
#include "ipamd/cache.h"
#include "ipamd/pool.h"

#define IPAMD_RETRIES 100 /* lost compare-and-swaps until a change is given up; as upstream */
#define IPAMD_DEFAULT_MAX_BLOCKS                                                                   \
	20 /* per host and family, when the configuration says nothing; as upstream */
#define IPAMD_RECLAIM_AGE_SEC                                                                      \
	60 /* an empty block of another node is left alone for so long after its claim */
#define IPAMD_REQUESTS_MAX 4096 /* under way at once */
#define IPAMD_HOLD_MS 2000      /* how long a request waits for the first snapshot */

struct ipamd_counters {
	uint64_t assign, assign_failed, assigned_addresses, reused_addresses, release,
	        released_addresses;
	uint64_t block_writes, block_changes, block_conflicts, handle_writes, handle_conflicts;
	uint64_t claims, claim_conflicts, borrowed, reclaimed, affinities_released, rollbacks;
	uint64_t handles_checked, handles_repaired, bad_blocks, bad_pools;
};

struct ipamd {
	struct daemon *d;
	struct store *store;
	struct ipc_server *api;
	char *affinity; /* "host:<node>" */

	/* cache */
	struct pool_set pools;
	struct hmap blocks, affinities;
	struct list near;
	ProtobufCMessage *node; /* this node's Node; NULL: there is none */
	struct ipam_config config;
	bool in_sync; /* what the cache holds is up to date */
	bool ready;   /* and half-done claims of an earlier life have been settled */
	char down_why[160];
	unsigned settling;

	/* lanes that begin in the next turn of the loop */
	uv_idle_t turn;
	struct list turn_blocks;

	/* requests */
	struct list requests;   /* all of them */
	struct hmap queues;     /* by handle: one at a time */
	struct list held;       /* wait for the first snapshot */
	struct list waiting[2]; /* by family: wait for the claim that is under way */
	bool claiming[2];
	unsigned n_requests;
	uv_timer_t hold_timer;
	bool hold_over;

	/* repair */
	uv_timer_t check_timer;
	struct check *check;
	unsigned check_interval_sec, check_grace_sec;
	uint64_t handles_suspect;

	struct ipamd_counters count;
	bool stopping; /* answers that still come are only for freeing memory */
	unsigned open_handles;
};

extern const struct daemon_dump ipamd_dumps[];
void ipamd_health(struct daemon *d, void *ctx);

extern const struct ipc_server_ops ipamd_api_ops;
