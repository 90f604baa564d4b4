/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch: an nl_monitor on the loop.
 *
 * Events come as the kernel sends them. When it sends faster than they are read, some are lost, and
 * whoever watches must read the state back: on_turn() says so, after everything that was queued
 * before the gap has been told. What is told after that on_turn() is younger than the gap, so a
 * state read back from then on can be kept true by it. The watch itself goes on.
 *
 * The part of common/nl that needs libuv; programs that do not call it do not link it.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "common/nl/nl.h"

struct err;
struct nl_watch;

struct nl_watch_ops {
	nl_reply_fn *on_event; /* a message, borrowed; never with NULL. Returns 0. */
	/* Once after the messages of a turn. lost: some never came. */
	void (*on_turn)(void *arg, bool lost);
	void (*on_closed)(void *arg); /* the last callback; may be NULL */
};

/* Joins the groups (RTNLGRP_..., ended by 0) and starts. ops is borrowed. On an error no callback
 * ever comes. */
int nl_watch_open(uv_loop_t *loop, int protocol, const int *groups, const struct nl_watch_ops *ops,
                  void *arg, struct nl_watch **ret, struct err *err);

/*
 * Tells now, through on_event() and without on_turn(), what is queued: it is of the time before a
 * reading that is about to follow. Returns whether events were lost. Not from within on_event().
 */
bool nl_watch_drain(struct nl_watch *w);

/* No event comes any more; on_closed() does, from the loop, and then the watch is gone. NULL is
 * fine, and nothing is called then. */
void nl_watch_close(struct nl_watch *w);
