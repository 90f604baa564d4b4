/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/iptables_text.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/sha.h"

size_t iptables_text_comment(char *out, const char *comment)
{
	size_t n = 0;

	for (; comment[n] && n < RULE_COMMENT_MAX; n++) {
		char ch = comment[n];
		bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
		             (ch >= 'A' && ch <= 'Z') || strchr("_ @%+=:,./-", ch);

		out[n] = plain ? ch : '_';
	}
	out[n] = '\0';
	return n;
}

static void text_mark(struct buf *out, const char *option, uint32_t value, uint32_t mask)
{
	if (value)
		buf_printf(out, " %s 0x%x/0x%x", option, value, mask);
	else
		buf_printf(out, " %s 0/0x%x", option, mask);
}

static void text_ct_states(struct buf *out, unsigned states)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { CT_INVALID, "INVALID" },
		      { CT_RELATED, "RELATED" },
		      { CT_ESTABLISHED, "ESTABLISHED" },
		      { CT_DNAT, "DNAT" } };
	const char *sep = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (states & names[i].bit) {
			buf_printf(out, "%s%s", sep, names[i].name);
			sep = ",";
		}
	}
}

static void text_match(struct buf *out, const struct match *m, int family)
{
	const char *not = m->neg ? " !" : "";
	char prefix[IP_PREFIX_STR_MAX];

	switch (m->kind) {
	case MATCH_PROTO:
		if (proto_name(m->proto.num) && !m->proto.by_number)
			buf_printf(out, "%s -p %s", not, proto_name(m->proto.num));
		else
			buf_printf(out, "%s -p %u", not, m->proto.num);
		return;
	case MATCH_NET:
		buf_printf(out, "%s --%s %s", not, m->src ? "source" : "destination",
		           ip_prefix_str(&m->net, prefix));
		return;
	case MATCH_SET:
		buf_printf(out, " -m set%s --match-set %s %s", not, m->set.name,
		           m->set.ip_port ? m->src ? "src,src" : "dst,dst"
		           : m->src       ? "src"
		                          : "dst");
		return;
	case MATCH_PORTS:
		buf_printf(out, " -m multiport%s --%s-ports ", not,
		           m->src ? "source" : "destination");
		for (size_t i = 0; i < m->ports.n; i++) {
			const struct calc_port_range *r = &m->ports.ranges[i];

			buf_printf(out, "%s%u", i ? "," : "", r->min);
			if (r->max != r->min)
				buf_printf(out, ":%u", r->max);
		}
		return;
	case MATCH_PORT:
		buf_printf(out, "%s --dport %u", not, m->port);
		return;
	case MATCH_ICMP:
		buf_printf(out, " -m %s%s --%s %d", family == AF_INET6 ? "icmp6" : "icmp", not,
		           family == AF_INET6 ? "icmpv6-type" : "icmp-type", m->icmp.type);
		if (m->icmp.code >= 0)
			buf_printf(out, "/%d", m->icmp.code);
		return;
	case MATCH_CT_STATE:
		buf_printf(out, " -m conntrack%s --ctstate ", not );
		text_ct_states(out, m->ct_states);
		return;
	case MATCH_MARK:
		buf_printf(out, " -m mark%s", not );
		text_mark(out, "--mark", m->mark.value, m->mark.mask);
		return;
	case MATCH_IFACE:
		buf_printf(out, " --%s-interface %s", m->src ? "in" : "out", m->iface);
		return;
	case MATCH_LOCAL:
		buf_printf(out, " -m addrtype%s --%s-type LOCAL%s", not, m->src ? "src" : "dst",
		           m->limit_out ? " --limit-iface-out" : "");
		return;
	case MATCH_RPF:
		buf_str(out, " -m rpfilter --invert --validmark");
		return;
	}
	assert(!"a match of no known kind");
}

static void text_action(struct buf *out, const struct action *a)
{
	switch (a->kind) {
	case ACTION_NONE:
		return;
	case ACTION_ACCEPT:
		buf_str(out, " --jump ACCEPT");
		return;
	case ACTION_DROP:
		buf_str(out, " --jump DROP");
		return;
	case ACTION_RETURN:
		buf_str(out, " --jump RETURN");
		return;
	case ACTION_REJECT:
		buf_str(out, " --jump REJECT");
		return;
	case ACTION_NOTRACK:
		buf_str(out, " --jump NOTRACK");
		return;
	case ACTION_JUMP:
		buf_printf(out, " --jump %s", a->chain);
		return;
	case ACTION_GOTO:
		buf_printf(out, " --goto %s", a->chain);
		return;
	case ACTION_MARK:
		buf_str(out, " --jump MARK");
		text_mark(out, "--set-mark", a->mark.value, a->mark.mask);
		return;
	case ACTION_LOG:
		buf_printf(out, " --jump LOG --log-prefix \"%s: \" --log-level 5", a->log_prefix);
		return;
	case ACTION_MASQUERADE:
		buf_str(out, " --jump MASQUERADE");
		if (a->masq.to_min)
			buf_printf(out, " --to-ports %u-%u", a->masq.to_min, a->masq.to_max);
		if (a->masq.random_fully)
			buf_str(out, " --random-fully");
		return;
	case ACTION_VMAP:
		break;
	}
	assert(!"an action of no known kind");
}

/* The family shows in the text only where ICMP has another name: in an ICMPv6 rule the protocol
 * says so. */
static int rule_family(const struct rule *r)
{
	for (size_t i = 0; i < r->n_matches; i++)
		if (r->matches[i].kind == MATCH_PROTO && !r->matches[i].neg &&
		    r->matches[i].proto.num == IPPROTO_ICMPV6)
			return AF_INET6;
	return AF_INET;
}

void iptables_text_rule(struct buf *out, const char *name, const struct rule *r)
{
	char comment[RULE_COMMENT_MAX + 1];
	int family = rule_family(r);

	buf_printf(out, "-A %s HASH", name);
	for (size_t i = 0; i < r->n_comments; i++) {
		(void)iptables_text_comment(comment, r->comments[i]);
		buf_printf(out, " -m comment --comment \"%s\"", comment);
	}
	for (size_t i = 0; i < r->n_matches; i++)
		text_match(out, &r->matches[i], family);
	text_action(out, &r->action);
}

void iptables_text_hash(struct chain *c, const char *name)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	uint8_t digest[28];
	char id[(28 * 8 + 5) / 6 + 1];

	sha224(name, strlen(name), digest);
	for (size_t i = 0; i < c->n_rules; i++) {
		buf_clear(&text);
		buf_add(&text, digest, sizeof(digest));
		iptables_text_rule(&text, name, &c->rules[i]);
		sha224(text.data, text.len, digest);
		base64url(digest, sizeof(digest), id);
		memcpy(c->rules[i].id, id, RULE_ID_MAX - 1);
		c->rules[i].id[RULE_ID_MAX - 1] = '\0';
	}
}
