/* SPDX-License-Identifier: BSD-2-Clause */
/* FelixConfiguration. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/model/duration.h"
#include "common/model/scalar.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"
#include "proto/v3_felix.pb-c.h"

#define REGION_MAX (63 - strlen("openstack-region-")) /* with it, the name of a namespace */
#define TABLES_MAX 0xffff
#define TABLE_MAX INT64_C(0xffffffff)
#define MAIN_TABLES_MAX 250 /* those behind are the kernel's own */

/* ---- what texts look like */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool ok_host(const char *s)
{
	return text_all_of(s, ":._+-", 64);
}

static bool ok_interface_filter(const char *s)
{
	return text_all_of(s, ":._+-", 15);
}

static bool ok_interface_filters(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	char *const *list = *(char *const *const *)(const void *)((const char *)m + f->offset);
	size_t n = *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);

	for (size_t i = 0; i < n; i++)
		if (!ok_interface_filter(list[i]))
			return false;
	return true;
}

/* Names of interfaces, or all, weps, heps. */
static bool ok_log_filters(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	const V3__StringMap *map = (const V3__StringMap *)m;

	(void)f;
	for (size_t i = 0; i < map->n_items; i++)
		if (!text_all_of(map->items[i]->key, "_.-", 15))
			return false;
	return true;
}

/* "name=value,name=value": empty items are fine. */
static bool ok_key_values(const char *s)
{
	while (*s != '\0') {
		size_t blank = strspn(s, " \t\n\f\r"), name = 0, len = strcspn(s, ",");

		while (is_alnum(s[blank + name]) || s[blank + name] == '_')
			name++;
		if (len > 0 && (name == 0 || s[blank + name] != '='))
			return false;
		s += len + (s[len] == ',');
	}
	return true;
}

static const struct tag tag_host = { "prometheusHost", ok_host };
static const struct tag tag_interface_filter = { "ifaceFilter", ok_interface_filter };
static const struct tag tag_key_values = { "keyValueList", ok_key_values };
static const struct list_tag list_tag_interface_filters = { "ifaceFilterSlice",
	                                                    ok_interface_filters };
static const struct list_tag list_tag_log_filters = { "bpfLogFilters", ok_log_filters };

static size_t name_len(const char *s)
{
	size_t n = 0;

	while (is_alnum(s[n]) || s[n] == '-' || s[n] == '_')
		n++;
	return n;
}

static bool ok_feature_overrides(const char *s)
{
	static const char *const values[] = { "true", "false" };

	while (*s != '\0') {
		size_t n = name_len(s), len = strcspn(s, ",");
		bool fits = n + 1 == len;

		if (n == 0 || s[n] != '=')
			return false;
		for (size_t i = 0; i < ARRAY_SIZE(values); i++)
			fits = fits || (len - n - 1 == strlen(values[i]) &&
			                strncmp(s + n + 1, values[i], len - n - 1) == 0);
		if (!fits)
			return false;
		s += len + (s[len] == ',');
	}
	return true;
}

/* The value may have commas in it: what follows the last of them is the next name. */
static bool ok_feature_gates(const char *s)
{
	while (*s != '\0') {
		size_t n = name_len(s), len;

		if (n == 0 || s[n] != '=')
			return false;
		s += n + 1;
		len = strcspn(s, "=");
		if (s[len] == '=') {
			while (len > 0 && s[len - 1] != ',')
				len--;
			if (len < 2) /* a character and the comma */
				return false;
		} else if (len == 0) {
			return false;
		}
		s += len;
	}
	return true;
}

static bool ok_backend(const char *s)
{
	return *s == '\0' || strcasecmp(s, "Auto") == 0 || strcasecmp(s, "Legacy") == 0 ||
	       strcasecmp(s, "NFT") == 0;
}

static bool ok_log_prefix(const char *s)
{
	return *s == '\0' || text_all_of(s, "%: /_-", SIZE_MAX);
}

static bool ok_rate(const char *s)
{
	static const char *const units[] = { "/second", "/minute", "/hour", "/day" };
	size_t digits = strspn(s, "0123456789");

	if (digits < 1 || digits > 4 || s[0] == '0')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(s + digits, units[i]) == 0)
			return true;
	return false;
}

/* A unit of a connection's timeout at s; 0: none. */
static size_t unit_len(const char *s)
{
	if ((s[0] == 'm' || s[0] == 'u') && s[1] == 's')
		return 2;
	return *s != '\0' && strchr("smh", *s) ? 1 : 0;
}

static bool ok_timeout(const char *s)
{
	if (strcmp(s, "Auto") == 0)
		return true;
	if (*s == '\0')
		return false;
	while (*s != '\0') {
		s += strspn(s, "0123456789");
		if (*s == '.')
			s += 1 + strspn(s + 1, "0123456789");
		if (unit_len(s) == 0)
			return false;
		while (unit_len(s) > 0)
			s += unit_len(s);
	}
	return true;
}

/* Of a duration as Go writes it. The pattern asks for a backslash in a fraction: so there is none.
 */
static bool ok_whole_duration(const char *s)
{
	struct why why;

	return !strchr(s, '.') && !text_duration(s, &why);
}

static bool ok_duration(const char *s)
{
	struct why why;

	return !text_duration(s, &why);
}

/* ---- checks of several fields */

static void check_ranges(const V3__RouteTableIdRangeList *l, const struct path *p,
                         struct violations *v)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	int64_t sum = 0;

	buf_str(&text, "&[");
	for (size_t i = 0; i < l->n_items; i++) {
		const V3__RouteTableIdRange *r = l->items[i];

		buf_printf(&text, "%s{%" PRId64 " %" PRId64 "}", i > 0 ? " " : "", r->min, r->max);
		/* modulo 2^64, as there */
		sum = (int64_t)((uint64_t)sum + (uint64_t)r->max - (uint64_t)r->min + 1);
	}
	buf_byte(&text, ']');
	if (sum > TABLES_MAX)
		violate_as(v, p, "RouteTableRanges", buf_cstr(&text), "targets too many tables");
}

static void check_id_range(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__RouteTableIdRange *r = (const V3__RouteTableIdRange *)m;
	char text[64];

	(void)snprintf(text, sizeof(text), "{%" PRId64 " %" PRId64 "}", r->min, r->max);
	if (r->min > r->max)
		violate_as(v, p, "RouteTableRange", text,
		           "min value cannot be greater than max value");
	if (r->min <= 0)
		violate_as(v, p, "RouteTableRange", text, "cannot target indices < 1");
	if (r->max > TABLE_MAX)
		violate_as(v, p, "RouteTableRange", text, "max index too high");
}

static void cel_id_range(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__RouteTableIdRange *r = (const V3__RouteTableIdRange *)m;

	if (r->min < 1)
		violate(v, p, NULL, "min must be >= 1");
	if (r->min > r->max)
		violate(v, p, NULL, "min must not be greater than max");
}

static bool is_main_range(const V3__RouteTableRange *r)
{
	return r->min >= 1 && r->max >= r->min && r->max <= MAIN_TABLES_MAX;
}

#define MAIN_RANGE "must be a range of route table indices within 1..250"

static void check_range(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__RouteTableRange *r = (const V3__RouteTableRange *)m;
	char text[64];

	(void)snprintf(text, sizeof(text), "{%" PRId64 " %" PRId64 "}", r->min, r->max);
	if (!is_main_range(r))
		violate_as(v, p, "RouteTableRange", text, MAIN_RANGE);
}

static void cel_range(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	if (!is_main_range((const V3__RouteTableRange *)m))
		violate(v, p, NULL, MAIN_RANGE);
}

static void check_override(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__HealthTimeoutOverride *o = (const V3__HealthTimeoutOverride *)m;
	struct path name = { p, "name", 0 }, timeout = { p, "timeout", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	int64_t ns = o->timeout ? o->timeout->ns : 0;

	buf_printf(&text, "{%s {", o->name ? o->name : "");
	duration_str(ns, &text);
	buf_str(&text, "}}");
	if (!o->name || !text_all_of(o->name, "_ -", SIZE_MAX))
		violate_as(v, &name, "HealthTimeoutOverride.Name", buf_cstr(&text),
		           "name should match regex ^[a-zA-Z0-9_ -]+$");
	if (ns < 0)
		violate_as(v, &timeout, "HealthTimeoutOverride.Timeout", buf_cstr(&text),
		           "Timeout should not be negative");
}

static void ports_str(const V3__PortList *ports, struct buf *out)
{
	buf_byte(out, '[');
	for (size_t i = 0; i < ports->n_items; i++) {
		if (i > 0)
			buf_byte(out, ' ');
		port_str(ports->items[i], out);
	}
	buf_byte(out, ']');
}

static void check_node_ports(const V3__PortList *ports, const struct path *p, struct violations *v)
{
	struct path here = { p, "kubeNodePortRanges", 0 };
	CLEANUP(buf_done) struct buf text = { 0 };

	ports_str(ports, &text);
	if (ports->n_items > 7)
		violate_as(v, &here, "KubeNodePortRanges", buf_cstr(&text),
		           "node port ranges list is too long (max 7)");
	for (size_t i = 0; i < ports->n_items; i++)
		if (ports->items[i]->name)
			violate_as(v, &here, "KubeNodePortRanges", buf_cstr(&text),
			           "node port ranges should not contain named ports");
}

static void check_external_nodes(const V3__StringList *nets, const struct path *p,
                                 struct violations *v)
{
	struct path list = { p, "externalNodesList", 0 };

	for (size_t i = 0; i < nets->n_items; i++) {
		struct path here = { &list, NULL, i };
		struct ip_prefix net;

		if (ip_prefix_parse(nets->items[i], &net) < 0)
			violate_as(v, &here, "ExternalNodesCIDRList", nets->items[i],
			           "has invalid CIDR(s)");
		else if (net.addr.family != AF_INET)
			violate_as(v, &here, "ExternalNodesCIDRList", nets->items[i],
			           "has invalid IPv6 CIDR");
	}
}

static void check_region(const char *region, const struct path *p, struct violations *v)
{
	struct path here = { p, "openstackRegion", 0 };

	if (!text_given(region))
		return;
	if (strlen(region) > REGION_MAX)
		violate_as(v, &here, "OpenstackRegion", region, "is too long");
	else if (!text_is_label(region, strlen(region)))
		violate_as(v, &here, "OpenstackRegion", region, "must be a valid DNS label");
}

static const struct {
	const char *field, *go;
	size_t offset;
	int family;
} addresses[] = {
	{ "natOutgoingAddress", "NATOutgoingAddress",
	  offsetof(V3__FelixConfigurationSpec, natoutgoingaddress), AF_INET },
	{ "deviceRouteSourceAddress", "DeviceRouteSourceAddress",
	  offsetof(V3__FelixConfigurationSpec, deviceroutesourceaddress), AF_INET },
	{ "deviceRouteSourceAddressIPv6", "DeviceRouteSourceAddressIPv6",
	  offsetof(V3__FelixConfigurationSpec, deviceroutesourceaddressipv6), AF_INET6 },
};

static const char *address(const ProtobufCMessage *m, size_t i)
{
	return *(char *const *)(const void *)((const char *)m + addresses[i].offset);
}

static void check_spec(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__FelixConfigurationSpec *s = (const V3__FelixConfigurationSpec *)m;
	struct path ranges = { p, "routeTableRanges", 0 };
	struct ip_addr a;

	if (s->kubenodeportranges)
		check_node_ports(s->kubenodeportranges, p, v);
	if (s->externalnodeslist)
		check_external_nodes(s->externalnodeslist, p, v);
	check_region(s->openstackregion, p, v);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct path here = { p, addresses[i].field, 0 };

		if (text_given(address(m, i)) && ip_addr_parse(address(m, i), &a) < 0)
			violate_as(v, &here, addresses[i].go, address(m, i),
			           "is not a valid IP address");
	}
	if (s->routetableranges)
		check_ranges(s->routetableranges, &ranges, v);
}

static void cel_spec(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__FelixConfigurationSpec *s = (const V3__FelixConfigurationSpec *)m;
	struct ip_addr a;

	if (s->routetablerange && s->routetableranges)
		violate(v, p, NULL, "routeTableRange and routeTableRanges cannot both be set");
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		if (text_given(address(m, i)) &&
		    (ip_addr_parse(address(m, i), &a) < 0 || a.family != addresses[i].family))
			violate(v, p, NULL, "%s must be a valid IPv%c address", addresses[i].field,
			        addresses[i].family == AF_INET ? '4' : '6');
}

static void cel_configuration(const ProtobufCMessage *m, const struct path *p, struct violations *v)
{
	const V3__FelixConfiguration *c = (const V3__FelixConfiguration *)m;
	const char *name = c->metadata && c->metadata->name ? c->metadata->name : "";

	if (c->spec && c->spec->nodeselector &&
	    (strcmp(name, "default") == 0 || strncmp(name, "node.", 5) == 0))
		violate(v, p, NULL,
		        "nodeSelector must not be set on the 'default' or per-node ('node.*') "
		        "FelixConfiguration");
}

/* clang-format off */
#define WHOLE_DURATION .pattern = &(const struct tag){ "^([0-9]+(\\\\.[0-9]+)?(ms|s|m|h))*$", ok_whole_duration }
#define TIMEOUT(name) { name, .flags = FIELD_EMPTY, \
	.pattern = &(const struct tag){ "^(([0-9]*(\\.[0-9]*)?(ms|s|h|m|us)+)+|Auto)$", ok_timeout } }
#define SEVERITIES WORDS("Trace", "Debug", "Info", "Warning", "Error", "Fatal")
#define SWITCH WORDS("Enabled", "Disabled")
#define TAGS_ONLY (FIELD_GTE_LTE | FIELD_NO_SCHEMA)

const struct message_rule felix_rules[] = {
	{ &v3__felix_configuration__descriptor, .cel = cel_configuration },
	{ &v3__felix_configuration_spec__descriptor, FIELDS(
		{ "nodeSelector", .max = 1024 },
		{ "routeRefreshInterval", WHOLE_DURATION },
		{ "interfaceRefreshInterval", WHOLE_DURATION },
		{ "iptablesRefreshInterval", WHOLE_DURATION },
		{ "iptablesPostWriteCheckInterval", WHOLE_DURATION },
		{ "iptablesLockProbeInterval", WHOLE_DURATION },
		{ "featureDetectOverride", .pattern = &(const struct tag){ "^([a-zA-Z0-9-_]+=(true|false|),)*([a-zA-Z0-9-_]+=(true|false|))?$", ok_feature_overrides }, .tag = &tag_key_values },
		{ "featureGates", .pattern = &(const struct tag){ "^([a-zA-Z0-9-_]+=([^=]+),)*([a-zA-Z0-9-_]+=([^=]+))?$", ok_feature_gates }, .tag = &tag_key_values },
		{ "ipsetsRefreshInterval", WHOLE_DURATION },
		{ "iptablesBackend", .flags = FIELD_EMPTY, WORDS("Legacy", "NFT", "Auto"), .pattern = &(const struct tag){ "^(?i)(Auto|Legacy|NFT)?$", ok_backend } },
		{ "xdpRefreshInterval", WHOLE_DURATION },
		{ "netlinkTimeout", WHOLE_DURATION },
		{ "chainInsertMode", .flags = FIELD_ANY_CASE, WORDS("Insert", "Append") },
		{ "defaultEndpointToHostAction", .flags = FIELD_ANY_CASE, WORDS("Drop", "Accept", "Return") },
		{ "iptablesFilterAllowAction", .flags = FIELD_ANY_CASE, WORDS("Accept", "Return") },
		{ "iptablesMangleAllowAction", .flags = FIELD_ANY_CASE, WORDS("Accept", "Return") },
		{ "iptablesFilterDenyAction", .flags = FIELD_ANY_CASE, WORDS("Drop", "Reject") },
		{ "logPrefix", .pattern = &(const struct tag){ "^([a-zA-Z0-9%: /_-])*$", ok_log_prefix } },
		{ "logActionRateLimit", .flags = FIELD_EMPTY, .pattern = &(const struct tag){ "^[1-9]\\d{0,3}/(?:second|minute|hour|day)$", ok_rate } },
		{ "logActionRateLimitBurst", .min = 0, .max = 9999 },
		{ "logSeverityFile", .flags = FIELD_ANY_CASE, SEVERITIES },
		{ "logSeverityScreen", .flags = FIELD_ANY_CASE, SEVERITIES },
		{ "logSeveritySys", .flags = FIELD_ANY_CASE, SEVERITIES },
		{ "logDebugFilenameRegex", .tag = &tag_regexp },
		{ "reportingInterval", WHOLE_DURATION },
		{ "reportingTTL", WHOLE_DURATION },
		{ "endpointReportingDelay", WHOLE_DURATION },
		{ "iptablesMarkMask", .min = 0, .max = 4294967295 },
		{ "prometheusMetricsHost", .tag = &tag_host },
		{ "prometheusMetricsClientAuth", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("RequireAndVerifyClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "NoClientCert") },
		{ "kubeNodePortRanges", .items = 7 },
		{ "usageReportingInitialDelay", WHOLE_DURATION },
		{ "usageReportingInterval", WHOLE_DURATION },
		{ "natOutgoingAddress", .max = 45 },
		{ "natOutgoingExclusions", "NATOutgoingExclusions", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("IPPoolsOnly", "IPPoolsAndHostIPs") },
		{ "deviceRouteSourceAddress", .max = 45 },
		{ "deviceRouteSourceAddressIPv6", .max = 45 },
		{ "programClusterRoutes", .flags = FIELD_EMPTY, WORDS("Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly") },
		{ "ipForwarding", SWITCH },
		{ "debugSimulateCalcGraphHangAfter", WHOLE_DURATION },
		{ "debugSimulateDataplaneHangAfter", WHOLE_DURATION },
		{ "debugSimulateDataplaneApplyDelay", WHOLE_DURATION },
		{ "debugPort", .flags = TAGS_ONLY, .min = 0, .max = 65535 },
		{ "iptablesNATOutgoingInterfaceFilter", .tag = &tag_interface_filter },
		{ "nftablesMode", .flags = FIELD_EMPTY, WORDS("Disabled", "Enabled", "Auto") },
		{ "nftablesFlowTableOffload", .flags = FIELD_EMPTY, WORDS("All", "Disabled") },
		{ "nftablesFlowTableDataIfacePattern", "NFTablesFlowTableDataIfacePattern", .tag = &tag_regexp },
		{ "nftablesFilterAllowAction", .flags = FIELD_ANY_CASE, WORDS("Accept", "Return") },
		{ "nftablesMangleAllowAction", .flags = FIELD_ANY_CASE, WORDS("Accept", "Return") },
		{ "nftablesFilterDenyAction", .flags = FIELD_ANY_CASE, WORDS("Drop", "Reject") },
		{ "nftablesMarkMask", .min = 0, .max = 4294967295 },
		{ "bpfOverlayHostSourceIP", "BPFOverlayHostSourceIP", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("TunnelAddress", "HostAddress") },
		{ "bpfJITHardening", "BPFJITHardening", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("Auto", "Strict") },
		{ "bpfLogLevel", .flags = FIELD_ANY_CASE, WORDS("Off", "Info", "Debug") },
		{ "bpfConntrackLogLevel", "BPFConntrackLogLevel", .flags = FIELD_ONEOF, WORDS("Off", "Debug") },
		{ "bpfConntrackMode", "BPFConntrackCleanupMode", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("Auto", "Userspace", "BPFProgram") },
		{ "bpfIPFragTimeout", WHOLE_DURATION },
		{ "bpfLogFilters", "BPFLogFilters", .list_tag = &list_tag_log_filters },
		{ "bpfDataIfacePattern", "BPFDataIfacePattern", .tag = &tag_regexp },
		{ "bpfL3IfacePattern", "BPFL3IfacePattern", .tag = &tag_regexp },
		{ "bpfConnectTimeLoadBalancing", "BPFConnectTimeLoadBalancing", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("TCP", "Enabled", "Disabled") },
		{ "bpfHostNetworkedNATWithoutCTLB", "BPFHostNetworkedNATWithoutCTLB", .flags = FIELD_ONEOF | FIELD_EMPTY, SWITCH },
		{ "bpfExternalServiceMode", .flags = FIELD_ANY_CASE, WORDS("Tunnel", "DSR") },
		{ "bpfDSROptoutCIDRs", "BPFDSROptoutCIDRs", .list_tag = &list_tag_cidrs },
		{ "bpfExtToServiceConnmark", "BPFExtToServiceConnmark", .flags = TAGS_ONLY, .min = 0, .max = 4294967295 },
		{ "bpfKubeProxyMinSyncPeriod", WHOLE_DURATION },
		{ "bpfKubeProxyHealthzPort", "BPFKubeProxyHealthzPort", .flags = TAGS_ONLY, .min = 0, .max = 65535 },
		{ "bpfMapSizeConntrackScaling", .flags = FIELD_ANY_CASE, WORDS("Disabled", "DoubleIfFull") },
		{ "bpfMapSizeConntrackCleanupQueue", "BPFMapSizeConntrackCleanupQueue", .flags = FIELD_GTE_LTE, .min = 1, .max = INT64_MAX },
		{ "bpfEnforceRPF", .flags = FIELD_ANY_CASE, WORDS("Disabled", "Strict", "Loose") },
		{ "bpfForceTrackPacketsFromIfaces", "BPFForceTrackPacketsFromIfaces", .list_tag = &list_tag_interface_filters },
		{ "bpfDisableGROForIfaces", "BPFDisableGROForIfaces", .tag = &tag_regexp },
		{ "bpfExcludeCIDRsFromNAT", "BPFExcludeCIDRsFromNAT", .list_tag = &list_tag_cidrs },
		{ "istioAmbientMode", .flags = FIELD_EMPTY, SWITCH },
		{ "flowLogsPolicyEvaluationMode", .flags = FIELD_EMPTY, WORDS("None", "Continuous") },
		{ "bpfRedirectToPeer", SWITCH },
		{ "bpfAttachType", "BPFAttachType", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("TC", "TCX", "Netkit") },
		{ "flowLogsFlushInterval", WHOLE_DURATION },
		{ "flowLogsLocalReporter", .flags = FIELD_EMPTY, WORDS("Disabled", "Enabled") },
		{ "bpfProfiling", SWITCH },
		{ "routeSource", .flags = FIELD_ANY_CASE, WORDS("WorkloadIPs", "CalicoIPAM") },
		{ "ipv4NormalRoutePriority", "IPv4NormalRoutePriority", .flags = TAGS_ONLY, .min = 1, .max = 2147483646 },
		{ "ipv4ElevatedRoutePriority", "IPv4ElevatedRoutePriority", .flags = TAGS_ONLY, .min = 1, .max = 2147483646 },
		{ "ipv6NormalRoutePriority", "IPv6NormalRoutePriority", .flags = TAGS_ONLY, .min = 1, .max = 2147483646 },
		{ "ipv6ElevatedRoutePriority", "IPv6ElevatedRoutePriority", .flags = TAGS_ONLY, .min = 1, .max = 2147483646 },
		{ "liveMigrationRouteConvergenceTime", .pattern = &(const struct tag){ "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))*$", ok_duration } },
		{ "wireguardListeningPort", .flags = TAGS_ONLY | FIELD_GT_0, .min = INT64_MIN, .max = 65535 },
		{ "wireguardListeningPortV6", .flags = TAGS_ONLY | FIELD_GT_0, .min = INT64_MIN, .max = 65535 },
		{ "wireguardRoutingRulePriority", .flags = TAGS_ONLY | FIELD_GT_0 | FIELD_LT, .min = INT64_MIN, .max = 32765 },
		{ "wireguardInterfaceName", .tag = &tag_interface },
		{ "wireguardInterfaceNameV6", .tag = &tag_interface },
		{ "wireguardKeepAlive", WHOLE_DURATION },
		{ "awsSrcDstCheck", "AWSSrcDstCheck", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("DoNothing", "Enable", "Disable") },
		{ "serviceLoopPrevention", .flags = FIELD_ONEOF | FIELD_ANY_CASE, WORDS("Drop", "Reject", "Disabled") },
		{ "workloadSourceSpoofing", .flags = FIELD_ONEOF | FIELD_ANY_CASE, WORDS("Disabled", "Any") },
		{ "mtuIfacePattern", "MTUIfacePattern", .tag = &tag_regexp },
		{ "floatingIPs", .flags = FIELD_EMPTY, SWITCH },
		{ "localSubnetL2Reachability", .flags = FIELD_ONEOF | FIELD_EMPTY, WORDS("Disabled", "PodsAndLoadBalancers") },
		{ "windowsManageFirewallRules", .flags = FIELD_ONEOF | FIELD_EMPTY, SWITCH },
		{ "goGCThreshold", .flags = TAGS_ONLY, .min = -1, .max = INT64_MAX },
		{ "goMemoryLimitMB", .flags = TAGS_ONLY, .min = -1, .max = INT64_MAX },
		{ "goMaxProcs", .flags = TAGS_ONLY, .min = -1, .max = INT64_MAX },
		{ "bpfMaglevMaxEndpointsPerService", "BPFMaglevMaxEndpointsPerService", .flags = TAGS_ONLY | FIELD_GT_0, .min = INT64_MIN, .max = 3000 },
		{ "bpfMaglevMaxServices", "BPFMaglevMaxServices", .flags = TAGS_ONLY | FIELD_GT_0, .min = INT64_MIN, .max = 3000 }), .check = check_spec, .cel = cel_spec },
	{ &v3__bpf_conntrack_timeouts__descriptor, FIELDS(
		TIMEOUT("creationGracePeriod"), TIMEOUT("tcpSynSent"), TIMEOUT("tcpEstablished"), TIMEOUT("tcpFinsSeen"),
		TIMEOUT("tcpResetSeen"), TIMEOUT("udpTimeout"), TIMEOUT("genericTimeout"), TIMEOUT("icmpTimeout")) },
	{ &v3__health_timeout_override__descriptor, .check = check_override },
	{ &v3__route_table_range__descriptor, .check = check_range, .cel = cel_range },
	{ &v3__route_table_id_range__descriptor, .check = check_id_range, .cel = cel_id_range },
	{ &v3__proto_port__descriptor, FIELDS(
		{ "port", .min = 0, .max = 65535 }) },
	{ .message = NULL },
};
/* clang-format on */
