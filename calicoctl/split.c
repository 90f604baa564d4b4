/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/split.h"

#include <errno.h>

#include "common/base/err.h"
#include "common/base/mem.h"

int split_prefix(const struct ip_prefix *p, int64_t parts, struct ip_prefix **ret, struct err *err)
{
	struct ip_prefix first = ip_prefix_network(p);
	char text[IP_PREFIX_STR_MAX];
	unsigned power = 0;

	if (parts < 2 || (parts & (parts - 1)) != 0)
		return err_set(err, -EINVAL,
		               "number to split CIDR into is not a valid power of 2: %lld",
		               (long long)parts);
	if (parts > SPLIT_MAX)
		return err_set(err, -EINVAL, "%lld pools are too many: %d at most",
		               (long long)parts, SPLIT_MAX);
	while ((1LL << power) < parts)
		power++;
	if (first.len + power > ip_addr_bits(&first.addr))
		return err_set(err, -EINVAL,
		               "the CIDR %s is not large enough to be split into %lld parts",
		               ip_prefix_str(p, text), (long long)parts);
	*ret = xcalloc((size_t)parts, sizeof(**ret));
	for (unsigned i = 0; i < (unsigned)parts; i++) {
		(*ret)[i] = first;
		(*ret)[i].len = (uint8_t)(first.len + power);
		for (unsigned bit = 0; bit < power; bit++) {
			unsigned at = first.len + bit;

			if (i >> (power - 1 - bit) & 1)
				(*ret)[i].addr.bytes[at / 8] |= (uint8_t)(0x80 >> at % 8);
		}
	}
	return 0;
}
