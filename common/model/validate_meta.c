/* SPDX-License-Identifier: BSD-2-Clause */
/* What names, namespaces, labels and annotations an object may have. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_rule.h"

#define ANNOTATIONS_MAX (256u << 10)
#define NAME_MAX_LEN 253
#define TIER_NAME_MAX 63 /* fits into a label */
#define LABEL_FMT "[a-z0-9]([-a-z0-9]*[a-z0-9])?"

static const struct path meta_path = { NULL, "metadata", 0 };
static const struct path name_path = { &meta_path, "name", 0 };

static const char *name_of(const V3__ObjectMeta *meta)
{
	return meta && meta->name ? meta->name : "";
}

static void check_name_length(const V3__ObjectMeta *meta, size_t max, struct violations *v)
{
	const char *name = name_of(meta);

	if (strlen(name) > max)
		violate_as(v, &name_path, "Metadata.Name", name, "name is too long by %zu bytes",
		           strlen(name) - max);
}

/* ---- labels and annotations: what Kubernetes says to them */

static void fail_label(struct violations *v, const struct path *p, const char *name,
                       const char *value, const char *const *wrong, size_t n)
{
	for (size_t i = 0; i < n; i++)
		violate_as(v, p, name, value, "%s", wrong[i]);
}

static void check_labels(const V3__ObjectMeta *meta, struct violations *v)
{
	struct path labels = { &meta_path, "labels", 0 };
	const char *wrong[QUALIFIED_MAX];

	for (size_t i = 0; meta && i < meta->n_labels; i++) {
		const char *key = meta->labels[i]->key;
		const char *value = meta->labels[i]->value ? meta->labels[i]->value : "";
		struct path here = { &labels, key, 0 };

		fail_label(v, &here, "Metadata.Labels (label)", key, wrong,
		           text_qualified_name(key, wrong));
		fail_label(v, &here, "Metadata.Labels (value)", value, wrong,
		           text_label_value(value, wrong));
	}
}

void check_annotations(V3__ObjectMeta__LabelsEntry *const *entries, size_t n, const struct path *p,
                       struct violations *v)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++) {
		const char *key = entries[i]->key, *value = entries[i]->value;
		CLEANUP(free_p) char *lower = xstrdup(key);
		const char *wrong[QUALIFIED_MAX];
		struct path here = { p, key, 0 };

		for (char *c = lower; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c + 32);
		fail_label(v, &here, "Metadata.Annotations (key)", key, wrong,
		           text_qualified_name(lower, wrong));
		total += strlen(key) + (value ? strlen(value) : 0);
	}
	if (total > ANNOTATIONS_MAX)
		violate_as(v, p, "Metadata.Annotations (key)", NULL,
		           "total size of annotations is too large by %zu bytes",
		           total - ANNOTATIONS_MAX);
}

/* ---- every object's */

static void check_meta_annotations(const V3__ObjectMeta *meta, struct violations *v)
{
	struct path annotations = { &meta_path, "annotations", 0 };

	if (meta)
		check_annotations((V3__ObjectMeta__LabelsEntry *const *)meta->annotations,
		                  meta->n_annotations, &annotations, v);
}

static void check_meta(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__ObjectMeta *meta = (const V3__ObjectMeta *)m;

	(void)p;
	check_name_length(meta, NAME_MAX_LEN, v);
	if (!tag_name.ok(name_of(meta)))
		violate_as(v, &name_path, "Metadata.Name", name_of(meta),
		           "name must consist of lower case alphanumeric characters, '-' or '.' "
		           "(regex: " LABEL_FMT "(\\." LABEL_FMT ")*)");
	check_meta_annotations(meta, v);
	check_labels(meta, v);
}

void check_namespace(const struct kind_info *k, const V3__ObjectMeta *meta, struct violations *v)
{
	struct path here = { &meta_path, "namespace", 0 };
	const char *ns = meta ? meta->namespace_ : NULL;
	bool there = ns && *ns != '\0';

	if (!k->namespaced && there)
		violate_as(v, &here, "", ns,
		           "namespace should not be specified for a non-namespaced resource. %s is "
		           "not a namespaced resource",
		           k->name);
	else if (k->namespaced && !there)
		violate_as(v, &here, "Metadata.Namespace", NULL,
		           "namespace is not specified on namespaced resource");
	else if (there && !text_is_label(ns, strlen(ns)))
		violate(v, &here, ns, "is not a namespace's name");
}

/* ---- names of policies and tiers: the rest is looked at once more, as upstream does */

/* A label without a limit on its length. */
static bool is_label(const char *s, size_t len)
{
	CLEANUP(free_p) char *copy = xstrndup(s, len);

	return !strchr(copy, '.') && tag_name.ok(copy);
}

/* label, or label.label */
static bool is_one_or_two(const char *s)
{
	const char *dot = strchr(s, '.');

	return dot ? is_label(s, (size_t)(dot - s)) && is_label(dot + 1, strlen(dot + 1))
	           : is_label(s, strlen(s));
}

static bool is_converted(const char *s)
{
	static const char *const prefixes[] = { "knp.default.", "ossg.default." };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (strncmp(s, prefixes[i], n) == 0 && tag_name.ok(s + n))
			return true;
	}
	return false;
}

static void check_kind_meta(const V3__ObjectMeta *meta, size_t max, bool name_ok,
                            struct violations *v)
{
	check_name_length(meta, max, v);
	if (!name_ok)
		violate_as(v, &name_path, "Metadata.Name", name_of(meta),
		           "name must consist of lower case alphanumeric characters or '-' "
		           "(regex: " LABEL_FMT ")");
	check_meta_annotations(meta, v);
	check_labels(meta, v);
}

void check_meta_of_policy(const V3__ObjectMeta *meta, struct violations *v)
{
	const char *name = name_of(meta);

	check_kind_meta(meta, NAME_MAX_LEN, is_one_or_two(name) || is_converted(name), v);
}

void check_meta_of_global_policy(const V3__ObjectMeta *meta, struct violations *v)
{
	check_kind_meta(meta, NAME_MAX_LEN, is_one_or_two(name_of(meta)), v);
}

void check_meta_of_kubernetes_policy(const V3__ObjectMeta *meta, struct violations *v)
{
	check_kind_meta(meta, NAME_MAX_LEN, true, v);
}

void check_meta_of_tier(const V3__ObjectMeta *meta, struct violations *v)
{
	const char *name = name_of(meta);

	check_kind_meta(meta, TIER_NAME_MAX, is_label(name, strlen(name)), v);
}

const struct message_rule meta_rules[] = {
	{ .message = &v3__object_meta__descriptor, .check = check_meta },
	{ .message = NULL },
};
