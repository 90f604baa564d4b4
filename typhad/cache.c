/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/cache.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define SLOTS_MIN 64u

void cache_init(struct cache *c)
{
	*c = (struct cache){ 0 };
}

static void object_free(struct cache *c, struct cache_object *o)
{
	c->bytes -= o->frame->len;
	ipc_frame_unref(o->frame);
	free(o);
}

void cache_done(struct cache *c)
{
	hmap_for_each (o, &c->objects, struct cache_object, node)
		object_free(c, o);
	hmap_done(&c->objects);
	free(c->slots);
	free(c->dead);
	*c = (struct cache){ 0 };
}

size_t cache_count(const struct cache *c)
{
	return c->objects.n - c->tombstones;
}

unsigned cache_count_kind(const struct cache *c, model_kind kind)
{
	return (unsigned)kind < ARRAY_SIZE(c->n_of) ? c->n_of[(unsigned)kind] : 0;
}

static void count_kind(struct cache *c, const struct cache_object *o, bool added)
{
	if (o->kind < ARRAY_SIZE(c->n_of))
		c->n_of[o->kind] += added ? 1u : (uint32_t)-1;
}

/* ---- what a frame says */

/* What stands in front of the body, of a frame that frame_pack() has made. Not terminated. */
struct identity {
	const char *ns, *name; /* ns: NULL: none */
	uint32_t ns_len, name_len;
	uint64_t revision;
};

/* A varint of our own making. */
static uint64_t varint(const uint8_t **at)
{
	uint64_t v = 0;

	for (unsigned shift = 0;; shift += 7) {
		uint8_t b = *(*at)++;

		v |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
}

enum {
	TAG_KIND = 1 << 3,
	TAG_NS = 2 << 3 | 2,
	TAG_NAME = 3 << 3 | 2,
	TAG_REVISION = 4 << 3
};

static struct identity identity_of(const struct ipc_frame *f)
{
	const uint8_t *at = f->data + IPC_FRAME_HEADER + 1;
	struct identity id = { 0 };

	(void)varint(&at); /* FromTyphad.update */
	at++;
	(void)varint(&at); /* UpdateEvent.resource */
	assert(*at == TAG_KIND);
	at++;
	(void)varint(&at);
	if (*at == TAG_NS) {
		at++;
		id.ns_len = (uint32_t)varint(&at);
		id.ns = (const char *)at;
		at += id.ns_len;
	}
	assert(*at == TAG_NAME);
	at++;
	id.name_len = (uint32_t)varint(&at);
	id.name = (const char *)at;
	at += id.name_len;
	if (at < f->data + f->len && *at == TAG_REVISION) {
		at++;
		id.revision = varint(&at);
	}
	return id;
}

static const char *terminated(char **buffer, const char *text, size_t len)
{
	*buffer = xrealloc(*buffer, len + 1);
	memcpy(*buffer, text, len);
	(*buffer)[len] = '\0';
	return *buffer;
}

const char *cache_ns(const struct cache_object *o)
{
	static char *buffer;
	struct identity id = identity_of(o->frame);

	return id.ns_len ? terminated(&buffer, id.ns, id.ns_len) : NULL;
}

const char *cache_name(const struct cache_object *o)
{
	static char *buffer;
	struct identity id = identity_of(o->frame);

	return terminated(&buffer, id.name, id.name_len);
}

uint64_t cache_revision(const struct cache_object *o)
{
	return o->deleted ? 0 : identity_of(o->frame).revision;
}

const uint8_t *cache_body(const struct cache_object *o)
{
	return o->frame->data + o->frame->len - o->body_len;
}

static uint32_t id_hash(model_kind kind, const char *ns, const char *name)
{
	return hash_mix(hash_mix(hash_str(name), hash_str(ns ? ns : "")), (uint32_t)kind);
}

/* Absent and empty are the same. */
static bool text_is(const char *text, uint32_t len, const char *wanted, size_t wanted_len)
{
	return len == wanted_len && (len == 0 || memcmp(text, wanted, len) == 0);
}

static struct cache_object *object_find(const struct cache *c, model_kind kind, const char *ns,
                                        const char *name, uint32_t hash)
{
	size_t ns_len = ns ? strlen(ns) : 0, name_len = strlen(name);

	for (struct hmap_node *n = hmap_first_with_hash(&c->objects, hash); n;
	     n = hmap_next_with_hash(n)) {
		struct cache_object *o = container_of(n, struct cache_object, node);
		struct identity id;

		if (o->kind != (unsigned)kind)
			continue;
		id = identity_of(o->frame);
		if (text_is(id.name, id.name_len, name, name_len) &&
		    text_is(id.ns, id.ns_len, ns, ns_len))
			return o;
	}
	return NULL;
}

const struct cache_object *cache_find(const struct cache *c, model_kind kind, const char *ns,
                                      const char *name)
{
	const struct cache_object *o = object_find(c, kind, ns, name, id_hash(kind, ns, name));

	return o && !o->deleted ? o : NULL;
}

/* ---- the order of changes */

/* Index, relative to first, of the first slot behind after. */
static size_t slot_behind(const struct cache *c, uint64_t after)
{
	size_t lo = 0, hi = c->n;

	if (after >= c->seq)
		return c->n;
	/* Readers are mostly near the end: a change or two behind. */
	if (c->n > 8 && c->slots[c->first + c->n - 8].seq <= after)
		lo = c->n - 8;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->slots[c->first + mid].seq > after)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Squeezes the holes out, when they are the greater part; readers hold numbers, not places. */
static void slots_squeeze(struct cache *c)
{
	size_t to = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->slots[c->first + i].object)
			c->slots[to++] = c->slots[c->first + i];
	c->first = 0;
	c->n = to;
	c->holes = 0;
}

static void slot_leave(struct cache *c, const struct cache_object *o)
{
	size_t i = slot_behind(c, o->seq - 1);

	c->slots[c->first + i].object = NULL;
	c->holes++;
	if (c->left)
		c->left(c->left_arg, o->seq, o->kind);
}

static void slot_append(struct cache *c, struct cache_object *o)
{
	if (c->first + c->n == c->cap) {
		if (c->holes + c->first > c->cap / 2) {
			slots_squeeze(c);
		} else {
			c->cap = c->cap ? c->cap * 2 : SLOTS_MIN;
			c->slots = xrealloc(c->slots, c->cap * sizeof(*c->slots));
		}
	}
	o->seq = ++c->seq;
	c->slots[c->first + c->n++] = (struct cache_slot){ o->seq, o };
}

size_t cache_place(const struct cache *c, uint64_t after)
{
	return c->first + slot_behind(c, after);
}

/* Objects and frames lie anywhere in memory: what comes soon is fetched while others are sent. */
static void prefetch(const struct cache *c, size_t i)
{
	const struct cache_object *soon = i + 4 < c->first + c->n ? c->slots[i + 4].object : NULL;

	if (i + 8 < c->first + c->n)
		__builtin_prefetch(c->slots[i + 8].object);
	if (soon)
		__builtin_prefetch(soon->frame);
}

const struct cache_object *cache_walk(const struct cache *c, size_t *place, uint64_t kinds)
{
	while (*place < c->first + c->n) {
		const struct cache_object *o = c->slots[*place].object;

		prefetch(c, (*place)++);
		if (o && (kinds & CACHE_KIND_BIT(o->kind)))
			return o;
	}
	return NULL;
}

const struct cache_object *cache_next(const struct cache *c, uint64_t after, uint64_t kinds)
{
	size_t place = cache_place(c, after);

	return cache_walk(c, &place, kinds);
}

static void object_drop(struct cache *c, struct cache_object *o)
{
	slot_leave(c, o);
	hmap_remove(&c->objects, &o->node);
	c->tombstones -= o->deleted;
	object_free(c, o);
}

static void dead_push(struct cache *c, uint64_t seq)
{
	if (c->dead_first + c->dead_n == c->dead_cap) {
		if (c->dead_first > c->dead_cap / 2) {
			memmove(c->dead, c->dead + c->dead_first, c->dead_n * sizeof(*c->dead));
			c->dead_first = 0;
		} else {
			c->dead_cap = c->dead_cap ? c->dead_cap * 2 : SLOTS_MIN;
			c->dead = xrealloc(c->dead, c->dead_cap * sizeof(*c->dead));
		}
	}
	c->dead[c->dead_first + c->dead_n++] = seq;
}

/* The tombstone that died at seq; NULL when the object has come back since. */
static struct cache_object *dead_find(const struct cache *c, uint64_t seq)
{
	size_t i = slot_behind(c, seq - 1);
	struct cache_slot s;

	if (i == c->n)
		return NULL;
	s = c->slots[c->first + i];
	return s.seq == seq && s.object && s.object->deleted ? s.object : NULL;
}

void cache_prune(struct cache *c, uint64_t told, size_t max_tombstones)
{
	while (c->dead_n) {
		uint64_t seq = c->dead[c->dead_first];
		struct cache_object *o = dead_find(c, seq);

		if (o && seq > told && c->tombstones <= max_tombstones)
			break;
		if (o) {
			c->floor = seq;
			object_drop(c, o);
		}
		c->dead_first++;
		c->dead_n--;
	}
	if (c->dead_n == 0)
		c->dead_first = 0;
	/* Holes at the front cost nobody anything. */
	while (c->n && !c->slots[c->first].object) {
		c->first++;
		c->n--;
		c->holes--;
	}
	if (c->n == 0)
		c->first = 0;
}

/* ---- changes */

static struct ipc_frame *frame_pack(struct cache *c, const struct resource *r,
                                    const struct buf *body, bool deleted)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__UpdateEvent update = SYNC__V1__UPDATE_EVENT__INIT;
	Sync__V1__Resource resource = SYNC__V1__RESOURCE__INIT;
	struct ipc_frame *frame;

	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE;
	m.update = &update;
	update.resource = &resource;
	resource.has_kind = 1;
	resource.kind = r->kind;
	resource.namespace_ = r->ns;
	resource.name = r->name;
	if (deleted) {
		update.has_deleted = 1;
		update.deleted = 1;
		resource.has_revision = c->horizon != 0;
		resource.revision = c->horizon;
	} else {
		/* The body is the last field of the last field: cache_body() counts on it. */
		resource.has_revision = 1;
		resource.revision = r->revision;
		resource.has_body = 1;
		resource.body = (ProtobufCBinaryData){ body->len, body->data };
	}
	c->packed++;
	frame = ipc_frame_pack(&m.base);
	if (frame)
		frame->shared = true;
	return frame;
}

static void object_change(struct cache *c, struct cache_object *o, struct ipc_frame *frame)
{
	if (o->frame) {
		c->bytes -= o->frame->len;
		ipc_frame_unref(o->frame);
		slot_leave(c, o);
	}
	o->frame = frame;
	c->bytes += frame->len;
	if (o->kind < ARRAY_SIZE(c->changes_of))
		c->changes_of[o->kind]++;
	slot_append(c, o);
}

bool cache_put(struct cache *c, const struct resource *r)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	uint32_t hash = id_hash(r->kind, r->ns, r->name);
	struct cache_object *o = object_find(c, r->kind, r->ns, r->name, hash);
	struct ipc_frame *frame = NULL;

	msg_pack(r->msg, &body);
	if (body.len < IPC_FRAME_MAX)
		frame = frame_pack(c, r, &body, false);
	if (!frame) {
		c->too_large++;
		cache_remove(c, r->kind, r->ns, r->name);
		return false;
	}
	if (!o) {
		o = xcalloc(1, sizeof(*o));
		o->kind = (uint8_t)r->kind;
		o->mark = c->mark;
		hmap_insert(&c->objects, &o->node, hash);
	}
	if (o->deleted || !o->frame)
		count_kind(c, o, true);
	c->tombstones -= o->deleted;
	o->deleted = false;
	o->body_len = (uint32_t)body.len;
	object_change(c, o, frame);
	if (r->revision > c->horizon)
		c->horizon = r->revision;
	return true;
}

void cache_remove(struct cache *c, model_kind kind, const char *ns, const char *name)
{
	struct cache_object *o = object_find(c, kind, ns, name, id_hash(kind, ns, name));
	struct resource r = { .kind = kind,
		              .ns = (char *)(uintptr_t)ns,
		              .name = (char *)(uintptr_t)name };

	if (!o || o->deleted)
		return;
	count_kind(c, o, false);
	o->deleted = true;
	o->body_len = 0;
	c->tombstones++;
	object_change(c, o, frame_pack(c, &r, NULL, true));
	dead_push(c, o->seq);
}

/* ---- what the driver asks */

bool cache_recall(struct cache *c, model_kind kind, const char *ns, const char *name, uint8_t mark,
                  uint64_t *ret_revision, uint8_t *ret_mark)
{
	struct cache_object *o = object_find(c, kind, ns, name, id_hash(kind, ns, name));

	c->mark = mark;
	if (!o)
		return false;
	*ret_mark = o->mark;
	*ret_revision = cache_revision(o);
	o->mark = mark;
	return !o->deleted;
}

void cache_each(const struct cache *c,
                void (*fn)(void *arg, model_kind kind, const char *ns, const char *name,
                           uint8_t mark),
                void *arg)
{
	hmap_for_each (o, &c->objects, struct cache_object, node)
		if (!o->deleted)
			fn(arg, o->kind, cache_ns(o), cache_name(o), o->mark);
}

/* ---- lists */

struct listed {
	struct identity id;
	const struct cache_object *o;
};

static int text_order(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
	uint32_t n = a_len < b_len ? a_len : b_len;
	int r = n ? memcmp(a, b, n) : 0;

	return r ? r : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *a, const void *b)
{
	const struct identity *x = &((const struct listed *)a)->id;
	const struct identity *y = &((const struct listed *)b)->id;
	int r = text_order(x->ns, x->ns_len, y->ns, y->ns_len);

	return r ? r : text_order(x->name, x->name_len, y->name, y->name_len);
}

size_t cache_list(const struct cache *c, model_kind kind, const char *ns, const char *prefix,
                  const struct cache_object ***ret)
{
	size_t n = 0, cap = 0, prefix_len = prefix ? strlen(prefix) : 0,
	       ns_len = ns ? strlen(ns) : 0;
	struct listed *list = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct cache_object *o = c->slots[c->first + i].object;
		struct identity id;

		if (!o || o->deleted || o->kind != (unsigned)kind)
			continue;
		id = identity_of(o->frame);
		if ((ns && !text_is(id.ns, id.ns_len, ns, ns_len)) || id.name_len < prefix_len ||
		    (prefix_len && memcmp(id.name, prefix, prefix_len) != 0))
			continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 64;
			list = xrealloc(list, cap * sizeof(*list));
		}
		list[n++] = (struct listed){ id, o };
	}
	if (n)
		qsort(list, n, sizeof(*list), by_name);
	*ret = xcalloc(n ? n : 1, sizeof(struct cache_object *));
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = list[i].o;
	free(list);
	return n;
}
