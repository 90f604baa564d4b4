/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members that no message has a field for: what a newer or another writer left in an object. The
 * mapper keeps each, as text, in the message it stood in. Whoever changes an object brings them
 * along.
 */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"

static ProtobufCMessage *sub(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	return *(ProtobufCMessage *const *)(const void *)((const char *)m + f->offset);
}

static size_t list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                   ProtobufCMessage ***ret)
{
	*ret = *(ProtobufCMessage * *const *)(const void *)((const char *)m + f->offset);
	return *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
}

/* The next field that has messages, from i on, whose number is left in *i; NULL: no more. */
static const ProtobufCFieldDescriptor *next_sub(const ProtobufCMessage *m, unsigned *i)
{
	for (; *i < m->descriptor->n_fields; (*i)++)
		if (m->descriptor->fields[*i].type == PROTOBUF_C_TYPE_MESSAGE)
			return &m->descriptor->fields[*i];
	return NULL;
}

static bool has_unknown(const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f;

	if (m->n_unknown_fields > 0)
		return true;
	for (unsigned i = 0; (f = next_sub(m, &i)); i++) {
		ProtobufCMessage **items;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			if (sub(m, f) && has_unknown(sub(m, f)))
				return true;
			continue;
		}
		for (size_t n = list(m, f, &items), k = 0; k < n; k++)
			if (has_unknown(items[k]))
				return true;
	}
	return false;
}

void msg_drop_unknown(ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f;

	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		free(m->unknown_fields[i].data);
	free(m->unknown_fields);
	m->unknown_fields = NULL;
	m->n_unknown_fields = 0;
	for (unsigned i = 0; (f = next_sub(m, &i)); i++) {
		ProtobufCMessage **items;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			if (sub(m, f))
				msg_drop_unknown(sub(m, f));
			continue;
		}
		for (size_t n = list(m, f, &items), k = 0; k < n; k++)
			msg_drop_unknown(items[k]);
	}
}

/* The name with its quotes, which the text behind the varint of its length begins with. */
static size_t name_of(const ProtobufCMessageUnknownField *u, const uint8_t **ret)
{
	size_t start = 0, end;

	while (start < u->len && (u->data[start] & 0x80))
		start++;
	start++;
	for (end = start + 1; end < u->len && u->data[end] != '"'; end++)
		if (u->data[end] == '\\')
			end++;
	*ret = u->data + start;
	return end < u->len ? end + 1 - start : 0;
}

static bool is_one_of(const ProtobufCMessageUnknownField *all, size_t n,
                      const ProtobufCMessageUnknownField *u)
{
	const uint8_t *wanted, *name;
	size_t len = name_of(u, &wanted);

	for (size_t i = 0; i < n; i++)
		if (all[i].tag == u->tag && name_of(&all[i], &name) == len &&
		    memcmp(name, wanted, len) == 0)
			return true;
	return false;
}

static void keep_own(ProtobufCMessage *to, const ProtobufCMessage *from)
{
	size_t n_to = to->n_unknown_fields; /* mostly none */

	if (from->n_unknown_fields == 0)
		return;
	to->unknown_fields = xrealloc(to->unknown_fields, (n_to + from->n_unknown_fields) *
	                                                          sizeof(*to->unknown_fields));
	for (unsigned i = 0; i < from->n_unknown_fields; i++) {
		ProtobufCMessageUnknownField u = from->unknown_fields[i];

		if (is_one_of(to->unknown_fields, n_to, &u))
			continue;
		u.data = xmemdup(u.data, u.len);
		to->unknown_fields[to->n_unknown_fields++] = u;
	}
}

/* The item of a list that is what one was: the same but for what is unknown in it. */
static ProtobufCMessage *same_item(ProtobufCMessage *const *items, size_t n,
                                   const ProtobufCMessage *one)
{
	ProtobufCMessage *known = msg_copy(one), *found = NULL;

	msg_drop_unknown(known);
	for (size_t i = 0; i < n && !found; i++)
		if (msg_equal(items[i], known))
			found = items[i];
	msg_free(known);
	return found;
}

void msg_keep_unknown(ProtobufCMessage *to, const ProtobufCMessage *from)
{
	const ProtobufCFieldDescriptor *f;

	if (to->descriptor != from->descriptor || !has_unknown(from))
		return;
	keep_own(to, from);
	for (unsigned i = 0; (f = next_sub(from, &i)); i++) {
		ProtobufCMessage **old, **new, *item;
		size_t n;

		if (f->label != PROTOBUF_C_LABEL_REPEATED) {
			if (sub(from, f) && sub(to, f))
				msg_keep_unknown(sub(to, f), sub(from, f));
			continue;
		}
		n = list(to, f, &new);
		for (size_t n_old = list(from, f, &old), k = 0; k < n_old; k++)
			if (has_unknown(old[k]) && (item = same_item(new, n, old[k])))
				msg_keep_unknown(item, old[k]);
	}
}
