/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_endpoint.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define ANSWER_MAX 65535u

void etcd_endpoints_done(struct etcd_endpoints *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free(e->items[i].host);
		free(e->items[i].text);
	}
	free(e->items);
	*e = (struct etcd_endpoints){ 0 };
}

static void endpoint_add(struct etcd_endpoints *e, bool tls, const char *host, size_t host_len,
                         uint16_t port)
{
	bool v6 = memchr(host, ':', host_len) != NULL;
	struct etcd_endpoint *p;

	e->items = xrealloc(e->items, (e->n + 1) * sizeof(*e->items));
	p = &e->items[e->n++];
	p->tls = tls;
	p->host = xstrndup(host, host_len);
	p->port = port;
	p->text = xasprintf("%s://%s%s%s:%u", tls ? "https" : "http", v6 ? "[" : "", p->host,
	                    v6 ? "]" : "", port);
}

static bool port_parse(const char *s, size_t len, uint16_t *ret)
{
	unsigned v = 0;

	if (len == 0 || len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*ret = (uint16_t)v;
	return v > 0 && v <= 65535;
}

static int endpoint_parse(const char *s, size_t len, bool tls, struct etcd_endpoints *e,
                          struct err *err)
{
	static const char forms[] = "expected https://HOST:PORT or http://HOST:PORT";
	const char *text = s, *host, *end = s + len, *sep = memmem(s, len, "://", 3);
	CLEANUP(free_p) char *shown = NULL;
	uint16_t port = ETCD_PORT;
	size_t host_len;

	if (sep) {
		size_t scheme = (size_t)(sep - s);

		if (scheme == 5 && strncasecmp(s, "https", 5) == 0)
			tls = true;
		else if (scheme == 4 && strncasecmp(s, "http", 4) == 0)
			tls = false;
		else
			goto bad;
		s = sep + 3;
	}
	if (end > s && end[-1] == '/')
		end--;
	if (s < end && *s == '[') {
		const char *close = memchr(s, ']', (size_t)(end - s));

		if (!close)
			goto bad;
		host = s + 1;
		host_len = (size_t)(close - host);
		s = close + 1;
	} else {
		const char *colon = memchr(s, ':', (size_t)(end - s));

		host = s;
		host_len = colon ? (size_t)(colon - s) : (size_t)(end - s);
		if (colon && memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			goto bad; /* an IPv6 address without brackets: where does it end? */
		s += host_len;
	}
	if (s < end && (*s != ':' || !port_parse(s + 1, (size_t)(end - s - 1), &port)))
		goto bad;
	if (host_len == 0 || host_len > 255)
		goto bad;
	for (size_t i = 0; i < host_len; i++)
		if (host[i] <= ' ' || strchr("/@?#[]\\\"\x7f", host[i]))
			goto bad;
	if (e->n == ETCD_ENDPOINTS_MAX)
		return err_set(err, -EINVAL, "more than %u etcd endpoints", ETCD_ENDPOINTS_MAX);
	endpoint_add(e, tls, host, host_len, port);
	return 0;
bad:
	if (memrchr(text, '@', len)) { /* before it, there may be a password */
		const char *at = memrchr(text, '@', len);
		size_t letters = strspn(text, "abcdefghijklmnopqrstuvwxyz");
		size_t scheme = sep == text + letters ? letters + 3 : 0;

		shown = xasprintf("%.*s...%.*s", (int)scheme, text, (int)(text + len - at), at);
	} else {
		shown = xstrndup(text, len);
	}
	return err_set(err, -EINVAL, "etcd endpoint %s: %s", LOG_VIS(shown), forms);
}

int etcd_endpoints_parse(const char *list, bool tls, struct etcd_endpoints *e, struct err *err)
{
	const char *at = list;

	for (;;) {
		size_t len = strcspn(at, ","), skip = strspn(at, " \t");
		size_t inner = len > skip ? len - skip : 0;
		int rc;

		while (inner && strchr(" \t\r\n", at[skip + inner - 1]))
			inner--;
		if (inner) {
			rc = endpoint_parse(at + skip, inner, tls, e, err);
			if (rc < 0)
				return rc;
		}
		if (!at[len])
			break;
		at += len + 1;
	}
	return e->n ? 0 : err_set(err, -EINVAL, "no etcd endpoints specified");
}

/* ---- SRV records */

struct srv {
	unsigned priority, weight;
	uint16_t port;
	char host[NS_MAXDNAME];
};

static int by_priority(const void *a, const void *b)
{
	const struct srv *x = a, *y = b;

	return x->priority != y->priority ? (x->priority < y->priority ? -1 : 1)
	       : x->weight != y->weight   ? (x->weight > y->weight ? -1 : 1)
	                                  : strcmp(x->host, y->host);
}

/* One record of a message. Its data are of 6 bytes, priority, weight and port, and a name. */
static bool srv_read(const ns_msg *msg, const ns_rr *rr, struct srv *ret)
{
	const uint8_t *data = ns_rr_rdata(*rr);

	if (ns_rr_type(*rr) != ns_t_srv || ns_rr_rdlen(*rr) < 7)
		return false;
	ret->priority = ns_get16(data);
	ret->weight = ns_get16(data + 2);
	ret->port = (uint16_t)ns_get16(data + 4);
	return ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), data + 6, ret->host,
	                          sizeof(ret->host)) > 0 &&
	       ret->host[0] && ret->port;
}

bool etcd_endpoints_of_srv(const void *message, size_t len, bool tls, struct etcd_endpoints *e)
{
	CLEANUP(free_p) struct srv *found = NULL;
	ns_msg msg;
	ns_rr rr;
	size_t n = 0;

	if (len > ANSWER_MAX || ns_initparse(message, (int)len, &msg) < 0)
		return false;
	found = xcalloc(ETCD_ENDPOINTS_MAX, sizeof(*found));
	for (int i = 0; i < ns_msg_count(msg, ns_s_an) && n < ETCD_ENDPOINTS_MAX; i++)
		if (ns_parserr(&msg, ns_s_an, i, &rr) == 0 && srv_read(&msg, &rr, &found[n]))
			n++;
	qsort(found, n, sizeof(*found), by_priority);
	for (size_t i = 0; i < n && e->n < ETCD_ENDPOINTS_MAX; i++)
		endpoint_add(e, tls, found[i].host, strlen(found[i].host), found[i].port);
	return n > 0;
}

int etcd_endpoints_discover(const char *domain, struct etcd_endpoints *e, struct err *err)
{
	static const struct {
		const char *service;
		bool tls;
	} services[] = { { "_etcd-client-ssl._tcp", true }, { "_etcd-client._tcp", false } };
	CLEANUP(free_p) uint8_t *answer = xcalloc(1, ANSWER_MAX);
	struct __res_state resolver = { 0 };
	int reason = 0;

	if (res_ninit(&resolver) < 0)
		return err_set(err, -EIO, "the resolver cannot be set up");
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		CLEANUP(free_p) char *name = xasprintf("%s.%s", services[i].service, domain);
		int n = res_nquery(&resolver, name, ns_c_in, ns_t_srv, answer, (int)ANSWER_MAX);

		if (n < 0)
			reason = resolver.res_h_errno;
		else if (n <= (int)ANSWER_MAX)
			(void)etcd_endpoints_of_srv(answer, (size_t)n, services[i].tls, e);
	}
	res_nclose(&resolver);
	if (e->n)
		return 0;
	return err_set(err, -ENOENT,
	               "failed to discover etcd endpoints through SRV discovery: domain %s: %s",
	               LOG_VIS(domain), reason ? hstrerror(reason) : "no such records");
}
