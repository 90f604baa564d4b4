/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/config_param.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/base/setting.h"

#define SECONDS_MAX 1e9

#define F(f) offsetof(struct typhad_config, f)
#define LEVELS "DEBUG INFO WARNING ERROR CRITICAL"
#define CLIENT_AUTHS                                                                               \
	"RequireAndVerifyClientCert RequireAnyClientCert VerifyClientCertIfGiven NoClientCert"
#define NOT_A_FILE "logs go to standard error, which the supervisor keeps"
#define CAUGHT_UP                                                                                  \
	"a client that is behind costs little, and is given the last state of what has changed"
#define NO_BATCHES "an update is packed once and sent as soon as the loop turns"
#define NO_GO "there is no Go runtime here"
#define NO_K8S "the Kubernetes API is not asked by this version"

/* clang-format off */
const struct param params[] = {
	{ "DatastoreType", PARAM_ONEOF, "embedded", "embedded etcdv3 kubernetes typha", 0, 0, true, true, "DATASTORE_TYPE", F(datastore_type),
	  "The datastore: one SQLite file, etcd, the Kubernetes API, or another typhad (see UpstreamAddrs).", NULL },
	{ "DatastorePath", PARAM_FILE, "/var/lib/calico/datastore.db", NULL, 0, 0, true, true, "CALICO_DATASTORE_PATH", F(datastore_path),
	  "The file of the embedded datastore; created when absent.", NULL },
	{ "DatastoreKeepChanges", PARAM_INT, "10000", NULL, 1, INT32_MAX, false, false, NULL, F(keep_changes),
	  "How many changes the log of the embedded datastore keeps: another process that lags further behind reads everything again.", NULL },
	{ "DatastoreKeepSeconds", PARAM_SECONDS, "3600", NULL, 0, 0, false, false, NULL, F(keep_ms),
	  "How old these changes may grow; 0: any age.", NULL },

	{ "EtcdAddr", PARAM_AUTHORITY, "127.0.0.1:2379", NULL, 0, 0, false, false, NULL, F(etcd.addr),
	  "The one member of etcd, where EtcdEndpoints is not set.", NULL },
	{ "EtcdScheme", PARAM_ONEOF, "http", "http https", 0, 0, false, false, NULL, F(etcd.scheme),
	  "How EtcdAddr is spoken to.", NULL },
	{ "EtcdEndpoints", PARAM_URLS, NULL, NULL, 0, 0, false, true, "ETCD_ENDPOINTS", F(etcd.endpoint_list),
	  "The members of etcd, as URLs of one scheme.", NULL },
	{ "EtcdDiscoverySrv", PARAM_STRING, NULL, NULL, 0, 0, false, false, "ETCD_DISCOVERY_SRV", F(etcd.discovery_srv),
	  "A domain whose SRV records name the members of etcd.", NULL },
	{ "EtcdUsername", PARAM_STRING, NULL, NULL, 0, 0, false, false, "ETCD_USERNAME", F(etcd.username),
	  "The user of etcd.", NULL },
	{ "EtcdPassword", PARAM_SECRET, NULL, NULL, 0, 0, false, false, "ETCD_PASSWORD", F(etcd.password),
	  "The password of EtcdUsername; never shown.", NULL },
	{ "EtcdKeyFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, "ETCD_KEY_FILE", F(etcd.key_file),
	  "The private key that etcd is shown.", NULL },
	{ "EtcdCertFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, "ETCD_CERT_FILE", F(etcd.cert_file),
	  "The certificate that etcd is shown.", NULL },
	{ "EtcdCaFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, "ETCD_CA_CERT_FILE", F(etcd.ca_file),
	  "The authorities that vouch for etcd.", NULL },

	{ "UpstreamAddrs", PARAM_ADDRS, NULL, NULL, 0, 0, false, true, NULL, F(upstream.addrs),
	  "The typhads to feed from: host names (each of whose addresses is one), addresses, with a port or without (then 5473), "
	  "or paths of Unix sockets.", NULL },
	{ "TyphaKeyFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, NULL, F(upstream.key_file),
	  "The private key that upstreams are shown.", NULL },
	{ "TyphaCertFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, NULL, F(upstream.cert_file),
	  "The certificate that upstreams are shown.", NULL },
	{ "TyphaCAFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, NULL, F(upstream.ca_file),
	  "The authorities that vouch for upstreams.", NULL },
	{ "TyphaCN", PARAM_STRING, NULL, NULL, 0, 0, false, false, NULL, F(upstream.cn),
	  "The common name that an upstream's certificate must have.", NULL },
	{ "TyphaURISAN", PARAM_STRING, NULL, NULL, 0, 0, false, false, NULL, F(upstream.uri_san),
	  "The URI that an upstream's certificate must be for; with TyphaCN, either suffices.", NULL },
	{ "TyphaReadTimeout", PARAM_SECONDS, "30", NULL, 0, 0, false, false, NULL, F(upstream.read_timeout_ms),
	  "How long an upstream may be silent before it is left for another.", NULL },
	{ "TyphaWriteTimeout", PARAM_SECONDS, "10", NULL, 0, 0, false, false, NULL, F(upstream.write_timeout_ms),
	  "How long a request to an upstream may wait for its answer.", NULL },

	{ "LogSeverityScreen", PARAM_ONEOF, "INFO", LEVELS, 0, 0, false, false, NULL, F(log_severity_screen),
	  "What is logged to standard error; --log-level and its variables go before it.", NULL },
	{ "LogFilePath", PARAM_FILE, "/var/log/calico/typha.log", NULL, 0, 0, false, false, NULL, F(inert.log_file_path),
	  "A file for the log.", NOT_A_FILE },
	{ "LogSeverityFile", PARAM_ONEOF, "INFO", LEVELS, 0, 0, false, false, NULL, F(inert.log_severity_file),
	  "What is logged to the file.", NOT_A_FILE },
	{ "LogSeveritySys", PARAM_ONEOF, "INFO", LEVELS, 0, 0, false, false, NULL, F(inert.log_severity_sys),
	  "What is logged to syslog.", NOT_A_FILE },

	{ "HealthEnabled", PARAM_BOOL, "false", NULL, 0, 0, false, false, NULL, F(health.enabled),
	  "Serve /liveness and /readiness over HTTP.", NULL },
	{ "HealthHost", PARAM_HOST, "localhost", NULL, 0, 0, false, false, NULL, F(health.host),
	  "The address for them.", NULL },
	{ "HealthPort", PARAM_INT, "9098", NULL, 0, 65535, false, false, NULL, F(health.port),
	  "The port for them.", NULL },

	{ "PrometheusMetricsEnabled", PARAM_BOOL, "false", NULL, 0, 0, false, false, NULL, F(metrics.enabled),
	  "Serve /metrics over HTTP.", NULL },
	{ "PrometheusMetricsHost", PARAM_HOST, NULL, NULL, 0, 0, false, false, NULL, F(metrics.host),
	  "The address for it; none: all.", NULL },
	{ "PrometheusMetricsPort", PARAM_INT, "9093", NULL, 0, 65535, false, false, NULL, F(metrics.port),
	  "The port for it.", NULL },
	{ "PrometheusProcessMetricsEnabled", PARAM_BOOL, "true", NULL, 0, 0, false, false, NULL, F(metrics.process),
	  "Whether /metrics has the process's memory, time and files.", NULL },
	{ "PrometheusGoMetricsEnabled", PARAM_BOOL, "true", NULL, 0, 0, false, false, NULL, F(inert.go_metrics),
	  "Whether /metrics has the figures of the Go runtime.", NO_GO },
	{ "PrometheusMetricsCAFile", PARAM_FILE, NULL, NULL, 0, 0, false, false, NULL, F(metrics.ca_file),
	  "The authorities that vouch for who asks for /metrics.", NULL },
	{ "PrometheusMetricsCertFile", PARAM_FILE, NULL, NULL, 0, 0, false, false, NULL, F(metrics.cert_file),
	  "With the key: /metrics is served over HTTPS.", NULL },
	{ "PrometheusMetricsKeyFile", PARAM_FILE, NULL, NULL, 0, 0, false, false, NULL, F(metrics.key_file),
	  "The private key of that certificate.", NULL },
	{ "PrometheusMetricsClientAuth", PARAM_ONEOF, "NoClientCert", CLIENT_AUTHS, 0, 0, false, true, NULL, F(metrics.client_auth),
	  "What certificate who asks for /metrics must show.", NULL },

	{ "ServerHost", PARAM_HOST, NULL, NULL, 0, 0, false, false, NULL, F(server.host),
	  "The address for clients over TCP; none: all.", NULL },
	{ "ServerPort", PARAM_INT, "0", NULL, 0, 65535, false, false, NULL, F(server.port),
	  "The port for clients over TCP; 0: 5473.", NULL },
	{ "ServerKeyFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, NULL, F(server.key_file),
	  "The private key for clients over TCP. Who sets one of ServerKeyFile, ServerCertFile, CAFile, ClientCN and ClientURISAN must "
	  "set them all, but one of the last two suffices.", NULL },
	{ "ServerCertFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, NULL, F(server.cert_file),
	  "The certificate for clients over TCP.", NULL },
	{ "CAFile", PARAM_FILE_EXISTS, NULL, NULL, 0, 0, false, true, NULL, F(server.ca_file),
	  "The authorities that vouch for clients.", NULL },
	{ "ClientCN", PARAM_STRING, NULL, NULL, 0, 0, false, false, NULL, F(server.client_cn),
	  "The common name that a client's certificate must have.", NULL },
	{ "ClientURISAN", PARAM_STRING, NULL, NULL, 0, 0, false, false, NULL, F(server.client_uri_san),
	  "The URI that a client's certificate must be for; with ClientCN, either suffices.", NULL },
	{ "TLSCipherSuites", PARAM_STRING, NULL, NULL, 0, 0, false, false, "TLS_CIPHER_SUITES", F(tls_cipher_suites),
	  "The cipher suites that TLS may use, by the names that Go has for them.", NULL },
	{ "TLSMinVersion", PARAM_ONEOF, "1.2", "1.2 1.3", 0, 0, true, true, "TLS_MIN_VERSION", F(tls_min_version),
	  "The oldest version of TLS that is spoken.", NULL },
	{ "ServerMaxFallBehindSecs", PARAM_SECONDS, "300", NULL, 0, 0, false, false, NULL, F(inert.max_fall_behind_ms),
	  "A client that is this far behind is closed.", CAUGHT_UP },
	{ "ServerNewClientFallBehindGracePeriod", PARAM_SECONDS, "300", NULL, 0, 0, false, false, NULL, F(inert.new_client_grace_ms),
	  "How long after its snapshot a client may be further behind than that.", CAUGHT_UP },
	{ "ServerPingIntervalSecs", PARAM_SECONDS, "10", NULL, 0, 0, false, false, NULL, F(server.ping_interval_ms),
	  "How often a client is asked whether it is there.", NULL },
	{ "ServerPongTimeoutSecs", PARAM_SECONDS, "60", NULL, 0, 0, false, false, NULL, F(server.pong_timeout_ms),
	  "A client that has not answered for this long is closed; when not more than two ping intervals: six of them.", NULL },
	{ "ServerHandshakeTimeoutSecs", PARAM_SECONDS, "10", NULL, 0, 0, false, false, NULL, F(server.handshake_timeout_ms),
	  "From connecting to Hello, TLS included.", NULL },
	{ "ServerWriteTimeoutSecs", PARAM_SECONDS, "120", NULL, 0, 0, false, false, NULL, F(server.write_timeout_ms),
	  "A client that has taken nothing of what is queued for this long is closed.", NULL },
	{ "ServerMaxMessageSize", PARAM_INT, "100", NULL, 1, INT_MAX, false, false, NULL, F(inert.message_size),
	  "Changes per message.", NO_BATCHES },
	{ "ServerMinBatchingAgeThresholdSecs", PARAM_SECONDS, "0.01", NULL, 0, 0, false, false, NULL, F(inert.batching_age_ms),
	  "Changes that are younger are sent alone.", NO_BATCHES },
	{ "SnapshotCacheMaxBatchSize", PARAM_INT, "100", NULL, 1, INT_MAX, false, false, NULL, F(inert.cache_batch),
	  "Changes that make one step of the cache.", NO_BATCHES },

	{ "ConnectionRebalancingMode", PARAM_ONEOF, "none", "none kubernetes", 0, 0, false, false, NULL, F(connections.rebalancing_mode),
	  "kubernetes: count typhads and nodes by the Kubernetes API, and close connections above this one's share.", NO_K8S },
	{ "ConnectionRebalancingTyphas", PARAM_INT, "0", NULL, 0, INT_MAX, false, false, NULL, F(connections.typhads),
	  "How many typhads share the clients over TCP, this one included: those above its share are sent to the others; 0 or 1: it is alone.", NULL },
	{ "ConnectionDropIntervalSecs", PARAM_SECONDS, "1", NULL, 0, 0, false, false, NULL, F(connections.drop_interval_ms),
	  "While there are too many connections, one is closed every so often.", NULL },
	{ "MaxConnectionsUpperLimit", PARAM_INT, "10000", NULL, 1, INT_MAX, false, false, NULL, F(connections.upper_limit),
	  "More connections over TCP are too many, whatever the share.", NULL },
	{ "MaxConnectionsLowerLimit", PARAM_INT, "400", NULL, 1, INT_MAX, false, false, NULL, F(connections.lower_limit),
	  "Fewer connections are never too many.", NULL },
	{ "ShutdownTimeoutSecs", PARAM_SECONDS, "300", NULL, 0, 0, false, false, NULL, F(connections.shutdown_timeout_ms),
	  "After TERM, connections are closed one after the other within this time.", NULL },
	{ "ShutdownConnectionDropIntervalMaxSecs", PARAM_SECONDS, "1", NULL, 0, 0, false, false, NULL, F(connections.shutdown_drop_interval_max_ms),
	  "The longest time from one to the next of them.", NULL },

	{ "K8sNamespace", PARAM_STRING, "kube-system", NULL, 0, 0, false, false, NULL, F(inert.k8s_namespace),
	  "The namespace of the service that typhads stand behind.", NO_K8S },
	{ "K8sServiceName", PARAM_STRING, "calico-typha", NULL, 0, 0, false, false, NULL, F(inert.k8s_service),
	  "Its name.", NO_K8S },
	{ "K8sPortName", PARAM_STRING, "calico-typha", NULL, 0, 0, false, false, NULL, F(inert.k8s_port_name),
	  "The name of its port.", NO_K8S },
	{ "K8sServicePollIntervalSecs", PARAM_SECONDS, "30", NULL, 0, 0, false, false, NULL, F(inert.k8s_poll_ms),
	  "How often it is looked at.", NO_K8S },

	{ "DebugMemoryProfilePath", PARAM_FILE, NULL, NULL, 0, 0, false, false, NULL, F(inert.memory_profile_path),
	  "Where USR1 writes a profile of the heap.", "USR1 logs a dump of the state" },
	{ "DebugDisableLogDropping", PARAM_BOOL, "false", NULL, 0, 0, false, false, NULL, F(inert.no_log_dropping),
	  "Whether the log may wait for its reader.", "no line is dropped because its reader is slow" },
	{ "DebugHost", PARAM_HOST, "localhost", NULL, 0, 0, false, false, NULL, F(inert.debug_host),
	  "The address of Go's profiler.", NO_GO },
	{ "DebugPort", PARAM_INT, "0", NULL, 0, 65535, false, false, NULL, F(inert.debug_port),
	  "The port of Go's profiler.", NO_GO },
	{ 0 },
};
/* clang-format on */

size_t params_count(void)
{
	return ARRAY_SIZE(params) - 1;
}

const struct param *param_find(const char *name, size_t len)
{
	for (const struct param *p = params; p->name; p++)
		if (strlen(p->name) == len && strncasecmp(p->name, name, len) == 0)
			return p;
	return NULL;
}

/* ---- what the types accept: a value in *ret, or false */

static bool parse_int(const struct param *p, const char *text, unsigned *ret)
{
	const char *digits = *text == '+' ? text + 1 : text;
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	v = strtoul(digits, &end, 0);
	if (*end || errno || v < p->min || v > p->max)
		return false;
	*ret = (unsigned)v;
	return true;
}

static bool is_port(const char *s, size_t len)
{
	unsigned v = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	return v > 0 && v <= 65535;
}

/* host:port, [address]:port; without a port only where that is allowed. */
static bool is_authority(const char *s, size_t len, bool port_may_lack)
{
	const char *bracket = len && *s == '[' ? memchr(s, ']', len) : NULL;
	const char *colon = bracket ? bracket + 1 : memchr(s, ':', len);
	size_t host = bracket ? (size_t)(bracket - s) - 1 : colon ? (size_t)(colon - s) : len;

	if (!setting_all_of(bracket ? s + 1 : s, host, bracket ? ":.%_-" : "._-"))
		return false;
	if (!colon || colon == s + len)
		return port_may_lack;
	return *colon == ':' && is_port(colon + 1, len - (size_t)(colon + 1 - s));
}

static bool is_url(const char *s, size_t len, char scheme[8])
{
	size_t n = len > 8 && strncmp(s, "https://", 8) == 0  ? 5
	           : len > 7 && strncmp(s, "http://", 7) == 0 ? 4
	                                                      : 0;

	if (!n || (*scheme && (strlen(scheme) != n || strncmp(scheme, s, n) != 0)))
		return false;
	memcpy(scheme, s, n);
	scheme[n] = '\0';
	s += n + 3;
	len -= n + 3;
	if (len && s[len - 1] == '/')
		len--;
	return is_authority(s, len, true);
}

static bool is_addr(const char *s, size_t len, char scheme[8])
{
	(void)scheme;
	if (len > 5 && strncmp(s, "unix:", 5) == 0)
		return s[5] == '/';
	return *s == '/' ? len > 1 : is_authority(s, len, true);
}

/* A comma list, blanks around its elements allowed: kept without them. */
static bool parse_list(const char *text, bool (*is)(const char *s, size_t len, char scheme[8]),
                       char **ret)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	char scheme[8] = "";

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ","), used;
		const char *next = at + len;

		at += strspn(at, " \t");
		used = at < next ? (size_t)(next - at) : 0;
		while (used && (at[used - 1] == ' ' || at[used - 1] == '\t'))
			used--;
		if (used) {
			if (!is(at, used, scheme))
				return false;
			if (out.len)
				buf_byte(&out, ',');
			buf_add(&out, at, used);
		}
		at = next;
		if (!*at)
			break;
	}
	if (!out.len)
		return false;
	*ret = buf_take(&out);
	return true;
}

static bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static bool parse_string(const struct param *p, const char *text, char **ret)
{
	switch (p->type) {
	case PARAM_ONEOF:
		return setting_oneof(p->choices, text, ret);
	case PARAM_URLS:
		return parse_list(text, is_url, ret);
	case PARAM_ADDRS:
		return parse_list(text, is_addr, ret);
	case PARAM_FILE_EXISTS:
		if (!file_exists(text))
			return false;
		break;
	case PARAM_HOST:
		if (strlen(text) > 64 || !setting_all_of(text, strlen(text), ":._+-"))
			return false;
		break;
	case PARAM_AUTHORITY:
		if (!is_authority(text, strlen(text), false))
			return false;
		break;
	default:
		break;
	}
	*ret = xstrdup(text);
	return true;
}

static const char *expected(const struct param *p)
{
	switch (p->type) {
	case PARAM_ONEOF:
		return p->choices;
	case PARAM_BOOL:
		return "true or false";
	case PARAM_INT:
		return "an integer in its range";
	case PARAM_SECONDS:
		return "seconds, a decimal number that is not negative";
	case PARAM_FILE_EXISTS:
		return "a file that is there";
	case PARAM_HOST:
		return "a host name or an address";
	case PARAM_AUTHORITY:
		return "host:port";
	case PARAM_URLS:
		return "URLs like http://host:port, all of one scheme, with commas between them";
	case PARAM_ADDRS:
		return "host, host:port, [address]:port or paths, with commas between them";
	default:
		return "text";
	}
}

/* ---- fields */

static bool holds_string(const struct param *p)
{
	return p->type != PARAM_BOOL && p->type != PARAM_INT && p->type != PARAM_SECONDS;
}

static bool set_none(struct typhad_config *c, const struct param *p)
{
	void *field = (char *)c + p->offset;

	if (p->never_none || (p->type == PARAM_INT && p->min > 0))
		return false;
	if (p->type == PARAM_BOOL) {
		*(bool *)field = false;
	} else if (p->type == PARAM_INT) {
		*(unsigned *)field = 0;
	} else if (p->type == PARAM_SECONDS) {
		*(uint64_t *)field = 0;
	} else {
		free(*(char **)field);
		*(char **)field = NULL;
	}
	return true;
}

bool param_set(struct typhad_config *c, const struct param *p, const char *text,
               const char **ret_why)
{
	void *field = (char *)c + p->offset;
	char *string = NULL;
	bool flag;

	*ret_why = expected(p);
	/* A choice that is called "none" is itself. */
	if (strcasecmp(text, "none") == 0 &&
	    (p->type != PARAM_ONEOF || !setting_oneof(p->choices, text, &string)))
		return set_none(c, p);
	free(take_ptr(&string));
	switch (p->type) {
	case PARAM_BOOL:
		if (!setting_bool(text, &flag))
			return false;
		*(bool *)field = flag;
		return true;
	case PARAM_INT:
		return parse_int(p, text, field);
	case PARAM_SECONDS:
		return setting_seconds(text, SECONDS_MAX, field);
	default:
		if (!parse_string(p, text, &string))
			return false;
		free(*(char **)field);
		*(char **)field = string;
		return true;
	}
}

void param_set_default(struct typhad_config *c, const struct param *p)
{
	const char *why;

	if (p->dflt)
		(void)param_set(c, p, p->dflt, &why);
	else if (holds_string(p))
		(void)set_none(c, p);
}

const char *param_value(const struct typhad_config *c, const struct param *p)
{
	static char text[32];
	const void *field = (const char *)c + p->offset;

	switch (p->type) {
	case PARAM_BOOL:
		return *(const bool *)field ? "true" : "false";
	case PARAM_INT:
		(void)snprintf(text, sizeof(text), "%u", *(const unsigned *)field);
		return text;
	case PARAM_SECONDS:
		(void)snprintf(text, sizeof(text), "%.12g",
		               (double)*(const uint64_t *)field / 1000.0);
		return text;
	case PARAM_SECRET:
		return *(char *const *)field ? "(set)" : NULL;
	default:
		return *(char *const *)field;
	}
}

void param_done(struct typhad_config *c, const struct param *p)
{
	char **field;

	if (!holds_string(p))
		return;
	field = (char **)((char *)c + p->offset);
	if (p->type == PARAM_SECRET && *field)
		explicit_bzero(*field, strlen(*field));
	free(*field);
	*field = NULL;
}
