/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON to messages. What of it cannot be read off a descriptor is in mapper_rule.c. */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/mapper_rule.h"
#include "common/model/path.h"
#include "common/model/resource.h"

struct reader {
	enum mapper_unknown unknown;
	struct err *err;
};

static int fail(struct reader *r, const struct path *p, int code, const char *text)
{
	CLEANUP(buf_done) struct buf at = { 0 };

	path_str(p, &at);
	return err_set(r->err, code, "%s%s%s", buf_cstr(&at), at.len > 0 ? ": " : "", text);
}

static int fail_type(struct reader *r, const struct path *p, const char *expected,
                     const struct json *j)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "expected %s, got %s", expected, json_type_str(j->type));
	return fail(r, p, -EINVAL, text);
}

/* An integer in [min, max]; max may be beyond INT64_MAX, then min must be 0. */
static int read_signed(struct reader *r, const struct json *j, const struct path *p, int64_t min,
                       int64_t max, int64_t *ret)
{
	int code = json_i64(j, ret);
	char text[192];

	if (code == 0 && *ret >= min && *ret <= max)
		return 0;
	if (code != -ERANGE && j->type != JSON_NUMBER)
		return fail_type(r, p, "an integer", j);
	if (code == -EINVAL)
		(void)snprintf(text, sizeof(text), "%.40s is not an integer", j->text);
	else
		(void)snprintf(text, sizeof(text), "%.40s is not in the range of %lld to %lld",
		               j->text, (long long)min, (long long)max);
	return fail(r, p, -EINVAL, text);
}

static int read_unsigned(struct reader *r, const struct json *j, const struct path *p, uint64_t max,
                         uint64_t *ret)
{
	int code = json_u64(j, ret);
	char text[192];

	if (code == 0 && *ret <= max)
		return 0;
	if (code != -ERANGE && j->type != JSON_NUMBER)
		return fail_type(r, p, "an integer", j);
	if (code == -EINVAL)
		(void)snprintf(text, sizeof(text), "%.40s is not an integer", j->text);
	else
		(void)snprintf(text, sizeof(text), "%.40s is not in the range of 0 to %llu",
		               j->text, (unsigned long long)max);
	return fail(r, p, -EINVAL, text);
}

static int read_string(struct reader *r, const struct json *j, const struct path *p, char **ret)
{
	if (j->type != JSON_STRING)
		return fail_type(r, p, "a string", j);
	if (strlen(j->text) != j->len)
		return fail(r, p, -EINVAL, "the string has NUL in it");
	*ret = xmemdup(j->text, j->len + 1);
	return 0;
}

static int read_message(struct reader *r, const ProtobufCMessageDescriptor *d, const struct json *j,
                        const struct path *p, ProtobufCMessage **ret);

static int read_scalar_message(struct reader *r, const struct mapper_scalar *scalar,
                               const struct json *j, const struct path *p, ProtobufCMessage **ret)
{
	ProtobufCMessage *m = msg_new(scalar->message);
	struct err why = { 0 };
	int code = scalar->read(j, m, &why);

	if (code < 0) {
		msg_free(m);
		return fail(r, p, code, why.text);
	}
	*ret = m;
	return 0;
}

/* One value of f's type into *out; nothing of it is allocated when this fails. */
static int read_value(struct reader *r, const ProtobufCFieldDescriptor *f, const struct json *j,
                      const struct path *p, void *out)
{
	const struct mapper_scalar *scalar;
	uint64_t u = 0;
	int64_t i = 0;
	bool b = false;
	int code;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
		code = read_signed(r, j, p, INT32_MIN, INT32_MAX, &i);
		*(int32_t *)out = (int32_t)i;
		return code;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
		return read_signed(r, j, p, INT64_MIN, INT64_MAX, out);
	case PROTOBUF_C_TYPE_UINT32:
		code = read_unsigned(r, j, p, UINT32_MAX, &u);
		*(uint32_t *)out = (uint32_t)u;
		return code;
	case PROTOBUF_C_TYPE_UINT64:
		return read_unsigned(r, j, p, UINT64_MAX, out);
	case PROTOBUF_C_TYPE_DOUBLE:
		code = json_double(j, out);
		if (code == -ERANGE)
			return fail(r, p, code, "the number is too large");
		return code < 0 ? fail_type(r, p, "a number", j) : 0;
	case PROTOBUF_C_TYPE_BOOL:
		if (json_bool(j, &b) < 0)
			return fail_type(r, p, "a boolean", j);
		*(protobuf_c_boolean *)out = b;
		return 0;
	case PROTOBUF_C_TYPE_STRING:
		return read_string(r, j, p, out);
	case PROTOBUF_C_TYPE_MESSAGE:
		scalar = mapper_scalar(f->descriptor);
		return scalar ? read_scalar_message(r, scalar, j, p, out)
		              : read_message(r, f->descriptor, j, p, out);
	default:
		return fail(r, p, -ENOTSUP, "the mapper does not know the type of this field");
	}
}

static bool is_pointer(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE;
}

static void set_present(const ProtobufCFieldDescriptor *f, ProtobufCMessage *m, bool present)
{
	void *value = (char *)m + f->offset;

	if (!is_pointer(f)) {
		*(protobuf_c_boolean *)((char *)m + f->quantifier_offset) = present;
	} else if (!present && f->type == PROTOBUF_C_TYPE_STRING) {
		msg_set_str(value, NULL);
	} else if (!present) {
		msg_free(*(ProtobufCMessage **)value);
		*(ProtobufCMessage **)value = NULL;
	}
}

/* As upstream's parser of booleans has it. */
static int read_text_bool(struct reader *r, const struct json *j, const struct path *p,
                          protobuf_c_boolean *ret)
{
	static const char *const words[][6] = {
		{ "0", "f", "F", "FALSE", "false", "False" },
		{ "1", "t", "T", "TRUE", "true", "True" },
	};
	const char *s = json_str(j);
	bool b = false;

	if (!s) {
		if (json_bool(j, &b) < 0)
			return fail_type(r, p, "a boolean", j);
		*ret = b;
		return 0;
	}
	for (size_t v = 0; v < ARRAY_SIZE(words); v++)
		for (size_t i = 0; i < ARRAY_SIZE(words[v]); i++)
			if (strcmp(words[v][i], s) == 0) {
				*ret = v == 1;
				return 0;
			}
	return fail(r, p, -EINVAL, "is neither \"true\" nor \"false\"");
}

static int read_one(struct reader *r, const ProtobufCFieldDescriptor *f, unsigned flags,
                    const struct json *j, const struct path *p, ProtobufCMessage *m)
{
	void *value = (char *)m + f->offset;
	int code = flags & MAPPER_TEXT_BOOL ? read_text_bool(r, j, p, value)
	                                    : read_value(r, f, j, p, value);

	if (code == 0)
		set_present(f, m, mapper_keeps_zero(f, flags) || !mapper_is_zero(f, value));
	return code;
}

static int read_list(struct reader *r, const ProtobufCFieldDescriptor *f, unsigned flags,
                     const struct json *j, const struct path *p, ProtobufCMessage *m)
{
	size_t size = mapper_value_size(f->type);
	size_t *n = (size_t *)((char *)m + f->quantifier_offset);
	char *values;

	if (j->type != JSON_ARRAY)
		return fail_type(r, p, "an array", j);
	if (j->len == 0)
		return 0;
	values = xcalloc(j->len, size);
	*(void **)((char *)m + f->offset) = values;
	for (size_t i = 0; i < j->len; i++) {
		struct path here = { p, NULL, i };
		int code = 0;

		if (j->items[i]->type == JSON_NULL && (flags & MAPPER_NULL_NEGATIVE))
			*(int32_t *)(void *)(values + i * size) = -1;
		else
			code = read_value(r, f, j->items[i], &here, values + i * size);
		if (code < 0)
			return code;
		*n = i + 1;
	}
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	/* Every entry begins like this one: the base, then the key. */
	const V3__ObjectMeta__LabelsEntry *x = *(V3__ObjectMeta__LabelsEntry *const *)a;
	const V3__ObjectMeta__LabelsEntry *y = *(V3__ObjectMeta__LabelsEntry *const *)b;

	return strcmp(x->key, y->key);
}

/* Entries are sorted by key, so that equal maps are packed into equal bytes. */
static int read_map(struct reader *r, const ProtobufCFieldDescriptor *f, const struct json *j,
                    const struct path *p, ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	const ProtobufCFieldDescriptor *key = &d->fields[0], *value = &d->fields[1];
	size_t *n = (size_t *)((char *)m + f->quantifier_offset);
	ProtobufCMessage **entries;

	if (j->type != JSON_OBJECT)
		return fail_type(r, p, "an object", j);
	if (j->len == 0)
		return 0;
	entries = xcalloc(j->len, sizeof(*entries));
	*(void **)((char *)m + f->offset) = entries;
	for (size_t i = 0; i < j->len; i++) {
		struct path here = { p, j->keys[i], 0 };
		int code = 0;

		entries[i] = msg_new(f->descriptor);
		*n = i + 1;
		*(char **)((char *)entries[i] + key->offset) = xstrdup(j->keys[i]);
		if (j->items[i]->type != JSON_NULL)
			code = read_value(r, value, j->items[i], &here,
			                  (char *)entries[i] + value->offset);
		else if (value->type == PROTOBUF_C_TYPE_STRING)
			*(char **)((char *)entries[i] + value->offset) = xstrdup("");
		if (code < 0)
			return code;
		set_present(value, entries[i], true);
	}
	qsort(entries, *n, sizeof(*entries), compare_entries);
	return 0;
}

static int read_field(struct reader *r, const ProtobufCFieldDescriptor *f, const struct json *j,
                      const struct path *p, ProtobufCMessage *m)
{
	unsigned flags = mapper_flags(m->descriptor, f);

	if (j->type == JSON_NULL)
		return 0; /* as if it were not there */
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return read_one(r, f, flags, j, p, m);
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor))
		return read_map(r, f, j, p, m);
	return read_list(r, f, flags, j, p, m);
}

/* Keeps "name":value as the content of a length-delimited unknown field: a varint of its length,
 * and the text. */
static void keep_unknown(const char *name, const struct json *value, ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf text = { 0 }, field = { 0 };
	ProtobufCMessageUnknownField *u;
	struct json *key = json_new_str(name);
	size_t len;

	json_write(key, 0, &text);
	json_free(key);
	buf_byte(&text, ':');
	json_write(value, 0, &text);
	for (len = text.len; len >= 0x80; len >>= 7)
		buf_byte(&field, (uint8_t)(len | 0x80));
	buf_byte(&field, (uint8_t)len);
	buf_add(&field, text.data, text.len);

	/* The room is the next power of two: there may be very many. */
	if ((m->n_unknown_fields & (m->n_unknown_fields - 1)) == 0)
		m->unknown_fields = xrealloc(
		        m->unknown_fields,
		        (m->n_unknown_fields ? 2 * (size_t)m->n_unknown_fields : 1) * sizeof(*u));
	u = &m->unknown_fields[m->n_unknown_fields++];
	*u = (ProtobufCMessageUnknownField){ .tag = MODEL_UNKNOWN_TAG,
		                             .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
		                             .len = field.len,
		                             .data = xmemdup(field.data, field.len) };
}

static int read_unknown(struct reader *r, const char *name, const struct json *value,
                        const struct path *p, ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf at = { 0 };

	if (r->unknown == MAPPER_KEEP || mapper_is_opaque(m->descriptor, name)) {
		keep_unknown(name, value, m);
		return 0;
	}
	path_str(p, &at);
	return err_set(r->err, -EINVAL,
	               "field in document is not recognized or is in the wrong location: %s",
	               buf_cstr(&at));
}

static void complete(ProtobufCMessage *m);

static ProtobufCMessage *complete_message(const ProtobufCMessageDescriptor *d)
{
	const struct mapper_scalar *scalar = mapper_scalar(d);
	ProtobufCMessage *m = msg_new(d);
	char zero[] = "0";

	if (scalar)
		(void)scalar->read(&(struct json){ .type = JSON_NUMBER, .text = zero, .len = 1 }, m,
		                   NULL);
	else
		complete(m);
	return m;
}

/* What is always written is always there: as Go's zero values. */
static void complete(ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;

	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		unsigned flags = f->label == PROTOBUF_C_LABEL_REPEATED ? 0 : mapper_flags(d, f);
		void *value = (char *)m + f->offset;

		if ((flags & MAPPER_KIND) && !*(char **)value) {
			*(char **)value =
			        xstrdup(strcmp(f->name, "kind") == 0 ? kind_by_message(d)->name
			                                             : MODEL_API_VERSION);
		} else if (!(flags & MAPPER_ALWAYS) || (flags & MAPPER_NULL)) {
			continue;
		} else if (f->type == PROTOBUF_C_TYPE_STRING) {
			if (!*(char **)value)
				*(char **)value = xstrdup("");
		} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
			if (!*(ProtobufCMessage **)value)
				*(ProtobufCMessage **)value = complete_message(f->descriptor);
		} else {
			set_present(f, m, true);
		}
	}
}

/* A list or map that is there though it may be empty. */
static int read_list_message(struct reader *r, const ProtobufCMessageDescriptor *d,
                             const struct json *j, const struct path *p, ProtobufCMessage **ret)
{
	ProtobufCMessage *m = msg_new(d);
	int code = read_field(r, &d->fields[0], j, p, m);

	if (code < 0) {
		msg_free(m);
		return code;
	}
	*ret = m;
	return 0;
}

static int read_message(struct reader *r, const ProtobufCMessageDescriptor *d, const struct json *j,
                        const struct path *p, ProtobufCMessage **ret)
{
	ProtobufCMessage *m;

	if (msg_is_list(d))
		return read_list_message(r, d, j, p, ret);
	if (j->type != JSON_OBJECT)
		return fail_type(r, p, "an object", j);
	m = msg_new(d);
	for (size_t i = 0; i < j->len; i++) {
		const ProtobufCFieldDescriptor *f =
		        protobuf_c_message_descriptor_get_field_by_name(d, j->keys[i]);
		struct path here = { p, j->keys[i], 0 };
		int code = f ? read_field(r, f, j->items[i], &here, m)
		             : read_unknown(r, j->keys[i], j->items[i], &here, m);

		if (code < 0) {
			msg_free(m);
			return code;
		}
	}
	complete(m);
	*ret = m;
	return 0;
}

int mapper_read(const ProtobufCMessageDescriptor *d, const struct json *j,
                enum mapper_unknown unknown, ProtobufCMessage **ret, struct err *err)
{
	struct reader r = { unknown, err };

	return read_message(&r, d, j, NULL, ret);
}

int mapper_read_text(const ProtobufCMessageDescriptor *d, const char *text, size_t len,
                     enum mapper_unknown unknown, ProtobufCMessage **ret, struct err *err)
{
	struct json *j;
	int code = json_parse(text, len, &j, err);

	if (code < 0)
		return code;
	code = mapper_read(d, j, unknown, ret, err);
	json_free(j);
	return code;
}
