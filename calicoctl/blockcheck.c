/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/blockcheck.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"

/* Every allocation points to an attribute; which are pointed to goes to seen. */
static int check_allocations(const V3__IpamBlock *b, size_t size, bool *seen, size_t *ret_n,
                             struct err *err)
{
	if (b->n_allocations != size)
		return err_set(err, -EINVAL, "expected %zu allocations in this block, got %zu",
		               size, b->n_allocations);
	for (size_t o = 0; o < size; o++) {
		int32_t i = b->allocations[o];

		if (i == -1)
			continue;
		if (i < 0 || (size_t)i >= b->n_attributes)
			return err_set(err, -EINVAL,
			               "allocation %zu indexes a nonexistent attribute %d", o,
			               (int)i);
		seen[i] = true;
		++*ret_n;
	}
	return 0;
}

static int check_attributes(const V3__IpamBlock *b, const bool *seen, uint64_t now, struct err *err)
{
	for (size_t i = 0; i < b->n_attributes; i++) {
		uint64_t released;

		if (!seen[i])
			return err_set(
			        err, -EINVAL,
			        "attribute index %zu exists but is not indexed by an allocation",
			        i);
		if (rfc3339_parse(b->attributes[i]->releasedat, &released) && released > now)
			return err_set(err, -EINVAL,
			               "attribute index %zu has releasedAt in the future, "
			               "suggesting clock skew",
			               i);
	}
	return 0;
}

static int check_unallocated(const V3__IpamBlock *b, size_t size, struct err *err)
{
	CLEANUP(free_p) bool *queued = xcalloc(size, sizeof(*queued));

	for (size_t i = 0; i < b->n_unallocated; i++) {
		int32_t o = b->unallocated[i];

		if (o < 0 || (size_t)o >= size)
			return err_set(err, -EINVAL,
			               "ordinal %d appears in the Unallocated array but is out of "
			               "the block",
			               (int)o);
		if (queued[o])
			return err_set(err, -EINVAL,
			               "ordinal %d appears more than once in Unallocated array",
			               (int)o);
		if (b->allocations[o] != -1)
			return err_set(err, -EINVAL,
			               "ordinal %d is allocated but appears in Unallocated",
			               (int)o);
		queued[o] = true;
	}
	return 0;
}

int blockcheck(const V3__IpamBlock *b, const struct ip_prefix *cidr, uint64_t now_unix_sec,
               struct err *err)
{
	CLEANUP(free_p) bool *seen = xcalloc(b->n_attributes + 1, sizeof(*seen));
	unsigned bits = ip_addr_bits(&cidr->addr) - cidr->len;
	size_t size, allocated = 0;
	int rc;

	if (bits > 16)
		return err_set(err, -EINVAL, "holds too many addresses");
	size = (size_t)1 << bits;
	if ((rc = check_allocations(b, size, seen, &allocated, err)) != 0 ||
	    (rc = check_attributes(b, seen, now_unix_sec, err)) != 0 ||
	    (rc = check_unallocated(b, size, err)) != 0)
		return rc;
	if (b->n_unallocated + allocated != size)
		return err_set(err, -EINVAL,
		               "expected %zu addresses in this block, but Unallocated (%zu) + "
		               "Allocated (%zu) = %zu",
		               size, b->n_unallocated, allocated, b->n_unallocated + allocated);
	return 0;
}
