/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stream recorded from typhad, a line per event, replayed: what calc says to each event, and that
 * the end does not depend on how events fall into flushes.
 *
 *     felixd_calc_replay_test            compares with test/unit/felixd_calc_replay.expected
 *     felixd_calc_replay_test --write    writes that file anew, to be read before it is believed
 */
#include "test/unit/felixd_calc_toy.h"

#include "common/base/file.h"

#define STREAM "test/unit/felixd_calc_replay.stream"
#define EXPECTED "test/unit/felixd_calc_replay.expected"
#define FILE_MAX (1u << 20)

static bool write_expected;

static char *slurp(const char *path)
{
	struct err err = { 0 };
	char *text = NULL;
	size_t len;

	if (file_read(path, FILE_MAX, &text, &len, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

/* put KIND NS NAME REVISION JSON | remove KIND NS NAME | in-sync */
static void event(struct calc *c, char *line)
{
	char *save, *verb = strtok_r(line, " ", &save);

	if (strcmp(verb, "in-sync") == 0) {
		calc_in_sync(c);
		return;
	}
	const struct kind_info *kind = kind_by_name(strtok_r(NULL, " ", &save));
	const char *ns = strtok_r(NULL, " ", &save), *name = strtok_r(NULL, " ", &save);

	assert_non_null(kind);
	ns = strcmp(ns, "-") == 0 ? NULL : ns;
	if (strcmp(verb, "remove") == 0) {
		calc_remove(c, kind->kind, ns, name);
		return;
	}
	uint64_t revision = strtoull(strtok_r(NULL, " ", &save), NULL, 10);
	struct resource *r =
	        toy_resource(kind->kind, ns, name, revision, strtok_r(NULL, "", &save));

	assert_int_equal(calc_update(c, r, NULL), 0);
	resource_free(r);
}

/* Flushes after each so many events. The state at the end, the caller's; transcript, where given,
 * gets what was said. */
static char *replay(unsigned every, struct buf *transcript)
{
	struct toy t = { 0 };
	struct calc *c = calc_new("node1", &toy_ops, &t);
	char *stream = slurp(STREAM), *save, *text;
	unsigned n = 0;

	for (char *line = strtok_r(stream, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *json = strchr(line, '{');

		if (transcript)
			buf_printf(transcript, "%.*s\n",
			           json ? (int)(json - line - 1) : (int)strlen(line), line);
		event(c, line);
		if (++n % every)
			continue;
		buf_clear(&t.log);
		calc_flush(c);
		if (transcript && t.log.len)
			buf_printf(transcript, "\t%s\n", buf_cstr(&t.log));
	}
	calc_flush(c);
	text = toy_text(&t);
	if (transcript)
		buf_printf(transcript, "\n%s", text);
	calc_free(c);
	toy_done(&t);
	free(stream);
	return text;
}

static void what_is_said_is_what_was_expected(void **state)
{
	struct buf transcript = { 0 };
	char *expected;

	(void)state;
	free(replay(1, &transcript));
	if (write_expected) {
		assert_int_equal(
		        file_replace(EXPECTED, transcript.data, transcript.len, 0644, NULL), 0);
	}
	expected = slurp(EXPECTED);
	assert_string_equal(buf_cstr(&transcript), expected);
	free(expected);
	buf_done(&transcript);
}

static void the_end_does_not_depend_on_batches(void **state)
{
	char *one_by_one = replay(1, NULL);

	(void)state;
	for (unsigned every = 2; every < 40; every++) {
		char *text = replay(every, NULL);

		assert_string_equal(text, one_by_one);
		free(text);
	}
	free(one_by_one);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_what_was_expected),
		cmocka_unit_test(the_end_does_not_depend_on_batches),
	};

	write_expected = argc > 1 && strcmp(argv[1], "--write") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
