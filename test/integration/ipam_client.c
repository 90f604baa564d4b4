/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipam_client: what integration tests ask ipamd with.
 *
 *     ipam_client RUN VERB ...
 *
 *     assign HANDLE [N4 [N6 [POOL]]]   prints the addresses, one a line
 *     ips HANDLE IP...                 assigns exactly these
 *     release HANDLE                   prints what became free
 *     release-ips IP...
 *     get HANDLE
 *     burst HANDLE N                   asks N times without waiting; prints the different answers
 *     load CLIENTS ROUNDS RUN2         many runtimes on two nodes; prints "handle address" lines
 *     put KIND NAME JSON               writes an object, whatever was there
 *     show KIND [PREFIX]               prints the objects of a kind, a line each: name, JSON
 *     remove KIND NAME
 *     verify                           compares such lines on standard input with the datastore
 *
 * RUN is a run directory. An error of ipamd's is printed as "error CODE: TEXT", exit status 1.
 *
 * load: CLIENTS connections, every other one to RUN2. Each asks for an address under a handle of
 * its own, checks that nobody else in the program has it, asks again now and then (a runtime's
 * retry: the answer must be the same), releases it and goes on with the next handle; what fails is
 * repeated until it succeeds, through restarts of anything. After ROUNDS each holds one address.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/ipc/sock.h"
#include "common/loop/client.h"
#include "common/model/block.h"
#include "common/model/mapper.h"
#include "common/store/store.h"
#include "proto/ipamd_ipam_v1.pb-c.h"

static int answer_print(const Ipam__V1__FromIpamd *m)
{
	switch (m->payload_case) {
	case IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED:
		for (size_t i = 0; i < m->assigned->n_cidrs; i++)
			puts(m->assigned->cidrs[i]);
		return 0;
	case IPAM__V1__FROM_IPAMD__PAYLOAD_RELEASED:
		for (size_t i = 0; i < m->released->n_ips; i++)
			puts(m->released->ips[i]);
		return 0;
	case IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR:
		printf("error %d: %s\n", (int)m->error->code, m->error->text);
		return 1;
	default:
		puts("error: unknown answer");
		return 1;
	}
}

static int one_call(const char *run, Ipam__V1__ToIpamd *msg)
{
	struct ipc_call c = { 0 };
	ProtobufCMessage *reply;
	struct err err;
	int rc = 1;

	if (ipc_call_open(&c, run, "ipamd", "api.sock", &ipam__v1__from_ipamd__descriptor, 20000,
	                  &err) < 0 ||
	    ipc_call(&c, &msg->base, &reply, &err) < 0) {
		printf("error: %s\n", err.text);
	} else {
		rc = answer_print((Ipam__V1__FromIpamd *)reply);
		protobuf_c_message_free_unpacked(reply, NULL);
	}
	ipc_call_close(&c);
	return rc;
}

static int assign(const char *run, char **a, int n, bool ips)
{
	Ipam__V1__Assign m = IPAM__V1__ASSIGN__INIT;
	Ipam__V1__ToIpamd e = IPAM__V1__TO_IPAMD__INIT;

	m.handle_id = a[0];
	if (ips) {
		m.n_ips = (size_t)n - 1;
		m.ips = a + 1;
	} else {
		m.has_num4 = m.has_num6 = true;
		m.num4 = n > 1 ? (uint32_t)atoi(a[1]) : 1;
		m.num6 = n > 2 ? (uint32_t)atoi(a[2]) : 0;
		m.n_pools4 = n > 3;
		m.pools4 = a + 3;
	}
	e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_ASSIGN;
	e.assign = &m;
	return one_call(run, &e);
}

static int burst(const char *run, char *handle, unsigned n)
{
	Ipam__V1__Assign m = IPAM__V1__ASSIGN__INIT;
	Ipam__V1__ToIpamd e = IPAM__V1__TO_IPAMD__INIT;
	char seen[IP_PREFIX_STR_MAX] = "";
	struct ipc_call c = { 0 };
	ProtobufCMessage *reply;
	struct err err;
	int rc = 0;

	m.handle_id = handle;
	m.has_num4 = true;
	m.num4 = 1;
	e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_ASSIGN;
	e.assign = &m;
	rc = ipc_call_open(&c, run, "ipamd", "api.sock", &ipam__v1__from_ipamd__descriptor, 20000,
	                   &err);
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		e.has_request_id = true;
		e.request_id = i + 1;
		rc = ipc_call_send(&c, &e.base, &err);
	}
	for (unsigned i = 0; rc == 0 && i < n; i++) {
		const Ipam__V1__FromIpamd *f;

		rc = ipc_call_recv(&c, &reply, &err);
		if (rc < 0)
			break;
		f = (const Ipam__V1__FromIpamd *)reply;
		if (f->payload_case != IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED ||
		    strcmp(seen, f->assigned->cidrs[0]) != 0) {
			(void)answer_print(f);
			if (f->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED)
				(void)snprintf(seen, sizeof(seen), "%s", f->assigned->cidrs[0]);
		}
		protobuf_c_message_free_unpacked(reply, NULL);
	}
	if (rc < 0)
		printf("error: %s\n", err.text);
	ipc_call_close(&c);
	return rc < 0;
}

/* ---- load */

enum step {
	ASSIGN,
	ASSIGN_AGAIN,
	RELEASE,
	DONE
};

struct holder {
	struct hmap_node node;
	char addr[IP_PREFIX_STR_MAX];
	unsigned client;
};

struct client {
	struct load *load;
	struct ipc_client *ipc;
	uv_timer_t timer;
	unsigned number, round;
	enum step step;
	bool asking;
	char handle[64];
	char addr[IP_PREFIX_STR_MAX];
};

struct load {
	uv_loop_t loop;
	struct client *clients;
	unsigned n, rounds, done, errors;
	uint64_t retries;
	struct hmap holders;
};

static struct holder *holder_of(struct load *l, const char *addr)
{
	hmap_find(h, &l->holders, hash_str(addr), struct holder, node, strcmp(h->addr, addr) == 0);
	return h;
}

static void ask(struct client *c);

static void next(struct client *c)
{
	if (c->step == ASSIGN)
		c->step = (c->number + c->round) % 3 == 0 ? ASSIGN_AGAIN : RELEASE;
	else if (c->step == ASSIGN_AGAIN)
		c->step = RELEASE;
	if (c->step == RELEASE && c->round == c->load->rounds) {
		c->step = DONE;
		if (++c->load->done == c->load->n)
			uv_stop(&c->load->loop);
		return;
	}
	ask(c);
}

static void took(struct client *c, const char *addr)
{
	struct holder *h = holder_of(c->load, addr);

	if (c->step == ASSIGN_AGAIN) {
		if (strcmp(addr, c->addr) != 0) {
			fprintf(stderr, "%s had %s and was then given %s\n", c->handle, c->addr,
			        addr);
			c->load->errors++;
		}
		return;
	}
	snprintf(c->addr, sizeof(c->addr), "%s", addr);
	if (h) {
		fprintf(stderr, "%s is held by client %u and was given to client %u\n", addr,
		        h->client, c->number);
		c->load->errors++;
		return;
	}
	h = xcalloc(1, sizeof(*h));
	snprintf(h->addr, sizeof(h->addr), "%s", addr);
	h->client = c->number;
	hmap_insert(&c->load->holders, &h->node, hash_str(addr));
}

static void gave_back(struct client *c)
{
	snprintf(c->handle, sizeof(c->handle), "net.client-%u-round-%u", c->number, ++c->round);
	c->step = ASSIGN;
	ask(c);
}

static void later(struct client *c);

static void on_reply(void *arg, int status, ProtobufCMessage *reply)
{
	struct client *c = arg;
	const Ipam__V1__FromIpamd *m = (const Ipam__V1__FromIpamd *)reply;

	c->asking = false;
	if (status == 0 && c->step != RELEASE &&
	    m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED &&
	    m->assigned->n_cidrs == 1) {
		took(c, m->assigned->cidrs[0]);
		next(c);
	} else if (status == 0 && c->step == RELEASE &&
	           (m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_RELEASED ||
	            (m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR &&
	             m->error->code == IPAM__V1__ERROR_CODE__ERROR_NOT_FOUND))) {
		gave_back(c);
	} else {
		if (status == 0 && m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR &&
		    m->error->code != IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE)
			fprintf(stderr, "client %u: error %d: %s\n", c->number, (int)m->error->code,
			        m->error->text);
		c->load->retries++;
		later(c);
	}
}

static void on_timer(uv_timer_t *t)
{
	ask(t->data);
}

static void later(struct client *c)
{
	(void)uv_timer_start(&c->timer, on_timer, 20, 0);
}

static void ask(struct client *c)
{
	Ipam__V1__Assign a = IPAM__V1__ASSIGN__INIT;
	Ipam__V1__ReleaseByHandle r = IPAM__V1__RELEASE_BY_HANDLE__INIT;
	Ipam__V1__ToIpamd e = IPAM__V1__TO_IPAMD__INIT;

	if (c->asking || c->step == DONE)
		return;
	if (c->step == RELEASE) {
		struct holder *h = holder_of(c->load, c->addr);

		/* From here on the address may be anybody's. */
		if (h && h->client == c->number) {
			hmap_remove(&c->load->holders, &h->node);
			free(h);
		}
		r.handle_id = c->handle;
		e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_RELEASE_BY_HANDLE;
		e.release_by_handle = &r;
	} else {
		a.handle_id = c->handle;
		a.has_num4 = true;
		a.num4 = 1;
		e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_ASSIGN;
		e.assign = &a;
	}
	if (ipc_client_call(c->ipc, &e.base, 20000, on_reply, c) == 0)
		c->asking = true;
	else
		later(c);
}

static int load(const char *run, const char *run2, unsigned n, unsigned rounds)
{
	static const struct ipc_client_ops ops = { .server = "ipamd",
		                                   .reply = &ipam__v1__from_ipamd__descriptor };
	struct load l = { .n = n, .rounds = rounds };
	char paths[2][SOCK_PATH_MAX];

	if (sock_path(run, "ipamd", "api.sock", paths[0]) < 0 ||
	    sock_path(run2, "ipamd", "api.sock", paths[1]) < 0)
		return 2;
	(void)uv_loop_init(&l.loop);
	l.clients = xcalloc(n, sizeof(*l.clients));
	for (unsigned i = 0; i < n; i++) {
		struct client *c = &l.clients[i];

		c->load = &l;
		c->number = i;
		snprintf(c->handle, sizeof(c->handle), "net.client-%u-round-0", i);
		(void)uv_timer_init(&l.loop, &c->timer);
		c->timer.data = c;
		c->ipc = ipc_client_new(&l.loop, paths[i % 2], &ops, c);
		later(c);
	}
	(void)uv_run(&l.loop, UV_RUN_DEFAULT);
	for (unsigned i = 0; i < n; i++)
		printf("%s %s\n", l.clients[i].handle, l.clients[i].addr);
	for (unsigned i = 0; i < n; i++) {
		ipc_client_free(l.clients[i].ipc);
		uv_close((uv_handle_t *)&l.clients[i].timer, NULL);
	}
	(void)uv_run(&l.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&l.loop);
	free(l.clients);
	hmap_for_each (h, &l.holders, struct holder, node) {
		hmap_remove(&l.holders, &h->node);
		free(h);
	}
	hmap_done(&l.holders);
	fprintf(stderr, "%u clients, %u rounds, %" PRIu64 " retries, %u errors\n", n, rounds,
	        l.retries, l.errors);
	return l.errors != 0;
}

/* ---- verify */

struct verify {
	uv_loop_t loop;
	struct store *store;
	struct {
		char handle[600], addr[IP_PREFIX_STR_MAX];
		unsigned in_blocks, counted;
	} * known;
	size_t n;
	unsigned errors, blocks, addresses, handles;
};

static size_t known_find(struct verify *v, const char *handle)
{
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->known[i].handle, handle) == 0)
			return i;
	return SIZE_MAX;
}

static void on_handles(void *arg, const struct store_result *r)
{
	struct verify *v = arg;

	for (size_t i = 0; i < r->n; i++) {
		const V3__IpamHandle *h = (const V3__IpamHandle *)r->items[i]->msg;
		size_t k = known_find(v, r->items[i]->name);

		v->handles++;
		for (size_t j = 0; j < h->n_block; j++) {
			if (k == SIZE_MAX) {
				printf("handle %s counts %" PRId64 " in %s, and nobody has it\n",
				       r->items[i]->name, h->block[j]->value, h->block[j]->key);
				v->errors++;
			} else {
				v->known[k].counted += (unsigned)h->block[j]->value;
			}
		}
	}
	for (size_t i = 0; i < v->n; i++) {
		if (v->known[i].in_blocks == 1 && v->known[i].counted == 1)
			continue;
		printf("%s (%s): %u addresses in blocks, %u counted by its handle\n",
		       v->known[i].handle, v->known[i].addr, v->known[i].in_blocks,
		       v->known[i].counted);
		v->errors++;
	}
	if (r->status != STORE_OK) {
		printf("handles: %s\n", r->text);
		v->errors++;
	}
	store_free(v->store);
}

static void on_blocks(void *arg, const struct store_result *r)
{
	struct verify *v = arg;

	for (size_t i = 0; i < r->n; i++) {
		const V3__IpamBlock *b = (const V3__IpamBlock *)r->items[i]->msg;
		struct ip_prefix cidr;
		struct err err;

		v->blocks++;
		if (!block_check(b, &cidr, &err)) {
			printf("block %s: %s\n", r->items[i]->name, err.text);
			v->errors++;
			continue;
		}
		for (uint32_t o = 0; o < b->n_allocations; o++) {
			const V3__IpamAttribute *a = block_owner_of(b, o);
			struct ip_prefix addr = { ip_prefix_nth(&cidr, o), cidr.len };
			char text[IP_PREFIX_STR_MAX];
			size_t k;

			if (!a)
				continue;
			v->addresses++;
			ip_prefix_str(&addr, text);
			k = known_find(v, a->handle_id ? a->handle_id : "");
			if (k == SIZE_MAX || strcmp(v->known[k].addr, text) != 0) {
				printf("%s is allocated to %s, who does not hold it\n", text,
				       a->handle_id);
				v->errors++;
			} else {
				v->known[k].in_blocks++;
			}
		}
	}
	if (r->status != STORE_OK) {
		printf("blocks: %s\n", r->text);
		v->errors++;
	}
	store_list(v->store, V3__KIND__KIND_IPAM_HANDLE, NULL, NULL, on_handles, v);
}

static void verify_start(uv_timer_t *t)
{
	struct verify *v = t->data;

	uv_close((uv_handle_t *)t, NULL);
	store_list(v->store, V3__KIND__KIND_IPAM_BLOCK, NULL, NULL, on_blocks, v);
}

static int verify(const char *run)
{
	struct verify v = { 0 };
	char path[SOCK_PATH_MAX], handle[600], addr[IP_PREFIX_STR_MAX];
	uv_timer_t timer;
	struct err err;

	while (scanf("%599s %49s", handle, addr) == 2) {
		v.known = xrealloc(v.known, (v.n + 1) * sizeof(*v.known));
		memset(&v.known[v.n], 0, sizeof(*v.known));
		snprintf(v.known[v.n].handle, sizeof(v.known[v.n].handle), "%s", handle);
		snprintf(v.known[v.n++].addr, sizeof(addr), "%s", addr);
	}
	(void)uv_loop_init(&v.loop);
	if (sock_path(run, "typhad", "api.sock", path) < 0 ||
	    store_typha_open(&v.loop, path, "ipam_client", "test", &v.store, &err) < 0)
		return 2;
	(void)uv_timer_init(&v.loop, &timer);
	timer.data = &v;
	(void)uv_timer_start(&timer, verify_start, 100, 0); /* connected by then */
	(void)uv_run(&v.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&v.loop);
	printf("%zu held, %u addresses in %u blocks, %u handles, %u errors\n", v.n, v.addresses,
	       v.blocks, v.handles, v.errors);
	free(v.known);
	return v.errors != 0;
}

/* ---- the datastore, by hand */

struct edit {
	uv_loop_t loop;
	struct store *store;
	const char *verb, *name;
	const struct kind_info *kind;
	struct resource *r;
	int rc;
};

static void on_edited(void *arg, const struct store_result *r)
{
	struct edit *e = arg;

	e->rc = r->status != STORE_OK;
	if (r->status != STORE_OK)
		printf("%s: %s\n", store_status_str(r->status), r->text);
	for (size_t i = 0; i < r->n && strcmp(e->verb, "show") == 0; i++) {
		CLEANUP(buf_done) struct buf out = { 0 };

		mapper_write_text(r->items[i]->msg, 0, &out);
		printf("%s %s\n", r->items[i]->name, buf_cstr(&out));
	}
	store_free(e->store);
}

static void edit_start(uv_timer_t *t)
{
	struct edit *e = t->data;

	uv_close((uv_handle_t *)t, NULL);
	if (strcmp(e->verb, "put") == 0)
		store_apply(e->store, e->r, on_edited, e);
	else if (strcmp(e->verb, "show") == 0)
		store_list(e->store, e->kind->kind, NULL, e->name, on_edited, e);
	else
		store_remove(e->store, e->kind->kind, NULL, e->name, 0, on_edited, e);
}

static int edit(const char *run, const char *verb, const char *kind, const char *name,
                const char *json)
{
	struct edit e = { .verb = verb, .name = name, .kind = kind_by_name(kind) };
	char path[SOCK_PATH_MAX];
	ProtobufCMessage *msg;
	uv_timer_t timer;
	struct err err;

	if (!e.kind) {
		printf("no such kind: %s\n", kind);
		return 2;
	}
	if (json) {
		if (mapper_read_text(e.kind->message, json, strlen(json), MAPPER_REFUSE, &msg,
		                     &err) < 0) {
			printf("%s\n", err.text);
			return 2;
		}
		if (e.kind->v3)
			msg_set_str(&model_meta(msg, true)->name, name);
		e.r = resource_new(e.kind->kind, NULL, name, 0, msg);
	}
	(void)uv_loop_init(&e.loop);
	if (sock_path(run, "typhad", "api.sock", path) < 0 ||
	    store_typha_open(&e.loop, path, "ipam_client", "test", &e.store, &err) < 0)
		return 2;
	(void)uv_timer_init(&e.loop, &timer);
	timer.data = &e;
	(void)uv_timer_start(&timer, edit_start, 50, 0);
	(void)uv_run(&e.loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&e.loop);
	resource_free(e.r);
	return e.rc;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[2] : "";
	Ipam__V1__ToIpamd e = IPAM__V1__TO_IPAMD__INIT;

	if (argc > 3 && strcmp(verb, "assign") == 0)
		return assign(argv[1], argv + 3, argc - 3, false);
	if (argc > 4 && strcmp(verb, "ips") == 0)
		return assign(argv[1], argv + 3, argc - 3, true);
	if (argc == 4 && strcmp(verb, "release") == 0) {
		Ipam__V1__ReleaseByHandle m = IPAM__V1__RELEASE_BY_HANDLE__INIT;

		m.handle_id = argv[3];
		e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_RELEASE_BY_HANDLE;
		e.release_by_handle = &m;
		return one_call(argv[1], &e);
	}
	if (argc > 3 && strcmp(verb, "release-ips") == 0) {
		Ipam__V1__ReleaseIps m = IPAM__V1__RELEASE_IPS__INIT;

		m.n_ips = (size_t)argc - 3;
		m.ips = argv + 3;
		e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_RELEASE_IPS;
		e.release_ips = &m;
		return one_call(argv[1], &e);
	}
	if (argc == 4 && strcmp(verb, "get") == 0) {
		Ipam__V1__GetByHandle m = IPAM__V1__GET_BY_HANDLE__INIT;

		m.handle_id = argv[3];
		e.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_GET_BY_HANDLE;
		e.get_by_handle = &m;
		return one_call(argv[1], &e);
	}
	if (argc == 5 && strcmp(verb, "burst") == 0)
		return burst(argv[1], argv[3], (unsigned)atoi(argv[4]));
	if (argc == 6 && strcmp(verb, "load") == 0)
		return load(argv[1], argv[5], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
	if ((argc == 6 && strcmp(verb, "put") == 0) || (argc == 5 && strcmp(verb, "remove") == 0) ||
	    ((argc == 4 || argc == 5) && strcmp(verb, "show") == 0))
		return edit(argv[1], verb, argv[3], argc > 4 ? argv[4] : NULL,
		            argc > 5 ? argv[5] : NULL);
	if (argc == 3 && strcmp(verb, "verify") == 0)
		return verify(argv[1]);
	fprintf(stderr, "usage: see the head of test/integration/ipam_client.c\n");
	return 2;
}
