/* SPDX-License-Identifier: BSD-2-Clause */
/* Real links, addresses, routes and neighbours, in network namespaces of the test's own: here
 * ---veth--- there. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/build.h"
#include "common/nl/netns.h"
#include "common/nl/rt.h"

static int here_fd, there_fd;
static struct nl_conn *here, *there;
static const struct mac_addr host_mac = { { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee } };

#define assert_ok(call)                                                                            \
	do {                                                                                       \
		struct err e_ = { 0 };                                                             \
		struct err *err = &e_;                                                             \
		int r_ = (call);                                                                   \
		if (r_ < 0)                                                                        \
			fail_msg("%s: %d %s", #call, r_, e_.text);                                 \
	} while (0)

static struct ip_prefix prefix(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, &p), 0);
	return p;
}

static struct ip_addr addr(const char *s)
{
	struct ip_addr a;

	assert_int_equal(ip_addr_parse(s, &a), 0);
	return a;
}

static int index_of(struct nl_conn *c, const char *name)
{
	struct rt_link l;

	assert_ok(rt_link_get(c, 0, name, &l, err));
	return l.ifindex;
}

/* ---- what a dump found ---- */

struct found {
	struct rt_route routes[256];
	struct rt_addr addrs[32];
	struct rt_neigh neighs[32];
	struct rt_link links[32];
	size_t n_routes, n_addrs, n_neighs, n_links;
};

static int on_any(const struct nlmsghdr *h, void *arg)
{
	struct found *f = arg;

	if (!h) {
		memset(f, 0, sizeof(*f));
		return 0;
	}
	if (f->n_routes < 256 && rt_route_parse(h, &f->routes[f->n_routes]) == 0)
		f->n_routes++;
	if (f->n_addrs < 32 && rt_addr_parse(h, &f->addrs[f->n_addrs]) == 0)
		f->n_addrs++;
	if (f->n_neighs < 32 && rt_neigh_parse(h, &f->neighs[f->n_neighs]) == 0)
		f->n_neighs++;
	if (f->n_links < 32 && rt_link_parse(h, &f->links[f->n_links]) == 0)
		f->n_links++;
	return 0;
}

static const struct rt_route *find_route(const struct found *f, const char *dst)
{
	struct ip_prefix p = prefix(dst);

	for (size_t i = 0; i < f->n_routes; i++)
		if (ip_prefix_eq(&f->routes[i].dst, &p))
			return &f->routes[i];
	return NULL;
}

static struct found *routes(int family, uint32_t table, uint8_t protocol)
{
	static struct found f;

	memset(&f, 0, sizeof(f));
	assert_ok(nl_dump_all(here, rt_route_dump(family, table, protocol), on_any, &f, err));
	return &f;
}

/* ---- a fresh pair for each test ---- */

static int setup(void **state)
{
	struct rt_veth v = {
		.name = "eth0",
		.netns_fd = there_fd,
		.peer_name = "cali1",
		.peer_netns_fd = -1,
		.mtu = 1400,
		.peer_mac = &host_mac,
	};
	struct rt_link_change up = { .up = 1 };

	(void)state;
	assert_ok(nl_request(here, rt_veth_new(&v), err, "create"));
	assert_ok(nl_request(here, rt_link_set(index_of(here, "cali1"), &up), err, "up"));
	assert_ok(nl_request(there, rt_link_set(index_of(there, "eth0"), &up), err, "up"));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)nl_request(here, rt_link_delete(0, "cali1"), NULL, "delete");
	return 0;
}

static void both_ends_are_born_where_they_belong(void **state)
{
	struct rt_link l;
	struct err e;

	(void)state;
	assert_ok(rt_link_get(here, 0, "cali1", &l, err));
	assert_string_equal(l.kind, "veth");
	assert_int_equal(l.mtu, 1400);
	assert_memory_equal(&l.mac, &host_mac, sizeof(host_mac));
	assert_true(l.flags & IFF_UP);
	assert_int_equal(rt_link_get(here, 0, "eth0", &l, &e), -ENODEV);
	assert_non_null(strstr(e.text, "interface 'eth0'"));
	assert_ok(rt_link_get(there, 0, "eth0", &l, err));
	assert_int_equal(l.mtu, 1400);
	assert_int_equal(rt_link_get(there, 0, "cali1", &l, NULL), -ENODEV);
}

static void the_first_end_can_be_born_up(void **state)
{
	struct rt_veth v = {
		.name = "b", .netns_fd = there_fd, .peer_name = "a", .peer_netns_fd = -1, .up = true
	};
	struct rt_link l;

	(void)state;
	assert_ok(nl_request(here, rt_veth_new(&v), err, "create"));
	assert_ok(rt_link_get(there, 0, "b", &l, err));
	assert_true(l.flags & IFF_UP);
	assert_ok(rt_link_get(here, 0, "a", &l, err));
	assert_false(l.flags & IFF_UP);
	assert_ok(nl_request(here, rt_link_delete(l.ifindex, NULL), err, "delete"));
	assert_int_equal(rt_link_get(there, 0, "b", &l, NULL), -ENODEV);
}

static void a_second_link_of_the_name_is_refused_in_words(void **state)
{
	struct rt_veth v = {
		.name = "x", .netns_fd = -1, .peer_name = "cali1", .peer_netns_fd = -1
	};
	struct err e = { 0 };

	(void)state;
	assert_int_equal(nl_request(here, rt_veth_new(&v), &e, "create %s", v.peer_name), -EEXIST);
	assert_non_null(strstr(e.text, "create cali1: File exists"));
	assert_int_equal(e.code, -EEXIST);
}

static void addresses_come_and_go(void **state)
{
	static const char *const texts[] = { "10.1.2.3/24", "10.9.9.9/32", "fd00::7/128" };
	struct found f = { 0 };
	size_t seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct rt_addr a = { .ifindex = index_of(here, "cali1"),
			             .prefix = prefix(texts[i]) };

		if (a.prefix.addr.family == AF_INET6)
			a.flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE;
		assert_ok(nl_request(here, rt_addr_add(&a), err, "add"));
		assert_int_equal(nl_request(here, rt_addr_add(&a), NULL, "add"), -EEXIST);
	}
	assert_ok(nl_dump_all(here, rt_addr_dump(0), on_any, &f, err));
	for (size_t i = 0; i < f.n_addrs; i++)
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
			struct ip_prefix p = prefix(texts[k]);

			if (!ip_prefix_eq(&f.addrs[i].prefix, &p))
				continue;
			seen++;
			if (p.addr.family == AF_INET6)
				assert_true(f.addrs[i].flags &
				            IFA_F_NOPREFIXROUTE); /* above bit 8 */
			assert_ok(nl_request(here, rt_addr_delete(&f.addrs[i]), err, "delete"));
		}
	assert_int_equal(seen, ARRAY_SIZE(texts));
	memset(&f, 0, sizeof(f));
	assert_ok(nl_dump_all(here, rt_addr_dump(AF_INET), on_any, &f, err));
	for (size_t i = 0; i < f.n_addrs; i++)
		assert_int_not_equal(f.addrs[i].ifindex, index_of(here, "cali1"));
}

static void routes_of_every_sort(void **state)
{
	int cali = index_of(here, "cali1");
	struct rt_addr own = { .ifindex = cali, .prefix = prefix("192.168.7.1/24") };
	const struct rt_route wanted[] = {
		{ .dst = prefix("10.0.0.1/32"),
		  .ifindex = cali,
		  .type = RTN_UNICAST,
		  .scope = RT_SCOPE_LINK,
		  .protocol = RTPROT_BOOT,
		  .table = RT_TABLE_MAIN },
		{ .dst = prefix("10.0.0.0/26"),
		  .type = RTN_BLACKHOLE,
		  .protocol = RTPROT_BIRD,
		  .table = RT_TABLE_MAIN },
		{ .dst = prefix("10.0.1.0/26"),
		  .via = addr("192.168.7.2"),
		  .ifindex = cali,
		  .type = RTN_UNICAST,
		  .protocol = RTPROT_BIRD,
		  .table = RT_TABLE_MAIN },
		{ .dst = prefix("10.0.2.0/26"),
		  .via = addr("7.7.7.7"),
		  .ifindex = cali,
		  .type = RTN_UNICAST,
		  .protocol = 80,
		  .table = 300,
		  .onlink = true,
		  .prefsrc = addr("192.168.7.1") },
		{ .dst = prefix("fd00:1::/64"),
		  .ifindex = cali,
		  .type = RTN_UNICAST,
		  .protocol = RTPROT_BIRD,
		  .table = RT_TABLE_MAIN,
		  .priority = 1024 },
	};
	static const char *const as_text[] = {
		"10.0.0.1 dev %d proto boot scope link",
		"blackhole 10.0.0.0/26 proto bird",
		"10.0.1.0/26 via 192.168.7.2 dev %d proto bird",
		"10.0.2.0/26 via 7.7.7.7 dev %d table 300 proto 80 src 192.168.7.1 onlink",
		"fd00:1::/64 dev %d proto bird metric 1024",
	};
	char text[200], want[200];

	(void)state;
	assert_ok(nl_request(here, rt_addr_add(&own), err, "address"));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_ok(nl_request(here, rt_route_add(&wanted[i], i % 2), err, "add"));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct rt_route *w = &wanted[i];
		char dst[IP_PREFIX_STR_MAX];
		const struct rt_route *r = find_route(routes(w->dst.addr.family, w->table, 0),
		                                      ip_prefix_str(&w->dst, dst));

		assert_non_null(r);
		assert_int_equal(r->type, w->type);
		assert_int_equal(r->protocol, w->protocol);
		assert_int_equal(r->table, w->table);
		assert_int_equal(r->priority, w->priority);
		assert_int_equal(r->ifindex, i == 1 ? 0 : cali);
		assert_true(ip_addr_eq(&r->via, &w->via));
		assert_true(ip_addr_eq(&r->prefsrc, &w->prefsrc));
		assert_int_equal(r->onlink, w->onlink);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(want, sizeof(want), as_text[i], cali);
#pragma GCC diagnostic pop
		assert_string_equal(rt_route_str(r, text, sizeof(text)), want);
	}
	/* The kernel filters by table and protocol. */
	for (size_t i = 0; i < routes(AF_INET, RT_TABLE_MAIN, RTPROT_BIRD)->n_routes; i++)
		assert_int_equal(routes(AF_INET, RT_TABLE_MAIN, RTPROT_BIRD)->routes[i].protocol,
		                 RTPROT_BIRD);
	assert_int_equal(routes(AF_INET, RT_TABLE_MAIN, RTPROT_BIRD)->n_routes, 2);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		assert_ok(nl_request(here, rt_route_delete(&wanted[i]), err, "delete"));
		assert_int_equal(nl_request(here, rt_route_delete(&wanted[i]), NULL, "again"),
		                 -ESRCH);
	}
}

static void add_does_not_replace_and_replace_does(void **state)
{
	struct rt_route r = { .dst = prefix("10.3.0.0/24"),
		              .type = RTN_BLACKHOLE,
		              .protocol = RTPROT_BIRD,
		              .table = RT_TABLE_MAIN };

	(void)state;
	assert_ok(nl_request(here, rt_route_add(&r, false), err, "add"));
	r.type = RTN_UNREACHABLE;
	assert_int_equal(nl_request(here, rt_route_add(&r, false), NULL, "add"), -EEXIST);
	assert_ok(nl_request(here, rt_route_add(&r, true), err, "replace"));
	assert_int_equal(find_route(routes(AF_INET, RT_TABLE_MAIN, 0), "10.3.0.0/24")->type,
	                 RTN_UNREACHABLE);
	assert_ok(nl_request(here, rt_route_delete(&r), err, "delete"));
}

static void a_gateway_of_the_other_family(void **state)
{
	struct rt_route r = { .dst = prefix("10.4.0.0/24"),
		              .via = addr("fe80::1"),
		              .ifindex = index_of(here, "cali1"),
		              .type = RTN_UNICAST,
		              .protocol = RTPROT_BIRD,
		              .table = RT_TABLE_MAIN };
	char text[100];

	(void)state;
	assert_ok(nl_request(here, rt_route_add(&r, false), err, "add"));
	r = *find_route(routes(AF_INET, RT_TABLE_MAIN, 0), "10.4.0.0/24");
	assert_int_equal(r.via.family, AF_INET6);
	assert_non_null(strstr(rt_route_str(&r, text, sizeof(text)), "via inet6 fe80::1"));
	assert_ok(nl_request(here, rt_route_delete(&r), err, "delete"));
}

static void several_next_hops_are_told(void **state)
{
	int cali = index_of(here, "cali1");
	struct rtmsg m = { .rtm_family = AF_INET,
		           .rtm_dst_len = 24,
		           .rtm_table = RT_TABLE_MAIN,
		           .rtm_protocol = RTPROT_BIRD,
		           .rtm_type = RTN_UNICAST };
	struct {
		struct rtnexthop nh;
		struct nlattr a;
		uint8_t gw[4];
	} hops[2] = { 0 };
	struct rt_build b = rt_begin(RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
	struct ip_prefix dst = prefix("10.5.0.0/24");
	struct rt_addr own = { .ifindex = cali, .prefix = prefix("192.168.8.1/24") };
	const struct rt_route *r;

	(void)state;
	assert_ok(nl_request(here, rt_addr_add(&own), err, "address"));
	for (int i = 0; i < 2; i++) {
		hops[i].nh =
		        (struct rtnexthop){ .rtnh_len = sizeof(hops[i]), .rtnh_ifindex = cali };
		hops[i].a = (struct nlattr){ .nla_len = 8, .nla_type = RTA_GATEWAY };
		memcpy(hops[i].gw, (uint8_t[]){ 192, 168, 8, (uint8_t)(2 + i) }, 4);
	}
	rt_put_addr(&b, RTA_DST, &dst.addr);
	rt_put(&b, RTA_MULTIPATH, hops, sizeof(hops));
	assert_ok(nl_request(here, rt_end(&b), err, "add"));
	r = find_route(routes(AF_INET, RT_TABLE_MAIN, 0), "10.5.0.0/24");
	assert_non_null(r);
	assert_true(r->multipath);
	assert_int_equal(r->ifindex, cali);
	assert_int_equal(ip_addr_to_v4(&r->via), 0xc0a80802);
}

static void neighbours_come_and_go(void **state)
{
	struct rt_neigh n = { .ifindex = index_of(there, "eth0"),
		              .dst = addr("169.254.1.1"),
		              .mac = host_mac,
		              .state = NUD_PERMANENT };
	struct found f = { 0 };
	bool seen = false;

	(void)state;
	assert_ok(nl_request(there, rt_neigh_add(&n, false), err, "add"));
	assert_int_equal(nl_request(there, rt_neigh_add(&n, false), NULL, "add"), -EEXIST);
	assert_ok(nl_request(there, rt_neigh_add(&n, true), err, "replace"));
	assert_ok(nl_dump_all(there, rt_neigh_dump(AF_INET), on_any, &f, err));
	for (size_t i = 0; i < f.n_neighs; i++)
		if (ip_addr_eq(&f.neighs[i].dst, &n.dst)) {
			seen = true;
			assert_int_equal(f.neighs[i].state, NUD_PERMANENT);
			assert_memory_equal(&f.neighs[i].mac, &host_mac, sizeof(host_mac));
		}
	assert_true(seen);
	assert_ok(nl_request(there, rt_neigh_delete(&n), err, "delete"));
	assert_int_equal(nl_request(there, rt_neigh_delete(&n), NULL, "delete"), -ENOENT);
}

static void every_truncation_of_real_messages_is_safe(void **state);

/* ---- namespaces by path ---- */

static void paths_that_are_no_namespace_are_refused(void **state)
{
	static const struct {
		const char *path;
		int code;
		const char *text;
	} cases[] = {
		{ "/nowhere/netns", -ENOENT, "does not exist" },
		{ "/proc/1999999999/ns/net", -ENOENT, "does not exist" },
		{ "/", -EINVAL, "not a network namespace" },
		{ "/proc/self/ns/mnt", -EINVAL, "not a network namespace" },
		{ "/proc/self/status", -EINVAL, "not a network namespace" },
		{ "/dev/null/x", -ENOENT, "does not exist" },
		{ "", -ENOENT, "does not exist" },
	};
	struct err e;
	int fd = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(netns_open(cases[i].path, &fd, &e), cases[i].code);
		assert_non_null(strstr(e.text, cases[i].text));
	}
	assert_ok(netns_open("/proc/self/ns/net", &fd, err));
	close(fd);
}

static int count_links(void *arg, struct err *err)
{
	(void)err;
	*(int *)arg = if_nametoindex("eth0") ? 1 : 0;
	return 42;
}

static void one_comes_back_from_a_namespace(void **state)
{
	int saw = -1;

	(void)state;
	assert_int_equal(netns_do(there_fd, count_links, &saw, NULL), 42);
	assert_int_equal(saw, 1);
	assert_int_equal(if_nametoindex("eth0"), 0);
	assert_int_not_equal(if_nametoindex("cali1"), 0);
}

/* Cuts every message of a dump at every length: the parsers must neither crash nor invent. */
static int on_truncate(const struct nlmsghdr *h, void *arg)
{
	(void)arg;
	if (!h)
		return 0;
	for (uint32_t len = sizeof(*h); len <= h->nlmsg_len; len++) {
		struct nlmsghdr *cut = malloc(len); /* of exactly this size, for the sanitizer */
		struct rt_route r;
		struct rt_addr a;
		struct rt_neigh n;
		struct rt_link l;

		assert_non_null(cut);
		memcpy(cut, h, len);
		cut->nlmsg_len = len;
		(void)rt_route_parse(cut, &r);
		(void)rt_addr_parse(cut, &a);
		(void)rt_neigh_parse(cut, &n);
		if (rt_link_parse(cut, &l) == 0)
			assert_true(l.ifindex > 0 && l.name[0]);
		if (len < NLMSG_HDRLEN + sizeof(struct ndmsg) && h->nlmsg_type == RTM_NEWLINK)
			assert_int_equal(rt_link_parse(cut, &l), -EINVAL);
		free(cut);
	}
	return 0;
}

static void every_truncation_of_real_messages_is_safe(void **state)
{
	(void)state;
	assert_ok(nl_dump_all(here, rt_link_dump(), on_truncate, NULL, err));
	assert_ok(nl_dump_all(here, rt_addr_dump(0), on_truncate, NULL, err));
	assert_ok(nl_dump_all(here, rt_route_dump(0, 0, 0), on_truncate, NULL, err));
	assert_ok(nl_dump_all(there, rt_neigh_dump(0), on_truncate, NULL, err));
}

static int new_netns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_ends_are_born_where_they_belong, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_first_end_can_be_born_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_second_link_of_the_name_is_refused_in_words,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(routes_of_every_sort, setup, teardown),
		cmocka_unit_test_setup_teardown(add_does_not_replace_and_replace_does, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_gateway_of_the_other_family, setup, teardown),
		cmocka_unit_test_setup_teardown(several_next_hops_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(neighbours_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(every_truncation_of_real_messages_is_safe, setup,
		                                teardown),
		cmocka_unit_test(paths_that_are_no_namespace_are_refused),
		cmocka_unit_test_setup_teardown(one_comes_back_from_a_namespace, setup, teardown),
	};
	struct rt_link_change up = { .up = 1 };

	/* Without root a user namespace gives what is needed, where the machine allows it. */
	if (geteuid() != 0 && unshare(CLONE_NEWUSER) < 0) {
		puts("1..0 # SKIP needs root or user namespaces");
		return 0;
	}
	there_fd = new_netns();
	here_fd = new_netns();
	if (there_fd < 0 || here_fd < 0) {
		puts("1..0 # SKIP no network namespaces");
		return 0;
	}
	if (nl_conn_open(NETLINK_ROUTE, -1, &here, NULL) < 0 ||
	    nl_conn_open(NETLINK_ROUTE, there_fd, &there, NULL) < 0 ||
	    nl_request(here, rt_link_set(1, &up), NULL, "lo") < 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	nl_conn_close(here);
	nl_conn_close(there);
	return failed;
}
