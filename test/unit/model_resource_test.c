/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/resource.h"
#include "proto/typhad_sync_v1.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

static void set_label(V3__ObjectMeta *m, const char *key, const char *value)
{
	meta_set(&m->n_labels, &m->labels, key, value);
}

/* A policy with something in every corner: maps, messages in messages, repeated scalars and
 * messages, doubles. */
static V3__NetworkPolicy *full_policy(void)
{
	V3__NetworkPolicy *p = (V3__NetworkPolicy *)msg_new(&v3__network_policy__descriptor);
	V3__ObjectMeta *m = model_meta(&p->base, true);
	V3__Rule *rule = (V3__Rule *)msg_new(&v3__rule__descriptor);

	msg_set_str(&m->name, "web");
	msg_set_str(&m->namespace_, "ns1");
	msg_set_str(&m->resourceversion, "18446744073709551615");
	set_label(m, "b", "2");
	set_label(m, "a", "1");
	p->spec = (V3__NetworkPolicySpec *)msg_new(&v3__network_policy_spec__descriptor);
	p->spec->has_order = true;
	p->spec->order = 10.5;
	p->spec->n_ingress = 1;
	p->spec->ingress = xcalloc(1, sizeof(*p->spec->ingress));
	p->spec->ingress[0] = rule;
	msg_set_str(&rule->action, "Allow");
	rule->source = (V3__EntityRule *)msg_new(&v3__entity_rule__descriptor);
	rule->source->n_nets = 2;
	rule->source->nets = xcalloc(2, sizeof(char *));
	rule->source->nets[0] = xstrdup("10.0.0.0/8");
	rule->source->nets[1] = xstrdup("");
	return p;
}

static ProtobufCMessage *through_the_wire(const ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	buf_str(&out, "x"); /* msg_pack() appends */
	msg_pack(m, &out);
	return msg_unpack(m->descriptor, out.data + 1, out.len - 1);
}

static void copies_and_packed_copies_are_equal(void **state)
{
	V3__NetworkPolicy *p = full_policy(), *copy, *wire;

	(void)state;
	copy = (V3__NetworkPolicy *)msg_copy(&p->base);
	wire = (V3__NetworkPolicy *)through_the_wire(&p->base);
	assert_true(msg_equal(&p->base, &copy->base));
	assert_true(msg_equal(&p->base, &wire->base));

	/* and every single difference is seen */
	copy->spec->order = 10;
	assert_false(msg_equal(&p->base, &copy->base));
	copy->spec->order = 10.5;
	copy->spec->has_order = false;
	assert_false(msg_equal(&p->base, &copy->base));
	copy->spec->has_order = true;
	msg_set_str(&copy->spec->ingress[0]->source->nets[1], "x");
	assert_false(msg_equal(&p->base, &copy->base));
	msg_set_str(&copy->spec->ingress[0]->source->nets[1], "");
	assert_true(msg_equal(&p->base, &copy->base));
	copy->spec->ingress[0]->source->n_nets = 1;
	assert_false(msg_equal(&p->base, &copy->base));
	copy->spec->ingress[0]->source->n_nets = 2;
	msg_set_str(&copy->spec->selector, "");
	assert_false(msg_equal(&p->base, &copy->base));

	msg_free(&copy->spec->base);
	copy->spec = NULL;
	assert_false(msg_equal(&p->base, &copy->base));
	assert_false(msg_equal(&copy->base, &p->base));

	msg_free(&p->base);
	msg_free(&copy->base);
	msg_free(&wire->base);
	msg_free(NULL);
}

static void maps_are_equal_in_any_order(void **state)
{
	V3__ObjectMeta *a = (V3__ObjectMeta *)msg_new(&v3__object_meta__descriptor);
	V3__ObjectMeta *b = (V3__ObjectMeta *)msg_new(&v3__object_meta__descriptor);

	(void)state;
	for (int i = 0; i < 20; i++) {
		char ka[16], kb[16];

		(void)snprintf(ka, sizeof(ka), "k%d", i);
		(void)snprintf(kb, sizeof(kb), "k%d", (i * 7) % 20);
		set_label(a, ka, ka);
		set_label(b, kb, kb);
	}
	assert_true(msg_equal(&a->base, &b->base));
	set_label(b, "k3", "other");
	assert_false(msg_equal(&a->base, &b->base));
	set_label(b, "k3", "k3");
	assert_true(msg_equal(&a->base, &b->base));
	set_label(b, "k3", NULL);
	assert_false(msg_equal(&a->base, &b->base));
	assert_int_equal(b->n_labels, 19);
	msg_free(&a->base);
	msg_free(&b->base);
}

static void maps_of_strings_set_and_get(void **state)
{
	V3__ObjectMeta *m = (V3__ObjectMeta *)msg_new(&v3__object_meta__descriptor);

	(void)state;
	assert_null(meta_get(m->n_labels, m->labels, "a"));
	set_label(m, "a", NULL);
	set_label(m, "a", "1");
	set_label(m, "b", "");
	set_label(m, "a", "2");
	assert_int_equal(m->n_labels, 2);
	assert_string_equal(meta_get(m->n_labels, m->labels, "a"), "2");
	assert_string_equal(meta_get(m->n_labels, m->labels, "b"), "");
	set_label(m, "a", NULL);
	assert_null(meta_get(m->n_labels, m->labels, "a"));
	set_label(m, "b", NULL);
	assert_int_equal(m->n_labels, 0);
	assert_null(m->labels);
	msg_set_str(&m->name, "abc");
	msg_set_str(&m->name, m->name + 1);
	assert_string_equal(m->name, "bc");
	msg_set_str(&m->name, NULL);
	assert_null(m->name);
	msg_free(&m->base);
}

static void entries_from_the_wire_are_whole(void **state)
{
	/* labels (11) with an entry without anything, one with key alone, one with value alone */
	static const uint8_t bytes[] = { 0x5a, 0, 0x5a, 3, 0x0a, 1, 'k', 0x5a, 3, 0x12, 1, 'v' };
	/* IpamHandle: block (1) with a key alone */
	static const uint8_t handle[] = { 0x0a, 3, 0x0a, 1, 'k' };
	V3__ObjectMeta *m =
	        (V3__ObjectMeta *)msg_unpack(&v3__object_meta__descriptor, bytes, sizeof(bytes));
	V3__IpamHandle *h =
	        (V3__IpamHandle *)msg_unpack(&v3__ipam_handle__descriptor, handle, sizeof(handle));

	(void)state;
	assert_non_null(m);
	assert_int_equal(m->n_labels, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(m->labels[i]->key);
		assert_non_null(m->labels[i]->value);
	}
	assert_string_equal(m->labels[1]->key, "k");
	assert_string_equal(m->labels[2]->value, "v");
	assert_non_null(h);
	assert_true(h->block[0]->has_value);
	assert_int_equal(h->block[0]->value, 0);
	msg_free(&m->base);
	msg_free(&h->base);
	for (size_t n = 1; n < sizeof(handle); n++)
		assert_null(msg_unpack(&v3__ipam_handle__descriptor, handle, n));
}

static void oneofs_are_copied(void **state)
{
	Sync__V1__ToTyphad *m = (Sync__V1__ToTyphad *)msg_new(&sync__v1__to_typhad__descriptor),
	                   *copy;

	(void)state;
	m->has_request_id = true;
	m->request_id = 7;
	m->payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_GET;
	m->get = (Sync__V1__Get *)msg_new(&sync__v1__get__descriptor);
	msg_set_str(&m->get->name, "x");
	copy = (Sync__V1__ToTyphad *)msg_copy(&m->base);
	assert_true(msg_equal(&m->base, &copy->base));
	assert_int_equal(copy->payload_case, SYNC__V1__TO_TYPHAD__PAYLOAD_GET);
	assert_string_equal(copy->get->name, "x");
	msg_set_str(&copy->get->name, "y");
	assert_false(msg_equal(&m->base, &copy->base));
	msg_free(&m->base);
	msg_free(&copy->base);
}

static void unknown_fields_are_carried_along(void **state)
{
	static const uint8_t bytes[] = { 0xfa, 0xff, 0xff, 0xff, 0x0f, 5, '"', 'a', '"', ':', '1' };
	V3__Tier *t = (V3__Tier *)msg_unpack(&v3__tier__descriptor, bytes, sizeof(bytes)), *copy,
	         *empty;

	(void)state;
	assert_non_null(t);
	assert_int_equal(t->base.n_unknown_fields, 1);
	assert_int_equal(t->base.unknown_fields[0].tag, MODEL_UNKNOWN_TAG);
	copy = (V3__Tier *)msg_copy(&t->base);
	empty = (V3__Tier *)msg_new(&v3__tier__descriptor);
	assert_true(msg_equal(&t->base, &copy->base));
	assert_false(msg_equal(&t->base, &empty->base));
	msg_free(&t->base);
	t = (V3__Tier *)through_the_wire(&copy->base);
	assert_true(msg_equal(&t->base, &copy->base));
	msg_free(&t->base);
	msg_free(&copy->base);
	msg_free(&empty->base);
}

static void a_resource_is_what_its_metadata_says(void **state)
{
	V3__NetworkPolicy *p = full_policy();
	struct resource *r = NULL, *copy;

	(void)state;
	assert_int_equal(resource_from_msg(&p->base, &r, NULL), 0);
	assert_int_equal(r->kind, V3__KIND__KIND_NETWORK_POLICY);
	assert_string_equal(r->ns, "ns1");
	assert_string_equal(r->name, "web");
	assert_true(r->revision == UINT64_MAX);
	copy = resource_copy(r);
	assert_string_equal(copy->ns, "ns1");
	assert_true(msg_equal(r->msg, copy->msg));
	resource_free(r);
	resource_free(copy);
	resource_free(NULL);
}

static void a_resource_without_identity_is_refused(void **state)
{
	static const char *const revisions[] = { "x", "-1", "1 ", "18446744073709551616", "0x1" };
	V3__IPPool *p = (V3__IPPool *)msg_new(&v3__ippool__descriptor);
	V3__IpamHandle *h = (V3__IpamHandle *)msg_new(&v3__ipam_handle__descriptor);
	struct resource *r = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(resource_from_msg(&p->base, &r, &err), -EINVAL);
	assert_string_equal(err.text, "metadata.name: IPPool without a name");
	msg_set_str(&model_meta(&p->base, true)->name, "");
	assert_int_equal(resource_from_msg(&p->base, &r, &err), -EINVAL);
	msg_set_str(&p->metadata->name, "p");
	for (size_t i = 0; i < ARRAY_SIZE(revisions); i++) {
		msg_set_str(&p->metadata->resourceversion, revisions[i]);
		assert_int_equal(resource_from_msg(&p->base, &r, &err), -EINVAL);
	}
	assert_string_equal(err.text, "metadata.resourceVersion: '0x1' is not a revision");
	msg_set_str(&p->metadata->resourceversion, "");
	msg_set_str(&p->metadata->namespace_, "stray");
	assert_int_equal(resource_from_msg(&p->base, &r, &err), 0);
	assert_null(r->ns);
	assert_int_equal(r->revision, 0);
	resource_free(r);
	assert_null(model_meta(&h->base, true));
	assert_int_equal(resource_from_msg(&h->base, &r, &err), -EINVAL);
	msg_free(&h->base);
}

static void endpoint_names_are_upstreams(void **state)
{
	static const struct {
		const char *node, *orchestrator, *third, *endpoint, *name; /* name NULL: refused */
	} cases[] = {
		{ "node-1", "k8s", "name-0", "eth0", "node--1-k8s-name--0-eth0" },
		{ "node-1", "cni", "abcdefa0123456", "eth0", "node--1-cni-abcdefa0123456-eth0" },
		{ "node-1", "libnetwork", NULL, "abcdefgh",
		  "node--1-libnetwork-libnetwork-abcdefgh" },
		{ "node-1", "foo", "foo-foo", "abcdefgh", "node--1-foo-foo--foo-abcdefgh" },
		{ "n", "k8s", "a--b", "eth0", "n-k8s-a----b-eth0" },
		{ "n", "k8s", "", "eth0", NULL },
		{ "n", "k8s", NULL, "eth0", NULL },
		{ "-n", "k8s", "p", "eth0", NULL },
		{ "n", "k8s", "p-", "eth0", NULL },
		{ "n", "", "p", "eth0", NULL },
		{ NULL, "k8s", "p", "eth0", NULL },
		{ "n", "k8s", "p", NULL, NULL },
		{ "n", NULL, "p", "eth0", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		V3__WorkloadEndpointSpec spec = V3__WORKLOAD_ENDPOINT_SPEC__INIT;
		char *name = NULL, *name_of = NULL;
		struct err err = { 0 };
		int r = wep_name(cases[i].node, cases[i].orchestrator, cases[i].third,
		                 cases[i].endpoint, &name, &err);
		char *third = (char *)(uintptr_t)cases[i].third;

		assert_int_equal(r, cases[i].name ? 0 : -EINVAL);
		spec.node = (char *)(uintptr_t)cases[i].node;
		spec.orchestrator = (char *)(uintptr_t)cases[i].orchestrator;
		spec.endpoint = (char *)(uintptr_t)cases[i].endpoint;
		if (spec.orchestrator && strcmp(spec.orchestrator, "k8s") == 0)
			spec.pod = third;
		else if (spec.orchestrator && strcmp(spec.orchestrator, "cni") == 0)
			spec.containerid = third;
		else
			spec.workload = third;
		assert_int_equal(wep_name_of(&spec, &name_of, NULL), r);
		if (cases[i].name) {
			assert_string_equal(name, cases[i].name);
			assert_string_equal(name_of, cases[i].name);
		} else {
			assert_true(err.text[0] != '\0');
		}
		free(name);
		free(name_of);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_and_packed_copies_are_equal),
		cmocka_unit_test(maps_are_equal_in_any_order),
		cmocka_unit_test(maps_of_strings_set_and_get),
		cmocka_unit_test(entries_from_the_wire_are_whole),
		cmocka_unit_test(oneofs_are_copied),
		cmocka_unit_test(unknown_fields_are_carried_along),
		cmocka_unit_test(a_resource_is_what_its_metadata_says),
		cmocka_unit_test(a_resource_without_identity_is_refused),
		cmocka_unit_test(endpoint_names_are_upstreams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
