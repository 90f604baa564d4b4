/* SPDX-License-Identifier: BSD-2-Clause */
/* bgp: the numbers of the protocol, and the words for them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define BGP_PORT 179
#define BGP_VERSION 4
#define BGP_MARKER_LEN 16
#define BGP_HEADER_LEN 19
#define BGP_MESSAGE_MAX 4096
#define BGP_AS_TRANS 23456u

enum bgp_message { /* RFC 4271 section 4.1, RFC 2918 */
	BGP_OPEN = 1,
	BGP_UPDATE = 2,
	BGP_NOTIFICATION = 3,
	BGP_KEEPALIVE = 4,
	BGP_ROUTE_REFRESH = 5,
};

enum bgp_code { /* of a NOTIFICATION: RFC 4271 section 4.5, RFC 9687 */
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN = 2,
	BGP_ERR_UPDATE = 3,
	BGP_ERR_HOLD = 4,
	BGP_ERR_FSM = 5,
	BGP_ERR_CEASE = 6,
	BGP_ERR_REFRESH = 7,
	BGP_ERR_SEND_HOLD = 8,
};
enum {
	BGP_HEADER_SYNC = 1,
	BGP_HEADER_LENGTH = 2,
	BGP_HEADER_TYPE = 3
};
enum {
	BGP_OPEN_VERSION = 1,
	BGP_OPEN_AS = 2,
	BGP_OPEN_ID = 3,
	BGP_OPEN_PARAMETER = 4,
	BGP_OPEN_HOLD = 6,
	BGP_OPEN_CAPABILITY = 7,
};
enum {
	BGP_UPDATE_LIST = 1,
	BGP_UPDATE_WELL_KNOWN = 2,
	BGP_UPDATE_OPTIONAL = 9,
	BGP_UPDATE_NETWORK = 10,
};
enum {
	BGP_FSM_OPENSENT = 1,
	BGP_FSM_OPENCONFIRM = 2,
	BGP_FSM_ESTABLISHED = 3
};     /* RFC 6608 */
enum { /* RFC 4486 */
	BGP_CEASE_MAX_PREFIXES = 1,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CONFIG = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8,
};

enum bgp_capability {
	BGP_CAP_MP = 1,
	BGP_CAP_REFRESH = 2,
	BGP_CAP_GR = 64,
	BGP_CAP_AS4 = 65,
};
#define BGP_GR_RESTARTING 0x8000u /* RFC 4724 section 3 */
#define BGP_GR_FORWARDING 0x80u

enum bgp_attr_type {
	BGP_ORIGIN = 1,
	BGP_AS_PATH = 2,
	BGP_NEXT_HOP = 3,
	BGP_MED = 4,
	BGP_LOCAL_PREF = 5,
	BGP_ATOMIC_AGGREGATE = 6,
	BGP_AGGREGATOR = 7,
	BGP_COMMUNITIES = 8,
	BGP_ORIGINATOR_ID = 9,
	BGP_CLUSTER_LIST = 10,
	BGP_MP_REACH = 14,
	BGP_MP_UNREACH = 15,
	BGP_EXT_COMMUNITIES = 16,
	BGP_AS4_PATH = 17,
	BGP_AS4_AGGREGATOR = 18,
	BGP_EXT6_COMMUNITIES = 25,
	BGP_LARGE_COMMUNITIES = 32,
	BGP_OTC = 35,
};
#define BGP_FLAG_OPTIONAL 0x80u
#define BGP_FLAG_TRANSITIVE 0x40u
#define BGP_FLAG_PARTIAL 0x20u
#define BGP_FLAG_EXTENDED 0x10u

enum {
	BGP_ORIGIN_IGP,
	BGP_ORIGIN_EGP,
	BGP_ORIGIN_INCOMPLETE
};
enum {
	BGP_AS_SET = 1,
	BGP_AS_SEQUENCE = 2,
	BGP_AS_CONFED_SEQUENCE = 3,
	BGP_AS_CONFED_SET = 4
};

#define BGP_NO_EXPORT 0xFFFFFF01u /* RFC 1997 */
#define BGP_NO_ADVERTISE 0xFFFFFF02u
#define BGP_NO_EXPORT_SUBCONFED 0xFFFFFF03u

/* Address families, unicast: an index into arrays, and a bit in masks. */
enum bgp_family {
	BGP_IPV4,
	BGP_IPV6,
	BGP_FAMILIES
};
#define BGP_SAFI_UNICAST 1
static inline uint16_t bgp_family_afi(enum bgp_family f)
{
	return f == BGP_IPV4 ? 1 : 2;
}
static inline int bgp_family_af(enum bgp_family f)
{
	return f == BGP_IPV4 ? AF_INET : AF_INET6;
}
static inline enum bgp_family bgp_family_of(int af)
{
	return af == AF_INET6 ? BGP_IPV6 : BGP_IPV4;
}
static inline const char *bgp_family_name(enum bgp_family f)
{
	return f == BGP_IPV4 ? "ipv4" : "ipv6";
}
/* false: not a family that we know */
static inline bool bgp_family_from(uint16_t afi, uint8_t safi, enum bgp_family *ret)
{
	if (safi != BGP_SAFI_UNICAST || (afi != 1 && afi != 2))
		return false;
	*ret = afi == 1 ? BGP_IPV4 : BGP_IPV6;
	return true;
}

/* What a standard says to do about a malformed message, by severity: RFC 7606. */
enum bgp_verdict {
	BGP_ACCEPT,
	BGP_DISCARD,
	BGP_WITHDRAW,
	BGP_RESET
};

/* A NOTIFICATION, ours or the peer's. code 0: none. */
#define BGP_NOTICE_DATA_MAX 128
struct bgp_notice {
	uint8_t code, subcode;
	uint16_t len; /* of data; a peer's longer data is cut */
	uint8_t data[BGP_NOTICE_DATA_MAX];
};
/* "6/2 Cease: administrative shutdown" */
const char *bgp_notice_str(const struct bgp_notice *n, char *out, unsigned size);
const char *bgp_message_name(unsigned type);
