/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/door.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/store/sync.h"
#include "common/tls/tls.h"
#include "typhad/balance.h"
#include "typhad/client.h"
#include "typhad/typhad.h"

/* ---- Hello */

static void hello_refuse(struct client *c, uint64_t id, Sync__V1__ErrorCode code, const char *text)
{
	struct typhad *t = c->t;
	unsigned held;

	t->door.count.bad_hello++;
	t->count.refused++;
	if (log_limit_pass(&t->door.log_refused, &held))
		log_warn("a client is refused", "peer=%s pid=%d why=%s suppressed=%u",
		         LOG_VIS(client_address(c)), (int)ipc_peer_cred(c->peer).pid, LOG_VIS(text),
		         held);
	client_reply_error(c, id, code, text, NULL);
	if (c->peer)
		ipc_peer_close(c->peer);
}

/* NULL: it may come in; else a sentence, which is the caller's. */
static char *hello_check(struct client *c, const Sync__V1__Hello *hello, Sync__V1__ErrorCode *ret)
{
	const struct typhad *t = c->t;
	uint32_t min = hello->min_version ? hello->min_version : hello->version;

	*ret = SYNC__V1__ERROR_CODE__ERROR_VERSION;
	c->version = sync_version_agree(hello->version, hello->min_version);
	if (!c->version)
		return xasprintf("this typhad speaks versions %u to %u of the sync protocol, the "
		                 "client %u to %u: upgrade %s",
		                 SYNC_VERSION_MIN, SYNC_VERSION, min, hello->version,
		                 hello->version < SYNC_VERSION_MIN ? "the client" : "typhad");
	*ret = SYNC__V1__ERROR_CODE__ERROR_INVALID;
	if (sync_type_kinds(hello->sync_type, &c->kinds) < 0)
		return xasprintf("there is no sync type '%.64s': there are %s",
		                 LOG_VIS(hello->sync_type), sync_type_names());
	*ret = SYNC__V1__ERROR_CODE__ERROR_LIMIT;
	if (t->door.draining && c->remote)
		return xstrdup("this typhad is about to stop: go to another one");
	if (c->remote && t->door.remote >= t->config.connections.upper_limit)
		return xasprintf(
		        "this typhad has %u clients, as many as it may: go to another one, "
		        "or raise MaxConnectionsUpperLimit",
		        t->door.remote);
	if (!c->remote && t->door.clients - t->door.remote >= DOOR_LOCAL_MAX)
		return xasprintf("this typhad has %u local clients, as many as it may",
		                 t->door.clients - t->door.remote);
	return NULL;
}

/* The algorithm that both know. Local clients need none. */
static const struct frame_codec *hello_codec(const struct client *c, const Sync__V1__Hello *hello)
{
	for (size_t i = 0; c->remote && c->version >= 2 && i < hello->n_compression; i++)
		if (strcmp(hello->compression[i], codec_zstd.name) == 0)
			return &codec_zstd;
	return NULL;
}

static void hello_answer(struct client *c, uint64_t id)
{
	Sync__V1__FromTyphad reply = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Hello own = SYNC__V1__HELLO__INIT;
	char *algorithm = c->codec ? (char *)(uintptr_t)c->codec->name : NULL;

	own.has_version = own.has_min_version = own.has_connection_id = 1;
	own.version = c->version;
	own.min_version = SYNC_VERSION_MIN;
	own.program = (char *)(uintptr_t) "typhad";
	own.hostname = (char *)(uintptr_t)c->t->daemon->node;
	own.software = (char *)(uintptr_t)percale_version;
	own.sync_type = c->sync_type;
	own.compression = &algorithm;
	own.n_compression = algorithm != NULL;
	own.connection_id = c->id;
	own.lineage = c->t->fanout.lineage;
	own.n_lineage = c->t->fanout.n_lineage;
	reply.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_HELLO;
	reply.hello = &own;
	client_reply(c, id, &reply);
}

static void ping_arm(struct typhad *t);

void door_hello(struct client *c, uint64_t id, const Sync__V1__Hello *hello)
{
	struct door *d = &c->t->door;
	Sync__V1__ErrorCode code;
	CLEANUP(free_p) char *why = hello_check(c, hello, &code);

	if (why) {
		d->count.too_many += code == SYNC__V1__ERROR_CODE__ERROR_LIMIT;
		hello_refuse(c, id, code, why);
		return;
	}
	c->program = xstrndup(hello->program ? hello->program : "?", 64);
	c->hostname = xstrndup(hello->hostname ? hello->hostname : "", 253);
	c->software = xstrndup(hello->software ? hello->software : "", 64);
	c->sync_type = xstrdup(hello->sync_type);
	c->codec = hello_codec(c, hello);
	c->phase = CLIENT_OPEN;
	d->clients++;
	d->remote += c->remote;
	ipc_peer_welcome(c->peer);
	list_push_back(&d->pings, &c->ping);
	c->asked = c->heard = mono_now();
	ping_arm(c->t);
	log_debug("client", "id=%llu program=%s node=%s peer=%s pid=%d cn=%s type=%s",
	          (unsigned long long)c->id, LOG_VIS(c->program), LOG_VIS(c->hostname),
	          LOG_VIS(client_address(c)), (int)ipc_peer_cred(c->peer).pid,
	          LOG_VIS(ipc_peer_proved(c->peer) ? ipc_peer_proved(c->peer) : ""),
	          LOG_VIS(c->sync_type ? c->sync_type : ""));
	hello_answer(c, id);
}

/* ---- does it live? */

void door_heard(struct client *c)
{
	c->heard = mono_now();
}

/* NULL: it does. */
static const char *dead_because(struct client *c)
{
	struct door *d = &c->t->door;
	const struct typhad_config *config = &c->t->config;

	if (config->server.write_timeout_ms &&
	    ipc_peer_stalled_ms(c->peer) > config->server.write_timeout_ms) {
		d->count.stuck++;
		return "it has not taken anything for too long";
	}
	if (c->version >= 2 && config->server.pong_timeout_ms &&
	    mono_since_ms(c->heard) >= (int64_t)config->server.pong_timeout_ms) {
		d->count.dead++;
		return "it does not answer any more";
	}
	return NULL;
}

static void ping_one(struct client *c)
{
	const char *why = dead_because(c);
	unsigned held;

	if (!why) {
		if (c->version >= 2)
			(void)ipc_peer_send_frame(c->peer, c->t->door.ping);
		return;
	}
	if (log_limit_pass(&c->t->door.log_dead, &held))
		log_warn("a client is given up",
		         "program=%s node=%s peer=%s pid=%d why=%s suppressed=%u",
		         LOG_VIS(c->program), LOG_VIS(c->hostname), LOG_VIS(client_address(c)),
		         (int)ipc_peer_cred(c->peer).pid, LOG_VIS(why), held);
	ipc_peer_abort(c->peer);
}

static void on_ping_timer(uv_timer_t *h)
{
	struct typhad *t = h->data;
	struct list *pings = &t->door.pings;

	while (!list_empty(pings)) {
		struct client *c = list_entry(pings->next, struct client, ping);

		if (mono_since_ms(c->asked) < (int64_t)t->config.server.ping_interval_ms)
			break;
		c->asked = mono_now();
		list_unlink(&c->ping);
		list_push_back(pings, &c->ping);
		ping_one(c); /* which may end it */
	}
	ping_arm(t);
}

/* The list is in the order of asking: the first is due first. */
static void ping_arm(struct typhad *t)
{
	struct door *d = &t->door;
	int64_t left;

	if (list_empty(&d->pings) || !t->config.server.ping_interval_ms) {
		(void)uv_timer_stop(&d->ping_timer);
		return;
	}
	if (uv_is_active((uv_handle_t *)&d->ping_timer))
		return; /* the first is the same as before, or a later one: found when it fires */
	left = (int64_t)t->config.server.ping_interval_ms -
	       mono_since_ms(list_entry(d->pings.next, struct client, ping)->asked);
	(void)uv_timer_start(&d->ping_timer, on_ping_timer, left > 0 ? (uint64_t)left : 0, 0);
}

/* ---- sent away */

static void leave_arm(struct typhad *t);

static void on_leave_timer(uv_timer_t *h)
{
	struct typhad *t = h->data;
	struct list *leaving = &t->door.leaving;

	while (!list_empty(leaving)) {
		struct client *c = list_entry(leaving->next, struct client, leave);

		if (mono_since_ms(c->sent_away) < DOOR_LEAVE_MS)
			break;
		list_unlink(&c->leave);
		ipc_peer_close(c->peer);
	}
	leave_arm(t);
}

static void leave_arm(struct typhad *t)
{
	struct door *d = &t->door;
	int64_t left;

	if (list_empty(&d->leaving))
		return;
	left = DOOR_LEAVE_MS -
	       mono_since_ms(list_entry(d->leaving.next, struct client, leave)->sent_away);
	(void)uv_timer_start(&d->leave_timer, on_leave_timer, left > 0 ? (uint64_t)left : 0, 0);
}

static void send_away(struct client *c, const char *reason)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__GoAway go_away = SYNC__V1__GO_AWAY__INIT;

	log_info("a client is sent away", "program=%s node=%s peer=%s why=%s", LOG_VIS(c->program),
	         LOG_VIS(c->hostname), LOG_VIS(client_address(c)), LOG_VIS(reason));
	c->sent_away = mono_now();
	list_push_back(&c->t->door.leaving, &c->leave);
	leave_arm(c->t);
	if (c->version < 2) { /* it does not know the word */
		list_unlink(&c->leave);
		ipc_peer_close(c->peer);
		return;
	}
	go_away.reason = (char *)(uintptr_t)reason;
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_GO_AWAY;
	m.go_away = &go_away;
	(void)ipc_peer_send(c->peer, &m.base);
}

static bool may_be_sent_away(const struct client *c)
{
	return c->remote && c->phase == CLIENT_OPEN && c->sent_away.ms == 0;
}

/* One of them, at random; NULL: there is none. n: how many there are. */
static struct client *anyone(struct typhad *t, unsigned *ret_n)
{
	unsigned n = 0, pick;

	list_for_each (it, &t->clients)
		n += may_be_sent_away(list_entry(it, struct client, node));
	*ret_n = n;
	pick = n ? hash_mix((uint32_t)uv_hrtime(), n) % n : 0;
	list_for_each (it, &t->clients) {
		struct client *c = list_entry(it, struct client, node);

		if (may_be_sent_away(c) && pick-- == 0)
			return c;
	}
	return NULL;
}

unsigned door_target(const struct typhad *t)
{
	const struct typhad_config *config = &t->config;

	return balance_target(config->connections.typhads,
	                      cache_count_kind(&t->cache, V3__KIND__KIND_NODE),
	                      config->connections.lower_limit, config->connections.upper_limit);
}

static void on_balance_timer(uv_timer_t *h)
{
	struct typhad *t = h->data;
	unsigned n;
	struct client *c = anyone(t, &n);

	if (!c || n <= door_target(t))
		return;
	t->door.count.rebalanced++;
	send_away(c, "this typhad has more than its share of clients");
}

/* ---- the end */

static void on_drain_timer(uv_timer_t *h)
{
	struct typhad *t = h->data;
	struct door *d = &t->door;
	unsigned n;
	struct client *c;

	if (d->remote == 0 || uv_now(h->loop) >= d->drain_end) {
		log_info("drained", "left=%u", d->remote);
		daemon_stop(t->daemon, 0);
		return;
	}
	c = anyone(t, &n);
	if (c) {
		d->count.drained++;
		send_away(c, "this typhad is about to stop");
	}
	if (n > 1)
		return;
	/* All have been told: as soon as the last is gone, or when time is up. */
	(void)uv_timer_start(h, on_drain_timer, d->drain_end - uv_now(h->loop), 0);
}

bool door_drain(struct typhad *t)
{
	const struct typhad_config *config = &t->config;
	struct door *d = &t->door;

	if (!d->server || !d->tcp || d->draining || d->remote == 0)
		return false;
	d->draining = true;
	ipc_server_stop_tcp(d->server);
	d->drain_end = uv_now(t->daemon->loop) + config->connections.shutdown_timeout_ms;
	d->drain_step_ms = balance_drain_step_ms(d->remote, config->connections.shutdown_timeout_ms,
	                                         config->connections.shutdown_drop_interval_max_ms);
	log_info("draining", "remote_clients=%u interval_ms=%llu", d->remote,
	         (unsigned long long)d->drain_step_ms);
	daemon_ready(t->daemon, false, "draining: remote clients are sent to other typhads");
	(void)uv_timer_start(&d->balance_timer, on_drain_timer, 0,
	                     d->drain_step_ms ? d->drain_step_ms : 1);
	return true;
}

void door_left(struct client *c)
{
	struct typhad *t = c->t;
	struct door *d = &t->door;

	list_unlink(&c->ping);
	list_unlink(&c->leave);
	if (c->phase != CLIENT_OPEN)
		return;
	d->clients--;
	d->remote -= c->remote;
	if (d->draining && d->remote == 0 && d->server)
		(void)uv_timer_start(&d->balance_timer, on_drain_timer, 0, 0);
}

/* ---- the connections */

static void on_open(struct ipc_peer *p)
{
	ipc_peer_set_data(p, client_new(ipc_peer_arg(p), p));
}

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	api_message(ipc_peer_data(p), (const Sync__V1__ToTyphad *)msg);
}

static void on_close(struct ipc_peer *p)
{
	client_gone(ipc_peer_data(p));
}

static bool on_slow(struct ipc_peer *p)
{
	struct client *c = ipc_peer_data(p);

	fanout_slow(&c->t->fanout, &c->watcher);
	return true;
}

static void on_drained(struct ipc_peer *p)
{
	struct client *c = ipc_peer_data(p);

	client_lists_continue(c);
	if (ipc_peer_queued(p) <= FANOUT_SEND_HIGH)
		fanout_drained(&c->t->fanout, &c->watcher);
}

static void on_evict(struct ipc_peer *p)
{
	client_reply_error(
	        ipc_peer_data(p), 0, SYNC__V1__ERROR_CODE__ERROR_LIMIT,
	        "this typhad holds too much for all its clients, and most of it for you: "
	        "send what you have begun, read what you have asked for",
	        NULL);
	ipc_peer_close(p);
}

/* ---- opening and closing */

static int tls_prepare(struct typhad *t, struct err *err)
{
	const struct typhad_config *config = &t->config;
	const struct tls_config tls = { .server = true,
		                        .ca_file = config->server.ca_file,
		                        .cert_file = config->server.cert_file,
		                        .key_file = config->server.key_file,
		                        .verify_peer = true,
		                        .min_version = config->tls_min_version,
		                        .cipher_suites = config->tls_cipher_suites };
	struct tls_context *context;
	int r = tls_context_new(&tls, &context, err);

	if (r < 0)
		return err_wrap(err, r, "TLS for clients");
	tls_layer_init(&t->door.tls, context, config->server.client_cn,
	               config->server.client_uri_san, false);
	tls_context_unref(context);
	return 0;
}

/* Plaintext only where somebody has asked for a port and for no TLS. */
static bool tcp_wanted(const struct typhad_config *config)
{
	return config->server.tls || typhad_config_source(config, "ServerPort") != CONFIG_DEFAULT ||
	       typhad_config_source(config, "ServerHost") != CONFIG_DEFAULT;
}

int door_prepare(struct typhad *t, struct err *err)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Ping ping = SYNC__V1__PING__INIT;
	struct door *d = &t->door;
	uv_timer_t *timers[] = { &d->ping_timer, &d->leave_timer, &d->balance_timer };

	list_init(&d->pings);
	list_init(&d->leaving);
	d->log_refused = d->log_dead = (struct log_limit)LOG_LIMIT_INIT(5, 10000);
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		(void)uv_timer_init(t->daemon->loop, timers[i]);
		timers[i]->data = t;
	}
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_PING;
	m.ping = &ping;
	d->ping = ipc_frame_pack(&m.base);
	d->ping->shared = true;
	d->prepared = true;
	if (tcp_wanted(&t->config) && t->config.server.host) {
		int r = tcp_lookup(t->config.server.host, d->host, err);

		if (r < 0)
			return err_wrap(err, r, "ServerHost");
	}
	return t->config.server.tls ? tls_prepare(t, err) : 0;
}

static void ops_fill(const struct typhad *t, struct ipc_server_ops *ops)
{
	const struct typhad_config *config = &t->config;
	uint64_t peers =
	        (uint64_t)config->connections.upper_limit + DOOR_LOCAL_MAX + DOOR_PENDING_MAX;

	*ops = (struct ipc_server_ops){
		.name = "api",
		.request = &sync__v1__to_typhad__descriptor,
		.mode = 0660,
		.max_peers = peers < UINT_MAX ? (unsigned)peers : UINT_MAX,
		.send_high = FANOUT_SEND_HIGH,
		.send_low = FANOUT_SEND_LOW,
		.handshake_ms = (unsigned)config->server.handshake_timeout_ms,
		.max_pending = DOOR_PENDING_MAX,
		.memory_max = DOOR_MEMORY_MAX,
		.on_open = on_open,
		.on_message = on_message,
		.on_close = on_close,
		.on_slow = on_slow,
		.on_drained = on_drained,
		.on_evict = on_evict,
	};
}

static int listen_tcp(struct typhad *t, struct err *err)
{
	const struct typhad_config *config = &t->config;
	struct door *d = &t->door;
	uint16_t port = config->server.port ? (uint16_t)config->server.port : TYPHAD_PORT;
	const char *host = *d->host ? d->host : "*";
	int r = ipc_server_listen_tcp(d->server, d->host, port,
	                              config->server.tls ? &d->tls.base : NULL,
	                              (unsigned)config->server.write_timeout_ms, &d->port, err);

	if (r < 0)
		return r;
	d->tcp = true;
	if (config->server.tls)
		log_info("listening", "host=%s port=%u tls=yes", LOG_VIS(host), d->port);
	else
		log_warn("listening without TLS: whoever reaches the port may read and write "
		         "everything",
		         "host=%s port=%u", LOG_VIS(host), d->port);
	return 0;
}

int door_open(struct typhad *t, struct err *err)
{
	struct door *d = &t->door;
	uint64_t interval = t->config.connections.drop_interval_ms;
	int r;

	ops_fill(t, &d->ops);
	r = ipc_server_new(t->daemon->loop, t->listen_path, &d->ops, t, &d->server, err);
	if (r == 0 && tcp_wanted(&t->config))
		r = listen_tcp(t, err);
	if (r < 0)
		return r;
	if (d->tcp && t->config.connections.typhads > 1 && interval)
		(void)uv_timer_start(&d->balance_timer, on_balance_timer, interval, interval);
	return 0;
}

static void noop_closed(uv_handle_t *h)
{
	(void)h;
}

void door_close(struct typhad *t)
{
	struct door *d = &t->door;
	struct ipc_server *server = d->server;

	if (!d->prepared)
		return;
	d->server = NULL;
	ipc_server_free(server);
	uv_close((uv_handle_t *)&d->ping_timer, noop_closed);
	uv_close((uv_handle_t *)&d->leave_timer, noop_closed);
	uv_close((uv_handle_t *)&d->balance_timer, noop_closed);
	tls_layer_done(&d->tls);
	ipc_frame_unref(d->ping);
	d->ping = NULL;
	d->prepared = false;
}
