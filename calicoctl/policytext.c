/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet's journey, for people and as JSON. */
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>

#include "calicoctl/policy.h"
#include "calicoctl/visible.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"

static const char *direction_name(enum policy_direction d)
{
	return d == POLICY_INGRESS ? "ingress" : "egress";
}

static void policy_name(const struct policy_entry *e, struct buf *out)
{
	buf_printf(out, "%s ", e->kind);
	if (*e->ns) {
		visible_add(out, e->ns, false);
		buf_byte(out, '/');
	}
	visible_add(out, e->r->name, false);
}

static void rule_text(const V3__Rule *r, struct buf *out)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	policy_rule_text(r, &text);
	visible_add(out, buf_cstr(&text), false);
}

/* ---- counters: a list of {kind, namespace, name, direction, rules: [{index, packets, bytes}]} */

static bool is(const struct json *j, const char *key, const char *value)
{
	const char *s = json_str(json_get(j, key));

	return s && strcmp(s, value) == 0;
}

/* Sums, of both families. false: this node's felixd has no such rule, or the endpoint is another
 * node's. */
static bool count(const struct policy_counters *from, const struct policy_walk *walk,
                  const struct policy_step *s, uint64_t *ret_packets, uint64_t *ret_bytes)
{
	const struct json *counters = from->list;
	bool found = false;

	if (!from->node || strcmp(from->node, walk->party->node) != 0)
		return false;
	*ret_packets = *ret_bytes = 0;
	for (size_t i = 0; counters && i < counters->len; i++) {
		const struct json *c = counters->items[i], *rules = json_get(c, "rules");

		if (!is(c, "kind", s->policy ? s->policy->kind : "Profile") ||
		    !is(c, "namespace", s->policy ? s->policy->ns : "") ||
		    !is(c, "name", s->policy ? s->policy->r->name : s->profile) ||
		    !is(c, "direction", direction_name(walk->direction)))
			continue;
		for (size_t k = 0; rules && k < rules->len; k++) {
			uint64_t index, packets, bytes;

			if (json_u64(json_get(rules->items[k], "index"), &index) == 0 &&
			    json_u64(json_get(rules->items[k], "packets"), &packets) == 0 &&
			    json_u64(json_get(rules->items[k], "bytes"), &bytes) == 0 &&
			    index == s->index) {
				*ret_packets += packets;
				*ret_bytes += bytes;
				found = true;
			}
		}
	}
	return found;
}

/* ---- for people */

static void party_of_end(const struct policy_end *e, const struct policy_side *side,
                         struct buf *out)
{
	if (e->party) {
		policy_party_text(e->party, out);
	} else if (e->is_host) {
		buf_str(out, "node ");
		visible_add(out, e->node, false);
		buf_str(out, ", without a host endpoint");
	} else {
		buf_str(out, "no endpoint");
		for (size_t i = 0; i < side->n_parties; i++) {
			buf_str(out, ", in ");
			buf_printf(out, "%s ", kind_info(side->parties[i]->r->kind)->name);
			visible_add(out, side->parties[i]->r->name, false);
		}
	}
}

static void packet_text(const struct policy_journey *j, struct buf *out)
{
	const struct policy_packet *p = &j->packet;
	const char *name = protocol_name_of_number(p->protocol);
	bool ports = protocol_has_ports(p->protocol) || p->protocol == IPPROTO_UDPLITE;
	char text[IP_ADDR_STR_MAX];

	if (name)
		buf_printf(out, "Packet: %s", name);
	else
		buf_printf(out, "Packet: protocol %d", p->protocol);
	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6)
		buf_printf(out, " type %d code %d", p->icmp_type, p->icmp_code);
	buf_printf(out, "\n  from %s", ip_addr_str(&p->src.addr, text));
	if (ports)
		buf_printf(out, " port %u", p->src.port);
	buf_str(out, " (");
	party_of_end(&j->from, &p->src, out);
	buf_printf(out, ")\n  to %s", ip_addr_str(&p->dst.addr, text));
	if (ports)
		buf_printf(out, " port %u", p->dst.port);
	buf_str(out, " (");
	party_of_end(&j->to, &p->dst, out);
	buf_str(out, ")\n");
}

static void order_text(double order, struct buf *out)
{
	if (isinf(order))
		buf_str(out, "no order");
	else
		buf_printf(out, "order %.15g", order);
}

static void tier_text(const struct policy_tier *t, struct buf *out)
{
	buf_str(out, "  Tier ");
	visible_add(out, t->name, false);
	if (!t->exists)
		buf_str(out, " (no such Tier: comes last, denies by default)\n");
	else {
		buf_str(out, " (");
		order_text(t->order, out);
		buf_printf(out, ", default action %s)\n", t->default_pass ? "Pass" : "Deny");
	}
}

static void rule_step_text(const struct policy_walk *k, size_t i,
                           const struct policy_counters *counters, struct buf *out)
{
	const struct policy_step *s = &k->steps[i];
	uint64_t packets, bytes;

	buf_printf(out, "      %s[%zu] ", direction_name(k->direction), s->index);
	rule_text(s->rule, out);
	if (!s->matched) {
		buf_str(out, "\n        does not match: ");
		visible_add(out, s->text, false);
	} else if (s->policy && s->policy->staged) {
		buf_str(out, "\n        matches, but is staged: decides nothing");
	} else if (s->verdict == POLICY_UNDECIDED) {
		buf_str(out, "\n        matches: logged, goes on");
	} else {
		buf_printf(out, "\n        matches: %s", policy_verdict_str(s->verdict));
	}
	if (s->matched && count(counters, k, s, &packets, &bytes))
		buf_printf(out, " (%" PRIu64 " packets, %" PRIu64 " bytes so far)", packets, bytes);
	buf_byte(out, '\n');
}

static void step_text(const struct policy_walk *k, size_t i, const struct policy_counters *counters,
                      struct buf *out)
{
	const struct policy_step *s = &k->steps[i];

	switch (s->kind) {
	case POLICY_STEP_FIXED:
		buf_printf(out, "  %s\n", s->text);
		break;
	case POLICY_STEP_TIER:
		tier_text(s->tier, out);
		break;
	case POLICY_STEP_POLICY:
		buf_str(out, "    ");
		policy_name(s->policy, out);
		buf_str(out, " (");
		order_text(s->policy->order, out);
		buf_str(out, s->policy->staged ? ", staged)\n" : ")\n");
		break;
	case POLICY_STEP_RULE:
		rule_step_text(k, i, counters, out);
		break;
	case POLICY_STEP_TIER_END:
		buf_printf(out, "    no policy decided: %s\n",
		           s->verdict == POLICY_DENY ? "Deny" : "on to what follows");
		break;
	case POLICY_STEP_PROFILE:
		buf_str(out, "  Profile ");
		visible_add(out, s->profile, false);
		if (s->text)
			buf_printf(out, ": %s", s->text);
		else if (s->verdict == POLICY_ALLOW)
			buf_str(out, ": allows everything");
		buf_byte(out, '\n');
		break;
	case POLICY_STEP_END:
		buf_str(out, "  no profile allowed it: Deny\n");
		break;
	}
}

/* What decided, in words. */
static void decision_text(const struct policy_walk *k, struct buf *out)
{
	const struct policy_step *s = &k->steps[k->decided_by];

	switch (s->kind) {
	case POLICY_STEP_RULE:
		buf_printf(out, "rule %s[%zu] of ", direction_name(k->direction), s->index);
		if (s->policy) {
			policy_name(s->policy, out);
			break;
		}
		/* fallthrough */
	case POLICY_STEP_PROFILE:
		buf_str(out, "Profile ");
		visible_add(out, s->profile, false);
		break;
	case POLICY_STEP_TIER_END:
		buf_str(out, "the default action of tier ");
		visible_add(out, s->tier->name, false);
		break;
	case POLICY_STEP_FIXED:
		buf_str(out, "felixd itself");
		break;
	default:
		buf_str(out, "the absence of a profile that allows it");
	}
}

void policy_journey_text(const struct policy_journey *j, const struct policy_counters *counters,
                         struct buf *out)
{
	packet_text(j, out);
	for (size_t i = 0; i < j->n_walks; i++) {
		const struct policy_walk *k = &j->walks[i];

		buf_printf(out, "\n%s of ", k->direction == POLICY_INGRESS ? "Ingress" : "Egress");
		policy_party_text(k->party, out);
		buf_str(out, ":\n");
		for (size_t n = 0; n < k->n_steps; n++)
			step_text(k, n, counters, out);
		buf_printf(out, "  => %s, by ", policy_verdict_str(k->verdict));
		decision_text(k, out);
		buf_byte(out, '\n');
	}
	if (j->n_walks == 0)
		buf_str(out, "\nNeither end is an endpoint that policies apply to.\n");
	buf_printf(out, "\nResult: %s\n", j->allowed ? "allowed" : "denied");
}

/* ---- as JSON */

static void step_json(const struct policy_walk *k, const struct policy_step *s,
                      const struct policy_counters *counters, struct jsonw *w)
{
	static const char *const kinds[] = {
		[POLICY_STEP_FIXED] = "fixed",      [POLICY_STEP_TIER] = "tier",
		[POLICY_STEP_POLICY] = "policy",    [POLICY_STEP_RULE] = "rule",
		[POLICY_STEP_TIER_END] = "default", [POLICY_STEP_PROFILE] = "profile",
		[POLICY_STEP_END] = "noProfile",
	};
	uint64_t packets, bytes;

	jsonw_str(w, "step", kinds[s->kind]);
	if (s->tier)
		jsonw_str(w, "tier", s->tier->name);
	if (s->policy) {
		jsonw_str(w, "kind", s->policy->kind);
		if (*s->policy->ns)
			jsonw_str(w, "namespace", s->policy->ns);
		jsonw_str(w, "name", s->policy->r->name);
		if (s->policy->staged)
			jsonw_bool(w, "staged", true);
	}
	if (s->profile)
		jsonw_str(w, "profile", s->profile);
	if (s->kind == POLICY_STEP_RULE) {
		CLEANUP(buf_done) struct buf text = { 0 };

		policy_rule_text(s->rule, &text);
		jsonw_u64(w, "index", s->index);
		jsonw_str(w, "rule", buf_cstr(&text));
		jsonw_bool(w, "matched", s->matched);
		if (s->matched && count(counters, k, s, &packets, &bytes)) {
			jsonw_u64(w, "packets", packets);
			jsonw_u64(w, "bytes", bytes);
		}
	}
	if (s->text)
		jsonw_str(w, s->kind == POLICY_STEP_FIXED ? "what" : "why", s->text);
	if (s->verdict != POLICY_UNDECIDED)
		jsonw_str(w, "verdict", policy_verdict_str(s->verdict));
}

static void walk_json(const struct policy_walk *k, const struct policy_counters *counters,
                      struct jsonw *w)
{
	jsonw_object(w, NULL);
	jsonw_str(w, "direction", direction_name(k->direction));
	jsonw_str(w, "kind", kind_info(k->party->r->kind)->name);
	if (k->party->r->ns)
		jsonw_str(w, "namespace", k->party->r->ns);
	jsonw_str(w, "name", k->party->r->name);
	jsonw_str(w, "node", k->party->node);
	jsonw_str(w, "verdict", policy_verdict_str(k->verdict));
	jsonw_object(w, "decidedBy");
	step_json(k, &k->steps[k->decided_by], counters, w);
	jsonw_end_object(w);
	jsonw_array(w, "steps");
	for (size_t i = 0; i < k->n_steps; i++) {
		jsonw_object(w, NULL);
		step_json(k, &k->steps[i], counters, w);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
	jsonw_end_object(w);
}

void policy_journey_json(const struct policy_journey *j, const struct policy_counters *counters,
                         struct buf *out)
{
	const struct policy_packet *p = &j->packet;
	char text[IP_ADDR_STR_MAX];
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_bool(&w, "allowed", j->allowed);
	jsonw_object(&w, "packet");
	jsonw_str(&w, "source", ip_addr_str(&p->src.addr, text));
	jsonw_str(&w, "destination", ip_addr_str(&p->dst.addr, text));
	jsonw_i64(&w, "protocol", p->protocol);
	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
		jsonw_i64(&w, "icmpType", p->icmp_type);
		jsonw_i64(&w, "icmpCode", p->icmp_code);
	} else {
		jsonw_u64(&w, "sourcePort", p->src.port);
		jsonw_u64(&w, "destinationPort", p->dst.port);
	}
	jsonw_end_object(&w);
	jsonw_array(&w, "walks");
	for (size_t i = 0; i < j->n_walks; i++)
		walk_json(&j->walks[i], counters, &w);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	buf_byte(out, '\n');
}
