/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/datastore.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/ipc/tcp.h"
#include "common/loop/codec.h"
#include "common/store/etcd_options.h"
#include "common/store/store.h"
#include "common/tls/layer.h"
#include "common/tls/tls.h"
#include "typhad/typhad.h"

struct datastore {
	char instance[UUID_HEX_SIZE];
	struct tls_layer layer; /* to upstreams */
	void (*loaded)(struct typhad *t);
	bool exact; /* the driver says up to where its watch is complete */
};

bool datastore_is_chained(const struct typhad *t)
{
	return strcmp(t->config.datastore_type, "typha") == 0;
}

/* ---- where it is, by its own word */

struct verify {
	datastore_verified_fn *fn;
	void *arg;
};

/* Whether the object is there does not matter: what counts is who says so. */
static void on_verified(void *arg, const struct store_result *r)
{
	struct verify *v = arg;

	v->fn(v->arg, r->status == STORE_OK || r->status == STORE_NOT_FOUND, r->header_revision);
	free(v);
}

void datastore_verify(struct typhad *t, datastore_verified_fn *fn, void *arg)
{
	struct verify *v;

	if (datastore_is_chained(t)) {
		store_typha_verify(t->store, fn, arg);
		return;
	}
	v = xcalloc(1, sizeof(*v));
	v->fn = fn;
	v->arg = arg;
	store_get(t->store, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default", on_verified, v);
}

/* ---- what it tells */

static void on_update(void *arg, const struct resource *r)
{
	struct typhad *t = arg;

	if (!cache_put(&t->cache, r))
		log_error("an object is too large to be told to anyone", "name=%s",
		          LOG_VIS(r->name));
	if (!t->datastore->exact)
		t->cache.revision = t->cache.horizon;
	fanout_changed(&t->fanout);
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	struct typhad *t = arg;

	cache_remove(&t->cache, kind, ns, name);
	fanout_changed(&t->fanout);
}

static void on_horizon(void *arg, uint64_t revision)
{
	struct typhad *t = arg;

	if (revision > t->cache.horizon)
		t->cache.horizon = revision;
}

static void lineage_follow(struct typhad *t)
{
	char *const *behind = NULL;
	size_t n = datastore_is_chained(t) ? store_typha_lineage(t->store, &behind) : 0;

	fanout_set_lineage(&t->fanout, t->datastore->instance, behind, n);
}

static void on_revision(void *arg, uint64_t revision)
{
	struct typhad *t = arg;

	t->datastore->exact = true;
	if (revision < t->cache.revision) /* restored from a backup */
		t->cache.horizon = revision;
	if (revision != t->cache.revision) {
		t->cache.revision = revision;
		fanout_changed(&t->fanout);
	}
	if (datastore_is_chained(t))
		lineage_follow(t);
}

static void on_in_sync(void *arg)
{
	struct typhad *t = arg;

	t->away = false;
	lineage_follow(t);
	if (!t->loaded) {
		t->loaded = true;
		t->datastore->loaded(t);
	}
	typhad_status(t);
}

static void on_down(void *arg, const char *why)
{
	struct typhad *t = arg;

	t->away = true;
	if (t->loaded) {
		typhad_status(t); /* what is known is still served */
	} else {
		CLEANUP(free_p) char *text = xasprintf("waiting for the datastore: %s", why);

		daemon_ready(t->daemon, false, text);
	}
}

static const struct store_watch_ops watch_ops = {
	.on_update = on_update,
	.on_remove = on_remove,
	.on_in_sync = on_in_sync,
	.on_down = on_down,
	.on_horizon = on_horizon,
	.on_revision = on_revision,
};

/* The driver need not remember what the cache knows. */
static bool recall(void *arg, model_kind kind, const char *ns, const char *name, uint8_t mark,
                   uint64_t *ret_revision, uint8_t *ret_mark)
{
	return cache_recall(&((struct typhad *)arg)->cache, kind, ns, name, mark, ret_revision,
	                    ret_mark);
}

static void each(void *arg,
                 void (*fn)(void *fn_arg, model_kind kind, const char *ns, const char *name,
                            uint8_t mark),
                 void *fn_arg)
{
	cache_each(&((struct typhad *)arg)->cache, fn, fn_arg);
}

static const struct store_memory memory = { recall, each };

/* ---- typhads to be fed by */

/* As the driver wants it: a path, or with a port. The caller's. */
static char *address_of(const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len), *bracket = memchr(s, ']', len);

	if (len > 5 && strncmp(s, "unix:", 5) == 0)
		return xstrndup(s + 5, len - 5);
	if (*s == '/' || (bracket ? bracket + 1 < s + len : colon != NULL))
		return xstrndup(s, len);
	return xasprintf("%.*s:%d", (int)len, s, TYPHAD_PORT);
}

/* A path, or an address of this host: one that can be bound. */
static bool is_local(const char *address)
{
	struct sockaddr_storage ss;
	char host[TCP_HOST_MAX];
	struct err err;
	uint16_t port;
	socklen_t len;
	bool local;
	int fd;

	if (strchr(address, '/'))
		return true;
	if (tcp_addr_split(address, host, &port, &err) < 0 || !tcp_addr_numeric(host, 0, &ss, &len))
		return false;
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	local = fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0;
	if (fd >= 0)
		(void)close(fd);
	return local;
}

static void swap(char **a, char **b)
{
	char *c = *a;

	*a = *b;
	*b = c;
}

/* Those on this host first; the others in random order. */
static void addresses_order(char **addresses, size_t n, uint32_t random)
{
	size_t local = 0;

	for (size_t i = 0; i < n; i++)
		if (is_local(addresses[i]))
			swap(&addresses[i], &addresses[local++]);
	for (size_t i = n; i > local + 1; i--) {
		random = hash_mix(random, (uint32_t)i);
		swap(&addresses[i - 1], &addresses[local + random % (i - local)]);
	}
}

static size_t addresses_split(const char *list, char ***ret)
{
	char **addresses = NULL;
	size_t n = 0;

	for (const char *at = list; *at; at += *at == ',') {
		size_t len = strcspn(at, ",");

		addresses = xrealloc(addresses, (n + 1) * sizeof(*addresses));
		addresses[n++] = address_of(at, len);
		at += len;
	}
	*ret = addresses;
	return n;
}

static int layer_open(struct typhad *t, struct err *err)
{
	const struct typhad_config *c = &t->config;
	const struct tls_config config = {
		.ca_file = c->upstream.ca_file,
		.cert_file = c->upstream.cert_file,
		.key_file = c->upstream.key_file,
		.verify_peer = true,
		.min_version = c->tls_min_version,
		.cipher_suites = c->tls_cipher_suites,
	};
	struct tls_context *context;
	int rc;

	if (!c->upstream.key_file)
		return 0;
	rc = tls_context_new(&config, &context, err);
	if (rc < 0)
		return err_wrap(err, rc, "TLS to upstreams");
	/* As upstream: who it must be is in the certificate, whatever its address. */
	tls_layer_init(&t->datastore->layer, context, c->upstream.cn, c->upstream.uri_san, false);
	tls_context_unref(context);
	return 0;
}

static int chained_open(struct typhad *t, struct err *err)
{
	const struct typhad_config *c = &t->config;
	struct datastore *d = t->datastore;
	char **addresses;
	size_t n = addresses_split(c->upstream.addrs, &addresses);
	struct store_typha_options options = {
		.addresses = (const char *const *)addresses,
		.n_addresses = n,
		.program = "typhad",
		.node = t->daemon->node,
		.codec = &codec_zstd,
		.read_timeout_ms = (unsigned)c->upstream.read_timeout_ms,
		.write_timeout_ms = (unsigned)c->upstream.write_timeout_ms,
		.instance = d->instance,
	};
	int rc = layer_open(t, err);

	addresses_order(addresses, n, hash_str(d->instance));
	if (d->layer.context)
		options.layer = &d->layer.base;
	if (rc == 0)
		rc = store_typha_connect(t->daemon->loop, &options, &t->store, err);
	for (size_t i = 0; i < n; i++)
		free(addresses[i]);
	free(addresses);
	return rc;
}

/* ---- any of them */

static int embedded_open(struct typhad *t, struct err *err)
{
	const struct store_embedded_options how = {
		.keep_changes = t->config.keep_changes,
		.keep_sec = t->config.keep_ms / 1000u,
		.check = true,
	};

	return store_embedded_open_with(t->daemon->loop, t->config.datastore_path, &how, &t->store,
	                                err);
}

static int etcd_open(struct typhad *t, struct err *err)
{
	struct store_etcd_options o = { 0 };
	int rc;

	etcd_options_set(&o, "etcdEndpoints", t->config.etcd.endpoints);
	etcd_options_set(&o, "etcdDiscoverySrv", t->config.etcd.discovery_srv);
	etcd_options_set(&o, "etcdUsername", t->config.etcd.username);
	etcd_options_set(&o, "etcdPassword", t->config.etcd.password);
	etcd_options_set(&o, "etcdKeyFile", t->config.etcd.key_file);
	etcd_options_set(&o, "etcdCertFile", t->config.etcd.cert_file);
	etcd_options_set(&o, "etcdCACertFile", t->config.etcd.ca_file);
	rc = store_etcd_open(t->daemon->loop, &o, &t->store, err);
	etcd_options_done(&o);
	return rc;
}

int datastore_open(struct typhad *t, struct err *err)
{
	const char *type = t->config.datastore_type;

	t->datastore = xcalloc(1, sizeof(*t->datastore));
	uuid_hex(t->datastore->instance);
	if (strcmp(type, "embedded") == 0)
		return embedded_open(t, err);
	if (strcmp(type, "etcdv3") == 0)
		return etcd_open(t, err);
	if (datastore_is_chained(t))
		return chained_open(t, err);
	return err_set(err, -EINVAL,
	               "datastore type '%s' is not supported: this version has 'embedded', "
	               "'etcdv3' and 'typha'",
	               type);
}

int datastore_watch(struct typhad *t, void (*loaded)(struct typhad *t))
{
	t->datastore->loaded = loaded;
	fanout_set_lineage(&t->fanout, t->datastore->instance, NULL, 0);
	t->store->memory = &memory;
	return store_watch(t->store, NULL, 0, &watch_ops, t);
}

void datastore_close(struct typhad *t)
{
	struct store *store = t->store;

	t->store = NULL;
	store_free(store);
	tls_layer_done(&t->datastore->layer);
	free(take_ptr(&t->datastore));
}
