/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of sets, the ipset protocol, and what is read of connections: without a kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "felixd/dataplane/conntrack.h"
#include "felixd/dataplane/ipset_msg.h"
#include "felixd/dataplane/memberset.h"
#include "felixd/dataplane/nf_attr.h"

static struct calc_member member(const char *net, uint8_t protocol, uint16_t port)
{
	struct calc_member m = { .protocol = protocol, .port = port };

	assert_int_equal(ip_prefix_parse(net, &m.net), 0);
	return m;
}

static bool same(const struct calc_member *a, const struct calc_member *b)
{
	return ip_prefix_eq(&a->net, &b->net) && a->protocol == b->protocol && a->port == b->port;
}

/* ---- memberset */

#define UNIVERSE 600

static void a_memberset_is_a_set(void **state)
{
	static bool model[UNIVERSE]; /* the naive one */
	struct memberset s;
	size_t n = 0;

	(void)state;
	srand(1);
	memberset_init(&s, AF_INET);
	for (unsigned step = 0; step < 200000; step++) {
		/* Grows and shrinks in waves, so that the table is resized both ways. */
		bool add = rand() % 100 < (step / 5000 % 2 ? 20 : 80);
		unsigned i = (unsigned)rand() % UNIVERSE;
		struct calc_member m = { .net = { ip_addr_v4(0x0a000000u + i), 32 },
			                 .port = (uint16_t)(i % 3) };

		if (add) {
			assert_int_equal(memberset_add(&s, &m), !model[i]);
			n += !model[i];
		} else {
			assert_int_equal(memberset_remove(&s, &m), model[i]);
			n -= model[i];
		}
		model[i] = add;
		assert_int_equal(s.n, n);
		i = (unsigned)rand() % UNIVERSE;
		m = (struct calc_member){ .net = { ip_addr_v4(0x0a000000u + i), 32 },
			                  .port = (uint16_t)(i % 3) };
		assert_int_equal(memberset_has(&s, &m), model[i]);
		if (step % 1000 == 0) {
			size_t at = 0, seen = 0;

			while (memberset_next(&s, &at, &m)) {
				i = ip_addr_to_v4(&m.net.addr) - 0x0a000000u;
				assert_true(i < UNIVERSE && model[i] && m.port == i % 3);
				seen++;
			}
			assert_int_equal(seen, n);
		}
	}
	memberset_done(&s);
	assert_int_equal(s.n, 0);
}

static void members_keep_all_their_parts_in_both_families(void **state)
{
	static const char *const nets[] = { "10.1.2.3/32", "10.0.0.0/8", "128.0.0.0/1", "0.0.0.0/1",
		                            "fd00::1/128", "fd00::/64",  "8000::/1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		struct calc_member m = member(nets[i], 17, 65535), got;
		struct memberset s;
		size_t at = 0;

		memberset_init(&s, m.net.addr.family);
		assert_true(memberset_add(&s, &m));
		assert_true(memberset_next(&s, &at, &got));
		assert_true(same(&m, &got));
		m.port--;
		assert_false(memberset_has(&s, &m));
		memberset_done(&s);
	}
}

static void host_bits_do_not_make_another_member(void **state)
{
	struct calc_member a = member("10.1.2.3/8", 0, 0), b = member("10.0.0.0/8", 0, 0);
	struct memberset s;

	(void)state;
	memberset_init(&s, AF_INET);
	assert_true(memberset_add(&s, &a));
	assert_true(memberset_has(&s, &b));
	memberset_done(&s);
}

/* ---- protocol */

/* Additions have the form of a listing but for the line numbers: what is written must be read as it
 * was. */
static void members_are_read_as_they_were_written(void **state)
{
	static const struct {
		enum ipset_type type;
		const char *net;
		uint8_t protocol;
		uint16_t port;
	} cases[] = { { IPSET_NET, "10.0.0.0/8", 0, 0 },
		      { IPSET_NET, "10.1.2.3/32", 0, 0 },
		      { IPSET_IP_PORT, "10.1.2.3/32", 6, 80 },
		      { IPSET_IP, "10.1.2.3/32", 0, 0 },
		      { IPSET_NET, "fd00::/64", 0, 0 },
		      { IPSET_IP_PORT, "fd00::1/128", 132, 65535 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct calc_member m = member(cases[i].net, cases[i].protocol, cases[i].port), got;
		struct ipset_msg_members msg;
		struct ipset_reply r;
		struct buf b = { 0 };
		bool strange;

		ipset_msg_members_begin(&msg, &b, 7, "cali40x", cases[i].type);
		ipset_msg_member(&msg, &m);
		ipset_msg_members_end(&msg);
		assert_int_equal(ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST),
		                                 cursor_of(b.data, b.len), &r),
		                 0);
		assert_string_equal(r.name, "cali40x");
		assert_int_equal(r.proto, 7);
		assert_false(r.has_header);
		assert_true(ipset_msg_next_member(&r, cases[i].type, m.net.addr.family, &got,
		                                  &strange));
		assert_false(strange);
		assert_true(same(&m, &got));
		assert_false(ipset_msg_next_member(&r, cases[i].type, m.net.addr.family, &got,
		                                   &strange));
		buf_done(&b);
	}
}

static void a_header_is_read(void **state)
{
	struct ipset_reply r;
	struct buf b = { 0 };

	(void)state;
	ipset_msg_create(&b, 6, AF_INET, "cali40y", IPSET_IP_PORT, 4711);
	assert_int_equal(
	        ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST), cursor_of(b.data, b.len), &r), 0);
	assert_true(r.has_header);
	assert_int_equal(r.type, IPSET_IP_PORT);
	assert_int_equal(r.family, NFPROTO_IPV4);
	assert_int_equal(r.maxelem, 4711);
	buf_done(&b);
}

static void members_nobody_would_make_are_strange(void **state)
{
	struct calc_member m = member("10.0.0.0/8", 0, 0), got;
	struct ipset_msg_members msg;
	struct ipset_reply r;
	struct buf b = { 0 };
	bool strange;
	size_t nest, data;

	(void)state;
	m.net.len = 33;
	ipset_msg_members_begin(&msg, &b, 7, "x", IPSET_NET);
	ipset_msg_member(&msg, &m);
	m.net.len = 0;
	ipset_msg_member(&msg, &m);
	ipset_msg_members_end(&msg);
	assert_int_equal(
	        ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST), cursor_of(b.data, b.len), &r), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(ipset_msg_next_member(&r, IPSET_NET, AF_INET, &got, &strange));
		assert_true(strange);
	}
	buf_clear(&b);
	nf_attr_begin(&b, AF_INET);
	nf_attr_str(&b, IPSET_ATTR_SETNAME, "x");
	nest = nf_attr_nest(&b, IPSET_ATTR_ADT);
	data = nf_attr_nest(&b, IPSET_ATTR_DATA); /* no address at all */
	nf_attr_nest_end(&b, data);
	nf_attr_nest_end(&b, nest);
	assert_int_equal(
	        ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST), cursor_of(b.data, b.len), &r), 0);
	assert_true(ipset_msg_next_member(&r, IPSET_NET, AF_INET, &got, &strange));
	assert_true(strange);
	buf_done(&b);
}

static void every_truncation_of_a_listing_is_survived(void **state)
{
	struct calc_member m = member("10.0.0.0/8", 6, 80), got;
	struct ipset_msg_members msg;
	struct buf b = { 0 };

	(void)state;
	ipset_msg_members_begin(&msg, &b, 7, "cali40x", IPSET_IP_PORT);
	for (unsigned i = 0; i < 3; i++)
		ipset_msg_member(&msg, &m);
	ipset_msg_members_end(&msg);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *copy = xmemdup(
		        b.data, n ? n : 1); /* an exact one: the sanitizer sees a byte too many */
		struct ipset_reply r;
		bool strange;

		if (ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST), cursor_of(copy, n), &r) == 0)
			while (ipset_msg_next_member(&r, IPSET_IP_PORT, AF_INET, &got, &strange))
				;
		free(copy);
	}
	buf_done(&b);
}

static void names_too_long_or_without_end_are_refused(void **state)
{
	char name[SET_NAME_MAX + 1];
	struct ipset_reply r;
	struct buf b = { 0 };

	(void)state;
	memset(name, 'x', sizeof(name));
	name[SET_NAME_MAX] = '\0';
	nf_attr_begin(&b, AF_INET);
	nf_attr_str(&b, IPSET_ATTR_SETNAME, name);
	assert_int_equal(
	        ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST), cursor_of(b.data, b.len), &r),
	        -EINVAL);
	buf_clear(&b);
	nf_attr_begin(&b, AF_INET);
	nf_attr_put(&b, IPSET_ATTR_SETNAME, "abcd", 4);
	assert_int_equal(
	        ipset_msg_parse(ipset_msg_type(IPSET_CMD_LIST), cursor_of(b.data, b.len), &r),
	        -EINVAL);
	buf_done(&b);
}

/* ---- connections */

static void put_tuple(struct buf *b, uint16_t type, uint32_t src)
{
	struct ip_addr a = ip_addr_v4(src);
	size_t tuple = nf_attr_nest(b, type), ip = nf_attr_nest(b, CTA_TUPLE_IP);

	nf_attr_put(b, CTA_IP_V4_SRC, a.bytes, 4);
	nf_attr_nest_end(b, ip);
	nf_attr_nest_end(b, tuple);
}

static void a_connection_is_known_by_its_two_sources(void **state)
{
	struct conntrack_entry e;
	struct buf b = { 0 };

	(void)state;
	nf_attr_begin(&b, AF_INET);
	put_tuple(&b, CTA_TUPLE_ORIG, 0x0a000001);
	assert_int_equal(conntrack_parse(AF_INET, cursor_of(b.data, b.len), &e), -EINVAL);
	put_tuple(&b, CTA_TUPLE_REPLY, 0x0a000002);
	nf_attr_be32(&b, CTA_ID, 42);
	assert_int_equal(conntrack_parse(AF_INET, cursor_of(b.data, b.len), &e), 0);
	assert_int_equal(ip_addr_to_v4(&e.orig_src), 0x0a000001);
	assert_int_equal(ip_addr_to_v4(&e.reply_src), 0x0a000002);
	assert_int_equal(cursor_left(&e.id), 4);
	assert_null(e.zone.at);
	assert_int_equal(conntrack_parse(AF_INET6, cursor_of(b.data, b.len), &e), -EINVAL);
	buf_done(&b);
}

static void connections_are_counted_by_the_kernel(void **state)
{
	struct buf b = { 0 };
	uint32_t n = 0;

	(void)state;
	nf_attr_begin(&b, AF_INET);
	assert_int_equal(conntrack_parse_count(cursor_of(b.data, 3), &n), -EINVAL);
	assert_int_equal(conntrack_parse_count(cursor_of(b.data, b.len), &n), -EINVAL);
	nf_attr_be32(&b, CTA_STATS_GLOBAL_MAX_ENTRIES, 262144);
	nf_attr_be32(&b, CTA_STATS_GLOBAL_ENTRIES, 70000);
	assert_int_equal(conntrack_parse_count(cursor_of(b.data, b.len - 1), &n), -EINVAL);
	assert_int_equal(conntrack_parse_count(cursor_of(b.data, b.len), &n), 0);
	assert_int_equal(n, 70000);
	buf_done(&b);
}

static void few_connections_or_many_addresses_are_read_at_once(void **state)
{
	(void)state;
	assert_true(conntrack_read_all(1, 1));
	assert_true(conntrack_read_all(1000, 1));
	assert_false(conntrack_read_all(262144, 1));
	assert_true(conntrack_read_all(262144, 100));
	assert_false(conntrack_read_all(UINT32_MAX, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_memberset_is_a_set),
		cmocka_unit_test(members_keep_all_their_parts_in_both_families),
		cmocka_unit_test(host_bits_do_not_make_another_member),
		cmocka_unit_test(members_are_read_as_they_were_written),
		cmocka_unit_test(a_header_is_read),
		cmocka_unit_test(members_nobody_would_make_are_strange),
		cmocka_unit_test(every_truncation_of_a_listing_is_survived),
		cmocka_unit_test(names_too_long_or_without_end_are_refused),
		cmocka_unit_test(a_connection_is_known_by_its_two_sources),
		cmocka_unit_test(connections_are_counted_by_the_kernel),
		cmocka_unit_test(few_connections_or_many_addresses_are_read_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
