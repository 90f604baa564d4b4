/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream of BGP messages, as all kinds of peers read it; what is accepted is written and read
 * again. */
#include <stdlib.h>

#include "bgpd/wire.h"
#include "common/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct wire_update u, again;
static struct attrs_table table;

static void update(struct cursor body, const struct wire_peer *peer)
{
	CLEANUP(buf_done) struct buf attrs = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };
	struct ip_prefix p = { .addr = { .family = AF_INET } };
	struct attrs *a;

	wire_parse_update(body, peer, &u);
	while (wire_prefix(&u.mp_reach, u.mp_family, &p))
		(void)wire_prefix_is_martian(&p);
	while (wire_prefix(&u.withdrawn, BGP_IPV4, &p) || wire_prefix(&u.nlri, BGP_IPV4, &p))
		;
	if (!u.has_attrs || u.set.next_hop.family != AF_INET || p.addr.family != AF_INET)
		return;
	a = attrs_intern(&table, &u.set);
	attr_path_str(&a->set.as_path, &text);
	wire_build_attrs(&attrs, &a->set, peer->as4, peer->internal);
	if (wire_build_updates(&out, BGP_IPV4, &a->set, &attrs, &p, 1) == 0) {
		wire_parse_update(cursor_of(out.data + BGP_HEADER_LEN, out.len - BGP_HEADER_LEN),
		                  peer, &again);
		if (again.verdict == BGP_RESET)
			abort();
	}
	attrs_unref(&table, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wire_message m;
	struct bgp_notice n = { 0 };
	struct wire_open o;
	enum bgp_family f;
	char text[128];

	while (wire_next(data, len, &m, &n) == 1) {
		if (m.type == BGP_OPEN && !wire_parse_open(m.body, &o, &n))
			(void)bgp_notice_str(&n, text, sizeof(text));
		if (m.type == BGP_NOTIFICATION && wire_parse_notification(m.body, &n))
			(void)bgp_notice_str(&n, text, sizeof(text));
		if (m.type == BGP_ROUTE_REFRESH)
			(void)wire_parse_refresh(m.body, &f);
		for (unsigned kind = 0; m.type == BGP_UPDATE && kind < 8; kind++) {
			struct wire_peer peer = { kind & 1, kind & 2, 65001, kind & 4 ? 1 : 3 };

			update(m.body, &peer);
		}
		data += m.len;
		len -= m.len;
	}
	return 0;
}
