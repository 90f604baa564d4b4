/* SPDX-License-Identifier: BSD-2-Clause */
/* nft_encode: a rule as the expressions of nf_tables. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "felixd/dataplane/chain.h"
#include "felixd/dataplane/render.h"

struct err;

#define NFT_TABLE "calico"

struct nft_encoder {
	int family;
	enum table_id layer;
	struct buf *batch; /* sets without a name, which a rule needs, go before it */
	uint32_t set_id;   /* of the last one in this batch */
	/* Is a set of this name (as nft has it) in the kernel? NULL: all are. */
	bool (*has_set)(void *arg, const char *name);
	void *arg;
};

/* Appends the expressions to out. -ENOENT: a set is missing; -EINVAL: nothing can say this. */
int nft_encode(struct nft_encoder *e, const struct rule *r, struct buf *out, struct err *err);
