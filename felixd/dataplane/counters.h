/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters: what the kernel has counted, by policy and rule.
 *
 * A rule of a policy may be several in its chain; the one that sets the verdict's mark, or logs,
 * counts the packets that matched it (rule.counts). Read when asked for, never kept.
 */
#pragma once

struct dataplane;
struct err;

/*
 * Calls fn for each chain of a policy or profile that is in the kernel: JSON, {"kind": ...,
 * "namespace": ..., "name": ..., "direction": "ingress", "chain": ..., "rules": [{"index": 0,
 * "packets": 1, "bytes": 60}]}. A chain that is not in the kernel as it should be is left out.
 */
int counters_dump(const struct dataplane *dp, void (*fn)(void *arg, const char *json), void *arg,
                  struct err *err);
