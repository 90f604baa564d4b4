/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/policy/match.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"
#include "common/model/selector.h"
#include "common/policy/compose.h"

static void selector_unref_p(struct selector **s)
{
	selector_unref(*s);
}

/* ---- the packet */

static void resolve(struct policy_side *s, const struct policy_world *w)
{
	s->parties = xcalloc(w->n_parties + 1, sizeof(*s->parties));
	for (size_t i = 0; i < w->n_parties; i++)
		if (policy_party_has(&w->parties[i], &s->addr))
			s->parties[s->n_parties++] = &w->parties[i];
}

void policy_packet_resolve(struct policy_packet *p, const struct policy_world *w)
{
	resolve(&p->src, w);
	resolve(&p->dst, w);
}

void policy_packet_done(struct policy_packet *p)
{
	free(p->src.parties);
	free(p->dst.parties);
	p->src.parties = p->dst.parties = NULL;
}

/* ---- does the rule make sense at all */

static bool is_action(const char *s)
{
	static const char *const actions[] = { "Allow", "Deny", "Pass", "Log" };

	for (size_t i = 0; s && i < ARRAY_SIZE(actions); i++)
		if (strcmp(s, actions[i]) == 0)
			return true;
	return false;
}

static int check_nets(char *const *nets, size_t n, const char *field, struct err *err)
{
	struct ip_prefix p;

	for (size_t i = 0; i < n; i++)
		if (ip_prefix_parse(nets[i], &p) < 0)
			return err_set(err, -EINVAL, "%s[%zu]: '%.64s' is not a CIDR", field, i,
			               nets[i]);
	return 0;
}

static int check_ports(V3__Port *const *ports, size_t n, const char *field, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const V3__Port *p = ports[i];
		uint32_t max = p->has_max ? p->max : p->min;

		if (!(p->name && *p->name) && (!p->has_min || p->min > max || max > UINT16_MAX))
			return err_set(err, -EINVAL, "%s[%zu]: %u:%u is not a range of ports",
			               field, i, p->min, max);
	}
	return 0;
}

static int check_entity(const char *ns, const V3__EntityRule *e, struct err *err)
{
	CLEANUP(selector_unref_p) struct selector *want = NULL;
	CLEANUP(selector_unref_p) struct selector *unwanted = NULL;
	int rc;

	if (!e)
		return 0;
	if ((rc = compose_entity(ns, e, &want, &unwanted, err)) < 0 ||
	    (rc = check_nets(e->nets, e->n_nets, "nets", err)) < 0 ||
	    (rc = check_nets(e->notnets, e->n_notnets, "notNets", err)) < 0 ||
	    (rc = check_ports(e->ports, e->n_ports, "ports", err)) < 0)
		return rc;
	return check_ports(e->notports, e->n_notports, "notPorts", err);
}

int policy_rule_check(const char *ns, const V3__Rule *r, struct err *err)
{
	int rc;

	if (!is_action(r->action))
		return err_set(err, -EINVAL, "action: '%.32s' is not one of Allow, Deny, Log, Pass",
		               r->action ? r->action : "");
	if ((r->protocol && protocol_number(r->protocol) < 0) ||
	    (r->notprotocol && protocol_number(r->notprotocol) < 0))
		return err_set(err, -EINVAL, "protocol: there is none of this name");
	if (r->has_ipversion && r->ipversion != 4 && r->ipversion != 6)
		return err_set(err, -EINVAL, "ipVersion: %lld is neither 4 nor 6",
		               (long long)r->ipversion);
	if ((rc = check_entity(ns, r->source, err)) < 0)
		return err_wrap(err, rc, "source");
	if ((rc = check_entity(ns, r->destination, err)) < 0)
		return err_wrap(err, rc, "destination");
	return 0;
}

/* ---- words */

static void protocol_text(int number, struct buf *out)
{
	const char *name = protocol_name_of_number(number);

	if (name)
		buf_str(out, name);
	else
		buf_printf(out, "%d", number);
}

static void list_text(char *const *items, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n && i < 8; i++)
		buf_printf(out, "%s%s", i ? ", " : "", items[i]);
	if (n > 8)
		buf_printf(out, " and %zu more", n - 8);
}

static void ports_text(V3__Port *const *ports, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n && i < 16; i++) {
		buf_str(out, i ? ", " : "");
		port_str(ports[i], out);
	}
	if (n > 16)
		buf_printf(out, " and %zu more", n - 16);
}

/* ---- one side of a rule */

struct judged {
	const struct policy_world *w;
	const V3__Rule *rule;
	const struct policy_packet *packet;
	const struct policy_side *side;
	const char *what; /* "source" */
	struct buf *why;
};

static const char *address(const struct judged *j, char out[IP_ADDR_STR_MAX])
{
	return ip_addr_str(&j->side->addr, out);
}

static bool selected(const struct judged *j, const struct selector *s)
{
	for (size_t i = 0; i < j->side->n_parties; i++)
		if (policy_selects(j->w, s, j->side->parties[i]))
			return true;
	return false;
}

/* Nets of the other family say nothing, unless there are no others: then the rule is not for this
 * family at all. */
static bool nets_match(const struct judged *j, char *const *nets, size_t n, bool negated)
{
	char text[IP_ADDR_STR_MAX];
	size_t of_family = 0;
	bool in = false;

	for (size_t i = 0; i < n; i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(nets[i], &p) < 0 || p.addr.family != j->side->addr.family)
			continue;
		of_family++;
		p = ip_prefix_network(&p);
		in |= ip_prefix_contains(&p, &j->side->addr);
	}
	if (n && !of_family)
		buf_printf(j->why, "its %s%s are not of %s packets", j->what,
		           negated ? " notNets" : " nets",
		           j->side->addr.family == AF_INET6 ? "IPv6" : "IPv4");
	else if (n && in == negated)
		buf_printf(j->why, "%s %s is %s %s ", j->what, address(j, text),
		           negated ? "in" : "not in", negated ? "notNets" : "nets");
	else
		return true;
	if (of_family)
		list_text(nets, n, j->why);
	return false;
}

/* An endpoint with this address that among selects has a port of this name, and it is the packet's.
 */
static bool named_port_is(const struct judged *j, const char *name, const struct selector *among)
{
	int protocol = protocol_number(j->rule->protocol);

	/* Upstream's choice for protocols without ports, too. */
	if (protocol >= 0 && protocol != IPPROTO_UDP && protocol != IPPROTO_SCTP)
		protocol = IPPROTO_TCP;
	for (size_t i = 0; i < j->side->n_parties; i++) {
		const struct policy_party *p = j->side->parties[i];

		if (!policy_selects(j->w, among, p))
			continue;
		for (size_t k = 0; k < p->n_ports; k++)
			if (strcmp(p->ports[k].name, name) == 0 &&
			    (protocol < 0 || p->ports[k].protocol == protocol) &&
			    p->ports[k].protocol == j->packet->protocol &&
			    p->ports[k].port == j->side->port)
				return true;
	}
	return false;
}

static bool any_port(const struct judged *j, V3__Port *const *ports, size_t n,
                     const struct selector *among)
{
	for (size_t i = 0; i < n; i++) {
		const V3__Port *p = ports[i];
		uint32_t max = p->has_max ? p->max : p->min;

		if (p->name && *p->name ? named_port_is(j, p->name, among)
		                        : j->side->port >= p->min && j->side->port <= max)
			return true;
	}
	return false;
}

static bool ports_match(const struct judged *j, const V3__EntityRule *e,
                        const struct selector *among)
{
	if (e->n_ports && !any_port(j, e->ports, e->n_ports, among)) {
		buf_printf(j->why, "%s port %u is not among ", j->what, j->side->port);
		ports_text(e->ports, e->n_ports, j->why);
		return false;
	}
	if (e->n_notports && any_port(j, e->notports, e->n_notports, among)) {
		buf_printf(j->why, "%s port %u is among notPorts ", j->what, j->side->port);
		ports_text(e->notports, e->n_notports, j->why);
		return false;
	}
	return true;
}

static bool side_matches(const struct judged *j, const char *ns, const V3__EntityRule *e)
{
	CLEANUP(selector_unref_p) struct selector *want = NULL;
	CLEANUP(selector_unref_p) struct selector *unwanted = NULL;
	CLEANUP(selector_unref_p) struct selector *all = NULL;
	char text[IP_ADDR_STR_MAX];

	if (!e)
		return true;
	if (compose_entity(ns, e, &want, &unwanted, NULL) < 0 ||
	    selector_parse("all()", &all, NULL) < 0)
		return false; /* it was checked */
	if (e->services) {
		buf_printf(j->why, "service %s/%s has no endpoints in this datastore",
		           e->services->namespace_ ? e->services->namespace_ : "",
		           e->services->name ? e->services->name : "");
		return false;
	}
	if (!nets_match(j, e->nets, e->n_nets, false) ||
	    !nets_match(j, e->notnets, e->n_notnets, true))
		return false;
	if (want && !selected(j, want)) {
		buf_printf(j->why, "%s %s%s is not selected by %s", j->what, address(j, text),
		           j->side->n_parties ? "" : ", which no endpoint or network set has,",
		           selector_str(want));
		return false;
	}
	if (unwanted && selected(j, unwanted)) {
		buf_printf(j->why, "%s %s is selected by notSelector %s", j->what, address(j, text),
		           selector_str(unwanted));
		return false;
	}
	return ports_match(j, e, want ? want : all);
}

/* ---- the rule as a whole */

static bool has_numeric(V3__Port *const *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(ports[i]->name && *ports[i]->name))
			return true;
	return false;
}

static bool has_ports(const V3__EntityRule *e)
{
	return e && (has_numeric(e->ports, e->n_ports) || has_numeric(e->notports, e->n_notports));
}

/* What the kernel could not be told is left out of it. */
static bool makes_sense(const V3__Rule *r, bool v6, struct buf *why)
{
	int protocol = protocol_number(r->protocol), unwanted = protocol_number(r->notprotocol);
	bool icmp = (r->icmp && r->icmp->has_type) || (r->noticmp && r->noticmp->has_type);

	if ((has_ports(r->source) || has_ports(r->destination)) && !protocol_has_ports(protocol) &&
	    protocol != IPPROTO_UDPLITE)
		buf_str(why, "no packet can match it: it has ports, but no protocol with ports");
	else if (icmp && protocol != (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		buf_printf(why,
		           "no packet can match it: it has an ICMP type, but its protocol is "
		           "not ICMP%s",
		           v6 ? "v6" : "");
	else if (unwanted >= 0 && unwanted == protocol)
		buf_str(why, "no packet can match it: protocol and notProtocol are the same");
	else
		return true;
	return false;
}

static bool version_matches(const V3__Rule *r, bool v6, struct buf *why)
{
	int protocol = protocol_number(r->protocol);
	int version = r->has_ipversion             ? (int)r->ipversion
	              : protocol == IPPROTO_ICMP   ? 4
	              : protocol == IPPROTO_ICMPV6 ? 6
	                                           : 0;

	if (version == 0 || version == (v6 ? 6 : 4))
		return true;
	buf_printf(why, "it is for IPv%d packets", version);
	return false;
}

static bool protocol_matches(const V3__Rule *r, int packet, struct buf *why)
{
	int protocol = protocol_number(r->protocol), unwanted = protocol_number(r->notprotocol);

	if (protocol >= 0 && protocol != packet) {
		buf_str(why, "protocol is ");
		protocol_text(packet, why);
		buf_str(why, ", not ");
		protocol_text(protocol, why);
		return false;
	}
	if (protocol < 0 && unwanted == packet) {
		buf_str(why, "protocol is ");
		protocol_text(packet, why);
		buf_str(why, ", which is its notProtocol");
		return false;
	}
	return true;
}

static bool icmp_is(const V3__IcmpFields *f, const struct policy_packet *p)
{
	return f->type == p->icmp_type && (!f->has_code || f->code == p->icmp_code);
}

static bool icmp_matches(const V3__Rule *r, const struct policy_packet *p, struct buf *why)
{
	bool positive = r->icmp && r->icmp->has_type && !icmp_is(r->icmp, p);
	bool negative = r->noticmp && r->noticmp->has_type && icmp_is(r->noticmp, p);
	const V3__IcmpFields *f = positive ? r->icmp : r->noticmp;

	if (!positive && !negative)
		return true;
	buf_printf(why, "ICMP type is %d, code %d, ", p->icmp_type, p->icmp_code);
	buf_printf(why, positive ? "not type %d" : "which its notICMP has: type %d", (int)f->type);
	if (f->has_code)
		buf_printf(why, ", code %d", (int)f->code);
	return false;
}

bool policy_rule_matches(const struct policy_world *w, const char *ns, const V3__Rule *r,
                         const struct policy_packet *p, struct buf *why)
{
	bool v6 = p->src.addr.family == AF_INET6;
	struct judged src = { w, r, p, &p->src, "source", why };
	struct judged dst = { w, r, p, &p->dst, "destination", why };

	return version_matches(r, v6, why) && makes_sense(r, v6, why) &&
	       protocol_matches(r, p->protocol, why) && icmp_matches(r, p, why) &&
	       side_matches(&src, ns, r->source) && side_matches(&dst, ns, r->destination);
}

/* ---- the rule as text */

static void part(struct buf *out, const char *name, const char *value)
{
	if (value && *value)
		buf_printf(out, " %s %s", name, value);
}

static void accounts_text(const V3__ServiceAccountMatch *m, struct buf *out)
{
	if (!m)
		return;
	part(out, "serviceAccounts", m->selector);
	if (m->n_names)
		buf_str(out, " serviceAccounts ");
	list_text(m->names, m->n_names, out);
}

static void entity_text(const char *word, const V3__EntityRule *e, struct buf *out)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	if (!e)
		return;
	part(&b, "selector", e->selector);
	part(&b, "notSelector", e->notselector);
	part(&b, "namespaceSelector", e->namespaceselector);
	accounts_text(e->serviceaccounts, &b);
	if (e->services)
		buf_printf(&b, " service %s/%s",
		           e->services->namespace_ ? e->services->namespace_ : "",
		           e->services->name ? e->services->name : "");
	if (e->n_nets)
		buf_str(&b, " nets ");
	list_text(e->nets, e->n_nets, &b);
	if (e->n_notnets)
		buf_str(&b, " notNets ");
	list_text(e->notnets, e->n_notnets, &b);
	if (e->n_ports)
		buf_str(&b, " ports ");
	ports_text(e->ports, e->n_ports, &b);
	if (e->n_notports)
		buf_str(&b, " notPorts ");
	ports_text(e->notports, e->n_notports, &b);
	if (b.len)
		buf_printf(out, " %s%s", word, buf_cstr(&b));
}

static void icmp_text(const char *word, const V3__IcmpFields *f, struct buf *out)
{
	if (!f || !f->has_type)
		return;
	buf_printf(out, " %s %d", word, (int)f->type);
	if (f->has_code)
		buf_printf(out, "/%d", (int)f->code);
}

void policy_rule_text(const V3__Rule *r, struct buf *out)
{
	buf_str(out, r->action ? r->action : "?");
	if (r->has_ipversion)
		buf_printf(out, " IPv%d", (int)r->ipversion);
	if (r->protocol) {
		buf_byte(out, ' ');
		protocol_text(protocol_number(r->protocol), out);
	}
	if (r->notprotocol) {
		buf_str(out, " not ");
		protocol_text(protocol_number(r->notprotocol), out);
	}
	icmp_text("type", r->icmp, out);
	icmp_text("notType", r->noticmp, out);
	entity_text("from", r->source, out);
	entity_text("to", r->destination, out);
}
