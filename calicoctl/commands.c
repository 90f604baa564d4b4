/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands and their flags; cli.h says what a row means. A command that is added here is
 * parsed, explained by --help, completed by the shells and listed in the man page.
 */
#include "calicoctl/commands.h"

#include <stddef.h>
#include <stdint.h>

#define AT(member) offsetof(struct options, member)
#define END                                                                                        \
	{                                                                                          \
		0                                                                                  \
	}

/* clang-format off */

/* ---- flags that several commands have */

static const struct cli_flag store_flags[] = {
	{ "config", 'c', CLI_TEXT, AT(config), "FILE", NULL, "@file",
	  "Configuration of the datastore (default: /etc/calico/calicoctl.cfg)" },
	{ "datastore", 0, CLI_TEXT, AT(datastore), "FILE", NULL, "@file",
	  "Use this embedded datastore directly, instead of typhad" },
	END,
};

static const struct cli_flag namespace_flags[] = {
	{ "namespace", 'n', CLI_TEXT, AT(ns), "NS", NULL, "@namespace",
	  "Namespace of the resources (default: default)" },
	END,
};

static const struct cli_flag file_flags[] = {
	{ "filename", 'f', CLI_LIST, AT(files), "FILE", NULL, "@file",
	  "File with resources, directory of such, or '-' for standard input; may be repeated" },
	{ "recursive", 'R', CLI_BOOL, AT(recursive), NULL, NULL, NULL,
	  "Process directories within the directory given with -f, too" },
	{ "skip-empty", 0, CLI_BOOL, AT(skip_empty), NULL, NULL, NULL,
	  "Files and directories without resources are no error" },
	END,
};

static const struct cli_flag selector_flags[] = {
	{ "selector", 'l', CLI_SELECTOR, AT(selector), "SELECTOR", NULL, "@none",
	  "Only resources whose labels match: \"app == 'web' && has(tier)\", or a=b,c!=d,e" },
	END,
};

static const struct cli_flag color_flags[] = {
	{ "color", 0, CLI_TEXT, AT(color), "WHEN", "auto", "auto always never",
	  "Colours: auto (on a terminal, unless NO_COLOR is set), always or never" },
	END,
};

/* ---- flags of one command */

static const struct cli_flag get_flags[] = {
	{ "output", 'o', CLI_TEXT, AT(output), "FORMAT", "ps", "@output",
	  "ps, wide, yaml, json, name, custom-columns=A,B, go-template=TEXT or go-template-file=FILE" },
	{ "all-namespaces", 'A', CLI_BOOL, AT(all_namespaces), NULL, NULL, NULL, "Resources of all namespaces" },
	{ "all-namespaces", 'a', CLI_BOOL, AT(all_namespaces), NULL, NULL, NULL, NULL },
	{ "export", 0, CLI_BOOL, AT(export), NULL, NULL, NULL,
	  "Without what belongs to this cluster alone (with a name)" },
	{ "watch", 'w', CLI_BOOL, AT(watch), NULL, NULL, NULL, "Show what is there, and then every change until interrupted" },
	{ "watch-only", 0, CLI_BOOL, AT(watch_only), NULL, NULL, NULL, "Show changes only" },
	{ "output-watch-events", 0, CLI_BOOL, AT(watch_events), NULL, NULL, NULL,
	  "With a watch: whether each was added, modified or deleted (tables, YAML, JSON)" },
	{ "no-headers", 0, CLI_BOOL, AT(no_headers), NULL, NULL, NULL, "Tables without their headings" },
	END,
};

static const struct cli_flag create_flags[] = {
	{ "skip-exists", 0, CLI_BOOL, AT(skip_exists), NULL, NULL, NULL, "Resources that exist already are no error" },
	END,
};

static const struct cli_flag delete_flags[] = {
	{ "skip-not-exists", 's', CLI_BOOL, AT(skip_not_exists), NULL, NULL, NULL,
	  "Resources that do not exist are no error" },
	END,
};

static const struct cli_flag patch_flags[] = {
	{ "patch", 'p', CLI_TEXT, AT(patch), "TEXT", NULL, "@none", "The patch, as JSON or YAML" },
	{ "type", 't', CLI_TEXT, AT(patch_type), "TYPE", "strategic", "strategic merge json",
	  "strategic, merge (RFC 7386) or json (RFC 6902)" },
	END,
};

static const struct cli_flag label_flags[] = {
	{ "overwrite", 0, CLI_BOOL, AT(overwrite), NULL, NULL, NULL, "Change labels that are there with another value, too" },
	{ "remove", 0, CLI_BOOL, AT(remove), NULL, NULL, NULL, "Remove the label instead" },
	END,
};

static const struct cli_flag explain_flags[] = {
	{ "recursive", 'R', CLI_BOOL, AT(recursive), NULL, NULL, NULL, "The fields of fields, too, by name and type" },
	END,
};

static const struct cli_flag version_flags[] = {
	{ "poll", 0, CLI_TEXT, AT(poll), "DURATION", NULL, "@none",
	  "Ask again and again (10s, 1m30s), and show what has changed" },
	{ "client", 0, CLI_BOOL, AT(client_only), NULL, NULL, NULL, "The client's version only: no datastore is asked" },
	END,
};

static const struct cli_flag backup_flags[] = {
	{ "force", 0, CLI_BOOL, AT(force), NULL, NULL, NULL, "Replace FILE when it exists" },
	END,
};

static const struct cli_flag restore_flags[] = {
	{ "force", 0, CLI_BOOL, AT(force), NULL, NULL, NULL,
	  "Change and delete what the backup does not hold alike" },
	END,
};

static const struct cli_flag ipam_check_flags[] = {
	{ "show-all-ips", 0, CLI_BOOL, AT(ipam.all_ips), NULL, NULL, NULL, "Print every address that is looked at" },
	{ "show-problem-ips", 0, CLI_BOOL, AT(ipam.problem_ips), NULL, NULL, NULL,
	  "Print the addresses that leaked or were not allocated properly" },
	{ "output", 'o', CLI_TEXT, AT(ipam.report), "FILE", NULL, "@file", "Write a report for 'ipam release'" },
	{ "kubeconfig", 0, CLI_TEXT, AT(node.kubeconfig), "FILE", NULL, "@file", "Kubeconfig of the cluster" },
	END,
};

static const struct cli_flag ipam_release_flags[] = {
	{ "ip", 0, CLI_TEXT, AT(ipam.ip), "ADDRESS", NULL, "@none", "Release this address" },
	{ "from-report", 0, CLI_LIST, AT(ipam.from_reports), "FILE", NULL, "@file",
	  "Release the leaked addresses of a report; may be repeated" },
	{ "force", 0, CLI_BOOL, AT(ipam.force), NULL, NULL, NULL, "Release them though the datastore is not locked" },
	END,
};

static const struct cli_flag ipam_show_flags[] = {
	{ "ip", 0, CLI_TEXT, AT(ipam.ip), "ADDRESS", NULL, "@none", "Who has this address" },
	{ "show-blocks", 0, CLI_BOOL, AT(ipam.blocks), NULL, NULL, NULL, "The pools' blocks, too" },
	{ "show-borrowed", 0, CLI_BOOL, AT(ipam.borrowed), NULL, NULL, NULL, "Addresses from other nodes' blocks" },
	{ "show-configuration", 0, CLI_BOOL, AT(ipam.configuration), NULL, NULL, NULL, "The configuration of IPAM" },
	END,
};

static const struct cli_flag ipam_split_flags[] = {
	{ "cidr", 0, CLI_TEXT, AT(ipam.cidr), "CIDR", NULL, "@none", "The pool with this CIDR" },
	{ "name", 0, CLI_TEXT, AT(ipam.name), "NAME", NULL, "@none", "The pool of this name" },
	END,
};

static const struct cli_flag ipam_configure_flags[] = {
	{ "strictaffinity", 0, CLI_TEXT, AT(ipam.strict_affinity), "BOOL", NULL, "true false",
	  "Whether nodes keep to addresses of their own blocks" },
	{ "max-blocks-per-host", 0, CLI_TEXT, AT(ipam.max_blocks), "N", NULL, "@none", "How many blocks a node may have" },
	{ "kubevirt-ip-persistence", 0, CLI_TEXT, AT(ipam.kubevirt_persistence), "Enabled|Disabled", NULL,
	  "Enabled Disabled", "Whether KubeVirt's machines keep their addresses" },
	{ "ip-cooldown-seconds", 0, CLI_INT, AT(ipam.cooldown_sec), "N", "-1", "@none",
	  "How long a released address is not given out again; -1 leaves it as it is" },
	END,
};

static const struct cli_flag import_flags[] = {
	{ "filename", 'f', CLI_LIST, AT(files), "FILE", NULL, "@file", "What 'datastore migrate export' wrote" },
	END,
};

static const struct cli_flag node_diags_flags[] = {
	{ "log-dir", 0, CLI_TEXT, AT(node.log_dir), "DIR", "/var/log/calico", "@dir", "Directory of the daemons' logs" },
	END,
};

static const struct cli_flag node_checksystem_flags[] = {
	{ "kernel-config", 'f', CLI_TEXT, AT(node.kernel_config), "FILE", NULL, "@file", "The kernel's configuration" },
	END,
};

static const struct cli_flag cluster_diags_flags[] = {
	{ "since", 0, CLI_TEXT, AT(diags.since), "DURATION", NULL, "@none", "Only logs newer than this (30m, 2h)" },
	{ "max-logs", 0, CLI_INT, AT(diags.max_logs), "N", "5", "@none", "Logs of each component, at most" },
	{ "max-parallelism", 0, CLI_INT, AT(diags.max_parallelism), "N", "10", "@none", "How many are collected at a time" },
	{ "focus-nodes", 0, CLI_TEXT, AT(diags.focus_nodes), "NODE,...", NULL, "@none", "Nodes whose logs come first" },
	{ "skip-temp-dir-cleanup", 0, CLI_BOOL, AT(diags.keep_temp_dir), NULL, NULL, NULL,
	  "Leave the temporary directory behind" },
	END,
};

static const struct cli_flag policy_explain_flags[] = {
	{ "from", 0, CLI_TEXT, AT(policy.from), "END", NULL, "@none", "Where the packet comes from" },
	{ "to", 0, CLI_TEXT, AT(policy.to), "END", NULL, "@none", "Where it goes" },
	{ "proto", 0, CLI_TEXT, AT(policy.proto), "PROTOCOL", "TCP", "TCP UDP ICMP ICMPv6 SCTP UDPLite", "Its protocol, by name or number" },
	{ "port", 0, CLI_TEXT, AT(policy.port), "N", NULL, "@none", "Its destination port" },
	{ "source-port", 0, CLI_TEXT, AT(policy.source_port), "N", "49152", "@none", "Its source port" },
	{ "icmp-type", 0, CLI_TEXT, AT(policy.icmp_type), "N", NULL, "@none", "Its ICMP type (default: of an echo request)" },
	{ "icmp-code", 0, CLI_TEXT, AT(policy.icmp_code), "N", NULL, "@none", "Its ICMP code (default: 0)" },
	END,
};

static const struct cli_flag policy_output_flags[] = {
	{ "output", 'o', CLI_TEXT, AT(output), "FORMAT", "text", "text json", "text or json" },
	END,
};

/* ---- commands */

#define FILES_HELP \
	"Files are YAML or JSON, with any number of documents; each may be a resource, a list of\n" \
	"resources (kind: List, or <Kind>List) or an array of them. A resource with an error is\n" \
	"reported with its document, line and field, and does not keep the others from being handled.\n"

const struct cli_command commands[] = {
	{ "get", "[KIND [NAME...]]", "Get resources by kind, by name or by file",
	  "Without a name, all resources of the kind are listed. KIND is for example node, ippool (pool),\n"
	  "workloadendpoint (wep), networkpolicy (np), globalnetworkpolicy (gnp), networkset,\n"
	  "globalnetworkset, profile, tier, bgpconfiguration, bgppeer or clusterinformation;\n"
	  "'calicoctl explain' lists them all.\n",
	  { get_flags, namespace_flags, selector_flags, file_flags, store_flags, color_flags }, 0, SIZE_MAX, "@kind|@name", cmd_get },
	{ "apply", "-f FILE", "Apply resources from files: create them, or replace what is there",
	  FILES_HELP, { file_flags, namespace_flags, store_flags }, 0, 0, NULL, cmd_apply },
	{ "create", "-f FILE", "Create resources from files; those that exist are an error",
	  FILES_HELP, { file_flags, create_flags, namespace_flags, store_flags }, 0, 0, NULL, cmd_create },
	{ "replace", "-f FILE", "Replace resources by those from files; they must exist",
	  FILES_HELP "A resource that names its resourceVersion replaces that version only.\n",
	  { file_flags, namespace_flags, store_flags }, 0, 0, NULL, cmd_replace },
	{ "delete", "[KIND [NAME...]]", "Delete resources by name, by selector or by file",
	  "A Node takes its workload endpoints, their addresses, its address blocks and its BGP peers\n"
	  "with it; an IPPool the blocks that nodes hold of it.\n",
	  { file_flags, delete_flags, selector_flags, namespace_flags, store_flags }, 0, SIZE_MAX, "@kind|@name",
	  cmd_delete },
	{ "diff", "-f FILE", "Show what apply would change",
	  "The exit status is 0 when nothing would change, 1 when something would, 2 when anything failed.\n",
	  { file_flags, selector_flags, namespace_flags, store_flags, color_flags }, 0, 0, NULL, cmd_diff },
	{ "patch", "KIND NAME -p TEXT", "Change part of a resource",
	  "A strategic patch and a merge patch are laid over the resource: what they do not name stays, null\n"
	  "removes, lists replace lists. A json patch is a list of operations on paths.\n",
	  { patch_flags, namespace_flags, store_flags }, 2, 2, "@kind|@name|", cmd_patch },
	{ "label", "KIND [NAME...] KEY=VALUE...", "Set or remove labels of resources",
	  "Which resources: those named, or with -l those whose labels match. With --remove the last word is\n"
	  "the label's key (with -l, each word).\n",
	  { label_flags, selector_flags, namespace_flags, store_flags }, 2, SIZE_MAX, "@kind|@name", cmd_label },
	{ "explain", "[KIND[.FIELD...]]", "Explain a kind of resource, or one of its fields",
	  "Without a KIND, all kinds are listed, with the names that they go by.\n",
	  { explain_flags }, 0, 1, "@field|", cmd_explain },
	{ "validate", "-f FILE", "Check resources from files, without a datastore", FILES_HELP,
	  { file_flags, namespace_flags }, 0, 0, NULL, cmd_validate },

	{ "node", "", "See to this node", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "node status", "", "Show whether this node runs, and its BGP sessions", NULL, { 0 }, 0, 0, NULL,
	  cmd_node_status },
	{ "node checksystem", "", "Check whether this machine can be a node", NULL,
	  { node_checksystem_flags }, 0, 0, NULL, cmd_node_checksystem },
	{ "node diags", "", "Gather what helps to find a fault of this node", NULL,
	  { node_diags_flags }, 0, 0, NULL, cmd_node_diags },

	{ "ipam", "", "Look into and manage the addresses that nodes give out", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "ipam check", "", "Check that blocks, handles and endpoints agree", NULL,
	  { ipam_check_flags, store_flags }, 0, 0, NULL, cmd_ipam_check },
	{ "ipam configure", "", "Configure IPAM", NULL, { ipam_configure_flags, store_flags }, 0, 0, NULL,
	  cmd_ipam_configure },
	{ "ipam release", "", "Release an address, or those of a report", NULL,
	  { ipam_release_flags, store_flags }, 0, 0, NULL, cmd_ipam_release },
	{ "ipam show", "", "Show pools, blocks and who has an address", NULL,
	  { ipam_show_flags, store_flags }, 0, 0, NULL, cmd_ipam_show },
	{ "ipam split", "NUMBER", "Split a pool into smaller ones", NULL,
	  { ipam_split_flags, store_flags }, 1, 1, NULL, cmd_ipam_split },

	{ "policy", "", "Ask what policies do", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "policy explain", "--from END --to END", "Explain why a packet gets through, or why not",
	  "END is a pod (NAMESPACE/POD, or POD of the namespace given with -n), an address, a node or a\n"
	  "host endpoint. Tiers, policies and rules are gone through as the kernel does, on both ends, for the\n"
	  "first packet of a connection: which rule decides, and why each earlier one does not match.\n"
	  "The exit status is 0 when the packet is allowed, 1 when it is denied, 2 when anything failed.\n",
	  { policy_explain_flags, policy_output_flags, namespace_flags, store_flags }, 0, 0, NULL, cmd_policy_explain },
	{ "policy effective", "POD", "Show which policies apply to an endpoint, in their order",
	  "POD is NAMESPACE/POD, POD of the namespace given with -n, or a host endpoint.\n",
	  { policy_output_flags, namespace_flags, store_flags }, 1, 1, NULL, cmd_policy_effective },

	{ "datastore", "", "Back up, move and repair the datastore", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "datastore backup", "FILE", "Write a copy of the embedded datastore to a file",
	  "The copy is one state of the datastore, checked and on disk when this is done; typhad goes on\n"
	  "meanwhile. Without --datastore, typhad is asked where its datastore is.\n",
	  { backup_flags, store_flags }, 1, 1, "@file", cmd_datastore_backup },
	{ "datastore restore", "FILE", "Make the embedded datastore what a backup is",
	  "What differs is written, in one transaction; a typhad that runs tells its clients of these changes\n"
	  "and of no others, and the revision never goes back. Without --force, only what is missing is\n"
	  "restored, and a datastore that holds anything else is refused. A damaged datastore must be moved\n"
	  "away first, with its -wal and -shm.\n",
	  { restore_flags, store_flags }, 1, 1, "@file", cmd_datastore_restore },
	{ "datastore migrate", "", "Move from one datastore to another", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "datastore migrate export", "", "Write what is in the datastore", NULL,
	  { store_flags }, 0, 0, NULL, cmd_migrate_export },
	{ "datastore migrate import", "-f FILE", "Read what an export wrote", NULL,
	  { import_flags, store_flags }, 0, 0, NULL, cmd_migrate_import },
	{ "datastore migrate lock", "", "Lock the datastore", NULL, { store_flags }, 0, 0, NULL, cmd_migrate_lock },
	{ "datastore migrate unlock", "", "Unlock the datastore", NULL, { store_flags }, 0, 0, NULL,
	  cmd_migrate_unlock },
	{ "datastore migrate-policy-names", "", "Take the prefix 'default.' off the keys of policies", NULL,
	  { store_flags }, 0, 0, NULL, cmd_migrate_policy_names },

	{ "cluster", "", "Look at the cluster", NULL, { 0 }, 0, 0, NULL, NULL },
	{ "cluster diags", "", "Gather what helps to find a fault of the cluster", NULL,
	  { cluster_diags_flags, store_flags }, 0, 0, NULL, cmd_cluster_diags },

	{ "version", "", "Show the versions of this program and of the cluster", NULL,
	  { version_flags, store_flags }, 0, 0, NULL, cmd_version },
	{ "completion", "bash|zsh|fish", "Print the script by which a shell completes command lines",
	  "  bash:  source <(calicoctl completion bash), in ~/.bashrc\n"
	  "  zsh:   calicoctl completion zsh >\"${fpath[1]}/_calicoctl\", or source it behind compinit\n"
	  "  fish:  calicoctl completion fish >~/.config/fish/completions/calicoctl.fish\n",
	  { 0 }, 1, 1, "bash zsh fish|", cmd_completion },
	{ "__complete", "", NULL, NULL, { 0 }, 0, SIZE_MAX, NULL, cmd_complete }, /* what the scripts ask */
	{ "__man", "", NULL, NULL, { 0 }, 1, 1, NULL, cmd_man }, /* what the man page is made with */
	{ "debug", "DAEMON [VERB]", "Ask a daemon what it is, how it is and what it believes",
	  "DAEMON is typhad, felixd, bgpd, confd, ipamd or noded. Answers are JSON. Verbs:\n"
	  "  who             program, version, process, configuration\n"
	  "  health          ready or not, and the counters\n"
	  "  dump [SECTION]  the state that matters, all of it or one section\n"
	  "  watch           a line per event, until interrupted\n"
	  "  reload          have it read its configuration again\n"
	  "  log-level L     error, warn, info or debug\n"
	  "Without a verb: who and health.\n",
	  { 0 }, 0, 3, "typhad felixd bgpd confd ipamd noded|who health dump watch reload log-level|", cmd_debug },
	{ 0 },
};
/* clang-format on */
