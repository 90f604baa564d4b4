/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/key.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/net/addr.h"

#define V3_ROOT "/calico/resources/v3/projectcalico.org/"
#define IPAM_ROOT "/calico/ipam/v2/"
#define IPAM_BLOCKS IPAM_ROOT "assignment/"
#define IPAM_HOST IPAM_ROOT "host/"
#define IPAM_VIRTUAL IPAM_ROOT "virtual/"
#define IPAM_HANDLES IPAM_ROOT "handle/"
#define IPAM_CONFIG IPAM_ROOT "config"
#define IPAM_CONFIG_NAME "default"
#define VIRTUAL_PREFIX "virtual:"
#define FELIX_KEYS "/calico/felix/"
#define FELIX_ROOT "/calico/felix/v2/"
#define HOST_ENDPOINT_STATUS_ROOT "/calico/felix/v1/host/"

/*
 * Upstream writes names into keys as they are, but reads %2f and %25 as '/' and '%': a name with
 * one of the two would not come back as it went in. No valid name has them.
 */
static int check_segment(const struct kind_info *k, const char *what, const char *s, size_t len,
                         struct err *err)
{
	if (len == 0)
		return err_set(err, -EINVAL, "%s: the %s is empty", k->name, what);
	if (memchr(s, '/', len) || memchr(s, '%', len))
		return err_set(err, -EINVAL, "%s: the %s '%.*s' has a '/' or '%%' in it", k->name,
		               what, (int)len, s);
	return 0;
}

static int block_path(const struct kind_info *k, const char *cidr, struct buf *out, struct err *err)
{
	char text[IP_PREFIX_STR_MAX];
	struct ip_prefix p;

	if (ip_prefix_parse(cidr, &p) < 0 || strcmp(ip_prefix_str(&p, text), cidr) != 0 ||
	    !ip_prefix_is_network(&p))
		return err_set(err, -EINVAL, "%s: '%s' is not a block's CIDR", k->name, cidr);
	*strchr(text, '/') = '-';
	buf_printf(out, "%s/block/%s", p.addr.family == AF_INET ? "ipv4" : "ipv6", text);
	return 0;
}

static int affinity_key(const struct kind_info *k, const char *name, struct buf *out,
                        struct err *err)
{
	const char *host = name;
	const char *root = IPAM_HOST;
	const char *slash = strchr(name, '/');
	int r;

	if (!slash)
		return err_set(err, -EINVAL, "%s: '%s' is not a node's name, '/' and a CIDR",
		               k->name, name);
	if (strncmp(name, VIRTUAL_PREFIX, strlen(VIRTUAL_PREFIX)) == 0) {
		root = IPAM_VIRTUAL;
		host += strlen(VIRTUAL_PREFIX);
	}
	r = check_segment(k, "node's name", host, (size_t)(slash - host), err);
	if (r < 0)
		return r;
	buf_str(out, root);
	buf_add(out, host, (size_t)(slash - host) + 1);
	return block_path(k, slash + 1, out, err);
}

/*
 * What felix reports is named by the parts of its key, as they stand there. What is between them:
 * "%" stands for a part of the name.
 */
static const struct status_form {
	model_kind kind;
	const char *form, *parts;
} status_forms[] = {
	{ V3__KIND__KIND_FELIX_STATUS, FELIX_ROOT "%/host/%/status",
	  "a region, '/' and a node's name" },
	{ V3__KIND__KIND_FELIX_LAST_STATUS, FELIX_ROOT "%/host/%/last_reported_status",
	  "a region, '/' and a node's name" },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT_STATUS, FELIX_ROOT "%/host/%/workload/%/%/endpoint/%",
	  "a region, a node, an orchestrator, a workload and an endpoint, with '/' between" },
	{ V3__KIND__KIND_HOST_ENDPOINT_STATUS, HOST_ENDPOINT_STATUS_ROOT "%/endpoint/%",
	  "a node's name, '/' and that of a HostEndpoint" },
};

/* How many bytes the part at s has; 0: it is none. '/' and '%' are written %2f and %25 in it. */
static size_t status_part(const char *s)
{
	size_t len = strcspn(s, "/");

	for (size_t i = 0; i < len; i++)
		if (s[i] == '%' &&
		    (len - i < 3 || s[i + 1] != '2' || (s[i + 2] != 'f' && s[i + 2] != '5')))
			return 0;
	return len;
}

static int status_key(const struct kind_info *k, const struct status_form *f, const char *name,
                      struct buf *out, struct err *err)
{
	const char *at = name;

	for (const char *c = f->form; *c != '\0'; c++) {
		size_t len = *c == '%' ? status_part(at) : 0;

		if (*c != '%') {
			buf_byte(out, (uint8_t)*c);
			continue;
		}
		buf_add(out, at, len);
		at += len;
		if (len == 0 || *at != (strchr(c + 1, '%') ? '/' : '\0'))
			return err_set(err, -EINVAL, "%s: '%s' is not %s", k->name, name, f->parts);
		at += *at == '/';
	}
	return 0;
}

/* The name of the key; NULL: the key is not of this form. The caller's. */
static char *status_name(const struct status_form *f, const char *key)
{
	CLEANUP(buf_done) struct buf name = { 0 };

	for (const char *c = f->form; *c != '\0'; c++) {
		size_t len = *c == '%' ? status_part(key) : 1;

		if (len == 0 || (*c != '%' && *c != *key))
			return NULL;
		if (*c == '%') {
			buf_str(&name, name.len > 0 ? "/" : "");
			buf_add(&name, key, len);
		}
		key += len;
	}
	return *key == '\0' ? buf_take(&name) : NULL;
}

static const struct status_form *status_form(model_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_forms); i++)
		if (status_forms[i].kind == kind)
			return &status_forms[i];
	return NULL;
}

static int v3_key(const struct kind_info *k, const char *ns, const char *name, struct buf *out,
                  struct err *err)
{
	int r = check_segment(k, "name", name, strlen(name), err);

	if (r == 0 && k->namespaced)
		r = check_segment(k, "namespace", ns ? ns : "", ns ? strlen(ns) : 0, err);
	if (r < 0)
		return r;
	buf_printf(out, V3_ROOT "%s/", k->plural);
	if (k->namespaced)
		buf_printf(out, "%s/", ns);
	buf_str(out, name);
	return 0;
}

char *key_of(model_kind kind, const char *ns, const char *name, struct err *err)
{
	const struct kind_info *k = kind_info(kind);
	CLEANUP(buf_done) struct buf out = { 0 };
	int r = 0;

	if (!k) {
		err_set(err, -EINVAL, "kind %d is not known", (int)kind);
		return NULL;
	}
	if (!name)
		name = "";
	switch (kind) {
	case V3__KIND__KIND_IPAM_BLOCK:
		buf_str(&out, IPAM_BLOCKS);
		r = block_path(k, name, &out, err);
		break;
	case V3__KIND__KIND_IPAM_AFFINITY:
		r = affinity_key(k, name, &out, err);
		break;
	case V3__KIND__KIND_IPAM_HANDLE:
		r = check_segment(k, "name", name, strlen(name), err);
		buf_printf(&out, IPAM_HANDLES "%s", name);
		break;
	case V3__KIND__KIND_IPAM_CONFIG:
		if (strcmp(name, IPAM_CONFIG_NAME) != 0)
			r = err_set(err, -EINVAL,
			            "%s: the only name is '" IPAM_CONFIG_NAME "', not '%s'",
			            k->name, name);
		buf_str(&out, IPAM_CONFIG);
		break;
	default:
		r = status_form(kind) ? status_key(k, status_form(kind), name, &out, err)
		                      : v3_key(k, ns, name, &out, err);
	}
	return r < 0 ? NULL : buf_take(&out);
}

char *key_prefix(model_kind kind, const char *ns)
{
	const struct kind_info *k = kind_info(kind);

	switch (kind) {
	case V3__KIND__KIND_IPAM_BLOCK:
		return xstrdup(IPAM_BLOCKS);
	case V3__KIND__KIND_IPAM_AFFINITY:
		return xstrdup(IPAM_ROOT); /* host/ and virtual/ */
	case V3__KIND__KIND_IPAM_HANDLE:
		return xstrdup(IPAM_HANDLES);
	case V3__KIND__KIND_IPAM_CONFIG:
		return xstrdup(IPAM_CONFIG);
	case V3__KIND__KIND_FELIX_STATUS:
	case V3__KIND__KIND_FELIX_LAST_STATUS:
	case V3__KIND__KIND_WORKLOAD_ENDPOINT_STATUS:
		return xstrdup(FELIX_ROOT);
	case V3__KIND__KIND_HOST_ENDPOINT_STATUS:
		return xstrdup(HOST_ENDPOINT_STATUS_ROOT);
	default:
		if (!k)
			return NULL;
		return ns && k->namespaced ? xasprintf(V3_ROOT "%s/%s/", k->plural, ns)
		                           : xasprintf(V3_ROOT "%s/", k->plural);
	}
}

/* If *s begins with prefix, moves it behind. */
static bool skip(const char **s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(*s, prefix, n) != 0)
		return false;
	*s += n;
	return true;
}

/* One segment, unescaped, the caller's. NULL when it is empty. */
static char *unescape(const char *s, size_t len)
{
	char *out = len > 0 ? xcalloc(1, len + 1) : NULL;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (len - i >= 3 && s[i] == '%' && s[i + 1] == '2' &&
		    (s[i + 2] == 'f' || s[i + 2] == '5')) {
			out[n++] = s[i + 2] == 'f' ? '/' : '%';
			i += 2;
		} else {
			out[n++] = s[i];
		}
	}
	return out;
}

/* "ipv4/block/10.0.0.0-26" to "10.0.0.0/26", the caller's; NULL: not that. */
static char *parse_block_path(const char *s)
{
	int family = skip(&s, "ipv4/block/") ? AF_INET : skip(&s, "ipv6/block/") ? AF_INET6 : 0;
	CLEANUP(free_p) char *cidr = family ? xstrdup(s) : NULL;
	char *dash = cidr ? strrchr(cidr, '-') : NULL;
	char canonical[IP_PREFIX_STR_MAX];
	struct ip_prefix p;

	if (!dash || strchr(cidr, '/'))
		return NULL;
	*dash = '/';
	if (ip_prefix_parse(cidr, &p) < 0 || p.addr.family != family || !ip_prefix_is_network(&p) ||
	    strcmp(ip_prefix_str(&p, canonical), cidr) != 0)
		return NULL;
	return take_ptr(&cidr);
}

static char *parse_affinity(const char *s, bool virtual_host)
{
	const char *slash = strchr(s, '/');
	CLEANUP(free_p) char *host = slash ? unescape(s, (size_t)(slash - s)) : NULL;
	CLEANUP(free_p) char *cidr = host ? parse_block_path(slash + 1) : NULL;

	/* A node cannot be called that; if one were, its affinity would read as the other kind. */
	if (!virtual_host && host && strncmp(host, VIRTUAL_PREFIX, strlen(VIRTUAL_PREFIX)) == 0)
		return NULL;
	return cidr ? xasprintf("%s%s/%s", virtual_host ? VIRTUAL_PREFIX : "", host, cidr) : NULL;
}

static int parse_ipam(const char *s, model_kind *ret_kind, char **ret_name)
{
	char *name = NULL;
	model_kind kind;

	if (skip(&s, "assignment/")) {
		kind = V3__KIND__KIND_IPAM_BLOCK;
		name = parse_block_path(s);
	} else if (skip(&s, "host/")) {
		kind = V3__KIND__KIND_IPAM_AFFINITY;
		name = parse_affinity(s, false);
	} else if (skip(&s, "virtual/")) {
		kind = V3__KIND__KIND_IPAM_AFFINITY;
		name = parse_affinity(s, true);
	} else if (skip(&s, "handle/")) {
		kind = V3__KIND__KIND_IPAM_HANDLE;
		name = strchr(s, '/') ? NULL : unescape(s, strlen(s));
	} else {
		kind = V3__KIND__KIND_IPAM_CONFIG;
		name = strcmp(s, "config") == 0 ? xstrdup(IPAM_CONFIG_NAME) : NULL;
	}
	if (!name)
		return -ENOENT;
	*ret_kind = kind;
	*ret_name = name;
	return 0;
}

static const struct kind_info *kind_by_plural(const char *s, size_t len)
{
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k))
		if (k->v3 && strlen(k->plural) == len && memcmp(k->plural, s, len) == 0)
			return k;
	return NULL;
}

static int parse_v3(const char *s, model_kind *ret_kind, char **ret_ns, char **ret_name)
{
	const char *slash = strchr(s, '/');
	const struct kind_info *k = slash ? kind_by_plural(s, (size_t)(slash - s)) : NULL;
	CLEANUP(free_p) char *ns = NULL;
	char *name;

	if (!k)
		return -ENOENT;
	s = slash + 1;
	if (k->namespaced) {
		slash = strchr(s, '/');
		ns = slash ? unescape(s, (size_t)(slash - s)) : NULL;
		if (!ns)
			return -ENOENT;
		s = slash + 1;
	}
	name = strchr(s, '/') ? NULL : unescape(s, strlen(s));
	if (!name)
		return -ENOENT;
	*ret_kind = k->kind;
	*ret_ns = take_ptr(&ns);
	*ret_name = name;
	return 0;
}

static int parse_status(const char *key, model_kind *ret_kind, char **ret_ns, char **ret_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(status_forms); i++) {
		char *name = status_name(&status_forms[i], key);

		if (name) {
			*ret_kind = status_forms[i].kind;
			*ret_ns = NULL;
			*ret_name = name;
			return 0;
		}
	}
	return -ENOENT;
}

int key_parse(const char *key, model_kind *ret_kind, char **ret_ns, char **ret_name)
{
	if (skip(&key, V3_ROOT))
		return parse_v3(key, ret_kind, ret_ns, ret_name);
	if (strncmp(key, FELIX_KEYS, strlen(FELIX_KEYS)) == 0)
		return parse_status(key, ret_kind, ret_ns, ret_name);
	if (!skip(&key, IPAM_ROOT) || parse_ipam(key, ret_kind, ret_name) < 0)
		return -ENOENT;
	*ret_ns = NULL;
	return 0;
}
