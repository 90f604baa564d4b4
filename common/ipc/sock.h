/* SPDX-License-Identifier: BSD-2-Clause */
/* sock: Unix stream sockets by path, and who is at the other end. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

#define RUN_DIR_DEFAULT "/run/calico"
#define SOCK_PATH_MAX 108

/* The run directory: CALICO_RUN_DIR, or RUN_DIR_DEFAULT. Borrowed. */
const char *run_dir(void);

/* "<run directory>/<daemon>/<file>". run NULL: run_dir(). -ENAMETOOLONG. */
int sock_path(const char *run, const char *daemon, const char *file, char out[SOCK_PATH_MAX]);

/*
 * Listens, non-blocking. A socket that a dead process left behind is replaced; one that somebody
 * still answers on is -EADDRINUSE. The socket has the given mode from the instant it exists.
 */
int unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *err);

/* Connects, blocking or not. */
int unix_connect(const char *path, int nonblock, int *ret_fd, struct err *err);

struct peer_cred {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};
int unix_peer_cred(int fd, struct peer_cred *ret); /* SO_PEERCRED */
