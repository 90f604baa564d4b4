/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs: the path attributes of a route, interned.
 *
 * A parser or an export policy fills a struct attr_set, whose variable parts are borrowed;
 * attrs_intern() turns it into a shared, read-only struct attrs. Equal sets are the same pointer,
 * so that routes are compared, grouped and packed by comparing pointers. AS numbers are always four
 * octets here; two-octet peers are the wire's business.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/hmap.h"
#include "common/net/addr.h"

struct attr_bytes {
	const uint8_t *p; /* NULL when len is 0 */
	uint16_t len;
};

static inline struct cursor attr_cursor(const struct attr_bytes *b)
{
	return cursor_of(b->len ? b->p : (const uint8_t *)"", b->len);
}

#define ATTR_HAS_MED 0x01u
#define ATTR_HAS_LOCAL_PREF 0x02u
#define ATTR_HAS_ORIGINATOR 0x04u
#define ATTR_HAS_AGGREGATOR 0x08u
#define ATTR_ATOMIC 0x10u

struct attr_set {
	uint8_t origin;
	uint8_t has; /* ATTR_... */
	uint32_t med, local_pref;
	uint32_t originator_id; /* host order, as identifiers are everywhere here */
	uint32_t aggregator_as, aggregator_id;
	struct ip_addr next_hop;   /* of whichever family; unset: ours */
	struct ip_addr link_local; /* beside a global IPv6 next hop: RFC 2545 */
	struct attr_bytes as_path; /* segments as on the wire, four octets per AS */
	struct attr_bytes communities, large, ext, ext6, clusters;
	struct attr_bytes unknown; /* optional transitive ones, whole, with the Partial bit */
};

struct attrs {
	struct attr_set set; /* the bytes that it borrows follow the struct */
	struct hmap_node node;
	unsigned refs;
};

struct attrs_table {
	struct hmap map;
};

void attrs_table_done(struct attrs_table *t); /* every reference must be gone */

/* One reference for the caller. NULL when memory is out: strangers decide how many sets there are.
 */
struct attrs *attrs_intern(struct attrs_table *t, const struct attr_set *set);
struct attrs *attrs_ref(struct attrs *a);
void attrs_unref(struct attrs_table *t, struct attrs *a); /* NULL is fine */

/* ---- questions about a set ---- */

unsigned attr_path_len(const struct attr_bytes *path); /* RFC 4271 section 9.1.2.2 a): a set counts
                                                          1, confederations 0 */
bool attr_path_has(const struct attr_bytes *path, uint32_t as);
uint32_t attr_path_first(
        const struct attr_bytes *path); /* the neighbour's AS; 0 when empty or a set comes first */
void attr_path_str(const struct attr_bytes *path, struct buf *out); /* "65001 65002 {1 2}" */
bool attr_has_community(const struct attr_set *s, uint32_t community);

/* Writes as in front of path: a new path into out. */
void attr_path_prepend(const struct attr_bytes *path, uint32_t as, struct buf *out);
