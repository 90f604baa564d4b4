/* SPDX-License-Identifier: BSD-2-Clause */
/* typhad: one watch, many readers, one door to the datastore. */
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "typhad/datastore.h"
#include "typhad/http.h"
#include "typhad/typhad.h"

static void on_initialised(struct typhad *t)
{
	struct err err = { 0 };

	if (door_open(t, &err) < 0) {
		log_error("cannot listen", "why=%s", LOG_VIS(err.text));
		daemon_stop(t->daemon, 1);
		return;
	}
	log_info("serving", "path=%s objects=%zu revision=%llu", LOG_VIS(t->listen_path),
	         cache_count(&t->cache), (unsigned long long)t->cache.revision);
	daemon_ready(t->daemon, true, "serving");
	typhad_status(t);
}

static void on_loaded(struct typhad *t)
{
	/* What must be in every datastore, who feeds us has taken care of. */
	if (datastore_is_chained(t))
		on_initialised(t);
	else
		init_start(t, on_initialised);
}

/* ---- the process */

static struct typhad the_typhad;

/* A connection is a file descriptor: as many as we may have. */
static void raise_fd_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static int start(struct daemon *d, struct err *err)
{
	static const int no_caps[] = { -1 };
	struct typhad *t = &the_typhad;
	const char *listen = daemon_opt(d, "listen");
	int rc;

	d->state = t;
	t->daemon = d;
	list_init(&t->clients);
	rc = options_read(t, err);
	if (rc < 0)
		return rc;
	if (listen && *listen) {
		if (strlen(listen) >= sizeof(t->listen_path))
			return err_set(err, -ENAMETOOLONG, "--listen '%s' is too long for a socket",
			               listen);
		memcpy(t->listen_path, listen, strlen(listen) + 1);
	} else {
		daemon_sock_path(d, "typhad", "api.sock", t->listen_path);
	}
	raise_fd_limit();
	rc = datastore_open(t, err);
	if (rc < 0)
		return rc;
	/* Capabilities are a thread's: given up before the store has its worker. The directories
	 * are ours as they are. */
	rc = daemon_drop_privileges(no_caps, err);
	if (rc < 0)
		log_warn("cannot give up privileges", "why=%s", LOG_VIS(err->text));
	cache_init(&t->cache);
	fanout_init(&t->fanout, d->loop, &t->cache);
	rc = door_prepare(t, err);
	if (rc < 0)
		return rc;
	rc = http_open(t, err);
	if (rc < 0)
		return rc;
	daemon_ready(d, false, "reading the datastore");
	return datastore_watch(t, on_loaded);
}

static void stop(struct daemon *d)
{
	struct typhad *t = d->state;

	if (!t->store) /* the start failed */
		return;
	init_stop(t);
	http_close(t);
	door_close(t);
	datastore_close(t);
	fanout_close(&t->fanout, NULL);
	cache_done(&t->cache);
	meters_done(&t->meters);
	free(take_ptr(&t->status));
}

static bool drain(struct daemon *d)
{
	return door_drain(d->state);
}

static const struct daemon_spec spec = {
	.name = "typhad",
	.summary = "keeps the datastore, and tells every daemon what changes in it",
	.options = typhad_options,
	.dumps = typhad_dumps,
	.start = start,
	.stop = stop,
	.drain = drain,
	.health = typhad_health,
	.settings = typhad_settings,
};

int main(int argc, char **argv)
{
	static char config_file[] = "--config-file";
	struct buf table = { 0 };
	int rc;

	if (argc == 3 && strcmp(argv[1], "--parameters") == 0) {
		typhad_config_print(
		        strcmp(argv[2], "man") == 0 ? CONFIG_PRINT_MAN : CONFIG_PRINT_CFG, &table);
		(void)fputs(buf_cstr(&table), stdout);
		buf_done(&table);
		return 0;
	}
	for (int i = 1; i < argc; i++) /* as upstream's program has it */
		if (strcmp(argv[i], "-c") == 0)
			argv[i] = config_file;
	rc = daemon_main(&spec, argc, argv);
	typhad_config_done(&the_typhad.config);
	return rc;
}
