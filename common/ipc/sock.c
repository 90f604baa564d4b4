/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/ipc/sock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define BACKLOG 512

const char *run_dir(void)
{
	const char *dir = getenv("CALICO_RUN_DIR");

	return dir && *dir ? dir : RUN_DIR_DEFAULT;
}

int sock_path(const char *run, const char *daemon, const char *file, char out[SOCK_PATH_MAX])
{
	int n = snprintf(out, SOCK_PATH_MAX, "%s/%s/%s", run ? run : run_dir(), daemon, file);

	return n < 0 || n >= SOCK_PATH_MAX ? -ENAMETOOLONG : 0;
}

static int address_of(const char *path, struct sockaddr_un *ret, struct err *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return err_set(err, -ENAMETOOLONG, "socket path '%s' is longer than %zu bytes",
		               path, sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

/*
 * Removes what a dead process left behind: connect(2) says ECONNREFUSED to a socket that nobody
 * listens on, and nothing else means that. EAGAIN is a backlog that is full, so there is a
 * listener.
 */
static int clear_leftover(const char *path, struct err *err)
{
	CLEANUP(close_p) int fd = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "look at '%s'", path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "'%s' is in the way: it is not a socket", path);
	r = unix_connect(path, 1, &fd, NULL);
	if (r != -ECONNREFUSED && r != -ENOENT)
		return err_set(err, -EADDRINUSE, "'%s' is in use: another process answers there",
		               path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, "remove leftover socket '%s'", path);
	return 0;
}

int unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	CLEANUP(close_p) int fd = -1;
	struct sockaddr_un sa;
	int r = address_of(path, &sa, err);

	if (r < 0)
		return r;
	r = clear_leftover(path, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, "create socket for '%s'", path);
	/* On Linux, bind() takes the file's mode from the socket's own inode: no instant with a
	 * wider one. */
	if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "bind '%s'", path);
	if (chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(err, "listen on '%s'", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int unix_connect(const char *path, int nonblock, int *ret_fd, struct err *err)
{
	CLEANUP(close_p) int fd = -1;
	struct sockaddr_un sa;
	int r = address_of(path, &sa, err);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0), 0);
	if (fd < 0)
		return err_sys(err, "create socket");
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_sys(err, "connect to '%s'", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int unix_peer_cred(int fd, struct peer_cred *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*ret = (struct peer_cred){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}
