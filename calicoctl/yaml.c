/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <yaml.h>

#include "calicoctl/visible.h"
#include "common/base/mem.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

struct anchor {
	char *name;
	const struct json *node; /* NULL while its value is being read */
};

/* One document being built. */
struct builder {
	yaml_parser_t parser;
	struct yaml_doc *doc;
	unsigned first_line; /* of the text given to the parser, 0-based */
	size_t nodes, from_aliases;
	struct anchor *anchors;
	size_t n_anchors;
	struct json **merged; /* mappings written behind a "<<", kept because anchors may point into
	                         them */
	size_t n_merged;
};

/* ---- errors and places */

static unsigned line_at(const struct builder *b, const yaml_mark_t *mark)
{
	return b->first_line + (unsigned)mark->line + 1;
}

static int fail_at(struct builder *b, const yaml_mark_t *mark, int code, const char *text)
{
	return err_set(&b->doc->err, code, "line %u: %s", line_at(b, mark), text);
}

static int fail_parser(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	char context[160] = "";

	if (p->error == YAML_MEMORY_ERROR)
		return err_set(&b->doc->err, -ENOMEM, "out of memory");
	if (p->error == YAML_READER_ERROR)
		return err_set(&b->doc->err, -EINVAL, "line %u: %s", line_at(b, &p->mark),
		               p->problem ? p->problem : "the text is not valid UTF-8");
	if (p->context)
		snprintf(context, sizeof(context), " (%s, line %u)", p->context,
		         line_at(b, &p->context_mark));
	return err_set(&b->doc->err, -EINVAL, "line %u, column %zu: %s%s",
	               line_at(b, &p->problem_mark), p->problem_mark.column + 1,
	               p->problem ? p->problem : "not YAML", context);
}

static void add_place(struct yaml_doc *doc, const struct json *node, unsigned line)
{
	/* doubles at powers of two, from 16 */
	if (doc->n_places == 0 ||
	    (doc->n_places >= 16 && (doc->n_places & (doc->n_places - 1)) == 0))
		doc->places = xrealloc(doc->places, (doc->n_places ? doc->n_places * 2 : 16) *
		                                            sizeof(*doc->places));
	doc->places[doc->n_places++] = (struct yaml_place){ node, line };
}

static int by_node(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct yaml_place *)a)->node;
	uintptr_t y = (uintptr_t)((const struct yaml_place *)b)->node;

	return x < y ? -1 : x > y;
}

static unsigned place_of(const struct yaml_doc *doc, const struct json *node)
{
	const struct yaml_place wanted = { node, 0 }, *found;

	if (doc->n_places == 0)
		return 0;
	found = bsearch(&wanted, doc->places, doc->n_places, sizeof(wanted), by_node);
	return found ? found->line : 0;
}

/* The member that the start of *path names: keys may hold dots, so the longest that fits wins. */
static const struct json *step(const struct json *at, const char **path)
{
	const struct json *found = NULL;
	const char *p = *path, *rest = p;
	size_t best = 0;

	if (at->type == JSON_ARRAY && *p == '[') {
		char *end;
		unsigned long i = strtoul(p + 1, &end, 10);

		if (*end != ']' || i >= at->len)
			return NULL;
		*path = end + 1;
		return at->items[i];
	}
	if (at->type != JSON_OBJECT)
		return NULL;
	if (*p == '.')
		p++;
	for (size_t i = 0; i < at->len; i++) {
		size_t n = strlen(at->keys[i]);

		if (n >= best && strncmp(p, at->keys[i], n) == 0 &&
		    (p[n] == '\0' || p[n] == '.' || p[n] == '[')) {
			best = n;
			rest = p + n;
			found = at->items[i];
		}
	}
	*path = rest;
	return found;
}

unsigned yaml_line_of(const struct yaml_doc *doc, const struct json *from, const char *path)
{
	unsigned line = from ? place_of(doc, from) : 0;

	for (const struct json *at = from; at && *path;) {
		unsigned deeper;

		at = step(at, &path);
		deeper = at ? place_of(doc, at) : 0;
		if (deeper)
			line = deeper;
	}
	return line ? line : doc->line;
}

/* ---- events to tree */

static int build_node(struct builder *b, yaml_event_t *ev, unsigned depth, struct json **ret);

/* The next event, which the caller deletes. */
static int next_event(struct builder *b, yaml_event_t *ret)
{
	return yaml_parser_parse(&b->parser, ret) ? 0 : fail_parser(b);
}

static void measure(const struct json *j, unsigned depth, size_t *nodes, unsigned *height)
{
	++*nodes;
	if (depth > *height)
		*height = depth;
	if (j->type == JSON_ARRAY || j->type == JSON_OBJECT)
		for (size_t i = 0; i < j->len; i++)
			measure(j->items[i], depth + 1, nodes, height);
}

/* Copies what an alias stands for, as far as the limits allow: this is where small texts become
 * large trees. */
static int copy_alias(struct builder *b, const struct json *from, unsigned depth,
                      const yaml_mark_t *mark, struct json **ret)
{
	unsigned height = 0;
	size_t nodes = 0;

	measure(from, 1, &nodes, &height);
	if (depth + height > JSON_DEPTH_MAX)
		return fail_at(b, mark, -EINVAL, "nested too deep");
	b->from_aliases += nodes;
	b->nodes += nodes;
	if (b->from_aliases > YAML_ALIAS_MAX || b->nodes > YAML_NODES_MAX)
		return fail_at(b, mark, -E2BIG, "aliases expand to too many values");
	*ret = json_copy(from);
	add_place(b->doc, *ret, line_at(b, mark));
	return 0;
}

static struct anchor *find_anchor(struct builder *b, const char *name)
{
	for (size_t i = b->n_anchors; i-- > 0;) /* a later one hides an earlier one */
		if (strcmp(b->anchors[i].name, name) == 0)
			return &b->anchors[i];
	return NULL;
}

static int build_alias(struct builder *b, const yaml_event_t *ev, unsigned depth, struct json **ret)
{
	const char *name = (const char *)ev->data.alias.anchor;
	const struct anchor *a = find_anchor(b, name);

	if (!a)
		return err_set(&b->doc->err, -EINVAL, "line %u: unknown anchor '%s' referenced",
		               line_at(b, &ev->start_mark), visible(name));
	if (!a->node)
		return err_set(&b->doc->err, -EINVAL, "line %u: anchor '%s' value contains itself",
		               line_at(b, &ev->start_mark), visible(name));
	return copy_alias(b, a->node, depth, &ev->start_mark, ret);
}

/* Returns the index of the anchor, or SIZE_MAX when the event has none. */
static size_t open_anchor(struct builder *b, const yaml_char_t *name)
{
	if (!name)
		return SIZE_MAX;
	b->anchors = xrealloc(b->anchors, (b->n_anchors + 1) * sizeof(*b->anchors));
	b->anchors[b->n_anchors] = (struct anchor){ xstrdup((const char *)name), NULL };
	return b->n_anchors++;
}

static int build_scalar(struct builder *b, const yaml_event_t *ev, struct json **ret)
{
	const char *s = (const char *)ev->data.scalar.value,
	           *tag = (const char *)ev->data.scalar.tag;
	size_t len = ev->data.scalar.length;
	bool plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	enum yaml_scalar type = YAML_STR;
	struct json *j;

	if (!tag)
		type = plain ? yaml_resolve(s, len, NULL) : YAML_STR;
	else if (strcmp(tag, "!") == 0 || strcmp(tag, TAG_PREFIX "str") == 0)
		type = YAML_STR;
	else if (strcmp(tag, TAG_PREFIX "int") == 0 || strcmp(tag, TAG_PREFIX "float") == 0 ||
	         strcmp(tag, TAG_PREFIX "bool") == 0 || strcmp(tag, TAG_PREFIX "null") == 0) {
		enum yaml_scalar meant = yaml_resolve(s, len, NULL);
		char want = tag[sizeof(TAG_PREFIX) - 1]; /* i f b n */

		if ((want == 'n' && meant != YAML_NULL) ||
		    (want == 'b' && meant != YAML_TRUE && meant != YAML_FALSE) ||
		    ((want == 'i' || want == 'f') && meant != YAML_NUMBER))
			return err_set(&b->doc->err, -EINVAL, "line %u: '%s' is not a !!%s",
			               line_at(b, &ev->start_mark), visible(s),
			               tag + sizeof(TAG_PREFIX) - 1);
		type = meant;
	} else {
		return err_set(&b->doc->err, -EINVAL, "line %u: tag '%s' is not supported",
		               line_at(b, &ev->start_mark), visible(tag));
	}

	switch (type) {
	case YAML_NULL:
		j = json_new(JSON_NULL);
		break;
	case YAML_TRUE:
	case YAML_FALSE:
		j = json_new_bool(type == YAML_TRUE);
		break;
	case YAML_NUMBER:
		j = json_new(JSON_NUMBER);
		break;
	default:
		j = json_new(JSON_STRING);
		break;
	}
	if (type != YAML_NULL) {
		free(j->text);
		j->text = xstrndup(s, len);
		if (type == YAML_STR) { /* may hold a NUL, which xstrndup stops at */
			free(j->text);
			j->text = memcpy(xcalloc(1, len + 1), s, len);
		}
		j->len = len;
	}
	*ret = j;
	return 0;
}

static int check_tag(struct builder *b, const yaml_event_t *ev, const yaml_char_t *tag,
                     const char *expected)
{
	if (!tag || strcmp((const char *)tag, "!") == 0 ||
	    (strncmp((const char *)tag, TAG_PREFIX, strlen(TAG_PREFIX)) == 0 &&
	     strcmp((const char *)tag + strlen(TAG_PREFIX), expected) == 0))
		return 0;
	return err_set(&b->doc->err, -EINVAL, "line %u: tag '%s' is not supported",
	               line_at(b, &ev->start_mark), visible((const char *)tag));
}

static int build_sequence(struct builder *b, unsigned depth, struct json *into)
{
	for (;;) {
		struct json *item = NULL;
		yaml_event_t ev;
		int rc = next_event(b, &ev);

		if (rc)
			return rc;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return 0;
		}
		rc = build_node(b, &ev, depth + 1, &item);
		yaml_event_delete(&ev);
		if (rc)
			return rc;
		json_append(into, item);
	}
}

/* The members of from that into lacks. */
static int merge_mapping(struct builder *b, const struct json *from, unsigned depth,
                         const yaml_mark_t *mark, struct json *into)
{
	if (from->type != JSON_OBJECT)
		return fail_at(b, mark, -EINVAL,
		               "map merge requires map or sequence of maps as the value");
	for (size_t i = 0; i < from->len; i++) {
		struct json *copy;
		int rc;

		if (json_get(into, from->keys[i]))
			continue;
		if (into->len >= YAML_KEYS_MAX)
			return fail_at(b, mark, -E2BIG, "too many members in one mapping");
		rc = copy_alias(b, from->items[i], depth, mark, &copy);
		if (rc)
			return rc;
		json_set(into, from->keys[i], copy);
	}
	return 0;
}

/* What stood behind "<<": a mapping, or a sequence of them, the first of which wins. */
static int merge(struct builder *b, const struct json *from, unsigned depth,
                 const yaml_mark_t *mark, struct json *into)
{
	int rc = 0;

	if (from->type != JSON_ARRAY)
		return merge_mapping(b, from, depth, mark, into);
	for (size_t i = 0; i < from->len && rc == 0; i++)
		rc = merge_mapping(b, from->items[i], depth, mark, into);
	return rc;
}

static int build_mapping(struct builder *b, unsigned depth, struct json *into)
{
	struct {
		struct json *from;
		yaml_mark_t mark;
	} merges[16];
	size_t n_merges = 0;

	for (;;) {
		yaml_event_t key, ev;
		struct json *value = NULL;
		bool is_merge;
		int rc = next_event(b, &key);

		if (rc)
			return rc;
		if (key.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&key);
			break;
		}
		if (key.type != YAML_SCALAR_EVENT) {
			rc = fail_at(b, &key.start_mark, -EINVAL,
			             "a key must be a plain or quoted text");
			goto out;
		}
		is_merge = strcmp((const char *)key.data.scalar.value, "<<") == 0 &&
		           key.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		if (strlen((const char *)key.data.scalar.value) != key.data.scalar.length) {
			rc = fail_at(b, &key.start_mark, -EINVAL, "a key holds a NUL");
			goto out;
		}
		if (is_merge ? n_merges >= ARRAY_SIZE(merges) : into->len >= YAML_KEYS_MAX) {
			rc = fail_at(b, &key.start_mark, -E2BIG, "too many members in one mapping");
			goto out;
		}
		if (!is_merge && json_get(into, (const char *)key.data.scalar.value)) {
			rc = err_set(&b->doc->err, -EINVAL, "line %u: key '%s' already set in map",
			             line_at(b, &key.start_mark),
			             visible((const char *)key.data.scalar.value));
			goto out;
		}
		(void)open_anchor(
		        b, key.data.scalar.anchor); /* of no use, but it hides an earlier one */
		if (key.data.scalar.anchor) {
			struct json *name = json_new_str((const char *)key.data.scalar.value);

			b->anchors[b->n_anchors - 1].node = name;
			b->merged = xrealloc(b->merged, (b->n_merged + 1) * sizeof(*b->merged));
			b->merged[b->n_merged++] = name;
		}
		rc = next_event(b, &ev);
		if (rc)
			goto out;
		rc = build_node(b, &ev, depth + 1, &value);
		yaml_event_delete(&ev);
		if (rc)
			goto out;
		if (is_merge) {
			merges[n_merges].from = value;
			merges[n_merges++].mark = key.start_mark;
			b->merged = xrealloc(b->merged, (b->n_merged + 1) * sizeof(*b->merged));
			b->merged[b->n_merged++] = value;
		} else {
			json_set(into, (const char *)key.data.scalar.value, value);
		}
	out:
		yaml_event_delete(&key);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < n_merges; i++) {
		int rc = merge(b, merges[i].from, depth + 1, &merges[i].mark, into);

		if (rc)
			return rc;
	}
	return 0;
}

/* On an error *ret is whatever was built so far, or NULL; it is the caller's either way. */
static int build_node_at(struct builder *b, yaml_event_t *ev, unsigned depth, struct json **ret)
{
	size_t anchor;
	int rc;

	if (++b->nodes > YAML_NODES_MAX)
		return fail_at(b, &ev->start_mark, -E2BIG, "too many values in one document");
	if (depth > JSON_DEPTH_MAX)
		return fail_at(b, &ev->start_mark, -EINVAL, "nested too deep");

	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		return build_alias(b, ev, depth, ret);
	case YAML_SCALAR_EVENT:
		anchor = open_anchor(b, ev->data.scalar.anchor);
		rc = build_scalar(b, ev, ret);
		break;
	case YAML_SEQUENCE_START_EVENT:
		rc = check_tag(b, ev, ev->data.sequence_start.tag, "seq");
		if (rc)
			return rc;
		anchor = open_anchor(b, ev->data.sequence_start.anchor);
		*ret = json_new(JSON_ARRAY);
		rc = build_sequence(b, depth, *ret);
		break;
	case YAML_MAPPING_START_EVENT:
		rc = check_tag(b, ev, ev->data.mapping_start.tag, "map");
		if (rc)
			return rc;
		anchor = open_anchor(b, ev->data.mapping_start.anchor);
		*ret = json_new(JSON_OBJECT);
		rc = build_mapping(b, depth, *ret);
		break;
	default:
		return fail_at(b, &ev->start_mark, -EINVAL, "not a value");
	}
	if (rc)
		return rc;
	add_place(b->doc, *ret, line_at(b, &ev->start_mark));
	if (anchor != SIZE_MAX)
		b->anchors[anchor].node = *ret;
	return 0;
}

static int build_node(struct builder *b, yaml_event_t *ev, unsigned depth, struct json **ret)
{
	struct json *j = NULL;
	int rc = build_node_at(b, ev, depth, &j);

	if (rc) {
		json_free(j);
		return rc;
	}
	*ret = j;
	return 0;
}

/* Reads the next event, which must be of this type, and drops it. */
static int expect(struct builder *b, yaml_event_type_t type, const char *otherwise)
{
	yaml_event_t ev;
	int rc = next_event(b, &ev);

	if (rc)
		return rc;
	if (ev.type != type)
		rc = fail_at(b, &ev.start_mark, -EINVAL, otherwise);
	yaml_event_delete(&ev);
	return rc;
}

static int build_document(struct builder *b)
{
	struct json *tree = NULL;
	yaml_event_t ev;
	int rc = expect(b, YAML_STREAM_START_EVENT, "not YAML");

	if (rc == 0)
		rc = expect(b, YAML_DOCUMENT_START_EVENT, "no document here");
	if (rc == 0)
		rc = next_event(b, &ev);
	if (rc)
		return rc;
	rc = build_node(b, &ev, 1, &tree);
	yaml_event_delete(&ev);
	if (rc == 0)
		rc = expect(b, YAML_DOCUMENT_END_EVENT, "text behind the end of the document");
	if (rc == 0)
		rc = expect(b, YAML_STREAM_END_EVENT, "text behind the end of the document");
	if (rc)
		json_free(tree);
	else
		b->doc->tree = tree;
	return rc;
}

static void parse_yaml(const char *text, size_t len, unsigned first_line, struct yaml_doc *doc)
{
	struct builder b = { .doc = doc, .first_line = first_line };

	if (!yaml_parser_initialize(&b.parser)) {
		err_set(&doc->err, -ENOMEM, "out of memory");
		return;
	}
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	if (build_document(&b) == 0 && doc->n_places)
		qsort(doc->places, doc->n_places, sizeof(*doc->places), by_node);
	yaml_parser_delete(&b.parser);
	for (size_t i = 0; i < b.n_anchors; i++)
		free(b.anchors[i].name);
	free(b.anchors);
	for (size_t i = 0; i < b.n_merged; i++)
		json_free(b.merged[i]);
	free(b.merged);
}

/* ---- documents of a stream */

/* The line at text[at], without its end; *ret_next is where the next one begins. */
static size_t line_len(const char *text, size_t len, size_t at, size_t *ret_next)
{
	const char *nl = memchr(text + at, '\n', len - at);
	size_t end = nl ? (size_t)(nl - text) : len;

	*ret_next = nl ? end + 1 : len;
	if (end > at && text[end - 1] == '\r')
		end--;
	return end - at;
}

static bool is_marker(const char *line, size_t len, const char *marker)
{
	return len >= 3 && memcmp(line, marker, 3) == 0 &&
	       (len == 3 || line[3] == ' ' || line[3] == '\t');
}

/* Anything but blanks and a comment? */
static bool has_content(const char *line, size_t len)
{
	size_t i = 0;

	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i < len && line[i] != '#';
}

static struct yaml_doc *add_doc(struct yaml_docs *docs, unsigned line)
{
	struct yaml_doc *doc;

	if ((docs->n & (docs->n - 1)) == 0) /* doubles at powers of two */
		docs->items =
		        xrealloc(docs->items, (docs->n ? docs->n * 2 : 1) * sizeof(*docs->items));
	doc = &docs->items[docs->n++];
	*doc = (struct yaml_doc){ .number = (unsigned)docs->n, .line = line };
	return doc;
}

/* Cuts a stream into documents, line by line. */
struct cutter {
	const char *text;
	size_t len;
	size_t start,
	        body; /* where the document at hand begins, and its content (NONE: none yet) */
	unsigned start_line, body_line; /* 0-based */
	bool opened, directives;        /* its "---" was seen; a "%" was, before that */
};
#define NONE SIZE_MAX

static void cut_document(struct cutter *c, size_t end, struct yaml_docs *docs)
{
	struct yaml_doc *doc;
	size_t at = c->body;

	if (at == NONE)
		return;
	doc = add_doc(docs, c->body_line + 1);
	while (at < end && (c->text[at] == ' ' || c->text[at] == '\t'))
		at++;
	if ((c->text[at] == '{' || c->text[at] == '[') &&
	    json_parse(c->text + at, end - at, &doc->tree, NULL) == 0)
		return;
	parse_yaml(c->text + c->start, end - c->start, c->start_line, doc);
}

static void cut_begin(struct cutter *c, size_t at, unsigned line)
{
	c->start = at;
	c->start_line = line;
	c->body = NONE;
	c->opened = c->directives = false;
}

void yaml_parse(const char *text, size_t len, struct yaml_docs *ret)
{
	struct cutter c = { .text = text, .len = len, .body = NONE };
	unsigned line = 0;

	*ret = (struct yaml_docs){ 0 };
	if (len > YAML_TEXT_MAX) {
		err_set(&add_doc(ret, 1)->err, -EFBIG, "more than %u MiB of text",
		        YAML_TEXT_MAX >> 20);
		return;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* a byte order mark */
		c.start = 3;
	for (size_t at = c.start, next; at < len; at = next, line++) {
		size_t n = line_len(text, len, at, &next);

		if (is_marker(text + at, n, "---")) {
			/* A document may begin with directives; what is before its "---" belongs to
			 * it then. */
			cut_document(&c, at, ret);
			if (c.body != NONE || c.opened || !c.directives)
				cut_begin(&c, at, line);
			c.opened = true;
			if (has_content(text + at + 3, n - 3)) { /* "--- {kind: IPPool}" */
				c.body = at + 3;
				c.body_line = line;
			}
		} else if (is_marker(text + at, n, "...")) {
			cut_document(&c, at, ret);
			cut_begin(&c, next, line + 1);
		} else if (c.body == NONE && !c.opened && n && text[at] == '%') {
			c.directives = true;
		} else if (c.body == NONE && has_content(text + at, n)) {
			c.body = at;
			c.body_line = line;
		}
		if (ret->n >= YAML_DOCS_MAX) {
			err_set(&add_doc(ret, line + 1)->err, -E2BIG, "more than %u documents",
			        YAML_DOCS_MAX);
			return;
		}
	}
	cut_document(&c, len, ret);
}

void yaml_docs_done(struct yaml_docs *docs)
{
	for (size_t i = 0; i < docs->n; i++) {
		json_free(docs->items[i].tree);
		free(docs->items[i].places);
	}
	free(docs->items);
	*docs = (struct yaml_docs){ 0 };
}
