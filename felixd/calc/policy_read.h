/* SPDX-License-Identifier: BSD-2-Clause */
/* policy_read: v3 policies of every kind, staged ones too, read into what calc works with. */
#pragma once

#include "common/model/resource.h"
#include "felixd/calc/output.h"
#include "felixd/calc/rules.h"

struct err;

struct policy_read {
	const char *tier; /* borrowed from the message */
	double order;     /* infinite when it has none */
	bool ingress, egress;
	enum calc_policy_class class;
	bool forward, staged, everywhere;
	struct selector *sel; /* these three are the caller's */
	char *sel_text;
	struct rules rules;
};

/* 1: read; 0: counts as absent (staged with the action Delete); -EINVAL: makes no sense, *err says
 * why. *ret holds nothing unless 1. */
int policy_read(const struct resource *r, struct policy_read *ret, struct err *err);

/* "NetworkPolicy": of the kinds that policies have. */
const char *policy_kind_name(model_kind kind);
double policy_order(bool has, double order);
