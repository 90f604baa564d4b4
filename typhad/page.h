/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page: the cache's frames, many at once and packed smaller, made once for all who are given them.
 *
 *     seq    1 ........ 812 | 813 ....... 1640 | 1641 ... 1700
 *            page, packed     page: stale        what is behind the last page: packed for this turn
 *
 * A page holds what is left of a stretch of the order of changes, 64 KiB before packing. It is
 * packed when somebody is first given it; when one of its objects changes, or a tombstone in it is
 * forgotten, it is stale, and packed again when the next one comes. A snapshot is the pages and
 * what is behind the last; a change goes out as what is behind the place where everybody is.
 *
 * Stretches whose pages have become small grow together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/ipc/frame.h"
#include "common/loop/codec.h"
#include "typhad/cache.h"

#define PAGE_RAW (64u << 10)
#define PAGE_RAW_MAX (1u << 20) /* an object that would make it larger goes alone */
#define PAGE_CLASSES 8u         /* sets of kinds that have pages; others are packed for the turn */
#define PAGE_TAILS 16u

struct page {
	uint64_t kinds;
	uint64_t after, upto;    /* the stretch: behind after, up to upto */
	struct ipc_frame *frame; /* NULL: stale, or there is nothing in it */
	bool stale;
	unsigned objects;
};

struct page_class {
	uint64_t kinds;
	struct page *pages; /* by after; they do not overlap */
	size_t n, cap;
};

struct pages {
	struct cache *cache;             /* borrowed */
	const struct frame_codec *codec; /* borrowed */
	struct page_class classes[PAGE_CLASSES];
	size_t n_classes;
	struct page
	        tails[PAGE_TAILS]; /* behind the last page, or from amidst one; the oldest goes */
	size_t next_tail;
	uint64_t packed, shared; /* pages and tails: packed; given out again as they were */
	uint64_t raw, small;     /* bytes packed: before, after */
	uint64_t bytes;          /* that the pages take now */
};

void pages_init(struct pages *p, struct cache *cache, const struct frame_codec *codec);
void pages_done(struct pages *p);

/*
 * What is behind after of the kinds: a frame, borrowed until the cache's next change or the next
 * call. *ret_upto: how far it goes; *ret_objects: how many it tells of. NULL: nothing up to
 * *ret_upto, which is then the cache's end.
 */
struct ipc_frame *pages_next(struct pages *p, uint64_t kinds, uint64_t after, uint64_t *ret_upto,
                             unsigned *ret_objects);

/* What was at seq is there no more: see cache->left. */
void pages_left(void *pages, uint64_t seq, uint16_t kind);
