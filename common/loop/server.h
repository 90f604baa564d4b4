/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server: frames over a Unix socket, and over TCP when asked to, on the loop.
 *
 * The server decodes; the handler sees whole, valid messages. A peer that sends garbage, an
 * oversized frame or a message that does not decode is told nothing (its protocol is unknown),
 * logged once, counted and closed. A peer whose send queue grows above send_high is closed too,
 * unless on_slow() says that it took care (typhad does: it queues nothing more
 * until on_drained()).
 *
 * With handshake_ms, a connection has that long, from accept() on, to become one that the handler
 * welcomes; whatever lies between, TLS and the first messages, is each connection's own: one that
 * stalls there keeps nobody waiting. Of those that are not welcome yet there are max_pending at
 * most; one more, and the oldest makes room.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "common/ipc/frame.h"
#include "common/ipc/sock.h"

struct err;
struct ipc_server;
struct ipc_peer;
struct transport_layer;

struct ipc_server_ops {
	const char *name;                          /* for logs: "ctl", "api" */
	const ProtobufCMessageDescriptor *request; /* of the envelope that peers send */
	mode_t mode;                               /* of the socket */
	unsigned max_peers;                        /* 0: 1024 */
	size_t send_high, send_low;                /* bytes queued per peer; 0: 16 MiB, 1 MiB */
	unsigned handshake_ms;                     /* until ipc_peer_welcome(); 0: for ever */
	unsigned max_pending;                      /* not welcome yet; 0: 1024 */
	/* Bytes held for all peers: beginnings of frames, queued frames that no two share. Above
	 * it, those that hold most are closed. 0: no limit. */
	size_t memory_max;

	/* May be NULL; ipc_peer_set_data() here. With a transport, when its handshake is over. */
	void (*on_open)(struct ipc_peer *p);
	/* msg is borrowed. The peer may be closed inside. */
	void (*on_message)(struct ipc_peer *p, ProtobufCMessage *msg);
	void (*on_close)(struct ipc_peer *p); /* may be NULL; called once for each on_open; the peer
	                                         is gone when it returns */
	/* Above send_high. true: taken care of, keep the peer. NULL: close it. */
	bool (*on_slow)(struct ipc_peer *p);
	/* Was above send_high and is now below send_low. May be NULL. */
	void (*on_drained)(struct ipc_peer *p);
	/* It is to be closed because of memory_max: may say goodbye and must ipc_peer_close() it.
	 * NULL: it is closed. */
	void (*on_evict)(struct ipc_peer *p);
};

struct ipc_server_stats {
	uint64_t accepted, refused, frames_in, frames_out, bytes_in, bytes_out, bad_frames,
	        slow_closed;
	uint64_t handshakes_failed;  /* of transports */
	uint64_t handshakes_late;    /* not welcome within handshake_ms */
	uint64_t handshakes_crowded; /* made room for newer ones */
	uint64_t evicted;            /* because of memory_max */
	unsigned peers, pending;
	size_t memory;
};

/* Listens on path. ops is borrowed and must outlive the server; arg comes back from ipc_peer_arg().
 */
int ipc_server_new(uv_loop_t *loop, const char *path, const struct ipc_server_ops *ops, void *arg,
                   struct ipc_server **ret, struct err *err);

/* Listens on TCP, too. host "" or NULL: on all addresses; a name is looked up, which blocks. port
 * 0: any; ret_port may be NULL. layer: NULL: plain; borrowed, must outlive the server.
 * user_timeout_ms: see tcp_tune(). */
int ipc_server_listen_tcp(struct ipc_server *s, const char *host, uint16_t port,
                          struct transport_layer *layer, unsigned user_timeout_ms,
                          uint16_t *ret_port, struct err *err);
/* Nobody new is let in over TCP; who is in stays. */
void ipc_server_stop_tcp(struct ipc_server *s);

/* Closes all peers (each gets on_close) and the socket, and unlinks it. The memory goes with the
 * last close callback. NULL is fine. */
void ipc_server_free(struct ipc_server *s);
struct ipc_server_stats ipc_server_stats(const struct ipc_server *s);

/*
 * Packs and queues. On an error (queue above send_high and not taken care of, message too large)
 * the peer is being closed; callers may ignore it. Its on_close() is never called from within a
 * send: who sends in the midst of its own lists finds them as they were.
 */
int ipc_peer_send(struct ipc_peer *p, const ProtobufCMessage *msg);
/* Queues a frame that others share; takes a reference of its own. */
int ipc_peer_send_frame(struct ipc_peer *p, struct ipc_frame *f);

/* It has said who it is, and may stay. */
void ipc_peer_welcome(struct ipc_peer *p);
void ipc_peer_close(
        struct ipc_peer *p); /* after what is queued has been written, one second at most */
void ipc_peer_abort(struct ipc_peer *p);                /* at once */
uint64_t ipc_peer_stalled_ms(const struct ipc_peer *p); /* since it last took anything; 0: fine */
size_t ipc_peer_queued(const struct ipc_peer *p);       /* bytes not yet written */
/* Of a TCP peer: nobody (pid 0, uid and gid -1). */
struct peer_cred ipc_peer_cred(const struct ipc_peer *p);
/* "10.0.0.1:40022"; NULL: it came over the Unix socket. Lives as long as the peer. */
const char *ipc_peer_address(const struct ipc_peer *p);
/* Who it has proved to be to the transport: a certificate's CN; or NULL. */
const char *ipc_peer_proved(const struct ipc_peer *p);
void *ipc_peer_arg(const struct ipc_peer *p);
void ipc_peer_set_data(struct ipc_peer *p, void *data);
void *ipc_peer_data(const struct ipc_peer *p);
