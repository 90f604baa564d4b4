/* SPDX-License-Identifier: BSD-2-Clause */
/* confd: renders bgpd.conf from the datastore and has bgpd check and load it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/sock.h"
#include "confd/confd.h"
#include "proto/bgpd_bgp_v1.pb-c.h"
#include "proto/v3_bgp.pb-c.h"

static const struct daemon_option options[] = {
	{ "typhad", "CALICO_TYPHAD", NULL, "typhad's api.sock (default: in the run directory)",
	  false },
	{ "output", "CONFD_OUTPUT", NULL, "the file to render (default: <run-dir>/bgpd/bgpd.conf)",
	  false },
	{ "template-dir", "CONFD_TEMPLATE_DIR", NULL,
	  "where bgpd.conf.mustache is (default: /etc/calico/confd/templates, then the installed "
	  "one)",
	  false },
	{ "router-id", "CALICO_ROUTER_ID", NULL,
	  "'hash', or a router ID (default: the node's IPv4 address)", false },
	{ 0 },
};

/* ---- the datastore */

static struct objects *objects_of(struct confd *c, model_kind kind)
{
	switch ((int)kind) {
	case V3__KIND__KIND_NODE:
		return &c->in.nodes;
	case V3__KIND__KIND_BGP_CONFIGURATION:
		return &c->in.configs;
	case V3__KIND__KIND_BGP_PEER:
		return &c->in.peers;
	case V3__KIND__KIND_IP_POOL:
		return &c->in.pools;
	case V3__KIND__KIND_IPAM_AFFINITY:
		return &c->in.affinities;
	default:
		return NULL;
	}
}

/* Of the cluster's affinities only this node's matter. */
static bool wanted(const struct confd *c, model_kind kind, const char *name)
{
	size_t len = strlen(c->d->node);

	return kind != V3__KIND__KIND_IPAM_AFFINITY ||
	       (strncmp(name, c->d->node, len) == 0 && name[len] == '/');
}

static void on_update(void *arg, const struct resource *r)
{
	struct confd *c = arg;
	struct objects *o = objects_of(c, r->kind);

	if (!o || !r->msg || !wanted(c, r->kind, r->name))
		return;
	c->count_events++;
	objects_put(o, resource_copy(r));
	apply_soon(c);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct confd *c = arg;
	struct objects *o = objects_of(c, kind);

	(void)ns;
	if (!o || !objects_remove(o, name))
		return;
	c->count_events++;
	apply_soon(c);
}

static void on_in_sync(void *arg)
{
	struct confd *c = arg;

	c->in_sync = true;
	apply_soon(c);
}

static void on_down(void *arg, const char *why)
{
	struct confd *c = arg;

	/* bgpd goes on with what it has; what changed meanwhile comes as a difference, before the
	 * next "in sync". */
	c->in_sync = false;
	daemon_ready(c->d, false, why);
}

static const struct store_watch_ops watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
};

/* ---- bgpd */

static void on_bgpd_up(void *arg)
{
	apply_bgpd_up(arg);
}

static void on_bgpd_down(void *arg, const char *why)
{
	(void)why;
	apply_bgpd_down(arg);
}

static const struct ipc_client_ops bgpd_ops = {
	.server = "bgpd",
	.reply = &bgp__v1__from_bgpd__descriptor,
	.on_up = on_bgpd_up,
	.on_down = on_bgpd_down,
};

/* ---- life */

static void confd_free(struct confd *c)
{
	mustache_free(c->template);
	model_input_done(&c->in);
	json_free(c->model);
	json_free(c->new_model);
	free(c->template_from);
	free(c->path);
	free(c->path_new);
	free(c->text);
	free(c->new_text);
	free(c->refused_text);
	free(c->trouble);
	free(c);
}

KIND_USE(v3__bgpconfiguration__descriptor);
KIND_USE(v3__bgppeer__descriptor);

static int confd_start(struct daemon *d, struct err *err)
{
	static const model_kind kinds[] = { V3__KIND__KIND_NODE, V3__KIND__KIND_BGP_CONFIGURATION,
		                            V3__KIND__KIND_BGP_PEER, V3__KIND__KIND_IP_POOL,
		                            V3__KIND__KIND_IPAM_AFFINITY };
	struct confd *c = xcalloc(1, sizeof(*c));
	const char *typhad = daemon_opt(d, "typhad"), *output = daemon_opt(d, "output");
	char path[SOCK_PATH_MAX];
	int r;

	d->state = c;
	c->d = d;
	c->in.node = d->node;
	c->in.router_id = daemon_opt(d, "router-id");
	(void)uv_idle_init(d->loop, &c->turn);
	(void)uv_timer_init(d->loop, &c->retry);
	c->turn.data = c->retry.data = c;
	c->path = output && *output ? xstrdup(output) : xasprintf("%s/bgpd/bgpd.conf", d->run_dir);
	if (*c->path != '/')
		return err_set(err, -EINVAL,
		               "--output: '%s' is not an absolute path, and bgpd has another "
		               "working directory",
		               c->path);
	c->path_new = xasprintf("%s.new", c->path);
	if ((r = template_load(c, err)) < 0 || (r = dir_make_for(c->path, 0755, err)) < 0)
		return r;
	daemon_sock_path(d, "bgpd", "api.sock", path);
	c->bgpd = ipc_client_new(d->loop, path, &bgpd_ops, c);
	daemon_sock_path(d, "typhad", "api.sock", path);
	r = store_typha_open(d->loop, typhad ? typhad : path, "confd", d->node, &c->store, err);
	if (r < 0)
		return r;
	r = store_watch(c->store, kinds, ARRAY_SIZE(kinds), &watch_ops, c);
	if (r < 0)
		return err_set(err, r, "watch: %s", strerror(-r));
	daemon_ready(d, false, "waits for the datastore");
	return daemon_drop_privileges((const int[]){ -1 }, err);
}

static int confd_reload(struct daemon *d, struct err *err)
{
	struct confd *c = d->state;
	int r = template_load(c, err);

	if (r == 0) {
		free(c->refused_text);
		c->refused_text = NULL;
		apply_soon(c);
	}
	return r;
}

static void on_closed(uv_handle_t *h)
{
	struct confd *c = h->data;

	if (--c->open_handles == 0)
		confd_free(c);
}

static void confd_stop(struct daemon *d)
{
	struct confd *c = d->state;

	if (!c)
		return;
	c->stopping = true;
	store_free(c->store);
	ipc_client_free(c->bgpd);
	d->state = NULL;
	c->open_handles = 2;
	uv_close((uv_handle_t *)&c->turn, on_closed);
	uv_close((uv_handle_t *)&c->retry, on_closed);
}

/* ---- ctl */

static void dump_model(struct daemon *d, void *ctx)
{
	struct confd *c = d->state;
	CLEANUP(buf_done) struct buf text = { 0 };
	struct json *m = NULL;
	struct err err;

	/* As it would be rendered now, which is not always what runs. */
	if (model_build(&c->in, &m, &err) < 0)
		return;
	json_write(m, 0, &text);
	jsonw_raw(daemon_dump_writer(ctx), NULL, buf_cstr(&text));
	daemon_dump_item(ctx, "model");
	json_free(m);
}

static void dump_file(struct daemon *d, void *ctx)
{
	static const char *const steps[] = { "idle", "bgpd checks", "bgpd loads" };
	struct confd *c = d->state;
	struct jsonw *w = daemon_dump_writer(ctx);

	jsonw_object(w, NULL);
	jsonw_str(w, "path", c->path);
	jsonw_str(w, "template", c->template_from);
	jsonw_bool(w, "loaded", c->loaded);
	jsonw_str(w, "step", steps[c->step]);
	jsonw_str(w, "trouble", c->trouble);
	jsonw_str(w, "text", c->text);
	jsonw_str(w, "refusedText", c->refused_text);
	jsonw_end_object(w);
	daemon_dump_item(ctx, "file");
}

static const struct daemon_dump dumps[] = {
	{ "model", "what templates see", dump_model },
	{ "file", "the rendered file, and what bgpd says of it", dump_file },
	{ 0 },
};

static void confd_health(struct daemon *d, void *ctx)
{
	struct confd *c = d->state;

	daemon_counter(ctx, "datastore_events", c->count_events);
	daemon_counter(ctx, "renders", c->count_renders);
	daemon_counter(ctx, "renders_unchanged", c->count_unchanged);
	daemon_counter(ctx, "checks", c->count_checks);
	daemon_counter(ctx, "files_refused", c->count_refused);
	daemon_counter(ctx, "loads", c->count_loads);
	daemon_counter(ctx, "nodes", c->in.nodes.n);
	daemon_counter(ctx, "bgp_peers", c->in.peers.n);
}

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "confd",
		.summary = "renders bgpd's configuration from the datastore",
		.options = options,
		.dumps = dumps,
		.start = confd_start,
		.stop = confd_stop,
		.reload = confd_reload,
		.health = confd_health,
	};

	return daemon_main(&spec, argc, argv);
}
