/* SPDX-License-Identifier: BSD-2-Clause */
/* The walk over an object that applies the rules of its messages where they belong, once for each
 * phase. */
#include "common/model/validate.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/model/duration.h"
#include "common/model/resource.h"
#include "common/model/scalar.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"

#define REASON_MAX 2048 /* the pattern of a community is long */

static void add(struct violations *v, const struct path *p, const char *name, const char *value,
                const char *fmt, va_list ap) __attribute__((format(printf, 5, 0)));

static void add(struct violations *v, const struct path *p, const char *name, const char *value,
                const char *fmt, va_list ap)
{
	CLEANUP(buf_done) struct buf field = { 0 };
	char reason[REASON_MAX];

	if (v->n == VIOLATIONS_MAX)
		return;
	path_str(p, &field);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	if (!name)
		name = field.len > 0 ? buf_cstr(&field) : v->kind ? v->kind : "";
	v->items = xrealloc(v->items, (v->n + 1) * sizeof(*v->items));
	v->items[v->n] = (struct violation){ .name = xstrdup(name),
		                             .value = xstrdup(value),
		                             .reason = xstrdup(reason) };
	v->items[v->n++].field = buf_take(&field);
}

void violate(struct violations *v, const struct path *p, const char *value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(v, p, NULL, value, fmt, ap);
	va_end(ap);
}

void violate_as(struct violations *v, const struct path *p, const char *name, const char *value,
                const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(v, p, name, value, fmt, ap);
	va_end(ap);
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
		free(v->items[i].name);
		free(v->items[i].value);
		free(v->items[i].reason);
	}
	free(v->items);
	*v = (struct violations){ 0 };
}

void violation_str(const struct violation *v, struct buf *out)
{
	if (*v->name == '\0') {
		buf_str(out, v->reason);
		return;
	}
	buf_str(out, v->name);
	if (v->value)
		buf_printf(out, " = '%s'", v->value);
	if (v->reason && *v->reason != '\0')
		buf_printf(out, " (%s)", v->reason);
}

void violations_str(const struct violations *v, struct buf *out)
{
	if (v->n == 1) {
		buf_str(out, *v->items[0].name != '\0' ? "error with field " : "");
		violation_str(&v->items[0], out);
		return;
	}
	buf_str(out, "error with the following fields:\n");
	for (size_t i = 0; i < v->n; i++) {
		buf_str(out, "-  ");
		violation_str(&v->items[i], out);
		buf_str(out, "\n");
	}
}

/* One value of a field, of a list or alone. */
struct spot {
	const ProtobufCFieldDescriptor *f;
	const struct field_rule *rule; /* NULL: none */
	const struct path *p;
	struct violations *v;
	enum phase phase;
};

/* ---- PHASE_GO: tags */

/* Upstream's name for the field: "InterfaceName", "Nets[0]". */
static void go_name(const struct spot *s, struct buf *out)
{
	if (s->rule && s->rule->go) {
		buf_str(out, s->rule->go);
	} else {
		char first = s->f->name[0];

		buf_byte(out, (uint8_t)(first >= 'a' && first <= 'z' ? first - 32 : first));
		buf_str(out, s->f->name + 1);
	}
	if (!s->p->name)
		buf_printf(out, "[%zu]", s->p->index);
}

static void fail_tag(const struct spot *s, const char *value, const char *tag)
{
	CLEANUP(buf_done) struct buf name = { 0 };

	go_name(s, &name);
	violate_as(s->v, s->p, buf_cstr(&name), value,
	           "Reason: failed to validate Field: %s because of Tag: %s ", buf_cstr(&name),
	           tag);
}

static bool is_word(const struct field_rule *rule, bool any_case, const char *s)
{
	for (const char *const *w = rule->words; *w; w++)
		if ((any_case ? strcasecmp(*w, s) : strcmp(*w, s)) == 0)
			return true;
	return false;
}

static void go_string(const struct spot *s, const char *text)
{
	struct why why;
	const char *wrong;

	if (s->rule->tag && !s->rule->tag->ok(text))
		fail_tag(s, text, s->rule->tag->name);
	if ((s->rule->flags & FIELD_ONEOF) && !is_word(s->rule, false, text))
		fail_tag(s, text, "oneof");
	wrong = s->rule->text ? s->rule->text(text, &why) : NULL;
	if (wrong)
		violate(s->v, s->p, text, "%s", wrong);
}

static void go_integer(const struct spot *s, int64_t i)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)i);
	if ((s->rule->flags & FIELD_GT_0) && i <= 0)
		fail_tag(s, text, "gt");
	if ((s->rule->flags & FIELD_GTE_LTE) && i < s->rule->min)
		fail_tag(s, text, "gte");
	if ((s->rule->flags & FIELD_GTE_LTE) && i > s->rule->max)
		fail_tag(s, text, s->rule->flags & FIELD_LT ? "lt" : "lte");
	if (s->rule->range_tag && (i < s->rule->min || i > s->rule->max))
		fail_tag(s, text, s->rule->range_tag);
}

static void go_port(const V3__Port *port, const struct path *p, struct violations *v)
{
	char text[16];

	if (port->name) {
		if (!tag_port_name.ok(port->name))
			violate_as(v, p, "PortName", port->name,
			           "Reason: failed to validate Field: PortName because of Tag: "
			           "portName ");
	} else if (port->min < 1 || port->max < 1) {
		(void)snprintf(text, sizeof(text), "%u", port->min);
		violate_as(v, p, "Port", text,
		           "port range invalid, port number must be between 1 and 65535");
	}
}

/* Names are compared as they are: "tcp" is none. */
static void go_protocol(const V3__Protocol *protocol, const struct path *p, struct violations *v)
{
	const char *name = protocol->name;
	int n = protocol_number(protocol);

	if (name && (n < 0 || strcmp(protocol_name_of_number(n), name) != 0))
		violate_as(v, p, "Protocol", name, "protocol name invalid");
	else if (!name && protocol->number == 0)
		violate_as(v, p, "Protocol", "0", "protocol number invalid");
}

/* ---- PHASE_SCHEMA */

static void fail_words(const struct spot *s)
{
	CLEANUP(buf_done) struct buf words = { 0 };
	bool any_case = s->rule->flags & FIELD_ANY_CASE;

	for (const char *const *w = s->rule->words; *w; w++) {
		if (w != s->rule->words)
			buf_str(&words, any_case ? "|" : ", ");
		buf_printf(&words, any_case ? "%s" : "\"%s\"", *w);
	}
	if (any_case)
		violate_body(s->v, s->p, "should match '^(?i)(%s)?$'", buf_cstr(&words));
	else
		violate(s->v, s->p, NULL, "supported values: %s", buf_cstr(&words));
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void schema_string(const struct spot *s, const char *text)
{
	struct why why;

	if (s->rule->max > 0 && characters(text) > (size_t)s->rule->max)
		violate(s->v, s->p, NULL, "may not be more than %lld bytes",
		        (long long)s->rule->max);
	else if (s->rule->pattern && !s->rule->pattern->ok(text))
		violate_body(s->v, s->p, "should match '%s'", s->rule->pattern->name);
	if (s->rule->words && !(s->rule->flags & FIELD_NO_SCHEMA) &&
	    !is_word(s->rule, s->rule->flags & FIELD_ANY_CASE, text))
		fail_words(s);
	if ((s->rule->flags & FIELD_CIDR) && text_cidr(text, &why))
		violate_body(s->v, s->p, "must be of type cidr: \"%s\"", text);
}

static void schema_integer(const struct spot *s, int64_t i)
{
	const struct field_rule *rule = s->rule;
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", (long long)i);
	if (rule->words && !is_word(rule, false, text))
		fail_words(s);
	if ((rule->min == 0 && rule->max == 0) || (rule->flags & FIELD_NO_SCHEMA))
		return;
	if (i < rule->min)
		violate_body(s->v, s->p, "should be greater than or equal to %lld",
		             (long long)rule->min);
	else if (i > rule->max)
		violate_body(s->v, s->p, "should be less than or equal to %lld",
		             (long long)rule->max);
}

/* ---- the walk */

static void check_message(const ProtobufCMessage *m, const struct path *p, struct violations *v,
                          enum phase phase);

static void check_list(struct spot *s, const ProtobufCMessage *m);

static void check_duration(const struct spot *s, const V3__Duration *d)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (!s->rule || s->phase != PHASE_SCHEMA)
		return;
	duration_str(d->ns, &text);
	schema_string(s, buf_cstr(&text));
}

static void check_sub(const struct spot *s, const ProtobufCMessage *m)
{
	if (m->descriptor == &v3__port__descriptor) {
		if (s->phase == PHASE_GO)
			go_port((const V3__Port *)m, s->p, s->v);
	} else if (m->descriptor == &v3__protocol__descriptor) {
		if (s->phase == PHASE_GO)
			go_protocol((const V3__Protocol *)m, s->p, s->v);
	} else if (m->descriptor == &v3__duration__descriptor) {
		check_duration(s, (const V3__Duration *)m);
	} else if (msg_is_list(m->descriptor)) {
		struct spot items = *s;

		items.f = &m->descriptor->fields[0];
		check_list(&items, m);
	} else {
		check_message(m, s->p, s->v, s->phase);
	}
}

static void check_integer(const struct spot *s, int64_t i)
{
	if (s->rule && s->phase == PHASE_GO)
		go_integer(s, i);
	else if (s->rule && s->phase == PHASE_SCHEMA)
		schema_integer(s, i);
}

/* value points to it. */
static void check_value(const struct spot *s, const void *value)
{
	switch (s->f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (s->rule && s->phase == PHASE_GO)
			go_string(s, *(const char *const *)value);
		else if (s->rule && s->phase == PHASE_SCHEMA)
			schema_string(s, *(const char *const *)value);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
		check_integer(s, *(const int64_t *)value);
		break;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
		check_integer(s, *(const int32_t *)value);
		break;
	case PROTOBUF_C_TYPE_UINT32:
		check_integer(s, *(const uint32_t *)value);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		check_sub(s, *(const ProtobufCMessage *const *)value);
		break;
	default:
		break;
	}
}

static size_t stride(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return sizeof(int64_t);
	default:
		return sizeof(int32_t);
	}
}

void list_str(char *const *list, size_t n, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i > 0 ? " " : "", list[i]);
	buf_byte(out, ']');
}

static void map_str(V3__ObjectMeta__LabelsEntry *const *entries, size_t n, struct buf *out)
{
	buf_str(out, "map[");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s:%s", i > 0 ? " " : "", entries[i]->key, entries[i]->value);
	buf_byte(out, ']');
}

static void check_list_tag(const struct spot *s, const ProtobufCMessage *m, size_t n,
                           const void *values)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (n == 0 || s->rule->list_tag->ok(m, s->f))
		return;
	if (s->f->type == PROTOBUF_C_TYPE_MESSAGE)
		map_str(values, n, &text);
	else
		list_str(values, n, &text);
	fail_tag(s, buf_cstr(&text), s->rule->list_tag->name);
}

/* Go's zero value, as it prints it. */
static const char *go_nothing(const struct spot *s)
{
	if (s->f->label == PROTOBUF_C_LABEL_REPEATED)
		return "[]";
	return s->f->type == PROTOBUF_C_TYPE_STRING && !(s->rule->flags & FIELD_NULL) ? ""
	                                                                              : "<nil>";
}

static void check_absent(const struct spot *s)
{
	unsigned flags = s->rule ? s->rule->flags : 0;

	if (s->phase == PHASE_GO && (flags & FIELD_REQUIRED))
		violate(s->v, s->p, NULL, "is required");
	if (s->phase == PHASE_GO && (flags & FIELD_TAG_REQUIRED))
		fail_tag(s, go_nothing(s), "required");
	if (s->phase == PHASE_SCHEMA && (flags & FIELD_NULL))
		violate_body(s->v, s->p, "must be of type %s: \"null\"",
		             s->f->label == PROTOBUF_C_LABEL_REPEATED ? "array"
		             : s->f->type == PROTOBUF_C_TYPE_STRING   ? "string"
		                                                      : "integer");
}

static void check_list(struct spot *s, const ProtobufCMessage *m)
{
	const ProtobufCFieldDescriptor *f = s->f;
	size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
	const char *values = *(char *const *)(const void *)((const char *)m + f->offset);
	const struct path *list = s->p;

	if (s->phase == PHASE_GO && s->rule && s->rule->list_tag)
		check_list_tag(s, m, n, values);
	if (n == 0)
		check_absent(s);
	if (f->type == PROTOBUF_C_TYPE_MESSAGE && msg_is_map_entry(f->descriptor))
		return;
	for (size_t i = 0; i < n; i++) {
		struct path here = { list, NULL, i };

		s->p = &here;
		check_value(s, values + i * stride(f));
	}
	if (s->phase == PHASE_SCHEMA && s->rule && s->rule->items > 0 && n > s->rule->items)
		violate(s->v, list, NULL, "must have at most %zu item%s", s->rule->items,
		        s->rule->items == 1 ? "" : "s");
}

static void check_one(const struct spot *s, const ProtobufCMessage *m)
{
	static const char *const nothing = "";
	const void *value = (const char *)m + s->f->offset;
	unsigned flags = s->rule ? s->rule->flags : 0;
	bool there;

	if (s->f->type == PROTOBUF_C_TYPE_STRING)
		there = *(char *const *)value &&
		        (**(char *const *)value != '\0' || (flags & FIELD_EMPTY));
	else if (s->f->type == PROTOBUF_C_TYPE_MESSAGE)
		there = *(void *const *)value != NULL;
	else
		there = *(const protobuf_c_boolean *)(const void *)((const char *)m +
		                                                    s->f->quantifier_offset);
	if (there)
		check_value(s, value);
	else if (s->f->type == PROTOBUF_C_TYPE_STRING &&
	         ((s->phase == PHASE_GO && (flags & FIELD_TAG_EMPTY)) ||
	          (s->phase == PHASE_SCHEMA && (flags & FIELD_ALWAYS))))
		check_value(s, &nothing);
	else
		check_absent(s);
}

static void check_message(const ProtobufCMessage *m, const struct path *p, struct violations *v,
                          enum phase phase)
{
	const struct message_rule *rules = message_rule(m->descriptor);

	if (rules && rules->cel && phase == PHASE_CEL)
		rules->cel(m, p, v);
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		struct path here = { p, f->name, 0 };
		struct spot s = { f, field_rule(rules, f->name), &here, v, phase };

		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			check_list(&s, m);
		else
			check_one(&s, m);
	}
	if (rules && rules->check && phase == PHASE_GO)
		rules->check(m, p, v);
	if (rules && rules->schema && phase == PHASE_SCHEMA)
		rules->schema(m, p, v);
}

size_t model_validate(model_kind kind, const ProtobufCMessage *msg, struct violations *ret)
{
	const struct kind_info *k = kind_info(kind);
	const struct message_rule *rules;

	*ret = (struct violations){ .kind = k ? k->name : NULL };
	if (!k || msg->descriptor != k->message) {
		violate(ret, NULL, NULL, "the object is not of the kind that it is said to be");
		return ret->n;
	}
	rules = message_rule(k->message);
	if (k->v3)
		check_namespace(k, model_meta((ProtobufCMessage *)(uintptr_t)msg, false), ret);
	if (ret->n == 0 && rules && rules->first)
		rules->first(msg, NULL, ret);
	if (ret->n > 0)
		return ret->n;
	check_message(msg, NULL, ret, PHASE_GO);
	check_message(msg, NULL, ret, PHASE_SCHEMA);
	check_message(msg, NULL, ret, PHASE_CEL);
	if (ret->n == 0 && rules && rules->last)
		rules->last(msg, NULL, ret);
	return ret->n;
}
