/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client: one connection to api.sock: who it is, what it watches, what it still has to be sent.
 *
 * A long list goes out in parts, as the socket takes them: the frames that it consists of are held
 * by reference, so it shows the datastore as it was when it was asked for.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/base/list.h"
#include "common/loop/server.h"
#include "proto/typhad_sync_v1.pb-c.h"
#include "typhad/fanout.h"

struct typhad;

#define CLIENT_IN_FLIGHT_MAX 1024u       /* writes */
#define CLIENT_LISTS_MAX 16u             /* lists not yet sent whole */
#define CLIENT_UNREAD_MAX (16u << 20)    /* bytes of replies that it does not read */
#define CLIENTS_LISTED_MAX (4u << 20)    /* objects in lists not yet sent whole, of all clients */
#define CLIENTS_WRITING_MAX (256u << 20) /* bytes of writes under way, of all clients */
#define CLIENT_LIST_PART (128u << 10)    /* bytes of one part of a list */

enum client_phase {
	CLIENT_NEW = 1, /* has not said Hello */
	CLIENT_OPEN = 2,
};

struct client {
	struct list node;
	struct typhad *t;
	struct ipc_peer *peer; /* NULL: it is gone, only requests under way still know it */
	struct watcher watcher;
	uint64_t id;
	enum client_phase phase;
	unsigned in_flight;
	struct list lists; /* struct client_list */
	unsigned n_lists;
	struct mono_ms since;
	uint64_t requests;
	bool remote;                     /* it came over TCP */
	unsigned version;                /* of the protocol, that is spoken */
	const struct frame_codec *codec; /* NULL: none */
	struct list ping, leave;         /* of the door */
	struct mono_ms asked, heard;     /* pinged; it said something */
	struct mono_ms sent_away;        /* 0: not */
	char *sync_type;                 /* NULL: everything */
	uint64_t kinds;                  /* that its sync type carries */
	char *program, *hostname, *software;
};

/* Where it comes from, for logs. */
const char *client_address(const struct client *c);

struct client *client_new(struct typhad *t, struct ipc_peer *peer);
/* Its peer is gone. It is freed when no request is under way any more. */
void client_gone(struct client *c);
/* A request under way begins, ends. */
void client_hold(struct client *c);
void client_release(struct client *c);

/* Each sends one message under the request's id; nothing when the peer is gone. */
void client_reply(struct client *c, uint64_t id, Sync__V1__FromTyphad *m);
void client_reply_error(struct client *c, uint64_t id, Sync__V1__ErrorCode code, const char *text,
                        Sync__V1__Resource *current);

/* Sends the list, now and as the socket drains. frames are borrowed; references are taken. */
void client_list_start(struct client *c, uint64_t id, uint64_t revision,
                       const struct cache_object **objects, size_t n);
void client_lists_continue(struct client *c);
