/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/daemon.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/ipc/sock.h"
#include "common/loop/ctl.h"
#include "common/loop/notify.h"

#define STOP_DEADLINE_MS 5000
#define OPTIONS_MAX 64
#define LONGEST_SOCKET "/typhad/ctl.sock" /* what a run directory's name must leave room for */

struct daemon_impl {
	struct ctl *ctl;
	uv_signal_t signals[4];
	uv_timer_t stop_timer;
	char *status;
	char *node;
	char *log_env; /* "<PROGRAM>_LOG_LEVEL" */
	bool ready, told_ready, draining, stopping, restart;
	int exit_code;
	const char *values[OPTIONS_MAX]; /* of the common options, then of the daemon's own */
	unsigned n_common;
};

/* ---- options ---- */

static const struct daemon_option common_options[] = {
	{ "run-dir", "CALICO_RUN_DIR", RUN_DIR_DEFAULT, "directory of the sockets", false },
	{ "node", "NODENAME", NULL, "name of this node (default: the host's name, in lower case)",
	  false },
	{ "log-level", "CALICO_LOG_LEVEL", "info",
	  "error, warn, info or debug (also <PROGRAM>_LOG_LEVEL)", false },
	{ "log-format", "CALICO_LOG_FORMAT", "text", "text or json", false },
	{ NULL, NULL, NULL, NULL, false },
};

const struct daemon_option *daemon_common_options(void)
{
	return common_options;
}

static unsigned count(const struct daemon_option *table)
{
	unsigned n = 0;

	while (table && table[n].name)
		n++;
	return n;
}

/* The row and the value slot of an option; -1 when there is none of that name. */
static int find_option(const struct daemon *d, const char *name, size_t len,
                       const struct daemon_option **ret)
{
	const struct daemon_option *tables[] = { common_options, d->spec->options };
	int slot = 0;

	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct daemon_option *o = tables[t]; o && o->name; o++, slot++) {
			if (strlen(o->name) == len && strncmp(o->name, name, len) == 0) {
				*ret = o;
				return slot;
			}
		}
	}
	return -1;
}

static const char *from_environment(const struct daemon_option *o)
{
	const char *v = o->env ? getenv(o->env) : NULL;

	return v && *v ? v : o->dflt;
}

const char *daemon_opt(const struct daemon *d, const char *name)
{
	const struct daemon_option *o;
	int slot = find_option(d, name, strlen(name), &o);

	return slot < 0 ? NULL : d->impl->values[slot];
}

bool daemon_opt_given(const struct daemon *d, const char *name)
{
	const struct daemon_option *o;
	int slot = find_option(d, name, strlen(name), &o);

	return slot >= 0 && d->impl->values[slot] != o->dflt;
}

bool daemon_opt_flag(const struct daemon *d, const char *name)
{
	const char *v = daemon_opt(d, name);

	return v &&
	       (strcasecmp(v, "true") == 0 || strcmp(v, "1") == 0 || strcasecmp(v, "yes") == 0);
}

static void print_help(const struct daemon_spec *spec)
{
	const struct daemon_option *tables[] = { spec->options, common_options };

	printf("%s: %s\n\nusage: %s [OPTION]...\n", spec->name, spec->summary, spec->name);
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++) {
		for (const struct daemon_option *o = tables[t]; o && o->name; o++) {
			printf("  --%s%s\n        %s", o->name, o->flag ? "" : " VALUE", o->help);
			if (o->env)
				printf(" [%s]", o->env);
			if (o->dflt && *o->dflt)
				printf(" (default: %s)", o->dflt);
			printf("\n");
		}
	}
	printf("  --version\n  --help\n");
}

/* 0: go on; 1: all is done (help, version); negative: *err says what is wrong. */
static int parse_options(struct daemon *d, int argc, char **argv, struct err *err)
{
	const char *program_level;
	const struct daemon_option *o;
	struct daemon_impl *impl = d->impl;
	unsigned n = count(common_options) + count(d->spec->options), slot = 0;
	const struct daemon_option *tables[] = { common_options, d->spec->options };

	if (n > OPTIONS_MAX)
		return err_set(err, -E2BIG, "too many options");
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (o = tables[t]; o && o->name; o++)
			impl->values[slot++] = from_environment(o);
	program_level = getenv(impl->log_env);
	if (program_level && *program_level)
		impl->values[find_option(d, "log-level", strlen("log-level"), &o)] = program_level;

	for (int i = 1; i < argc; i++) {
		const char *name, *equals;
		int at;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(d->spec);
			return 1;
		}
		if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-v") == 0) {
			printf("%s %s\n", d->spec->name, percale_version);
			return 1;
		}
		if (strncmp(argv[i], "--", 2) != 0)
			return err_set(err, -EINVAL, "'%s': not an option; see --help", argv[i]);
		name = argv[i] + 2;
		equals = strchr(name, '=');
		at = find_option(d, name, equals ? (size_t)(equals - name) : strlen(name), &o);
		if (at < 0)
			return err_set(err, -EINVAL, "'%s': no such option; see --help", argv[i]);
		if (equals)
			impl->values[at] = equals + 1;
		else if (o->flag)
			impl->values[at] = "true";
		else if (i + 1 < argc)
			impl->values[at] = argv[++i];
		else
			return err_set(err, -EINVAL, "'%s' needs a value", argv[i]);
	}
	return 0;
}

static int set_up_logging(struct daemon *d, struct err *err)
{
	const char *level_text = daemon_opt(d, "log-level"),
	           *format_text = daemon_opt(d, "log-format");
	enum log_format format;
	enum log_level level;

	if (log_level_parse(level_text, &level) < 0)
		return err_set(err, -EINVAL, "log level '%s': not error, warn, info or debug",
		               level_text);
	if (log_format_parse(format_text, &format) < 0)
		return err_set(err, -EINVAL, "log format '%s': not text or json", format_text);
	log_init(d->spec->name, level, format);
	return 0;
}

static int set_up_names(struct daemon *d, struct err *err)
{
	const char *node = daemon_opt(d, "node");
	char host[256];

	d->run_dir = daemon_opt(d, "run-dir");
	if (strlen(d->run_dir) + strlen(LONGEST_SOCKET) >= SOCK_PATH_MAX)
		return err_set(
		        err, -ENAMETOOLONG,
		        "run directory '%s': sockets in it would have names longer than %d bytes",
		        d->run_dir, SOCK_PATH_MAX - 1);
	if (!node) {
		if (gethostname(host, sizeof(host)) < 0)
			return err_sys(err, "ask for the host's name");
		host[sizeof(host) - 1] = '\0';
		for (char *c = host; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		node = host;
	}
	d->impl->node = xstrdup(node);
	d->node = d->impl->node;
	return 0;
}

/* ---- life ---- */

bool daemon_is_ready(const struct daemon *d)
{
	return d->impl->ready;
}

const char *daemon_status(const struct daemon *d)
{
	return d->impl->status ? d->impl->status : "starting";
}

void daemon_ready(struct daemon *d, bool ready, const char *status)
{
	struct daemon_impl *impl = d->impl;

	if (impl->ready != ready || !impl->status)
		log_info(ready ? "ready" : "not ready", "status=%s", LOG_VIS(status));
	else if (strcmp(impl->status, status) != 0)
		log_info("status", "ready=%s status=%s", ready ? "true" : "false", LOG_VIS(status));
	free(impl->status);
	impl->status = xstrdup(status);
	impl->ready = ready;
	notify_status(status);
	if (ready && !impl->told_ready) {
		impl->told_ready = true;
		notify_state("READY=1");
	}
}

int daemon_reload(struct daemon *d, struct err *err)
{
	int r;

	if (!d->spec->reload)
		return err_set(err, -ENOTSUP, "%s has nothing to reload", d->spec->name);
	notify_state("RELOADING=1");
	r = d->spec->reload(d, err);
	notify_state("READY=1");
	if (r < 0)
		log_error("reload refused, the old configuration stays", "why=%s",
		          LOG_VIS(err->text));
	else
		log_info("reloaded", "%s", "");
	return r;
}

static void on_stop_deadline(uv_timer_t *t)
{
	struct daemon *d = t->data;

	log_error("stopping took too long: leaving", "%s", "");
	_exit(d->impl->exit_code ? d->impl->exit_code : 1);
}

static void noop_closed(uv_handle_t *h)
{
	(void)h;
}

void daemon_stop(struct daemon *d, int exit_code)
{
	struct daemon_impl *impl = d->impl;

	if (impl->stopping)
		return;
	impl->stopping = true;
	impl->exit_code = exit_code;
	log_info("stopping", "exit_code=%d", exit_code);
	if (impl->restart)
		notify_state("RELOADING=1");
	else
		notify_state("STOPPING=1");
	for (unsigned i = 0; i < ARRAY_SIZE(impl->signals); i++)
		uv_close((uv_handle_t *)&impl->signals[i], noop_closed);
	d->spec->stop(d);
	ctl_close(impl->ctl);
	impl->ctl = NULL;
	/* Does not keep the loop alive; fires when something else does. */
	(void)uv_timer_start(&impl->stop_timer, on_stop_deadline, STOP_DEADLINE_MS, 0);
	uv_unref((uv_handle_t *)&impl->stop_timer);
}

void daemon_restart(struct daemon *d)
{
	if (d->impl->stopping)
		return;
	d->impl->restart = true;
	daemon_stop(d, 0);
}

static void on_signal(uv_signal_t *h, int signum)
{
	struct daemon *d = h->data;
	struct err err = { 0 };

	switch (signum) {
	case SIGHUP:
		(void)daemon_reload(d, &err);
		break;
	case SIGUSR1:
		ctl_dump_to_log(d);
		break;
	default:
		if (d->spec->drain && !d->impl->draining && d->spec->drain(d)) {
			d->impl->draining = true;
			return;
		}
		daemon_stop(d, 0);
	}
}

void daemon_sock_path(const struct daemon *d, const char *daemon, const char *file, char out[108])
{
	if (sock_path(d->run_dir, daemon, file, out) < 0)
		abort(); /* set_up_names() made sure that there is room */
}

bool daemon_watched(const struct daemon *d)
{
	return ctl_watched(d->impl->ctl);
}

void daemon_event(struct daemon *d, const char *section, const char *json)
{
	ctl_event(d->impl->ctl, section, json);
}

static int start(struct daemon *d, struct err *err)
{
	static const int signums[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	CLEANUP(free_p) char *dir = xasprintf("%s/%s", d->run_dir, d->spec->name);
	int r = dir_make(dir, 0755, err);

	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	for (unsigned i = 0; i < ARRAY_SIZE(signums); i++) {
		(void)uv_signal_init(d->loop, &d->impl->signals[i]);
		d->impl->signals[i].data = d;
		(void)uv_signal_start(&d->impl->signals[i], on_signal, signums[i]);
		uv_unref((uv_handle_t *)&d->impl->signals[i]);
	}
	(void)uv_timer_init(d->loop, &d->impl->stop_timer);
	d->impl->stop_timer.data = d;
	r = ctl_open(d, &d->impl->ctl, err);
	if (r < 0)
		return r;
	log_info("started", "version=%s node=%s run_dir=%s pid=%d", percale_version,
	         LOG_VIS(d->node), LOG_VIS(d->run_dir), (int)getpid());
	return d->spec->start(d, err);
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
	struct daemon_impl impl = { 0 };
	uv_loop_t loop;
	struct daemon d = { .loop = &loop, .spec = spec, .started = mono_now(), .impl = &impl };
	struct err err = { 0 };
	int r;

	impl.log_env = xasprintf("%s_LOG_LEVEL", spec->name);
	for (char *c = impl.log_env; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	log_init(spec->name, LOG_INFO, LOG_TEXT);
	r = parse_options(&d, argc, argv, &err);
	if (r == 0)
		r = set_up_logging(&d, &err);
	if (r == 0)
		r = set_up_names(&d, &err);
	if (r == 0)
		r = uv_loop_init(&loop) == 0
		            ? start(&d, &err)
		            : err_set(&err, -EMFILE, "cannot create the event loop");
	if (r < 0) {
		log_error("cannot start", "why=%s", LOG_VIS(err.text));
		/* The process ends here; the kernel gives back what start() had opened. */
		_exit(1);
	}
	if (r == 0) {
		(void)uv_run(&loop, UV_RUN_DEFAULT);
		/* What is unreferenced, or was closed last, still has its close callbacks to run.
		 */
		if (!uv_is_closing((uv_handle_t *)&impl.stop_timer))
			uv_close((uv_handle_t *)&impl.stop_timer, noop_closed);
		(void)uv_run(&loop, UV_RUN_DEFAULT);
		if (uv_loop_close(&loop) < 0)
			log_debug("handles are left open", "%s", "");
		log_info("stopped", "exit_code=%d", impl.exit_code);
	}
	if (impl.restart) {
		daemon_keep_capabilities();
		(void)execv("/proc/self/exe", argv);
		(void)err_sys(&err, "/proc/self/exe");
		log_error("cannot start anew", "why=%s", LOG_VIS(err.text));
	}
	free(impl.status);
	free(impl.node);
	free(impl.log_env);
	return impl.exit_code;
}
