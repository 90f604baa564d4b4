/* SPDX-License-Identifier: BSD-2-Clause */
/* NetworkPolicy, GlobalNetworkPolicy, Profile, Tier, NetworkSet, GlobalNetworkSet. Their rules are
 * in validate_traffic.c. */
#include "common/model/validate_policy.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"

#define NAMESPACE_LABEL "projectcalico.org/namespace"

/* ---- policies */

static void check_types(const struct policy_view *s, const struct path *p, struct violations *v)
{
	CLEANUP(free_p) char *name = xasprintf("%s.Types", s->spec);
	CLEANUP(buf_done) struct buf text = { 0 };
	struct path types = { p, "types", 0 };

	list_str(s->types, s->n_types, &text);
	for (size_t i = 1; i < s->n_types; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(s->types[i], s->types[k]) == 0) {
				violate_as(v, &types, name, buf_cstr(&text),
				           "'%s' type specified more than once", s->types[i]);
				break;
			}
}

static void fail_services(const V3__ServiceMatch *services, const struct path *side,
                          const char *reason, struct violations *v)
{
	struct path here = { side, "services", 0 };
	CLEANUP(free_p)
	char *text = xasprintf("&{%s %s}", services->name ? services->name : "",
	                       services->namespace_ ? services->namespace_ : "");

	violate_as(v, &here, "Services", text, "%s", reason);
}

static void check_egress(const struct policy_view *s, const struct path *p, struct violations *v)
{
	struct path egress = { p, "egress", 0 };

	for (size_t i = 0; i < s->n_egress; i++) {
		const V3__Rule *rule = s->egress[i];
		struct path here = { &egress, NULL, i };
		struct path source = { &here, "source", 0 }, http = { &here, "http", 0 };
		CLEANUP(buf_done) struct buf text = { 0 };

		if (rule->source && rule->source->services)
			fail_services(rule->source->services, &source,
			              "not allowed in egress rule source", v);
		if (!rule->http)
			continue;
		buf_byte(&text, '&');
		http_str(rule->http, &text);
		violate_as(v, &http, "HTTP", buf_cstr(&text), "not allowed in egress rule%s",
		           s->global ? "s" : "");
	}
}

static void check_ingress(const struct policy_view *s, const struct path *p, struct violations *v)
{
	struct path ingress = { p, "ingress", 0 };

	for (size_t i = 0; i < s->n_ingress; i++) {
		const V3__EntityRule *d = s->ingress[i]->destination;
		struct path here = { &ingress, NULL, i };
		struct path destination = { &here, "destination", 0 };

		if (d && d->services)
			fail_services(d->services, &destination,
			              "not allowed in ingress rule destination", v);
	}
}

/* A policy without a namespace has to say whose services it means. */
static void check_service_namespaces(V3__Rule *const *rules, size_t n, bool ingress,
                                     const struct path *p, struct violations *v)
{
	for (size_t i = 0; i < n; i++) {
		const V3__EntityRule *e = ingress ? rules[i]->source : rules[i]->destination;
		struct path rule = { p, NULL, i };
		struct path side = { &rule, ingress ? "source" : "destination", 0 };
		struct path services = { &side, "services", 0 };

		if (e && e->services && !text_given(e->services->namespace_))
			violate_as(v, &services, "Namespace", "", "must specify a namespace");
	}
}

void check_policy(const struct policy_view *s, const struct path *p, struct violations *v)
{
	struct path ingress = { p, "ingress", 0 }, egress = { p, "egress", 0 };

	check_types(s, p, v);
	check_egress(s, p, v);
	check_ingress(s, p, v);
	if (!s->global)
		return;
	check_service_namespaces(s->egress, s->n_egress, false, &egress, v);
	check_service_namespaces(s->ingress, s->n_ingress, true, &ingress, v);
}

void cel_selectors(const struct policy_view *s, const struct path *p, struct violations *v)
{
	const char *const selectors[] = { s->selector, s->service_account_selector,
		                          s->namespace_selector };

	for (size_t i = 0; i < ARRAY_SIZE(selectors); i++)
		if (selectors[i] && text_has_global(selectors[i]))
			violate(v, p, NULL, GLOBAL_MISPLACED);
}

void cel_global_policy(const struct policy_view *s, const struct path *p, struct violations *v)
{
	bool egress_type = false;

	for (size_t i = 0; i < s->n_types; i++)
		egress_type = egress_type || strcmp(s->types[i], "Egress") == 0;
	if (s->do_not_track && s->pre_dnat)
		violate(v, p, NULL, "preDNAT and doNotTrack cannot both be true");
	if (s->pre_dnat && s->n_egress > 0)
		violate(v, p, NULL, "preDNAT policy cannot have any egress rules");
	if (s->pre_dnat && egress_type)
		violate(v, p, NULL, "preDNAT policy cannot have 'Egress' type");
	if ((s->do_not_track || s->pre_dnat) && !s->apply_on_forward)
		violate(v, p, NULL,
		        "applyOnForward must be true if either preDNAT or doNotTrack is true");
	cel_selectors(s, p, v);
}

static struct policy_view view_policy(const V3__NetworkPolicySpec *s)
{
	return POLICY_VIEW(s);
}

static struct policy_view view_global(const V3__GlobalNetworkPolicySpec *s)
{
	return GLOBAL_POLICY_VIEW(s);
}

static void check_network_policy(const ProtobufCMessage *m, const struct path *p,
                                 struct violations *v)
{
	const V3__NetworkPolicy *policy = (const V3__NetworkPolicy *)m;
	struct path spec = { p, "spec", 0 };
	struct policy_view view;

	check_meta_of_policy(policy->metadata, v);
	if (!policy->spec)
		return;
	view = view_policy(policy->spec);
	check_policy(&view, &spec, v);
}

static void cel_network_policy(const ProtobufCMessage *m, const struct path *p,
                               struct violations *v)
{
	struct policy_view view = view_policy((const V3__NetworkPolicySpec *)m);

	cel_selectors(&view, p, v);
}

static void check_global_network_policy(const ProtobufCMessage *m, const struct path *p,
                                        struct violations *v)
{
	const V3__GlobalNetworkPolicy *policy = (const V3__GlobalNetworkPolicy *)m;
	struct path spec = { p, "spec", 0 };
	struct policy_view view;

	check_meta_of_global_policy(policy->metadata, v);
	if (!policy->spec)
		return;
	view = view_global(policy->spec);
	check_policy(&view, &spec, v);
}

static void cel_global_network_policy(const ProtobufCMessage *m, const struct path *p,
                                      struct violations *v)
{
	struct policy_view view = view_global((const V3__GlobalNetworkPolicySpec *)m);

	cel_global_policy(&view, p, v);
}

/* ---- tiers */

static const struct built_in {
	const char *name, *action;
	double order;
} built_in[] = {
	{ "default", "Deny", 1000000 },
	{ "kube-admin", "Pass", 1000 },
	{ "kube-baseline", "Pass", 10000000 },
};

static void check_tier(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	(void)p;
	check_meta_of_tier(((const V3__Tier *)m)->metadata, v);
}

/* Upstream's schema knows two sets of actions here, and says which of them do not fit. */
static void check_action(const V3__Tier *t, const struct path *p, struct violations *v)
{
	static const char *const all[] = { "Allow", "Deny", "Log", "Pass" };
	const char *action = t->spec && t->spec->defaultaction ? t->spec->defaultaction : "Deny";
	struct path spec = { p, "spec", 0 }, here = { &spec, "defaultAction", 0 };
	bool known = false;

	if (text_is(action, "Deny") || text_is(action, "Pass"))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		known = known || text_is(action, all[i]);
	if (!known)
		violate(v, &here, NULL, "supported values: \"Allow\", \"Deny\", \"Log\", \"Pass\"");
	violate(v, &here, NULL, "supported values: \"Pass\", \"Deny\"");
	violate(v, p, NULL, "\"spec.defaultAction\" must validate all the schemas (allOf)%s",
	        known ? "" : ". None validated");
}

static void cel_tier(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__Tier *t = (const V3__Tier *)m;

	check_action(t, p, v);
	for (size_t i = 0; i < ARRAY_SIZE(built_in); i++) {
		const struct built_in *b = &built_in[i];

		if (!t->spec || !t->metadata || !text_is(t->metadata->name, b->name))
			continue;
		if (!text_is(t->spec->defaultaction, b->action))
			violate(v, p, NULL, "The '%s' tier must have default action '%s'", b->name,
			        b->action);
		if (!t->spec->has_order || t->spec->order != b->order)
			violate(v, p, NULL, "%s tier order must be %.0f", b->name, b->order);
	}
}

/* ---- network sets */

static void check_set_labels(const V3__ObjectMeta *meta, const struct path *p, struct violations *v)
{
	struct path metadata = { p, "metadata", 0 };
	struct path labels = { &metadata, "labels", 0 };
	struct path here = { &labels, NAMESPACE_LABEL, 0 };

	if (meta && meta_get(meta->n_labels, meta->labels, NAMESPACE_LABEL))
		violate_as(v, &here, "Metadata.Labels (label)", NAMESPACE_LABEL,
		           NAMESPACE_LABEL " is not a valid label name");
}

static void check_network_set(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	check_set_labels(((const V3__NetworkSet *)m)->metadata, p, v);
}

static void check_global_network_set(const ProtobufCMessage *m, const struct path *p,
                                     struct violations *v)
{
	check_set_labels(((const V3__GlobalNetworkSet *)m)->metadata, p, v);
}

/* clang-format off */
const struct message_rule policy_rules[] = {
	{ &v3__network_policy__descriptor, .check = check_network_policy },
	{ &v3__network_policy_spec__descriptor, FIELDS(POLICY_FIELDS), .cel = cel_network_policy },
	{ &v3__global_network_policy__descriptor, .check = check_global_network_policy },
	{ &v3__global_network_policy_spec__descriptor, FIELDS(POLICY_FIELDS, GLOBAL_POLICY_FIELDS),
	  .cel = cel_global_network_policy },
	{ &v3__profile_spec__descriptor, FIELDS(
		{ "labelsToApply", .list_tag = &list_tag_labels }) },
	{ &v3__tier__descriptor, .check = check_tier, .cel = cel_tier },
	{ &v3__tier_spec__descriptor, FIELDS(
		{ "defaultAction", .flags = FIELD_ONEOF | FIELD_EMPTY | FIELD_NO_SCHEMA, WORDS("Pass", "Deny") }) },
	{ &v3__network_set__descriptor, .check = check_network_set },
	{ &v3__global_network_set__descriptor, .check = check_global_network_set },
	{ &v3__network_set_spec__descriptor, FIELDS(
		{ "nets", .tag = &tag_cidr }) },
	{ .message = NULL },
};
/* clang-format on */
