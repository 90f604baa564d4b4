/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/ipset_msg.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/mem.h"
#include "felixd/dataplane/nf_attr.h"

#define PROTOCOL 7
#define MESSAGE_BYTES                                                                              \
	24000 /* of one message with members; attributes have 16 bits for their length */

/* Revisions that every kernel since 3.19 and the ipset program of that time have; newer ones bring
 * nothing that we use. */
static const struct {
	const char *name;
	uint8_t revision;
} types[] = {
	[IPSET_NET] = { "hash:net", 6 },
	[IPSET_IP_PORT] = { "hash:ip,port", 5 },
	[IPSET_IP] = { "hash:ip", 4 },
};

uint16_t ipset_msg_type(uint8_t cmd)
{
	return (uint16_t)(NFNL_SUBSYS_IPSET << 8 | cmd);
}

static void begin(struct buf *out, uint8_t proto, const char *name)
{
	nf_attr_begin(out, AF_INET);
	nf_attr_u8(out, IPSET_ATTR_PROTOCOL, proto);
	if (name)
		nf_attr_str(out, IPSET_ATTR_SETNAME, name);
}

void ipset_msg_protocol(struct buf *out)
{
	begin(out, PROTOCOL, NULL);
}

void ipset_msg_create(struct buf *out, uint8_t proto, int family, const char *name,
                      enum ipset_type type, uint32_t maxelem)
{
	size_t nest;

	begin(out, proto, name);
	nf_attr_str(out, IPSET_ATTR_TYPENAME, types[type].name);
	nf_attr_u8(out, IPSET_ATTR_REVISION, types[type].revision);
	nf_attr_u8(out, IPSET_ATTR_FAMILY, family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nest = nf_attr_nest(out, IPSET_ATTR_DATA);
	nf_attr_be32(out, IPSET_ATTR_MAXELEM, maxelem);
	nf_attr_nest_end(out, nest);
}

void ipset_msg_destroy(struct buf *out, uint8_t proto, const char *name)
{
	begin(out, proto, name);
}

void ipset_msg_swap(struct buf *out, uint8_t proto, const char *from, const char *to)
{
	begin(out, proto, from);
	nf_attr_str(out, IPSET_ATTR_SETNAME2, to);
}

void ipset_msg_list(struct buf *out, uint8_t proto, const char *name, bool headers)
{
	begin(out, proto, name);
	if (headers)
		nf_attr_be32(out, IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_HEADER);
}

/* ---- members */

void ipset_msg_members_begin(struct ipset_msg_members *m, struct buf *out, uint8_t proto,
                             const char *name, enum ipset_type type)
{
	*m = (struct ipset_msg_members){ .out = out, .type = type };
	begin(out, proto, name);
	/* The kernel wants a line number where there are many: it comes back with an error. */
	nf_attr_be32(out, IPSET_ATTR_LINENO, 0);
	m->nest = nf_attr_nest(out, IPSET_ATTR_ADT);
}

void ipset_msg_member(struct ipset_msg_members *m, const struct calc_member *member)
{
	const struct ip_addr *a = &member->net.addr;
	size_t data = nf_attr_nest(m->out, IPSET_ATTR_DATA), ip;

	ip = nf_attr_nest(m->out, IPSET_ATTR_IP);
	nf_attr_put(m->out,
	            (a->family == AF_INET6 ? IPSET_ATTR_IPADDR_IPV6 : IPSET_ATTR_IPADDR_IPV4) |
	                    NLA_F_NET_BYTEORDER,
	            a->bytes, a->family == AF_INET6 ? 16 : 4);
	nf_attr_nest_end(m->out, ip);
	if (m->type == IPSET_NET)
		nf_attr_u8(m->out, IPSET_ATTR_CIDR, member->net.len);
	if (m->type == IPSET_IP_PORT) {
		nf_attr_be16(m->out, IPSET_ATTR_PORT, member->port);
		nf_attr_u8(m->out, IPSET_ATTR_PROTO, member->protocol);
	}
	nf_attr_be32(m->out, IPSET_ATTR_LINENO, ++m->n);
	nf_attr_nest_end(m->out, data);
}

bool ipset_msg_members_full(const struct ipset_msg_members *m)
{
	return m->out->len >= MESSAGE_BYTES;
}

void ipset_msg_members_end(struct ipset_msg_members *m)
{
	nf_attr_nest_end(m->out, m->nest);
}

/* ---- reading */

static enum ipset_type type_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return i;
	return IPSET_OTHER;
}

static void parse_header(struct cursor c, struct ipset_reply *ret)
{
	struct nf_attr a;

	while (nf_attr_next(&c, &a))
		if (a.type == IPSET_ATTR_MAXELEM)
			(void)nf_attr_get_be32(&a, &ret->maxelem);
}

int ipset_msg_parse(uint16_t nlmsg_type, struct cursor payload, struct ipset_reply *ret)
{
	char type[SET_NAME_MAX];
	struct nf_attr a;

	*ret = (struct ipset_reply){ .type = IPSET_OTHER, .members = { payload.end, payload.end } };
	if (nlmsg_type >> 8 != NFNL_SUBSYS_IPSET || !cursor_skip(&payload, sizeof(struct nfgenmsg)))
		return -EINVAL;
	ret->cmd = nlmsg_type & 0xff;
	while (nf_attr_next(&payload, &a)) {
		switch (a.type) {
		case IPSET_ATTR_PROTOCOL:
			(void)nf_attr_get_u8(&a, &ret->proto);
			break;
		case IPSET_ATTR_PROTOCOL_MIN:
			(void)nf_attr_get_u8(&a, &ret->proto_min);
			break;
		case IPSET_ATTR_SETNAME:
			if (!nf_attr_get_str(&a, ret->name, sizeof(ret->name)))
				return -EINVAL;
			break;
		case IPSET_ATTR_TYPENAME:
			if (!nf_attr_get_str(&a, type, sizeof(type)))
				return -EINVAL;
			ret->type = type_of(type);
			ret->has_header = true;
			break;
		case IPSET_ATTR_FAMILY:
			(void)nf_attr_get_u8(&a, &ret->family);
			break;
		case IPSET_ATTR_DATA:
			parse_header(a.data, ret);
			break;
		case IPSET_ATTR_ADT:
			ret->members = a.data;
			break;
		}
	}
	return 0;
}

static void parse_addr(struct cursor c, int family, struct ip_addr *ret)
{
	struct nf_attr a;

	while (nf_attr_next(&c, &a))
		if (a.type ==
		    (family == AF_INET6 ? IPSET_ATTR_IPADDR_IPV6 : IPSET_ATTR_IPADDR_IPV4))
			(void)nf_attr_get_addr(&a, family, ret);
}

bool ipset_msg_next_member(struct ipset_reply *r, enum ipset_type type, int family,
                           struct calc_member *ret, bool *ret_strange)
{
	struct nf_attr data, a;
	uint32_t flags = 0;

	if (!nf_attr_next(&r->members, &data))
		return false;
	*ret = (struct calc_member){ 0 };
	ret->net.len = family == AF_INET6 ? 128 : 32;
	while (nf_attr_next(&data.data, &a)) {
		switch (a.type) {
		case IPSET_ATTR_IP:
			parse_addr(a.data, family, &ret->net.addr);
			break;
		case IPSET_ATTR_CIDR:
			(void)nf_attr_get_u8(&a, &ret->net.len);
			break;
		case IPSET_ATTR_PORT:
			(void)nf_attr_get_be16(&a, &ret->port);
			break;
		case IPSET_ATTR_PROTO:
			(void)nf_attr_get_u8(&a, &ret->protocol);
			break;
		case IPSET_ATTR_CADT_FLAGS:
			(void)nf_attr_get_be32(&a, &flags);
			break;
		}
	}
	*ret_strange = data.type != IPSET_ATTR_DATA || !ret->net.addr.family || flags ||
	               ret->net.len == 0 || ret->net.len > ip_addr_bits(&ret->net.addr) ||
	               (type != IPSET_IP_PORT && (ret->port || ret->protocol));
	return true;
}

const char *ipset_msg_error(int code)
{
	switch (-code) {
	case IPSET_ERR_PROTOCOL:
		return "the kernel does not understand the request";
	case IPSET_ERR_FIND_TYPE:
		return "the kernel does not have this type of set";
	case IPSET_ERR_MAX_SETS:
		return "the kernel has no room for another set";
	case IPSET_ERR_BUSY:
	case IPSET_ERR_REFERENCED:
		return "the set is in use";
	case IPSET_ERR_TYPE_MISMATCH:
		return "the sets are of different types";
	case IPSET_ERR_EXIST:
		return "the member exists";
	case IPSET_ERR_TYPE_SPECIFIC:
		return "the set is full";
	default:
		return strerror(-code);
	}
}
