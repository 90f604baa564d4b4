/* SPDX-License-Identifier: BSD-2-Clause */
/* `calico` and `calico-ipam`: one program, told apart by the name it is called by. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cni-plugin/attach.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"

static const char *from_env(const char *name)
{
	return getenv(name);
}

static int read_stdin(struct buf *out, struct cni_error *e)
{
	for (;;) {
		size_t room = 4096;
		ssize_t n = read(STDIN_FILENO, buf_extend(out, room), room);

		out->len -= room - (n > 0 ? (size_t)n : 0);
		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return cni_fail(e, CNI_IO_FAILURE, "error reading from stdin: %s",
			                strerror(errno));
		if (out->len > CNI_CONFIG_MAX)
			return cni_fail(e, CNI_DECODING_FAILURE,
			                "the network configuration is longer than %u bytes",
			                CNI_CONFIG_MAX);
	}
}

/* log_level: debug, info or error, anything else is info. log_file_path: instead of standard error.
 */
static void set_up_log(const struct cni_config *c, const char *program)
{
	enum log_level level = LOG_INFO;
	CLEANUP(free_p) char *dir = xstrdup(c->log_file_path);
	char *slash = strrchr(dir, '/');
	int fd;

	if (strcasecmp(c->log_level, "debug") == 0)
		level = LOG_DEBUG;
	else if (strcasecmp(c->log_level, "error") == 0)
		level = LOG_ERROR;
	log_init(program, level, LOG_TEXT);
	if (!*c->log_file_path)
		return;
	if (slash && slash != dir) {
		*slash = '\0';
		(void)dir_make(dir, 0755, NULL);
	}
	fd = open(c->log_file_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		log_warn("log file cannot be opened", "path=%s error=%s", LOG_VIS(c->log_file_path),
		         LOG_VIS(strerror(errno)));
	else
		log_set_fd(fd); /* until the process ends */
}

static int act(struct attach *a, bool ipam, struct buf *out, struct cni_error *e)
{
	switch (a->env->command) {
	case CNI_ADD:
		return ipam ? calico_ipam_add(a, out, e) : calico_add(a, out, e);
	case CNI_DEL:
		return ipam ? calico_ipam_del(a, e) : calico_del(a, e);
	case CNI_CHECK:
		return ipam ? calico_ipam_check(a, e) : calico_check(a, e);
	case CNI_VERSION:
		cni_versions_write(out);
		return 0;
	}
	return -1;
}

static int run(bool ipam, struct cni_env *env, struct cni_config *config, struct buf *out,
               struct cni_error *e)
{
	CLEANUP(buf_done) struct buf in = { 0 };
	struct attach a;
	int r;

	if (cni_env_read(from_env, env, e) < 0)
		return -1;
	if (env->command == CNI_VERSION) { /* what comes on standard input does not matter */
		cni_versions_write(out);
		return 0;
	}
	if (read_stdin(&in, e) < 0 || cni_config_read(buf_cstr(&in), in.len, config, e) < 0)
		return -1;
	set_up_log(config, ipam ? "calico-ipam" : "calico");
	r = attach_init(&a, env, config, e);
	if (r == 0)
		r = act(&a, ipam, out, e);
	if (r < 0)
		log_error("request failed", "command=%s container=%s code=%u error=%s",
		          getenv("CNI_COMMAND"), LOG_VIS(env->container), e->code, LOG_VIS(e->msg));
	attach_done(&a);
	return r;
}

static int print(const struct buf *out)
{
	size_t done = 0;

	while (done < out->len) {
		ssize_t n = write(STDOUT_FILENO, out->data + done, out->len - done);

		if (n < 0 && errno != EINTR)
			return -1;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	bool ipam = strcmp(name, "calico-ipam") == 0;
	struct cni_env env = { 0 };
	struct cni_config config = { 0 };
	struct cni_error e = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	int r;

	if (argc > 1 && (strcmp(argv[1], "-v") == 0 || strcmp(argv[1], "--version") == 0)) {
		puts(percale_version);
		return 0;
	}
	if (!getenv("CNI_COMMAND")) {
		fprintf(stderr,
		        "%s %s: a CNI plugin, run by a container runtime (CNI_COMMAND is not "
		        "set).\n"
		        "CNI protocol versions supported: 0.3.1, 0.4.0, 1.0.0\n",
		        name, percale_version);
		return 0;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	r = run(ipam, &env, &config, &out, &e);
	if (r < 0)
		cni_error_write(&e, config.version && *config.version ? config.version : NULL,
		                &out);
	if (print(&out) < 0)
		r = -1;
	cni_env_done(&env);
	cni_config_done(&config);
	return r < 0;
}
