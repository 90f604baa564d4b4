/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/counters.h"

#include <errno.h>
#include <libiptc/libiptc.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "felixd/dataplane/dataplane_i.h"
#include "felixd/dataplane/iptables_encode.h"

struct reading {
	struct xtc_handle *h;
	void (*fn)(void *arg, const char *json);
	void *arg;
};

static void free_handle(struct xtc_handle **h)
{
	if (*h)
		iptc_free(*h);
}

/* ---- whose chain it is: the comment of its first rule, "NetworkPolicy ns/name ingress" */

struct owner {
	char *kind, *ns, *name;
	const char *direction;
};

static void owner_done(struct owner *o)
{
	free(o->kind);
	free(o->ns);
	free(o->name);
}

static bool owner_read(const struct chain *c, struct owner *ret)
{
	const char *text = c->n_rules && c->rules[0].n_comments ? c->rules[0].comments[0] : "";
	const char *first = strchr(text, ' '), *last = strrchr(text, ' '), *slash;

	if (!first || first == last)
		return false;
	if (strcmp(last, " ingress") != 0 && strcmp(last, " egress") != 0)
		return false;
	slash = memchr(first, '/', (size_t)(last - first));
	*ret = (struct owner){
		.kind = xstrndup(text, (size_t)(first - text)),
		.ns = slash ? xstrndup(first + 1, (size_t)(slash - first - 1)) : xstrdup(""),
		.direction = last + 1,
	};
	if (!slash)
		slash = first;
	ret->name = xstrndup(slash + 1, (size_t)(last - slash - 1));
	return true;
}

/* ---- chains */

static bool chain_counts(const struct chain *c)
{
	for (size_t i = 0; i < c->n_rules; i++)
		if (c->rules[i].counts)
			return true;
	return false;
}

/* The kernel's rules of the chain beside the wanted ones. false: they are others. */
static bool read_rules(struct reading *r, const struct chain *c, struct jsonw *w)
{
	size_t i = 0;

	for (const struct ipt_entry *e = iptc_first_rule(c->name, r->h); e;
	     e = iptc_next_rule(e, r->h), i++) {
		char id[RULE_ID_MAX];

		iptables_entry_id(e, e->next_offset, id);
		if (i >= c->n_rules || strcmp(id, c->rules[i].id) != 0)
			return false;
		if (!c->rules[i].counts)
			continue;
		jsonw_object(w, NULL);
		jsonw_u64(w, "index", c->rules[i].counts - 1);
		jsonw_u64(w, "packets", e->counters.pcnt);
		jsonw_u64(w, "bytes", e->counters.bcnt);
		jsonw_end_object(w);
	}
	return i == c->n_rules;
}

static void dump_chain(void *arg, enum table_id table, const struct chain *c)
{
	CLEANUP(owner_done) struct owner o = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct reading *r = arg;
	struct jsonw w;

	if (table != TABLE_FILTER || !chain_counts(c) || !iptc_is_chain(c->name, r->h) ||
	    !owner_read(c, &o))
		return;
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "kind", o.kind);
	jsonw_str(&w, "namespace", o.ns);
	jsonw_str(&w, "name", o.name);
	jsonw_str(&w, "direction", o.direction);
	jsonw_str(&w, "chain", c->name);
	jsonw_array(&w, "rules");
	if (!read_rules(r, c, &w))
		return;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	r->fn(r->arg, buf_cstr(&out));
}

int counters_dump(const struct dataplane *dp, void (*fn)(void *arg, const char *json), void *arg,
                  struct err *err)
{
	CLEANUP(free_handle) struct xtc_handle *h = NULL;
	struct reading r = { .fn = fn, .arg = arg };

	if (dp->nft)
		return err_set(err, -EOPNOTSUPP, "those of nftables are not read");
	r.h = h = iptc_init("filter");
	if (!h)
		return err_set(err, errno ? -errno : -EIO, "iptables table filter: %s",
		               iptc_strerror(errno));
	dp->tables.ops->each_chain(dp->tables.self, dump_chain, &r);
	return 0;
}
