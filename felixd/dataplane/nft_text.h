/* SPDX-License-Identifier: BSD-2-Clause */
/* nft_text: a rule in nft's words, as upstream's Felix writes it, and the hash over it. Pure. */
#pragma once

#include <stddef.h>

#include "common/base/buf.h"
#include "felixd/dataplane/chain.h"
#include "felixd/dataplane/names.h"

#define NFT_NAME_MAX 64     /* with the NUL: a layer's name, '-', a chain's or hook's name */
#define NFT_COMMENT_MAX 128 /* with the NUL */

/* "filter-cali-FORWARD". A name that begins so already stays. */
void nft_name(char out[NFT_NAME_MAX], enum table_id layer, const char *name);
void nft_set_name(char out[SET_NAME_MAX], const char *name); /* nft knows no ':' in names */

void nft_text_rule(struct buf *out, enum table_id layer, int family, const struct rule *r);
void nft_text_hash(struct chain *c, enum table_id layer, int family, const char *seed);
/* "cali:<hash>; ..." */
void nft_text_comment(char out[NFT_COMMENT_MAX], const struct rule *r);
/* The hash in a comment of n bytes; "" if it is none of ours. */
void nft_text_id(const char *comment, size_t n, char id[RULE_ID_MAX]);
