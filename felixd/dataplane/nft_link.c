/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/nft_link.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/nl/raw.h"
#include "common/nl/watch.h"
#include "felixd/dataplane/nft_msg.h"

#define COMMIT_TRIES 5

int nft_link_open(int family, struct nft_link **ret, struct err *err)
{
	struct nft_link *l = xcalloc(1, sizeof(*l));
	int rc = nl_conn_open(NETLINK_NETFILTER, -1, &l->conn, err);

	if (rc < 0) {
		free(l);
		return rc;
	}
	l->family = family;
	l->port = nl_conn_port(l->conn);
	*ret = l;
	return 0;
}

void nft_link_close(struct nft_link *l)
{
	if (!l)
		return;
	nl_conn_close(l->conn);
	free(l);
}

static int parse(const struct nlmsghdr *h, struct nft_reply *ret)
{
	return nft_msg_parse(h->nlmsg_type, cursor_of(NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0)), ret);
}

bool nft_link_event(struct nft_link *l, const struct nlmsghdr *h)
{
	struct nft_reply r;

	if (h->nlmsg_pid == l->port || parse(h, &r) < 0 || !r.ours || r.family != l->family)
		return false;
	l->foreign = true;
	return true;
}

static int on_generation(const struct nlmsghdr *h, void *arg)
{
	struct nft_reply r;

	if (h && parse(h, &r) == 0 && r.msg == NFT_MSG_NEWGEN)
		*(uint32_t *)arg = r.generation;
	return 0;
}

int nft_link_generation(struct nft_link *l, uint32_t *ret, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	nft_ask(&b, l->family);
	rc = nl_get(l->conn, nl_raw(nft_msg_type(NFT_MSG_GETGEN), 0, b.data, b.len), on_generation,
	            ret, err);
	return rc < 0 ? err_wrap(err, rc, "asking for the generation of nftables") : 0;
}

/* What is queued is told now: it may be about our table. */
static void hear(struct nft_link *l)
{
	if (l->watch && nl_watch_drain(l->watch))
		l->foreign = true; /* or not: it was lost */
}

int nft_link_commit(struct nft_link *l, const struct buf *messages, struct err *err)
{
	int rc = -EAGAIN;

	for (unsigned i = 0; i < COMMIT_TRIES; i++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		uint32_t generation = 0;

		rc = nft_link_generation(l, &generation, err);
		if (rc < 0)
			return rc;
		hear(l);
		if (l->foreign)
			return err_set(err, -EAGAIN, "somebody else has changed our table");
		nft_batch_begin(&b, generation);
		nft_put_table(&b, l->family, true);
		buf_add(&b, messages->data, messages->len);
		nft_batch_end(&b);
		l->batches++;
		rc = nl_transact(l->conn, b.data, b.len, NULL, NULL, err);
		if (rc != -ERESTART)
			return rc;
	}
	return err_set(err, -EAGAIN, "somebody changes nftables again and again");
}

static int send_batch(struct nft_link *l, void (*put)(struct buf *out, int family), struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	size_t at;

	nft_batch_begin(&b, 0);
	at = b.len;
	put(&b, l->family);
	/* The proof that it was taken. */
	((struct nlmsghdr *)(void *)(b.data + at))->nlmsg_flags |= NLM_F_ACK;
	nft_batch_end(&b);
	return nl_transact(l->conn, b.data, b.len, NULL, NULL, err);
}

/*
 * In two steps: a packet that is on its way through the rules while they are deleted still meets
 * them, but no longer finds the elements of their sets and maps: it would be dropped as one of an
 * unknown interface.
 */
int nft_link_remove_table(struct nft_link *l, bool *ret_was, struct err *err)
{
	int rc = send_batch(l, nft_put_table_dormant, err);

	if (rc == 0)
		rc = send_batch(l, nft_put_table_delete, err);
	*ret_was = rc == 0;
	return rc == -ENOENT ? 0 : rc;
}

static int on_chain(const struct nlmsghdr *h, void *arg)
{
	struct nft_reply r;

	if (h && parse(h, &r) == 0 && r.msg == NFT_MSG_NEWCHAIN &&
	    strcmp(r.table, "kube-proxy") == 0)
		*(bool *)arg = true;
	return 0;
}

int nft_link_kube_proxy(struct nft_link *l, bool *ret, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	*ret = false;
	nft_ask(&b, l->family);
	rc = nl_dump_all(l->conn, nl_raw(nft_msg_type(NFT_MSG_GETCHAIN), 0, b.data, b.len),
	                 on_chain, ret, err);
	return rc < 0 ? err_wrap(err, rc, "listing nftables' chains") : 0;
}
