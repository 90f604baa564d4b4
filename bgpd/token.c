/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-_.:/*", c));
}

static int read_string(struct tokens *t, struct token *ret, struct err *err)
{
	size_t len = 0;

	for (t->at++; t->at < t->end && *t->at != '"'; t->at++) {
		char c = *t->at;

		if (c == '\\' && t->at + 1 < t->end && (t->at[1] == '"' || t->at[1] == '\\'))
			c = *++t->at;
		else if ((unsigned char)c < ' ')
			return err_set(err, -EINVAL, "a string ends in the middle of its line");
		if (len == TOKEN_TEXT_MAX - 1)
			return err_set(err, -EINVAL, "a string is longer than %d characters",
			               TOKEN_TEXT_MAX - 1);
		ret->text[len++] = c;
	}
	if (t->at == t->end)
		return err_set(err, -EINVAL, "a string is not closed");
	t->at++;
	ret->text[len] = '\0';
	ret->kind = TOKEN_STRING;
	return 0;
}

static void skip_space(struct tokens *t)
{
	for (; t->at < t->end; t->at++) {
		if (*t->at == '\n') {
			t->line++;
		} else if (*t->at == '#') {
			while (t->at + 1 < t->end && t->at[1] != '\n')
				t->at++;
		} else if (*t->at != ' ' && *t->at != '\t' && *t->at != '\r') {
			return;
		}
	}
}

int token_next(struct tokens *t, struct token *ret, struct err *err)
{
	static const struct {
		char c;
		enum token_kind kind;
	} marks[] = { { '{', TOKEN_OPEN }, { '}', TOKEN_CLOSE }, { ';', TOKEN_SEMICOLON } };
	size_t len = 0;

	skip_space(t);
	ret->line = t->line;
	if (t->at == t->end) {
		ret->kind = TOKEN_END;
		(void)snprintf(ret->text, sizeof(ret->text), "the end of the file");
		return 0;
	}
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		if (*t->at != marks[i].c)
			continue;
		ret->kind = marks[i].kind;
		(void)snprintf(ret->text, sizeof(ret->text), "%c", *t->at++);
		return 0;
	}
	if (*t->at == '"')
		return read_string(t, ret, err);
	if (!is_word(*t->at)) {
		if (*t->at > ' ' && *t->at < 127)
			return err_set(err, -EINVAL, "'%c' has no place here outside of a string",
			               *t->at);
		return err_set(err, -EINVAL, "the byte 0x%02x has no place here",
		               (unsigned char)*t->at);
	}
	for (; t->at < t->end && is_word(*t->at); t->at++) {
		if (len == TOKEN_TEXT_MAX - 1)
			return err_set(err, -EINVAL, "a word is longer than %d characters",
			               TOKEN_TEXT_MAX - 1);
		ret->text[len++] = *t->at;
	}
	ret->text[len] = '\0';
	ret->kind = TOKEN_WORD;
	return 0;
}
