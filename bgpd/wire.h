/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire: BGP messages as bytes. Bytes in, struct and verdict out; struct in, bytes out; no I/O, no
 * state.
 *
 * What is wrong with a message is told as a verdict (RFC 7606) and, where that is BGP_RESET, as the
 * NOTIFICATION to send. The parsers borrow: what they return points into the message.
 */
#pragma once

#include "bgpd/attrs.h"
#include "bgpd/bgp.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"

/* ---- the header ---- */

struct wire_message {
	uint8_t type; /* a known one */
	uint16_t len; /* with the header */
	struct cursor body;
};

/* Looks at the start of a stream. 1: a whole message; 0: not yet; -1: the stream is lost,
 * *ret_notice says why. */
int wire_next(const uint8_t *data, size_t len, struct wire_message *ret,
              struct bgp_notice *ret_notice);

/* ---- OPEN ---- */

struct wire_open {
	uint32_t as; /* from the capability where there is one */
	uint16_t hold_sec;
	uint32_t id;
	bool as4, refresh;
	uint8_t families; /* mask; IPv4 when nothing is said */
	bool gr;
	bool gr_restarting;
	uint16_t gr_sec;
	uint8_t gr_families, gr_forwarding; /* masks */
};

/* Checks form, version, identifier and hold time; whether the AS is the right one is the caller's
 * question. */
bool wire_parse_open(struct cursor body, struct wire_open *ret, struct bgp_notice *ret_notice);
void wire_build_open(struct buf *out, const struct wire_open *o);

/* ---- the small ones ---- */

void wire_build_keepalive(struct buf *out);
void wire_build_notification(struct buf *out, const struct bgp_notice *n);
/* false: shorter than its header said it must be; never asked then */
bool wire_parse_notification(struct cursor body, struct bgp_notice *ret);
/* false: a family that we do not know, to be ignored */
bool wire_parse_refresh(struct cursor body, enum bgp_family *ret);
void wire_build_refresh(struct buf *out, enum bgp_family f);

/* ---- UPDATE ---- */

struct wire_peer { /* what the bytes mean depends on the session */
	bool as4;  /* both sides have four-octet AS numbers */
	bool internal;
	uint32_t remote_as;
	uint8_t families; /* negotiated */
};

struct wire_update {
	enum bgp_verdict verdict;
	struct bgp_notice notice; /* for BGP_RESET */
	uint8_t attr;             /* the first attribute that was not right, 0 none */
	const char *why;          /* the same in words; a literal or NULL */
	unsigned discarded;       /* attributes */
	bool has_attrs; /* set is to be used: something is reachable and the verdict allows it */
	struct attr_set
	        set; /* borrows from the message and from scratch; next_hop is the NLRI field's */
	struct ip_addr mp_next_hop, mp_link_local; /* of MP_REACH_NLRI */
	enum bgp_family mp_family;
	/* Prefixes, checked: to be read with wire_prefix(). */
	struct cursor withdrawn, nlri; /* IPv4 */
	struct cursor mp_unreach, mp_reach;
	enum bgp_family mp_unreach_family;
	int end_of_rib;                       /* the family that this ends, or -1 */
	uint8_t scratch[5 * BGP_MESSAGE_MAX]; /* AS_PATH with four octets, unknown attributes */
};

void wire_parse_update(struct cursor body, const struct wire_peer *p, struct wire_update *ret);

/* Takes one prefix off the list, host bits cleared. false: the list is at its end. */
bool wire_prefix(struct cursor *list, enum bgp_family f, struct ip_prefix *ret);
/* Multicast, loopback, link-local: to be ignored. RFC 4271 section 6.3: a prefix that makes no
 * sense is no reason for an error. */
bool wire_prefix_is_martian(const struct ip_prefix *p);

/* The attributes of set as they go to a peer, but for MP_REACH_NLRI, which comes with the prefixes.
 */
void wire_build_attrs(struct buf *out, const struct attr_set *set, bool as4, bool internal);

/*
 * Appends UPDATEs that announce (set not NULL) or withdraw the n prefixes, all of family f, as many
 * to a message as fit. attrs: what wire_build_attrs() made. Returns how many prefixes could not be
 * sent because the attributes leave no room for one.
 */
size_t wire_build_updates(struct buf *out, enum bgp_family f, const struct attr_set *set,
                          const struct buf *attrs, const struct ip_prefix *prefixes, size_t n);
void wire_build_end_of_rib(struct buf *out, enum bgp_family f);
