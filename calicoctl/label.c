/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * label: sets or removes labels of objects.
 *
 *     label KIND NAME... KEY=VALUE...            what has a '=' is a label, a name has none
 *     label KIND NAME... KEY --remove            the last word is the label
 *     label KIND -l SELECTOR KEY=VALUE|KEY...
 *
 * Upstream has one name and one label. Each label of each object is told by itself, in upstream's
 * words; one that fails does not keep the others from being changed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/crud.h"
#include "calicoctl/db.h"
#include "calicoctl/select.h"
#include "calicoctl/shown.h"
#include "calicoctl/visible.h"
#include "calicoctl/write.h"
#include "common/base/err.h"
#include "common/base/mem.h"

struct label {
	char *key, *value; /* value NULL: to be removed */
};

struct target {
	char *ns, *name;
};

struct request {
	const struct options *o;
	const struct kind_info *kind;
	const char *ns;
	struct selector *selector; /* NULL: names */
	char **names;              /* in args */
	size_t n_names;
	struct label *labels;
	size_t n_labels;
	struct target *targets;
	size_t n_targets;
};

/* One label of one object. */
struct change {
	const struct request *q;
	const struct label *label;
	bool overwritten;
};

/* ---- the command line */

static void add_label(struct request *q, const char *word)
{
	const char *is = strchr(word, '=');
	struct label l = { 0 };

	if (q->o->remove) {
		l.key = xstrdup(word);
	} else {
		l.key = xstrndup(word, (size_t)(is - word));
		l.value = xstrdup(is + 1);
	}
	q->labels[q->n_labels++] = l;
}

static int split_words(struct request *q, struct err *err)
{
	const struct options *o = q->o;
	char **words = o->args + 1;
	size_t n = o->n_args - 1, first = 0;

	q->labels = xcalloc(n + 1, sizeof(*q->labels));
	q->names = words;
	if (!q->selector && n < 2)
		return err_set(err, -EINVAL, "requires at least 3 arg(s), only received %zu",
		               o->n_args);
	if (!q->selector && o->remove)
		first = n - 1;
	while (!q->selector && !o->remove && first < n && !strchr(words[first], '='))
		first++;
	if (!q->selector && (first == n || first == 0)) /* the label, or the name is missing */
		return err_set(err, -EINVAL, "invalid label %s", visible(words[first ? n - 1 : 1]));
	for (size_t i = first; i < n; i++) {
		if (!o->remove && (!strchr(words[i], '=') || words[i][0] == '='))
			return err_set(err, -EINVAL, "invalid label %s", visible(words[i]));
		add_label(q, words[i]);
	}
	q->n_names = first;
	return 0;
}

static int prepare(struct request *q, struct err *err)
{
	const struct options *o = q->o;
	struct err unknown;
	int rc;

	q->kind = crud_kind(o->args[0], &unknown);
	if (!q->kind)
		return err_set(err, -EINVAL, "failed to get %s %s, error %s", visible(o->args[0]),
		               visible(o->args[1]), unknown.text);
	if (o->ns && !q->kind->namespaced)
		return err_set(err, -EINVAL, "%s is not namespaced", q->kind->name);
	if (o->overwrite && o->remove)
		return err_set(err, -EINVAL, "--overwrite and --remove exclude each other");
	rc = crud_namespace(o, q->kind, NULL, &q->ns, err);
	if (rc == 0 && o->selector)
		rc = select_parse(o->selector, &q->selector, err);
	if (rc == 0)
		rc = split_words(q, err);
	for (size_t i = 0; rc == 0 && i < q->n_names; i++)
		if (!*q->names[i])
			rc = err_set(err, -EINVAL, "resource name may not be empty");
	return rc;
}

/* ---- the objects */

static void add_target(struct request *q, const char *ns, const char *name)
{
	q->targets = xrealloc(q->targets, (q->n_targets + 1) * sizeof(*q->targets));
	q->targets[q->n_targets++] = (struct target){ xstrdup(ns), xstrdup(name) };
}

static int find_targets(struct request *q, struct db *db, struct err *err)
{
	CLEANUP(result_p) struct store_result *all = NULL;

	for (size_t i = 0; i < q->n_names; i++)
		add_target(q, q->ns, q->names[i]);
	if (!q->selector)
		return 0;
	all = db_list(db, q->kind->kind, q->ns, NULL);
	if (all->status != STORE_OK) {
		db_error(all, q->kind->kind, q->ns, "", err);
		return err->code;
	}
	for (size_t i = 0; i < all->n; i++) {
		struct json *tree = shown_tree(all->items[i]);

		if (select_matches(q->selector, tree))
			add_target(q, all->items[i]->ns, all->items[i]->name);
		json_free(tree);
	}
	return 0;
}

/* ---- the change */

static void remove_member(struct json *object, const char *key)
{
	struct json *kept = json_new(JSON_OBJECT), swap;

	for (size_t i = 0; i < object->len; i++)
		if (strcmp(object->keys[i], key) != 0)
			json_set(kept, object->keys[i], json_copy(object->items[i]));
	swap = *object;
	*object = *kept;
	*kept = swap;
	json_free(kept);
}

/* -EALREADY, -ENODATA: the sentence is the whole message. */
static int change_label(void *arg, struct json **tree, struct err *err)
{
	struct change *c = arg;
	struct json *meta = json_get(*tree, "metadata"), *labels = json_get(meta, "labels");
	const char *kind = c->q->o->args[0], *key = c->label->key;
	const char *name = json_str(json_get(meta, "name"));
	const char *old = json_str(json_get(labels, key));

	c->overwritten = false;
	if (!c->label->value && !old)
		return err_set(err, -ENODATA, "cannot remove label of %s %s, key %s does not exist",
		               visible(kind), name, visible(key));
	if (old && c->label->value) {
		if (!c->q->o->overwrite && strcmp(old, c->label->value) != 0)
			return err_set(
			        err, -EALREADY,
			        "failed to update label of %s %s, key %s is already present. "
			        "please use '--overwrite' to set a new value",
			        visible(kind), name, visible(key));
		c->overwritten = true;
	}
	if (!labels) {
		labels = json_new(JSON_OBJECT);
		json_set(meta, "labels", labels);
	}
	if (c->label->value)
		json_set(labels, key, json_new_str(c->label->value));
	else
		remove_member(labels, key);
	return 0;
}

/* Returns the exit status. */
static int label_one(const struct request *q, struct db *db, const struct target *t,
                     const struct label *l)
{
	struct change c = { .q = q, .label = l };
	const char *kind = visible(q->o->args[0]);
	struct err err;
	int rc = write_modify(db, q->kind, t->ns, t->name, change_label, &c, &err);

	if (rc == 0) {
		printf("Successfully %s label %s %s %s %s\n",
		       !l->value       ? "removed"
		       : c.overwritten ? "updated"
		                       : "set",
		       visible(l->key), l->value ? "on" : "from", kind, visible(t->name));
		return 0;
	}
	fflush(stdout);
	if (rc == -EALREADY || rc == -ENODATA)
		fprintf(stderr, "%s\n", err.text);
	else if (rc == -ENOENT)
		fprintf(stderr, "%s %s not found\n", kind, visible(t->name));
	else
		fprintf(stderr, "failed to update %s %s, label not changed: %s\n", kind,
		        visible(t->name), err.text);
	return 1;
}

static int label_all(struct request *q, struct db *db)
{
	int status = 0;
	struct err err;

	if (find_targets(q, db, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (q->n_targets == 0)
		puts("No resources found");
	for (size_t i = 0; i < q->n_targets; i++)
		for (size_t k = 0; k < q->n_labels; k++)
			status |= label_one(q, db, &q->targets[i], &q->labels[k]);
	return status;
}

int cmd_label(const struct options *o)
{
	struct request q = { .o = o };
	struct db *db = NULL;
	struct err err;
	int status = 1;

	if (prepare(&q, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
	} else {
		db = db_begin(o, false);
		if (db)
			status = label_all(&q, db);
	}
	db_close(db);
	for (size_t i = 0; i < q.n_labels; i++) {
		free(q.labels[i].key);
		free(q.labels[i].value);
	}
	for (size_t i = 0; i < q.n_targets; i++) {
		free(q.targets[i].ns);
		free(q.targets[i].name);
	}
	free(q.labels);
	free(q.targets);
	selector_unref(q.selector);
	return status;
}
