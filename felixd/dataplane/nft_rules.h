/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nft_rules: the chains of our table in nf_tables. The verbs are iptables.h's.
 *
 * The four tables of iptables are layers of one table here: a chain's name begins with its layer's.
 * The table is ours as a whole: what is in it and not wanted goes. What an apply changes, it
 * changes in one batch; a chain that differs is written anew. What does not differ costs nothing,
 * however many rules there are.
 */
#pragma once

#include "felixd/dataplane/backend.h"
#include "felixd/dataplane/nft_sets.h"

struct nft_rules;

extern const struct ruleset_ops nft_rules_ops;

struct nft_rules *nft_rules_new(struct nft_link *link, struct nft_sets *sets); /* borrowed */
