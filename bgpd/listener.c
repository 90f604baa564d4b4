/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "bgpd/bgpd.h"
#include "bgpd/session.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define BACKLOG 1024 /* a mesh of a thousand nodes comes up at once */

struct socket_of {
	uv_tcp_t tcp;
	struct bgpd *b;
	struct ip_addr addr;
	uint16_t port;
};

struct listener {
	struct socket_of *sockets[BGP_FAMILIES];
};

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void close_socket(struct socket_of **s)
{
	if (*s)
		uv_close((uv_handle_t *)&(*s)->tcp, on_closed);
	*s = NULL;
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct socket_of *s = stream->data;

	if (status < 0) {
		log_warn("accept", "error=\"%s\"", uv_strerror(status));
		return;
	}
	session_accept(s->b, stream);
}

static int open_socket(struct bgpd *b, const struct ip_addr *a, uint16_t port,
                       struct socket_of **ret, struct err *err)
{
	struct socket_of *s = xcalloc(1, sizeof(*s));
	struct sockaddr_storage ss;
	char text[IP_ADDR_STR_MAX];
	int r;

	s->b = b;
	s->addr = *a;
	s->port = port;
	r = uv_tcp_init_ex(b->loop, &s->tcp, a->family);
	if (r < 0) {
		free(s);
		return err_set(err, r, "socket: %s", uv_strerror(r));
	}
	s->tcp.data = s;
	(void)ip_addr_to_sockaddr(a, port, &ss);
	/* In effect only here: the configuration may move the port at any time, and a restart would
	 * be a high price for that. */
	daemon_capability(CAP_NET_BIND_SERVICE, true);
	r = uv_tcp_bind(&s->tcp, (struct sockaddr *)&ss,
	                a->family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&s->tcp, BACKLOG, on_connection);
	daemon_capability(CAP_NET_BIND_SERVICE, false);
	if (r < 0) {
		close_socket(&s);
		return err_set(err, r, "listen on %s port %u: %s", ip_addr_str(a, text), port,
		               uv_strerror(r));
	}
	*ret = s;
	return 0;
}

/* family 0: none */
static struct ip_addr wanted(const struct config *c, enum bgp_family f)
{
	struct ip_addr any = { .family = (uint8_t)bgp_family_af(f) };

	if (!c->listen_on)
		return (struct ip_addr){ 0 };
	if (c->listen_given)
		return c->listen[f];
	if (f == BGP_IPV4)
		return any;
	for (unsigned i = 0; i < c->n_peers; i++)
		if (c->peers[i]->address.family == AF_INET6)
			return any;
	return (struct ip_addr){ 0 };
}

/*
 * Puts a socket in the place of *slot, which stays as it was where that fails. The old one is
 * closed when the new one is there; but "any address" and one of them exclude each other on one
 * port, so there it goes first, and comes back if it must.
 */
static int replace_socket(struct bgpd *b, const struct ip_addr *a, uint16_t port,
                          struct socket_of **slot, struct err *err)
{
	struct socket_of *fresh = NULL;
	int r = open_socket(b, a, port, &fresh, err);

	if (r == -EADDRINUSE && *slot && (*slot)->port == port) {
		struct ip_addr was = (*slot)->addr;
		struct err lost;

		close_socket(slot);
		r = open_socket(b, a, port, &fresh, err);
		if (r < 0 && open_socket(b, &was, port, slot, &lost) < 0)
			log_error("bgpd listens no more: reload to try again", "error=\"%s\"",
			          lost.text);
	}
	if (r == 0) {
		close_socket(slot);
		*slot = fresh;
	}
	return r;
}

static bool is_at(const struct socket_of *s, const struct ip_addr *a, uint16_t port)
{
	return s && ip_addr_eq(&s->addr, a) && s->port == port;
}

int listener_apply(struct bgpd *b, const struct config *c, struct err *err)
{
	struct {
		struct ip_addr addr; /* unset: there was none */
		uint16_t port;
	} was[BGP_FAMILIES] = { 0 };
	struct err lost;
	int r = 0;

	if (!b->listener)
		b->listener = xcalloc(1, sizeof(*b->listener));
	for (unsigned f = 0; r == 0 && f < BGP_FAMILIES; f++) {
		struct socket_of **slot = &b->listener->sockets[f];
		struct ip_addr a = wanted(c, f);

		if (*slot) {
			was[f].addr = (*slot)->addr;
			was[f].port = (*slot)->port;
		}
		if (a.family && !is_at(*slot, &a, c->port))
			r = replace_socket(b, &a, c->port, slot, err);
	}
	for (unsigned f = 0; f < BGP_FAMILIES; f++) {
		struct socket_of **slot = &b->listener->sockets[f];

		if (r == 0 && !wanted(c, f).family)
			close_socket(slot);
		else if (r < 0 && *slot && !was[f].addr.family)
			close_socket(slot);
		else if (r < 0 && *slot && !is_at(*slot, &was[f].addr, was[f].port))
			(void)replace_socket(b, &was[f].addr, was[f].port, slot, &lost);
	}
	return r;
}

void listener_stop(struct bgpd *b)
{
	for (unsigned f = 0; b->listener && f < BGP_FAMILIES; f++)
		close_socket(&b->listener->sockets[f]);
	free(b->listener);
	b->listener = NULL;
}
