/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names: what chains and IP sets are called in the kernel, exactly as upstream calls them, so that
 * either can take over from the other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "felixd/calc/output.h"
#include "felixd/dataplane/chain.h"

#define SET_NAME_MAX 32 /* with the NUL: IPSET_MAXNAMELEN */

/*
 * prefix + suffix, or, where that is longer than max (or just max with a suffix that could be taken
 * for a hash), prefix + '_' + as much of the suffix's SHA-256 in base64url as fits. out holds max +
 * 1 bytes.
 */
void name_limited(char *out, size_t max, const char *prefix, const char *suffix);

void name_chain(char out[CHAIN_NAME_MAX], const char *prefix, const char *suffix);
void name_policy_chain(char out[CHAIN_NAME_MAX], bool ingress, const struct calc_policy_id *id);
void name_profile_chain(char out[CHAIN_NAME_MAX], bool ingress, const char *profile);
void name_endpoint_chain(char out[CHAIN_NAME_MAX], bool to, const char *interface);
/* Of consecutive policies of one tier with the same selector. */
void name_group_chain(char out[CHAIN_NAME_MAX], bool ingress, const char *selector,
                      const struct calc_policy_id *ids, size_t n);

/* "np/ns/name", "gnp/name" ...: the newly allocated ID string of a policy, the caller's. */
char *name_policy_id(const struct calc_policy_id *id);
const char *name_kind_short(const char *kind); /* "np"; the kind itself when it is not known */

void name_set(char out[SET_NAME_MAX], int family, const char *id);

bool name_chain_is_ours(const char *chain); /* by upstream's historic prefixes */
bool name_set_is_ours(int family, const char *set);
