/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/nl/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

int netns_open(const char *path, int *ret_fd, struct err *err)
{
	struct statfs fs;
	/* O_NONBLOCK: the path comes from outside and might be a FIFO. */
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ESRCH))
		return err_set(err, -ENOENT, "network namespace '%s' does not exist", path);
	if (fd < 0)
		return err_sys(err, "network namespace '%s'", path);
	if (fstatfs(fd, &fs) < 0)
		return err_sys(err, "statfs of '%s'", path);
	/* A name under /run/netns whose namespace is gone is an ordinary empty file. */
	if (fs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
		return err_set(err, -EINVAL, "'%s' is not a network namespace", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

int netns_do(int netns_fd, int (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
	CLEANUP(close_p) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int r;

	if (home < 0)
		return err_sys(err, "the thread's own network namespace");
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, "entering a network namespace");
	r = fn(arg, err);
	if (setns(home, CLONE_NEWNET) < 0) {
		/* Everything that follows would happen to the wrong machine. */
		log_error("cannot return to the own network namespace", "error=%s",
		          LOG_VIS(strerror(errno)));
		abort();
	}
	return r;
}
