/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_feed.h"

#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/key.h"
#include "common/store/object.h"
#include "common/store/seen.h"

/* Whose key it is. */
struct identity {
	model_kind kind;
	char *ns, *name, *key;
};

static void identity_done(struct identity *id)
{
	free(id->ns);
	free(id->name);
	free(id->key);
}

void etcd_feed_init(struct etcd_feed *f, const model_kind *kinds, size_t n,
                    const struct store_watch_ops *ops, void *arg)
{
	*f = (struct etcd_feed){ .ops = ops, .arg = arg, .kinds = n ? 0 : ~(uint64_t)0 };
	for (size_t i = 0; i < n; i++)
		f->kinds |= ETCD_KIND_BIT(kinds[i]);
	f->seen = seen_new();
}

void etcd_feed_interrupted(struct etcd_feed *f)
{
	for (size_t i = 0; i < f->n_held; i++)
		msg_free(&f->held[i]->base);
	f->n_held = 0;
}

void etcd_feed_done(struct etcd_feed *f)
{
	etcd_feed_interrupted(f);
	free(f->held);
	seen_free(f->seen);
	bad_values_done(&f->bad);
	*f = (struct etcd_feed){ .closed = true };
}

/* ---- keys */

/* A key as text; NULL: it has a NUL in it, which no key of ours has. */
static char *key_text(const Etcd__KeyValue *kv)
{
	if (kv->key.len == 0 || memchr(kv->key.data, '\0', kv->key.len))
		return NULL;
	return xstrndup((const char *)kv->key.data, kv->key.len);
}

/* Does the key stand where only objects of a kind that we know stand? */
static bool key_is_claimed(const char *key)
{
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		CLEANUP(free_p) char *prefix = k->v3 ? key_prefix(k->kind, NULL) : NULL;

		if (prefix && strncmp(key, prefix, strlen(prefix)) == 0)
			return true;
	}
	return strncmp(key, "/calico/ipam/v2/assignment/", 27) == 0;
}

static bool identify(struct etcd_feed *f, const Etcd__KeyValue *kv, struct identity *id)
{
	id->key = key_text(kv);
	if (!id->key)
		return false;
	if (key_parse(id->key, &id->kind, &id->ns, &id->name) == 0)
		return (f->kinds & ETCD_KIND_BIT(id->kind)) &&
		       !object_is_static(id->kind, id->name);
	if (kv->version == 0) /* of a deletion */
		bad_values_remove(&f->bad, id->key);
	else if (key_is_claimed(id->key))
		bad_values_add(&f->bad, id->key, "the key makes no sense");
	return false;
}

/* ---- what is told */

static void horizon(struct etcd_feed *f, uint64_t revision)
{
	if (f->ops->on_horizon)
		f->ops->on_horizon(f->arg, revision);
}

static void gone(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct etcd_feed *f = arg;

	if (!f->closed)
		f->ops->on_remove(f->arg, kind, ns, name);
}

static void tell_remove(struct etcd_feed *f, const struct identity *id)
{
	if (seen_remove(f->seen, id->kind, id->ns, id->name))
		gone(f, id->kind, id->ns, id->name);
}

static void tell_put(struct etcd_feed *f, const struct identity *id, const Etcd__KeyValue *kv)
{
	uint64_t revision = (uint64_t)kv->mod_revision;
	struct resource *r = NULL;
	struct err err;

	if (object_decode(id->kind, id->ns, id->name, revision, (const char *)kv->value.data,
	                  kv->value.len, &r, &err) < 0) {
		bad_values_add(&f->bad, id->key, err.text);
		tell_remove(f, id);
		return;
	}
	bad_values_remove(&f->bad, id->key);
	if (seen_update(f->seen, id->kind, id->ns, id->name, revision))
		f->ops->on_update(f->arg, r);
	resource_free(r);
}

static void tell_event(struct etcd_feed *f, const Etcd__Event *e)
{
	struct identity id = { 0 };

	if (!e->kv)
		return;
	f->events++;
	if ((uint64_t)e->kv->mod_revision <= f->delivered) {
		f->old++;
		return;
	}
	if (identify(f, e->kv, &id)) {
		horizon(f, (uint64_t)e->kv->mod_revision);
		if (e->type == ETCD__EVENT__TYPE__DELETE) {
			bad_values_remove(&f->bad, id.key);
			tell_remove(f, &id);
		} else {
			tell_put(f, &id, e->kv);
		}
	}
	identity_done(&id);
}

/* ---- snapshots */

void etcd_feed_snapshot(struct etcd_feed *f)
{
	struct resource *r;

	etcd_feed_interrupted(f);
	bad_values_done(&f->bad);
	seen_snapshot(f->seen);
	r = f->kinds & ETCD_KIND_BIT(V3__KIND__KIND_PROFILE) ? object_static_profile() : NULL;
	if (r && seen_update(f->seen, r->kind, r->ns, r->name, r->revision))
		f->ops->on_update(f->arg, r);
	resource_free(r);
}

void etcd_feed_item(struct etcd_feed *f, const Etcd__KeyValue *kv)
{
	struct identity id = { 0 };

	if (!f->closed && identify(f, kv, &id))
		tell_put(f, &id, kv);
	identity_done(&id);
}

void etcd_feed_snapshot_end(struct etcd_feed *f, uint64_t revision)
{
	if (f->closed)
		return;
	horizon(f, revision);
	seen_snapshot_end(f->seen, gone, f);
	f->delivered = revision;
}

void etcd_feed_distrust(struct etcd_feed *f)
{
	f->delivered = 0;
	seen_distrust(f->seen);
}

/* ---- events */

static void hold(struct etcd_feed *f, const Etcd__Event *e)
{
	if (f->n_held == f->cap_held) {
		f->cap_held = f->cap_held ? f->cap_held * 2 : 16;
		f->held = xrealloc(f->held, f->cap_held * sizeof(*f->held));
	}
	f->held[f->n_held++] = (Etcd__Event *)msg_copy(&e->base);
}

static uint64_t event_revision(const Etcd__Event *e)
{
	return e->kv ? (uint64_t)e->kv->mod_revision : 0;
}

static void release_held(struct etcd_feed *f)
{
	uint64_t revision = f->n_held ? event_revision(f->held[0]) : 0;

	for (size_t i = 0; i < f->n_held && !f->closed; i++)
		tell_event(f, f->held[i]);
	etcd_feed_interrupted(f);
	if (revision > f->delivered && !f->closed)
		f->delivered = revision;
}

void etcd_feed_events(struct etcd_feed *f, const Etcd__WatchResponse *m)
{
	uint64_t last = m->n_events ? event_revision(m->events[m->n_events - 1]) : 0;

	if (!m->fragment && f->n_held == 0) { /* whole, as nearly always */
		for (size_t i = 0; i < m->n_events && !f->closed; i++)
			tell_event(f, m->events[i]);
		if (last > f->delivered && !f->closed)
			f->delivered = last;
		return;
	}
	for (size_t i = 0; i < m->n_events && !f->closed; i++) {
		if (f->n_held && event_revision(f->held[0]) != event_revision(m->events[i]))
			release_held(f);
		if (!f->closed)
			hold(f, m->events[i]);
	}
	if (!m->fragment)
		release_held(f);
}

/* ---- reading */

struct resource *etcd_kv_read(const Etcd__KeyValue *kv, model_kind kind, const char *ns,
                              const char *prefix, struct err *err)
{
	struct identity id = { 0 };
	struct resource *r = NULL;

	*err = (struct err){ 0 };
	id.key = key_text(kv);
	if (id.key && key_parse(id.key, &id.kind, &id.ns, &id.name) == 0 && id.kind == kind &&
	    !object_is_static(kind, id.name) && (!ns || (id.ns && strcmp(id.ns, ns) == 0)) &&
	    (!prefix || strncmp(id.name, prefix, strlen(prefix)) == 0) &&
	    object_decode(kind, id.ns, id.name, (uint64_t)kv->mod_revision,
	                  (const char *)kv->value.data, kv->value.len, &r, err) < 0)
		r = NULL;
	identity_done(&id);
	return r;
}
