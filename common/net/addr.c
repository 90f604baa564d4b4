/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/net/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hmap.h"

unsigned ip_addr_bits(const struct ip_addr *a)
{
	return a->family == AF_INET ? 32 : a->family == AF_INET6 ? 128 : 0;
}

int ip_addr_parse(const char *s, struct ip_addr *ret)
{
	struct ip_addr a = { 0 };

	/* inet_pton() is strict for IPv4: four decimal parts, no leading zeros; it knows no zones.
	 */
	a.family = strchr(s, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, s, a.bytes) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *ip_addr_str(const struct ip_addr *a, char out[IP_ADDR_STR_MAX])
{
	if (!a->family || !inet_ntop(a->family, a->bytes, out, IP_ADDR_STR_MAX))
		out[0] = '\0';
	return out;
}

int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return ip_addr_cmp(a, b) == 0;
}

uint32_t ip_addr_hash(const struct ip_addr *a)
{
	return hash_mix(a->family, hash_bytes(a->bytes, ip_addr_bits(a) / 8));
}

struct ip_addr ip_addr_v4(uint32_t host_order)
{
	uint32_t be = htonl(host_order);

	return ip_addr_from_bytes(AF_INET, &be);
}

uint32_t ip_addr_to_v4(const struct ip_addr *a)
{
	uint32_t be;

	memcpy(&be, a->bytes, sizeof(be));
	return ntohl(be);
}

struct ip_addr ip_addr_from_bytes(int family, const void *bytes)
{
	struct ip_addr a = { .family = (uint8_t)family };

	memcpy(a.bytes, bytes, family == AF_INET ? 4 : 16);
	return a;
}

bool ip_addr_add(struct ip_addr *a, uint64_t n)
{
	struct ip_addr sum = *a;

	for (int i = (int)ip_addr_bits(a) / 8 - 1; i >= 0 && n; i--) {
		uint64_t part = sum.bytes[i] + (n & 0xff);

		sum.bytes[i] = (uint8_t)part;
		n = (n >> 8) + (part >> 8);
	}
	if (n)
		return false;
	*a = sum;
	return true;
}

int ip_addr_to_sockaddr(const struct ip_addr *a, uint16_t port, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (a->family == AF_INET6) {
		struct sockaddr_in6 *sa = (struct sockaddr_in6 *)ret;

		sa->sin6_family = AF_INET6;
		sa->sin6_port = htons(port);
		memcpy(&sa->sin6_addr, a->bytes, 16);
		return sizeof(*sa);
	}
	struct sockaddr_in *sa = (struct sockaddr_in *)ret;

	sa->sin_family = AF_INET;
	sa->sin_port = htons(port);
	memcpy(&sa->sin_addr, a->bytes, 4);
	return sizeof(*sa);
}

int ip_addr_from_sockaddr(const struct sockaddr *sa, struct ip_addr *ret, uint16_t *ret_port)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		*ret = ip_addr_from_bytes(AF_INET, &in->sin_addr);
		if (ret_port)
			*ret_port = ntohs(in->sin_port);
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		*ret = ip_addr_from_bytes(AF_INET6, &in6->sin6_addr);
		if (ret_port)
			*ret_port = ntohs(in6->sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}

/* A decimal prefix length without sign, leading zeros or anything behind. */
static int parse_len(const char *s, unsigned max, uint8_t *ret)
{
	unsigned v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return -EINVAL;
	}
	*ret = (uint8_t)v;
	return 0;
}

int ip_prefix_parse(const char *s, struct ip_prefix *ret)
{
	const char *slash = strchr(s, '/');
	char text[IP_ADDR_STR_MAX];
	struct ip_prefix p;
	size_t len = slash ? (size_t)(slash - s) : strlen(s);

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	if (ip_addr_parse(text, &p.addr) < 0)
		return -EINVAL;
	p.len = (uint8_t)ip_addr_bits(&p.addr);
	if (slash && parse_len(slash + 1, p.len, &p.len) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

const char *ip_prefix_str(const struct ip_prefix *p, char out[IP_PREFIX_STR_MAX])
{
	char addr[IP_ADDR_STR_MAX];

	out[0] = '\0';
	if (p->addr.family)
		(void)snprintf(out, IP_PREFIX_STR_MAX, "%s/%u", ip_addr_str(&p->addr, addr),
		               p->len);
	return out;
}

int ip_prefix_cmp(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int r = ip_addr_cmp(&a->addr, &b->addr);

	return r ? r : (a->len > b->len) - (a->len < b->len);
}

bool ip_prefix_eq(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_cmp(a, b) == 0;
}

uint32_t ip_prefix_hash(const struct ip_prefix *p)
{
	return hash_mix(ip_addr_hash(&p->addr), p->len);
}

/* The mask's byte at index i of a prefix of length len. */
static uint8_t mask_byte(unsigned len, unsigned i)
{
	if (len >= 8 * (i + 1))
		return 0xff;
	return len <= 8 * i ? 0 : (uint8_t)(0xff << (8 - (len - 8 * i)));
}

struct ip_prefix ip_prefix_network(const struct ip_prefix *p)
{
	struct ip_prefix net = *p;

	for (unsigned i = 0; i < sizeof(net.addr.bytes); i++)
		net.addr.bytes[i] &= mask_byte(p->len, i);
	return net;
}

bool ip_prefix_is_network(const struct ip_prefix *p)
{
	struct ip_prefix net = ip_prefix_network(p);

	return ip_addr_eq(&net.addr, &p->addr);
}

struct ip_prefix ip_prefix_host(const struct ip_addr *a)
{
	return (struct ip_prefix){ .addr = *a, .len = (uint8_t)ip_addr_bits(a) };
}

bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	if (p->addr.family != a->family)
		return false;
	for (unsigned i = 0; i < sizeof(a->bytes); i++)
		if ((p->addr.bytes[i] ^ a->bytes[i]) & mask_byte(p->len, i))
			return false;
	return true;
}

bool ip_prefix_covers(const struct ip_prefix *p, const struct ip_prefix *q)
{
	return p->len <= q->len && ip_prefix_contains(p, &q->addr);
}

bool ip_prefix_overlaps(const struct ip_prefix *p, const struct ip_prefix *q)
{
	return ip_prefix_covers(p, q) || ip_prefix_covers(q, p);
}

struct ip_addr ip_prefix_nth(const struct ip_prefix *p, uint64_t n)
{
	struct ip_addr a = ip_prefix_network(p).addr;

	(void)ip_addr_add(&a, n);
	return a;
}

uint64_t ip_prefix_ordinal(const struct ip_prefix *p, const struct ip_addr *a)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ip_addr_bits(a) / 8; i++)
		n = n << 8 | (uint8_t)(a->bytes[i] & ~mask_byte(p->len, i));
	return n;
}

int mac_parse(const char *s, struct mac_addr *ret)
{
	struct mac_addr m;

	for (unsigned i = 0; i < 6; i++) {
		unsigned v = 0;

		for (unsigned digit = 0; digit < 2; digit++, s++) {
			if (*s >= '0' && *s <= '9')
				v = v << 4 | (unsigned)(*s - '0');
			else if ((*s | 0x20) >= 'a' && (*s | 0x20) <= 'f')
				v = v << 4 | (unsigned)((*s | 0x20) - 'a' + 10);
			else
				return -EINVAL;
		}
		m.bytes[i] = (uint8_t)v;
		if (*s != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		s++;
	}
	*ret = m;
	return 0;
}

const char *mac_str(const struct mac_addr *m, char out[MAC_STR_MAX])
{
	const uint8_t *b = m->bytes;

	(void)snprintf(out, MAC_STR_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
	               b[4], b[5]);
	return out;
}
