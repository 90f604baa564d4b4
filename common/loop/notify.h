/* SPDX-License-Identifier: BSD-2-Clause */
/* notify: the supervisor's notification protocol (sd_notify(3)), by hand. Does nothing where
 * NOTIFY_SOCKET is not set. */
#pragma once

void notify_state(const char *state); /* "READY=1", "STOPPING=1" ... */
void notify_status(const char *text); /* STATUS= */
