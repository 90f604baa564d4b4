/* SPDX-License-Identifier: BSD-2-Clause */
/* calicoctl: what a command is given, and the commands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A flag that may be repeated. */
struct option_list {
	const char **items;
	size_t n;
};

/*
 * The command line, as the flags of the command's rows (commands.c) filled it. Texts are borrowed
 * from argv or from the rows; one that was not given is NULL, unless its row has a default.
 */
struct options {
	/* every command */
	const char *run_dir, *log_level, *context, *color;
	bool allow_mismatch;

	/* where the datastore is */
	const char *config, *datastore;
	bool force; /* backup, restore */

	/* resources */
	struct option_list files; /* -f */
	const char *ns;           /* -n */
	const char *selector;     /* -l */
	const char *output;       /* -o */
	bool all_namespaces, recursive, skip_empty, skip_exists, skip_not_exists, export,
	        no_headers;
	bool watch, watch_only, watch_events;
	const char *patch, *patch_type;
	bool overwrite, remove;

	struct {
		const char *ip, *cidr, *name, *report;
		const char *strict_affinity, *max_blocks, *kubevirt_persistence;
		int cooldown_sec; /* -1: as it is */
		struct option_list from_reports;
		bool all_ips, problem_ips, force, blocks, borrowed, configuration;
	} ipam;
	struct {
		const char *kubeconfig, *log_dir, *kernel_config;
	} node;
	struct {
		const char *since, *focus_nodes;
		int max_logs, max_parallelism;
		bool keep_temp_dir;
	} diags;

	struct {
		const char *from, *to, *proto, *port, *source_port, *icmp_type, *icmp_code;
	} policy;

	const char *poll; /* version --poll */
	bool client_only;

	char **args; /* what follows the command */
	size_t n_args;
};

/* A command. Returns the exit status. */
typedef int command_fn(const struct options *o);

command_fn cmd_get, cmd_apply, cmd_create, cmd_replace, cmd_delete, cmd_validate;
command_fn cmd_patch, cmd_label, cmd_diff, cmd_explain;
command_fn cmd_datastore_backup, cmd_datastore_restore;
command_fn cmd_node_status, cmd_version, cmd_debug;
command_fn cmd_ipam_check, cmd_ipam_configure, cmd_ipam_release, cmd_ipam_show, cmd_ipam_split;
command_fn cmd_migrate_export, cmd_migrate_import, cmd_migrate_lock, cmd_migrate_unlock;
command_fn cmd_migrate_policy_names;
command_fn cmd_node_checksystem, cmd_node_diags, cmd_cluster_diags;
command_fn cmd_policy_explain, cmd_policy_effective;
command_fn cmd_completion, cmd_complete, cmd_man;
