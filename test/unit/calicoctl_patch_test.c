/* SPDX-License-Identifier: BSD-2-Clause */
/* Patches: the examples of the RFCs, the directives of Kubernetes, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/patch.h"
#include "common/base/err.h"

/* clang-format off */
static const struct {
	enum patch_type type;
	const char *object, *patch, *want;
} cases[] = {
	/* RFC 7386, appendix A */
	{ PATCH_MERGE, "{'a':'b'}", "{'a':'c'}", "{'a':'c'}" },
	{ PATCH_MERGE, "{'a':'b'}", "{'b':'c'}", "{'a':'b','b':'c'}" },
	{ PATCH_MERGE, "{'a':'b'}", "{'a':null}", "{}" },
	{ PATCH_MERGE, "{'a':'b','b':'c'}", "{'a':null}", "{'b':'c'}" },
	{ PATCH_MERGE, "{'a':['b']}", "{'a':'c'}", "{'a':'c'}" },
	{ PATCH_MERGE, "{'a':'c'}", "{'a':['b']}", "{'a':['b']}" },
	{ PATCH_MERGE, "{'a':{'b':'c'}}", "{'a':{'b':'d','c':null}}", "{'a':{'b':'d'}}" },
	{ PATCH_MERGE, "{'a':[{'b':'c'}]}", "{'a':[1]}", "{'a':[1]}" },
	{ PATCH_MERGE, "{'e':null}", "{'a':1}", "{'e':null,'a':1}" },
	{ PATCH_MERGE, "{}", "{'a':{'bb':{'ccc':null}}}", "{'a':{'bb':{}}}" },
	{ PATCH_MERGE, "{}", "['c']", "!the patch is not an object" },

	/* strategic */
	{ PATCH_STRATEGIC, "{'spec':{'a':1,'b':{'c':2}}}", "{'spec':{'b':{'d':3}}}", "{'spec':{'a':1,'b':{'c':2,'d':3}}}" },
	{ PATCH_STRATEGIC, "{'spec':{'a':1,'l':[1,2]}}", "{'spec':{'a':null,'l':[3]}}", "{'spec':{'l':[3]}}" },
	{ PATCH_STRATEGIC, "{'spec':{'a':1}}", "{'spec':{'$patch':'replace','b':2}}", "{'spec':{'b':2}}" },
	{ PATCH_STRATEGIC, "{'spec':{'a':1},'x':2}", "{'spec':{'$patch':'delete'}}", "{'x':2}" },
	{ PATCH_STRATEGIC, "{'spec':{'a':1}}", "{'spec':{'$patch':'merge','b':2}}", "{'spec':{'a':1,'b':2}}" },
	{ PATCH_STRATEGIC, "{'spec':{'a':1,'b':2}}", "{'spec':{'$retainKeys':['b'],'b':3}}", "{'spec':{'b':3}}" },
	{ PATCH_STRATEGIC, "{'finalizers':['a','b']}", "{'finalizers':['b','c']}", "{'finalizers':['a','b','c']}" },
	{ PATCH_STRATEGIC, "{'finalizers':['a','b']}", "{'$deleteFromPrimitiveList/finalizers':['a','x']}", "{'finalizers':['b']}" },
	{ PATCH_STRATEGIC, "{'finalizers':['a']}", "{'$setElementOrder/finalizers':['a']}", "{'finalizers':['a']}" },
	{ PATCH_STRATEGIC, "{'a':1}", "{'$patch':'frob'}", "!unknown patch type 'frob' in \"$patch\"" },
	{ PATCH_STRATEGIC, "{'a':{'b':1}}", "{'a':{'$patch':'frob'}}", "!unknown patch type 'frob' in \"$patch\"" },
	{ PATCH_STRATEGIC, "{}", "[]", "!the patch is not an object" },

	/* RFC 6902, appendix A */
	{ PATCH_JSON, "{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux'}]", "{'foo':'bar','baz':'qux'}" },
	{ PATCH_JSON, "{'foo':['bar','baz']}", "[{'op':'add','path':'/foo/1','value':'qux'}]", "{'foo':['bar','qux','baz']}" },
	{ PATCH_JSON, "{'baz':'qux','foo':'bar'}", "[{'op':'remove','path':'/baz'}]", "{'foo':'bar'}" },
	{ PATCH_JSON, "{'foo':['bar','qux','baz']}", "[{'op':'remove','path':'/foo/1'}]", "{'foo':['bar','baz']}" },
	{ PATCH_JSON, "{'baz':'qux'}", "[{'op':'replace','path':'/baz','value':'boo'}]", "{'baz':'boo'}" },
	{ PATCH_JSON, "{'foo':{'bar':'baz','waldo':'fred'},'qux':{'corge':'grault'}}",
	  "[{'op':'move','from':'/foo/waldo','path':'/qux/thud'}]", "{'foo':{'bar':'baz'},'qux':{'corge':'grault','thud':'fred'}}" },
	{ PATCH_JSON, "{'foo':['all','grass','cows','eat']}", "[{'op':'move','from':'/foo/1','path':'/foo/3'}]",
	  "{'foo':['all','cows','eat','grass']}" },
	{ PATCH_JSON, "{'baz':'qux','foo':['a',2,'c']}", "[{'op':'test','path':'/baz','value':'qux'},{'op':'test','path':'/foo/1','value':2}]",
	  "{'baz':'qux','foo':['a',2,'c']}" },
	{ PATCH_JSON, "{'baz':'qux'}", "[{'op':'test','path':'/baz','value':'bar'}]", "!operation 1: test '/baz': it is \"qux\", not \"bar\"" },
	{ PATCH_JSON, "{'foo':'bar'}", "[{'op':'add','path':'/child','value':{'grandchild':{}}}]", "{'foo':'bar','child':{'grandchild':{}}}" },
	{ PATCH_JSON, "{'foo':'bar'}", "[{'op':'add','path':'/baz','value':'qux','xyz':123}]", "{'foo':'bar','baz':'qux'}" },
	{ PATCH_JSON, "{'foo':'bar'}", "[{'op':'add','path':'/baz/bat','value':'qux'}]", "!operation 1: add '/baz/bat': there is no such place" },
	{ PATCH_JSON, "{'/':9,'~1':10}", "[{'op':'test','path':'/~01','value':10}]", "{'/':9,'~1':10}" },
	{ PATCH_JSON, "{'/':9,'~1':10}", "[{'op':'test','path':'/~01','value':'10'}]", "!operation 1: test '/~01': it is 10, not \"10\"" },
	{ PATCH_JSON, "{'foo':['bar']}", "[{'op':'add','path':'/foo/-','value':['abc','def']}]", "{'foo':['bar',['abc','def']]}" },
	{ PATCH_JSON, "{'foo':[1]}", "[{'op':'copy','from':'/foo','path':'/bar'},{'op':'replace','path':'/bar/0','value':2}]",
	  "{'foo':[1],'bar':[2]}" },
	{ PATCH_JSON, "{'foo':1}", "[{'op':'replace','path':'','value':{'x':1}}]", "{'x':1}" },

	/* what is refused; nothing of the object has changed then */
	{ PATCH_JSON, "{}", "{}", "!a JSON patch is a list of operations" },
	{ PATCH_JSON, "{}", "[{'op':'frob','path':'/a'}]", "!operation 1: \"op\" is not add, remove, replace, move, copy or test" },
	{ PATCH_JSON, "{}", "[{'op':'remove'}]", "!operation 1: \"path\" is missing" },
	{ PATCH_JSON, "{}", "[{'op':'add','path':'/a'}]", "!operation 1: \"value\" is missing" },
	{ PATCH_JSON, "{}", "[{'op':'move','path':'/a'}]", "!operation 1: \"from\" is missing" },
	{ PATCH_JSON, "{}", "[{'op':'remove','path':'a'}]", "!operation 1: path 'a' does not begin with '/'" },
	{ PATCH_JSON, "{}", "[{'op':'remove','path':'/a'}]", "!operation 1: remove '/a': there is nothing" },
	{ PATCH_JSON, "{'a':1}", "[{'op':'remove','path':''}]", "!operation 1: remove '': there is nothing" },
	{ PATCH_JSON, "{}", "[{'op':'replace','path':'/a','value':1}]", "!operation 1: replace '/a': there is nothing" },
	{ PATCH_JSON, "{'a':[1]}", "[{'op':'add','path':'/a/2','value':1}]", "!operation 1: add '/a/2': there is no such place" },
	{ PATCH_JSON, "{'a':[1]}", "[{'op':'add','path':'/a/01','value':1}]", "!operation 1: add '/a/01': there is no such place" },
	{ PATCH_JSON, "{'a':[1]}", "[{'op':'remove','path':'/a/-'}]", "!operation 1: remove '/a/-': there is nothing" },
	{ PATCH_JSON, "{'a':{}}", "[{'op':'move','from':'/a','path':'/a/b'}]", "!operation 1: move '/a/b': it cannot be moved into itself" },
	{ PATCH_JSON, "{}", "[1]", "!operation 1: \"op\" is not add, remove, replace, move, copy or test" },
};
/* clang-format on */

static struct json *tree(const char *text)
{
	char *s = strdup(text);
	struct json *j;

	for (char *c = s; *c; c++)
		if (*c == '\'')
			*c = '"';
	assert_int_equal(json_parse(s, strlen(s), &j, NULL), 0);
	free(s);
	return j;
}

static void patches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json *object = tree(cases[i].object), *before = json_copy(object);
		struct json *patch = tree(cases[i].patch), *got = NULL;
		struct buf seen = { 0 };
		struct err err;

		if (patch_apply(cases[i].type, object, patch, &got, &err) != 0) {
			buf_printf(&seen, "!%s", err.text);
		} else {
			json_write(got, 0, &seen);
			for (size_t k = 0; k < seen.len; k++)
				if (seen.data[k] == '"')
					seen.data[k] = '\'';
		}
		if (strcmp(buf_cstr(&seen), cases[i].want) != 0)
			fail_msg("case %zu, %s: got %s, want %s", i, cases[i].patch,
			         buf_cstr(&seen), cases[i].want);
		assert_true(json_equal(object, before));
		buf_done(&seen);
		json_free(got);
		json_free(object);
		json_free(before);
		json_free(patch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
