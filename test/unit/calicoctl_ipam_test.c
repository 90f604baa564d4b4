/* SPDX-License-Identifier: BSD-2-Clause */
/* The arithmetic behind calicoctl ipam: how full pools are, pools cut in parts, reports and what
 * several of them agree on, and what the check finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/check.h"
#include "calicoctl/report.h"
#include "calicoctl/split.h"
#include "calicoctl/usage.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static ProtobufCMessage *read_json(model_kind kind, const char *text)
{
	ProtobufCMessage *m = NULL;

	if (mapper_read_text(kind_info(kind)->message, text, strlen(text), MAPPER_KEEP, &m, NULL) !=
	    0)
		fail_msg("not a message: %s", text);
	return m;
}

/* ---- usage */

static void pools_are_counted(void **state)
{
	struct ip_prefix pools[] = { prefix("10.0.0.0/16"), prefix("fd00:1::/108"),
		                     prefix("10.9.0.0/30") };
	struct ip_prefix reserved[] = { prefix("10.0.0.2/31"), prefix("10.0.0.3/32"),
		                        prefix("10.0.1.0/24"), prefix("fd00:1::/124"),
		                        prefix("10.9.0.0/24"), prefix("10.0.1.7/32") };
	const char *texts[] = {
		"{\"cidr\":\"10.0.0.0/"
		"30\",\"allocations\":[0,null,0,null],\"unallocated\":[1,3],\"attributes\":[{}]}",
		"{\"cidr\":\"192.0.2.0/"
		"30\",\"allocations\":[0,null,null,null],\"unallocated\":[1,2,3],\"attributes\":[{}"
		"]}",
		"{\"cidr\":\"fd99::/"
		"126\",\"allocations\":[null,null,null,null],\"unallocated\":[0,1,2,3]}",
		"{\"cidr\":\"nonsense\"}",
	};
	const V3__IpamBlock *blocks[ARRAY_SIZE(texts)];
	struct usage_input in = { pools,  ARRAY_SIZE(pools), reserved, ARRAY_SIZE(reserved),
		                  blocks, ARRAY_SIZE(texts) };
	CLEANUP(usage_done) struct usage u = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		blocks[i] = (V3__IpamBlock *)read_json(V3__KIND__KIND_IPAM_BLOCK, texts[i]);
	usage_count(&in, &u);
	usage_write(&u, true, &out);
	/* free: 65536, less 2 and 256 reserved, less 1 of the two in use that is not reserved */
	assert_string_equal(buf_cstr(&out), "+----------+--------------+------------+------------+-"
	                                    "-------------+-------------------+\n"
	                                    "| GROUPING | CIDR         | IPS TOTAL  | IPS IN USE | "
	                                    "IPS RESERVED | IPS FREE          |\n"
	                                    "+----------+--------------+------------+------------+-"
	                                    "-------------+-------------------+\n"
	                                    "| IP Pool  | 10.0.0.0/16  |      65536 |     2 (0%) | "
	                                    "    258 (0%) |      65277 (100%) |\n"
	                                    "| Block    | 10.0.0.0/30  |          4 |    2 (50%) | "
	                                    "     2 (50%) |           1 (25%) |\n"
	                                    "| IP Pool  | fd00:1::/108 | 1.0486e+06 |     0 (0%) | "
	                                    "     16 (0%) | 1.0486e+06 (100%) |\n"
	                                    "| IP Pool  | 10.9.0.0/30  |          4 |     0 (0%) | "
	                                    "    4 (100%) |            0 (0%) |\n"
	                                    "| Block    | 192.0.2.0/30 |          4 |    1 (25%) | "
	                                    "      0 (0%) |           3 (75%) |\n"
	                                    "| Block    | fd99::/126   |          4 |     0 (0%) | "
	                                    "      0 (0%) |          4 (100%) |\n"
	                                    "+----------+--------------+------------+------------+-"
	                                    "-------------+-------------------+\n");
	buf_clear(&out);
	usage_write(&u, false, &out);
	assert_null(strstr(buf_cstr(&out), "Block"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		msg_free((ProtobufCMessage *)(uintptr_t)blocks[i]);
}

/* ---- split */

static void prefixes_are_cut(void **state)
{
	/* clang-format off */
	static const struct {
		const char *cidr;
		int64_t n;
		const char *parts; /* the first, the second and the last */
		const char *error;
	} cases[] = {
		{ "10.0.0.0/16", 2, "10.0.0.0/17 10.0.128.0/17 10.0.128.0/17", NULL },
		{ "10.0.0.0/16", 8, "10.0.0.0/19 10.0.32.0/19 10.0.224.0/19", NULL },
		{ "10.0.0.7/28", 16, "10.0.0.0/32 10.0.0.1/32 10.0.0.15/32", NULL },
		{ "fd00:1::/48", 4, "fd00:1::/50 fd00:1:0:4000::/50 fd00:1:0:c000::/50", NULL },
		{ "0.0.0.0/0", 2, "0.0.0.0/1 128.0.0.0/1 128.0.0.0/1", NULL },
		{ "10.0.0.0/31", 4, NULL, "the CIDR 10.0.0.0/31 is not large enough to be split into 4 parts" },
		{ "10.0.0.0/16", 1, NULL, "number to split CIDR into is not a valid power of 2: 1" },
		{ "10.0.0.0/16", 0, NULL, "number to split CIDR into is not a valid power of 2: 0" },
		{ "10.0.0.0/16", -4, NULL, "number to split CIDR into is not a valid power of 2: -4" },
		{ "10.0.0.0/16", 6, NULL, "number to split CIDR into is not a valid power of 2: 6" },
		{ "fd00::/16", INT64_C(1) << 40, NULL, "1099511627776 pools are too many: 4096 at most" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_prefix p = prefix(cases[i].cidr), *parts = NULL;
		struct err err = { 0 };
		int rc = split_prefix(&p, cases[i].n, &parts, &err);
		CLEANUP(free_p) char *seen = NULL;
		char a[IP_PREFIX_STR_MAX], b[IP_PREFIX_STR_MAX], c[IP_PREFIX_STR_MAX];

		if (cases[i].error) {
			assert_true(rc < 0);
			assert_string_equal(err.text, cases[i].error);
			continue;
		}
		assert_int_equal(rc, 0);
		seen = xasprintf("%s %s %s", ip_prefix_str(&parts[0], a),
		                 ip_prefix_str(&parts[1], b),
		                 ip_prefix_str(&parts[cases[i].n - 1], c));
		assert_string_equal(seen, cases[i].parts);
		free(parts);
	}
}

/* ---- reports */

#define HEAD                                                                                       \
	"{\n  \"version\": \"v1\",\n  \"clusterGUID\": \"abc\",\n  \"datastoreLocked\": true,\n"   \
	"  \"clusterInformationRevision\": \"7\",\n  \"clusterType\": \"k8s\",\n  "                \
	"\"allocations\": {\n"

/* As upstream writes it; the number is beyond what a double holds. */
#define REPORT                                                                                     \
	HEAD "    \"10.0.0.10\": [\n      {\n        \"ip\": \"10.0.0.10\",\n        \"handle\": " \
	     "\"h1\",\n"                                                                           \
	     "        \"sequenceNumber\": 1787380400000000001,\n        \"pod\": \"web-0\",\n"     \
	     "        \"namespace\": \"ns1\",\n        \"node\": \"n1\",\n        \"type\": "      \
	     "\"t\",\n"                                                                            \
	     "        \"creationTimestamp\": \"then\",\n        \"inUse\": true,\n"                \
	     "        \"borrowed\": true,\n        \"coolingDown\": true,\n        \"owners\": "   \
	     "[\n"                                                                                 \
	     "          \"Workload(ns1/web)\"\n        ]\n      }\n    ],\n"                       \
	     "    \"10.0.0.2\": [\n      {\n        \"ip\": \"10.0.0.2\",\n"                       \
	     "        \"sequenceNumber\": 0,\n        \"inUse\": false,\n        \"owners\": "     \
	     "null\n"                                                                              \
	     "      }\n    ]\n  },\n  \"leakedHandles\": [\n    {\n      \"ID\": \"h2\",\n"        \
	     "      \"UID\": null,\n      \"Revision\": \"12\"\n    }\n  ]\n}"

static void reports_survive(void **state)
{
	CLEANUP(report_done) struct report r = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err err = { 0 };
	(void)state;

	if (report_read(REPORT, strlen(REPORT), &r, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(r.n_addresses, 2);
	assert_true(r.addresses[1].sequence == UINT64_C(1787380400000000001));
	report_write(&r, &out);
	assert_string_equal(buf_cstr(&out), REPORT);
}

static void what_is_no_report_is_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *error; } cases[] = {
		{ "[]", "is an array, not an object" },
		{ "{\"version\":7}", "version is a number, not a text" },
		{ "{\"allocations\":[]}", "allocations is an array, not an object" },
		{ "{\"allocations\":{\"10.0.0.1\":{}}}", "allocations.10.0.0.1 is not a list" },
		{ "{\"allocations\":{\"10.0.0.1\":[7]}}", "allocations.10.0.0.1[0]: is a number, not an object" },
		{ "{\"allocations\":{\"x\":[{}]}}", "allocations.x[0]: ip is not an address" },
		{ "{\"allocations\":{\"10.0.0.1\":[{\"inUse\":\"no\"}]}}", "allocations.10.0.0.1[0]: inUse is a string, not true or false" },
		{ "{\"allocations\":{\"10.0.0.1\":[{\"sequenceNumber\":1.5}]}}", "allocations.10.0.0.1[0]: sequenceNumber is not a number of 64 bits" },
		{ "{\"allocations\":{\"10.0.0.1\":[{\"sequenceNumber\":18446744073709551616}]}}", "allocations.10.0.0.1[0]: sequenceNumber is not a number of 64 bits" },
		{ "{\"leakedHandles\":[{\"Revision\":\"1\"}]}", "leakedHandles[0]: ID is missing" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(report_done) struct report r = { 0 };
		struct err err = { 0 };

		assert_true(report_read(cases[i].text, strlen(cases[i].text), &r, &err) < 0);
		if (!strstr(err.text, cases[i].error))
			fail_msg("%s: %s", cases[i].text, err.text);
	}
}

static void read_report(const char *text, struct report *ret)
{
	struct err err = { 0 };

	if (report_read(text, strlen(text), ret, &err) != 0)
		fail_msg("%s", err.text);
}

static void reports_agree(void **state)
{
	struct report r[3];
	CLEANUP(report_done) struct report leaks = { 0 };
	char ip[IP_ADDR_STR_MAX];
	(void)state;

	/* .1 leaked everywhere, .2 was in use once, .3 cooled down once, .4 is not in one, .5
	 * stands twice, once in use; h1 leaked at one revision, h2 at two */
	read_report("{\"allocations\":{\"10.0.0.1\":[{\"handle\":\"old\",\"sequenceNumber\":1}],"
	            "\"10.0.0.2\":[{}],\"10.0.0.3\":[{}],"
	            "\"10.0.0.4\":[{}],\"10.0.0.5\":[{}]},\"leakedHandles\":[{\"ID\":\"h1\","
	            "\"Revision\":\"5\"},"
	            "{\"ID\":\"h2\",\"Revision\":\"5\"}]}",
	            &r[0]);
	read_report("{\"allocations\":{\"10.0.0.5\":[{\"inUse\":true},{}],\"10.0.0.3\":[{"
	            "\"coolingDown\":true}],\"10.0.0.2\":[{}],"
	            "\"10.0.0.1\":[{}]},\"leakedHandles\":[{\"ID\":\"h2\",\"Revision\":\"6\"},{"
	            "\"ID\":\"h1\",\"Revision\":\"5\"}]}",
	            &r[1]);
	read_report("{\"allocations\":{\"10.0.0.1\":[{\"handle\":\"new\",\"sequenceNumber\":2}],"
	            "\"10.0.0.2\":[{\"inUse\":true}],"
	            "\"10.0.0.3\":[{}],\"10.0.0.4\":[{}],\"10.0.0.5\":[{}],\"10.0.0.6\":[{}]},"
	            "\"leakedHandles\":"
	            "[{\"ID\":\"h1\",\"Revision\":\"5\"},{\"ID\":\"h2\",\"Revision\":\"6\"},{"
	            "\"ID\":\"h3\"}]}",
	            &r[2]);
	report_leaks(r, 3, &leaks);
	assert_int_equal(leaks.n_addresses, 1);
	assert_string_equal(ip_addr_str(&leaks.addresses[0].ip, ip), "10.0.0.1");
	assert_string_equal(leaks.addresses[0].handle, "new");
	assert_int_equal(leaks.addresses[0].sequence, 2);
	assert_int_equal(leaks.n_handles, 1);
	assert_string_equal(leaks.handles[0].id, "h1");
	for (size_t i = 0; i < 3; i++)
		report_done(&r[i]);
}

/* ---- check */

struct objects {
	struct store_result r;
	struct resource *items[8];
};

static void add(struct objects *o, model_kind kind, const char *ns, const char *name,
                const char *json)
{
	o->items[o->r.n] = resource_new(kind, ns, name, 10 + o->r.n, read_json(kind, json));
	o->r.n++;
	o->r.items = o->items;
}

static void done(struct objects *o)
{
	for (size_t i = 0; i < o->r.n; i++)
		resource_free(o->items[i]);
}

#define NOW UINT64_C(1787380400)

static void the_check_finds(void **state)
{
	struct objects blocks = { 0 }, pools = { 0 }, nodes = { 0 }, weps = { 0 }, handles = { 0 };
	CLEANUP(report_done) struct report report = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct check *c = check_new(false, true);
	struct err err = { 0 };
	(void)state;

	/* .0 is a tunnel's; .1 is used; .2 leaked; .3 cools down */
	add(&blocks, V3__KIND__KIND_IPAM_BLOCK, NULL, "10.0.0.0/29",
	    "{\"cidr\":\"10.0.0.0/"
	    "29\",\"affinity\":\"host:n1\",\"allocations\":[0,1,2,3,null,null,4,5],\"unallocated\":"
	    "[4,5],"
	    "\"attributes\":[{\"handle_id\":\"ipip-tunnel-addr-n1\"},{\"handle_id\":\"h1\","
	    "\"secondary\":{\"node\":\"n1\",\"pod\":\"a\","
	    "\"namespace\":\"ns1\"}},{\"handle_id\":\"h2\\rx\",\"secondary\":{\"pod\":\"b\","
	    "\"node\":\"n2\"}},"
	    "{\"releasedAt\":\"2026-08-22T06:33:15Z\"},{\"handle_id\":\"windows-reserved-ipam-"
	    "handle\"},"
	    "{\"handle_id\":\"lb\",\"secondary\":{\"type\":\"LoadBalancer\",\"service\":\"s\","
	    "\"namespace\":\"ns1\"}}],"
	    "\"sequenceNumber\":9,\"sequenceNumberForAllocation\":{\"2\":1787380400000000001}}");
	add(&blocks, V3__KIND__KIND_IPAM_BLOCK, NULL, "10.0.1.0/30",
	    "{\"cidr\":\"10.0.1.0/"
	    "30\",\"affinity\":null,\"allocations\":[7,null,null,null],\"unallocated\":[1,2,2],"
	    "\"attributes\":[]}");
	add(&pools, V3__KIND__KIND_IP_POOL, NULL, "p", "{\"spec\":{\"cidr\":\"10.0.0.0/16\"}}");
	add(&pools, V3__KIND__KIND_IP_POOL, NULL, "off",
	    "{\"spec\":{\"cidr\":\"192.0.2.0/24\",\"disabled\":true}}");
	add(&nodes, V3__KIND__KIND_NODE, NULL, "n1",
	    "{\"spec\":{\"bgp\":{\"ipv4IPIPTunnelAddr\":\"10.0.0.0\"},\"ipv6VXLANTunnelAddr\":"
	    "\"fd00::1\"}}");
	add(&weps, V3__KIND__KIND_WORKLOAD_ENDPOINT, "ns1", "w1",
	    "{\"spec\":{\"ipNetworks\":[\"10.0.0.1/32\",\"10.0.9.9/32\"]}}");
	add(&weps, V3__KIND__KIND_WORKLOAD_ENDPOINT, "ns1", "w2",
	    "{\"spec\":{\"ipNetworks\":[\"10.0.0.1/32\",\"192.0.2.1/32\"]}}");
	add(&weps, V3__KIND__KIND_WORKLOAD_ENDPOINT, "ns1", "w3",
	    "{\"spec\":{\"ipNetworks\":[\"10.0.0.3/32\"]}}");
	add(&handles, V3__KIND__KIND_IPAM_HANDLE, NULL, "h1", "{\"block\":{\"10.0.0.0/29\":1}}");
	add(&handles, V3__KIND__KIND_IPAM_HANDLE, NULL, "lost", "{\"block\":{\"10.0.0.0/29\":1}}");
	add(&handles, V3__KIND__KIND_IPAM_HANDLE, NULL, "h2", "{\"block\":{\"10.0.0.0/29\":1}}");

	check_blocks(c, &blocks.r, 60, NOW, &out);
	assert_int_equal(check_pools(c, &pools.r, &out, &err), 0);
	assert_int_equal(check_nodes(c, &nodes.r, &out, &err), 0);
	check_services(c, &out);
	assert_int_equal(check_endpoints(c, &weps.r, &out, &err), 0);
	check_handles(c, &handles.r, &out);
	buf_clear(&out);
	/* 10.0.0.2 and what the broken block holds; a stray in the pool, one that cools down, and
	 * two outside; a handle; a block */
	assert_int_equal(check_finish(c, &report, &out), 8);
	assert_string_equal(
	        buf_cstr(&out),
	        "Scanning for IPs that are allocated but not actually in use...\n"
	        "  10.0.0.2 leaked; attrs Main:h2\rx Extra:node=n2,pod=b\n"
	        "  10.0.1.0 leaked; attrs <missing>\n"
	        "Found 2 IPs that are allocated in IPAM but not actually in use.\n"
	        "Scanning for IPs that are in use by a workload or node but not allocated in "
	        "IPAM...\n"
	        "  10.0.0.1 has multiple owners.\n"
	        "  10.0.0.3 in use by Workload(ns1/w3) and in active IPAM pool but has no IPAM "
	        "allocation.\n"
	        "  10.0.9.9 in use by Workload(ns1/w1) and in active IPAM pool but has no IPAM "
	        "allocation.\n"
	        "  192.0.2.1 in use by Workload(ns1/w2) is not in any active IP pool.\n"
	        "  fd00::1 in use by Node(n1) is not in any active IP pool.\n"
	        "Found 2 in-use IPs that are not in active IP pools.\n"
	        "Found 2 in-use IPs that are in active IP pools but have no corresponding IPAM "
	        "allocation.\n\n"
	        "Scanning for IPAM handles with no matching IPs...\n"
	        "Found 1 handles with no matching IPs (and 2 handles with matches).\n"
	        "Scanning for IPs with missing handle...\n"
	        "  ipip-tunnel-addr-n1 is in use in a block but doesn't exist.\n"
	        "  lb is in use in a block but doesn't exist.\n"
	        "Found 2 handles mentioned in blocks with no matching handle resource.\n"
	        "Validating IPAMBlock structures...\n"
	        "  IPAMBlock BlockKey(cidr=10.0.1.0/30) is invalid: allocation 0 indexes a "
	        "nonexistent attribute 7\n"
	        "Found 1 invalid IPAMBlocks.\n"
	        "Check complete; found 8 problems.\n");

	assert_int_equal(report.n_addresses, 7);
	assert_true(report.addresses[2].sequence == UINT64_C(1787380400000000001));
	assert_string_equal(report.addresses[2].handle, "h2");
	assert_true(report.addresses[2].borrowed);
	assert_false(report.addresses[2].in_use);
	assert_true(report.addresses[1].in_use);
	assert_int_equal(report.addresses[1].n_owners, 2);
	assert_true(report.addresses[3].cooling);
	assert_string_equal(report.addresses[4].owners[0], "Reserved for Windows");
	assert_string_equal(report.addresses[5].owners[0], "Service(ns1/s)");
	assert_string_equal(report.handles[0].id, "lost");
	assert_string_equal(report.handles[0].revision, "11");
	check_free(c);
	done(&blocks);
	done(&pools);
	done(&nodes);
	done(&weps);
	done(&handles);
}

static void a_cool_down_ends(void **state)
{
	struct objects blocks = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct check *c = check_new(false, false);
	(void)state;

	add(&blocks, V3__KIND__KIND_IPAM_BLOCK, NULL, "10.0.0.0/31",
	    "{\"cidr\":\"10.0.0.0/"
	    "31\",\"allocations\":[0,null],\"unallocated\":[1],\"attributes\":[{\"releasedAt\":"
	    "\"2026-08-22T06:33:15Z\"}]}");
	check_blocks(c, &blocks.r, 4, NOW, &out);
	assert_non_null(strstr(buf_cstr(&out), "IPAM blocks record 0 allocations."));
	check_free(c);
	done(&blocks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pools_are_counted), cmocka_unit_test(prefixes_are_cut),
		cmocka_unit_test(reports_survive),   cmocka_unit_test(what_is_no_report_is_refused),
		cmocka_unit_test(reports_agree),     cmocka_unit_test(the_check_finds),
		cmocka_unit_test(a_cool_down_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
