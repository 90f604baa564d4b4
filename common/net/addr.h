/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr: IP addresses, prefixes and MAC addresses, of either family.
 *
 * An address carries its family; family 0 means "unset". Text is read strictly: no leading zeros,
 * no white space, no octal; IPv4-mapped IPv6 stays IPv6. Text is written in canonical form (RFC
 * 5952).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct ip_addr {
	uint8_t family;    /* AF_INET, AF_INET6, or 0: unset */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest 0 */
};

struct ip_prefix {
	struct ip_addr
	        addr; /* may have host bits: a node's address does; see ip_prefix_is_network() */
	uint8_t len;
};

struct mac_addr {
	uint8_t bytes[6];
};

#define IP_ADDR_STR_MAX 46
#define IP_PREFIX_STR_MAX 50
#define MAC_STR_MAX 18

unsigned ip_addr_bits(const struct ip_addr *a);        /* 32, 128, or 0 when unset */
int ip_addr_parse(const char *s, struct ip_addr *ret); /* -EINVAL */
const char *ip_addr_str(const struct ip_addr *a,
                        char out[IP_ADDR_STR_MAX]);                /* returns out; "" when unset */
int ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b); /* by family, then bytes */
bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b);
uint32_t ip_addr_hash(const struct ip_addr *a);
struct ip_addr ip_addr_v4(uint32_t host_order);
uint32_t ip_addr_to_v4(const struct ip_addr *a);                  /* host order; a must be IPv4 */
struct ip_addr ip_addr_from_bytes(int family, const void *bytes); /* 4 or 16 bytes */
bool ip_addr_add(struct ip_addr *a, uint64_t n); /* a += n; false (a untouched) on overflow */
int ip_addr_to_sockaddr(const struct ip_addr *a, uint16_t port,
                        struct sockaddr_storage *ret); /* returns the length */
int ip_addr_from_sockaddr(const struct sockaddr *sa, struct ip_addr *ret,
                          uint16_t *ret_port); /* -EAFNOSUPPORT */

/* "10.0.0.0/8"; a bare address reads as /32 or /128. -EINVAL. Host bits are kept. */
int ip_prefix_parse(const char *s, struct ip_prefix *ret);
const char *ip_prefix_str(const struct ip_prefix *p, char out[IP_PREFIX_STR_MAX]);
int ip_prefix_cmp(const struct ip_prefix *a,
                  const struct ip_prefix *b); /* by address, then length */
bool ip_prefix_eq(const struct ip_prefix *a, const struct ip_prefix *b);
uint32_t ip_prefix_hash(const struct ip_prefix *p);
bool ip_prefix_is_network(const struct ip_prefix *p);          /* no host bits set */
struct ip_prefix ip_prefix_network(const struct ip_prefix *p); /* host bits cleared */
struct ip_prefix ip_prefix_host(const struct ip_addr *a);      /* a/32 or a/128 */
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_prefix_covers(const struct ip_prefix *p,
                      const struct ip_prefix *q); /* q is p or inside p */
bool ip_prefix_overlaps(const struct ip_prefix *p, const struct ip_prefix *q);
struct ip_addr ip_prefix_nth(const struct ip_prefix *p, uint64_t n); /* network address + n */
uint64_t ip_prefix_ordinal(const struct ip_prefix *p,
                           const struct ip_addr *a); /* a's distance from the network address */

int mac_parse(const char *s, struct mac_addr *ret);
const char *mac_str(const struct mac_addr *m, char out[MAC_STR_MAX]);
