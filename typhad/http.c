/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/http.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/http/metrics.h"
#include "common/http/server.h"
#include "common/tls/layer.h"
#include "common/tls/tls.h"
#include "typhad/typhad.h"

#define TLS_FILES 3

struct typhad_http {
	struct http_server *health, *metrics;
	struct tls_layer layer;       /* of metrics */
	struct stat files[TLS_FILES]; /* as they were when layer was made */
};

/* ---- probes */

static void serve_health(void *arg, const struct http_request *q, struct http_reply *r)
{
	const struct typhad *t = arg;
	bool readiness = strcmp(q->path, "/readiness") == 0;

	if (!readiness && strcmp(q->path, "/liveness") != 0)
		r->status = 404;
	else if (!health_report(t, readiness, &r->body))
		r->status = 503;
}

static const struct http_server_ops health_ops = {
	.name = "health",
	.serve = serve_health,
};

/* ---- metrics */

static void serve_metrics(void *arg, const struct http_request *q, struct http_reply *r)
{
	if (strcmp(q->path, "/metrics") != 0) {
		r->status = 404;
		return;
	}
	r->type = METRICS_CONTENT_TYPE;
	metrics_write(arg, &r->body);
}

/* Where the files have changed since: -EAGAIN when they have not. */
static int tls_load(struct typhad *t, struct err *err)
{
	const struct typhad_config *c = &t->config;
	const char *auth = c->metrics.client_auth;
	const struct tls_config config = {
		.server = true,
		.ca_file = c->metrics.ca_file,
		.cert_file = c->metrics.cert_file,
		.key_file = c->metrics.key_file,
		.verify_peer = strcmp(auth, "RequireAndVerifyClientCert") == 0 ||
		               strcmp(auth, "VerifyClientCertIfGiven") == 0,
		.peer_optional = strcmp(auth, "VerifyClientCertIfGiven") == 0,
		.peer_unverified = strcmp(auth, "RequireAnyClientCert") == 0,
		.min_version = c->tls_min_version,
		.cipher_suites = c->tls_cipher_suites,
	};
	const char *paths[TLS_FILES] = { config.ca_file, config.cert_file, config.key_file };
	struct typhad_http *h = t->http;
	struct tls_context *context;
	bool changed = !h->layer.context;
	int rc;

	for (size_t i = 0; i < TLS_FILES; i++) {
		struct stat st = { 0 };

		if (paths[i])
			(void)stat(paths[i], &st);
		if (st.st_ino != h->files[i].st_ino || st.st_size != h->files[i].st_size ||
		    st.st_mtim.tv_sec != h->files[i].st_mtim.tv_sec ||
		    st.st_mtim.tv_nsec != h->files[i].st_mtim.tv_nsec)
			changed = true;
		h->files[i] = st;
	}
	if (!changed)
		return -EAGAIN;
	rc = tls_context_new(&config, &context, err);
	if (rc < 0)
		return rc;
	tls_layer_done(&h->layer);
	tls_layer_init(&h->layer, context, NULL, NULL, false);
	tls_context_unref(context);
	return 0;
}

static struct transport_layer *metrics_transport(void *arg)
{
	struct typhad *t = arg;
	struct err err = { 0 };
	int rc = tls_load(t, &err);

	if (rc == 0)
		log_info("the metrics' certificate has changed", "path=%s",
		         LOG_VIS(t->config.metrics.cert_file));
	else if (rc != -EAGAIN)
		log_error("the metrics' new certificate is no use: the old one stays", "why=%s",
		          LOG_VIS(err.text));
	return &t->http->layer.base;
}

static const struct http_server_ops metrics_ops = {
	.name = "metrics",
	.serve = serve_metrics,
};

static const struct http_server_ops metrics_tls_ops = {
	.name = "metrics",
	.serve = serve_metrics,
	.transport = metrics_transport,
};

/* ---- both */

int http_open(struct typhad *t, struct err *err)
{
	const struct typhad_config *c = &t->config;
	uv_loop_t *loop = t->daemon->loop;
	struct typhad_http *h = t->http = xcalloc(1, sizeof(*h));
	int rc = 0;

	if (c->health.enabled) {
		rc = http_server_new(loop, c->health.host, (uint16_t)c->health.port, &health_ops, t,
		                     &h->health, err);
		if (rc < 0)
			return rc;
		log_info("probes are answered", "host=%s port=%u",
		         LOG_VIS(c->health.host ? c->health.host : "*"),
		         http_server_port(h->health));
	}
	if (c->metrics.enabled) {
		bool tls = c->metrics.cert_file != NULL;

		if (tls)
			rc = tls_load(t, err);
		if (rc == 0)
			rc = http_server_new(loop, c->metrics.host, (uint16_t)c->metrics.port,
			                     tls ? &metrics_tls_ops : &metrics_ops, t, &h->metrics,
			                     err);
		if (rc < 0)
			return rc;
		log_info("metrics are served", "host=%s port=%u tls=%s",
		         LOG_VIS(c->metrics.host ? c->metrics.host : "*"),
		         http_server_port(h->metrics), tls ? "true" : "false");
	}
	return 0;
}

void http_close(struct typhad *t)
{
	struct typhad_http *h = t->http;

	if (!h)
		return;
	t->http = NULL;
	http_server_free(h->health);
	http_server_free(h->metrics);
	tls_layer_done(&h->layer);
	free(h);
}
