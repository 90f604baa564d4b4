/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * door: who gets in, who stays, who must go.
 *
 *     accept --> TLS --> Hello --> client --> ... --> closed
 *     '-- handshake timeout --'      |- ping, pong: who does not answer is dead
 *                                    |- writes: who takes nothing for too long is dead
 *                                    '- GoAway: others have more room, or we stop; some seconds
 * later the connection is closed
 *
 * Local clients come over the Unix socket and are trusted by its mode; remote ones over TCP, by
 * their certificate. Only remote ones are sent away: a local client has nowhere else to go.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/list.h"
#include "common/base/log.h"
#include "common/ipc/tcp.h"
#include "common/loop/server.h"
#include "common/tls/layer.h"
#include "proto/typhad_sync_v1.pb-c.h"

struct err;
struct client;
struct typhad;

#define DOOR_MEMORY_MAX                                                                            \
	(256u << 20)           /* bytes held for all clients: see ipc_server_ops.memory_max        \
	                        */
#define DOOR_LOCAL_MAX 10000u  /* local clients; of remote ones: MaxConnectionsUpperLimit */
#define DOOR_PENDING_MAX 1024u /* connections that have not said Hello */
#define DOOR_LEAVE_MS 5000u    /* from GoAway to closing */

struct door {
	struct ipc_server_ops ops;
	struct tls_layer tls; /* all zeros: none */
	struct ipc_server *server;
	bool prepared, tcp;
	char host[TCP_ADDR_STR_MAX]; /* to listen on; "": all addresses */
	uint16_t port;
	unsigned clients, remote; /* that have said Hello */
	struct list pings;        /* struct client, by when they were asked last */
	struct list leaving;      /* struct client, by when they were asked to go */
	uv_timer_t ping_timer, leave_timer, balance_timer;
	struct ipc_frame *ping;
	bool draining;
	uint64_t drain_end; /* uv_now() */
	uint64_t drain_step_ms;
	struct log_limit log_refused, log_dead;
	struct {
		uint64_t bad_hello, too_many, dead, stuck, rebalanced, drained;
	} count;
};

/* Reads certificates and looks up the host to listen on, which may block. Before door_open(). */
int door_prepare(struct typhad *t, struct err *err);
/* Lets clients in. */
int door_open(struct typhad *t, struct err *err);
void door_close(struct typhad *t);

/* TERM: from now on nobody new comes over TCP, and remote clients are sent away one after the
 * other. false: there are none, so there is nothing to wait for. Ends with daemon_stop(). */
bool door_drain(struct typhad *t);

/* How many remote clients are this typhad's share. */
unsigned door_target(const struct typhad *t);

/* The first message; answers it. */
void door_hello(struct client *c, uint64_t id, const Sync__V1__Hello *hello);
/* It has said something: it lives. */
void door_heard(struct client *c);
/* It is gone. */
void door_left(struct client *c);
