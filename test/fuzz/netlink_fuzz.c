/* SPDX-License-Identifier: BSD-2-Clause */
/* A datagram of rtnetlink messages. */
#include <stdlib.h>
#include <string.h>

#include "common/nl/conn.h"
#include "common/nl/rt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1); /* aligned, as the receive buffer is */
	const uint8_t *at = copy;
	const struct nlmsghdr *h;
	union {
		struct rt_link l;
		struct rt_addr a;
		struct rt_route r;
		struct rt_neigh n;
	} u;
	char text[64];
	const char *why;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	while ((h = nl_next(&at, &size))) {
		(void)rt_link_parse(h, &u.l);
		(void)rt_addr_parse(h, &u.a);
		(void)rt_neigh_parse(h, &u.n);
		if (rt_route_parse(h, &u.r) == 0)
			(void)rt_route_str(&u.r, text, sizeof(text));
		if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE)
			if (nl_verdict(h, &why) && why)
				(void)strlen(why);
	}
	free(copy);
	return 0;
}
