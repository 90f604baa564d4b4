/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * typha_call: the typha driver's requests.
 *
 *     held (no connection yet) --> sent --> answered
 *                                    '----> more of a list is to come --> answered
 */
#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/store/typha.h"
#include "common/store/typha_chain.h"

#define LIST_ITEMS_MAX (1u << 24) /* objects of one list */

/* A request: held, under way, or a list of which more is to come. */
struct call {
	struct list node;
	struct typha *t;
	Sync__V1__ToTyphad__PayloadCase what;
	model_kind kind;
	char *ns, *name;
	uint64_t revision;
	struct resource *r; /* of writes: a copy of what was asked for */
	store_done_fn *fn;
	void *arg;
	uint64_t id;
	struct mono_ms expires;    /* while held, or while more is to come */
	enum store_status refused; /* STORE_OK: not; else the answer when it expires, with text */
	char *text;
	enum store_status status; /* while unseen: the answer, with text */
	uint64_t header;
	uint64_t wanted; /* while unseen: the revision that the watch must have told */
	struct resource **items;
	size_t n, cap;
};

static void timer_arm(struct typha *t);

/* ---- answers */

static void call_free(struct call *c)
{
	list_unlink(&c->node);
	for (size_t i = 0; i < c->n; i++)
		resource_free(c->items[i]);
	free(c->items);
	resource_free(c->r);
	free(c->ns);
	free(c->name);
	free(c->text);
	free(c);
}

static void call_add(struct call *c, struct resource *r)
{
	if (!r)
		return;
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 4;
		c->items = xrealloc(c->items, c->cap * sizeof(struct resource *));
	}
	c->items[c->n++] = r;
}

static void call_finish(struct call *c, enum store_status status, uint64_t header, const char *text)
{
	struct store_result result = {
		.status = status,
		.text = status == STORE_OK ? NULL : text,
		.header_revision = header,
		.items = c->items,
		.n = c->n,
	};

	list_unlink(&c->node); /* before the callback, which may free the store */
	typha_idle(c->t);
	c->fn(c->arg, &result);
	call_free(c);
}

/* The revision that a write has made, or has failed on: what whoever reads after the answer expects
 * to find. 0: it does not matter. */
static uint64_t revision_made(const struct call *c, enum store_status status, uint64_t header)
{
	if (c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_GET ||
	    c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_LIST)
		return 0;
	if (status == STORE_OK && c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_DELETE)
		return header;
	if (status == STORE_OK || status == STORE_CONFLICT || status == STORE_ALREADY_EXISTS)
		return c->n ? c->items[0]->revision : 0;
	return 0;
}

static void call_answer(struct call *c, enum store_status status, uint64_t header, const char *text)
{
	struct typha_chain *chain = c->t->seen ? c->t->chain : NULL;
	uint64_t made = chain ? revision_made(c, status, header) : 0;

	if (!chain || made <= chain->told) {
		call_finish(c, status, header, text);
		return;
	}
	typha_chain_know(chain, made); /* also the next upstream must be there */
	free(c->text);
	c->text = xstrdup(text);
	c->status = status;
	c->header = header;
	c->wanted = made;
	c->expires = mono_after(mono_now(), CHAIN_SEEN_MS);
	list_unlink(&c->node);
	list_push_back(&c->t->unseen, &c->node);
	timer_arm(c->t);
	typha_idle(c->t);
}

static void call_unavailable(struct call *c, const char *what, const char *why)
{
	CLEANUP(free_p)
	char *text = xasprintf("%s typhad at '%s': %s", what, typha_where(c->t), why);

	call_answer(c, STORE_UNAVAILABLE, 0, text);
}

struct resource *typha_resource(const Sync__V1__Resource *m, bool body_wanted)
{
	const struct kind_info *k = m ? kind_info(m->kind) : NULL;
	ProtobufCMessage *msg = NULL;

	if (!k || !m->name)
		return NULL;
	if (m->has_body)
		msg = msg_unpack(k->message, m->body.data, m->body.len);
	if (!msg && body_wanted)
		return NULL;
	return resource_new(m->kind, m->namespace_ && *m->namespace_ ? m->namespace_ : NULL,
	                    m->name, m->revision, msg);
}

static enum store_status status_of(Sync__V1__ErrorCode code)
{
	switch ((int)code) { /* a newer typhad may know more codes */
	case SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND:
		return STORE_NOT_FOUND;
	case SYNC__V1__ERROR_CODE__ERROR_ALREADY_EXISTS:
		return STORE_ALREADY_EXISTS;
	case SYNC__V1__ERROR_CODE__ERROR_CONFLICT:
		return STORE_CONFLICT;
	case SYNC__V1__ERROR_CODE__ERROR_INVALID:
	case SYNC__V1__ERROR_CODE__ERROR_VERSION:
		return STORE_INVALID;
	default:
		return STORE_UNAVAILABLE;
	}
}

static void call_take_result(struct call *c, const Sync__V1__Result *m)
{
	bool write = c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE ||
	             c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_UPDATE ||
	             c->what == SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY;

	if (write && m->resource && !m->resource->has_body) { /* stored as it was sent */
		resource_set_revision(c->r, m->resource->revision);
		call_add(c, take_ptr(&c->r));
	} else if (m->resource) {
		call_add(c, typha_resource(m->resource, write));
		if (c->n == 0) {
			call_unavailable(c, "cannot read the answer of",
			                 "it is no object known here");
			return;
		}
	}
	call_answer(c, STORE_OK, m->header_revision, NULL);
}

static void call_take(struct call *c, const Sync__V1__FromTyphad *m)
{
	switch ((int)m->payload_case) {
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT:
		call_take_result(c, m->result);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST:
		for (size_t i = 0; i < m->list->n_resources && c->n < LIST_ITEMS_MAX; i++)
			call_add(c, typha_resource(m->list->resources[i], true));
		if (m->list->has_more && m->list->more) {
			list_unlink(&c->node);
			list_push_back(&c->t->more, &c->node);
			c->expires = mono_after(mono_now(), TYPHA_REQUEST_MS);
			timer_arm(c->t);
			return;
		}
		call_answer(c, STORE_OK, m->list->header_revision, NULL);
		return;
	case SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR:
		call_add(c, typha_resource(m->error->current, false));
		call_answer(c, status_of(m->error->code), 0,
		            m->error->text ? m->error->text : "typhad gave no reason");
		return;
	default:
		call_unavailable(c, "cannot understand", "its reply is of an unknown type");
	}
}

static void on_reply(void *arg, int status, ProtobufCMessage *reply)
{
	struct call *c = arg;

	if (status == -ETIMEDOUT)
		call_unavailable(c, "no answer from", "the deadline of 10 seconds has passed");
	else if (status < 0)
		call_unavailable(c, "lost",
		                 status == -ECANCELED ? "the connection is being closed"
		                                      : "the connection broke");
	else
		call_take(c, (const Sync__V1__FromTyphad *)reply);
}

/* ---- requests */

static void call_hold(struct call *c, int64_t ms)
{
	c->expires = mono_after(mono_now(), ms);
	list_unlink(&c->node);
	list_push_back(&c->t->held, &c->node);
	timer_arm(c->t);
}

static void call_send(struct call *c)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Get get = SYNC__V1__GET__INIT;
	Sync__V1__List list = SYNC__V1__LIST__INIT;
	Sync__V1__Create create = SYNC__V1__CREATE__INIT;
	Sync__V1__Update update = SYNC__V1__UPDATE__INIT;
	Sync__V1__Apply apply = SYNC__V1__APPLY__INIT;
	Sync__V1__Delete del = SYNC__V1__DELETE__INIT;
	Sync__V1__Resource resource = SYNC__V1__RESOURCE__INIT;
	CLEANUP(buf_done) struct buf body = { 0 };
	int rc;

	m.payload_case = c->what;
	resource.has_kind = get.has_kind = list.has_kind = del.has_kind = 1;
	resource.kind = get.kind = list.kind = del.kind = c->kind;
	resource.namespace_ = get.namespace_ = list.namespace_ = del.namespace_ = c->ns;
	resource.name = get.name = list.name_prefix = del.name = c->name;
	resource.has_revision = del.has_revision = c->revision != 0;
	resource.revision = del.revision = c->revision;
	create.resource = update.resource = apply.resource = &resource;
	if (c->r && c->r->msg) {
		msg_pack(c->r->msg, &body);
		resource.has_body = 1;
		resource.body = (ProtobufCBinaryData){ body.len, body.data };
		resource.has_ttl_seconds = c->r->ttl_sec != 0;
		resource.ttl_seconds = c->r->ttl_sec;
	}
	switch ((int)c->what) {
	case SYNC__V1__TO_TYPHAD__PAYLOAD_GET:
		m.get = &get;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_LIST:
		m.list = &list;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE:
		m.create = &create;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_UPDATE:
		m.update = &update;
		break;
	case SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY:
		m.apply = &apply;
		break;
	default:
		m.delete_ = &del;
	}
	rc = ipc_client_call(c->t->client, &m.base, TYPHA_REQUEST_MS, on_reply, c);
	c->id = m.request_id;
	list_unlink(&c->node);
	if (rc == 0) {
		list_push_back(&c->t->sent, &c->node);
		return;
	}
	if (rc == -ENOTCONN) {
		call_hold(c, TYPHA_HOLD_MS);
		return;
	}
	c->refused = STORE_INVALID;
	c->text =
	        xasprintf("the object is too large: %zu bytes do not fit into a message", body.len);
	call_hold(c, 0);
}

void typha_call(struct typha *t, Sync__V1__ToTyphad__PayloadCase what, model_kind kind,
                const char *ns, const char *name, uint64_t revision, const struct resource *r,
                store_done_fn *fn, void *arg)
{
	struct call *c = xcalloc(1, sizeof(*c));

	list_init(&c->node);
	c->t = t;
	c->what = what;
	c->kind = kind;
	c->ns = xstrdup(ns);
	c->name = xstrdup(name);
	c->revision = revision;
	c->r = r ? resource_copy(r) : NULL;
	c->fn = fn;
	c->arg = arg;
	if (t->ready)
		call_send(c);
	else
		call_hold(c, t->down_why && !t->was_ready ? 0 : TYPHA_HOLD_MS);
}

/* ---- deadlines of what is not under way */

static void timer_arm_from(struct list *calls, uint64_t *earliest)
{
	list_for_each (it, calls) {
		uint64_t ms = list_entry(it, struct call, node)->expires.ms;

		if (ms < *earliest)
			*earliest = ms;
	}
}

static void call_expired(struct call *c)
{
	struct typha *t = c->t;

	if (c->wanted) {
		t->chain->unseen_late++;
		call_finish(c, c->status, c->header, c->text);
	} else if (c->refused != STORE_OK) {
		call_answer(c, c->refused, 0, c->text);
	} else {
		call_unavailable(c, "no connection to",
		                 t->down_why ? t->down_why : "it does not answer");
	}
}

static void on_timer(uv_timer_t *h)
{
	struct typha *t = h->data;
	struct list *lists[] = { &t->held, &t->more, &t->unseen };
	uint64_t now = mono_now().ms;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		bool again = true;

		while (again && !t->freed) {
			again = false;
			list_for_each (it, lists[i]) {
				struct call *c = list_entry(it, struct call, node);

				if (c->expires.ms > now)
					continue;
				call_expired(c);
				again = true; /* the callback may have changed the list */
				break;
			}
		}
	}
	if (!t->freed)
		timer_arm(t);
}

static void timer_arm(struct typha *t)
{
	uint64_t earliest = UINT64_MAX, now = mono_now().ms;

	timer_arm_from(&t->held, &earliest);
	timer_arm_from(&t->more, &earliest);
	timer_arm_from(&t->unseen, &earliest);
	if (earliest == UINT64_MAX)
		(void)uv_timer_stop(&t->timer);
	else
		(void)uv_timer_start(&t->timer, on_timer, earliest > now ? earliest - now : 0, 0);
}

/* ---- what the connection does to them */

void typha_calls_ready(struct typha *t)
{
	struct list now;

	list_init(&now);
	while (!list_empty(&t->held)) {
		struct list *it = t->held.next;

		list_unlink(it);
		list_push_back(&now, it);
	}
	list_for_each_safe (it, &now) {
		struct call *c = list_entry(it, struct call, node);

		if (c->refused == STORE_OK)
			call_send(c);
		else
			call_hold(c, 0);
	}
	timer_arm(t);
}

void typha_calls_down(struct typha *t)
{
	/* By the timer, so that no callback runs in the midst of whatever found the connection
	 * lost. */
	list_for_each (it, &t->more)
		list_entry(it, struct call, node)->expires = (struct mono_ms){ 0 };
	if (!t->was_ready)
		list_for_each (it, &t->held)
			list_entry(it, struct call, node)->expires = (struct mono_ms){ 0 };
	timer_arm(t);
}

void typha_calls_told(struct typha *t)
{
	bool again = true;

	while (again && !t->freed) {
		again = false;
		list_for_each (it, &t->unseen) {
			struct call *c = list_entry(it, struct call, node);

			if (c->wanted > t->chain->told)
				continue;
			call_finish(c, c->status, c->header, c->text);
			again = true; /* the callback may have changed the list */
			break;
		}
	}
	if (!t->freed)
		timer_arm(t);
}

void typha_calls_abandon(struct typha *t)
{
	while (!list_empty(&t->unseen)) {
		struct call *c = list_entry(t->unseen.next, struct call, node);

		call_finish(c, c->status, c->header, c->text);
	}
	struct list *lists[] = { &t->held, &t->more };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		while (!list_empty(lists[i]))
			call_unavailable(list_entry(lists[i]->next, struct call, node), "closing",
			                 "the request was not answered yet");
}

void typha_calls_part(struct typha *t, const Sync__V1__FromTyphad *m)
{
	list_for_each (it, &t->more) {
		struct call *c = list_entry(it, struct call, node);

		if (c->id == m->request_id) {
			call_take(c, m);
			return;
		}
	}
}
