/* SPDX-License-Identifier: BSD-2-Clause */
/* What is filled in where an object is silent, as upstream's client and its schema do on every
 * write. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"
#include "common/model/validate.h"
#include "common/net/addr.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_policy.pb-c.h"
#include "proto/v3_staged.pb-c.h"

#define TIER_LABEL "projectcalico.org/tier"
#define NAMESPACE_LABEL "projectcalico.org/namespace"
#define ORCHESTRATOR_LABEL "projectcalico.org/orchestrator"
#define TIER_ORDER 1000000

#define KUBE_CONTROLLERS_METRICS_PORT 9094
#define LEAK_GRACE_NS (INT64_C(15) * 60 * 1000000000)

static void default_str(char **field, const char *value)
{
	if (!*field || **field == '\0')
		msg_set_str(field, value);
}

static void clear_list(size_t *n, char ***list)
{
	for (size_t i = 0; i < *n; i++)
		free((*list)[i]);
	free(*list);
	*list = NULL;
	*n = 0;
}

static void set_list(size_t *n, char ***list, const char *first, const char *second)
{
	clear_list(n, list);
	*n = second ? 2 : 1;
	*list = xcalloc(*n, sizeof(**list));
	(*list)[0] = xstrdup(first);
	if (second)
		(*list)[1] = xstrdup(second);
}

static void default_types(size_t *n, char ***types, size_t n_ingress, size_t n_egress)
{
	if (*n > 0)
		return;
	if (n_egress == 0)
		set_list(n, types, "Ingress", NULL);
	else if (n_ingress == 0)
		set_list(n, types, "Egress", NULL);
	else
		set_list(n, types, "Ingress", "Egress");
}

static void default_network_policy(V3__NetworkPolicy *p)
{
	default_str(&p->spec->tier, "default");
	default_types(&p->spec->n_types, &p->spec->types, p->spec->n_ingress, p->spec->n_egress);
	meta_set(&p->metadata->n_labels, &p->metadata->labels, TIER_LABEL, p->spec->tier);
}

static void default_global_policy(V3__GlobalNetworkPolicy *p)
{
	default_str(&p->spec->tier, "default");
	default_types(&p->spec->n_types, &p->spec->types, p->spec->n_ingress, p->spec->n_egress);
	meta_set(&p->metadata->n_labels, &p->metadata->labels, TIER_LABEL, p->spec->tier);
}

/* The same of the staged ones: without types, when the policy is to be deleted. */
static void default_staged(V3__StagedNetworkPolicy *p)
{
	V3__StagedNetworkPolicySpec *s = p->spec;

	default_str(&s->stagedaction, "Set");
	default_str(&s->tier, "default");
	if (strcmp(s->stagedaction, "Delete") == 0)
		clear_list(&s->n_types, &s->types);
	else
		default_types(&s->n_types, &s->types, s->n_ingress, s->n_egress);
	meta_set(&p->metadata->n_labels, &p->metadata->labels, TIER_LABEL, s->tier);
}

static void default_staged_global(V3__StagedGlobalNetworkPolicy *p)
{
	V3__StagedGlobalNetworkPolicySpec *s = p->spec;

	default_str(&s->stagedaction, "Set");
	default_str(&s->tier, "default");
	if (strcmp(s->stagedaction, "Delete") == 0)
		clear_list(&s->n_types, &s->types);
	else
		default_types(&s->n_types, &s->types, s->n_ingress, s->n_egress);
	meta_set(&p->metadata->n_labels, &p->metadata->labels, TIER_LABEL, s->tier);
}

/* A CIDR in canonical form; one with host bits stays, for validation to refuse. */
static void canonical_cidr(char **cidr)
{
	char text[IP_PREFIX_STR_MAX];
	struct ip_prefix p;

	if (*cidr && strchr(*cidr, '/') && ip_prefix_parse(*cidr, &p) == 0)
		msg_set_str(cidr, ip_prefix_str(&p, text));
}

static void default_pool(V3__IpPoolSpec *s)
{
	struct ip_prefix p;

	canonical_cidr(&s->cidr);
	default_str(&s->vxlanmode, "Never");
	default_str(&s->ipipmode, "Never");
	default_str(&s->nodeselector, "all()");
	default_str(&s->assignmentmode, "Automatic");
	if (s->n_alloweduses == 0)
		set_list(&s->n_alloweduses, &s->alloweduses, "Workload", "Tunnel");
	if ((!s->has_blocksize || s->blocksize == 0) && s->cidr &&
	    ip_prefix_parse(s->cidr, &p) == 0) {
		s->has_blocksize = true;
		s->blocksize = p.addr.family == AF_INET ? 26 : 122;
	}
}

static void default_endpoint(V3__WorkloadEndpoint *w)
{
	V3__ObjectMeta *m = w->metadata;
	char *name = NULL;

	if ((!m->name || *m->name == '\0') && wep_name_of(w->spec, &name, NULL) == 0) {
		free(m->name);
		m->name = name;
	}
	if (m->namespace_ && *m->namespace_ != '\0')
		meta_set(&m->n_labels, &m->labels, NAMESPACE_LABEL, m->namespace_);
	if (w->spec->orchestrator && *w->spec->orchestrator != '\0')
		meta_set(&m->n_labels, &m->labels, ORCHESTRATOR_LABEL, w->spec->orchestrator);
}

static void default_tier(V3__TierSpec *s)
{
	if (!s->has_order) {
		s->has_order = true;
		s->order = TIER_ORDER;
	}
	default_str(&s->defaultaction, "Deny");
}

/* Of what upstream holds by pointer: an empty text is one that was given. */
static void default_absent(char **field, const char *value)
{
	if (!*field)
		msg_set_str(field, value);
}

static void default_bgp(V3__BgpConfigurationSpec *s)
{
	default_str(&s->logseverityscreen, "Info");
	default_absent(&s->serviceloadbalanceraggregation, "Enabled");
}

/* bpfConnectTimeLoadBalancingEnabled is the older form of the two settings that follow it, and
 * overrules them. */
static void default_felix(V3__FelixConfigurationSpec *s)
{
	default_absent(&s->floatingips, "Disabled");
	default_absent(&s->bpfconnecttimeloadbalancing, "TCP");
	default_absent(&s->bpfhostnetworkednatwithoutctlb, "Enabled");
	if (s->has_bpfconnecttimeloadbalancingenabled) {
		msg_set_str(&s->bpfhostnetworkednatwithoutctlb, "Disabled");
		msg_set_str(&s->bpfconnecttimeloadbalancing,
		            s->bpfconnecttimeloadbalancingenabled ? "Enabled" : "Disabled");
	}
	default_absent(&s->nftablesmode, "Auto");
	default_absent(&s->nftablesflowtableoffload, "Disabled");
}

/* What the schema says, of a specification wherever it stands. */
static void default_controllers(V3__KubeControllersConfigurationSpec *s)
{
	default_str(&s->healthchecks, "Enabled");
	if (s->controllers && s->controllers->loadbalancer)
		default_str(&s->controllers->loadbalancer->assignips, "AllServices");
	if (s->controllers && s->controllers->migration)
		default_str(&s->controllers->migration->policynamemigrator, "Enabled");
}

static void default_kube_controllers(V3__KubeControllersConfiguration *c)
{
	V3__KubeControllersConfigurationSpec *s = c->spec;
	V3__NodeControllerConfig *node = s->controllers ? s->controllers->node : NULL;

	default_controllers(s);
	if (!s->has_prometheusmetricsport) {
		s->has_prometheusmetricsport = true;
		s->prometheusmetricsport = KUBE_CONTROLLERS_METRICS_PORT;
	}
	if (node && !node->leakgraceperiod) {
		node->leakgraceperiod = (V3__Duration *)msg_new(&v3__duration__descriptor);
		node->leakgraceperiod->has_ns = true;
		node->leakgraceperiod->ns = LEAK_GRACE_NS;
	}
	if (c->status && c->status->runningconfig)
		default_controllers(c->status->runningconfig);
}

static void *member(ProtobufCMessage *m, const char *name)
{
	const ProtobufCFieldDescriptor *f =
	        protobuf_c_message_descriptor_get_field_by_name(m->descriptor, name);

	return f ? (char *)m + f->offset : NULL;
}

void model_default(model_kind kind, ProtobufCMessage *msg)
{
	const struct kind_info *k = kind_info(kind);
	ProtobufCMessage **spec;

	if (!k || !k->v3 || msg->descriptor != k->message)
		return;
	default_str(member(msg, "kind"), k->name);
	default_str(member(msg, "apiVersion"), MODEL_API_VERSION);
	(void)model_meta(msg, true);
	spec = member(msg, "spec");
	if (!*spec)
		*spec = msg_new(protobuf_c_message_descriptor_get_field_by_name(k->message, "spec")
		                        ->descriptor);
	switch (kind) {
	case V3__KIND__KIND_NETWORK_POLICY:
		default_network_policy((V3__NetworkPolicy *)msg);
		break;
	case V3__KIND__KIND_GLOBAL_NETWORK_POLICY:
		default_global_policy((V3__GlobalNetworkPolicy *)msg);
		break;
	case V3__KIND__KIND_STAGED_NETWORK_POLICY:
		default_staged((V3__StagedNetworkPolicy *)msg);
		break;
	case V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY:
		default_staged_global((V3__StagedGlobalNetworkPolicy *)msg);
		break;
	case V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY:
		default_str(&((V3__StagedKubernetesNetworkPolicySpec *)*spec)->stagedaction, "Set");
		break;
	case V3__KIND__KIND_IP_POOL:
		default_pool((V3__IpPoolSpec *)*spec);
		break;
	case V3__KIND__KIND_WORKLOAD_ENDPOINT:
		default_endpoint((V3__WorkloadEndpoint *)msg);
		break;
	case V3__KIND__KIND_TIER:
		default_tier((V3__TierSpec *)*spec);
		break;
	case V3__KIND__KIND_BGP_CONFIGURATION:
		default_bgp((V3__BgpConfigurationSpec *)*spec);
		break;
	case V3__KIND__KIND_FELIX_CONFIGURATION:
		default_felix((V3__FelixConfigurationSpec *)*spec);
		break;
	case V3__KIND__KIND_KUBE_CONTROLLERS_CONFIGURATION:
		default_kube_controllers((V3__KubeControllersConfiguration *)msg);
		break;
	default:
		break;
	}
}
