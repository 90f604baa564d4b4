/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/loop/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/ipc/sock.h"
#include "common/loop/server.h"
#include "proto/ctl_v1.pb-c.h"

/* Of one peer: whether it watches. */
struct watcher {
	struct list node;
	struct ipc_peer *peer;
	uint64_t request_id;
};

struct ctl {
	struct daemon *daemon;
	struct ipc_server *server;
	struct list watchers;
};

/* ---- replies ---- */

static void reply(struct ipc_peer *p, uint64_t id, Ctl__V1__FromDaemon *m)
{
	m->has_request_id = 1;
	m->request_id = id;
	(void)ipc_peer_send(p, &m->base);
}

static void reply_done(struct ipc_peer *p, uint64_t id)
{
	Ctl__V1__Done done = CTL__V1__DONE__INIT;
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;

	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_DONE;
	m.done = &done;
	reply(p, id, &m);
}

static void reply_error(struct ipc_peer *p, uint64_t id, const char *text)
{
	Ctl__V1__Error error = CTL__V1__ERROR__INIT;
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;

	error.text = (char *)text;
	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_ERROR;
	m.error = &error;
	reply(p, id, &m);
}

static void reply_item(struct ipc_peer *p, uint64_t id, const char *section, const char *json)
{
	Ctl__V1__Item item = CTL__V1__ITEM__INIT;
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;

	item.section = (char *)section;
	item.json = (char *)json;
	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_ITEM;
	m.item = &item;
	reply(p, id, &m);
}

/* ---- who are you ---- */

void daemon_setting(void *ctx, const char *name, const char *value)
{
	Ctl__V1__Identity *identity = ctx;
	Ctl__V1__Setting *s = xcalloc(1, sizeof(*s));

	ctl__v1__setting__init(s);
	s->name = xstrdup(name);
	s->value = xstrdup(value);
	identity->configuration =
	        xrealloc(identity->configuration,
	                 (identity->n_configuration + 1) * sizeof(*identity->configuration));
	identity->configuration[identity->n_configuration++] = s;
}

static void on_who(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request)
{
	const struct daemon_option *tables[] = { daemon_common_options(),
		                                 c->daemon->spec->options };
	Ctl__V1__Identity *identity = xcalloc(1, sizeof(*identity));
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;

	ctl__v1__identity__init(identity);
	identity->program = xstrdup(c->daemon->spec->name);
	identity->version = xstrdup(percale_version);
	identity->has_pid = 1;
	identity->pid = (uint32_t)getpid();
	identity->has_uptime_ms = 1;
	identity->uptime_ms = (uint64_t)mono_since_ms(c->daemon->started);
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct daemon_option *o = tables[t]; o && o->name; o++)
			daemon_setting(identity, o->name, daemon_opt(c->daemon, o->name));
	if (c->daemon->spec->settings)
		c->daemon->spec->settings(c->daemon, identity);
	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_IDENTITY;
	m.identity = identity;
	reply(p, request->request_id, &m);
	ctl__v1__identity__free_unpacked(identity, NULL);
}

/* ---- how are you ---- */

void daemon_counter(void *ctx, const char *name, uint64_t value)
{
	Ctl__V1__Health *health = ctx;
	Ctl__V1__Counter *counter = xcalloc(1, sizeof(*counter));

	ctl__v1__counter__init(counter);
	counter->name = xstrdup(name);
	counter->has_value = 1;
	counter->value = value;
	health->counters =
	        xrealloc(health->counters, (health->n_counters + 1) * sizeof(*health->counters));
	health->counters[health->n_counters++] = counter;
}

static void on_health(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request)
{
	Ctl__V1__Health *health = xcalloc(1, sizeof(*health));
	Ctl__V1__FromDaemon m = CTL__V1__FROM_DAEMON__INIT;

	ctl__v1__health__init(health);
	health->has_ready = 1;
	health->ready = daemon_is_ready(c->daemon);
	health->status = xstrdup(daemon_status(c->daemon));
	if (c->daemon->spec->health)
		c->daemon->spec->health(c->daemon, health);
	m.payload_case = CTL__V1__FROM_DAEMON__PAYLOAD_HEALTH;
	m.health = health;
	reply(p, request->request_id, &m);
	ctl__v1__health__free_unpacked(health, NULL);
}

/* ---- what do you believe ---- */

/* Where the items of a dump go: a peer, or the log. */
struct dump {
	struct ipc_peer *peer;
	uint64_t request_id;
	struct buf json;
	struct jsonw writer;
};

struct jsonw *daemon_dump_writer(void *ctx)
{
	struct dump *dump = ctx;

	buf_clear(&dump->json);
	jsonw_init(&dump->writer, &dump->json);
	return &dump->writer;
}

void daemon_dump_item(void *ctx, const char *section)
{
	struct dump *dump = ctx;

	if (dump->peer)
		reply_item(dump->peer, dump->request_id, section, buf_cstr(&dump->json));
	else
		log_info("dump", "section=%s item=%s", section, LOG_VIS(buf_cstr(&dump->json)));
}

static unsigned dump_sections(struct daemon *d, const char *section, struct dump *dump)
{
	unsigned n = 0;

	for (const struct daemon_dump *s = d->spec->dumps; s && s->section; s++) {
		if (section && *section && strcmp(section, s->section) != 0)
			continue;
		s->dump(d, dump);
		n++;
	}
	buf_done(&dump->json);
	return n;
}

static void on_dump(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request)
{
	struct dump dump = { .peer = p, .request_id = request->request_id };
	const char *section = request->dump->section;

	if (dump_sections(c->daemon, section, &dump) == 0 && section && *section) {
		CLEANUP(buf_done) struct buf text = { 0 };

		buf_printf(&text, "no section '%s'; there are:", section);
		for (const struct daemon_dump *s = c->daemon->spec->dumps; s && s->section; s++)
			buf_printf(&text, " %s", s->section);
		reply_error(p, request->request_id, buf_cstr(&text));
		return;
	}
	reply_done(p, request->request_id);
}

void ctl_dump_to_log(struct daemon *d)
{
	struct dump dump = { 0 };

	(void)dump_sections(d, NULL, &dump);
}

/* ---- the rest ---- */

static void on_watch(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request)
{
	struct watcher *w = ipc_peer_data(p);

	w->request_id = request->request_id;
	if (list_empty(&w->node))
		list_push_back(&c->watchers, &w->node);
}

static void on_reload(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request)
{
	struct err err = { 0 };

	if (daemon_reload(c->daemon, &err) < 0)
		reply_error(p, request->request_id, err.text);
	else
		reply_done(p, request->request_id);
}

static void on_set_log_level(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request)
{
	const char *text = request->set_log_level->level ? request->set_log_level->level : "";
	enum log_level level;

	(void)c;
	if (log_level_parse(text, &level) < 0) {
		reply_error(p, request->request_id,
		            "no such log level; there are: error warn info debug");
		return;
	}
	log_set_level(level);
	log_info("log level changed", "level=%s pid=%d", text, (int)ipc_peer_cred(p).pid);
	reply_done(p, request->request_id);
}

static const struct ctl_handler {
	Ctl__V1__ToDaemon__PayloadCase payload;
	void (*handle)(struct ctl *c, struct ipc_peer *p, const Ctl__V1__ToDaemon *request);
} handlers[] = {
	{ CTL__V1__TO_DAEMON__PAYLOAD_WHO, on_who },
	{ CTL__V1__TO_DAEMON__PAYLOAD_HEALTH, on_health },
	{ CTL__V1__TO_DAEMON__PAYLOAD_DUMP, on_dump },
	{ CTL__V1__TO_DAEMON__PAYLOAD_WATCH, on_watch },
	{ CTL__V1__TO_DAEMON__PAYLOAD_RELOAD, on_reload },
	{ CTL__V1__TO_DAEMON__PAYLOAD_SET_LOG_LEVEL, on_set_log_level },
};

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	Ctl__V1__ToDaemon *request = (Ctl__V1__ToDaemon *)msg;

	for (unsigned i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].payload == request->payload_case) {
			handlers[i].handle(ipc_peer_arg(p), p, request);
			return;
		}
	}
	reply_error(p, request->request_id, "this daemon does not know that request");
}

static void on_open(struct ipc_peer *p)
{
	struct watcher *w = xcalloc(1, sizeof(*w));

	list_init(&w->node);
	w->peer = p;
	ipc_peer_set_data(p, w);
}

static void on_close(struct ipc_peer *p)
{
	struct watcher *w = ipc_peer_data(p);

	list_unlink(&w->node);
	free(w);
}

static const struct ipc_server_ops ctl_ops = {
	.name = "ctl",
	.request = &ctl__v1__to_daemon__descriptor,
	.mode = 0600,
	.max_peers = 64,
	.send_high = 256u << 20, /* a dump is as large as the state */
	.on_open = on_open,
	.on_message = on_message,
	.on_close = on_close,
};

int ctl_open(struct daemon *d, struct ctl **ret, struct err *err)
{
	struct ctl *c = xcalloc(1, sizeof(*c));
	char path[SOCK_PATH_MAX];
	int r;

	c->daemon = d;
	list_init(&c->watchers);
	daemon_sock_path(d, d->spec->name, "ctl.sock", path);
	r = ipc_server_new(d->loop, path, &ctl_ops, c, &c->server, err);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void ctl_close(struct ctl *c)
{
	if (!c)
		return;
	ipc_server_free(c->server);
	free(c);
}

bool ctl_watched(const struct ctl *c)
{
	return c && !list_empty(&c->watchers);
}

void ctl_event(struct ctl *c, const char *section, const char *json)
{
	if (!ctl_watched(c))
		return;
	list_for_each_safe (it, &c->watchers) {
		struct watcher *w = list_entry(it, struct watcher, node);

		reply_item(w->peer, w->request_id, section, json);
	}
}
