/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * powerloss: what a disk would still hold if the power went, for tests. Preloaded into a program,
 * it lets every fsync() and fdatasync() of a file below $POWERLOSS_FROM also leave a copy of the
 * file, as it is then, below $POWERLOSS_TO: what was written since is not in the copy. The call
 * returns when the copy has its name, so that whatever the program promises afterwards must be
 * found in the copies. With $SLOW_FSYNC_MS each of these calls takes that much longer.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void keep(int fd)
{
	const char *from = getenv("POWERLOSS_FROM"), *to = getenv("POWERLOSS_TO");
	char link[64], path[512], tmp[600], name[600], block[65536];
	ssize_t n;
	off_t at = 0;
	int out;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (!from || !to || n <= 0)
		return;
	path[n] = '\0';
	if (strncmp(path, from, strlen(from)) != 0 || strchr(path + strlen(from) + 1, '/') ||
	    (size_t)n <= strlen(from) + 1)
		return; /* not ours, or the directory itself */
	(void)snprintf(name, sizeof(name), "%s/%s", to, path + strlen(from) + 1);
	(void)snprintf(tmp, sizeof(tmp), "%s/.%s", to, path + strlen(from) + 1);
	out = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (out >= 0 && (n = pread(fd, block, sizeof(block), at)) > 0) {
		if (write(out, block, (size_t)n) != n)
			abort();
		at += n;
	}
	if (out < 0 || n < 0 || close(out) != 0 || rename(tmp, name) != 0)
		abort(); /* a test that sees too little is worse than none */
}

static int sync_and_keep(const char *function, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
	const char *slow_ms = getenv("SLOW_FSYNC_MS");
	int rc = real(fd);

	if (slow_ms)
		(void)usleep((useconds_t)atoi(slow_ms) * 1000);
	if (rc == 0)
		keep(fd);
	return rc;
}

int fsync(int fd)
{
	return sync_and_keep("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_and_keep("fdatasync", fd);
}
