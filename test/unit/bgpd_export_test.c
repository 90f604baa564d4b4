/* SPDX-License-Identifier: BSD-2-Clause */
/* What peers are told, and in how many messages: export.c over a RIB of its own, with sessions that
 * only write down what they are given. */
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "bgpd/export.h"
#include "common/base/mem.h"

#define LOCAL_AS 64512u

/* ---- sessions that are none ---- */

struct wire_log {
	struct session session;
	struct buf sent;
	const struct frame *last;
	unsigned frames;
};

struct frame *frame_new(const struct buf *b)
{
	struct frame *f = xcalloc(1, sizeof(*f) + b->len);

	f->refs = 1;
	f->len = b->len;
	memcpy(f->data, b->data, b->len);
	return f;
}

void frame_unref(struct frame *f)
{
	if (f && --f->refs == 0)
		free(f);
}

void session_send(struct session *s, struct frame *f)
{
	struct wire_log *w = container_of(s, struct wire_log, session);

	buf_add(&w->sent, f->data, f->len);
	w->last = f;
	w->frames++;
	s->queued += f->len;
}

void session_send_buf(struct session *s, const struct buf *b)
{
	struct frame *f = frame_new(b);

	session_send(s, f);
	frame_unref(f);
}

/* ---- a speaker ---- */

static struct bgpd b;
static struct config config;

struct neighbour {
	struct peer peer;
	struct config_peer cfg;
	struct wire_log wire;
};

static void on_best_changed(void *arg, struct rib_entry *e)
{
	export_changed(arg, e);
}

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	memset(&config, 0, sizeof(config));
	config.local_as = LOCAL_AS;
	b.config = &config;
	list_init(&b.peers);
	list_init(&b.groups);
	rib_init(&b.rib, on_best_changed, &b);
	fib_init(&b.fib);
	b.fib.blind = true;
	rib_source_init(&b.networks, ROUTE_NETWORK, "network");
	return 0;
}

static void turn(void)
{
	fib_recheck(&b.fib, &b.rib);
	while (rib_select(&b.rib, 1000))
		;
	export_flush(&b);
}

static struct neighbour *neighbour(const char *address, uint32_t as)
{
	struct neighbour *n = xcalloc(1, sizeof(*n));
	struct peer *p = &n->peer;

	n->cfg = (struct config_peer){ .remote_as = as };
	assert_int_equal(ip_addr_parse(address, &n->cfg.address), 0);
	p->b = &b;
	p->cfg = &n->cfg;
	rib_source_init(&p->source, ROUTE_BGP, address);
	p->source.internal = as == LOCAL_AS;
	p->source.address = n->cfg.address;
	p->source.router_id = n->cfg.address.bytes[3];
	list_init(&p->group_link);
	list_push_back(&b.peers, &p->link);
	n->wire.session.wire = (struct wire_peer){ .as4 = true,
		                                   .internal = as == LOCAL_AS,
		                                   .remote_as = LOCAL_AS,
		                                   .families = 1u << BGP_IPV4 };
	n->wire.session.local = ip_addr_v4(0x0A000001);
	p->live = &n->wire.session;
	export_join(p);
	return n;
}

static int teardown(void **state)
{
	(void)state;
	list_for_each_safe (it, &b.peers) {
		struct neighbour *n = list_entry(it, struct neighbour, peer.link);

		(void)rib_flush(&b.rib, &n->peer.source, 0xFF, false);
	}
	(void)rib_flush(&b.rib, &b.networks, 0xFF, false);
	turn();
	list_for_each_safe (it, &b.peers) {
		struct neighbour *n = list_entry(it, struct neighbour, peer.link);

		export_leave(&n->peer);
		list_unlink(&n->peer.link);
		buf_done(&n->wire.sent);
		free(n);
	}
	assert_true(list_empty(&b.groups));
	rib_done(&b.rib);
	fib_done(&b.fib);
	return 0;
}

static struct ip_prefix prefix(const char *s)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(s, &p), 0);
	return p;
}

static void network(const char *s, uint32_t local_pref)
{
	struct attr_set set = { .has = ATTR_HAS_LOCAL_PREF, .local_pref = local_pref };
	struct path_spec spec = { .preference = PREFERENCE_NETWORK };
	struct ip_prefix p = prefix(s);

	spec.attrs = attrs_intern(&b.rib.attrs, &set);
	assert_non_null(rib_set(&b.rib, &b.networks, &p, &spec));
}

/* The neighbour announces it: path of one AS where it is external. */
static void learn(struct neighbour *n, const char *s, uint32_t local_pref, uint32_t community)
{
	uint8_t as_path[6] = { BGP_AS_SEQUENCE,          1, 0, 0, (uint8_t)(n->cfg.remote_as >> 8),
		               (uint8_t)n->cfg.remote_as };
	uint8_t words[4] = { (uint8_t)(community >> 24), (uint8_t)(community >> 16),
		             (uint8_t)(community >> 8), (uint8_t)community };
	struct attr_set set = { .next_hop = n->cfg.address };
	struct path_spec spec = { .preference = PREFERENCE_BGP };
	struct ip_prefix p = prefix(s);

	if (n->peer.source.internal) {
		set.has = ATTR_HAS_LOCAL_PREF;
		set.local_pref = local_pref;
	} else {
		set.as_path = (struct attr_bytes){ as_path, sizeof(as_path) };
		set.has = ATTR_HAS_MED;
		set.med = 7;
	}
	if (community)
		set.communities = (struct attr_bytes){ words, sizeof(words) };
	spec.attrs = attrs_intern(&b.rib.attrs, &set);
	spec.nexthop = fib_nexthop(&b.fib, &set.next_hop);
	assert_non_null(rib_set(&b.rib, &n->peer.source, &p, &spec));
}

/*
 * What was sent since the last time, a word per thing: "+10.0.0.0/24", "-10.0.0.0/24", "eor", and
 * "|" between messages.
 */
static const char *told(struct neighbour *n)
{
	static struct wire_update u;
	static char text[4096];
	struct wire_message m;
	struct bgp_notice notice;
	size_t at = 0, len = 0;
	char p[IP_PREFIX_STR_MAX];
	struct ip_prefix net;

	text[0] = '\0';
	while (wire_next(n->wire.sent.data + at, n->wire.sent.len - at, &m, &notice) == 1) {
		at += m.len;
		assert_int_equal(m.type, BGP_UPDATE);
		wire_parse_update(m.body, &n->wire.session.wire, &u);
		assert_int_equal(u.verdict, BGP_ACCEPT);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", len ? " |" : "");
		while (wire_prefix(&u.withdrawn, BGP_IPV4, &net))
			len += (size_t)snprintf(text + len, sizeof(text) - len, " -%s",
			                        ip_prefix_str(&net, p));
		while (wire_prefix(&u.nlri, BGP_IPV4, &net))
			len += (size_t)snprintf(text + len, sizeof(text) - len, " +%s",
			                        ip_prefix_str(&net, p));
		if (u.end_of_rib >= 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, " eor");
		assert_true(len < sizeof(text) - 64);
	}
	assert_int_equal(at, n->wire.sent.len);
	buf_clear(&n->wire.sent);
	n->wire.frames = 0;
	return text;
}

/* The attributes of the only message that was sent. */
static struct attr_set attributes(struct neighbour *n)
{
	static struct wire_update u;
	static uint8_t copy[BGP_MESSAGE_MAX];
	struct wire_message m;
	struct bgp_notice notice;

	assert_true(n->wire.sent.len <= sizeof(copy));
	memcpy(copy, n->wire.sent.data, n->wire.sent.len);
	assert_int_equal(wire_next(copy, n->wire.sent.len, &m, &notice), 1);
	assert_int_equal(m.len, n->wire.sent.len);
	wire_parse_update(m.body, &n->wire.session.wire, &u);
	assert_true(u.has_attrs);
	return u.set;
}

/* ---- grouping and packing ---- */

static void equal_peers_get_the_same_bytes(void **state)
{
	struct neighbour *x = neighbour("10.0.0.2", LOCAL_AS), *y = neighbour("10.0.0.3", LOCAL_AS),
	                 *z = neighbour("10.0.0.4", 65001);

	(void)state;
	assert_int_equal(export_groups(&b), 2);
	assert_string_equal(told(x), " eor");
	assert_string_equal(told(y), " eor");
	assert_string_equal(told(z), " eor");
	network("10.1.0.0/26", 100);
	network("10.2.0.0/26", 100);
	network("10.3.0.0/26", 200);
	turn();
	assert_int_equal(x->wire.frames, 2); /* one per set of attributes */
	assert_ptr_equal(x->wire.last, y->wire.last);
	assert_ptr_not_equal(x->wire.last, z->wire.last);
	assert_int_equal(x->wire.sent.len, y->wire.sent.len);
	assert_memory_equal(x->wire.sent.data, y->wire.sent.data, x->wire.sent.len);
	const char *text = told(x);
	assert_non_null(strstr(text, " +10.1.0.0/26 +10.2.0.0/26"));
	assert_non_null(strstr(text, " +10.3.0.0/26"));
	(void)told(y);
	assert_int_equal(z->wire.frames, 1); /* without LOCAL_PREF all three are alike */
	assert_string_equal(told(z), " +10.1.0.0/26 +10.2.0.0/26 +10.3.0.0/26");
	turn();
	assert_string_equal(told(x), ""); /* nothing new, nothing said */
}

static void withdrawals_come_first(void **state)
{
	struct neighbour *x = neighbour("10.0.0.2", LOCAL_AS);
	struct ip_prefix gone = prefix("10.1.0.0/26");

	(void)state;
	network("10.1.0.0/26", 100);
	turn();
	(void)told(x);
	network("10.2.0.0/26", 100);
	assert_true(rib_remove(&b.rib, &b.networks, &gone));
	turn();
	assert_string_equal(told(x), " -10.1.0.0/26 | +10.2.0.0/26");
	/* There and gone within a turn is nothing at all. */
	network("10.1.0.0/26", 100);
	assert_true(rib_remove(&b.rib, &b.networks, &gone));
	turn();
	assert_string_equal(told(x), "");
}

static void a_thousand_prefixes_fill_their_messages(void **state)
{
	struct neighbour *x = neighbour("10.0.0.2", LOCAL_AS);
	struct wire_message m;
	struct bgp_notice notice;
	unsigned messages = 0;
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.0/24", i / 256, i % 256);
		network(text, 100);
	}
	(void)told(x);
	turn();
	assert_int_equal(x->wire.frames, 1);
	for (size_t at = 0; at < x->wire.sent.len; at += m.len, messages++)
		assert_int_equal(
		        wire_next(x->wire.sent.data + at, x->wire.sent.len - at, &m, &notice), 1);
	assert_int_equal(messages, 1); /* 4 octets each */
	assert_int_equal(export_told(&x->peer), 1000);
}

/* ---- who is told what ---- */

static void internal_routes_go_to_external_peers_only(void **state)
{
	struct neighbour *in1 = neighbour("10.0.0.2", LOCAL_AS),
	                 *in2 = neighbour("10.0.0.3", LOCAL_AS),
	                 *out = neighbour("10.0.0.4", 65001);
	struct attr_set set;

	(void)state;
	(void)told(in1);
	(void)told(in2);
	(void)told(out);
	learn(in1, "10.1.0.0/26", 100, 0);
	turn();
	assert_string_equal(told(in1), "");
	assert_string_equal(told(in2), "");
	set = attributes(out);
	assert_string_equal(told(out), " +10.1.0.0/26");
	assert_int_equal(attr_path_first(&set.as_path), LOCAL_AS);
	assert_int_equal(attr_path_len(&set.as_path), 1);
	assert_true(ip_addr_eq(&set.next_hop, &out->wire.session.local));
}

static void external_routes_keep_their_next_hop_inside(void **state)
{
	struct neighbour *in = neighbour("10.0.0.2", LOCAL_AS), *out = neighbour("10.0.0.4", 65001),
	                 *other = neighbour("10.0.0.5", 65002);
	struct attr_set set;

	(void)state;
	(void)told(in);
	(void)told(out);
	(void)told(other);
	learn(out, "10.1.0.0/26", 0, 0);
	turn();
	assert_string_equal(told(out), "");
	set = attributes(in);
	assert_string_equal(told(in), " +10.1.0.0/26");
	assert_true(ip_addr_eq(&set.next_hop, &out->cfg.address)); /* RFC 4271 section 5.1.3 */
	assert_int_equal(set.local_pref, 100);
	assert_true(set.has & ATTR_HAS_MED);
	assert_int_equal(attr_path_first(&set.as_path), 65001);
	set = attributes(other);
	assert_false(set.has & (ATTR_HAS_MED | ATTR_HAS_LOCAL_PREF)); /* section 5.1.4 */
	assert_int_equal(attr_path_len(&set.as_path), 2);
	assert_true(ip_addr_eq(&set.next_hop, &other->wire.session.local));
}

static void whom_a_route_now_comes_from_is_told_no_other(void **state)
{
	struct neighbour *x = neighbour("10.0.0.4", 65001), *y = neighbour("10.0.0.5", 65002);
	struct ip_prefix p = prefix("10.1.0.0/26");

	(void)state;
	(void)told(x);
	(void)told(y);
	learn(x, "10.1.0.0/26", 0, 0);
	turn();
	assert_string_equal(told(x), "");
	assert_string_equal(told(y), " +10.1.0.0/26");
	learn(y, "10.1.0.0/26", 0, 0); /* the first identifier wins: still x's */
	turn();
	assert_string_equal(told(y), "");
	assert_true(rib_remove(&b.rib, &x->peer.source, &p));
	turn();
	assert_string_equal(told(x), " +10.1.0.0/26");
	assert_string_equal(told(y), " -10.1.0.0/26");
	assert_int_equal(export_told(&x->peer), 1);
	assert_int_equal(export_told(&y->peer), 0);
}

static void communities_hold_routes_back(void **state)
{
	static const struct {
		uint32_t community;
		const char *inside, *outside;
	} cases[] = {
		{ 0, " +10.1.0.0/26", " +10.1.0.0/26" },
		{ 0xFDE80001, " +10.1.0.0/26", " +10.1.0.0/26" },
		{ BGP_NO_EXPORT, " +10.1.0.0/26", "" },
		{ BGP_NO_EXPORT_SUBCONFED, " +10.1.0.0/26", "" },
		{ BGP_NO_ADVERTISE, "", "" },
	};
	struct neighbour *from = neighbour("10.0.0.4", 65001),
	                 *in = neighbour("10.0.0.2", LOCAL_AS), *out = neighbour("10.0.0.5", 65002);
	struct ip_prefix p = prefix("10.1.0.0/26");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)told(in);
		(void)told(out);
		learn(from, "10.1.0.0/26", 0, cases[i].community);
		turn();
		assert_string_equal(told(in), cases[i].inside);
		assert_string_equal(told(out), cases[i].outside);
		assert_true(rib_remove(&b.rib, &from->peer.source, &p));
		turn();
	}
}

/* ---- a slow peer ---- */

static void a_slow_peer_gets_what_is_true_when_it_has_room(void **state)
{
	struct neighbour *slow = neighbour("10.0.0.2", LOCAL_AS),
	                 *quick = neighbour("10.0.0.3", LOCAL_AS);
	struct ip_prefix first = prefix("10.1.0.0/26"), second = prefix("10.2.0.0/26");

	(void)state;
	network("10.1.0.0/26", 100);
	turn();
	(void)told(slow);
	(void)told(quick);
	slow->wire.session.queued = SESSION_QUEUE_HIGH + 1;
	network("10.2.0.0/26", 100);
	turn();
	assert_true(rib_remove(&b.rib, &b.networks, &second));
	assert_true(rib_remove(&b.rib, &b.networks, &first));
	network("10.3.0.0/26", 100);
	turn();
	assert_string_equal(told(slow), "");
	assert_string_equal(told(quick),
	                    " +10.2.0.0/26 | -10.1.0.0/26 -10.2.0.0/26 | +10.3.0.0/26");
	slow->wire.session.queued = 0;
	export_resume(&slow->peer);
	assert_string_equal(told(slow), " -10.1.0.0/26 -10.2.0.0/26 | +10.3.0.0/26");
	export_resume(&slow->peer);
	assert_string_equal(told(slow), "");
}

/* RFC 4724 section 4.1: after the routes; who gets it earlier throws away what it kept of them. */
static void end_of_rib_waits_for_what_was_missed(void **state)
{
	struct neighbour *slow;

	(void)state;
	network("10.1.0.0/26", 100);
	turn();
	slow = neighbour("10.0.0.2", LOCAL_AS);
	assert_string_equal(told(slow), " +10.1.0.0/26 | eor");
	slow->wire.session.queued = SESSION_QUEUE_HIGH + 1;
	export_again(&slow->peer, BGP_IPV4);
	assert_string_equal(told(slow), "");
	slow->wire.session.queued = 0;
	export_resume(&slow->peer);
	assert_string_equal(told(slow), " +10.1.0.0/26 | eor");
	export_resume(&slow->peer);
	assert_string_equal(told(slow), "");
}

/* ---- another configuration ---- */

static void a_peer_that_changes_its_group_is_told_the_difference(void **state)
{
	static const struct policy nothing;
	struct neighbour *x = neighbour("10.0.0.2", LOCAL_AS), *y = neighbour("10.0.0.3", LOCAL_AS);

	(void)state;
	network("10.1.0.0/26", 100);
	turn();
	(void)told(x);
	(void)told(y);
	y->cfg.export = &nothing;
	export_regroup(&b);
	assert_int_equal(export_groups(&b), 2);
	assert_string_equal(told(x), "");
	assert_string_equal(told(y), " -10.1.0.0/26");
	y->cfg.export = NULL;
	export_regroup(&b);
	assert_string_equal(told(y), " +10.1.0.0/26");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(equal_peers_get_the_same_bytes),
		TEST(withdrawals_come_first),
		TEST(a_thousand_prefixes_fill_their_messages),
		TEST(internal_routes_go_to_external_peers_only),
		TEST(external_routes_keep_their_next_hop_inside),
		TEST(whom_a_route_now_comes_from_is_told_no_other),
		TEST(communities_hold_routes_back),
		TEST(a_slow_peer_gets_what_is_true_when_it_has_room),
		TEST(end_of_rib_waits_for_what_was_missed),
		TEST(a_peer_that_changes_its_group_is_told_the_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
