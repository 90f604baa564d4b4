/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request: what somebody asked for, from its arrival to its one answer.
 *
 * Requests of one handle are served one at a time, in order: an ADD that a runtime repeats while
 * the first is still on its way waits, and then is given the same address. Requests of different
 * handles run side by side and meet in the lanes of the blocks.
 */
#pragma once

#include "common/base/buf.h"
#include "common/model/block.h"
#include "ipamd/claim.h"
#include "ipamd/ipamd.h"
#include "ipamd/lane.h"
#include "proto/ipamd_ipam_v1.pb-c.h"

enum request_kind {
	REQUEST_ASSIGN,
	REQUEST_RELEASE_HANDLE,
	REQUEST_RELEASE_IPS
};

struct queue;

/* An address that a request has: with its block's length. */
struct got {
	struct ip_prefix *items; /* addr and the block's length */
	bool *is_new;            /* taken by this request: what a rollback gives back */
	size_t n;
};

struct request {
	struct ipamd *ip;
	enum request_kind kind;
	struct list link;      /* in ipamd.requests */
	struct list in_queue;  /* in queue.requests */
	struct list wait;      /* in ipamd.held or ipamd.waiting */
	struct queue *queue;   /* NULL: of ReleaseIps, which has no handle of its own */
	bool started;          /* is not waiting in queue any more */
	struct ipc_peer *peer; /* NULL: has gone away meanwhile */
	uint64_t id;
	struct mono_ms arrived;
	const char *stage; /* for the dump */

	struct block_owner owner;

	/* assign */
	uint32_t num[2];       /* IPv4, IPv6 */
	struct ip_prefix *ips; /* or exactly these */
	size_t n_ips;
	char **wanted[2]; /* pools */
	size_t n_wanted[2];
	enum pool_use use;
	struct got got;
	unsigned family; /* 0: IPv4, 1: IPv6: the one at hand */
	struct pool **pools;
	size_t n_pools;
	unsigned tries;
	bool no_claim; /* there is no block to claim: borrow */
	struct lane_change change;
	struct ip_prefix claim_cidr;
	bool claimer;  /* the claim under way is this request's */
	int fail_code; /* of a rollback that is under way */
	char *fail_text;

	/* release */
	struct ip_prefix *freed;
	size_t n_freed;
	struct lane_change *changes;
	char **blocks; /* names; of the handle's entries */
	size_t n_changes, pending;
	bool unavailable;
	char *trouble;
	ProtobufCMessage *handle;
	uint64_t handle_revision;
};

/* Takes a decoded envelope in. Always answers, sooner or later. */
void request_new(struct ipamd *ip, struct ipc_peer *peer, const Ipam__V1__ToIpamd *msg);
void request_peer_closed(struct ipamd *ip, struct ipc_peer *peer);
/* The cache is up to date again, or not any more: what waited goes on or fails. */
void requests_ready(struct ipamd *ip);
void requests_down(struct ipamd *ip);
void requests_drop(struct ipamd *ip); /* at the end */

/* ---- between the parts */

void request_answer_assigned(struct request *q);
void request_answer_released(struct request *q);
void request_answer_error(struct request *q, Ipam__V1__ErrorCode code, const char *text);

void assign_start(struct request *q); /* assign.c */
void assign_wake(struct ipamd *ip, unsigned family);
void release_start(struct request *q); /* release.c */

void got_add(struct got *g, const struct ip_addr *a, unsigned block_len, bool is_new);
bool got_has(const struct got *g, const struct ip_addr *a);
