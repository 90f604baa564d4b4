/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calicoctl/redact.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define OPEN_DIRS 16
#define CHUNK 16384
#define ERROR_SHOWN 400

extern char **environ;

int bundle_open(struct bundle *b, const char *name, struct err *err)
{
	const char *base = getenv("TMPDIR");
	CLEANUP(free_p)
	char *temp = xasprintf("%s/calicoXXXXXX", base && *base == '/' ? base : "/tmp");
	CLEANUP(free_p) char *dir = NULL;

	*b = (struct bundle){ 0 };
	if (!mkdtemp(temp)) /* mode 0700 */
		return err_sys(err, "error creating temp directory to dump logs");
	dir = xasprintf("%s/%s", temp, name);
	if (mkdir(dir, 0700) < 0)
		return err_sys(err, "error creating directory '%s'", dir);
	b->temp = take_ptr(&temp);
	b->name = xstrdup(name);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

void bundle_close(struct bundle *b, bool all)
{
	CLEANUP(free_p) char *dir = b->temp ? xasprintf("%s/%s", b->temp, b->name) : NULL;

	if (dir)
		(void)nftw(all ? b->temp : dir, remove_one, OPEN_DIRS, FTW_DEPTH | FTW_PHYS);
	free(b->temp);
	free(b->name);
	*b = (struct bundle){ 0 };
}

void bundle_text(const struct bundle *b, const char *name, const char *text, size_t len)
{
	CLEANUP(free_p) char *path = xasprintf("%s/%s/%s", b->temp, b->name, name);
	CLEANUP(buf_done) struct buf clean = { 0 };
	struct err err;
	FILE *f;

	redact(text, len, &clean);
	if (dir_make_for(path, 0700, &err) != 0) {
		printf("Error writing diags to file: %s\n", err.text);
		return;
	}
	f = fopen(path, "we");
	if (!f || (clean.len && fwrite(clean.data, 1, clean.len, f) != clean.len))
		printf("Error writing diags to file: %s: %s\n", path, strerror(errno));
	if (f)
		(void)fclose(f);
}

/* ---- programs */

static int start(const char *const *argv, pid_t *ret_pid, int *ret_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t defaults;
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	(void)posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
	(void)posix_spawnattr_init(&attr);
	(void)sigemptyset(&defaults);
	(void)sigaddset(&defaults, SIGPIPE);
	(void)posix_spawnattr_setsigdefault(&attr, &defaults);
	(void)posix_spawnattr_setpgroup(&attr, 0); /* so that all of it can be ended */
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawnp(ret_pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv,
	                  environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	close(fds[1]);
	if (rc)
		close(fds[0]);
	else
		*ret_fd = fds[0];
	return -rc;
}

/* Reads until the program has closed its end, or its time or room is over: then it is ended. */
static const char *read_output(int fd, pid_t pid, struct buf *out)
{
	const struct mono_ms deadline = mono_after(mono_now(), BUNDLE_RUN_MS);

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t ms = -mono_since_ms(deadline);
		ssize_t n;
		void *at;

		if (ms <= 0 || poll(&p, 1, (int)ms) == 0) {
			(void)kill(-pid, SIGKILL);
			return "it took too long, and was ended";
		}
		at = buf_extend(out, CHUNK);
		n = read(fd, at, CHUNK);
		out->len -= CHUNK - (n > 0 ? (size_t)n : 0);
		if (n == 0)
			return NULL;
		if (n < 0 && errno != EINTR)
			return strerror(errno);
		if (out->len > BUNDLE_FILE_MAX) {
			(void)kill(-pid, SIGKILL);
			return "it printed too much, and was ended";
		}
	}
}

/* -ENOENT: not installed. Otherwise *ret_why says what went wrong; NULL: nothing. */
static int run(const char *const *argv, struct buf *out, char **ret_why)
{
	const char *why;
	int fd, status = 0, rc;
	pid_t pid;

	rc = start(argv, &pid, &fd);
	if (rc)
		return rc;
	why = read_output(fd, pid, out);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (why)
		*ret_why = xstrdup(why);
	else if (WIFSIGNALED(status))
		*ret_why = xasprintf("signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		*ret_why = xasprintf("exit status %d", WEXITSTATUS(status));
	return 0;
}

void bundle_run(const struct bundle *b, const char *info, const char *name, const char *const *argv)
{
	CLEANUP(buf_done) struct buf out = { 0 }, command = { 0 };
	CLEANUP(free_p) char *why = NULL;
	int rc;

	if (info)
		puts(info);
	fflush(stdout);
	for (size_t i = 0; argv[i]; i++)
		buf_printf(&command, "%s%s", i ? " " : "", argv[i]);
	rc = run(argv, &out, &why);
	if (rc == -ENOENT) {
		buf_printf(&out, "%s is not installed on this machine\n", argv[0]);
		printf("Failed to run command: %s\nError: %s is not installed\n",
		       buf_cstr(&command), argv[0]);
	} else if (rc) {
		buf_printf(&out, "%s cannot be run: %s\n", argv[0], strerror(-rc));
		printf("Failed to run command: %s\nError: %s\n", buf_cstr(&command), strerror(-rc));
	} else if (why) {
		printf("Failed to run command: %s\nError: %.*s (%s)\n", buf_cstr(&command),
		       (int)strcspn(buf_cstr(&out), "\n") < ERROR_SHOWN
		               ? (int)strcspn(buf_cstr(&out), "\n")
		               : ERROR_SHOWN,
		       buf_cstr(&out), why);
		buf_printf(&out, "\n(%s: %s)\n", buf_cstr(&command), why);
	}
	bundle_text(b, name, buf_cstr(&out), out.len);
}

/* ---- logs */

struct found {
	char *path; /* below the directory */
	struct timespec modified;
};

static struct {
	struct found *items;
	size_t n, skip;
} seen; /* nftw() has no argument for its callback */

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	seen.items = xrealloc(seen.items, (seen.n + 1) * sizeof(*seen.items));
	seen.items[seen.n++] = (struct found){ xstrdup(path + seen.skip), st->st_mtim };
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct found *)a)->modified,
	                      *y = &((const struct found *)b)->modified;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return x->tv_nsec == y->tv_nsec ? 0 : x->tv_nsec < y->tv_nsec ? 1 : -1;
}

static void copy_one(const struct bundle *b, const char *from, const char *to, const char *file)
{
	CLEANUP(free_p) char *source = xasprintf("%s%s", from, file);
	CLEANUP(free_p) char *target = xasprintf("%s%s", to, file);
	CLEANUP(free_p) char *text = NULL;
	struct err err;
	size_t len;

	if (file_read(source, BUNDLE_FILE_MAX, &text, &len, &err) != 0) {
		printf("Error copying log files: %s\n", err.text);
		bundle_text(b, target, err.text, strlen(err.text));
		return;
	}
	bundle_text(b, target, text, len);
}

int bundle_copy(const struct bundle *b, const char *from, const char *to, size_t n, struct err *err)
{
	size_t copied = 0;
	struct stat st;

	if (stat(from, &st) < 0)
		return err_sys(err, "stat %s", from);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "%s is not a directory", from);
	seen.n = 0;
	seen.skip = strlen(from);
	(void)nftw(from, note_file, OPEN_DIRS, FTW_PHYS);
	if (seen.n)
		qsort(seen.items, seen.n, sizeof(*seen.items), newest_first);
	for (size_t i = 0; i < seen.n; i++) {
		if (copied < n) {
			copy_one(b, from, to, seen.items[i].path);
			copied++;
		}
		free(seen.items[i].path);
	}
	free(seen.items);
	seen.items = NULL;
	return (int)copied;
}

/* ---- the archive */

int bundle_archive(const struct bundle *b, const char *path, struct err *err)
{
	const char *const argv[] = { "tar", "-czf", path, "-C", b->temp, b->name, NULL };
	CLEANUP(buf_done) struct buf out = { 0 };
	CLEANUP(free_p) char *why = NULL;
	int rc = run(argv, &out, &why);

	if (rc)
		return err_set(err, rc, "tar: %s", strerror(-rc));
	if (why) {
		(void)unlink(path);
		return err_set(err, -EIO, "tar: %.*s (%s)", (int)strcspn(buf_cstr(&out), "\n"),
		               buf_cstr(&out), why);
	}
	return chmod(path, 0600) < 0 ? err_sys(err, "chmod '%s'", path) : 0;
}
