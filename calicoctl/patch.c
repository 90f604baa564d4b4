/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/patch.h"

#include <errno.h>
#include <string.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define POINTER_MAX 128 /* segments of a JSON pointer */

int patch_type_parse(const char *name, enum patch_type *ret, struct err *err)
{
	if (strcmp(name, "strategic") == 0)
		*ret = PATCH_STRATEGIC;
	else if (strcmp(name, "merge") == 0)
		*ret = PATCH_MERGE;
	else if (strcmp(name, "json") == 0)
		*ret = PATCH_JSON;
	else
		return err_set(err, -EINVAL, "patch type '%s' is not strategic, merge or json",
		               visible(name));
	return 0;
}

/* ---- trees that change */

static void remove_at(struct json *j, size_t i)
{
	json_free(j->items[i]);
	if (j->type == JSON_OBJECT)
		free(j->keys[i]);
	j->len--;
	memmove(&j->items[i], &j->items[i + 1], (j->len - i) * sizeof(j->items[0]));
	if (j->type == JSON_OBJECT)
		memmove(&j->keys[i], &j->keys[i + 1], (j->len - i) * sizeof(j->keys[0]));
}

static void remove_key(struct json *object, const char *key)
{
	for (size_t i = 0; i < object->len; i++)
		if (strcmp(object->keys[i], key) == 0) {
			remove_at(object, i);
			return;
		}
}

static void insert_at(struct json *array, size_t i, struct json *item)
{
	json_append(array, item);
	memmove(&array->items[i + 1], &array->items[i],
	        (array->len - 1 - i) * sizeof(array->items[0]));
	array->items[i] = item;
}

/* ---- merge */

/* Lays patch over what is at to; what is put there is new. */
static struct json *merge(struct json *to, const struct json *patch)
{
	if (patch->type != JSON_OBJECT) {
		json_free(to);
		return json_copy(patch);
	}
	if (!to || to->type != JSON_OBJECT) {
		json_free(to);
		to = json_new(JSON_OBJECT);
	}
	for (size_t i = 0; i < patch->len; i++) {
		const char *key = patch->keys[i];
		struct json *old = json_get(to, key);

		if (patch->items[i]->type == JSON_NULL)
			remove_key(to, key);
		else
			json_set(to, key, merge(old ? json_copy(old) : NULL, patch->items[i]));
	}
	return to;
}

/* ---- strategic merge */

static bool is_set(const char *key)
{
	return strcmp(key, "finalizers") == 0;
}

static bool has(const struct json *array, const struct json *item)
{
	for (size_t i = 0; i < array->len; i++)
		if (json_equal(array->items[i], item))
			return true;
	return false;
}

static struct json *set_union(const struct json *old, const struct json *more)
{
	struct json *both = json_copy(old);

	for (size_t i = 0; i < more->len; i++)
		if (!has(both, more->items[i]))
			json_append(both, json_copy(more->items[i]));
	return both;
}

static void set_minus(struct json *array, const struct json *less)
{
	for (size_t i = array->len; i-- > 0;)
		if (has(less, array->items[i]))
			remove_at(array, i);
}

/* Only the keys of the list stay. */
static void retain(struct json *object, const struct json *keys)
{
	for (size_t i = object->len; i-- > 0;) {
		bool kept = false;

		for (size_t k = 0; k < keys->len && !kept; k++) {
			const char *key = json_str(keys->items[k]);

			kept = key && strcmp(key, object->keys[i]) == 0;
		}
		if (!kept)
			remove_at(object, i);
	}
}

static int strategic(struct json **to, const struct json *patch, struct err *err);

/* A member that says how to change, instead of what. false: it is an ordinary one. */
static bool directive(struct json *to, const char *key, const struct json *value)
{
	static const char delete_from[] = "$deleteFromPrimitiveList/",
	                  order[] = "$setElementOrder/";

	if (strcmp(key, "$patch") == 0 || strncmp(key, order, sizeof(order) - 1) == 0)
		return true; /* the first is done already; lists here have no order of their own */
	if (strcmp(key, "$retainKeys") == 0)
		return true;
	if (strncmp(key, delete_from, sizeof(delete_from) - 1) == 0) {
		struct json *list = json_get(to, key + sizeof(delete_from) - 1);

		if (list && list->type == JSON_ARRAY && value->type == JSON_ARRAY)
			set_minus(list, value);
		return true;
	}
	return false;
}

static int strategic_member(struct json *to, const char *key, const struct json *value,
                            struct err *err)
{
	struct json *old = json_get(to, key), *changed;
	const char *how = json_str(json_get(value, "$patch"));
	int rc;

	if (value->type == JSON_NULL || (how && strcmp(how, "delete") == 0)) {
		remove_key(to, key);
		return 0;
	}
	if (value->type == JSON_ARRAY && old && old->type == JSON_ARRAY && is_set(key)) {
		json_set(to, key, set_union(old, value));
		return 0;
	}
	changed = old ? json_copy(old) : NULL;
	rc = strategic(&changed, value, err);
	if (rc)
		json_free(changed);
	else
		json_set(to, key, changed);
	return rc;
}

static int strategic(struct json **to, const struct json *patch, struct err *err)
{
	const char *how = json_str(json_get(patch, "$patch"));
	const struct json *keys = json_get(patch, "$retainKeys");
	int rc = 0;

	if (how && strcmp(how, "replace") != 0 && strcmp(how, "merge") != 0 &&
	    strcmp(how, "delete") != 0)
		return err_set(err, -EINVAL, "unknown patch type '%s' in \"$patch\"", visible(how));
	if (patch->type != JSON_OBJECT) {
		json_free(*to);
		*to = json_copy(patch);
		return 0;
	}
	if (!*to || (*to)->type != JSON_OBJECT || (how && strcmp(how, "merge") != 0)) {
		json_free(*to);
		*to = json_new(JSON_OBJECT);
	}
	if (keys && keys->type == JSON_ARRAY)
		retain(*to, keys);
	for (size_t i = 0; i < patch->len && rc == 0; i++)
		if (!directive(*to, patch->keys[i], patch->items[i]))
			rc = strategic_member(*to, patch->keys[i], patch->items[i], err);
	return rc;
}

/* ---- JSON patch */

/* A JSON pointer, cut into its segments, whose text is unescaped in place. */
struct pointer {
	char *text;
	char *segments[POINTER_MAX];
	size_t n;
};

static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '~' && (s[1] == '0' || s[1] == '1'))
			*to++ = *++s == '0' ? '~' : '/';
		else
			*to++ = *s;
	}
	*to = '\0';
}

static int pointer_parse(const char *text, struct pointer *ret, struct err *err)
{
	*ret = (struct pointer){ .text = xstrdup(text) };
	if (!*text)
		return 0;
	if (*text != '/')
		return err_set(err, -EINVAL, "path '%s' does not begin with '/'", visible(text));
	for (char *s = ret->text; s;) {
		char *next = strchr(s + 1, '/');

		if (ret->n == POINTER_MAX)
			return err_set(err, -EINVAL, "path '%s' is too deep", visible(text));
		if (next)
			*next = '\0';
		ret->segments[ret->n++] = s + 1;
		s = next;
	}
	for (size_t i = 0; i < ret->n; i++)
		unescape(ret->segments[i]);
	return 0;
}

static void pointer_done(struct pointer *p)
{
	free(p->text);
}

/* The index of a list that a segment names. end: "-" and the place behind the last are allowed. */
static bool list_index(const struct json *list, const char *segment, bool end, size_t *ret)
{
	char *rest;

	if (end && strcmp(segment, "-") == 0) {
		*ret = list->len;
		return true;
	}
	if (*segment < '0' || *segment > '9' || (*segment == '0' && segment[1]) ||
	    strlen(segment) > 9)
		return false;
	*ret = strtoul(segment, &rest, 10);
	return !*rest && *ret < list->len + end;
}

static struct json *child(struct json *of, const char *segment)
{
	size_t i;

	if (of->type == JSON_OBJECT)
		return json_get(of, segment);
	return of->type == JSON_ARRAY && list_index(of, segment, false, &i) ? of->items[i] : NULL;
}

/* What the first n segments lead to; NULL: nothing. */
static struct json *follow(struct json *root, const struct pointer *p, size_t n)
{
	for (size_t i = 0; i < n && root; i++)
		root = child(root, p->segments[i]);
	return root;
}

/* value is taken. */
static int put(struct json **root, const struct pointer *p, struct json *value, struct err *err)
{
	struct json *parent;
	size_t i;

	if (p->n == 0) {
		json_free(*root);
		*root = value;
		return 0;
	}
	parent = follow(*root, p, p->n - 1);
	if (parent && parent->type == JSON_OBJECT) {
		json_set(parent, p->segments[p->n - 1], value);
		return 0;
	}
	if (parent && parent->type == JSON_ARRAY &&
	    list_index(parent, p->segments[p->n - 1], true, &i)) {
		insert_at(parent, i, value);
		return 0;
	}
	json_free(value);
	return err_set(err, -ENOENT, "there is no such place");
}

static int cut(struct json **root, const struct pointer *p, struct err *err)
{
	struct json *parent = p->n ? follow(*root, p, p->n - 1) : NULL;
	size_t i;

	if (parent && child(parent, p->segments[p->n - 1])) {
		if (parent->type == JSON_OBJECT)
			remove_key(parent, p->segments[p->n - 1]);
		else if (list_index(parent, p->segments[p->n - 1], false, &i))
			remove_at(parent, i);
		return 0;
	}
	return err_set(err, -ENOENT, "there is nothing");
}

/* Whether moving a to b would move it into itself. */
static bool is_inside(const struct pointer *a, const struct pointer *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (i >= b->n || strcmp(a->segments[i], b->segments[i]) != 0)
			return false;
	return b->n > a->n;
}

static int test(const struct json *seen, const struct json *want, struct err *err)
{
	CLEANUP(buf_done) struct buf is = { 0 }, should = { 0 };

	if (!seen)
		return err_set(err, -ENOENT, "there is nothing");
	if (json_equal(seen, want))
		return 0;
	json_write(seen, 0, &is);
	json_write(want, 0, &should);
	return err_set(err, -EINVAL, "it is %s, not %s", visible(buf_cstr(&is)),
	               visible(buf_cstr(&should)));
}

static int operate(struct json **root, const char *op, const struct pointer *path,
                   const struct pointer *from, const struct json *value, struct err *err)
{
	struct json *there = follow(*root, path, path->n), *copy;
	int rc;

	if (strcmp(op, "test") == 0)
		return test(there, value, err);
	if (strcmp(op, "remove") == 0)
		return cut(root, path, err);
	if (strcmp(op, "add") == 0)
		return put(root, path, json_copy(value), err);
	if (strcmp(op, "replace") == 0) {
		rc = path->n ? cut(root, path, err) : 0;
		return rc ? rc : put(root, path, json_copy(value), err);
	}
	there = follow(*root, from, from->n);
	if (!there)
		return err_set(err, -ENOENT, "there is nothing at its \"from\"");
	if (strcmp(op, "copy") == 0)
		return put(root, path, json_copy(there), err);
	if (is_inside(from, path))
		return err_set(err, -EINVAL, "it cannot be moved into itself");
	copy = json_copy(there);
	rc = from->n ? cut(root, from, err) : 0;
	if (rc)
		json_free(copy);
	return rc ? rc : put(root, path, copy, err);
}

static bool is_op(const char *op)
{
	static const char *const ops[] = { "test", "remove", "add", "replace", "copy", "move" };

	for (size_t i = 0; op && i < ARRAY_SIZE(ops); i++)
		if (strcmp(ops[i], op) == 0)
			return true;
	return false;
}

static int json_operation(struct json **root, const struct json *o, struct err *err)
{
	const char *op = json_str(json_get(o, "op")), *path = json_str(json_get(o, "path"));
	const char *from = json_str(json_get(o, "from"));
	const struct json *value = json_get(o, "value");
	struct pointer to = { 0 }, source = { 0 };
	int rc;

	if (!is_op(op))
		return err_set(err, -EINVAL,
		               "\"op\" is not add, remove, replace, move, copy or "
		               "test");
	if (!path)
		return err_set(err, -EINVAL, "\"path\" is missing");
	if (!from && (*op == 'c' || *op == 'm'))
		return err_set(err, -EINVAL, "\"from\" is missing");
	if (!value && (*op == 'a' || *op == 't' || strcmp(op, "replace") == 0))
		return err_set(err, -EINVAL, "\"value\" is missing");
	rc = pointer_parse(path, &to, err);
	if (rc == 0)
		rc = pointer_parse(from ? from : "", &source, err);
	if (rc == 0) {
		rc = operate(root, op, &to, &source, value, err);
		if (rc)
			err_wrap(err, rc, "%s '%s'", op, visible(path));
	}
	pointer_done(&to);
	pointer_done(&source);
	return rc;
}

static int json_patch(struct json **root, const struct json *patch, struct err *err)
{
	if (patch->type != JSON_ARRAY)
		return err_set(err, -EINVAL, "a JSON patch is a list of operations");
	for (size_t i = 0; i < patch->len; i++)
		if (json_operation(root, patch->items[i], err) != 0)
			return err_wrap(err, -EINVAL, "operation %zu", i + 1);
	return 0;
}

int patch_apply(enum patch_type type, const struct json *object, const struct json *patch,
                struct json **ret, struct err *err)
{
	struct json *work = json_copy(object);
	int rc = 0;

	if (type != PATCH_JSON && patch->type != JSON_OBJECT)
		rc = err_set(err, -EINVAL, "the patch is not an object");
	else if (type == PATCH_MERGE)
		work = merge(work, patch);
	else if (type == PATCH_STRATEGIC)
		rc = strategic(&work, patch, err);
	else
		rc = json_patch(&work, patch, err);
	if (rc)
		json_free(work);
	else
		*ret = work;
	return rc;
}
