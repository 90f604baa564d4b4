/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/seen.h"

#include <string.h>

#include "common/base/hmap.h"
#include "common/base/mem.h"

struct seen_object {
	struct hmap_node node;
	uint32_t generation; /* of the snapshot, or the deltas behind it, that named it last */
	uint16_t kind;
	bool has_ns;
	uint64_t revision;
	char id[]; /* "namespace\0name\0" */
};

struct seen {
	struct hmap objects;
	uint32_t generation;
	bool in_snapshot, forward_only;
};

struct seen *seen_new(void)
{
	return xcalloc(1, sizeof(struct seen));
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

bool seen_update(struct seen *s, model_kind kind, const char *ns, const char *name,
                 uint64_t revision)
{
	uint32_t hash = object_hash(kind, ns, name);
	struct seen_object *o = object_find(s, kind, ns, name, hash);
	size_t ns_len = ns ? strlen(ns) : 0, name_len = strlen(name);

	if (o) {
		bool changed = o->revision != revision;

		o->generation = s->generation;
		if (s->forward_only && revision < o->revision)
			return false;
		o->revision = revision;
		return changed;
	}
	o = xcalloc(1, sizeof(*o) + ns_len + name_len + 2);
	o->generation = s->generation;
	o->kind = (uint16_t)kind;
	o->has_ns = ns != NULL;
	o->revision = revision;
	memcpy(o->id, ns ? ns : "", ns_len);
	memcpy(o->id + ns_len + 1, name, name_len);
	hmap_insert(&s->objects, &o->node, hash);
	return true;
}

bool seen_remove(struct seen *s, model_kind kind, const char *ns, const char *name)
{
	struct seen_object *o = object_find(s, kind, ns, name, object_hash(kind, ns, name));

	if (!o)
		return false;
	hmap_remove(&s->objects, &o->node);
	free(o);
	return true;
}

void seen_snapshot(struct seen *s)
{
	s->generation++;
	s->in_snapshot = true;
}

void seen_distrust(struct seen *s)
{
	hmap_for_each (o, &s->objects, struct seen_object, node)
		o->revision = 0;
}

void seen_snapshot_end(struct seen *s, seen_gone_fn *fn, void *arg)
{
	struct seen_object **gone;
	size_t n = 0;

	if (!s->in_snapshot)
		return;
	s->in_snapshot = false;
	/* Collected first: the callback may do as it likes, and the table is at rest meanwhile. */
	gone = xcalloc(s->objects.n ? s->objects.n : 1, sizeof(struct seen_object *));
	hmap_for_each (o, &s->objects, struct seen_object, node)
		if (o->generation != s->generation) {
			hmap_remove(&s->objects, &o->node);
			gone[n++] = o;
		}
	for (size_t i = 0; i < n; i++) {
		fn(arg, (model_kind)gone[i]->kind, gone[i]->has_ns ? gone[i]->id : NULL,
		   object_name(gone[i]));
		free(gone[i]);
	}
	free(gone);
}
