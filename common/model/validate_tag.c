/* SPDX-License-Identifier: BSD-2-Clause */
/* The tags of upstream's fields: what they let through. */
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"
#include "common/model/validate_rule.h"
#include "common/net/addr.h"

#define PORT_NAME_MAX 15
#define INTERFACE_MAX 15
#define WIREGUARD_KEY_LEN 44 /* of base64: 32 bytes */

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool ok_name(const char *s)
{
	return text_is_subdomain(s, strlen(s));
}

static bool ok_interface(const char *s)
{
	size_t len = strlen(s);

	if (strcmp(s, "*") == 0)
		return true;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
			return false;
	return len >= 1 && len <= INTERFACE_MAX;
}

static bool ok_selector(const char *s)
{
	struct why why;

	return !text_any_selector(s, &why);
}

/* Kubernetes' rule for a service's port: a letter in it, no "--". */
static bool ok_port_name(const char *s)
{
	size_t len = strlen(s);
	bool letter = false;

	if (len < 1 || len > PORT_NAME_MAX || s[0] == '-' || s[len - 1] == '-' || strstr(s, "--"))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_lower_alnum(s[i]) && s[i] != '-')
			return false;
		letter = letter || (s[i] >= 'a' && s[i] <= 'z');
	}
	return letter;
}

static bool ok_container_id(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && (s[i] != '-' || i == 0 || i + 1 == len))
			return false;
	return len > 0;
}

static bool ok_mac(const char *s)
{
	struct mac_addr m;

	return mac_parse(s, &m) == 0;
}

/* An address counts as a network of its own. */
static bool ok_net(const char *s)
{
	struct ip_prefix p;

	return ip_prefix_parse(s, &p) == 0 && ip_prefix_is_network(&p);
}

static bool is_net(const char *s, int family)
{
	struct ip_prefix p;

	return ip_prefix_parse(s, &p) == 0 && (family == 0 || p.addr.family == family);
}

static bool ok_cidr(const char *s)
{
	return is_net(s, 0);
}

static bool ok_cidrv4(const char *s)
{
	return is_net(s, AF_INET);
}

static bool ok_cidrv6(const char *s)
{
	return is_net(s, AF_INET6);
}

static bool is_ip(const char *s, int family)
{
	struct ip_addr a;

	return ip_addr_parse(s, &a) == 0 && (family == 0 || a.family == family);
}

static bool ok_ip(const char *s)
{
	return is_ip(s, 0);
}

static bool ok_ipv4(const char *s)
{
	return is_ip(s, AF_INET);
}

static bool ok_ipv6(const char *s)
{
	return is_ip(s, AF_INET6);
}

/* 32 bytes in base64: the last digit before the '=' has two bits left over. */
static bool ok_wireguard_key(const char *s)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	return strlen(s) == WIREGUARD_KEY_LEN && strspn(s, digits) == WIREGUARD_KEY_LEN - 1 &&
	       s[WIREGUARD_KEY_LEN - 1] == '=';
}

const struct tag tag_name = { "name", ok_name };
const struct tag tag_interface = { "interface", ok_interface };
const struct tag tag_selector = { "selector", ok_selector };
const struct tag tag_port_name = { "portName", ok_port_name };
const struct tag tag_container_id = { "containerID", ok_container_id };
const struct tag tag_mac = { "mac", ok_mac };
const struct tag tag_net = { "net", ok_net };
const struct tag tag_cidr = { "cidr", ok_cidr };
const struct tag tag_cidrv4 = { "cidrv4", ok_cidrv4 };
const struct tag tag_cidrv6 = { "cidrv6", ok_cidrv6 };
const struct tag tag_ip = { "ip", ok_ip };
const struct tag tag_ipv4 = { "ipv4", ok_ipv4 };
const struct tag tag_ipv6 = { "ipv6", ok_ipv6 };
const struct tag tag_wireguard_key = { "wireguardPublicKey", ok_wireguard_key };

/* ---- lists */

static size_t strings(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, char ***ret)
{
	*ret = *(char ***)(void *)((char *)(uintptr_t)m + f->offset);
	return *(const size_t *)(const void *)((const char *)m + f->quantifier_offset);
}

static bool ok_cidrs(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	char **list;
	size_t n = strings(m, f, &list);

	for (size_t i = 0; i < n; i++)
		if (!ok_cidr(list[i]))
			return false;
	return true;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ok_unique(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	CLEANUP(free_p) char **sorted = NULL;
	char **list;
	size_t n = strings(m, f, &list);

	if (n == 0)
		return true;
	sorted = xmemdup(list, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_strings);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			return false;
	return true;
}

static bool ok_labels(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
	V3__ObjectMeta__LabelsEntry **entries;
	const char *wrong[QUALIFIED_MAX];
	size_t n = strings(m, f, (char ***)(void *)&entries);

	for (size_t i = 0; i < n; i++)
		if (text_qualified_name(entries[i]->key, wrong) > 0 ||
		    text_label_value(entries[i]->value ? entries[i]->value : "", wrong) > 0)
			return false;
	return true;
}

const struct list_tag list_tag_cidrs = { "cidrs", ok_cidrs };
const struct list_tag list_tag_unique = { "unique", ok_unique };
const struct list_tag list_tag_labels = { "labels", ok_labels };
