/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/nft_msg.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "common/base/mem.h"
#include "felixd/dataplane/nf_attr.h"
#include "felixd/dataplane/nft_encode.h"

#define ELEMENTS_BYTES_MAX 32000 /* an attribute's length has 16 bits */

/* What nft calls the types of keys; only for people who list. */
#define TYPE_IPADDR 7
#define TYPE_IP6ADDR 8
#define TYPE_INET_PROTOCOL 12
#define TYPE_INET_SERVICE 13
#define TYPE_IFNAME 41
#define TYPE_BITS 6

uint16_t nft_msg_type(uint8_t msg)
{
	return (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | msg);
}

static uint8_t nfproto(int family)
{
	return family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static size_t message(struct buf *out, uint16_t type, uint16_t flags, uint8_t family,
                      uint16_t res_id)
{
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	struct nfgenmsg g = { .nfgen_family = family,
		              .version = NFNETLINK_V0,
		              .res_id = htons(res_id) };
	size_t at = out->len;

	buf_add(out, &h, sizeof(h));
	buf_add(out, &g, sizeof(g));
	return at;
}

size_t nft_msg_begin(struct buf *out, int family, uint8_t msg, uint16_t flags)
{
	return message(out, nft_msg_type(msg), flags, nfproto(family), 0);
}

void nft_msg_end(struct buf *out, size_t at)
{
	uint32_t len = (uint32_t)(out->len - at);

	memcpy(out->data + at + offsetof(struct nlmsghdr, nlmsg_len), &len, sizeof(len));
}

void nft_batch_begin(struct buf *out, uint32_t generation)
{
	size_t at = message(out, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);

	if (generation)
		nf_attr_be32(out, NFNL_BATCH_GENID, generation);
	nft_msg_end(out, at);
}

void nft_batch_end(struct buf *out)
{
	nft_msg_end(out, message(out, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

void nft_put_table(struct buf *out, int family, bool ack)
{
	size_t at = nft_msg_begin(out, family, NFT_MSG_NEWTABLE,
	                          (uint16_t)(NLM_F_CREATE | (ack ? NLM_F_ACK : 0)));

	nf_attr_str(out, NFTA_TABLE_NAME, NFT_TABLE);
	nft_msg_end(out, at);
}

void nft_put_table_dormant(struct buf *out, int family)
{
	size_t at = nft_msg_begin(out, family, NFT_MSG_NEWTABLE, 0);

	nf_attr_str(out, NFTA_TABLE_NAME, NFT_TABLE);
	nf_attr_be32(out, NFTA_TABLE_FLAGS, NFT_TABLE_F_DORMANT);
	nft_msg_end(out, at);
}

void nft_put_table_delete(struct buf *out, int family)
{
	size_t at = nft_msg_begin(out, family, NFT_MSG_DELTABLE, 0);

	nf_attr_str(out, NFTA_TABLE_NAME, NFT_TABLE);
	nft_msg_end(out, at);
}

void nft_put_chain(struct buf *out, int family, const char *name, const struct nft_base *base)
{
	size_t at = nft_msg_begin(out, family, NFT_MSG_NEWCHAIN, NLM_F_CREATE), nest;

	nf_attr_str(out, NFTA_CHAIN_TABLE, NFT_TABLE);
	nf_attr_str(out, NFTA_CHAIN_NAME, name);
	if (base) {
		nest = nf_attr_nest(out, NFTA_CHAIN_HOOK);
		nf_attr_be32(out, NFTA_HOOK_HOOKNUM, base->hook);
		nf_attr_be32(out, NFTA_HOOK_PRIORITY, (uint32_t)base->priority);
		nf_attr_nest_end(out, nest);
		nf_attr_str(out, NFTA_CHAIN_TYPE, base->type);
	}
	nft_msg_end(out, at);
}

static void chain_message(struct buf *out, int family, uint8_t msg, const char *name)
{
	size_t at = nft_msg_begin(out, family, msg, 0);

	/* The numbers are the same for both. */
	_Static_assert((int)NFTA_RULE_CHAIN == 2 && (int)NFTA_CHAIN_NAME == 3, "attributes");
	nf_attr_str(out, NFTA_CHAIN_TABLE, NFT_TABLE);
	nf_attr_str(out, msg == NFT_MSG_DELRULE ? NFTA_RULE_CHAIN : NFTA_CHAIN_NAME, name);
	nft_msg_end(out, at);
}

void nft_put_chain_flush(struct buf *out, int family, const char *name)
{
	chain_message(out, family, NFT_MSG_DELRULE, name);
}

void nft_put_chain_delete(struct buf *out, int family, const char *name)
{
	chain_message(out, family, NFT_MSG_DELCHAIN, name);
}

void nft_put_rule(struct buf *out, int family, const char *chain, const struct buf *expressions,
                  const char *comment)
{
	size_t at = nft_msg_begin(out, family, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), nest;
	size_t n = strlen(comment) + 1;
	uint8_t user[2 + NFT_COMMENT_MAX] = { 0, (uint8_t)n }; /* type 0 is the comment */

	nf_attr_str(out, NFTA_RULE_TABLE, NFT_TABLE);
	nf_attr_str(out, NFTA_RULE_CHAIN, chain);
	nest = nf_attr_nest(out, NFTA_RULE_EXPRESSIONS);
	if (expressions->len)
		buf_add(out, expressions->data, expressions->len);
	nf_attr_nest_end(out, nest);
	memcpy(user + 2, comment, n);
	nf_attr_put(out, NFTA_RULE_USERDATA, user, 2 + n);
	nft_msg_end(out, at);
}

/* ---- sets */

static uint32_t address_type(int family)
{
	return family == AF_INET6 ? TYPE_IP6ADDR : TYPE_IPADDR;
}

static uint32_t address_len(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static void key_of(enum nft_set_kind kind, int family, uint32_t *ret_type, uint32_t *ret_len,
                   uint32_t *ret_flags)
{
	*ret_type = address_type(family);
	*ret_len = address_len(family);
	*ret_flags = 0;
	switch (kind) {
	case NFT_SET_OF_NETS:
		*ret_flags = NFT_SET_INTERVAL;
		break;
	case NFT_SET_OF_IPS:
		break;
	case NFT_SET_OF_IP_PORTS:
		*ret_type = (*ret_type << TYPE_BITS | TYPE_INET_PROTOCOL) << TYPE_BITS |
		            TYPE_INET_SERVICE;
		*ret_len += 8;
		break;
	case NFT_SET_OF_PORTS:
		*ret_type = TYPE_INET_SERVICE;
		*ret_len = 2;
		*ret_flags = NFT_SET_INTERVAL | NFT_SET_ANONYMOUS | NFT_SET_CONSTANT;
		break;
	case NFT_SET_VERDICTS:
		*ret_type = TYPE_IFNAME;
		*ret_len = 16;
		*ret_flags = NFT_SET_MAP;
		break;
	case NFT_SET_STRANGE:
		assert(!"a set that is not ours");
	}
}

void nft_put_set(struct buf *out, int family, const char *name, enum nft_set_kind kind, uint32_t id)
{
	/* For nft's lists alone: keys (type 0) are in the host's order (1), a number of 4 bytes. */
	static const struct {
		uint8_t type, len, value[4];
	} byte_order = { 0,
		         4,
		         { __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, 0, 0,
		           __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ } };
	size_t at = nft_msg_begin(out, family, NFT_MSG_NEWSET, NLM_F_CREATE);
	uint32_t type, len, flags;

	key_of(kind, family, &type, &len, &flags);
	nf_attr_str(out, NFTA_SET_TABLE, NFT_TABLE);
	nf_attr_str(out, NFTA_SET_NAME, name);
	nf_attr_be32(out, NFTA_SET_FLAGS, flags);
	nf_attr_be32(out, NFTA_SET_KEY_TYPE, type);
	nf_attr_be32(out, NFTA_SET_KEY_LEN, len);
	if (kind == NFT_SET_VERDICTS) {
		nf_attr_be32(out, NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT);
		nf_attr_be32(out, NFTA_SET_DATA_LEN, 0);
		nf_attr_put(out, NFTA_SET_USERDATA, &byte_order, sizeof(byte_order));
	}
	nf_attr_be32(out, NFTA_SET_ID, id);
	nft_msg_end(out, at);
}

void nft_put_set_delete(struct buf *out, int family, const char *name)
{
	size_t at = nft_msg_begin(out, family, NFT_MSG_DELSET, 0);

	nf_attr_str(out, NFTA_SET_TABLE, NFT_TABLE);
	nf_attr_str(out, NFTA_SET_NAME, name);
	nft_msg_end(out, at);
}

void nft_elements_begin(struct nft_elements *e, struct buf *out, int family, const char *set,
                        uint32_t id, bool remove)
{
	*e = (struct nft_elements){
		.out = out, .family = family, .set = set, .id = id, .remove = remove
	};
}

void nft_elements_end(struct nft_elements *e)
{
	if (!e->open)
		return;
	nf_attr_nest_end(e->out, e->nest);
	nft_msg_end(e->out, e->msg);
	e->open = false;
}

static size_t element_begin(struct nft_elements *e)
{
	if (e->open && e->out->len - e->nest > ELEMENTS_BYTES_MAX)
		nft_elements_end(e);
	if (!e->open) {
		e->msg = nft_msg_begin(e->out, e->family,
		                       e->remove ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
		                       e->remove ? 0 : NLM_F_CREATE);
		nf_attr_str(e->out, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
		nf_attr_str(e->out, NFTA_SET_ELEM_LIST_SET, e->set);
		if (e->id)
			nf_attr_be32(e->out, NFTA_SET_ELEM_LIST_SET_ID, e->id);
		e->nest = nf_attr_nest(e->out, NFTA_SET_ELEM_LIST_ELEMENTS);
		e->open = true;
	}
	return nf_attr_nest(e->out, NFTA_LIST_ELEM);
}

static void element_key(struct nft_elements *e, const void *key, size_t len)
{
	size_t nest = nf_attr_nest(e->out, NFTA_SET_ELEM_KEY);

	nf_attr_put(e->out, NFTA_DATA_VALUE, key, len);
	nf_attr_nest_end(e->out, nest);
}

static void element_plain(struct nft_elements *e, const void *key, size_t len, bool end)
{
	size_t nest = element_begin(e);

	element_key(e, key, len);
	if (end)
		nf_attr_be32(e->out, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	nf_attr_nest_end(e->out, nest);
}

/* The address behind the last one; false: there is none. */
static bool behind(const struct ip_prefix *net, uint8_t *out, size_t len)
{
	unsigned bit = net->len;
	int i;

	memcpy(out, net->addr.bytes, len);
	if (bit == 0)
		return false;
	i = (int)(bit - 1) / 8;
	for (unsigned add = 0x80u >> ((bit - 1) % 8); i >= 0 && add; i--) {
		unsigned sum = out[i] + add;

		out[i] = (uint8_t)sum;
		add = sum >> 8;
		if (i == 0 && add)
			return false;
	}
	return true;
}

void nft_element_member(struct nft_elements *e, enum nft_set_kind kind, const struct calc_member *m)
{
	struct ip_prefix net = ip_prefix_network(&m->net);
	size_t len = address_len(e->family);
	uint8_t key[24] = { 0 };

	memcpy(key, net.addr.bytes, len);
	if (kind == NFT_SET_OF_IP_PORTS) {
		key[len] = m->protocol;
		key[len + 4] = (uint8_t)(m->port >> 8);
		key[len + 5] = (uint8_t)m->port;
		element_plain(e, key, len + 8, false);
		return;
	}
	element_plain(e, key, len, false);
	if (kind == NFT_SET_OF_NETS && behind(&net, key, len))
		element_plain(e, key, len, true);
}

void nft_element_ports(struct nft_elements *e, const struct calc_port_range *r)
{
	uint16_t first = htons(r->min), end = htons((uint16_t)(r->max + 1));

	element_plain(e, &first, sizeof(first), false);
	if (r->max < UINT16_MAX)
		element_plain(e, &end, sizeof(end), true);
}

void nft_element_verdict(struct nft_elements *e, const char *iface, const char *chain)
{
	size_t nest = element_begin(e), data, verdict;
	char key[16] = { 0 };

	memcpy(key, iface, strnlen(iface, sizeof(key) - 1));
	element_key(e, key, sizeof(key));
	if (!e->remove) {
		data = nf_attr_nest(e->out, NFTA_SET_ELEM_DATA);
		verdict = nf_attr_nest(e->out, NFTA_DATA_VERDICT);
		nf_attr_be32(e->out, NFTA_VERDICT_CODE, (uint32_t)NFT_GOTO);
		nf_attr_str(e->out, NFTA_VERDICT_CHAIN, chain);
		nf_attr_nest_end(e->out, verdict);
		nf_attr_nest_end(e->out, data);
	}
	nf_attr_nest_end(e->out, nest);
}

/* ---- what the kernel says */

static void get_name(const struct nf_attr *a, char out[NFT_NAME_MAX])
{
	if (!nf_attr_get_str(a, out, NFT_NAME_MAX))
		*out = '\0';
}

static void parse_user_data(struct cursor c, char id[RULE_ID_MAX])
{
	uint8_t type, len;
	struct cursor value;

	while (cursor_u8(&c, &type) && cursor_u8(&c, &len) && cursor_sub(&c, len, &value))
		if (type == 0)
			nft_text_id((const char *)value.at, cursor_left(&value), id);
}

struct set_shape {
	uint32_t flags, type, len, data;
};

static enum nft_set_kind set_kind(const struct set_shape *s, int family)
{
	for (int kind = NFT_SET_OF_NETS; kind < NFT_SET_STRANGE; kind++) {
		uint32_t type, len, flags;

		key_of(kind, family, &type, &len, &flags);
		if (type == s->type && len == s->len && flags == s->flags &&
		    (kind == NFT_SET_VERDICTS) == (s->data == NFT_DATA_VERDICT))
			return kind;
	}
	return NFT_SET_STRANGE;
}

static void parse_set_attr(const struct nf_attr *a, struct nft_reply *r, struct set_shape *s)
{
	switch (a->type) {
	case NFTA_SET_NAME:
		get_name(a, r->name);
		break;
	case NFTA_SET_FLAGS:
		(void)nf_attr_get_be32(a, &s->flags);
		break;
	case NFTA_SET_KEY_TYPE:
		(void)nf_attr_get_be32(a, &s->type);
		break;
	case NFTA_SET_KEY_LEN:
		(void)nf_attr_get_be32(a, &s->len);
		break;
	case NFTA_SET_DATA_TYPE:
		(void)nf_attr_get_be32(a, &s->data);
		break;
	}
}

static void parse_attr(const struct nf_attr *a, struct nft_reply *r, struct set_shape *s)
{
	switch (r->msg) {
	case NFT_MSG_NEWCHAIN:
		if (a->type == NFTA_CHAIN_NAME)
			get_name(a, r->name);
		else if (a->type == NFTA_CHAIN_HOOK)
			r->base = true;
		break;
	case NFT_MSG_NEWRULE:
		if (a->type == NFTA_RULE_CHAIN)
			get_name(a, r->name);
		else if (a->type == NFTA_RULE_USERDATA)
			parse_user_data(a->data, r->id);
		else if (a->type == NFTA_RULE_EXPRESSIONS)
			r->expressions = a->data;
		break;
	case NFT_MSG_NEWSET:
		parse_set_attr(a, r, s);
		break;
	case NFT_MSG_NEWSETELEM:
		if (a->type == NFTA_SET_ELEM_LIST_SET)
			get_name(a, r->name);
		else if (a->type == NFTA_SET_ELEM_LIST_ELEMENTS)
			r->elements = a->data;
		break;
	}
}

int nft_msg_parse(uint16_t nlmsg_type, struct cursor payload, struct nft_reply *ret)
{
	struct set_shape shape = { 0 };
	struct nfgenmsg g;
	struct nf_attr a;

	*ret = (struct nft_reply){ .msg = (uint8_t)nlmsg_type, .kind = NFT_SET_STRANGE };
	if (nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || !cursor_bytes(&payload, &g, sizeof(g)))
		return -EBADMSG;
	ret->family = g.nfgen_family == NFPROTO_IPV4   ? AF_INET
	              : g.nfgen_family == NFPROTO_IPV6 ? AF_INET6
	                                               : 0;
	while (nf_attr_next(&payload, &a)) {
		if (ret->msg == NFT_MSG_NEWGEN) {
			if (a.type == NFTA_GEN_ID)
				(void)nf_attr_get_be32(&a, &ret->generation);
		} else if (a.type == 1) { /* the table's name, in all of them */
			get_name(&a, ret->table);
			ret->ours = strcmp(ret->table, NFT_TABLE) == 0;
		} else {
			parse_attr(&a, ret, &shape);
		}
	}
	if (ret->msg == NFT_MSG_NEWSET) {
		ret->anonymous = shape.flags & NFT_SET_ANONYMOUS;
		ret->kind = set_kind(&shape, ret->family);
	}
	return 0;
}

static void parse_counter(struct cursor c, uint64_t *packets, uint64_t *bytes)
{
	struct nf_attr a;

	while (nf_attr_next(&c, &a)) {
		uint32_t high, low;

		if (!cursor_be32(&a.data, &high) || !cursor_be32(&a.data, &low))
			continue;
		if (a.type == NFTA_COUNTER_PACKETS)
			*packets = (uint64_t)high << 32 | low;
		else if (a.type == NFTA_COUNTER_BYTES)
			*bytes = (uint64_t)high << 32 | low;
	}
}

bool nft_rule_counter(struct cursor expressions, uint64_t *ret_packets, uint64_t *ret_bytes)
{
	struct nf_attr element, a;

	*ret_packets = *ret_bytes = 0;
	while (nf_attr_next(&expressions, &element)) {
		char name[16] = "";

		while (nf_attr_next(&element.data, &a)) {
			if (a.type == NFTA_EXPR_NAME) {
				(void)nf_attr_get_str(&a, name, sizeof(name));
			} else if (a.type == NFTA_EXPR_DATA && strcmp(name, "counter") == 0) {
				parse_counter(a.data, ret_packets, ret_bytes);
				return true;
			}
		}
	}
	return false;
}

static void parse_key(struct cursor c, struct nft_element *ret)
{
	struct nf_attr a;

	while (nf_attr_next(&c, &a)) {
		ret->key_len = cursor_left(&a.data);
		if (a.type != NFTA_DATA_VALUE || ret->key_len > sizeof(ret->key))
			ret->key_len = 0;
		else
			memcpy(ret->key, a.data.at, ret->key_len);
	}
}

static void parse_verdict(struct cursor c, struct nft_element *ret)
{
	struct nf_attr a, v;
	uint32_t code = 0;

	while (nf_attr_next(&c, &a)) {
		if (a.type != NFTA_DATA_VERDICT)
			continue;
		while (nf_attr_next(&a.data, &v)) {
			if (v.type == NFTA_VERDICT_CODE)
				(void)nf_attr_get_be32(&v, &code);
			else if (v.type == NFTA_VERDICT_CHAIN)
				get_name(&v, ret->chain);
		}
	}
	if (code != (uint32_t)NFT_GOTO)
		*ret->chain = '\0';
}

bool nft_next_element(struct cursor *c, struct nft_element *ret)
{
	struct nf_attr elem, a;
	uint32_t flags = 0;

	*ret = (struct nft_element){ 0 };
	if (!nf_attr_next(c, &elem))
		return false;
	while (nf_attr_next(&elem.data, &a)) {
		if (a.type == NFTA_SET_ELEM_KEY)
			parse_key(a.data, ret);
		else if (a.type == NFTA_SET_ELEM_DATA)
			parse_verdict(a.data, ret);
		else if (a.type == NFTA_SET_ELEM_FLAGS)
			(void)nf_attr_get_be32(&a, &flags);
	}
	ret->interval_end = flags & NFT_SET_ELEM_INTERVAL_END;
	return true;
}

void nft_ask(struct buf *out, int family)
{
	nf_attr_begin(out, nfproto(family));
}

void nft_ask_table(struct buf *out, int family)
{
	nf_attr_begin(out, nfproto(family));
	nf_attr_str(out, NFTA_RULE_TABLE, NFT_TABLE);
}

void nft_ask_elements(struct buf *out, int family, const char *set)
{
	nft_ask_table(out, family);
	nf_attr_str(out, NFTA_SET_ELEM_LIST_SET, set);
}
