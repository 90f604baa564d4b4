/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store: one interface to every datastore, asynchronous, on the loop.
 *
 * Drivers: "typha" (every node daemon: a connection to typhad) and "embedded" (typhad and
 * calicoctl: an SQLite file); etcdv3 and kubernetes find their place here. Every call is answered
 * exactly once, and never before the call returns.
 *
 * Objects that come out of a store carry metadata.resourceVersion as upstream's client has it,
 * beside r->revision; what goes in is judged by r->revision alone, and an r whose name or namespace
 * disagree with its metadata is STORE_INVALID. The driver does what upstream's client library does
 * on a write: uid and creationTimestamp are set at creation and kept ever after, resourceVersion
 * and selfLink are not stored.
 *
 * A watch delivers only true differences. Whatever happens underneath — a lost connection, a
 * compaction, a snapshot in place of deltas — the watcher sees each object's changes in order, a
 * removal for each object that went, and on_in_sync() whenever it is again up to date.
 */
#pragma once

#include <uv.h>

#include "common/model/resource.h"

struct err;
struct store;
struct transport_layer;
struct frame_codec;

enum store_status {
	STORE_OK,
	STORE_NOT_FOUND,
	STORE_ALREADY_EXISTS, /* items[0]: what is there */
	STORE_CONFLICT,       /* the revision has moved on; items[0]: what is there now */
	STORE_INVALID,        /* the request makes no sense */
	STORE_UNAVAILABLE, /* no connection, a deadline passed, the datastore failed: retry later;
	                      it may or may not have happened */
};
const char *store_status_str(enum store_status s);

struct store_result {
	enum store_status status;
	const char *text; /* a sentence when not OK; never NULL then; what upstream's client says
	                     where it has words for it */
	uint64_t header_revision; /* the datastore's own revision */
	struct resource *const
	        *items; /* get: 1; list: n, sorted by namespace and name; create, update, apply: 1
	                   with the new revision and what was stored; delete: 1, what is gone */
	size_t n;
};
/* r is borrowed for the call. */
typedef void store_done_fn(void *arg, const struct store_result *r);

/*
 * What a watcher that keeps all objects itself knows of them: a driver asks it, and remembers
 * nothing of its own. Each object carries a mark, which is the driver's; one that is new has the
 * mark that recall() was last called with.
 */
struct store_memory {
	/* Does the watcher have the object, at what revision and with what mark? It gets this
	 * mark. */
	bool (*recall)(void *arg, model_kind kind, const char *ns, const char *name, uint8_t mark,
	               uint64_t *ret_revision, uint8_t *ret_mark);
	/* Calls fn for every object. The watcher stays as it is meanwhile. */
	void (*each)(void *arg,
	             void (*fn)(void *fn_arg, model_kind kind, const char *ns, const char *name,
	                        uint8_t mark),
	             void *fn_arg);
};

struct store_watch_ops {
	void (*on_update)(void *arg, const struct resource *r); /* new or changed; borrowed */
	void (*on_remove)(void *arg, model_kind kind, const char *ns, const char *name);
	void (*on_in_sync)(void *arg);
	void (*on_down)(void *arg,
	                const char *why); /* what was delivered may grow old; may be NULL */
	/* What is told from now on had happened by this revision. May be NULL. */
	void (*on_horizon)(void *arg, uint64_t revision);
	/* Everything up to this revision has been told. May be NULL. Comes before the answer to
	 * the write that made the revision. */
	void (*on_revision)(void *arg, uint64_t revision);
};

/* What a store that is a datastore of its own has counted since it was opened; what a driver has no
 * idea of is 0. */
struct store_stats {
	const char *type;  /* "embedded" */
	const char *where; /* the file, or the member that is talked to; NULL: none. These strings
	                      live until the next call on the store. */
	uint64_t revision; /* of the datastore, as last seen */
	uint64_t reads;
	uint64_t writes; /* that were done */
	uint64_t conflicts;
	uint64_t bad_values;    /* keys whose value cannot be read: skipped, left as they are */
	const char *last_error; /* of the last write when that failed, or why there is no
	                           connection; else NULL */
	/* embedded */
	uint64_t commits; /* that the writes took: those that wait while another commit runs share
	                     one */
	uint64_t commits_failed;
	uint64_t foreign_changes; /* found in the file, made by another process */
	uint64_t expired;         /* objects whose time to live had passed */
	/* typha, with an instance */
	uint64_t left_behind; /* servers left because they did not reach what was known */
	uint64_t loops;       /* servers left because they are fed by this one */
	uint64_t rewinds;     /* times that the datastore was found to have gone back in time */
	uint64_t unseen;      /* writes answered before the watch told of them */
	/* etcdv3, typha */
	uint64_t connects, connects_failed, connections_lost;
	uint64_t retries; /* of calls, that found another connection or another member */
	uint64_t resyncs; /* snapshots read anew because the watch could not be continued */
	uint64_t events, events_old; /* of the watch; of them known already, and so dropped */
};

struct store_ops {
	void (*get)(struct store *s, model_kind kind, const char *ns, const char *name,
	            store_done_fn *fn, void *arg);
	void (*list)(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
	             store_done_fn *fn, void *arg);
	void (*create)(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);
	void (*update)(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);
	void (*apply)(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);
	void (*remove)(struct store *s, model_kind kind, const char *ns, const char *name,
	               uint64_t revision, store_done_fn *fn, void *arg);
	int (*watch)(struct store *s, const model_kind *kinds, size_t n,
	             const struct store_watch_ops *ops, void *arg);
	void (*stats)(const struct store *s, struct store_stats *ret); /* NULL: there are none */
	void (*bad_values)(const struct store *s,
	                   void (*fn)(void *arg, const char *key, const char *why),
	                   void *arg); /* NULL: there are none */
	void (*free)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	uv_loop_t *loop;
	const struct store_memory *memory; /* of who watches, who may set it before store_watch();
	                                      NULL: the driver remembers what it has told */
};

/* Drivers. */
/* path: typhad's api.sock. program and node go into the Hello. Connects, and reconnects, by itself.
 */
int store_typha_open(uv_loop_t *loop, const char *path, const char *program, const char *node,
                     struct store **ret, struct err *err);
/* How to reach one of several typhads. */
struct store_typha_options {
	/* Paths of sockets (with a '/'), "10.0.0.1:5473", "[fd00::1]:5473", "name:5473": as good as
	 * one another. Copied. */
	const char *const *addresses;
	size_t n_addresses;
	bool shuffle;               /* else they are tried in this order */
	const char *program, *node; /* go into the Hello; copied */
	const char *sync_type; /* "felix", "bgp", ...: what a watch carries; NULL: everything */
	struct transport_layer *layer;   /* TLS, for what is not a path; NULL: plain. Borrowed */
	const struct frame_codec *codec; /* offered; NULL: no compression. Borrowed */
	unsigned read_timeout_ms;  /* without a word from it, it is asked, and left; 0: 40 s */
	unsigned write_timeout_ms; /* with what we send not acknowledged; 0: the kernel's */
	const char *instance; /* of a typhad: who it is, which must not be among those that feed the
	                         server; its watcher is never told what is older than what it was
	                         told before. NULL: an ordinary client. Copied */
};
/* As store_typha_open(). -EINVAL: an address that is none. */
int store_typha_connect(uv_loop_t *loop, const struct store_typha_options *options,
                        struct store **ret, struct err *err);
/* Of a store with an instance: the typhads behind it, the nearest first. They live until the next
 * callback of the watch. */
size_t store_typha_lineage(const struct store *s, char *const **ret);
/* Of such a store: asks the datastore behind all of them at which revision it is. Not live: nobody
 * could say. Like every call, answered once, and never before this returns. */
void store_typha_verify(struct store *s, void (*fn)(void *arg, bool live, uint64_t revision),
                        void *arg);
/* From now on these; the connection stays. -EINVAL. Of a store of another driver: do not. */
int store_typha_set_addresses(struct store *s, const char *const *addresses, size_t n,
                              struct err *err);

/* path: the database file, created when absent. -EINVAL when it is not one, or newer than this
 * software: nothing is changed then. */
int store_embedded_open(uv_loop_t *loop, const char *path, struct store **ret, struct err *err);

/* How a daemon opens it that will live with the file. */
struct store_embedded_options {
	uint64_t keep_changes; /* compaction leaves so many changes in the log, */
	uint64_t keep_sec;     /* none older than that; 0: however old */
	bool check; /* look whether the file is whole before anything else: -EINVAL when not, and it
	               is left as it was */
};
#define STORE_EMBEDDED_DEFAULTS                                                                    \
	{                                                                                          \
		10000, 3600, false                                                                 \
	}
int store_embedded_open_with(uv_loop_t *loop, const char *path,
                             const struct store_embedded_options *options, struct store **ret,
                             struct err *err);

/* How to reach an etcd cluster, in upstream's terms. Everything is copied; NULL: not given. */
struct store_etcd_options {
	const char *endpoints; /* ETCD_ENDPOINTS: "https://10.0.0.1:2379,https://[fd00::1]:2379" */
	const char *discovery_srv; /* ETCD_DISCOVERY_SRV: a domain; exclusive with endpoints */
	const char *username, *password;
	const char *key_file, *cert_file, *ca_file;
	const char *key_pem, *cert_pem, *ca_pem; /* in place of the files */
};
/* -EINVAL when the options contradict each other or a file cannot be used; the cluster itself is
 * connected to, and again, in the background. */
int store_etcd_open(uv_loop_t *loop, const struct store_etcd_options *options, struct store **ret,
                    struct err *err);

/* Calls under way are answered STORE_UNAVAILABLE first. NULL is fine. */
void store_free(struct store *s);

void store_get(struct store *s, model_kind kind, const char *ns, const char *name,
               store_done_fn *fn, void *arg);
/* ns NULL: all namespaces. name_prefix NULL: all names. */
void store_list(struct store *s, model_kind kind, const char *ns, const char *name_prefix,
                store_done_fn *fn, void *arg);
/* The resource is borrowed for the call. create ignores the revision; update with revision 0 is
 * unconditional, but the object must exist; apply creates or replaces. */
void store_create(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);
void store_update(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);
void store_apply(struct store *s, const struct resource *r, store_done_fn *fn, void *arg);
/* revision 0: whatever is there. */
void store_remove(struct store *s, model_kind kind, const char *ns, const char *name,
                  uint64_t revision, store_done_fn *fn, void *arg);
/* One watch per store. n 0: all kinds. ops is borrowed. */
int store_watch(struct store *s, const model_kind *kinds, size_t n,
                const struct store_watch_ops *ops, void *arg);

void store_stats(const struct store *s, struct store_stats *ret);
/* Calls fn for every value that cannot be read. */
void store_bad_values(const struct store *s,
                      void (*fn)(void *arg, const char *key, const char *why), void *arg);

/* Sorts as a list is sorted: by namespace and name. */
void store_sort(struct resource **items, size_t n);

/* Gives r a revision: in the struct and, where there is metadata, as its resourceVersion. */
void resource_set_revision(struct resource *r, uint64_t revision);

/* For programs that do one thing at a time (calicoctl): runs the loop until the call is answered,
 * and gives a copy of the result, freed with store_result_free(). */
struct store_result *store_result_copy(const struct store_result *r);
void store_result_free(struct store_result *r);
