/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The libiptc backend against a real kernel, in a network namespace of the test's own: every match
 * and target that rendering may ask for is taken by the kernel and shown by iptables as it was
 * meant; what is right is not written again. Skipped without the right to a namespace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/dataplane/ipset.h"
#include "felixd/dataplane/iptables.h"
#include "felixd/dataplane/iptables_encode.h"
#include "felixd/dataplane/iptables_text.h"

static char lock_path[] = "/tmp/percale-xtables.XXXXXX";

static int enter_namespace(void **state)
{
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return 0; /* each test skips */
	fd = mkstemp(lock_path);
	if (fd < 0)
		return -1;
	close(fd);
	return setenv("XTABLES_LOCKFILE", lock_path, 1);
}

static int leave(void **state)
{
	(void)state;
	(void)unlink(lock_path);
	return 0;
}

static void need_kernel(void)
{
	if (access(lock_path, F_OK) < 0 ||
	    system("timeout 10 iptables-legacy -nL >/dev/null 2>&1") != 0)
		skip();
}

/* ---- the kernel's side */

static char *saved(const char *table)
{
	char *cmd = xasprintf("iptables-legacy-save -t %s 2>&1", table);
	struct buf out = { 0 };
	char part[4096];
	FILE *f = popen(cmd, "r");
	size_t n;

	assert_non_null(f);
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(&out, part, n);
	pclose(f);
	free(cmd);
	return buf_take(&out);
}

static void shows(const char *table, const char *text)
{
	char *all = saved(table);

	if (!strstr(all, text))
		fail_msg("table %s does not show '%s':\n%s", table, text, all);
	free(all);
}

static void shows_not(const char *table, const char *text)
{
	char *all = saved(table);

	if (strstr(all, text))
		fail_msg("table %s shows '%s':\n%s", table, text, all);
	free(all);
}

static void run(const char *cmd)
{
	assert_int_equal(system(cmd), 0);
}

/* ---- ours */

static void sink_chain(void *arg, enum table_id table, struct chain *c)
{
	iptables_set_chain(arg, table, c);
}

static void sink_hook(void *arg, enum table_id table, const char *kernel_chain,
                      struct chain *inserts, struct chain *appends)
{
	iptables_set_hook(arg, table, kernel_chain, inserts, appends);
}

static struct ipsets *make_sets(void)
{
	static const char *const ids[] = { "dscp-src-net",    "network-ip-pools", "this-host",
		                           "masq-ipam-pools", "all-vxlan-net",    "s:one" };
	struct ipsets *sets;
	struct err err;

	assert_int_equal(ipsets_new(AF_INET, &sets, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ipset_want(sets, ids[i], strcmp(ids[i], "this-host") == 0 ? IPSET_IP : IPSET_NET,
		           NULL, 0);
	ipset_want(sets, "n:http", IPSET_IP_PORT, NULL, 0);
	assert_int_equal(ipset_apply(sets, 1000, &err), 0);
	return sets;
}

static struct dataplane_config config(const char *deny)
{
	return (struct dataplane_config){ .interface_prefix = "cali",
		                          .deny_action = deny,
		                          .mark_mask = 0xffff0000,
		                          .nat_outgoing_random_fully = true };
}

static void applied(struct iptables *t)
{
	struct err err;
	int rc = iptables_apply(t, &err);

	if (rc != 0)
		fail_msg("iptables_apply: %d: %s", rc, err.text);
	assert_false(iptables_pending(t));
}

static struct chain *hook_to(const char *target)
{
	struct chain *c = chain_new("FORWARD");

	rule_begin(c);
	rule_jump(c, target);
	return c;
}

static void every_static_rule_is_taken_and_not_written_twice(void **state)
{
	static const char *const denies[] = { "DROP", "REJECT" };

	(void)state;
	need_kernel();
	struct ipsets *sets = make_sets();
	for (size_t i = 0; i < ARRAY_SIZE(denies); i++) {
		struct dataplane_config dc = config(denies[i]);
		struct iptables *t = iptables_new(AF_INET, false);
		struct render_sink sink = { sink_chain, sink_hook, NULL, t };
		struct render_config r;
		uint64_t writes;
		struct err err;

		assert_int_equal(render_config_init(&r, &dc, AF_INET, &err), 0);
		r.vxlan = true;
		r.vxlan_device = "vxlan.calico";
		render_static(&r, &sink);
		render_nat_outgoing(&r, true, &sink);
		applied(t);
		writes = iptables_stats(t).writes;
		assert_true(writes > 0);
		iptables_doubt(t);
		applied(t);
		assert_int_equal(iptables_stats(t).writes, writes);
		assert_int_equal(iptables_stats(t).repairs, 0);
		iptables_free(t);
		render_config_done(&r);
	}
	shows("raw", "-p udp -m comment --comment \"cali:sIsu2aAqNN6K3YYn\" -m udp --dport 4789 -j "
	             "NOTRACK");
	shows("raw", "-m mark --mark 0x80000/0x80000 -m rpfilter --validmark --invert -j DROP");
	shows("nat",
	      "-p udp -m comment --comment \"cali:k5tPXc7Lt1qvBU9K\" -m addrtype ! --src-type "
	      "LOCAL "
	      "--limit-iface-out -m addrtype --src-type LOCAL -j MASQUERADE --to-ports 4790-65535 "
	      "--random-fully");
	shows("nat", "-o vxlan.calico ");
	shows("mangle", "-m set --match-set cali40dscp-src-net src -m set ! --match-set "
	                "cali40network-ip-pools dst");
	shows("filter",
	      "-m multiport --dports 4789 -m set --match-set cali40all-vxlan-net src -m addrtype "
	      "--dst-type LOCAL -j ACCEPT");
	shows("filter",
	      "-i cali+ -m comment --comment \"cali:H03xYXARh4e8pwd4\" -g cali-wl-to-host");
	shows("filter", "-m conntrack ! --ctstate DNAT -j cali-to-host-endpoint");
	shows("filter", "\"Unknown interface\" -j REJECT --reject-with icmp-port-unreachable");
	run("iptables-legacy -F && iptables-legacy -X && iptables-legacy -t nat -F && "
	    "iptables-legacy -t nat -X && iptables-legacy -t mangle -F && iptables-legacy -t "
	    "mangle -X && "
	    "iptables-legacy -t raw -F && iptables-legacy -t raw -X");
	ipsets_free(sets);
}

static void every_match_of_a_policy_is_shown_as_it_was_meant(void **state)
{
	static const struct calc_port_range ports[] = { { 80, 80 }, { 1000, 1010 } };
	static const struct {
		struct match m;
		int proto;
		const char *shown;
	} cases[] = {
		{ { .kind = MATCH_PORTS, .src = true, .ports = { ports, 2 } },
		  6,
		  "-m multiport --sports 80,1000:1010" },
		{ { .kind = MATCH_PORTS, .neg = true, .ports = { ports, 1 } },
		  17,
		  "-m multiport ! --dports 80" },
		{ { .kind = MATCH_PORTS, .ports = { ports, 1 } }, 132, "-p sctp " },
		{ { .kind = MATCH_PORT, .port = 53 }, 6, "-m tcp --dport 53" },
		{ { .kind = MATCH_ICMP, .icmp = { 8, 0 } }, 1, "-m icmp --icmp-type 8/0" },
		{ { .kind = MATCH_ICMP, .neg = true, .icmp = { 3, -1 } },
		  1,
		  "-m icmp ! --icmp-type 3" },
		{ { .kind = MATCH_SET, .src = true, .set = { "cali40n:http", true } },
		  -1,
		  "-m set --match-set cali40n:http src,src" },
		{ { .kind = MATCH_SET, .neg = true, .set = { "cali40n:http", true } },
		  -1,
		  "-m set ! --match-set cali40n:http dst,dst" },
		{ { .kind = MATCH_SET, .set = { "cali40s:one", false } },
		  -1,
		  "-m set --match-set cali40s:one dst" },
		{ { .kind = MATCH_PROTO, .neg = true, .proto = { 47, false } }, -1, "! -p gre" },
		{ { .kind = MATCH_MARK, .neg = true, .mark = { 0, 0x30000 } },
		  -1,
		  "-m mark ! --mark 0x0/0x30000" },
		{ { .kind = MATCH_IFACE, .iface = "cali1" }, -1, "-o cali1 " },
		{ { .kind = MATCH_IFACE, .src = true, .iface = "cali123456789ab" },
		  -1,
		  "-i cali123456789ab " },
		{ { .kind = MATCH_NET,
		    .neg = true,
		    .src = true,
		    .net = { { AF_INET, { 10, 1, 2, 3 } }, 8 } },
		  -1,
		  "! -s 10.0.0.0/8" },
		{ { .kind = MATCH_NET, .net = { { AF_INET, { 10, 1, 2, 3 } }, 32 } },
		  -1,
		  "-d 10.1.2.3/32" },
		{ { .kind = MATCH_NET, .net = { { AF_INET, { 0 } }, 0 } }, 17, "-p udp " },
		{ { .kind = MATCH_CT_STATE, .ct_states = CT_RELATED | CT_ESTABLISHED },
		  -1,
		  "--ctstate RELATED,ESTABLISHED" },
		{ { .kind = MATCH_CT_STATE, .ct_states = CT_INVALID }, -1, "--ctstate INVALID" },
		{ { .kind = MATCH_CT_STATE, .ct_states = CT_DNAT }, -1, "--ctstate DNAT" },
	};
	struct chain *c = chain_new("cali-test");
	struct iptables *t;
	struct ipsets *sets;

	(void)state;
	need_kernel();
	sets = make_sets();
	t = iptables_new(AF_INET, false);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rule_begin(c);
		rule_comment(c, "case %zu", i);
		if (cases[i].proto >= 0) {
			struct match p = match_proto(cases[i].proto, false, false);

			rule_match(c, &p);
		}
		rule_match(c, &cases[i].m);
		rule_mark(c, 0x10000, 0x30000);
	}
	rule_begin(c);
	rule_action(c, &(struct action){ .kind = ACTION_LOG,
	                                 .log_prefix = "a-prefix-longer-than-the-kernel-takes" });
	rule_begin(c); /* neither match nor action */
	rule_comment(c, "falls through");
	rule_begin(c);
	rule_return(c);
	iptables_set_chain(t, TABLE_FILTER, c);
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", hook_to("cali-test"), NULL);
	applied(t);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *all = saved("filter"), mark[32];
		char *at, *line;

		snprintf(mark, sizeof(mark), "\"case %zu\"", i);
		at = strstr(all, mark);
		assert_non_null(at);
		for (line = at; line > all && line[-1] != '\n';)
			line--;
		*strchr(at, '\n') = '\0';
		if (!strstr(line, cases[i].shown))
			fail_msg("wanted '%s' in: %s", cases[i].shown, line);
		assert_non_null(strstr(line, "-j MARK --set-xmark 0x10000/0x30000"));
		free(all);
	}
	shows("filter", "-j LOG --log-prefix \"a-prefix-longer-than-the-ke: \" --log-level 5");
	shows("filter", "--comment \"falls through\"\n");
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", NULL, NULL);
	applied(t);
	shows_not("filter", "cali");
	iptables_free(t);
	ipsets_free(sets);
}

static void only_what_differs_is_written(void **state)
{
	struct iptables *t;
	struct chain *c;
	uint64_t rules;

	(void)state;
	need_kernel();
	run("iptables-legacy -A FORWARD -p tcp --dport 1 -j DROP && iptables-legacy -N OTHER");
	t = iptables_new(AF_INET, false);
	for (unsigned n = 1; n <= 3; n++) { /* grows at its end, then shrinks */
		c = chain_new("cali-a");
		for (unsigned i = 0; i < n; i++) {
			rule_begin(c);
			rule_mark(c, 1u << (16 + i), 1u << (16 + i));
		}
		iptables_set_chain(t, TABLE_FILTER, c);
		iptables_set_hook(t, TABLE_FILTER, "FORWARD", hook_to("cali-a"), NULL);
		rules = iptables_stats(t).rules;
		applied(t);
		assert_int_equal(iptables_stats(t).rules - rules, n == 1 ? 3 : 1);
	}
	/* A rule's counters survive when another of its chain changes. */
	run("iptables-legacy-save -c -t filter | sed '/cali-a.*0x10000/s/\\[0:0\\]/[7:77]/' | "
	    "iptables-legacy-restore -c");
	c = chain_new("cali-a");
	rule_begin(c);
	rule_mark(c, 1u << 16, 1u << 16);
	iptables_set_chain(t, TABLE_FILTER, c);
	applied(t);
	run("iptables-legacy-save -c -t filter | grep -q '^\\[7:77\\] -A cali-a .*0x10000'");
	assert_int_equal(iptables_stats(t).repairs, 0);
	/* The same again is nothing at all. */
	rules = iptables_stats(t).reads;
	c = chain_new("cali-a");
	rule_begin(c);
	rule_mark(c, 1u << 16, 1u << 16);
	iptables_set_chain(t, TABLE_FILTER, c);
	assert_false(iptables_pending(t));
	applied(t);
	assert_int_equal(iptables_stats(t).reads, rules);
	shows("filter", "--dport 1 -j DROP");
	shows("filter", ":OTHER - ");
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", NULL, NULL);
	applied(t);
	run("iptables-legacy -F && iptables-legacy -X");
	iptables_free(t);
}

static void a_chain_without_its_set_harms_no_other(void **state)
{
	struct match m = match_set(true, "cali40s:missing", false, false);
	struct iptables *t;
	struct chain *c;
	struct err err;

	(void)state;
	need_kernel();
	t = iptables_new(AF_INET, false);
	c = chain_new("cali-bad");
	rule_begin(c);
	rule_match(c, &m);
	rule_accept(c);
	iptables_set_chain(t, TABLE_FILTER, c);
	c = chain_new("cali-top");
	rule_begin(c);
	rule_jump(c, "cali-bad");
	rule_begin(c);
	rule_drop(c);
	iptables_set_chain(t, TABLE_FILTER, c);
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", hook_to("cali-top"), NULL);
	assert_int_equal(iptables_apply(t, &err), 0);
	assert_true(iptables_pending(t));
	assert_true(iptables_chain_failed(t, TABLE_FILTER, "cali-top", &err));
	assert_non_null(strstr(err.text, "cali40s:missing"));
	shows("filter", ":cali-bad - ");
	shows("filter", "-j DROP");
	shows_not("filter", "-A cali-bad");
	run("ipset create cali40s:missing hash:net");
	applied(t);
	assert_false(iptables_chain_failed(t, TABLE_FILTER, "cali-top", &err));
	shows("filter", "--match-set cali40s:missing src -j ACCEPT");
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", NULL, NULL);
	applied(t);
	run("ipset destroy cali40s:missing");
	iptables_free(t);
}

static void in_append_mode_hooks_come_last(void **state)
{
	struct iptables *t;
	struct chain *tail;
	char *all, *theirs, *ours, *end;

	(void)state;
	need_kernel();
	run("iptables-legacy -A FORWARD -p tcp --dport 1 -j DROP");
	t = iptables_new(AF_INET, true);
	tail = chain_new("FORWARD");
	rule_begin(tail);
	rule_mark(tail, 0x10000, 0x10000);
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", hook_to("cali-a"), tail);
	applied(t);
	run("iptables-legacy -A FORWARD -p tcp --dport 2 -j DROP");
	iptables_doubt(t);
	applied(t);
	assert_int_equal(iptables_stats(t).repairs, 1);
	all = saved("filter");
	theirs = strstr(all, "--dport 2");
	ours = strstr(all, "-j cali-a");
	end = strstr(all, "-j MARK");
	assert_true(theirs && ours && end && theirs < ours && ours < end);
	free(all);
	iptables_set_hook(t, TABLE_FILTER, "FORWARD", NULL, NULL);
	applied(t);
	run("iptables-legacy -F");
	iptables_free(t);
}

static void the_lock_is_tried_not_waited_for(void **state)
{
	struct iptables *t;
	struct err err;
	int fd;

	(void)state;
	need_kernel();
	fd = open(lock_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	t = iptables_new(AF_INET, false);
	iptables_doubt(t);
	assert_int_equal(iptables_apply(t, &err), -EBUSY);
	assert_true(iptables_pending(t));
	assert_int_equal(iptables_stats(t).lock_busy, 1);
	close(fd);
	applied(t);
	iptables_free(t);
}

static int no_index(void *arg, const char *name, uint16_t *ret, struct err *err)
{
	(void)arg;
	(void)name;
	(void)err;
	*ret = 1;
	return 0;
}

static void the_hash_is_found_again_in_every_entry(void **state)
{
	struct chain *c = chain_new("c");
	char id[RULE_ID_MAX];
	struct buf b = { 0 };

	(void)state;
	rule_begin(c);
	rule_comment(c, "cali:not-this-one");
	rule_drop(c);
	iptables_text_hash(c, "c");
	assert_int_equal(iptables_encode(&c->rules[0], no_index, NULL, &b, NULL), 0);
	iptables_entry_id((const void *)b.data, b.len, id);
	assert_string_equal(id, c->rules[0].id);
	for (size_t n = 112; n < b.len;
	     n++) { /* behind the head: no more of it may be read than there is */
		uint8_t *cut = xmemdup(b.data, n);

		iptables_entry_id((const void *)cut, n, id);
		free(cut);
	}
	buf_done(&b);
	chain_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_static_rule_is_taken_and_not_written_twice),
		cmocka_unit_test(every_match_of_a_policy_is_shown_as_it_was_meant),
		cmocka_unit_test(only_what_differs_is_written),
		cmocka_unit_test(a_chain_without_its_set_harms_no_other),
		cmocka_unit_test(in_append_mode_hooks_come_last),
		cmocka_unit_test(the_lock_is_tried_not_waited_for),
		cmocka_unit_test(the_hash_is_found_again_in_every_entry),
	};

	return cmocka_run_group_tests(tests, enter_namespace, leave);
}
