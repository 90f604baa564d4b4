/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nft_link: the one connection by which our table in nf_tables is read and written.
 *
 * A batch carries the generation of the ruleset that it was made for: if somebody else has changed
 * anything meanwhile, the kernel refuses it. Whether that was our table the events tell
 * (nft_link_event()), which carry their originator.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/nl/nl.h"

struct err;
struct nl_watch;

struct nft_link {
	struct nl_conn *conn;
	int family;
	uint32_t port;
	bool foreign; /* somebody else has changed our table since this was last cleared */
	bool rebuild; /* nothing else has helped: the table is to be made anew, in one batch */
	struct nl_watch *watch; /* borrowed; NULL: nobody tells */
	uint64_t batches;
};

int nft_link_open(int family, struct nft_link **ret, struct err *err);
void nft_link_close(struct nft_link *l); /* NULL is fine */

/* true: somebody else has changed our table. */
bool nft_link_event(struct nft_link *l, const struct nlmsghdr *h);

/*
 * Sends what is between a batch's begin and end; the table is made if it is not there. -EAGAIN:
 * somebody has changed our table meanwhile, read it again. *messages is used up.
 */
int nft_link_commit(struct nft_link *l, const struct buf *messages, struct err *err);
int nft_link_generation(struct nft_link *l, uint32_t *ret, struct err *err);

/* Takes our table away, if there is one. *ret_was: there was. */
int nft_link_remove_table(struct nft_link *l, bool *ret_was, struct err *err);
/* Does the host's kube-proxy use nftables? */
int nft_link_kube_proxy(struct nft_link *l, bool *ret, struct err *err);
