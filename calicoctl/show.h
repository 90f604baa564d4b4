/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * show: objects in the format that -o asks for.
 *
 * What was asked for are results: single objects, or lists. A list is shown as one object of kind
 * <Kind>List, several results as an array of them; each has a table of its own.
 */
#pragma once

#include "calicoctl/calicoctl.h"
#include "calicoctl/table.h"
#include "calicoctl/template.h"
#include "common/model/resource.h"

enum show_format {
	SHOW_TABLE,
	SHOW_YAML,
	SHOW_JSON,
	SHOW_NAME,
	SHOW_TEMPLATE,
};

/* One object, or the objects of a list, as JSON. */
struct answer {
	const struct kind_info *kind;
	bool is_list;
	uint64_t revision; /* of a list */
	struct json **objects;
	size_t n;
};

struct answers {
	struct answer *items;
	size_t n;
	char **errors;
	size_t n_errors;
};

struct show {
	enum show_format format;
	struct table_style style;  /* node_asn: of nodes, and of a template's config */
	struct template *template; /* NULL: another format */
};

/* -o and --color. -EINVAL with a sentence: no such format, or no such template. */
int show_parse(const struct options *o, struct show *ret, struct err *err);
void show_done(struct show *s);

/* Whether style.node_asn is needed for these. */
bool show_needs_asn(const struct show *s, const struct answers *a);

/* Appends all of it. */
int show_write(const struct show *s, const struct answers *a, struct buf *out, struct err *err);

/* Whether to colour what goes to standard output: --color, NO_COLOR and whether it is a terminal.
 */
int show_color(const struct options *o, bool *ret, struct err *err);

struct answer *answers_add(struct answers *a, const struct kind_info *kind);
void answer_add(struct answer *a, struct json *object);  /* taken */
void answers_error(struct answers *a, const char *text); /* copied */
void answers_done(struct answers *a);
