/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/nft_encode.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/dataplane/nf_attr.h"
#include "felixd/dataplane/nft_msg.h"

#define LOG_LEVEL_INFO 6
#define LOG_PREFIX_MAX 128 /* NF_LOG_PREFIXLEN, with the NUL */

/* ---- expressions. Everything is computed in register 1; a key of several parts goes on behind it
 */

struct expr {
	struct buf *out;
	size_t elem, data;
};

static struct expr expr_begin(struct buf *out, const char *name)
{
	struct expr x = { .out = out, .elem = nf_attr_nest(out, NFTA_LIST_ELEM) };

	nf_attr_str(out, NFTA_EXPR_NAME, name);
	x.data = nf_attr_nest(out, NFTA_EXPR_DATA);
	return x;
}

static void expr_end(const struct expr *x)
{
	nf_attr_nest_end(x->out, x->data);
	nf_attr_nest_end(x->out, x->elem);
}

static void put_value(struct buf *out, uint16_t type, const void *v, size_t len)
{
	size_t nest = nf_attr_nest(out, type);

	nf_attr_put(out, NFTA_DATA_VALUE, v, len);
	nf_attr_nest_end(out, nest);
}

static void put_meta(struct buf *out, uint32_t key, uint32_t reg)
{
	struct expr x = expr_begin(out, "meta");

	nf_attr_be32(out, NFTA_META_DREG, reg);
	nf_attr_be32(out, NFTA_META_KEY, key);
	expr_end(&x);
}

static void put_cmp(struct buf *out, bool neg, const void *v, size_t len)
{
	struct expr x = expr_begin(out, "cmp");

	nf_attr_be32(out, NFTA_CMP_SREG, NFT_REG_1);
	nf_attr_be32(out, NFTA_CMP_OP, neg ? NFT_CMP_NEQ : NFT_CMP_EQ);
	put_value(out, NFTA_CMP_DATA, v, len);
	expr_end(&x);
}

static void put_bitwise(struct buf *out, const void *mask, const void * xor, size_t len)
{
	struct expr x = expr_begin(out, "bitwise");

	nf_attr_be32(out, NFTA_BITWISE_SREG, NFT_REG_1);
	nf_attr_be32(out, NFTA_BITWISE_DREG, NFT_REG_1);
	nf_attr_be32(out, NFTA_BITWISE_LEN, (uint32_t)len);
	put_value(out, NFTA_BITWISE_MASK, mask, len);
	put_value(out, NFTA_BITWISE_XOR, xor, len);
	expr_end(&x);
}

static void put_payload(struct buf *out, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	struct expr x = expr_begin(out, "payload");

	nf_attr_be32(out, NFTA_PAYLOAD_DREG, reg);
	nf_attr_be32(out, NFTA_PAYLOAD_BASE, base);
	nf_attr_be32(out, NFTA_PAYLOAD_OFFSET, offset);
	nf_attr_be32(out, NFTA_PAYLOAD_LEN, len);
	expr_end(&x);
}

static void put_lookup(struct buf *out, const char *set, uint32_t id, bool neg)
{
	struct expr x = expr_begin(out, "lookup");

	nf_attr_str(out, NFTA_LOOKUP_SET, set);
	nf_attr_be32(out, NFTA_LOOKUP_SREG, NFT_REG_1);
	if (id)
		nf_attr_be32(out, NFTA_LOOKUP_SET_ID, id);
	if (neg)
		nf_attr_be32(out, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_end(&x);
}

/* ---- matches */

static void put_address(struct buf *out, int family, bool src, size_t len)
{
	uint32_t at = family == AF_INET6 ? (src ? 8 : 24) : (src ? 12 : 16);

	put_payload(out, NFT_PAYLOAD_NETWORK_HEADER, at, (uint32_t)len, NFT_REG_1);
}

static void encode_net(struct buf *out, int family, const struct match *m)
{
	struct ip_prefix net = ip_prefix_network(&m->net);
	size_t len = family == AF_INET6 ? 16 : 4;
	uint8_t mask[16] = { 0 }, none[16] = { 0 };

	put_address(out, family, m->src, len);
	for (size_t i = 0; i < net.len; i++)
		mask[i / 8] |= (uint8_t)(0x80u >> (i % 8));
	if (net.len < 8 * len)
		put_bitwise(out, mask, none, len);
	put_cmp(out, m->neg, net.addr.bytes, len);
}

static int encode_set(struct nft_encoder *e, struct buf *out, const struct match *m,
                      struct err *err)
{
	size_t len = e->family == AF_INET6 ? 16 : 4;
	uint32_t next = (uint32_t)(NFT_REG32_00 + len / 4); /* register 1 begins at NFT_REG32_00 */
	char name[SET_NAME_MAX];

	nft_set_name(name, m->set.name);
	if (e->has_set && !e->has_set(e->arg, name))
		return err_set(err, -ENOENT, "set %s does not exist", name);
	put_address(out, e->family, m->src, len);
	if (m->set.ip_port) {
		put_meta(out, NFT_META_L4PROTO, next);
		put_payload(out, NFT_PAYLOAD_TRANSPORT_HEADER, m->src ? 0 : 2, 2, next + 1);
	}
	put_lookup(out, name, 0, m->neg);
	return 0;
}

/* One port compares; several, or a range, are a set without a name. */
static void encode_ports(struct nft_encoder *e, struct buf *out, const struct match *m)
{
	static const char name[] = "__set%d";
	struct nft_elements elements;
	uint16_t port = htons(m->ports.ranges[0].min);

	put_payload(out, NFT_PAYLOAD_TRANSPORT_HEADER, m->src ? 0 : 2, 2, NFT_REG_1);
	if (m->ports.n == 1 && m->ports.ranges[0].min == m->ports.ranges[0].max) {
		put_cmp(out, m->neg, &port, sizeof(port));
		return;
	}
	e->set_id++;
	nft_put_set(e->batch, e->family, name, NFT_SET_OF_PORTS, e->set_id);
	nft_elements_begin(&elements, e->batch, e->family, name, e->set_id, false);
	for (size_t i = 0; i < m->ports.n; i++)
		nft_element_ports(&elements, &m->ports.ranges[i]);
	nft_elements_end(&elements);
	put_lookup(out, name, e->set_id, m->neg);
}

/* Negated, type and code are compared as one: it is enough that one of them differs.
 * (nft lists that as "type != A code != B", though the kernel compares the two octets together.) */
static void encode_icmp(struct buf *out, const struct match *m)
{
	uint8_t v[2] = { (uint8_t)m->icmp.type, (uint8_t)m->icmp.code };

	if (m->neg && m->icmp.code >= 0) {
		put_payload(out, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_REG_1);
		put_cmp(out, true, v, 2);
		return;
	}
	put_payload(out, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1);
	put_cmp(out, m->neg, &v[0], 1);
	if (m->icmp.code < 0)
		return;
	put_payload(out, NFT_PAYLOAD_TRANSPORT_HEADER, 1, 1, NFT_REG_1);
	put_cmp(out, false, &v[1], 1);
}

static void encode_ct(struct buf *out, const struct match *m)
{
	struct expr x = expr_begin(out, "ct");
	uint32_t bits = 0, none = 0;
	bool status = m->ct_states == CT_DNAT;

	nf_attr_be32(out, NFTA_CT_DREG, NFT_REG_1);
	nf_attr_be32(out, NFTA_CT_KEY, status ? NFT_CT_STATUS : NFT_CT_STATE);
	expr_end(&x);
	if (status)
		bits = IPS_DST_NAT;
	if (m->ct_states & CT_INVALID)
		bits |= NF_CT_STATE_INVALID_BIT;
	if (m->ct_states & CT_RELATED)
		bits |= NF_CT_STATE_BIT(IP_CT_RELATED);
	if (m->ct_states & CT_ESTABLISHED)
		bits |= NF_CT_STATE_BIT(IP_CT_ESTABLISHED);
	put_bitwise(out, &bits, &none, sizeof(bits));
	put_cmp(out, !m->neg, &none, sizeof(none));
}

static void encode_iface(struct buf *out, const struct match *m)
{
	char name[16] = { 0 };
	size_t n = strlen(m->iface);

	put_meta(out, m->src ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_REG_1);
	if (n && m->iface[n - 1] == '+') {
		if (n > 1)
			put_cmp(out, m->neg, m->iface, n - 1 < sizeof(name) ? n - 1 : sizeof(name));
		return;
	}
	memcpy(name, m->iface, n < sizeof(name) ? n : sizeof(name) - 1);
	put_cmp(out, m->neg, name, sizeof(name));
}

static void put_fib(struct buf *out, uint32_t result, uint32_t flags)
{
	struct expr x = expr_begin(out, "fib");

	nf_attr_be32(out, NFTA_FIB_DREG, NFT_REG_1);
	nf_attr_be32(out, NFTA_FIB_RESULT, result);
	nf_attr_be32(out, NFTA_FIB_FLAGS, flags);
	expr_end(&x);
}

static int encode_match(struct nft_encoder *e, struct buf *out, const struct match *m,
                        struct err *err)
{
	uint32_t local = RTN_LOCAL, none = 0;
	uint16_t port;

	switch (m->kind) {
	case MATCH_PROTO:
		put_meta(out, NFT_META_L4PROTO, NFT_REG_1);
		put_cmp(out, m->neg, &m->proto.num, 1);
		return 0;
	case MATCH_NET:
		encode_net(out, e->family, m);
		return 0;
	case MATCH_SET:
		return encode_set(e, out, m, err);
	case MATCH_PORTS:
		encode_ports(e, out, m);
		return 0;
	case MATCH_PORT:
		port = htons(m->port);
		put_payload(out, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, NFT_REG_1);
		put_cmp(out, m->neg, &port, sizeof(port));
		return 0;
	case MATCH_ICMP:
		encode_icmp(out, m);
		return 0;
	case MATCH_CT_STATE:
		encode_ct(out, m);
		return 0;
	case MATCH_MARK:
		put_meta(out, NFT_META_MARK, NFT_REG_1);
		put_bitwise(out, &m->mark.mask, &none, sizeof(none));
		put_cmp(out, m->neg, &m->mark.value, sizeof(m->mark.value));
		return 0;
	case MATCH_IFACE:
		encode_iface(out, m);
		return 0;
	case MATCH_LOCAL:
		put_fib(out, NFT_FIB_RESULT_ADDRTYPE,
		        (m->src ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR) |
		                (m->limit_out ? NFTA_FIB_F_OIF : 0));
		put_cmp(out, m->neg, &local, sizeof(local));
		return 0;
	case MATCH_RPF:
		put_fib(out, NFT_FIB_RESULT_OIF,
		        NFTA_FIB_F_SADDR | NFTA_FIB_F_MARK | NFTA_FIB_F_IIF);
		put_cmp(out, !m->neg, &none, sizeof(none)); /* negated: there is no way back */
		return 0;
	}
	assert(!"a match of no known kind");
	return -EINVAL;
}

/* ---- actions */

static void put_counter(struct buf *out)
{
	struct expr x = expr_begin(out, "counter");

	expr_end(&x);
}

static void put_verdict(struct buf *out, int32_t code, const char *chain)
{
	struct expr x = expr_begin(out, "immediate");
	size_t data, verdict;

	nf_attr_be32(out, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = nf_attr_nest(out, NFTA_IMMEDIATE_DATA);
	verdict = nf_attr_nest(out, NFTA_DATA_VERDICT);
	nf_attr_be32(out, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain)
		nf_attr_str(out, NFTA_VERDICT_CHAIN, chain);
	nf_attr_nest_end(out, verdict);
	nf_attr_nest_end(out, data);
	expr_end(&x);
}

static void put_port_register(struct buf *out, uint32_t reg, uint16_t port)
{
	struct expr x = expr_begin(out, "immediate");
	uint16_t be = htons(port);

	nf_attr_be32(out, NFTA_IMMEDIATE_DREG, reg);
	put_value(out, NFTA_IMMEDIATE_DATA, &be, sizeof(be));
	expr_end(&x);
}

static void encode_masquerade(struct buf *out, const struct action *a)
{
	bool ports = a->masq.to_min != 0;
	struct expr x;

	if (ports) {
		put_port_register(out, NFT_REG_1, a->masq.to_min);
		put_port_register(out, NFT_REG_2, a->masq.to_max);
	}
	x = expr_begin(out, "masq");
	nf_attr_be32(out, NFTA_MASQ_FLAGS,
	             (a->masq.random_fully ? NF_NAT_RANGE_PROTO_RANDOM_FULLY : 0) |
	                     (ports ? NF_NAT_RANGE_PROTO_SPECIFIED : 0));
	if (ports) {
		nf_attr_be32(out, NFTA_MASQ_REG_PROTO_MIN, NFT_REG_1);
		nf_attr_be32(out, NFTA_MASQ_REG_PROTO_MAX, NFT_REG_2);
	}
	expr_end(&x);
}

static void encode_mark(struct buf *out, const struct action *a)
{
	uint32_t keep = ~a->mark.mask;
	struct expr x;

	put_meta(out, NFT_META_MARK, NFT_REG_1);
	put_bitwise(out, &keep, &a->mark.value, sizeof(keep));
	x = expr_begin(out, "meta");
	nf_attr_be32(out, NFTA_META_KEY, NFT_META_MARK);
	nf_attr_be32(out, NFTA_META_SREG, NFT_REG_1);
	expr_end(&x);
}

static void encode_log(struct buf *out, const struct action *a)
{
	CLEANUP(buf_done) struct buf prefix = { 0 };
	struct expr x = expr_begin(out, "log");

	buf_printf(&prefix, "%.*s: ", LOG_PREFIX_MAX - 3, a->log_prefix);
	nf_attr_str(out, NFTA_LOG_PREFIX, buf_cstr(&prefix));
	nf_attr_be32(out, NFTA_LOG_LEVEL, LOG_LEVEL_INFO);
	expr_end(&x);
}

static void encode_reject(struct buf *out)
{
	struct expr x = expr_begin(out, "reject");

	/* Port unreachable, of the family's ICMP, as iptables' REJECT. */
	nf_attr_be32(out, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nf_attr_u8(out, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
	expr_end(&x);
}

static void encode_vmap(struct buf *out, const struct action *a, const char *name)
{
	struct expr x;

	put_meta(out, a->vmap.in ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_REG_1);
	x = expr_begin(out, "lookup");
	nf_attr_str(out, NFTA_LOOKUP_SET, name);
	nf_attr_be32(out, NFTA_LOOKUP_SREG, NFT_REG_1);
	nf_attr_be32(out, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	expr_end(&x);
}

static void encode_action(struct nft_encoder *e, struct buf *out, const struct action *a)
{
	char name[NFT_NAME_MAX];
	struct expr x;

	switch (a->kind) {
	case ACTION_NONE:
		return;
	case ACTION_ACCEPT:
		put_verdict(out, NF_ACCEPT, NULL);
		return;
	case ACTION_DROP:
		put_verdict(out, NF_DROP, NULL);
		return;
	case ACTION_RETURN:
		put_verdict(out, NFT_RETURN, NULL);
		return;
	case ACTION_REJECT:
		encode_reject(out);
		return;
	case ACTION_JUMP:
	case ACTION_GOTO:
		nft_name(name, e->layer, a->chain);
		put_verdict(out, a->kind == ACTION_JUMP ? NFT_JUMP : NFT_GOTO, name);
		return;
	case ACTION_MARK:
		encode_mark(out, a);
		return;
	case ACTION_LOG:
		encode_log(out, a);
		return;
	case ACTION_MASQUERADE:
		encode_masquerade(out, a);
		return;
	case ACTION_NOTRACK:
		x = expr_begin(out, "notrack");
		expr_end(&x);
		return;
	case ACTION_VMAP:
		nft_name(name, e->layer, a->vmap.name);
		encode_vmap(out, a, name);
		return;
	}
	assert(!"an action of no known kind");
}

int nft_encode(struct nft_encoder *e, const struct rule *r, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < r->n_matches; i++) {
		int rc = encode_match(e, out, &r->matches[i], err);

		if (rc < 0)
			return rc;
	}
	if (r->action.kind != ACTION_NONE && r->action.kind != ACTION_VMAP)
		put_counter(out);
	encode_action(e, out, &r->action);
	if (out->len > UINT16_MAX - 64)
		return err_set(err, -EINVAL, "a rule of %zu bytes", out->len);
	return 0;
}
