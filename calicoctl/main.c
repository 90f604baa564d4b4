/* SPDX-License-Identifier: BSD-2-Clause */
/* calicoctl: the operator's command line. The commands are the table below; each has a file of its
 * own. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "calicoctl/cli.h"
#include "common/base/err.h"
#include "common/base/log.h"

#define STORE_FLAGS (FLAG_CONFIG | FLAG_DATASTORE)
#define FILE_FLAGS (STORE_FLAGS | FLAG_FILENAME | FLAG_RECURSIVE | FLAG_SKIP_EMPTY | FLAG_NAMESPACE)

#define FILES_HELP                                                                                 \
	"Files are YAML or JSON, with any number of documents; each may be a resource, a list "    \
	"of\n"                                                                                     \
	"resources (kind: List, or <Kind>List) or an array of them. A resource with an error is\n" \
	"reported with its document, line and field, and does not keep the others from being "     \
	"handled.\n"

static const struct cli_command commands[] = {
	{ "get", "[KIND [NAME...]]", "Get resources by kind, by name or by file",
	  "Without a name, all resources of the kind are listed. KIND is for example node, ippool "
	  "(pool),\n"
	  "workloadendpoint (wep), networkpolicy (np), globalnetworkpolicy (gnp), networkset,\n"
	  "globalnetworkset, profile, tier, bgpconfiguration, bgppeer or clusterinformation.\n",
	  FILE_FLAGS | FLAG_OUTPUT | FLAG_ALL_NAMESPACES | FLAG_EXPORT, SIZE_MAX, cmd_get },
	{ "apply", "-f FILE", "Apply resources from files: create them, or replace what is there",
	  FILES_HELP, FILE_FLAGS, 0, cmd_apply },
	{ "create", "-f FILE", "Create resources from files; those that exist are an error",
	  FILES_HELP, FILE_FLAGS | FLAG_SKIP_EXISTS, 0, cmd_create },
	{ "replace", "-f FILE", "Replace resources by those from files; they must exist",
	  FILES_HELP "A resource that names its resourceVersion replaces that version only.\n",
	  FILE_FLAGS, 0, cmd_replace },
	{ "delete", "[KIND NAME...]", "Delete resources by name or by file",
	  "A Node takes its workload endpoints, their addresses, its address blocks and its BGP "
	  "peers\n"
	  "with it; an IPPool the blocks that nodes hold of it.\n",
	  FILE_FLAGS | FLAG_SKIP_NOT_EXISTS, SIZE_MAX, cmd_delete },
	{ "validate", "-f FILE", "Check resources from files, without a datastore", FILES_HELP,
	  FILE_FLAGS & ~(unsigned)STORE_FLAGS, 0, cmd_validate },
	{ "node status", "", "Show whether this node runs, and its BGP sessions", NULL, 0, 0,
	  cmd_node_status },
	{ "version", "", "Show the versions of this program and of the cluster", NULL,
	  STORE_FLAGS | FLAG_CLIENT, 0, cmd_version },
	{ "debug", "DAEMON [VERB]", "Ask a daemon what it is, how it is and what it believes",
	  "DAEMON is typhad, felixd, bgpd, confd, ipamd or noded. Answers are JSON. Verbs:\n"
	  "  who             program, version, process, configuration\n"
	  "  health          ready or not, and the counters\n"
	  "  dump [SECTION]  the state that matters, all of it or one section\n"
	  "  watch           a line per event, until interrupted\n"
	  "  reload          have it read its configuration again\n"
	  "  log-level L     error, warn, info or debug\n"
	  "Without a verb: who and health.\n",
	  0, 3, cmd_debug },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};

/* Upstream's levels. The libraries below us have an error's worth to say at most; what matters
 * comes back to the commands. */
static int set_log_level(const char *level, struct err *err)
{
	enum log_level l = LOG_ERROR;

	if (level && strcasecmp(level, "panic") != 0 && strcasecmp(level, "fatal") != 0 &&
	    log_level_parse(level, &l) != 0)
		return err_set(err, -EINVAL, "not a valid log level: '%s'", level);
	log_init("calicoctl", l, LOG_TEXT);
	if (!level || strcasecmp(level, "panic") == 0 || strcasecmp(level, "fatal") == 0)
		log_set_fd(-1);
	return 0;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	struct options o;
	struct err err;
	bool help;
	int rc = cli_parse(commands, argc, argv, &o, &command, &help, &err), status = 1;

	(void)signal(SIGPIPE,
	             SIG_IGN); /* a typhad that goes away is an error to report, not an end */
	if (rc == 0)
		rc = set_log_level(o.log_level, &err);
	if (rc) {
		fprintf(stderr, "Error: %s\nSee 'calicoctl%s%s --help'.\n", err.text,
		        command ? " " : "", command ? command->name : "");
	} else if (help || !command) {
		cli_help(commands, command);
		status = 0;
	} else {
		status = command->run(&o);
	}
	cli_done(&o);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			perror("calicoctl: standard output");
		status = 1;
	}
	return status;
}
