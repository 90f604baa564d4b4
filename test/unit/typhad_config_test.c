/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "typhad/config_param.h"

#define THERE "/proc/self/status" /* a file that is always there */

static void note(void *arg, enum config_note n, const char *name, const char *value,
                 const char *why)
{
	static const char *const notes[] = {
		[CONFIG_BAD_VALUE] = "bad",
		[CONFIG_UNKNOWN] = "unknown",
		[CONFIG_NO_EFFECT] = "inert",
	};

	assert_true(why && *why);
	if (arg)
		buf_printf(arg, "%s %s=%s;", notes[n], name, value ? value : "?");
}

static struct typhad_config read_env(const char *const *env, struct buf *notes)
{
	struct typhad_config c;
	struct err err = { 0 };

	if (typhad_config_read(NULL, env, NULL, &c, note, notes, &err) < 0)
		fail_msg("refused: %s", err.text);
	return c;
}

/* A value of each type that is not the default of any parameter, as given and as kept; and values
 * that make no sense. */
static const struct {
	enum param_type type;
	const char *good, *kept, *bad[8];
} types[] = {
	{ PARAM_STRING, "a \xe2\x82\xac text", "a \xe2\x82\xac text", { NULL } },
	{ PARAM_SECRET, "xyzzy", "(set)", { NULL } },
	{ PARAM_ONEOF, NULL, NULL, { "sometimes", "etcdv", "etcdv3 ", "embedded etcdv3", NULL } },
	{ PARAM_FILE, "/nowhere/at all", "/nowhere/at all", { NULL } },
	{ PARAM_FILE_EXISTS, THERE, THERE, { "/nowhere/key", "relative", NULL } },
	{ PARAM_BOOL, NULL, NULL, { "maybe", "2", "tr", "truee", "-1", NULL } },
	{ PARAM_INT,
	  "0x1234",
	  "4660",
	  { "70000000000", "-1", "12a", "1.5", " 7", "0x", "ten", NULL } },
	{ PARAM_SECONDS,
	  "99.25",
	  "99.25",
	  { "-1", "1s", "inf", "nan", "1e99", "1 2", "0x10", NULL } },
	{ PARAM_HOST,
	  "fd00::1",
	  "fd00::1",
	  { "a b", "host/path", "[::1]",
	    "1234567890123456789012345678901234567890123456789012345678901234567890", NULL } },
	{ PARAM_AUTHORITY,
	  "etcd.example:4001",
	  "etcd.example:4001",
	  { "etcd", "etcd:", ":4001", "etcd:0", "etcd:65536", "http://etcd:4001", "etcd:4a",
	    NULL } },
	{ PARAM_URLS,
	  " https://a:1 ,https://[fd00::1]:2/,, ",
	  "https://a:1,https://[fd00::1]:2/",
	  { "a:1", "ftp://a:1", "http://a:1,https://b:1", "http://u:p@a:1", "http://a:1/x", ",",
	    "http://", NULL } },
	{ PARAM_ADDRS,
	  "a, b.example:99 ,[fd00::1]:5473,/run/t.sock,unix:/x,10.0.0.1",
	  "a,b.example:99,[fd00::1]:5473,/run/t.sock,unix:/x,10.0.0.1",
	  { "a:b", "a b", "/", "unix:x", "http://a", ":1", "[::1", NULL } },
};

static const char *good_of(const struct param *p, const char **ret_kept, char keep[128])
{
	if (p->type == PARAM_BOOL) {
		*ret_kept = strcmp(p->dflt, "true") == 0 ? "false" : "true";
		return strcmp(p->dflt, "true") == 0 ? "No" : "Y";
	}
	if (p->type == PARAM_ONEOF) { /* the last one that is not the default, in capitals */
		const char *at = strrchr(p->choices, ' ') + 1;

		if (p->dflt && strcmp(at, p->dflt) == 0)
			at = "VerifyClientCertIfGiven"; /* of the only one whose last is it */
		(void)snprintf(keep, 128, "%s", at);
		*ret_kept = at;
		for (char *c = keep; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
		return keep;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].type == p->type) {
			*ret_kept = types[i].kept;
			return types[i].good;
		}
	fail_msg("no values for %s", p->name);
	return NULL;
}

static int read_one(const char *const *env, const char *file, struct typhad_config *c,
                    struct buf *notes, struct err *err)
{
	*err = (struct err){ 0 };
	return typhad_config_read(NULL, env, file, c, note, notes, err);
}

/* Some make sense only together with others, which a test of one alone does not set. */
static bool about_company(const struct err *err)
{
	return strncmp(err->text, "TLS ", 4) == 0 ||
	       strncmp(err->text, "datastore ", strlen("datastore ")) == 0;
}

static void the_defaults_are_those_of_the_table(void **state)
{
	const char *env[] = { "PATH=/bin", "TYPHA_HEALTHPORT=", NULL };
	struct buf notes = { 0 };
	struct typhad_config c = read_env(env, &notes);

	(void)state;
	for (const struct param *p = params; p->name; p++) {
		const char *value = param_value(&c, p);

		assert_int_equal(typhad_config_source(&c, p->name), CONFIG_DEFAULT);
		if (!p->dflt)
			assert_null(value);
		else
			assert_string_equal(value, p->dflt);
	}
	assert_string_equal(buf_cstr(&notes), "");
	assert_string_equal(c.etcd.endpoints, "http://127.0.0.1:2379");
	assert_int_equal(c.health.port, 9098);
	assert_int_equal(c.metrics.port, 9093);
	assert_int_equal(c.server.ping_interval_ms, 10000);
	assert_int_equal(c.server.pong_timeout_ms, 60000);
	assert_int_equal(c.inert.max_fall_behind_ms, 300000);
	assert_int_equal(c.connections.upper_limit, 10000);
	assert_int_equal(c.inert.batching_age_ms, 10);
	assert_false(c.server.tls);
	typhad_config_done(&c);
	buf_done(&notes);
}

/* The names and defaults of upstream's Typha, from its source: what our table must have. */
static void every_parameter_of_upstream_is_there(void **state)
{
	static const char *const upstream[][2] = {
		{ "EtcdAddr", "127.0.0.1:2379" },
		{ "EtcdScheme", "http" },
		{ "EtcdKeyFile", NULL },
		{ "EtcdCertFile", NULL },
		{ "EtcdCaFile", NULL },
		{ "EtcdEndpoints", NULL },
		{ "LogFilePath", "/var/log/calico/typha.log" },
		{ "LogSeverityFile", "INFO" },
		{ "LogSeverityScreen", "INFO" },
		{ "LogSeveritySys", "INFO" },
		{ "HealthEnabled", "false" },
		{ "HealthHost", "localhost" },
		{ "HealthPort", "9098" },
		{ "PrometheusMetricsEnabled", "false" },
		{ "PrometheusMetricsHost", NULL },
		{ "PrometheusMetricsPort", "9093" },
		{ "PrometheusGoMetricsEnabled", "true" },
		{ "PrometheusProcessMetricsEnabled", "true" },
		{ "PrometheusMetricsCAFile", NULL },
		{ "PrometheusMetricsCertFile", NULL },
		{ "PrometheusMetricsKeyFile", NULL },
		{ "PrometheusMetricsClientAuth", "NoClientCert" },
		{ "SnapshotCacheMaxBatchSize", "100" },
		{ "ServerMaxMessageSize", "100" },
		{ "ServerMaxFallBehindSecs", "300" },
		{ "ServerNewClientFallBehindGracePeriod", "300" },
		{ "ServerMinBatchingAgeThresholdSecs", "0.01" },
		{ "ServerPingIntervalSecs", "10" },
		{ "ServerPongTimeoutSecs", "60" },
		{ "ServerHandshakeTimeoutSecs", "10" },
		{ "ServerWriteTimeoutSecs", "120" },
		{ "ServerPort", "0" },
		{ "ServerHost", NULL },
		{ "ServerKeyFile", NULL },
		{ "ServerCertFile", NULL },
		{ "CAFile", NULL },
		{ "ClientCN", NULL },
		{ "ClientURISAN", NULL },
		{ "DebugMemoryProfilePath", NULL },
		{ "DebugDisableLogDropping", "false" },
		{ "DebugHost", "localhost" },
		{ "DebugPort", "0" },
		{ "ConnectionRebalancingMode", "none" },
		{ "ConnectionDropIntervalSecs", "1" },
		{ "ShutdownTimeoutSecs", "300" },
		{ "ShutdownConnectionDropIntervalMaxSecs", "1" },
		{ "MaxConnectionsUpperLimit", "10000" },
		{ "MaxConnectionsLowerLimit", "400" },
		{ "K8sServicePollIntervalSecs", "30" },
		{ "K8sNamespace", "kube-system" },
		{ "K8sServiceName", "calico-typha" },
		{ "K8sPortName", "calico-typha" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(upstream); i++) {
		const struct param *p = param_find(upstream[i][0], strlen(upstream[i][0]));

		if (!p)
			fail_msg("%s is missing", upstream[i][0]);
		if (!upstream[i][1])
			assert_null(p->dflt);
		else
			assert_string_equal(p->dflt, upstream[i][1]);
	}
	assert_non_null(param_find("datastoretype", strlen("datastoretype")));
}

static void each_parameter_takes_a_value_from_each_source(void **state)
{
	(void)state;
	for (const struct param *p = params; p->name; p++) {
		CLEANUP(buf_done) struct buf notes = { 0 };
		char upper[128], keep[128];
		const char *kept, *good = good_of(p, &kept, keep);
		char *env_text = xasprintf("typha_%s=%s", p->name, good), *file, *alias;
		const char *env[] = { NULL, NULL, NULL };
		struct typhad_config c;
		struct err err;

		/* the environment, any case of the name */
		env[0] = env_text;
		for (size_t i = 0; i < 6 + strlen(p->name) && i < sizeof(upper); i++)
			if (env_text[i] >= 'a' && env_text[i] <= 'z')
				env_text[i] = (char)(env_text[i] - 32);
		if (read_one(env, NULL, &c, &notes, &err) < 0 && !about_company(&err))
			fail_msg("%s: %s", p->name, err.text);
		assert_string_equal(param_value(&c, p), kept);
		assert_int_equal(typhad_config_source(&c, p->name), CONFIG_ENV);
		assert_int_equal(strncmp(buf_cstr(&notes), "inert ", 6) == 0, p->inert != NULL);
		typhad_config_done(&c);

		/* the file; which the environment beats */
		file = xasprintf("[global]\n%s = \"%s\"\n", p->name, good);
		env[0] = NULL;
		if (read_one(env, file, &c, NULL, &err) < 0 && !about_company(&err))
			fail_msg("%s from the file: %s", p->name, err.text);
		assert_string_equal(param_value(&c, p), kept);
		assert_int_equal(typhad_config_source(&c, p->name), CONFIG_FILE);
		typhad_config_done(&c);
		free(file);
		file = xasprintf("%s: %s\n", p->name, p->dflt ? p->dflt : THERE);
		env[0] = env_text;
		(void)read_one(env, file, &c, NULL, &err);
		assert_string_equal(param_value(&c, p), kept);
		typhad_config_done(&c);

		/* the other variable, which TYPHA_ beats and which beats the file */
		if (p->alias) {
			alias = xasprintf("%s=%s", p->alias, good);
			env[0] = alias;
			(void)read_one(env, file, &c, NULL, &err);
			assert_string_equal(param_value(&c, p), kept);
			assert_int_equal(typhad_config_source(&c, p->name), CONFIG_ALIAS);
			typhad_config_done(&c);
			free(alias);
		}
		free(env_text);
		free(file);
	}
}

static void values_that_make_no_sense_give_the_default_or_the_end(void **state)
{
	(void)state;
	for (const struct param *p = params; p->name; p++) {
		const char *const *bad = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			if (types[i].type == p->type)
				bad = types[i].bad;
		for (; *bad; bad++) {
			CLEANUP(buf_done) struct buf notes = { 0 };
			CLEANUP(free_p) char *entry = xasprintf("TYPHA_%s=%s", p->name, *bad);
			const char *env[] = { entry, NULL };
			CLEANUP(free_p) char *want = xasprintf("bad %s=%s;", p->name, *bad);
			struct typhad_config c;
			struct err err;
			int rc;

			/* what the file has does not step in */
			rc = read_one(env,
			              p->type == PARAM_INT ? "HealthPort=1\nDebugPort=1\n" : NULL,
			              &c, &notes, &err);
			if (p->must) {
				assert_int_equal(rc, -EINVAL);
				assert_non_null(strstr(err.text, p->name));
				assert_null(strstr(err.text, "u:p"));
			} else {
				assert_int_equal(rc, 0);
				assert_non_null(strstr(buf_cstr(&notes), want));
				if (p->dflt)
					assert_string_equal(param_value(&c, p), p->dflt);
				else
					assert_null(param_value(&c, p));
			}
			typhad_config_done(&c);
		}
	}
}

static void none_is_the_zero_of_the_type(void **state)
{
	(void)state;
	for (const struct param *p = params; p->name; p++) {
		CLEANUP(buf_done) struct buf notes = { 0 };
		CLEANUP(free_p) char *entry = xasprintf("TYPHA_%s=None", p->name);
		const char *env[] = { "TYPHA_ETCDENDPOINTS=http://a:1", entry, NULL };
		bool refused = p->never_none || (p->type == PARAM_INT && p->min);
		struct typhad_config c;
		struct err err = { 0 };
		int rc = typhad_config_read(NULL, env, NULL, &c, note, &notes, &err);
		const char *value = param_value(&c, p);

		if (p->never_none) {
			assert_int_equal(rc, -EINVAL);
			typhad_config_done(&c);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(notes.len > 0, refused);
		if (refused)
			assert_string_equal(value, p->dflt);
		else if (p->type == PARAM_BOOL)
			assert_string_equal(value, "false");
		else if (p->type == PARAM_INT || p->type == PARAM_SECONDS)
			assert_string_equal(value, strcmp(p->name, "ServerPongTimeoutSecs") == 0
			                                   ? "60" /* six pings */
			                                   : "0");
		else if (strcmp(p->name, "ConnectionRebalancingMode") == 0)
			assert_string_equal(value, "none");
		else
			assert_null(value);
		typhad_config_done(&c);
	}
}

static void the_file_is_read_as_upstream_reads_it(void **state)
{
	static const char text[] = "# a comment\n"
	                           "; another\n"
	                           "HealthEnabled = yes\n"
	                           "[one]\n"
	                           "healthport:1234 # of the probes\n"
	                           "[two] ; is as good as one\r\n"
	                           "  ClientCN = 'a ; # b'\r\n"
	                           "K8sNamespace =\n"
	                           "ServerHost = `::`\n"
	                           "Odd = 1\n"
	                           "EtcdEndpoints = http://a:1,http://b:2\n"
	                           "ServerPingIntervalSecs = 0.0001\n"
	                           "HealthPort = 1235";
	const char *env[] = { NULL };
	CLEANUP(buf_done) struct buf notes = { 0 };
	struct typhad_config c;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(typhad_config_read(NULL, env, text, &c, note, &notes, &err), -EINVAL);
	assert_non_null(strstr(err.text, "TLS for clients")); /* ClientCN alone */
	assert_true(c.health.enabled);
	assert_int_equal(c.health.port, 1235); /* the last one wins */
	assert_string_equal(c.server.client_cn, "a ; # b");
	assert_string_equal(c.inert.k8s_namespace, "kube-system");
	assert_string_equal(c.server.host, "::");
	assert_string_equal(c.etcd.endpoint_list, "http://a:1,http://b:2");
	assert_int_equal(c.server.ping_interval_ms, 1);
	assert_string_equal(buf_cstr(&notes), "unknown Odd=?;");
	typhad_config_done(&c);
}

static void a_file_that_is_none_is_refused_with_the_line(void **state)
{
	static const char *const texts[] = { "a = 1\nnonsense\n", "\n[section\n",
		                             "\nx = \"open\n" };
	const char *env[] = { NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct typhad_config c;
		struct err err = { 0 };

		assert_int_equal(typhad_config_read(NULL, env, texts[i], &c, note, NULL, &err),
		                 -EINVAL);
		assert_non_null(strstr(err.text, "line 2"));
		typhad_config_done(&c);
	}
}

static void values_must_fit_together(void **state)
{
	static const struct {
		const char *env[8];
		const char *says; /* NULL: they do */
	} cases[] = {
		{ { "TYPHA_SERVERKEYFILE=" THERE }, "ServerKeyFile" },
		{ { "TYPHA_CLIENTCN=x" }, "ServerKeyFile" },
		{ { "TYPHA_SERVERKEYFILE=" THERE, "TYPHA_SERVERCERTFILE=" THERE,
		    "TYPHA_CAFILE=" THERE },
		  "ClientCN" },
		{ { "TYPHA_SERVERKEYFILE=" THERE, "TYPHA_SERVERCERTFILE=" THERE,
		    "TYPHA_CAFILE=" THERE, "TYPHA_CLIENTURISAN=spiffe://x/y" },
		  NULL },
		{ { "TYPHA_TYPHAKEYFILE=" THERE, "TYPHA_TYPHACN=x" }, "TLS to upstreams" },
		{ { "TYPHA_TYPHAKEYFILE=" THERE, "TYPHA_TYPHACERTFILE=" THERE,
		    "TYPHA_TYPHACAFILE=" THERE, "TYPHA_TYPHACN=x" },
		  NULL },
		{ { "TYPHA_PROMETHEUSMETRICSKEYFILE=/x" }, "TLS for metrics" },
		{ { "DATASTORE_TYPE=typha" }, "UpstreamAddrs" },
		{ { "DATASTORE_TYPE=typha", "TYPHA_UPSTREAMADDRS=a" }, NULL },
		{ { "DATASTORE_TYPE=etcdv3" }, NULL },
		{ { "DATASTORE_TYPE=etcdv3", "TYPHA_ETCDADDR=none" }, "EtcdEndpoints" },
		{ { "DATASTORE_TYPE=etcdv3", "TYPHA_ETCDADDR=none", "ETCD_ENDPOINTS=http://a:1" },
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct typhad_config c;
		struct err err = { 0 };
		int rc = typhad_config_read(NULL, cases[i].env, NULL, &c, note, NULL, &err);

		if (!cases[i].says) {
			assert_int_equal(rc, 0);
		} else {
			assert_int_equal(rc, -EINVAL);
			assert_non_null(strstr(err.text, cases[i].says));
		}
		typhad_config_done(&c);
	}
}

static void the_command_line_goes_before_all(void **state)
{
	const struct config_option options[] = { { "DatastoreType", "embedded" },
		                                 { "DatastorePath", NULL },
		                                 { NULL, NULL } };
	const char *env[] = { "TYPHA_DATASTORETYPE=etcdv3", "TYPHA_DATASTOREPATH=/a",
		              "CALICO_DATASTORE_PATH=/b", NULL };
	struct typhad_config c;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	        typhad_config_read(options, env, "DatastoreType=typha\n", &c, note, NULL, &err), 0);
	assert_string_equal(c.datastore_type, "embedded");
	assert_string_equal(c.datastore_path, "/a");
	assert_int_equal(typhad_config_source(&c, "datastoretype"), CONFIG_OPTION);
	typhad_config_done(&c);
}

static void the_prefixed_variable_goes_before_the_plain_one(void **state)
{
	static const struct {
		const char *env[5], *want;
	} cases[] = {
		{ { "CALICO_ETCD_ENDPOINTS=http://b:1", "ETCD_ENDPOINTS=http://a:1" },
		  "http://b:1" },
		{ { "ETCD_ENDPOINTS=http://a:1", "CALICO_ETCD_ENDPOINTS=http://b:1" },
		  "http://b:1" },
		{ { "CALICO_ETCD_ENDPOINTS=", "ETCD_ENDPOINTS=http://a:1" }, "http://a:1" },
		{ { "TYPHA_ETCDENDPOINTS=http://c:1", "CALICO_ETCD_ENDPOINTS=http://b:1" },
		  "http://c:1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct typhad_config c = read_env((const char **)(uintptr_t)cases[i].env, NULL);

		assert_string_equal(c.etcd.endpoints, cases[i].want);
		typhad_config_done(&c);
	}
}

static void a_pong_timeout_that_two_pings_fill_becomes_six(void **state)
{
	const char *env[] = { "TYPHA_SERVERPINGINTERVALSECS=5", "TYPHA_SERVERPONGTIMEOUTSECS=10",
		              NULL };
	struct typhad_config c = read_env(env, NULL);

	(void)state;
	assert_int_equal(c.server.pong_timeout_ms, 30000);
	typhad_config_done(&c);
}

static void show(void *arg, const char *name, const char *value, enum config_source source)
{
	(void)name;
	(void)source;
	buf_str(arg, value ? value : "");
}

static void a_password_is_never_shown(void **state)
{
	const char *env[] = { "ETCD_PASSWORD=xyzzy", NULL };
	CLEANUP(buf_done) struct buf all = { 0 };
	struct typhad_config c = read_env(env, &all);

	(void)state;
	typhad_config_each(&c, show, &all);
	assert_null(strstr(buf_cstr(&all), "xyzzy"));
	assert_non_null(strstr(buf_cstr(&all), "(set)"));
	assert_string_equal(c.etcd.password, "xyzzy");
	typhad_config_done(&c);
}

/* The manual and the example of the file are what the table says. */
static void the_documents_have_the_whole_table(void **state)
{
	static const char *const files[] = { "typhad/typhad.8", "typhad/typha.cfg" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(buf_done) struct buf table = { 0 };
		CLEANUP(free_p) char *text = NULL;
		struct err err = { 0 };

		typhad_config_print(i ? CONFIG_PRINT_CFG : CONFIG_PRINT_MAN, &table);
		if (file_read(files[i], 1 << 20, &text, NULL, &err) < 0)
			fail_msg("%s", err.text);
		if (!strstr(text, buf_cstr(&table)))
			fail_msg("%s does not have what 'typhad --parameters %s' prints", files[i],
			         i ? "cfg" : "man");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_the_table),
		cmocka_unit_test(every_parameter_of_upstream_is_there),
		cmocka_unit_test(each_parameter_takes_a_value_from_each_source),
		cmocka_unit_test(values_that_make_no_sense_give_the_default_or_the_end),
		cmocka_unit_test(none_is_the_zero_of_the_type),
		cmocka_unit_test(the_file_is_read_as_upstream_reads_it),
		cmocka_unit_test(a_file_that_is_none_is_refused_with_the_line),
		cmocka_unit_test(values_must_fit_together),
		cmocka_unit_test(the_command_line_goes_before_all),
		cmocka_unit_test(the_prefixed_variable_goes_before_the_plain_one),
		cmocka_unit_test(a_pong_timeout_that_two_pings_fill_becomes_six),
		cmocka_unit_test(a_password_is_never_shown),
		cmocka_unit_test(the_documents_have_the_whole_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
