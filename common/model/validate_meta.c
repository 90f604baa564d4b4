/* SPDX-License-Identifier: BSD-2-Clause */
/* What names, namespaces, labels and annotations an object of each kind may have. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/model/validate_rule.h"

#define ANNOTATIONS_MAX (256u << 10)
#define NODE_PREFIX "node."
#define NAMESPACE_LABEL "projectcalico.org/namespace"

static const struct path meta_path = { NULL, "metadata", 0 };

/* label, or label.label */
static const char *two_labels(const char *s)
{
	const char *dot = strchr(s, '.');

	if (!dot ? text_is_label(s, strlen(s))
	         : text_is_label(s, (size_t)(dot - s)) && text_is_label(dot + 1, strlen(dot + 1)))
		return NULL;
	return "must be one or two parts, joined by '.', of lower-case letters, digits and '-', "
	       "each beginning and ending with a "
	       "letter or digit";
}

static const char *network_policy_name(const char *s)
{
	static const char *const converted[] = { "knp.default.", "ossg.default." };

	for (size_t i = 0; i < ARRAY_SIZE(converted); i++) {
		size_t n = strlen(converted[i]);

		if (strncmp(s, converted[i], n) == 0 && text_is_name(s + n, strlen(s + n)))
			return NULL;
	}
	return two_labels(s);
}

static const char *default_or_node(const char *s)
{
	size_t n = strlen(NODE_PREFIX);

	if (strcmp(s, "default") == 0 ||
	    (strncmp(s, NODE_PREFIX, n) == 0 && text_is_name(s + n, strlen(s + n))))
		return NULL;
	return "must be 'default' or 'node.' and a node's name";
}

static const char *only_default(const char *s)
{
	return strcmp(s, "default") == 0 ? NULL : "must be 'default'";
}

static const char *wrong_name(model_kind kind, const char *s)
{
	struct why why;

	switch (kind) {
	case V3__KIND__KIND_NETWORK_POLICY:
		return network_policy_name(s);
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
		return two_labels(s);
	case V3__KIND__KIND_TIER:
		return text_label(s, &why);
	case V3__KIND__KIND_BGP_CONFIGURATION:
		return default_or_node(s);
	case V3__KIND__KIND_CLUSTER_INFORMATION:
	case V3__KIND__KIND_KUBE_CONTROLLERS_CONFIGURATION:
		return only_default(s);
	default:
		return text_name(s, &why);
	}
}

void check_label(const struct path *labels, const char *key, const char *value,
                 struct violations *v)
{
	struct path here = { labels, key, 0 };
	struct why why;
	const char *wrong = text_label_key(key, &why);

	if (wrong)
		violate(v, labels, key, "a label's key %s", wrong);
	wrong = value ? text_label_value(value, &why) : NULL;
	if (wrong)
		violate(v, &here, value, "a label's value %s", wrong);
}

static void check_labels(const struct kind_info *k, const V3__ObjectMeta *meta,
                         struct violations *v)
{
	struct path labels = { &meta_path, "labels", 0 };

	for (size_t i = 0; i < meta->n_labels; i++)
		check_label(&labels, meta->labels[i]->key, meta->labels[i]->value, v);
	if ((k->kind == V3__KIND__KIND_NETWORK_SET) &&
	    meta_get(meta->n_labels, meta->labels, NAMESPACE_LABEL))
		violate(v, &labels, NAMESPACE_LABEL, "this label is set by the system");
}

static void check_annotations(const V3__ObjectMeta *meta, struct violations *v)
{
	struct path annotations = { &meta_path, "annotations", 0 };
	size_t total = 0;
	struct why why;

	for (size_t i = 0; i < meta->n_annotations; i++) {
		const char *key = meta->annotations[i]->key, *value = meta->annotations[i]->value;
		CLEANUP(free_p) char *lower = xstrdup(key);
		const char *wrong;

		for (char *c = lower; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c = (char)(*c + 32);
		wrong = text_label_key(lower, &why);
		if (wrong)
			violate(v, &annotations, key, "an annotation's key %s", wrong);
		total += strlen(key) + (value ? strlen(value) : 0);
	}
	if (total > ANNOTATIONS_MAX)
		violate(v, &annotations, NULL,
		        "keys and values are %zu bytes, which is more than %u", total,
		        ANNOTATIONS_MAX);
}

static void check_namespace(const struct kind_info *k, const char *ns, struct violations *v)
{
	struct path here = { &meta_path, "namespace", 0 };
	bool there = ns && *ns != '\0';

	if (!k->namespaced && there)
		violate(v, &here, ns,
		        "namespace should not be specified for a non-namespaced resource. %s is "
		        "not a namespaced "
		        "resource",
		        k->name);
	else if (k->namespaced && !there)
		violate(v, &here, NULL, "is required: %s is a namespaced resource", k->name);
	else if (there && !text_is_label(ns, strlen(ns)))
		violate(v, &here, ns, "is not a namespace's name");
}

void check_metadata(const struct kind_info *k, const V3__ObjectMeta *meta, struct violations *v)
{
	struct path name = { &meta_path, "name", 0 };
	const char *wrong;

	if (!meta || !meta->name || *meta->name == '\0') {
		violate(v, &name, NULL,
		        meta && meta->generatename && *meta->generatename != '\0'
		                ? "is required; generateName is not supported"
		                : "is required");
	} else {
		wrong = wrong_name(k->kind, meta->name);
		if (wrong)
			violate(v, &name, meta->name, "%s", wrong);
	}
	check_namespace(k, meta ? meta->namespace_ : NULL, v);
	if (meta) {
		check_labels(k, meta, v);
		check_annotations(meta, v);
	}
}
