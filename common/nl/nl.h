/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl: thin, batched netlink with libnl-3's messages (and names that are not libnl's: nl_close,
 * nl_dump, nl_send, nl_recv are).
 *
 * A connection belongs to the network namespace it was opened in, for ever. Requests are gathered
 * in a batch and leave in as few sendmsg() calls as fit; each carries an id of the caller's, and
 * each gets its own verdict. Blocking: netlink answers from the kernel at once. Daemons hear of
 * changes through an nl_monitor that watch.h puts on their loop.
 */
#pragma once

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct nl_conn;
struct nl_msg; /* libnl's */

/* protocol: NETLINK_ROUTE, NETLINK_NETFILTER ... netns_fd -1: the calling thread's namespace. */
int nl_conn_open(int protocol, int netns_fd, struct nl_conn **ret, struct err *err);
void nl_conn_close(struct nl_conn *c); /* NULL is fine */

/* ---- one request ---- */

/*
 * Sends one message (taken and freed, also on failure) with NLM_F_ACK and waits for the verdict. 0
 * or the kernel's negative errno; *err then holds what (a format for the sentence: "add
 * route 10.0.0.1/32") and the kernel's extended acknowledgement, where it gave one.
 */
int nl_request(struct nl_conn *c, struct nl_msg *msg, struct err *err, const char *what, ...)
        __attribute__((format(printf, 4, 5)));

/* As nl_request, for a get: on_reply sees each reply message (borrowed). on_reply returns 0 or a
 * negative errno, which ends the reading. */
typedef int nl_reply_fn(const struct nlmsghdr *h, void *arg);

/*
 * Sends msg (taken) as a dump and hands every message of the answer to fn. -EINTR (the kernel
 * changed underneath) is retried three times: fn may then see things twice, so it must begin afresh
 * when *restart, told by a call with h == NULL, happens.
 */
int nl_dump_all(struct nl_conn *c, struct nl_msg *msg, nl_reply_fn *fn, void *arg, struct err *err);
int nl_get(struct nl_conn *c, struct nl_msg *msg, nl_reply_fn *fn, void *arg, struct err *err);

/* ---- many ---- */

struct nl_batch;
struct nl_batch *nl_batch_new(struct nl_conn *c); /* borrowed */
void nl_batch_free(struct nl_batch *b);
/* Adds msg (taken). id comes back in the verdict. */
void nl_batch_add(struct nl_batch *b, struct nl_msg *msg, uint64_t id);
size_t nl_batch_len(const struct nl_batch *b);
/* Sends everything; verdict is called once per request, in order: code 0 or negative errno, text
 * NULL or the extended acknowledgement. Empties the batch. */
typedef void nl_verdict_fn(void *arg, uint64_t id, int code, const char *text);
int nl_batch_commit(struct nl_batch *b, nl_verdict_fn *verdict, void *arg, struct err *err);

/*
 * One datagram of whole messages that the kernel takes all or none of (nf_tables' batches), n bytes
 * of any size; numbers are filled in. At least one of the messages asks for an acknowledgement. 0,
 * or the first refusal with *err; refused (may be NULL) hears of each by its place among the
 * messages.
 */
int nl_transact(struct nl_conn *c, void *messages, size_t n,
                void (*refused)(void *arg, size_t place, int code, const char *text), void *arg,
                struct err *err);
/* By what the kernel's notifications name this connection as the originator. */
uint32_t nl_conn_port(const struct nl_conn *c);

/* ---- listening ---- */

struct nl_monitor;
/* Joins the groups (RTNLGRP_..., ended by 0). Non-blocking; on a loop, use watch.h. */
int nl_monitor_open(int protocol, const int *groups, struct nl_monitor **ret, struct err *err);
void nl_monitor_close(struct nl_monitor *m);
int nl_monitor_fd(const struct nl_monitor *m);
/* Reads what is there, budget datagrams at most. -ENOBUFS: events were lost, read the state back.
 * 0: drained. 1: more is waiting. */
int nl_monitor_read(struct nl_monitor *m, unsigned budget, nl_reply_fn *fn, void *arg);
