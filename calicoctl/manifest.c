/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calicoctl/typed.h"
#include "calicoctl/visible.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"

#define DIR_DEPTH_MAX 32

struct manifest_source {
	char *name;
	struct yaml_docs docs;
};

/* ---- places */

unsigned manifest_line(const struct manifest_item *item, const char *field)
{
	return yaml_line_of(item->doc, item->node, field ? field : "");
}

void manifest_place(const struct manifest_item *item, const char *field, struct buf *out)
{
	buf_printf(out, "%s, document %u, line %u", item->source->name, item->doc->number,
	           manifest_line(item, field));
}

/* "place: reason"; field may be NULL. */
static void item_fail(struct manifest_item *item, const char *field, const char *reason)
{
	struct buf text = { 0 };

	manifest_place(item, field, &text);
	buf_printf(&text, ": %s", reason);
	item->error = buf_take(&text);
}

/* The mapper's errors begin with the path of a field, or, of an unknown one, end with it. */
static void item_fail_mapping(struct manifest_item *item, const char *reason)
{
	const char *colon = strstr(reason, ": ");
	char field[256] = "";

	if (strncmp(reason, "field in document ", 18) == 0 && colon)
		snprintf(field, sizeof(field), "%s", colon + 2);
	else if (colon)
		snprintf(field, sizeof(field), "%.*s", (int)(colon - reason), reason);
	item_fail(item, field, reason);
}

/* ---- one tree, one or more resources */

static struct manifest_item *add_item(struct manifest *m, const struct manifest_source *source,
                                      const struct yaml_doc *doc, const struct json *node)
{
	struct manifest_item *item;

	if ((m->n & (m->n - 1)) == 0) /* doubles at powers of two */
		m->items = xrealloc(m->items, (m->n ? m->n * 2 : 1) * sizeof(*m->items));
	item = &m->items[m->n++];
	*item = (struct manifest_item){
		.source = source, .doc = doc, .node = node, .whole = m->whole
	};
	return item;
}

static void add_resource(struct manifest *m, const struct manifest_source *source,
                         const struct yaml_doc *doc, struct json *tree,
                         const struct kind_info *of_list)
{
	struct manifest_item *item = add_item(m, source, doc, tree);
	const char *kind = json_str(json_get(tree, "kind"));
	const char *version = json_str(json_get(tree, "apiVersion"));
	struct err err;

	if (tree->type != JSON_OBJECT) {
		CLEANUP(free_p)
		char *text = xasprintf("expected a resource (an object), got %s",
		                       json_type_str(tree->type));
		item_fail(item, NULL, text);
		return;
	}
	if (!kind && !version && of_list) { /* items of an IPPoolList need not repeat it */
		json_set(tree, "kind", json_new_str(of_list->name));
		json_set(tree, "apiVersion", json_new_str(MODEL_API_VERSION));
		kind = of_list->name;
		version = MODEL_API_VERSION;
	}
	item->kind = kind ? kind_by_name(kind) : NULL;
	if (item->kind && !*item->kind->aliases) /* not for people */
		item->kind = NULL;
	if (!item->kind || !version || strcmp(version, MODEL_API_VERSION) != 0) {
		CLEANUP(free_p)
		char *text = xasprintf("unknown resource type (%s) and/or version (%s)",
		                       kind ? visible(kind) : "", version ? visible(version) : "");
		item_fail(item, kind && !item->kind ? "kind" : version ? "apiVersion" : NULL, text);
		return;
	}
	if (mapper_read(item->kind->message, tree, m->whole ? MAPPER_KEEP : MAPPER_REFUSE,
	                &item->msg, &err) != 0) {
		item->msg = NULL;
		item_fail_mapping(item, err.text);
	}
}

/* A resource, a List of any kind, a <Kind>List, or an array of these. */
static void add_tree(struct manifest *m, const struct manifest_source *source,
                     const struct yaml_doc *doc, struct json *tree, const struct kind_info *of_list)
{
	const char *kind = json_str(json_get(tree, "kind"));
	size_t len = kind ? strlen(kind) : 0;
	struct json *items = tree;

	if (tree->type != JSON_ARRAY) {
		const struct kind_info *member = NULL;

		if (len > 4 && strcmp(kind + len - 4, "List") == 0) {
			CLEANUP(free_p) char *name = xstrndup(kind, len - 4);

			member = kind_by_name(name);
		}
		if (!member && !(kind && strcmp(kind, "List") == 0)) {
			add_resource(m, source, doc, tree, of_list);
			return;
		}
		items = json_get(tree, "items");
		if (!items || items->type == JSON_NULL)
			return;
		if (items->type != JSON_ARRAY) {
			struct manifest_item *item = add_item(m, source, doc, tree);

			item->kind = member;
			item_fail(item, "items", "items: expected a list");
			return;
		}
		of_list = member;
	}
	for (size_t i = 0; i < items->len; i++)
		add_tree(m, source, doc, items->items[i], of_list);
}

/* The message that a tree will become decides how its scalars are read. */
static void settle(struct json *tree)
{
	const char *name = json_str(json_get(tree, "kind"));
	const struct kind_info *kind = name ? kind_by_name(name) : NULL;
	struct json *items = tree->type == JSON_ARRAY ? tree : json_get(tree, "items");
	size_t len = name ? strlen(name) : 0;

	if (!kind && items && items->type == JSON_ARRAY) {
		const struct kind_info *member = NULL;

		if (len > 4 && strcmp(name + len - 4, "List") == 0) {
			CLEANUP(free_p) char *member_name = xstrndup(name, len - 4);

			member = kind_by_name(member_name);
		}
		for (size_t i = 0; i < items->len; i++) {
			if (member && !json_get(items->items[i], "kind"))
				typed_settle(member->message, items->items[i]);
			else
				settle(items->items[i]);
		}
		return;
	}
	typed_settle(kind ? kind->message : NULL, tree);
}

void manifest_add_text(struct manifest *m, const char *name, const char *text, size_t len)
{
	struct manifest_source *source = xcalloc(1, sizeof(*source));

	source->name = xstrdup(name);
	m->sources = xrealloc(m->sources, (m->n_sources + 1) * sizeof(struct manifest_source *));
	m->sources[m->n_sources++] = source;
	yaml_parse(text, len, &source->docs);
	for (size_t i = 0; i < source->docs.n; i++) {
		struct yaml_doc *doc = &source->docs.items[i];

		if (!doc->tree) {
			struct manifest_item *item = add_item(m, source, doc, NULL);

			item->error =
			        xasprintf("%s, document %u, %s", name, doc->number, doc->err.text);
		} else if (doc->tree->type != JSON_NULL) {
			settle(doc->tree);
			add_tree(m, source, doc, doc->tree, NULL);
		}
	}
}

/* ---- files */

static int add_stdin(struct manifest *m, struct err *err)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	for (;;) {
		char chunk[16384];
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read standard input");
		buf_add(&text, chunk, (size_t)n);
		if (n == 0 || text.len > YAML_TEXT_MAX)
			break; /* too much: yaml_parse() will say so */
	}
	manifest_add_text(m, "stdin", buf_cstr(&text), text.len);
	return 0;
}

static int add_file(struct manifest *m, const char *path, struct err *err)
{
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	int rc = file_read(path, YAML_TEXT_MAX, &text, &len, err);

	if (rc == 0)
		manifest_add_text(m, path, text, len);
	return rc;
}

static bool is_manifest(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

/* scandir() sorts by strcmp, not by the locale's rules: the same order everywhere. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_dir(struct manifest *m, const char *path, bool recursive, unsigned depth,
                   struct err *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, by_name), rc = 0;

	if (n < 0)
		return err_sys(err, "read directory '%s'", path);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		CLEANUP(free_p) char *full = xasprintf("%s/%s", path, name);
		struct stat st;

		if (rc || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
			free(entries[i]);
			continue;
		}
		/* a link to a directory is not followed: it may lead back here */
		if (lstat(full, &st) < 0)
			rc = err_sys(err, "'%s'", full);
		else if (S_ISDIR(st.st_mode)) {
			if (recursive && depth >= DIR_DEPTH_MAX)
				rc = err_set(err, -ELOOP, "'%s' lies too deep", full);
			else if (recursive)
				rc = add_dir(m, full, true, depth + 1, err);
		} else if (is_manifest(name) && (stat(full, &st) < 0 || S_ISREG(st.st_mode))) {
			rc = add_file(m, full, err);
		}
		free(entries[i]);
	}
	free(entries);
	return rc;
}

bool manifest_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int manifest_add(struct manifest *m, const char *path, bool recursive, struct err *err)
{
	if (strcmp(path, "-") == 0)
		return add_stdin(m, err);
	if (manifest_is_dir(path))
		return add_dir(m, path, recursive, 0, err);
	return add_file(m, path, err);
}

void manifest_done(struct manifest *m)
{
	for (size_t i = 0; i < m->n; i++) {
		msg_free(m->items[i].msg);
		free(m->items[i].error);
	}
	free(m->items);
	for (size_t i = 0; i < m->n_sources; i++) {
		yaml_docs_done(&m->sources[i]->docs);
		free(m->sources[i]->name);
		free(m->sources[i]);
	}
	free(m->sources);
	*m = (struct manifest){ 0 };
}
