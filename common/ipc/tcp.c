/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/ipc/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/net/addr.h"

#define BACKLOG 4096 /* the kernel's limit, net.core.somaxconn, is usually this */

static int port_parse(const char *s, uint16_t *ret)
{
	unsigned long port = 0;
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 5 || s[n])
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		port = port * 10 + (unsigned long)(s[i] - '0');
	if (port == 0 || port > 65535)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

int tcp_addr_split(const char *s, char host[TCP_HOST_MAX], uint16_t *ret_port, struct err *err)
{
	const char *colon = strrchr(s, ':'), *from = s, *to = colon;

	if (colon && *s == '[') {
		from = s + 1;
		to = colon > from && colon[-1] == ']' ? colon - 1 : NULL;
	} else if (colon && memchr(s, ':', (size_t)(colon - s))) {
		to = NULL; /* an IPv6 address without brackets */
	}
	if (!colon || !to || to == from || to - from >= TCP_HOST_MAX ||
	    port_parse(colon + 1, ret_port) < 0)
		return err_set(err, -EINVAL,
		               "'%.200s' is not an address: host:port or [address]:port", s);
	memcpy(host, from, (size_t)(to - from));
	host[to - from] = 0;
	return 0;
}

bool tcp_addr_numeric(const char *host, uint16_t port, struct sockaddr_storage *ret,
                      socklen_t *ret_len)
{
	struct ip_addr a;

	if (ip_addr_parse(host, &a) < 0)
		return false;
	*ret_len = (socklen_t)ip_addr_to_sockaddr(&a, port, ret);
	return true;
}

const char *tcp_addr_str(const struct sockaddr *sa, char out[TCP_ADDR_STR_MAX])
{
	/* How an IPv4 client shows on a socket of both families. */
	static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[IP_ADDR_STR_MAX];
	struct ip_addr a;
	uint16_t port;

	if (ip_addr_from_sockaddr(sa, &a, &port) < 0)
		return strcpy(out, "unknown");
	if (a.family == AF_INET6 && memcmp(a.bytes, v4_mapped, sizeof(v4_mapped)) == 0)
		a = ip_addr_from_bytes(AF_INET, a.bytes + 12);
	(void)snprintf(out, TCP_ADDR_STR_MAX, a.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
	               ip_addr_str(&a, text), port);
	return out;
}

int tcp_lookup(const char *host, char out[TCP_ADDR_STR_MAX], struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	struct ip_addr a = { 0 };
	int r = getaddrinfo(host, NULL, &hints, &list);

	if (r != 0)
		return err_set(err, -EADDRNOTAVAIL, "look up '%.200s': %s", host, gai_strerror(r));
	r = list ? ip_addr_from_sockaddr(list->ai_addr, &a, NULL) : -EADDRNOTAVAIL;
	freeaddrinfo(list);
	if (r < 0)
		return err_set(err, -EADDRNOTAVAIL, "'%.200s' has no address", host);
	(void)ip_addr_str(&a, out);
	return 0;
}

/* ---- listening */

static int listen_on(const struct sockaddr *sa, socklen_t len, bool both, int *ret_fd,
                     struct err *err)
{
	CLEANUP(close_p)
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int one = 1, v6_only = !both;
	char text[TCP_ADDR_STR_MAX];

	if (fd < 0)
		return err_sys(err, "create a TCP socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (sa->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only));
	if (bind(fd, sa, len) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(err, "listen on %s", tcp_addr_str(sa, text));
	*ret_fd = take_fd(&fd);
	return 0;
}

static int listen_name(const char *host, uint16_t port, int *ret_fd, struct err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *list = NULL;
	char service[8];
	int r;

	(void)snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0)
		return err_set(err, -EADDRNOTAVAIL, "look up '%.200s' to listen on: %s", host,
		               gai_strerror(r));
	r = -EADDRNOTAVAIL;
	for (struct addrinfo *it = list; it && r < 0; it = it->ai_next)
		r = listen_on(it->ai_addr, it->ai_addrlen, false, ret_fd, err);
	freeaddrinfo(list);
	return r;
}

static int listen_all(uint16_t port, int *ret_fd, struct err *err)
{
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	const struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int r = listen_on((const struct sockaddr *)&v6, sizeof(v6), true, ret_fd, err);

	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) /* the kernel has no IPv6 */
		r = listen_on((const struct sockaddr *)&v4, sizeof(v4), false, ret_fd, err);
	return r;
}

int tcp_listen(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port, struct err *err)
{
	struct sockaddr_storage ss;
	struct ip_addr a;
	socklen_t len;
	uint16_t got;
	int r;

	if (!host || !*host)
		r = listen_all(port, ret_fd, err);
	else if (tcp_addr_numeric(host, port, &ss, &len))
		r = listen_on((struct sockaddr *)&ss, len, false, ret_fd, err);
	else
		r = listen_name(host, port, ret_fd, err);
	len = sizeof(ss);
	if (r == 0 && ret_port && getsockname(*ret_fd, (struct sockaddr *)&ss, &len) == 0 &&
	    ip_addr_from_sockaddr((struct sockaddr *)&ss, &a, &got) == 0)
		*ret_port = got;
	return r;
}

/* ---- connecting */

int tcp_connect(const struct sockaddr *sa, socklen_t len, int *ret_fd, struct err *err)
{
	CLEANUP(close_p)
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[TCP_ADDR_STR_MAX];

	if (fd < 0)
		return err_sys(err, "create a TCP socket");
	if (connect(fd, sa, len) < 0 && errno != EINPROGRESS)
		return err_sys(err, "connect to %s", tcp_addr_str(sa, text));
	*ret_fd = take_fd(&fd);
	return 0;
}

void tcp_tune(int fd, unsigned user_timeout_ms)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },   { SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 30 }, { IPPROTO_TCP, TCP_KEEPINTVL, 10 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
		                 sizeof(options[i].value));
	if (user_timeout_ms)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
		                 sizeof(user_timeout_ms));
}
