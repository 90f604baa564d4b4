/* SPDX-License-Identifier: BSD-2-Clause */
/* What netfilter's netlink families and tables answer: sets, connections, rules. The first byte
 * chooses. */
#include <arpa/inet.h> /* before linux/in.h: they agree in this order only */
#include <linux/netfilter_ipv4/ip_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/mem.h"
#include "felixd/dataplane/conntrack.h"
#include "felixd/dataplane/ipset_msg.h"
#include "felixd/dataplane/iptables_encode.h"
#include "felixd/dataplane/nft_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int family = size && data[0] & 1 ? AF_INET6 : AF_INET;

	if (size < 1)
		return 0;
	if (data[0] < 0x60) {
		struct conntrack_entry e;
		uint32_t count;

		(void)conntrack_parse_count(cursor_of(data + 1, size - 1), &count);
		(void)conntrack_parse(family, cursor_of(data + 1, size - 1), &e);
	} else if (data[0] < 0xc0) {
		struct ipset_reply r;
		struct calc_member m;
		bool strange;

		if (ipset_msg_parse(ipset_msg_type(7), cursor_of(data + 1, size - 1), &r) == 0)
			while (ipset_msg_next_member(&r, data[0] & 3, family, &m, &strange))
				;
	} else if (data[0] >= 0xe0) {
		struct nft_reply r;
		struct nft_element e;
		uint64_t packets, bytes;

		/* The message's type is in the low bits. */
		if (nft_msg_parse(nft_msg_type(data[0] & 0x1f), cursor_of(data + 1, size - 1),
		                  &r) == 0) {
			if (strlen(r.name) >= sizeof(r.name) || strlen(r.id) >= sizeof(r.id))
				abort();
			(void)nft_rule_counter(r.expressions, &packets, &bytes);
			while (nft_next_element(&r.elements, &e))
				if (e.key_len > sizeof(e.key) || strlen(e.chain) >= sizeof(e.chain))
					abort();
		}
	} else if (size - 1 >= sizeof(struct ipt_entry)) {
		struct ipt_entry *e = xmemdup(data + 1, size - 1);
		char id[RULE_ID_MAX];

		iptables_entry_id(e, size - 1, id);
		if (strlen(id) >= sizeof(id))
			abort();
		free(e);
	}
	return 0;
}
