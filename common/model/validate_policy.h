/* SPDX-License-Identifier: BSD-2-Clause */
/* validate_policy: what the rules of policies and of staged policies share. */
#pragma once

#include "common/model/scalar.h"
#include "common/model/validate_rule.h"
#include "proto/v3_policy.pb-c.h"

#define GLOBAL_MISPLACED "global() can only be used in an EntityRule namespaceSelector"

/* The fields of a policy's spec that all four kinds have, under one roof. Borrowed. */
struct policy_view {
	const char *spec; /* upstream's name for its type */
	bool global;      /* of a policy without namespace */
	size_t n_ingress, n_egress, n_types;
	V3__Rule *const *ingress, *const *egress;
	char *const *types;
	const char *selector, *service_account_selector, *namespace_selector;
	bool do_not_track, pre_dnat, apply_on_forward;
};

/* The view of a spec. The staged kinds' messages are types of their own with the same fields, and
 * upstream names both alike. */
#define VIEW_COMMON(s)                                                                             \
	.n_ingress = (s)->n_ingress, .n_egress = (s)->n_egress, .ingress = (s)->ingress,           \
	.egress = (s)->egress, .n_types = (s)->n_types, .types = (s)->types,                       \
	.selector = (s)->selector, .service_account_selector = (s)->serviceaccountselector
#define POLICY_VIEW(s) ((struct policy_view){ VIEW_COMMON(s), .spec = "NetworkPolicySpec" })
#define GLOBAL_POLICY_VIEW(s)                                                                      \
	((struct policy_view){ VIEW_COMMON(s), .spec = "GlobalNetworkPolicySpec", .global = true,  \
	                       .namespace_selector = (s)->namespaceselector,                       \
	                       .do_not_track = (s)->donottrack, .pre_dnat = (s)->prednat,          \
	                       .apply_on_forward = (s)->applyonforward })

/* "{[GET] [{/a }]}", as Go prints it. */
void http_str(const V3__HttpMatch *http, struct buf *out);

/* PHASE_GO of the whole policy, p is its spec; PHASE_CEL of the spec. */
void check_policy(const struct policy_view *s, const struct path *p, struct violations *v);
void cel_selectors(const struct policy_view *s, const struct path *p, struct violations *v);
void cel_global_policy(const struct policy_view *s, const struct path *p, struct violations *v);

/* Rows for the fields of such a spec. */
/* clang-format off */
#define POLICY_FIELDS \
	{ "tier", .tag = &tag_name }, \
	{ "ingress", .items = 1024 }, \
	{ "egress", .items = 1024 }, \
	{ "selector", .tag = &tag_selector, .max = 1024 }, \
	{ "types", .items = 2, WORDS("Ingress", "Egress") }, \
	{ "serviceAccountSelector", .tag = &tag_selector, .max = 1024 }, \
	{ "performanceHints", .list_tag = &list_tag_unique, .flags = FIELD_ONEOF, WORDS("AssumeNeededOnEveryNode") }
#define GLOBAL_POLICY_FIELDS \
	{ "namespaceSelector", .tag = &tag_selector, .max = 1024 }
#define STAGED_FIELDS \
	{ "stagedAction", WORDS("Set", "Delete", "Learn", "Ignore") }
/* clang-format on */
