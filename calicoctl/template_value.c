/* SPDX-License-Identifier: BSD-2-Clause */
/* What a template sees of an object: fields by their Go and their JSON names, and what is there
 * when nothing is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "calicoctl/table.h"
#include "calicoctl/template_tree.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "proto/v3_meta.pb-c.h"

/* Where upstream's Go types have another name than its JSON; all others differ in case alone. */
static const struct {
	const char *go, *json;
} renamed[] = {
	{ "ObjectMeta", "metadata" },
	{ "ListMeta", "metadata" },
	{ "ExternalNodesCIDRList", "externalNodesList" },
	{ "BPFConntrackCleanupMode", "bpfConntrackMode" },
	{ "WireguardPersistentKeepAlive", "wireguardKeepAlive" },
	{ "DeprecatedStrictAffinity", "strictAffinity" },
};

static const char *json_name(const char *go)
{
	for (size_t i = 0; i < ARRAY_SIZE(renamed); i++)
		if (strcmp(renamed[i].go, go) == 0)
			return renamed[i].json;
	return go;
}

struct value value_of_str(const char *s)
{
	return (struct value){ .type = VALUE_STR, .str = s };
}

static bool is_whole(const char *number)
{
	return !strpbrk(number, ".eE");
}

/* A JSON value; f says what it is, when a field is known. */
static struct value value_of(const struct json *j, const ProtobufCFieldDescriptor *f)
{
	struct value v = { .json = j, .field = f };

	if (f && f->type == PROTOBUF_C_TYPE_MESSAGE)
		v.message = f->descriptor;
	switch (j->type) {
	case JSON_NULL:
		v.type = VALUE_NIL;
		break;
	case JSON_BOOL:
		v.type = VALUE_BOOL;
		v.integer = j->boolean;
		break;
	case JSON_NUMBER:
		v.type = VALUE_INT;
		errno = 0;
		v.integer = strtoll(j->text, NULL, 10);
		if ((f && f->type == PROTOBUF_C_TYPE_DOUBLE) || !is_whole(j->text) || errno) {
			v.type = VALUE_FLOAT;
			v.real = strtod(j->text, NULL);
		}
		break;
	case JSON_STRING:
		v.type = VALUE_STR;
		v.str = j->text;
		break;
	case JSON_ARRAY:
		v.type = VALUE_LIST;
		break;
	case JSON_OBJECT:
		v.type = VALUE_MAP;
		break;
	}
	return v;
}

/* A message that is only there to hold a list or a map is a pointer to one in Go. */
static bool is_wrapper(const ProtobufCMessageDescriptor *d)
{
	return d->n_fields == 1 && strcmp(d->fields[0].name, "items") == 0;
}

/* The value of a field that the object does not have. */
static struct value value_of_absent(const ProtobufCMessageDescriptor *d,
                                    const ProtobufCFieldDescriptor *f)
{
	struct value v = { .field = f };

	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		v.message = f->descriptor;
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		v.type = v.message && msg_is_map_entry(v.message) ? VALUE_MAP : VALUE_LIST;
	else if (mapper_is_pointer(d, f) || (v.message && is_wrapper(v.message)))
		v.type = VALUE_NIL;
	else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		v.type = VALUE_MAP;
	else if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_ENUM)
		v = value_of_str("");
	else if (f->type == PROTOBUF_C_TYPE_BOOL)
		v.type = VALUE_BOOL;
	else
		v.type = VALUE_INT;
	return v;
}

static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *d,
                                                const char *name)
{
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(d, name);

	for (unsigned i = 0; !f && i < d->n_fields; i++)
		if (strcasecmp(d->fields[i].name, name) == 0)
			f = &d->fields[i];
	return f;
}

static bool is_map(const struct value *v)
{
	return v->message && msg_is_map_entry(v->message);
}

struct value value_member(const struct value *map, const char *key, bool *ret_found)
{
	const struct json *j = map->json ? json_get(map->json, key) : NULL;
	const ProtobufCFieldDescriptor *f = NULL;

	*ret_found = j != NULL;
	if (is_map(map))
		f = protobuf_c_message_descriptor_get_field_by_name(map->message, "value");
	else if (map->message && !map->items)
		f = field_of(map->message, key);
	return j ? value_of(j, f) : (struct value){ .type = VALUE_NONE };
}

/* A member whose name differs in case alone. */
static const char *similar_key(const struct json *object, const char *name)
{
	for (size_t i = 0; object && i < object->len; i++)
		if (strcasecmp(object->keys[i], name) == 0)
			return object->keys[i];
	return NULL;
}

static int field_of_struct(struct run *r, const struct value *of, const char *name,
                           struct value *ret)
{
	const ProtobufCFieldDescriptor *f = field_of(of->message, json_name(name));
	const struct json *j = of->json && f ? json_get(of->json, f->name) : NULL;
	const ProtobufCFieldDescriptor *meta = field_of(of->message, "metadata");
	bool found;

	if (!f && strcmp(name, "TypeMeta") == 0) {
		*ret = *of;
		return 0;
	}
	if (!f) { /* a member that no field of ours is for */
		*ret = value_member(of, name, &found);
		if (found)
			return 0;
	}
	if (!f && meta && meta->type == PROTOBUF_C_TYPE_MESSAGE &&
	    field_of(meta->descriptor, name)) { /* Go's structs embed their metadata */
		struct value inner = value_of_absent(of->message, meta);

		inner.type = VALUE_MAP;
		inner.json = of->json ? json_get(of->json, "metadata") : NULL;
		return field_of_struct(r, &inner, name, ret);
	}
	if (!f)
		return template_fail(r, "can't evaluate field %s in type %s", visible(name),
		                     of->message->name);
	*ret = j ? value_of(j, f) : value_of_absent(of->message, f);
	return 0;
}

/* Of a list of resources: its items know what they are. */
static int field_of_list(struct run *r, const struct value *of, const char *name, struct value *ret)
{
	const char *key = similar_key(of->json, json_name(name));
	const struct json *meta = json_get(of->json, "metadata");

	if (strcmp(name, "TypeMeta") == 0) {
		*ret = *of;
		return 0;
	}
	if (!key && similar_key(meta, name)) {
		*ret = value_of(json_get(meta, similar_key(meta, name)), NULL);
		return 0;
	}
	if (!key)
		return template_fail(r, "can't evaluate field %s in type v3.%sList", visible(name),
		                     of->message->short_name);
	*ret = value_of(json_get(of->json, key), NULL);
	if (strcmp(key, "items") == 0)
		ret->message = of->message;
	return 0;
}

int value_field(struct run *r, const struct value *of, const char *name, struct value *ret)
{
	const char *key;
	bool found;

	switch (of->type) {
	case VALUE_NIL:
	case VALUE_NONE:
		return template_fail(r, "nil pointer evaluating %s",
		                     visible(name)); /* as Go has it for interfaces */
	case VALUE_MAP:
		break;
	case VALUE_RESULTS:
		return template_fail(r, "can't evaluate field %s in type []runtime.Object",
		                     visible(name));
	case VALUE_BOOL:
	case VALUE_INT:
	case VALUE_FLOAT:
	case VALUE_STR:
	case VALUE_LIST:
		return template_fail(r, "can't evaluate field %s in type %s", visible(name),
		                     of->type == VALUE_LIST   ? "[]"
		                     : of->type == VALUE_STR  ? "string"
		                     : of->type == VALUE_BOOL ? "bool"
		                                              : "number");
	}
	if (of->items)
		return field_of_list(r, of, name, ret);
	if (of->message && !is_map(of))
		return field_of_struct(r, of, name, ret);
	*ret = value_member(of, name, &found);
	key = found ? NULL : is_map(of) ? NULL : similar_key(of->json, json_name(name));
	if (key)
		*ret = value_member(of, key, &found);
	return 0;
}

size_t value_len(const struct run *r, const struct value *v)
{
	if (v->type == VALUE_STR)
		return strlen(v->str);
	if (v->type == VALUE_RESULTS)
		return r->n_results;
	return (v->type == VALUE_LIST || v->type == VALUE_MAP) && v->json ? v->json->len : 0;
}

struct value value_element(const struct run *r, const struct value *list, size_t i)
{
	struct value v;

	if (list->type == VALUE_RESULTS) {
		const struct template_result *result = &r->results[i];

		return (struct value){ .type = VALUE_MAP,
			               .json = result->tree,
			               .message = result->message,
			               .items = result->is_list };
	}
	if (list->type == VALUE_MAP)
		return value_member(list, list->json->keys[i], &(bool){ false });
	v = value_of(list->json->items[i], list->field);
	if (!list->field)
		v.message = list->message;
	return v;
}

bool value_is_true(const struct value *v)
{
	switch (v->type) {
	case VALUE_NONE:
	case VALUE_NIL:
		return false;
	case VALUE_BOOL:
	case VALUE_INT:
		return v->integer != 0;
	case VALUE_FLOAT:
		return v->real != 0;
	case VALUE_STR:
		return *v->str != '\0';
	case VALUE_LIST:
		return v->json && v->json->len;
	case VALUE_MAP: /* a struct is true in Go, a nil pointer to one is not */
		return v->json && (v->json->len || (v->message && !is_map(v)));
	case VALUE_RESULTS:
		return true;
	}
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void print_map(const struct run *r, const struct value *v, struct buf *out)
{
	size_t n = v->json ? v->json->len : 0;
	CLEANUP(free_p) char **keys = xcalloc(n + 1, sizeof(*keys));

	if (n)
		memcpy(keys, v->json->keys, n * sizeof(*keys));
	qsort(keys, n, sizeof(*keys), by_text);
	buf_str(out, "map[");
	for (size_t i = 0; i < n; i++) {
		struct value member = value_member(v, keys[i], &(bool){ false });

		buf_printf(out, "%s%s:", i ? " " : "", keys[i]);
		value_print(r, &member, out);
	}
	buf_byte(out, ']');
}

void value_print(const struct run *r, const struct value *v, struct buf *out)
{
	switch (v->type) {
	case VALUE_NONE:
		buf_str(out, "<no value>");
		break;
	case VALUE_NIL:
		buf_str(out, "<nil>");
		break;
	case VALUE_BOOL:
		buf_str(out, v->integer ? "true" : "false");
		break;
	case VALUE_INT:
		buf_printf(out, "%lld", v->integer);
		break;
	case VALUE_FLOAT:
		table_float(v->real, out);
		break;
	case VALUE_STR:
		buf_str(out, v->str);
		break;
	case VALUE_LIST:
	case VALUE_RESULTS:
		buf_byte(out, '[');
		for (size_t i = 0; i < value_len(r, v); i++) {
			struct value e = value_element(r, v, i);

			if (i)
				buf_byte(out, ' ');
			value_print(r, &e, out);
		}
		buf_byte(out, ']');
		break;
	case VALUE_MAP:
		print_map(r, v, out);
		break;
	}
}
