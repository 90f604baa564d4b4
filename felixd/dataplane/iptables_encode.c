/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An entry is a fixed head (addresses, interfaces, protocol), then matches, then one target, each
 * with a name, a revision and a struct of its own, aligned. Revisions are the highest that
 * iptables 1.8 knows: it shows no other, and people must be able to read the table. Kernels
 * since 3.19 have them.
 */
#include "felixd/dataplane/iptables_encode.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter/xt_LOG.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/dataplane/iptables_text.h"

static void zeros(struct buf *out, size_t n)
{
	if (n)
		memset(buf_extend(out, n), 0, n);
}

/* Appends a match or a target: their heads are alike. */
static void add_extension(struct buf *out, const char *name, uint8_t revision, const void *info,
                          size_t info_size)
{
	struct xt_entry_match head = { 0 };
	size_t size = XT_ALIGN(sizeof(head)) + XT_ALIGN(info_size);

	_Static_assert(sizeof(struct xt_entry_match) == sizeof(struct xt_entry_target),
	               "matches and targets have one head");
	head.u.user.match_size = (uint16_t)size;
	head.u.user.revision = revision;
	snprintf(head.u.user.name, sizeof(head.u.user.name), "%s", name);
	buf_add(out, &head, sizeof(head));
	zeros(out, XT_ALIGN(sizeof(head)) - sizeof(head));
	if (info_size)
		buf_add(out, info, info_size);
	zeros(out, XT_ALIGN(info_size) - info_size);
}

static void add_comment(struct buf *out, const char *text)
{
	struct xt_comment_info info = { 0 };
	char plain[RULE_COMMENT_MAX + 1];

	(void)iptables_text_comment(plain, text);
	memcpy(info.comment, plain, strnlen(plain, sizeof(info.comment) - 1));
	add_extension(out, "comment", 0, &info, sizeof(info));
}

/* ---- what stands in the head */

static void head_interface(struct ipt_ip *ip, const struct match *m)
{
	char *name = m->src ? ip->iniface : ip->outiface;
	unsigned char *mask = m->src ? ip->iniface_mask : ip->outiface_mask;
	size_t len = strlen(m->iface);

	assert(len > 0 && len < IFNAMSIZ);
	if (m->iface[len - 1] == '+')
		len--; /* any with this beginning */
	else
		memset(mask + len, 0xff, 1); /* the NUL must match, too */
	memcpy(name, m->iface, len);
	memset(mask, 0xff, len);
}

static int head_net(struct ipt_ip *ip, const struct match *m, struct err *err)
{
	struct in_addr *addr = m->src ? &ip->src : &ip->dst;
	struct in_addr *mask = m->src ? &ip->smsk : &ip->dmsk;
	struct ip_prefix net = ip_prefix_network(&m->net);

	if (net.addr.family != AF_INET)
		return err_set(err, -EAFNOSUPPORT, "an IPv6 network in an IPv4 rule");
	addr->s_addr = htonl(ip_addr_to_v4(&net.addr));
	mask->s_addr = htonl(net.len ? 0xffffffffu << (32 - net.len) : 0);
	if (m->neg)
		ip->invflags |= m->src ? IPT_INV_SRCIP : IPT_INV_DSTIP;
	return 0;
}

static int head_match(struct ipt_ip *ip, const struct match *m, struct err *err)
{
	switch (m->kind) {
	case MATCH_PROTO:
		ip->proto = m->proto.num;
		if (m->neg)
			ip->invflags |= IPT_INV_PROTO;
		return 0;
	case MATCH_NET:
		return head_net(ip, m, err);
	case MATCH_IFACE:
		head_interface(ip, m);
		return 0;
	default:
		return 0;
	}
}

/* ---- matches with a module of their own */

static void add_ports(struct buf *out, const struct match *m)
{
	struct xt_multiport_v1 info = { .flags = m->src ? XT_MULTIPORT_SOURCE
		                                        : XT_MULTIPORT_DESTINATION,
		                        .invert = m->neg };

	for (size_t i = 0; i < m->ports.n; i++) {
		const struct calc_port_range *r = &m->ports.ranges[i];

		assert(info.count + (r->min != r->max) < XT_MULTI_PORTS);
		info.ports[info.count] = r->min;
		if (r->min != r->max) {
			info.pflags[info.count++] = 1; /* up to the next one */
			info.ports[info.count] = r->max;
		}
		info.count++;
	}
	add_extension(out, "multiport", 1, &info, sizeof(info));
}

static void add_port(struct buf *out, const struct match *m, uint8_t proto)
{
	if (proto == IPPROTO_TCP) {
		struct xt_tcp info = { .spts = { 0, 0xffff }, .dpts = { m->port, m->port } };

		info.invflags = m->neg ? XT_TCP_INV_DSTPT : 0;
		add_extension(out, "tcp", 0, &info, sizeof(info));
	} else {
		struct xt_udp info = { .spts = { 0, 0xffff }, .dpts = { m->port, m->port } };

		info.invflags = m->neg ? XT_UDP_INV_DSTPT : 0;
		add_extension(out, "udp", 0, &info, sizeof(info));
	}
}

static int add_set(struct buf *out, const struct match *m, set_index_fn *set_index, void *arg,
                   struct err *err)
{
	struct xt_set_info_match_v4 info = { 0 };
	ip_set_id_t index;
	int rc = set_index(arg, m->set.name, &index, err);

	if (rc < 0)
		return rc;
	info.match_set.index = index;
	info.match_set.dim = m->set.ip_port ? IPSET_DIM_TWO : IPSET_DIM_ONE;
	if (m->src)
		info.match_set.flags = IPSET_DIM_ONE_SRC | (m->set.ip_port ? IPSET_DIM_TWO_SRC : 0);
	if (m->neg)
		info.match_set.flags |= IPSET_INV_MATCH;
	add_extension(out, "set", 4, &info, sizeof(info));
	return 0;
}

static void add_conntrack(struct buf *out, const struct match *m)
{
	static const struct {
		unsigned state;
		uint16_t mask;
	} bits[] = { { CT_INVALID, XT_CONNTRACK_STATE_INVALID },
		     { CT_RELATED, XT_CONNTRACK_STATE_BIT(IP_CT_RELATED) },
		     { CT_ESTABLISHED, XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) },
		     { CT_DNAT, XT_CONNTRACK_STATE_DNAT } };
	struct xt_conntrack_mtinfo3 info = { .match_flags = XT_CONNTRACK_STATE,
		                             .invert_flags = m->neg ? XT_CONNTRACK_STATE : 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		if (m->ct_states & bits[i].state)
			info.state_mask |= bits[i].mask;
	add_extension(out, "conntrack", 3, &info, sizeof(info));
}

static void add_local(struct buf *out, const struct match *m)
{
	struct xt_addrtype_info_v1 info = { 0 };

	if (m->src)
		info.source = XT_ADDRTYPE_LOCAL;
	else
		info.dest = XT_ADDRTYPE_LOCAL;
	if (m->neg)
		info.flags |= m->src ? XT_ADDRTYPE_INVERT_SOURCE : XT_ADDRTYPE_INVERT_DEST;
	if (m->limit_out)
		info.flags |= XT_ADDRTYPE_LIMIT_IFACE_OUT;
	add_extension(out, "addrtype", 1, &info, sizeof(info));
}

static void add_icmp(struct buf *out, const struct match *m)
{
	struct ipt_icmp info = { .type = (uint8_t)m->icmp.type, .code = { 0, 0xff } };

	if (m->icmp.code >= 0)
		info.code[0] = info.code[1] = (uint8_t)m->icmp.code;
	if (m->neg)
		info.invflags = IPT_ICMP_INV;
	add_extension(out, "icmp", 0, &info, sizeof(info));
}

static int add_match(struct buf *out, const struct match *m, uint8_t proto, set_index_fn *set_index,
                     void *arg, struct err *err)
{
	switch (m->kind) {
	case MATCH_PROTO:
	case MATCH_NET:
	case MATCH_IFACE:
		return 0; /* in the head */
	case MATCH_SET:
		return add_set(out, m, set_index, arg, err);
	case MATCH_PORTS:
		add_ports(out, m);
		return 0;
	case MATCH_PORT:
		add_port(out, m, proto);
		return 0;
	case MATCH_ICMP:
		add_icmp(out, m);
		return 0;
	case MATCH_CT_STATE:
		add_conntrack(out, m);
		return 0;
	case MATCH_LOCAL:
		add_local(out, m);
		return 0;
	case MATCH_MARK: {
		struct xt_mark_mtinfo1 info = { .mark = m->mark.value,
			                        .mask = m->mark.mask,
			                        .invert = m->neg };

		add_extension(out, "mark", 1, &info, sizeof(info));
		return 0;
	}
	case MATCH_RPF: {
		struct xt_rpfilter_info info = { .flags = XT_RPFILTER_INVERT |
			                                  XT_RPFILTER_VALID_MARK };

		add_extension(out, "rpfilter", 0, &info, sizeof(info));
		return 0;
	}
	}
	assert(!"a match of no known kind");
	return -EINVAL;
}

/* ---- targets */

/* Verdicts and jumps: the library turns the name into a verdict, or into the chain's offset. "":
 * the next rule. */
static void add_standard(struct buf *out, const char *name)
{
	int verdict = 0;

	_Static_assert(sizeof(struct xt_standard_target) ==
	                       XT_ALIGN(sizeof(struct xt_entry_target)) + XT_ALIGN(sizeof(int)),
	               "the library compares this size");
	add_extension(out, name, 0, &verdict, sizeof(verdict));
}

static void add_masquerade(struct buf *out, const struct action *a)
{
	struct nf_nat_ipv4_multi_range_compat info = { .rangesize = 1 };

	if (a->masq.random_fully)
		info.range[0].flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY;
	if (a->masq.to_min) {
		info.range[0].flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
		info.range[0].min.all = htons(a->masq.to_min);
		info.range[0].max.all = htons(a->masq.to_max);
	}
	add_extension(out, "MASQUERADE", 0, &info, sizeof(info));
}

static void add_log(struct buf *out, const struct action *a)
{
	struct xt_log_info info = { .level = 5 };

	/* The kernel's field is short: what does not fit is cut, so that the rule still logs. */
	(void)snprintf(info.prefix, sizeof(info.prefix), "%.*s: ", (int)sizeof(info.prefix) - 3,
	               a->log_prefix);
	add_extension(out, "LOG", 0, &info, sizeof(info));
}

static void add_target(struct buf *out, const struct action *a)
{
	switch (a->kind) {
	case ACTION_NONE:
		add_standard(out, "");
		return;
	case ACTION_ACCEPT:
		add_standard(out, "ACCEPT");
		return;
	case ACTION_DROP:
		add_standard(out, "DROP");
		return;
	case ACTION_RETURN:
		add_standard(out, "RETURN");
		return;
	case ACTION_JUMP:
	case ACTION_GOTO:
		add_standard(out, a->chain);
		return;
	case ACTION_MARK: {
		struct xt_mark_tginfo2 info = { .mark = a->mark.value,
			                        .mask = a->mark.mask | a->mark.value };

		add_extension(out, "MARK", 2, &info, sizeof(info));
		return;
	}
	case ACTION_REJECT: {
		struct ipt_reject_info info = { .with = IPT_ICMP_PORT_UNREACHABLE };

		add_extension(out, "REJECT", 0, &info, sizeof(info));
		return;
	}
	case ACTION_LOG:
		add_log(out, a);
		return;
	case ACTION_MASQUERADE:
		add_masquerade(out, a);
		return;
	case ACTION_NOTRACK:
		add_extension(out, "NOTRACK", 0, NULL, 0);
		return;
	case ACTION_VMAP:
		break;
	}
	assert(!"an action of no known kind");
}

/* ---- entries */

int iptables_encode(const struct rule *r, set_index_fn *set_index, void *arg, struct buf *out,
                    struct err *err)
{
	struct ipt_entry head = { 0 };
	char id[sizeof(RULE_COMMENT_PREFIX) + RULE_ID_MAX];
	int rc;

	assert(out->len == 0 && *r->id);
	for (size_t i = 0; i < r->n_matches; i++) {
		rc = head_match(&head.ip, &r->matches[i], err);
		if (rc < 0)
			return rc;
	}
	if (r->action.kind == ACTION_GOTO)
		head.ip.flags |= IPT_F_GOTO;
	buf_add(out, &head, sizeof(head));
	snprintf(id, sizeof(id), RULE_COMMENT_PREFIX "%s", r->id);
	add_comment(out, id);
	for (size_t i = 0; i < r->n_comments; i++)
		add_comment(out, r->comments[i]);
	for (size_t i = 0; i < r->n_matches; i++) {
		rc = add_match(out, &r->matches[i], (uint8_t)head.ip.proto, set_index, arg, err);
		if (rc < 0)
			return rc;
	}
	if (out->len > UINT16_MAX - 1024)
		return err_set(err, -E2BIG, "the rule has too many matches");
	head.target_offset = (uint16_t)out->len;
	add_target(out, &r->action);
	head.next_offset = (uint16_t)out->len;
	memcpy(out->data, &head, sizeof(head));
	return 0;
}

void iptables_entry_id(const struct ipt_entry *e, size_t size, char out[RULE_ID_MAX])
{
	static const char prefix[] = RULE_COMMENT_PREFIX;
	const char *at = (const char *)e + sizeof(*e), *end = (const char *)e + size;

	out[0] = '\0';
	if (e->target_offset < size)
		end = (const char *)e + e->target_offset;
	/* Copied out: nobody promises that what we read is aligned. */
	for (struct xt_entry_match m; at < end && (size_t)(end - at) >= sizeof(m);
	     at += m.u.match_size) {
		const char *text = at + sizeof(m);
		size_t n;

		memcpy(&m, at, sizeof(m));
		if (m.u.match_size < sizeof(m) || m.u.match_size > end - at)
			return;
		if (strncmp(m.u.user.name, "comment", sizeof(m.u.user.name)) != 0)
			continue;
		/* Only the first comment counts. */
		n = strnlen(text, m.u.match_size - sizeof(m));
		if (n < sizeof(prefix) || memcmp(text, prefix, sizeof(prefix) - 1) != 0)
			return;
		n -= sizeof(prefix) - 1;
		if (n > RULE_ID_MAX - 1)
			n = RULE_ID_MAX - 1;
		memcpy(out, text + sizeof(prefix) - 1, n);
		out[n] = '\0';
		return;
	}
}
