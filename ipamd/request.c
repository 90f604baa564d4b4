/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/request.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

/* What a stranger may ask for. */
#define HANDLE_MAX 512u
#define ADDRESSES_MAX 256u
#define POOLS_MAX 64u
#define ATTRS_MAX 32u
#define ATTR_MAX 4096u

struct queue {
	struct hmap_node node;
	struct ipamd *ip;
	char *handle;
	struct list requests; /* the first is being served */
	bool running;         /* queue_run() is at work */
};

void got_add(struct got *g, const struct ip_addr *a, unsigned block_len, bool is_new)
{
	g->items = xrealloc(g->items, (g->n + 1) * sizeof(*g->items));
	g->is_new = xrealloc(g->is_new, (g->n + 1) * sizeof(*g->is_new));
	g->items[g->n] = (struct ip_prefix){ *a, (uint8_t)block_len };
	g->is_new[g->n++] = is_new;
}

bool got_has(const struct got *g, const struct ip_addr *a)
{
	for (size_t i = 0; i < g->n; i++)
		if (ip_addr_eq(&g->items[i].addr, a))
			return true;
	return false;
}

/* ---- life */

static void start(struct request *q)
{
	q->stage = "running";
	if (!q->ip->ready)
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
		                     *q->ip->down_why ? q->ip->down_why
		                                      : "the datastore is away: try again");
	else if (q->kind == REQUEST_ASSIGN)
		assign_start(q);
	else
		release_start(q);
}

/*
 * Serves the requests of a handle, one after the other. Many of them may be answered on the spot;
 * each then leaves the queue from within its start(), and this loop, not that one, goes on with the
 * next: a client must not choose the depth of our stack.
 */
static void queue_run(struct queue *queue)
{
	if (queue->running)
		return;
	queue->running = true;
	while (!list_empty(&queue->requests)) {
		struct request *q = list_entry(queue->requests.next, struct request, in_queue);

		if (q->started)
			break;
		q->started = true;
		start(q);
	}
	queue->running = false;
	if (!list_empty(&queue->requests))
		return;
	hmap_remove(&queue->ip->queues, &queue->node);
	free(queue->handle);
	free(queue);
}

/* Lets go of the handle; the next request for it starts. */
static void leave_queue(struct request *q)
{
	struct queue *queue = q->queue;

	q->queue = NULL;
	if (!queue)
		return;
	list_unlink(&q->in_queue);
	queue_run(queue);
}

static void join_queue(struct request *q)
{
	uint32_t hash = hash_str(q->owner.handle);

	hmap_find(queue, &q->ip->queues, hash, struct queue, node,
	          strcmp(queue->handle, q->owner.handle) == 0);
	if (!queue) {
		queue = xcalloc(1, sizeof(*queue));
		queue->ip = q->ip;
		queue->handle = xstrdup(q->owner.handle);
		list_init(&queue->requests);
		hmap_insert(&q->ip->queues, &queue->node, hash);
	}
	q->queue = queue;
	q->stage = "waits for its handle";
	list_push_back(&queue->requests, &q->in_queue);
	queue_run(queue);
}

static void request_free(struct request *q)
{
	list_unlink(&q->link);
	list_unlink(&q->wait);
	q->ip->n_requests--;
	free(q->owner.handle);
	for (size_t i = 0; i < q->owner.n_attrs; i++) {
		free(q->owner.attrs[i].key);
		free(q->owner.attrs[i].value);
	}
	free(q->owner.attrs);
	for (unsigned f = 0; f < 2; f++) {
		for (size_t i = 0; i < q->n_wanted[f]; i++)
			free(q->wanted[f][i]);
		free(q->wanted[f]);
	}
	for (size_t i = 0; i < q->n_changes; i++)
		if (q->blocks)
			free(q->blocks[i]);
	free(q->blocks);
	free(q->changes);
	free(q->ips);
	free(q->got.items);
	free(q->got.is_new);
	free(q->pools);
	free(q->fail_text);
	free(q->freed);
	free(q->trouble);
	msg_free(q->handle);
	free(q);
}

static void finish(struct request *q, Ipam__V1__FromIpamd *msg)
{
	struct ipamd *ip = q->ip;

	if (q->peer && !ip->stopping) {
		msg->has_request_id = true;
		msg->request_id = q->id;
		(void)ipc_peer_send(q->peer, &msg->base);
	}
	leave_queue(q);
	request_free(q);
}

void request_answer_error(struct request *q, Ipam__V1__ErrorCode code, const char *text)
{
	Ipam__V1__Error e = IPAM__V1__ERROR__INIT;
	Ipam__V1__FromIpamd m = IPAM__V1__FROM_IPAMD__INIT;

	if (q->kind == REQUEST_ASSIGN)
		q->ip->count.assign_failed++;
	log_debug("request failed", "handle=%s code=%d reason=%s",
	          LOG_VIS(q->owner.handle ? q->owner.handle : ""), (int)code, LOG_VIS(text));
	e.has_code = true;
	e.code = code;
	e.text = (char *)text;
	m.payload_case = IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR;
	m.error = &e;
	finish(q, &m);
}

void request_answer_assigned(struct request *q)
{
	Ipam__V1__Assigned a = IPAM__V1__ASSIGNED__INIT;
	Ipam__V1__FromIpamd m = IPAM__V1__FROM_IPAMD__INIT;
	char(*text)[IP_PREFIX_STR_MAX] = xcalloc(q->got.n + 1, sizeof(*text));

	a.cidrs = xcalloc(q->got.n + 1, sizeof(*a.cidrs));
	/* IPv4 first, whatever came first. */
	for (int family = 4; family <= 6; family += 2)
		for (size_t i = 0; i < q->got.n; i++)
			if ((q->got.items[i].addr.family == AF_INET) == (family == 4)) {
				a.cidrs[a.n_cidrs] = text[a.n_cidrs];
				ip_prefix_str(&q->got.items[i], text[a.n_cidrs++]);
			}
	m.payload_case = IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED;
	m.assigned = &a;
	log_debug("assigned", "handle=%s first=%s n=%zu", LOG_VIS(q->owner.handle),
	          a.n_cidrs ? text[0] : "", a.n_cidrs);
	finish(q, &m);
	free(a.cidrs);
	free(text);
}

void request_answer_released(struct request *q)
{
	Ipam__V1__Released a = IPAM__V1__RELEASED__INIT;
	Ipam__V1__FromIpamd m = IPAM__V1__FROM_IPAMD__INIT;
	char(*text)[IP_ADDR_STR_MAX] = xcalloc(q->n_freed + 1, sizeof(*text));

	a.ips = xcalloc(q->n_freed + 1, sizeof(*a.ips));
	for (size_t i = 0; i < q->n_freed; i++) {
		a.ips[i] = text[i];
		ip_addr_str(&q->freed[i].addr, text[i]);
	}
	a.n_ips = q->n_freed;
	q->ip->count.released_addresses += q->n_freed;
	m.payload_case = IPAM__V1__FROM_IPAMD__PAYLOAD_RELEASED;
	m.released = &a;
	finish(q, &m);
	free(a.ips);
	free(text);
}

/* ---- arrival */

/* It becomes JSON, which is UTF-8. */
static bool is_text(const char *s)
{
	size_t left = strlen(s), n;

	for (; left; s += n, left -= n)
		if ((n = utf8_len(s, left)) == 0)
			return false;
	return true;
}

static int check_handle(const char *id, struct err *err)
{
	if (!id || !*id)
		return err_set(err, -EINVAL, "handle_id is missing");
	if (strlen(id) > HANDLE_MAX)
		return err_set(err, -EINVAL, "handle_id is longer than %u bytes", HANDLE_MAX);
	for (const char *p = id; *p; p++)
		if (*p == '/' || (unsigned char)*p < 0x20)
			return err_set(err, -EINVAL,
			               "handle_id '%s' holds a slash or a control character",
			               LOG_VIS(id));
	if (!is_text(id))
		return err_set(err, -EINVAL, "handle_id '%s' is not UTF-8", LOG_VIS(id));
	return 0;
}

static int parse_ips(struct request *q, char *const *ips, size_t n, struct err *err)
{
	if (n > ADDRESSES_MAX)
		return err_set(err, -EINVAL, "more than %u addresses in one request",
		               ADDRESSES_MAX);
	q->ips = xcalloc(n + 1, sizeof(*q->ips));
	for (size_t i = 0; i < n; i++) {
		struct ip_addr a;

		if (ip_addr_parse(ips[i], &a) < 0)
			return err_set(err, -EINVAL, "'%s' is not an IP address", LOG_VIS(ips[i]));
		q->ips[q->n_ips++] = ip_prefix_host(&a);
	}
	return 0;
}

static void add_attr(struct request *q, const char *key, const char *value)
{
	for (size_t i = 0; i < q->owner.n_attrs; i++)
		if (strcmp(q->owner.attrs[i].key, key) == 0)
			return;
	q->owner.attrs[q->owner.n_attrs].key = xstrdup(key);
	q->owner.attrs[q->owner.n_attrs++].value = xstrdup(value);
}

/* What Go's time.Time.UTC().String() prints: "2026-08-22 13:33:20.123456789 +0000 UTC", without
 * trailing zeros of the fraction. */
static void go_time(char *out, size_t size)
{
	uint64_t ns = wall_unix_ns();
	time_t sec = (time_t)(ns / 1000000000u);
	char frac[16];
	struct tm tm;
	size_t len;

	(void)gmtime_r(&sec, &tm);
	len = (size_t)snprintf(frac, sizeof(frac), ".%09u", (unsigned)(ns % 1000000000u));
	while (len > 0 && (frac[len - 1] == '0' || frac[len - 1] == '.'))
		frac[--len] = '\0';
	snprintf(out, size, "%04d-%02d-%02d %02d:%02d:%02d%s +0000 UTC", tm.tm_year + 1900,
	         tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, frac);
}

static int copy_pools(struct request *q, unsigned f, char *const *pools, size_t n, struct err *err)
{
	if (n > POOLS_MAX)
		return err_set(err, -EINVAL, "more than %u pools in one request", POOLS_MAX);
	q->wanted[f] = xcalloc(n + 1, sizeof(*q->wanted[f]));
	for (size_t i = 0; i < n; i++)
		q->wanted[f][q->n_wanted[f]++] = xstrdup(pools[i]);
	return 0;
}

static int parse_assign(struct request *q, const Ipam__V1__Assign *m, struct err *err)
{
	char when[64];
	int r = check_handle(m->handle_id, err);

	if (r < 0 || (r = parse_ips(q, m->ips, m->n_ips, err)) < 0 ||
	    (r = copy_pools(q, 0, m->pools4, m->n_pools4, err)) < 0 ||
	    (r = copy_pools(q, 1, m->pools6, m->n_pools6, err)) < 0)
		return r;
	q->owner.handle = xstrdup(m->handle_id);
	q->num[0] = m->has_num4 ? m->num4 : 0;
	q->num[1] = m->has_num6 ? m->num6 : 0;
	if (q->num[0] > ADDRESSES_MAX || q->num[1] > ADDRESSES_MAX)
		return err_set(err, -EINVAL, "more than %u addresses in one request",
		               ADDRESSES_MAX);
	if (q->n_ips && (q->num[0] || q->num[1]))
		return err_set(err, -EINVAL, "ips and num4 or num6 exclude each other");
	if (!q->n_ips && !q->num[0] && !q->num[1])
		return err_set(err, -EINVAL, "no address is asked for");
	if (pool_use_parse(m->intended_use, &q->use) < 0)
		return err_set(err, -EINVAL,
		               "intended_use '%s' is none of Workload, Tunnel, LoadBalancer",
		               LOG_VIS(m->intended_use));
	if (m->n_attributes > ATTRS_MAX)
		return err_set(err, -EINVAL, "more than %u attributes", ATTRS_MAX);
	q->owner.attrs = xcalloc(m->n_attributes + 2, sizeof(*q->owner.attrs));
	for (size_t i = 0; i < m->n_attributes; i++) {
		const char *k = m->attributes[i]->key ? m->attributes[i]->key : "";
		const char *v = m->attributes[i]->value ? m->attributes[i]->value : "";

		if (!*k || strlen(k) > ATTR_MAX || strlen(v) > ATTR_MAX)
			return err_set(err, -EINVAL,
			               "an attribute has no name, or is longer than %u bytes",
			               ATTR_MAX);
		if (!is_text(k) || !is_text(v))
			return err_set(err, -EINVAL, "attribute '%s' is not UTF-8", LOG_VIS(k));
		add_attr(q, k, v);
	}
	/* The garbage collectors need these; the CNI plugin sends them. */
	add_attr(q, "node", q->ip->d->node);
	go_time(when, sizeof(when));
	if (q->use == POOL_WORKLOAD)
		add_attr(q, "timestamp", when);
	return 0;
}

static int parse(struct request *q, const Ipam__V1__ToIpamd *msg, struct err *err)
{
	int r;

	switch (msg->payload_case) {
	case IPAM__V1__TO_IPAMD__PAYLOAD_ASSIGN:
		q->kind = REQUEST_ASSIGN;
		q->ip->count.assign++;
		return parse_assign(q, msg->assign, err);
	case IPAM__V1__TO_IPAMD__PAYLOAD_RELEASE_BY_HANDLE:
		q->kind = REQUEST_RELEASE_HANDLE;
		q->ip->count.release++;
		r = check_handle(msg->release_by_handle->handle_id, err);
		if (r == 0)
			q->owner.handle = xstrdup(msg->release_by_handle->handle_id);
		return r;
	case IPAM__V1__TO_IPAMD__PAYLOAD_RELEASE_IPS:
		q->kind = REQUEST_RELEASE_IPS;
		q->ip->count.release++;
		if (msg->release_ips->n_ips == 0)
			return err_set(err, -EINVAL, "no address is named");
		return parse_ips(q, msg->release_ips->ips, msg->release_ips->n_ips, err);
	default:
		return err_set(err, -EINVAL, "unknown request");
	}
}

/* Answered at once, from memory. */
static void get_by_handle(struct request *q, const char *id)
{
	struct err err;

	if (check_handle(id, &err) < 0) {
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_INVALID, err.text);
		return;
	}
	if (!q->ip->ready) {
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
		                     "the datastore is away: try again");
		return;
	}
	q->owner.handle = xstrdup(id);
	list_for_each (it, &q->ip->near) {
		struct blk *b = list_entry(it, struct blk, near);
		uint32_t *ordinals = xcalloc(b->msg->n_allocations, sizeof(*ordinals));
		size_t n = block_find_handle(b->msg, id, ordinals, b->msg->n_allocations);

		for (size_t i = 0; i < n; i++) {
			struct ip_addr a = ip_prefix_nth(&b->cidr, ordinals[i]);

			got_add(&q->got, &a, b->cidr.len, false);
		}
		free(ordinals);
	}
	if (q->got.n == 0)
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_NOT_FOUND,
		                     "no address on this node has that handle");
	else
		request_answer_assigned(q);
}

static void begin(struct request *q)
{
	if (q->kind == REQUEST_RELEASE_IPS)
		start(q);
	else
		join_queue(q);
}

void request_new(struct ipamd *ip, struct ipc_peer *peer, const Ipam__V1__ToIpamd *msg)
{
	struct request *q = xcalloc(1, sizeof(*q));
	struct err err = { 0 };

	q->ip = ip;
	q->peer = peer;
	q->id = msg->request_id;
	q->arrived = mono_now();
	list_init(&q->in_queue);
	list_init(&q->wait);
	list_push_back(&ip->requests, &q->link);
	ip->n_requests++;
	q->kind = REQUEST_RELEASE_IPS;
	if (msg->payload_case == IPAM__V1__TO_IPAMD__PAYLOAD_GET_BY_HANDLE) {
		get_by_handle(q, msg->get_by_handle->handle_id);
	} else if (ip->n_requests > IPAMD_REQUESTS_MAX) {
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE,
		                     "too many requests are under way: try again");
	} else if (parse(q, msg, &err) < 0) {
		request_answer_error(q, IPAM__V1__ERROR_CODE__ERROR_INVALID, err.text);
	} else if (!ip->ready && !ip->hold_over && !*ip->down_why) {
		q->stage = "waits for the first snapshot";
		list_push_back(&ip->held, &q->wait);
	} else {
		begin(q);
	}
}

void request_peer_closed(struct ipamd *ip, struct ipc_peer *peer)
{
	/* Served to the end all the same: what was begun must not stay half done. The runtime
	 * releases what it did not hear of. */
	list_for_each (it, &ip->requests) {
		struct request *q = list_entry(it, struct request, link);

		if (q->peer == peer)
			q->peer = NULL;
	}
}

static void release_held(struct ipamd *ip)
{
	while (!list_empty(&ip->held)) {
		struct request *q = list_entry(ip->held.next, struct request, wait);

		list_unlink(&q->wait);
		begin(q);
	}
}

void requests_ready(struct ipamd *ip)
{
	release_held(ip);
}

void requests_down(struct ipamd *ip)
{
	release_held(ip); /* each fails: not ready */
}

void requests_drop(struct ipamd *ip)
{
	while (!list_empty(&ip->requests)) {
		struct request *q = list_entry(ip->requests.next, struct request, link);

		list_unlink(&q->in_queue);
		lane_forget(&q->change);
		for (size_t i = 0; i < q->n_changes; i++)
			lane_forget(&q->changes[i]);
		request_free(q);
	}
	hmap_for_each (queue, &ip->queues, struct queue, node) {
		hmap_remove(&ip->queues, &queue->node);
		free(queue->handle);
		free(queue);
	}
	hmap_done(&ip->queues);
}
