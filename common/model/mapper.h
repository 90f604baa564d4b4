/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapper: between JSON and messages, for every message there is, driven by descriptors and one
 * small table of exceptions (scalars that are messages: Port, Protocol, AsNumber; fields that
 * upstream always writes, or writes as null).
 *
 * Absent, null and zero are the same for what upstream's structs hold by value (a boolean that is
 * not a pointer, a string, a list), as they are for its decoder: they are read as absent and not
 * written. What it always writes (metadata, spec, a rule's source, a block's fields ...) is there
 * after reading. read(write(x)) is x, therefore, for every x that was read.
 *
 * Errors name the field by its JSON path: "spec.ingress[2].source.ports[0]: '70000' is not a port
 * (1 to 65535)".
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/json/json.h"

struct err;

enum mapper_unknown {
	MAPPER_KEEP,   /* unknown members are kept and written back: for the datastore */
	MAPPER_REFUSE, /* unknown members are an error: for manifests, where they are typing errors
	                */
};

/* JSON to a message. The result is freed with msg_free(). */
int mapper_read(const ProtobufCMessageDescriptor *d, const struct json *j,
                enum mapper_unknown unknown, ProtobufCMessage **ret, struct err *err);

/* A message to JSON; never fails: what upstream's encoder would write for the same object. The
 * result is the caller's. */
struct json *mapper_write(const ProtobufCMessage *m);

/* Text in and out, for those who need no tree between. */
int mapper_read_text(const ProtobufCMessageDescriptor *d, const char *text, size_t len,
                     enum mapper_unknown unknown, ProtobufCMessage **ret, struct err *err);
void mapper_write_text(const ProtobufCMessage *m, unsigned indent, struct buf *out);

/* Whether upstream's struct holds the field by a pointer to a scalar: absent is not zero then. */
bool mapper_is_pointer(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f);
