/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages: the cases of RFC 4271 section 6, RFC 5492, RFC 6286, RFC 7606, RFC 7607, RFC 9072, in
 * their order. */
#include "test/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "bgpd/wire.h"
#include "common/base/mem.h"

static size_t hex(const char *s, uint8_t *out)
{
	size_t n = 0;
	unsigned v;

	while (*s) {
		if (*s == ' ') {
			s++;
			continue;
		}
		assert_int_equal(sscanf(s, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		s += 2;
	}
	return n;
}

/* ---- the header ---- */

static void headers(void **state)
{
	static const char ff[] = "ffffffffffffffffffffffffffffffff ";
	static const struct {
		const char *rest;
		int want;
		uint8_t code, subcode;
		const char *data;
	} cases[] = {
		{ "0013 04", 1, 0, 0, "" },
		{ "0012 04", -1, 1, 2, "0012" },        /* shorter than a header */
		{ "0014 04 00", -1, 1, 2, "0014" },     /* KEEPALIVE of 20 */
		{ "1001 02", -1, 1, 2, "1001" },        /* 4097 */
		{ "0016 02 000000", -1, 1, 2, "0016" }, /* UPDATE of 22 */
		{ "001c 01", -1, 1, 2, "001c" },        /* OPEN of 28 */
		{ "0014 03 06", -1, 1, 2, "0014" },     /* NOTIFICATION of 20 */
		{ "0016 05 000100", -1, 1, 2, "0016" }, /* ROUTE-REFRESH of 22 */
		{ "0013 09", -1, 1, 3, "09" },          /* unknown type */
		{ "0013 00", -1, 1, 3, "00" },
		{ "0005 09", -1, 1, 2, "0005" }, /* both wrong: the length is told */
		{ "0017 02 0000", 0, 0, 0, "" }, /* not yet whole */
		{ "0013", 0, 0, 0, "" },
	};
	uint8_t b[64], data[8];
	struct wire_message m;
	struct bgp_notice n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[128];

		(void)snprintf(text, sizeof(text), "%s%s", ff, cases[i].rest);
		size_t len = hex(text, b);

		memset(&n, 0, sizeof(n));
		if (wire_next(b, len, &m, &n) != cases[i].want || n.code != cases[i].code ||
		    n.subcode != cases[i].subcode)
			fail_msg("header '%s': %u/%u", cases[i].rest, n.code, n.subcode);
		assert_int_equal(n.len, hex(cases[i].data, data));
		assert_memory_equal(n.data, data, n.len);
	}
	/* A marker with one wrong bit, wherever it is, and as soon as it has come. */
	for (size_t i = 0; i < 16; i++) {
		memset(b, 0xFF, sizeof(b));
		b[i] = 0xFE;
		assert_int_equal(wire_next(b, i + 1, &m, &n), -1);
		assert_int_equal(n.code, 1);
		assert_int_equal(n.subcode, 1);
	}
}

/* ---- OPEN ---- */

static void opens(void **state)
{
	static const struct {
		const char *name, *body;
		uint8_t code, subcode;
		const char *data;
	} cases[] = {
		{ "no optional parameters", "04 fde9 00b4 0a000001 00", 0, 0, "" },
		{ "version 3", "03 fde9 00b4 0a000001 00", 2, 1, "0004" },
		{ "version 5", "05 fde9 00b4 0a000001 00", 2, 1, "0004" },
		{ "AS 0", "04 0000 00b4 0a000001 00", 2, 2, "" },
		{ "hold 0", "04 fde9 0000 0a000001 00", 0, 0, "" },
		{ "hold 1", "04 fde9 0001 0a000001 00", 2, 6, "0001" },
		{ "hold 2", "04 fde9 0002 0a000001 00", 2, 6, "0002" },
		{ "hold 3", "04 fde9 0003 0a000001 00", 0, 0, "" },
		{ "identifier 0", "04 fde9 00b4 00000000 00", 2, 3, "" },
		{ "identifier 224.0.0.1", "04 fde9 00b4 e0000001 00", 0, 0, "" },
		{ "parameter type 1", "04 fde9 00b4 0a000001 02 0100", 2, 4, "" },
		{ "parameter type 77", "04 fde9 00b4 0a000001 03 4d0100", 2, 4, "" },
		{ "parameters overrun the message", "04 fde9 00b4 0a000001 08 0200", 2, 0, "" },
		{ "octets behind the parameters", "04 fde9 00b4 0a000001 00 00", 2, 0, "" },
		{ "parameter overruns", "04 fde9 00b4 0a000001 02 0206", 2, 0, "" },
		{ "parameter without length", "04 fde9 00b4 0a000001 01 02", 2, 0, "" },
		{ "capability overruns", "04 fde9 00b4 0a000001 04 0202 4104", 2, 0, "" },
		{ "capability without length", "04 fde9 00b4 0a000001 03 0201 02", 2, 0, "" },
		{ "MP capability of 3", "04 fde9 00b4 0a000001 07 0205 0103 000100", 2, 0, "" },
		{ "AS4 capability of 2", "04 fde9 00b4 0a000001 06 0204 4102 fde9", 2, 0, "" },
		{ "AS4 capability with AS 0", "04 fde9 00b4 0a000001 08 0206 4104 00000000", 2, 2,
		  "" },
		{ "unknown capability 200", "04 fde9 00b4 0a000001 05 0203 c801ff", 0, 0, "" },
		{ "capability of no length", "04 fde9 00b4 0a000001 04 0202 0200", 0, 0, "" },
		{ "RFC 9072", "04 fde9 00b4 0a000001 ff ff 0009 02 0006 4104 0000fde9", 0, 0, "" },
		{ "RFC 9072, overrun", "04 fde9 00b4 0a000001 ff ff 000a 02 0006 4104 0000fde9", 2,
		  0, "" },
		{ "RFC 9072, parameter overruns",
		  "04 fde9 00b4 0a000001 ff ff 0009 02 0007 4104 0000fde9", 2, 0, "" },
	};
	uint8_t b[256], data[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = hex(cases[i].body, b);
		struct wire_open o;
		struct bgp_notice n = { 0 };
		bool ok = wire_parse_open(cursor_of(b, len), &o, &n);

		if (ok != (cases[i].code == 0) || n.code != cases[i].code ||
		    n.subcode != cases[i].subcode)
			fail_msg("%s: %u/%u", cases[i].name, n.code, n.subcode);
		assert_int_equal(n.len, hex(cases[i].data, data));
		assert_memory_equal(n.data, data, n.len);
	}
}

static const struct wire_open full_open = {
	.as = 4200000001u,
	.hold_sec = 90,
	.id = 0x0a000001,
	.as4 = true,
	.refresh = true,
	.families = 3,
	.gr = true,
	.gr_restarting = true,
	.gr_sec = 120,
	.gr_families = 3,
	.gr_forwarding = 1,
};

static void open_survives_the_wire(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct wire_message m;
	struct bgp_notice n;
	struct wire_open o;

	(void)state;
	wire_build_open(&b, &full_open);
	assert_int_equal(wire_next(b.data, b.len, &m, &n), 1);
	assert_int_equal(m.type, BGP_OPEN);
	assert_true(wire_parse_open(m.body, &o, &n));
	assert_memory_equal(&o, &full_open, sizeof(o));
	assert_int_equal(b.data[20] << 8 | b.data[21], BGP_AS_TRANS);
	/* Every truncation of it, with lengths that do not say so, is refused. */
	for (size_t i = 0; i < cursor_left(&m.body); i++)
		assert_false(wire_parse_open(cursor_of(m.body.at, i), &o, &n));
	/* ... and no truncation of the stream is a message. */
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(wire_next(b.data, i, &m, &n), 0);
}

static void open_of_an_old_speaker_means_ipv4(void **state)
{
	uint8_t b[32];
	struct wire_open o;
	struct bgp_notice n;

	(void)state;
	assert_true(wire_parse_open(cursor_of(b, hex("04 fde9 00b4 0a000001 00", b)), &o, &n));
	assert_int_equal(o.families, 1u << BGP_IPV4);
	assert_int_equal(o.as, 65001);
	assert_false(o.as4 || o.gr || o.refresh);
}

/* ---- UPDATE: the cases of RFC 7606, each attribute first, in the middle and last ---- */

#define ORIGIN "400101 00"
#define PATH "4002 06 0201 0000fde9" /* 65001 */
#define HOP "400304 0a000002"
#define LP "400504 00000064"
#define MED "800404 0000000a"
#define EBGP 0
#define IBGP 1

struct update_case {
	const char *name, *bad; /* beside what a good message has */
	const char *instead;    /* of: the attribute that bad replaces, or NULL */
	int internal;
	enum bgp_verdict want;
	uint8_t subcode; /* for BGP_RESET */
};

static const struct update_case update_cases[] = {
	{ "control", "", NULL, EBGP, BGP_ACCEPT, 0 },
	{ "ORIGIN value 3", "400101 03", ORIGIN, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGIN length 2", "400102 0000", ORIGIN, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGIN length 0", "400100", ORIGIN, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGIN flags c0", "c00101 00", ORIGIN, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGIN flags 60", "600101 00", ORIGIN, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGIN with extended length", "50010001 00", ORIGIN, EBGP, BGP_ACCEPT, 0 },
	{ "AS_PATH flags c0", "c00206 0201 0000fde9", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH segment type 5", "400206 0501 0000fde9", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH segment overrun", "400206 0202 0000fde9", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH trailing octet", "400207 0201 0000fde9 02", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH zero-length segment", "400208 0201 0000fde9 0200", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH with AS 0", "40020a 0202 0000fde9 00000000", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH of another AS first", "400206 0201 0000fdea", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH empty from outside", "400200", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH empty from inside", "400200", PATH, IBGP, BGP_ACCEPT, 0 },
	{ "AS_CONFED_SEQUENCE", "400206 0301 0000fde9", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_SET behind a sequence", "40020c 0201 0000fde9 0101 0000fdea", PATH, EBGP, BGP_ACCEPT,
	  0 },
	{ "NEXT_HOP length 3", "400303 0a0000", HOP, EBGP, BGP_WITHDRAW, 0 },
	{ "NEXT_HOP length 5", "400305 0a00000200", HOP, EBGP, BGP_WITHDRAW, 0 },
	{ "NEXT_HOP 0.0.0.0", "400304 00000000", HOP, EBGP, BGP_WITHDRAW, 0 },
	{ "NEXT_HOP 224.0.0.1", "400304 e0000001", HOP, EBGP, BGP_WITHDRAW, 0 },
	{ "NEXT_HOP 127.0.0.1", "400304 7f000001", HOP, EBGP, BGP_WITHDRAW, 0 },
	{ "MED length 3", "800403 000000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "MED flags 40", "400404 00000000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "LOCAL_PREF from outside", LP, NULL, EBGP, BGP_DISCARD, 0 },
	{ "LOCAL_PREF from outside, length 3", "400503 000000", NULL, EBGP, BGP_DISCARD, 0 },
	{ "LOCAL_PREF length 3", "400503 000000", LP, IBGP, BGP_WITHDRAW, 0 },
	{ "LOCAL_PREF missing", "", LP, IBGP, BGP_WITHDRAW, 0 },
	{ "ATOMIC_AGGREGATE length 1", "400601 00", NULL, EBGP, BGP_DISCARD, 0 },
	{ "ATOMIC_AGGREGATE flags c0", "c00600", NULL, EBGP, BGP_DISCARD, 0 },
	{ "AGGREGATOR length 7", "c00707 00000000000000", NULL, EBGP, BGP_DISCARD, 0 },
	{ "AGGREGATOR AS 0", "c00708 00000000 0a000001", NULL, EBGP, BGP_DISCARD, 0 },
	{ "AGGREGATOR", "c00708 0000fde9 0a000001", NULL, EBGP, BGP_ACCEPT, 0 },
	{ "COMMUNITIES length 5", "c00805 0000000000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "COMMUNITIES length 0", "c00800", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGINATOR_ID from outside", "800904 0a000001", NULL, EBGP, BGP_DISCARD, 0 },
	{ "ORIGINATOR_ID length 3", "800903 0a0000", NULL, IBGP, BGP_WITHDRAW, 0 },
	{ "CLUSTER_LIST length 6", "800a06 000000000000", NULL, IBGP, BGP_WITHDRAW, 0 },
	{ "CLUSTER_LIST length 0", "800a00", NULL, IBGP, BGP_WITHDRAW, 0 },
	{ "CLUSTER_LIST from outside", "800a04 0a000001", NULL, EBGP, BGP_DISCARD, 0 },
	{ "EXTENDED_COMMUNITIES length 7", "c01007 00000000000000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "EXTENDED_COMMUNITIES length 0", "c01000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "IPV6_EXTENDED_COMMUNITIES length 19", "c01913 00000000000000000000000000000000000000",
	  NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "LARGE_COMMUNITIES length 11", "c0200b 0000000000000000000000", NULL, EBGP, BGP_WITHDRAW,
	  0 },
	{ "LARGE_COMMUNITIES length 0", "c02000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "AS4_PATH from a four-octet peer", "c01106 0201 0000fde9", NULL, EBGP, BGP_DISCARD, 0 },
	{ "AS4_AGGREGATOR length 7", "c01207 00000000000000", NULL, EBGP, BGP_DISCARD, 0 },
	{ "ONLY_TO_CUSTOMER length 3", "c02303 000000", NULL, EBGP, BGP_WITHDRAW, 0 },
	{ "ONLY_TO_CUSTOMER", "c02304 0000fde9", NULL, EBGP, BGP_ACCEPT, 0 },
	{ "ORIGIN missing", "", ORIGIN, EBGP, BGP_WITHDRAW, 0 },
	{ "AS_PATH missing", "", PATH, EBGP, BGP_WITHDRAW, 0 },
	{ "NEXT_HOP missing", "", HOP, EBGP, BGP_WITHDRAW, 0 },
	{ "ORIGIN twice", "400101 02", NULL, EBGP, BGP_DISCARD, 0 },
	{ "MP_UNREACH twice", "800f03 000201 800f03 000201", NULL, EBGP, BGP_RESET, 1 },
	{ "MP_REACH twice", "800e05 0002010000 800e05 0002010000", NULL, EBGP, BGP_RESET, 9 },
	{ "unknown optional transitive", "c06302 0102", NULL, EBGP, BGP_ACCEPT, 0 },
	{ "unknown optional non-transitive", "806302 0102", NULL, EBGP, BGP_ACCEPT, 0 },
	{ "unknown well-known", "406302 0102", NULL, EBGP, BGP_RESET, 2 },
	{ "attribute type 0", "c00001 01", NULL, EBGP, BGP_ACCEPT, 0 },
	{ "MP_REACH next hop of 5", "800e0b 000201 05 0102030405 00 00", NULL, EBGP, BGP_RESET, 9 },
	{ "MP_REACH of 3", "800e03 000201", NULL, EBGP, BGP_RESET, 9 },
	{ "MP_REACH of 2", "800e02 0002", NULL, EBGP, BGP_RESET, 9 },
	{ "MP_UNREACH of 2", "800f02 0002", NULL, EBGP, BGP_RESET, 9 },
	{ "MP_REACH with a prefix of 129",
	  "800e17 000201 10 20010db8000000000000000000000001 00 8120", NULL, EBGP, BGP_RESET, 10 },
	{ "MP_REACH of a family not negotiated", "800e05 00190100 00", NULL, EBGP, BGP_DISCARD, 0 },
	{ "MP_REACH with wrong flags",
	  "c00e1a 000201 10 20010db8000000000000000000000001 00 20 20010db8", NULL, EBGP,
	  BGP_WITHDRAW, 0 },
};

static size_t build_update(const struct update_case *c, int place, uint8_t *out)
{
	static const char *const good[] = { ORIGIN, PATH, HOP, LP };
	uint8_t attrs[1024];
	size_t len = 0, at = 0;
	int n = c->internal ? 4 : 3;

	if (place == 0)
		len += hex(c->bad, attrs + len);
	for (int i = 0; i < n; i++) {
		if (place == 1 && i == 1)
			len += hex(c->bad, attrs + len);
		if (!c->instead || strcmp(c->instead, good[i]) != 0)
			len += hex(good[i], attrs + len);
	}
	if (place == 2)
		len += hex(c->bad, attrs + len);
	at += hex("0000", out);
	out[at++] = (uint8_t)(len >> 8);
	out[at++] = (uint8_t)len;
	memcpy(out + at, attrs, len);
	at += len;
	at += hex("18 140001 18 140002", out + at); /* 20.0.1.0/24, 20.0.2.0/24 */
	return at;
}

static struct wire_peer peer_of(int internal)
{
	return (struct wire_peer){
		.as4 = true, .internal = internal, .remote_as = 65001, .families = 3
	};
}

static struct wire_update u; /* large */

static void updates(void **state)
{
	uint8_t b[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(update_cases); i++)
		for (int place = 0; place < 3; place++) {
			const struct update_case *c = &update_cases[i];
			size_t len = build_update(c, place, b), prefixes = 0;
			struct wire_peer peer = peer_of(c->internal);
			struct ip_prefix p;

			if (strcmp(c->name, "ORIGIN twice") == 0 && place == 0)
				continue; /* then the bad one is the first, which counts */
			wire_parse_update(cursor_of(b, len), &peer, &u);
			if (u.verdict != c->want ||
			    (c->want == BGP_RESET && u.notice.subcode != c->subcode))
				fail_msg("%s, place %d: verdict %d, %u/%u %s", c->name, place,
				         u.verdict, u.notice.code, u.notice.subcode,
				         u.why ? u.why : "");
			assert_int_equal(u.has_attrs, c->want < BGP_WITHDRAW);
			if (c->want == BGP_RESET) {
				assert_int_equal(u.notice.code, 3);
				continue;
			}
			/* Whatever the attributes say, the prefixes are found. */
			while (wire_prefix(&u.nlri, BGP_IPV4, &p))
				prefixes++;
			assert_int_equal(prefixes, 2);
		}
}

static void update_lengths(void **state)
{
	static const struct {
		const char *name, *body;
		enum bgp_verdict want;
		uint8_t subcode;
	} cases[] = {
		{ "attribute overruns the list",
		  "0000 0010" ORIGIN PATH "4003 05"
		  "18 140001",
		  BGP_WITHDRAW, 0 },
		{ "two octets left over",
		  "0000 0016" ORIGIN PATH HOP "4004"
		  "18 140001",
		  BGP_WITHDRAW, 0 },
		{ "attributes longer than the message", "0000 0040" ORIGIN, BGP_RESET, 1 },
		{ "withdrawn longer than the message", "0040 0000", BGP_RESET, 1 },
		{ "prefix length 33", "0000 0014" ORIGIN PATH HOP "21 14000100 00", BGP_RESET, 10 },
		{ "prefix cut short", "0000 0014" ORIGIN PATH HOP "18 1400", BGP_RESET, 10 },
		{ "withdrawn prefix of 40", "0006 28 1400010000 0000", BGP_RESET, 10 },
		{ "default route", "0000 0014" ORIGIN PATH HOP "00", BGP_ACCEPT, 0 },
		{ "host bits set", "0000 0014" ORIGIN PATH HOP "14 1400ff", BGP_ACCEPT, 0 },
		{ "end of rib", "0000 0000", BGP_ACCEPT, 0 },
		{ "no attribute list", "0000", BGP_RESET, 1 },
	};
	struct wire_peer peer = peer_of(EBGP);
	uint8_t b[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		wire_parse_update(cursor_of(b, hex(cases[i].body, b)), &peer, &u);
		if (u.verdict != cases[i].want ||
		    (u.verdict == BGP_RESET && u.notice.subcode != cases[i].subcode))
			fail_msg("%s: verdict %d, %u/%u", cases[i].name, u.verdict, u.notice.code,
			         u.notice.subcode);
		assert_int_equal(u.end_of_rib,
		                 strcmp(cases[i].name, "end of rib") == 0 ? BGP_IPV4 : -1);
		if (strcmp(cases[i].name, "host bits set") == 0) {
			struct ip_prefix p;
			char text[IP_PREFIX_STR_MAX];

			assert_true(wire_prefix(&u.nlri, BGP_IPV4, &p));
			assert_string_equal(ip_prefix_str(&p, text), "20.0.240.0/20");
		}
	}
}

static void every_truncation_of_an_update_is_judged(void **state)
{
	struct wire_peer peer = peer_of(IBGP);
	uint8_t b[2048];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(update_cases); i++) {
		len = build_update(&update_cases[i], 2, b);
		for (size_t cut = 0; cut < len; cut++) {
			uint8_t *copy = xmemdup(
			        b,
			        cut ? cut : 1); /* so that a sanitizer sees a read behind the end */

			wire_parse_update(cursor_of(copy, cut), &peer, &u);
			if (cut < 4)
				assert_int_equal(u.verdict, BGP_RESET);
			free(copy);
		}
	}
}

static void unknown_transitive_attributes_are_passed_on_as_partial(void **state)
{
	static const struct update_case c = { "", "c06302 0102", NULL, EBGP, BGP_ACCEPT, 0 };
	struct wire_peer peer = peer_of(EBGP);
	CLEANUP(buf_done) struct buf out = { 0 };
	uint8_t b[512], want[16];
	size_t n;

	(void)state;
	wire_parse_update(cursor_of(b, build_update(&c, 1, b)), &peer, &u);
	n = hex("e06302 0102", want);
	assert_int_equal(u.set.unknown.len, n);
	assert_memory_equal(u.set.unknown.p, want, n);
	wire_build_attrs(&out, &u.set, true, false);
	assert_memory_equal(out.data + out.len - n, want, n);
}

static void two_octet_peers_keep_wide_as_numbers_in_as4_path(void **state)
{
	/* 65001 4200000001 {4200000002} through a peer that knows two octets only, and back. */
	static const uint8_t path[] = { 2,    2,    0, 0, 0xfd, 0xe9, 0xfa, 0x56,
		                        0xea, 0x01, 1, 1, 0xfa, 0x56, 0xea, 0x02 };
	struct attr_set set = { .as_path = { path, sizeof(path) },
		                .next_hop = ip_addr_v4(0x0a000002) };
	struct wire_peer old = {
		.as4 = false, .internal = false, .remote_as = 65001, .families = 1
	};
	struct ip_prefix p = { ip_addr_v4(0x14000100), 24 };
	CLEANUP(buf_done) struct buf attrs = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	CLEANUP(buf_done) struct buf text = { 0 };

	(void)state;
	wire_build_attrs(&attrs, &set, false, false);
	assert_int_equal(wire_build_updates(&out, BGP_IPV4, &set, &attrs, &p, 1), 0);
	wire_parse_update(cursor_of(out.data + BGP_HEADER_LEN, out.len - BGP_HEADER_LEN), &old, &u);
	assert_int_equal(u.verdict, BGP_ACCEPT);
	attr_path_str(&u.set.as_path, &text);
	assert_string_equal(buf_cstr(&text), "65001 4200000001 {4200000002}");
}

static void prefixes_are_packed_and_come_back(void **state)
{
	enum {
		N = 3000
	};
	struct ip_prefix *prefixes = xcalloc(N, sizeof(*prefixes)), p;
	static const uint8_t path[] = { 2, 1, 0, 0, 0xfd, 0xe9 };

	(void)state;
	for (int family = 0; family < BGP_FAMILIES; family++)
		for (int withdraw = 0; withdraw < 2; withdraw++) {
			CLEANUP(buf_done) struct buf attrs = { 0 };
			CLEANUP(buf_done) struct buf out = { 0 };
			struct attr_set set = { .as_path = { path, sizeof(path) } };
			struct wire_peer peer = peer_of(EBGP);
			struct wire_message m;
			struct bgp_notice n;
			size_t at = 0, seen = 0, messages = 0;

			for (unsigned i = 0; i < N; i++) {
				uint8_t bytes[16] = { 0x20,       1,    (uint8_t)(i >> 8),
					              (uint8_t)i, 0x11, 0x22 };

				prefixes[i].addr = ip_addr_from_bytes(bgp_family_af(family), bytes);
				prefixes[i].len = (uint8_t)(family == BGP_IPV4 ? 32 : 33 + i % 96);
				prefixes[i] = ip_prefix_network(&prefixes[i]);
			}
			set.next_hop = prefixes[7].addr;
			wire_build_attrs(&attrs, &set, true, false);
			assert_int_equal(wire_build_updates(&out, family, withdraw ? NULL : &set,
			                                    &attrs, prefixes, N),
			                 0);
			for (; at < out.len; at += m.len, messages++) {
				assert_int_equal(wire_next(out.data + at, out.len - at, &m, &n), 1);
				wire_parse_update(m.body, &peer, &u);
				assert_int_equal(u.verdict, BGP_ACCEPT);
				struct cursor list =
				        family == BGP_IPV4 ? (withdraw ? u.withdrawn : u.nlri)
				                           : (withdraw ? u.mp_unreach : u.mp_reach);

				while (wire_prefix(&list, family, &p))
					assert_true(ip_prefix_eq(&p, &prefixes[seen++]));
			}
			assert_int_equal(seen, N);
			assert_true(messages <= (family == BGP_IPV4 ? 4u : 11u));
		}
	free(prefixes);
}

static void end_of_rib_of_each_family(void **state)
{
	struct wire_peer peer = peer_of(EBGP);

	(void)state;
	for (int f = 0; f < BGP_FAMILIES; f++) {
		CLEANUP(buf_done) struct buf out = { 0 };
		struct wire_message m;
		struct bgp_notice n;

		wire_build_end_of_rib(&out, f);
		assert_int_equal(wire_next(out.data, out.len, &m, &n), 1);
		wire_parse_update(m.body, &peer, &u);
		assert_int_equal(u.verdict, BGP_ACCEPT);
		assert_int_equal(u.end_of_rib, f);
	}
	/* Of a family that was not negotiated: nothing. */
	uint8_t b[32];

	wire_parse_update(cursor_of(b, hex("0000 0006 800f03 001901", b)), &peer, &u);
	assert_int_equal(u.end_of_rib, -1);
}

static void an_attribute_that_leaves_no_room_is_not_sent(void **state)
{
	static uint8_t communities[4092];
	struct attr_set set = { .communities = { communities, 4092 },
		                .next_hop = ip_addr_v4(1u << 24) };
	struct ip_prefix p = { ip_addr_v4(0x14000100), 24 };
	CLEANUP(buf_done) struct buf attrs = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	wire_build_attrs(&attrs, &set, true, true);
	assert_int_equal(wire_build_updates(&out, BGP_IPV4, &set, &attrs, &p, 1), 1);
	assert_int_equal(out.len, 0);
}

static void the_small_messages(void **state)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct bgp_notice n = { .code = 6, .subcode = 2, .len = 3, .data = { 2, 'h', 'i' } }, back;
	struct wire_message m;
	enum bgp_family f;
	uint8_t b[8];
	char text[80];

	(void)state;
	wire_build_notification(&out, &n);
	assert_int_equal(wire_next(out.data, out.len, &m, &back), 1);
	memset(&back, 0, sizeof(back));
	assert_true(wire_parse_notification(m.body, &back));
	assert_memory_equal(&n, &back, sizeof(n));
	assert_string_equal(bgp_notice_str(&n, text, sizeof(text)), "6/2 administrative shutdown");
	buf_clear(&out);
	wire_build_refresh(&out, BGP_IPV6);
	assert_int_equal(wire_next(out.data, out.len, &m, &back), 1);
	assert_true(wire_parse_refresh(m.body, &f));
	assert_int_equal(f, BGP_IPV6);
	assert_false(wire_parse_refresh(cursor_of(b, hex("0019 00 01", b)), &f)); /* AFI 25 */
	assert_false(wire_parse_refresh(cursor_of(b, hex("0001 00 80", b)), &f)); /* SAFI 128 */
}

static void martians(void **state)
{
	static const struct {
		const char *prefix;
		bool martian;
	} cases[] = {
		{ "224.1.0.0/16", true }, { "127.0.0.0/8", true }, { "0.0.0.0/0", false },
		{ "240.0.0.0/8", false }, { "10.0.0.0/8", false }, { "ff02::/16", true },
		{ "fe80::/64", true },    { "::1/128", true },     { "2001:db8::/32", false },
		{ "::/0", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_prefix p;

		assert_int_equal(ip_prefix_parse(cases[i].prefix, &p), 0);
		if (wire_prefix_is_martian(&p) != cases[i].martian)
			fail_msg("%s", cases[i].prefix);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(opens),
		cmocka_unit_test(open_survives_the_wire),
		cmocka_unit_test(open_of_an_old_speaker_means_ipv4),
		cmocka_unit_test(updates),
		cmocka_unit_test(update_lengths),
		cmocka_unit_test(every_truncation_of_an_update_is_judged),
		cmocka_unit_test(unknown_transitive_attributes_are_passed_on_as_partial),
		cmocka_unit_test(two_octet_peers_keep_wide_as_numbers_in_as4_path),
		cmocka_unit_test(prefixes_are_packed_and_come_back),
		cmocka_unit_test(end_of_rib_of_each_family),
		cmocka_unit_test(an_attribute_that_leaves_no_room_is_not_sent),
		cmocka_unit_test(the_small_messages),
		cmocka_unit_test(martians),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
