/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/store/etcd_options.h"
#include "proto/etcd_rpc.pb-c.h"

#define DOUBT_MS 2000u /* without an answer: is the member still there? */
#define AGAIN_MS 100u  /* from a refusal to the next attempt on the same connection */

/* Words of etcd's that decide something. */
#define NO_LEADER "etcdserver: no leader"
#define NOT_PROPOSED "raft proposal dropped" /* nothing has left the member */
#define BAD_TOKEN "etcdserver: invalid auth token"
#define OLD_TOKEN "etcdserver: revision of auth store is old"
#define NO_USER "etcdserver: user name is empty"

const struct etcd_method etcd_range = { "/etcdserverpb.KV/Range", &etcd__range_response__descriptor,
	                                true };
const struct etcd_method etcd_put = { "/etcdserverpb.KV/Put", &etcd__put_response__descriptor,
	                              false };
const struct etcd_method etcd_txn = { "/etcdserverpb.KV/Txn", &etcd__txn_response__descriptor,
	                              false };
/* A lease that nobody uses goes away by itself. */
const struct etcd_method etcd_lease_grant = { "/etcdserverpb.Lease/LeaseGrant",
	                                      &etcd__lease_grant_response__descriptor, true };
static const struct etcd_method authenticate = { "/etcdserverpb.Auth/Authenticate",
	                                         &etcd__authenticate_response__descriptor, true };

struct etcd_call {
	struct list node;
	struct etcd_client *client;
	const struct etcd_method *method;
	struct buf request;
	struct grpc_call *grpc; /* NULL: waits to be sent */
	ProtobufCMessage *reply;
	uint64_t deadline, not_before, doubt_at; /* loop time in ms */
	bool early;                              /* does not wait for the token: it asks for it */
	bool token_again;                        /* has been refused for its token once */
	etcd_reply_fn *fn;
	void *arg;
};

enum token_state {
	TOKEN_NONE, /* not needed, or none to be had */
	TOKEN_WANTED,
	TOKEN_ASKED,
	TOKEN_HELD,
};

struct etcd_client {
	uv_loop_t *loop;
	struct store_etcd_options options;
	struct etcd_dial *dial;
	uv_timer_t timer;
	struct list calls;
	enum token_state token_state;
	char *token;
	bool up;     /* connected, with a token if need be */
	bool served; /* a call has succeeded since the start */
	bool freed;
	char *why; /* there is no connection; NULL: there is, or it is being made */
	uint64_t retries;
	const struct etcd_client_ops *ops;
	void *arg;
};

static void timer_by(struct etcd_client *c, uint64_t due);

ProtobufCBinaryData etcd_bytes(const char *s)
{
	return (ProtobufCBinaryData){ strlen(s), (uint8_t *)(uintptr_t)s };
}

/* ---- answers */

static void call_free(struct etcd_call *call)
{
	list_unlink(&call->node);
	grpc_call_cancel(call->grpc);
	msg_free(call->reply);
	if (call->early && call->request.data) /* it holds the password */
		explicit_bzero(call->request.data, call->request.len);
	buf_done(&call->request);
	free(call);
}

static void call_answer(struct etcd_call *call, const struct etcd_reply *r)
{
	etcd_reply_fn *fn = call->fn;
	void *arg = call->arg;
	ProtobufCMessage *reply = call->reply;

	call->reply = NULL;
	call_free(call);
	fn(arg, r);
	msg_free(reply);
}

static void call_fail(struct etcd_call *call, const char *text)
{
	struct etcd_reply r = { .code = GRPC_UNAVAILABLE, .text = text };

	call_answer(call, &r);
}

static bool code_is_transient(enum grpc_code code)
{
	return code == GRPC_UNAVAILABLE || code == GRPC_DEADLINE_EXCEEDED ||
	       code == GRPC_CANCELLED || code == GRPC_UNKNOWN || code == GRPC_INTERNAL;
}

static bool is_about_token(const struct grpc_status *s)
{
	return s->said && (s->code == GRPC_UNAUTHENTICATED || strcmp(s->text, BAD_TOKEN) == 0 ||
	                   strcmp(s->text, OLD_TOKEN) == 0 || strcmp(s->text, NO_USER) == 0);
}

/* Puts the call back among those that wait. */
static void call_again(struct etcd_call *call, unsigned in_ms, const struct grpc_status *s)
{
	struct etcd_client *c = call->client;

	log_debug("an etcd call is repeated", "method=%s code=%d unprocessed=%d why=%s",
	          call->method->path, (int)s->code, s->unprocessed, LOG_VIS(s->text));
	call->not_before = uv_now(c->loop) + in_ms;
	c->retries++;
	timer_by(c, call->not_before);
}

static void on_message(void *arg, const void *data, size_t len)
{
	struct etcd_call *call = arg;

	msg_free(call->reply);
	call->reply = msg_unpack(call->method->reply, data, len);
}

static void on_end(void *arg, const struct grpc_status *s)
{
	struct etcd_call *call = arg;
	struct etcd_client *c = call->client;
	struct etcd_reply r = { .code = s->code, .text = s->text, .too_large = s->too_large };
	/* Words count when they are etcd's: a reason to give up a connection reads alike. */
	bool not_proposed = s->said && strcmp(s->text, NOT_PROPOSED) == 0;
	bool no_leader = s->said && strcmp(s->text, NO_LEADER) == 0;

	call->grpc = NULL;
	if (s->code == GRPC_OK && call->reply) {
		etcd_dial_good(c->dial);
		c->served = true;
		r.msg = call->reply;
		call_answer(call, &r);
		return;
	}
	if (s->code == GRPC_OK) {
		r.code = GRPC_INTERNAL;
		r.text = "etcd's answer cannot be read";
		r.doubtful = !call->method->repeatable;
		call_answer(call, &r);
		return;
	}
	if (!call->early && !call->token_again && c->options.username && is_about_token(s)) {
		call->token_again = true;
		etcd_client_new_token(c);
		call_again(call, 1, s);
		return;
	}
	if (no_leader && !call->early) { /* told before anything else is looked at */
		call_again(call, AGAIN_MS, s);
		etcd_dial_next(c->dial, NO_LEADER);
		return;
	}
	if (!call->early && !s->too_large &&
	    (s->unprocessed || not_proposed ||
	     (call->method->repeatable && code_is_transient(s->code)))) {
		call_again(call, s->said ? AGAIN_MS : 1, s);
		return;
	}
	r.doubtful = !call->method->repeatable && !s->unprocessed && code_is_transient(s->code);
	call_answer(call, &r);
}

static const struct grpc_ops call_ops = { .on_message = on_message, .on_end = on_end };

/* ---- sending */

/* need_leader: a member that has no leader says so instead of keeping us waiting, or in the dark.
 * Not for writes: those that wait for an election are done after it, and when a leader is lost in
 * the midst of one, the same words do not mean that it was not done. */
static struct grpc_call *start(struct etcd_client *c, const char *path, bool need_leader,
                               const struct grpc_ops *ops, void *arg)
{
	const struct etcd_endpoint *e = etcd_dial_endpoint(c->dial);
	struct h2 *h2 = etcd_dial_h2(c->dial);
	struct h2_header headers[2];
	size_t n = 0;
	bool v6;

	if (!h2 || !e)
		return NULL;
	if (need_leader)
		headers[n++] = (struct h2_header){ "hasleader", "true" };
	if (c->token_state == TOKEN_HELD)
		headers[n++] = (struct h2_header){ "token", c->token };
	v6 = strchr(e->host, ':') != NULL;
	CLEANUP(free_p)
	char *authority = xasprintf("%s%s%s:%u", v6 ? "[" : "", e->host, v6 ? "]" : "", e->port);

	return grpc_call_new(h2, e->tls, authority, path, headers, n, ops, arg);
}

static void call_send(struct etcd_call *call)
{
	struct etcd_client *c = call->client;

	call->grpc = start(c, call->method->path, call->method->repeatable, &call_ops, call);
	if (!call->grpc)
		return;
	call->doubt_at = uv_now(c->loop) + DOUBT_MS;
	grpc_call_send(call->grpc, call->request.data, call->request.len, true);
}

static void calls_send(struct etcd_client *c)
{
	uint64_t now = uv_now(c->loop);

	list_for_each (it, &c->calls) {
		struct etcd_call *call = list_entry(it, struct etcd_call, node);

		if (!call->grpc && !call->early && c->up && call->not_before <= now)
			call_send(call);
	}
}

static struct etcd_call *call_new(struct etcd_client *c, const struct etcd_method *method,
                                  const ProtobufCMessage *request, etcd_reply_fn *fn, void *arg)
{
	struct etcd_call *call = xcalloc(1, sizeof(*call));

	call->client = c;
	call->method = method;
	call->fn = fn;
	call->arg = arg;
	call->deadline = uv_now(c->loop) + ETCD_CALL_MS;
	msg_pack(request, &call->request);
	list_push_back(&c->calls, &call->node);
	return call;
}

struct etcd_call *etcd_client_call(struct etcd_client *c, const struct etcd_method *method,
                                   const ProtobufCMessage *request, etcd_reply_fn *fn, void *arg)
{
	struct etcd_call *call = call_new(c, method, request, fn, arg);

	if (c->up)
		call_send(call);
	timer_by(c, call->grpc ? call->doubt_at : call->deadline);
	return call;
}

void etcd_call_cancel(struct etcd_call *call)
{
	if (call)
		call_free(call);
}

struct grpc_call *etcd_client_stream(struct etcd_client *c, const char *path,
                                     const struct grpc_ops *ops, void *arg)
{
	return c->up ? start(c, path, true, ops, arg) : NULL;
}

/* ---- deadlines */

static void call_expire(struct etcd_call *call)
{
	struct etcd_client *c = call->client;
	struct etcd_reply r = { .code = GRPC_DEADLINE_EXCEEDED };
	char text[700];

	r.doubtful = call->grpc && !call->method->repeatable;
	if (call->grpc || !c->why)
		(void)snprintf(text, sizeof(text), "etcd has not answered within %u s",
		               ETCD_CALL_MS / 1000);
	else
		(void)snprintf(text, sizeof(text), "etcd cannot be reached: %s", c->why);
	r.text = text;
	call_answer(call, &r);
}

/* Answers may start other calls or free the client: one call at a time, from the front. */
static bool expire_one(struct etcd_client *c, uint64_t now)
{
	list_for_each (it, &c->calls) {
		struct etcd_call *call = list_entry(it, struct etcd_call, node);

		if (call->deadline <= now) {
			call_expire(call);
			return true;
		}
	}
	return false;
}

static uint64_t call_due(const struct etcd_call *call, uint64_t now)
{
	uint64_t at = call->deadline;

	if (call->grpc && call->doubt_at < at)
		at = call->doubt_at;
	if (!call->grpc && call->not_before > now && call->not_before < at)
		at = call->not_before;
	return at;
}

static void on_timer(uv_timer_t *timer)
{
	struct etcd_client *c = timer->data;
	uint64_t now = uv_now(c->loop);
	bool doubt = false;

	while (!c->freed && expire_one(c, now))
		;
	if (c->freed)
		return;
	list_for_each (it, &c->calls) {
		struct etcd_call *call = list_entry(it, struct etcd_call, node);

		if (call->grpc && call->doubt_at <= now) {
			call->doubt_at = now + DOUBT_MS;
			doubt = true;
		}
	}
	if (doubt)
		etcd_client_doubt(c);
	calls_send(c);
	list_for_each (it, &c->calls)
		timer_by(c, call_due(list_entry(it, struct etcd_call, node), now));
}

/* It is not stopped when a call is answered: it looks at what there is when it fires. */
static void timer_by(struct etcd_client *c, uint64_t due)
{
	uint64_t now = uv_now(c->loop), ms = due > now ? due - now : 0;

	if (!c->freed &&
	    (!uv_is_active((uv_handle_t *)&c->timer) || uv_timer_get_due_in(&c->timer) > ms))
		(void)uv_timer_start(&c->timer, on_timer, ms, 0);
}

/* ---- the token */

static void token_drop(struct etcd_client *c)
{
	if (c->token)
		explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	c->token = NULL;
}

static void ready(struct etcd_client *c)
{
	bool was = c->up;

	c->up = true;
	free(c->why);
	c->why = NULL;
	calls_send(c);
	if (!was)
		c->ops->on_up(c->arg);
}

static void on_token(void *arg, const struct etcd_reply *r)
{
	struct etcd_client *c = arg;

	if (c->token_state != TOKEN_ASKED)
		return; /* of a connection that is gone */
	if (r->msg) {
		const Etcd__AuthenticateResponse *m = (const Etcd__AuthenticateResponse *)r->msg;

		token_drop(c);
		c->token = xstrdup(m->token);
		c->token_state = TOKEN_HELD;
		ready(c);
	} else if (r->code == GRPC_FAILED_PRECONDITION) { /* authentication is not enabled */
		c->token_state = TOKEN_NONE;
		ready(c);
	} else {
		c->token_state = TOKEN_WANTED;
		etcd_dial_next(c->dial, r->text);
	}
}

static void token_ask(struct etcd_client *c)
{
	Etcd__AuthenticateRequest m = ETCD__AUTHENTICATE_REQUEST__INIT;
	struct etcd_call *call;

	m.name = (char *)(uintptr_t)c->options.username;
	m.password = (char *)(uintptr_t)c->options.password;
	c->token_state = TOKEN_ASKED;
	call = call_new(c, &authenticate, &m.base, on_token, c);
	call->early = true;
	call_send(call);
	timer_by(c, call->deadline);
	if (!call->grpc)
		call_fail(call, "the connection takes no calls");
}

void etcd_client_new_token(struct etcd_client *c)
{
	if (!c->up || !c->options.username || !c->options.password)
		return;
	c->up = false; /* for calls; streams that are open stay */
	token_drop(c);
	token_ask(c);
}

/* ---- the connection */

static void on_up(void *arg)
{
	struct etcd_client *c = arg;

	if (!c->options.username || !c->options.password) {
		ready(c);
		return;
	}
	token_drop(c);
	token_ask(c);
}

static void on_down(void *arg, const char *why)
{
	struct etcd_client *c = arg;
	bool was = c->up || c->token_state == TOKEN_WANTED || c->token_state == TOKEN_ASKED;

	c->up = false;
	if (c->token_state != TOKEN_NONE)
		c->token_state = TOKEN_WANTED;
	free(c->why);
	c->why = xstrdup(why);
	if (was)
		c->ops->on_down(c->arg, why);
}

/* A program that has just started wants to know at once when there is nobody; one that runs waits
 * for a member to come back. */
static void on_nobody(void *arg, const char *why)
{
	struct etcd_client *c = arg;
	CLEANUP(free_p) char *text = xasprintf("etcd cannot be reached: %s", why);
	size_t n = 0;

	free(c->why);
	c->why = xstrdup(why);
	list_for_each (it, &c->calls)
		n++;
	/* Who is told that may call again at once: not those. */
	while (!c->served && !c->freed && n--)
		call_fail(list_entry(c->calls.next, struct etcd_call, node), text);
	if (!c->freed)
		c->ops->on_nobody(c->arg, why);
}

static const struct etcd_dial_ops dial_ops = {
	.on_up = on_up,
	.on_down = on_down,
	.on_nobody = on_nobody,
};

void etcd_client_next(struct etcd_client *c, const char *why)
{
	etcd_dial_next(c->dial, why);
}

void etcd_client_doubt(struct etcd_client *c)
{
	struct h2 *h2 = etcd_dial_h2(c->dial);

	if (h2)
		h2_doubt(h2);
}

bool etcd_client_up(const struct etcd_client *c)
{
	return c->up;
}

const char *etcd_client_where(const struct etcd_client *c)
{
	const struct etcd_endpoint *e = etcd_dial_endpoint(c->dial);

	return e ? e->text : NULL;
}

const char *etcd_client_why(const struct etcd_client *c)
{
	return c->why;
}

struct etcd_client_stats etcd_client_stats(const struct etcd_client *c)
{
	return (struct etcd_client_stats){ .dial = etcd_dial_stats(c->dial),
		                           .retries = c->retries };
}

int etcd_client_new(uv_loop_t *loop, const struct store_etcd_options *options,
                    const struct etcd_client_ops *ops, void *arg, struct etcd_client **ret,
                    struct err *err)
{
	struct etcd_client *c;
	int rc = etcd_options_check(options, err);

	if (rc < 0)
		return rc;
	c = xcalloc(1, sizeof(*c));
	etcd_options_copy(&c->options, options);
	c->loop = loop;
	c->ops = ops;
	c->arg = arg;
	list_init(&c->calls);
	rc = etcd_dial_new(loop, &c->options, &dial_ops, c, &c->dial, err);
	if (rc < 0) {
		etcd_options_done(&c->options);
		free(c);
		return rc;
	}
	if (uv_timer_init(loop, &c->timer) != 0)
		abort(); /* cannot fail */
	c->timer.data = c;
	*ret = c;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	struct etcd_client *c = handle->data;

	etcd_options_done(&c->options);
	free(c);
}

void etcd_client_free(struct etcd_client *c)
{
	if (!c || c->freed)
		return;
	c->freed = true;
	list_for_each_safe (it, &c->calls)
		call_free(list_entry(it, struct etcd_call, node));
	etcd_dial_free(c->dial);
	token_drop(c);
	free(c->why);
	c->why = NULL;
	uv_close((uv_handle_t *)&c->timer, on_closed);
}
