/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <string.h>

#include "common/base/buf.h"
#include "felixd/config.h"

static void note(void *arg, const char *name, const char *value, const char *why)
{
	(void)why;
	buf_printf(arg, "%s=%s;", name, value ? value : "?");
}

static struct felix_config read_config(const char *const *env, struct buf *notes)
{
	struct felix_config c;

	felix_config_read(env, &c, note, notes);
	return c;
}

static void without_an_environment_the_defaults_are_upstreams(void **state)
{
	const char *env[] = { "PATH=/bin", "FELIX_LOGPREFIX=", NULL };
	struct buf notes = { 0 };
	struct felix_config c = read_config(env, &notes);

	(void)state;
	assert_string_equal(c.dataplane.interface_prefix, "cali");
	assert_string_equal(c.dataplane.endpoint_to_host_action, "DROP");
	assert_string_equal(c.dataplane.chain_insert_mode, "insert");
	assert_string_equal(c.dataplane.filter_allow_action, "ACCEPT");
	assert_string_equal(c.dataplane.mangle_allow_action, "ACCEPT");
	assert_string_equal(c.dataplane.deny_action, "DROP");
	assert_string_equal(c.dataplane.log_prefix, "calico-packet");
	assert_int_equal(c.dataplane.mark_mask, 0xffff0000);
	assert_int_equal(c.dataplane.device_route_protocol, 3);
	assert_int_equal(c.dataplane.refresh_iptables_ms, 180000);
	assert_int_equal(c.dataplane.refresh_ipsets_ms, 90000);
	assert_int_equal(c.dataplane.refresh_routes_ms, 90000);
	assert_null(c.felix_hostname);
	assert_null(c.log_severity_screen);
	assert_string_equal(buf_cstr(&notes), "");
	felix_config_done(&c);
	buf_done(&notes);
}

static void values_are_read_as_upstream_reads_them(void **state)
{
	const char *env[] = { "FELIX_FELIXHOSTNAME=Node-1.x",
		              "Felix_DefaultEndpointToHostAction=accept",
		              "FELIX_CHAININSERTMODE=Append",
		              "FELIX_IPTABLESMARKMASK=0x00ff0000",
		              "FELIX_DEVICEROUTEPROTOCOL=0x50",
		              "FELIX_IPTABLESREFRESHINTERVAL=0.25",
		              "FELIX_IPSETSREFRESHINTERVAL=none",
		              "FELIX_LOGPREFIX=None",
		              "FELIX_LOGSEVERITYSCREEN=debug",
		              "FELIX_INTERFACEPREFIX=cali,tap",
		              NULL };
	struct buf notes = { 0 };
	struct felix_config c = read_config(env, &notes);

	(void)state;
	assert_string_equal(c.felix_hostname, "Node-1.x");
	assert_string_equal(c.dataplane.endpoint_to_host_action, "ACCEPT");
	assert_string_equal(c.dataplane.chain_insert_mode, "append");
	assert_int_equal(c.dataplane.mark_mask, 0x00ff0000);
	assert_int_equal(c.dataplane.device_route_protocol, 80);
	assert_int_equal(c.dataplane.refresh_iptables_ms, 250);
	assert_int_equal(c.dataplane.refresh_ipsets_ms, 0);
	assert_string_equal(c.dataplane.log_prefix, "");
	assert_string_equal(c.log_severity_screen, "DEBUG");
	assert_string_equal(c.dataplane.interface_prefix, "cali,tap");
	assert_string_equal(buf_cstr(&notes), "");
	felix_config_done(&c);
	buf_done(&notes);
}

static void a_wrong_value_is_reported_and_the_default_used(void **state)
{
	const char *env[] = { "FELIX_FELIXHOSTNAME=no/de",
		              "FELIX_DEFAULTENDPOINTTOHOSTACTION=MAYBE",
		              "FELIX_CHAININSERTMODE=none",
		              "FELIX_IPTABLESMARKMASK=0x10000",
		              "FELIX_IPTABLESMARKMASK=0x1ffffffff",
		              "FELIX_DEVICEROUTEPROTOCOL=256",
		              "FELIX_IPTABLESREFRESHINTERVAL=-1",
		              "FELIX_ROUTEREFRESHINTERVAL=90s",
		              "FELIX_INTERFACEPREFIX=cali,,tap",
		              "FELIX_IPV6SUPPORT=perhaps",
		              "FELIX_BPFENABLED=true",
		              "FELIX_=x",
		              "FELIX_LOGPREFIX",
		              NULL };
	struct buf notes = { 0 };
	struct felix_config c = read_config(env, &notes);

	(void)state;
	assert_string_equal(
	        buf_cstr(&notes),
	        "FelixHostname=no/de;DefaultEndpointToHostAction=MAYBE;ChainInsertMode=none;"
	        "IptablesMarkMask=0x10000;IptablesMarkMask=0x1ffffffff;DeviceRouteProtocol=256;"
	        "IptablesRefreshInterval=-1;RouteRefreshInterval=90s;InterfacePrefix=cali,,tap;"
	        "Ipv6Support=perhaps;BPFENABLED=?;=?;");
	assert_null(c.felix_hostname);
	assert_string_equal(c.dataplane.endpoint_to_host_action, "DROP");
	assert_string_equal(c.dataplane.chain_insert_mode, "insert");
	assert_int_equal(c.dataplane.mark_mask, 0xffff0000);
	assert_int_equal(c.dataplane.refresh_iptables_ms, 180000);
	assert_string_equal(c.dataplane.interface_prefix, "cali");
	felix_config_done(&c);
	buf_done(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_an_environment_the_defaults_are_upstreams),
		cmocka_unit_test(values_are_read_as_upstream_reads_them),
		cmocka_unit_test(a_wrong_value_is_reported_and_the_default_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
