/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every kind against test/unit/model_kinds/<Kind>.cases, line by line:
 *
 *     # ...        a comment
 *     in JSON      a manifest; kind and apiVersion may be left out
 *     out JSON     it is allowed, and this is what is stored, defaults and all
 *     bad TEXT     it is refused with this, as upstream words it; a line for each thing wrong
 *     says TEXT    the same, but the whole text of it
 *     unreadable TEXT  it is refused with this where it is read
 *     at PATH      where the first of these stands in the manifest
 *     stored JSON  what upstream's calicoctl stored: read and written, it is the same
 */
#include "test/unit/test.h"

#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "common/model/validate.h"

#define DIR "test/unit/model_kinds"
#define FILE_MAX (1u << 20)

/* What the lines since the last "in" have said. */
struct one {
	const struct kind_info *kind;
	unsigned line;
	const char *in, *out, *at, *unreadable;
	struct buf bad;
	bool bare;
};

static unsigned failures; /* all are shown before the test fails */

static void failed(const struct kind_info *k, unsigned line, const char *seen, const char *wanted)
{
	print_error("%s.cases:%u:\n%s\n-- wanted:\n%s\n", k->name, line, seen, wanted);
	failures++;
}

static ProtobufCMessage *read_json(const struct kind_info *k, unsigned line, const char *text,
                                   enum mapper_unknown unknown)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (mapper_read_text(k->message, text, strlen(text), unknown, &m, &err) < 0)
		failed(k, line, err.text, text);
	return m;
}

static void expect(const struct kind_info *k, unsigned line, const char *seen, const char *wanted)
{
	if (strcmp(seen, wanted) != 0)
		failed(k, line, seen, wanted);
}

static void check_stored(const struct kind_info *k, unsigned line, const char *text)
{
	CLEANUP(buf_done) struct buf written = { 0 }, packed = { 0 };
	ProtobufCMessage *m = read_json(k, line, text, MAPPER_KEEP), *wire;

	if (!m)
		return;
	mapper_write_text(m, 0, &written);
	expect(k, line, buf_cstr(&written), text);
	msg_pack(m, &packed);
	wire = msg_unpack(k->message, packed.data, packed.len);
	assert_non_null(wire);
	assert_true(msg_equal(m, wire));
	buf_clear(&written);
	mapper_write_text(wire, 0, &written);
	expect(k, line, buf_cstr(&written), text);
	msg_free(wire);
	msg_free(m);
}

static void check_good(const struct one *c, ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf written = { 0 };

	mapper_write_text(m, 0, &written);
	expect(c->kind, c->line, buf_cstr(&written), c->out);
	model_default(c->kind->kind, m); /* once is enough */
	buf_clear(&written);
	mapper_write_text(m, 0, &written);
	expect(c->kind, c->line, buf_cstr(&written), c->out);
	check_stored(c->kind, c->line, c->out);
}

static void check_unreadable(const struct one *c)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (mapper_read_text(c->kind->message, c->in, strlen(c->in), MAPPER_REFUSE, &m, &err) == 0)
		fail_msg("%s:%u: is read", c->kind->name, c->line);
	assert_null(m);
	expect(c->kind, c->line, err.text, c->unreadable);
}

static void check_manifest(struct one *c)
{
	CLEANUP(buf_done) struct buf wrong = { 0 };
	struct violations v;
	ProtobufCMessage *m = read_json(c->kind, c->line, c->in, MAPPER_REFUSE);

	if (!m)
		return;
	model_default(c->kind->kind, m);
	if (model_validate(c->kind->kind, m, &v) > 0)
		violations_str(&v, &wrong);
	if (c->out || c->bad.len == 0)
		expect(c->kind, c->line, buf_cstr(&wrong), "");
	if (c->out)
		check_good(c, m);
	if (c->bad.len > 0) {
		CLEANUP(buf_done) struct buf wanted = { 0 };

		if (strchr(buf_cstr(&c->bad), '\n'))
			buf_printf(&wanted, "error with the following fields:\n-  %s\n",
			           buf_cstr(&c->bad));
		else
			buf_printf(&wanted, "%s%s", c->bare ? "" : "error with field ",
			           buf_cstr(&c->bad));
		expect(c->kind, c->line, buf_cstr(&wrong), buf_cstr(&wanted));
		if (c->at)
			expect(c->kind, c->line, v.items[0].field, c->at);
	}
	violations_done(&v);
	msg_free(m);
}

static void check_case(struct one *c)
{
	if (c->in && c->unreadable)
		check_unreadable(c);
	else if (c->in)
		check_manifest(c);
	buf_clear(&c->bad);
	*c = (struct one){ .kind = c->kind, .bad = c->bad };
}

/* If line begins with word and a space, what is behind them. */
static const char *after(const char *line, const char *word)
{
	size_t n = strlen(word);

	return strncmp(line, word, n) == 0 && line[n] == ' ' ? line + n + 1 : NULL;
}

static void check_line(struct one *c, unsigned n, char *line, bool *has_good, bool *has_bad)
{
	const char *text;

	if ((text = after(line, "in"))) {
		check_case(c);
		c->in = text;
		c->line = n;
	} else if ((text = after(line, "out"))) {
		c->out = text;
		*has_good = true;
	} else if ((text = after(line, "at"))) {
		c->at = text;
	} else if ((text = after(line, "bad"))) {
		buf_printf(&c->bad, "%s%s", c->bad.len > 0 ? "\n-  " : "", text);
		*has_bad = true;
	} else if ((text = after(line, "says"))) {
		buf_str(&c->bad, text);
		c->bare = true;
		*has_bad = true;
	} else if ((text = after(line, "unreadable"))) {
		c->unreadable = text;
	} else if ((text = after(line, "stored"))) {
		check_stored(c->kind, n, text);
		*has_good = true;
	} else if (*line != '\0' && *line != '#') {
		fail_msg("%s:%u: what is this? %s", c->kind->name, n, line);
	}
}

static void every_case_of_every_kind(void **state)
{
	(void)state;
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		CLEANUP(free_p) char *path = xasprintf("%s/%s.cases", DIR, k->name);
		CLEANUP(free_p) char *text = NULL;
		struct one c = { .kind = k };
		bool has_good = false, has_bad = false;
		unsigned n = 0;
		size_t len;

		if (file_read(path, FILE_MAX, &text, &len, NULL) < 0)
			continue; /* the tables of model_mapper_test and model_validate_test have it
			           */
		for (char *line = text, *next; line; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = '\0';
			check_line(&c, ++n, line, &has_good, &has_bad);
		}
		check_case(&c);
		assert_true(has_good);
		buf_done(&c.bad);
		(void)has_bad;
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_case_of_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
