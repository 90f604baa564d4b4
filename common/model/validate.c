/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over an object that applies the rules of validate_rule.c and validate_message.c where
 * they belong. */
#include "common/model/validate.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/model/scalar.h"
#include "common/model/validate_rule.h"

#define REASON_MAX 2048 /* the pattern of a community is long */

void violate(struct violations *v, const struct path *p, const char *value, const char *fmt, ...)
{
	CLEANUP(buf_done) struct buf field = { 0 };
	char reason[REASON_MAX];
	va_list ap;

	if (v->n == VIOLATIONS_MAX)
		return;
	path_str(p, &field);
	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	v->items = xrealloc(v->items, (v->n + 1) * sizeof(*v->items));
	v->items[v->n++] = (struct violation){ buf_take(&field), xstrdup(value), xstrdup(reason) };
}

void violate_body(struct violations *v, const struct path *p, const char *fmt, ...)
{
	CLEANUP(buf_done) struct buf field = { 0 };
	char reason[REASON_MAX];
	va_list ap;

	path_str(p, &field);
	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	violate(v, p, NULL, "%s in body %s", buf_cstr(&field), reason);
}

void violations_done(struct violations *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->items[i].field);
		free(v->items[i].value);
		free(v->items[i].reason);
	}
	free(v->items);
	*v = (struct violations){ 0 };
}

static void violation_str(const struct violation *v, struct buf *out)
{
	buf_str(out, v->field);
	if (v->value)
		buf_printf(out, " = '%s'", v->value);
	if (v->reason && *v->reason != '\0')
		buf_printf(out, " (%s)", v->reason);
}

void violations_str(const struct violations *v, struct buf *out)
{
	if (v->n == 1) {
		buf_str(out, "error with field ");
		violation_str(&v->items[0], out);
		return;
	}
	buf_str(out, "error with the following fields:");
	for (size_t i = 0; i < v->n; i++) {
		buf_str(out, "\n-  ");
		violation_str(&v->items[i], out);
	}
}

static bool is_word(const struct field_rule *rule, const char *s)
{
	for (const char *const *w = rule->words; *w; w++)
		if ((rule->flags & FIELD_ANY_CASE ? strcasecmp(*w, s) : strcmp(*w, s)) == 0)
			return true;
	return false;
}

static void check_words(const struct field_rule *rule, const char *s, const struct path *p,
                        struct violations *v)
{
	bool any_case = rule->flags & FIELD_ANY_CASE;
	CLEANUP(buf_done) struct buf words = { 0 };

	if (is_word(rule, s))
		return;
	for (const char *const *w = rule->words; *w; w++)
		buf_printf(&words, any_case ? "%s%s" : "%s\"%s\"",
		           w == rule->words ? ""
		           : any_case       ? "|"
		                            : ", ",
		           *w);
	if (any_case)
		violate_body(v, p, "should match '^(?i)(%s)?$'", buf_cstr(&words));
	else
		violate(v, p, NULL, "supported values: %s", buf_cstr(&words));
}

static void check_string(const struct field_rule *rule, const char *s, const struct path *p,
                         struct violations *v)
{
	struct why why;
	const char *wrong;

	if (rule->max > 0 && strlen(s) > (size_t)rule->max) {
		violate(v, p, NULL, "may not be more than %lld bytes", (long long)rule->max);
		return;
	}
	if (rule->words)
		check_words(rule, s, p, v);
	wrong = rule->text ? rule->text(s, &why) : NULL;
	if (wrong && rule->pattern)
		violate_body(v, p, "should match '%s'", rule->pattern);
	else if (wrong)
		violate(v, p, s, "%s", wrong);
}

static void check_integer(const struct field_rule *rule, int64_t i, const struct path *p,
                          struct violations *v)
{
	if (rule->min == 0 && rule->max == 0)
		return;
	if (i < rule->min)
		violate_body(v, p, "should be greater than or equal to %lld", (long long)rule->min);
	else if (i > rule->max)
		violate_body(v, p, "should be less than or equal to %lld", (long long)rule->max);
}

static void check_port(const V3__Port *port, const struct path *p, struct violations *v)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	const char *wrong;
	struct why why;

	port_str(port, &text);
	wrong = port->name ? text_port_name(port->name, &why) : NULL;
	if (wrong)
		violate(v, p, buf_cstr(&text), "%s", wrong);
	else if (!port->name && (port->min < 1 || port->max > UINT16_MAX || port->min > port->max))
		violate(v, p, buf_cstr(&text),
		        "port range invalid, port number must be between 1 and 65535");
}

/* Names are compared as they are: "tcp" is none. */
static void check_protocol(const V3__Protocol *protocol, const struct path *p, struct violations *v)
{
	int n = protocol_number(protocol);
	char text[16];

	if (protocol->name) {
		if (n >= 0 && !protocol->has_number &&
		    strcmp(protocol_name_of_number(n), protocol->name) == 0)
			return;
		violate(v, p, protocol->name,
		        "must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255");
	} else if (n < 1) {
		(void)snprintf(text, sizeof(text), "%u", protocol->number);
		violate(v, p, text, "must be a number from 1 to 255, or a protocol's name");
	}
}

static void check_message(const ProtobufCMessage *m, const struct path *p, struct violations *v);
static void check_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       const struct field_rule *rule, const struct path *p, struct violations *v);

/* One value of a field, of a list or alone; value points to it. */
static void check_value(const ProtobufCFieldDescriptor *f, const struct field_rule *rule,
                        const void *value, const struct path *p, struct violations *v)
{
	const ProtobufCMessage *m;

	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (rule)
			check_string(rule, *(const char *const *)value, p, v);
		break;
	case PROTOBUF_C_TYPE_INT64:
		if (rule)
			check_integer(rule, *(const int64_t *)value, p, v);
		break;
	case PROTOBUF_C_TYPE_INT32:
		if (rule)
			check_integer(rule, *(const int32_t *)value, p, v);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		if (rule)
			check_integer(rule, *(const uint32_t *)value, p, v);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		m = *(const ProtobufCMessage *const *)value;
		if (m->descriptor == &v3__port__descriptor)
			check_port((const V3__Port *)m, p, v);
		else if (m->descriptor == &v3__protocol__descriptor)
			check_protocol((const V3__Protocol *)m, p, v);
		else if (msg_is_list(m->descriptor))
			check_list(m, &m->descriptor->fields[0], rule, p, v);
		else
			check_message(m, p, v);
		break;
	default:
		break;
	}
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_duplicates(char *const *values, size_t n, const struct path *p,
                             struct violations *v)
{
	CLEANUP(free_p) char **sorted = xmemdup(values, n * sizeof(*sorted));

	qsort(sorted, n, sizeof(*sorted), compare_strings);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0) {
			violate(v, p, sorted[i], "is there twice");
			return;
		}
}

static size_t stride(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE
	               ? sizeof(void *)
	               : sizeof(int32_t);
}

static void check_list(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                       const struct field_rule *rule, const struct path *p, struct violations *v)
{
	size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
	const char *values = *(char *const *)(const void *)((const char *)m + f->offset);
	bool map = f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor);

	if (map)
		return; /* metadata's are looked at with it */
	if (rule && (rule->flags & FIELD_REQUIRED) && n == 0)
		violate(v, p, NULL, "is required");
	if (rule && rule->items > 0 && n > rule->items) {
		violate(v, p, NULL, "must have at most %zu item%s", rule->items,
		        rule->items == 1 ? "" : "s");
		return;
	}
	if (rule && (rule->flags & FIELD_SET) && f->type == PROTOBUF_C_TYPE_STRING && n > 1)
		check_duplicates((char *const *)(const void *)values, n, p, v);
	for (size_t i = 0; i < n; i++) {
		struct path here = { p, NULL, i };

		check_value(f, rule, values + i * stride(f), &here, v);
	}
}

static void check_one(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f,
                      const struct field_rule *rule, const struct path *p, struct violations *v)
{
	const void *value = (const char *)m + f->offset;
	bool there;

	if (f->type == PROTOBUF_C_TYPE_STRING)
		there = *(char *const *)value &&
		        (**(char *const *)value != '\0' || (rule && (rule->flags & FIELD_EMPTY)));
	else if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		there = *(void *const *)value != NULL;
	else
		there = *(const protobuf_c_boolean *)(const void *)((const char *)m +
		                                                    f->quantifier_offset);
	if (there)
		check_value(f, rule, value, p, v);
	else if (rule && (rule->flags & FIELD_REQUIRED))
		violate(v, p, NULL, "is required");
}

static void check_message(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	message_check *check = message_rule(m->descriptor);

	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const struct field_rule *rule = field_rule(m->descriptor, f->name);
		struct path here = { p, f->name, 0 };

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			check_list(m, f, rule, &here, v);
		else
			check_one(m, f, rule, &here, v);
	}
	if (check)
		check(m, p, v);
}

size_t model_validate(model_kind kind, const ProtobufCMessage *msg, struct violations *ret)
{
	const struct kind_info *k = kind_info(kind);

	*ret = (struct violations){ 0 };
	if (!k || msg->descriptor != k->message) {
		violate(ret, NULL, NULL, "the object is not of the kind that it is said to be");
		return ret->n;
	}
	if (k->v3)
		check_metadata(k, model_meta((ProtobufCMessage *)(uintptr_t)msg, false), ret);
	check_message(msg, NULL, ret);
	return ret->n;
}
