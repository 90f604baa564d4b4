/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages that are one JSON value. */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/duration.h"
#include "common/model/mapper_rule.h"
#include "common/model/scalar.h"
#include "proto/v3_staged.pb-c.h"

static int not_this(const struct json *j, const char *what, const char *limits, struct err *err)
{
	if (j->type == JSON_STRING || j->type == JSON_NUMBER)
		return err_set(err, -EINVAL, "'%s' is not %s%s", j->text, what, limits);
	return err_set(err, -EINVAL, "expected %s, got %s", what, json_type_str(j->type));
}

static struct json *number(uint32_t v)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", v);
	return json_new_number(text);
}

static int read_port(const struct json *j, ProtobufCMessage *m, struct err *err)
{
	V3__Port *p = (V3__Port *)m;
	uint64_t v;

	if (json_str(j))
		return port_parse(j->text, p, err);
	if (json_u64(j, &v) < 0 || v > UINT16_MAX)
		return not_this(j, "a port", " (1 to 65535)", err);
	p->has_min = p->has_max = true;
	p->min = p->max = (uint32_t)v;
	return 0;
}

static struct json *write_port(const ProtobufCMessage *m)
{
	const V3__Port *p = (const V3__Port *)m;
	CLEANUP(buf_done) struct buf text = { 0 };

	if (!p->name && p->min == p->max)
		return number(p->min);
	port_str(p, &text);
	return json_new_str(buf_cstr(&text));
}

static bool zero_port(const ProtobufCMessage *m)
{
	const V3__Port *p = (const V3__Port *)m;

	return !p->name && p->max == 0;
}

static int read_protocol(const struct json *j, ProtobufCMessage *m, struct err *err)
{
	V3__Protocol *p = (V3__Protocol *)m;
	const char *s = json_str(j);
	char *end;
	unsigned long v = 0;
	uint64_t n;

	if (s) {
		/* Upstream reads "6" as 6, and all else as a name, in whatever case. */
		if (*s != '\0' && strlen(s) <= 8 && s[strspn(s, "0123456789")] == '\0')
			v = strtoul(s, &end, 10);
		else
			v = UINT8_MAX + 1;
		if (v > UINT8_MAX) {
			p->name = xstrdup(s);
			return 0;
		}
		n = v;
	} else if (json_u64(j, &n) < 0 || n > UINT8_MAX) {
		return not_this(j, "a protocol", " (1 to 255, or a name)", err);
	}
	p->has_number = true;
	p->number = (uint32_t)n;
	return 0;
}

static struct json *write_protocol(const ProtobufCMessage *m)
{
	const V3__Protocol *p = (const V3__Protocol *)m;

	return p->name ? json_new_str(p->name) : number(p->number);
}

static bool zero_protocol(const ProtobufCMessage *m)
{
	const V3__Protocol *p = (const V3__Protocol *)m;

	return !p->name && p->number == 0;
}

static int read_dscp(const struct json *j, ProtobufCMessage *m, struct err *err)
{
	V3__Dscp *d = (V3__Dscp *)m;
	V3__Protocol p = V3__PROTOCOL__INIT;
	int code = read_protocol(j, &p.base, NULL); /* the same form */

	if (code < 0)
		return not_this(j, "a DSCP", " (0 to 63, or a name)", err);
	d->has_number = p.has_number;
	d->number = p.number;
	d->name = p.name;
	return 0;
}

static struct json *write_dscp(const ProtobufCMessage *m)
{
	const V3__Dscp *d = (const V3__Dscp *)m;

	return d->name ? json_new_str(d->name) : number(d->number);
}

static bool zero_dscp(const ProtobufCMessage *m)
{
	const V3__Dscp *d = (const V3__Dscp *)m;

	return !d->name && d->number == 0;
}

static int read_int_or_string(const struct json *j, ProtobufCMessage *m, struct err *err)
{
	V3__IntOrString *v = (V3__IntOrString *)m;
	int64_t i;

	if (json_str(j)) {
		if (strlen(j->text) != j->len)
			return err_set(err, -EINVAL, "the string has NUL in it");
		v->text = xstrdup(j->text);
		return 0;
	}
	if (json_i64(j, &i) < 0 || i < INT32_MIN || i > INT32_MAX)
		return not_this(j, "a number or a string", "", err);
	v->has_number = true;
	v->number = (int32_t)i;
	return 0;
}

static struct json *write_int_or_string(const ProtobufCMessage *m)
{
	const V3__IntOrString *v = (const V3__IntOrString *)m;
	char text[16];

	if (v->text)
		return json_new_str(v->text);
	(void)snprintf(text, sizeof(text), "%d", v->number);
	return json_new_number(text);
}

static bool zero_int_or_string(const ProtobufCMessage *m)
{
	const V3__IntOrString *v = (const V3__IntOrString *)m;

	return !v->text && v->number == 0;
}

static int read_as_number(const struct json *j, ProtobufCMessage *m, struct err *err)
{
	V3__AsNumber *a = (V3__AsNumber *)m;
	uint64_t v = 0;

	if (json_str(j)) {
		if (asn_parse(j->text, &a->value) < 0)
			return not_this(j, "an AS number",
			                " (0 to 4294967295, or 0.0 to 65535.65535)", err);
	} else if (json_u64(j, &v) < 0 || v > UINT32_MAX) {
		return not_this(j, "an AS number", " (0 to 4294967295)", err);
	} else {
		a->value = (uint32_t)v;
	}
	a->has_value = true;
	return 0;
}

static struct json *write_as_number(const ProtobufCMessage *m)
{
	return number(((const V3__AsNumber *)m)->value);
}

static bool zero_as_number(const ProtobufCMessage *m)
{
	return ((const V3__AsNumber *)m)->value == 0;
}

/* Zero is no ns at all, so that one duration is one message. */
static int read_duration(const struct json *j, ProtobufCMessage *m, struct err *err)
{
	V3__Duration *d = (V3__Duration *)m;
	int64_t ns;
	int code;

	if (!json_str(j))
		return err_set(err, -EINVAL, "expected a duration, got %s", json_type_str(j->type));
	code = duration_parse(j->text, &ns, err);
	if (code < 0)
		return code;
	d->ns = ns;
	d->has_ns = ns != 0;
	return 0;
}

static struct json *write_duration(const ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	duration_str(((const V3__Duration *)m)->ns, &text);
	return json_new_str(buf_cstr(&text));
}

static bool zero_duration(const ProtobufCMessage *m)
{
	return ((const V3__Duration *)m)->ns == 0;
}

static const struct mapper_scalar scalars[] = {
	{ &v3__port__descriptor, read_port, write_port, zero_port },
	{ &v3__protocol__descriptor, read_protocol, write_protocol, zero_protocol },
	{ &v3__as_number__descriptor, read_as_number, write_as_number, zero_as_number },
	{ &v3__dscp__descriptor, read_dscp, write_dscp, zero_dscp },
	{ &v3__duration__descriptor, read_duration, write_duration, zero_duration },
	{ &v3__int_or_string__descriptor, read_int_or_string, write_int_or_string,
	  zero_int_or_string },
};

const struct mapper_scalar *mapper_scalar(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++)
		if (scalars[i].message == d)
			return &scalars[i];
	return NULL;
}
