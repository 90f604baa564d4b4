/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/xtables_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define XTABLES_LOCK "/run/xtables.lock"

int xtables_lock_try(int *ret_fd, struct err *err)
{
	const char *path = getenv("XTABLES_LOCKFILE"); /* iptables looks there, too */
	CLEANUP(close_p) int fd = -1;

	if (!path || !*path)
		path = XTABLES_LOCK;
	fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, -EBUSY, "'%s' is locked by another program", path);
		return err_sys(err, "flock '%s'", path);
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
