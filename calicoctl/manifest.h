/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manifest: the resources of files, directories and standard input, in their order.
 *
 * Whatever is wrong with one of them stays with that one: an item holds either a message or an
 * error, which names the file, the document, the line, the field and the reason.
 */
#pragma once

#include <stdbool.h>

#include "calicoctl/yaml.h"
#include "common/model/kind.h"

struct manifest_source;

struct manifest_item {
	const struct kind_info *kind; /* NULL: unknown, or not to be told */
	ProtobufCMessage *msg;        /* NULL: error says why; the holder may take it */
	char *error;
	bool whole; /* as of the manifest */
	/* where it stands */
	const struct manifest_source *source;
	const struct yaml_doc *doc;
	const struct json *node;
};

struct manifest {
	bool whole; /* set before adding: a copy of stored objects, of which nothing may be lost:
	             * members without a field are no errors, and all metadata is the manifest's */
	struct manifest_item *items;
	size_t n;
	struct manifest_source **sources;
	size_t n_sources;
};

/*
 * Adds what path holds: a file, "-" for standard input, or a directory, whose files that end in
 * .yaml, .yml or .json are read in the order of their names, those of its directories too when
 * recursive. An error: path itself cannot be read.
 */
int manifest_add(struct manifest *m, const char *path, bool recursive, struct err *err);

bool manifest_is_dir(const char *path);

/* The same of text, for which name stands in errors. */
void manifest_add_text(struct manifest *m, const char *name, const char *text, size_t len);

/* "pools.yaml, document 2, line 8": of a field by its path, or of the item ("" or NULL). */
void manifest_place(const struct manifest_item *item, const char *field, struct buf *out);

unsigned manifest_line(const struct manifest_item *item, const char *field);

void manifest_done(struct manifest *m); /* a CLEANUP() function */
