/* SPDX-License-Identifier: BSD-2-Clause */
/* nft_msg: nf_tables' netlink messages, bytes to structs and back. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "felixd/dataplane/chain.h"
#include "felixd/dataplane/ipset_msg.h"
#include "felixd/dataplane/nft_text.h"

struct nlmsghdr;

uint16_t nft_msg_type(uint8_t msg);

/* ---- a batch: whole messages, one behind the other, for nl_transact() */

size_t nft_msg_begin(struct buf *out, int family, uint8_t msg, uint16_t flags); /* a position */
void nft_msg_end(struct buf *out, size_t at);

/* generation: the one the batch was made for; 0: any */
void nft_batch_begin(struct buf *out, uint32_t generation);
void nft_batch_end(struct buf *out);

void nft_put_table(struct buf *out, int family, bool ack);
void nft_put_table_dormant(struct buf *out, int family); /* no packet comes to it any more */
void nft_put_table_delete(struct buf *out, int family);

struct nft_base {
	const char *type; /* "filter", "nat", "route" */
	uint32_t hook;    /* NF_INET_... */
	int32_t priority;
};
/* base NULL: a chain that is jumped to. Idempotent. */
void nft_put_chain(struct buf *out, int family, const char *name, const struct nft_base *base);
void nft_put_chain_flush(struct buf *out, int family, const char *name);
void nft_put_chain_delete(struct buf *out, int family, const char *name);
void nft_put_rule(struct buf *out, int family, const char *chain, const struct buf *expressions,
                  const char *comment);

/* ---- sets */

enum nft_set_kind {
	NFT_SET_OF_NETS,     /* intervals of addresses */
	NFT_SET_OF_IPS,      /* addresses */
	NFT_SET_OF_IP_PORTS, /* address, protocol, port */
	NFT_SET_OF_PORTS,    /* intervals of ports, without a name */
	NFT_SET_VERDICTS,    /* interface to chain */
	NFT_SET_STRANGE
};
/* id: what rules of this batch call a set without a name; else 0. */
void nft_put_set(struct buf *out, int family, const char *name, enum nft_set_kind kind,
                 uint32_t id);
void nft_put_set_delete(struct buf *out, int family, const char *name);

/* Elements of one set, in as many messages as they need. */
struct nft_elements {
	struct buf *out;
	int family;
	const char *set;
	uint32_t id;
	bool remove;
	size_t msg, nest;
	bool open;
};
void nft_elements_begin(struct nft_elements *e, struct buf *out, int family, const char *set,
                        uint32_t id, bool remove);
void nft_element_member(struct nft_elements *e, enum nft_set_kind kind,
                        const struct calc_member *m);
void nft_element_ports(struct nft_elements *e, const struct calc_port_range *r);
void nft_element_verdict(struct nft_elements *e, const char *iface, const char *chain);
void nft_elements_end(struct nft_elements *e);

/* ---- what the kernel says */

struct nft_reply {
	uint8_t msg;              /* NFT_MSG_... */
	int family;               /* AF_INET, AF_INET6; 0: another */
	char table[NFT_NAME_MAX]; /* "" if too long */
	bool ours;                /* it is our table */
	char name[NFT_NAME_MAX];  /* of the chain, a rule's chain, or the set; "" if too long */
	bool base;
	char id[RULE_ID_MAX]; /* a rule's */
	struct cursor expressions;
	enum nft_set_kind kind;
	bool anonymous;
	struct cursor elements; /* of a set */
	uint32_t generation;
};
/* -EBADMSG */
int nft_msg_parse(uint16_t nlmsg_type, struct cursor payload, struct nft_reply *ret);

/* What a rule has counted. false: it does not count. */
bool nft_rule_counter(struct cursor expressions, uint64_t *ret_packets, uint64_t *ret_bytes);

struct nft_element {
	uint8_t key[16];
	size_t key_len;
	bool interval_end;
	char chain[NFT_NAME_MAX]; /* of a verdict map: goto this; "" else */
};
bool nft_next_element(struct cursor *c, struct nft_element *ret); /* false: no more */

/* Requests for dumps: payloads. */
void nft_ask(struct buf *out, int family);       /* all of the family */
void nft_ask_table(struct buf *out, int family); /* of our table */
void nft_ask_elements(struct buf *out, int family, const char *set);
