/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/explain.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "calicoctl/fields.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/kind.h"
#include "common/model/resource.h"

#define WIDTH 80
#define DEPTH_MAX 12

/* Messages that are one JSON value. */
static const struct {
	const char *message, *type;
} scalars[] = {
	{ "AsNumber", "integer or string" },    { "Port", "integer or string" },
	{ "Protocol", "integer or string" },    { "Dscp", "integer or string" },
	{ "IntOrString", "integer or string" }, { "Duration", "string" },
};

static const char *scalar_type(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++)
		if (strcmp(scalars[i].message, d->short_name) == 0)
			return scalars[i].type;
	return NULL;
}

/* A message that is only there to hold a list or a map: it is written as that. */
static const ProtobufCFieldDescriptor *unwrapped(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d =
	        f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;

	if (d && d->n_fields == 1 && strcmp(d->fields[0].name, "items") == 0 &&
	    f->label != PROTOBUF_C_LABEL_REPEATED)
		return &d->fields[0];
	return f;
}

static const char *base_type(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_ENUM:
		return "string";
	case PROTOBUF_C_TYPE_BOOL:
		return "boolean";
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_FLOAT:
		return "number";
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessageDescriptor *d = f->descriptor;
		const char *scalar = scalar_type(d);

		return scalar ? scalar : "Object";
	}
	default:
		return "integer";
	}
}

static bool is_map(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor);
}

static void type_of(const ProtobufCFieldDescriptor *f, struct buf *out)
{
	f = unwrapped(f);
	if (is_map(f))
		buf_printf(out, "map[string]%s",
		           base_type(protobuf_c_message_descriptor_get_field_by_name(f->descriptor,
		                                                                     "value")));
	else
		buf_printf(out, "%s%s", f->label == PROTOBUF_C_LABEL_REPEATED ? "[]" : "",
		           base_type(f));
}

/* The message whose fields a field has; NULL: none. */
static const ProtobufCMessageDescriptor *inner(const ProtobufCFieldDescriptor *f)
{
	f = unwrapped(f);
	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return NULL;
	if (is_map(f)) {
		f = protobuf_c_message_descriptor_get_field_by_name(f->descriptor, "value");
		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			return NULL;
	}
	return scalar_type(f->descriptor) ? NULL : f->descriptor;
}

/* ---- comments */

static const char *comment_of(const ProtobufCMessageDescriptor *d, const char *field)
{
	/* what every kind has has no comment of its own in each */
	static const struct field_comment everywhere[] = {
		{ "", "kind", "The kind of the resource." },
		{ "", "apiVersion", "The version of the schema: projectcalico.org/v3." },
		{ "", "metadata", "Name, labels and what else every resource has." },
		{ "", "spec", "What is wanted." },
		{ "", "status", "What is found; the software writes it." },
		{ NULL, NULL, NULL },
	};

	for (const struct field_comment *c = field_comments; c->message; c++)
		if (strcmp(c->message, d->name) == 0 && strcmp(c->field, field) == 0)
			return c->text;
	for (const struct field_comment *c = everywhere; kind_by_message(d) && c->message; c++)
		if (strcmp(c->field, field) == 0)
			return c->text;
	return NULL;
}

/* Folded at blanks; its lines stay lines. */
static void put_text(const char *text, unsigned indent, struct buf *out)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " \n");

		if (column && column + 1 + len > WIDTH) {
			buf_byte(out, '\n');
			column = 0;
		}
		if (column == 0) {
			buf_printf(out, "%*s", (int)indent, "");
			column = indent;
		} else if (len) {
			buf_byte(out, ' ');
			column++;
		}
		buf_add(out, text, len);
		column += len;
		text += len;
		if (*text == '\n') {
			buf_byte(out, '\n');
			column = 0;
		}
		text += *text != '\0';
	}
	if (column)
		buf_byte(out, '\n');
}

/* ---- what is shown */

static void tree(const ProtobufCMessageDescriptor *d, unsigned depth, struct buf *out)
{
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const ProtobufCMessageDescriptor *below = inner(f);

		buf_printf(out, "%*s%s\t<", (int)(2 + 2 * depth), "", f->name);
		type_of(f, out);
		buf_str(out, ">\n");
		if (below && depth < DEPTH_MAX && below != d)
			tree(below, depth + 1, out);
	}
}

static void list(const ProtobufCMessageDescriptor *d, struct buf *out)
{
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const char *text = comment_of(d, f->name);

		buf_printf(out, "  %s\t<", f->name);
		type_of(f, out);
		buf_str(out, ">\n");
		if (text)
			put_text(text, 4, out);
		buf_byte(out, '\n');
	}
}

static const ProtobufCFieldDescriptor *field_by_name(const ProtobufCMessageDescriptor *d,
                                                     const char *name, size_t len)
{
	for (unsigned i = 0; i < d->n_fields; i++)
		if (strlen(d->fields[i].name) == len &&
		    strncasecmp(d->fields[i].name, name, len) == 0)
			return &d->fields[i];
	return NULL;
}

/* Goes down path (".spec.cidr"); *ret_of is the message that the last field stands in. */
static int find(const struct kind_info *kind, const char *path,
                const ProtobufCMessageDescriptor **ret_of, const ProtobufCFieldDescriptor **ret,
                struct err *err)
{
	const ProtobufCMessageDescriptor *d = kind->message;
	const ProtobufCFieldDescriptor *f = NULL;

	while (*path == '.') {
		size_t len = strcspn(++path, ".");

		*ret_of = d;
		f = d ? field_by_name(d, path, len) : NULL;
		if (!f)
			return err_set(err, -EINVAL, "field \"%.*s\" does not exist", (int)len,
			               visible(path));
		d = inner(f);
		path += len;
	}
	*ret = f;
	return 0;
}

int explain(const char *path, bool recursive, struct buf *out, struct err *err)
{
	size_t len = strcspn(path, ".");
	CLEANUP(free_p) char *name = xstrndup(path, len);
	const struct kind_info *kind = kind_by_alias(name);
	const ProtobufCMessageDescriptor *of = NULL, *d;
	const ProtobufCFieldDescriptor *f = NULL;
	const char *text;

	if (!kind)
		return err_set(err, -EINVAL, "resource type '%s' is not supported", visible(name));
	if (find(kind, path + len, &of, &f, err) != 0)
		return -EINVAL;
	buf_printf(out, "GROUP:      projectcalico.org\nKIND:       %s\nVERSION:    v3\n\n",
	           kind->name);
	d = f ? inner(f) : kind->message;
	text = f ? comment_of(of, f->name) : comment_of(d, "");
	if (f) {
		buf_printf(out, "FIELD: %s <", f->name);
		type_of(f, out);
		buf_str(out, ">\n\n");
	}
	buf_str(out, "DESCRIPTION:\n");
	if (text)
		put_text(text, 4, out);
	if (f && d && comment_of(d, "") && (!text || strcmp(text, comment_of(d, "")) != 0))
		put_text(comment_of(d, ""), 4, out);
	else if (!text)
		buf_str(out, "    <empty>\n");
	if (!d)
		return 0;
	buf_str(out, "\nFIELDS:\n");
	if (recursive)
		tree(d, 0, out);
	else
		list(d, out);
	return 0;
}

void explain_fields(const char *path, struct buf *out)
{
	const char *dot = strrchr(path, '.');
	CLEANUP(free_p) char *name = xstrndup(path, strcspn(path, "."));
	const struct kind_info *kind = kind_by_alias(name);
	CLEANUP(free_p) char *above = NULL;
	const ProtobufCMessageDescriptor *of, *d;
	const ProtobufCFieldDescriptor *f = NULL;
	struct err err;

	if (!kind || !dot)
		return;
	above = xstrndup(path, (size_t)(dot - path));
	if (find(kind, above + strlen(name), &of, &f, &err) != 0)
		return;
	d = f ? inner(f) : kind->message;
	for (unsigned i = 0; d && i < d->n_fields; i++)
		buf_printf(out, "%s.%s\n", above, d->fields[i].name);
}

void explain_kinds(struct buf *out)
{
	buf_printf(out, "%-34s%-32s%-13s%s\n", "NAME", "KIND", "NAMESPACED", "ALSO");
	for (const struct kind_info *k = NULL; (k = kind_next(k));) {
		CLEANUP(buf_done) struct buf also = { 0 };

		if (!k->aliases[0])
			continue;
		for (const char *const *a = k->aliases; *a; a++)
			if (strcmp(*a, k->plural) != 0)
				buf_printf(&also, "%s%s", also.len ? "," : "", *a);
		buf_printf(out, "%-33s %-31s %-12s %s\n", k->plural, k->name,
		           k->namespaced ? "true" : "false", buf_cstr(&also));
	}
}
