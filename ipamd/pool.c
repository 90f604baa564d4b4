/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipamd/pool.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"

const char *pool_use_str(enum pool_use u)
{
	return u == POOL_TUNNEL ? "Tunnel" : u == POOL_LOAD_BALANCER ? "LoadBalancer" : "Workload";
}

int pool_use_parse(const char *s, enum pool_use *ret)
{
	if (!s || !*s || strcmp(s, "Workload") == 0)
		*ret = POOL_WORKLOAD;
	else if (strcmp(s, "Tunnel") == 0)
		*ret = POOL_TUNNEL;
	else if (strcmp(s, "LoadBalancer") == 0)
		*ret = POOL_LOAD_BALANCER;
	else
		return -EINVAL;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	selector_unref(p->node_selector);
	selector_unref(p->namespace_selector);
	free(p->name);
	free(p);
}

struct pool *pool_new(const V3__IPPool *msg, struct err *err)
{
	const V3__IpPoolSpec *spec = msg->spec;
	struct pool *p = xcalloc(1, sizeof(*p));
	int64_t block_len;
	unsigned bits;

	if (!msg->metadata || !msg->metadata->name || !spec || !spec->cidr) {
		err_set(err, -EINVAL, "metadata.name or spec.cidr is missing");
		goto bad;
	}
	p->name = xstrdup(msg->metadata->name);
	if (ip_prefix_parse(spec->cidr, &p->cidr) < 0) {
		err_set(err, -EINVAL, "spec.cidr is not a CIDR");
		goto bad;
	}
	p->cidr = ip_prefix_network(&p->cidr);
	bits = ip_addr_bits(&p->cidr.addr);
	block_len = spec->has_blocksize && spec->blocksize ? spec->blocksize
	            : bits == 32                           ? 26
	                                                   : 122;
	if (block_len < (bits == 32 ? 20 : 116) || block_len > (int64_t)bits ||
	    block_len < p->cidr.len) {
		err_set(err, -EINVAL, "spec.blockSize %lld does not fit spec.cidr %s",
		        (long long)block_len, spec->cidr);
		goto bad;
	}
	p->block_len = (uint8_t)block_len;
	p->disabled = (spec->has_disabled && spec->disabled) || msg->metadata->deletiontimestamp;
	p->manual = spec->assignmentmode && strcmp(spec->assignmentmode, "Manual") == 0;
	for (size_t i = 0; i < spec->n_alloweduses; i++) {
		enum pool_use u;

		if (*spec->alloweduses[i] && pool_use_parse(spec->alloweduses[i], &u) == 0)
			p->uses |= (uint8_t)u;
	}
	if (spec->n_alloweduses == 0)
		p->uses = POOL_WORKLOAD | POOL_TUNNEL;
	if (selector_parse(spec->nodeselector, &p->node_selector, err) < 0) {
		err_wrap(err, -EINVAL, "spec.nodeSelector");
		goto bad;
	}
	if (spec->namespaceselector && *spec->namespaceselector &&
	    selector_parse(spec->namespaceselector, &p->namespace_selector, err) < 0) {
		err_wrap(err, -EINVAL, "spec.namespaceSelector");
		goto bad;
	}
	return p;
bad:
	pool_free(p);
	return NULL;
}

void pool_set_remove(struct pool_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->items[i]->name, name) != 0)
			continue;
		pool_free(s->items[i]);
		s->n--;
		memmove(s->items + i, s->items + i + 1, (s->n - i) * sizeof(*s->items));
		return;
	}
}

void pool_set_put(struct pool_set *s, struct pool *p)
{
	size_t at = 0;

	pool_set_remove(s, p->name);
	s->items = xrealloc(s->items, (s->n + 1) * sizeof(*s->items));
	while (at < s->n && strcmp(s->items[at]->name, p->name) < 0)
		at++;
	memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof(*s->items));
	s->items[at] = p;
	s->n++;
}

void pool_set_done(struct pool_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		pool_free(s->items[i]);
	free(s->items);
	*s = (struct pool_set){ 0 };
}

struct pool *pool_of_addr(const struct pool_set *s, const struct ip_addr *a)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->items[i]->disabled && ip_prefix_contains(&s->items[i]->cidr, a))
			return s->items[i];
	return NULL;
}

bool pool_selects_node(const struct pool *p, selector_lookup_fn *node_label, void *arg)
{
	return !p->disabled && selector_match(p->node_selector, node_label, arg);
}

/* A pool that the request names: selectors and assignmentMode do not count, its state and use do.
 */
static struct pool *find_wanted(const struct pool_set *s, const struct pool_request *r,
                                const char *wanted, struct err *err)
{
	struct ip_prefix cidr;
	bool is_cidr = ip_prefix_parse(wanted, &cidr) == 0;

	for (size_t i = 0; i < s->n; i++) {
		struct pool *p = s->items[i];

		if (is_cidr ? !ip_prefix_eq(&cidr, &p->cidr) : strcmp(p->name, wanted) != 0)
			continue;
		if (p->cidr.addr.family != r->family) {
			err_set(err, -ENOENT, "the given pool %s is not an %s pool", wanted,
			        r->family == AF_INET ? "IPv4" : "IPv6");
			return NULL;
		}
		if (p->disabled)
			break;
		if (!(p->uses & r->use)) {
			err_set(err, -ENOENT,
			        "the given pool %s does not allow the required use (%s)", wanted,
			        pool_use_str(r->use));
			return NULL;
		}
		return p;
	}
	err_set(err, -ENOENT, "the given pool (%s) does not exist, or is not enabled", wanted);
	return NULL;
}

/* NULL when p may serve a request that names no pool, else why not. */
static const char *misfit(const struct pool *p, const struct pool_request *r)
{
	if (p->disabled)
		return "is disabled";
	if (p->manual)
		return "has assignmentMode Manual";
	if (!selector_match(p->node_selector, r->node_label, r->arg))
		return "does not select this node";
	if (p->namespace_selector &&
	    !selector_match(p->namespace_selector, r->namespace_label, r->arg))
		return "does not select the namespace";
	if (!(p->uses & r->use))
		return "does not allow this use";
	return NULL;
}

int pool_select(const struct pool_set *s, const struct pool_request *r, struct pool ***ret,
                size_t *ret_n, struct err *err)
{
	CLEANUP(free_p) struct pool **out = xcalloc(s->n + r->n_wanted + 1, sizeof(*out));
	CLEANUP(buf_done) struct buf why = { 0 };
	size_t n = 0, of_family = 0;

	for (size_t i = 0; i < r->n_wanted; i++) {
		struct pool *p = find_wanted(s, r, r->wanted[i], err);
		size_t k = 0;

		if (!p)
			return -ENOENT;
		while (k < n && out[k] != p)
			k++;
		if (k == n)
			out[n++] = p;
	}
	for (size_t i = 0; i < s->n && r->n_wanted == 0; i++) {
		struct pool *p = s->items[i];
		const char *reason;

		if (p->cidr.addr.family != r->family)
			continue;
		of_family++;
		reason = misfit(p, r);
		if (!reason)
			out[n++] = p;
		else if (why.len < 256)
			buf_printf(&why, "%s %s %s", why.len ? "," : "", p->name, reason);
	}
	if (n == 0)
		return err_set(err, -ENOENT, "cannot find a qualified ippool for %s and use %s:%s",
		               r->family == AF_INET ? "IPv4" : "IPv6", pool_use_str(r->use),
		               of_family ? buf_cstr(&why) : " there is no pool of that family");
	*ret_n = n;
	*ret = take_ptr(&out);
	return 0;
}
