/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/typha_chain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/seen.h"
#include "common/store/typha.h"

struct typha_chain *typha_chain_new(const char *instance)
{
	struct typha_chain *c = xcalloc(1, sizeof(*c));

	c->instance = xstrdup(instance);
	return c;
}

static void lineage_free(struct typha_chain *c)
{
	for (size_t i = 0; i < c->n_lineage; i++)
		free(c->lineage[i]);
	free(c->lineage);
	c->lineage = NULL;
	c->n_lineage = 0;
}

void typha_chain_free(struct typha_chain *c)
{
	if (!c)
		return;
	lineage_free(c);
	free(c->instance);
	free(c->trouble);
	free(c);
}

void typha_chain_know(struct typha_chain *c, uint64_t revision)
{
	if (revision > c->known)
		c->known = revision;
}

static void settled(struct typha_chain *c)
{
	c->waiting = false;
	free(take_ptr(&c->trouble));
}

/* ---- servers that are not good enough */

static void leave(struct typha *t)
{
	CLEANUP(free_p) char *why = xstrdup(t->chain->trouble ? t->chain->trouble : "no reason");

	ipc_client_reset(t->client, why);
}

/* Begins anew with whatever the datastore is now. */
static void rewind_all(struct typha *t)
{
	log_warn("the datastore has gone back in time: everything is learnt anew",
	         "address=%s known=%llu", LOG_VIS(typha_where(t)),
	         (unsigned long long)t->chain->known);
	t->chain->known = t->chain->told = 0;
	t->chain->rewinds++;
	settled(t->chain);
	seen_distrust(t->seen);
	ipc_client_reset(t->client, "the datastore has gone back in time");
}

struct question {
	void (*fn)(void *arg, bool live, uint64_t revision);
	void *arg;
	uv_timer_t timer; /* answers what could not be sent */
};

static void question_free(uv_handle_t *h)
{
	free(h->data);
}

static void question_answer(struct question *q, bool live, uint64_t revision)
{
	q->fn(q->arg, live, revision);
	uv_close((uv_handle_t *)&q->timer, question_free);
}

static void on_question_lost(uv_timer_t *h)
{
	question_answer(h->data, false, 0);
}

static void on_verified(void *arg, int status, ProtobufCMessage *reply)
{
	const Sync__V1__FromTyphad *m = (const Sync__V1__FromTyphad *)reply;
	bool result = status == 0 && m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT;

	question_answer(arg, result && m->result->live, result ? m->result->header_revision : 0);
}

void store_typha_verify(struct store *s, void (*fn)(void *arg, bool live, uint64_t revision),
                        void *arg)
{
	struct typha *t = container_of(s, struct typha, base);
	struct question *q = xcalloc(1, sizeof(*q));
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Ping ping = SYNC__V1__PING__INIT;

	q->fn = fn;
	q->arg = arg;
	(void)uv_timer_init(t->base.loop, &q->timer);
	q->timer.data = q;
	ping.has_verify = ping.verify = 1;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_PING;
	m.ping = &ping;
	if (ipc_client_call(t->client, &m.base, t->read_timeout_ms, on_verified, q) < 0)
		(void)uv_timer_start(&q->timer, on_question_lost, 0, 0);
}

/* An upstream that is behind although it is where the datastore is, is not behind. */
static void on_judged(void *arg, bool live, uint64_t revision)
{
	struct typha *t = arg;

	if (t->freed || !t->chain->waiting)
		return;
	if (live && revision < t->chain->known) {
		rewind_all(t);
		return;
	}
	t->chain->left_behind++;
	leave(t);
}

static void on_patience_over(uv_timer_t *h)
{
	struct typha *t = h->data;

	if (t->chain->waiting)
		store_typha_verify(&t->base, on_judged, t);
	else
		leave(t);
}

bool typha_chain_lineage(struct typha *t, char *const *lineage, size_t n)
{
	struct typha_chain *c = t->chain;
	bool loop = false;

	if (!c)
		return true;
	for (size_t i = 0; i < n; i++)
		loop = loop || strcmp(lineage[i], c->instance) == 0;
	if (loop || n >= CHAIN_LINEAGE_MAX) {
		free(c->trouble);
		c->trouble =
		        xasprintf(loop ? "typhad at '%s' is fed by this one: not fed by it"
		                       : "typhad at '%s' is the end of a chain that is too long",
		                  typha_where(t));
		c->loops++;
		log_error("typhads feed each other in a circle", "why=%s", LOG_VIS(c->trouble));
		(void)uv_timer_start(&t->patience, on_patience_over, CHAIN_CIRCLE_MS, 0);
		return false;
	}
	lineage_free(c);
	c->lineage = xcalloc(n ? n : 1, sizeof(*c->lineage));
	for (size_t i = 0; i < n; i++)
		c->lineage[i] = xstrdup(lineage[i]);
	c->n_lineage = n;
	return true;
}

/* ---- the watch */

void typha_chain_ask(const struct typha *t, Sync__V1__Watch *m)
{
	if (!t->chain)
		return;
	m->has_progress = m->progress = 1;
	m->has_min_revision = 1;
	m->min_revision = t->chain->known;
}

void typha_chain_watching(struct typha *t, const Sync__V1__Result *m)
{
	struct typha_chain *c = t->chain;

	if (!c)
		return;
	c->waiting = m->header_revision < c->known;
	if (!c->waiting)
		return;
	free(c->trouble);
	c->trouble = xasprintf("typhad at '%s' is behind: it knows revision %" PRIu64
	                       ", here %" PRIu64 " is known",
	                       typha_where(t), m->header_revision, c->known);
	log_warn("an upstream is behind: waiting for it", "why=%s", LOG_VIS(c->trouble));
	if (t->ops->on_down)
		t->ops->on_down(t->arg, c->trouble);
	(void)uv_timer_start(&t->patience, on_patience_over, t->read_timeout_ms, 0);
}

void typha_chain_snapshot(struct typha *t)
{
	if (!t->chain)
		return;
	(void)uv_timer_stop(&t->patience);
	settled(t->chain);
}

void typha_chain_horizon(struct typha *t, uint64_t revision)
{
	if (!t->chain || !revision)
		return;
	typha_chain_know(t->chain, revision);
	if (t->ops->on_horizon)
		t->ops->on_horizon(t->arg, revision);
}

bool typha_chain_rewinds(struct typha *t, uint64_t revision)
{
	if (!t->chain || revision >= t->chain->told)
		return false;
	rewind_all(t);
	return true;
}

void typha_chain_told(struct typha *t, uint64_t revision)
{
	if (!t->chain || t->freed)
		return;
	typha_chain_know(t->chain, revision);
	if (revision > t->chain->told)
		t->chain->told = revision;
	if (t->ops->on_revision)
		t->ops->on_revision(t->arg, t->chain->told);
	typha_calls_told(t);
}
