/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/delegate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define OUTPUT_MAX (1u << 20)
#define READ_CHUNK 16384u

extern char **environ;

static char *find(const struct attach *a)
{
	const char *at = a->env->path;

	while (*at) {
		size_t len = strcspn(at, ":");
		char *path = xasprintf("%.*s/%s", (int)len, at, a->config->ipam_type);

		if (len && access(path, X_OK) == 0)
			return path;
		free(path);
		at += len + (at[len] == ':');
	}
	return NULL;
}

/* The configuration in a file without a name: the delegate may read it at its own pace, or not at
 * all. */
static int input_file(const struct attach *a, int *ret, struct err *err)
{
	CLEANUP(close_p) int fd = memfd_create("cni", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return err_sys(err, "memfd");
	while (done < a->config->len) {
		ssize_t n = pwrite(fd, a->config->text + done, a->config->len - done, (off_t)done);

		if (n < 0)
			return err_sys(err, "memfd");
		done += (size_t)n;
	}
	*ret = take_fd(&fd);
	return 0;
}

static char **environment(const char *command)
{
	size_t n = 0, k = 0;
	char **env;

	while (environ[n])
		n++;
	env = xcalloc(n + 2, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "CNI_COMMAND=", strlen("CNI_COMMAND=")) != 0)
			env[k++] = environ[i];
	env[k] = xasprintf("CNI_COMMAND=%s", command);
	return env;
}

/* Reads what the delegate prints, until it closes its output or the time is up. */
static int drain(const struct attach *a, int fd, struct buf *out, struct err *err)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, attach_left_ms(a)) == 0)
			return err_set(err, -ETIMEDOUT, "it did not answer in time");
		n = read(fd, buf_extend(out, READ_CHUNK), READ_CHUNK);
		out->len -= READ_CHUNK - (n > 0 ? (size_t)n : 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(err, "read");
		if (out->len > OUTPUT_MAX)
			return err_set(err, -EFBIG, "it answered with more than %u bytes",
			               OUTPUT_MAX);
	}
}

static int spawn(const struct attach *a, const char *path, const char *command, struct buf *out,
                 int *ret_status, struct err *err)
{
	CLEANUP(close_p) int in = -1;
	CLEANUP(close_p) int from = -1;
	CLEANUP(close_p) int to = -1;
	char *argv[] = { (char *)(uintptr_t)path, NULL };
	posix_spawn_file_actions_t actions;
	char **env;
	int fds[2], r;
	pid_t pid;

	r = input_file(a, &in, err);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	from = fds[0];
	to = fds[1];
	env = environment(command);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, to, STDOUT_FILENO);
	r = posix_spawn(&pid, path, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	for (char **v = env; *v; v++)
		if (v[1] == NULL)
			free(*v); /* the last is ours, the others are the environment's */
	free(env);
	if (r != 0)
		return err_set(err, -r, "exec: %s", strerror(r));
	close_p(&to);
	r = drain(a, from, out, err);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* The delegate's own error, if that is what it printed. */
static int its_error(const struct attach *a, const struct json *j, int status, struct cni_error *e)
{
	const char *msg = json_str(json_get(j, "msg"));
	const char *details = json_str(json_get(j, "details"));
	uint64_t code = 0;

	if (msg && json_u64(json_get(j, "code"), &code) == 0 && code > 0 && code <= UINT32_MAX) {
		(void)cni_fail(e, (enum cni_code)code, "%s: %s", a->config->ipam_type, msg);
		(void)snprintf(e->details, sizeof(e->details), "%s", details ? details : "");
		return -1;
	}
	if (WIFEXITED(status))
		return cni_fail(e, CNI_FAILED, "IPAM plugin '%s' failed with status %d",
		                a->config->ipam_type, WEXITSTATUS(status));
	return cni_fail(e, CNI_FAILED, "IPAM plugin '%s' was ended by signal %d",
	                a->config->ipam_type, WTERMSIG(status));
}

static int run(struct attach *a, const char *command, struct json **ret, struct cni_error *e)
{
	CLEANUP(free_p) char *path = find(a);
	CLEANUP(buf_done) struct buf out = { 0 };
	struct json *j = NULL;
	struct err err = { 0 };
	int status = 0;

	if (!path)
		return cni_fail(e, CNI_FAILED, "failed to find plugin \"%s\" in path [%s]",
		                a->config->ipam_type, a->env->path);
	if (spawn(a, path, command, &out, &status, &err) < 0)
		return cni_fail(e, err.code == -ETIMEDOUT ? CNI_TRY_AGAIN_LATER : CNI_FAILED,
		                "IPAM plugin '%s': %s", path, err.text);
	if (out.len && json_parse((const char *)out.data, out.len, &j, &err) < 0)
		j = NULL;
	if (status != 0) {
		int r = its_error(a, j, status, e);

		json_free(j);
		return r;
	}
	if (ret && !j)
		return cni_fail(e, CNI_FAILED,
		                "IPAM plugin '%s' answered with what is not JSON: %s", path,
		                err.text);
	if (ret)
		*ret = j;
	else
		json_free(j);
	return 0;
}

int delegate_add(struct attach *a, struct cni_result *ret, struct cni_error *e)
{
	CLEANUP(free_p) char *what = xasprintf("the result of '%s'", a->config->ipam_type);
	struct json *j = NULL;
	int r;

	if (run(a, "ADD", &j, e) < 0)
		return -1;
	r = cni_result_read(j, what, ret, e);
	json_free(j);
	return r;
}

int delegate_del(struct attach *a, struct cni_error *e)
{
	return run(a, "DEL", NULL, e);
}

int delegate_check(struct attach *a, struct cni_error *e)
{
	return run(a, "CHECK", NULL, e);
}
