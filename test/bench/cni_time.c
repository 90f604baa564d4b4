/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cni_time: how long a pod's ADD and DEL take, by three ways in turn, in the same run on the same
 * machine:
 *
 *     bare     the kernel operations alone, within this process: a veth pair, both ends up, routes,
 *              address; deleted again
 *     calico   this suite's plugin with everything behind it, by exec, as a runtime does it
 *     ptp      the reference plugins ptp + host-local, by exec
 *
 *     cni_time ROUNDS BATCHES CALICO CALICO-CONFIG [PTP-DIR PTP-CONFIG]
 *
 * First one pod after the other, ROUNDS times; then sixteen at once, BATCHES times: each of them
 * is timed from its own start to its own end. Every pod has a fresh network namespace; making it is
 * the runtime's work and is not measured.
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
#define AT_ONCE 16

enum way {
	BARE,
	CALICO,
	PTP,
	WAYS
};
static const char *const way_names[WAYS] = { "bare", "calico", "ptp" };

extern char **environ;

enum load {
	ALONE,
	TOGETHER,
	LOADS
};
static double *times[LOADS][WAYS][2]; /* ADD, DEL */
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

static double bare_add(int ns, int k)
{
	const struct mac_addr mac = { { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee } };
	char name[16];
	struct rt_veth v = { .name = "eth0",
		             .netns_fd = ns,
		             .peer_name = name,
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

	(void)snprintf(name, sizeof(name), "bare%d", k);
	check(nl_request(host, rt_veth_new(&v), &err, "veth"), &err, "bare");
	check(rt_link_get(host, 0, name, &l, &err), &err, "bare");
	r.ifindex = l.ifindex;
	r.dst = (struct ip_prefix){ ip_addr_v4(0x0a630001u + (uint32_t)k), 32 };
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
	t = now_us() - t;
	nl_batch_free(b);
	nl_conn_close(pod);
	return t;
}

static double bare_del(int k)
{
	struct err err = { 0 };
	char name[16];
	double t = now_us();

	(void)snprintf(name, sizeof(name), "bare%d", k);
	check(nl_request(host, rt_link_delete(0, name), &err, "delete"), &err, "bare");
	return now_us() - t;
}

/* A plugin under way. */
struct job {
	pid_t pid;
	int in, out;
	double started, took;
};

static void job_start(struct job *j, const char *program, const char *command, const char *config,
                      const char *path, int ns, int pod)
{
	char *argv[] = { (char *)(uintptr_t)program, NULL };
	char text[5][300], *env[16];
	posix_spawn_file_actions_t actions;
	int n = 0;

	(void)snprintf(text[0], sizeof(text[0]), "CNI_COMMAND=%s", command);
	(void)snprintf(text[1], sizeof(text[1]), "CNI_CONTAINERID=bench%d", pod);
	(void)snprintf(text[2], sizeof(text[2]), "CNI_NETNS=/proc/%d/fd/%d", getpid(), ns);
	(void)snprintf(text[3], sizeof(text[3]), "CNI_PATH=%s", path);
	(void)snprintf(text[4], sizeof(text[4]),
	               "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=bench%d",
	               pod);
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		env[n++] = text[i];
	env[n++] = (char *)(uintptr_t) "CNI_IFNAME=eth0";
	env[n++] = (char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	env[n] = NULL;
	j->in = memfd_create("config", MFD_CLOEXEC);
	j->out = memfd_create("out", MFD_CLOEXEC);
	if (write(j->in, config, strlen(config)) < 0 || lseek(j->in, 0, SEEK_SET) < 0)
		exit(1);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, j->in, 0);
	posix_spawn_file_actions_adddup2(&actions, j->out, 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	j->started = now_us();
	if (posix_spawn(&j->pid, program, &actions, NULL, argv, env) != 0)
		exit(1);
	posix_spawn_file_actions_destroy(&actions);
}

/* Waits for all of them, whoever ends first. */
static void jobs_end(struct job *jobs, int n, const char *what)
{
	for (int left = n; left > 0;) {
		int status;
		pid_t pid = waitpid(-1, &status, 0);
		double now = now_us();

		if (pid < 0)
			exit(1);
		for (int i = 0; i < n; i++) {
			char answer[2000] = "";

			if (jobs[i].pid != pid)
				continue;
			jobs[i].took = now - jobs[i].started;
			left--;
			if (status == 0)
				break;
			(void)!pread(jobs[i].out, answer, sizeof(answer) - 1, 0);
			fprintf(stderr, "cni_time: %s failed: %s\n", what, answer);
			exit(1);
		}
	}
	for (int i = 0; i < n; i++) {
		close(jobs[i].in);
		close(jobs[i].out);
	}
}

/* The bare operations in n processes, each with a netlink connection of its own. */
static void bare_together(const int *ns, double *took, bool add)
{
	static double *shared;

	if (!shared)
		shared = mmap(NULL, AT_ONCE * sizeof(*shared), PROT_READ | PROT_WRITE,
		              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		exit(1);
	for (int i = 0; i < AT_ONCE; i++) {
		pid_t pid = fork();

		if (pid < 0)
			exit(1);
		if (pid == 0) {
			struct err err = { 0 };

			check(nl_conn_open(NETLINK_ROUTE, -1, &host, &err), &err, "netlink");
			shared[i] = add ? bare_add(ns[i], i) : bare_del(i);
			_exit(0);
		}
	}
	for (int i = 0; i < AT_ONCE; i++) {
		int status;

		if (wait(&status) < 0 || status != 0)
			exit(1);
	}
	memcpy(took, shared, AT_ONCE * sizeof(*took));
}

/* What is asked for on the command line. */
struct plan {
	int rounds, batches;
	const char *program[WAYS], *config[WAYS], *path[WAYS];
	enum way ways; /* the first that is not run */
};

static void together(const struct plan *p, enum way w, int batch)
{
	static const char *const commands[] = { "ADD", "DEL" };
	int ns[AT_ONCE];

	for (int i = 0; i < AT_ONCE; i++)
		ns[i] = fresh_netns();
	for (int verb = 0; verb < 2; verb++) {
		double *out = &times[TOGETHER][w][verb][batch * AT_ONCE];
		struct job jobs[AT_ONCE] = { 0 };

		if (w == BARE) {
			bare_together(ns, out, verb == 0);
			continue;
		}
		for (int i = 0; i < AT_ONCE; i++)
			job_start(&jobs[i], p->program[w], commands[verb], p->config[w], p->path[w],
			          ns[i], ROUNDS_MAX + batch * AT_ONCE + i);
		jobs_end(jobs, AT_ONCE, commands[verb]);
		for (int i = 0; i < AT_ONCE; i++)
			out[i] = jobs[i].took;
	}
	for (int i = 0; i < AT_ONCE; i++)
		close(ns[i]);
}

static void alone(const struct plan *p, enum way w, int round)
{
	static const char *const commands[] = { "ADD", "DEL" };
	int ns = fresh_netns();

	for (int verb = 0; verb < 2; verb++) {
		struct job j = { 0 };

		if (w == BARE) {
			times[ALONE][w][verb][round] = verb ? bare_del(0) : bare_add(ns, 0);
			continue;
		}
		job_start(&j, p->program[w], commands[verb], p->config[w], p->path[w], ns, round);
		jobs_end(&j, 1, commands[verb]);
		times[ALONE][w][verb][round] = j.took;
	}
	close(ns);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const struct plan *p)
{
	static const char *const verbs[] = { "ADD", "DEL" };
	const int n[LOADS] = { p->rounds, p->batches * AT_ONCE };
	const double q[] = { 0.5, 0.99 };

	printf("%-14s %24s   %24s\n%-14s", "", "one after the other", "16 at once", "");
	for (int load = 0; load < LOADS; load++)
		printf(" %12s %12s  ", "p50", "p99");
	puts("");
	for (int verb = 0; verb < 2; verb++) {
		double v[WAYS][LOADS][2];

		for (enum way w = BARE; w < p->ways; w++) {
			printf("%s %-10s", verbs[verb], way_names[w]);
			for (int load = 0; load < LOADS; load++) {
				double *t = times[load][w][verb];

				qsort(t, (size_t)n[load], sizeof(*t), by_value);
				for (int i = 0; i < 2; i++) {
					v[w][load][i] = t[(int)(q[i] * (n[load] - 1))];
					printf(" %9.2f ms", v[w][load][i] / 1e3);
				}
				printf("  ");
			}
			puts("");
		}
		for (enum way w = BARE; w < p->ways; w++) {
			if (w == CALICO)
				continue;
			printf("%s calico/%-4s", verbs[verb], way_names[w]);
			for (int load = 0; load < LOADS; load++) {
				for (int i = 0; i < 2; i++)
					printf(" %8.2f    ", v[CALICO][load][i] / v[w][load][i]);
				printf("  ");
			}
			puts("");
		}
	}
}

int main(int argc, char **argv)
{
	struct plan p = { .rounds = argc > 4 ? atoi(argv[1]) : 0,
		          .batches = argc > 4 ? atoi(argv[2]) : 0,
		          .ways = argc > 6 ? WAYS : PTP };
	char program[300] = "";
	struct err err = { 0 };

	if (p.rounds < 1 || p.rounds > ROUNDS_MAX || p.batches < 1 || p.batches > ROUNDS_MAX) {
		fputs("usage: cni_time ROUNDS BATCHES CALICO CALICO-CONFIG [PTP-DIR PTP-CONFIG]\n",
		      stderr);
		return 2;
	}
	p.program[CALICO] = argv[3];
	p.config[CALICO] = argv[4];
	p.path[CALICO] = "/none";
	if (p.ways > PTP) {
		(void)snprintf(program, sizeof(program), "%s/ptp", argv[5]);
		p.program[PTP] = program;
		p.config[PTP] = argv[6];
		p.path[PTP] = argv[5];
	}
	for (int w = 0; w < WAYS; w++)
		for (int verb = 0; verb < 2; verb++) {
			times[ALONE][w][verb] = xcalloc((size_t)p.rounds, sizeof(double));
			times[TOGETHER][w][verb] =
			        xcalloc((size_t)p.batches * AT_ONCE, sizeof(double));
		}
	check(nl_conn_open(NETLINK_ROUTE, -1, &host, &err), &err, "netlink");
	for (int i = 0; i < p.rounds; i++)
		for (enum way w = BARE; w < p.ways; w++)
			alone(&p, w, i);
	for (int i = 0; i < p.batches; i++)
		for (enum way w = BARE; w < p.ways; w++)
			together(&p, w, i);
	report(&p);
	nl_conn_close(host);
	return 0;
}
