/* SPDX-License-Identifier: BSD-2-Clause */
/* file: whole files, directories, sysctls. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

/* Reads a whole file of at most max bytes into *ret, NUL-terminated, the caller's. -EFBIG beyond
 * max. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);

/* Replaces path atomically: a temporary file beside it, fsync, rename, fsync of the directory. */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err);

/* Syncs the directory that holds path: then a name that was made or changed there stays. */
int dir_sync_of(const char *path, struct err *err);

/* mkdir -p; what exists stays as it is. */
int dir_make(const char *path, mode_t mode, struct err *err);

/* The directory that the file path stands in (or will stand in), likewise. */
int dir_make_for(const char *path, mode_t mode, struct err *err);

/* Writes value to an existing file in one write(2), as /proc/sys wants it. */
int sysctl_write(const char *path, const char *value, struct err *err);
int sysctl_read(const char *path, char *out, size_t size,
                struct err *err); /* without the newline */
