/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/forget.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/hmap.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/dataplane/conntrack.h"

#define GATHER_MS 50 /* for all that leave together */

struct suspect {
	struct hmap_node node;
	struct ip_addr addr;
};

struct forget {
	struct nl_conn *conn;
	struct ip_addr *gone;
	size_t n;
	struct mono_ms due;
	struct hmap suspects;
};

struct forget *forget_new(struct nl_conn *conn)
{
	struct forget *f = xcalloc(1, sizeof(*f));

	f->conn = conn;
	return f;
}

void forget_free(struct forget *f)
{
	struct err ignored;

	if (!f)
		return;
	(void)forget_now(f, &ignored); /* nobody else knows of them */
	hmap_for_each (s, &f->suspects, struct suspect, node)
		free(s);
	hmap_done(&f->suspects);
	free(f->gone);
	free(f);
}

bool forget_holds(const struct forget *f, const struct ip_addr *addr)
{
	for (size_t i = 0; i < f->n; i++)
		if (ip_addr_eq(&f->gone[i], addr))
			return true;
	return false;
}

void forget_add(struct forget *f, const struct ip_addr *addr)
{
	if (forget_holds(f, addr))
		return;
	if (f->n == 0)
		f->due = mono_after(mono_now(), GATHER_MS);
	if ((f->n & (f->n - 1)) == 0)
		f->gone = xrealloc(f->gone, (f->n ? 2 * f->n : 1) * sizeof(*f->gone));
	f->gone[f->n++] = *addr;
}

int64_t forget_due_ms(const struct forget *f)
{
	int64_t left;

	if (f->n == 0)
		return -1;
	left = -mono_since_ms(f->due);
	return left < 0 ? 0 : left;
}

int forget_now(struct forget *f, struct err *err)
{
	int rc;

	if (f->n == 0)
		return 0;
	rc = conntrack_flush(f->conn, f->gone, f->n, err);
	if (rc < 0) {
		f->due = mono_after(mono_now(), GATHER_MS);
		return rc;
	}
	log_debug("connections forgotten", "addresses=%zu connections=%d", f->n, rc);
	free(f->gone);
	f->gone = NULL;
	f->n = 0;
	return rc;
}

/* ---- suspects */

struct look {
	struct forget *f;
	bool (*pass)(void *arg, const struct ip_addr *addr);
	void *arg;
};

static struct suspect *find(const struct forget *f, const struct ip_addr *addr)
{
	hmap_find(s, &f->suspects, ip_addr_hash(addr), struct suspect, node,
	          ip_addr_eq(&s->addr, addr));
	return s;
}

static void on_address(void *arg, const struct ip_addr *addr)
{
	struct look *l = arg;
	struct suspect *s;

	if (find(l->f, addr) || (l->pass && !l->pass(l->arg, addr)))
		return;
	s = xcalloc(1, sizeof(*s));
	s->addr = *addr;
	hmap_insert(&l->f->suspects, &s->node, ip_addr_hash(addr));
}

int forget_suspect(struct forget *f, int family,
                   bool (*pass)(void *arg, const struct ip_addr *addr), void *arg, struct err *err)
{
	struct look l = { f, pass, arg };

	return conntrack_each_addr(f->conn, family, on_address, &l, err);
}

bool forget_clear(struct forget *f, const struct ip_addr *addr)
{
	struct suspect *s = find(f, addr);

	if (!s)
		return false;
	hmap_remove(&f->suspects, &s->node);
	free(s);
	return true;
}
