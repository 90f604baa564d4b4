/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cni_time: how long a pod's ADD and DEL take, by three ways in turn, in the same run on the same
 * machine:
 *
 *     bare     the kernel operations alone: a veth pair, both ends up, routes, address; deleted
 * again calico   this suite's plugin with everything behind it, by exec, as a runtime does it ptp
 * the reference plugins ptp + host-local, by exec
 *
 *     cni_time ROUNDS CALICO CALICO-CONFIG [PTP-DIR PTP-CONFIG]
 *
 * Every round has a fresh network namespace for each way; making it is the runtime's work and is
 * not measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/netns.h"
#include "common/nl/rt.h"

#define ROUNDS_MAX 100000

enum way {
	BARE,
	CALICO,
	PTP,
	WAYS
};
static const char *const way_names[WAYS] = { "bare", "calico", "ptp" };

extern char **environ;

static double *times[WAYS][2]; /* ADD, DEL */
static struct nl_conn *host;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(int r, const struct err *err, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "cni_time: %s: %s\n", what, err->text);
	exit(1);
}

static int on_fresh(void *arg, struct err *err)
{
	struct rt_link_change up = { .up = 1 };
	struct nl_conn *nl;
	int r;

	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(err, "unshare");
	*(int *)arg = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	r = nl_conn_open(NETLINK_ROUTE, -1, &nl, err);
	if (r == 0)
		r = nl_request(nl, rt_link_set(1, &up), err, "lo up");
	nl_conn_close(nl);
	return r;
}

static int fresh_netns(void)
{
	struct err err = { 0 };
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd = -1;

	check(own, &err, "own namespace");
	check(netns_do(own, on_fresh, &fd, &err), &err, "fresh namespace");
	close(own);
	return fd;
}

static void bare(int ns, double *add, double *del)
{
	const struct mac_addr mac = { { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee } };
	struct rt_veth v = { .name = "eth0",
		             .netns_fd = ns,
		             .peer_name = "bare0",
		             .peer_netns_fd = -1,
		             .peer_mac = &mac,
		             .up = true };
	struct rt_link_change up = { .up = 1 };
	struct rt_route r = { .type = RTN_UNICAST,
		              .scope = RT_SCOPE_LINK,
		              .protocol = RTPROT_BOOT,
		              .table = RT_TABLE_MAIN };
	struct rt_addr a = { 0 };
	struct nl_conn *pod = NULL;
	struct nl_batch *b;
	struct rt_link l;
	struct err err = { 0 };
	double t = now_us();

	check(nl_request(host, rt_veth_new(&v), &err, "veth"), &err, "bare");
	check(rt_link_get(host, 0, "bare0", &l, &err), &err, "bare");
	r.ifindex = l.ifindex;
	(void)ip_prefix_parse("10.99.0.1/32", &r.dst);
	check(nl_request(host, rt_link_set(l.ifindex, &up), &err, "up"), &err, "bare");
	check(nl_request(host, rt_route_add(&r, true), &err, "route"), &err, "bare");
	check(nl_conn_open(NETLINK_ROUTE, ns, &pod, &err), &err, "bare");
	check(rt_link_get(pod, 0, "eth0", &l, &err), &err, "bare");
	b = nl_batch_new(pod);
	a.prefix = r.dst;
	a.ifindex = r.ifindex = l.ifindex;
	(void)ip_prefix_parse("169.254.1.1/32", &r.dst);
	nl_batch_add(b, rt_route_add(&r, false), 0);
	r.via = r.dst.addr;
	r.scope = RT_SCOPE_UNIVERSE;
	(void)ip_prefix_parse("0.0.0.0/0", &r.dst);
	nl_batch_add(b, rt_route_add(&r, false), 0);
	nl_batch_add(b, rt_addr_add(&a), 0);
	check(nl_batch_commit(b, NULL, NULL, &err), &err, "bare");
	*add = now_us() - t;
	nl_batch_free(b);
	nl_conn_close(pod);
	t = now_us();
	check(nl_request(host, rt_link_delete(0, "bare0"), &err, "delete"), &err, "bare");
	*del = now_us() - t;
}

static double run(const char *program, const char *command, const char *config, const char *path,
                  int ns, int round)
{
	char *argv[] = { (char *)(uintptr_t)program, NULL };
	char text[5][300], *env[16];
	posix_spawn_file_actions_t actions;
	int in = memfd_create("config", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC),
	    status, n = 0;
	double t;
	pid_t pid;

	(void)snprintf(text[0], sizeof(text[0]), "CNI_COMMAND=%s", command);
	(void)snprintf(text[1], sizeof(text[1]), "CNI_CONTAINERID=bench%d", round);
	(void)snprintf(text[2], sizeof(text[2]), "CNI_NETNS=/proc/%d/fd/%d", getpid(), ns);
	(void)snprintf(text[3], sizeof(text[3]), "CNI_PATH=%s", path);
	(void)snprintf(text[4], sizeof(text[4]),
	               "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=bench%d",
	               round);
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		env[n++] = text[i];
	env[n++] = (char *)(uintptr_t) "CNI_IFNAME=eth0";
	env[n++] = (char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	env[n] = NULL;
	if (write(in, config, strlen(config)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		exit(1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	t = now_us();
	if (posix_spawn(&pid, program, &actions, NULL, argv, env) != 0 ||
	    waitpid(pid, &status, 0) < 0)
		exit(1);
	t = now_us() - t;
	posix_spawn_file_actions_destroy(&actions);
	if (status != 0) {
		char answer[2000] = "";

		(void)!pread(out, answer, sizeof(answer) - 1, 0);
		fprintf(stderr, "cni_time: %s %s of round %d failed: %s\n", program, command, round,
		        answer);
		exit(1);
	}
	close(in);
	close(out);
	return t;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *v, int n, double q)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[(int)(q * (n - 1))];
}

static void report(int rounds, bool ptp)
{
	static const char *const verbs[] = { "ADD", "DEL" };

	for (int verb = 0; verb < 2; verb++) {
		double p50[WAYS] = { 0 };

		for (int w = 0; w < (ptp ? WAYS : PTP); w++) {
			p50[w] = quantile(times[w][verb], rounds, 0.5);
			printf("%s  %-7s p50 %8.2f ms   p90 %8.2f ms\n", verbs[verb], way_names[w],
			       p50[w] / 1e3, quantile(times[w][verb], rounds, 0.9) / 1e3);
		}
		printf("%s  calico/bare %.2f", verbs[verb], p50[CALICO] / p50[BARE]);
		if (ptp)
			printf("   calico/ptp %.2f", p50[CALICO] / p50[PTP]);
		puts("");
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[1]) : 0;
	bool ptp = argc > 5;
	char program[300] = "";
	struct err err = { 0 };

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fputs("usage: cni_time ROUNDS CALICO CALICO-CONFIG [PTP-DIR PTP-CONFIG]\n", stderr);
		return 2;
	}
	for (int w = 0; w < WAYS; w++)
		for (int verb = 0; verb < 2; verb++)
			times[w][verb] = xcalloc((size_t)rounds, sizeof(double));
	check(nl_conn_open(NETLINK_ROUTE, -1, &host, &err), &err, "netlink");
	if (ptp)
		(void)snprintf(program, sizeof(program), "%s/ptp", argv[4]);
	for (int i = 0; i < rounds; i++) {
		int ns = fresh_netns();

		bare(ns, &times[BARE][0][i], &times[BARE][1][i]);
		times[CALICO][0][i] = run(argv[2], "ADD", argv[3], "/none", ns, i);
		times[CALICO][1][i] = run(argv[2], "DEL", argv[3], "/none", ns, i);
		if (ptp) {
			times[PTP][0][i] = run(program, "ADD", argv[5], argv[4], ns, i);
			times[PTP][1][i] = run(program, "DEL", argv[5], argv[4], ns, i);
		}
		close(ns);
	}
	report(rounds, ptp);
	nl_conn_close(host);
	return 0;
}
