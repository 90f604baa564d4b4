/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/bad.h"

#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"

struct bad_value {
	struct hmap_node node;
	char *why;
	char key[];
};

static struct bad_value *bad_find(const struct bad_values *b, const char *key)
{
	hmap_find(v, &b->by_key, hash_str(key), struct bad_value, node, strcmp(v->key, key) == 0);
	return v;
}

void bad_values_done(struct bad_values *b)
{
	hmap_for_each (v, &b->by_key, struct bad_value, node) {
		free(v->why);
		free(v);
	}
	hmap_done(&b->by_key);
	*b = (struct bad_values){ 0 };
}

void bad_values_add(struct bad_values *b, const char *key, const char *why)
{
	struct bad_value *v = bad_find(b, key);
	size_t len = strlen(key) + 1;

	if (v && strcmp(v->why, why) == 0)
		return;
	if (!v) {
		v = xcalloc(1, sizeof(*v) + len);
		memcpy(v->key, key, len);
		hmap_insert(&b->by_key, &v->node, hash_str(key));
	}
	free(v->why);
	v->why = xstrdup(why);
	log_warn("a value of the datastore cannot be read and is skipped", "key=%s why=%s",
	         LOG_VIS(key), LOG_VIS(why));
}

void bad_values_remove(struct bad_values *b, const char *key)
{
	struct bad_value *v = b->by_key.n ? bad_find(b, key) : NULL;

	if (!v)
		return;
	hmap_remove(&b->by_key, &v->node);
	free(v->why);
	free(v);
}

size_t bad_values_count(const struct bad_values *b)
{
	return b->by_key.n;
}

void bad_values_each(const struct bad_values *b,
                     void (*fn)(void *arg, const char *key, const char *why), void *arg)
{
	hmap_for_each (v, &b->by_key, struct bad_value, node)
		fn(arg, v->key, v->why);
}
