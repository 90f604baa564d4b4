/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * select: the selector of -l: Calico's language, or the short form that Kubernetes' tools take:
 *
 *     a=b,c==d,e!=f,g,!h,i in (x,y),j notin (z)
 *
 * Pure.
 */
#pragma once

#include "common/json/json.h"
#include "common/model/selector.h"

/* -EINVAL. *ret holds one reference. */
int select_parse(const char *text, struct selector **ret, struct err *err);

/* Whether an object's labels match. */
bool select_matches(const struct selector *s, const struct json *object);
