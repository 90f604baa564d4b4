/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/client.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "typhad/typhad.h"

struct client_list {
	struct list node;
	uint64_t id, revision;
	size_t at, n;
	struct ipc_frame *frames[];
};

struct client *client_new(struct typhad *t, struct ipc_peer *peer)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->t = t;
	c->peer = peer;
	c->id = ++t->next_client;
	c->phase = CLIENT_NEW;
	c->since = mono_now();
	c->remote = ipc_peer_address(peer) != NULL;
	c->watcher.peer = peer;
	list_init(&c->watcher.node);
	list_init(&c->ping);
	list_init(&c->leave);
	list_init(&c->lists);
	list_push_back(&t->clients, &c->node);
	return c;
}

const char *client_address(const struct client *c)
{
	const char *address = c->peer ? ipc_peer_address(c->peer) : NULL;

	return address ? address : "local";
}

static void list_free(struct client *c, struct client_list *l)
{
	list_unlink(&l->node);
	c->n_lists--;
	c->t->listed -= l->n;
	while (l->at < l->n)
		ipc_frame_unref(l->frames[l->at++]);
	free(l);
}

static void client_maybe_free(struct client *c)
{
	if (c->peer || c->in_flight)
		return;
	free(c->program);
	free(c->hostname);
	free(c->software);
	free(c->sync_type);
	free(c);
}

void client_gone(struct client *c)
{
	door_left(c);
	fanout_remove(&c->t->fanout, &c->watcher);
	list_for_each_safe (it, &c->lists)
		list_free(c, list_entry(it, struct client_list, node));
	list_unlink(&c->node);
	c->peer = NULL;
	client_maybe_free(c);
}

void client_hold(struct client *c)
{
	c->in_flight++;
}

void client_release(struct client *c)
{
	c->in_flight--;
	client_maybe_free(c);
}

void client_reply(struct client *c, uint64_t id, Sync__V1__FromTyphad *m)
{
	if (!c->peer)
		return;
	m->has_request_id = 1;
	m->request_id = id;
	(void)ipc_peer_send(c->peer, &m->base);
}

void client_reply_error(struct client *c, uint64_t id, Sync__V1__ErrorCode code, const char *text,
                        Sync__V1__Resource *current)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__Error e = SYNC__V1__ERROR__INIT;

	e.has_code = 1;
	e.code = code;
	e.text = (char *)(uintptr_t)text;
	e.current = current;
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR;
	m.error = &e;
	client_reply(c, id, &m);
}

/* ---- lists */

/* The next part of l: frames are opened again, and their resources put together. */
static void list_send_part(struct client *c, struct client_list *l)
{
	Sync__V1__FromTyphad m = SYNC__V1__FROM_TYPHAD__INIT;
	Sync__V1__ListResult list = SYNC__V1__LIST_RESULT__INIT;
	Sync__V1__FromTyphad **updates;
	size_t n = 0, bytes = 0, end = l->at;

	while (end < l->n && (end == l->at || bytes + l->frames[end]->len <= CLIENT_LIST_PART))
		bytes += l->frames[end++]->len;
	updates = xcalloc(end - l->at + 1, sizeof(*updates));
	list.resources = xcalloc(end - l->at + 1, sizeof(Sync__V1__Resource *));
	for (; l->at < end; l->at++) {
		struct ipc_frame *f = l->frames[l->at];
		Sync__V1__FromTyphad *u = sync__v1__from_typhad__unpack(
		        NULL, f->len - IPC_FRAME_HEADER, f->data + IPC_FRAME_HEADER);

		if (u) {
			updates[n] = u;
			list.resources[n++] = u->update->resource;
		}
		ipc_frame_unref(f);
	}
	list.n_resources = n;
	list.has_header_revision = 1;
	list.header_revision = l->revision;
	list.has_more = list.more = l->at < l->n;
	m.payload_case = SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST;
	m.list = &list;
	client_reply(c, l->id, &m);
	for (size_t i = 0; i < n; i++)
		sync__v1__from_typhad__free_unpacked(updates[i], NULL);
	free(updates);
	free(list.resources);
}

void client_lists_continue(struct client *c)
{
	/* One part of each in turn; between them the socket may have filled. */
	while (!list_empty(&c->lists) && ipc_peer_queued(c->peer) <= FANOUT_SEND_HIGH) {
		struct client_list *l = list_entry(c->lists.next, struct client_list, node);

		list_unlink(&l->node);
		list_push_back(&c->lists, &l->node);
		list_send_part(c, l);
		if (l->at == l->n)
			list_free(c, l);
	}
}

void client_list_start(struct client *c, uint64_t id, uint64_t revision,
                       const struct cache_object **objects, size_t n)
{
	struct client_list *l = xcalloc(1, sizeof(*l) + n * sizeof(struct ipc_frame *));

	l->id = id;
	l->revision = revision;
	l->n = n;
	for (size_t i = 0; i < n; i++)
		l->frames[i] = ipc_frame_ref(objects[i]->frame);
	list_push_back(&c->lists, &l->node);
	c->n_lists++;
	c->t->listed += n;
	client_lists_continue(c);
}
