/* SPDX-License-Identifier: BSD-2-Clause */
/* calicoctl: the operator's command line. commands.c has the table of commands; each has a file of
 * its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "calicoctl/commands.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

/* Upstream's levels. The libraries below us have an error's worth to say at most; what matters
 * comes back to the commands. */
static int set_log_level(const char *level, struct err *err)
{
	enum log_level l = LOG_ERROR;

	if (level && strcasecmp(level, "panic") != 0 && strcasecmp(level, "fatal") != 0 &&
	    log_level_parse(level, &l) != 0)
		return err_set(err, -EINVAL,
		               "unknown log level: %s, expected one of: panic, fatal, error, warn, "
		               "info, debug",
		               level);
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
		fprintf(stderr, "%s\nSee 'calicoctl%s%s --help'.\n", err.text, command ? " " : "",
		        command ? command->name : "");
	} else if (help || !command) {
		CLEANUP(buf_done) struct buf out = { 0 };

		cli_help(commands, command, &out);
		fputs(buf_cstr(&out), stdout);
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
