/* SPDX-License-Identifier: BSD-2-Clause */
/* clang-format off */
/*
 * A client of typhad for its integration tests: GlobalNetworkSets whose annotation "v" is a value and "pad" is ballast.
 *
 *     typhad_client put SOCK NAME VALUE [PAD_BYTES [TTL_SECONDS]]   apply; prints the revision
 *     typhad_client create SOCK NAME VALUE        prints the revision, or what is there already
 *     typhad_client update SOCK NAME VALUE REV    the same, by compare-and-swap
 *     typhad_client get SOCK NAME                 prints "value revision"
 *     typhad_client del SOCK NAME
 *     typhad_client list SOCK                     prints "name value revision" lines
 *     typhad_client fill SOCK PREFIX N [PAD]      N objects, many at once; prints how many were acknowledged
 *     typhad_client drain SOCK PREFIX N           removes them
 *     typhad_client writer SOCK ID SECONDS LOG    creates, changes and deletes; LOG has a line per answer
 *     typhad_client watchers SOCK N VALUE         N watches, until each has seen object "end" with VALUE; prints how many
 *                                                 digests there are, and one
 *     typhad_client sleepy SOCK MS VALUE          a watch that reads nothing for MS or until USR1, then as above; prints
 *                                                 "digest updates snapshots"
 *     typhad_client follow SOCK                   a watch; prints "snapshot", "+ name value revision", "- name revision",
 *                                                 "in-sync", "closed" as they come
 *     typhad_client counter RUN_DIR NAME          a counter of typhad's health, or "status"
 *     typhad_client dump RUN_DIR SECTION          a section of typhad's dump, a line of JSON per object
 *     typhad_client kinds SOCK                    a watch; once in sync, "kind name" lines, sorted, and how many frames
 *     typhad_client hello SOCK VERSION MIN TYPE   by hand; prints "hello VERSION" or "error CODE: text"
 *     typhad_client silent SOCK                   says Hello and answers nothing; prints how many pings came and how long
 *                                                 it was kept, in ms
 *     typhad_client crowd SOCK N                  N connections that have said Hello, until a signal; prints "N in" when
 *                                                 all have their answer, or the first error
 *
 * SOCK is a path or an address, or a comma list of such. Environment: CLIENT_TLS=DIR (DIR/ca.crt,
 * client.crt, client.key), CLIENT_CN (of the server), CLIENT_TYPE (sync type), CLIENT_ZSTD=1,
 * CLIENT_NODE.
 *
 * Exit code 0: done; 1: refused or failed, with a sentence; 3: a deadline passed.
 */
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/ipc/frame.h"
#include "common/ipc/sock.h"
#include "common/ipc/tcp.h"
#include "common/loop/codec.h"
#include "common/store/store.h"
#include "common/tls/layer.h"
#include "common/tls/tls.h"
#include "proto/ctl_v1.pb-c.h"
#include "proto/typhad_sync_v1.pb-c.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_policy.pb-c.h"
#include "proto/v3_status.pb-c.h"

#define KIND V3__KIND__KIND_GLOBAL_NETWORK_SET
#define DEADLINE_MS 60000

static uv_loop_t loop;

/* Kinds that a program does not touch are unknown to it. */
static const ProtobufCMessageDescriptor *const touched[] __attribute__((used)) = {
	&v3__bgpconfiguration__descriptor,   &v3__bgppeer__descriptor,
	&v3__bgpfilter__descriptor,          &v3__felix_configuration__descriptor,
	&v3__calico_node_status__descriptor,
};

/* A sanitizer's build looks for faults, not for what this program leaves to its end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* ---- objects */

static struct resource *object_new(const char *name, const char *value, size_t pad)
{
	V3__GlobalNetworkSet *m =
	        (V3__GlobalNetworkSet *)msg_new(&v3__global_network_set__descriptor);
	V3__ObjectMeta *meta = model_meta(&m->base, true);

	msg_set_str(&meta->name, name);
	meta_set(&meta->n_annotations, (V3__ObjectMeta__LabelsEntry ***)&meta->annotations, "v",
	         value);
	if (pad) {
		char *text = xcalloc(1, pad + 1);

		memset(text, 'x', pad);
		meta_set(&meta->n_annotations, (V3__ObjectMeta__LabelsEntry ***)&meta->annotations,
		         "pad", text);
		free(text);
	}
	return resource_new(KIND, NULL, name, 0, &m->base);
}

static const char *object_value(const struct resource *r)
{
	const V3__ObjectMeta *meta = r->msg ? model_meta(r->msg, false) : NULL;
	const char *v =
	        meta ? meta_get(meta->n_annotations,
	                        (V3__ObjectMeta__LabelsEntry *const *)meta->annotations, "v")
	             : NULL;

	return v ? v : "-";
}

/* ---- connections */

static void die(const struct err *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static struct transport_layer *tls_layer(void)
{
	static struct tls_layer layer;
	const char *dir = getenv("CLIENT_TLS");
	struct tls_context *context;
	struct err err = { 0 };

	if (!dir || !*dir)
		return NULL;
	if (!layer.context) {
		const struct tls_config config = { .ca_file = xasprintf("%s/ca.crt", dir),
			                           .cert_file = xasprintf("%s/client.crt", dir),
			                           .key_file = xasprintf("%s/client.key", dir),
			                           .verify_peer = true };

		if (tls_context_new(&config, &context, &err) < 0)
			die(&err);
		tls_layer_init(&layer, context, getenv("CLIENT_CN"), NULL, false);
	}
	return &layer.base;
}

static struct store *open_store(const char *list)
{
	const char *addresses[32];
	char *copy = xstrdup(list), *save = NULL;
	struct store_typha_options options = {
		.addresses = addresses,
		.program = "typhad_client",
		.node = getenv("CLIENT_NODE") ? getenv("CLIENT_NODE") : "test",
		.shuffle = true,
		.sync_type = getenv("CLIENT_TYPE"),
		.layer = tls_layer(),
		.codec = getenv("CLIENT_ZSTD") ? &codec_zstd : NULL,
	};
	struct store *s;
	struct err err = { 0 };

	for (char *at = strtok_r(copy, ",", &save); at && options.n_addresses < 32;
	     at = strtok_r(NULL, ",", &save))
		addresses[options.n_addresses++] = at;
	if (store_typha_connect(&loop, &options, &s, &err) < 0)
		die(&err);
	free(copy);
	return s;
}

/* A connection by hand, without TLS. */
static int raw_connect(const char *address)
{
	struct sockaddr_storage ss;
	struct err err = { 0 };
	char host[TCP_HOST_MAX];
	uint16_t port;
	socklen_t len;
	int fd;

	if (strchr(address, '/')) {
		if (unix_connect(address, 0, &fd, &err) < 0)
			die(&err);
		return fd;
	}
	if (tcp_addr_split(address, host, &port, &err) < 0)
		die(&err);
	if (!tcp_addr_numeric(host, port, &ss, &len))
		exit(2);
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&ss, len) < 0) {
		perror(address);
		exit(1);
	}
	return fd;
}

/* ---- one thing at a time */

static struct store_result *result;

static void on_done(void *arg, const struct store_result *r)
{
	(void)arg;
	result = store_result_copy(r);
}

static int wait_result(void)
{
	struct mono_ms start = mono_now();

	while (!result && mono_since_ms(start) < DEADLINE_MS)
		uv_run(&loop, UV_RUN_ONCE);
	if (!result) {
		fprintf(stderr, "no answer\n");
		return 3;
	}
	if (result->status != STORE_OK) {
		printf("%s: %s\n", store_status_str(result->status), result->text);
		return 1;
	}
	return 0;
}

static int cmd_put(struct store *s, char **a, int n)
{
	struct resource *r = object_new(a[0], a[1], n > 2 ? strtoul(a[2], NULL, 10) : 0);
	int rc;

	r->ttl_sec = n > 3 ? (uint32_t)strtoul(a[3], NULL, 10) : 0;
	store_apply(s, r, on_done, NULL);
	resource_free(r);
	rc = wait_result();
	if (rc == 0)
		printf("%" PRIu64 "\n", result->items[0]->revision);
	return rc;
}

/* Also says what is there when it is refused. */
static int cmd_write(struct store *s, char **a, bool create)
{
	struct resource *r = object_new(a[0], a[1], 0);
	int rc;

	r->revision = create ? 0 : strtoull(a[2], NULL, 10);
	(create ? store_create : store_update)(s, r, on_done, NULL);
	resource_free(r);
	rc = wait_result();
	if (result && result->n)
		printf("%s %" PRIu64 "\n", object_value(result->items[0]),
		       result->items[0]->revision);
	return rc;
}

static int cmd_get(struct store *s, char **a)
{
	int rc;

	store_get(s, KIND, NULL, a[0], on_done, NULL);
	rc = wait_result();
	if (rc == 0)
		printf("%s %" PRIu64 "\n", object_value(result->items[0]),
		       result->items[0]->revision);
	return rc;
}

static int cmd_del(struct store *s, char **a)
{
	store_remove(s, KIND, NULL, a[0], 0, on_done, NULL);
	return wait_result();
}

static int cmd_list(struct store *s)
{
	int rc;

	store_list(s, KIND, NULL, NULL, on_done, NULL);
	rc = wait_result();
	for (size_t i = 0; rc == 0 && i < result->n; i++)
		printf("%s %s %" PRIu64 "\n", result->items[i]->name,
		       object_value(result->items[i]), result->items[i]->revision);
	return rc;
}

/* ---- many at once */

static size_t acked, failed, under_way;
static char last_failure[512];

static void on_filled(void *arg, const struct store_result *r)
{
	(void)arg;
	under_way--;
	if (r->status == STORE_OK) {
		acked++;
	} else {
		failed++;
		(void)snprintf(last_failure, sizeof(last_failure), "%s: %s",
		               store_status_str(r->status), r->text);
	}
}

static int cmd_fill(struct store *s, char **a, int n, bool drain)
{
	size_t count = strtoul(a[1], NULL, 10), pad = n > 2 ? strtoul(a[2], NULL, 10) : 0;

	for (size_t i = 0; i < count || under_way;) {
		if (i < count && under_way < 64) {
			char name[64];
			struct resource *r;

			(void)snprintf(name, sizeof(name), "%s%zu", a[0], i++);
			under_way++;
			if (drain) {
				store_remove(s, KIND, NULL, name, 0, on_filled, NULL);
				continue;
			}
			r = object_new(name, name, pad);
			store_apply(s, r, on_filled, NULL);
			resource_free(r);
			continue;
		}
		uv_run(&loop, UV_RUN_ONCE);
	}
	printf("%zu\n", acked);
	if (failed)
		printf("%s\n", last_failure);
	return failed ? 1 : 0;
}

/* ---- a writer that keeps a record of what was promised to it */

#define CHAINS 8

struct chain {
	char name[64];
	unsigned n;
	char asked[32];    /* the value, or "deleted" */
	uint64_t revision; /* 0: not there, as far as known */
	bool busy;
	FILE *log;
	struct store *s;
};

static bool writer_stopping;

static void chain_next(struct chain *c);

static void on_chain(void *arg, const struct store_result *r)
{
	struct chain *c = arg;

	c->busy = false;
	switch (r->status) {
	case STORE_OK: /* promised */
		fprintf(c->log, "%s %s\n", c->name, c->asked);
		c->revision = strcmp(c->asked, "deleted") == 0 ? 0 : r->items[0]->revision;
		break;
	case STORE_UNAVAILABLE: /* perhaps */
		c->revision = 0;
		break;
	default: /* what "perhaps" led to */
		fprintf(c->log, "%s %s\n", c->name, r->n ? object_value(r->items[0]) : "deleted");
		c->revision = r->n ? r->items[0]->revision : 0;
		break;
	}
}

static void chain_next(struct chain *c)
{
	struct resource *r;

	c->busy = true;
	c->n++;
	if (c->revision && c->n % 5 == 0) {
		(void)snprintf(c->asked, sizeof(c->asked), "deleted");
		fprintf(c->log, "%s ! %s\n", c->name, c->asked);
		store_remove(c->s, KIND, NULL, c->name, c->revision, on_chain, c);
		return;
	}
	(void)snprintf(c->asked, sizeof(c->asked), "%u", c->n);
	fprintf(c->log, "%s ! %s\n", c->name, c->asked);
	r = object_new(c->name, c->asked, 200);
	r->revision = c->revision;
	if (c->revision)
		store_update(c->s, r, on_chain, c);
	else
		store_create(c->s, r, on_chain, c);
	resource_free(r);
}

static void on_tick(uv_timer_t *t)
{
	(void)t; /* wakes the loop */
}

static void on_term(uv_signal_t *h, int sig)
{
	(void)h;
	(void)sig;
	writer_stopping = true; /* what is under way is waited for: the record is complete then */
}

static int cmd_writer(struct store *s, char **a)
{
	uv_signal_t term;
	int64_t ms = (int64_t)(strtod(a[1], NULL) * 1000);
	struct mono_ms start = mono_now();
	FILE *log = fopen(a[2], "a");
	struct chain chains[CHAINS];
	uv_timer_t tick;
	bool busy = true;

	if (!log) {
		perror(a[2]);
		return 1;
	}
	setlinebuf(log);
	memset(chains, 0, sizeof(chains));
	for (int i = 0; i < CHAINS; i++) {
		(void)snprintf(chains[i].name, sizeof(chains[i].name), "w%s-%d", a[0], i);
		chains[i].log = log;
		chains[i].s = s;
	}
	(void)uv_timer_init(&loop, &tick);
	(void)uv_timer_start(&tick, on_tick, 20, 20);
	(void)uv_signal_init(&loop, &term);
	(void)uv_signal_start(&term, on_term, SIGTERM);
	while (busy) {
		writer_stopping |= mono_since_ms(start) > ms;
		busy = !writer_stopping;
		for (int i = 0; i < CHAINS; i++) {
			if (!chains[i].busy && !writer_stopping)
				chain_next(&chains[i]);
			busy |= chains[i].busy;
		}
		if (busy)
			uv_run(&loop, UV_RUN_ONCE);
	}
	fclose(log);
	return 0;
}

/* ---- what a watcher believes */

struct entry {
	struct hmap_node node;
	uint64_t snapshot; /* that named it last */
	uint64_t revision;
	char *value;
	char name[];
};

struct belief {
	struct hmap entries;
	const char *wanted; /* value of "end" */
	bool done;
	uint64_t updates, snapshots, downs;
	bool in_snapshot;
};

static struct entry *entry_find(struct belief *b, const char *name)
{
	hmap_find(e, &b->entries, hash_str(name), struct entry, node, strcmp(e->name, name) == 0);
	return e;
}

static void believe(struct belief *b, const char *name, const char *value, uint64_t revision)
{
	struct entry *e = entry_find(b, name);

	b->updates++;
	if (!e) {
		e = xcalloc(1, sizeof(*e) + strlen(name) + 1);
		memcpy(e->name, name, strlen(name) + 1);
		hmap_insert(&b->entries, &e->node, hash_str(name));
	}
	e->snapshot = b->snapshots;
	free(e->value);
	e->value = xstrdup(value);
	e->revision = revision;
	if (strcmp(name, "end") == 0 && strcmp(value, b->wanted) == 0)
		b->done = true;
}

static void disbelieve(struct belief *b, const char *name)
{
	struct entry *e = entry_find(b, name);

	if (!e)
		return;
	hmap_remove(&b->entries, &e->node);
	free(e->value);
	free(e);
}

/* Does not depend on the order. */
static uint64_t digest(const struct belief *b)
{
	uint64_t sum = 0;

	hmap_for_each (e, &b->entries, struct entry, node) {
		uint64_t h = 1469598103934665603u; /* FNV-1a: the same in every process */
		char text[256];

		(void)snprintf(text, sizeof(text), "%s|%s|%" PRIu64, e->name, e->value,
		               e->revision);
		for (const char *p = text; *p; p++)
			h = (h ^ (uint8_t)*p) * 1099511628211u;
		sum += h;
	}
	return sum;
}

static void on_update(void *arg, const struct resource *r)
{
	believe(arg, r->name, object_value(r), r->revision);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)kind;
	(void)ns;
	disbelieve(arg, name);
}

static void on_in_sync(void *arg)
{
	((struct belief *)arg)->snapshots++;
}

static void on_down(void *arg, const char *why)
{
	(void)why;
	((struct belief *)arg)->downs++;
}

static const struct store_watch_ops watch_ops = {
	.on_down = on_down,
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
};

static int cmd_watchers(const char *path, char **a)
{
	size_t n = strtoul(a[0], NULL, 10), done = 0, digests = 0, downs = 0;
	struct belief *b = xcalloc(n, sizeof(*b));
	struct mono_ms start = mono_now();
	const model_kind kinds[] = { KIND };

	for (size_t i = 0; i < n; i++) {
		b[i].wanted = a[1];
		(void)store_watch(open_store(path), kinds, 1, &watch_ops, &b[i]);
	}
	while (done < n && mono_since_ms(start) < DEADLINE_MS) {
		uv_run(&loop, UV_RUN_ONCE);
		done = 0;
		for (size_t i = 0; i < n; i++)
			done += b[i].done;
	}
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < i && digest(&b[j]) != digest(&b[i]))
			j++;
		digests += j == i;
		downs += b[i].downs;
	}
	printf("%zu %016" PRIx64 " done=%zu objects=%zu\n", digests, digest(&b[0]), done,
	       b[0].entries.n);
	if (getenv("CLIENT_DOWNS"))
		printf("downs=%zu\n", downs);
	return done == n ? 0 : 3;
}

/* ---- a watcher that does not read for a while: by hand, to see what is on the wire */

static void send_message(int fd, Sync__V1__ToTyphad *m)
{
	struct ipc_frame *f = ipc_frame_pack(&m->base);

	if (write(fd, f->data, f->len) != (ssize_t)f->len)
		exit(1);
	ipc_frame_unref(f);
}

static void sleepy_take(struct belief *b, const Sync__V1__FromTyphad *m)
{
	const struct kind_info *k = kind_info(KIND);
	struct resource r = { .kind = KIND };

	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_SNAPSHOT_START) {
		b->snapshots++;
		b->in_snapshot = true;
	}
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC) {
		b->in_snapshot = false;
		hmap_for_each (e, &b->entries, struct entry, node)
			if (e->snapshot != b->snapshots)
				disbelieve(b, e->name);
	}
	if (m->payload_case != SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE)
		return;
	if (m->update->deleted) {
		b->updates++;
		disbelieve(b, m->update->resource->name);
		return;
	}
	r.msg = msg_unpack(k->message, m->update->resource->body.data,
	                   m->update->resource->body.len);
	believe(b, m->update->resource->name, object_value(&r), m->update->resource->revision);
	msg_free(r.msg);
}

static void wake_up(int sig)
{
	(void)sig; /* poll() ends with EINTR */
}

/* Says Hello and watches; what comes is read by the caller. */
static int watch_by_hand(const char *path, const char *program)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;
	Sync__V1__Watch watch = SYNC__V1__WATCH__INIT;
	V3__Kind kinds[] = { KIND };
	int fd = raw_connect(path);

	hello.has_version = 1;
	hello.version = 1;
	hello.program = (char *)(uintptr_t)program;
	m.request_id = 1;
	m.has_request_id = 1;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO;
	m.hello = &hello;
	send_message(fd, &m);
	watch.n_kinds = 1;
	watch.kinds = kinds;
	m.request_id = 2;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_WATCH;
	m.watch = &watch;
	send_message(fd, &m);
	return fd;
}

/* Reads a piece, and hands out the messages in it. false: the connection is closed. */
static bool read_by_hand(int fd, struct buf *in,
                         void (*take)(struct belief *b, const Sync__V1__FromTyphad *m),
                         struct belief *b)
{
	struct cursor body;
	size_t used;
	ssize_t n = read(fd, buf_extend(in, 65536), 65536);

	in->len -= 65536 - (n > 0 ? (size_t)n : 0);
	if (n <= 0)
		return false;
	while (ipc_frame_next(in->data, in->len, &body, &used) == 1) {
		ProtobufCMessage *msg = ipc_unpack(&sync__v1__from_typhad__descriptor, &body);

		take(b, (Sync__V1__FromTyphad *)msg);
		protobuf_c_message_free_unpacked(msg, NULL);
		buf_consume(in, used);
	}
	return true;
}

static int cmd_sleepy(const char *path, char **a)
{
	struct belief b = { .wanted = a[1] };
	struct buf in = { 0 };
	int fd = watch_by_hand(path, "sleepy");

	(void)signal(SIGUSR1, wake_up);
	(void)poll(NULL, 0, atoi(a[0]));
	while (!b.done || b.in_snapshot) {
		struct pollfd p = { fd, POLLIN, 0 };

		if (poll(&p, 1, DEADLINE_MS) <= 0)
			return 3;
		if (!read_by_hand(fd, &in, sleepy_take, &b)) {
			fprintf(stderr, "typhad has closed the connection\n");
			return 1;
		}
	}
	printf("%016" PRIx64 " %" PRIu64 " %" PRIu64 "\n", digest(&b), b.updates, b.snapshots);
	return 0;
}

/* ---- a watcher that writes down what comes, as it comes */

static void follow_take(struct belief *b, const Sync__V1__FromTyphad *m)
{
	const struct kind_info *k = kind_info(KIND);
	struct resource r = { .kind = KIND };

	(void)b;
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_SNAPSHOT_START)
		printf("snapshot\n");
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_IN_SYNC)
		printf("in-sync\n");
	if (m->payload_case != SYNC__V1__FROM_TYPHAD__PAYLOAD_UPDATE)
		return;
	if (m->update->deleted) {
		printf("- %s %" PRIu64 "\n", m->update->resource->name,
		       m->update->resource->revision);
		return;
	}
	r.msg = msg_unpack(k->message, m->update->resource->body.data,
	                   m->update->resource->body.len);
	printf("+ %s %s %" PRIu64 "\n", m->update->resource->name, object_value(&r),
	       m->update->resource->revision);
	msg_free(r.msg);
}

static int cmd_follow(const char *path)
{
	struct buf in = { 0 };
	int fd = watch_by_hand(path, "follow");

	setlinebuf(stdout);
	while (read_by_hand(fd, &in, follow_take, NULL))
		;
	printf("closed\n");
	return 1;
}

/* ---- what a sync type carries */

struct names {
	char *lines[4096];
	size_t n;
	bool in_sync;
};

static void on_name(void *arg, const struct resource *r)
{
	struct names *names = arg;

	if (names->n < ARRAY_SIZE(names->lines))
		names->lines[names->n++] = xasprintf("%s %s", kind_info(r->kind)->name, r->name);
}

static void on_no_name(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	(void)kind;
	(void)ns;
	(void)name;
}

static void on_named(void *arg)
{
	((struct names *)arg)->in_sync = true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int cmd_kinds(struct store *s)
{
	static const struct store_watch_ops ops = { .on_update = on_name,
		                                    .on_remove = on_no_name,
		                                    .on_in_sync = on_named };
	static struct names names;
	struct mono_ms start = mono_now();

	(void)store_watch(s, NULL, 0, &ops, &names);
	while (!names.in_sync && mono_since_ms(start) < DEADLINE_MS)
		uv_run(&loop, UV_RUN_ONCE);
	qsort(names.lines, names.n, sizeof(names.lines[0]), by_text);
	for (size_t i = 0; i < names.n; i++)
		printf("%s\n", names.lines[i]);
	return names.in_sync ? 0 : 3;
}

/* ---- by hand */

static void hello_send(int fd, unsigned version, unsigned min, const char *type)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;

	hello.has_version = 1;
	hello.version = version;
	hello.has_min_version = min != 0;
	hello.min_version = min;
	hello.sync_type = *type ? (char *)(uintptr_t)type : NULL;
	hello.program = (char *)(uintptr_t) "by-hand";
	m.request_id = 1;
	m.has_request_id = 1;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO;
	m.hello = &hello;
	send_message(fd, &m);
}

/* NULL: the connection is closed, or a deadline has passed. */
static Sync__V1__FromTyphad *message_read(int fd, struct buf *in)
{
	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		struct cursor body;
		size_t used;
		ssize_t n;

		if (ipc_frame_next(in->data, in->len, &body, &used) == 1) {
			ProtobufCMessage *msg =
			        ipc_unpack(&sync__v1__from_typhad__descriptor, &body);

			buf_consume(in, used);
			return (Sync__V1__FromTyphad *)msg;
		}
		if (poll(&p, 1, DEADLINE_MS) <= 0)
			return NULL;
		n = read(fd, buf_extend(in, 65536), 65536);
		in->len -= 65536 - (n > 0 ? (size_t)n : 0);
		if (n <= 0)
			return NULL;
	}
}

static int hello_print(const Sync__V1__FromTyphad *m)
{
	if (m && m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO) {
		printf("hello %u\n", m->hello->version);
		return 0;
	}
	if (m && m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR)
		printf("error %d: %s\n", m->error->code, m->error->text);
	else
		printf("closed\n");
	return 1;
}

static int cmd_hello(const char *address, char **a)
{
	struct buf in = { 0 };
	int fd = raw_connect(address);

	hello_send(fd, (unsigned)atoi(a[0]), (unsigned)atoi(a[1]), a[2]);
	return hello_print(message_read(fd, &in));
}

static int cmd_silent(const char *address)
{
	struct buf in = { 0 };
	struct mono_ms start = mono_now();
	const Sync__V1__FromTyphad *m;
	int fd = raw_connect(address), pings = 0;

	hello_send(fd, 2, 2, "");
	while ((m = message_read(fd, &in)))
		pings += m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_PING;
	printf("%d %" PRId64 "\n", pings, mono_since_ms(start));
	return 0;
}

static int cmd_crowd(const char *address, char **a)
{
	unsigned n = (unsigned)atoi(a[0]);

	for (unsigned i = 0; i < n; i++) {
		struct buf in = { 0 };
		int fd = raw_connect(address);
		const Sync__V1__FromTyphad *m;

		hello_send(fd, 1, 1, ""); /* who is never asked whether it lives */
		m = message_read(fd, &in);
		if (!m || m->payload_case != SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO)
			return hello_print(m);
	}
	printf("%u in\n", n);
	fflush(stdout);
	(void)pause();
	return 0;
}

/* ---- ctl.sock */

static struct ipc_call ctl;

static void ctl_open(const char *run)
{
	struct err err = { 0 };

	if (ipc_call_open(&ctl, run, "typhad", "ctl.sock", &ctl__v1__from_daemon__descriptor, 10000,
	                  &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
}

static int cmd_counter(const char *run, const char *name)
{
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__HowAreYou health = CTL__V1__HOW_ARE_YOU__INIT;
	ProtobufCMessage *reply = NULL;
	struct err err = { 0 };
	const Ctl__V1__Health *h;

	ctl_open(run);
	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_HEALTH;
	m.health = &health;
	if (ipc_call(&ctl, &m.base, &reply, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	h = ((Ctl__V1__FromDaemon *)reply)->health;
	if (strcmp(name, "status") == 0) {
		printf("%s\n", h->status);
		return 0;
	}
	for (size_t i = 0; i < h->n_counters; i++)
		if (strcmp(h->counters[i]->name, name) == 0) {
			printf("%" PRIu64 "\n", h->counters[i]->value);
			return 0;
		}
	fprintf(stderr, "there is no counter %s\n", name);
	return 1;
}

static int cmd_dump(const char *run, const char *section)
{
	Ctl__V1__ToDaemon m = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__Dump dump = CTL__V1__DUMP__INIT;
	struct err err = { 0 };

	ctl_open(run);
	dump.section = (char *)(uintptr_t)section;
	m.has_request_id = 1;
	m.request_id = 1;
	m.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_DUMP;
	m.dump = &dump;
	if (ipc_call_send(&ctl, &m.base, &err) < 0)
		return 1;
	for (;;) {
		ProtobufCMessage *msg = NULL;
		const Ctl__V1__FromDaemon *f;

		if (ipc_call_recv(&ctl, &msg, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		f = (Ctl__V1__FromDaemon *)msg;
		if (f->payload_case != CTL__V1__FROM_DAEMON__PAYLOAD_ITEM)
			return f->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_DONE ? 0 : 1;
		printf("%s\n", f->item->json);
		protobuf_c_message_free_unpacked(msg, NULL);
	}
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 2 ? argv[1] : "", *path = argc > 2 ? argv[2] : "";
	int n = argc - 3;

	log_init("typhad_client", LOG_ERROR, LOG_TEXT);
	(void)uv_loop_init(&loop);
	if (strcmp(cmd, "put") == 0 && n >= 2)
		return cmd_put(open_store(path), argv + 3, n);
	if (strcmp(cmd, "create") == 0 && n == 2)
		return cmd_write(open_store(path), argv + 3, true);
	if (strcmp(cmd, "update") == 0 && n == 3)
		return cmd_write(open_store(path), argv + 3, false);
	if (strcmp(cmd, "get") == 0 && n == 1)
		return cmd_get(open_store(path), argv + 3);
	if (strcmp(cmd, "del") == 0 && n == 1)
		return cmd_del(open_store(path), argv + 3);
	if (strcmp(cmd, "list") == 0)
		return cmd_list(open_store(path));
	if (strcmp(cmd, "fill") == 0 && n >= 2)
		return cmd_fill(open_store(path), argv + 3, n, false);
	if (strcmp(cmd, "drain") == 0 && n == 2)
		return cmd_fill(open_store(path), argv + 3, n, true);
	if (strcmp(cmd, "writer") == 0 && n == 3)
		return cmd_writer(open_store(path), argv + 3);
	if (strcmp(cmd, "watchers") == 0 && n == 2)
		return cmd_watchers(path, argv + 3);
	if (strcmp(cmd, "sleepy") == 0 && n == 2)
		return cmd_sleepy(path, argv + 3);
	if (strcmp(cmd, "kinds") == 0)
		return cmd_kinds(open_store(path));
	if (strcmp(cmd, "hello") == 0 && n == 3)
		return cmd_hello(path, argv + 3);
	if (strcmp(cmd, "silent") == 0)
		return cmd_silent(path);
	if (strcmp(cmd, "crowd") == 0 && n == 1)
		return cmd_crowd(path, argv + 3);
	if (strcmp(cmd, "follow") == 0)
		return cmd_follow(path);
	if (strcmp(cmd, "counter") == 0 && n == 1)
		return cmd_counter(path, argv[3]);
	if (strcmp(cmd, "dump") == 0 && n == 1)
		return cmd_dump(path, argv[3]);
	fprintf(stderr, "typhad_client: see the top of its source\n");
	return 2;
}
