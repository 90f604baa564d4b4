/* SPDX-License-Identifier: BSD-2-Clause */
/* StagedNetworkPolicy, StagedGlobalNetworkPolicy, StagedKubernetesNetworkPolicy. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_policy.h"
#include "common/net/addr.h"
#include "proto/v3_staged.pb-c.h"

static struct policy_view view_policy(const V3__StagedNetworkPolicySpec *s)
{
	return POLICY_VIEW(s);
}

static struct policy_view view_global(const V3__StagedGlobalNetworkPolicySpec *s)
{
	return GLOBAL_POLICY_VIEW(s);
}

static bool is_delete(const char *action)
{
	return action && strcmp(action, "Delete") == 0;
}

static bool is_empty(const struct policy_view *s, bool has_order, size_t n_hints)
{
	return s->n_ingress == 0 && s->n_egress == 0 && s->n_types == 0 && n_hints == 0 &&
	       !has_order && !text_given(s->selector) && !text_given(s->service_account_selector) &&
	       !text_given(s->namespace_selector) && !s->do_not_track && !s->pre_dnat &&
	       !s->apply_on_forward;
}

/* The whole spec is upstream's value here, pointers and all: nothing that one could read. */
static void fail_delete(struct violations *v, const struct path *spec, const char *name,
                        const char *but)
{
	violate_as(v, spec, name, NULL,
	           "Spec fields%s should all be zero-value if stagedAction is Delete", but);
}

static void check_staged(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__StagedNetworkPolicy *policy = (const V3__StagedNetworkPolicy *)m;
	const V3__StagedNetworkPolicySpec *s = policy->spec;
	struct path spec = { p, "spec", 0 };
	struct policy_view view;

	check_meta_of_policy(policy->metadata, v);
	if (!s)
		return;
	view = view_policy(s);
	if (!is_delete(s->stagedaction))
		check_policy(&view, &spec, v);
	else if (!is_empty(&view, s->has_order, s->n_performancehints))
		fail_delete(v, &spec, "StagedNetworkPolicySpec", ", except Tier,");
}

static void cel_staged(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	struct policy_view view = view_policy((const V3__StagedNetworkPolicySpec *)m);

	cel_selectors(&view, p, v);
}

static void check_staged_global(const ProtobufCMessage *m, const struct path *p,
                                struct violations *v)
{
	const V3__StagedGlobalNetworkPolicy *policy = (const V3__StagedGlobalNetworkPolicy *)m;
	const V3__StagedGlobalNetworkPolicySpec *s = policy->spec;
	struct path spec = { p, "spec", 0 };
	struct policy_view view;

	check_meta_of_global_policy(policy->metadata, v);
	if (!s)
		return;
	view = view_global(s);
	if (!is_delete(s->stagedaction))
		check_policy(&view, &spec, v);
	else if (!is_empty(&view, s->has_order, s->n_performancehints))
		fail_delete(v, &spec, "StagedGlobalNetworkPolicySpec", ", except Tier,");
}

static void cel_staged_global(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	struct policy_view view = view_global((const V3__StagedGlobalNetworkPolicySpec *)m);

	cel_global_policy(&view, p, v);
}

/* ---- Kubernetes': upstream's client looks at what its own policy would be. What it then stumbles
 * over has the JSON path here. */

static void check_kubernetes_port(const ProtobufCMessage *m, const struct path *p,
                                  struct violations *v)
{
	const V3__KubernetesPolicyPort *port = (const V3__KubernetesPolicyPort *)m;
	struct path number = { p, "port", 0 }, end = { p, "endPort", 0 };
	char text[16];

	if (!port->port || port->port->text) {
		if (port->has_endport && port->port)
			violate(v, &end, NULL, "a named port has no range");
		return;
	}
	if (port->port->number < 1 || port->port->number > UINT16_MAX) {
		(void)snprintf(text, sizeof(text), "%d", port->port->number);
		violate(v, &number, text,
		        "port range invalid, port number must be between 1 and 65535");
	} else if (port->has_endport &&
	           (port->endport < port->port->number || port->endport > UINT16_MAX)) {
		(void)snprintf(text, sizeof(text), "%d", port->endport);
		violate(v, &end, text, "port range invalid");
	}
}

static void check_kubernetes(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__StagedKubernetesNetworkPolicy *policy =
	        (const V3__StagedKubernetesNetworkPolicy *)m;
	const V3__StagedKubernetesNetworkPolicySpec *s = policy->spec;
	struct path spec = { p, "spec", 0 };
	bool empty;

	check_meta_of_kubernetes_policy(policy->metadata, v);
	if (!s)
		return;
	empty = (!s->podselector ||
	         (s->podselector->n_matchlabels == 0 && s->podselector->n_matchexpressions == 0)) &&
	        s->n_ingress == 0 && s->n_egress == 0 && s->n_policytypes == 0;
	if (is_delete(s->stagedaction) && !empty)
		fail_delete(v, &spec, "StagedKubernetesNetworkPolicySpec", "");
}

/* clang-format off */
const struct message_rule staged_rules[] = {
	{ &v3__staged_network_policy__descriptor, .check = check_staged },
	{ &v3__staged_network_policy_spec__descriptor, FIELDS(STAGED_FIELDS, POLICY_FIELDS), .cel = cel_staged },
	{ &v3__staged_global_network_policy__descriptor, .check = check_staged_global },
	{ &v3__staged_global_network_policy_spec__descriptor,
	  FIELDS(STAGED_FIELDS, POLICY_FIELDS, GLOBAL_POLICY_FIELDS), .cel = cel_staged_global },
	{ &v3__staged_kubernetes_network_policy__descriptor, .check = check_kubernetes },
	{ &v3__staged_kubernetes_network_policy_spec__descriptor, FIELDS(
		STAGED_FIELDS,
		{ "policyTypes", .items = 2 }) },
	{ &v3__kubernetes_policy_port__descriptor, .check = check_kubernetes_port },
	{ .message = NULL },
};
/* clang-format on */
