/* SPDX-License-Identifier: BSD-2-Clause */
/* calicoctl: what a command is given, and the commands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The command line, as the flag table of main.c filled it. Everything is borrowed from argv. */
struct options {
	const char *run_dir;   /* --run-dir */
	const char *datastore; /* --datastore */
	const char *config;    /* -c */
	const char *ns;        /* -n; NULL: not given */
	const char *output;    /* -o */
	const char *log_level; /* -l */
	bool all_namespaces, recursive, skip_empty, skip_exists, skip_not_exists, export,
	        client_only, allow_mismatch;
	const char **files; /* -f, each time */
	size_t n_files;
	char **args; /* what follows the command */
	size_t n_args;
};

/* A command. Returns the exit status. */
typedef int command_fn(const struct options *o);

command_fn cmd_get, cmd_apply, cmd_create, cmd_replace, cmd_delete, cmd_validate;
command_fn cmd_node_status, cmd_version, cmd_debug;
