/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A user of the store interface for tests against etcd: by the driver itself (ETCD_ENDPOINTS and
 * its kin) or, with --typhad SOCK, through a typhad.
 *
 *     etcd_client get|remove KIND [NS/]NAME [REVISION]
 *     etcd_client list KIND [NS/][PREFIX]
 *     etcd_client create|update|apply KIND [NS/]NAME [REVISION [TTL]] <VALUE
 *     etcd_client watch              a line per callback, until standard input has something
 *     etcd_client stress WRITERS KEYS SEED [-- SOCK...]   see below
 *
 * A result is printed as "STATUS revision=N: TEXT" and a line "[NS/]NAME REVISION VALUE" per item.
 *
 * stress: WRITERS connections write KEYS objects each, with numbers that only grow, and learn from
 * each answer; a watch of the driver's own, and one through each typhad SOCK, look at what comes.
 * Writers go through the driver and the SOCKs in turn. On a line at standard input they stop; the
 * watches must then reach what the datastore holds. It is told when a watch sees a number twice, an
 * older one after a newer one, a key come or go twice, or ends with something else than the
 * datastore holds, when the driver's watch has not seen an acknowledged write, or when a write is
 * refused because it was done already. With ETCD_CLIENT_VERIFY, each acknowledged write is read
 * back at once.
 *
 * Exit code 0: ok; 1: not; 2: usage; 3: a deadline passed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/sock.h"
#include "common/model/mapper.h"
#include "common/store/etcd_options.h"
#include "common/store/store.h"
#include "proto/v3_policy.pb-c.h"

#define SETTLE_MS 60000u /* from the stop to what the datastore holds */
#define WAIT_MS 30000u

static uv_loop_t loop;

/* A sanitizer's build looks for faults, not for what this program leaves to its end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct store *open_store(const char *typhad)
{
	struct store_etcd_options options = { 0 };
	struct store *s = NULL;
	struct err err;
	int rc;

	if (typhad) {
		rc = store_typha_open(&loop, typhad, "etcd_client", "n", &s, &err);
	} else {
		etcd_options_env(&options);
		rc = store_etcd_open(&loop, &options, &s, &err);
		etcd_options_done(&options);
	}
	if (rc < 0) {
		printf("refused: %s\n", err.text);
		exit(1);
	}
	return s;
}

/* ---- single operations */

static char *value_of(const struct resource *r)
{
	struct buf b = { 0 };

	if (!r->msg)
		return xstrdup("-");
	mapper_write_text(r->msg, 0, &b);
	return buf_take(&b);
}

static bool answered;
static int exit_code;

static void print_result(void *arg, const struct store_result *r)
{
	(void)arg;
	printf("%s revision=%" PRIu64 ": %s\n", store_status_str(r->status), r->header_revision,
	       r->text ? r->text : "");
	for (size_t i = 0; i < r->n; i++) {
		CLEANUP(free_p) char *value = value_of(r->items[i]);

		printf("%s%s%s %" PRIu64 " %s\n", r->items[i]->ns ? r->items[i]->ns : "",
		       r->items[i]->ns ? "/" : "", r->items[i]->name, r->items[i]->revision, value);
	}
	answered = true;
	exit_code = r->status != STORE_OK;
}

static void on_late(uv_timer_t *t)
{
	(void)t;
	printf("no answer within %u s\n", WAIT_MS / 1000);
	exit(3);
}

static int await_answer(struct store *s)
{
	uv_timer_t timer;

	uv_timer_init(&loop, &timer);
	uv_timer_start(&timer, on_late, WAIT_MS, 0);
	while (!answered)
		uv_run(&loop, UV_RUN_ONCE);
	uv_timer_stop(&timer);
	uv_close((uv_handle_t *)&timer, NULL);
	store_free(s);
	uv_run(&loop, UV_RUN_DEFAULT); /* all handles must end */
	return exit_code;
}

static struct resource *read_resource(model_kind kind, const char *ns, const char *name)
{
	struct buf text = { 0 };
	ProtobufCMessage *msg = NULL;
	struct resource *r;
	struct err err;
	char chunk[65536];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		buf_add(&text, chunk, n);
	if (mapper_read_text(kind_info(kind)->message, buf_cstr(&text), text.len, MAPPER_KEEP, &msg,
	                     &err) < 0) {
		printf("value: %s\n", err.text);
		exit(2);
	}
	buf_done(&text);
	r = resource_new(kind, ns, name, 0, msg);
	return r;
}

static int single(struct store *s, int argc, char **argv)
{
	const char *verb = argv[0], *slash;
	const struct kind_info *k = argc > 1 ? kind_by_name(argv[1]) : NULL;
	CLEANUP(free_p) char *ns = NULL;
	const char *name = argc > 2 ? argv[2] : "";
	uint64_t revision = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	struct resource *r;

	if (!k) {
		printf("kind '%s' is unknown\n", argc > 1 ? argv[1] : "");
		return 2;
	}
	slash = k->namespaced ? strchr(name, '/') : NULL;
	if (slash) {
		ns = xstrndup(name, (size_t)(slash - name));
		name = slash + 1;
	}
	if (strcmp(verb, "get") == 0) {
		store_get(s, k->kind, ns, name, print_result, NULL);
	} else if (strcmp(verb, "list") == 0) {
		store_list(s, k->kind, ns, *name ? name : NULL, print_result, NULL);
	} else if (strcmp(verb, "remove") == 0) {
		store_remove(s, k->kind, ns, name, revision, print_result, NULL);
	} else {
		r = read_resource(k->kind, ns, name);
		r->revision = revision;
		r->ttl_sec = argc > 4 ? (uint32_t)atoi(argv[4]) : 0;
		if (strcmp(verb, "create") == 0)
			store_create(s, r, print_result, NULL);
		else if (strcmp(verb, "update") == 0)
			store_update(s, r, print_result, NULL);
		else if (strcmp(verb, "apply") == 0)
			store_apply(s, r, print_result, NULL);
		else
			return 2;
		resource_free(r);
	}
	if (answered) {
		printf("answered before the call returned\n");
		return 1;
	}
	return await_answer(s);
}

/* ---- watch */

static void w_update(void *arg, const struct resource *r)
{
	CLEANUP(free_p) char *value = value_of(r);

	(void)arg;
	printf("update %s %s%s%s %" PRIu64 " %s\n", kind_info(r->kind)->name, r->ns ? r->ns : "",
	       r->ns ? "/" : "", r->name, r->revision, value);
}

static void w_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	printf("remove %s %s%s%s\n", kind_info(kind)->name, ns ? ns : "", ns ? "/" : "", name);
}

static void w_in_sync(void *arg)
{
	(void)arg;
	printf("in-sync\n");
}

static void w_down(void *arg, const char *why)
{
	(void)arg;
	printf("down %s\n", why);
}

static void on_stdin(uv_poll_t *p, int status, int events)
{
	char byte[256];

	(void)status;
	(void)events;
	(void)!read(0, byte, sizeof(byte));
	uv_stop(p->loop);
}

static int watch(struct store *s)
{
	static const struct store_watch_ops ops = {
		.on_update = w_update,
		.on_remove = w_remove,
		.on_in_sync = w_in_sync,
		.on_down = w_down,
	};
	uv_poll_t in;
	struct store_stats stats;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (store_watch(s, NULL, 0, &ops, NULL) < 0)
		return 1;
	uv_poll_init(&loop, &in, 0);
	uv_poll_start(&in, UV_READABLE, on_stdin);
	uv_run(&loop, UV_RUN_DEFAULT);
	store_stats(s, &stats);
	printf("stats revision=%" PRIu64 " resyncs=%" PRIu64 " lost=%" PRIu64 " bad=%" PRIu64 "\n",
	       stats.revision, stats.resyncs, stats.connections_lost, stats.bad_values);
	uv_close((uv_handle_t *)&in, NULL);
	store_free(s);
	uv_run(&loop, UV_RUN_DEFAULT);
	return 0;
}

/* ---- stress */

#define KIND V3__KIND__KIND_GLOBAL_NETWORK_SET
#define FAULTS_MAX 20

struct writer;

struct key {
	struct hmap_node node;
	struct writer *writer;
	char name[32];
	uint64_t tried;    /* the last number that was sent */
	uint64_t revision; /* of what the writer believes to be there; 0: nothing */
	uint64_t *acked;   /* numbers that were acknowledged */
	size_t n_acked, cap_acked;
	bool deleting;
	bool doubted; /* a write was not answered: it may have been done, or be done yet */
};

struct writer {
	struct store *store;
	struct key *keys, *at;
	unsigned n;
	bool busy, doubt; /* doubt: the last answer was no answer: reads first */
};

struct view_key {
	struct hmap_node node;
	uint64_t number, revision; /* the last ones seen, also of a key that is gone */
	bool there;
	uint64_t *numbers; /* all that were seen, growing */
	size_t n, cap;
	char name[32];
};

struct view {
	struct store *store;
	const char *what;
	bool direct;
	struct hmap keys;
	uint64_t updates, removes, syncs, downs;
};

static struct view views[8];
static size_t n_views;
static struct writer *writers;
static unsigned n_writers, seed;
static bool stopping;
static uint64_t acked, doubtful, refused, verified;
static bool verify;
static unsigned faults;

static void fault(const char *fmt, const char *what, const char *name, uint64_t a, uint64_t b)
{
	if (faults++ < FAULTS_MAX) {
		printf("FAULT ");
		printf("%s: %s %s (%" PRIu64 ", %" PRIu64 ")\n", what, fmt, name, a, b);
	}
}

static void push(uint64_t **list, size_t *n, size_t *cap, uint64_t v)
{
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		*list = xrealloc(*list, *cap * sizeof(uint64_t));
	}
	(*list)[(*n)++] = v;
}

static uint64_t number_of(const struct resource *r)
{
	const V3__ObjectMeta *m = model_meta(r->msg, false);
	const char *v =
	        m ? meta_get(m->n_labels, (V3__ObjectMeta__LabelsEntry *const *)m->labels, "n")
	          : NULL;

	return v ? strtoull(v, NULL, 10) : 0;
}

static unsigned chance(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static void writer_go(struct writer *w);

/* Who has the answer to a write reads what it wrote. */
static void on_verified(void *arg, const struct store_result *r)
{
	struct writer *w = arg;
	struct key *k = w->at;

	w->busy = false;
	verified++;
	if (k->deleting ? r->status == STORE_OK
	                : r->status != STORE_OK || r->items[0]->revision != k->revision)
		fault("is not what was just written", "read of", k->name,
		      r->n ? r->items[0]->revision : 0, k->revision);
	writer_go(w);
}

static void adopt(struct key *k, const struct resource *r)
{
	uint64_t number = number_of(r);

	if (number > k->tried)
		fault("was never written", "writer", k->name, number, k->tried);
	k->revision = r->revision;
}

static void on_read(void *arg, const struct store_result *r)
{
	struct writer *w = arg;
	struct key *k = w->at;

	w->busy = false;
	if (r->status == STORE_OK) {
		adopt(k, r->items[0]);
		w->doubt = false;
	} else if (r->status == STORE_NOT_FOUND) {
		k->revision = 0;
		w->doubt = false;
	}
	writer_go(w);
}

static void on_written(void *arg, const struct store_result *r)
{
	struct writer *w = arg;
	struct key *k = w->at;

	w->busy = false;
	switch (r->status) {
	case STORE_OK:
		acked++;
		k->doubted = false;
		if (k->deleting) {
			k->revision = 0;
		} else {
			k->revision = r->items[0]->revision;
			push(&k->acked, &k->n_acked, &k->cap_acked, k->tried);
		}
		break;
	case STORE_UNAVAILABLE:
		if (doubtful < 10)
			printf("doubtful: %s: %s\n", k->name, r->text);
		doubtful++;
		w->doubt = k->doubted = true;
		break;
	default: /* something of ours came through late; else it was done twice */
		if (!k->doubted)
			fault("was refused for no reason", "writer", k->name, k->tried,
			      k->revision);
		if (refused < 10)
			printf("refused: %s: %s; is %" PRIu64 "@%" PRIu64 ", wrote %" PRIu64
			       "%s on %" PRIu64 "\n",
			       k->name, r->text, r->n ? number_of(r->items[0]) : 0,
			       r->n ? r->items[0]->revision : 0, k->tried,
			       k->deleting ? " (deleted)" : "", k->revision);
		refused++;
		w->doubt = true;
	}
	if (verify && r->status == STORE_OK) {
		w->busy = true;
		store_get(w->store, KIND, NULL, k->name, on_verified, w);
		return;
	}
	writer_go(w);
}

static void write_next(struct writer *w)
{
	struct resource *r;
	char number[24];
	ProtobufCMessage *msg;
	V3__ObjectMeta *meta;

	w->at = &w->keys[chance(w->n)];
	w->at->deleting = w->at->revision && chance(8) == 0;
	if (w->at->deleting) {
		store_remove(w->store, KIND, NULL, w->at->name, w->at->revision, on_written, w);
		return;
	}
	msg = msg_new(&v3__global_network_set__descriptor);
	meta = model_meta(msg, true);
	snprintf(number, sizeof(number), "%" PRIu64, ++w->at->tried);
	msg_set_str(&meta->name, w->at->name);
	meta_set(&meta->n_labels, (V3__ObjectMeta__LabelsEntry ***)&meta->labels, "n", number);
	r = resource_new(KIND, NULL, w->at->name, w->at->revision, msg);
	if (w->at->revision)
		store_update(w->store, r, on_written, w);
	else
		store_create(w->store, r, on_written, w);
	resource_free(r);
}

static void writer_go(struct writer *w)
{
	if (w->busy)
		return;
	if (w->doubt) {
		w->busy = true;
		store_get(w->store, KIND, NULL, w->at->name, on_read, w);
	} else if (!stopping) {
		w->busy = true;
		write_next(w);
	}
}

static struct view_key *view_key(struct view *v, const char *name, bool create)
{
	uint32_t hash = hash_str(name);

	hmap_find(k, &v->keys, hash, struct view_key, node, strcmp(k->name, name) == 0);
	if (!k && create) {
		k = xcalloc(1, sizeof(*k));
		snprintf(k->name, sizeof(k->name), "%s", name);
		hmap_insert(&v->keys, &k->node, hash);
	}
	return k;
}

static void v_update(void *arg, const struct resource *r)
{
	struct view *v = arg;
	struct view_key *k;
	uint64_t number;

	if (r->kind != KIND)
		return;
	k = view_key(v, r->name, true);
	number = number_of(r);
	v->updates++;
	if (r->revision == k->revision)
		fault("was told twice", v->what, r->name, r->revision, number);
	else if (r->revision < k->revision)
		fault("went back", v->what, r->name, r->revision, k->revision);
	else if (number <= k->number)
		fault("has an older number", v->what, r->name, number, k->number);
	k->number = number;
	k->revision = r->revision;
	k->there = true;
	push(&k->numbers, &k->n, &k->cap, number);
}

static void v_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct view *v = arg;
	struct view_key *k;

	(void)ns;
	if (kind != KIND)
		return;
	k = view_key(v, name, true);
	v->removes++;
	if (!k->there)
		fault("went twice", v->what, name, 0, k->revision);
	k->there = false;
}

static void v_in_sync(void *arg)
{
	((struct view *)arg)->syncs++;
}

static void v_down(void *arg, const char *why)
{
	(void)why;
	((struct view *)arg)->downs++;
}

static const struct store_watch_ops view_ops = {
	.on_update = v_update,
	.on_remove = v_remove,
	.on_in_sync = v_in_sync,
	.on_down = v_down,
};

static struct store_result *truth;

static void on_truth(void *arg, const struct store_result *r)
{
	(void)arg;
	truth = store_result_copy(r);
}

/* Is a view what the datastore holds? With say, what differs is a fault. */
static bool view_is_true(struct view *v, bool say)
{
	size_t there = 0;
	bool same = true;

	for (size_t i = 0; i < truth->n; i++) {
		const struct resource *r = truth->items[i];
		struct view_key *k = view_key(v, r->name, false);

		if (k && k->there && k->revision == r->revision && k->number == number_of(r))
			continue;
		same = false;
		if (say)
			fault("is not as the datastore has it", v->what, r->name, r->revision,
			      k ? k->revision : 0);
	}
	hmap_for_each (k, &v->keys, struct view_key, node)
		there += k->there;
	if (say && there != truth->n)
		fault("has other objects than the datastore", v->what, "", there, truth->n);
	return same && there == truth->n;
}

/* Numbers grow in both lists. */
static void check_acked(struct view *v)
{
	for (unsigned i = 0; i < n_writers; i++)
		for (unsigned j = 0; j < writers[i].n; j++) {
			struct key *k = &writers[i].keys[j];
			struct view_key *seen = view_key(v, k->name, false);
			size_t at = 0;

			for (size_t a = 0; a < k->n_acked; a++) {
				while (seen && at < seen->n && seen->numbers[at] < k->acked[a])
					at++;
				if (!seen || at == seen->n || seen->numbers[at] != k->acked[a])
					fault("an acknowledged write was not told", v->what,
					      k->name, k->acked[a], 0);
			}
		}
}

static bool writers_rest(void)
{
	for (unsigned i = 0; i < n_writers; i++)
		if (writers[i].busy)
			return false;
	return true;
}

static void on_command(uv_poll_t *p, int status, int events)
{
	char byte[256];

	(void)status;
	(void)events;
	stopping = true;
	if (read(0, byte, sizeof(byte)) <= 0)
		uv_poll_stop(p);
}

static void on_tick(uv_timer_t *t)
{
	(void)t; /* only wakes the loop: conditions are looked at there */
}

static int report(void)
{
	struct store_stats s;

	for (size_t i = 0; i < n_views; i++) {
		struct view *v = &views[i];

		store_stats(v->store, &s);
		(void)view_is_true(v, true);
		if (v->direct && s.resyncs == 0)
			check_acked(v);
		printf("view %s: updates=%" PRIu64 " removes=%" PRIu64 " in-sync=%" PRIu64
		       " down=%" PRIu64 " lost=%" PRIu64 " resyncs=%" PRIu64 " events=%" PRIu64
		       " old=%" PRIu64 " retries=%" PRIu64 "\n",
		       v->what, v->updates, v->removes, v->syncs, v->downs, s.connections_lost,
		       s.resyncs, s.events, s.events_old, s.retries);
	}
	printf("verified=%" PRIu64 "\n", verified);
	printf("acknowledged=%" PRIu64 " doubtful=%" PRIu64 " refused=%" PRIu64
	       " objects=%zu faults=%u\n",
	       acked, doubtful, refused, truth->n, faults);
	return faults > 0;
}

static void add_view(const char *sock)
{
	struct view *v = &views[n_views++];

	v->what = sock ? sock : "driver";
	v->direct = !sock;
	v->store = open_store(sock);
	(void)store_watch(v->store, NULL, 0, &view_ops, v);
}

static void add_writer(unsigned i, unsigned n_keys, const char *sock)
{
	struct writer *w = &writers[i];

	w->store = open_store(sock);
	w->n = n_keys;
	w->keys = xcalloc(n_keys, sizeof(*w->keys));
	for (unsigned j = 0; j < n_keys; j++)
		snprintf(w->keys[j].name, sizeof(w->keys[j].name), "w%u-k%u", i, j);
}

static bool views_are_true(void)
{
	for (size_t i = 0; i < n_views; i++)
		if (!view_is_true(&views[i], false))
			return false;
	return true;
}

static int stress(int argc, char **argv)
{
	unsigned n_keys;
	uv_poll_t in;
	uv_timer_t tick;
	uint64_t deadline = 0;
	const char **socks;
	int n_socks;

	if (argc < 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	n_writers = (unsigned)atoi(argv[1]);
	n_keys = (unsigned)atoi(argv[2]);
	seed = (unsigned)strtoul(argv[3], NULL, 10);
	verify = getenv("ETCD_CLIENT_VERIFY") != NULL;
	socks = (const char **)argv + 5;
	n_socks = argc > 5 ? argc - 5 : 0;
	writers = xcalloc(n_writers, sizeof(*writers));
	add_view(NULL);
	for (int i = 0; i < n_socks && n_views < ARRAY_SIZE(views); i++)
		add_view(socks[i]);
	for (unsigned i = 0; i < n_writers; i++)
		add_writer(i, n_keys,
		           i % ((unsigned)n_socks + 1) ? socks[i % ((unsigned)n_socks + 1) - 1]
		                                       : NULL);
	uv_poll_init(&loop, &in, 0);
	uv_poll_start(&in, UV_READABLE, on_command);
	uv_timer_init(&loop, &tick);
	uv_timer_start(&tick, on_tick, 50, 50);
	while (!views[0].syncs)
		uv_run(&loop, UV_RUN_ONCE);
	printf("running\n");
	for (unsigned i = 0; i < n_writers; i++)
		writer_go(&writers[i]);
	for (;;) {
		uv_run(&loop, UV_RUN_ONCE);
		if (!stopping)
			continue;
		if (!deadline)
			deadline = uv_now(&loop) + SETTLE_MS;
		if (uv_now(&loop) > deadline) {
			printf("waited in vain for %s\n", !writers_rest() ? "the writers' answers"
			                                  : !truth        ? "the datastore's list"
			                                                  : "the views");
			if (!truth)
				return 3;
			(void)report();
			return 3;
		}
		if (!writers_rest())
			continue;
		if (!truth) {
			static bool asked;

			if (!asked)
				store_list(views[0].store, KIND, NULL, NULL, on_truth, NULL);
			asked = true;
		} else if (truth->status != STORE_OK) {
			store_result_free(truth);
			truth = NULL;
			store_list(views[0].store, KIND, NULL, NULL, on_truth, NULL);
			uv_run(&loop, UV_RUN_ONCE);
		} else if (views_are_true()) {
			break;
		}
	}
	return report();
}

int main(int argc, char **argv)
{
	const char *typhad = NULL;

	log_set_level(getenv("ETCD_CLIENT_VERBOSE") ? LOG_INFO : LOG_WARN);
	uv_loop_init(&loop);
	argc--;
	argv++;
	if (argc >= 2 && strcmp(argv[0], "--typhad") == 0) {
		typhad = argv[1];
		argc -= 2;
		argv += 2;
	}
	if (argc < 1)
		return 2;
	if (strcmp(argv[0], "stress") == 0)
		return stress(argc, argv);
	if (strcmp(argv[0], "watch") == 0)
		return watch(open_store(typhad));
	return single(open_store(typhad), argc, argv);
}
