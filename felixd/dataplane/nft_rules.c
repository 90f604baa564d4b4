/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel holds is remembered by chain: how many rules, and a number made of their hashes.
 * It is read only at start, after a failure, and when somebody else has changed our table. The
 * order within a batch: maps and chains are declared, what leads away from the old is taken out,
 * rules are written, what nothing leads to any more goes.
 */
#include "felixd/dataplane/nft_rules.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/nl/raw.h"
#include "felixd/dataplane/nft_encode.h"
#include "felixd/dataplane/nft_msg.h"
#include "felixd/dataplane/wanted.h"

#define READ_TRIES 5
#define FAILURES_BEFORE_REBUILD 3

/* A chain or a map as the kernel has it. */
struct actual {
	struct hmap_node node;
	char name[NFT_NAME_MAX];
	size_t n;                /* rules */
	uint64_t identity;       /* of all their hashes */
	struct verdict *entries; /* of a map, sorted by interface */
	bool base, strange;
};

struct nft_rules {
	struct nft_link *link;
	struct nft_sets *sets;
	int family;
	struct wanted layers[TABLE_COUNT];
	struct hmap chains, maps; /* struct actual */
	bool doubt, read_once;
	unsigned failures_in_a_row;
	struct {
		uint64_t reads, writes, rules, repairs, failures;
	} count;
};

/* ---- life and wishes */

static int layer_family(const struct wanted *w)
{
	return container_of(w, struct nft_rules, layers[w->id])->family;
}

static void hash_chain(const struct wanted *w, struct chain *c, const char *seed)
{
	nft_text_hash(c, w->id, layer_family(w), seed);
}

struct nft_rules *nft_rules_new(struct nft_link *link, struct nft_sets *sets)
{
	struct nft_rules *t = xcalloc(1, sizeof(*t));

	t->link = link;
	t->sets = sets;
	t->family = link->family;
	t->doubt = true;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		t->layers[i] = (struct wanted){ .id = i, .track = true, .hash = hash_chain };
	return t;
}

static void actual_clear(struct hmap *m)
{
	hmap_for_each (a, m, struct actual, node) {
		hmap_remove(m, &a->node);
		free(a->entries);
		free(a);
	}
}

static void rules_free(void *self)
{
	struct nft_rules *t = self;

	if (!t)
		return;
	for (unsigned i = 0; i < TABLE_COUNT; i++)
		wanted_done(&t->layers[i]);
	actual_clear(&t->chains);
	actual_clear(&t->maps);
	hmap_done(&t->chains);
	hmap_done(&t->maps);
	free(t);
}

static void rules_set_chain(void *self, enum table_id table, struct chain *c)
{
	wanted_set_chain(&((struct nft_rules *)self)->layers[table], c);
}

static void rules_remove_chain(void *self, enum table_id table, const char *name)
{
	wanted_remove_chain(&((struct nft_rules *)self)->layers[table], name);
}

static void rules_prune(void *self, enum table_id table, const char *prefix)
{
	wanted_prune(&((struct nft_rules *)self)->layers[table], prefix);
}

static void rules_set_hook(void *self, enum table_id table, const char *kernel_chain,
                           struct chain *inserts, struct chain *appends)
{
	wanted_set_hook(&((struct nft_rules *)self)->layers[table], kernel_chain, inserts, appends);
}

static void rules_set_map(void *self, enum table_id table, const char *name,
                          const struct verdict *entries, size_t n)
{
	wanted_set_map(&((struct nft_rules *)self)->layers[table], name, entries, n);
}

static void rules_doubt(void *self)
{
	((struct nft_rules *)self)->doubt = true;
}

static bool rules_pending(const void *self)
{
	const struct nft_rules *t = self;

	for (unsigned i = 0; i < TABLE_COUNT; i++)
		if (t->layers[i].dirty)
			return true;
	return t->doubt || t->link->rebuild;
}

/* ---- reading */

#define IDENTITY_OF_NOTHING 0xcbf29ce484222325u /* FNV-1a */

static uint64_t identity_add(uint64_t v, const char *id)
{
	for (;; id++) { /* with the NUL, that divides them */
		v = (v ^ (uint8_t)*id) * 0x100000001b3u;
		if (!*id)
			return v;
	}
}

static struct actual *actual_find(const struct hmap *m, const char *name)
{
	hmap_find(a, m, hash_str(name), struct actual, node, strcmp(a->name, name) == 0);
	return a;
}

static struct actual *actual_get(struct hmap *m, const char *name)
{
	struct actual *a = actual_find(m, name);

	if (a)
		return a;
	a = xcalloc(1, sizeof(*a));
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->identity = IDENTITY_OF_NOTHING;
	hmap_insert(m, &a->node, hash_str(a->name));
	return a;
}

static void actual_drop(struct hmap *m, const char *name)
{
	struct actual *a = actual_find(m, name);

	if (!a)
		return;
	hmap_remove(m, &a->node);
	free(a->entries);
	free(a);
}

static int on_message(const struct nlmsghdr *h, void *arg)
{
	struct nft_rules *t = arg;
	struct nft_reply r;
	struct actual *a;

	if (!h) /* read() begins afresh when anything has changed */
		return -EAGAIN;
	if (nft_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &r) < 0)
		return -EBADMSG;
	if (!r.ours)
		return 0;
	if (!*r.name) { /* longer than any of ours: it goes with the table */
		t->link->rebuild = true;
		return 0;
	}
	switch (r.msg) {
	case NFT_MSG_NEWCHAIN:
		actual_get(&t->chains, r.name)->base = r.base;
		break;
	case NFT_MSG_NEWRULE:
		a = actual_get(&t->chains, r.name);
		a->n++;
		a->identity = identity_add(a->identity, r.id);
		break;
	case NFT_MSG_NEWSET:
		if (r.kind == NFT_SET_VERDICTS)
			(void)actual_get(&t->maps, r.name);
		break;
	}
	return 0;
}

static int dump(struct nft_rules *t, uint8_t msg, bool of_table, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	if (of_table)
		nft_ask_table(&b, t->family);
	else
		nft_ask(&b, t->family);
	rc = nl_dump_all(t->link->conn, nl_raw(nft_msg_type(msg), 0, b.data, b.len), on_message, t,
	                 err);
	return rc == -ENOENT ? 0 : rc; /* no table yet */
}

static int on_verdict(const struct nlmsghdr *h, void *arg)
{
	struct actual *a = arg;
	struct nft_element e;
	struct nft_reply r;

	if (!h)
		return -EAGAIN;
	if (nft_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &r) < 0)
		return -EBADMSG;
	while (r.msg == NFT_MSG_NEWSETELEM && nft_next_element(&r.elements, &e)) {
		struct verdict v = { 0 };
		const char *chain = strchr(e.chain, '-'); /* behind the layer */

		if (e.key_len != sizeof(v.iface) || !chain || strlen(chain + 1) >= CHAIN_NAME_MAX) {
			a->strange = true;
			continue;
		}
		memcpy(v.iface, e.key, sizeof(v.iface));
		strcpy(v.chain, chain + 1);
		if ((a->n & (a->n - 1)) == 0)
			a->entries =
			        xrealloc(a->entries, (a->n ? 2 * a->n : 1) * sizeof(*a->entries));
		a->entries[a->n++] = v;
	}
	return 0;
}

static int compare_verdicts(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(((struct verdict *)NULL)->iface));
}

static int read_map(struct nft_rules *t, struct actual *a, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	nft_ask_elements(&b, t->family, a->name);
	rc = nl_dump_all(t->link->conn, nl_raw(nft_msg_type(NFT_MSG_GETSETELEM), 0, b.data, b.len),
	                 on_verdict, a, err);
	if (rc == 0 && a->n)
		qsort(a->entries, a->n, sizeof(*a->entries), compare_verdicts);
	if (a->strange)
		t->link->rebuild = true;
	return rc;
}

static int read_once(struct nft_rules *t, struct err *err)
{
	int rc;

	actual_clear(&t->chains);
	actual_clear(&t->maps);
	rc = dump(t, NFT_MSG_GETCHAIN, false, err);
	if (rc == 0)
		rc = dump(t, NFT_MSG_GETRULE, true, err);
	if (rc == 0)
		rc = dump(t, NFT_MSG_GETSET, true, err);
	hmap_for_each (m, &t->maps, struct actual, node)
		if (rc == 0)
			rc = read_map(t, m, err);
	return rc;
}

/* All of one generation. */
static int read_table(struct nft_rules *t, struct err *err)
{
	int rc = -EAGAIN;

	t->count.reads++;
	for (unsigned i = 0; i < READ_TRIES && (rc == -EAGAIN || rc == -EINTR || rc == -ENOENT);
	     i++) {
		uint32_t before = 0, after = 0;

		rc = nft_link_generation(t->link, &before, err);
		if (rc == 0)
			rc = read_once(t, err);
		if (rc == 0)
			rc = nft_link_generation(t->link, &after, err);
		if (rc == 0 && before != after)
			rc = err_set(err, -EAGAIN, "nftables change while they are read");
	}
	if (rc < 0)
		return err_wrap(err, rc, "reading table " NFT_TABLE " of nftables");
	t->doubt = false;
	return 0;
}

/* ---- what differs */

static const struct {
	enum table_id layer;
	const char *name;
	struct nft_base base;
} bases[] = {
	{ TABLE_RAW, "PREROUTING", { "filter", 0, -300 } },
	{ TABLE_RAW, "OUTPUT", { "filter", 3, -300 } },
	{ TABLE_MANGLE, "PREROUTING", { "filter", 0, -150 } },
	{ TABLE_MANGLE, "INPUT", { "filter", 1, -150 } },
	{ TABLE_MANGLE, "FORWARD", { "filter", 2, -150 } },
	{ TABLE_MANGLE, "OUTPUT", { "route", 3, -150 } },
	{ TABLE_MANGLE, "POSTROUTING", { "filter", 4, -150 } },
	{ TABLE_NAT, "PREROUTING", { "nat", 0, -100 } },
	{ TABLE_NAT, "INPUT", { "nat", 1, -100 } },
	/* Behind kube-proxy's, which stand at 100. */
	{ TABLE_NAT, "OUTPUT", { "nat", 3, 110 } },
	{ TABLE_NAT, "POSTROUTING", { "nat", 4, 110 } },
	{ TABLE_FILTER, "INPUT", { "filter", 1, 0 } },
	{ TABLE_FILTER, "FORWARD", { "filter", 2, 0 } },
	{ TABLE_FILTER, "OUTPUT", { "filter", 3, 0 } },
};

static const struct nft_base *base_of(enum table_id layer, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++)
		if (bases[i].layer == layer && strcmp(bases[i].name, name) == 0)
			return &bases[i].base;
	return NULL;
}

/* What is to be in one chain: up to two runs of rules. */
struct content {
	char name[NFT_NAME_MAX];
	enum table_id layer;
	const struct nft_base *base;
	const struct chain *runs[2];
	struct wanted_chain *chain; /* NULL: a hook */
	size_t n;
	uint64_t identity;
};

struct plan {
	struct nft_rules *t;
	struct content *write;
	size_t n_write;
	char (*gone)[NFT_NAME_MAX];
	size_t n_gone;
	char (*maps_gone)[NFT_NAME_MAX];
	size_t n_maps_gone;
	struct {
		const struct wanted_map *map;
		char name[NFT_NAME_MAX];
		enum table_id layer;
	} * maps; /* that differ */
	size_t n_maps, changes, failed;
	struct buf out;
	uint32_t set_id;
};

#define GROW(list, n)                                                                              \
	do {                                                                                       \
		if (((n) & ((n)-1)) == 0)                                                          \
			(list) = xrealloc((list), ((n) ? 2 * (n) : 1) * sizeof(*(list)));          \
	} while (0)

static void plan_done(struct plan *p)
{
	free(p->write);
	free(p->gone);
	free(p->maps_gone);
	free(p->maps);
	buf_done(&p->out);
}

static void content_finish(struct content *c)
{
	c->n = 0;
	c->identity = IDENTITY_OF_NOTHING;
	for (unsigned r = 0; r < 2; r++) {
		for (size_t i = 0; c->runs[r] && i < c->runs[r]->n_rules; i++) {
			c->identity = identity_add(c->identity, c->runs[r]->rules[i].id);
			c->n++;
		}
	}
}

static bool chain_is_right(const struct nft_rules *t, const struct content *c)
{
	const struct actual *a = actual_find(&t->chains, c->name);

	return a && a->n == c->n && a->identity == c->identity && a->base == (c->base != NULL);
}

static void plan_chain(struct plan *p, enum table_id layer, const char *name)
{
	const struct wanted *w = &p->t->layers[layer];
	struct wanted_hook *hook = wanted_hook_find(w, name);
	struct wanted_chain *chain = wanted_chain_find(w, name);
	struct content c = { .layer = layer };
	const struct actual *a;

	nft_name(c.name, layer, name);
	a = actual_find(&p->t->chains, c.name);
	if (!hook && (!chain || !chain->refs)) {
		if (a) {
			GROW(p->gone, p->n_gone);
			memcpy(p->gone[p->n_gone++], a->name, NFT_NAME_MAX);
		}
		return;
	}
	if (hook) {
		c.base = base_of(layer, name);
		c.runs[0] = hook->inserts;
		c.runs[1] = hook->appends;
	} else {
		c.chain = chain;
		c.runs[0] = chain->chain;
	}
	content_finish(&c);
	if (chain_is_right(p->t, &c))
		return;
	if (a && a->base != (c.base != NULL))
		p->t->link->rebuild = true; /* it cannot become one */
	GROW(p->write, p->n_write);
	p->write[p->n_write++] = c;
}

static bool map_is_right(const struct actual *a, const struct wanted_map *m)
{
	return a && a->n == m->n &&
	       (m->n == 0 || memcmp(a->entries, m->entries, m->n * sizeof(*m->entries)) == 0);
}

static void plan_map(struct plan *p, enum table_id layer, const char *name)
{
	const struct wanted_map *m = wanted_map_find(&p->t->layers[layer], name);
	char full[NFT_NAME_MAX];
	const struct actual *a;

	nft_name(full, layer, name);
	a = actual_find(&p->t->maps, full);
	if (!m || !m->refs) {
		if (a) {
			GROW(p->maps_gone, p->n_maps_gone);
			memcpy(p->maps_gone[p->n_maps_gone++], full, NFT_NAME_MAX);
		}
		return;
	}
	if (map_is_right(a, m))
		return;
	GROW(p->maps, p->n_maps);
	p->maps[p->n_maps].map = m;
	p->maps[p->n_maps].layer = layer;
	memcpy(p->maps[p->n_maps++].name, full, NFT_NAME_MAX);
}

/* Which layer's is it? false: none's. */
static bool split_name(const char *full, enum table_id *ret_layer, const char **ret_name)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		size_t n = strlen(table_names[i]);

		if (strncmp(full, table_names[i], n) == 0 && full[n] == '-') {
			*ret_layer = i;
			*ret_name = full + n + 1;
			return true;
		}
	}
	return false;
}

static void plan_gone(struct plan *p, const struct actual *a, bool map)
{
	enum table_id layer;
	const char *name;

	if (split_name(a->name, &layer, &name)) {
		const struct wanted *w = &p->t->layers[layer];
		const struct wanted_chain *c = wanted_chain_find(w, name);
		const struct wanted_map *m = wanted_map_find(w, name);

		if (map ? m && m->refs : (c && c->refs) || wanted_hook_find(w, name))
			return;
	}
	if (map) {
		GROW(p->maps_gone, p->n_maps_gone);
		memcpy(p->maps_gone[p->n_maps_gone++], a->name, NFT_NAME_MAX);
	} else {
		GROW(p->gone, p->n_gone);
		memcpy(p->gone[p->n_gone++], a->name, NFT_NAME_MAX);
	}
}

static void plan_everything(struct plan *p)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		const struct wanted *w = &p->t->layers[i];

		hmap_for_each (c, &w->chains, struct wanted_chain, node)
			if (c->refs)
				plan_chain(p, i, c->name);
		hmap_for_each (h, &w->hooks, struct wanted_hook, node)
			plan_chain(p, i, h->kernel_chain);
		hmap_for_each (m, &w->maps, struct wanted_map, node)
			if (m->refs)
				plan_map(p, i, m->name);
	}
	hmap_for_each (a, &p->t->chains, struct actual, node)
		plan_gone(p, a, false);
	hmap_for_each (b, &p->t->maps, struct actual, node)
		plan_gone(p, b, true);
}

static void plan_touched(struct plan *p)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		hmap_for_each (t, &p->t->layers[i].touched, struct touched, node) {
			plan_chain(p, i, t->name);
			plan_map(p, i, t->name);
		}
	}
}

/* ---- the batch */

/* Entries of a that b has not (with the same chain); both are sorted. */
static size_t put_entries(struct plan *p, const char *name, enum table_id layer,
                          const struct verdict *a, size_t n_a, const struct verdict *b, size_t n_b,
                          bool remove)
{
	struct nft_elements e;
	size_t k = 0, n = 0;

	nft_elements_begin(&e, &p->out, p->t->family, name, 0, remove);
	for (size_t i = 0; i < n_a; i++) {
		char chain[NFT_NAME_MAX];

		while (k < n_b && compare_verdicts(&b[k], &a[i]) < 0)
			k++;
		if (k < n_b && memcmp(&b[k], &a[i], sizeof(*a)) == 0)
			continue;
		nft_name(chain, layer, a[i].chain);
		nft_element_verdict(&e, a[i].iface, chain);
		n++;
	}
	nft_elements_end(&e);
	return n;
}

static void put_maps_before(struct plan *p)
{
	for (size_t i = 0; i < p->n_maps; i++) {
		const struct actual *a = actual_find(&p->t->maps, p->maps[i].name);

		if (!a) {
			nft_put_set(&p->out, p->t->family, p->maps[i].name, NFT_SET_VERDICTS,
			            ++p->set_id);
			p->changes++;
			continue;
		}
		p->changes += put_entries(p, p->maps[i].name, p->maps[i].layer, a->entries, a->n,
		                          p->maps[i].map->entries, p->maps[i].map->n, true);
	}
}

static void put_maps_after(struct plan *p)
{
	for (size_t i = 0; i < p->n_maps; i++) {
		const struct actual *a = actual_find(&p->t->maps, p->maps[i].name);

		p->changes +=
		        put_entries(p, p->maps[i].name, p->maps[i].layer, p->maps[i].map->entries,
		                    p->maps[i].map->n, a ? a->entries : NULL, a ? a->n : 0, false);
	}
}

static bool has_set(void *arg, const char *name)
{
	const struct nft_rules *t = arg;

	return t->link->rebuild || nft_sets_has(t->sets, name);
}

static int put_run(struct plan *p, const struct content *c, const struct chain *run,
                   struct err *err)
{
	struct nft_encoder enc = { .family = p->t->family,
		                   .layer = c->layer,
		                   .batch = &p->out,
		                   .set_id = p->set_id,
		                   .has_set = has_set,
		                   .arg = p->t };

	for (size_t i = 0; run && i < run->n_rules; i++) {
		CLEANUP(buf_done) struct buf expressions = { 0 };
		char comment[NFT_COMMENT_MAX];
		int rc = nft_encode(&enc, &run->rules[i], &expressions, err);

		if (rc < 0)
			return rc;
		nft_text_comment(comment, &run->rules[i]);
		nft_put_rule(&p->out, p->t->family, c->name, &expressions, comment);
	}
	p->set_id = enc.set_id;
	return 0;
}

/* A chain that cannot be made keeps what it has; the others go on. */
static void put_chain(struct plan *p, struct content *c)
{
	size_t before = p->out.len;
	struct err why = { 0 };
	int rc;

	if (actual_find(&p->t->chains, c->name))
		nft_put_chain_flush(&p->out, p->t->family, c->name);
	rc = put_run(p, c, c->runs[0], &why);
	if (rc == 0)
		rc = put_run(p, c, c->runs[1], &why);
	p->changes += 1 + c->n;
	if (c->chain)
		c->chain->failed = rc < 0;
	if (rc == 0)
		return;
	p->out.len = before;
	p->failed++;
	if (c->chain)
		snprintf(c->chain->why, sizeof(c->chain->why), "%.*s",
		         (int)sizeof(c->chain->why) - 1, why.text);
	c->n = SIZE_MAX; /* not written */
	log_warn("a chain cannot be made", "chain=%s why=%s", LOG_VIS(c->name), LOG_VIS(why.text));
}

static void build(struct plan *p)
{
	int family = p->t->family;

	put_maps_before(p);
	for (size_t i = 0; i < p->n_write; i++)
		if (!actual_find(&p->t->chains, p->write[i].name))
			nft_put_chain(&p->out, family, p->write[i].name, p->write[i].base);
	for (size_t i = 0; i < p->n_gone; i++)
		nft_put_chain_flush(&p->out, family, p->gone[i]);
	for (size_t i = 0; i < p->n_write; i++)
		put_chain(p, &p->write[i]);
	put_maps_after(p);
	for (size_t i = 0; i < p->n_maps_gone; i++)
		nft_put_set_delete(&p->out, family, p->maps_gone[i]);
	for (size_t i = 0; i < p->n_gone; i++)
		nft_put_chain_delete(&p->out, family, p->gone[i]);
	p->changes += p->n_gone + p->n_maps_gone;
}

/* ---- after it */

static void remember_map(struct nft_rules *t, const char *name, const struct wanted_map *m)
{
	struct actual *a = actual_get(&t->maps, name);

	free(a->entries);
	a->entries = xcalloc(m->n + 1, sizeof(*a->entries));
	if (m->n)
		memcpy(a->entries, m->entries, m->n * sizeof(*a->entries));
	a->n = m->n;
}

static void remember(struct plan *p)
{
	struct nft_rules *t = p->t;

	for (size_t i = 0; i < p->n_write; i++) {
		const struct content *c = &p->write[i];
		struct actual *a = actual_get(&t->chains, c->name);

		a->base = c->base != NULL;
		if (c->n == SIZE_MAX)
			continue;
		a->n = c->n;
		a->identity = c->identity;
	}
	for (size_t i = 0; i < p->n_gone; i++)
		actual_drop(&t->chains, p->gone[i]);
	for (size_t i = 0; i < p->n_maps_gone; i++)
		actual_drop(&t->maps, p->maps_gone[i]);
	for (size_t i = 0; i < p->n_maps; i++)
		remember_map(t, p->maps[i].name, p->maps[i].map);
}

/* What could not be made is tried again: what it lacks may come. */
static void settle(struct plan *p)
{
	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		wanted_clear_touched(&p->t->layers[i]);
		p->t->layers[i].dirty = false;
	}
	for (size_t i = 0; i < p->n_write; i++)
		if (p->write[i].n == SIZE_MAX && p->write[i].chain)
			wanted_touch(&p->t->layers[p->write[i].layer], p->write[i].chain->name);
}

static int commit(struct plan *p, bool was_told, struct err *err)
{
	struct nft_rules *t = p->t;
	int rc = p->out.len ? nft_link_commit(t->link, &p->out, err) : 0;

	if (rc < 0)
		return rc;
	remember(p);
	if (p->out.len) {
		t->count.writes++;
		t->count.rules += p->changes;
		if (!was_told && t->read_once) {
			t->count.repairs++;
			log_warn("somebody changed our rules: put back", "changes=%zu", p->changes);
		}
	}
	t->count.failures += p->failed;
	settle(p);
	return 0;
}

/* Nothing of the old table is kept, nothing of it is relied on; no packet sees it missing. */
static int rebuild(struct nft_rules *t, struct err *err)
{
	CLEANUP(plan_done) struct plan p = { .t = t };
	int rc;

	log_warn("table " NFT_TABLE " of nftables is made anew", "%s", "");
	actual_clear(&t->chains);
	actual_clear(&t->maps);
	nft_put_table_delete(&p.out, t->family);
	nft_put_table(&p.out, t->family, false);
	nft_sets_put_all(t->sets, &p.out);
	p.set_id = (uint32_t)nft_sets_ops.stats(t->sets).sets;
	plan_everything(&p);
	build(&p);
	rc = commit(&p, true, err);
	if (rc < 0) {
		t->doubt = true;
		nft_sets_ops.doubt(t->sets);
		return rc;
	}
	nft_sets_all_there(t->sets);
	t->count.repairs++;
	t->doubt = t->link->rebuild = false;
	return 0;
}

static int apply_once(struct nft_rules *t, struct err *err)
{
	CLEANUP(plan_done) struct plan p = { .t = t };
	bool all = t->doubt, was_told = false;
	int rc;

	for (unsigned i = 0; i < TABLE_COUNT; i++)
		was_told = was_told || t->layers[i].dirty;
	if (t->link->rebuild)
		return rebuild(t, err);
	if (t->doubt) {
		rc = read_table(t, err);
		if (rc < 0)
			return rc;
	}
	if (all)
		plan_everything(&p);
	else
		plan_touched(&p);
	if (t->link->rebuild)
		return rebuild(t, err);
	build(&p);
	rc = commit(&p, was_told, err);
	if (rc < 0)
		t->doubt = true;
	else
		t->read_once = true;
	return rc;
}

static int rules_apply(void *self, struct err *err)
{
	struct nft_rules *t = self;
	int rc;

	if (!rules_pending(t))
		return 0;
	rc = apply_once(t, err);
	if (rc == 0 || rc == -EAGAIN) {
		t->failures_in_a_row = 0;
		return rc;
	}
	t->count.failures++;
	if (++t->failures_in_a_row >= FAILURES_BEFORE_REBUILD)
		t->link->rebuild = true;
	return err_wrap(err, rc, "table " NFT_TABLE " of nftables");
}

/* ---- answers */

static bool rules_chain_failed(const void *self, enum table_id table, const char *name,
                               struct err *err)
{
	return wanted_chain_failed(&((const struct nft_rules *)self)->layers[table], name, err);
}

static struct ruleset_stats rules_stats(const void *self)
{
	const struct nft_rules *t = self;
	struct ruleset_stats s = { .reads = t->count.reads,
		                   .writes = t->count.writes,
		                   .rules = t->count.rules,
		                   .repairs = t->count.repairs,
		                   .failures = t->count.failures };

	for (unsigned i = 0; i < TABLE_COUNT; i++) {
		wanted_count(&t->layers[i], &s.table[i].chains, &s.table[i].rules);
		s.chains += s.table[i].chains;
		s.rules_wanted += s.table[i].rules;
	}
	return s;
}

static void rules_each_chain(const void *self,
                             void (*fn)(void *arg, enum table_id table, const struct chain *c),
                             void *arg)
{
	const struct nft_rules *t = self;

	for (unsigned i = 0; i < TABLE_COUNT; i++)
		hmap_for_each (c, &t->layers[i].chains, struct wanted_chain, node)
			if (c->refs && c->chain)
				fn(arg, i, c->chain);
}

static void rules_text(const void *self, struct buf *out, enum table_id table, const char *chain,
                       const struct rule *r)
{
	(void)chain;
	nft_text_rule(out, table, ((const struct nft_rules *)self)->family, r);
}

const struct ruleset_ops nft_rules_ops = {
	.set_chain = rules_set_chain,
	.remove_chain = rules_remove_chain,
	.prune = rules_prune,
	.set_hook = rules_set_hook,
	.set_map = rules_set_map,
	.doubt = rules_doubt,
	.pending = rules_pending,
	.apply = rules_apply,
	.chain_failed = rules_chain_failed,
	.stats = rules_stats,
	.each_chain = rules_each_chain,
	.text = rules_text,
	.free = rules_free,
};
