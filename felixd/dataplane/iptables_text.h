/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iptables_text: a rule in iptables' own words, as upstream writes them, and the hash that is made
 * of them.
 *
 * The hash of a rule covers the chain's name, every rule before it, its comments, matches and
 * action. It stands in the kernel as the rule's first comment: whoever reads the table back knows
 * by comparing two short strings whether a rule is what it should be.
 */
#pragma once

#include "common/base/buf.h"
#include "felixd/dataplane/chain.h"

#define RULE_COMMENT_PREFIX "cali:"
#define RULE_COMMENT_MAX 256

/* Appends "-A name HASH [comments] [match] [action]". */
void iptables_text_rule(struct buf *out, const char *name, const struct rule *r);

/* Fills in every rule's id. name: the chain's, or "<kernel chain>*appends*" for rules appended to a
 * kernel chain. */
void iptables_text_hash(struct chain *c, const char *name);

/* A comment as it goes to the kernel: odd characters replaced, cut. Returns its length; out holds
 * RULE_COMMENT_MAX + 1. */
size_t iptables_text_comment(char *out, const char *comment);
