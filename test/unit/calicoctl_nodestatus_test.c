/* SPDX-License-Identifier: BSD-2-Clause */
/* What `calicoctl node status` prints for what bgpd says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/nodestatus.h"
#include "common/base/mem.h"

#define NOW 1479772800 /* 2016-11-22T00:00:00Z */

static Bgp__V1__Peer peer(const char *name, const char *address, const char *state, int ago,
                          const char *error)
{
	Bgp__V1__Peer p = BGP__V1__PEER__INIT;

	p.name = (char *)name;
	p.address = (char *)address;
	p.state = (char *)state;
	p.has_since_unix_sec = 1;
	p.since_unix_sec = (uint64_t)(NOW - ago);
	p.last_error = (char *)error;
	return p;
}

static const char *status(Bgp__V1__Peer *list, size_t n)
{
	static struct buf out;
	Bgp__V1__Peer *pointers[16];
	Bgp__V1__Peers peers = BGP__V1__PEERS__INIT;

	assert_true(n <= ARRAY_SIZE(pointers));
	for (size_t i = 0; i < n; i++)
		pointers[i] = &list[i];
	peers.n_peers = n;
	peers.peers = pointers;
	buf_clear(&out);
	nodestatus_write(&peers, NOW, &out);
	return buf_cstr(&out);
}

static void no_peers(void **state)
{
	(void)state;
	assert_string_equal(status(NULL, 0), "\nIPv4 BGP status\nNo IPv4 peers found.\n"
	                                     "\nIPv6 BGP status\nNo IPv6 peers found.\n");
}

static void peers_of_every_kind(void **state)
{
	Bgp__V1__Peer list[] = {
		peer("Mesh_172_17_8_102", "172.17.8.102", "Established", 7384, "Connection lost"),
		peer("Global_10_20_30_40", "10.20.30.40", "Active", 100000,
		     "Socket: Connection refused"),
		peer("Node_10_20_30_41_port_1179", "10.20.30.41", "Idle", 72000, NULL),
		peer("tor", "10.20.30.42", "OpenSent", 71999, ""),
		peer("Mesh_fd00__2", "fd00::2", "Connect", 0, "bad\nthing"),
		peer("Node_fd00__3_port_1179", "fd00::3", "OpenConfirm", NOW, NULL),
	};
	(void)state;

	list[2].has_port = list[5].has_port = 1;
	list[2].port = list[5].port = 1179;
	list[0].has_port = 1;
	list[0].port = 179;
	assert_string_equal(
	        status(list, ARRAY_SIZE(list)),
	        "\nIPv4 BGP status\n"
	        "+------------------+-------------------+-------+------------+---------------------"
	        "--------------+\n"
	        "| PEER ADDRESS     | PEER TYPE         | STATE | SINCE      | INFO                "
	        "              |\n"
	        "+------------------+-------------------+-------+------------+---------------------"
	        "--------------+\n"
	        "| 172.17.8.102     | node-to-node mesh | up    | 21:56:56   | Established         "
	        "              |\n"
	        "| 10.20.30.40      | global            | start | 2016-11-20 | Active Socket: "
	        "Connection refused |\n"
	        "| 10.20.30.41:1179 | node specific     | start | 2016-11-21 | Idle                "
	        "              |\n"
	        "| 10.20.30.42      | other             | start | 04:00:01   | OpenSent            "
	        "              |\n"
	        "+------------------+-------------------+-------+------------+---------------------"
	        "--------------+\n"
	        "\nIPv6 BGP status\n"
	        "+----------------+-------------------+-------+----------+--------------------+\n"
	        "| PEER ADDRESS   | PEER TYPE         | STATE | SINCE    | INFO               |\n"
	        "+----------------+-------------------+-------+----------+--------------------+\n"
	        "| fd00::2        | node-to-node mesh | start | 00:00:00 | Connect bad\\nthing |\n"
	        "| [fd00::3]:1179 | node specific     | start |          | OpenConfirm        |\n"
	        "+----------------+-------------------+-------+----------+--------------------+\n");
}

static void a_message_without_anything(void **state)
{
	Bgp__V1__Peer empty = BGP__V1__PEER__INIT;
	(void)state;

	assert_string_equal(status(&empty, 1), status(NULL, 0));
	empty.address = (char *)"10.0.0.1";
	assert_non_null(
	        strstr(status(&empty, 1), "| 10.0.0.1     | other     | start |       |      |\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_peers),
		cmocka_unit_test(peers_of_every_kind),
		cmocka_unit_test(a_message_without_anything),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
