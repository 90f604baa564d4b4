/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "calicoctl/kinds.h"
#include "calicoctl/settings.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/ipc/sock.h"
#include "proto/v3_node.pb-c.h"

#define FIRST_ANSWER_MS 2500
#define ANSWER_MS 30000
#define UNREADABLE "the value of '" /* how datastores begin to say that they cannot read one */

struct db {
	uv_loop_t loop;
	uv_timer_t deadline;
	struct store *store;
	char *where;      /* "typhad at '/run/calico/typhad/api.sock'" */
	bool answered;    /* once already */
	int hurry_ms;     /* the deadline of every answer; 0: the usual ones */
	uv_poll_t reader; /* of a watch: of our standard output */
	int reader_fd;    /* -1: not followed */
	bool reader_gone;
};

/* A call under way. One that nobody waits for any longer is freed by its answer. */
struct wait {
	struct store_result *result;
	bool abandoned;
};

static void on_done(void *arg, const struct store_result *r)
{
	struct wait *w = arg;

	if (w->abandoned)
		free(w);
	else
		w->result = store_result_copy(r);
}

static void on_deadline(uv_timer_t *t)
{
	*(bool *)t->data = true;
}

void db_hurry(struct db *db, int ms)
{
	db->hurry_ms = ms;
}

static uint64_t deadline_ms(const struct db *db)
{
	if (db->hurry_ms)
		return (uint64_t)db->hurry_ms;
	return db->answered ? ANSWER_MS : FIRST_ANSWER_MS;
}

/* Runs the loop until w has its result. */
static struct store_result *await(struct db *db, struct wait *w)
{
	struct store_result *result;
	bool late = false;

	db->deadline.data = &late;
	uv_timer_start(&db->deadline, on_deadline, deadline_ms(db), 0);
	while (!w->result && !late)
		uv_run(&db->loop, UV_RUN_ONCE);
	uv_timer_stop(&db->deadline);
	result = w->result;
	if (!result) {
		CLEANUP(free_p) char *text = xasprintf("%s does not answer", db->where);
		struct store_result none = { .status = STORE_UNAVAILABLE, .text = text };

		w->abandoned = true;
		return store_result_copy(&none);
	}
	db->answered = true;
	free(w);
	return result;
}

static struct wait *wait_new(void)
{
	return xcalloc(1, sizeof(struct wait));
}

struct store_result *db_get(struct db *db, model_kind kind, const char *ns, const char *name)
{
	struct wait *w = wait_new();

	store_get(db->store, kind, ns, name, on_done, w);
	return await(db, w);
}

struct store_result *db_list(struct db *db, model_kind kind, const char *ns, const char *prefix)
{
	struct wait *w = wait_new();

	store_list(db->store, kind, ns, prefix, on_done, w);
	return await(db, w);
}

struct store_result *db_create(struct db *db, const struct resource *r)
{
	struct wait *w = wait_new();

	store_create(db->store, r, on_done, w);
	return await(db, w);
}

struct store_result *db_update(struct db *db, const struct resource *r)
{
	struct wait *w = wait_new();

	store_update(db->store, r, on_done, w);
	return await(db, w);
}

struct store_result *db_remove(struct db *db, model_kind kind, const char *ns, const char *name,
                               uint64_t revision)
{
	struct wait *w = wait_new();

	store_remove(db->store, kind, ns, name, revision, on_done, w);
	return await(db, w);
}

static void on_reader_gone(uv_poll_t *h, int status, int events)
{
	struct db *db = h->data;

	(void)status;
	(void)events;
	(void)uv_poll_stop(h);
	db->reader_gone = true;
}

/* Whoever reads our standard output may go while there is nothing to write. It is looked at through
 * a descriptor of our own, because libuv makes what it polls non-blocking. A file has no reader. */
static void reader_follow(struct db *db)
{
	struct epoll_event any_end = { 0 };

	db->reader_fd = epoll_create1(EPOLL_CLOEXEC);
	if (db->reader_fd < 0 ||
	    epoll_ctl(db->reader_fd, EPOLL_CTL_ADD, STDOUT_FILENO, &any_end) != 0 ||
	    uv_poll_init(&db->loop, &db->reader, db->reader_fd) != 0)
		return;
	db->reader.data = db;
	(void)uv_poll_start(&db->reader, UV_READABLE, on_reader_gone);
}

int db_watch(struct db *db, model_kind kind, const struct store_watch_ops *ops, void *arg,
             const bool *stop, struct err *err)
{
	int rc = store_watch(db->store, &kind, 1, ops, arg);

	if (rc)
		return err_set(err, rc, "%s cannot be watched", db->where);
	reader_follow(db);
	while (!*stop && !db->reader_gone)
		uv_run(&db->loop, UV_RUN_ONCE);
	return 0;
}

void result_p(struct store_result **r)
{
	store_result_free(*r);
}

void db_error(const struct store_result *r, model_kind kind, const char *ns, const char *name,
              struct err *err)
{
	CLEANUP(free_p) char *id = kinds_identifier(kind, ns, name);

	switch (r->status) {
	case STORE_NOT_FOUND:
		if (r->text && strncmp(r->text, UNREADABLE, sizeof(UNREADABLE) - 1) == 0) {
			err_set(err, -EIO, "%s", r->text); /* something is there */
			return;
		}
		err_set(err, -ENOENT, "resource does not exist: %s with error: <nil>", id);
		return;
	case STORE_ALREADY_EXISTS:
		err_set(err, -EEXIST, "resource already exists: %s with error: <nil>", id);
		return;
	case STORE_CONFLICT:
		err_set(err, -EAGAIN, "update conflict: %s", id);
		return;
	case STORE_OK:
	case STORE_INVALID:
	case STORE_UNAVAILABLE:
		break;
	}
	err_set(err, r->status == STORE_UNAVAILABLE ? -EIO : -EINVAL, "%s",
	        r->text ? r->text : "failed");
}

/* ---- open and close */

static void on_walk(uv_handle_t *h, void *arg)
{
	(void)arg;
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	store_free(db->store);
	uv_walk(&db->loop, on_walk, NULL);
	uv_run(&db->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&db->loop);
	if (db->reader_fd >= 0)
		(void)close(db->reader_fd);
	free(db->where);
	free(db);
}

/* The client connects in the background; whether anybody is there at all shows at once. */
static int probe(const char *path, struct err *err)
{
	int fd = -1, rc = unix_connect(path, 1, &fd, err);

	if (rc == 0)
		close(fd);
	if (rc == -EAGAIN) /* a full backlog: somebody is there */
		rc = 0;
	if (rc)
		return err_wrap(err, rc, "typhad is not reachable");
	return 0;
}

int db_open(const struct options *o, bool create, struct db **ret, struct err *err)
{
	struct settings settings;
	struct db *db;
	int rc = settings_read(o, &settings, err);

	if (rc)
		goto out;
	if (settings.datastore == DATASTORE_TYPHA)
		rc = probe(settings.path, err);
	else if (settings.datastore == DATASTORE_EMBEDDED && !create &&
	         access(settings.path, F_OK) != 0)
		rc = err_sys(err, "datastore '%s'", settings.path);
	if (rc)
		goto out;
	db = xcalloc(1, sizeof(*db));
	db->reader_fd = -1;
	if (uv_loop_init(&db->loop) != 0) {
		free(db);
		rc = err_set(err, -ENOMEM, "cannot make an event loop");
		goto out;
	}
	uv_timer_init(&db->loop, &db->deadline);
	if (settings.datastore == DATASTORE_ETCD) {
		db->where = xstrdup("etcd");
		db->answered = true; /* etcd is given its own time */
		rc = store_etcd_open(&db->loop, &settings.etcd, &db->store, err);
	} else if (settings.datastore == DATASTORE_EMBEDDED) {
		db->where = xasprintf("datastore '%s'", settings.path);
		rc = store_embedded_open(&db->loop, settings.path, &db->store, err);
	} else {
		char host[256] = "";

		(void)gethostname(host, sizeof(host) - 1);
		db->where = xasprintf("typhad at '%s'", settings.path);
		rc = store_typha_open(&db->loop, settings.path, "calicoctl", host, &db->store, err);
	}
	if (rc)
		db_close(db);
	else
		*ret = db;
out:
	settings_done(&settings);
	return rc;
}

/* ---- the versions of client and cluster */

/* "v3.32.0-12-gabc": 3.32.0 */
static void strip_version(const char *v, char *out, size_t size)
{
	snprintf(out, size, "%s", *v == 'v' ? v + 1 : v);
	out[strcspn(out, "-")] = '\0';
}

static int check_versions(struct db *db, struct err *err)
{
	CLEANUP(result_p)
	struct store_result *r = db_get(db, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default");
	const V3__ClusterInformation *info;
	char client[64], cluster[64];

	if (r->status == STORE_NOT_FOUND)
		return 0;
	if (r->status != STORE_OK) {
		db_error(r, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default", err);
		return err->code;
	}
	info = (const V3__ClusterInformation *)r->items[0]->msg;
	if (!info->spec || !info->spec->calicoversion || !*info->spec->calicoversion)
		return 0;
	strip_version(percale_version, client, sizeof(client));
	strip_version(info->spec->calicoversion, cluster, sizeof(cluster));
	if (strcmp(client, cluster) == 0)
		return 0;
	return err_set(err, -EPROTO,
	               "version mismatch.\nClient Version:   %s\nCluster Version:  %s\n"
	               "Use --allow-version-mismatch to override",
	               percale_version, cluster);
}

struct db *db_begin(const struct options *o, bool create)
{
	struct db *db = NULL;
	struct err err;

	if (db_open(o, create, &db, &err) != 0) {
		bool config = strncmp(err.text, "Error reading config", 20) == 0;

		fprintf(stderr, "%s%s\n",
		        config ? "" : "Failed to create Calico API client: ", err.text);
		return NULL;
	}
	if (!o->allow_mismatch && check_versions(db, &err) != 0) {
		fprintf(stderr, "%s%s\n",
		        err.code == -EPROTO ? "" : "Failed to create Calico API client: ",
		        err.text);
		db_close(db);
		return NULL;
	}
	return db;
}
