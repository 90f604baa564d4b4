/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/page.h"

#include <string.h>

#include "common/base/mem.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define GROW_BELOW (PAGE_RAW / 4)

void pages_init(struct pages *p, struct cache *cache, const struct frame_codec *codec)
{
	*p = (struct pages){ .cache = cache, .codec = codec };
}

static void page_drop(struct pages *p, struct page *page)
{
	if (page->frame)
		p->bytes -= page->frame->len;
	ipc_frame_unref(page->frame);
	page->frame = NULL;
}

void pages_done(struct pages *p)
{
	for (size_t i = 0; i < p->n_classes; i++) {
		for (size_t k = 0; k < p->classes[i].n; k++)
			page_drop(p, &p->classes[i].pages[k]);
		free(p->classes[i].pages);
	}
	for (size_t i = 0; i < PAGE_TAILS; i++)
		page_drop(p, &p->tails[i]);
	*p = (struct pages){ 0 };
}

/* ---- packing */

/* As they are: to a stream, frames are bytes. */
static struct ipc_frame *frames_of(const struct buf *raw)
{
	struct ipc_frame *f = xcalloc(1, sizeof(*f) + raw->len);

	f->refs = 1;
	f->shared = true;
	f->len = raw->len;
	memcpy(f->data, raw->data, raw->len);
	return f;
}

static struct ipc_frame *frame_of(struct pages *p, const struct buf *raw)
{
	CLEANUP(buf_done) struct buf small = { 0 };
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Compressed compressed = SYNC__V1__COMPRESSED__INIT;
	struct ipc_frame *f;

	if (p->codec->pack(raw->data, raw->len, &small) < 0)
		return frames_of(raw);
	compressed.has_raw_size = compressed.has_frames = 1;
	compressed.raw_size = (uint32_t)raw->len;
	compressed.frames = (ProtobufCBinaryData){ small.len, small.data };
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_COMPRESSED;
	m.compressed = &compressed;
	f = ipc_frame_pack(&m.base); /* PAGE_RAW_MAX is far below a frame's limit */
	f->shared = true;
	p->raw += raw->len;
	p->small += f->len;
	return f;
}

/*
 * Packs what there is behind page->after, up to limit and to about PAGE_RAW bytes; page->upto
 * becomes where it ends. Returns the bytes before packing. One object alone goes as it is: packed
 * it would hardly be smaller.
 */
static size_t page_pack(struct pages *p, struct page *page, uint64_t limit)
{
	CLEANUP(buf_done) struct buf raw = { 0 };
	struct ipc_frame *first = NULL;
	const struct cache_object *o;
	uint64_t at = page->after;
	size_t len = 0;

	page_drop(p, page);
	page->objects = 0;
	page->stale = false;
	for (; len < PAGE_RAW; at = o->seq) {
		o = cache_next(p->cache, at, page->kinds);
		if (!o || o->seq > limit) {
			at = limit;
			break;
		}
		if (len && len + o->frame->len > PAGE_RAW_MAX)
			break;
		if (page->objects++ == 0)
			first = o->frame;
		else if (page->objects == 2)
			buf_add(&raw, first->data, first->len);
		if (page->objects > 1)
			buf_add(&raw, o->frame->data, o->frame->len);
		len += o->frame->len;
	}
	page->upto = at;
	if (page->objects > 1)
		page->frame = frame_of(p, &raw);
	else if (page->objects == 1)
		page->frame = ipc_frame_ref(first);
	if (page->frame)
		p->bytes += page->frame->len;
	p->packed += page->objects > 0;
	return len;
}

/* ---- the pages of a class */

static struct page_class *class_of(struct pages *p, uint64_t kinds)
{
	for (size_t i = 0; i < p->n_classes; i++)
		if (p->classes[i].kinds == kinds)
			return &p->classes[i];
	if (p->n_classes == PAGE_CLASSES)
		return NULL;
	p->classes[p->n_classes] = (struct page_class){ .kinds = kinds };
	return &p->classes[p->n_classes++];
}

/* Index of the first page whose stretch ends behind seq. */
static size_t page_behind(const struct page_class *c, uint64_t seq)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->pages[mid].upto > seq)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static void page_insert(struct page_class *c, size_t i, struct page page)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 16;
		c->pages = xrealloc(c->pages, c->cap * sizeof(*c->pages));
	}
	memmove(c->pages + i + 1, c->pages + i, (c->n - i) * sizeof(*c->pages));
	c->pages[i] = page;
	c->n++;
}

static void page_remove(struct pages *p, struct page_class *c, size_t i)
{
	page_drop(p, &c->pages[i]);
	c->n--;
	memmove(c->pages + i, c->pages + i + 1, (c->n - i) * sizeof(*c->pages));
}

/* A stale page. What has become small takes in the next, and with it that one's stretch. */
static void page_refresh(struct pages *p, struct page_class *c, size_t i)
{
	for (;;) {
		struct page *page = &c->pages[i];
		uint64_t limit = page->upto;
		size_t len = page_pack(p, page, limit);

		if (page->upto < limit) { /* objects have grown: the rest is a page of its own */
			page_insert(c, i + 1,
			            (struct page){ .kinds = c->kinds,
			                           .after = page->upto,
			                           .upto = limit,
			                           .stale = true });
			return;
		}
		if (len >= GROW_BELOW || i + 1 == c->n || c->pages[i + 1].after != limit)
			return;
		limit = c->pages[i + 1].upto;
		page_remove(p, c, i + 1);
		c->pages[i].upto = limit;
	}
}

/* ---- what is given out */

static const struct page *tail_find(const struct pages *p, uint64_t kinds, uint64_t after)
{
	for (size_t i = 0; i < PAGE_TAILS; i++)
		if (p->tails[i].frame && p->tails[i].kinds == kinds && p->tails[i].after == after)
			return &p->tails[i];
	return NULL;
}

/* What is behind after, up to limit, where there is no page. It becomes one when it is large
 * enough, or when it fills the space before the next one: c->pages[i]. */
static const struct page *tail_pack(struct pages *p, struct page_class *c, size_t i, uint64_t kinds,
                                    uint64_t after, uint64_t limit)
{
	struct page page = { .kinds = kinds, .after = after };
	size_t len = page_pack(p, &page, limit);
	struct page *t;

	if (c && (len >= PAGE_RAW || i < c->n)) {
		page_insert(c, i, page);
		return &c->pages[i];
	}
	t = &p->tails[p->next_tail++ % PAGE_TAILS];
	page_drop(p, t);
	*t = page;
	return t;
}

struct ipc_frame *pages_next(struct pages *p, uint64_t kinds, uint64_t after, uint64_t *ret_upto,
                             unsigned *ret_objects)
{
	struct page_class *c = class_of(p, kinds);
	uint64_t end = p->cache->seq;

	while (after < end) {
		size_t i = c ? page_behind(c, after) : 0;
		bool before = c && i < c->n; /* a page, or what lies before it */
		const struct page *found = tail_find(p, kinds, after);

		if (before && c->pages[i].after == after) {
			if (c->pages[i].stale)
				page_refresh(p, c, i);
			else
				p->shared++;
			found = &c->pages[i];
		} else if (found) { /* what has come behind it meanwhile comes with the next one */
			p->shared++;
		} else if (before && c->pages[i].after < after) { /* from amidst a page */
			found = tail_pack(p, NULL, 0, kinds, after, c->pages[i].upto);
		} else {
			found = tail_pack(p, c, i, kinds, after, before ? c->pages[i].after : end);
		}
		if (found->frame) {
			*ret_upto = found->upto;
			*ret_objects = found->objects;
			return found->frame;
		}
		after = found->upto;
	}
	*ret_upto = end;
	*ret_objects = 0;
	return NULL;
}

void pages_left(void *pages, uint64_t seq, uint16_t kind)
{
	struct pages *p = pages;
	uint64_t bit = CACHE_KIND_BIT(kind);

	for (size_t k = 0; k < p->n_classes; k++) {
		struct page_class *c = &p->classes[k];
		size_t i = page_behind(c, seq - 1);

		if ((c->kinds & bit) && i < c->n && c->pages[i].after < seq) {
			page_drop(p, &c->pages[i]);
			c->pages[i].stale = true;
		}
	}
	for (size_t i = 0; i < PAGE_TAILS; i++) {
		struct page *t = &p->tails[i];

		if ((t->kinds & bit) && t->after < seq && seq <= t->upto)
			page_drop(p, t);
	}
}
