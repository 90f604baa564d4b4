/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/setting.h"
#include "typhad/config_param.h"

#define PREFIX "TYPHA_"

/* What each source says, by the rows of the table; a value that is not there is NULL. */
struct raw {
	char *value;
	enum config_source source;
};

struct reading {
	struct raw *raw;
	config_report_fn *report;
	void *arg;
};

const char *config_source_str(enum config_source s)
{
	static const char *const names[] = {
		[CONFIG_DEFAULT] = "default",     [CONFIG_FILE] = "file",
		[CONFIG_ALIAS] = "environment",   [CONFIG_ENV] = "environment",
		[CONFIG_OPTION] = "command line",
	};

	return names[s];
}

/* ---- sources: the strongest that has something is kept */

static void offer(struct reading *r, const struct param *p, const char *value, size_t len,
                  enum config_source source)
{
	struct raw *raw = &r->raw[p - params];

	if (!len || (raw->value && raw->source > source))
		return;
	free(raw->value);
	raw->value = xstrndup(value, len);
	raw->source = source;
}

static void offer_named(struct reading *r, const char *name, size_t name_len, const char *value,
                        size_t len, enum config_source source)
{
	const struct param *p = param_find(name, name_len);

	if (p) {
		offer(r, p, value, len, source);
	} else if (len) {
		CLEANUP(free_p) char *unknown = xstrndup(name, name_len);

		r->report(r->arg, CONFIG_UNKNOWN, unknown, NULL, "not a parameter of typhad");
	}
}

static void read_alias(struct reading *r, const char *prefix, const char *name, const char *eq)
{
	size_t skip = strlen(prefix);

	if ((size_t)(eq - name) <= skip || strncmp(name, prefix, skip) != 0)
		return;
	name += skip;
	for (const struct param *p = params; p->name; p++)
		if (p->alias && strlen(p->alias) == (size_t)(eq - name) &&
		    strncmp(p->alias, name, strlen(p->alias)) == 0)
			offer(r, p, eq + 1, strlen(eq + 1), CONFIG_ALIAS);
}

static void read_env(struct reading *r, const char *const *env)
{
	const char *const *first = env;

	for (; *env; env++) {
		const char *eq = strchr(*env, '=');

		if (!eq)
			continue;
		if (strncasecmp(*env, PREFIX, strlen(PREFIX)) == 0) {
			const char *name = *env + strlen(PREFIX);

			if (eq > name)
				offer_named(r, name, (size_t)(eq - name), eq + 1, strlen(eq + 1),
				            CONFIG_ENV);
			continue;
		}
		read_alias(r, "", *env, eq);
	}
	/* CALICO_ETCD_ENDPOINTS goes before ETCD_ENDPOINTS, wherever it stands. */
	for (env = first; *env; env++) {
		const char *eq = strchr(*env, '=');

		if (eq)
			read_alias(r, "CALICO_", *env, eq);
	}
}

static void on_line(void *arg, const char *key, size_t key_len, const char *value, size_t len)
{
	offer_named(arg, key, key_len, value, len, CONFIG_FILE);
}

static void read_options(struct reading *r, const struct config_option *options)
{
	for (const struct config_option *o = options; o && o->parameter; o++)
		if (o->value)
			offer_named(r, o->parameter, strlen(o->parameter), o->value,
			            strlen(o->value), CONFIG_OPTION);
}

/* ---- values */

static int take(struct typhad_config *c, const struct reading *r, const struct param *p,
                struct err *err)
{
	const struct raw *raw = &r->raw[p - params];
	/* A URL may hold a password, against all advice. */
	bool secret = p->type == PARAM_SECRET || (raw->value && strchr(raw->value, '@'));
	const char *why, *shown = secret ? NULL : raw->value;

	param_set_default(c, p);
	if (!raw->value)
		return 0;
	c->source[p - params] = raw->source;
	if (!param_set(c, p, raw->value, &why)) {
		c->source[p - params] = CONFIG_DEFAULT;
		if (p->must)
			return err_set(err, -EINVAL, "parameter %s: '%.200s' (%s) is not %s%s",
			               p->name, shown ? shown : "...",
			               config_source_str(raw->source),
			               p->type == PARAM_ONEOF ? "one of: " : "", why);
		r->report(r->arg, CONFIG_BAD_VALUE, p->name, shown, why);
		return 0;
	}
	/* What was given for something that is as it is anyway needs no word. */
	if (p->inert && strcasecmp(raw->value, "none") != 0 &&
	    (!p->dflt || strcasecmp(raw->value, p->dflt) != 0))
		r->report(r->arg, CONFIG_NO_EFFECT, p->name, shown, p->inert);
	return 0;
}

/* What only all values together can tell. */
static int settle(struct typhad_config *c, struct err *err)
{
	bool any = c->server.key_file || c->server.cert_file || c->server.ca_file ||
	           c->server.client_cn || c->server.client_uri_san;

	c->server.tls = c->server.key_file && c->server.cert_file && c->server.ca_file &&
	                (c->server.client_cn || c->server.client_uri_san);
	if (any && !c->server.tls)
		return err_set(err, -EINVAL,
		               "TLS for clients: ServerKeyFile, ServerCertFile, CAFile and one of "
		               "ClientCN and ClientURISAN must be set, or none of them");
	any = c->upstream.key_file || c->upstream.cert_file || c->upstream.ca_file ||
	      c->upstream.cn || c->upstream.uri_san;
	if (any && !(c->upstream.key_file && c->upstream.cert_file && c->upstream.ca_file &&
	             (c->upstream.cn || c->upstream.uri_san)))
		return err_set(err, -EINVAL,
		               "TLS to upstreams: TyphaKeyFile, TyphaCertFile, TyphaCAFile and one "
		               "of TyphaCN and TyphaURISAN must be set, or none of them");
	if (!c->metrics.key_file != !c->metrics.cert_file)
		return err_set(err, -EINVAL,
		               "TLS for metrics: PrometheusMetricsKeyFile and "
		               "PrometheusMetricsCertFile go together");
	if (c->server.pong_timeout_ms <= 2 * c->server.ping_interval_ms)
		c->server.pong_timeout_ms = 6 * c->server.ping_interval_ms;
	if (c->etcd.endpoint_list)
		c->etcd.endpoints = xstrdup(c->etcd.endpoint_list);
	else if (c->etcd.scheme && c->etcd.addr && !c->etcd.discovery_srv)
		c->etcd.endpoints = xasprintf("%s://%s", c->etcd.scheme, c->etcd.addr);
	if (strcmp(c->datastore_type, "etcdv3") == 0 && !c->etcd.endpoints &&
	    !c->etcd.discovery_srv)
		return err_set(err, -EINVAL,
		               "datastore etcdv3: EtcdEndpoints is not set, nor are both of "
		               "EtcdScheme and EtcdAddr");
	if (strcmp(c->datastore_type, "typha") == 0 && !c->upstream.addrs)
		return err_set(err, -EINVAL, "datastore typha: UpstreamAddrs is not set");
	return 0;
}

int typhad_config_read(const struct config_option *options, const char *const *env,
                       const char *file, struct typhad_config *ret, config_report_fn *report,
                       void *arg, struct err *err)
{
	struct reading r = { xcalloc(params_count(), sizeof(struct raw)), report, arg };
	int rc = 0;

	*ret = (struct typhad_config){ .source = xcalloc(params_count(), 1) };
	read_options(&r, options);
	read_env(&r, env);
	if (file)
		rc = setting_lines(file, on_line, &r, err);
	for (const struct param *p = params; p->name; p++) {
		struct raw *raw = &r.raw[p - params];

		if (rc == 0)
			rc = take(ret, &r, p, err);
		if (raw->value && p->type == PARAM_SECRET)
			explicit_bzero(raw->value, strlen(raw->value));
		free(raw->value);
	}
	free(r.raw);
	return rc < 0 ? rc : settle(ret, err);
}

void typhad_config_done(struct typhad_config *c)
{
	for (const struct param *p = params; p->name; p++)
		param_done(c, p);
	free(c->etcd.endpoints);
	free(c->source);
	*c = (struct typhad_config){ 0 };
}

enum config_source typhad_config_source(const struct typhad_config *c, const char *name)
{
	const struct param *p = param_find(name, strlen(name));

	return p ? (enum config_source)c->source[p - params] : CONFIG_DEFAULT;
}

void typhad_config_each(const struct typhad_config *c, config_each_fn *fn, void *arg)
{
	for (const struct param *p = params; p->name; p++)
		fn(arg, p->name, param_value(c, p), (enum config_source)c->source[p - params]);
}

/* ---- the table for people */

static void print_range(const struct param *p, struct buf *out)
{
	static const char *const types[] = {
		[PARAM_STRING] = "text",       [PARAM_SECRET] = "text",
		[PARAM_ONEOF] = "one of",      [PARAM_FILE] = "path",
		[PARAM_FILE_EXISTS] = "path",  [PARAM_BOOL] = "true or false",
		[PARAM_INT] = "integer",       [PARAM_SECONDS] = "seconds",
		[PARAM_HOST] = "host",         [PARAM_AUTHORITY] = "host:port",
		[PARAM_URLS] = "list of URLs", [PARAM_ADDRS] = "list of addresses",
	};

	buf_str(out, types[p->type]);
	if (p->type == PARAM_ONEOF)
		buf_printf(out, " %s", p->choices);
	else if (p->type == PARAM_INT && p->max == 65535)
		buf_printf(out, ", %u to %u", p->min, p->max);
	else if (p->type == PARAM_INT && p->min)
		buf_printf(out, ", at least %u", p->min);
}

static void print_man(const struct param *p, struct buf *out)
{
	buf_printf(out, ".TP\n.BR %s \" (\"", p->name);
	print_range(p, out);
	buf_printf(out, "%s%s)\n%s\n", p->dflt ? "; default " : "", p->dflt ? p->dflt : "",
	           p->help);
	if (p->must)
		buf_str(out, "A value that makes no sense ends the process.\n");
	if (p->alias)
		buf_printf(out, "Also\n.BR %s .\n", p->alias);
	if (p->inert)
		buf_printf(out, "Without effect: %s.\n", p->inert);
}

static void print_cfg(const struct param *p, struct buf *out)
{
	buf_printf(out, "\n# %s\n# (", p->help);
	print_range(p, out);
	if (p->inert)
		buf_printf(out, "; without effect: %s", p->inert);
	buf_printf(out, ")\n#%s = %s\n", p->name, p->dflt ? p->dflt : "");
}

void typhad_config_print(enum config_print how, struct buf *out)
{
	for (const struct param *p = params; p->name; p++)
		(how == CONFIG_PRINT_MAN ? print_man : print_cfg)(p, out);
}
