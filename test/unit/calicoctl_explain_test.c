/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: every kind and every field has its words, and they are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/explain.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/kind.h"

static const char *explained(const char *path, bool recursive)
{
	static struct buf out;
	struct err err;

	buf_clear(&out);
	if (explain(path, recursive, &out, &err) != 0)
		buf_printf(&out, "!%s", err.text);
	return buf_cstr(&out);
}

static void a_field(void **state)
{
	(void)state;
	assert_string_equal(
	        explained("pool.spec.blockSize", false),
	        "GROUP:      projectcalico.org\nKIND:       IPPool\nVERSION:    v3\n\n"
	        "FIELD: blockSize <integer>\n\n"
	        "DESCRIPTION:\n"
	        "    Prefix length of the blocks that nodes claim; default 26, or 122 for IPv6.\n"
	        "    Cannot be changed.\n");
	assert_string_equal(explained("pool.spec.blockSize", false),
	                    explained("IPPool.Spec.blocksize", true));
}

static void types(void **state)
{
	(void)state;
	assert_non_null(
	        strstr(explained("pool.metadata", false), "  labels\t<map[string]string>\n"));
	assert_non_null(strstr(explained("np.spec", false), "  ingress\t<[]Object>\n"));
	assert_non_null(strstr(explained("np.spec", false), "  order\t<number>\n"));
	assert_non_null(strstr(explained("np.spec.ingress.destination", false),
	                       "  ports\t<[]integer or string>\n"));
	assert_non_null(strstr(explained("pool.spec", false), "  natOutgoing\t<boolean>\n    "));
	assert_non_null(
	        strstr(explained("node.spec.bgp", false), "  asNumber\t<integer or string>\n"));
}

static void recursion(void **state)
{
	const char *text = explained("gnp", true);

	(void)state;
	assert_non_null(strstr(text, "\n  spec\t<Object>\n"));
	assert_non_null(strstr(text, "\n    ingress\t<[]Object>\n      action\t<string>\n"));
	assert_non_null(strstr(text, "\n        nets\t<[]string>\n"));
}

static void wrong_paths(void **state)
{
	(void)state;
	assert_string_equal(explained("frob", false), "!resource type 'frob' is not supported");
	assert_string_equal(explained("pool.spec.frob", false), "!field \"frob\" does not exist");
	assert_string_equal(explained("pool.spec.cidr.x", false), "!field \"x\" does not exist");
	assert_string_equal(explained("pool.", false), "!field \"\" does not exist");
	assert_string_equal(explained("", false), "!resource type '' is not supported");
}

static void all_kinds(void **state)
{
	/* clang-format off */
	static const char pools[] =
		"\nippools                           IPPool                          false        ippool,ipp,ipps,pool,pools\n";
	/* clang-format on */
	struct buf out = { 0 };

	(void)state;
	explain_kinds(&out);
	assert_non_null(strstr(buf_cstr(&out), pools));
	assert_null(strstr(buf_cstr(&out), "IPAMBlock"));
	buf_done(&out);
}

static void every_kind_says_what_it_is(void **state)
{
	(void)state;
	for (const struct kind_info *k = NULL; (k = kind_next(k));) {
		if (!k->aliases[0])
			continue;
		if (strstr(explained(k->aliases[0], false), "<empty>"))
			fail_msg("%s is not explained", k->name);
		(void)explained(k->aliases[0], true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field),   cmocka_unit_test(types),
		cmocka_unit_test(recursion), cmocka_unit_test(wrong_paths),
		cmocka_unit_test(all_kinds), cmocka_unit_test(every_kind_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
