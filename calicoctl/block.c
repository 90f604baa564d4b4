/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/resource.h"

#define WINDOWS_HANDLE "windows-reserved-ipam-handle"

/* The attributes of an assigned ordinal, or NULL: free, or an index out of a damaged block. */
static V3__IpamAttribute *attribute_of(const V3__IpamBlock *b, unsigned ordinal)
{
	int32_t i = ordinal < b->n_allocations ? b->allocations[ordinal] : -1;

	return i >= 0 && (size_t)i < b->n_attributes ? b->attributes[i] : NULL;
}

static bool is_cooling(const V3__IpamAttribute *a)
{
	return a->releasedat && *a->releasedat;
}

/* Attributes that nobody refers to any longer go, and those behind them move up. */
static void prune_attributes(V3__IpamBlock *b)
{
	CLEANUP(free_p) int32_t *moved = xcalloc(b->n_attributes + 1, sizeof(*moved));
	size_t kept = 0;

	for (size_t o = 0; o < b->n_allocations; o++)
		if (b->allocations[o] >= 0 && (size_t)b->allocations[o] < b->n_attributes)
			moved[b->allocations[o]] = 1;
	for (size_t i = 0; i < b->n_attributes; i++) {
		if (!moved[i]) {
			msg_free((ProtobufCMessage *)b->attributes[i]);
			continue;
		}
		moved[i] = (int32_t)kept;
		b->attributes[kept++] = b->attributes[i];
	}
	for (size_t o = 0; o < b->n_allocations; o++)
		if (b->allocations[o] >= 0 && (size_t)b->allocations[o] < b->n_attributes)
			b->allocations[o] = moved[b->allocations[o]];
	b->n_attributes = kept;
}

/* The sequence number of an ordinal is set (v != 0) or forgotten. */
static void set_sequence(V3__IpamBlock *b, unsigned ordinal, uint64_t v)
{
	V3__IpamBlock__SequenceNumberForAllocationEntry **entries = b->sequencenumberforallocation;
	char key[16];

	snprintf(key, sizeof(key), "%u", ordinal);
	for (size_t i = 0; i < b->n_sequencenumberforallocation; i++) {
		if (!entries[i]->key || strcmp(entries[i]->key, key) != 0)
			continue;
		if (v) {
			entries[i]->value = v;
			entries[i]->has_value = 1;
			return;
		}
		msg_free((ProtobufCMessage *)entries[i]);
		b->n_sequencenumberforallocation--;
		memmove(entries + i, entries + i + 1,
		        (b->n_sequencenumberforallocation - i) * sizeof(*entries));
		return;
	}
}

bool block_release(V3__IpamBlock *b, unsigned ordinal, bool cooldown, const char *now,
                   char **ret_handle)
{
	V3__IpamAttribute *a = attribute_of(b, ordinal);

	*ret_handle = NULL;
	if (!a || is_cooling(a))
		return false;
	if (a->handle_id && *a->handle_id)
		*ret_handle = xstrndup(a->handle_id, strcspn(a->handle_id, "\r"));
	if (cooldown) {
		V3__IpamAttribute *released =
		        (V3__IpamAttribute *)msg_new(&v3__ipam_attribute__descriptor);

		msg_set_str(&released->releasedat, now);
		b->attributes = xrealloc(b->attributes,
		                         (b->n_attributes + 1) * sizeof(V3__IpamAttribute *));
		b->allocations[ordinal] = (int32_t)b->n_attributes;
		b->attributes[b->n_attributes++] = released;
		set_sequence(b, ordinal, b->sequencenumber);
	} else {
		b->allocations[ordinal] = -1;
		b->unallocated =
		        xrealloc(b->unallocated, (b->n_unallocated + 1) * sizeof(*b->unallocated));
		b->unallocated[b->n_unallocated++] = (int32_t)ordinal;
		set_sequence(b, ordinal, 0);
	}
	prune_attributes(b);
	return true;
}

bool block_is_empty(const V3__IpamBlock *b)
{
	for (unsigned o = 0; o < b->n_allocations; o++) {
		const V3__IpamAttribute *a = attribute_of(b, o);

		if (b->allocations[o] >= 0 &&
		    (!a || !a->handle_id || strcmp(a->handle_id, WINDOWS_HANDLE) != 0))
			return false;
	}
	return true;
}

bool block_is_affine(const V3__IpamBlock *b, const char *node)
{
	return b->affinity && strncmp(b->affinity, "host:", 5) == 0 &&
	       strcmp(b->affinity + 5, node) == 0;
}

bool handle_decrement(V3__IpamHandle *h, const char *cidr, int64_t n)
{
	for (size_t i = 0; i < h->n_block; i++) {
		if (!h->block[i]->key || strcmp(h->block[i]->key, cidr) != 0)
			continue;
		h->block[i]->value -= n;
		if (h->block[i]->value > 0)
			break;
		msg_free((ProtobufCMessage *)h->block[i]);
		h->n_block--;
		memmove(h->block + i, h->block + i + 1, (h->n_block - i) * sizeof(*h->block));
		break;
	}
	return h->n_block == 0;
}
