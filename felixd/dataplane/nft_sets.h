/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nft_sets: the sets of our table in nf_tables. The verbs are ipset.h's.
 *
 * A set of networks is one of intervals, and the kernel refuses one that lies in another: of wanted
 * networks only those are in the kernel that no other wanted one covers; they come back when the
 * cover goes.
 */
#pragma once

#include "felixd/dataplane/backend.h"
#include "felixd/dataplane/nft_link.h"

struct nft_sets;

extern const struct setstore_ops nft_sets_ops;

struct nft_sets *nft_sets_new(struct nft_link *link);              /* borrowed */
bool nft_sets_has(const struct nft_sets *s, const char *nft_name); /* in the kernel */
/* For making the table anew: appends all wanted sets, with all members. */
void nft_sets_put_all(struct nft_sets *s, struct buf *out);
void nft_sets_all_there(struct nft_sets *s); /* and the kernel has taken them */
