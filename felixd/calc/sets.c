/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/calc/sets.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "common/model/selector.h"

struct member {
	struct hmap_node node;
	struct member *next_changed; /* of the set's, until the next telling */
	struct calc_member m;
	bool changed, told;
	unsigned refs;
};

struct ip_set {
	struct hmap_node node;
	struct index_selector isel;
	struct list dirty;
	struct member *changed; /* what is and what was told may differ */
	struct hmap members;    /* also those that are gone, while they are on that list */
	char *id;
	enum set_source source;
	enum calc_set_type type;
	struct selector *sel;
	uint8_t protocol;
	bool told;
	char *port;
	unsigned wanted;
};

void contribution_done(struct contribution *c)
{
	for (uint32_t i = 0; i < c->n_ports; i++)
		free(c->ports[i].name);
	free(c->ports);
	free(c->nets);
	*c = (struct contribution){ 0 };
}

/* ---- members */

static void touch(struct sets *s, struct ip_set *set)
{
	if (list_empty(&set->dirty))
		list_push_back(&s->dirty, &set->dirty);
}

static bool member_eq(const struct calc_member *a, const struct calc_member *b)
{
	return a->protocol == b->protocol && a->port == b->port && ip_prefix_eq(&a->net, &b->net);
}

static struct member *member_get(struct ip_set *set, const struct calc_member *m, bool add)
{
	uint32_t hash = hash_mix(ip_prefix_hash(&m->net), (uint32_t)m->protocol << 16 | m->port);

	hmap_find(it, &set->members, hash, struct member, node, member_eq(&it->m, m));
	if (!it) {
		if (!add)
			abort(); /* what is taken away was given before */
		it = xcalloc(1, sizeof(*it));
		it->m = *m;
		hmap_insert(&set->members, &it->node, hash);
	}
	return it;
}

static void member_count(struct sets *s, struct ip_set *set, const struct calc_member *m, bool add)
{
	struct member *it = member_get(set, m, add);

	if (add ? it->refs++ > 0 : --it->refs > 0)
		return;
	s->n_members += add ? 1 : (size_t)-1;
	if (!it->changed) {
		it->changed = true;
		it->next_changed = set->changed;
		set->changed = it;
	}
	touch(s, set);
}

/* hash:net cannot hold a /0: two halves. */
static void net_count(struct sets *s, struct ip_set *set, const struct ip_prefix *net, bool add)
{
	struct calc_member m = { .net = *net };

	if (net->len > 0) {
		member_count(s, set, &m, add);
		return;
	}
	m.net.len = 1;
	member_count(s, set, &m, add);
	m.net.addr.bytes[0] = 0x80;
	member_count(s, set, &m, add);
}

static void ports_count(struct sets *s, struct ip_set *set, const struct contribution *c, bool add)
{
	for (uint32_t p = 0; p < c->n_ports; p++) {
		const struct named_port *np = &c->ports[p];

		if (strcmp(np->name, set->port) != 0 ||
		    (set->protocol != SET_PROTOCOL_ANY && set->protocol != np->protocol))
			continue;
		for (uint32_t i = 0; i < c->n_nets; i++) {
			struct calc_member m = { .net = c->nets[i],
				                 .protocol = np->protocol,
				                 .port = np->port };

			member_count(s, set, &m, add);
		}
	}
}

static void contribute(struct sets *s, struct ip_set *set, const struct contribution *c, bool add)
{
	if (set->source == SET_OF_NAMED_PORT) {
		ports_count(s, set, c, add);
		return;
	}
	for (uint32_t i = 0; i < c->n_nets; i++)
		net_count(s, set, &c->nets[i], add);
}

static void on_match(void *arg, struct index_selector *isel, struct index_item *item, bool was,
                     bool is)
{
	struct sets *s = arg;
	struct ip_set *set = container_of(isel, struct ip_set, isel);
	struct set_source_item *src = container_of(item, struct set_source_item, item);

	if (was && is && !src->was)
		return;
	if (is) /* first what is: a member that stays never goes */
		contribute(s, set, &src->now, true);
	if (was)
		contribute(s, set, src->was ? src->was : &src->now, false);
}

/* ---- sources */

void sets_source_set(struct sets *s, struct set_source_item *src, const struct index_kv *labels,
                     size_t n, struct index_parent *const *parents, size_t n_parents,
                     const struct contribution *now)
{
	struct contribution was = src->now;

	src->now = *now;
	src->was = &was;
	index_item_set(&s->index, &src->item, labels, n, parents, n_parents);
	src->was = NULL;
	contribution_done(&was);
}

void sets_source_remove(struct sets *s, struct set_source_item *src)
{
	index_item_remove(&s->index, &src->item);
	contribution_done(&src->now);
}

/* ---- sets */

static struct ip_set *set_find(const struct sets *s, const char *id)
{
	hmap_find(set, &s->all, hash_str(id), struct ip_set, node, strcmp(set->id, id) == 0);
	return set;
}

static void set_new(struct sets *s, const struct set_spec *spec)
{
	struct ip_set *set = xcalloc(1, sizeof(*set));

	set->id = xstrdup(spec->id);
	set->source = spec->source;
	set->type = spec->type;
	set->sel = spec->sel ? selector_ref(spec->sel) : NULL;
	set->protocol = spec->protocol;
	set->port = xstrdup(spec->port);
	set->wanted = 1;
	list_init(&set->dirty);
	hmap_insert(&s->all, &set->node, hash_str(set->id));
	touch(s, set);
	if (set->source != SET_OF_SERVICE)
		index_selector_add(&s->index, &set->isel, set->sel);
}

static void set_free(struct sets *s, struct ip_set *set)
{
	index_selector_remove(&s->index, &set->isel, false);
	hmap_for_each (m, &set->members, struct member, node) {
		s->n_members -= m->refs > 0;
		free(m);
	}
	hmap_done(&set->members);
	list_unlink(&set->dirty);
	hmap_remove(&s->all, &set->node);
	selector_unref(set->sel);
	free(set->port);
	free(set->id);
	free(set);
}

void sets_want(struct sets *s, const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_specs; i++) {
		struct ip_set *set = set_find(s, rules->specs[i].id);

		if (set)
			set->wanted++;
		else
			set_new(s, &rules->specs[i]);
	}
}

void sets_unwant(struct sets *s, const struct rules *rules)
{
	for (size_t i = 0; i < rules->n_specs; i++) {
		struct ip_set *set = set_find(s, rules->specs[i].id);

		if (--set->wanted == 0)
			touch(s, set);
	}
}

/* ---- telling */

struct members {
	struct calc_member *v;
	size_t n;
};

static void collect(struct members *to, const struct calc_member *m, size_t room)
{
	if (!to->v)
		to->v = xcalloc(room, sizeof(*to->v));
	to->v[to->n++] = *m;
}

static void tell_set(struct ip_set *set, const struct calc_output_ops *ops, void *arg)
{
	struct members added = { 0 }, removed = { 0 };
	size_t room = 0;

	for (struct member *m = set->changed; m; m = m->next_changed)
		room++;
	while (set->changed) {
		struct member *m = set->changed;

		set->changed = m->next_changed;
		m->changed = false;
		if (m->told !=
		    (m->refs > 0)) /* else it came and went unnoticed, or the other way round */
			collect(m->refs ? &added : &removed, &m->m, room);
		m->told = m->refs > 0;
		if (!m->told) {
			hmap_remove(&set->members, &m->node);
			free(m);
		}
	}
	if (!set->told)
		ops->set_new(arg, set->id, set->type, added.v, added.n);
	else if (added.n || removed.n)
		ops->set_delta(arg, set->id, added.v, added.n, removed.v, removed.n);
	set->told = true;
	free(added.v);
	free(removed.v);
}

bool sets_dirty(const struct sets *s)
{
	return !list_empty(&s->dirty);
}

void sets_tell_updates(struct sets *s, const struct calc_output_ops *ops, void *arg)
{
	for (int pass = 0; pass < 2; pass++) { /* new sets before changes of old ones */
		list_for_each_safe (it, &s->dirty) {
			struct ip_set *set = list_entry(it, struct ip_set, dirty);

			if (!set->wanted || (pass == 0 && set->told))
				continue;
			list_unlink(it);
			tell_set(set, ops, arg);
		}
	}
}

void sets_tell_removals(struct sets *s, const struct calc_output_ops *ops, void *arg)
{
	list_for_each_safe (it, &s->dirty) {
		struct ip_set *set = list_entry(it, struct ip_set, dirty);

		if (set->wanted)
			continue;
		if (set->told)
			ops->set_remove(arg, set->id);
		set_free(s, set);
	}
}

/* ---- the whole */

void sets_init(struct sets *s)
{
	*s = (struct sets){ 0 };
	list_init(&s->dirty);
	index_init(&s->index, on_match, s);
}

void sets_done(struct sets *s)
{
	hmap_for_each (set, &s->all, struct ip_set, node)
		set_free(s, set);
	hmap_done(&s->all);
	index_done(&s->index);
}

size_t sets_count(const struct sets *s)
{
	return s->all.n;
}

static void dump_member(struct jsonw *w, const struct calc_member *m)
{
	char net[IP_PREFIX_STR_MAX], addr[IP_ADDR_STR_MAX];

	if (!m->protocol) {
		jsonw_str(w, NULL, ip_prefix_str(&m->net, net));
		return;
	}
	jsonw_strf(w, NULL, "%s,%s:%u", ip_addr_str(&m->net.addr, addr),
	           m->protocol == 17    ? "udp"
	           : m->protocol == 132 ? "sctp"
	                                : "tcp",
	           m->port);
}

void sets_dump(const struct sets *s, void (*fn)(void *arg, const char *section, const char *json),
               void *arg)
{
	hmap_for_each (set, &s->all, struct ip_set, node) {
		struct buf b = { 0 };
		struct jsonw w;

		jsonw_init(&w, &b);
		jsonw_object(&w, NULL);
		jsonw_str(&w, "id", set->id);
		jsonw_str(&w, "type", set->type == CALC_SET_NET ? "net" : "ip,port");
		if (set->sel)
			jsonw_str(&w, "selector", selector_str(set->sel));
		if (set->port)
			jsonw_str(&w, "port", set->port);
		jsonw_u64(&w, "wantedBy", set->wanted);
		jsonw_array(&w, "members");
		hmap_for_each (m, &set->members, struct member, node)
			if (m->refs)
				dump_member(&w, &m->m);
		jsonw_end_array(&w);
		jsonw_end_object(&w);
		fn(arg, "set", buf_cstr(&b));
		buf_done(&b);
	}
}
