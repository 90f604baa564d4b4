/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bundle: a directory that diagnostics are gathered in, and the archive that it becomes. Whatever
 * goes in has its secrets removed. What cannot be had is noted in its place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

#define BUNDLE_FILE_MAX (64u << 20) /* bytes of one file */
#define BUNDLE_RUN_MS 30000         /* a command's time */

struct bundle {
	char *temp; /* the temporary directory */
	char *name; /* of the directory in it */
};

/* Makes both, for this user alone. */
int bundle_open(struct bundle *b, const char *name, struct err *err);

/* Removes the directory, and with all the temporary one. NULLs are fine. */
void bundle_close(struct bundle *b, bool all);

/* A file of the bundle; name may have directories. */
void bundle_text(const struct bundle *b, const char *name, const char *text, size_t len);

/* A file with what a program prints, on both channels; argv[0] is looked for in PATH. Says info
 * (NULL: nothing) first, and what went wrong. */
void bundle_run(const struct bundle *b, const char *info, const char *name,
                const char *const *argv);

/* The regular files below a directory, at most n of them, the newest first. Returns how many; a
 * negative errno when there is no such directory. */
int bundle_copy(const struct bundle *b, const char *from, const char *to, size_t n,
                struct err *err);

/* Packs the directory into path, with tar(1). */
int bundle_archive(const struct bundle *b, const char *path, struct err *err);
