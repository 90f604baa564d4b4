/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/output.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "calicoctl/yaml.h"
#include "common/base/err.h"
#include "common/base/mem.h"

/* ---- the order of keys */

static bool is_letter(unsigned char c)
{
	return isalpha(c) || c >= 0x80;
}

/* Compares the numbers at a and b, and says how long they are; a digit missing on one side counts
 * as 0. */
static int cmp_numbers(const char *a, const char *b, size_t *len_a, size_t *len_b)
{
	const char *na = a, *nb = b;

	*len_a = strspn(a, "0123456789");
	*len_b = strspn(b, "0123456789");
	while (*na == '0')
		na++;
	while (*nb == '0')
		nb++;
	size_t da = *len_a - (size_t)(na - a), db = *len_b - (size_t)(nb - b);
	if (da != db)
		return da < db ? -1 : 1;
	return strncmp(na, nb, da);
}

int output_key_cmp(const char *a, const char *b)
{
	size_t i = 0, len_a, len_b, start;
	int rc;

	while (a[i] && a[i] == b[i])
		i++;
	if (a[i] == '\0' || b[i] == '\0')
		return a[i] == b[i] ? 0 : a[i] == '\0' ? -1 : 1;
	if (is_letter((unsigned char)a[i]) || is_letter((unsigned char)b[i])) {
		if (is_letter((unsigned char)a[i]) && is_letter((unsigned char)b[i]))
			return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
		return is_letter((unsigned char)b[i]) ? -1 : 1;
	}
	/* the numbers that the difference stands in begin before it */
	for (start = i; start > 0 && isdigit((unsigned char)a[start - 1]);)
		start--;
	if (isdigit((unsigned char)a[i]) || isdigit((unsigned char)b[i])) {
		rc = cmp_numbers(a + start, b + start, &len_a, &len_b);
		if (rc)
			return rc < 0 ? -1 : 1;
		if (len_a != len_b)
			return len_a < len_b ? -1 : 1;
	}
	return (unsigned char)a[i] < (unsigned char)b[i] ? -1 : 1;
}

static int by_key(const void *a, const void *b)
{
	return output_key_cmp(*(char *const *)a, *(char *const *)b);
}

/* ---- YAML */

static int append(void *arg, unsigned char *data, size_t len)
{
	buf_add(arg, data, len);
	return 1;
}

/* 1:30 and 190:20:30 were numbers of base 60 in YAML 1.1; some readers still take them for that. */
static bool is_base60(const char *s)
{
	bool colon = false;

	if (*s == '-' || *s == '+')
		s++;
	if (!isdigit((unsigned char)*s))
		return false;
	s += strspn(s, "0123456789_");
	while (*s == ':') {
		const char *digits = s + 1;
		size_t n = strspn(digits, "0123456789");

		if (n == 0 || n > 2 || (n == 2 && *digits > '5'))
			return false;
		s = digits + n;
		colon = true;
	}
	if (colon && *s == '.')
		s += 1 + strspn(s + 1, "0123456789_");
	return colon && *s == '\0';
}

static bool digits(const char **s, size_t least, size_t most)
{
	size_t n = strspn(*s, "0123456789");

	if (n < least || n > most)
		return false;
	*s += n;
	return true;
}

/* 2026-08-22, or with a time behind it. */
static bool is_timestamp(const char *s)
{
	if (!digits(&s, 4, 4) || *s++ != '-' || !digits(&s, 1, 2) || *s++ != '-' ||
	    !digits(&s, 1, 2))
		return false;
	if (*s == '\0')
		return true;
	if (*s != 'T' && *s != 't' && *s != ' ')
		return false;
	s++;
	return digits(&s, 1, 2) && *s++ == ':' && digits(&s, 1, 2) && *s++ == ':' &&
	       digits(&s, 1, 2);
}

/* A number with underscores between its digits, infinity, not-a-number, and the merge key. */
static bool is_other_number(const char *s)
{
	static const char *const words[] = { ".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
		                             "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
		                             ".NaN",  ".NAN",  "<<",    NULL };
	char without[80];
	size_t n = 0;

	for (const char *const *w = words; *w; w++)
		if (strcmp(s, *w) == 0)
			return true;
	if (!strchr(s, '_') || strlen(s) >= sizeof(without) ||
	    !(isdigit((unsigned char)*s) || strchr("+-.", *s)))
		return false;
	for (; *s; s++)
		if (*s != '_')
			without[n++] = *s;
	return yaml_resolve(without, n, NULL) == YAML_NUMBER;
}

static yaml_scalar_style_t style_of(const char *s, size_t len)
{
	if (memchr(s, '\n', len))
		return YAML_LITERAL_SCALAR_STYLE;
	if (yaml_resolve(s, len, NULL) != YAML_STR || is_base60(s) || is_timestamp(s) ||
	    is_other_number(s))
		return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	return YAML_PLAIN_SCALAR_STYLE; /* the emitter quotes it where the syntax asks for that */
}

static bool emit(yaml_emitter_t *e, yaml_event_t *ev, int made)
{
	return made && yaml_emitter_emit(e, ev);
}

static bool emit_scalar(yaml_emitter_t *e, const char *s, size_t len, yaml_scalar_style_t style)
{
	yaml_event_t ev;

	return emit(e, &ev,
	            yaml_scalar_event_initialize(&ev, NULL, NULL, (const yaml_char_t *)s, (int)len,
	                                         1, 1, style));
}

static bool emit_node(yaml_emitter_t *e, const struct json *j)
{
	/* an empty one is written as [] or {} */
	bool flow = (j->type == JSON_ARRAY || j->type == JSON_OBJECT) && j->len == 0;
	CLEANUP(free_p) char **keys = NULL;
	yaml_event_t ev;

	switch (j->type) {
	case JSON_NULL:
		return emit_scalar(e, "null", 4, YAML_PLAIN_SCALAR_STYLE);
	case JSON_BOOL:
		return emit_scalar(e, j->boolean ? "true" : "false", j->boolean ? 4 : 5,
		                   YAML_PLAIN_SCALAR_STYLE);
	case JSON_NUMBER:
		return emit_scalar(e, j->text, j->len, YAML_PLAIN_SCALAR_STYLE);
	case JSON_STRING:
		return emit_scalar(e, j->text, j->len, style_of(j->text, j->len));
	case JSON_ARRAY:
		if (!emit(e, &ev,
		          yaml_sequence_start_event_initialize(&ev, NULL, NULL, 1,
		                                               flow ? YAML_FLOW_SEQUENCE_STYLE
		                                                    : YAML_BLOCK_SEQUENCE_STYLE)))
			return false;
		for (size_t i = 0; i < j->len; i++)
			if (!emit_node(e, j->items[i]))
				return false;
		return emit(e, &ev, yaml_sequence_end_event_initialize(&ev));
	case JSON_OBJECT:
		break;
	}
	if (!emit(e, &ev,
	          yaml_mapping_start_event_initialize(&ev, NULL, NULL, 1,
	                                              flow ? YAML_FLOW_MAPPING_STYLE
	                                                   : YAML_BLOCK_MAPPING_STYLE)))
		return false;
	keys = xcalloc(j->len + 1, sizeof(*keys));
	if (j->len)
		memcpy(keys, j->keys, j->len * sizeof(*keys));
	qsort(keys, j->len, sizeof(*keys), by_key);
	for (size_t i = 0; i < j->len; i++)
		if (!emit_scalar(e, keys[i], strlen(keys[i]), style_of(keys[i], strlen(keys[i]))) ||
		    !emit_node(e, json_get(j, keys[i])))
			return false;
	return emit(e, &ev, yaml_mapping_end_event_initialize(&ev));
}

int output_yaml(const struct json *j, struct buf *out, struct err *err)
{
	yaml_emitter_t e;
	yaml_event_t ev;
	bool ok;

	if (!yaml_emitter_initialize(&e))
		return err_set(err, -ENOMEM, "out of memory");
	yaml_emitter_set_output(&e, append, out);
	yaml_emitter_set_unicode(&e, 1);
	yaml_emitter_set_width(&e, -1); /* no folding: a selector stays on its line */
	ok = emit(&e, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING)) &&
	     emit(&e, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1)) &&
	     emit_node(&e, j) && emit(&e, &ev, yaml_document_end_event_initialize(&ev, 1)) &&
	     emit(&e, &ev, yaml_stream_end_event_initialize(&ev));
	if (!ok)
		err_set(err, -EINVAL, "cannot be written as YAML: %s",
		        e.problem ? e.problem : "no memory");
	yaml_emitter_delete(&e);
	return ok ? 0 : -EINVAL;
}
