/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon: what every daemon of the suite does the same way.
 *
 * daemon_main() reads options and environment, sets up logging, creates the run directory, opens
 * ctl.sock, handles signals (TERM and INT stop, HUP reloads, USR1 logs a dump), tells the
 * supervisor (sd_notify) when daemon_ready() is called, and runs the loop.
 *
 * Options common to all: --run-dir (CALICO_RUN_DIR), --node (NODENAME, else the host's name in
 * lower case), --log-level (<PROGRAM>_LOG_LEVEL, CALICO_LOG_LEVEL), --log-format, --version,
 * --help. A daemon adds its own in the table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/clock.h"
#include "common/base/jsonw.h"

struct err;
struct daemon;

struct daemon_option {
	const char *name; /* "pool": --pool VALUE or --pool=VALUE; ends the table when NULL */
	const char *env;  /* environment variable, or NULL */
	const char *dflt; /* default, or NULL */
	const char *help; /* one line */
	bool flag;        /* takes no value; "true" or "false" (also from the environment) */
};

/* Writes the objects of one section of a dump: calls daemon_dump_item() for each. */
struct daemon_dump {
	const char *section; /* ends the table when NULL */
	const char *help;
	void (*dump)(struct daemon *d, void *ctx);
};

struct daemon_spec {
	const char *name;    /* "ipamd" */
	const char *summary; /* one line for --help */
	const struct daemon_option *options;
	const struct daemon_dump *dumps; /* may be NULL */

	/* Opens sockets and clients. An error ends the process with its sentence, exit code 1. */
	int (*start)(struct daemon *d, struct err *err);
	/* Closes everything, so that the loop can end. Kernel state stays. */
	void (*stop)(struct daemon *d);
	/* TERM or INT, the first one. true: it goes on for a while and ends by itself, with
	 * daemon_stop(); the next TERM stops it at once. May be NULL. */
	bool (*drain)(struct daemon *d);
	/* HUP or ctl's Reload. May be NULL. A negative errno and a sentence when the new
	 * configuration is refused; the old one stays. */
	int (*reload)(struct daemon *d, struct err *err);
	/* Adds counters with daemon_counter(). May be NULL. */
	void (*health)(struct daemon *d, void *ctx);
	/* Adds settings in force that are not options, with daemon_setting(). May be NULL. */
	void (*settings)(struct daemon *d, void *ctx);
};

struct daemon {
	uv_loop_t *loop;
	const struct daemon_spec *spec;
	const char *run_dir; /* "/run/calico" */
	const char *node;    /* this node's name */
	struct mono_ms started;
	void *state; /* the daemon's root object */
	struct daemon_impl *impl;
};

int daemon_main(const struct daemon_spec *spec, int argc, char **argv);

/* The value of an option of the table: from the command line, else the environment, else the
 * default. */
const char *daemon_opt(const struct daemon *d, const char *name);
bool daemon_opt_flag(const struct daemon *d, const char *name);
/* Whether it was said; false: the default is in force. */
bool daemon_opt_given(const struct daemon *d, const char *name);

/* status: a sentence for ctl's health and for systemd. Readiness may come and go; the supervisor is
 * told once. Both are copied. */
void daemon_ready(struct daemon *d, bool ready, const char *status);

/* Stops as if TERM had come; the process ends with exit_code. */
void daemon_stop(struct daemon *d, int exit_code);

/* Path of this daemon's own socket, or of another's. Aborts when too long: run directories are
 * checked at start. */
void daemon_sock_path(const struct daemon *d, const char *daemon, const char *file, char out[108]);

/* In a dump callback: w is a fresh writer; the caller writes one object, then daemon_dump_item()
 * sends it. */
struct jsonw *daemon_dump_writer(void *ctx);
void daemon_dump_item(void *ctx, const char *section);

/* In a health callback. */
void daemon_counter(void *ctx, const char *name, uint64_t value);

/* In a settings callback; both are copied. value may be NULL. */
void daemon_setting(void *ctx, const char *name, const char *value);

/* Tells the watchers of ctl.sock (calicoctl debug DAEMON watch) of an event. json: one object.
 * Cheap when nobody watches. */
bool daemon_watched(const struct daemon *d);
void daemon_event(struct daemon *d, const char *section, const char *json);

/*
 * As daemon_stop(), and then the same program starts anew in this process, with the same arguments
 * and environment and what capabilities are left. The supervisor is told of a reload.
 */
void daemon_restart(struct daemon *d);

/*
 * Gives up privileges: keeps the capabilities in caps (a list ended by -1; CAP_... numbers), sets
 * no_new_privs and a bounding set. Call when all that needs more has been opened. Does nothing,
 * with a debug line, when the process has no privileges to begin with.
 */
int daemon_drop_privileges(const int *caps, struct err *err);

/*
 * Puts a capability that daemon_drop_privileges() kept into effect, or out of it until the next
 * time. Nothing happens to one that was not kept.
 */
void daemon_capability(int cap, bool on);

/* Lets the capabilities that are left survive an exec, whoever the process runs as. */
void daemon_keep_capabilities(void);
