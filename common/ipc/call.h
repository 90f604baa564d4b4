/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * call: a blocking client, for programs without a loop (the CNI plugin, calicoctl debug, tests).
 *
 * Every wait has a deadline. After an error the connection is of no further use but to be closed.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "common/base/clock.h"

struct err;

struct ipc_call {
	int fd;
	const char *server; /* for messages: "typhad"; borrowed */
	const ProtobufCMessageDescriptor *reply;
	uint64_t next_id;
	struct mono_ms deadline; /* for all that follows */
	struct buf *in, *out;    /* out: queued */
};

/* Connects to "<run>/<daemon>/<file>". -ENOENT/-ECONNREFUSED (in words) when the daemon is not
 * there. */
int ipc_call_open(struct ipc_call *c, const char *run, const char *daemon, const char *file,
                  const ProtobufCMessageDescriptor *reply, int timeout_ms, struct err *err);
void ipc_call_close(struct ipc_call *c); /* also of one whose open failed or that is all zeros */

/* Sets the request's id, sends it, and waits for the reply with that id; frames with another id are
 * skipped. The caller frees it. */
int ipc_call(struct ipc_call *c, ProtobufCMessage *request, ProtobufCMessage **ret_reply,
             struct err *err);

/* Keeps the request until the next ipc_call_send() or ipc_call_recv(): what leaves together wakes
 * the other side once. */
int ipc_call_queue(struct ipc_call *c, const ProtobufCMessage *request, struct err *err);
int ipc_call_flush(struct ipc_call *c, struct err *err);

/* The two halves, for streams of replies. ipc_call_recv: -ETIMEDOUT, -ECONNRESET. */
int ipc_call_send(struct ipc_call *c, const ProtobufCMessage *request, struct err *err);
int ipc_call_recv(struct ipc_call *c, ProtobufCMessage **ret_msg, struct err *err);
