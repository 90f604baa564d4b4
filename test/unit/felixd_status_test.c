/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"
#include "felixd/calc/output.h"
#include "felixd/status.h"

static void files_are_named_as_upstream_names_them(void **state)
{
	static const struct {
		const char *ns, *name, *file;
	} rows[] = {
		{ "default", "node1-k8s-nginx-eth0", "k8s default%2Fnginx eth0" },
		{ "default", "node--1-k8s-web--0-eth0", "k8s default%2Fweb-0 eth0" },
		{ "a b", "n-cni-x%y-e:1", "cni a%20b%2Fx%25y e:1" },
		{ "default", "node1-k8s-nginx", NULL },
		{ "default", "node1-k8s-nginx-eth0-more", NULL },
		{ "default", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *name = status_file_name(rows[i].ns, rows[i].name);

		if (rows[i].file)
			assert_string_equal(name, rows[i].file);
		else
			assert_null(name);
		free(name);
	}
}

struct world {
	uv_loop_t loop;
	struct status *s;
	char dir[32];
	struct ip_prefix addrs[2];
	struct calc_endpoint e;
};

static void begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	strcpy(w->dir, "/tmp/status-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	(void)uv_loop_init(&w->loop);
	w->s = status_new(&w->loop);
	assert_int_equal(ip_prefix_parse("10.0.0.1/32", &w->addrs[0]), 0);
	assert_int_equal(ip_prefix_parse("fd00::1/128", &w->addrs[1]), 0);
	w->e = (struct calc_endpoint){ .ns = "default",
		                       .name = "n-k8s-a-eth0",
		                       .interface = "calia",
		                       .addrs = w->addrs,
		                       .n_addrs = 2,
		                       .mac = { { 2, 0, 0, 0, 0, 1 } } };
}

static void end(struct world *w)
{
	CLEANUP(free_p) char *rm = xasprintf("rm -rf %s", w->dir);

	status_free(w->s);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	assert_int_equal(system(rm), 0);
}

/* NULL: there is no such file. */
static char *contents(const struct world *w, const char *name)
{
	CLEANUP(free_p) char *path = xasprintf("%s/endpoint-status/%s", w->dir, name);
	char *text = NULL;

	return file_read(path, 4096, &text, NULL, NULL) < 0 ? NULL : text;
}

static bool there(const struct world *w, const char *name)
{
	CLEANUP(free_p) char *text = contents(w, name);

	return text != NULL;
}

#define FILE_OF_A "k8s default%2Fa eth0"

static void a_file_is_there_while_the_endpoint_is_up(void **state)
{
	struct world w;
	char *text;

	(void)state;
	begin(&w);
	status_set_prefix(w.s, w.dir);
	status_endpoint(w.s, &w.e, true);
	assert_false(there(&w, FILE_OF_A)); /* not yet: it is not known what there is */
	status_in_sync(w.s);
	text = contents(&w, FILE_OF_A);
	assert_string_equal(text, "{\"ifaceName\":\"calia\",\"mac\":\"02:00:00:00:00:01\","
	                          "\"ipv4Nets\":[\"10.0.0.1/32\"],\"ipv6Nets\":[\"fd00::1/128\"]}");
	free(text);
	w.e.n_addrs = 1;
	status_endpoint(w.s, &w.e, true);
	text = contents(&w, FILE_OF_A);
	assert_null(strstr(text, "ipv6Nets"));
	free(text);
	assert_int_equal(status_stats(w.s).up, 1);
	status_endpoint(w.s, &w.e, false);
	assert_false(there(&w, FILE_OF_A));
	assert_int_equal(status_stats(w.s).up, 0);
	assert_false(there(&w, ".new"));
	end(&w);
}

static void what_an_earlier_run_left_goes(void **state)
{
	struct world w;
	CLEANUP(free_p) char *dir = NULL, *stale = NULL, *other = NULL;

	(void)state;
	begin(&w);
	dir = xasprintf("%s/endpoint-status", w.dir);
	stale = xasprintf("%s/k8s default%%2Fold eth0", dir);
	other = xasprintf("%s/directory", dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(mkdir(other, 0755), 0);
	assert_int_equal(file_replace(stale, "{}", 2, 0644, NULL), 0);
	status_set_prefix(w.s, w.dir);
	status_endpoint(w.s, &w.e, true);
	assert_true(there(&w, "k8s default%2Fold eth0"));
	status_in_sync(w.s);
	assert_false(there(&w, "k8s default%2Fold eth0"));
	assert_true(there(&w, FILE_OF_A));
	assert_int_equal(status_stats(w.s).failures, 0);
	/* another place: what is here goes, and is there */
	status_set_prefix(w.s, NULL);
	assert_false(there(&w, FILE_OF_A));
	status_set_prefix(w.s, w.dir);
	assert_true(there(&w, FILE_OF_A));
	end(&w);
}

static void what_cannot_be_written_is_tried_again(void **state)
{
	struct world w;
	CLEANUP(free_p) char *dir = NULL;

	(void)state;
	begin(&w);
	dir = xasprintf("%s/endpoint-status", w.dir);
	assert_int_equal(file_replace(dir, "", 0, 0644, NULL), 0); /* in the way */
	status_set_prefix(w.s, w.dir);
	status_in_sync(w.s);
	status_endpoint(w.s, &w.e, true);
	assert_true(status_stats(w.s).failures > 0);
	assert_int_equal(unlink(dir), 0);
	while (!there(&w, FILE_OF_A)) /* its timer keeps the loop going */
		assert_int_not_equal(uv_run(&w.loop, UV_RUN_ONCE) == 0 && !there(&w, FILE_OF_A), 1);
	assert_int_equal(status_stats(w.s).written, 1);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_named_as_upstream_names_them),
		cmocka_unit_test(a_file_is_there_while_the_endpoint_is_up),
		cmocka_unit_test(what_an_earlier_run_left_goes),
		cmocka_unit_test(what_cannot_be_written_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
