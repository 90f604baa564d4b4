/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a resource and its value: the duties of a client, the table of compare-and-swap, names of
 * policies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/store/object.h"

#define POOL V3__KIND__KIND_IP_POOL
#define POLICY V3__KIND__KIND_NETWORK_POLICY

static struct resource *decode(model_kind kind, const char *ns, const char *name, const char *json)
{
	struct resource *r = NULL;
	struct err err = { 0 };

	if (object_decode(kind, ns, name, 7, json, strlen(json), &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

static char *encode(struct resource *r)
{
	struct buf b = { 0 };

	assert_int_equal(object_encode(r, &b, NULL), 0);
	return buf_take(&b);
}

/* etcd's transactions, datamodel 2.3. */
static void the_table_of_verdicts(void **state)
{
	static const struct {
		enum object_write write;
		bool exists;
		uint64_t modified, expected;
		enum store_status verdict;
	} table[] = {
		{ OBJECT_CREATE, false, 0, 0, STORE_OK },
		{ OBJECT_CREATE, true, 5, 0, STORE_ALREADY_EXISTS },
		{ OBJECT_UPDATE, false, 0, 0, STORE_NOT_FOUND },
		{ OBJECT_UPDATE, false, 0, 5, STORE_NOT_FOUND },
		{ OBJECT_UPDATE, true, 5, 0, STORE_OK },
		{ OBJECT_UPDATE, true, 5, 5, STORE_OK },
		{ OBJECT_UPDATE, true, 6, 5, STORE_CONFLICT },
		{ OBJECT_UPDATE, true, 5, 6, STORE_CONFLICT },
		{ OBJECT_APPLY, false, 0, 0, STORE_OK },
		{ OBJECT_APPLY, true, 5, 0, STORE_OK },
		{ OBJECT_REMOVE, false, 0, 0, STORE_NOT_FOUND },
		{ OBJECT_REMOVE, false, 0, 5, STORE_NOT_FOUND },
		{ OBJECT_REMOVE, true, 5, 0, STORE_OK },
		{ OBJECT_REMOVE, true, 5, 5, STORE_OK },
		{ OBJECT_REMOVE, true, 6, 5, STORE_CONFLICT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(object_verdict(table[i].write, table[i].exists, table[i].modified,
		                                table[i].expected),
		                 table[i].verdict);
}

static void a_new_object_gets_identity_and_birthday(void **state)
{
	struct resource *r = decode(POOL, NULL, "p",
	                            "{\"metadata\":{\"name\":\"p\",\"selfLink\":\"x\"},"
	                            "\"spec\":{\"cidr\":\"10.0.0.0/16\",\"tomorrow\":[1]}}");
	V3__ObjectMeta *meta = model_meta(r->msg, false);
	char *value;

	(void)state;
	assert_string_equal(meta->resourceversion, "7");
	object_stamp(r, NULL, 1787380400);
	assert_int_equal(strlen(meta->uid), 36);
	assert_int_equal(meta->uid[14], '4');
	assert_non_null(strchr("89ab", meta->uid[19]));
	assert_string_equal(meta->creationtimestamp, "2026-08-22T06:33:20Z");
	assert_null(meta->resourceversion);
	assert_null(meta->selflink);
	value = encode(r);
	assert_non_null(strstr(value,
	                       "{\"kind\":\"IPPool\",\"apiVersion\":\"projectcalico.org/v3\","
	                       "\"metadata\":{\"name\":\"p\",\"uid\":\""));
	assert_non_null(strstr(value, "\"tomorrow\":[1]")); /* what we do not know survives */
	assert_null(strstr(value, "resourceVersion"));
	free(value);
	resource_free(r);
}

static void identity_and_birthday_outlive_updates(void **state)
{
	struct resource *old = decode(POOL, NULL, "p",
	                              "{\"metadata\":{\"name\":\"p\",\"uid\":\"u1\","
	                              "\"creationTimestamp\":\"2020-01-01T00:00:00Z\"}}");
	struct resource *r =
	        decode(POOL, NULL, "p", "{\"metadata\":{\"name\":\"p\",\"uid\":\"u2\"}}");

	(void)state;
	object_stamp(r, old->msg, 1787380400);
	assert_string_equal(model_meta(r->msg, false)->uid, "u1");
	assert_string_equal(model_meta(r->msg, false)->creationtimestamp, "2020-01-01T00:00:00Z");
	resource_free(old);
	resource_free(r);
}

static void policies_carry_their_name_unseen(void **state)
{
	struct resource *r = decode(POLICY, "ns", "web",
	                            "{\"metadata\":{\"name\":\"web\",\"namespace\":\"ns\"}}");
	char *value = encode(r), *again;
	struct resource *back;

	(void)state;
	assert_non_null(strstr(value, "\"annotations\":{\"projectcalico.org/metadata\":"
	                              "\"{\\\"name\\\":\\\"web\\\"}\"}"));
	assert_int_equal(model_meta(r->msg, false)->n_annotations, 0);
	back = decode(POLICY, "ns", "web", value);
	assert_string_equal(model_meta(back->msg, false)->name, "web");
	assert_int_equal(model_meta(back->msg, false)->n_annotations, 0);
	again = encode(r);
	assert_string_equal(value, again);
	free(value);
	free(again);
	resource_free(back);
	resource_free(r);
}

static void names_that_old_releases_stored(void **state)
{
	static const struct {
		const char *json, *name;
	} table[] = {
		{ "{\"metadata\":{\"name\":\"default.web\",\"annotations\":"
		  "{\"projectcalico.org/metadata\":\"{\\\"name\\\":\\\"x\\\"}\"}}}",
		  "x" },
		{ "{\"metadata\":{\"name\":\"default.web\"},\"spec\":{}}", "web" },
		{ "{\"metadata\":{\"name\":\"default.web\"},\"spec\":{\"tier\":\"default\"}}",
		  "web" },
		{ "{\"metadata\":{\"name\":\"default.web\"},\"spec\":{\"tier\":\"t\"}}",
		  "default.web" },
		{ "{\"metadata\":{\"name\":\"web\"},\"spec\":{\"tier\":\"default\"}}", "web" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct resource *r =
		        decode(V3__KIND__KIND_GLOBAL_NETWORK_POLICY, NULL, "stored", table[i].json);

		assert_string_equal(model_meta(r->msg, false)->name, table[i].name);
		resource_free(r);
	}
}

static void assert_refused(model_kind kind, const char *ns, const char *name, const char *json,
                           const char *sentence)
{
	struct resource *r = decode(POOL, NULL, "p", json);
	struct resource odd = { .kind = kind,
		                .ns = (char *)(uintptr_t)ns,
		                .name = (char *)(uintptr_t)name,
		                .msg = r->msg };
	struct err err = { 0 };

	assert_true(object_check(&odd, &err) < 0);
	if (!strstr(err.text, sentence))
		fail_msg("the sentence is: %s", err.text);
	resource_free(r);
}

static void what_disagrees_is_refused(void **state)
{
	static const char pool[] = "{\"metadata\":{\"name\":\"p\"}}";
	struct resource *r = decode(POOL, NULL, "p", pool);

	(void)state;
	assert_int_equal(object_check(r, NULL), 0);
	resource_free(r);
	assert_refused((model_kind)4711, NULL, "p", pool, "kind 4711 is unknown");
	assert_refused(POOL, NULL, "", pool, "has no name");
	assert_refused(POOL, NULL, "q", pool, "names it p");
	assert_refused(POOL, NULL, "p", "{}", "names it");
	assert_refused(POOL, "ns", "p", pool, "the kind has no namespaces");
	assert_refused(POLICY, NULL, "p", pool, "has no namespace");
	assert_refused(POLICY, "ns", "p", pool, "has no body");
	assert_refused(POOL, NULL, "p", "{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\"}}",
	               "has namespace ns");
	assert_refused(POOL, NULL, "a/b", "{\"metadata\":{\"name\":\"a/b\"}}", "a/b");
}

static void values_that_are_too_large_are_refused(void **state)
{
	struct resource *r = decode(POOL, NULL, "p", "{\"metadata\":{\"name\":\"p\"}}");
	char *big = xcalloc(1, OBJECT_VALUE_MAX + 1);
	struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	memset(big, 'x', OBJECT_VALUE_MAX);
	msg_set_str(&model_meta(r->msg, false)->uid, big);
	assert_int_equal(object_encode(r, &b, &err), -EMSGSIZE);
	assert_non_null(strstr(err.text, "IPPool(p) is too large"));
	buf_done(&b);
	free(big);
	resource_free(r);
}

static void an_affinity_without_a_value_is_confirmed(void **state)
{
	struct resource *r = decode(V3__KIND__KIND_IPAM_AFFINITY, NULL, "n/10.0.0.0/26", "");
	char *value = encode(r);

	(void)state;
	assert_non_null(strstr(value, "\"state\":\"confirmed\""));
	free(value);
	resource_free(r);
}

static void broken_values_are_told(void **state)
{
	struct resource *r = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(object_decode(POOL, NULL, "p", 1, "{\"spec\":", 8, &r, &err), -EINVAL);
	assert_int_equal(object_decode(POOL, NULL, "p", 1, "[]", 2, &r, &err), -EINVAL);
	assert_int_equal(object_decode(POOL, NULL, "p", 1, "", 0, &r, &err), -EINVAL);
	assert_null(r);
}

static void the_static_profile_allows_everything(void **state)
{
	struct resource *r = object_static_profile();
	char *value = encode(r);

	(void)state;
	assert_true(object_is_static(r->kind, r->name));
	assert_int_equal(r->revision, 1);
	assert_non_null(strstr(value, "\"ingress\":[{\"action\":\"Allow\""));
	assert_non_null(strstr(value, "\"egress\":[{\"action\":\"Allow\""));
	free(value);
	resource_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_verdicts),
		cmocka_unit_test(a_new_object_gets_identity_and_birthday),
		cmocka_unit_test(identity_and_birthday_outlive_updates),
		cmocka_unit_test(policies_carry_their_name_unseen),
		cmocka_unit_test(names_that_old_releases_stored),
		cmocka_unit_test(what_disagrees_is_refused),
		cmocka_unit_test(values_that_are_too_large_are_refused),
		cmocka_unit_test(an_affinity_without_a_value_is_confirmed),
		cmocka_unit_test(broken_values_are_told),
		cmocka_unit_test(the_static_profile_allows_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
