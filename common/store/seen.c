/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/seen.h"

#include <string.h>

#include "common/base/hmap.h"
#include "common/base/mem.h"
#include "common/store/store.h"

#define BROKEN_MAX 200u /* snapshots that may break off in a row: fewer than there are marks */

struct seen_object {
	struct hmap_node node;
	uint32_t generation; /* of the snapshot, or the deltas behind it, that named it last */
	uint16_t kind;
	bool has_ns;
	uint64_t revision;
	char id[]; /* "namespace\0name\0" */
};

struct seen {
	struct hmap objects; /* empty when there is a memory */
	const struct store_memory *memory;
	void *arg;
	uint32_t generation, trusted_from;
	unsigned broken; /* snapshots in a row that came to no end */
	bool in_snapshot, forward_only;
};

struct seen *seen_new(void)
{
	return xcalloc(1, sizeof(struct seen));
}

void seen_use(struct seen *s, const struct store_memory *memory, void *arg)
{
	s->memory = memory;
	s->arg = arg;
}

void seen_free(struct seen *s)
{
	if (!s)
		return;
	hmap_for_each (o, &s->objects, struct seen_object, node)
		free(o);
	hmap_done(&s->objects);
	free(s);
}

void seen_forward_only(struct seen *s)
{
	s->forward_only = true;
}

size_t seen_count(const struct seen *s)
{
	return s->objects.n;
}

static uint32_t object_hash(model_kind kind, const char *ns, const char *name)
{
	return hash_mix(hash_mix(hash_str(name), hash_str(ns ? ns : "")), (uint32_t)kind);
}

static const char *object_name(const struct seen_object *o)
{
	return o->id + strlen(o->id) + 1;
}

static struct seen_object *object_find(const struct seen *s, model_kind kind, const char *ns,
                                       const char *name, uint32_t hash)
{
	hmap_find(o, &s->objects, hash, struct seen_object, node,
	          o->kind == (uint16_t)kind && strcmp(o->id, ns ? ns : "") == 0 &&
	                  strcmp(object_name(o), name) == 0);
	return o;
}

/* Of a generation whose revisions still mean something? In a memory, a mark is a generation's low
 * byte: what is there was named by the last snapshot that was complete, or since. */
static bool trusted(const struct seen *s, uint32_t generation)
{
	return generation >= s->trusted_from;
}

static bool memory_update(struct seen *s, model_kind kind, const char *ns, const char *name,
                          uint64_t revision)
{
	uint64_t known;
	uint8_t mark;

	if (!s->memory->recall(s->arg, kind, ns, name, (uint8_t)s->generation, &known, &mark))
		return true;
	if (!trusted(s, s->generation - (uint8_t)((uint8_t)s->generation - mark)))
		return true;
	return s->forward_only ? revision > known : revision != known;
}

static struct seen_object *object_new(model_kind kind, const char *ns, const char *name)
{
	size_t ns_len = ns ? strlen(ns) : 0, name_len = strlen(name);
	struct seen_object *o = xcalloc(1, sizeof(*o) + ns_len + name_len + 2);

	o->kind = (uint16_t)kind;
	o->has_ns = ns != NULL;
	memcpy(o->id, ns ? ns : "", ns_len);
	memcpy(o->id + ns_len + 1, name, name_len);
	return o;
}

bool seen_update(struct seen *s, model_kind kind, const char *ns, const char *name,
                 uint64_t revision)
{
	uint32_t hash = object_hash(kind, ns, name);
	struct seen_object *o;

	if (s->memory)
		return memory_update(s, kind, ns, name, revision);
	o = object_find(s, kind, ns, name, hash);
	if (o) {
		bool news = !trusted(s, o->generation) ||
		            (s->forward_only ? revision > o->revision : revision != o->revision);

		o->generation = s->generation;
		if (news)
			o->revision = revision;
		return news;
	}
	o = object_new(kind, ns, name);
	o->generation = s->generation;
	o->revision = revision;
	hmap_insert(&s->objects, &o->node, hash);
	return true;
}

bool seen_remove(struct seen *s, model_kind kind, const char *ns, const char *name)
{
	struct seen_object *o;
	uint64_t known;
	uint8_t mark;

	if (s->memory)
		return s->memory->recall(s->arg, kind, ns, name, (uint8_t)s->generation, &known,
		                         &mark);
	o = object_find(s, kind, ns, name, object_hash(kind, ns, name));
	if (!o)
		return false;
	hmap_remove(&s->objects, &o->node);
	free(o);
	return true;
}

void seen_distrust(struct seen *s)
{
	s->trusted_from = s->generation + 1;
}

/* What is still in doubt, collected first: the callback may do as it likes, and the table, or the
 * memory, is at rest meanwhile. */
struct doubt {
	const struct seen *s;
	struct seen_object **objects;
	size_t n, cap;
};

static void doubt_add(struct doubt *d, struct seen_object *o)
{
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 64;
		d->objects = xrealloc(d->objects, d->cap * sizeof(struct seen_object *));
	}
	d->objects[d->n++] = o;
}

static void on_memory(void *arg, model_kind kind, const char *ns, const char *name, uint8_t mark)
{
	struct doubt *d = arg;

	if (mark != (uint8_t)d->s->generation)
		doubt_add(d, object_new(kind, ns, name));
}

/* Marks come round again, and an old one would look like one of the newest snapshot. So before they
 * do, what the last whole snapshot named, or a broken one since, is all given the newest mark. */
static void marks_renew(struct seen *s)
{
	struct doubt old = { .s = s };
	uint64_t known;
	uint8_t mark;

	s->memory->each(s->arg, on_memory, &old);
	for (size_t i = 0; i < old.n; i++) {
		struct seen_object *o = old.objects[i];

		(void)s->memory->recall(s->arg, (model_kind)o->kind, o->has_ns ? o->id : NULL,
		                        object_name(o), (uint8_t)s->generation, &known, &mark);
		free(o);
	}
	free(old.objects);
	/* Were there any that are not to be trusted? Nobody can tell any more: so none is. */
	if (s->trusted_from > s->generation - BROKEN_MAX)
		s->trusted_from = s->generation + 1;
}

void seen_snapshot(struct seen *s)
{
	s->broken = s->in_snapshot ? s->broken + 1 : 0;
	if (s->memory && s->broken == BROKEN_MAX) {
		marks_renew(s);
		s->broken = 0;
	}
	s->generation++;
	s->in_snapshot = true;
}

void seen_snapshot_end(struct seen *s, seen_gone_fn *fn, void *arg)
{
	struct doubt gone = { .s = s };

	if (!s->in_snapshot)
		return;
	s->in_snapshot = false;
	if (s->memory)
		s->memory->each(s->arg, on_memory, &gone);
	hmap_for_each (o, &s->objects, struct seen_object, node)
		if (o->generation != s->generation) {
			hmap_remove(&s->objects, &o->node);
			doubt_add(&gone, o);
		}
	for (size_t i = 0; i < gone.n; i++) {
		fn(arg, (model_kind)gone.objects[i]->kind,
		   gone.objects[i]->has_ns ? gone.objects[i]->id : NULL,
		   object_name(gone.objects[i]));
		free(gone.objects[i]);
	}
	free(gone.objects);
}
