/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to JSON, as upstream's encoder writes the same object. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/base/hmap.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/mapper_rule.h"
#include "common/model/resource.h"

#define NUMBER_MAX 64

/*
 * The shortest text that reads back as v, in the form that Go's encoder chooses: digits with a
 * point, or with an exponent below 1e-6 and from 1e21 on.
 */
static struct json *write_double(double v)
{
	char e[NUMBER_MAX], digits[NUMBER_MAX], text[NUMBER_MAX];
	int precision = 0, n = 0, exponent;
	const char *sign = signbit(v) ? "-" : "";

	v = fabs(v);
	do
		(void)snprintf(e, sizeof(e), "%.*e", precision, v);
	while (strtod(e, NULL) != v && ++precision < 17);
	exponent = atoi(strchr(e, 'e') + 1);
	for (const char *s = e; *s != 'e'; s++)
		if (*s != '.')
			digits[n++] = *s;
	digits[n] = '\0';
	if (v != 0 && (v < 1e-6 || v >= 1e21))
		(void)snprintf(text, sizeof(text), "%s%.1s%s%.20se%c%d", sign, digits,
		               n > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+',
		               abs(exponent));
	else if (exponent < 0)
		(void)snprintf(text, sizeof(text), "%s0.%.*s%.20s", sign, -exponent - 1, "00000000",
		               digits);
	else if (n <= exponent + 1)
		(void)snprintf(text, sizeof(text), "%s%.20s%.*s", sign, digits, exponent + 1 - n,
		               "000000000000000000000000");
	else
		(void)snprintf(text, sizeof(text), "%s%.*s.%.20s", sign, exponent + 1, digits,
		               digits + exponent + 1);
	return json_new_number(text);
}

static struct json *write_signed(int64_t v)
{
	char text[NUMBER_MAX];

	(void)snprintf(text, sizeof(text), "%" PRId64, v);
	return json_new_number(text);
}

static struct json *write_unsigned(uint64_t v)
{
	char text[NUMBER_MAX];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	return json_new_number(text);
}

static struct json *write_message(const ProtobufCMessage *m)
{
	const struct mapper_scalar *scalar = mapper_scalar(m->descriptor);

	return scalar ? scalar->write(m) : mapper_write(m);
}

/* The value; NULL when JSON has none for it. */
static struct json *write_value(const ProtobufCFieldDescriptor *f, const void *value)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
		return write_signed(*(const int32_t *)value);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
		return write_signed(*(const int64_t *)value);
	case PROTOBUF_C_TYPE_UINT32:
		return write_unsigned(*(const uint32_t *)value);
	case PROTOBUF_C_TYPE_UINT64:
		return write_unsigned(*(const uint64_t *)value);
	case PROTOBUF_C_TYPE_DOUBLE:
		return isfinite(*(const double *)value) ? write_double(*(const double *)value)
		                                        : NULL;
	case PROTOBUF_C_TYPE_BOOL:
		return json_new_bool(*(const protobuf_c_boolean *)value != 0);
	case PROTOBUF_C_TYPE_STRING:
		return json_new_str(*(const char *const *)value);
	case PROTOBUF_C_TYPE_MESSAGE:
		return write_message(*(const ProtobufCMessage *const *)value);
	default:
		return NULL;
	}
}

/* What is written for a field that is not there but has to be. */
static struct json *write_absent(const ProtobufCMessageDescriptor *d,
                                 const ProtobufCFieldDescriptor *f, unsigned flags)
{
	ProtobufCMessage *empty;
	struct json *j;

	if (flags & MAPPER_NOT_EMPTY)
		return NULL;
	if (flags & MAPPER_KIND)
		return json_new_str(strcmp(f->name, "kind") == 0 ? kind_by_message(d)->name
		                                                 : MODEL_API_VERSION);
	if (!(flags & MAPPER_ALWAYS))
		return NULL;
	if (flags & MAPPER_NULL)
		return json_new(JSON_NULL);
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return json_new(f->type == PROTOBUF_C_TYPE_MESSAGE &&
		                                msg_is_map_entry(f->descriptor)
		                        ? JSON_OBJECT
		                        : JSON_ARRAY);
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return json_new_str("");
	case PROTOBUF_C_TYPE_BOOL:
		return flags & MAPPER_TEXT_BOOL ? json_new_str("false") : json_new_bool(false);
	case PROTOBUF_C_TYPE_MESSAGE:
		empty = msg_new(f->descriptor);
		j = write_message(empty);
		msg_free(empty);
		return j;
	default:
		return json_new_number("0");
	}
}

static struct json *write_one(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                              unsigned flags)
{
	const void *value = (const char *)m + f->offset;
	bool pointer = f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE;
	struct json *j;

	if (pointer ? *(void *const *)value == NULL
	            : !*(const protobuf_c_boolean *)((const char *)m + f->quantifier_offset))
		return write_absent(m->descriptor, f, flags);
	if (!mapper_keeps_zero(f, flags) && mapper_is_zero(f, value))
		return write_absent(m->descriptor, f, flags);
	if (flags & MAPPER_TEXT_BOOL)
		return json_new_str(*(const protobuf_c_boolean *)value ? "true" : "false");
	j = write_value(f, value);
	if ((flags & MAPPER_NOT_EMPTY) && j->len == 0) {
		json_free(j);
		return NULL;
	}
	return j;
}

static struct json *write_list(const char *values, size_t n, const ProtobufCFieldDescriptor *f,
                               unsigned flags)
{
	struct json *list = json_new(JSON_ARRAY);

	for (size_t i = 0; i < n; i++) {
		const void *value = values + i * mapper_value_size(f->type);
		struct json *item;

		if ((flags & MAPPER_NULL_NEGATIVE) && *(const int32_t *)value < 0)
			item = json_new(JSON_NULL);
		else
			item = write_value(f, value);
		if (item)
			json_append(list, item);
	}
	return list;
}

struct entry {
	const char *key;
	const ProtobufCMessage *m;
	size_t index;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : (x->index > y->index) - (x->index < y->index);
}

/* Keys in byte order. Of a key that is there twice (a stranger packed it), the last counts, as
 * protobuf wants it. */
static struct json *write_map(const ProtobufCMessage *const *values, size_t n,
                              const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;
	const ProtobufCFieldDescriptor *key = &d->fields[0], *value = &d->fields[1];
	CLEANUP(free_p) struct entry *entries = xcalloc(n, sizeof(*entries));
	struct json *object = json_new(JSON_OBJECT);

	for (size_t i = 0; i < n; i++) {
		const char *text = *(char *const *)((const char *)values[i] + key->offset);

		entries[i] = (struct entry){ text ? text : "", values[i], i };
	}
	qsort(entries, n, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < n; i++) {
		const void *at = (const char *)entries[i].m + value->offset;
		bool absent = value->type == PROTOBUF_C_TYPE_STRING && !*(char *const *)at;

		if (i + 1 == n || strcmp(entries[i].key, entries[i + 1].key) != 0)
			json_add(object, entries[i].key,
			         absent ? json_new_str("") : write_value(value, at));
	}
	return object;
}

static struct json *write_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	unsigned flags = mapper_flags(m->descriptor, f);
	const void *values;
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return write_one(m, f, flags);
	n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
	values = *(void *const *)(const void *)((const char *)m + f->offset);
	if (n == 0)
		return write_absent(m->descriptor, f, flags);
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor))
		return write_map(values, n, f);
	return write_list(values, n, f, flags);
}

/* Descriptors have fields by number, structs as the .proto has them: upstream's order. */
static int compare_offsets(const void *a, const void *b)
{
	const ProtobufCFieldDescriptor *x = *(const ProtobufCFieldDescriptor *const *)a;
	const ProtobufCFieldDescriptor *y = *(const ProtobufCFieldDescriptor *const *)b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The unknown members that an object has already: there may be as many as a value has room for. */
struct name {
	struct hmap_node node;
	char text[];
};

static bool name_is_new(struct hmap *names, const char *text)
{
	size_t len = strlen(text) + 1;
	struct name *added;

	hmap_find(name, names, hash_str(text), struct name, node, strcmp(name->text, text) == 0);
	if (name)
		return false;
	added = xcalloc(1, sizeof(*added) + len);
	memcpy(added->text, text, len);
	hmap_insert(names, &added->node, hash_str(text));
	return true;
}

/* Brings back what the reader kept. It may have come over a socket: what is not JSON, or would
 * stand beside a member of the same name, is dropped. */
static void write_unknown(const ProtobufCMessageUnknownField *u,
                          const ProtobufCMessageDescriptor *d, struct hmap *names,
                          struct json *object)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct json *members;
	size_t start = 0;

	if (u->tag != MODEL_UNKNOWN_TAG || u->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
		return;
	while (start < u->len && (u->data[start] & 0x80))
		start++;
	if (++start >= u->len) /* behind the varint */
		return;
	buf_byte(&text, '{');
	buf_add(&text, u->data + start, u->len - start);
	buf_byte(&text, '}');
	if (json_parse((char *)text.data, text.len, &members, NULL) < 0)
		return;
	for (size_t i = 0; i < members->len; i++)
		if (!protobuf_c_message_descriptor_get_field_by_name(d, members->keys[i]) &&
		    name_is_new(names, members->keys[i]))
			json_add(object, members->keys[i], json_copy(members->items[i]));
	json_free(members);
}

static void write_all_unknown(const ProtobufCMessage *m, struct json *object)
{
	struct hmap names = HMAP_INIT;

	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		write_unknown(&m->unknown_fields[i], m->descriptor, &names, object);
	hmap_for_each (name, &names, struct name, node)
		free(name);
	hmap_done(&names);
}

static struct json *write_list_message(const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f = &m->descriptor->fields[0];
	struct json *list = write_field(m, f);

	if (list)
		return list;
	return json_new(f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor)
	                        ? JSON_OBJECT
	                        : JSON_ARRAY);
}

static struct json *write_object(const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	CLEANUP(free_p)
	const ProtobufCFieldDescriptor **order = xcalloc(d->n_fields, sizeof(*order));
	struct json *object = json_new(JSON_OBJECT);

	for (unsigned i = 0; i < d->n_fields; i++)
		order[i] = &d->fields[i];
	qsort(order, d->n_fields, sizeof(*order), compare_offsets);
	for (unsigned i = 0; i < d->n_fields; i++) {
		struct json *value = write_field(m, order[i]);

		if (value)
			json_add(object, order[i]->name, value);
	}
	write_all_unknown(m, object);
	return object;
}

struct json *mapper_write(const ProtobufCMessage *m)
{
	return msg_is_list(m->descriptor) ? write_list_message(m) : write_object(m);
}

void mapper_write_text(const ProtobufCMessage *m, unsigned indent, struct buf *out)
{
	struct json *j = mapper_write(m);

	json_write(j, indent, out);
	json_free(j);
}
