/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/jsonw.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define INDENT 4

static const char *const versions[] = { "0.3.1", "0.4.0", "1.0.0" };

bool cni_version_supported(const char *version)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (strcmp(version, versions[i]) == 0)
			return true;
	return false;
}

void cni_versions_write(struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "cniVersion", versions[ARRAY_SIZE(versions) - 1]);
	jsonw_array(&w, "supportedVersions");
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		jsonw_str(&w, NULL, versions[i]);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	buf_str(out, "\n");
}

void cni_result_done(struct cni_result *r)
{
	for (size_t i = 0; i < r->n_interfaces; i++)
		free(r->interfaces[i].sandbox);
	*r = (struct cni_result){ 0 };
}

static void write_interfaces(struct jsonw *w, const struct cni_result *r)
{
	jsonw_array(w, "interfaces");
	for (size_t i = 0; i < r->n_interfaces; i++) {
		const struct cni_interface *f = &r->interfaces[i];

		jsonw_object(w, NULL);
		jsonw_str(w, "name", f->name);
		if (f->mac[0])
			jsonw_str(w, "mac", f->mac);
		if (f->mtu)
			jsonw_u64(w, "mtu", f->mtu);
		if (f->sandbox)
			jsonw_str(w, "sandbox", f->sandbox);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

void cni_result_write(const struct cni_result *r, const char *version, struct buf *out)
{
	CLEANUP(buf_done) struct buf flat = { 0 };
	char text[IP_PREFIX_STR_MAX];
	bool families = strcmp(version, "1.0.0") < 0; /* until 0.4.0 each address says its family */
	struct json *tree;
	struct jsonw w;

	jsonw_init(&w, &flat);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "cniVersion", version);
	if (r->n_interfaces)
		write_interfaces(&w, r);
	if (r->n_ips) {
		jsonw_array(&w, "ips");
		for (size_t i = 0; i < r->n_ips; i++) {
			jsonw_object(&w, NULL);
			if (families)
				jsonw_str(&w, "version",
				          r->ips[i].address.addr.family == AF_INET ? "4" : "6");
			if (r->ips[i].interface >= 0)
				jsonw_i64(&w, "interface", r->ips[i].interface);
			jsonw_str(&w, "address", ip_prefix_str(&r->ips[i].address, text));
			jsonw_end_object(&w);
		}
		jsonw_end_array(&w);
	}
	if (r->n_routes) {
		jsonw_array(&w, "routes");
		for (size_t i = 0; i < r->n_routes; i++) {
			jsonw_object(&w, NULL);
			jsonw_str(&w, "dst", ip_prefix_str(&r->routes[i].dst, text));
			if (r->routes[i].gw.family)
				jsonw_str(&w, "gw", ip_addr_str(&r->routes[i].gw, text));
			jsonw_end_object(&w);
		}
		jsonw_end_array(&w);
	}
	jsonw_object(&w, "dns");
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	if (json_parse((const char *)flat.data, flat.len, &tree, NULL) == 0) {
		json_write(tree, INDENT, out);
		json_free(tree);
	}
	buf_str(out, "\n");
}

/* ---- reading */

static int read_interface(const struct json *j, const char *what, struct cni_interface *ret,
                          struct cni_error *e)
{
	const char *name = json_str(json_get(j, "name"));
	const char *mac = json_str(json_get(j, "mac"));
	const char *sandbox = json_str(json_get(j, "sandbox"));
	uint64_t mtu;

	if (!name || !*name || strlen(name) >= sizeof(ret->name))
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "%s: interfaces: name is missing or not an interface's", what);
	strcpy(ret->name, name);
	if (mac && strlen(mac) < sizeof(ret->mac))
		strcpy(ret->mac, mac);
	if (json_u64(json_get(j, "mtu"), &mtu) == 0 && mtu <= UINT32_MAX)
		ret->mtu = (uint32_t)mtu;
	if (sandbox && *sandbox)
		ret->sandbox = xstrdup(sandbox);
	return 0;
}

static int read_ip(const struct json *j, const char *what, size_t n_interfaces, struct cni_ip *ret,
                   struct cni_error *e)
{
	const char *address = json_str(json_get(j, "address"));
	const struct json *index = json_get(j, "interface");
	int64_t n = -1;

	if (!address || !strchr(address, '/') || ip_prefix_parse(address, &ret->address) < 0)
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "%s: ips: address '%s' is not an address with a length", what,
		                LOG_VIS(address ? address : ""));
	if (index && index->type != JSON_NULL &&
	    (json_i64(index, &n) < 0 || n < 0 || (n_interfaces && (uint64_t)n >= n_interfaces)))
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "%s: ips: interface is not an index into interfaces", what);
	ret->interface = n_interfaces ? (int)n : -1;
	return 0;
}

static int read_route(const struct json *j, const char *what, struct cni_route *ret,
                      struct cni_error *e)
{
	const char *dst = json_str(json_get(j, "dst"));
	const char *gw = json_str(json_get(j, "gw"));

	if (!dst || ip_prefix_parse(dst, &ret->dst) < 0)
		return cni_fail(e, CNI_INVALID_CONFIG, "%s: routes: dst '%s' is not a prefix", what,
		                LOG_VIS(dst ? dst : ""));
	if (gw && *gw && ip_addr_parse(gw, &ret->gw) < 0)
		return cni_fail(e, CNI_INVALID_CONFIG, "%s: routes: gw '%s' is not an address",
		                what, LOG_VIS(gw));
	return 0;
}

/* The array called key of at most max elements; NULL when it is not there. */
static int read_array(const struct json *j, const char *key, size_t max, const char *what,
                      const struct json **ret, struct cni_error *e)
{
	const struct json *a = json_get(j, key);

	*ret = NULL;
	if (!a || a->type == JSON_NULL)
		return 0;
	if (a->type != JSON_ARRAY || a->len > max)
		return cni_fail(e, CNI_INVALID_CONFIG,
		                "%s: %s is not an array of at most %zu elements", what, key, max);
	*ret = a;
	return 0;
}

static int read_all(const struct json *j, const char *what, struct cni_result *r,
                    struct cni_error *e)
{
	const struct json *a;

	if (j->type != JSON_OBJECT)
		return cni_fail(e, CNI_INVALID_CONFIG, "%s is %s, not an object", what,
		                json_type_str(j->type));
	if (read_array(j, "interfaces", CNI_INTERFACES_MAX, what, &a, e) < 0)
		return -1;
	for (size_t i = 0; a && i < a->len; i++) {
		r->n_interfaces = i + 1;
		if (read_interface(a->items[i], what, &r->interfaces[i], e) < 0)
			return -1;
	}
	if (read_array(j, "ips", CNI_IPS_MAX, what, &a, e) < 0)
		return -1;
	for (size_t i = 0; a && i < a->len; i++) {
		r->n_ips = i + 1;
		if (read_ip(a->items[i], what, r->n_interfaces, &r->ips[i], e) < 0)
			return -1;
	}
	if (read_array(j, "routes", CNI_ROUTES_MAX, what, &a, e) < 0)
		return -1;
	for (size_t i = 0; a && i < a->len; i++) {
		r->n_routes = i + 1;
		if (read_route(a->items[i], what, &r->routes[i], e) < 0)
			return -1;
	}
	return 0;
}

int cni_result_read(const struct json *j, const char *what, struct cni_result *ret,
                    struct cni_error *e)
{
	*ret = (struct cni_result){ 0 };
	if (read_all(j, what, ret, e) == 0)
		return 0;
	cni_result_done(ret);
	return -1;
}
