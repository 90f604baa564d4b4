/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/policy/walk.h"

#include <netinet/in.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/selector.h"
#include "proto/v3_endpoint.pb-c.h"

#define VXLAN_PORT 4789

struct walking {
	const struct policy_world *w;
	const struct policy_party *party;
	const struct policy_packet *packet;
	struct policy_walk *walk;
	bool ingress;
};

static struct policy_step *step(struct policy_walk *k, enum policy_step_kind kind)
{
	if ((k->n_steps & (k->n_steps - 1)) == 0)
		k->steps =
		        xrealloc(k->steps, (k->n_steps ? k->n_steps * 2 : 1) * sizeof(*k->steps));
	k->steps[k->n_steps] = (struct policy_step){ .kind = kind };
	return &k->steps[k->n_steps++];
}

static void decide(struct policy_walk *k, enum policy_verdict v)
{
	k->verdict = v;
	k->decided_by = k->n_steps - 1;
}

static enum policy_verdict verdict_of(const V3__Rule *r)
{
	switch (r->action[0]) {
	case 'A':
		return POLICY_ALLOW;
	case 'D':
		return POLICY_DENY;
	case 'P':
		return POLICY_PASS;
	default: /* Log */
		return POLICY_UNDECIDED;
	}
}

/* The rules of a policy or profile, up to the one that decides. */
static enum policy_verdict walk_rules(struct walking *g, const struct policy_step *of,
                                      const char *ns, const struct policy_rules *rules)
{
	V3__Rule *const *list = g->ingress ? rules->ingress : rules->egress;
	size_t n = g->ingress ? rules->n_ingress : rules->n_egress;
	struct policy_step owner = *of; /* steps move */

	for (size_t i = 0; i < n; i++) {
		CLEANUP(buf_done) struct buf why = { 0 };
		struct policy_step *s = step(g->walk, POLICY_STEP_RULE);

		s->tier = owner.tier;
		s->policy = owner.policy;
		s->profile = owner.profile;
		s->index = i;
		s->rule = list[i];
		s->matched = policy_rule_matches(g->w, ns, list[i], g->packet, &why);
		if (!s->matched) {
			s->text = xstrdup(buf_cstr(&why));
			continue;
		}
		s->verdict = verdict_of(list[i]);
		if (s->verdict != POLICY_UNDECIDED)
			return s->verdict;
	}
	return POLICY_UNDECIDED;
}

/* ---- tiers, once for each class of policy */

enum class {
	CLASS_UNTRACKED,
	CLASS_PRE_DNAT,
	CLASS_NORMAL
};

static enum class class_of(const struct policy_entry *e) {
	return e->untracked ? CLASS_UNTRACKED : e->pre_dnat ? CLASS_PRE_DNAT : CLASS_NORMAL;
}

static bool is_host(const struct policy_party *p)
{
	return p->r->kind == V3__KIND__KIND_HOST_ENDPOINT;
}

/* Of all interfaces: untracked policy is not for it. */
static bool is_wildcard(const struct policy_party *p)
{
	const V3__HostEndpointSpec *s =
	        is_host(p) ? ((const V3__HostEndpoint *)p->r->msg)->spec : NULL;

	return s && s->interfacename && strcmp(s->interfacename, "*") == 0;
}

bool policy_applies(const struct policy_world *w, const struct policy_entry *e,
                    const struct policy_party *p)
{
	enum class class = class_of(e);

	if (class != CLASS_NORMAL && !is_host(p))
		return false;
	return !(class == CLASS_UNTRACKED && is_wildcard(p)) && policy_selects(w, e->sel, p);
}

/* true: decided. */
static bool walk_tier(struct walking *g, const struct policy_tier *t, enum class class)
{
	struct policy_step *s;
	size_t enforced = 0;
	bool begun = false;

	for (size_t i = 0; i < g->w->n_policies; i++) {
		const struct policy_entry *e = &g->w->policies[i];
		enum policy_verdict v;

		if (class_of(e) != class || strcmp(e->tier, t->name) != 0 ||
		    !(g->ingress ? e->ingress : e->egress) || !policy_applies(g->w, e, g->party))
			continue;
		if (!begun)
			step(g->walk, POLICY_STEP_TIER)->tier = t;
		begun = true;
		s = step(g->walk, POLICY_STEP_POLICY);
		s->tier = t;
		s->policy = e;
		v = walk_rules(g, s, e->ns, &e->rules);
		if (e->staged)
			continue;
		enforced++;
		if (v == POLICY_PASS)
			return false;
		if (v != POLICY_UNDECIDED) {
			decide(g->walk, v);
			return true;
		}
	}
	if (!begun)
		return false;
	s = step(g->walk, POLICY_STEP_TIER_END);
	s->tier = t;
	s->verdict =
	        enforced && !t->default_pass && class == CLASS_NORMAL ? POLICY_DENY : POLICY_PASS;
	if (s->verdict != POLICY_DENY)
		return false;
	decide(g->walk, POLICY_DENY);
	return true;
}

static bool walk_class(struct walking *g, enum class class)
{
	for (size_t i = 0; i < g->w->n_tiers; i++)
		if (walk_tier(g, &g->w->tiers[i], class))
			return true;
	return false;
}

/* ---- the rest */

/* true: decided. */
static bool walk_profile(struct walking *g, const char *name)
{
	const struct policy_profile *p = policy_world_profile(g->w, name);
	struct policy_step *s = step(g->walk, POLICY_STEP_PROFILE);
	enum policy_verdict v = POLICY_DENY;

	s->profile = name;
	if (strcmp(name, POLICY_PROFILE_ALLOW) == 0) {
		v = s->verdict = POLICY_ALLOW;
	} else if (p) {
		v = walk_rules(g, s, "", &p->rules);
	} else {
		s->verdict = POLICY_DENY;
		s->text = xstrdup("it does not exist, and so denies everything");
	}
	if (v != POLICY_ALLOW && v != POLICY_DENY)
		return false;
	decide(g->walk, v);
	return true;
}

static void fixed(struct policy_walk *k, enum policy_verdict v, const char *text)
{
	struct policy_step *s = step(k, POLICY_STEP_FIXED);

	s->verdict = v;
	s->matched = true;
	s->text = xstrdup(text);
	decide(k, v);
}

/* A workload that wraps packets by itself would get past the policies of the far side. */
static bool is_encapsulated(const struct walking *g)
{
	if (g->ingress || g->party->r->kind != V3__KIND__KIND_WORKLOAD_ENDPOINT)
		return false;
	if (g->packet->protocol == IPPROTO_UDP && g->packet->dst.port == VXLAN_PORT)
		fixed(g->walk, POLICY_DENY, "VXLAN packets that come from a workload are dropped");
	else if (g->packet->protocol == IPPROTO_IPIP)
		fixed(g->walk, POLICY_DENY, "IPIP packets that come from a workload are dropped");
	else
		return false;
	return true;
}

void policy_walk(const struct policy_world *w, const struct policy_party *party,
                 enum policy_direction direction, const struct policy_packet *packet,
                 struct policy_walk *ret)
{
	struct walking g = { w, party, packet, ret, direction == POLICY_INGRESS };

	*ret = (struct policy_walk){ .direction = direction, .party = party };
	if (is_encapsulated(&g))
		return;
	if (is_host(party) &&
	    (walk_class(&g, CLASS_UNTRACKED) || (g.ingress && walk_class(&g, CLASS_PRE_DNAT))))
		return;
	if (walk_class(&g, CLASS_NORMAL))
		return;
	for (size_t i = 0; i < party->n_profiles; i++)
		if (walk_profile(&g, party->profiles[i]))
			return;
	step(ret, POLICY_STEP_END)->verdict = POLICY_DENY;
	decide(ret, POLICY_DENY);
}

void policy_walk_fixed(const struct policy_party *party, enum policy_direction direction,
                       enum policy_verdict verdict, const char *text, struct policy_walk *ret)
{
	*ret = (struct policy_walk){ .direction = direction, .party = party };
	fixed(ret, verdict, text);
}

void policy_walk_append(struct policy_walk *k, enum policy_verdict verdict, const char *text)
{
	fixed(k, verdict, text);
}

void policy_walk_done(struct policy_walk *k)
{
	for (size_t i = 0; i < k->n_steps; i++)
		free(k->steps[i].text);
	free(k->steps);
	*k = (struct policy_walk){ 0 };
}

const char *policy_verdict_str(enum policy_verdict v)
{
	static const char *const names[] = { "none", "Allow", "Deny", "Pass" };

	return names[v];
}
