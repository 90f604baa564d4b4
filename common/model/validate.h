/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * validate: is this v3 object allowed, and what is filled in where it is silent. One table of
 * rules, by message and field, and a few checks that see several fields.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/model/kind.h"

/* One thing that is wrong. */
struct violation {
	char *field;  /* JSON path: "spec.cidr" */
	char *name;   /* as upstream tells it: the path, or its name for it: "Source.Ports" */
	char *value;  /* as given; NULL when there is none */
	char *reason; /* one sentence, no full stop */
};

struct violations {
	struct violation *items;
	size_t n;
	const char *kind; /* whose they are: the name of what is wrong with the whole object */
};

/* Fills defaults as upstream's client does on a write (types of a policy, tier and its label,
 * pool's modes and block size, canonical CIDR ...). */
void model_default(model_kind kind, ProtobufCMessage *msg);

/* All that is wrong with the object, after model_default(). Returns how many. The list is freed
 * with violations_done(). */
size_t model_validate(model_kind kind, const ProtobufCMessage *msg, struct violations *ret);
void violations_done(struct violations *v);

/* "error with field Source.Ports = '[80]' (rules that ...)", or "error with the following
 * fields:\n-  ...\n" as upstream words it. */
void violation_str(const struct violation *v, struct buf *out); /* one, without words around it */
void violations_str(const struct violations *v, struct buf *out);
