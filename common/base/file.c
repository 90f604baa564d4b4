/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define READ_CHUNK 16384u

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(buf_done) struct buf b = { 0 };
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	do {
		void *at = buf_extend(&b, READ_CHUNK);

		do
			n = read(fd, at, READ_CHUNK);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return err_sys(err, "read '%s'", path);
		b.len -= READ_CHUNK - (size_t)n;
		if (b.len > max)
			return err_set(err, -EFBIG, "'%s' is larger than %zu bytes", path, max);
	} while (n > 0);
	b.data[b.len] = '\0';
	if (ret_len)
		*ret_len = b.len;
	*ret = buf_take(&b);
	return 0;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The directory of path, as a new string. */
static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

int dir_sync_of(const char *path, struct err *err)
{
	CLEANUP(free_p) char *dir = dir_of(path);
	CLEANUP(close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_sys(err, "sync directory '%s'", dir);
	return 0;
}

int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err)
{
	CLEANUP(free_p) char *tmp = xasprintf("%s.XXXXXX", path);
	CLEANUP(close_p) int fd = mkostemp(tmp, O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_sys(err, "create '%s'", tmp);
	errno = 0;
	r = write_all(fd, data, len);
	if (r < 0)
		errno = -r;
	if (r < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0) {
		r = err_sys(err, "write '%s'", path);
		(void)unlink(tmp);
		return r;
	}
	return dir_sync_of(path, err);
}

int dir_make(const char *path, mode_t mode, struct err *err)
{
	CLEANUP(free_p) char *copy = xstrdup(path);
	struct stat st;

	for (char *at = copy + 1; copy[0]; at++) {
		char c = *at;

		if (c != '/' && c != '\0')
			continue;
		*at = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_sys(err, "create directory '%s'", copy);
		*at = c;
		if (c == '\0')
			break;
	}
	if (stat(path, &st) < 0)
		return err_sys(err, "directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "'%s' is not a directory", path);
	return 0;
}

int dir_make_for(const char *path, mode_t mode, struct err *err)
{
	CLEANUP(free_p) char *dir = dir_of(path);

	return dir_make(dir, mode, err);
}

int sysctl_write(const char *path, const char *value, struct err *err)
{
	CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	if (write(fd, value, strlen(value)) < 0)
		return err_sys(err, "write '%s' to '%s'", value, path);
	return 0;
}

int sysctl_read(const char *path, char *out, size_t size, struct err *err)
{
	CLEANUP(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	n = read(fd, out, size - 1);
	if (n < 0)
		return err_sys(err, "read '%s'", path);
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	return 0;
}
