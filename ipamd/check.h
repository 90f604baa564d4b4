/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check: do handles and blocks say the same?
 *
 * A crash between a handle's write and the block's leaves a handle that counts an address nobody
 * has. Releasing the handle puts that right; this check is for those that nobody releases any more.
 * It reads all handles and compares what they say of this node's blocks. A difference is a suspect;
 * one that is the same, at the same revision of the handle, a grace period later is no write on its
 * way, and is repaired by compare-and-swap. Looks go on until there is no suspect left.
 */
#pragma once

struct ipamd;

/* Begins a check now, and again every check_interval_sec. Does nothing while one is under way. */
void check_start(struct ipamd *ip);
void check_stop(struct ipamd *ip);
