/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/session.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "bgpd/peer.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define FRAMES_PER_WRITE 64
#define SEND_HOLD_MIN_MS (8 * 60 * 1000) /* RFC 9687 */
#define DRAIN_MS 1000

struct frame *frame_new(const struct buf *b)
{
	struct frame *f = malloc(sizeof(*f) + b->len);

	if (!f)
		return NULL;
	f->refs = 1;
	f->len = b->len;
	memcpy(f->data, b->data, b->len);
	return f;
}

void frame_unref(struct frame *f)
{
	if (f && --f->refs == 0)
		free(f);
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *h)
{
	struct session *s = h->data;

	if (--s->open_handles)
		return;
	for (size_t i = 0; i < s->queue_n; i++)
		frame_unref(s->queue[s->queue_first + i]);
	free(s->queue);
	buf_done(&s->in);
	free(s);
}

static void close_handles(struct session *s)
{
	if (uv_is_closing((uv_handle_t *)&s->tcp))
		return;
	uv_close((uv_handle_t *)&s->tcp, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

static void on_drain_timeout(uv_timer_t *t)
{
	close_handles(t->data);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
	struct session *s = req->data;

	/* Now the peer has read everything, or never will. Its FIN, or the timer, ends it: closing
	 * with unread bytes would be a reset, which could overtake the NOTIFICATION. */
	if (status < 0)
		close_handles(s);
}

/* Lets go of the peer. drain: what is queued is still sent. */
static void detach(struct session *s, bool up, bool drain, const char *error)
{
	struct peer *p = s->peer;

	s->peer = NULL;
	(void)uv_timer_stop(&s->timer);
	if (drain && !s->connecting) {
		s->draining = true;
		(void)uv_timer_start(&s->timer, on_drain_timeout, DRAIN_MS, 0);
		if (!s->writing && s->queue_n == 0) {
			s->shutdown.data = s;
			if (uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, on_shutdown) < 0)
				close_handles(s);
		}
	} else {
		close_handles(s);
	}
	peer_on_closed(p, s, up, error);
}

/* ---- sending ---- */

static void write_more(struct session *s);

static void on_written(uv_write_t *req, int status)
{
	struct session *s = req->data;

	s->writing = false;
	for (size_t i = 0; i < s->in_flight; i++) {
		s->queued -= s->queue[s->queue_first]->len;
		frame_unref(s->queue[s->queue_first++]);
		s->queue_n--;
	}
	s->in_flight = 0;
	if (uv_is_closing((uv_handle_t *)&s->tcp))
		return;
	if (status < 0) {
		/* The reading side tells the peer; it sees the same failure. */
		if (s->draining)
			close_handles(s);
		return;
	}
	if (s->queue_n == 0) {
		s->queue_first = 0;
		if (s->draining) {
			s->shutdown.data = s;
			if (uv_shutdown(&s->shutdown, (uv_stream_t *)&s->tcp, on_shutdown) < 0)
				close_handles(s);
			return;
		}
	}
	write_more(s);
	if (s->peer && s->queued < SESSION_QUEUE_HIGH / 4)
		peer_on_drained(s->peer);
}

static void write_more(struct session *s)
{
	uv_buf_t bufs[FRAMES_PER_WRITE];
	unsigned n = 0;

	if (s->writing || s->connecting || s->queue_n == 0 || uv_is_closing((uv_handle_t *)&s->tcp))
		return;
	for (; n < FRAMES_PER_WRITE && n < s->queue_n; n++) {
		struct frame *f = s->queue[s->queue_first + n];

		bufs[n] = uv_buf_init((char *)f->data, (unsigned)f->len);
	}
	s->in_flight = n;
	s->write.data = s;
	s->write_began = mono_now();
	s->writing = uv_write(&s->write, (uv_stream_t *)&s->tcp, bufs, n, on_written) == 0;
	if (!s->writing)
		s->in_flight = 0;
}

void session_send(struct session *s, struct frame *f)
{
	if (s->queue_first + s->queue_n == s->queue_cap) {
		if (s->queue_first > s->queue_cap / 2) {
			memmove(s->queue, s->queue + s->queue_first,
			        s->queue_n * sizeof(struct frame *));
			s->queue_first = 0;
		} else {
			s->queue_cap = s->queue_cap ? s->queue_cap * 2 : 8;
			s->queue = xrealloc(s->queue, s->queue_cap * sizeof(struct frame *));
		}
	}
	f->refs++;
	s->queue[s->queue_first + s->queue_n++] = f;
	s->queued += f->len;
	write_more(s);
}

void session_send_buf(struct session *s, const struct buf *b)
{
	struct frame *f = frame_new(b);

	if (f)
		session_send(s, f);
	frame_unref(f);
}

/* ---- the machine's actions ---- */

static void arm_timer(struct session *s);

static void on_timer(uv_timer_t *t);

static void act(struct session *s, unsigned actions, const char *error)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct bgpd *b = s->b;
	char text[160];

	if (actions & FSM_SEND_OPEN) {
		struct wire_open o;

		peer_open_built(s->peer, &o);
		wire_build_open(&out, &o);
	}
	if (actions & FSM_SEND_KEEPALIVE)
		wire_build_keepalive(&out);
	if (actions & FSM_SEND_NOTIFICATION) {
		wire_build_notification(&out, &s->fsm.notice);
		b->stats.notifications_out++;
	}
	if (out.len)
		session_send_buf(s, &out);
	if (actions & FSM_CLOSE) {
		if (s->fsm.notice.code) {
			char words[120];

			(void)snprintf(text, sizeof(text), "%s %s",
			               s->fsm.notice_received ? "received" : "sent",
			               bgp_notice_str(&s->fsm.notice, words, sizeof(words)));
			error = text;
		}
		detach(s, actions & FSM_DOWN, actions & FSM_SEND_NOTIFICATION, error);
		return;
	}
	if (actions & FSM_UP)
		peer_on_up(s->peer, s);
	if (s->peer)
		arm_timer(s);
}

void session_stop(struct session *s, const struct bgp_notice *notice)
{
	act(s, fsm_event(&s->fsm, mono_now(), notice ? FSM_ERROR : FSM_TCP_DOWN, 0, notice),
	    "closed by us");
}

static int64_t send_hold_ms(const struct session *s)
{
	int64_t twice = s->fsm.hold_sec * 2000;

	return twice > SEND_HOLD_MIN_MS ? twice : SEND_HOLD_MIN_MS;
}

static void arm_timer(struct session *s)
{
	int64_t due = fsm_due_ms(&s->fsm, mono_now());

	if (due < 0)
		due = SEND_HOLD_MIN_MS;
	(void)uv_timer_start(&s->timer, on_timer, (uint64_t)due, 0);
}

static void on_timer(uv_timer_t *t)
{
	static const struct bgp_notice stuck = { .code = BGP_ERR_SEND_HOLD };
	struct session *s = t->data;

	if (s->writing && s->fsm.state == FSM_ESTABLISHED &&
	    mono_since_ms(s->write_began) > send_hold_ms(s)) {
		session_stop(s, &stuck);
		return;
	}
	act(s, fsm_tick(&s->fsm, mono_now()), NULL);
}

/* ---- receiving ---- */

static void open_error(struct session *s, uint8_t subcode)
{
	struct bgp_notice n = { .code = BGP_ERR_OPEN, .subcode = subcode };

	session_stop(s, &n);
}

static void on_open(struct session *s, struct cursor body)
{
	struct bgpd *b = s->b;
	struct bgp_notice n = { 0 };
	struct wire_open ours;

	if (s->fsm.state != FSM_OPENSENT) {
		act(s, fsm_event(&s->fsm, mono_now(), FSM_GOT_OPEN, 0, NULL), NULL);
		return;
	}
	if (!wire_parse_open(body, &s->open, &n)) {
		session_stop(s, &n);
		return;
	}
	if (s->open.as != s->peer->cfg->remote_as) {
		open_error(s, BGP_OPEN_AS);
		return;
	}
	if (s->peer->source.internal && s->open.id == b->config->router_id) {
		open_error(s, BGP_OPEN_ID); /* RFC 6286 section 2.2 */
		return;
	}
	peer_open_built(s->peer, &ours);
	s->wire = (struct wire_peer){
		.as4 = ours.as4 && s->open.as4,
		.internal = s->peer->source.internal,
		.remote_as = s->open.as,
		.families = ours.families & s->open.families,
	};
	if (!s->wire.families) {
		n = (struct bgp_notice){ .code = BGP_ERR_OPEN, .subcode = BGP_OPEN_CAPABILITY };
		for (unsigned f = 0; f < BGP_FAMILIES;
		     f++) /* RFC 5492 section 5: the ones that we miss */
			if (ours.families & (1u << f)) {
				const uint8_t cap[] = { BGP_CAP_MP, 4,
					                0,          (uint8_t)bgp_family_afi(f),
					                0,          1 };

				memcpy(n.data + n.len, cap, sizeof(cap));
				n.len += sizeof(cap);
			}
		session_stop(s, &n);
		return;
	}
	if (peer_on_open(s->peer, s))
		act(s, fsm_event(&s->fsm, mono_now(), FSM_GOT_OPEN, s->open.hold_sec, NULL), NULL);
}

static void on_update(struct session *s, struct cursor body)
{
	struct bgpd *b = s->b;
	struct wire_update *u = &b->update;
	unsigned actions = fsm_event(&s->fsm, mono_now(), FSM_GOT_UPDATE, 0, NULL), held;

	if (actions) {
		act(s, actions, NULL);
		return;
	}
	b->stats.updates_in++;
	s->peer->updates_in++;
	wire_parse_update(body, &s->wire, u);
	b->stats.attributes_discarded += u->discarded;
	b->stats.treated_as_withdraw += u->verdict == BGP_WITHDRAW;
	if (u->verdict != BGP_ACCEPT && log_limit_pass(&b->malformed_limit, &held)) {
		char hex[2 * 64 + 1];

		hex[0] = '\0';
		for (size_t i = 0; i < cursor_left(&body) && i < 64; i++)
			(void)snprintf(hex + 2 * i, 3, "%02x", body.at[i]);
		log_warn("malformed update",
		         "peer=%s verdict=%s attribute=%u why=\"%s\" body=%s suppressed=%u",
		         LOG_VIS(s->peer->name),
		         u->verdict == BGP_RESET      ? "reset"
		         : u->verdict == BGP_WITHDRAW ? "treat-as-withdraw"
		                                      : "attribute-discard",
		         u->attr, u->why ? u->why : "-", hex, held);
	}
	if (u->verdict == BGP_RESET) {
		session_stop(s, &u->notice);
		return;
	}
	peer_on_update(s->peer, u);
}

static void on_message(struct session *s, const struct wire_message *m)
{
	struct mono_ms now = mono_now();
	struct bgp_notice n = { 0 };
	enum bgp_family f;
	unsigned actions;

	switch (m->type) {
	case BGP_OPEN:
		on_open(s, m->body);
		return;
	case BGP_UPDATE:
		on_update(s, m->body);
		return;
	case BGP_NOTIFICATION:
		s->b->stats.notifications_in++;
		(void)wire_parse_notification(m->body, &n);
		act(s, fsm_event(&s->fsm, now, FSM_GOT_NOTIFICATION, 0, &n), NULL);
		return;
	case BGP_KEEPALIVE:
		actions = fsm_event(&s->fsm, now, FSM_GOT_KEEPALIVE, 0, NULL);
		if (actions)
			act(s, actions, NULL);
		return; /* the timer may come too early now: then it is set again */
	case BGP_ROUTE_REFRESH:
		actions = fsm_event(&s->fsm, now, FSM_GOT_REFRESH, 0, NULL);
		if (actions)
			act(s, actions, NULL);
		else if (wire_parse_refresh(m->body, &f) && (s->wire.families & (1u << f)))
			peer_on_refresh(s->peer, f);
		return;
	default:
		return;
	}
}

static size_t consume(struct session *s, const uint8_t *data, size_t len)
{
	struct wire_message m;
	struct bgp_notice n = { 0 };
	size_t done = 0;
	int r;

	while (s->peer && (r = wire_next(data + done, len - done, &m, &n)) != 0) {
		if (r < 0) {
			session_stop(s, &n);
			break;
		}
		done += m.len;
		on_message(s, &m);
	}
	return done;
}

static char read_buffer[65536];

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret)
{
	(void)h;
	(void)suggested;
	*ret = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *rb)
{
	struct session *s = stream->data;
	size_t done, len = (size_t)n;

	if (n == 0)
		return;
	if (n < 0) {
		if (!s->peer) {
			close_handles(s);
			return;
		}
		act(s, fsm_event(&s->fsm, mono_now(), FSM_TCP_DOWN, 0, NULL),
		    n == UV_EOF ? "connection closed by the peer" : uv_strerror((int)n));
		return;
	}
	if (!s->peer)
		return; /* draining: what it says no longer matters */
	if (s->in.len) {
		buf_add(&s->in, rb->base, len);
		done = consume(s, s->in.data, s->in.len);
		buf_consume(&s->in, done);
	} else {
		done = consume(s, (const uint8_t *)rb->base, len);
		if (s->peer && done < len)
			buf_add(&s->in, rb->base + done, len - done);
	}
	if (!s->in.len && s->in.cap)
		buf_done(&s->in);
}

/* ---- beginning ---- */

static struct session *session_new(struct bgpd *b, int af)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->b = b;
	if (uv_tcp_init_ex(b->loop, &s->tcp, (unsigned)af) < 0) {
		free(s);
		return NULL;
	}
	(void)uv_timer_init(b->loop, &s->timer);
	s->tcp.data = s->timer.data = s;
	s->open_handles = 2;
	return s;
}

static void set_options(struct session *s, const struct config_peer *cfg)
{
	int fd, ttl = cfg->ttl, dscp = 0xC0; /* internetwork control: RFC 4271 appendix E */

	if (uv_fileno((uv_handle_t *)&s->tcp, &fd) < 0)
		return;
	if (cfg->address.family == AF_INET) {
		(void)setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		(void)setsockopt(fd, IPPROTO_IP, IP_TOS, &dscp, sizeof(dscp));
	} else {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &dscp, sizeof(dscp));
	}
	(void)uv_tcp_nodelay(&s->tcp, 1);
}

/* The connection is there. */
static void begin(struct session *s)
{
	struct sockaddr_storage ss;
	int len = sizeof(ss);

	if (uv_tcp_getsockname(&s->tcp, (struct sockaddr *)&ss, &len) == 0)
		(void)ip_addr_from_sockaddr((struct sockaddr *)&ss, &s->local, NULL);
	(void)uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
	act(s, fsm_event(&s->fsm, mono_now(), FSM_TCP_UP, 0, NULL), NULL);
	if (s->peer)
		peer_on_state(s->peer);
}

static void on_connected(uv_connect_t *req, int status)
{
	struct session *s = req->data;

	s->connecting = false;
	if (!s->peer || uv_is_closing((uv_handle_t *)&s->tcp))
		return;
	if (status < 0) {
		act(s, fsm_event(&s->fsm, mono_now(), FSM_TCP_DOWN, 0, NULL), uv_strerror(status));
		return;
	}
	begin(s);
}

static void on_dial_timeout(uv_timer_t *t)
{
	struct session *s = t->data;

	act(s, fsm_event(&s->fsm, mono_now(), FSM_TCP_DOWN, 0, NULL), "connection timed out");
}

struct session *session_dial(struct peer *p, struct err *err)
{
	const struct config_peer *cfg = p->cfg;
	struct sockaddr_storage ss;
	struct session *s = session_new(p->b, cfg->address.family);
	int r;

	if (!s) {
		err_set(err, -EMFILE, "no socket");
		return NULL;
	}
	s->peer = p;
	s->ours = true;
	set_options(s, cfg);
	fsm_init(&s->fsm, cfg->timers.hold_sec, cfg->timers.keepalive_sec, p->b->random++);
	if (cfg->source.family) {
		(void)ip_addr_to_sockaddr(&cfg->source, 0, &ss);
		r = uv_tcp_bind(&s->tcp, (struct sockaddr *)&ss, 0);
		if (r < 0)
			goto fail;
	}
	(void)ip_addr_to_sockaddr(&cfg->address, cfg->port, &ss);
	s->connect.data = s;
	s->connecting = true;
	r = uv_tcp_connect(&s->connect, &s->tcp, (struct sockaddr *)&ss, on_connected);
	if (r < 0)
		goto fail;
	/* A SYN into nowhere is given up when the next attempt is due. */
	(void)uv_timer_start(&s->timer, on_dial_timeout, cfg->timers.connect_retry_sec * 1000u, 0);
	return s;
fail:
	s->connecting = false;
	s->peer = NULL;
	err_set(err, r, "%s", uv_strerror(r));
	close_handles(s);
	return NULL;
}

void session_accept(struct bgpd *b, uv_stream_t *listener)
{
	struct session *s = session_new(b, AF_UNSPEC);
	struct sockaddr_storage ss;
	struct ip_addr from = { 0 };
	int len = sizeof(ss);
	char text[IP_ADDR_STR_MAX];
	unsigned held;
	struct peer *p = NULL;

	if (!s)
		return;
	if (uv_accept(listener, (uv_stream_t *)&s->tcp) < 0) {
		close_handles(s);
		return;
	}
	if (uv_tcp_getpeername(&s->tcp, (struct sockaddr *)&ss, &len) == 0 &&
	    ip_addr_from_sockaddr((struct sockaddr *)&ss, &from, NULL) == 0)
		p = peer_find(b, &from);
	if (!p || p->cfg->disabled || b->stopping) {
		b->stats.refused++;
		if (log_limit_pass(&b->unknown_limit, &held))
			log_warn("connection refused", "address=%s why=\"%s\" suppressed=%u",
			         ip_addr_str(&from, text),
			         p ? "the peer is disabled" : "no such peer is configured", held);
		close_handles(s);
		return;
	}
	b->stats.accepted++;
	if (p->in && p->in != p->live) /* its first one led nowhere, or it would not come again */
		session_stop(p->in, NULL);
	if (p->in) {
		/* Established from that side: the new one has to prove by its OPEN that the peer
		 * has restarted (peer.c). */
		if (p->out)
			session_stop(p->out, NULL);
		p->out = p->in;
	}
	p->in = s;
	s->peer = p;
	set_options(s, p->cfg);
	fsm_init(&s->fsm, p->cfg->timers.hold_sec, p->cfg->timers.keepalive_sec, b->random++);
	begin(s);
}
