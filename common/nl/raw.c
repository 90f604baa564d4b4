/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/nl/raw.h"

#include <netlink/msg.h>
#include <string.h>

struct nl_msg *nl_raw(uint16_t type, uint16_t flags, const void *payload, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_size(NLMSG_SPACE(len));
	struct nlmsghdr *h;

	if (!msg)
		return NULL;
	h = nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, (int)len, NLM_F_REQUEST | flags);
	if (!h) {
		nlmsg_free(msg);
		return NULL;
	}
	memcpy(nlmsg_data(h), payload, len);
	return msg;
}
