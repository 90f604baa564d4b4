/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/counters.h"

#include <errno.h>
#include <libiptc/libiptc.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "common/nl/raw.h"
#include "felixd/dataplane/dataplane_i.h"
#include "felixd/dataplane/iptables_encode.h"
#include "felixd/dataplane/nft_link.h"
#include "felixd/dataplane/nft_msg.h"

#define READ_TRIES 3

/* A rule of ours in the kernel, by its hash, which covers its chain's name and all rules before it.
 */
struct counter {
	struct hmap_node node;
	char id[RULE_ID_MAX];
	uint64_t packets, bytes;
};

struct reading {
	struct hmap counters;
	void (*fn)(void *arg, const char *json);
	void *arg;
};

static void reading_done(struct reading *r)
{
	hmap_for_each (c, &r->counters, struct counter, node)
		free(c);
	hmap_done(&r->counters);
}

static const struct counter *find(const struct reading *r, const char *id)
{
	hmap_find(c, &r->counters, hash_str(id), struct counter, node, strcmp(c->id, id) == 0);
	return c;
}

static void add(struct reading *r, const char *id, uint64_t packets, uint64_t bytes)
{
	struct counter *c;

	if (!*id || find(r, id))
		return;
	c = xcalloc(1, sizeof(*c));
	strcpy(c->id, id);
	c->packets = packets;
	c->bytes = bytes;
	hmap_insert(&r->counters, &c->node, hash_str(id));
}

/* ---- the kernel's */

static void free_handle(struct xtc_handle **h)
{
	if (*h)
		iptc_free(*h);
}

static int read_iptables(struct reading *r, struct err *err)
{
	CLEANUP(free_handle) struct xtc_handle *h = iptc_init("filter");

	if (!h)
		return err_set(err, errno ? -errno : -EIO, "iptables table filter: %s",
		               iptc_strerror(errno));
	for (const char *chain = iptc_first_chain(h); chain; chain = iptc_next_chain(h)) {
		for (const struct ipt_entry *e = iptc_first_rule(chain, h); e;
		     e = iptc_next_rule(e, h)) {
			char id[RULE_ID_MAX];

			iptables_entry_id(e, e->next_offset, id);
			add(r, id, e->counters.pcnt, e->counters.bcnt);
		}
	}
	return 0;
}

static int on_rule(const struct nlmsghdr *h, void *arg)
{
	struct reading *r = arg;
	struct nft_reply m;
	uint64_t packets, bytes;

	if (!h)
		return -EAGAIN; /* they changed meanwhile */
	if (nft_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), &m) < 0)
		return -EBADMSG;
	if (m.msg == NFT_MSG_NEWRULE && m.ours && nft_rule_counter(m.expressions, &packets, &bytes))
		add(r, m.id, packets, bytes);
	return 0;
}

static int read_nftables(struct reading *r, struct nft_link *link, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc = -EAGAIN;

	nft_ask_table(&b, link->family);
	for (unsigned i = 0; i < READ_TRIES && (rc == -EAGAIN || rc == -EINTR); i++)
		rc = nl_dump_all(link->conn,
		                 nl_raw(nft_msg_type(NFT_MSG_GETRULE), 0, b.data, b.len), on_rule,
		                 r, err);
	return rc;
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

/* false: a rule is not in the kernel. */
static bool write_rules(const struct reading *r, const struct chain *c, struct jsonw *w)
{
	for (size_t i = 0; i < c->n_rules; i++) {
		const struct counter *k = find(r, c->rules[i].id);

		if (!c->rules[i].counts)
			continue;
		if (!k)
			return false;
		jsonw_object(w, NULL);
		jsonw_u64(w, "index", c->rules[i].counts - 1);
		jsonw_u64(w, "packets", k->packets);
		jsonw_u64(w, "bytes", k->bytes);
		jsonw_end_object(w);
	}
	return true;
}

static void dump_chain(void *arg, enum table_id table, const struct chain *c)
{
	CLEANUP(owner_done) struct owner o = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct reading *r = arg;
	struct jsonw w;

	if (table != TABLE_FILTER || !chain_counts(c) || !owner_read(c, &o))
		return;
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "kind", o.kind);
	jsonw_str(&w, "namespace", o.ns);
	jsonw_str(&w, "name", o.name);
	jsonw_str(&w, "direction", o.direction);
	jsonw_str(&w, "chain", c->name);
	jsonw_array(&w, "rules");
	if (!write_rules(r, c, &w))
		return;
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	r->fn(r->arg, buf_cstr(&out));
}

int counters_dump(const struct dataplane *dp, void (*fn)(void *arg, const char *json), void *arg,
                  struct err *err)
{
	CLEANUP(reading_done) struct reading r = { .fn = fn, .arg = arg };
	int rc = dp->nft ? read_nftables(&r, dp->nft, err) : read_iptables(&r, err);

	if (rc == 0)
		dp->tables.ops->each_chain(dp->tables.self, dump_chain, &r);
	return rc;
}
