/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapper_rule: where the JSON of a message is not what its descriptor says. Inside the mapper only.
 *
 * The rest follows from the descriptor, as Go's encoder does with "omitempty": numbers, booleans
 * and strings are left out when zero, lists and maps when empty, messages (pointers there) when
 * absent. What is left out and what is zero are then the same object, and are read as the same.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/json/json.h"

struct err;

enum mapper_flag {
	MAPPER_ALWAYS = 1,  /* written though zero or empty; read as zero or empty when absent */
	MAPPER_POINTER = 2, /* absent and zero are different: zero is written */
	MAPPER_PLAIN = 4,   /* a message that is one JSON value and is left out when zero */
	MAPPER_NULL = 8,    /* with ALWAYS: absent or empty is written as null */
	MAPPER_NULL_NEGATIVE = 16, /* a list: -1 is written as null */
	MAPPER_NOT_EMPTY = 64,     /* with ALWAYS: a message that is there after reading, but not
	                              written when nothing is in it */
	MAPPER_TEXT_BOOL = 128,    /* a boolean that is stored as "true" or "false" */
	MAPPER_KIND = 32, /* the kind of the object, or its API version: written though absent */
};

unsigned mapper_flags(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f);

/* Whether a value that is zero is there all the same; if not, mapper_is_zero() decides. */
bool mapper_keeps_zero(const ProtobufCFieldDescriptor *f, unsigned flags);
bool mapper_is_zero(const ProtobufCFieldDescriptor *f, const void *value);
size_t mapper_value_size(ProtobufCType t);

/* A member that upstream knows and we do not need to: kept even where unknown members are refused.
 */
bool mapper_is_opaque(const ProtobufCMessageDescriptor *d, const char *member);

/* A message that is one JSON value. */
struct mapper_scalar {
	const ProtobufCMessageDescriptor *message;
	int (*read)(const struct json *j, ProtobufCMessage *m, struct err *err);
	struct json *(*write)(const ProtobufCMessage *m);
	bool (*zero)(const ProtobufCMessage *m);
};
const struct mapper_scalar *
mapper_scalar(const ProtobufCMessageDescriptor *d); /* NULL: d is an object like others */
