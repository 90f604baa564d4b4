/* SPDX-License-Identifier: BSD-2-Clause */
/* sysctl: the kernel's settings that pods need, of the host and of each pod's interface. */
#pragma once

#include <stdbool.h>

struct err;

/* Once, at start: forwarding, and connection accounting. */
int sysctl_host(bool ipv6, struct err *err);

/* What rp_filter a workload's interface gets: the one new interfaces get, "1" if that cannot be
 * read. */
void sysctl_default_rp_filter(char out[8]);

/* All of one workload interface's, in upstream's order. A setting that is already right is not
 * written. -ENOENT: the interface is gone. */
int sysctl_workload(const char *interface, const char *rp_filter, bool ipv6, struct err *err);
