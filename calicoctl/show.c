/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/show.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "calicoctl/output.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"

/* ---- results */

struct answer *answers_add(struct answers *a, const struct kind_info *kind)
{
	struct answer *answer;

	a->items = xrealloc(a->items, (a->n + 1) * sizeof(*a->items));
	answer = &a->items[a->n++];
	*answer = (struct answer){ .kind = kind };
	return answer;
}

void answer_add(struct answer *a, struct json *object)
{
	if ((a->n & (a->n - 1)) == 0)
		a->objects = xrealloc(a->objects, (a->n ? a->n * 2 : 1) * sizeof(struct json *));
	a->objects[a->n++] = object;
}

void answers_error(struct answers *a, const char *text)
{
	a->errors = xrealloc(a->errors, (a->n_errors + 1) * sizeof(*a->errors));
	a->errors[a->n_errors++] = xstrdup(text);
}

void answers_done(struct answers *a)
{
	for (size_t i = 0; i < a->n; i++) {
		for (size_t k = 0; k < a->items[i].n; k++)
			json_free(a->items[i].objects[k]);
		free(a->items[i].objects);
	}
	free(a->items);
	for (size_t i = 0; i < a->n_errors; i++)
		free(a->errors[i]);
	free(a->errors);
	*a = (struct answers){ 0 };
}

/* ---- trees */

static struct json *list_tree(const struct answer *a)
{
	struct json *list = json_new(JSON_OBJECT), *meta = json_new(JSON_OBJECT);
	struct json *items = json_new(JSON_ARRAY);
	CLEANUP(free_p) char *kind = xasprintf("%sList", a->kind->name);
	char revision[24];

	snprintf(revision, sizeof(revision), "%llu", (unsigned long long)a->revision);
	json_set(list, "kind", json_new_str(kind));
	json_set(list, "apiVersion", json_new_str(MODEL_API_VERSION));
	json_set(meta, "resourceVersion", json_new_str(revision));
	json_set(list, "metadata", meta);
	for (size_t i = 0; i < a->n; i++)
		json_append(items, json_copy(a->objects[i]));
	json_set(list, "items", items);
	return list;
}

static struct json *answer_tree(const struct answer *a)
{
	return a->is_list ? list_tree(a) : json_copy(a->objects[0]);
}

static struct json *all_trees(const struct answers *a)
{
	struct json *array;

	if (a->n == 1)
		return answer_tree(&a->items[0]);
	array = json_new(JSON_ARRAY);
	for (size_t i = 0; i < a->n; i++)
		json_append(array, answer_tree(&a->items[i]));
	return array;
}

/* ---- formats */

/* "ippool.projectcalico.org/pool1" */
static void write_names(const struct answer *a, struct buf *out)
{
	for (size_t i = 0; i < a->n; i++) {
		for (const char *c = a->kind->name; *c; c++)
			buf_byte(out, (uint8_t)tolower((unsigned char)*c));
		buf_printf(out, ".projectcalico.org/%s\n",
		           json_str(json_get(json_get(a->objects[i], "metadata"), "name")));
	}
}

static const char *config(void *arg, const char *name)
{
	const struct show *s = arg;

	if (strcasecmp(name, "asnumber") != 0)
		return NULL;
	return s->style.node_asn ? s->style.node_asn : "unknown";
}

static int write_template(const struct show *s, const struct answers *a, struct buf *out,
                          struct err *err)
{
	struct template_result *results = xcalloc(a->n + 1, sizeof(*results));
	const struct template_env env = { .config = config, .arg = (void *)s };
	struct json **trees = xcalloc(a->n + 1, sizeof(struct json *));
	int rc;

	for (size_t i = 0; i < a->n; i++) {
		trees[i] = answer_tree(&a->items[i]);
		results[i] = (struct template_result){ .tree = trees[i],
			                               .message = a->items[i].kind->message,
			                               .is_list = a->items[i].is_list };
	}
	rc = template_run(s->template, results, a->n, &env, out, err);
	for (size_t i = 0; i < a->n; i++)
		json_free(trees[i]);
	free(trees);
	free(results);
	return rc;
}

static int write_tree(const struct show *s, const struct answers *a, struct buf *out,
                      struct err *err)
{
	struct json *tree = all_trees(a);
	int rc = 0;

	if (s->format == SHOW_YAML) {
		rc = output_yaml(tree, out, err);
	} else {
		json_write(tree, 2, out);
		if (isatty(STDOUT_FILENO)) /* upstream ends without a newline; a prompt is better on
		                              a line of its own */
			buf_byte(out, '\n');
	}
	json_free(tree);
	return rc;
}

int show_write(const struct show *s, const struct answers *a, struct buf *out, struct err *err)
{
	int rc = 0;

	if (s->format == SHOW_TEMPLATE)
		return write_template(s, a, out, err);
	if (s->format == SHOW_YAML || s->format == SHOW_JSON)
		return write_tree(s, a, out, err);
	for (size_t i = 0; i < a->n && rc == 0; i++) {
		if (s->format == SHOW_NAME)
			write_names(&a->items[i], out);
		else
			rc = table_write(a->items[i].kind, a->items[i].objects, a->items[i].n,
			                 &s->style, out, err);
	}
	return rc;
}

/* ---- -o */

static int parse_template(const char *f, struct show *s, struct err *err)
{
	bool is_file = strncmp(f, "go-template-file=", 17) == 0;
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	int rc;

	if (!is_file)
		return template_parse("get", f + 12, strlen(f + 12), &s->template, err);
	rc = file_read(f + 17, TEMPLATE_TEXT_MAX, &text, &len, err);
	return rc ? rc : template_parse("get", text, len, &s->template, err);
}

int show_color(const struct options *o, bool *ret, struct err *err)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!o->color || strcmp(o->color, "auto") == 0)
		*ret = isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
		       !(term && strcmp(term, "dumb") == 0);
	else if (strcmp(o->color, "always") == 0)
		*ret = true;
	else if (strcmp(o->color, "never") == 0)
		*ret = false;
	else
		return err_set(err, -EINVAL, "--color is auto, always or never, not '%s'",
		               o->color);
	return 0;
}

int show_parse(const struct options *o, struct show *ret, struct err *err)
{
	const char *f = o->output && *o->output ? o->output : "ps";

	*ret = (struct show){ .style.namespaces = o->all_namespaces || o->ns,
		              .style.no_headings = o->no_headers };
	if (strcmp(f, "ps") == 0 || strcmp(f, "wide") == 0)
		ret->style.wide = *f == 'w';
	else if (strcmp(f, "yaml") == 0 || strcmp(f, "yml") == 0)
		ret->format = SHOW_YAML;
	else if (strcmp(f, "json") == 0)
		ret->format = SHOW_JSON;
	else if (strcmp(f, "name") == 0)
		ret->format = SHOW_NAME;
	else if (strncmp(f, "custom-columns=", 15) == 0)
		ret->style.columns = f + 15;
	else if (strncmp(f, "go-template=", 12) == 0 || strncmp(f, "go-template-file=", 17) == 0)
		ret->format = SHOW_TEMPLATE;
	else
		return err_set(err, -EINVAL, "unrecognized output format '%s'", f);
	if (ret->style.columns && !*ret->style.columns)
		return err_set(err, -EINVAL, "need to specify at least one column");
	if (strcmp(f, "go-template=") == 0 || strcmp(f, "go-template-file=") == 0)
		return err_set(err, -EINVAL, "need to specify a template%s",
		               f[11] == '=' ? "" : " file");
	if (show_color(o, &ret->style.color, err) != 0)
		return -EINVAL;
	return ret->format == SHOW_TEMPLATE ? parse_template(f, ret, err) : 0;
}

void show_done(struct show *s)
{
	template_free(s->template);
	s->template = NULL;
}

bool show_needs_asn(const struct show *s, const struct answers *a)
{
	if (s->format == SHOW_TEMPLATE)
		return template_calls(s->template, "config");
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind->kind == V3__KIND__KIND_NODE && s->format == SHOW_TABLE &&
		    (s->style.wide || s->style.columns))
			return true;
	return false;
}
