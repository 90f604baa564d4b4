/* SPDX-License-Identifier: BSD-2-Clause */
/* What calicoctl node stands on: lists of the kernel's modules, and texts without their secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/kmodule.h"
#include "calicoctl/redact.h"
#include "common/base/mem.h"

static void modules_are_found(void **state)
{
	const char *loaded = "xt_set 16384 0 - Live 0x0\nvfio_pci 1 0\nip_set 1 1 xt_set, Live";
	const char *dep =
	        "kernel/net/netfilter/xt_set.ko.zst: kernel/net/ip_set.ko\nkernel/vfio-pci.ko:\n";
	const char *config =
	        "# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_CC=m\nCONFIG_D=n\nCONFIG_E=\"y\"";
	(void)state;

	assert_true(kmodule_in_list(loaded, "xt_set"));
	assert_true(kmodule_in_list(loaded, "vfio-pci"));
	assert_true(kmodule_in_list(loaded, "ip_set"));
	assert_false(kmodule_in_list(loaded, "set"));
	assert_false(kmodule_in_list(loaded, "xt"));
	assert_false(kmodule_in_list(loaded, "xt_set_more"));
	assert_false(kmodule_in_list("", "x"));
	assert_false(kmodule_in_list(NULL, "x"));
	assert_true(kmodule_in_paths(dep, "xt_set"));
	assert_true(kmodule_in_paths(dep, "ip_set"));
	assert_true(kmodule_in_paths(dep, "vfio_pci"));
	assert_false(kmodule_in_paths(dep, "netfilter"));
	assert_false(kmodule_in_paths(dep, "t_set"));
	assert_false(kmodule_in_paths(NULL, "x"));
	assert_true(kmodule_in_config(config, "CONFIG_B"));
	assert_true(kmodule_in_config(config, "CONFIG_CC"));
	assert_false(kmodule_in_config(config, "CONFIG_C"));
	assert_false(kmodule_in_config(config, "CONFIG_A"));
	assert_false(kmodule_in_config(config, "CONFIG_D"));
	assert_false(kmodule_in_config(config, "CONFIG_E"));
}

static void releases_are_compared(void **state)
{
	(void)state;
	assert_true(kernel_at_least("6.1.0-18-amd64", 2, 6, 24));
	assert_true(kernel_at_least("2.6.24", 2, 6, 24));
	assert_true(kernel_at_least("2.6.100-rc1", 2, 6, 24));
	assert_true(kernel_at_least("3.0", 2, 6, 24));
	assert_true(kernel_at_least("6", 6, 0, 0));
	assert_false(kernel_at_least("2.6.23-xyz", 2, 6, 24));
	assert_false(kernel_at_least("2.6", 2, 6, 24));
	assert_false(kernel_at_least("nonsense", 2, 6, 24));
}

#define KEY "-----BEGIN EC PRIVATE KEY-----"
#define KEY_END "-----END EC PRIVATE KEY-----"

static void secrets_go(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *clean; } cases[] = {
		{ "password: hunter2 and more", "password: <removed> and more" },
		{ "ETCD_PASSWORD=hunter2\nnext", "ETCD_PASSWORD=<removed>\nnext" },
		{ "etcdPassword: 'hun ter2'", "etcdPassword: '<removed>'" },
		{ "{\"token\":\"hunter2\",\"a\":1}", "{\"token\":\"<removed>\",\"a\":1}" },
		{ "{\"token\": \"hun\\\"ter2\", \"a\":1}", "{\"token\": \"<removed>\", \"a\":1}" },
		{ "\"{\\\"token\\\":\\\"hunter2\\\",\\\"a\\\":1}\"", "\"{\\\"token\\\":\\\"<removed>\\\",\\\"a\\\":1}\"" },
		{ "{\"tokens_used\":17,\"secret\":null}", "{\"tokens_used\":17,\"secret\":null}" },
		{ "neighbor 10.0.0.1 { password \"hunter2\"; }", "neighbor 10.0.0.1 { password \"<removed>\"; }" },
		{ "Authorization: Bearer abc.def", "Authorization: Bearer <removed>" },
		{ "curl -H 'bearer abc.def'", "curl -H 'bearer <removed>'" },
		{ "https://root:hunter2@10.0.0.1:2379/x", "https://root:<removed>@10.0.0.1:2379/x" },
		{ "https://10.0.0.1:2379/x@y", "https://10.0.0.1:2379/x@y" },
		{ "a\n" KEY "\nMII\nAB\n" KEY_END "\nb", "a\n" KEY "<removed>\nb" },
		{ "\"key\":\"" KEY "\\nMII\\n" KEY_END "\\n\",", "\"key\":\"" KEY "<removed>\\n\"," },
		{ KEY "\nMII, and no end", KEY "<removed>" },
		{ "-----BEGIN CERTIFICATE-----\nMII\n", "-----BEGIN CERTIFICATE-----\nMII\n" },
		{ "the password was wrong", "the password was wrong" },
		{ "secretKeyRef: {name: x}", "secretKeyRef: {name: x}" },
		{ "password=", "password=" },
		{ "", "" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };

		redact(cases[i].text, strlen(cases[i].text), &out);
		if (strcmp(buf_cstr(&out), cases[i].clean) != 0)
			fail_msg("%s\n became %s", cases[i].text, buf_cstr(&out));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modules_are_found),
		cmocka_unit_test(releases_are_compared),
		cmocka_unit_test(secrets_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
