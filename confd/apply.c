/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apply: from the tree to the running bgpd.
 *
 *     render -> <file>.new -> bgpd checks it -> renamed to <file> -> bgpd loads it
 *
 * A file that bgpd refuses stays <file>.refused, for a person to look at; the good one stays where
 * it is. While bgpd is away nothing is replaced, with one exception: if there is no file at all, it
 * is written, for there is nothing good to lose and bgpd may be waiting for one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "confd/confd.h"
#include "proto/bgpd_bgp_v1.pb-c.h"

#define BGPD_TIMEOUT_MS 10000u
#define RETRY_FIRST_MS 100u
#define RETRY_MAX_MS 5000u

static void trouble(struct confd *c, const char *text)
{
	free(c->trouble);
	c->trouble = xstrdup(text);
	daemon_ready(c->d, false, text);
}

static void well(struct confd *c)
{
	free(c->trouble);
	c->trouble = NULL;
	c->retry_ms = 0;
	daemon_ready(c->d, true, "bgpd runs what the datastore says");
}

static void on_retry(uv_timer_t *t)
{
	apply_soon(t->data);
}

static void retry_later(struct confd *c, const char *why)
{
	trouble(c, why);
	c->retry_ms = c->retry_ms == 0                 ? RETRY_FIRST_MS
	              : c->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS
	                                               : c->retry_ms * 2;
	(void)uv_timer_start(&c->retry, on_retry, c->retry_ms, 0);
}

/* ---- what changed, for the log */

static const struct json *find_in(const struct json *list, const char *key, const char *value)
{
	for (size_t i = 0; list && i < list->len; i++) {
		const char *v = json_str(json_get(list->items[i], key));

		if (v && strcmp(v, value) == 0)
			return list->items[i];
	}
	return NULL;
}

static void log_list(const struct json *from, const struct json *to, const char *list,
                     const char *key, const char *const events[3])
{
	const struct json *a = from ? json_get(from, list) : NULL,
	                  *b = to ? json_get(to, list) : NULL;

	for (size_t i = 0; b && i < b->len; i++) {
		const char *name = json_str(json_get(b->items[i], key)),
		           *addr = json_str(json_get(b->items[i], "address"));
		const struct json *was = find_in(a, key, name);

		if (!was)
			log_info(events[0], "name=%s%s%s", LOG_VIS(name), addr ? " address=" : "",
			         addr ? addr : "");
		else if (!json_equal(was, b->items[i]))
			log_info(events[1], "name=%s", LOG_VIS(name));
	}
	for (size_t i = 0; a && i < a->len; i++) {
		const char *name = json_str(json_get(a->items[i], key));

		if (!find_in(b, key, name))
			log_info(events[2], "name=%s", LOG_VIS(name));
	}
}

static void log_changes(const struct json *from, const struct json *to)
{
	log_list(from, to, "peers", "name",
	         (const char *const[]){ "peer added", "peer changed", "peer removed" });
	log_list(from, to, "blocks", "cidr",
	         (const char *const[]){ "block added", "block changed", "block removed" });
}

/* ---- talking to bgpd */

static void on_answer(void *arg, int status, ProtobufCMessage *reply);

static int ask(struct confd *c, enum apply_step step, const char *path)
{
	Bgp__V1__CheckConfig check = BGP__V1__CHECK_CONFIG__INIT;
	Bgp__V1__LoadConfig load = BGP__V1__LOAD_CONFIG__INIT;
	Bgp__V1__ToBgpd m = BGP__V1__TO_BGPD__INIT;
	int r;

	if (step == APPLY_CHECK) {
		check.path = (char *)path;
		m.payload_case = BGP__V1__TO_BGPD__PAYLOAD_CHECK_CONFIG;
		m.check_config = &check;
		c->count_checks++;
	} else {
		load.path = (char *)path;
		m.payload_case = BGP__V1__TO_BGPD__PAYLOAD_LOAD_CONFIG;
		m.load_config = &load;
		c->count_loads++;
	}
	r = ipc_client_call(c->bgpd, &m.base, BGPD_TIMEOUT_MS, on_answer, c);
	if (r == 0)
		c->step = step;
	return r;
}

static void drop_new(struct confd *c)
{
	json_free(c->new_model);
	free(c->new_text);
	c->new_model = NULL;
	c->new_text = NULL;
}

/* The new file takes the place of the old one. */
static int install(struct confd *c)
{
	if (rename(c->path_new, c->path) < 0)
		return -errno;
	log_changes(c->model, c->new_model);
	json_free(c->model);
	free(c->text);
	c->model = take_ptr(&c->new_model);
	c->text = take_ptr(&c->new_text);
	c->loaded = false;
	return 0;
}

static void load(struct confd *c)
{
	if (ask(c, APPLY_LOAD, c->path) < 0)
		trouble(c, "bgpd is away: it reads the file when it comes back");
}

static void refused(struct confd *c, const Bgp__V1__Error *e)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	CLEANUP(free_p) char *aside = xasprintf("%s.refused", c->path);

	c->count_refused++;
	buf_printf(&text, "bgpd refuses the rendered file: %s, line %u: %s", aside, e ? e->line : 0,
	           e && e->text ? e->text : "no reason given");
	log_error("bgpd refuses the rendered file: the one that runs stays",
	          "file=%s line=%u reason=%s", aside, e ? e->line : 0,
	          LOG_VIS(e && e->text ? e->text : "none"));
	(void)rename(c->path_new, aside);
	free(c->refused_text);
	c->refused_text = take_ptr(&c->new_text);
	drop_new(c);
	trouble(c, buf_cstr(&text));
}

static void on_answer(void *arg, int status, ProtobufCMessage *reply)
{
	struct confd *c = arg;
	const Bgp__V1__FromBgpd *m = (const Bgp__V1__FromBgpd *)reply;
	enum apply_step step = c->step;
	bool again = c->again;

	c->step = APPLY_IDLE;
	c->again = false;
	if (c->stopping)
		return;
	if (status < 0) {
		drop_new(c);
		retry_later(c,
		            status == -ETIMEDOUT ? "bgpd does not answer" : "bgpd has gone away");
		return;
	}
	if (m->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_DONE) {
		if (step == APPLY_LOAD) {
			c->loaded = true;
			c->unchecked = false;
			well(c);
		} else if (install(c) < 0) {
			drop_new(c);
			retry_later(c, "the rendered file could not be renamed");
		} else {
			c->again = again;
			load(c);
			return;
		}
	} else if (step == APPLY_CHECK) {
		refused(c, m->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_ERROR ? m->error : NULL);
	} else {
		const char *why =
		        m->payload_case == BGP__V1__FROM_BGPD__PAYLOAD_ERROR && m->error->text
		                ? m->error->text
		                : "no reason";

		log_error("bgpd could not take over the file", "file=%s reason=%s", c->path,
		          LOG_VIS(why));
		retry_later(c, "bgpd could not take over the file");
	}
	if (again)
		apply_soon(c);
}

/* ---- rendering */

/* What the file holds from an earlier life. */
static void read_old(struct confd *c)
{
	size_t len;

	if (!c->text)
		(void)file_read(c->path, MUSTACHE_OUTPUT_MAX, &c->text, &len, NULL);
}

static void apply(struct confd *c)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct json *model = NULL;
	struct err err = { 0 };
	int r;

	if (!c->in_sync || c->stopping)
		return;
	if (c->step != APPLY_IDLE) {
		c->again = true;
		return;
	}
	r = model_build(&c->in, &model, &err);
	if (r < 0) {
		trouble(c, err.text);
		return;
	}
	c->count_renders++;
	if (mustache_render(c->template, model, &out, &err) < 0) {
		json_free(model);
		trouble(c, err.text);
		return;
	}
	read_old(c);
	drop_new(c);
	if (c->text && strcmp(c->text, buf_cstr(&out)) == 0 && !c->unchecked) {
		c->count_unchanged++;
		json_free(c->model);
		c->model = model;
		if (!c->loaded)
			load(c);
		else
			well(c);
		return;
	}
	if (c->refused_text && strcmp(c->refused_text, buf_cstr(&out)) == 0) {
		json_free(model);
		return; /* said already */
	}
	c->new_model = model;
	c->new_text = buf_take(&out);
	r = file_replace(c->path_new, c->new_text, strlen(c->new_text), 0644, &err);
	if (r < 0) {
		drop_new(c);
		log_error("the rendered file could not be written", "reason=%s", LOG_VIS(err.text));
		retry_later(c, err.text);
		return;
	}
	if (ask(c, APPLY_CHECK, c->path_new) == 0)
		return;
	if (!c->text) {
		log_info("first file written unchecked: bgpd is away", "file=%s", c->path);
		c->unchecked = install(c) == 0;
	}
	drop_new(c);
	trouble(c, "bgpd is away: what it runs may be old");
}

static void on_turn(uv_idle_t *idle)
{
	uv_idle_stop(idle);
	apply(idle->data);
}

void apply_soon(struct confd *c)
{
	if (!c->stopping)
		(void)uv_idle_start(&c->turn, on_turn);
}

void apply_bgpd_up(struct confd *c)
{
	/* It may have been started anew, with whatever file it knows, and may take what the one
	 * before it refused. */
	c->loaded = false;
	free(c->refused_text);
	c->refused_text = NULL;
	apply_soon(c);
}

void apply_bgpd_down(struct confd *c)
{
	c->loaded = false;
	if (c->in_sync && !c->trouble)
		trouble(c, "bgpd is away");
}
