/* SPDX-License-Identifier: BSD-2-Clause */
/* nf_attr: netlink attributes of the netfilter protocols, written into a buf and read through a
 * cursor. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/net/addr.h"

/* A message begins with a nfgenmsg. */
void nf_attr_begin(struct buf *out, uint8_t family);
void nf_attr_put(struct buf *out, uint16_t type, const void *data, size_t len);
void nf_attr_u8(struct buf *out, uint16_t type, uint8_t v);
void nf_attr_be16(struct buf *out, uint16_t type,
                  uint16_t v); /* flagged as being in network order */
void nf_attr_be32(struct buf *out, uint16_t type, uint32_t v);
void nf_attr_str(struct buf *out, uint16_t type, const char *s); /* with its NUL */
size_t nf_attr_nest(struct buf *out, uint16_t type); /* a position, for nf_attr_nest_end() */
void nf_attr_nest_end(struct buf *out, size_t nest);

struct nf_attr {
	uint16_t type; /* without flags */
	struct cursor data;
};
/* The next attribute; false at the end, and when what is left makes no sense. */
bool nf_attr_next(struct cursor *c, struct nf_attr *ret);
bool nf_attr_get_u8(const struct nf_attr *a, uint8_t *ret);
bool nf_attr_get_be16(const struct nf_attr *a, uint16_t *ret);
bool nf_attr_get_be32(const struct nf_attr *a, uint32_t *ret);
bool nf_attr_get_str(const struct nf_attr *a, char *out,
                     size_t size); /* false: it does not fit or has no end */
bool nf_attr_get_addr(const struct nf_attr *a, int family,
                      struct ip_addr *ret); /* of exactly the family's length */
