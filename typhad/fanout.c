/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/fanout.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/http/summary.h"
#include "common/loop/server.h"
#include "common/store/sync.h"
#include "proto/typhad_sync_v1.pb-c.h"

static void on_turn(uv_idle_t *h);

void fanout_init(struct fanout *f, uv_loop_t *loop, struct cache *cache)
{
	*f = (struct fanout){ .cache = cache };
	list_init(&f->watchers);
	(void)uv_idle_init(loop, &f->idle);
	f->idle.data = f;
	pages_init(&f->pages, cache, &codec_zstd);
	cache->left = pages_left;
	cache->left_arg = &f->pages;
	f->open = true;
}

static void lineage_free(struct fanout *f)
{
	for (size_t i = 0; i < f->n_lineage; i++)
		free(f->lineage[i]);
	free(f->lineage);
	f->lineage = NULL;
	f->n_lineage = 0;
}

void fanout_close(struct fanout *f, uv_close_cb cb)
{
	if (!f->open)
		return;
	f->open = false;
	lineage_free(f);
	f->cache->left = NULL;
	pages_done(&f->pages);
	uv_close((uv_handle_t *)&f->idle, cb);
}

/* When full, every other mark of the older half goes: what it stood for counts as older. */
static void mark_changes(struct fanout *f)
{
	if (f->marked == f->cache->seq)
		return;
	if (f->n_marks == FANOUT_MARKS) {
		const size_t half = FANOUT_MARKS / 2, kept = half / 2;

		for (size_t i = 1; i < kept; i++)
			f->marks[i] = f->marks[2 * i];
		memmove(&f->marks[kept], &f->marks[half], half * sizeof(*f->marks));
		f->n_marks = kept + half;
	}
	f->marks[f->n_marks++] = (struct fanout_mark){ f->marked, uv_hrtime() };
	f->marked = f->cache->seq;
}

/* When the first change after `told` came. There is one. */
static uint64_t changed_at(const struct fanout *f, uint64_t told)
{
	size_t low = 0, high = f->n_marks;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (f->marks[mid].seq <= told)
			low = mid;
		else
			high = mid;
	}
	return f->n_marks ? f->marks[low].ns : uv_hrtime();
}

void fanout_changed(struct fanout *f)
{
	mark_changes(f);
	if (f->open && f->n)
		(void)uv_idle_start(&f->idle, on_turn);
	else if (!f->n) /* nobody to tell: nothing to remember */
		cache_prune(f->cache, f->cache->seq, 0);
}

static void measure(struct summary *s, uint64_t since_ns)
{
	if (s)
		summary_observe(s, (double)(uv_hrtime() - since_ns) / 1e9, mono_now());
}

/* As all that sends here: after an error the peer is being closed, and w goes with it. */
static int snapshot_start(struct fanout *f, struct watcher *w)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__SnapshotStart start = SYNC__V1__SNAPSHOT_START__INIT;

	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_SNAPSHOT_START;
	m.snapshot_start = &start;
	w->told = 0;
	w->start = f->cache->seq;
	w->in_snapshot = true;
	w->snapshot_ns = uv_hrtime();
	w->snapshots++;
	f->snapshots++;
	return ipc_peer_send(w->peer, &m.base);
}

static int snapshot_end(struct fanout *f, struct watcher *w)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__InSync in_sync = SYNC__V1__IN_SYNC__INIT;

	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC;
	m.in_sync = &in_sync;
	in_sync.has_header_revision = 1;
	in_sync.header_revision = f->cache->revision;
	w->in_snapshot = false;
	measure(w->snapshot_sec, w->snapshot_ns);
	w->progress_told = f->cache->revision;
	return ipc_peer_send(w->peer, &m.base);
}

/* For who feeds others: how far what it has been told is complete, and by whom it is fed. */
static int progress_send(struct fanout *f, struct watcher *w)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Progress progress = SYNC__V1__PROGRESS__INIT;

	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_PROGRESS;
	m.progress = &progress;
	progress.has_revision = 1;
	progress.revision = w->progress_told = f->cache->revision;
	if (w->lineage_told != f->lineage_version) {
		progress.lineage = f->lineage;
		progress.n_lineage = f->n_lineage;
		w->lineage_told = f->lineage_version;
	}
	return ipc_peer_send(w->peer, &m.base);
}

void fanout_add(struct fanout *f, struct watcher *w)
{
	list_push_back(&f->watchers, &w->node);
	f->n++;
	w->lineage_told = f->lineage_version; /* Hello had it */
	w->waiting = w->min_revision > f->cache->revision;
	if (w->waiting)
		w->told = f->cache->seq; /* keeps no tombstones: it begins with a snapshot */
	else
		(void)snapshot_start(f, w);
	fanout_changed(f);
}

void fanout_set_lineage(struct fanout *f, const char *own, char *const *behind, size_t n)
{
	bool same = f->n_lineage == n + 1;

	for (size_t i = 0; same && i < n; i++)
		same = strcmp(f->lineage[i + 1], behind[i]) == 0;
	if (same)
		return;
	lineage_free(f);
	f->lineage = xcalloc(n + 1, sizeof(*f->lineage));
	f->lineage[0] = xstrdup(own);
	for (size_t i = 0; i < n; i++)
		f->lineage[i + 1] = xstrdup(behind[i]);
	f->n_lineage = n + 1;
	f->lineage_version++;
	fanout_changed(f);
}

void fanout_remove(struct fanout *f, struct watcher *w)
{
	if (list_empty(&w->node))
		return;
	list_unlink(&w->node);
	f->n--;
	fanout_changed(f); /* it may have been the one for whom tombstones were kept */
}

void fanout_slow(struct fanout *f, struct watcher *w)
{
	if (w->slow)
		return;
	w->slow = true;
	w->stalls++;
	f->stalls++;
}

void fanout_drained(struct fanout *f, struct watcher *w)
{
	w->slow = false;
	fanout_changed(f);
}

/* After a failure the peer is being closed, which removes w in a moment. */
static bool give(struct fanout *f, struct watcher *w, struct ipc_frame *frame, unsigned updates)
{
	w->updates += updates;
	f->sent += updates;
	return ipc_peer_send_frame(w->peer, frame) >= 0;
}

static bool concerns(const struct watcher *w, const struct cache_object *o)
{
	if (o->deleted && w->in_snapshot && o->seq <= w->start)
		return false; /* it has never heard of it */
	return !(w->own & CACHE_KIND_BIT(o->kind)) || sync_object_is_of(cache_name(o), w->host);
}

/* The next change for w, or nothing but a step. Returns bytes; 0 with w->told at the end: that was
 * all; -1: w is being closed. */
static ssize_t serve_one(struct fanout *f, struct watcher *w, size_t *place)
{
	const struct cache_object *o = cache_walk(f->cache, place, w->kinds);

	if (!o) {
		w->told = f->cache->seq;
		return 0;
	}
	w->told = o->seq;
	if (!concerns(w, o))
		return 0;
	return give(f, w, o->frame, 1) ? (ssize_t)o->frame->len : -1;
}

/* Likewise, many at once. What only its node is told of comes by itself, the rest is for all of its
 * kind. */
static ssize_t serve_page(struct fanout *f, struct watcher *w)
{
	uint64_t at = w->told, upto;
	unsigned objects;
	struct ipc_frame *page =
	        pages_next(&f->pages, w->kinds & ~w->own, w->told, &upto, &objects);
	ssize_t bytes = page ? (ssize_t)page->len : 0;

	if (page && !give(f, w, page, objects))
		return -1;
	while (w->own) {
		const struct cache_object *o = cache_next(f->cache, at, w->kinds & w->own);

		if (!o || o->seq > upto)
			break;
		at = o->seq;
		if (!concerns(w, o))
			continue;
		if (!give(f, w, o->frame, 1))
			return -1;
		bytes += (ssize_t)o->frame->len;
	}
	w->told = upto;
	return bytes;
}

/* Queues up to a slice for w. false: there is more for it, and it could take it. */
static bool slice_serve(struct fanout *f, struct watcher *w)
{
	size_t bytes = 0, place;

	if (w->waiting) {
		w->told = f->cache->seq;
		if (w->min_revision > f->cache->revision)
			return true;
		w->waiting = false;
		if (snapshot_start(f, w) < 0)
			return true;
	}
	if (w->told < f->cache->floor && w->start < f->cache->floor) {
		/* What it has been told of may have gone, and the tombstone with it. */
		f->restarts++;
		if (snapshot_start(f, w) < 0)
			return true;
	}
	place = cache_place(f->cache, w->told);
	for (unsigned steps = 0; !w->slow && bytes < FANOUT_SLICE; steps++) {
		ssize_t n;

		if (steps == FANOUT_STEPS)
			return false; /* much that does not concern it: the others wait */
		if (w->told == f->cache->seq) {
			if (w->in_snapshot)
				(void)snapshot_end(f, w);
			else if (w->progress && (w->progress_told != f->cache->revision ||
			                         w->lineage_told != f->lineage_version))
				(void)progress_send(f, w);
			return true;
		}
		n = w->packed ? serve_page(f, w) : serve_one(f, w, &place);
		if (n < 0)
			return true;
		bytes += (size_t)n;
	}
	return w->slow;
}

/* Likewise; how old the oldest change was that the slice told of is measured. */
static bool watcher_serve(struct fanout *f, struct watcher *w)
{
	bool live = !w->in_snapshot && !w->waiting && w->told < f->cache->seq;
	uint64_t since = live ? changed_at(f, w->told) : 0;
	uint64_t told = w->told, snapshots = w->snapshots;
	bool done = slice_serve(f, w);

	if (live && w->snapshots == snapshots && w->told > told)
		measure(w->latency_sec, since);
	return done;
}

static void tombstones_prune(struct fanout *f)
{
	uint64_t told = f->cache->seq;

	if (!f->cache->tombstones)
		return;
	list_for_each (it, &f->watchers) {
		const struct watcher *w = list_entry(it, struct watcher, node);

		if (w->told < told)
			told = w->told;
	}
	cache_prune(f->cache, told, FANOUT_TOMBSTONES_MAX);
}

static void on_turn(uv_idle_t *h)
{
	struct fanout *f = h->data;
	uint64_t end = uv_hrtime() + FANOUT_BUDGET_NS;
	bool more = false;
	size_t n = f->n;

	f->turns++;
	/* Each watcher once; who was served goes to the end, so that a budget that runs out is
	 * fair. */
	for (size_t i = 0; i < n && !list_empty(&f->watchers); i++) {
		struct watcher *w = list_entry(f->watchers.next, struct watcher, node);

		if (i % 16 == 15 && uv_hrtime() > end) {
			more = true;
			break;
		}
		list_unlink(&w->node);
		list_push_back(&f->watchers, &w->node);
		if (!w->slow && !watcher_serve(f, w))
			more = true;
	}
	tombstones_prune(f);
	if (more)
		return;
	(void)uv_idle_stop(h);
}
