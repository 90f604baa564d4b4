/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memberset: the members of an IP set, packed: 8 bytes each for IPv4, 20 for IPv6, and a quarter of
 * that in free slots.
 *
 * Open addressing with linear probing; a removed member's followers move up, so there are no
 * tombstones. The member of all zeros cannot be in a set (the kernel has no /0): it marks a free
 * slot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "felixd/calc/output.h"

struct memberset {
	uint8_t *slots; /* NULL while empty */
	size_t cap, n;  /* cap: a power of two */
	uint8_t size;   /* of a slot */
};

#define MEMBER_BYTES_MAX 20

void memberset_init(struct memberset *s, int family);
void memberset_done(struct memberset *s); /* frees; s is empty again and of its family */
bool memberset_add(struct memberset *s, const struct calc_member *m);    /* false: it was there */
bool memberset_remove(struct memberset *s, const struct calc_member *m); /* false: it was not */
bool memberset_has(const struct memberset *s, const struct calc_member *m);
/* Walks: starts with *at = 0; false at the end. Adding and removing spoil a walk. */
bool memberset_next(const struct memberset *s, size_t *at, struct calc_member *ret);
