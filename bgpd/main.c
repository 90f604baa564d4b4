/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "bgpd/bgpd.h"
#include "common/base/err.h"

static struct bgpd bgpd;

const char *bgpd_config_path(const struct bgpd *b)
{
	const char *path = daemon_opt(b->d, "config");

	return path ? path : b->default_config;
}

static int load(struct daemon *d, struct err *err)
{
	struct config *c;
	unsigned line;
	int r = config_load(bgpd_config_path(d->state), &c, &line, err);

	return r < 0 ? r : speaker_load(d->state, c, err);
}

static int start(struct daemon *d, struct err *err)
{
	struct bgpd *b = &bgpd;
	/* The second is in effect only while a port is bound (listener.c). */
	static const int caps[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, -1 };
	int r;

	d->state = b;
	b->d = d;
	b->loop = d->loop;
	daemon_sock_path(d, "bgpd", "bgpd.conf", b->default_config);
	r = daemon_drop_privileges(caps, err);
	if (r == 0)
		r = speaker_start(b, err);
	if (r == 0)
		r = api_start(b, err);
	if (r < 0)
		return r;
	r = load(d, err);
	if (r == -ENOENT) {
		/* confd has not written it yet, and will ask us to load it then. */
		log_info("no configuration yet", "path=%s", LOG_VIS(bgpd_config_path(b)));
		speaker_status(b);
		return 0;
	}
	return r;
}

static int reload(struct daemon *d, struct err *err)
{
	return load(d, err);
}

static void stop(struct daemon *d)
{
	struct bgpd *b = d->state;

	if (!b)
		return;
	api_stop(b);
	speaker_stop(b);
}

/* bgpd --check FILE: beside a running bgpd, so without any of its sockets. */
static int check(const char *path)
{
	struct config *c = NULL;
	struct err err = { 0 };
	unsigned line;

	if (config_load(path, &c, &line, &err) < 0) {
		(void)fprintf(stderr, "bgpd: %s\n", err.text);
		return 1;
	}
	config_free(c);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct daemon_option options[] = {
		{ "config", "BGPD_CONFIG", NULL,
		  "the configuration file, bgpd.conf(5) (default: <run-dir>/bgpd/bgpd.conf, where "
		  "confd writes it)",
		  false },
		{ NULL, NULL, NULL, NULL, false },
	};
	static const struct daemon_spec spec = {
		.name = "bgpd",
		.summary = "speaks BGP-4: announces this node's networks and programs the routes "
		           "that it learns",
		.options = options,
		.dumps = ctl_dumps,
		.start = start,
		.stop = stop,
		.reload = reload,
		.health = ctl_health,
	};

	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(argv[2]);
	return daemon_main(&spec, argc, argv);
}
