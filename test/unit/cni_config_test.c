/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cni-plugin/config.h"
#include "cni-plugin/env.h"
#include "cni-plugin/names.h"
#include "common/base/mem.h"

#define HEAD "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"calico\""
#define IPAM ",\"ipam\":{\"type\":\"calico-ipam\"}"

/* ---- configuration */

static void what_is_not_said_has_upstreams_defaults(void **state)
{
	struct cni_config c;
	struct cni_error e;
	const char *text = HEAD IPAM "}";

	(void)state;
	assert_int_equal(cni_config_read(text, strlen(text), &c, &e), 0);
	assert_string_equal(c.version, "1.0.0");
	assert_string_equal(c.name, "net");
	assert_true(c.ipv4);
	assert_false(c.ipv6);
	assert_int_equal(c.mtu, 0);
	assert_int_equal(c.num_queues, 1);
	assert_string_equal(c.nodename, "");
	assert_string_equal(c.nodename_file, "");
	assert_false(c.allow_ip_forwarding);
	assert_false(c.has_prev);
	assert_memory_equal(c.text, text, c.len);
	cni_config_done(&c);
}

static void everything_that_is_said_is_read(void **state)
{
	static const char text[] = HEAD
	        ",\"ipam\":{\"type\":\"host-local\",\"assign_ipv4\":\"false\",\"assign_ipv6\":"
	        "\"true\","
	        "\"ipv4_pools\":[\"a\",\"10.0.0.0/16\"],\"ipv6_pools\":[],"
	        "\"routes\":[{\"dst\":\"10.1.2.3/16\",\"gw\":\"1.1.1.1\"},{},{\"dst\":\"fd00::/"
	        "8\"}],\"subnet\":\"x\"},"
	        "\"nodename\":\"n1\",\"nodename_file\":\"/"
	        "f\",\"nodename_file_optional\":true,\"run_dir\":\"/r\","
	        "\"log_level\":\"Debug\",\"log_file_path\":\"/l\",\"mtu\":1440,\"num_queues\":4,"
	        "\"policy\":{\"type\":\"k8s\"},\"container_settings\":{\"allow_ip_forwarding\":"
	        "true},"
	        "\"include_default_routes\":true,\"device_type\":\"veth\",\"readiness_gates\":[],"
	        "\"unknown\":[1,{}],"
	        "\"args\":{\"cni\":{\"labels\":[{\"key\":\"app\",\"value\":\"web\"},{\"key\":\"a\","
	        "\"value\":\"\"},"
	        "{\"key\":\"app\",\"value\":\"db\"}]},\"org.apache.mesos\":{\"network_info\":{"
	        "\"name\":\"x\","
	        "\"labels\":{\"labels\":[{\"key\":\"m\",\"value\":\"a/b c\"}]}}}},"
	        "\"prevResult\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"cali1\"},"
	        "{\"name\":\"eth0\",\"sandbox\":\"/"
	        "n\",\"mac\":\"aa:bb:cc:dd:ee:ff\",\"mtu\":1440}],"
	        "\"ips\":[{\"interface\":1,\"address\":\"10.0.0.1/"
	        "32\"}],\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{}}}";
	struct cni_config c;
	struct cni_error e;

	(void)state;
	if (cni_config_read(text, strlen(text), &c, &e) < 0)
		fail_msg("%s", e.msg);
	assert_false(c.ipv4);
	assert_true(c.ipv6);
	assert_int_equal(c.pools4.n, 2);
	assert_string_equal(c.pools4.items[1], "10.0.0.0/16");
	assert_int_equal(c.pools6.n, 0);
	assert_int_equal(c.n_routes, 2); /* without dst: passed over */
	assert_true(ip_prefix_is_network(&c.routes[0]));
	assert_string_equal(c.run_dir, "/r");
	assert_int_equal(c.mtu, 1440);
	assert_int_equal(c.num_queues, 4);
	assert_string_equal(c.policy_type, "k8s");
	assert_true(c.allow_ip_forwarding && c.include_default_routes && c.nodename_file_optional);
	assert_int_equal(c.n_labels, 3);
	assert_string_equal(c.labels[0].value, "db");    /* the last one counts */
	assert_string_equal(c.labels[2].value, "a.b.c"); /* as a label may be */
	assert_true(c.has_prev);
	assert_int_equal(c.prev.ips[0].interface, 1);
	assert_string_equal(c.prev.interfaces[1].sandbox, "/n");
	cni_config_done(&c);
}

static void what_is_wrong_has_a_code_and_a_name(void **state)
{
	static const struct {
		const char *text;
		enum cni_code code;
		const char *says;
	} cases[] = {
		{ "", CNI_DECODING_FAILURE, "failed to load netconf" },
		{ "{", CNI_DECODING_FAILURE, "line 1" },
		{ HEAD IPAM "} x", CNI_DECODING_FAILURE, "failed to load netconf" },
		{ "null", CNI_DECODING_FAILURE, "not an object" },
		{ "[1]", CNI_DECODING_FAILURE, "not an object" },
		{ "{\"cniVersion\":\"1.0.0\"" IPAM "}", CNI_INVALID_CONFIG,
		  "missing network name" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":\"a b\"" IPAM "}", CNI_INVALID_CONFIG,
		  "invalid characters detected in the given network name" },
		{ "{\"cniVersion\":\"1.0.0\",\"name\":7" IPAM "}", CNI_INVALID_CONFIG, "name is" },
		{ "{\"name\":\"net\"" IPAM "}", CNI_INCOMPATIBLE_VERSION,
		  "incompatible CNI versions" },
		{ "{\"cniVersion\":\"0.2.0\",\"name\":\"net\"" IPAM "}", CNI_INCOMPATIBLE_VERSION,
		  "incompatible" },
		{ "{\"cniVersion\":\"1.1.0\",\"name\":\"net\"" IPAM "}", CNI_INCOMPATIBLE_VERSION,
		  "incompatible" },
		{ "{\"cniVersion\":1,\"name\":\"net\"" IPAM "}", CNI_INVALID_CONFIG,
		  "cniVersion is" },
		{ HEAD "}", CNI_INVALID_CONFIG, "ipam.type is missing" },
		{ HEAD ",\"ipam\":[]}", CNI_INVALID_CONFIG, "ipam is" },
		{ HEAD ",\"ipam\":{\"type\":\"../x\"}}", CNI_INVALID_CONFIG,
		  "not the name of a program" },
		{ HEAD ",\"ipam\":{\"type\":\"calico-ipam\",\"assign_ipv4\":true}}",
		  CNI_INVALID_CONFIG, "ipam.assign_ipv4 is" },
		{ HEAD ",\"ipam\":{\"type\":\"calico-ipam\",\"assign_ipv4\":\"false\"}}",
		  CNI_INVALID_CONFIG, "both off" },
		{ HEAD ",\"ipam\":{\"type\":\"calico-ipam\",\"ipv4_pools\":[1]}}",
		  CNI_INVALID_CONFIG, "ipam.ipv4_pools" },
		{ HEAD ",\"ipam\":{\"type\":\"x\",\"routes\":[{\"dst\":\"10.0.0.0/33\"}]}}",
		  CNI_INVALID_CONFIG, "ipam.routes[0].dst" },
		{ HEAD IPAM ",\"mtu\":-1}", CNI_INVALID_CONFIG, "mtu" },
		{ HEAD IPAM ",\"mtu\":70000}", CNI_INVALID_CONFIG, "mtu" },
		{ HEAD IPAM ",\"mtu\":1.5}", CNI_INVALID_CONFIG, "mtu" },
		{ HEAD IPAM ",\"mtu\":99999999999999999999}", CNI_INVALID_CONFIG, "mtu" },
		{ HEAD IPAM ",\"mtu\":\"1500\"}", CNI_INVALID_CONFIG, "mtu is" },
		{ HEAD IPAM ",\"nodename\":\"a\\u0000b\"}", CNI_INVALID_CONFIG, "NUL" },
		{ HEAD IPAM ",\"device_type\":\"tap\"}", CNI_UNSUPPORTED_FIELD,
		  "unknown device_type" },
		{ HEAD IPAM ",\"dataplane_options\":{\"type\":\"grpc\"}}", CNI_UNSUPPORTED_FIELD,
		  "dataplane_options" },
		{ HEAD IPAM ",\"readiness_gates\":[\"http://x\"]}", CNI_UNSUPPORTED_FIELD,
		  "readiness_gates" },
		{ HEAD IPAM ",\"args\":{\"cni\":{\"labels\":[{\"key\":\"a\"}]}}}",
		  CNI_INVALID_CONFIG, "args.cni.labels[0]" },
		{ HEAD IPAM ",\"args\":{\"cni\":{\"labels\":[{\"key\":\"\",\"value\":\"x\"}]}}}",
		  CNI_INVALID_CONFIG, "label's key" },
		{ HEAD IPAM ",\"prevResult\":7}", CNI_INVALID_CONFIG, "prevResult is" },
		{ HEAD IPAM ",\"prevResult\":{\"ips\":[{\"address\":\"10.0.0.1\"}]}}",
		  CNI_INVALID_CONFIG, "prevResult: ips" },
		{ HEAD IPAM
		  ",\"prevResult\":{\"interfaces\":[{\"name\":\"a\",\"sandbox\":\"/x\"},{}]}}",
		  CNI_INVALID_CONFIG, "prevResult: interfaces" },
		{ HEAD IPAM ",\"prevResult\":{\"interfaces\":[{\"name\":\"a\"}],\"ips\":[{"
		            "\"address\":\"1.2.3.4/32\",\"interface\":1}]}}",
		  CNI_INVALID_CONFIG, "index" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cni_config c;
		struct cni_error e;

		if (cni_config_read(cases[i].text, strlen(cases[i].text), &c, &e) != -1)
			fail_msg("accepted: %s", cases[i].text);
		if (e.code != cases[i].code || !strstr(e.msg, cases[i].says))
			fail_msg("%s: %u %s", cases[i].text, e.code, e.msg);
		cni_config_done(&c);
	}
}

static void every_truncation_is_refused(void **state)
{
	static const char text[] =
	        HEAD IPAM ",\"args\":{\"cni\":{\"labels\":[{\"key\":\"a\",\"value\":\"b\"}]}}}";

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		struct cni_config c;
		struct cni_error e;

		assert_int_equal(cni_config_read(text, n, &c, &e), -1);
		assert_int_equal(e.code, CNI_DECODING_FAILURE);
		cni_config_done(&c);
	}
}

/* ---- results */

static void a_result_is_what_its_version_wants(void **state)
{
	static const struct {
		const char *version, *has, *has_not;
	} cases[] = {
		{ "0.3.1", "\"version\": \"4\"", NULL },
		{ "0.4.0", "\"version\": \"6\"", NULL },
		{ "1.0.0", "\"interface\": 1", "\"version\"" },
	};
	struct cni_result r = { .n_interfaces = 2, .n_ips = 2, .n_routes = 1 };

	(void)state;
	strcpy(r.interfaces[0].name, "cali1");
	strcpy(r.interfaces[1].name, "eth0");
	r.interfaces[1].sandbox = xstrdup("/run/netns/x");
	(void)ip_prefix_parse("10.0.0.1/32", &r.ips[0].address);
	(void)ip_prefix_parse("fd00::1/128", &r.ips[1].address);
	r.ips[0].interface = r.ips[1].interface = 1;
	(void)ip_prefix_parse("10.0.0.1/26", &r.routes[0].dst);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct cni_result back;
		struct cni_error e;
		struct json *j;

		cni_result_write(&r, cases[i].version, &out);
		assert_non_null(strstr(buf_cstr(&out), cases[i].has));
		if (cases[i].has_not)
			assert_null(strstr(buf_cstr(&out), cases[i].has_not));
		assert_non_null(strstr(buf_cstr(&out), "10.0.0.1/26"));
		assert_int_equal(json_parse(buf_cstr(&out), out.len, &j, NULL), 0);
		assert_int_equal(cni_result_read(j, "it", &back, &e),
		                 0); /* what we write, we read */
		assert_int_equal(back.n_ips, 2);
		assert_true(ip_prefix_eq(&back.ips[1].address, &r.ips[1].address));
		cni_result_done(&back);
		json_free(j);
	}
	cni_result_done(&r);
}

/* ---- environment */

static const char *vars[8][2];

static const char *lookup(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		if (vars[i][0] && strcmp(vars[i][0], name) == 0)
			return vars[i][1];
	return NULL;
}

static void set(const char *command, const char *container, const char *netns, const char *ifname,
                const char *args)
{
	const char *const all[][2] = {
		{ "CNI_COMMAND", command },     { "CNI_CONTAINERID", container },
		{ "CNI_NETNS", netns },         { "CNI_IFNAME", ifname },
		{ "CNI_PATH", "/opt/cni/bin" }, { "CNI_ARGS", args },
	};

	memset(vars, 0, sizeof(vars));
	memcpy(vars, all, sizeof(all));
}

static void the_environment_is_checked(void **state)
{
	static const struct {
		const char *command, *container, *netns, *ifname, *args,
		        *says; /* says NULL: fine */
	} cases[] = {
		{ "ADD", "c", "/n", "eth0", NULL, NULL },
		{ "ADD", "c", "/n", "eth0", "", NULL },
		{ "ADD", "c", "/n", "eth0", "IgnoreUnknown=1;K8S_POD_NAME=p;X=", NULL },
		{ "DEL", "c", NULL, "eth0", NULL, NULL },
		{ "VERSION", NULL, NULL, NULL, NULL, NULL },
		{ "ADD", NULL, NULL, "eth0", NULL,
		  "required env variables [CNI_CONTAINERID,CNI_NETNS] missing" },
		{ "CHECK", "c", "/n", NULL, NULL, "[CNI_IFNAME]" },
		{ "GC", "c", "/n", "eth0", NULL, "unknown CNI_COMMAND: GC" },
		{ "add", "c", "/n", "eth0", NULL, "unknown CNI_COMMAND: add" },
		{ "ADD", "-c", "/n", "eth0", NULL, "CNI_CONTAINERID" },
		{ "ADD", "a/b", "/n", "eth0", NULL, "CNI_CONTAINERID" },
		{ "ADD", "c", "/n", "sixteen-letters.", NULL, "CNI_IFNAME" },
		{ "ADD", "c", "/n", "..", NULL, "CNI_IFNAME" },
		{ "ADD", "c", "/n", "a:b", NULL, "CNI_IFNAME" },
		{ "ADD", "c", "/n", "a b", NULL, "CNI_IFNAME" },
		{ "ADD", "c", "/n", "eth0", "K8S_POD_NAME", "invalid pair" },
		{ "ADD", "c", "/n", "eth0", "A=b=c", "invalid pair" },
		{ "ADD", "c", "/n", "eth0", "A=b;;B=c", "invalid pair" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cni_env env = { 0 };
		struct cni_error e = { 0 };
		int r;

		set(cases[i].command, cases[i].container, cases[i].netns, cases[i].ifname,
		    cases[i].args);
		r = cni_env_read(lookup, &env, &e);
		if (!cases[i].says && r < 0)
			fail_msg("case %zu: %s", i, e.msg);
		if (cases[i].says &&
		    (r == 0 || e.code != CNI_INVALID_ENVIRONMENT || !strstr(e.msg, cases[i].says)))
			fail_msg("case %zu: %d %u %s", i, r, e.code, e.msg);
		cni_env_done(&env);
	}
	set("ADD", "c", "/n", "eth0",
	    "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=pod;IP=10.0.0.9;K8S_POD_UID=u");
	struct cni_env env;
	struct cni_error e;

	assert_int_equal(cni_env_read(lookup, &env, &e), 0);
	assert_string_equal(env.pod_namespace, "ns");
	assert_string_equal(env.pod_name, "pod");
	assert_string_equal(env.ip, "10.0.0.9");
	cni_env_done(&env);
}

/* ---- names */

static void names_are_upstreams(void **state)
{
	char out[IFNAMSIZ], now[NAMES_TIME_MAX];

	(void)state;
	assert_int_equal(names_host_if_k8s("cali", "default", "mypod", out), 0);
	assert_string_equal(out, "cali4e199eba087");
	assert_int_equal(names_host_if_k8s("cali", "kube-system", "coredns-abc", out), 0);
	assert_string_equal(out, "cali3d5d6ab04b5");
	assert_int_equal(names_host_if_cni("cali", "0123456789abcdef0123456789ABCDEF", out), 0);
	assert_string_equal(out, "cali0123456789a");
	assert_int_equal(names_host_if_cni("cali", "0123456789a", out), 0);
	assert_string_equal(out, "cali0123456789a");
	assert_int_equal(names_host_if_cni("cali", "0123456789abcdef", out), 0);
	assert_string_equal(out, "calife5567e8d76");
	assert_int_equal(names_host_if_cni("cali", "default-web1", out), 0);
	assert_string_equal(out, "cali0a8a8cdf91c");
	assert_int_equal(names_host_if_cni("cali", "default-web2", out), 0);
	assert_string_equal(out, "cali27185cca4ae");
	assert_int_equal(names_host_if_cni("cali", "ab", out), 0);
	assert_string_equal(out, "caliab");
	assert_true(names_host_if_cni("prefix", "0123456789abcdef", out) < 0);
	names_prefix(NULL, out);
	assert_string_equal(out, "cali");
	names_prefix("tap,cali", out);
	assert_string_equal(out, "tap");
	names_go_time(1787405600123456789u, now);
	assert_string_equal(now, "2026-08-22 13:33:20.123456789 +0000 UTC");
	names_go_time(1787405600120000000u, now);
	assert_string_equal(now, "2026-08-22 13:33:20.12 +0000 UTC");
	names_go_time(1787405600000000000u, now);
	assert_string_equal(now, "2026-08-22 13:33:20 +0000 UTC");
}

static void an_error_is_json(void **state)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct cni_error e;

	(void)state;
	(void)cni_fail(&e, CNI_TRY_AGAIN_LATER, "a \"quoted\" %s", "word");
	strcpy(e.details, "more");
	cni_error_write(&e, "1.0.0", &out);
	assert_string_equal(buf_cstr(&out), "{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"a "
	                                    "\\\"quoted\\\" word\",\"details\":\"more\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_upstreams_defaults),
		cmocka_unit_test(everything_that_is_said_is_read),
		cmocka_unit_test(what_is_wrong_has_a_code_and_a_name),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(a_result_is_what_its_version_wants),
		cmocka_unit_test(the_environment_is_checked),
		cmocka_unit_test(names_are_upstreams),
		cmocka_unit_test(an_error_is_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
