/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compose: one selector out of the several that a policy or a rule has, as upstream puts their text
 * together.
 *
 * Namespaces and service accounts are matched through labels: those that an object has of its own
 * (projectcalico.org/namespace, projectcalico.org/serviceaccount) and those that its profiles give
 * it (pcns. and pcsa. before the namespace's or account's own label names). The text matters byte
 * for byte, because IP sets are named after a hash of its canonical form.
 *
 * Each part is parsed by itself first, so that no part can reach over into its neighbour.
 */
#pragma once

#include "proto/v3_policy.pb-c.h"

struct err;
struct selector;

/* What a NetworkPolicy of namespace ns applies to. *ret_text, the caller's: the text before it was
 * parsed, as upstream carries it. */
int compose_network_policy(const char *ns, const V3__NetworkPolicySpec *spec, struct selector **ret,
                           char **ret_text, struct err *err);

/* What a GlobalNetworkPolicy applies to. */
int compose_global_policy(const V3__GlobalNetworkPolicySpec *spec, struct selector **ret,
                          char **ret_text, struct err *err);

/*
 * One side of a rule of a policy in ns ("" when it has none): whom it wants and whom not. Both
 * NULL: it does not care. A wanted and an unwanted selector become one wanted one, so only one of
 * the results is ever set.
 */
int compose_entity(const char *ns, const V3__EntityRule *e, struct selector **ret_want,
                   struct selector **ret_not, struct err *err);
