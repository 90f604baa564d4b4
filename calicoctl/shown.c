/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/shown.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/validate.h"

static bool has_read_defaults(model_kind kind)
{
	return kind == V3__KIND__KIND_IP_POOL || kind == V3__KIND__KIND_TIER ||
	       kind == V3__KIND__KIND_NETWORK_POLICY ||
	       kind == V3__KIND__KIND_GLOBAL_NETWORK_POLICY;
}

static struct json *shown(const struct resource *r, bool whole)
{
	struct resource *copy = resource_copy(r);
	V3__ObjectMeta *meta = model_meta(copy->msg, true);
	char revision[24];
	struct json *j;

	if (has_read_defaults(r->kind))
		model_default(r->kind, copy->msg);
	snprintf(revision, sizeof(revision), "%llu", (unsigned long long)r->revision);
	if (!meta->name || !*meta->name) /* of a policy, it may not be the key's */
		msg_set_str(&meta->name, r->name);
	if (r->ns)
		msg_set_str(&meta->namespace_, r->ns);
	msg_set_str(&meta->resourceversion, r->revision ? revision : NULL);
	if (!whole)
		msg_drop_unknown(
		        copy->msg); /* a manifest must not have them: an update keeps them */
	j = mapper_write(copy->msg);
	resource_free(copy);
	return j;
}

struct json *shown_tree(const struct resource *r)
{
	return shown(r, false);
}

struct json *shown_whole(const struct resource *r)
{
	return shown(r, true);
}

struct json *shown_list(const struct kind_info *kind, struct json *items, uint64_t revision)
{
	CLEANUP(free_p) char *list_kind = xasprintf("%sList", kind->name);
	struct json *list = json_new(JSON_OBJECT), *meta = json_new(JSON_OBJECT);
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)revision);
	json_set(meta, "resourceVersion", json_new_str(text));
	json_set(list, "apiVersion", json_new_str(MODEL_API_VERSION));
	json_set(list, "items", items);
	json_set(list, "kind", json_new_str(list_kind));
	json_set(list, "metadata", meta);
	return list;
}

void shown_strip(struct json *object, const char *const *members)
{
	struct json *meta = json_get(object, "metadata"), *kept = json_new(JSON_OBJECT);

	for (size_t i = 0; meta && meta->type == JSON_OBJECT && i < meta->len; i++) {
		const char *const *m = members;

		while (*m && strcmp(meta->keys[i], *m) != 0)
			m++;
		if (!*m)
			json_set(kept, meta->keys[i], json_copy(meta->items[i]));
	}
	json_set(object, "metadata", kept);
}
