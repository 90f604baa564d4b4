/* SPDX-License-Identifier: BSD-2-Clause */
/* dump: what ctl.sock shows of typhad: sections and counters. */
#include <string.h>

#include "common/base/mem.h"
#include "typhad/typhad.h"

static void dump_clients(struct daemon *d, void *ctx)
{
	api_dump_clients(d->state, ctx);
}

/* One object per kind: how many, and how many bytes their frames take. */
static void dump_kinds(struct daemon *d, void *ctx)
{
	const struct typhad *t = d->state;

	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		const struct cache_object **objects;
		size_t n = cache_list(&t->cache, k->kind, NULL, NULL, &objects), bytes = 0;
		struct jsonw *w;

		for (size_t i = 0; i < n; i++)
			bytes += objects[i]->frame->len;
		free(objects);
		w = daemon_dump_writer(ctx);
		jsonw_object(w, NULL);
		jsonw_str(w, "kind", k->name);
		jsonw_u64(w, "objects", n);
		jsonw_u64(w, "bytes", bytes);
		jsonw_end_object(w);
		daemon_dump_item(ctx, "kinds");
	}
}

/* Every object by name and revision; its content is what calicoctl get shows. */
static void dump_objects(struct daemon *d, void *ctx)
{
	const struct typhad *t = d->state;

	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		const struct cache_object **objects;
		size_t n = cache_list(&t->cache, k->kind, NULL, NULL, &objects);

		for (size_t i = 0; i < n; i++) {
			struct jsonw *w = daemon_dump_writer(ctx);

			jsonw_object(w, NULL);
			jsonw_str(w, "kind", k->name);
			if (cache_ns(objects[i]))
				jsonw_str(w, "namespace", cache_ns(objects[i]));
			jsonw_str(w, "name", cache_name(objects[i]));
			jsonw_u64(w, "revision", cache_revision(objects[i]));
			jsonw_u64(w, "bytes", objects[i]->frame->len);
			jsonw_end_object(w);
			daemon_dump_item(ctx, "objects");
		}
		free(objects);
	}
}

static void on_bad_value(void *arg, const char *key, const char *why)
{
	struct jsonw *w = daemon_dump_writer(arg);

	jsonw_object(w, NULL);
	jsonw_str(w, "key", key);
	jsonw_str(w, "why", why);
	jsonw_end_object(w);
	daemon_dump_item(arg, "bad-values");
}

static void dump_bad_values(struct daemon *d, void *ctx)
{
	const struct typhad *t = d->state;

	if (t->store)
		store_bad_values(t->store, on_bad_value, ctx);
}

static void dump_datastore(struct daemon *d, void *ctx)
{
	const struct typhad *t = d->state;
	struct store_stats s = { 0 };
	struct jsonw *w = daemon_dump_writer(ctx);

	if (t->store)
		store_stats(t->store, &s);
	jsonw_object(w, NULL);
	jsonw_str(w, "type", s.type);
	jsonw_str(w, "path", s.where);
	jsonw_str(w, "listen", t->listen_path);
	jsonw_u64(w, "revision", s.revision);
	jsonw_bool(w, "loaded", t->loaded);
	jsonw_u64(w, "badValues", s.bad_values);
	jsonw_str(w, "lastError", s.last_error);
	jsonw_end_object(w);
	daemon_dump_item(ctx, "datastore");
}

static void dump_parameter(void *arg, const char *name, const char *value,
                           enum config_source source)
{
	struct jsonw *w = daemon_dump_writer(arg);

	jsonw_object(w, NULL);
	jsonw_str(w, "name", name);
	jsonw_str(w, "value", value);
	jsonw_str(w, "from", config_source_str(source));
	jsonw_end_object(w);
	daemon_dump_item(arg, "parameters");
}

static void dump_parameters(struct daemon *d, void *ctx)
{
	typhad_config_each(&((const struct typhad *)d->state)->config, dump_parameter, ctx);
}

const struct daemon_dump typhad_dumps[] = {
	{ "datastore", "where the state comes from", dump_datastore },
	{ "clients", "who is connected, what they watch, how far they are behind", dump_clients },
	{ "kinds", "objects and bytes per kind", dump_kinds },
	{ "objects", "every object by name and revision", dump_objects },
	{ "bad-values", "keys of the datastore whose value cannot be read", dump_bad_values },
	{ "parameters", "the parameters in force, and where they come from", dump_parameters },
	{ 0 },
};

void typhad_health(struct daemon *daemon, void *ctx)
{
	const struct typhad *t = daemon->state;
	struct store_stats s = { 0 };
	const struct door *d = &t->door;
	struct ipc_server_stats api = { 0 };

	if (t->store)
		store_stats(t->store, &s);
	if (t->door.server)
		api = ipc_server_stats(t->door.server);
	daemon_counter(ctx, "clients", api.peers);
	daemon_counter(ctx, "clients_accepted", api.accepted);
	daemon_counter(ctx, "clients_refused", api.refused);
	daemon_counter(ctx, "clients_closed_for_garbage", api.bad_frames);
	daemon_counter(ctx, "clients_closed_without_hello", d->count.bad_hello);
	daemon_counter(ctx, "clients_closed_unread", t->count.unread_closed);
	daemon_counter(ctx, "clients_closed_dead", d->count.dead);
	daemon_counter(ctx, "clients_closed_stuck", d->count.stuck);
	daemon_counter(ctx, "clients_closed_memory", api.evicted);
	daemon_counter(ctx, "clients_remote", d->remote);
	daemon_counter(ctx, "clients_share", d->tcp ? door_target(t) : 0);
	daemon_counter(ctx, "clients_too_many", d->count.too_many);
	daemon_counter(ctx, "clients_rebalanced", d->count.rebalanced);
	daemon_counter(ctx, "clients_drained", d->count.drained);
	daemon_counter(ctx, "clients_pending", api.pending);
	daemon_counter(ctx, "handshakes_failed", api.handshakes_failed);
	daemon_counter(ctx, "handshakes_late", api.handshakes_late);
	daemon_counter(ctx, "handshakes_crowded", api.handshakes_crowded);
	daemon_counter(ctx, "held_bytes", api.memory);
	daemon_counter(ctx, "pages_packed", t->fanout.pages.packed);
	daemon_counter(ctx, "pages_shared", t->fanout.pages.shared);
	daemon_counter(ctx, "page_bytes", t->fanout.pages.bytes);
	daemon_counter(ctx, "page_bytes_raw", t->fanout.pages.raw);
	daemon_counter(ctx, "page_bytes_packed", t->fanout.pages.small);
	daemon_counter(ctx, "bytes_in", api.bytes_in);
	daemon_counter(ctx, "bytes_out", api.bytes_out);
	daemon_counter(ctx, "watchers", t->fanout.n);
	daemon_counter(ctx, "objects", cache_count(&t->cache));
	daemon_counter(ctx, "object_bytes", t->cache.bytes);
	daemon_counter(ctx, "objects_too_large", t->cache.too_large);
	daemon_counter(ctx, "tombstones", t->cache.tombstones);
	daemon_counter(ctx, "updates", t->cache.seq);
	daemon_counter(ctx, "updates_packed", t->cache.packed);
	daemon_counter(ctx, "updates_sent", t->fanout.sent);
	daemon_counter(ctx, "snapshots", t->fanout.snapshots);
	daemon_counter(ctx, "snapshots_for_laggards", t->fanout.restarts);
	daemon_counter(ctx, "stalls", t->fanout.stalls);
	daemon_counter(ctx, "requests", t->count.requests);
	daemon_counter(ctx, "requests_refused", t->count.refused);
	daemon_counter(ctx, "gets", t->count.gets);
	daemon_counter(ctx, "lists", t->count.lists);
	daemon_counter(ctx, "writes", t->count.writes);
	daemon_counter(ctx, "writes_not_done", t->count.write_errors);
	daemon_counter(ctx, "writes_failed_datastore", t->count.datastore_errors);
	daemon_counter(ctx, "datastore_away", t->away);
	daemon_counter(ctx, "datastore_revision", s.revision);
	daemon_counter(ctx, "upstreams_left_behind", s.left_behind);
	daemon_counter(ctx, "upstreams_fed_by_us", s.loops);
	daemon_counter(ctx, "datastore_rewinds", s.rewinds);
	daemon_counter(ctx, "writes_answered_unseen", s.unseen);
	daemon_counter(ctx, "datastore_writes", s.writes);
	daemon_counter(ctx, "datastore_commits", s.commits);
	daemon_counter(ctx, "datastore_commits_failed", s.commits_failed);
	daemon_counter(ctx, "datastore_conflicts", s.conflicts);
	daemon_counter(ctx, "datastore_foreign_changes", s.foreign_changes);
	daemon_counter(ctx, "datastore_expired", s.expired);
	daemon_counter(ctx, "datastore_bad_values", s.bad_values);
	daemon_counter(ctx, "datastore_connects", s.connects);
	daemon_counter(ctx, "datastore_connects_failed", s.connects_failed);
	daemon_counter(ctx, "datastore_connections_lost", s.connections_lost);
	daemon_counter(ctx, "datastore_retries", s.retries);
	daemon_counter(ctx, "datastore_resyncs", s.resyncs);
	daemon_counter(ctx, "datastore_events", s.events);
	daemon_counter(ctx, "datastore_events_old", s.events_old);
}

void typhad_status(struct typhad *t)
{
	struct store_stats s = { 0 };
	CLEANUP(free_p) char *status = NULL;

	if (!t->door.server || !t->store || t->door.draining)
		return;
	store_stats(t->store, &s);
	/* Still ready: reads and watches are as good as before. */
	if (t->away)
		status = xasprintf("serving what is known: %s",
		                   s.last_error ? s.last_error : "the datastore is away");
	else if (s.last_error)
		status = xasprintf("serving reads; writes fail: %s", s.last_error);
	else
		status = xstrdup("serving");
	if (t->status && strcmp(status, t->status) == 0)
		return;
	free(t->status);
	t->status = xstrdup(status);
	daemon_ready(t->daemon, true, status);
}
