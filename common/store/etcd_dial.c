/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_dial.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/net/addr.h"
#include "common/store/store.h"
#include "common/tls/tls.h"

#define PAUSE_MIN_MS 50u
#define PAUSE_MAX_MS 2000u
#define WHY_MAX 400u /* bytes of the reasons of one round */

/* A connection. One that the server winds down lives on, beside its successor, until what is under
 * way on it has ended. */
struct link {
	struct list node;
	struct etcd_dial *dial; /* NULL: nobody cares any more */
	struct h2 *h2;
	bool up;
};

/* Work on another thread; outlives the dial when that is freed meanwhile. */
struct lookup {
	struct etcd_dial *dial; /* NULL: nobody waits */
	uv_getaddrinfo_t name;
	uv_work_t srv;
	char *domain;
	struct etcd_endpoints found;
	struct err err;
};

struct etcd_dial {
	uv_loop_t *loop;
	uv_timer_t pause;
	const struct store_etcd_options *options;
	struct tls_context *tls;
	struct etcd_endpoints endpoints;
	size_t at;                          /* the endpoint in use or being tried */
	size_t tried;                       /* endpoints, since the last one that served */
	struct addrinfo *addrs, *next_addr; /* of the endpoint, still to be tried */
	struct lookup *lookup;
	struct list links;
	struct link *link; /* the one in use or being made; NULL: none */
	unsigned rounds;   /* in vain, since the last one that served */
	struct buf why;    /* of this round's failures */
	bool freed;
	struct etcd_dial_stats stats;
	const struct etcd_dial_ops *ops;
	void *arg;
};

static void try_endpoint(struct etcd_dial *d);
static void try_address(struct etcd_dial *d);

/* ---- certificates */

static int tls_load(struct etcd_dial *d, struct err *err)
{
	const struct store_etcd_options *o = d->options;
	struct tls_config config = {
		.ca_file = o->ca_file,
		.cert_file = o->cert_file,
		.key_file = o->key_file,
		.ca_pem = o->ca_pem,
		.cert_pem = o->cert_pem,
		.key_pem = o->key_pem,
		.verify_peer = true,
		.alpn = "h2",
	};
	struct tls_context *fresh;
	int rc = tls_context_new(&config, &fresh, err);

	if (rc < 0)
		return rc;
	tls_context_unref(d->tls);
	d->tls = fresh;
	return 0;
}

static bool tls_is_configured(const struct store_etcd_options *o)
{
	return o->ca_file || o->cert_file || o->key_file || o->ca_pem || o->cert_pem || o->key_pem;
}

/* ---- rounds */

static void why_add(struct etcd_dial *d, const char *what, const char *why)
{
	if (d->why.len < WHY_MAX)
		buf_printf(&d->why, "%s%s: %s", d->why.len ? "; " : "", what, why);
}

static void addrs_done(struct etcd_dial *d)
{
	if (d->addrs)
		uv_freeaddrinfo(d->addrs);
	d->addrs = d->next_addr = NULL;
}

static void on_pause_over(uv_timer_t *timer)
{
	struct etcd_dial *d = timer->data;

	d->tried = 0;
	buf_clear(&d->why);
	if (d->options->discovery_srv)
		etcd_endpoints_done(&d->endpoints);
	try_endpoint(d);
}

/* Below n. */
static uint32_t by_chance(uint64_t n)
{
	uint64_t now = uv_hrtime();

	return (uint32_t)(hash_bytes(&now, sizeof(now)) % n);
}

/* All have been tried in vain. */
static void round_over(struct etcd_dial *d)
{
	uint64_t ms = d->rounds < 6 ? PAUSE_MIN_MS << d->rounds : PAUSE_MAX_MS;

	if (ms > PAUSE_MAX_MS)
		ms = PAUSE_MAX_MS;
	/* Half of it by chance, so that a cluster that comes back is not asked by all at once. */
	ms = ms / 2 + by_chance(ms / 2 + 1);
	d->rounds++;
	(void)uv_timer_start(&d->pause, on_pause_over, ms, 0);
	d->ops->on_nobody(d->arg, buf_cstr(&d->why));
}

static void endpoint_failed(struct etcd_dial *d)
{
	addrs_done(d);
	d->at = d->endpoints.n ? (d->at + 1) % d->endpoints.n : 0;
	d->tried++;
	if (d->tried >= d->endpoints.n)
		round_over(d);
	else
		try_endpoint(d);
}

/* ---- connections */

static void link_free(struct link *l)
{
	list_unlink(&l->node);
	h2_free(l->h2);
	free(l);
}

static void link_lost(struct etcd_dial *d, const char *why)
{
	d->link = NULL;
	d->stats.lost++;
	log_info("connection to etcd lost", "endpoint=%s why=%s",
	         LOG_VIS(d->endpoints.items[d->at].text), LOG_VIS(why));
	why_add(d, d->endpoints.items[d->at].text, why);
	d->ops->on_down(d->arg, why);
	if (!d->freed)
		endpoint_failed(d);
}

static void on_link_up(void *arg)
{
	struct link *l = arg;
	struct etcd_dial *d = l->dial;

	l->up = true;
	addrs_done(d);
	d->stats.connects++;
	log_info("connected to etcd", "endpoint=%s", LOG_VIS(d->endpoints.items[d->at].text));
	d->ops->on_up(d->arg);
}

static void on_link_down(void *arg, const char *why)
{
	struct link *l = arg;
	struct etcd_dial *d = l->dial;
	bool current = d->link == l, up = l->up;
	char reason[256];

	(void)snprintf(reason, sizeof(reason), "%s", why); /* why may be the link's */
	link_free(l);
	if (!current)
		return;
	if (up) {
		link_lost(d, reason);
		return;
	}
	d->link = NULL;
	d->stats.failures++;
	why_add(d, d->endpoints.items[d->at].text, reason);
	try_address(d);
}

static void on_link_goaway(void *arg)
{
	struct link *l = arg;

	if (l->dial->link == l)
		link_lost(l->dial, "the member is stopping");
}

static const struct h2_ops link_ops = {
	.on_up = on_link_up,
	.on_down = on_link_down,
	.on_goaway = on_link_goaway,
};

static void connect_to(struct etcd_dial *d, const struct sockaddr *sa, socklen_t len)
{
	const struct etcd_endpoint *e = &d->endpoints.items[d->at];
	struct link *l = xcalloc(1, sizeof(*l));
	struct err err;

	l->dial = d;
	list_push_back(&d->links, &l->node);
	if (h2_connect(d->loop, sa, len, e->tls ? d->tls : NULL, e->host, &link_ops, l, &l->h2,
	               &err) < 0) {
		link_free(l);
		d->stats.failures++;
		why_add(d, e->text, err.text);
		try_address(d);
		return;
	}
	d->link = l;
}

static void try_address(struct etcd_dial *d)
{
	struct addrinfo *a = d->next_addr;

	if (!a) {
		endpoint_failed(d);
		return;
	}
	d->next_addr = a->ai_next;
	connect_to(d, a->ai_addr, a->ai_addrlen);
}

/* ---- names */

static void on_name(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct lookup *l = container_of(req, struct lookup, name);
	struct etcd_dial *d = l->dial;

	free(l);
	if (!d) {
		if (res)
			uv_freeaddrinfo(res);
		return;
	}
	d->lookup = NULL;
	if (status < 0) {
		d->stats.failures++;
		why_add(d, d->endpoints.items[d->at].text, uv_strerror(status));
		endpoint_failed(d);
		return;
	}
	d->addrs = d->next_addr = res;
	try_address(d);
}

static void on_srv_work(uv_work_t *work)
{
	struct lookup *l = container_of(work, struct lookup, srv);

	(void)etcd_endpoints_discover(l->domain, &l->found, &l->err);
}

static void on_srv_done(uv_work_t *work, int status)
{
	struct lookup *l = container_of(work, struct lookup, srv);
	struct etcd_dial *d = l->dial;

	(void)status; /* never cancelled */
	if (d) {
		d->lookup = NULL;
		if (l->found.n) {
			d->endpoints = l->found;
			l->found = (struct etcd_endpoints){ 0 };
			d->at = 0;
			try_endpoint(d);
		} else {
			d->stats.failures++;
			why_add(d, "discovery", l->err.text);
			round_over(d);
		}
	}
	etcd_endpoints_done(&l->found);
	free(l->domain);
	free(l);
}

static void discover(struct etcd_dial *d)
{
	struct lookup *l = xcalloc(1, sizeof(*l));

	l->dial = d;
	l->domain = xstrdup(d->options->discovery_srv);
	d->lookup = l;
	if (uv_queue_work(d->loop, &l->srv, on_srv_work, on_srv_done) != 0)
		abort(); /* only for a NULL callback */
}

static void try_endpoint(struct etcd_dial *d)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const struct etcd_endpoint *e;
	struct sockaddr_storage sa;
	struct ip_addr literal;
	struct lookup *l;
	char port[8];
	struct err err;
	int rc;

	if (d->endpoints.n == 0) {
		discover(d);
		return;
	}
	e = &d->endpoints.items[d->at];
	if (e->tls && tls_load(d, &err) < 0) {
		if (!d->tls) {
			why_add(d, e->text, err.text);
			endpoint_failed(d);
			return;
		}
		log_warn("certificates cannot be read anew: those in memory are used", "why=%s",
		         LOG_VIS(err.text));
	}
	if (ip_addr_parse(e->host, &literal) == 0) {
		socklen_t len = (socklen_t)ip_addr_to_sockaddr(&literal, e->port, &sa);

		connect_to(d, (struct sockaddr *)&sa, len);
		return;
	}
	l = xcalloc(1, sizeof(*l));
	l->dial = d;
	(void)snprintf(port, sizeof(port), "%u", e->port);
	rc = uv_getaddrinfo(d->loop, &l->name, on_name, e->host, port, &hints);
	if (rc < 0) {
		free(l);
		why_add(d, e->text, uv_strerror(rc));
		endpoint_failed(d);
		return;
	}
	d->lookup = l;
}

/* ---- the interface */

struct h2 *etcd_dial_h2(const struct etcd_dial *d)
{
	return d->link && d->link->up && h2_usable(d->link->h2) ? d->link->h2 : NULL;
}

const struct etcd_endpoint *etcd_dial_endpoint(const struct etcd_dial *d)
{
	return d->link && d->link->up ? &d->endpoints.items[d->at] : NULL;
}

void etcd_dial_next(struct etcd_dial *d, const char *why)
{
	char reason[300];

	(void)snprintf(reason, sizeof(reason), "the member was given up: %s", why);
	if (d->link && d->link->up)
		h2_abandon(d->link->h2, reason);
}

void etcd_dial_good(struct etcd_dial *d)
{
	d->tried = 0;
	d->rounds = 0;
	buf_clear(&d->why);
}

struct etcd_dial_stats etcd_dial_stats(const struct etcd_dial *d)
{
	return d->stats;
}

static void on_start(uv_timer_t *timer)
{
	try_endpoint(timer->data);
}

int etcd_dial_new(uv_loop_t *loop, const struct store_etcd_options *options,
                  const struct etcd_dial_ops *ops, void *arg, struct etcd_dial **ret,
                  struct err *err)
{
	struct etcd_dial *d = xcalloc(1, sizeof(*d));
	int rc = 0;

	d->options = options;
	if (options->endpoints)
		rc = etcd_endpoints_parse(options->endpoints, tls_is_configured(options),
		                          &d->endpoints, err);
	/* A file that cannot be used is told at once; discovery may find members that want TLS. */
	if (rc == 0 && tls_is_configured(options))
		rc = tls_load(d, err);
	if (rc < 0) {
		etcd_endpoints_done(&d->endpoints);
		free(d);
		return rc;
	}
	d->loop = loop;
	d->ops = ops;
	d->arg = arg;
	list_init(&d->links);
	/* Many clients, the same list: each begins somewhere else. */
	d->at = d->endpoints.n ? by_chance(d->endpoints.n) : 0;
	if (uv_timer_init(loop, &d->pause) != 0)
		abort(); /* cannot fail */
	d->pause.data = d;
	/* No callback before this call returns. */
	(void)uv_timer_start(&d->pause, on_start, 0, 0);
	*ret = d;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void etcd_dial_free(struct etcd_dial *d)
{
	if (!d || d->freed)
		return;
	d->freed = true;
	if (d->lookup)
		d->lookup->dial = NULL;
	list_for_each_safe (it, &d->links)
		link_free(list_entry(it, struct link, node));
	d->link = NULL;
	addrs_done(d);
	etcd_endpoints_done(&d->endpoints);
	tls_context_unref(d->tls);
	buf_done(&d->why);
	uv_close((uv_handle_t *)&d->pause, on_closed);
}
