/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The generic walkers of resource.h: what protobuf-c's library leaves out. A message is a struct
 * whose fields lie where its descriptor says:
 *
 *     required, optional    the value at field->offset; present when its bool at quantifier_offset
 * says so, or (strings, messages) when not NULL repeated              a pointer to the values at
 * field->offset, their number (size_t) at quantifier_offset one of a oneof        the value at
 * field->offset (shared), the number of the field in use (uint32_t) at quantifier_offset
 */
#include "common/model/resource.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"

static size_t type_size(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_ENUM:
		return sizeof(int);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	}
	assert(!"a type that protobuf-c does not have");
	return 0;
}

static bool is_pointer(ProtobufCType t)
{
	return t == PROTOBUF_C_TYPE_STRING || t == PROTOBUF_C_TYPE_MESSAGE;
}

static const void *at(const ProtobufCMessage *m, unsigned offset)
{
	return (const char *)m + offset;
}

static void *at_mut(ProtobufCMessage *m, unsigned offset)
{
	return (char *)m + offset;
}

static size_t repeated_n(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return *(const size_t *)at(m, f->quantifier_offset);
}

static const char *repeated_at(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                               size_t i)
{
	return *(const char *const *)at(m, f->offset) + i * type_size(f->type);
}

/* Is this field, which is not repeated, there? */
static bool present(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
		if (*(const uint32_t *)at(m, f->quantifier_offset) != f->id)
			return false;
		return !is_pointer(f->type) || *(void *const *)at(m, f->offset) != NULL;
	}
	if (is_pointer(f->type))
		return *(void *const *)at(m, f->offset) != NULL;
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL)
		return *(const protobuf_c_boolean *)at(m, f->quantifier_offset) != 0;
	return true;
}

ProtobufCMessage *msg_new(const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = xcalloc(1, d->sizeof_message);

	protobuf_c_message_init(d, m);
	return m;
}

void msg_free(ProtobufCMessage *m)
{
	if (m)
		protobuf_c_message_free_unpacked(m, NULL);
}

bool msg_is_map_entry(const ProtobufCMessageDescriptor *d)
{
	static const char suffix[] = "Entry";
	size_t n = strlen(d->short_name);

	return d->n_fields == 2 && strcmp(d->fields[0].name, "key") == 0 &&
	       strcmp(d->fields[1].name, "value") == 0 && d->fields[0].id == 1 &&
	       d->fields[1].id == 2 && n > strlen(suffix) &&
	       strcmp(d->short_name + n - strlen(suffix), suffix) == 0;
}

bool msg_is_list(const ProtobufCMessageDescriptor *d)
{
	return d->n_fields == 1 && d->fields[0].label == PROTOBUF_C_LABEL_REPEATED &&
	       strcmp(d->fields[0].name, "items") == 0;
}

/* ---- copy */

static void copy_value(const ProtobufCFieldDescriptor *f, const void *from, void *to)
{
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		*(char **)to = xstrdup(*(char *const *)from);
	} else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *sub = *(ProtobufCMessage *const *)from;

		*(ProtobufCMessage **)to = sub ? msg_copy(sub) : NULL;
	} else if (f->type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *b = from;

		*(ProtobufCBinaryData *)to =
		        (ProtobufCBinaryData){ b->len, b->data ? xmemdup(b->data, b->len) : NULL };
	} else {
		memcpy(to, from, type_size(f->type));
	}
}

static void copy_field(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *from,
                       ProtobufCMessage *to)
{
	size_t size = type_size(f->type);

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t n = repeated_n(from, f);
		char *values = n > 0 ? xcalloc(n, size) : NULL;

		for (size_t i = 0; i < n; i++)
			copy_value(f, repeated_at(from, f, i), values + i * size);
		*(size_t *)at_mut(to, f->quantifier_offset) = n;
		*(void **)at_mut(to, f->offset) = values;
		return;
	}
	if (!present(from, f))
		return;
	copy_value(f, at(from, f->offset), at_mut(to, f->offset));
	if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		*(uint32_t *)at_mut(to, f->quantifier_offset) = f->id;
	else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && !is_pointer(f->type))
		*(protobuf_c_boolean *)at_mut(to, f->quantifier_offset) = true;
}

ProtobufCMessage *msg_copy(const ProtobufCMessage *m)
{
	ProtobufCMessage *copy = msg_new(m->descriptor);

	for (unsigned i = 0; i < m->descriptor->n_fields; i++)
		copy_field(&m->descriptor->fields[i], m, copy);
	if (m->n_unknown_fields > 0) {
		copy->unknown_fields = xcalloc(m->n_unknown_fields, sizeof(*copy->unknown_fields));
		copy->n_unknown_fields = m->n_unknown_fields;
		for (unsigned i = 0; i < m->n_unknown_fields; i++) {
			copy->unknown_fields[i] = m->unknown_fields[i];
			copy->unknown_fields[i].data =
			        xmemdup(m->unknown_fields[i].data, m->unknown_fields[i].len);
		}
	}
	return copy;
}

/* ---- equality */

/* By d, not by the messages' own descriptors: the entries of two maps of strings are the same thing
 * under two names. */
static bool equal_as(const ProtobufCMessageDescriptor *d, const ProtobufCMessage *a,
                     const ProtobufCMessage *b);

static bool equal_value(const ProtobufCFieldDescriptor *f, const void *a, const void *b)
{
	if (f->type == PROTOBUF_C_TYPE_STRING) {
		const char *x = *(const char *const *)a, *y = *(const char *const *)b;

		return x && y ? strcmp(x, y) == 0 : x == y;
	}
	if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessage *x = *(ProtobufCMessage *const *)a,
		                       *y = *(ProtobufCMessage *const *)b;

		return x && y ? equal_as(f->descriptor, x, y) : x == y;
	}
	if (f->type == PROTOBUF_C_TYPE_BYTES) {
		const ProtobufCBinaryData *x = a, *y = b;

		return x->len == y->len && (x->len == 0 || memcmp(x->data, y->data, x->len) == 0);
	}
	if (f->type == PROTOBUF_C_TYPE_BOOL)
		return !*(const protobuf_c_boolean *)a == !*(const protobuf_c_boolean *)b;
	return memcmp(a, b, type_size(f->type)) == 0;
}

/* The n values of a and b are equal up to their order. The orders mostly agree, so that the search
 * starts where the last one ended. */
static bool equal_unordered(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *a,
                            const ProtobufCMessage *b, size_t n)
{
	for (size_t i = 0, next = 0; i < n; i++) {
		size_t tried = 0;

		while (tried < n &&
		       !equal_value(f, repeated_at(a, f, i), repeated_at(b, f, (next + tried) % n)))
			tried++;
		if (tried == n)
			return false;
		next = (next + tried + 1) % n;
	}
	return true;
}

static bool equal_field(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *a,
                        const ProtobufCMessage *b)
{
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		if (present(a, f) != present(b, f))
			return false;
		return !present(a, f) || equal_value(f, at(a, f->offset), at(b, f->offset));
	}
	n = repeated_n(a, f);
	if (n != repeated_n(b, f))
		return false;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor))
		return equal_unordered(f, a, b, n);
	for (size_t i = 0; i < n; i++)
		if (!equal_value(f, repeated_at(a, f, i), repeated_at(b, f, i)))
			return false;
	return true;
}

static bool equal_as(const ProtobufCMessageDescriptor *d, const ProtobufCMessage *a,
                     const ProtobufCMessage *b)
{
	for (unsigned i = 0; i < d->n_fields; i++)
		if (!equal_field(&d->fields[i], a, b))
			return false;
	if (a->n_unknown_fields != b->n_unknown_fields)
		return false;
	for (unsigned i = 0; i < a->n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *x = &a->unknown_fields[i],
		                                   *y = &b->unknown_fields[i];

		if (x->tag != y->tag || x->len != y->len || memcmp(x->data, y->data, x->len) != 0)
			return false;
	}
	return true;
}

bool msg_equal(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	return a->descriptor == b->descriptor && equal_as(a->descriptor, a, b);
}

/* ---- pack and unpack */

void msg_pack(const ProtobufCMessage *m, struct buf *out)
{
	size_t len = protobuf_c_message_get_packed_size(m);

	(void)protobuf_c_message_pack(m, buf_extend(out, len));
}

static void complete_entry(ProtobufCMessage *entry)
{
	for (unsigned i = 0; i < entry->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &entry->descriptor->fields[i];
		void *value = at_mut(entry, f->offset);

		if (present(entry, f))
			continue;
		if (f->type == PROTOBUF_C_TYPE_STRING)
			*(char **)value = xstrdup("");
		else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
			*(ProtobufCMessage **)value = msg_new(f->descriptor);
		else if (f->label == PROTOBUF_C_LABEL_OPTIONAL)
			*(protobuf_c_boolean *)at_mut(entry, f->quantifier_offset) = true;
	}
}

/* An entry may leave out a key or value that is empty. No message of ours contains itself, so this
 * ends. */
static void complete_entries(ProtobufCMessage *m)
{
	if (msg_is_map_entry(m->descriptor))
		complete_entry(m);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

		if (f->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			for (size_t k = 0; k < repeated_n(m, f); k++)
				complete_entries((*(ProtobufCMessage ***)at_mut(m, f->offset))[k]);
		} else if (present(m, f)) {
			complete_entries(*(ProtobufCMessage **)at_mut(m, f->offset));
		}
	}
}

ProtobufCMessage *msg_unpack(const ProtobufCMessageDescriptor *d, const void *data, size_t len)
{
	ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, len, data);

	if (m)
		complete_entries(m);
	return m;
}
