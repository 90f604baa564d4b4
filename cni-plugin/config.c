/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/config.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cni-plugin/env.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define MTU_MAX 65535
#define QUEUES_MAX 4096
#define LABEL_MAX 512

/* Where a value stands: "ipam.assign_ipv4". */
static int bad_type(const char *path, const char *wanted, const struct json *j, struct cni_error *e)
{
	return cni_fail(e, CNI_INVALID_CONFIG, "%s is %s, not %s", path, json_type_str(j->type),
	                wanted);
}

static bool absent(const struct json *j)
{
	return !j || j->type == JSON_NULL;
}

static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static int get_str(const struct json *in, const char *path, char **ret, struct cni_error *e)
{
	const struct json *j = json_get(in, last_part(path));

	if (absent(j)) {
		free(*ret);
		*ret = xstrdup("");
		return 0;
	}
	if (j->type != JSON_STRING)
		return bad_type(path, "a string", j, e);
	if (memchr(j->text, '\0', j->len))
		return cni_fail(e, CNI_INVALID_CONFIG, "%s holds a NUL byte", path);
	free(*ret);
	*ret = xstrdup(j->text);
	return 0;
}

static int get_bool(const struct json *in, const char *path, bool *ret, struct cni_error *e)
{
	const struct json *j = json_get(in, last_part(path));

	if (absent(j))
		return 0;
	return json_bool(j, ret) < 0 ? bad_type(path, "true or false", j, e) : 0;
}

static int get_number(const struct json *in, const char *path, int64_t max, int64_t *ret,
                      struct cni_error *e)
{
	const struct json *j = json_get(in, last_part(path));

	if (absent(j))
		return 0;
	if (json_i64(j, ret) < 0)
		return bad_type(path, "an integer", j, e);
	if (*ret > max || *ret < INT_MIN)
		return cni_fail(e, CNI_INVALID_CONFIG, "%s: %lld is out of range (up to %lld)",
		                path, (long long)*ret, (long long)max);
	return 0;
}

static int get_object(const struct json *in, const char *path, const struct json **ret,
                      struct cni_error *e)
{
	const struct json *j = json_get(in, last_part(path));

	*ret = NULL;
	if (absent(j))
		return 0;
	if (j->type != JSON_OBJECT)
		return bad_type(path, "an object", j, e);
	*ret = j;
	return 0;
}

static int get_array(const struct json *in, const char *path, size_t max, const struct json **ret,
                     struct cni_error *e)
{
	const struct json *j = json_get(in, last_part(path));

	*ret = NULL;
	if (absent(j))
		return 0;
	if (j->type != JSON_ARRAY)
		return bad_type(path, "an array", j, e);
	if (j->len > max)
		return cni_fail(e, CNI_INVALID_CONFIG, "%s has more than %zu elements", path, max);
	*ret = j;
	return 0;
}

static int get_names(const struct json *in, const char *path, struct cni_names *ret,
                     struct cni_error *e)
{
	const struct json *a;

	if (get_array(in, path, 64, &a, e) < 0)
		return -1;
	if (!a)
		return 0;
	ret->items = xcalloc(a->len + 1, sizeof(*ret->items));
	for (size_t i = 0; i < a->len; i++) {
		if (!json_str(a->items[i]))
			return bad_type(path, "an array of strings", a->items[i], e);
		ret->items[ret->n++] = xstrdup(json_str(a->items[i]));
	}
	return 0;
}

/* ---- the version */

static int read_version(const struct json *j, struct cni_config *c, struct cni_error *e)
{
	if (get_str(j, "cniVersion", &c->version, e) < 0)
		return -1;
	if (!*c->version) {
		free(c->version);
		c->version = xstrdup("0.2.0"); /* upstream's default */
	}
	if (cni_version_supported(c->version))
		return 0;
	(void)cni_fail(e, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
	(void)snprintf(e->details, sizeof(e->details), "config is \"%.32s\", plugin supports %s",
	               LOG_VIS(c->version), CNI_VERSIONS_TEXT);
	return -1;
}

/* ---- ipam */

static int read_routes(const struct json *ipam, struct cni_config *c, struct cni_error *e)
{
	const struct json *a;

	if (get_array(ipam, "ipam.routes", CNI_ROUTES_MAX, &a, e) < 0)
		return -1;
	if (!a || a->len == 0)
		return 0;
	c->routes = xcalloc(a->len, sizeof(*c->routes));
	for (size_t i = 0; i < a->len; i++) {
		const struct json *dst = json_get(a->items[i], "dst");

		if (absent(dst)) /* upstream skips it */
			continue;
		if (!json_str(dst) || ip_prefix_parse(json_str(dst), &c->routes[c->n_routes]) < 0)
			return cni_fail(e, CNI_INVALID_CONFIG,
			                "ipam.routes[%zu].dst is not a prefix", i);
		c->routes[c->n_routes] = ip_prefix_network(&c->routes[c->n_routes]);
		c->n_routes++;
	}
	return 0;
}

static int read_ipam(const struct json *j, struct cni_config *c, struct cni_error *e)
{
	CLEANUP(free_p) char *want4 = NULL;
	CLEANUP(free_p) char *want6 = NULL;
	const struct json *ipam;

	if (get_object(j, "ipam", &ipam, e) < 0 ||
	    get_str(ipam, "ipam.type", &c->ipam_type, e) < 0 ||
	    get_str(ipam, "ipam.assign_ipv4", &want4, e) < 0 ||
	    get_str(ipam, "ipam.assign_ipv6", &want6, e) < 0 ||
	    get_names(ipam, "ipam.ipv4_pools", &c->pools4, e) < 0 ||
	    get_names(ipam, "ipam.ipv6_pools", &c->pools6, e) < 0)
		return -1;
	if (!*c->ipam_type)
		return cni_fail(e, CNI_INVALID_CONFIG, "ipam.type is missing");
	if (strchr(c->ipam_type, '/'))
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "ipam.type '%s' is not the name of a program",
		                LOG_VIS(c->ipam_type));
	c->ipv4 = strcmp(want4, "false") != 0;
	c->ipv6 = strcmp(want6, "true") == 0;
	if (!c->ipv4 && !c->ipv6)
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "ipam.assign_ipv4 and ipam.assign_ipv6 are both off");
	/* calico-ipam has no routes of its own; other plugins' replace the defaults. */
	return strcmp(c->ipam_type, "calico-ipam") == 0 ? 0 : read_routes(ipam, c, e);
}

/* ---- labels */

static int add_label(struct cni_config *c, const char *path, const char *key, const char *value,
                     struct cni_error *e)
{
	if (!*key || strlen(key) > LABEL_MAX || strlen(value) > LABEL_MAX)
		return cni_fail(
		        e, CNI_INVALID_CONFIG,
		        "%s: a label's key and value have at most %d bytes, the key at least one",
		        path, LABEL_MAX);
	for (size_t i = 0; i < c->n_labels; i++)
		if (strcmp(c->labels[i].key, key) == 0) {
			free(c->labels[i].value);
			c->labels[i].value = xstrdup(value);
			return 0;
		}
	c->labels = xrealloc(c->labels, (c->n_labels + 1) * sizeof(*c->labels));
	c->labels[c->n_labels++] = (struct cni_label){ xstrdup(key), xstrdup(value) };
	return 0;
}

/* [{"key": k, "value": v}]: the form of the CNI conventions, and of Mesos. sanitise: characters
 * that a label may not have become '.'. */
static int read_label_list(const struct json *in, const char *path, bool sanitise,
                           struct cni_config *c, struct cni_error *e)
{
	const struct json *a;

	if (get_array(in, path, CNI_LABELS_MAX, &a, e) < 0)
		return -1;
	for (size_t i = 0; a && i < a->len; i++) {
		const char *key = json_str(json_get(a->items[i], "key"));
		const char *value = json_str(json_get(a->items[i], "value"));
		char clean[LABEL_MAX + 1];

		if (!key || !value)
			return cni_fail(e, CNI_INVALID_CONFIG,
			                "%s[%zu] is not an object with the strings key and value",
			                path, i);
		if (sanitise) {
			size_t n = strnlen(value, LABEL_MAX);

			for (size_t k = 0; k < n; k++)
				clean[k] =
				        isalnum((unsigned char)value[k]) || strchr("_.-", value[k])
				                ? value[k]
				                : '.';
			clean[n] = '\0';
			value = clean;
		}
		if (add_label(c, path, key, value, e) < 0)
			return -1;
	}
	return 0;
}

static int read_args(const struct json *j, struct cni_config *c, struct cni_error *e)
{
	const struct json *args, *cni, *mesos, *info, *labels;

	if (get_object(j, "args", &args, e) < 0 || get_object(args, "args.cni", &cni, e) < 0 ||
	    read_label_list(cni, "args.cni.labels", false, c, e) < 0)
		return -1;
	mesos = json_get(args, "org.apache.mesos");
	if (absent(mesos))
		return 0;
	if (get_object(mesos, "network_info", &info, e) < 0 ||
	    get_object(info, "labels", &labels, e) < 0)
		return -1;
	return read_label_list(labels, "args[org.apache.mesos].network_info.labels.labels", true, c,
	                       e);
}

/* ---- what changes what the plugin does, and what it does not do */

static int read_unsupported(const struct json *j, struct cni_error *e)
{
	CLEANUP(free_p) char *device = NULL;
	CLEANUP(free_p) char *dataplane = NULL;
	const struct json *gates, *options;

	if (get_str(j, "device_type", &device, e) < 0 ||
	    get_object(j, "dataplane_options", &options, e) < 0 ||
	    get_str(options, "dataplane_options.type", &dataplane, e) < 0 ||
	    get_array(j, "readiness_gates", 64, &gates, e) < 0)
		return -1;
	if (*device && strcmp(device, "veth") != 0)
		return cni_fail(e, CNI_UNSUPPORTED_FIELD,
		                "unknown device_type \"%s\" in CNI config (supported: \"veth\")",
		                LOG_VIS(device));
	if (*dataplane)
		return cni_fail(e, CNI_UNSUPPORTED_FIELD,
		                "dataplane_options.type \"%s\" is not supported",
		                LOG_VIS(dataplane));
	if (gates && gates->len)
		return cni_fail(e, CNI_UNSUPPORTED_FIELD,
		                "readiness_gates is not supported: ADD waits for felixd by itself");
	return 0;
}

static int read_rest(const struct json *j, struct cni_config *c, struct cni_error *e)
{
	const struct json *policy, *container;
	int64_t mtu = 0, queues = 0;

	if (get_str(j, "nodename", &c->nodename, e) < 0 ||
	    get_str(j, "nodename_file", &c->nodename_file, e) < 0 ||
	    get_bool(j, "nodename_file_optional", &c->nodename_file_optional, e) < 0 ||
	    get_str(j, "hostname", &c->hostname, e) < 0 ||
	    get_str(j, "run_dir", &c->run_dir, e) < 0 ||
	    get_str(j, "log_level", &c->log_level, e) < 0 ||
	    get_str(j, "log_file_path", &c->log_file_path, e) < 0 ||
	    get_number(j, "mtu", MTU_MAX, &mtu, e) < 0 ||
	    get_number(j, "num_queues", QUEUES_MAX, &queues, e) < 0 ||
	    get_bool(j, "require_mtu_file", &c->require_mtu_file, e) < 0 ||
	    get_bool(j, "include_default_routes", &c->include_default_routes, e) < 0 ||
	    get_object(j, "policy", &policy, e) < 0 ||
	    get_str(policy, "policy.type", &c->policy_type, e) < 0 ||
	    get_object(j, "container_settings", &container, e) < 0 ||
	    get_bool(container, "container_settings.allow_ip_forwarding", &c->allow_ip_forwarding,
	             e) < 0)
		return -1;
	if (mtu < 0)
		return cni_fail(e, CNI_INVALID_CONFIG, "mtu: %lld is negative", (long long)mtu);
	c->mtu = (uint32_t)mtu;
	c->num_queues = queues <= 0 ? 1 : (unsigned)queues;
	return 0;
}

static int read_prev(const struct json *j, struct cni_config *c, struct cni_error *e)
{
	const struct json *prev = json_get(j, "prevResult");

	if (absent(prev))
		return 0;
	if (cni_result_read(prev, "prevResult", &c->prev, e) < 0)
		return -1;
	c->has_prev = true;
	return 0;
}

static int read_all(const struct json *j, struct cni_config *c, struct cni_error *e)
{
	if (j->type != JSON_OBJECT)
		return cni_fail(e, CNI_DECODING_FAILURE,
		                "the network configuration is %s, not an object",
		                json_type_str(j->type));
	if (read_version(j, c, e) < 0 || get_str(j, "name", &c->name, e) < 0 ||
	    get_str(j, "type", &c->type, e) < 0)
		return -1;
	if (!*c->name)
		return cni_fail(e, CNI_INVALID_CONFIG, "missing network name");
	if (!cni_name_valid(c->name, false) || strlen(c->name) > 128)
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "invalid characters detected in the given network name '%s'",
		                LOG_VIS(c->name));
	if (read_ipam(j, c, e) < 0 || read_args(j, c, e) < 0 || read_unsupported(j, e) < 0 ||
	    read_rest(j, c, e) < 0)
		return -1;
	return read_prev(j, c, e);
}

int cni_config_read(const char *text, size_t len, struct cni_config *ret, struct cni_error *e)
{
	struct json *j = NULL;
	struct err err = { 0 };
	int r;

	*ret = (struct cni_config){ 0 };
	*e = (struct cni_error){ 0 };
	if (len > CNI_CONFIG_MAX)
		return cni_fail(e, CNI_DECODING_FAILURE,
		                "the network configuration is longer than %u bytes",
		                CNI_CONFIG_MAX);
	if (json_parse(text, len, &j, &err) < 0)
		return cni_fail(e, CNI_DECODING_FAILURE, "failed to load netconf: %s", err.text);
	ret->text = xmemdup(text, len);
	ret->len = len;
	r = read_all(j, ret, e);
	json_free(j);
	return r;
}

static void names_done(struct cni_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->items[i]);
	free(n->items);
}

void cni_config_done(struct cni_config *c)
{
	char *const strings[] = { c->text,      c->version,   c->name,          c->type,
		                  c->ipam_type, c->nodename,  c->nodename_file, c->hostname,
		                  c->run_dir,   c->log_level, c->log_file_path, c->policy_type };

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		free(strings[i]);
	names_done(&c->pools4);
	names_done(&c->pools6);
	free(c->routes);
	for (size_t i = 0; i < c->n_labels; i++) {
		free(c->labels[i].key);
		free(c->labels[i].value);
	}
	free(c->labels);
	cni_result_done(&c->prev);
	*c = (struct cni_config){ 0 };
}
