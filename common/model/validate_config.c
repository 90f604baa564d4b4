/* SPDX-License-Identifier: BSD-2-Clause */
/* KubeControllersConfiguration, CalicoNodeStatus and ClusterInformation. */
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_rule.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define TEMPLATE_NAME_MAX 253

/* Upstream looks at the name when all else is right. */
static void check_only_default(const V3__ObjectMeta *meta, const char *what, struct violations *v)
{
	struct path metadata = { NULL, "metadata", 0 };
	struct path here = { &metadata, "name", 0 };

	if (v->n == 0 && meta && meta->name && strcmp(meta->name, "default") != 0)
		violate_as(v, &here, "", NULL,
		           "Cannot create a %s resource with a name other than \"default\"", what);
}

/* ---- KubeControllersConfiguration */

static bool ok_on_or_off(const char *s)
{
	return strcmp(s, "Enabled") == 0 || strcmp(s, "Disabled") == 0;
}

static const struct tag tag_default_endpoint = { "createDefaultHostEndpoint", ok_on_or_off };

#define TEMPLATES "KubeControllersConfiguration.Node.HostEndpoint.Templates"

/* The first of the templates before the i-th that has the same name: they would make host endpoints
 * of the same name. */
static bool is_taken(V3__HostEndpointTemplate *const *templates, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(templates[k]->generatename, templates[i]->generatename) == 0)
			return true;
	return false;
}

/* Upstream tells the first that is wrong, and nothing else. */
static void first_controllers(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__KubeControllersConfiguration *c = (const V3__KubeControllersConfiguration *)m;
	const V3__NodeControllerConfig *node =
	        c->spec && c->spec->controllers ? c->spec->controllers->node : NULL;
	struct path spec = { p, "spec", 0 }, controllers = { &spec, "controllers", 0 };
	struct path at = { &controllers, "node", 0 }, endpoint = { &at, "hostEndpoint", 0 };
	struct path list = { &endpoint, "templates", 0 };

	if (!node || !node->hostendpoint)
		return;
	for (size_t i = 0; i < node->hostendpoint->n_templates && v->n == 0; i++) {
		const V3__HostEndpointTemplate *t = node->hostendpoint->templates[i];
		CLEANUP(free_p)
		char *name = xasprintf(TEMPLATES ".%s", t->generatename ? t->generatename : "");
		struct path here = { &list, NULL, i };

		if (!text_given(t->generatename))
			violate_as(v, &here, TEMPLATES, NULL, "Template name must be specified");
		else if (strlen(t->generatename) > TEMPLATE_NAME_MAX)
			violate_as(v, &here, TEMPLATES, NULL,
			           "Template name must be shorter than 253 characters");
		else if (is_taken(node->hostendpoint->templates, i))
			violate_as(v, &here, name, NULL, "Template name must be unique");
		else if (t->n_interfacecidrs == 0 && !text_given(t->interfacepattern))
			violate_as(v, &here, name, NULL,
			           "InterfaceCIDRs or InterfacePattern must be specified");
	}
}

static void check_template(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__HostEndpointTemplate *t = (const V3__HostEndpointTemplate *)m;
	struct path here = { p, "annotations", 0 };

	check_annotations((V3__ObjectMeta__LabelsEntry *const *)(void *)t->annotations,
	                  t->n_annotations, &here, v);
}

static void last_controllers(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	(void)p;
	check_only_default(((const V3__KubeControllersConfiguration *)m)->metadata,
	                   "Kube Controllers Configuration", v);
}

static void last_cluster(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	(void)p;
	check_only_default(((const V3__ClusterInformation *)m)->metadata, "Cluster Information", v);
}

/* clang-format off */
#define SWITCH WORDS("Enabled", "Disabled")

const struct message_rule config_rules[] = {
	{ &v3__kube_controllers_configuration__descriptor, .first = first_controllers, .last = last_controllers },
	{ &v3__kube_controllers_configuration_spec__descriptor, FIELDS(
		{ "logSeverityScreen", WORDS("None", "Debug", "Info", "Warning", "Error", "Fatal", "Panic") },
		{ "healthChecks", .flags = FIELD_ONEOF, SWITCH },
		{ "prometheusMetricsPort", .min = 0, .max = 65535 },
		{ "debugProfilePort", .min = 0, .max = 65535 }) },
	{ &v3__node_controller_config__descriptor, FIELDS(
		{ "syncLabels", .flags = FIELD_ONEOF, SWITCH }) },
	{ &v3__auto_host_endpoint_config__descriptor, FIELDS(
		{ "autoCreate", .flags = FIELD_ONEOF, SWITCH },
		{ "createDefaultHostEndpoint", .tag = &tag_default_endpoint }) },
	{ &v3__host_endpoint_template__descriptor, FIELDS(
		{ "generateName", .tag = &tag_name, .max = TEMPLATE_NAME_MAX },
		{ "interfaceCIDRs", .list_tag = &list_tag_cidrs },
		{ "interfacePattern", .tag = &tag_regexp },
		{ "labels", .list_tag = &list_tag_labels },
		{ "nodeSelector", .tag = &tag_selector }), .check = check_template },
	{ &v3__load_balancer_controller_config__descriptor, FIELDS(
		{ "assignIPs", WORDS("AllServices", "RequestedServicesOnly") }) },
	{ &v3__migration_controller_config__descriptor, FIELDS(
		{ "policyNameMigrator", .flags = FIELD_ONEOF, WORDS("Disabled", "Enabled") }) },

	{ &v3__calico_node_status_spec__descriptor, FIELDS(
		{ "node", .tag = &tag_name, .flags = FIELD_TAG_REQUIRED },
		{ "classes", .list_tag = &list_tag_unique, .flags = FIELD_TAG_REQUIRED, WORDS("Agent", "BGP", "Routes") },
		{ "updatePeriodSeconds", .flags = FIELD_TAG_REQUIRED | FIELD_GTE_LTE | FIELD_NO_SCHEMA, .min = 0, .max = 86400 }) },
	{ &v3__bgp_daemon_status__descriptor, FIELDS(
		{ "state", WORDS("Ready", "NotReady") }) },
	{ &v3__calico_node_peer__descriptor, FIELDS(
		{ "type", WORDS("NodeMesh", "NodePeer", "GlobalPeer") },
		{ "state", WORDS("Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established", "Close") }) },
	{ &v3__calico_node_route__descriptor, FIELDS(
		{ "type", WORDS("FIB", "RIB") }) },
	{ &v3__calico_node_route_learned_from__descriptor, FIELDS(
		{ "sourceType", WORDS("Kernel", "Static", "Direct", "NodeMesh", "BGPPeer") }) },

	{ &v3__cluster_information__descriptor, .last = last_cluster },
	{ &v3__cluster_information_spec__descriptor, FIELDS(
		{ "clusterGUID", .text = text_guid }) },
	{ .message = NULL },
};
/* clang-format on */
