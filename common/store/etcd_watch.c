/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_watch.h"

#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/store/seen.h"

#define WATCH_PATH "/etcdserverpb.Watch/Watch"
#define RETRY_MS 500u    /* after a refusal */
#define SETTLE_MS 500u   /* a server catches up with history every 100 ms */
#define QUIET_MS 60000u  /* a stream that silent is asked whether it lives */
#define ANSWER_MS 10000u /* ... and has this long to say so */
#define PROGRESS_ID (-1) /* the watch_id of answers to a progress request */

enum watch_state {
	WATCH_IDLE,     /* no connection, or a retry is due */
	WATCH_SNAPSHOT, /* a page has been asked for */
	WATCH_CHECK,    /* the datastore's identity and revision have been asked for */
	WATCH_OPENING,  /* the stream is there, the watch not yet */
	WATCH_BEHIND,   /* what we missed is coming */
	WATCH_LIVE,
};

struct etcd_watch {
	struct etcd_client *client;
	struct etcd_feed feed;
	enum watch_state state;
	uv_timer_t timer;
	bool closed;
	bool in_sync;     /* as last told */
	uint64_t cluster; /* the identity of the datastore that delivered is of; 0: none yet */
	struct etcd_call *call; /* a question under way */
	uint64_t target;        /* WATCH_BEHIND: in sync from this revision on */
	uint64_t snapshot;      /* the revision of the snapshot being read; 0: of none yet */
	struct buf after;       /* the last key of it */
	int64_t page_keys;
	struct grpc_call *stream;
	bool asked;     /* a progress request is unanswered */
	uint64_t heard; /* loop time in ms of the stream's last message */
	uint64_t resyncs;
	void (*progress)(void *arg);
	void *progress_arg;
};

static void begin(struct etcd_watch *w);
static void page_ask(struct etcd_watch *w);
static void on_timer(uv_timer_t *timer);

static void timer_in(struct etcd_watch *w, uint64_t ms)
{
	(void)uv_timer_start(&w->timer, on_timer, ms, 0);
}

/* ---- what the watcher is told of the state */

static void told_in_sync(struct etcd_watch *w)
{
	if (w->in_sync)
		return;
	w->in_sync = true;
	w->feed.ops->on_in_sync(w->feed.arg);
}

/* Everything up to feed.delivered; then answers that waited for it. */
static void told_more(struct etcd_watch *w)
{
	if (w->feed.ops->on_revision)
		w->feed.ops->on_revision(w->feed.arg, w->feed.delivered);
	if (!w->closed)
		w->progress(w->progress_arg);
}

static void told_down(struct etcd_watch *w, const char *why)
{
	if (!w->in_sync)
		return;
	w->in_sync = false;
	if (w->feed.ops->on_down)
		w->feed.ops->on_down(w->feed.arg, why);
}

/* ---- questions */

static void ask(struct etcd_watch *w, const Etcd__RangeRequest *m, etcd_reply_fn *fn)
{
	w->call = etcd_client_call(w->client, &etcd_range, &m->base, fn, w);
}

/* ---- the stream */

static void stream_end(struct etcd_watch *w)
{
	grpc_call_cancel(w->stream);
	w->stream = NULL;
	w->asked = false;
	etcd_call_cancel(w->call);
	w->call = NULL;
	etcd_feed_interrupted(&w->feed);
	w->state = WATCH_IDLE;
	(void)uv_timer_stop(&w->timer);
}

static void retry_later(struct etcd_watch *w, const char *why)
{
	static struct log_limit limit = LOG_LIMIT_INIT(3, 30000);
	unsigned suppressed;

	if (log_limit_pass(&limit, &suppressed))
		log_warn("etcd watch: trying again", "why=%s suppressed=%u", LOG_VIS(why),
		         suppressed);
	stream_end(w);
	told_down(w, why);
	if (!w->closed)
		timer_in(w, RETRY_MS);
}

static void stream_send(struct etcd_watch *w, const Etcd__WatchRequest *m)
{
	CLEANUP(buf_done) struct buf packed = { 0 };

	msg_pack(&m->base, &packed);
	grpc_call_send(w->stream, packed.data, packed.len, false);
}

static void progress_ask(struct etcd_watch *w)
{
	Etcd__WatchProgressRequest progress = ETCD__WATCH_PROGRESS_REQUEST__INIT;
	Etcd__WatchRequest m = ETCD__WATCH_REQUEST__INIT;

	m.request_case = ETCD__WATCH_REQUEST__REQUEST_PROGRESS;
	m.progress = &progress;
	w->asked = true;
	stream_send(w, &m);
	timer_in(w, ANSWER_MS);
}

static void live(struct etcd_watch *w)
{
	w->state = WATCH_LIVE;
	timer_in(w, QUIET_MS);
	told_in_sync(w);
}

static void snapshot_anew(struct etcd_watch *w, const char *why)
{
	w->resyncs++;
	log_info("etcd watch: reading everything anew", "why=%s", LOG_VIS(why));
	stream_end(w);
	w->feed.delivered = 0;
	told_down(w, why);
	if (!w->closed)
		begin(w);
}

static void on_canceled(struct etcd_watch *w, const Etcd__WatchResponse *m)
{
	CLEANUP(free_p) char *why = xasprintf("etcd has ended the watch: %s", m->cancel_reason);

	if (m->compact_revision > 0 || strstr(m->cancel_reason, ETCD_COMPACTED)) {
		snapshot_anew(w, "mvcc: " ETCD_COMPACTED);
		return;
	}
	if (strstr(m->cancel_reason, "permission denied") || strstr(m->cancel_reason, "auth token"))
		etcd_client_new_token(w->client); /* what is refused may be an old token */
	retry_later(w, why);
}

static void on_created(struct etcd_watch *w)
{
	w->state = WATCH_BEHIND;
	timer_in(w, SETTLE_MS);
}

static void on_message(void *arg, const void *data, size_t len)
{
	struct etcd_watch *w = arg;
	uint64_t before = w->feed.delivered;
	Etcd__WatchResponse *m =
	        (Etcd__WatchResponse *)msg_unpack(&etcd__watch_response__descriptor, data, len);
	bool of_progress = m && m->watch_id == PROGRESS_ID && m->n_events == 0;

	if (!m) {
		retry_later(w, "etcd's answer cannot be read");
		return;
	}
	w->heard = uv_now(w->timer.loop);
	if (m->canceled) {
		on_canceled(w, m);
	} else if (m->created) {
		on_created(w);
	} else if (of_progress) {
		w->asked = false;
		if (w->state == WATCH_BEHIND)
			live(w); /* asked for when the server has long caught up */
		else
			timer_in(w, QUIET_MS);
	} else if (m->n_events) {
		etcd_feed_events(&w->feed, m);
	} else if (m->header && w->feed.n_held == 0 &&
	           (uint64_t)m->header->revision > w->feed.delivered) {
		/* The server's own progress notification comes in order. */
		w->feed.delivered = (uint64_t)m->header->revision;
	}
	msg_free(&m->base);
	if (!w->closed && w->feed.delivered > before)
		told_more(w);
	if (!w->closed && w->state == WATCH_BEHIND && w->feed.delivered >= w->target)
		live(w);
}

static void on_end(void *arg, const struct grpc_status *s)
{
	struct etcd_watch *w = arg;
	char why[300];

	(void)snprintf(why, sizeof(why), "the watch has ended: %s", s->text);
	w->stream = NULL;
	if (s->code == GRPC_UNAUTHENTICATED)
		etcd_client_new_token(w->client);
	retry_later(w, why);
	/* A member without a leader, or one that is stopping, is of no use to anybody. When the
	 * connection is gone, this does nothing. */
	if (!w->closed && s->said && s->code == GRPC_UNAVAILABLE)
		etcd_client_next(w->client, s->text);
}

static const struct grpc_ops stream_ops = { .on_message = on_message, .on_end = on_end };

static void stream_open(struct etcd_watch *w, uint64_t target)
{
	Etcd__WatchCreateRequest create = ETCD__WATCH_CREATE_REQUEST__INIT;
	Etcd__WatchRequest m = ETCD__WATCH_REQUEST__INIT;

	w->stream = etcd_client_stream(w->client, WATCH_PATH, &stream_ops, w);
	if (!w->stream) {
		retry_later(w, "there is no connection to etcd");
		return;
	}
	m.request_case = ETCD__WATCH_REQUEST__REQUEST_CREATE;
	m.create = &create;
	create.key = etcd_bytes(ETCD_ROOT);
	create.range_end = etcd_bytes(ETCD_ROOT_END);
	create.start_revision = (int64_t)w->feed.delivered + 1;
	create.progress_notify = true;
	create.fragment = true;
	w->target = target;
	w->state = WATCH_OPENING;
	w->heard = uv_now(w->timer.loop);
	stream_send(w, &m);
	timer_in(w, ANSWER_MS);
}

/* ---- the snapshot */

static void page_take(struct etcd_watch *w, const Etcd__RangeResponse *m)
{
	const Etcd__KeyValue *last = m->n_kvs ? m->kvs[m->n_kvs - 1] : NULL;

	if (!w->snapshot) {
		w->snapshot = (uint64_t)m->header->revision;
		w->cluster = m->header->cluster_id;
	}
	for (size_t i = 0; i < m->n_kvs; i++)
		etcd_feed_item(&w->feed, m->kvs[i]);
	if (w->closed)
		return;
	if (m->more && last) {
		buf_clear(&w->after);
		buf_add(&w->after, last->key.data, last->key.len);
		page_ask(w);
		return;
	}
	etcd_feed_snapshot_end(&w->feed, w->snapshot);
	if (w->closed)
		return;
	told_in_sync(w);
	if (w->closed)
		return;
	told_more(w);
	if (!w->closed)
		stream_open(w, 0);
}

static void on_page(void *arg, const struct etcd_reply *r)
{
	struct etcd_watch *w = arg;

	w->call = NULL;
	if (r->msg && ((const Etcd__RangeResponse *)r->msg)->header) {
		page_take(w, (const Etcd__RangeResponse *)r->msg);
	} else if (r->too_large && w->page_keys > 1) {
		w->page_keys /= 2;
		page_ask(w);
	} else if (!r->msg && strstr(r->text, ETCD_COMPACTED)) {
		begin(w); /* of what is now */
	} else {
		retry_later(w, r->msg ? "etcd's answer has no header" : r->text);
	}
}

static void page_ask(struct etcd_watch *w)
{
	Etcd__RangeRequest m = ETCD__RANGE_REQUEST__INIT;
	CLEANUP(buf_done) struct buf from = { 0 };

	if (w->after.len) { /* the first key behind it */
		buf_add(&from, w->after.data, w->after.len);
		buf_byte(&from, 0);
	} else {
		buf_str(&from, ETCD_ROOT);
	}
	m.key = (ProtobufCBinaryData){ from.len, from.data };
	m.range_end = etcd_bytes(ETCD_ROOT_END);
	m.limit = w->page_keys;
	m.revision = (int64_t)w->snapshot;
	ask(w, &m, on_page);
}

static void snapshot_begin(struct etcd_watch *w)
{
	w->state = WATCH_SNAPSHOT;
	w->snapshot = 0;
	buf_clear(&w->after);
	etcd_feed_snapshot(&w->feed);
	if (!w->closed)
		page_ask(w);
}

/* ---- going on */

static void on_check(void *arg, const struct etcd_reply *r)
{
	struct etcd_watch *w = arg;
	const Etcd__RangeResponse *m = (const Etcd__RangeResponse *)r->msg;

	w->call = NULL;
	if (!m || !m->header) {
		retry_later(w, m ? "etcd's answer has no header" : r->text);
	} else if (m->header->cluster_id != w->cluster ||
	           (uint64_t)m->header->revision < w->feed.delivered) {
		etcd_feed_distrust(&w->feed);
		snapshot_anew(w, "the datastore is another one, or was restored from a backup");
	} else {
		stream_open(w, (uint64_t)m->header->revision);
	}
}

/* A read that no member answers from an old copy. */
static void check(struct etcd_watch *w)
{
	Etcd__RangeRequest m = ETCD__RANGE_REQUEST__INIT;

	m.key = etcd_bytes(ETCD_ROOT);
	m.keys_only = true;
	w->state = WATCH_CHECK;
	ask(w, &m, on_check);
}

static void begin(struct etcd_watch *w)
{
	if (w->feed.delivered)
		check(w);
	else
		snapshot_begin(w);
}

static void on_timer(uv_timer_t *timer)
{
	struct etcd_watch *w = timer->data;
	uint64_t quiet = uv_now(timer->loop) - w->heard;

	switch (w->state) {
	case WATCH_IDLE:
		if (etcd_client_up(w->client))
			begin(w);
		break;
	case WATCH_SNAPSHOT:
	case WATCH_CHECK:
		break; /* calls have deadlines of their own */
	case WATCH_OPENING:
		etcd_watch_restart(w, "etcd does not begin the watch");
		break;
	case WATCH_BEHIND:
	case WATCH_LIVE:
		if (w->state == WATCH_LIVE && !w->asked && quiet < QUIET_MS)
			timer_in(w, QUIET_MS - quiet);
		else if (w->asked && quiet >= ANSWER_MS)
			etcd_watch_restart(w, "the watch gives no sign of life");
		else
			progress_ask(w);
		break;
	}
}

/* ---- the interface */

void etcd_watch_restart(struct etcd_watch *w, const char *why)
{
	log_info("etcd watch: begun anew", "why=%s", LOG_VIS(why));
	stream_end(w);
	told_down(w, why);
	if (!w->closed && etcd_client_up(w->client))
		begin(w);
}

void etcd_watch_on_up(struct etcd_watch *w)
{
	if (w->state == WATCH_IDLE)
		begin(w);
}

void etcd_watch_on_down(struct etcd_watch *w, const char *why)
{
	stream_end(w);
	told_down(w, why);
}

uint64_t etcd_watch_delivered(const struct etcd_watch *w)
{
	return w->feed.delivered;
}

bool etcd_watch_is_live(const struct etcd_watch *w)
{
	return w->state == WATCH_LIVE;
}

bool etcd_watch_has(const struct etcd_watch *w, model_kind kind)
{
	return w->feed.kinds & ETCD_KIND_BIT(kind);
}

const struct etcd_feed *etcd_watch_feed(const struct etcd_watch *w)
{
	return &w->feed;
}

uint64_t etcd_watch_resyncs(const struct etcd_watch *w)
{
	return w->resyncs;
}

void etcd_watch_use(struct etcd_watch *w, const struct store_memory *memory)
{
	seen_use(w->feed.seen, memory, w->feed.arg);
}

struct etcd_watch *etcd_watch_new(uv_loop_t *loop, struct etcd_client *c, const model_kind *kinds,
                                  size_t n, const struct store_watch_ops *ops, void *arg,
                                  void (*progress)(void *arg), void *progress_arg)
{
	struct etcd_watch *w = xcalloc(1, sizeof(*w));

	w->client = c;
	w->page_keys = ETCD_PAGE_KEYS;
	w->progress = progress;
	w->progress_arg = progress_arg;
	etcd_feed_init(&w->feed, kinds, n, ops, arg);
	if (uv_timer_init(loop, &w->timer) != 0)
		abort(); /* cannot fail */
	w->timer.data = w;
	/* Not before this call returns. */
	timer_in(w, 0);
	return w;
}

static void on_closed(uv_handle_t *handle)
{
	struct etcd_watch *w = handle->data;

	etcd_feed_done(&w->feed);
	buf_done(&w->after);
	free(w);
}

void etcd_watch_free(struct etcd_watch *w)
{
	if (!w || w->closed)
		return;
	w->closed = true;
	w->feed.closed = true;
	grpc_call_cancel(w->stream);
	etcd_call_cancel(w->call);
	uv_close((uv_handle_t *)&w->timer, on_closed);
}
