/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/typed.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "calicoctl/yaml.h"
#include "common/base/mem.h"

/* The text that was written becomes the value. */
static void to_string(struct json *j)
{
	if (j->type == JSON_BOOL && !j->text) { /* from JSON text, where there is one spelling */
		j->text = xstrdup(j->boolean ? "true" : "false");
		j->len = strlen(j->text);
	}
	j->type = JSON_STRING;
}

static void to_json_number(struct json *j)
{
	CLEANUP(buf_done) struct buf number = { 0 };

	if (yaml_resolve(j->text, j->len, &number) != YAML_NUMBER)
		return; /* a number that came as JSON and is too long for YAML's rules: right as it
		           is */
	free(j->text);
	j->len = number.len;
	j->text = buf_take(&number);
}

static void plain(struct json *j)
{
	if (j->type == JSON_NUMBER) {
		to_json_number(j);
	} else if (j->type == JSON_BOOL) {
		free(j->text);
		j->text = NULL;
		j->len = 0;
	}
}

/*
 * Ports, protocols and AS numbers: one value that is a number or a text. A whole number is a
 * number; what has a dot is not a fraction but an AS number's dotted form, and what looks like a
 * boolean is a name.
 */
static void number_or_name(struct json *j)
{
	if (j->type == JSON_BOOL)
		to_string(j);
	else if (j->type == JSON_NUMBER && strchr(j->text, '.'))
		to_string(j);
	else
		plain(j);
}

static void settle_value(const ProtobufCFieldDescriptor *f, struct json *j)
{
	if (j->type == JSON_OBJECT || j->type == JSON_ARRAY) {
		typed_settle(f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL, j);
		return;
	}
	if (j->type != JSON_NUMBER && j->type != JSON_BOOL)
		return;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		to_string(j);
	else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		number_or_name(j);
	else
		plain(j);
}

/* protoc writes map<K, V> as a repeated message of two fields, key and value. */
static const ProtobufCFieldDescriptor *map_value(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d;
	size_t n;

	if (f->label != PROTOBUF_C_LABEL_REPEATED || f->type != PROTOBUF_C_TYPE_MESSAGE)
		return NULL;
	d = f->descriptor;
	n = strlen(d->short_name);
	if (d->n_fields != 2 || n < 5 || strcmp(d->short_name + n - 5, "Entry") != 0)
		return NULL;
	return protobuf_c_message_descriptor_get_field_by_name(d, "value");
}

void typed_settle(const ProtobufCMessageDescriptor *d, struct json *j)
{
	if (j->type == JSON_ARRAY) {
		for (size_t i = 0; i < j->len; i++)
			typed_settle(d, j->items[i]);
		return;
	}
	if (j->type != JSON_OBJECT) {
		plain(j);
		return;
	}
	for (size_t i = 0; i < j->len; i++) {
		struct json *v = j->items[i];
		const ProtobufCFieldDescriptor *f =
		        d ? protobuf_c_message_descriptor_get_field_by_name(d, j->keys[i]) : NULL;
		const ProtobufCFieldDescriptor *inner = f ? map_value(f) : NULL;

		if (!f) {
			typed_settle(NULL, v);
		} else if (inner && v->type == JSON_OBJECT) {
			for (size_t m = 0; m < v->len; m++)
				settle_value(inner, v->items[m]);
		} else if (f->label == PROTOBUF_C_LABEL_REPEATED && v->type == JSON_ARRAY) {
			for (size_t m = 0; m < v->len; m++)
				settle_value(f, v->items[m]);
		} else if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			typed_settle(NULL, v); /* not a list: whoever reads it will say so */
		} else {
			settle_value(f, v);
		}
	}
}
