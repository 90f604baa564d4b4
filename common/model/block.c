/* SPDX-License-Identifier: BSD-2-Clause */
/* See block.h. Messages are edited in place with plain malloc(), which is what protobuf-c frees
 * them with. */
#include "common/model/block.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/resource.h"

static unsigned host_bits(const struct ip_prefix *p)
{
	return ip_addr_bits(&p->addr) - p->len;
}

V3__IpamBlock *block_new(const struct ip_prefix *cidr, const char *affinity, uint64_t now_unix_ns)
{
	V3__IpamBlock *b = (V3__IpamBlock *)msg_new(&v3__ipam_block__descriptor);
	size_t n = (size_t)1 << host_bits(cidr);
	char text[IP_PREFIX_STR_MAX], when[RFC3339_MAX];

	rfc3339_sec(when, now_unix_ns / 1000000000u);
	b->cidr = xstrdup(ip_prefix_str(cidr, text));
	b->affinity = xstrdup(affinity);
	b->affinity_claim_time = xstrdup(when);
	b->allocations = xcalloc(n, sizeof(*b->allocations));
	b->unallocated = xcalloc(n, sizeof(*b->unallocated));
	b->n_allocations = b->n_unallocated = n;
	for (size_t i = 0; i < n; i++) {
		b->allocations[i] = -1;
		b->unallocated[i] = (int32_t)i;
	}
	b->has_sequencenumber = true;
	b->sequencenumber = now_unix_ns;
	b->has_deleted = true;
	return b;
}

bool block_check(const V3__IpamBlock *b, struct ip_prefix *ret_cidr, struct err *err)
{
	uint8_t queued[BLOCK_SIZE_MAX] = { 0 };
	struct ip_prefix cidr;
	size_t n;

	if (!b->cidr || ip_prefix_parse(b->cidr, &cidr) < 0 || !ip_prefix_is_network(&cidr))
		return err_set(err, -EINVAL, "cidr is not a network"), false;
	if (host_bits(&cidr) > 12)
		return err_set(err, -EINVAL, "cidr holds more than %u addresses", BLOCK_SIZE_MAX),
		       false;
	n = (size_t)1 << host_bits(&cidr);
	if (b->n_allocations != n)
		return err_set(err, -EINVAL, "allocations has %zu entries, not %zu",
		               b->n_allocations, n),
		       false;
	if (b->n_unallocated > n)
		return err_set(err, -EINVAL, "unallocated has %zu entries, more than %zu",
		               b->n_unallocated, n),
		       false;
	for (size_t i = 0; i < n; i++)
		if (b->allocations[i] < -1 ||
		    (b->allocations[i] >= 0 && (size_t)b->allocations[i] >= b->n_attributes))
			return err_set(err, -EINVAL,
			               "allocations[%zu] is %d, and there are %zu attributes", i,
			               (int)b->allocations[i], b->n_attributes),
			       false;
	for (size_t i = 0; i < b->n_unallocated; i++) {
		int32_t o = b->unallocated[i];

		if (o < 0 || (size_t)o >= n || queued[o]++ || b->allocations[o] != -1)
			return err_set(err, -EINVAL, "unallocated[%zu] is %d, which is %s", i,
			               (int)o,
			               o < 0 || (size_t)o >= n ? "no ordinal"
			                                       : "there twice or allocated"),
			       false;
	}
	/* An ordinal that is neither free nor anybody's would be lost for ever; it means that
	 * somebody's write is broken. */
	for (size_t i = 0; i < n; i++)
		if (b->allocations[i] == -1 && !queued[i])
			return err_set(err, -EINVAL,
			               "ordinal %zu is neither allocated nor unallocated", i),
			       false;
	*ret_cidr = cidr;
	return true;
}

bool handle_eq(const char *a, const char *b)
{
	size_t la = a ? strcspn(a, "\r") : 0, lb = b ? strcspn(b, "\r") : 0;

	return a && b && la == lb && memcmp(a, b, la) == 0;
}

static bool cooling(const V3__IpamAttribute *a)
{
	return a->releasedat && *a->releasedat;
}

const V3__IpamAttribute *block_owner_of(const V3__IpamBlock *b, uint32_t ordinal)
{
	if (ordinal >= b->n_allocations || b->allocations[ordinal] < 0)
		return NULL;
	const V3__IpamAttribute *a = b->attributes[b->allocations[ordinal]];

	return cooling(a) ? NULL : a;
}

bool block_empty(const V3__IpamBlock *b)
{
	for (size_t i = 0; i < b->n_allocations; i++)
		if (b->allocations[i] >= 0 &&
		    !handle_eq(b->attributes[b->allocations[i]]->handle_id, BLOCK_WINDOWS_HANDLE))
			return false;
	return true;
}

size_t block_find_handle(const V3__IpamBlock *b, const char *handle, uint32_t *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_allocations; i++) {
		const V3__IpamAttribute *a = block_owner_of(b, (uint32_t)i);

		if (!a || !handle_eq(a->handle_id, handle))
			continue;
		if (n < max)
			out[n] = (uint32_t)i;
		n++;
	}
	return n;
}

void block_bump(V3__IpamBlock *b)
{
	b->has_sequencenumber = true;
	b->sequencenumber++;
}

/* ---- sequenceNumberForAllocation: a map keyed by the ordinal in decimal */

typedef V3__IpamBlock__SequenceNumberForAllocationEntry seq_entry;

static size_t seq_find(const V3__IpamBlock *b, uint32_t ordinal)
{
	char key[12];

	snprintf(key, sizeof(key), "%" PRIu32, ordinal);
	for (size_t i = 0; i < b->n_sequencenumberforallocation; i++)
		if (b->sequencenumberforallocation[i]->key &&
		    strcmp(b->sequencenumberforallocation[i]->key, key) == 0)
			return i;
	return SIZE_MAX;
}

static void seq_set(V3__IpamBlock *b, uint32_t ordinal)
{
	size_t i = seq_find(b, ordinal);

	if (i == SIZE_MAX) {
		seq_entry *e = (seq_entry *)msg_new(
		        &v3__ipam_block__sequence_number_for_allocation_entry__descriptor);

		e->key = xasprintf("%" PRIu32, ordinal);
		i = b->n_sequencenumberforallocation++;
		b->sequencenumberforallocation =
		        xrealloc(b->sequencenumberforallocation,
		                 b->n_sequencenumberforallocation * sizeof(seq_entry *));
		b->sequencenumberforallocation[i] = e;
	}
	b->sequencenumberforallocation[i]->has_value = true;
	b->sequencenumberforallocation[i]->value = b->sequencenumber;
}

uint64_t block_sequence_of(const V3__IpamBlock *b, uint32_t ordinal)
{
	size_t i = seq_find(b, ordinal);

	return i == SIZE_MAX ? 0 : b->sequencenumberforallocation[i]->value;
}

static void seq_clear(V3__IpamBlock *b, uint32_t ordinal)
{
	size_t i = seq_find(b, ordinal);

	if (i == SIZE_MAX)
		return;
	msg_free(&b->sequencenumberforallocation[i]->base);
	b->sequencenumberforallocation[i] =
	        b->sequencenumberforallocation[--b->n_sequencenumberforallocation];
}

/* ---- attributes */

static bool attr_is(const V3__IpamAttribute *a, const struct block_owner *o)
{
	if (cooling(a) || a->n_alternateownerattrs || a->n_secondary != o->n_attrs ||
	    !a->handle_id != !o->handle || (a->handle_id && strcmp(a->handle_id, o->handle) != 0))
		return false;
	for (size_t i = 0; i < o->n_attrs; i++) {
		size_t k;

		for (k = 0; k < a->n_secondary; k++)
			if (a->secondary[k]->key &&
			    strcmp(a->secondary[k]->key, o->attrs[i].key) == 0)
				break;
		if (k == a->n_secondary || !a->secondary[k]->value ||
		    strcmp(a->secondary[k]->value, o->attrs[i].value) != 0)
			return false;
	}
	return true;
}

static int32_t attr_add(V3__IpamBlock *b, V3__IpamAttribute *a)
{
	b->attributes = xrealloc(b->attributes, (b->n_attributes + 1) * sizeof(a));
	b->attributes[b->n_attributes] = a;
	return (int32_t)b->n_attributes++;
}

static int32_t attr_of(V3__IpamBlock *b, const struct block_owner *o)
{
	V3__IpamAttribute *a;

	for (size_t i = 0; i < b->n_attributes; i++)
		if (attr_is(b->attributes[i], o))
			return (int32_t)i;
	a = (V3__IpamAttribute *)msg_new(&v3__ipam_attribute__descriptor);
	a->handle_id = xstrdup(o->handle);
	a->secondary = o->n_attrs ? xcalloc(o->n_attrs, sizeof(*a->secondary)) : NULL;
	for (size_t i = 0; i < o->n_attrs; i++) {
		V3__IpamAttribute__SecondaryEntry *e = (V3__IpamAttribute__SecondaryEntry *)msg_new(
		        &v3__ipam_attribute__secondary_entry__descriptor);

		e->key = xstrdup(o->attrs[i].key);
		e->value = xstrdup(o->attrs[i].value);
		a->secondary[a->n_secondary++] = e;
	}
	return attr_add(b, a);
}

/* The attribute that marks addresses released now. */
static int32_t attr_released(V3__IpamBlock *b, uint64_t now_unix_sec)
{
	char when[RFC3339_MAX];
	V3__IpamAttribute *a;

	rfc3339_sec(when, now_unix_sec);
	for (size_t i = 0; i < b->n_attributes; i++)
		if (cooling(b->attributes[i]) && strcmp(b->attributes[i]->releasedat, when) == 0)
			return (int32_t)i;
	a = (V3__IpamAttribute *)msg_new(&v3__ipam_attribute__descriptor);
	a->releasedat = xstrdup(when);
	return attr_add(b, a);
}

/* ---- taking */

static void allocate(V3__IpamBlock *b, uint32_t ordinal, int32_t attr)
{
	b->allocations[ordinal] = attr;
	seq_set(b, ordinal);
}

size_t block_take(V3__IpamBlock *b, const struct block_owner *o, size_t n, uint32_t *out)
{
	int32_t attr;

	if (n > b->n_unallocated)
		n = b->n_unallocated;
	if (n == 0)
		return 0;
	attr = attr_of(b, o);
	for (size_t i = 0; i < n; i++) {
		out[i] = (uint32_t)b->unallocated[i];
		allocate(b, out[i], attr);
	}
	b->n_unallocated -= n;
	memmove(b->unallocated, b->unallocated + n, b->n_unallocated * sizeof(*b->unallocated));
	return n;
}

int block_take_ordinal(V3__IpamBlock *b, const struct block_owner *o, uint32_t ordinal)
{
	for (size_t i = 0; i < b->n_unallocated; i++) {
		if ((uint32_t)b->unallocated[i] != ordinal)
			continue;
		allocate(b, ordinal, attr_of(b, o));
		b->n_unallocated--;
		memmove(b->unallocated + i, b->unallocated + i + 1,
		        (b->n_unallocated - i) * sizeof(*b->unallocated));
		return 0;
	}
	return -EEXIST;
}

/* ---- giving back */

size_t block_release_handle(V3__IpamBlock *b, const char *handle, uint64_t now_unix_sec,
                            uint32_t cooldown_sec, uint32_t *out)
{
	size_t n = 0;
	int32_t mark = -1;

	for (size_t i = 0; i < b->n_allocations; i++) {
		const V3__IpamAttribute *a = block_owner_of(b, (uint32_t)i);

		if (!a || !handle_eq(a->handle_id, handle))
			continue;
		if (mark < 0)
			mark = attr_released(b, now_unix_sec);
		b->allocations[i] = mark;
		if (out)
			out[n] = (uint32_t)i;
		n++;
	}
	if (n)
		(void)block_gc(b, now_unix_sec, cooldown_sec);
	return n;
}

int block_release_ordinal(V3__IpamBlock *b, uint32_t ordinal, uint64_t now_unix_sec,
                          char **ret_handle)
{
	const V3__IpamAttribute *a = block_owner_of(b, ordinal);

	if (!a)
		return -ENOENT;
	*ret_handle = a->handle_id ? xstrndup(a->handle_id, strcspn(a->handle_id, "\r")) : NULL;
	b->allocations[ordinal] = attr_released(b, now_unix_sec);
	seq_set(b, ordinal);
	return 0;
}

/*
 * Upstream's condition is "released before now - cooldown", with now read a moment after the
 * release. Here both are whole seconds and may be equal, so that a cool-down of 0 is taken by its
 * meaning: free at once.
 */
static bool cooled(const V3__IpamAttribute *a, uint64_t now_unix_sec, uint32_t cooldown_sec)
{
	uint64_t released;

	if (!cooling(a))
		return false;
	if (cooldown_sec == 0 || !rfc3339_parse(a->releasedat, &released))
		return true; /* a time that nobody can read must not hold an address for ever */
	return released + cooldown_sec < now_unix_sec;
}

bool block_gc(V3__IpamBlock *b, uint64_t now_unix_sec, uint32_t cooldown_sec)
{
	CLEANUP(free_p) int32_t *renumber = NULL;
	bool changed = false;
	size_t kept = 0;

	/* Room for every ordinal: as many as can ever be free. Decoded arrays are only as long as
	 * what they hold. */
	b->unallocated = xrealloc(b->unallocated, b->n_allocations * sizeof(*b->unallocated));
	for (size_t i = 0; i < b->n_allocations; i++) {
		if (b->allocations[i] < 0 ||
		    !cooled(b->attributes[b->allocations[i]], now_unix_sec, cooldown_sec))
			continue;
		b->allocations[i] = -1;
		b->unallocated[b->n_unallocated++] = (int32_t)i;
		seq_clear(b, (uint32_t)i);
		changed = true;
	}
	if (b->n_attributes == 0)
		return changed;
	renumber = xcalloc(b->n_attributes, sizeof(*renumber));
	for (size_t i = 0; i < b->n_allocations; i++)
		if (b->allocations[i] >= 0)
			renumber[b->allocations[i]] = 1;
	for (size_t i = 0; i < b->n_attributes; i++) {
		if (renumber[i]) {
			renumber[i] = (int32_t)kept;
			b->attributes[kept++] = b->attributes[i];
		} else {
			msg_free(&b->attributes[i]->base);
			changed = true;
		}
	}
	b->n_attributes = kept;
	for (size_t i = 0; i < b->n_allocations; i++)
		if (b->allocations[i] >= 0)
			b->allocations[i] = renumber[b->allocations[i]];
	return changed;
}

/* ---- handles */

static size_t find_entry(const V3__IpamHandle *h, const char *block)
{
	for (size_t i = 0; i < h->n_block; i++)
		if (h->block[i]->key && strcmp(h->block[i]->key, block) == 0)
			return i;
	return SIZE_MAX;
}

int64_t handle_count(const V3__IpamHandle *h, const char *block)
{
	size_t i = find_entry(h, block);

	return i == SIZE_MAX ? 0 : h->block[i]->value;
}

void handle_set_count(V3__IpamHandle *h, const char *block, int64_t n)
{
	size_t i = find_entry(h, block);

	if (n <= 0) {
		if (i == SIZE_MAX)
			return;
		msg_free(&h->block[i]->base);
		h->block[i] = h->block[--h->n_block];
		return;
	}
	if (i == SIZE_MAX) {
		V3__IpamHandle__BlockEntry *e = (V3__IpamHandle__BlockEntry *)msg_new(
		        &v3__ipam_handle__block_entry__descriptor);

		e->key = xstrdup(block);
		i = h->n_block++;
		h->block = xrealloc(h->block, h->n_block * sizeof(*h->block));
		h->block[i] = e;
	}
	h->block[i]->has_value = true;
	h->block[i]->value = n;
}
