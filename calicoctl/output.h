/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output: JSON trees as YAML, in the style of Kubernetes' tools: keys in order, two blanks a level,
 * lists not indented, texts quoted where they would read back as something else.
 */
#pragma once

#include "common/base/buf.h"
#include "common/json/json.h"

struct err;

/* Appends one document. -ENOMEM, or -EINVAL when a text is not UTF-8. */
int output_yaml(const struct json *j, struct buf *out, struct err *err);

/* The order of keys: letters come behind everything else, and numbers within a key count by their
 * value (rule2 before rule10). */
int output_key_cmp(const char *a, const char *b);
