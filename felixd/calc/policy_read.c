/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/calc/policy_read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/kind.h"
#include "common/policy/compose.h"
#include "proto/v3_staged.pb-c.h"

KIND_USE(v3__staged_network_policy__descriptor);
KIND_USE(v3__staged_global_network_policy__descriptor);
KIND_USE(v3__staged_kubernetes_network_policy__descriptor);

/* What the kinds of policy have in common, borrowed from the message. */
struct common {
	V3__Rule *const *ingress, *const *egress;
	size_t n_ingress, n_egress;
	char *const *types;
	size_t n_types;
};

/* The fields of this name are in every kind of spec but Kubernetes'. */
#define COMMON(s)                                                                                  \
	(struct common)                                                                            \
	{                                                                                          \
		(s)->ingress, (s)->egress, (s)->n_ingress, (s)->n_egress, (s)->types, (s)->n_types \
	}

double policy_order(bool has, double order)
{
	return has && !isnan(order) ? order : INFINITY;
}

const char *policy_kind_name(model_kind kind)
{
	switch (kind) {
	case V3__KIND__KIND_NETWORK_POLICY:
		return "NetworkPolicy";
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
		return "StagedNetworkPolicy";
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
		return "StagedGlobalNetworkPolicy";
	case V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY:
		return "StagedKubernetesNetworkPolicy";
	default:
		return "GlobalNetworkPolicy";
	}
}

/* ---- parts */

static const char *tier_or_default(const char *s)
{
	return s && *s ? s : "default";
}

/* Types that were left out follow from the rules, as upstream's API fills them in. */
static void directions(const struct common *v, struct policy_read *ret)
{
	for (size_t i = 0; i < v->n_types; i++) {
		ret->ingress |= strcmp(v->types[i], "Ingress") == 0;
		ret->egress |= strcmp(v->types[i], "Egress") == 0;
	}
	if (v->n_types == 0) {
		ret->egress = v->n_egress > 0;
		ret->ingress = v->n_ingress > 0 || v->n_egress == 0;
	}
}

static bool has_hint(char *const *hints, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(hints[i], "AssumeNeededOnEveryNode") == 0)
			return true;
	return false;
}

static void set_class(struct policy_read *ret, bool do_not_track, bool pre_dnat, bool forward)
{
	ret->class = do_not_track ? CALC_POLICY_UNTRACKED
	             : pre_dnat   ? CALC_POLICY_PRE_DNAT
	                          : CALC_POLICY_NORMAL;
	ret->forward = ret->class == CALC_POLICY_NORMAL && forward;
}

static bool is_delete(const char *action)
{
	return action && strcmp(action, "Delete") == 0;
}

static int finish(const struct resource *r, const struct common *v, struct policy_read *ret,
                  struct err *err)
{
	int rc = rules_convert(r->ns ? r->ns : "", v->ingress, v->n_ingress, v->egress, v->n_egress,
	                       &ret->rules, err);

	if (rc < 0) {
		selector_unref(ret->sel);
		free(ret->sel_text);
		return err_wrap(err, rc, "spec");
	}
	directions(v, ret);
	return 1;
}

/* ---- namespaced */

static int read_namespaced(const struct resource *r, const V3__NetworkPolicySpec *s,
                           struct policy_read *ret, struct err *err)
{
	int rc = compose_network_policy(r->ns ? r->ns : "", s, &ret->sel, &ret->sel_text, err);

	if (rc < 0)
		return rc;
	if (!s)
		return finish(r, &(struct common){ 0 }, ret, err);
	ret->tier = tier_or_default(s->tier);
	ret->order = policy_order(s->has_order, s->order);
	ret->everywhere = has_hint(s->performancehints, s->n_performancehints);
	return finish(r, &COMMON(s), ret, err);
}

static int read_staged(const struct resource *r, struct policy_read *ret, struct err *err)
{
	const V3__StagedNetworkPolicySpec *s = ((const V3__StagedNetworkPolicy *)r->msg)->spec;
	V3__NetworkPolicySpec as = V3__NETWORK_POLICY_SPEC__INIT;

	if (!s)
		return read_namespaced(r, NULL, ret, err);
	if (is_delete(s->stagedaction))
		return 0;
	as.tier = s->tier;
	as.has_order = s->has_order;
	as.order = s->order;
	as.ingress = s->ingress;
	as.n_ingress = s->n_ingress;
	as.egress = s->egress;
	as.n_egress = s->n_egress;
	as.types = s->types;
	as.n_types = s->n_types;
	as.selector = s->selector;
	as.serviceaccountselector = s->serviceaccountselector;
	return read_namespaced(r, &as, ret, err);
}

/* ---- global */

static int read_global_spec(const struct resource *r, const V3__GlobalNetworkPolicySpec *s,
                            struct policy_read *ret, struct err *err)
{
	int rc = compose_global_policy(s, &ret->sel, &ret->sel_text, err);

	if (rc < 0)
		return rc;
	if (!s)
		return finish(r, &(struct common){ 0 }, ret, err);
	ret->tier = tier_or_default(s->tier);
	ret->order = policy_order(s->has_order, s->order);
	ret->everywhere = has_hint(s->performancehints, s->n_performancehints);
	set_class(ret, s->donottrack, s->prednat, s->applyonforward);
	return finish(r, &COMMON(s), ret, err);
}

static int read_staged_global(const struct resource *r, struct policy_read *ret, struct err *err)
{
	const V3__StagedGlobalNetworkPolicySpec *s =
	        ((const V3__StagedGlobalNetworkPolicy *)r->msg)->spec;
	V3__GlobalNetworkPolicySpec as = V3__GLOBAL_NETWORK_POLICY_SPEC__INIT;

	if (!s)
		return read_global_spec(r, NULL, ret, err);
	if (is_delete(s->stagedaction))
		return 0;
	as.tier = s->tier;
	as.has_order = s->has_order;
	as.order = s->order;
	as.ingress = s->ingress;
	as.n_ingress = s->n_ingress;
	as.egress = s->egress;
	as.n_egress = s->n_egress;
	as.types = s->types;
	as.n_types = s->n_types;
	as.selector = s->selector;
	as.serviceaccountselector = s->serviceaccountselector;
	as.namespaceselector = s->namespaceselector;
	as.donottrack = s->donottrack;
	as.prednat = s->prednat;
	as.applyonforward = s->applyonforward;
	return read_global_spec(r, &as, ret, err);
}

/* ---- Kubernetes': only whom it applies to matters as long as it is staged, which it always is */

static int add_requirement(struct buf *b, const V3__LabelSelectorRequirement *q, struct err *err)
{
	const char *op = q->operator_ ? q->operator_ : "";
	bool in = strcmp(op, "In") == 0;

	if (!q->key)
		return err_set(err, -EINVAL, "spec.podSelector: an expression without a key");
	if (strcmp(op, "Exists") == 0) {
		buf_printf(b, " && has(%s)", q->key);
		return 0;
	}
	if (strcmp(op, "DoesNotExist") == 0) {
		buf_printf(b, " && ! has(%s)", q->key);
		return 0;
	}
	if (!in && strcmp(op, "NotIn") != 0)
		return err_set(err, -EINVAL, "spec.podSelector: '%.32s' is not an operator", op);
	buf_printf(b, " && %s %s {", q->key, in ? "in" : "not in");
	for (size_t i = 0; i < q->n_values; i++) {
		if (strchr(q->values[i], '\''))
			return err_set(err, -EINVAL, "spec.podSelector: a value with a quote");
		buf_printf(b, "%s '%s'", i ? "," : "", q->values[i]);
	}
	buf_str(b, " }");
	return 0;
}

static int pod_selector(const V3__LabelSelector *s, struct buf *b, struct err *err)
{
	int rc = 0;

	buf_str(b, "projectcalico.org/orchestrator == 'k8s'");
	for (size_t i = 0; s && i < s->n_matchlabels; i++) { /* they come sorted */
		const char *key = s->matchlabels[i]->key, *value = s->matchlabels[i]->value;

		if (!key || (value && strchr(value, '\'')))
			return err_set(err, -EINVAL, "spec.podSelector: a value with a quote");
		buf_printf(b, " && %s == '%s'", key, value ? value : "");
	}
	for (size_t i = 0; s && rc == 0 && i < s->n_matchexpressions; i++)
		rc = add_requirement(b, s->matchexpressions[i], err);
	return rc;
}

static int read_staged_kubernetes(const struct resource *r, struct policy_read *ret,
                                  struct err *err)
{
	const V3__StagedKubernetesNetworkPolicySpec *s =
	        ((const V3__StagedKubernetesNetworkPolicy *)r->msg)->spec;
	CLEANUP(buf_done) struct buf selector = { 0 };
	V3__NetworkPolicySpec as = V3__NETWORK_POLICY_SPEC__INIT;
	static char ingress[] = "Ingress";
	char *types[] = { ingress };
	int rc;

	if (s && is_delete(s->stagedaction))
		return 0;
	if ((rc = pod_selector(s ? s->podselector : NULL, &selector, err)) < 0)
		return rc;
	as.has_order = true;
	as.order = 1000;
	as.types = s && s->n_policytypes ? s->policytypes : types;
	as.n_types = s && s->n_policytypes ? s->n_policytypes : 1;
	as.selector = (char *)buf_cstr(&selector);
	return read_namespaced(r, &as, ret, err);
}

int policy_read(const struct resource *r, struct policy_read *ret, struct err *err)
{
	*ret = (struct policy_read){ .tier = "default", .order = INFINITY };
	switch (r->kind) {
	case V3__KIND__KIND_NETWORK_POLICY:
		return read_namespaced(r, ((const V3__NetworkPolicy *)r->msg)->spec, ret, err);
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
		return read_global_spec(r, ((const V3__GlobalNetworkPolicy *)r->msg)->spec, ret,
		                        err);
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
		ret->staged = true;
		return read_staged(r, ret, err);
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
		ret->staged = true;
		return read_staged_global(r, ret, err);
	default:
		ret->staged = true;
		return read_staged_kubernetes(r, ret, err);
	}
}
