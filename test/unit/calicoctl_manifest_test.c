/* SPDX-License-Identifier: BSD-2-Clause */
/* Manifests to messages: what is one resource, what is a list of them, and where each error is said
 * to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/manifest.h"
#include "common/base/mem.h"
#include "common/model/resource.h"

#define V "apiVersion: projectcalico.org/v3\n"

/* Each item as "Kind/name", or its error, a line each. */
static const char *items(const char *text)
{
	static struct buf out;
	CLEANUP(manifest_done) struct manifest m = { 0 };

	buf_clear(&out);
	manifest_add_text(&m, "f", text, strlen(text));
	for (size_t i = 0; i < m.n; i++) {
		const struct manifest_item *item = &m.items[i];

		assert_true((item->msg != NULL) != (item->error != NULL));
		if (item->error)
			buf_printf(&out, "%s\n", item->error);
		else
			buf_printf(&out, "%s/%s\n", item->kind->name,
			           model_meta(item->msg, true)->name);
	}
	return buf_cstr(&out);
}

static void what_a_document_holds(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "", "" },
		{ "# nothing\n---\nnull\n---\n~\n", "" },
		{ V "kind: Tier\nmetadata: {name: a}\n", "Tier/a\n" },
		{ V "kind: Tier\nmetadata: {name: 7}\n", "Tier/7\n" },
		{ "{\"apiVersion\":\"projectcalico.org/v3\",\"kind\":\"Tier\",\"metadata\":{\"name\":\"a\"}}", "Tier/a\n" },
		/* lists */
		{ V "kind: TierList\nitems:\n- metadata: {name: a}\n- {metadata: {name: b}}\n", "Tier/a\nTier/b\n" },
		{ V "kind: TierList\n", "" },
		{ V "kind: TierList\nitems: []\n", "" },
		{ V "kind: TierList\nitems: {}\n", "f, document 1, line 3: items: expected a list\n" },
		{ "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}}\n", "Tier/a\n" },
		{ "apiVersion: v1\nkind: List\nitems:\n- metadata: {name: a}\n", "f, document 1, line 4: unknown resource type () and/or version ()\n" },
		{ "- {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: a}}\n-\n  - {apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: b}}\n",
		  "Tier/a\nTier/b\n" },
		/* what is no resource */
		{ "just a text\n", "f, document 1, line 1: expected a resource (an object), got a string\n" },
		{ "42\n", "f, document 1, line 1: expected a resource (an object), got a number\n" },
		{ "kind: Tier\nmetadata: {name: a}\n", "f, document 1, line 1: unknown resource type (Tier) and/or version ()\n" },
		{ "apiVersion: v1\nkind: Pod\n", "f, document 1, line 2: unknown resource type (Pod) and/or version (v1)\n" },
		{ "apiVersion: crd.projectcalico.org/v1\nkind: Tier\n", "f, document 1, line 1: unknown resource type (Tier) and/or version (crd.projectcalico.org/v1)\n" },
		{ V "kind: IPAMBlock\n", "f, document 1, line 2: unknown resource type (IPAMBlock) and/or version (projectcalico.org/v3)\n" },
		{ V "kind: BlockAffinity\n", "f, document 1, line 2: unknown resource type (BlockAffinity) and/or version (projectcalico.org/v3)\n" },
		{ V "kind: \"a\\nb\\e\"\n", "f, document 1, line 2: unknown resource type (a\\nb\\x1b) and/or version (projectcalico.org/v3)\n" },
		/* fields */
		{ V "kind: Tier\nmetadata:\n  name: [a]\n", "f, document 1, line 4: metadata.name: expected a string, got an array\n" },
		{ V "kind: Tier\nmetadata:\n  nam: a\n",
		  "f, document 1, line 4: field in document is not recognized or is in the wrong location: metadata.nam\n" },
		{ "---\n---\n" V "kind: Tier\nmetadata: {name: a}\nspec:\n\n  order: x\n---\n" V "kind: Tier\nmetadata: {name: b}\n",
		  "f, document 1, line 8: spec.order: expected a number, got a string\nTier/b\n" },
		/* what upstream's API server adds is no typing error */
		{ V "kind: Tier\nmetadata: {name: a, managedFields: [{}], ownerReferences: []}\nstatus: {conditions: []}\n", "Tier/a\n" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (strcmp(items(cases[i].text), cases[i].want) != 0)
			fail_msg("%s\ngot: %swant: %s", cases[i].text, items(cases[i].text),
			         cases[i].want);
}

static void files_that_are_not_there(void **state)
{
	CLEANUP(manifest_done) struct manifest m = { 0 };
	struct err err;
	(void)state;

	assert_int_not_equal(manifest_add(&m, "/nowhere/x.yaml", false, &err), 0);
	assert_non_null(strstr(err.text, "/nowhere/x.yaml"));
	assert_int_equal(m.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_document_holds),
		cmocka_unit_test(files_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
