/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/complete.h"

#include <stdint.h>
#include <string.h>

#include "calicoctl/explain.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/kind.h"

struct state {
	const struct cli_command *commands, *command; /* NULL: not chosen yet */
	char *const *words;
	size_t n;
	const char *last;
	char **args;                    /* what is no flag, without the last word */
	size_t n_args, n_name;          /* how many of these are the command's name */
	const struct cli_flag *waiting; /* the flag whose value the last word is */
	bool rest;                      /* behind "--": no flags any more */
	const struct complete_env *env;
	struct buf *out;
};

static void candidate(const struct state *s, const char *prefix, const char *word, size_t len,
                      const char *help)
{
	CLEANUP(free_p) char *whole = xasprintf("%s%.*s", prefix, (int)len, word);

	if (strncmp(whole, s->last, strlen(s->last)) != 0)
		return;
	buf_printf(s->out, "%s%s%s\n", whole, help ? "\t" : "", help ? help : "");
}

/* Each line, or each word between blanks, of text. */
static void candidates(const struct state *s, const char *prefix, const char *text,
                       const char *between)
{
	while (*text) {
		size_t len = strcspn(text, between);

		if (len)
			candidate(s, prefix, text, len, NULL);
		text += len + (text[len] != '\0');
	}
}

/* ---- what goes before the last word */

static const struct cli_flag *flag_named(const struct cli_command *c, const char *name, size_t len,
                                         char letter)
{
	const struct cli_flag *f;

	for (size_t at = 0; (f = cli_next_flag(c, &at));)
		if (name ? strlen(f->name) == len && memcmp(f->name, name, len) == 0
		         : f->letter == letter)
			return f;
	return NULL;
}

static const struct cli_flag *find_flag(const struct state *s, const char *name, size_t len,
                                        char letter)
{
	const struct cli_flag *f = s->command ? flag_named(s->command, name, len, letter) : NULL;

	if (!f)
		f = flag_named(NULL, name, len, letter);
	for (const struct cli_command *c = s->commands; !f && !s->command && c->name; c++)
		f = flag_named(c, name, len, letter);
	return f;
}

/* The flag of a word such as "-o" or "--output", whose value is the next word; NULL: none. */
static const struct cli_flag *waits(const struct state *s, const char *word)
{
	const struct cli_flag *f;

	if (word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	if (word[1] == '-') {
		f = find_flag(s, word + 2, strlen(word + 2), 0);
		return f && f->value ? f : NULL;
	}
	for (const char *c = word + 1; *c; c++) {
		f = find_flag(s, NULL, 0, *c);
		if (f && f->value)
			return c[1] ? NULL : f;
	}
	return NULL;
}

/* Goes over the words: twice, because a flag before the command may be the command's. */
static void look(struct state *s)
{
	for (int pass = 0; pass < 2; pass++) {
		s->rest = false;
		s->n_args = 0;
		for (size_t i = 0; i + 1 < s->n; i++) {
			const char *word = s->words[i];
			bool value_too = i + 2 < s->n; /* the last word is another one */

			s->waiting = s->rest ? NULL : waits(s, word);
			if (!s->rest && strcmp(word, "--") == 0)
				s->rest = true;
			else if (s->rest || word[0] != '-' || !word[1])
				s->args[s->n_args++] = s->words[i];
			else if (s->waiting && value_too)
				i++;
			if (value_too)
				s->waiting = NULL;
		}
		s->command = cli_find(s->commands, s->args, s->n_args, &s->n_name);
	}
}

/* ---- the last word */

static void kinds(const struct state *s, const char *prefix)
{
	for (const struct kind_info *k = NULL; (k = kind_next(k));)
		if (k->aliases[0])
			candidate(s, prefix, k->plural, strlen(k->plural), NULL);
}

/* What the datastore has, given what the flags say about it. */
static void names(const struct state *s, const char *prefix, const char *kind)
{
	char **argv = xcalloc(s->n + 1, sizeof(*argv));
	CLEANUP(buf_done) struct buf found = { 0 };
	const struct cli_command *command;
	struct options o;
	struct err err;
	bool help;

	argv[0] = (char *)"calicoctl";
	memcpy(argv + 1, s->words, (s->n - 1) * sizeof(*argv));
	/* the command line is not complete, and so it may be wrong; what was read of it counts */
	(void)cli_parse(s->commands, (int)s->n, argv, &o, &command, &help, &err);
	if (s->env && s->env->names)
		s->env->names(s->env->arg, &o, kind, &found);
	candidates(s, prefix, buf_cstr(&found), "\n");
	cli_done(&o);
	free(argv);
}

static void outputs(const struct state *s, const char *prefix)
{
	candidates(s, prefix,
	           "ps wide yaml json name custom-columns= go-template= go-template-file=", " ");
	if (s->out->len > 1 && s->out->data[s->out->len - 2] == '=')
		buf_str(s->out, ":nospace\n");
}

static void fields(const struct state *s, const char *prefix)
{
	CLEANUP(buf_done) struct buf found = { 0 };

	if (!strchr(s->last, '.')) {
		kinds(s, prefix);
	} else {
		explain_fields(s->last, &found);
		candidates(s, prefix, buf_cstr(&found), "\n");
	}
	buf_str(s->out, ":nospace\n");
}

static bool is_word(const char *words, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(words, word, len) == 0;
}

/* By a flag's or a command's "words"; len bytes of them. */
static void by_words(const struct state *s, const char *prefix, const char *words, size_t len)
{
	if (is_word(words, len, "@file"))
		buf_str(s->out, ":file\n");
	else if (is_word(words, len, "@dir"))
		buf_str(s->out, ":dir\n");
	else if (is_word(words, len, "@kind"))
		kinds(s, prefix);
	else if (is_word(words, len, "@field"))
		fields(s, prefix);
	else if (is_word(words, len, "@name") && s->n_args > s->n_name)
		names(s, prefix, s->args[s->n_name]);
	else if (is_word(words, len, "@namespace"))
		names(s, prefix, NULL);
	else if (is_word(words, len, "@output"))
		outputs(s, prefix);
	else if (*words != '@') {
		CLEANUP(free_p) char *copy = xstrndup(words, len);

		candidates(s, prefix, copy, " ");
	}
}

static void flags(const struct state *s, const struct cli_command *c)
{
	const struct cli_flag *f;

	for (size_t at = 0; (f = cli_next_flag(c, &at));)
		if (f->help)
			candidate(s, "--", f->name, strlen(f->name), f->help);
}

static void commands_of(const struct state *s)
{
	for (const struct cli_command *c = s->commands; c->name; c++) {
		const char *blank = strrchr(c->name, ' '), *word = blank ? blank + 1 : c->name;

		if (c->summary && cli_in_group(c, s->command))
			candidate(s, "", word, strlen(word), c->summary);
	}
}

/* The words of the argument that the last word is. */
static void argument(const struct state *s)
{
	const char *words = s->command->words;

	if (!words)
		return;
	for (size_t i = s->n_name; i < s->n_args && strchr(words, '|'); i++)
		words = strchr(words, '|') + 1;
	by_words(s, "", words, strcspn(words, "|"));
}

void complete(const struct cli_command *commands, char *const *words, size_t n,
              const struct complete_env *env, struct buf *out)
{
	struct state s = { .commands = commands, .words = words, .n = n, .env = env, .out = out };
	const char *is;

	if (n == 0)
		return;
	s.last = words[n - 1];
	s.args = xcalloc(n, sizeof(*s.args));
	look(&s);
	is = !s.rest && strncmp(s.last, "--", 2) == 0 ? strchr(s.last, '=') : NULL;
	if (s.waiting) {
		by_words(&s, "", s.waiting->words ? s.waiting->words : "@none",
		         strlen(s.waiting->words ? s.waiting->words : "@none"));
	} else if (is) {
		const struct cli_flag *f = find_flag(&s, s.last + 2, (size_t)(is - s.last - 2), 0);
		CLEANUP(free_p) char *prefix = xstrndup(s.last, (size_t)(is + 1 - s.last));

		if (f && f->words)
			by_words(&s, prefix, f->words, strlen(f->words));
	} else if (s.last[0] == '-' && !s.rest) {
		if (s.command)
			flags(&s, s.command);
		flags(&s, NULL);
	} else if (s.command && s.command->run) {
		argument(&s);
	} else if (s.n_args == s.n_name) {
		commands_of(&s);
	}
	free(s.args);
}
