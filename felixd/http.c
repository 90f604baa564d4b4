/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/http.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/http/metrics.h"
#include "common/http/server.h"
#include "felixd/felixd.h"

#define RETRY_MS 1000

/* A server, as it is. */
struct listener {
	struct http_server *server;
	char *host;
	int port;
	bool refused; /* it could not be had, and that was logged */
};

struct felixd_http {
	struct felixd *f;
	struct listener health, metrics;
	bool no_tls; /* metrics were asked for over TLS, and that was logged */
	uv_timer_t retry;
};

static void serve_health(void *arg, const struct http_request *q, struct http_reply *r)
{
	const struct felixd *f = arg;
	bool readiness = strcmp(q->path, "/readiness") == 0;

	if (!readiness && strcmp(q->path, "/liveness") != 0)
		r->status = 404;
	else if (!health_report(f, readiness, &r->body))
		r->status = 503;
}

static const struct http_server_ops health_ops = {
	.name = "health",
	.serve = serve_health,
};

static void serve_metrics(void *arg, const struct http_request *q, struct http_reply *r)
{
	if (strcmp(q->path, "/metrics") != 0) {
		r->status = 404;
		return;
	}
	r->type = METRICS_CONTENT_TYPE;
	metrics_write(arg, &r->body);
}

static const struct http_server_ops metrics_ops = {
	.name = "metrics",
	.serve = serve_metrics,
};

static void stop(struct listener *l)
{
	http_server_free(l->server);
	l->server = NULL;
	free(l->host);
	l->host = NULL;
}

/* host NULL: on all addresses. false: it has to be tried again. */
static bool listen_at(struct felixd_http *h, struct listener *l, const char *host, int port,
                      const struct http_server_ops *ops)
{
	struct err err = { 0 };

	if (l->server && l->port == port && strcmp(l->host, host ? host : "") == 0)
		return true;
	stop(l);
	if (http_server_new(h->f->d->loop, host, (uint16_t)port, ops, h->f, &l->server, &err) < 0) {
		l->server = NULL;
		if (!l->refused)
			log_error("cannot serve over HTTP: it is tried again", "what=%s why=%s",
			          ops->name, LOG_VIS(err.text));
		l->refused = true;
		return false;
	}
	l->refused = false;
	l->host = xstrdup(host ? host : "");
	l->port = port;
	log_info("served over HTTP", "what=%s host=%s port=%u", ops->name,
	         LOG_VIS(host ? host : "*"), http_server_port(l->server));
	return true;
}

static const char *or_any(const char *host)
{
	return host && *host ? host : NULL;
}

static bool is_set(const char *text)
{
	return text && *text;
}

static void on_retry(uv_timer_t *t)
{
	http_configure(t->data);
}

void http_configure(struct felixd_http *h)
{
	const struct felix_config *c = &h->f->config;
	bool done = true;

	if (!c->health.enabled)
		stop(&h->health);
	else
		done = listen_at(h, &h->health, or_any(c->health.host), c->health.port,
		                 &health_ops);
	if (!c->metrics.enabled || is_set(c->metrics.cert_file) || is_set(c->metrics.key_file)) {
		/* Who asks for TLS does not get plain text instead. */
		if (c->metrics.enabled && !h->no_tls)
			log_error("metrics are not served", "why=\"%s\"",
			          "a certificate or a key is set, and felixd does not speak TLS");
		h->no_tls = c->metrics.enabled;
		stop(&h->metrics);
	} else {
		h->no_tls = false;
		done = listen_at(h, &h->metrics, or_any(c->metrics.host), c->metrics.port,
		                 &metrics_ops) &&
		       done;
	}
	if (done)
		(void)uv_timer_stop(&h->retry);
	else
		(void)uv_timer_start(&h->retry, on_retry, RETRY_MS, 0);
}

struct felixd_http *http_new(struct felixd *f)
{
	struct felixd_http *h = xcalloc(1, sizeof(*h));

	h->f = f;
	(void)uv_timer_init(f->d->loop, &h->retry);
	h->retry.data = h;
	return h;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void http_free(struct felixd_http *h)
{
	if (!h)
		return;
	stop(&h->health);
	stop(&h->metrics);
	uv_close((uv_handle_t *)&h->retry, on_closed);
}
