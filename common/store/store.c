/* SPDX-License-Identifier: BSD-2-Clause */
/* store: what all drivers share: the calls' front doors, words for statuses, copies of results. */
#include "common/store/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

const char *store_status_str(enum store_status s)
{
	switch (s) {
	case STORE_OK:
		return "ok";
	case STORE_NOT_FOUND:
		return "not found";
	case STORE_ALREADY_EXISTS:
		return "already exists";
	case STORE_CONFLICT:
		return "conflict";
	case STORE_INVALID:
		return "invalid";
	case STORE_UNAVAILABLE:
		return "unavailable";
	}
	return "unknown";
}

void store_free(struct store *s)
{
	if (s)
		s->ops->free(s);
}

void store_get(struct store *s, model_kind kind, const char *ns, const char *name,
               store_done_fn *fn, void *arg)
{
	s->ops->get(s, kind, ns, name, fn, arg);
}

void store_list(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
                store_done_fn *fn, void *arg)
{
	s->ops->list(s, kind, ns, name_prefix, fn, arg);
}

void store_create(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	s->ops->create(s, r, fn, arg);
}

void store_update(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	s->ops->update(s, r, fn, arg);
}

void store_apply(struct store *s, const struct resource *r, store_done_fn *fn, void *arg)
{
	s->ops->apply(s, r, fn, arg);
}

void store_remove(struct store *s, model_kind kind, const char *ns, const char *name,
                  uint64_t revision, store_done_fn *fn, void *arg)
{
	s->ops->remove(s, kind, ns, name, revision, fn, arg);
}

int store_watch(struct store *s, const model_kind *kinds, size_t n,
                const struct store_watch_ops *ops, void *arg)
{
	for (size_t i = 0; i < n; i++)
		assert(kind_info(kinds[i])); /* not linked: see KIND_USE() */
	return s->ops->watch(s, kinds, n, ops, arg);
}

void store_stats(const struct store *s, struct store_stats *ret)
{
	*ret = (struct store_stats){ 0 };
	if (s->ops->stats)
		s->ops->stats(s, ret);
}

void store_bad_values(const struct store *s,
                      void (*fn)(void *arg, const char *key, const char *why), void *arg)
{
	if (s->ops->bad_values)
		s->ops->bad_values(s, fn, arg);
}

static int by_name(const void *a, const void *b)
{
	const struct resource *x = *(struct resource *const *)a, *y = *(struct resource *const *)b;
	int c = strcmp(x->ns ? x->ns : "", y->ns ? y->ns : "");

	return c ? c : strcmp(x->name, y->name);
}

void store_sort(struct resource **items, size_t n)
{
	if (n)
		qsort(items, n, sizeof(struct resource *), by_name);
}

void resource_set_revision(struct resource *r, uint64_t revision)
{
	char text[24];
	V3__ObjectMeta *meta = r->msg ? model_meta(r->msg, false) : NULL;

	r->revision = revision;
	if (!meta)
		return;
	(void)snprintf(text, sizeof(text), "%" PRIu64, revision);
	msg_set_str(&meta->resourceversion, text);
}

struct store_result *store_result_copy(const struct store_result *r)
{
	struct store_result *copy = xcalloc(1, sizeof(*copy));
	struct resource **items = xcalloc(r->n ? r->n : 1, sizeof(*items));

	for (size_t i = 0; i < r->n; i++)
		items[i] = resource_copy(r->items[i]);
	copy->status = r->status;
	copy->text = xstrdup(r->text);
	copy->header_revision = r->header_revision;
	copy->items = items;
	copy->n = r->n;
	return copy;
}

void store_result_free(struct store_result *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		resource_free(r->items[i]);
	free((void *)r->items);
	free((void *)r->text);
	free(r);
}
