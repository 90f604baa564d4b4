/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * yaml: manifests, from text to JSON trees.
 *
 * A stream is cut at its document markers first, and each document is parsed on its own, so that a
 * document with an error costs only itself. A document that begins with '{' or '[' is read as JSON;
 * what is not JSON is read as YAML.
 *
 * Scalars are resolved as YAML 1.1 has it, because manifests in the field are written for that:
 * plain true, yes, on ... are booleans, plain ~ and null are null, numbers may be octal or
 * hexadecimal; everything quoted is a string. Numbers and booleans keep their spelling in
 * json.text, because only the reader of a field knows whether 1.10 is a number or the text of a
 * label: see typed.h.
 *
 * Pure: bytes in, trees out.
 */
#pragma once

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/json/json.h"

#define YAML_TEXT_MAX (16u << 20) /* bytes of a stream */
#define YAML_NODES_MAX 500000u    /* values in a document */
#define YAML_ALIAS_MAX 50000u     /* values in a document that came from aliases */
#define YAML_KEYS_MAX 4096u       /* members of a mapping */
#define YAML_DOCS_MAX 100000u

/* Where a value stands in the stream. */
struct yaml_place {
	const struct json *node;
	unsigned line; /* 1-based */
};

struct yaml_doc {
	unsigned number;           /* 1-based; documents without content do not count */
	unsigned line;             /* 1-based, where its content begins */
	struct json *tree;         /* NULL: err says why */
	struct err err;            /* the text does not name the document, but the line */
	struct yaml_place *places; /* sorted by node */
	size_t n_places;
};

struct yaml_docs {
	struct yaml_doc *items;
	size_t n;
};

/* Never fails as a whole, but for a stream above YAML_TEXT_MAX: that is one document with an error.
 */
void yaml_parse(const char *text, size_t len, struct yaml_docs *ret);
void yaml_docs_done(struct yaml_docs *docs); /* a CLEANUP() function */

/*
 * The line of the value that a path such as "spec.ingress[2].source" leads to, or of the deepest
 * value on the way that has one; the document's own line when there is none.
 */
unsigned yaml_line_of(const struct yaml_doc *doc, const struct json *from, const char *path);

enum yaml_scalar {
	YAML_STR,
	YAML_NULL,
	YAML_TRUE,
	YAML_FALSE,
	YAML_NUMBER
};

/* What a plain scalar means. For a number, ret_number (may be NULL) is given its JSON spelling. */
enum yaml_scalar yaml_resolve(const char *s, size_t len, struct buf *ret_number);
