/* SPDX-License-Identifier: BSD-2-Clause */
/* token: the words of bgpd.conf. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

#define TOKEN_TEXT_MAX 256

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_SEMICOLON
};

struct token {
	enum token_kind kind;
	char text[TOKEN_TEXT_MAX]; /* of a word or string; else what to call it in a message */
	unsigned line;
};

struct tokens {
	const char *at, *end;
	unsigned line; /* of at, 1-based */
};

/* -EINVAL: neither word nor punctuation; the sentence has no line in it, ret->line does. */
int token_next(struct tokens *t, struct token *ret, struct err *err);
