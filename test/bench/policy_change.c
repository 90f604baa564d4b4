/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One rule of one policy changes while many rules are present: CPU and time of each backend (the
 * kernel's share included), beside the program that an operator would use for the same change.
 *
 *     policy_change nftables|iptables RULES [ROUNDS]      within a network namespace of its own
 *
 * Prints: backend rules wall_us cpu_us program_wall_us program_cpu_us
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "common/base/err.h"
#include "felixd/dataplane/iptables.h"
#include "felixd/dataplane/nft_rules.h"

#define RULES_PER_CHAIN 10
#define DEFAULT_ROUNDS 20

static double us(struct timeval t)
{
	return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

static double cpu_us(int who)
{
	struct rusage r;

	(void)getrusage(who, &r);
	return us(r.ru_utime) + us(r.ru_stime);
}

static double wall_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->text);
	exit(1);
}

/* The policy's chain; round changes its last rule. */
static struct chain *policy(unsigned i, unsigned round)
{
	char name[CHAIN_NAME_MAX];
	struct chain *c;

	snprintf(name, sizeof(name), "cali-pi-p%u", i);
	c = chain_new(name);
	for (unsigned k = 0; k < RULES_PER_CHAIN; k++) {
		struct ip_prefix net = { { AF_INET,
			                   { 10, (uint8_t)(i >> 8), (uint8_t)i,
			                     (uint8_t)(k + round * (k == 9)) } },
			                 32 };
		struct match m = match_net(true, &net, false);

		rule_begin(c);
		rule_match(c, &m);
		rule_mark(c, 0x10000, 0x10000);
	}
	return c;
}

static void apply(struct ruleset *t)
{
	struct err err = { 0 };

	if (t->ops->apply(t->self, &err) < 0)
		die("apply", &err);
}

/* The same change by the program: the chain is emptied and filled again. */
static void write_script(const char *path, bool nft, unsigned round)
{
	FILE *f = fopen(path, "we");

	if (!f)
		exit(1);
	if (nft)
		fprintf(f, "flush chain ip calico filter-cali-pi-p0\n");
	else
		fprintf(f, "*filter\n:cali-pi-p0 - -\n");
	for (unsigned k = 0; k < RULES_PER_CHAIN; k++) {
		unsigned last = k + (k == 9 ? round : 0);

		if (nft)
			fprintf(f,
			        "add rule ip calico filter-cali-pi-p0 ip saddr 10.0.0.%u counter "
			        "meta mark set mark or 0x10000\n",
			        last);
		else
			fprintf(f,
			        "-A cali-pi-p0 -s 10.0.0.%u/32 -j MARK --set-mark "
			        "0x10000/0x10000\n",
			        last);
	}
	if (!nft)
		fprintf(f, "COMMIT\n");
	(void)fclose(f);
}

int main(int argc, char **argv)
{
	unsigned rules = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	unsigned rounds = argc > 3 ? (unsigned)atoi(argv[3]) : DEFAULT_ROUNDS;
	bool nft = argc > 1 && strcmp(argv[1], "nftables") == 0;
	char script[] = "/tmp/policy-change.XXXXXX", cmd[128];
	struct chain *hook = chain_new("FORWARD");
	struct nft_link *link = NULL;
	struct ruleset t;
	double wall, cpu, own[2] = { 0 }, program[2] = { 0 };
	struct err err;
	int fd;

	if (rules < RULES_PER_CHAIN || (fd = mkstemp(script)) < 0)
		return 2;
	if (nft && nft_link_open(AF_INET, &link, &err) < 0)
		die("nf_tables", &err);
	if (nft)
		t = (struct ruleset){ &nft_rules_ops, nft_rules_new(link, nft_sets_new(link)) };
	else
		t = (struct ruleset){ &iptables_ops, iptables_new(AF_INET, false) };
	for (unsigned i = 0; i < rules / RULES_PER_CHAIN; i++) {
		struct chain *c = policy(i, 0);

		rule_begin(hook);
		rule_jump(hook, c->name);
		t.ops->set_chain(t.self, TABLE_FILTER, c);
	}
	t.ops->set_hook(t.self, TABLE_FILTER, "FORWARD", hook, NULL);
	apply(&t);
	for (unsigned round = 1; round <= rounds; round++) {
		wall = wall_us();
		cpu = cpu_us(RUSAGE_SELF);
		t.ops->set_chain(t.self, TABLE_FILTER, policy(0, round));
		apply(&t);
		own[0] += wall_us() - wall;
		own[1] += cpu_us(RUSAGE_SELF) - cpu;
	}
	snprintf(cmd, sizeof(cmd), nft ? "nft -f %s" : "iptables-legacy-restore --noflush <%s",
	         script);
	for (unsigned round = 1; round <= rounds; round++) {
		write_script(script, nft, round);
		wall = wall_us();
		cpu = cpu_us(RUSAGE_CHILDREN);
		if (system(cmd) != 0)
			return 1;
		program[0] += wall_us() - wall;
		program[1] += cpu_us(RUSAGE_CHILDREN) - cpu;
	}
	(void)remove(script);
	printf("%s %u %.0f %.0f %.0f %.0f\n", argv[1], rules, own[0] / rounds, own[1] / rounds,
	       program[0] / rounds, program[1] / rounds);
	return 0;
}
