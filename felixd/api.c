/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api: the CNI plugin's requests (proto/felixd_endpoint_v1.proto).
 *
 * Program hands the endpoint to calc at once; the request waits until the dataplane says that this
 * revision of the endpoint, or a later one, is in the kernel. Remove takes it away and waits until
 * it is gone. Each wait has a deadline.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/felixd.h"
#include "proto/felixd_endpoint_v1.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"

#define DEADLINE_DEFAULT_MS 10000u
#define DEADLINE_MAX_MS 120000u
#define WAITS_MAX 4096u /* requests under way, of all clients */
#define NAME_MAX_LEN 1024u

struct wait {
	struct list node;
	struct felixd *f;
	struct ipc_peer *peer;
	uint64_t request_id;
	bool remove;
	uint64_t revision;
	char *ns, *name;
	char *refused; /* what the kernel said last */
	uv_timer_t timer;
};

/* ---- answers */

static void answer_done(struct ipc_peer *p, uint64_t request_id)
{
	Endpoint__V1__Done done = ENDPOINT__V1__DONE__INIT;
	Endpoint__V1__FromFelixd m = ENDPOINT__V1__FROM_FELIXD__INIT;

	m.has_request_id = true;
	m.request_id = request_id;
	m.payload_case = ENDPOINT__V1__FROM_FELIXD__PAYLOAD_DONE;
	m.done = &done;
	(void)ipc_peer_send(p, &m.base);
}

static void answer_error(struct ipc_peer *p, uint64_t request_id, Endpoint__V1__ErrorCode code,
                         const char *text)
{
	Endpoint__V1__Error error = ENDPOINT__V1__ERROR__INIT;
	Endpoint__V1__FromFelixd m = ENDPOINT__V1__FROM_FELIXD__INIT;

	error.has_code = true;
	error.code = code;
	error.text = (char *)text;
	m.has_request_id = true;
	m.request_id = request_id;
	m.payload_case = ENDPOINT__V1__FROM_FELIXD__PAYLOAD_ERROR;
	m.error = &error;
	(void)ipc_peer_send(p, &m.base);
}

/* ---- waits */

static void on_timer_closed(uv_handle_t *h)
{
	struct wait *w = h->data;

	free(w->ns);
	free(w->name);
	free(w->refused);
	free(w);
}

static void wait_end(struct wait *w)
{
	list_unlink(&w->node);
	w->f->n_waits--;
	uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

static void wait_done(struct wait *w)
{
	if (w->remove)
		w->f->removed++;
	else
		w->f->programmed++;
	answer_done(w->peer, w->request_id);
	wait_end(w);
}

static void on_deadline(uv_timer_t *t)
{
	struct wait *w = t->data;
	char *text;

	w->f->deadlines++;
	if (w->refused)
		text = xasprintf("endpoint %s/%s: the kernel refused: %s; felixd goes on trying",
		                 w->ns, w->name, w->refused);
	else
		text = xasprintf(
		        "endpoint %s/%s was not %s the kernel in time; felixd goes on trying",
		        w->ns, w->name, w->remove ? "out of" : "in");
	answer_error(w->peer, w->request_id,
	             w->refused ? ENDPOINT__V1__ERROR_CODE__ERROR_KERNEL
	                        : ENDPOINT__V1__ERROR_CODE__ERROR_DEADLINE,
	             text);
	free(text);
	wait_end(w);
}

static void wait_new(struct felixd *f, struct ipc_peer *p, uint64_t request_id, const char *ns,
                     const char *name, bool remove, uint64_t revision, uint32_t deadline_ms)
{
	struct wait *w = xcalloc(1, sizeof(*w));

	if (deadline_ms == 0)
		deadline_ms = DEADLINE_DEFAULT_MS;
	if (deadline_ms > DEADLINE_MAX_MS)
		deadline_ms = DEADLINE_MAX_MS;
	w->f = f;
	w->peer = p;
	w->request_id = request_id;
	w->remove = remove;
	w->revision = revision;
	w->ns = xstrdup(ns);
	w->name = xstrdup(name);
	list_push_back(&f->waits, &w->node);
	f->n_waits++;
	(void)uv_timer_init(f->d->loop, &w->timer);
	w->timer.data = w;
	(void)uv_timer_start(&w->timer, on_deadline, deadline_ms, 0);
}

/*
 * What is asked now overtakes what was asked before. An endpoint that is added anew has taken the
 * place of the one that was to go: that one is gone. One that is removed will not be programmed.
 */
static void overtake(struct felixd *f, const char *ns, const char *name, bool remove)
{
	list_for_each_safe (it, &f->waits) {
		struct wait *w = list_entry(it, struct wait, node);

		if (w->remove == remove || strcmp(w->name, name) != 0 || strcmp(w->ns, ns) != 0)
			continue;
		if (w->remove) {
			wait_done(w);
			continue;
		}
		answer_error(w->peer, w->request_id, ENDPOINT__V1__ERROR_CODE__ERROR_DEADLINE,
		             "the endpoint was removed meanwhile");
		wait_end(w);
	}
}

/* For those who watch ctl.sock. */
static void tell_watchers(struct felixd *f, const char *ns, const char *name, uint64_t revision,
                          bool there, int code, const char *text)
{
	struct buf b = { 0 };
	struct jsonw w;

	if (!daemon_watched(f->d))
		return;
	jsonw_init(&w, &b);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "namespace", ns);
	jsonw_str(&w, "name", name);
	jsonw_u64(&w, "revision", revision);
	jsonw_str(&w, "state", code < 0 ? "refused" : there ? "in the kernel" : "gone");
	if (code < 0)
		jsonw_str(&w, "why", text);
	jsonw_end_object(&w);
	daemon_event(f->d, "endpoint", buf_cstr(&b));
	buf_done(&b);
}

void api_on_endpoint(void *arg, const char *ns, const char *name, uint64_t revision, int code,
                     const char *text)
{
	struct felixd *f = arg;
	struct calc_local_info info;
	bool there = calc_local_endpoint_info(f->calc, ns, name, &info);

	tell_watchers(f, ns, name, revision, there, code, text);
	list_for_each_safe (it, &f->waits) {
		struct wait *w = list_entry(it, struct wait, node);

		if (strcmp(w->name, name) != 0 || strcmp(w->ns, ns) != 0 || w->remove == there)
			continue;
		if (!w->remove && revision < w->revision)
			continue;
		if (code == 0) {
			wait_done(w);
		} else {
			free(w->refused);
			w->refused = xstrdup(text ? text : strerror(-code));
		}
	}
}

/* Nothing is left to do: what was to go is gone, whether or not there was anything to say of it. */
void api_on_in_step(struct felixd *f)
{
	struct calc_local_info info;

	list_for_each_safe (it, &f->waits) {
		struct wait *w = list_entry(it, struct wait, node);

		if (w->remove && !calc_local_endpoint_info(f->calc, w->ns, w->name, &info))
			wait_done(w);
	}
}

/* ---- requests */

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* Answers a request that cannot be for an endpoint, or that finds no room. */
static bool acceptable(struct felixd *f, struct ipc_peer *p, uint64_t id, const char *ns,
                       const char *name)
{
	if (!*name)
		answer_error(p, id, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID,
		             "the endpoint has no name");
	else if (strlen(ns) > NAME_MAX_LEN || strlen(name) > NAME_MAX_LEN)
		answer_error(p, id, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID,
		             "the endpoint's name is longer than any name can be");
	else if (f->n_waits >= WAITS_MAX)
		answer_error(p, id, ENDPOINT__V1__ERROR_CODE__ERROR_NOT_READY,
		             "too many requests are under way: try again");
	else
		return true;
	return false;
}

/* Nothing is changed in the kernel before the policy is known, or while the datastore is locked. */
static bool may_act(struct felixd *f, struct ipc_peer *p, uint64_t id, const char *unsynced)
{
	if (f->synced && f->unlocked)
		return true;
	answer_error(p, id, ENDPOINT__V1__ERROR_CODE__ERROR_NOT_READY,
	             f->synced ? "the datastore is locked: try again when it is not" : unsynced);
	return false;
}

static void on_program(struct felixd *f, struct ipc_peer *p, uint64_t id,
                       const Endpoint__V1__Program *m)
{
	struct err err = { 0 };
	struct resource *r;
	ProtobufCMessage *wep;
	int rc;

	if (!may_act(f, p, id,
	             "felixd has not seen the datastore yet, and does not know the policy: try "
	             "again"))
		return;
	if (!acceptable(f, p, id, or_empty(m->namespace_), or_empty(m->name)))
		return;
	wep = msg_unpack(&v3__workload_endpoint__descriptor, m->workload_endpoint.data,
	                 m->workload_endpoint.len);
	if (!wep) {
		answer_error(p, id, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID,
		             "workload_endpoint is not a WorkloadEndpoint");
		return;
	}
	r = resource_new(V3__KIND__KIND_WORKLOAD_ENDPOINT, or_empty(m->namespace_), m->name,
	                 m->revision, wep);
	overtake(f, r->ns, r->name, false);
	rc = calc_local_endpoint(f->calc, r, &err);
	if (rc < 0)
		answer_error(p, id, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID, err.text);
	else
		wait_new(f, p, id, r->ns, r->name, false, m->revision, m->deadline_ms);
	resource_free(r);
}

static void on_remove(struct felixd *f, struct ipc_peer *p, uint64_t id,
                      const Endpoint__V1__Remove *m)
{
	const char *ns = or_empty(m->namespace_), *name = or_empty(m->name),
	           *container = or_empty(m->container_id);
	struct calc_local_info info;

	if (!may_act(f, p, id,
	             "felixd has not seen the datastore yet: what is in the kernel stays until "
	             "it has"))
		return;
	if (!acceptable(f, p, id, ns, name))
		return;
	if (calc_local_endpoint_info(f->calc, ns, name, &info)) {
		if (*container && *info.container && strcmp(container, info.container) != 0) {
			answer_done(p, id); /* another container has it by now */
			return;
		}
		overtake(f, ns, name, true);
		calc_local_endpoint_remove(f->calc, ns, name);
	}
	/* One that calc does not have may still be on its way out of the kernel: the end of the
	 * turn tells. */
	wait_new(f, p, id, ns, name, true, 0, m->deadline_ms);
}

static void on_message(struct ipc_peer *p, ProtobufCMessage *msg)
{
	struct felixd *f = ipc_peer_arg(p);
	const Endpoint__V1__ToFelixd *m = (const Endpoint__V1__ToFelixd *)msg;

	switch (m->payload_case) {
	case ENDPOINT__V1__TO_FELIXD__PAYLOAD_PROGRAM:
		on_program(f, p, m->request_id, m->program);
		break;
	case ENDPOINT__V1__TO_FELIXD__PAYLOAD_REMOVE:
		on_remove(f, p, m->request_id, m->remove);
		break;
	default:
		answer_error(p, m->request_id, ENDPOINT__V1__ERROR_CODE__ERROR_INVALID,
		             "the request is none that this version knows");
	}
}

static void on_close(struct ipc_peer *p)
{
	struct felixd *f = ipc_peer_arg(p);

	list_for_each_safe (it, &f->waits) {
		struct wait *w = list_entry(it, struct wait, node);

		if (w->peer == p)
			wait_end(w);
	}
}

static const struct ipc_server_ops ops = {
	.name = "api",
	.request = &endpoint__v1__to_felixd__descriptor,
	.mode = 0660,
	.on_message = on_message,
	.on_close = on_close,
};

int api_open(struct felixd *f, struct err *err)
{
	char path[SOCK_PATH_MAX];

	daemon_sock_path(f->d, "felixd", "api.sock", path);
	return ipc_server_new(f->d->loop, path, &ops, f, &f->api, err);
}

void api_close(struct felixd *f)
{
	ipc_server_free(f->api); /* ends the waits of each peer */
	f->api = NULL;
}
