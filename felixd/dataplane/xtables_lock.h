/* SPDX-License-Identifier: BSD-2-Clause */
/* xtables_lock: the file that everybody who writes iptables' legacy tables locks first. */
#pragma once

struct err;

/* *ret_fd: closing it gives the lock back. -EBUSY: somebody has it. */
int xtables_lock_try(int *ret_fd, struct err *err);
