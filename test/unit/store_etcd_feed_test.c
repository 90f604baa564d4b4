/* SPDX-License-Identifier: BSD-2-Clause */
/* What a watcher is told of etcd's answers. */
#include "test/unit/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/store/etcd_feed.h"

#define POOLS "/calico/resources/v3/projectcalico.org/ippools/"

static struct buf told;

static void on_update(void *arg, const struct resource *r)
{
	(void)arg;
	if (r->revision != 1) /* the profile that is always there */
		buf_printf(&told, "+%s@%" PRIu64 " ", r->name, r->revision);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	(void)kind;
	(void)ns;
	buf_printf(&told, "-%s ", name);
}

static const struct store_watch_ops ops = { .on_update = on_update, .on_remove = on_remove };

static void expect(const char *want)
{
	assert_string_equal(buf_cstr(&told), want);
	buf_clear(&told);
}

struct change {
	const char *key; /* behind POOLS, or a whole one; NULL ends */
	int64_t revision;
	const char *value; /* NULL: an object; "-": a deletion */
};

static Etcd__KeyValue kv_of(const struct change *c, char key[200], char value[200])
{
	Etcd__KeyValue kv = ETCD__KEY_VALUE__INIT;

	snprintf(key, 200, "%s%s", c->key[0] == '/' ? "" : POOLS, c->key);
	snprintf(value, 200, "{\"metadata\":{\"name\":\"%s\"},\"spec\":{}}", c->key);
	if (c->value)
		snprintf(value, 200, "%s", c->value);
	kv.key = (ProtobufCBinaryData){ strlen(key), (uint8_t *)key };
	kv.value = (ProtobufCBinaryData){ strlen(value), (uint8_t *)value };
	kv.mod_revision = c->revision;
	kv.version = 1;
	return kv;
}

static void item(struct etcd_feed *f, const char *key, int64_t revision)
{
	struct change c = { key, revision, NULL };
	char k[200], v[200];
	Etcd__KeyValue kv = kv_of(&c, k, v);

	etcd_feed_item(f, &kv);
}

static void events(struct etcd_feed *f, bool fragment, const struct change *changes)
{
	Etcd__WatchResponse m = ETCD__WATCH_RESPONSE__INIT;
	Etcd__Event e[16], *list[16];
	Etcd__KeyValue kv[16];
	char k[16][200], v[16][200];

	m.fragment = fragment;
	m.events = list;
	for (; changes[m.n_events].key; m.n_events++) {
		size_t i = m.n_events;

		etcd__event__init(&e[i]);
		kv[i] = kv_of(&changes[i], k[i], v[i]);
		e[i].kv = &kv[i];
		if (changes[i].value && strcmp(changes[i].value, "-") == 0) {
			e[i].type = ETCD__EVENT__TYPE__DELETE;
			kv[i].value.len = 0;
			kv[i].version = 0;
		}
		list[i] = &e[i];
	}
	etcd_feed_events(f, &m);
}
#define P(key, revision)                                                                           \
	{                                                                                          \
		key, revision, NULL                                                                \
	}
#define V(key, revision, value)                                                                    \
	{                                                                                          \
		key, revision, value                                                               \
	}
#define D(key, revision)                                                                           \
	{                                                                                          \
		key, revision, "-"                                                                 \
	}
#define EVENTS(f, fragment, ...) events(f, fragment, (struct change[]){ __VA_ARGS__, P(NULL, 0) })

static void a_snapshot_then_deltas(void **state)
{
	struct etcd_feed f;

	(void)state;
	etcd_feed_init(&f, NULL, 0, &ops, NULL);
	etcd_feed_snapshot(&f);
	item(&f, "a", 5);
	item(&f, "b", 7);
	etcd_feed_snapshot_end(&f, 9);
	expect("+a@5 +b@7 ");
	EVENTS(&f, false, P("a", 10), D("b", 11), P("c", 12));
	expect("+a@10 -b +c@12 ");
	assert_int_equal(f.delivered, 12);
	/* A server that repeats itself tells nobody anything. */
	EVENTS(&f, false, P("a", 10), D("b", 11), P("c", 12), P("c", 13));
	expect("+c@13 ");
	assert_int_equal(f.old, 3);
	EVENTS(&f, false, D("b", 14)); /* it was not there */
	expect("");
	etcd_feed_done(&f);
}

static void a_resync_tells_true_differences(void **state)
{
	struct etcd_feed f;

	(void)state;
	etcd_feed_init(&f, NULL, 0, &ops, NULL);
	etcd_feed_snapshot(&f);
	for (int i = 0; i < 3; i++)
		item(&f, (const char *[]){ "a", "b", "c" }[i], 2 + i);
	etcd_feed_snapshot_end(&f, 9);
	expect("+a@2 +b@3 +c@4 ");
	etcd_feed_snapshot(&f);
	item(&f, "a", 2);
	etcd_feed_snapshot(&f); /* anew in the middle */
	item(&f, "a", 2);
	item(&f, "b", 12);
	item(&f, "d", 13);
	expect("+b@12 +d@13 ");
	etcd_feed_snapshot_end(&f, 20);
	expect("-c ");
	etcd_feed_distrust(&f); /* another datastore with the same numbers */
	etcd_feed_snapshot(&f);
	item(&f, "a", 2);
	item(&f, "d", 3);
	etcd_feed_snapshot_end(&f, 3);
	expect("+a@2 +d@3 -b ");
	assert_int_equal(f.delivered, 3);
	etcd_feed_done(&f);
}

static void the_changes_of_a_revision_stay_together(void **state)
{
	struct etcd_feed f;

	(void)state;
	etcd_feed_init(&f, NULL, 0, &ops, NULL);
	etcd_feed_snapshot(&f);
	etcd_feed_snapshot_end(&f, 2);
	EVENTS(&f, true, P("a", 3), P("b", 4));
	expect("+a@3 ");
	assert_int_equal(f.delivered, 3);
	EVENTS(&f, true, P("c", 4));
	expect("");
	EVENTS(&f, true, P("d", 4), P("a", 5));
	expect("+b@4 +c@4 +d@4 ");
	/* The stream ends here; the next one begins behind what was told. */
	assert_int_equal(f.delivered, 4);
	etcd_feed_interrupted(&f);
	EVENTS(&f, false, P("a", 5), P("b", 5));
	expect("+a@5 +b@5 ");
	EVENTS(&f, true, P("a", 6));
	EVENTS(&f, false, P("b", 6));
	expect("+a@6 +b@6 ");
	assert_int_equal(f.delivered, 6);
	EVENTS(&f, true, P("a", 7));
	EVENTS(&f, false, P("b", 8));
	expect("+a@7 +b@8 ");
	etcd_feed_done(&f);
}

static void on_bad(void *arg, const char *key, const char *why)
{
	(void)arg;
	buf_printf(&told, "%s: %.24s; ", key + strlen("/calico/"), why);
}

static void what_cannot_be_read_is_not_there_and_is_listed(void **state)
{
	struct etcd_feed f;
	const struct change bad = V("a", 5, "not json");
	char k[200], v[200];
	Etcd__KeyValue kv = kv_of(&bad, k, v);

	(void)state;
	etcd_feed_init(&f, NULL, 0, &ops, NULL);
	etcd_feed_snapshot(&f);
	etcd_feed_item(&f, &kv);
	item(&f, "b", 6);
	etcd_feed_snapshot_end(&f, 9);
	expect("+b@6 ");
	assert_int_equal(bad_values_count(&f.bad), 1);
	EVENTS(&f, false, P("a", 10));
	expect("+a@10 ");
	assert_int_equal(bad_values_count(&f.bad), 0);
	EVENTS(&f, false, V("a", 11, "[1"), V("b", 12, "7"), P("x/y", 13),
	       P("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0", 14),
	       P("/calico/ipam/v2/host/n1", 15), P("/calico/other/thing", 16),
	       P("/calico/resources/v3/projectcalico.org/toasters/t", 17));
	expect("-a -b ");
	assert_int_equal(bad_values_count(&f.bad), 4);
	EVENTS(&f, false, D("a", 18), D("x/y", 19),
	       D("/calico/ipam/v2/assignment/ipv4/block/10.0.0.0", 20));
	expect("");
	bad_values_each(&f.bad, on_bad, NULL);
	expect("resources/v3/projectcalico.org/ippools/b: expected an object, got ; ");
	etcd_feed_done(&f);
}

static void only_what_was_asked_for(void **state)
{
	const model_kind kinds[] = { V3__KIND__KIND_NODE };
	struct etcd_feed f;

	(void)state;
	etcd_feed_init(&f, kinds, 1, &ops, NULL);
	etcd_feed_snapshot(&f);
	item(&f, "a", 5);
	item(&f, "/calico/resources/v3/projectcalico.org/nodes/n1", 6);
	etcd_feed_snapshot_end(&f, 9);
	expect("+n1@6 ");
	EVENTS(&f, false, P("a", 10), D("/calico/resources/v3/projectcalico.org/nodes/n1", 11));
	expect("-n1 ");
	etcd_feed_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_then_deltas),
		cmocka_unit_test(a_resync_tells_true_differences),
		cmocka_unit_test(the_changes_of_a_revision_stay_together),
		cmocka_unit_test(what_cannot_be_read_is_not_there_and_is_listed),
		cmocka_unit_test(only_what_was_asked_for),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_done(&told);
	return rc;
}
