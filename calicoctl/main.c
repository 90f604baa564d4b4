/* SPDX-License-Identifier: BSD-2-Clause */
/* calicoctl: the operator's command line. commands.c has the table of commands; each has a file of
 * its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

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

/* A channel that is closed would be the number of the next file that is opened. What is written to
 * this one in its place fails, as it should. */
static void open_channels(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	struct options o;
	struct err err;
	int rc, status = 1;
	bool help;

	open_channels();
	rc = cli_parse(commands, argc, argv, &o, &command, &help, &err);
	/* a typhad that goes away is an error to report, not an end */
	(void)signal(SIGPIPE, SIG_IGN);
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
