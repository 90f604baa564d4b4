/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What typhad's benchmarks are made of: clients by the thousand, and the bare acts to compare with.
 *
 *     typhad_bench load SOCK N                     N workload endpoints
 *     typhad_bench snapshot SOCK RUNS              a watch's snapshot; the same bytes over a socket
 *     typhad_bench fanout SOCK PID N UPDATES       an update to N watches; bare sends to N sockets
 *     typhad_bench stalled SOCK PID N K UPDATES    memory, K of the N watches do not read
 *     typhad_bench race RUNS COMMAND...            commands in turn, from start to end
 *
 * All times are of one run and taken in turns, so that a machine that is busy is so for both.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/frame.h"
#include "common/ipc/sock.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "common/store/store.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define KIND V3__KIND__KIND_WORKLOAD_ENDPOINT
#define IN_SYNC_TAG 0x42 /* field 8 of FromTyphad */
#define READ_MAX (256u << 10)

extern char **environ;

static void die(const char *what)
{
	fprintf(stderr, "typhad_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* ---- workload endpoints, as upstream's CNI plugin writes them for a pod */

static struct resource *endpoint(unsigned i, unsigned version)
{
	char text[2048], name[96], ns[32];
	ProtobufCMessage *msg = NULL;
	struct err err = { 0 };
	unsigned app = i % 500, node = i % 1000;
	int n;

	(void)snprintf(ns, sizeof(ns), "team-%u", i % 40);
	(void)snprintf(name, sizeof(name), "node%u-k8s-app%u--7d9f8b6c5d--%05x-eth0", node, app, i);
	n = snprintf(
	        text, sizeof(text),
	        "{\"kind\":\"WorkloadEndpoint\",\"apiVersion\":\"projectcalico.org/"
	        "v3\",\"metadata\":{"
	        "\"name\":\"%s\",\"namespace\":\"%s\",\"generateName\":\"app%u-7d9f8b6c5d-\","
	        "\"labels\":{\"app\":\"app%u\",\"pod-template-hash\":\"7d9f8b6c5d\","
	        "\"projectcalico.org/namespace\":\"%s\",\"projectcalico.org/orchestrator\":\"k8s\","
	        "\"projectcalico.org/serviceaccount\":\"default\",\"tier\":\"backend\",\"version\":"
	        "\"v%08u\"}},\"spec\":{\"orchestrator\":\"k8s\",\"node\":\"node%u\","
	        "\"containerID\":"
	        "\"%08x9c1d77e0a54b3f2286d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f70818f%07x\",\"pod\":"
	        "\"app%u-7d9f8b6c5d-%05x\",\"endpoint\":\"eth0\",\"serviceAccountName\":"
	        "\"default\","
	        "\"ipNetworks\":[\"10.%u.%u.%u/32\"],\"profiles\":[\"kns.%s\",\"ksa.%s.default\"],"
	        "\"interfaceName\":\"cali%011x\",\"mac\":\"ee:ee:ee:ee:ee:ee\",\"ports\":[{"
	        "\"name\":"
	        "\"http\",\"protocol\":\"TCP\",\"port\":8080}]}}",
	        name, ns, app, app, ns, version, node, i * 2654435761u, i, app, i, i >> 16 & 255,
	        i >> 8 & 255, i & 255, ns, ns, i);
	if (n < 0 || (size_t)n >= sizeof(text) ||
	    mapper_read_text(kind_info(KIND)->message, text, (size_t)n, MAPPER_KEEP, &msg, &err) <
	            0) {
		fprintf(stderr, "typhad_bench: %s\n", err.text);
		exit(1);
	}
	return resource_new(KIND, ns, name, 0, msg);
}

/* ---- load */

static size_t under_way;

static void on_loaded(void *arg, const struct store_result *r)
{
	(void)arg;
	under_way--;
	if (r->status != STORE_OK) {
		fprintf(stderr, "typhad_bench: %s\n", r->text);
		exit(1);
	}
}

static int cmd_load(const char *sock, unsigned n)
{
	struct store *s;
	struct err err;
	uv_loop_t loop;

	(void)uv_loop_init(&loop);
	if (store_typha_open(&loop, sock, "bench", "bench", &s, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; i < n || under_way;) {
		if (i < n && under_way < 512) {
			struct resource *r = endpoint(i++, 0);

			under_way++;
			store_apply(s, r, on_loaded, NULL);
			resource_free(r);
		} else {
			(void)uv_run(&loop, UV_RUN_ONCE);
		}
	}
	return 0;
}

/* ---- a client by hand */

static void send_message(int fd, Sync__V1__ToTyphad *m)
{
	struct ipc_frame *f = ipc_frame_pack(&m->base);

	m->has_request_id = 1;
	if (send(fd, f->data, f->len, MSG_NOSIGNAL) != (ssize_t)f->len)
		die("send");
	ipc_frame_unref(f);
}

static int client_open(const char *sock)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;
	struct err err;
	int fd;

	if (unix_connect(sock, 0, &fd, &err) < 0) {
		fprintf(stderr, "typhad_bench: %s\n", err.text);
		exit(1);
	}
	hello.has_version = 1;
	hello.version = 1;
	hello.program = (char *)(uintptr_t) "bench";
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO;
	m.hello = &hello;
	send_message(fd, &m);
	return fd;
}

static void client_watch(int fd)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Watch watch = SYNC__V1__WATCH__INIT;
	V3__Kind kinds[] = { KIND };

	watch.n_kinds = 1;
	watch.kinds = kinds;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_WATCH;
	m.watch = &watch;
	send_message(fd, &m);
}

static void client_apply(int fd, const struct resource *r)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Apply apply = SYNC__V1__APPLY__INIT;
	Sync__V1__Resource resource = SYNC__V1__RESOURCE__INIT;
	CLEANUP(buf_done) struct buf body = { 0 };

	msg_pack(r->msg, &body);
	resource.has_kind = resource.has_body = 1;
	resource.kind = r->kind;
	resource.namespace_ = r->ns;
	resource.name = r->name;
	resource.body = (ProtobufCBinaryData){ body.len, body.data };
	apply.resource = &resource;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY;
	m.apply = &apply;
	send_message(fd, &m);
}

/* ---- snapshot */

/* Finds the ends of frames in a stream that comes in pieces. */
struct frames {
	uint8_t head[5]; /* length and first tag */
	size_t n_head, left;
	uint64_t bytes, frames;
	bool in_sync;
};

static void frames_take(struct frames *f, const uint8_t *p, size_t len)
{
	f->bytes += len;
	while (len) {
		size_t n;

		if (f->n_head < sizeof(f->head)) {
			f->head[f->n_head++] = *p++;
			len--;
			if (f->n_head < sizeof(f->head))
				continue;
			f->left = ((size_t)f->head[0] << 24 | (size_t)f->head[1] << 16 |
			           (size_t)f->head[2] << 8 | f->head[3]) -
			          1;
		}
		n = f->left < len ? f->left : len;
		p += n;
		len -= n;
		f->left -= n;
		if (f->left == 0) {
			f->in_sync |= f->head[4] == IN_SYNC_TAG;
			f->frames++;
			f->n_head = 0;
		}
	}
}

/* Until everything is there; what came is appended to keep, when that is given. */
static double snapshot_once(const char *sock, struct frames *f, struct buf *keep)
{
	static uint8_t piece[READ_MAX];
	double start = now();
	int fd = client_open(sock);

	*f = (struct frames){ 0 };
	client_watch(fd);
	while (!f->in_sync) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		if (n <= 0)
			die("recv");
		frames_take(f, piece, (size_t)n);
		if (keep)
			buf_add(keep, piece, (size_t)n);
	}
	start = now() - start;
	close(fd);
	return start;
}

/* The same bytes, from a process that has them to one that looks at no more than their number. */
static double raw_once(const struct buf *bytes)
{
	static uint8_t piece[READ_MAX];
	double start = now();
	size_t got = 0;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		die("socketpair");
	pid = fork();
	if (pid == 0) {
		for (size_t at = 0; at < bytes->len;) {
			size_t left = bytes->len - at;
			ssize_t n = send(pair[1], bytes->data + at,
			                 left < READ_MAX ? left : READ_MAX, 0);

			if (n <= 0)
				_exit(1);
			at += (size_t)n;
		}
		_exit(0);
	}
	while (got < bytes->len) {
		ssize_t n = recv(pair[0], piece, sizeof(piece), 0);

		if (n <= 0)
			die("recv");
		got += (size_t)n;
	}
	start = now() - start;
	close(pair[0]);
	close(pair[1]);
	(void)waitpid(pid, NULL, 0);
	return start;
}

static void on_update(void *arg, const struct resource *r)
{
	(void)r;
	++*(size_t *)arg;
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	(void)kind;
	(void)ns;
	(void)name;
}

static bool driver_in_sync;

static void on_in_sync(void *arg)
{
	(void)arg;
	driver_in_sync = true;
}

/* What a daemon does with it: the driver decodes every object. */
static double driver_once(const char *sock, size_t *objects)
{
	static const struct store_watch_ops ops = {
		.on_update = on_update,
		.on_remove = on_remove,
		.on_in_sync = on_in_sync,
	};
	const model_kind kinds[] = { KIND };
	double start = now();
	struct store *s;
	struct err err;
	uv_loop_t loop;

	(void)uv_loop_init(&loop);
	*objects = 0;
	driver_in_sync = false;
	if (store_typha_open(&loop, sock, "bench", "bench", &s, &err) < 0 ||
	    store_watch(s, kinds, 1, &ops, objects) < 0)
		die("open");
	while (!driver_in_sync)
		(void)uv_run(&loop, UV_RUN_ONCE);
	start = now() - start;
	store_free(s);
	while (uv_run(&loop, UV_RUN_DEFAULT))
		;
	return start;
}

static int cmd_snapshot(const char *sock, size_t runs)
{
	struct buf bytes = { 0 };
	struct frames f;
	double *snapshot = xcalloc(runs, sizeof(double)), *raw = xcalloc(runs, sizeof(double)),
	       *ratio = xcalloc(runs, sizeof(double)), *driver = xcalloc(runs, sizeof(double));
	size_t objects;

	(void)snapshot_once(sock, &f, &bytes); /* a warm-up, and the bytes */
	(void)raw_once(&bytes);
	for (size_t i = 0; i < runs; i++) {
		snapshot[i] = snapshot_once(sock, &f, NULL);
		raw[i] = raw_once(&bytes);
		ratio[i] = snapshot[i] / raw[i];
		driver[i] = driver_once(sock, &objects);
	}
	printf("%zu %" PRIu64 " %.6f %.6f %.6f %.6f\n", objects, f.bytes, median(snapshot, runs),
	       median(raw, runs), median(ratio, runs), median(driver, runs));
	return 0;
}

/* ---- fan-out */

/* CPU time of a process so far, in seconds; how much of it in the kernel. */
static double cpu_of(pid_t pid, double *ret_system)
{
	char path[64], text[1024];
	unsigned long user = 0, sys = 0;
	double hz = (double)sysconf(_SC_CLK_TCK);
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f) ||
	    sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
	           &user, &sys) != 2)
		die(path);
	fclose(f);
	if (ret_system)
		*ret_system = (double)sys / hz;
	return (double)(user + sys) / hz;
}

static uint64_t memory_of(pid_t pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib;
}

static uint64_t take_all(int fd)
{
	static uint8_t piece[READ_MAX];
	uint64_t sum = 0;

	for (;;) {
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);

		if (n > 0)
			sum += (uint64_t)n;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			die("a connection was lost");
		if (n < (ssize_t)sizeof(piece))
			return sum;
	}
}

struct crowd {
	int epoll;
	int *fds;
	size_t n;
};

static void crowd_add(struct crowd *c, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	c->fds[c->n++] = fd;
	if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll");
}

static struct crowd crowd_new(size_t n)
{
	struct crowd c = { .epoll = epoll_create1(EPOLL_CLOEXEC), .fds = xcalloc(n, sizeof(int)) };

	return c;
}

/* Reads until so many bytes have come in all, or nothing has come for quiet_ms (0: for ever). */
static uint64_t crowd_read(struct crowd *c, uint64_t wanted, int quiet_ms)
{
	struct epoll_event events[256];
	uint64_t got = 0;

	while (got < wanted) {
		int n = epoll_wait(c->epoll, events, 256, quiet_ms ? quiet_ms : 20000);

		if (n <= 0) {
			if (quiet_ms)
				return got;
			errno = ETIMEDOUT;
			die("an update did not reach everybody");
		}
		for (int i = 0; i < n; i++)
			got += take_all(events[i].data.fd);
	}
	return got;
}

static void read_reply(int fd)
{
	struct frames f = { 0 };
	uint8_t piece[4096];

	while (f.frames == 0 || f.n_head) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		if (n <= 0)
			die("no reply");
		frames_take(&f, piece, (size_t)n);
	}
}

/* The bare act: a process that sends len bytes to each of n sockets whenever a byte tells it to. */
static pid_t bare_start(size_t n, size_t len, struct crowd *crowd, int *ret_trigger)
{
	int *others = xcalloc(n, sizeof(int)), trigger[2];
	uint8_t *bytes = xcalloc(1, len), go;
	pid_t pid;

	if (pipe2(trigger, O_CLOEXEC) < 0)
		die("pipe");
	for (size_t i = 0; i < n; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			die("socketpair");
		crowd_add(crowd, pair[0]);
		others[i] = pair[1];
	}
	pid = fork();
	if (pid == 0) {
		while (read(trigger[0], &go, 1) == 1)
			for (size_t i = 0; i < n; i++)
				if (send(others[i], bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) !=
				    (ssize_t)len)
					_exit(1);
		_exit(0);
	}
	for (size_t i = 0; i < n; i++)
		close(others[i]);
	free(others);
	free(bytes);
	*ret_trigger = trigger[1];
	return pid;
}

static void raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
}

/* Watches that have their snapshot. */
static struct crowd watches(const char *sock, size_t n)
{
	struct crowd c = crowd_new(n);

	for (size_t i = 0; i < n; i++) {
		int fd = client_open(sock);

		client_watch(fd);
		crowd_add(&c, fd);
		if (i % 64 == 63) /* so that the backlog is worked off */
			(void)crowd_read(&c, UINT64_MAX, 20);
	}
	(void)crowd_read(&c, UINT64_MAX, 500);
	return c;
}

static int cmd_fanout(const char *sock, pid_t pid, size_t n, size_t updates)
{
	double *ours = xcalloc(updates, sizeof(double)), *bare = xcalloc(updates, sizeof(double)),
	       *ratio = xcalloc(updates, sizeof(double)), cpu = 0, sys = 0, bare_cpu, at, sys_at, s,
	       ours_median, bare_median;
	struct crowd watching, plain = crowd_new(n);
	struct resource *r;
	int writer, trigger;
	uint64_t len;
	pid_t sender;

	raise_limit();
	watching = watches(sock, n);
	writer = client_open(sock);
	read_reply(writer);
	r = endpoint(7, 1);
	client_apply(writer, r);
	read_reply(writer);
	resource_free(r);
	len = crowd_read(&watching, UINT64_MAX, 500) / n; /* of one update's frame */
	sender = bare_start(n, len, &plain, &trigger);
	for (size_t i = 0; i < updates; i++) {
		double start;

		r = endpoint(7, (unsigned)i + 2);
		at = cpu_of(pid, &sys_at);
		start = now();
		client_apply(writer, r);
		(void)crowd_read(&watching, len * n, 0);
		ours[i] = now() - start;
		cpu += cpu_of(pid, &s) - at;
		sys += s - sys_at;
		read_reply(writer);
		resource_free(r);
		start = now();
		if (write(trigger, "", 1) != 1)
			die("write");
		(void)crowd_read(&plain, len * n, 0);
		bare[i] = now() - start;
		ratio[i] = ours[i] / bare[i];
	}
	bare_cpu = cpu_of(sender, NULL);
	kill(sender, SIGKILL);
	(void)waitpid(sender, NULL, 0);
	ours_median = median(ours, updates); /* sorts: the least is the first then */
	bare_median = median(bare, updates);
	printf("%zu %" PRIu64 " %.6f %.6f %.4f %.6f %.6f %.3f %.3f %.4f\n", n, len, ours_median,
	       bare_median, median(ratio, updates), ours[0], bare[0],
	       cpu / (double)updates / (double)n * 1e6,
	       bare_cpu / (double)updates / (double)n * 1e6, cpu > 0 ? sys / cpu : 0);
	return 0;
}

static int cmd_stalled(const char *sock, pid_t pid, size_t n, size_t k, unsigned updates)
{
	struct crowd c;
	uint64_t idle, connected, after;
	int writer;

	raise_limit();
	idle = memory_of(pid);
	c = watches(sock, n);
	connected = memory_of(pid);
	for (size_t i = 0; i < k; i++)
		(void)epoll_ctl(c.epoll, EPOLL_CTL_DEL, c.fds[i], NULL);
	writer = client_open(sock);
	read_reply(writer);
	for (unsigned i = 0; i < updates; i++) {
		struct resource *r = endpoint(i % 1000, i);

		client_apply(writer, r);
		read_reply(writer);
		(void)crowd_read(&c, 1, 1);
		resource_free(r);
	}
	(void)crowd_read(&c, UINT64_MAX, 500);
	after = memory_of(pid);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", idle, connected, after);
	return 0;
}

/* ---- race */

static double run_once(const char *command)
{
	char *const argv[] = { (char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
		               (char *)(uintptr_t)command, NULL };
	double start = now();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0)
		die("spawn");
	if (status != 0) {
		fprintf(stderr, "typhad_bench: failed: %s\n", command);
		exit(1);
	}
	return now() - start;
}

static int cmd_race(size_t runs, char **commands, size_t n)
{
	double **t = xcalloc(n, sizeof(*t));

	for (size_t c = 0; c < n; c++) {
		t[c] = xcalloc(runs, sizeof(double));
		(void)run_once(commands[c]);
	}
	for (size_t i = 0; i < runs; i++)
		for (size_t c = 0; c < n; c++)
			t[c][i] = run_once(commands[c]);
	for (size_t c = 0; c < n; c++) {
		double m = median(t[c], runs);

		printf("%.6f %.6f\n", t[c][0], m);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 2 ? argv[1] : "";
	int n = argc - 2;

	log_init("typhad_bench", LOG_ERROR, LOG_TEXT);
	(void)signal(SIGPIPE, SIG_IGN);
	if (strcmp(cmd, "load") == 0 && n == 2)
		return cmd_load(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	if (strcmp(cmd, "snapshot") == 0 && n == 2)
		return cmd_snapshot(argv[2], strtoul(argv[3], NULL, 10));
	if (strcmp(cmd, "fanout") == 0 && n == 4)
		return cmd_fanout(argv[2], atoi(argv[3]), strtoul(argv[4], NULL, 10),
		                  strtoul(argv[5], NULL, 10));
	if (strcmp(cmd, "stalled") == 0 && n == 5)
		return cmd_stalled(argv[2], atoi(argv[3]), strtoul(argv[4], NULL, 10),
		                   strtoul(argv[5], NULL, 10),
		                   (unsigned)strtoul(argv[6], NULL, 10));
	if (strcmp(cmd, "race") == 0 && n >= 2)
		return cmd_race(strtoul(argv[2], NULL, 10), argv + 3, (size_t)n - 1);
	fprintf(stderr, "typhad_bench: see the top of its source\n");
	return 2;
}
