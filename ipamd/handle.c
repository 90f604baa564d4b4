/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/handle.h"

#include <string.h>

#include "common/base/mem.h"
#include "ipamd/ipamd.h"

/* One change on its way: delta to the count of block, tried until the compare-and-swap succeeds. */
struct hop {
	struct ipamd *ip;
	char *id, *block;
	int64_t delta;
	bool once; /* give up at the first lost compare-and-swap */
	unsigned tries;
	handle_done_fn *fn;
	void *arg;
};

static struct hop *hop_new(struct ipamd *ip, const char *id, const char *block, int64_t delta,
                           handle_done_fn *fn, void *arg)
{
	struct hop *o = xcalloc(1, sizeof(*o));

	o->ip = ip;
	o->id = xstrdup(id);
	o->block = xstrdup(block);
	o->delta = delta;
	o->fn = fn;
	o->arg = arg;
	return o;
}

static void hop_end(struct hop *o, enum store_status status, const char *text)
{
	if (!o->ip->stopping)
		o->fn(o->arg, status, text);
	free(o->id);
	free(o->block);
	free(o);
}

static void on_written(void *arg, const struct store_result *r);

/* Writes h (taken) over what has revision; without entries, removes it. */
static void write_handle(struct hop *o, V3__IpamHandle *h, uint64_t revision)
{
	struct resource *r;

	o->ip->count.handle_writes++;
	h->has_deleted = true;
	if (h->n_block == 0 && revision) {
		msg_free(&h->base);
		store_remove(o->ip->store, V3__KIND__KIND_IPAM_HANDLE, NULL, o->id, revision,
		             on_written, o);
		return;
	}
	r = resource_new(V3__KIND__KIND_IPAM_HANDLE, NULL, o->id, revision, &h->base);
	if (revision)
		store_update(o->ip->store, r, on_written, o);
	else
		store_create(o->ip->store, r, on_written, o);
	resource_free(r);
}

static void create(struct hop *o)
{
	V3__IpamHandle *h = (V3__IpamHandle *)msg_new(&v3__ipam_handle__descriptor);

	handle_set_count(h, o->block, o->delta);
	write_handle(o, h, 0);
}

/* The handle is this now: apply the change and try. */
static void change(struct hop *o, const struct resource *now)
{
	V3__IpamHandle *h = (V3__IpamHandle *)msg_copy(now->msg);
	int64_t have = handle_count(h, o->block);

	if (o->delta < 0 && have == 0 && h->n_block) {
		msg_free(&h->base);
		hop_end(o, STORE_OK, NULL);
		return;
	}
	handle_set_count(h, o->block, have > INT64_MAX / 2 ? have : have + o->delta);
	write_handle(o, h, now->revision);
}

static void on_written(void *arg, const struct store_result *r)
{
	struct hop *o = arg;

	if (o->ip->stopping) {
		hop_end(o, STORE_UNAVAILABLE, NULL);
		return;
	}
	switch (r->status) {
	case STORE_OK:
		hop_end(o, STORE_OK, NULL);
		return;
	case STORE_NOT_FOUND:
	case STORE_ALREADY_EXISTS:
	case STORE_CONFLICT:
		if (r->status != STORE_NOT_FOUND && (r->n == 0 || !r->items[0]->msg)) {
			hop_end(o, STORE_UNAVAILABLE,
			        "the datastore did not say what the handle is now");
			return;
		}
		if (r->status == STORE_CONFLICT)
			o->ip->count.handle_conflicts++;
		if (r->status == STORE_NOT_FOUND && (o->delta < 0 || o->once))
			hop_end(o, STORE_OK, NULL); /* gone is what was wanted */
		else if (o->once || ++o->tries > IPAMD_RETRIES)
			hop_end(o, STORE_CONFLICT,
			        "Max retries hit - excessive concurrent IPAM requests");
		else if (r->status == STORE_NOT_FOUND)
			create(o);
		else
			change(o, r->items[0]);
		return;
	case STORE_INVALID:
	case STORE_UNAVAILABLE:
		hop_end(o, r->status, r->text);
		return;
	}
}

void handle_add(struct ipamd *ip, const char *id, const char *block, int64_t n, handle_done_fn *fn,
                void *arg)
{
	/* New, as a rule: creating finds out in one round trip, and the answer brings what there is
	 * if it is not. */
	create(hop_new(ip, id, block, n, fn, arg));
}

static void on_read(void *arg, const struct store_result *r)
{
	struct hop *o = arg;

	if (r->status == STORE_OK && r->n && r->items[0]->msg && !o->ip->stopping)
		change(o, r->items[0]);
	else
		hop_end(o, r->status == STORE_NOT_FOUND ? STORE_OK : STORE_UNAVAILABLE, r->text);
}

void handle_sub(struct ipamd *ip, const char *id, const char *block, int64_t n, handle_done_fn *fn,
                void *arg)
{
	store_get(ip->store, V3__KIND__KIND_IPAM_HANDLE, NULL, id, on_read,
	          hop_new(ip, id, block, -n, fn, arg));
}

void handle_drop(struct ipamd *ip, const char *id, const V3__IpamHandle *msg, uint64_t revision,
                 char *const *blocks, size_t n, handle_done_fn *fn, void *arg)
{
	struct hop *o = hop_new(ip, id, "", 0, fn, arg);
	V3__IpamHandle *h = (V3__IpamHandle *)msg_copy(&msg->base);

	o->once = true;
	for (size_t i = 0; i < n; i++)
		handle_set_count(h, blocks[i], 0);
	write_handle(o, h, revision);
}

void handle_repair(struct ipamd *ip, const char *id, const V3__IpamHandle *msg, uint64_t revision,
                   const char *block, int64_t n, handle_done_fn *fn, void *arg)
{
	struct hop *o = hop_new(ip, id, block, 0, fn, arg);
	V3__IpamHandle *h = (V3__IpamHandle *)(msg ? msg_copy(&msg->base)
	                                           : msg_new(&v3__ipam_handle__descriptor));

	o->once = true;
	handle_set_count(h, block, n);
	write_handle(o, h, revision);
}
