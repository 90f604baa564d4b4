/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/config_object.h"
#include "felixd/config_param.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_node.pb-c.h"

static void note(void *arg, enum felix_note what, const char *name, const char *value,
                 const char *why, enum felix_source source)
{
	static const char marks[] = { 'b', 'u', 'l', 'i' };

	(void)why;
	(void)source;
	buf_printf(arg, "%c %s=%s;", marks[what], name, value ? value : "?");
}

struct world {
	struct buf notes;
	struct felix_layers layers;
	struct felix_config c;
};

static void resolve(struct world *w)
{
	struct felix_config before = w->c;

	felix_config_resolve(&w->layers, before.rows ? &before : NULL, &w->c);
	felix_config_done(&before);
}

static void begin(struct world *w, const char *const *env)
{
	*w = (struct world){ .layers.report = note };
	w->layers.arg = &w->notes;
	felix_layer_read_env(&w->layers, env);
	resolve(w);
}

static void end(struct world *w)
{
	felix_config_done(&w->c);
	felix_layers_done(&w->layers);
	buf_done(&w->notes);
}

static const char *notes(struct world *w)
{
	static char text[4096];

	(void)snprintf(text, sizeof(text), "%s", buf_cstr(&w->notes));
	buf_clear(&w->notes);
	return text;
}

/* The value and where it is from: "value/source". */
static const char *shown(const struct world *w, const char *name)
{
	static char text[512];
	const struct felix_param *p = felix_param_find(name, strlen(name));
	const struct felix_row *row;

	assert_non_null(p);
	row = &w->c.rows[p - felix_params];
	(void)snprintf(text, sizeof(text), "%s/%s", row->text ? row->text : "-",
	               felix_source_str(row->source));
	return text;
}

static void without_a_word_the_defaults_are_upstreams(void **state)
{
	const char *env[] = { "PATH=/bin", "FELIX_LOGPREFIX=", NULL };
	struct world w;

	(void)state;
	begin(&w, env);
	assert_string_equal(w.c.dataplane.interface_prefix, "cali");
	assert_string_equal(w.c.dataplane.endpoint_to_host_action, "DROP");
	assert_string_equal(w.c.dataplane.chain_insert_mode, "insert");
	assert_string_equal(w.c.dataplane.filter_allow_action, "ACCEPT");
	assert_string_equal(w.c.dataplane.mangle_allow_action, "ACCEPT");
	assert_string_equal(w.c.dataplane.deny_action, "DROP");
	assert_string_equal(w.c.dataplane.log_prefix, "calico-packet");
	assert_int_equal(w.c.dataplane.mark_mask, 0xffff0000);
	assert_int_equal(w.c.dataplane.device_route_protocol, 3);
	assert_int_equal(w.c.dataplane.refresh_iptables_ms, 180000);
	assert_int_equal(w.c.dataplane.refresh_ipsets_ms, 90000);
	assert_int_equal(w.c.dataplane.refresh_routes_ms, 90000);
	assert_int_equal(w.c.dataplane.post_check_ms, 5000);
	assert_int_equal(w.c.dataplane.lock_probe_ms, 50);
	assert_false(w.c.dataplane.allow_invalid);
	assert_int_equal(w.c.dataplane.nat_ports.max, 0);
	assert_null(w.c.felix_hostname);
	assert_string_equal(w.c.log_severity_screen, "INFO");
	assert_string_equal(w.c.health.host, "localhost");
	assert_int_equal(w.c.health.port, 9099);
	assert_int_equal(w.c.metrics.port, 9091);
	assert_string_equal(w.c.endpoint_status_prefix, "/var/run/calico");
	assert_int_equal(w.c.dataplane.failsafe_in.n, 9);
	assert_int_equal(w.c.dataplane.failsafe_out.n, 9);
	assert_int_equal(w.c.dataplane.failsafe_in.v[1].protocol, IPPROTO_UDP);
	assert_int_equal(w.c.dataplane.failsafe_in.v[1].port, 68);
	assert_string_equal(notes(&w), "");
	end(&w);
}

/* Every parameter: its default is read (but where there is none), "none" is what the table says. */
static void every_default_is_a_value_of_its_type(void **state)
{
	struct felix_config c = { .rows = NULL };
	const char *why;

	(void)state;
	for (const struct felix_param *p = felix_params; p->name; p++) {
		char *text = NULL;
		bool none;

		if (p->dflt && !felix_param_parse(p, p->dflt, &c, &text, &why))
			fail_msg("%s: '%s' is not %s", p->name, p->dflt, why);
		if (p->dflt && p->type != FELIX_T_MASK)
			assert_string_equal(text, p->dflt);
		free(take_ptr(&text));
		none = felix_param_parse(p, "nOnE", &c, &text, &why);
		if (none !=
		    (!(p->flags & FELIX_NOT_NONE) && !(p->type == FELIX_T_INT && p->min > 0)))
			fail_msg("%s: none", p->name);
		if (p->offset != FELIX_NO_FIELD && p->type < FELIX_T_BOOL && none)
			assert_string_equal(*(char **)((char *)&c + p->offset), "");
		free(text);
		assert_int_equal(p->effect == FELIX_NO_EFFECT,
		                 p->inert || p->offset == FELIX_NO_FIELD);
	}
	free(c.dataplane.failsafe_in.v);
	free(c.dataplane.failsafe_out.v);
}

static void types_read_as_upstream_reads_them(void **state)
{
	/* one parameter of each type; a NULL in shows: it makes no sense */
	static const struct {
		const char *name, *text, *shows;
	} rows[] = {
		{ "Ipv6Support", "Yes", "true" },
		{ "Ipv6Support", "0", "false" },
		{ "Ipv6Support", "perhaps", NULL },
		{ "DeviceRouteProtocol", "0x50", "80" },
		{ "DeviceRouteProtocol", "010", "8" },
		{ "DeviceRouteProtocol", "256", NULL },
		{ "DeviceRouteProtocol", "-1", NULL },
		{ "GoMaxProcs", "-1", "-1" },
		{ "GoMaxProcs", "-2", NULL },
		{ "IPv4NormalRoutePriority", "0", NULL },
		{ "LogActionRateLimitBurst", "10000", NULL },
		{ "HealthPort", "65536", NULL },
		{ "IptablesMarkMask", "0x1ffffffff", NULL },
		{ "IptablesMarkMask", "0x10000", NULL },
		{ "IptablesMarkMask", "4278190080", "0xff000000" },
		{ "IptablesRefreshInterval", "0.25", "0.25" },
		{ "IptablesRefreshInterval", "90s", NULL },
		{ "IptablesRefreshInterval", "-1", NULL },
		{ "IptablesRefreshInterval", "1e5", "100000" },
		{ "IptablesRefreshInterval", "inf", NULL },
		{ "IptablesRefreshInterval", "1e300", NULL },
		{ "IptablesLockProbeIntervalMillis", "12.5", "13" },
		{ "ChainInsertMode", "APPEND", "append" },
		{ "ChainInsertMode", "insertappend", NULL },
		{ "NFTablesMode", "auto", "Auto" },
		{ "FelixHostname", "no/de", NULL },
		{ "HealthHost", "::1", "::1" },
		{ "HealthHost", "a b", NULL },
		{ "TyphaAddr", "typha:5473", "typha:5473" },
		{ "TyphaAddr", "typha", NULL },
		{ "TyphaAddr", "typha:70000", NULL },
		{ "OpenstackRegion", "region-1", "region-1" },
		{ "OpenstackRegion", "Region", NULL },
		{ "MTUIfacePattern", "^(eth|wl).*", "^(eth|wl).*" },
		{ "MTUIfacePattern", "(", NULL },
		{ "IptablesNATOutgoingInterfaceFilter", "eth+", "eth+" },
		{ "IptablesNATOutgoingInterfaceFilter", "a234567890123456", NULL },
		{ "IptablesNATOutgoingInterfaceFilter", "a,b", NULL },
		{ "InterfacePrefix", "cali,tap", "cali,tap" },
		{ "InterfacePrefix", "cali,,tap", NULL },
		{ "InterfacePrefix", "a2345678901234", NULL },
		{ "InterfacePrefix", "a,b,c,d,e,f,g,h,i", NULL },
		{ "BPFForceTrackPacketsFromIfaces", "docker+,x", "docker+,x" },
		{ "InterfaceExclude", "/^kube.*/,veth1", "/^kube.*/,veth1" },
		{ "InterfaceExclude", "/(/", NULL },
		{ "InterfaceExclude", "//", NULL },
		{ "ExternalNodesCIDRList", "10.0.0.0/8, fd00::1", "10.0.0.0/8, fd00::1" },
		{ "ExternalNodesCIDRList", "10.0.0.0/33", NULL },
		{ "KubeNodePortRanges", "30000:32767,80", "30000:32767,80" },
		{ "KubeNodePortRanges", "[30000:32767]", NULL },
		{ "NATPortRange", "1000:2000", "1000:2000" },
		{ "NATPortRange", "2000:1000", NULL },
		{ "NATPortRange", "70000", NULL },
		{ "FeatureDetectOverride", "A=true,B=,", "A=true,B=," },
		{ "FeatureDetectOverride", "=true", NULL },
		{ "HealthTimeoutOverrides", "CalculationGraph=1m30s", "CalculationGraph=1m30s" },
		{ "HealthTimeoutOverrides", "CalculationGraph=soon", NULL },
		{ "RouteTableRanges", "1-250 300-400", "1-250 300-400" },
		{ "RouteTableRanges", "0-250", NULL },
		{ "RouteTableRanges", "5-1", NULL },
		{ "RouteTableRanges", "1-4294967295", NULL },
		{ "LogActionRateLimit", "10/minute", "10/minute" },
		{ "LogActionRateLimit", "10/Minute", NULL },
		{ "LogActionRateLimit", "0/day", NULL },
		{ "IstioDSCPMark", "af41", "af41" },
		{ "IstioDSCPMark", "64", NULL },
		{ "NATOutgoingAddress", "10.0.0.1", "10.0.0.1" },
		{ "NATOutgoingAddress", "fd00::1", NULL },
		{ "DeviceRouteSourceAddressIPv6", "fd00::1", "fd00::1" },
		{ "DeviceRouteSourceAddressIPv6", "10.0.0.1", NULL },
		{ "FailsafeInboundHostPorts", "22,UDP:10.0.0.0/8:53,tcp:[fd00::/64]:80,sctp:1",
		  "22,UDP:10.0.0.0/8:53,tcp:[fd00::/64]:80,sctp:1" },
		{ "FailsafeInboundHostPorts", "icmp:1", NULL },
		{ "FailsafeInboundHostPorts", "tcp:70000", NULL },
		{ "FailsafeInboundHostPorts", "tcp:10.0.0.0/40:1", NULL },
		{ "FailsafeInboundHostPorts", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct felix_param *p = felix_param_find(rows[i].name, strlen(rows[i].name));
		struct felix_config c = { .rows = NULL };
		char *text = NULL;
		const char *why;

		assert_non_null(p);
		if (felix_param_parse(p, rows[i].text, &c, &text, &why) != !!rows[i].shows)
			fail_msg("%s '%s': %s", rows[i].name, rows[i].text, text ? text : why);
		if (rows[i].shows)
			assert_string_equal(text, rows[i].shows);
		else
			assert_true(*why);
		free(text);
		free(c.dataplane.failsafe_in.v);
	}
}

static void values_find_their_fields(void **state)
{
	const char *env[] = { "FELIX_FELIXHOSTNAME=Node-1.x",
		              "Felix_DefaultEndpointToHostAction=accept",
		              "FELIX_IPTABLESMARKMASK=0x00ff0000",
		              "FELIX_IPSETSREFRESHINTERVAL=none",
		              "FELIX_IPTABLESREFRESHINTERVAL=0.25",
		              "FELIX_IPTABLESLOCKPROBEINTERVALMILLIS=20",
		              "FELIX_LOGPREFIX=None",
		              "FELIX_LOGSEVERITYSCREEN=debug",
		              "FELIX_NATPORTRANGE=1000:2000",
		              "FELIX_HEALTHENABLED=y",
		              "FELIX_HEALTHPORT=1",
		              "FELIX_ENDPOINTSTATUSPATHPREFIX=none",
		              "FELIX_FAILSAFEINBOUNDHOSTPORTS=udp:[fd00::/64]:53",
		              "FELIX_FAILSAFEOUTBOUNDHOSTPORTS=none",
		              NULL };
	struct world w;

	(void)state;
	begin(&w, env);
	assert_string_equal(w.c.felix_hostname, "Node-1.x");
	assert_string_equal(w.c.dataplane.endpoint_to_host_action, "ACCEPT");
	assert_int_equal(w.c.dataplane.mark_mask, 0x00ff0000);
	assert_int_equal(w.c.dataplane.refresh_ipsets_ms, 0);
	assert_int_equal(w.c.dataplane.refresh_iptables_ms, 250);
	assert_int_equal(w.c.dataplane.lock_probe_ms, 20);
	assert_string_equal(w.c.dataplane.log_prefix, "");
	assert_string_equal(w.c.log_severity_screen, "DEBUG");
	assert_int_equal(w.c.dataplane.nat_ports.min, 1000);
	assert_int_equal(w.c.dataplane.nat_ports.max, 2000);
	assert_true(w.c.health.enabled);
	assert_int_equal(w.c.health.port, 1);
	assert_string_equal(w.c.endpoint_status_prefix, "");
	assert_int_equal(w.c.dataplane.failsafe_in.n, 1);
	assert_int_equal(w.c.dataplane.failsafe_in.v[0].protocol, IPPROTO_UDP);
	assert_int_equal(w.c.dataplane.failsafe_in.v[0].port, 53);
	assert_int_equal(w.c.dataplane.failsafe_in.v[0].net.len, 64);
	assert_int_equal(w.c.dataplane.failsafe_out.n, 0);
	assert_string_equal(notes(&w), "");
	end(&w);
}

static void what_makes_no_sense_is_reported_once_and_the_default_used(void **state)
{
	const char *env[] = { "FELIX_DEFAULTENDPOINTTOHOSTACTION=MAYBE",
		              "FELIX_CHAININSERTMODE=none",
		              "FELIX_BPFENABLED=true",
		              "FELIX_WIREGUARDENABLED=false",
		              "FELIX_SOMETHING=x",
		              "FELIX_=x",
		              "FELIX_LOGPREFIX",
		              NULL };
	const char file[] = "ChainInsertMode = append\n";
	struct world w;

	(void)state;
	begin(&w, env);
	assert_string_equal(notes(&w),
	                    "u SOMETHING=?;i BPFEnabled=true;"
	                    "b ChainInsertMode=none;b DefaultEndpointToHostAction=MAYBE;");
	assert_string_equal(w.c.dataplane.endpoint_to_host_action, "DROP");
	/* The default, not what a lower source has. */
	assert_int_equal(felix_layer_read_file(&w.layers, file, NULL), 0);
	resolve(&w);
	assert_string_equal(shown(&w, "ChainInsertMode"), "insert/default");
	assert_string_equal(notes(&w), "");
	end(&w);
}

static void a_file_is_read_and_a_bad_one_named(void **state)
{
	const char *env[] = { "FELIX_LOGPREFIX=env", NULL };
	const char file[] = "# comment\n[global]\nLogPrefix = file\nchaininsertmode: append ; no\n"
	                    "[other]\nChainInsertMode = Insert\nInterfacePrefix=\"tap\"\n";
	struct world w;
	struct err err;

	(void)state;
	begin(&w, env);
	assert_int_equal(felix_layer_read_file(&w.layers, file, &err), 0);
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "env/environment");
	assert_string_equal(shown(&w, "ChainInsertMode"), "insert/file");
	assert_string_equal(shown(&w, "InterfacePrefix"), "tap/file");
	assert_int_equal(felix_layer_read_file(&w.layers, "LogPrefix = x\nnonsense\n", &err),
	                 -EINVAL);
	assert_non_null(strstr(err.text, "line 2"));
	resolve(&w);
	assert_string_equal(shown(&w, "InterfacePrefix"), "tap/file");
	end(&w);
}

/* ---- objects */

static V3__FelixConfiguration *new_object(const char *created, const char *selector)
{
	V3__FelixConfiguration *c =
	        (V3__FelixConfiguration *)msg_new(&v3__felix_configuration__descriptor);

	c->spec = (V3__FelixConfigurationSpec *)msg_new(&v3__felix_configuration_spec__descriptor);
	msg_set_str(&model_meta(&c->base, true)->creationtimestamp, created);
	msg_set_str(&c->spec->nodeselector, selector);
	return c;
}

/* msg is taken. */
static bool tell(struct felix_objects *o, model_kind kind, const char *name, void *msg)
{
	struct resource *r = resource_new(kind, NULL, name, 1, msg);
	bool changed = felix_objects_update(o, r);

	resource_free(r);
	return changed;
}

static bool tell_prefix(struct felix_objects *o, const char *name, const char *created,
                        const char *selector, const char *prefix)
{
	V3__FelixConfiguration *c = new_object(created, selector);

	msg_set_str(&c->spec->logprefix, prefix);
	return tell(o, V3__KIND__KIND_FELIX_CONFIGURATION, name, c);
}

static void tell_node(struct felix_objects *o, const char *node, const char *rack)
{
	V3__Node *n = (V3__Node *)msg_new(&v3__node__descriptor);
	V3__ObjectMeta *meta = model_meta(&n->base, true);

	n->spec = (V3__NodeSpec *)msg_new(&v3__node_spec__descriptor);
	msg_set_str(&n->spec->ipv4vxlantunneladdr, "10.1.2.3");
	meta_set(&meta->n_labels, &meta->labels, "rack", rack);
	(void)tell(o, V3__KIND__KIND_NODE, node, n);
}

static void sources_have_upstreams_precedence(void **state)
{
	const char *env[] = { NULL }, *env2[] = { "FELIX_LOGPREFIX=env", NULL };
	struct world w;
	struct felix_objects *o;

	(void)state;
	begin(&w, env);
	o = felix_objects_new("n", &w.layers);
	assert_string_equal(shown(&w, "LogPrefix"), "calico-packet/default");
	assert_true(tell_prefix(o, "default", "", NULL, "global"));
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "global/FelixConfiguration default");
	/* by selector: only when the labels fit; the oldest; of two as old the first by name */
	assert_false(tell_prefix(o, "young", "2026-03-02T00:00:00Z", "rack == 'r1'", "young"));
	assert_false(tell_prefix(o, "none", "2020-01-01T00:00:00Z", NULL, "none"));
	assert_false(tell_prefix(o, "bad", "2020-01-01T00:00:00Z", "rack ==", "bad"));
	tell_node(o, "other", "r1");
	assert_null(felix_objects_selected(o));
	tell_node(o, "n", "r1");
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "young/FelixConfiguration by nodeSelector");
	assert_string_equal(shown(&w, "IPv4VXLANTunnelAddr"), "10.1.2.3/Node");
	(void)tell_prefix(o, "old", "2026-03-01T00:00:00Z", "has(rack)", "old");
	(void)tell_prefix(o, "ald", "2026-03-01T00:00:00Z", "has(rack)", "ald");
	assert_string_equal(felix_objects_selected(o), "ald");
	assert_true(felix_objects_remove(o, V3__KIND__KIND_FELIX_CONFIGURATION, "ald"));
	assert_string_equal(felix_objects_selected(o), "old");
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "old/FelixConfiguration by nodeSelector");
	tell_node(o, "n", "r2");
	(void)felix_objects_remove(o, V3__KIND__KIND_FELIX_CONFIGURATION, "old");
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "global/FelixConfiguration default");
	assert_false(tell_prefix(o, "node.m", "", NULL, "m"));
	assert_true(tell_prefix(o, "node.n", "", NULL, "host"));
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "host/FelixConfiguration of the node");
	assert_int_equal(felix_layer_read_file(&w.layers, "LogPrefix=file", NULL), 0);
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "file/file");
	felix_layer_read_env(&w.layers, env2);
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "env/environment");
	/* and back */
	felix_layer_clear(&w.layers, FELIX_ENVIRONMENT);
	felix_layer_clear(&w.layers, FELIX_FILE);
	(void)felix_objects_remove(o, V3__KIND__KIND_FELIX_CONFIGURATION, "node.n");
	(void)felix_objects_remove(o, V3__KIND__KIND_FELIX_CONFIGURATION, "default");
	resolve(&w);
	assert_string_equal(shown(&w, "LogPrefix"), "calico-packet/default");
	felix_objects_free(o);
	end(&w);
}

static V3__Duration *duration(int64_t ns)
{
	V3__Duration *d = (V3__Duration *)msg_new(&v3__duration__descriptor);

	d->has_ns = true;
	d->ns = ns;
	return d;
}

static void fields_become_texts(void **state)
{
	const char *env[] = { NULL };
	V3__FelixConfiguration *c = new_object(NULL, NULL);
	V3__FelixConfigurationSpec *s = c->spec;
	V3__ObjectMeta *meta = model_meta(&c->base, true);
	struct world w;
	struct felix_objects *o;

	(void)state;
	begin(&w, env);
	o = felix_objects_new("n", &w.layers);
	s->iptablesrefreshinterval = duration(500000000);
	s->iptableslockprobeinterval = duration(20000000);
	s->netlinktimeout = duration(7000000000);
	s->has_removeexternalroutes = true;
	s->has_maxipsetsize = true;
	s->maxipsetsize = 4096;
	s->has_iptablesmarkmask = true;
	s->iptablesmarkmask = 0xff000000;
	s->externalnodeslist = (V3__StringList *)msg_new(&v3__string_list__descriptor);
	s->externalnodeslist->n_items = 2;
	s->externalnodeslist->items = xcalloc(2, sizeof(char *));
	s->externalnodeslist->items[0] = xstrdup("10.0.0.0/8");
	s->externalnodeslist->items[1] = xstrdup("10.1.0.1");
	s->natportrange = (V3__Port *)msg_new(&v3__port__descriptor);
	s->natportrange->has_min = s->natportrange->has_max = true;
	s->natportrange->min = 1000;
	s->natportrange->max = 2000;
	s->failsafeinboundhostports =
	        (V3__ProtoPortList *)msg_new(&v3__proto_port_list__descriptor);
	s->failsafeoutboundhostports =
	        (V3__ProtoPortList *)msg_new(&v3__proto_port_list__descriptor);
	s->failsafeoutboundhostports->n_items = 1;
	s->failsafeoutboundhostports->items = xcalloc(1, sizeof(void *));
	s->failsafeoutboundhostports->items[0] =
	        (V3__ProtoPort *)msg_new(&v3__proto_port__descriptor);
	msg_set_str(&s->failsafeoutboundhostports->items[0]->protocol, "UDP");
	msg_set_str(&s->failsafeoutboundhostports->items[0]->net, "fd00::/64");
	s->failsafeoutboundhostports->items[0]->has_port = true;
	s->failsafeoutboundhostports->items[0]->port = 53;
	msg_set_str(&s->logprefix, "field");
	meta_set(&meta->n_annotations, (void *)&meta->annotations,
	         "config.projectcalico.org/LogPrefix", "annotation");
	meta_set(&meta->n_annotations, (void *)&meta->annotations,
	         "config.projectcalico.org/FelixHostname", "other");
	assert_true(tell(o, V3__KIND__KIND_FELIX_CONFIGURATION, "default", c));
	resolve(&w);
#define SHOWS(name, text) assert_string_equal(shown(&w, name), text "/FelixConfiguration default")
	SHOWS("IptablesRefreshInterval", "0.5");
	SHOWS("IptablesLockProbeIntervalMillis", "20");
	SHOWS("NetlinkTimeoutSecs", "7");
	SHOWS("RemoveExternalRoutes", "false");
	SHOWS("MaxIpsetSize", "4096");
	SHOWS("IptablesMarkMask", "0xff000000");
	SHOWS("ExternalNodesCIDRList", "10.0.0.0/8,10.1.0.1");
	SHOWS("NATPortRange", "1000:2000");
	SHOWS("FailsafeInboundHostPorts", "");
	SHOWS("FailsafeOutboundHostPorts", "udp:[fd00::/64]:53");
	SHOWS("LogPrefix", "annotation");
	assert_int_equal(w.c.dataplane.failsafe_out.v[0].port, 53);
	assert_int_equal(w.c.dataplane.lock_probe_ms, 20);
	assert_string_equal(shown(&w, "FelixHostname"), "-/default");
	assert_non_null(strstr(notes(&w), "l FelixHostname=?;"));
	felix_objects_free(o);
	end(&w);
}

/* Every field of the object has its parameter. */
static void every_field_is_a_parameter(void **state)
{
	const ProtobufCMessageDescriptor *d = &v3__felix_configuration_spec__descriptor;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < d->n_fields; i++) {
		const char *env[] = { NULL };
		V3__FelixConfiguration *c = new_object(NULL, NULL);
		char *at = (char *)c->spec + d->fields[i].offset;
		struct felix_objects *o;

		begin(&w, env);
		o = felix_objects_new("n", &w.layers);
		if (d->fields[i].type == PROTOBUF_C_TYPE_STRING) {
			*(char **)at = xstrdup("x");
		} else if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
			if (d->fields[i].label != PROTOBUF_C_LABEL_REPEATED)
				*(ProtobufCMessage **)at = msg_new(d->fields[i].descriptor);
		} else {
			*(protobuf_c_boolean *)((char *)c->spec + d->fields[i].quantifier_offset) =
			        true;
		}
		(void)tell(o, V3__KIND__KIND_FELIX_CONFIGURATION, "default", c);
		if (strstr(notes(&w), "u "))
			fail_msg("%s is no parameter", d->fields[i].name);
		felix_objects_free(o);
		end(&w);
	}
}

/* ---- changes */

static void on_diff(void *arg, const char *name, const char *was, const char *is,
                    enum felix_source source, enum felix_effect effect)
{
	(void)source;
	buf_printf(arg, "%s %s>%s %d;", name, was ? was : "-", is ? is : "-", (int)effect);
}

static void what_differs_is_told_with_its_effect(void **state)
{
	const char *a[] = { "FELIX_LOGPREFIX=a", "FELIX_INTERFACEPREFIX=cali", NULL };
	const char *b[] = { "FELIX_LOGPREFIX=b", "FELIX_INTERFACEPREFIX=tap",
		            "FELIX_LOGSEVERITYSCREEN=debug", NULL };
	struct buf out = { 0 };
	struct world x, y;

	(void)state;
	begin(&x, a);
	begin(&y, b);
	felix_config_diff(&x.c, &y.c, on_diff, &out);
	assert_string_equal(buf_cstr(&out), "InterfacePrefix cali>tap 3;LogPrefix a>b 2;"
	                                    "LogSeverityScreen INFO>DEBUG 1;");
	buf_clear(&out);
	felix_config_diff(&x.c, &x.c, on_diff, &out);
	assert_string_equal(buf_cstr(&out), "");
	buf_done(&out);
	end(&x);
	end(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_word_the_defaults_are_upstreams),
		cmocka_unit_test(every_default_is_a_value_of_its_type),
		cmocka_unit_test(types_read_as_upstream_reads_them),
		cmocka_unit_test(values_find_their_fields),
		cmocka_unit_test(what_makes_no_sense_is_reported_once_and_the_default_used),
		cmocka_unit_test(a_file_is_read_and_a_bad_one_named),
		cmocka_unit_test(sources_have_upstreams_precedence),
		cmocka_unit_test(fields_become_texts),
		cmocka_unit_test(every_field_is_a_parameter),
		cmocka_unit_test(what_differs_is_told_with_its_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
