/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

#define KINDS "test/unit/model_kinds"
#define API "\"apiVersion\":\"projectcalico.org/v3\""

static ProtobufCMessage *read_as(const ProtobufCMessageDescriptor *d, const char *text,
                                 enum mapper_unknown unknown)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (mapper_read_text(d, text, strlen(text), unknown, &m, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return m;
}

static void assert_writes(const ProtobufCMessage *m, const char *text)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	mapper_write_text(m, 0, &out);
	assert_string_equal(buf_cstr(&out), text);
}

/* What upstream stores, byte for byte, one object per kind at least. Read and written, it is the
 * same; and it is after a trip through protobuf. */
static const struct {
	const char *kind, *text;
} stored[] = {
	/* reference/datamodel.md section 2.2 */
	/* section 2.4: ordinal 0 allocated */
	{ "IPAMBlock",
	  "{\"cidr\":\"10.0.0.0/"
	  "30\",\"affinity\":\"host:node1\",\"affinity_claim_time\":\"2026-08-22T06:33:20Z\","
	  "\"allocations\":[0,null,null,null],\"unallocated\":[1,2,3],\"attributes\":[{\"handle_"
	  "id\":"
	  "\"k8s-pod-network.4f1c\",\"secondary\":{\"namespace\":\"ns1\",\"node\":\"node1\","
	  "\"pod\":\"web-0\","
	  "\"timestamp\":\"2026-08-22 06:33:25 +0000 "
	  "UTC\"}}],\"sequenceNumber\":1787380400000000001,"
	  "\"sequenceNumberForAllocation\":{\"0\":1787380400000000000},\"deleted\":false}" },
	/* the mapper lets through whatever fits: what makes sense is for others to say */
	{ "IPAMBlock", "{\"cidr\":\"\",\"affinity\":\"\",\"allocations\":[2147483647],"
	               "\"unallocated\":[-2147483648,2147483647],"
	               "\"attributes\":null,\"sequenceNumber\":0,\"sequenceNumberForAllocation\":{}"
	               ",\"deleted\":false}" },
	{ "IPAMHandle",
	  "{\"block\":{\"a\":-9223372036854775808,\"b\":9223372036854775807},\"deleted\":true}" },
	/* brand new, without affinity */
	{ "IPAMBlock", "{\"cidr\":\"10.0.0.0/"
	               "31\",\"affinity\":null,\"allocations\":[null,null],\"unallocated\":[0,1],"
	               "\"attributes\":null,\"sequenceNumber\":18446744073709551615,"
	               "\"sequenceNumberForAllocation\":{},"
	               "\"deleted\":false}" },
	/* cooling down; two owners */
	{ "IPAMBlock", "{\"cidr\":\"fd00::/"
	               "127\",\"affinity\":\"virtual:lb\",\"allocations\":[1,0],\"unallocated\":[],"
	               "\"attributes\":[{\"releasedAt\":\"2026-08-22T06:33:20Z\"},{\"handle_id\":"
	               "\"\",\"secondary\":{\"a\":\"\"},"
	               "\"alternateOwnerAttrs\":{\"b\":\"c\"}}],\"sequenceNumber\":5,"
	               "\"sequenceNumberForAllocation\":"
	               "{\"0\":3,\"1\":18446744073709551615,\"10\":7,\"2\":1},\"deleted\":true,"
	               "\"hostAffinity\":\"n\"}" },
	{ "IPAMAffinity", "{\"state\":\"confirmed\",\"deleted\":false}" },
	{ "IPAMHandle", "{\"block\":{\"10.0.0.0/26\":2},\"deleted\":false}" },
	{ "IPAMHandle", "{\"block\":{},\"deleted\":false}" },
	{ "IPAMConfig",
	  "{\"strict_affinity\":true,\"auto_allocate_blocks\":true,\"maxBlocksPerHost\":5,"
	  "\"kubeVirtVMAddressPersistence\":\"Disabled\",\"ipCooldownSeconds\":30}" },
	{ "IPAMConfig", "{}" },
	/* an empty bgp is a pointer to nothing: refused by validation, not lost by the mapper */
	{ "ClusterInformation",
	  "{\"kind\":\"ClusterInformation\"," API ",\"metadata\":{\"name\":\"default\"},\"spec\":"
	  "{\"clusterGUID\":\"0123456789abcdef0123456789abcdef\",\"clusterType\":\"percale,bgp\","
	  "\"calicoVersion\":\"v1\",\"datastoreReady\":false}}" },
	{ "BGPConfiguration",
	  "{\"kind\":\"BGPConfiguration\"," API ",\"metadata\":{\"name\":\"default\"},\"spec\":"
	  "{\"logSeverityScreen\":\"Info\",\"nodeToNodeMeshEnabled\":false,\"asNumber\":0,"
	  "\"listenPort\":178}}" },
	{ "BGPFilter",
	  "{\"kind\":\"BGPFilter\"," API ",\"metadata\":{\"name\":\"f\"},\"spec\":{\"exportV4\":"
	  "[{\"action\":\"Reject\"}]}}" },
	{ "FelixConfiguration",
	  "{\"kind\":\"FelixConfiguration\"," API ",\"metadata\":{\"name\":\"default\"},\"spec\":"
	  "{\"routeRefreshInterval\":\"0s\",\"failsafeInboundHostPorts\":[],\"bpfLogLevel\":\"\"}"
	  "}" },
	{ "KubeControllersConfiguration",
	  "{\"kind\":\"KubeControllersConfiguration\"," API
	  ",\"metadata\":{\"name\":\"default\"},\"spec\":{\"controllers\":{}},\"status\":{}}" },
	{ "CalicoNodeStatus",
	  "{\"kind\":\"CalicoNodeStatus\"," API ",\"metadata\":{\"name\":\"s\"},\"spec\":{\"node\":"
	  "\"n1\",\"updatePeriodSeconds\":0},\"status\":{\"lastUpdated\":null,\"agent\":{"
	  "\"birdV4\":"
	  "{},\"birdV6\":{}},\"bgp\":{\"numberEstablishedV4\":0,\"numberNotEstablishedV4\":0,"
	  "\"numberEstablishedV6\":0,\"numberNotEstablishedV6\":0},\"routes\":{}}}" },
	{ "BGPPeer", "{\"kind\":\"BGPPeer\"," API
	             ",\"metadata\":{\"name\":\"p\"},\"spec\":{\"nodeSelector\":\"rack == 'a'\","
	             "\"peerIP\":\"192.0.2.1\",\"asNumber\":64513,\"nextHopMode\":\"Auto\","
	             "\"sourceAddress\":\"None\","
	             "\"maxRestartTime\":\"2m0s\"}}" },
	/* members that no message knows stay where they were */
	{ "IPAMBlock",
	  "{\"cidr\":\"10.0.0.0/"
	  "31\",\"affinity\":null,\"allocations\":[0,null],\"unallocated\":[1],\"attributes\":"
	  "[{\"handle_id\":\"h\",\"later\":true}],\"sequenceNumber\":1,"
	  "\"sequenceNumberForAllocation\":{\"0\":1},"
	  "\"deleted\":false,\"even\":\"later\"}" },
};

static void what_is_stored_is_read_and_written_unchanged(void **state)
{
	unsigned long long seen = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stored); i++) {
		const struct kind_info *k = kind_by_name(stored[i].kind);
		ProtobufCMessage *m = read_as(k->message, stored[i].text, MAPPER_KEEP), *wire,
		                 *again;
		CLEANUP(buf_done) struct buf packed = { 0 };

		seen |= 1ull << k->kind;
		assert_writes(m, stored[i].text);
		again = read_as(k->message, stored[i].text, MAPPER_KEEP);
		assert_true(msg_equal(m, again));
		msg_pack(m, &packed);
		wire = msg_unpack(k->message, packed.data, packed.len);
		assert_non_null(wire);
		assert_true(msg_equal(m, wire));
		assert_writes(wire, stored[i].text);
		msg_free(m);
		msg_free(wire);
		msg_free(again);
	}
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		CLEANUP(free_p) char *file = xasprintf(KINDS "/%s.cases", k->name);

		/* no kind is left out; what is not here, model_kinds_test has */
		assert_true((seen & 1ull << k->kind) || access(file, R_OK) == 0);
	}
}

/* Zero, null and absent are one for what upstream's structs hold by value, as they are for its
 * decoder. */
static void what_means_the_same_is_written_the_same(void **state)
{
	static const struct {
		const char *kind, *in, *out;
	} cases[] = {
		{ "IPPool",
		  "{\"spec\":{\"natOutgoing\":false,\"disabled\":false,\"blockSize\":0,\"cidr\":"
		  "\"\",\"allowedUses\":[],\"nodeSelector\":"
		  "null,\"assignmentMode\":\"\"},\"metadata\":{\"labels\":{},\"creationTimestamp\":"
		  "null}}",
		  "{\"kind\":\"IPPool\"," API
		  ",\"metadata\":{},\"spec\":{\"cidr\":\"\",\"assignmentMode\":\"\"}}" },
		{ "Node", "{}",
		  "{\"kind\":\"Node\"," API ",\"metadata\":{},\"spec\":{},\"status\":{}}" },
		{ "IPAMBlock", "{}",
		  "{\"cidr\":\"\",\"affinity\":null,\"allocations\":[],\"unallocated\":[],"
		  "\"attributes\":null,"
		  "\"sequenceNumber\":0,\"sequenceNumberForAllocation\":{},\"deleted\":false}" },
		{ "IPAMBlock", "{\"attributes\":[],\"affinity\":null,\"allocations\":null}",
		  "{\"cidr\":\"\",\"affinity\":null,\"allocations\":[],\"unallocated\":[],"
		  "\"attributes\":null,"
		  "\"sequenceNumber\":0,\"sequenceNumberForAllocation\":{},\"deleted\":false}" },
		{ "IPAMAffinity", "{}", "{\"state\":\"\",\"deleted\":false}" },
		{ "IPAMHandle", "{}", "{\"block\":{},\"deleted\":false}" },
		{ "IPAMConfig", "{\"strict_affinity\":false,\"maxBlocksPerHost\":0}", "{}" },
		{ "BGPPeer", "{\"spec\":{\"asNumber\":0}}",
		  "{\"kind\":\"BGPPeer\"," API ",\"metadata\":{},\"spec\":{}}" },
		{ "BGPPeer", "{\"spec\":{\"asNumber\":\"1.10\"}}",
		  "{\"kind\":\"BGPPeer\"," API ",\"metadata\":{},\"spec\":{\"asNumber\":65546}}" },
		{ "Node", "{\"spec\":{\"bgp\":{\"asNumber\":\"64512\"}}}",
		  "{\"kind\":\"Node\"," API
		  ",\"metadata\":{},\"spec\":{\"bgp\":{\"asNumber\":64512}},\"status\":{}}" },
		{ "GlobalNetworkPolicy",
		  "{\"spec\":{\"doNotTrack\":false,\"order\":1e2,\"ingress\":[{\"protocol\":\"6\","
		  "\"notProtocol\":"
		  "\"tcp\",\"source\":{\"ports\":[\"80\",\"90:90\",\"1:2\",\"a\"]}}]}}",
		  "{\"kind\":\"GlobalNetworkPolicy\"," API
		  ",\"metadata\":{},\"spec\":{\"order\":100,\"ingress\":[{\"action\":\"\","
		  "\"protocol\":6,"
		  "\"notProtocol\":\"tcp\",\"source\":{\"ports\":[80,90,\"1:2\",\"a\"]}}]}}" },
		{ "WorkloadEndpoint",
		  "{\"spec\":{\"ports\":[{\"protocol\":\"TCP\"}],\"ipNATs\":[{}]}}",
		  "{\"kind\":\"WorkloadEndpoint\"," API ",\"metadata\":{},\"spec\":{\"ipNATs\":[{"
		  "\"internalIP\":\"\",\"externalIP\":\"\"}],"
		  "\"ports\":[{\"name\":\"\",\"protocol\":\"TCP\",\"port\":0,\"hostPort\":0,"
		  "\"hostIP\":\"\"}]}}" },
		{ "NetworkSet", "{\"metadata\":{\"annotations\":{\"z\":null,\"a\":\"\\u00e4\"}}}",
		  "{\"kind\":\"NetworkSet\"," API
		  ",\"metadata\":{\"annotations\":{\"a\":\"\xc3\xa4\",\"z\":\"\"}},\"spec\":{}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kind_info *k = kind_by_name(cases[i].kind);
		ProtobufCMessage *m = read_as(k->message, cases[i].in, MAPPER_REFUSE), *again;

		assert_writes(m, cases[i].out);
		again = read_as(k->message, cases[i].out, MAPPER_REFUSE);
		assert_true(msg_equal(m, again)); /* read(write(x)) is x */
		msg_free(m);
		msg_free(again);
	}
}

/* A message as a daemon makes it, without kind, spec or presence of zeros, is written as if it had
 * come from JSON. */
static void messages_made_by_hand_are_written_whole(void **state)
{
	V3__Node node = V3__NODE__INIT;
	V3__IpamBlock block = V3__IPAM_BLOCK__INIT;
	V3__IPPool pool = V3__IPPOOL__INIT;
	V3__IpPoolSpec spec = V3__IP_POOL_SPEC__INIT;
	int32_t allocations[] = { -1, 0, -1 };

	(void)state;
	assert_writes(&node.base,
	              "{\"kind\":\"Node\"," API ",\"metadata\":{},\"spec\":{},\"status\":{}}");
	block.n_allocations = 3;
	block.allocations = allocations;
	assert_writes(&block.base,
	              "{\"cidr\":\"\",\"affinity\":null,\"allocations\":[null,0,null],"
	              "\"unallocated\":[],\"attributes\":null,"
	              "\"sequenceNumber\":0,\"sequenceNumberForAllocation\":{},\"deleted\":false}");
	pool.spec = &spec;
	spec.has_disabled = true;
	spec.has_blocksize = true;
	assert_writes(&pool.base,
	              "{\"kind\":\"IPPool\"," API ",\"metadata\":{},\"spec\":{\"cidr\":\"\"}}");
}

static void errors_name_the_place(void **state)
{
	static const struct {
		const char *kind, *in, *error;
	} cases[] = {
		{ "IPPool", "[]", "expected an object, got an array" },
		{ "IPPool", "{\"spec\":[]}", "spec: expected an object, got an array" },
		{ "IPPool", "{\"spec\":{\"cidr\":1}}",
		  "spec.cidr: expected a string, got a number" },
		{ "IPPool", "{\"spec\":{\"cidr\":\"a\\u0000b\"}}",
		  "spec.cidr: the string has NUL in it" },
		{ "IPPool", "{\"spec\":{\"blockSize\":\"26\"}}",
		  "spec.blockSize: expected an integer, got a string" },
		{ "IPPool", "{\"spec\":{\"blockSize\":26.5}}",
		  "spec.blockSize: 26.5 is not an integer" },
		{ "IPPool", "{\"spec\":{\"blockSize\":99999999999999999999}}",
		  "spec.blockSize: 99999999999999999999 is not in the range of "
		  "-9223372036854775808 to 9223372036854775807" },
		{ "IPPool", "{\"spec\":{\"natOutgoing\":\"true\"}}",
		  "spec.natOutgoing: expected a boolean, got a string" },
		{ "IPPool", "{\"spec\":{\"allowedUses\":\"Tunnel\"}}",
		  "spec.allowedUses: expected an array, got a string" },
		{ "IPPool", "{\"spec\":{\"allowedUses\":[\"Tunnel\",null]}}",
		  "spec.allowedUses[1]: expected a string, got null" },
		{ "IPPool", "{\"metadata\":{\"labels\":{\"role\":1}}}",
		  "metadata.labels.role: expected a string, got a number" },
		{ "IPPool", "{\"metadata\":{\"labels\":[]}}",
		  "metadata.labels: expected an object, got an array" },
		{ "IPPool", "{\"spec\":{\"cidr\":\"10.0.0.0/8\",\"cidrr\":\"x\"}}",
		  "field in document is not recognized or is in the wrong location: spec.cidrr" },
		{ "IPPool", "{\"cidr\":\"10.0.0.0/8\"}",
		  "field in document is not recognized or is in the wrong location: cidr" },
		{ "NetworkPolicy", "{\"spec\":{\"order\":\"1\"}}",
		  "spec.order: expected a number, got a string" },
		{ "NetworkPolicy", "{\"spec\":{\"order\":1e999}}",
		  "spec.order: the number is too large" },
		{ "NetworkPolicy",
		  "{\"spec\":{\"ingress\":[{},{},{\"source\":{\"ports\":[70000]}}]}}",
		  "spec.ingress[2].source.ports[0]: '70000' is not a port (1 to 65535)" },
		{ "NetworkPolicy",
		  "{\"spec\":{\"ingress\":[{\"source\":{\"ports\":[80,\"90:80\"]}}]}}",
		  "spec.ingress[0].source.ports[1]: '90:80' is not a range of ports: it ends "
		  "before it starts" },
		{ "NetworkPolicy", "{\"spec\":{\"ingress\":[{\"source\":{\"ports\":[true]}}]}}",
		  "spec.ingress[0].source.ports[0]: expected a port, got a boolean" },
		{ "NetworkPolicy", "{\"spec\":{\"ingress\":[{\"source\":{\"ports\":[-1]}}]}}",
		  "spec.ingress[0].source.ports[0]: '-1' is not a port (1 to 65535)" },
		{ "NetworkPolicy", "{\"spec\":{\"egress\":[{\"protocol\":300}]}}",
		  "spec.egress[0].protocol: '300' is not a protocol (1 to 255, or a name)" },
		{ "NetworkPolicy", "{\"spec\":{\"egress\":[{\"protocol\":{}}]}}",
		  "spec.egress[0].protocol: expected a protocol, got an object" },
		{ "NetworkPolicy", "{\"spec\":{\"egress\":[{\"https\":{}}]}}",
		  "field in document is not recognized or is in the wrong location: "
		  "spec.egress[0].https" },
		{ "Node", "{\"spec\":{\"bgp\":{\"asNumber\":4294967296}}}",
		  "spec.bgp.asNumber: '4294967296' is not an AS number (0 to 4294967295)" },
		{ "Node", "{\"spec\":{\"bgp\":{\"asNumber\":\"1.70000\"}}}",
		  "spec.bgp.asNumber: '1.70000' is not an AS number (0 to 4294967295, or 0.0 to "
		  "65535.65535)" },
		{ "WorkloadEndpoint", "{\"spec\":{\"ports\":[{\"port\":-1}]}}",
		  "spec.ports[0].port: -1 is not in the range of 0 to 4294967295" },
		{ "IPAMBlock", "{\"allocations\":[0,2147483648]}",
		  "allocations[1]: 2147483648 is not in the range of -2147483648 to 2147483647" },
		{ "IPAMBlock", "{\"unallocated\":[null]}",
		  "unallocated[0]: expected an integer, got null" },
		{ "IPAMBlock", "{\"sequenceNumberForAllocation\":{\"3\":-1}}",
		  "sequenceNumberForAllocation.3: -1 is not in the range of 0 to "
		  "18446744073709551615" },
		{ "IPAMBlock", "{\"sequenceNumber\":18446744073709551616}",
		  "sequenceNumber: 18446744073709551616 is not in the range of 0 to "
		  "18446744073709551615" },
		{ "IPAMBlock", "{", "line 1, column 2: the text ends too early" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ProtobufCMessage *m = NULL;
		struct err err = { 0 };

		assert_int_not_equal(mapper_read_text(kind_by_name(cases[i].kind)->message,
		                                      cases[i].in, strlen(cases[i].in),
		                                      MAPPER_REFUSE, &m, &err),
		                     0);
		assert_string_equal(err.text, cases[i].error);
		assert_null(m);
	}
}

static void doubles_are_shortest_and_exact(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{ 1, "1" },
		{ 10.5, "10.5" },
		{ 1000000, "1000000" },
		{ 0.1, "0.1" },
		{ 0.30000000000000004, "0.30000000000000004" },
		{ -2.25, "-2.25" },
		{ 100, "100" },
		{ 123456789012345680, "123456789012345680" },
		{ 1e20, "100000000000000000000" },
		{ 1e21, "1e+21" },
		{ 1.5e300, "1.5e+300" },
		{ 0.000001, "0.000001" },
		{ 0.0000015, "0.0000015" },
		{ 0.0000009, "9e-7" },
		{ 1.25e-10, "1.25e-10" },
		{ 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 4503599627370495.5, "4503599627370495.5" },
	};
	V3__TierSpec spec = V3__TIER_SPEC__INIT;

	(void)state;
	spec.has_order = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 }, expected = { 0 };
		V3__TierSpec *again;

		spec.order = cases[i].v;
		buf_printf(&expected, "{\"order\":%s}", cases[i].text);
		mapper_write_text(&spec.base, 0, &out);
		assert_string_equal(buf_cstr(&out), buf_cstr(&expected));
		again = (V3__TierSpec *)read_as(&v3__tier_spec__descriptor, buf_cstr(&out),
		                                MAPPER_REFUSE);
		assert_true(again->order == spec.order);
		msg_free(&again->base);
	}
	spec.order = 0;
	assert_writes(&spec.base, "{\"order\":0}");
	spec.order = NAN;
	assert_writes(&spec.base, "{}"); /* from a stranger: JSON has no such number */
	spec.order = -INFINITY;
	assert_writes(&spec.base, "{}");
}

/* What comes over a socket need not have come through mapper_read(). */
static void unknown_members_from_strangers_do_no_harm(void **state)
{
	static const struct {
		const char *content, *out;
	} cases[] = {
		{ "", "{\"order\":1}" },
		{ "garbage", "{\"order\":1}" },
		{ "\"a\":", "{\"order\":1}" },
		{ "\"a\":1}", "{\"order\":1}" },
		{ "\"a\":1,\"b\":{}", "{\"order\":1,\"a\":1,\"b\":{}}" },
		{ "\"order\":7", "{\"order\":1}" },
		{ "\"defaultAction\":\"Pass\"", "{\"order\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static const uint8_t order[] = { 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f };
		CLEANUP(buf_done) struct buf wire = { 0 };
		ProtobufCMessage *m;

		buf_add(&wire, order, sizeof(order));
		buf_add(&wire, "\xfa\xff\xff\xff\x0f", 5);
		buf_byte(&wire, (uint8_t)strlen(cases[i].content));
		buf_str(&wire, cases[i].content);
		m = msg_unpack(&v3__tier_spec__descriptor, wire.data, wire.len);
		assert_non_null(m);
		assert_writes(m, cases[i].out);
		msg_free(m);
	}
	{
		/* twice the same label, one without value; a varint under our number */
		static const uint8_t wire[] = { 0x5a, 6,    0x0a, 1,    'k',  0x12, 1,
			                        'a',  0x5a, 6,    0x0a, 1,    'k',  0x12,
			                        1,    'b',  0x5a, 3,    0x0a, 1,    'j',
			                        0xf8, 0xff, 0xff, 0xff, 0x0f, 1 };
		ProtobufCMessage *m = msg_unpack(&v3__object_meta__descriptor, wire, sizeof(wire));

		assert_non_null(m);
		assert_writes(m, "{\"labels\":{\"j\":\"\",\"k\":\"b\"}}");
		msg_free(m);
	}
}

/* What was stored, what somebody who does not know it all writes, and what is stored then. */
static void a_read_modify_write_keeps_what_it_does_not_know(void **state)
{
	static const struct {
		const char *kind, *stored, *written, *out;
	} cases[] = {
		{ "IPPool",
		  "{\"a\":1,\"spec\":{\"cidr\":\"10.0.0.0/8\",\"b\":{\"c\":[2]}},\"d\":\"\"}",
		  "{\"spec\":{\"cidr\":\"10.0.0.0/8\",\"disabled\":true}}",
		  "{\"kind\":\"IPPool\"," API ",\"metadata\":{},\"spec\":{\"cidr\":\"10.0.0.0/"
		  "8\",\"disabled\":true,\"b\":{\"c\":[2]}}"
		  ",\"a\":1,\"d\":\"\"}" },
		/* what is written wins; a name may have quotes in it */
		{ "Tier", "{\"spec\":{\"a\\\"\":1,\"b\":1}}", "{\"spec\":{\"a\\\"\":2,\"a\":3}}",
		  "{\"kind\":\"Tier\"," API
		  ",\"metadata\":{},\"spec\":{\"a\\\"\":2,\"a\":3,\"b\":1},\"status\":{}}" },
		/* an item of a list is known by what it is, wherever it has gone */
		{ "NetworkPolicy",
		  "{\"spec\":{\"ingress\":[{\"action\":\"Allow\",\"x\":1},{\"action\":\"Deny\","
		  "\"source\":"
		  "{\"nets\":[\"10.0.0.0/8\"],\"y\":2}},{\"action\":\"Log\",\"z\":3}]}}",
		  "{\"spec\":{\"ingress\":[{\"action\":\"Pass\"},{\"action\":\"Deny\",\"source\":{"
		  "\"nets\":"
		  "[\"10.0.0.0/8\"]}},{\"action\":\"Allow\"}]}}",
		  "{\"kind\":\"NetworkPolicy\"," API
		  ",\"metadata\":{},\"spec\":{\"ingress\":[{\"action\":\"Pass\"},{\"action\":"
		  "\"Deny\",\"source\":"
		  "{\"nets\":[\"10.0.0.0/8\"],\"y\":2}},{\"action\":\"Allow\",\"x\":1}]}}" },
		/* with what it stood in, it goes */
		{ "KubeControllersConfiguration",
		  "{\"spec\":{\"controllers\":{\"node\":{\"a\":1},\"b\":2}}}", "{\"spec\":{}}",
		  "{\"kind\":\"KubeControllersConfiguration\"," API
		  ",\"metadata\":{},\"spec\":{\"controllers\":{\"b\":2}},\"status\":{}}" },
		{ "FelixConfiguration",
		  "{\"spec\":{\"failsafeInboundHostPorts\":[{\"port\":1,\"a\":2}]}}",
		  "{\"spec\":{\"failsafeInboundHostPorts\":[{\"port\":1}]}}",
		  "{\"kind\":\"FelixConfiguration\"," API
		  ",\"metadata\":{},\"spec\":{\"failsafeInboundHostPorts\":[{\"port\":1,\"a\":2}],"
		  "\"bpfLogLevel\":\"\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kind_info *k = kind_by_name(cases[i].kind);
		ProtobufCMessage *old = read_as(k->message, cases[i].stored, MAPPER_KEEP);
		ProtobufCMessage *m = read_as(k->message, cases[i].written, MAPPER_KEEP), *known;

		msg_keep_unknown(m, old);
		assert_writes(m, cases[i].out);
		msg_keep_unknown(m, old); /* once is enough */
		assert_writes(m, cases[i].out);
		msg_drop_unknown(m);
		known = msg_copy(m);
		msg_keep_unknown(m, known);
		assert_true(msg_equal(m, known));
		msg_free(known);
		msg_free(m);
		msg_free(old);
	}
}

static void members_that_nobody_knows_can_be_dropped(void **state)
{
	ProtobufCMessage *m = read_as(&v3__felix_configuration__descriptor,
	                              "{\"a\":1,\"metadata\":{\"b\":2},\"spec\":{\"c\":3,"
	                              "\"healthTimeoutOverrides\":[{\"d\":4}],"
	                              "\"routeTableRanges\":[{\"e\":5}]}}",
	                              MAPPER_KEEP);

	(void)state;
	msg_drop_unknown(m);
	assert_writes(m,
	              "{\"kind\":\"FelixConfiguration\"," API
	              ",\"metadata\":{},\"spec\":{\"healthTimeoutOverrides\":[{\"name\":\"\","
	              "\"timeout\":\"0s\"}],\"bpfLogLevel\":\"\",\"routeTableRanges\":[{\"min\":0,"
	              "\"max\":0}]}}");
	msg_free(m);
}

static void text_may_be_pretty(void **state)
{
	ProtobufCMessage *m =
	        read_as(&v3__ipam_handle__descriptor, "{\"block\":{\"b\":1}}", MAPPER_REFUSE);
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	mapper_write_text(m, 2, &out);
	assert_string_equal(buf_cstr(&out),
	                    "{\n  \"block\": {\n    \"b\": 1\n  },\n  \"deleted\": false\n}");
	msg_free(m);
}

/* A megabyte of members that nobody knows costs about as much to write as to read. */
static void many_unknown_members_take_no_longer_than_few(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 }, out = { 0 };
	struct mono_ms start = mono_now();
	ProtobufCMessage *m;
	int64_t read_ms;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_printf(&text, "%s\"k%d\":1", i ? "," : "{", i);
	buf_str(&text, "}");
	m = read_as(&v3__tier_spec__descriptor, buf_cstr(&text), MAPPER_KEEP);
	read_ms = mono_since_ms(start);
	start = mono_now();
	mapper_write_text(m, 0, &out);
	assert_true(mono_since_ms(start) <= 20 * (read_ms + 5));
	assert_string_equal(buf_cstr(&out), buf_cstr(&text));
	msg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_stored_is_read_and_written_unchanged),
		cmocka_unit_test(what_means_the_same_is_written_the_same),
		cmocka_unit_test(messages_made_by_hand_are_written_whole),
		cmocka_unit_test(errors_name_the_place),
		cmocka_unit_test(doubles_are_shortest_and_exact),
		cmocka_unit_test(unknown_members_from_strangers_do_no_harm),
		cmocka_unit_test(many_unknown_members_take_no_longer_than_few),
		cmocka_unit_test(a_read_modify_write_keeps_what_it_does_not_know),
		cmocka_unit_test(members_that_nobody_knows_can_be_dropped),
		cmocka_unit_test(text_may_be_pretty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
