/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * typed: settles what plain YAML scalars mean, now that it is known which field they were written
 * for.
 *
 * A label written as "version: 1.10" is a text, "blockSize: 0x1a" a number, and "on" either. The
 * tree comes from yaml.h, where numbers and booleans keep their spelling; behind typed_settle() it
 * is plain JSON again.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "common/json/json.h"

/* Changes j in place. d: the message that j is meant to become, or NULL when no field is known. */
void typed_settle(const ProtobufCMessageDescriptor *d, struct json *j);
