/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * template: Go templates, for `get -o go-template=...`: what operators use of them.
 *
 *     {{range .}}{{range .Items}}{{.Name}} {{.Spec.CIDR}}{{"\n"}}{{end}}{{end}}
 *
 * Fields, variables ($x := ...), pipelines, parentheses, if / else if / else, range (lists, maps,
 * numbers; with index and value; else, break, continue), with, comments, the trim markers "{{- "
 * and " -}}"; the functions and or not eq ne lt le gt ge len index slice print printf println join
 * joinAndTruncate config. define, template, block, call, html, js and urlquery are not there.
 *
 * A template sees objects as upstream's has them. A field is found by its JSON name (.spec.cidr) or
 * by the name that it has in upstream's Go types (.Spec.CIDR; .ObjectMeta and .ListMeta are the
 * metadata, whose fields can be reached from the object, too: .Name). A field that the object's
 * message has and the object has not is what Go has there: "", 0, false, [] or <nil>; one that is
 * in no message is an error, as in Go; a key that is not in a map is <no value>.
 *
 * Pure: text and trees in, text out.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/json/json.h"

struct err;
struct template;

#define TEMPLATE_TEXT_MAX (1u << 20)     /* bytes of a template */
#define TEMPLATE_DEPTH_MAX 64            /* of blocks and parentheses */
#define TEMPLATE_STEPS_MAX 20000000u     /* commands carried out */
#define TEMPLATE_OUTPUT_MAX (256u << 20) /* bytes */
#define TEMPLATE_TEXTS_MAX (64u << 20)   /* bytes of what functions make on the way */

/* One of the results that the template is carried out on: "." is the list of all of them. */
struct template_result {
	const struct json *tree;
	const ProtobufCMessageDescriptor *message; /* of the object, or of a list's items */
	bool is_list;                              /* tree has items */
};

struct template_env {
	/* config "asNumber"; the text lives as long as the env. NULL: no such setting. */
	const char *(*config)(void *arg, const char *name);
	void *arg;
};

/* name stands in errors: "template: get:1: ...". -EINVAL. */
int template_parse(const char *name, const char *text, size_t len, struct template **ret,
                   struct err *err);

/* Appends what comes out. -EINVAL with a sentence; what was appended until then stays. */
int template_run(const struct template *t, const struct template_result *results, size_t n,
                 const struct template_env *env, struct buf *out, struct err *err);

/* Whether a function may be called: its name is somewhere in the text. */
bool template_calls(const struct template *t, const char *name);
void template_free(struct template *t); /* NULL is fine */
