/* SPDX-License-Identifier: BSD-2-Clause */
/* nodestatus: bgpd's peers as `node status` shows them. Pure: a message and the time in, text out.
 */
#pragma once

#include <time.h>

#include "common/base/buf.h"
#include "proto/bgpd_bgp_v1.pb-c.h"

/* The tables of both families. now: seconds since 1970; since is shown as a time of day when it is
 * less than 20 hours ago, else as a date, local time. */
void nodestatus_write(const Bgp__V1__Peers *peers, time_t now, struct buf *out);
