/* SPDX-License-Identifier: BSD-2-Clause */
/* netns: entering network namespaces. */
#pragma once

struct err;

/* Opens the namespace file at path. -ENOENT when it is gone; -EINVAL when path is not a network
 * namespace. */
int netns_open(const char *path, int *ret_fd, struct err *err);

/* Runs fn in the namespace, on the calling thread, and comes back; failing to come back ends the
 * process. Returns fn's value. */
int netns_do(int netns_fd, int (*fn)(void *arg, struct err *err), void *arg, struct err *err);
