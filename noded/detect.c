/* SPDX-License-Identifier: BSD-2-Clause */
#include "noded/detect.h"

#include <errno.h>
#include <regex.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define DETECT_ITEMS_MAX 64

/* Interfaces that are nobody's uplink: bridges, tunnels and veths of container software, and
 * Calico's own. */
static const char excluded[] =
        "^(docker.*|cbr.*|dummy.*|podman.*|virbr.*|lxcbr.*|veth.*|lo|br-.*|cali.*|tunl.*|flannel.*|"
        "kube-ipvs.*|cni.*|vxlan\\.calico|vxlan-v6\\.calico|wireguard\\.cali|wg-v6\\.cali|"
        "nodelocaldns)$";

enum detect_kind {
	FIRST_FOUND,
	INTERFACE,
	SKIP_INTERFACE,
	CIDR,
	CAN_REACH
};

struct detect {
	enum detect_kind kind;
	bool have_default, have_regex;
	regex_t default_out; /* interfaces left out by default */
	regex_t regex;       /* interface=, skip-interface= */
	struct ip_prefix cidrs[DETECT_ITEMS_MAX];
	size_t n_cidrs;
	struct ip_addr target;
};

void detect_free(struct detect *d)
{
	if (!d)
		return;
	if (d->have_default)
		regfree(&d->default_out);
	if (d->have_regex)
		regfree(&d->regex);
	free(d);
}

const struct ip_addr *detect_target(const struct detect *d)
{
	return d->kind == CAN_REACH ? &d->target : NULL;
}

/* The next item of a list with commas, without the spaces around it. False at the end. */
static bool next_item(const char **s, char *out, size_t size)
{
	size_t len;

	while (**s == ',' || **s == ' ')
		(*s)++;
	if (!**s)
		return false;
	len = strcspn(*s, ",");
	snprintf(out, size, "%.*s", (int)len, *s);
	*s += len;
	for (len = strlen(out); len > 0 && out[len - 1] == ' '; len--)
		out[len - 1] = '\0';
	return true;
}

/* Unanchored regular expressions, joined to (a)|(b), as upstream joins them. */
static int parse_regexes(struct detect *d, const char *list, struct err *err)
{
	CLEANUP(buf_done) struct buf joined = { 0 };
	char item[256], why[128];
	int r;

	if (strlen(list) > 4096)
		return err_set(err, -EINVAL, "the list of interfaces is too long");
	while (next_item(&list, item, sizeof(item)))
		buf_printf(&joined, "%s(%s)", joined.len ? "|" : "", item);
	if (joined.len == 0)
		return err_set(err, -EINVAL, "no interface is named");
	r = regcomp(&d->regex, buf_cstr(&joined), REG_EXTENDED | REG_NOSUB);
	if (r) {
		(void)regerror(r, &d->regex, why, sizeof(why));
		return err_set(err, -EINVAL, "'%s' is not a regular expression: %s",
		               buf_cstr(&joined), why);
	}
	d->have_regex = true;
	return 0;
}

static int parse_cidrs(struct detect *d, const char *list, struct err *err)
{
	char item[128];

	while (next_item(&list, item, sizeof(item))) {
		if (d->n_cidrs == DETECT_ITEMS_MAX)
			return err_set(err, -EINVAL, "more than %d CIDRs", DETECT_ITEMS_MAX);
		if (ip_prefix_parse(item, &d->cidrs[d->n_cidrs]) < 0)
			return err_set(err, -EINVAL, "'%s' is not a CIDR", item);
		d->n_cidrs++;
	}
	return d->n_cidrs ? 0 : err_set(err, -EINVAL, "no CIDR is given");
}

static int parse(struct detect *d, const char *text, struct err *err)
{
	static const struct {
		const char *prefix;
		enum detect_kind kind;
	} kinds[] = { { "interface=", INTERFACE },
		      { "skip-interface=", SKIP_INTERFACE },
		      { "cidr=", CIDR },
		      { "can-reach=", CAN_REACH } };

	if (!text || !*text || strcmp(text, "first-found") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, len) != 0)
			continue;
		d->kind = kinds[i].kind;
		if (d->kind == CIDR)
			return parse_cidrs(d, text + len, err);
		if (d->kind != CAN_REACH)
			return parse_regexes(d, text + len, err);
		if (ip_addr_parse(text + len, &d->target) < 0)
			return err_set(
			        err, -EINVAL,
			        "can-reach: '%s' is not an address (names are not looked up)",
			        text + len);
		return 0;
	}
	return err_set(err, -EINVAL,
	               "it is none of first-found, interface=, skip-interface=, cidr=, can-reach=");
}

int detect_new(const char *text, struct detect **ret, struct err *err)
{
	struct detect *d = xcalloc(1, sizeof(*d));
	int r = parse(d, text, err);

	if (r < 0) {
		detect_free(d);
		return err_wrap(err, r, "method '%s'", LOG_VIS(text));
	}
	if (d->kind == FIRST_FOUND || d->kind == SKIP_INTERFACE)
		d->have_default = regcomp(&d->default_out, excluded, REG_EXTENDED | REG_NOSUB) == 0;
	*ret = d;
	return 0;
}

bool addr_is_global_unicast(const struct ip_addr *a)
{
	const uint8_t *b = a->bytes;
	static const uint8_t zero[16];

	if (a->family == AF_INET)
		return memcmp(b, zero, 4) != 0 && b[0] != 127 && b[0] < 224 &&
		       !(b[0] == 169 && b[1] == 254);
	if (a->family != AF_INET6 || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return false;
	return !(memcmp(b, zero, 15) == 0 && b[15] <= 1);
}

static bool matches(const regex_t *re, const char *name)
{
	return regexec(re, name, 0, NULL, 0) == 0;
}

static bool fits(const struct detect *d, const struct host_addr *a, const struct ip_addr *source)
{
	if (d->have_default && matches(&d->default_out, a->ifname))
		return false;
	switch (d->kind) {
	case FIRST_FOUND:
		break;
	case INTERFACE:
		if (!matches(&d->regex, a->ifname))
			return false;
		break;
	case SKIP_INTERFACE:
		if (matches(&d->regex, a->ifname))
			return false;
		break;
	case CIDR:
		for (size_t i = 0; i < d->n_cidrs; i++)
			if (ip_prefix_contains(&d->cidrs[i], &a->prefix.addr))
				return addr_is_global_unicast(&a->prefix.addr);
		return false;
	case CAN_REACH:
		return source && ip_addr_eq(source, &a->prefix.addr);
	}
	return addr_is_global_unicast(&a->prefix.addr);
}

bool detect_run(const struct detect *d, int family, const struct host_addr *addrs, size_t n,
                const struct ip_addr *source, const struct ip_addr *keep, struct ip_prefix *ret)
{
	const struct host_addr *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct host_addr *a = &addrs[i];

		if (a->prefix.addr.family != family || !fits(d, a, source))
			continue;
		if (keep && ip_addr_eq(keep, &a->prefix.addr)) {
			*ret = a->prefix;
			return true;
		}
		/* The first address of the interface with the highest index. */
		if (!best || a->ifindex > best->ifindex)
			best = a;
	}
	if (best)
		*ret = best->prefix;
	return best != NULL;
}
