/* SPDX-License-Identifier: BSD-2-Clause */
/* debug: asks a daemon's ctl.sock, and prints what it says as JSON. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/debug.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/json/json.h"
#include "proto/ctl_v1.pb-c.h"

#define CONNECT_MS 2500
#define DUMP_MS 30000
#define WATCH_MS (24 * 3600 * 1000) /* between two events */

struct session {
	struct ipc_call call;
	const struct options *o;
	const char *daemon;
};

static struct json *number(unsigned long long v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", v);
	return json_new_number(text);
}

static struct json *text_or_null(const char *s)
{
	return s ? json_new_str(s) : json_new(JSON_NULL);
}

static void print(const struct json *j, unsigned indent)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	json_write(j, indent, &out);
	printf("%s\n", buf_cstr(&out));
	fflush(stdout);
}

static struct json *identity_tree(const Ctl__V1__Identity *id)
{
	struct json *j = json_new(JSON_OBJECT), *configuration = json_new(JSON_OBJECT);

	json_set(j, "program", text_or_null(id->program));
	json_set(j, "version", text_or_null(id->version));
	json_set(j, "pid", number(id->pid));
	json_set(j, "uptimeMs", number(id->uptime_ms));
	for (size_t i = 0; i < id->n_configuration; i++)
		if (id->configuration[i]->name)
			json_set(configuration, id->configuration[i]->name,
			         text_or_null(id->configuration[i]->value));
	json_set(j, "configuration", configuration);
	return j;
}

static struct json *health_tree(const Ctl__V1__Health *h)
{
	struct json *j = json_new(JSON_OBJECT), *counters = json_new(JSON_OBJECT);

	json_set(j, "ready", json_new_bool(h->ready));
	json_set(j, "status", text_or_null(h->status));
	for (size_t i = 0; i < h->n_counters; i++)
		if (h->counters[i]->name)
			json_set(counters, h->counters[i]->name, number(h->counters[i]->value));
	json_set(j, "counters", counters);
	return j;
}

/* Items are JSON already; one that is not shows as a text. */
static struct json *item_tree(const Ctl__V1__Item *item)
{
	const char *text = item->json ? item->json : "null";
	struct json *j;

	return json_parse(text, strlen(text), &j, NULL) == 0 ? j : json_new_str(text);
}

static int refused(const Ctl__V1__FromDaemon *reply, const char *expected, struct err *err)
{
	if (reply->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_ERROR)
		return err_set(err, -EINVAL, "%s",
		               reply->error->text ? reply->error->text : "refused");
	return err_set(err, -EPROTO, "the answer is not %s", expected);
}

/* One request and its one reply, as a tree; expected NULL: a confirmation, and *ret is NULL. */
static int ask(struct session *s, Ctl__V1__ToDaemon *request, const char *expected,
               struct json **ret, struct err *err)
{
	Ctl__V1__FromDaemon *reply;
	ProtobufCMessage *m;
	int rc = ipc_call(&s->call, &request->base, &m, err);

	if (rc)
		return rc;
	reply = (Ctl__V1__FromDaemon *)m;
	*ret = NULL;
	if (reply->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_IDENTITY)
		*ret = identity_tree(reply->identity);
	else if (reply->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_HEALTH)
		*ret = health_tree(reply->health);
	else if (reply->payload_case != CTL__V1__FROM_DAEMON__PAYLOAD_DONE || expected)
		rc = refused(reply, expected ? expected : "a confirmation", err);
	protobuf_c_message_free_unpacked(m, NULL);
	return rc;
}

static int do_who(struct session *s, struct json **ret, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WhoAreYou who = CTL__V1__WHO_ARE_YOU__INIT;

	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WHO;
	request.who = &who;
	return ask(s, &request, "an identity", ret, err);
}

static int do_health(struct session *s, struct json **ret, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__HowAreYou how = CTL__V1__HOW_ARE_YOU__INIT;

	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_HEALTH;
	request.health = &how;
	return ask(s, &request, "a report of health", ret, err);
}

static int run_who(struct session *s, struct err *err)
{
	struct json *j;
	int rc = do_who(s, &j, err);

	if (rc == 0)
		print(j, 2);
	if (rc == 0)
		json_free(j);
	return rc;
}

static int run_health(struct session *s, struct err *err)
{
	struct json *j;
	int rc = do_health(s, &j, err);

	if (rc == 0)
		print(j, 2);
	if (rc == 0)
		json_free(j);
	return rc;
}

/* Without a verb: both. */
static int run_both(struct session *s, struct err *err)
{
	struct json *both = json_new(JSON_OBJECT), *j;
	int rc = do_who(s, &j, err);

	if (rc == 0) {
		json_set(both, "who", j);
		rc = do_health(s, &j, err);
	}
	if (rc == 0) {
		json_set(both, "health", j);
		print(both, 2);
	}
	json_free(both);
	return rc;
}

static int run_reload(struct session *s, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__Reload reload = CTL__V1__RELOAD__INIT;
	struct json *j;
	int rc;

	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_RELOAD;
	request.reload = &reload;
	rc = ask(s, &request, NULL, &j, err);
	if (rc == 0)
		json_free(j);
	return rc;
}

static int run_log_level(struct session *s, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__SetLogLevel set = CTL__V1__SET_LOG_LEVEL__INIT;
	struct json *j;
	int rc;

	set.level = s->o->args[2];
	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_SET_LOG_LEVEL;
	request.set_log_level = &set;
	rc = ask(s, &request, NULL, &j, err);
	if (rc == 0)
		json_free(j);
	return rc;
}

/* Sends a request and hands each item of its answer to fn, until the daemon says that this is all.
 */
static int stream(struct session *s, Ctl__V1__ToDaemon *request,
                  void (*fn)(void *arg, const Ctl__V1__Item *item), void *arg, int wait_ms,
                  struct err *err)
{
	bool done = false;
	int rc;

	request->has_request_id = 1;
	request->request_id = 1;
	rc = ipc_call_send(&s->call, &request->base, err);
	while (rc == 0 && !done) {
		const Ctl__V1__FromDaemon *reply;
		ProtobufCMessage *m;

		s->call.deadline = mono_after(mono_now(), wait_ms);
		rc = ipc_call_recv(&s->call, &m, err);
		if (rc)
			break;
		reply = (const Ctl__V1__FromDaemon *)m;
		if (reply->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_ITEM)
			fn(arg, reply->item);
		else if (reply->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_DONE)
			done = true;
		else
			rc = refused(reply, "an item", err);
		protobuf_c_message_free_unpacked(m, NULL);
	}
	return rc;
}

static void collect(void *arg, const Ctl__V1__Item *item)
{
	const char *section = item->section ? item->section : "";
	struct json *sections = arg, *list = json_get(sections, section);

	if (!list) {
		list = json_new(JSON_ARRAY);
		json_set(sections, section, list);
	}
	json_append(list, item_tree(item));
}

/* section NULL: all of them. *ret is the caller's, whatever comes back. */
static int do_dump(struct session *s, const char *section, struct json **ret, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__Dump dump = CTL__V1__DUMP__INIT;

	dump.section = (char *)(uintptr_t)section;
	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_DUMP;
	request.dump = &dump;
	*ret = json_new(JSON_OBJECT);
	return stream(s, &request, collect, *ret, DUMP_MS, err);
}

static int run_dump(struct session *s, struct err *err)
{
	struct json *sections;
	int rc = do_dump(s, s->o->n_args > 2 ? s->o->args[2] : NULL, &sections, err);

	if (rc == 0)
		print(sections, 2);
	json_free(sections);
	return rc;
}

const char *const debug_daemons[] = { "typhad", "felixd", "bgpd", "confd", "ipamd", "noded", NULL };

int debug_all(const struct options *o, const char *daemon, struct buf *out, struct err *err)
{
	struct session s = { .o = o, .daemon = daemon };
	struct json *whole = json_new(JSON_OBJECT), *j;
	int rc = ipc_call_open(&s.call, o->run_dir, daemon, "ctl.sock",
	                       &ctl__v1__from_daemon__descriptor, CONNECT_MS, err);

	if (rc == 0 && (rc = do_who(&s, &j, err)) == 0)
		json_set(whole, "who", j);
	if (rc == 0 && (rc = do_health(&s, &j, err)) == 0)
		json_set(whole, "health", j);
	if (rc == 0) {
		rc = do_dump(&s, NULL, &j, err);
		json_set(whole, "dump", j);
	}
	json_write(whole, 2, out);
	json_free(whole);
	ipc_call_close(&s.call);
	return rc;
}

int debug_section(const struct options *o, const char *daemon, const char *section,
                  struct json **ret, char **ret_node, struct err *err)
{
	struct session s = { .o = o, .daemon = daemon };
	struct json *who = NULL, *sections = NULL;
	int rc = ipc_call_open(&s.call, o->run_dir, daemon, "ctl.sock",
	                       &ctl__v1__from_daemon__descriptor, CONNECT_MS, err);

	if (rc == 0)
		rc = do_who(&s, &who, err);
	if (rc == 0)
		rc = do_dump(&s, section, &sections, err);
	if (rc == 0) {
		struct json *list = json_get(sections, section);

		*ret = list ? json_copy(list) : NULL;
		*ret_node = xstrdup(json_str(json_get(json_get(who, "configuration"), "node")));
	}
	json_free(who);
	json_free(sections);
	ipc_call_close(&s.call);
	return rc;
}

/* A line per event. */
static void show_event(void *arg, const Ctl__V1__Item *item)
{
	struct json *j = json_new(JSON_OBJECT);

	(void)arg;
	json_set(j, "section", text_or_null(item->section));
	json_set(j, "event", item_tree(item));
	print(j, 0);
	json_free(j);
}

static int run_watch(struct session *s, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WatchEvents watch = CTL__V1__WATCH_EVENTS__INIT;

	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WATCH;
	request.watch = &watch;
	return stream(s, &request, show_event, NULL, WATCH_MS, err);
}

static const struct {
	const char *name;
	size_t min_args, max_args; /* behind the name */
	int (*run)(struct session *s, struct err *err);
} verbs[] = {
	{ "who", 0, 0, run_who },       { "health", 0, 0, run_health },
	{ "dump", 0, 1, run_dump },     { "watch", 0, 0, run_watch },
	{ "reload", 0, 0, run_reload }, { "log-level", 1, 1, run_log_level },
};

int cmd_debug(const struct options *o)
{
	struct session s = { .o = o };
	int (*run)(struct session *, struct err *) = run_both;
	struct err err;
	int rc;

	if (o->n_args == 0) {
		fputs("debug: which daemon? typhad, felixd, bgpd, confd, ipamd or noded\n", stderr);
		return 1;
	}
	s.daemon = o->args[0];
	if (!*s.daemon || strchr(s.daemon, '/') || *s.daemon == '.') {
		fprintf(stderr, "debug: '%s' is not a daemon's name\n", s.daemon);
		return 1;
	}
	if (o->n_args > 1) {
		size_t i = 0, given = o->n_args - 2;

		while (i < ARRAY_SIZE(verbs) && strcmp(verbs[i].name, o->args[1]) != 0)
			i++;
		if (i == ARRAY_SIZE(verbs) || given < verbs[i].min_args ||
		    given > verbs[i].max_args) {
			fprintf(stderr,
			        "debug: expected who, health, dump [SECTION], watch, reload or "
			        "log-level "
			        "LEVEL, got '%s'%s\n",
			        o->args[1],
			        i < ARRAY_SIZE(verbs) ? " with the wrong number of arguments" : "");
			return 1;
		}
		run = verbs[i].run;
	}
	rc = ipc_call_open(&s.call, o->run_dir, s.daemon, "ctl.sock",
	                   &ctl__v1__from_daemon__descriptor, CONNECT_MS, &err);
	if (rc == 0)
		rc = run(&s, &err);
	ipc_call_close(&s.call);
	if (rc)
		fprintf(stderr, "debug %s: %s\n", s.daemon, err.text);
	return rc ? 1 : 0;
}
