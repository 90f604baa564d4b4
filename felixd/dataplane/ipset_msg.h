/* SPDX-License-Identifier: BSD-2-Clause */
/* ipset_msg: the kernel's ipset protocol, bytes to structs and back. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "felixd/calc/output.h"
#include "felixd/dataplane/names.h"

enum ipset_type {
	IPSET_NET,
	IPSET_IP_PORT,
	IPSET_IP,
	IPSET_OTHER
};

/* Netlink message types, for nl_raw(). */
uint16_t ipset_msg_type(uint8_t cmd);

/* Each appends a whole payload. proto: the protocol's version that both sides speak. */
void ipset_msg_protocol(struct buf *out);
void ipset_msg_create(struct buf *out, uint8_t proto, int family, const char *name,
                      enum ipset_type type, uint32_t maxelem);
void ipset_msg_destroy(struct buf *out, uint8_t proto, const char *name);
void ipset_msg_swap(struct buf *out, uint8_t proto, const char *from, const char *to);
/* name NULL: all sets. headers: no members. */
void ipset_msg_list(struct buf *out, uint8_t proto, const char *name, bool headers);

/* Additions or deletions (the command says which) of many members: begin, members while it returns
 * true, end. */
struct ipset_msg_members {
	struct buf *out;
	size_t nest;
	enum ipset_type type;
	uint32_t n;
};
void ipset_msg_members_begin(struct ipset_msg_members *m, struct buf *out, uint8_t proto,
                             const char *name, enum ipset_type type);
void ipset_msg_member(struct ipset_msg_members *m, const struct calc_member *member);
bool ipset_msg_members_full(const struct ipset_msg_members *m);
void ipset_msg_members_end(struct ipset_msg_members *m);

/* One message of a list. A large set comes in several: only the first has_header. */
struct ipset_reply {
	uint8_t cmd;
	uint8_t proto, proto_min;
	char name[SET_NAME_MAX];
	bool has_header;
	enum ipset_type type;
	uint8_t family;
	uint32_t maxelem;
	struct cursor members;
};
/* payload: behind the nlmsghdr; borrowed by *ret. -EINVAL. */
int ipset_msg_parse(uint16_t nlmsg_type, struct cursor payload, struct ipset_reply *ret);
/* false: no more. A member that this suite would not make has *ret_strange true. */
bool ipset_msg_next_member(struct ipset_reply *r, enum ipset_type type, int family,
                           struct calc_member *ret, bool *ret_strange);

const char *ipset_msg_error(int code); /* what a negative verdict says */
