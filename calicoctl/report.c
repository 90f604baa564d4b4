/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/json/json.h"

struct report_address *report_add_address(struct report *r)
{
	if ((r->n_addresses & (r->n_addresses - 1)) == 0) /* room doubles at each power of two */
		r->addresses = xrealloc(r->addresses, (r->n_addresses ? r->n_addresses * 2 : 1) *
		                                              sizeof(*r->addresses));
	r->addresses[r->n_addresses] = (struct report_address){ 0 };
	return &r->addresses[r->n_addresses++];
}

struct report_handle *report_add_handle(struct report *r)
{
	if ((r->n_handles & (r->n_handles - 1)) == 0)
		r->handles = xrealloc(r->handles,
		                      (r->n_handles ? r->n_handles * 2 : 1) * sizeof(*r->handles));
	r->handles[r->n_handles] = (struct report_handle){ 0 };
	return &r->handles[r->n_handles++];
}

static void address_done(struct report_address *a)
{
	free(a->handle);
	free(a->pod);
	free(a->ns);
	free(a->node);
	free(a->type);
	free(a->created);
	for (size_t i = 0; i < a->n_owners; i++)
		free(a->owners[i]);
	free(a->owners);
}

static void handle_done(struct report_handle *h)
{
	free(h->id);
	free(h->uid);
	free(h->revision);
}

void report_done(struct report *r)
{
	for (size_t i = 0; i < r->n_addresses; i++)
		address_done(&r->addresses[i]);
	for (size_t i = 0; i < r->n_handles; i++)
		handle_done(&r->handles[i]);
	free(r->addresses);
	free(r->handles);
	free(r->version);
	free(r->cluster_guid);
	free(r->cluster_revision);
	free(r->cluster_type);
	*r = (struct report){ 0 };
}

static int by_ip(const void *a, const void *b)
{
	return ip_addr_cmp(&((const struct report_address *)a)->ip,
	                   &((const struct report_address *)b)->ip);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct report_handle *)a)->id, ((const struct report_handle *)b)->id);
}

void report_sort(struct report *r)
{
	if (r->n_addresses)
		qsort(r->addresses, r->n_addresses, sizeof(*r->addresses), by_ip);
	if (r->n_handles)
		qsort(r->handles, r->n_handles, sizeof(*r->handles), by_id);
}

/* ---- writing */

static void set_str(struct json *j, const char *key, const char *value)
{
	if (value && *value)
		json_add(j, key, json_new_str(value));
}

static struct json *address_tree(const struct report_address *a)
{
	struct json *j = json_new(JSON_OBJECT), *owners;
	char ip[IP_ADDR_STR_MAX], number[24];

	json_add(j, "ip", json_new_str(ip_addr_str(&a->ip, ip)));
	set_str(j, "handle", a->handle);
	if (a->has_sequence) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)a->sequence);
		json_add(j, "sequenceNumber", json_new_number(number));
	}
	set_str(j, "pod", a->pod);
	set_str(j, "namespace", a->ns);
	set_str(j, "node", a->node);
	set_str(j, "type", a->type);
	set_str(j, "creationTimestamp", a->created);
	json_add(j, "inUse", json_new_bool(a->in_use));
	if (a->borrowed)
		json_add(j, "borrowed", json_new_bool(true));
	if (a->cooling)
		json_add(j, "coolingDown", json_new_bool(true));
	owners = json_new(a->n_owners ? JSON_ARRAY : JSON_NULL);
	for (size_t i = 0; i < a->n_owners; i++)
		json_append(owners, json_new_str(a->owners[i]));
	json_add(j, "owners", owners);
	return j;
}

static struct json *handle_tree(const struct report_handle *h)
{
	struct json *j = json_new(JSON_OBJECT);

	json_add(j, "ID", json_new_str(h->id));
	json_add(j, "UID", h->uid ? json_new_str(h->uid) : json_new(JSON_NULL));
	json_add(j, "Revision", json_new_str(h->revision ? h->revision : ""));
	return j;
}

/* Upstream's map is in the order of the texts: 10.0.0.10 comes before 10.0.0.2. */
struct text_order {
	char text[IP_ADDR_STR_MAX];
	size_t first; /* of the addresses that are this one */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct text_order *)a)->text, ((const struct text_order *)b)->text);
}

static struct json *addresses_tree(const struct report *r)
{
	CLEANUP(free_p) struct text_order *order = xcalloc(r->n_addresses + 1, sizeof(*order));
	struct json *j = json_new(JSON_OBJECT);
	size_t n = 0;

	for (size_t i = 0; i < r->n_addresses; i++) {
		if (i && ip_addr_eq(&r->addresses[i].ip, &r->addresses[i - 1].ip))
			continue;
		ip_addr_str(&r->addresses[i].ip, order[n].text);
		order[n++].first = i;
	}
	qsort(order, n, sizeof(*order), by_text);
	for (size_t k = 0; k < n; k++) {
		const struct ip_addr *ip = &r->addresses[order[k].first].ip;
		struct json *list = json_new(JSON_ARRAY);

		for (size_t i = order[k].first;
		     i < r->n_addresses && ip_addr_eq(&r->addresses[i].ip, ip); i++)
			json_append(list, address_tree(&r->addresses[i]));
		json_add(j, order[k].text, list);
	}
	return j;
}

void report_write(const struct report *r, struct buf *out)
{
	struct json *j = json_new(JSON_OBJECT);

	json_add(j, "version", json_new_str(r->version ? r->version : ""));
	json_add(j, "clusterGUID", json_new_str(r->cluster_guid ? r->cluster_guid : ""));
	json_add(j, "datastoreLocked", json_new_bool(r->locked));
	json_add(j, "clusterInformationRevision",
	         json_new_str(r->cluster_revision ? r->cluster_revision : ""));
	json_add(j, "clusterType", json_new_str(r->cluster_type ? r->cluster_type : ""));
	json_add(j, "allocations", addresses_tree(r));
	if (r->n_handles) {
		struct json *handles = json_new(JSON_ARRAY);

		for (size_t i = 0; i < r->n_handles; i++)
			json_append(handles, handle_tree(&r->handles[i]));
		json_add(j, "leakedHandles", handles);
	}
	json_write(j, 2, out);
	json_free(j);
}

/* ---- reading */

/* A text that may be missing. */
static int read_str(const struct json *j, const char *key, char **ret, struct err *err)
{
	const struct json *v = json_get(j, key);

	if (!v || v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_STRING)
		return err_set(err, -EINVAL, "%s is %s, not a text", key, json_type_str(v->type));
	free(*ret);
	*ret = v->len ? xstrdup(v->text) : NULL;
	return 0;
}

static int read_bool(const struct json *j, const char *key, bool *ret, struct err *err)
{
	const struct json *v = json_get(j, key);

	if (!v || v->type == JSON_NULL)
		return 0;
	if (json_bool(v, ret) != 0)
		return err_set(err, -EINVAL, "%s is %s, not true or false", key,
		               json_type_str(v->type));
	return 0;
}

static int read_owners(const struct json *j, struct report_address *a, struct err *err)
{
	const struct json *list = json_get(j, "owners");

	if (!list || list->type == JSON_NULL)
		return 0;
	if (list->type != JSON_ARRAY)
		return err_set(err, -EINVAL, "owners is %s, not a list", json_type_str(list->type));
	a->owners = xcalloc(list->len + 1, sizeof(*a->owners));
	for (size_t i = 0; i < list->len; i++) {
		if (!json_str(list->items[i]))
			return err_set(err, -EINVAL, "owners[%zu] is not a text", i);
		a->owners[a->n_owners++] = xstrdup(json_str(list->items[i]));
	}
	return 0;
}

static int read_address(const struct json *j, const char *key, struct report_address *a,
                        struct err *err)
{
	const struct json *sequence = json_get(j, "sequenceNumber");
	CLEANUP(free_p) char *ip = NULL;
	int rc;

	if (j->type != JSON_OBJECT)
		return err_set(err, -EINVAL, "is %s, not an object", json_type_str(j->type));
	if ((rc = read_str(j, "ip", &ip, err)) != 0 ||
	    (rc = read_str(j, "handle", &a->handle, err)) != 0 ||
	    (rc = read_str(j, "pod", &a->pod, err)) != 0 ||
	    (rc = read_str(j, "namespace", &a->ns, err)) != 0 ||
	    (rc = read_str(j, "node", &a->node, err)) != 0 ||
	    (rc = read_str(j, "type", &a->type, err)) != 0 ||
	    (rc = read_str(j, "creationTimestamp", &a->created, err)) != 0 ||
	    (rc = read_bool(j, "inUse", &a->in_use, err)) != 0 ||
	    (rc = read_bool(j, "borrowed", &a->borrowed, err)) != 0 ||
	    (rc = read_bool(j, "coolingDown", &a->cooling, err)) != 0 ||
	    (rc = read_owners(j, a, err)) != 0)
		return rc;
	if (ip_addr_parse(ip ? ip : key, &a->ip) != 0)
		return err_set(err, -EINVAL, "ip is not an address");
	if (sequence && sequence->type != JSON_NULL) {
		a->has_sequence = true;
		if (json_u64(sequence, &a->sequence) != 0)
			return err_set(err, -EINVAL, "sequenceNumber is not a number of 64 bits");
	}
	return 0;
}

static int read_addresses(const struct json *j, struct report *r, struct err *err)
{
	const struct json *all = json_get(j, "allocations");

	if (!all || all->type == JSON_NULL)
		return 0;
	if (all->type != JSON_OBJECT)
		return err_set(err, -EINVAL, "allocations is %s, not an object",
		               json_type_str(all->type));
	for (size_t i = 0; i < all->len; i++) {
		const struct json *list = all->items[i];

		if (list->type != JSON_ARRAY)
			return err_set(err, -EINVAL, "allocations.%.64s is not a list",
			               all->keys[i]);
		for (size_t k = 0; k < list->len; k++)
			if (read_address(list->items[k], all->keys[i], report_add_address(r),
			                 err) != 0)
				return err_wrap(err, -EINVAL, "allocations.%.64s[%zu]",
				                all->keys[i], k);
	}
	return 0;
}

static int read_handles(const struct json *j, struct report *r, struct err *err)
{
	const struct json *all = json_get(j, "leakedHandles");

	if (!all || all->type == JSON_NULL)
		return 0;
	if (all->type != JSON_ARRAY)
		return err_set(err, -EINVAL, "leakedHandles is %s, not a list",
		               json_type_str(all->type));
	for (size_t i = 0; i < all->len; i++) {
		const struct json *item = all->items[i];
		struct report_handle h = { 0 };
		int rc = read_str(item, "ID", &h.id, err);

		if (rc == 0)
			rc = read_str(item, "UID", &h.uid, err);
		if (rc == 0)
			rc = read_str(item, "Revision", &h.revision, err);
		if (rc == 0 && !h.id)
			rc = err_set(err, -EINVAL, "ID is missing");
		if (rc) {
			handle_done(&h);
			return err_wrap(err, rc, "leakedHandles[%zu]", i);
		}
		*report_add_handle(r) = h;
	}
	return 0;
}

int report_read(const char *text, size_t len, struct report *ret, struct err *err)
{
	struct json *j = NULL;
	int rc;

	*ret = (struct report){ 0 };
	rc = json_parse(text, len, &j, err);
	if (rc)
		return rc;
	if (j->type != JSON_OBJECT)
		rc = err_set(err, -EINVAL, "is %s, not an object", json_type_str(j->type));
	if (rc || (rc = read_str(j, "version", &ret->version, err)) != 0 ||
	    (rc = read_str(j, "clusterGUID", &ret->cluster_guid, err)) != 0 ||
	    (rc = read_str(j, "clusterInformationRevision", &ret->cluster_revision, err)) != 0 ||
	    (rc = read_str(j, "clusterType", &ret->cluster_type, err)) != 0 ||
	    (rc = read_bool(j, "datastoreLocked", &ret->locked, err)) != 0 ||
	    (rc = read_addresses(j, ret, err)) != 0 || (rc = read_handles(j, ret, err)) != 0)
		goto out;
	report_sort(ret);
out:
	json_free(j);
	return rc;
}

/* ---- what several have in common */

/* The addresses of a sorted report that nothing uses: of those that stand there twice, none of
 * whose entries is in use; the last entry. */
static size_t unused(const struct report *r, const struct report_address **ret)
{
	size_t n = 0;

	for (size_t i = 0, end; i < r->n_addresses; i = end) {
		bool used = false;

		for (end = i;
		     end < r->n_addresses && ip_addr_eq(&r->addresses[end].ip, &r->addresses[i].ip);
		     end++)
			used = used || r->addresses[end].in_use || r->addresses[end].cooling;
		if (!used)
			ret[n++] = &r->addresses[end - 1];
	}
	return n;
}

static void leaked_addresses(const struct report *reports, size_t n, struct report *ret)
{
	const struct report_address **set = NULL;
	size_t have = 0;

	for (size_t i = 0; i < n; i++) {
		const struct report_address **found =
		        xcalloc(reports[i].n_addresses + 1, sizeof(*found));
		size_t seen = unused(&reports[i], found), kept = 0;

		for (size_t k = 0, p = 0; i && k < seen; k++) {
			while (p < have && ip_addr_cmp(&set[p]->ip, &found[k]->ip) < 0)
				p++;
			if (p < have && ip_addr_eq(&set[p]->ip, &found[k]->ip))
				found[kept++] = found[k];
		}
		have = i ? kept : seen;
		free(set);
		set = found;
	}
	for (size_t i = 0; i < have; i++) {
		struct report_address *a = report_add_address(ret);

		a->ip = set[i]->ip;
		a->handle = xstrdup(set[i]->handle);
		a->has_sequence = set[i]->has_sequence;
		a->sequence = set[i]->sequence;
	}
	free(set);
}

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool has_handle(const struct report *r, const struct report_handle *h)
{
	const struct report_handle *found =
	        r->n_handles ? bsearch(h, r->handles, r->n_handles, sizeof(*h), by_id) : NULL;

	return found && same(found->revision, h->revision);
}

void report_leaks(const struct report *reports, size_t n, struct report *ret)
{
	*ret = (struct report){ 0 };
	if (n == 0)
		return;
	leaked_addresses(reports, n, ret);
	for (size_t i = 0; i < reports[n - 1].n_handles; i++) {
		const struct report_handle *h = &reports[n - 1].handles[i];
		bool in_all = true;

		for (size_t k = 0; k + 1 < n && in_all; k++)
			in_all = has_handle(&reports[k], h);
		if (in_all)
			*report_add_handle(ret) =
			        (struct report_handle){ xstrdup(h->id), xstrdup(h->uid),
				                        xstrdup(h->revision) };
	}
}
