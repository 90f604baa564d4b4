/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/sha.h"
#include "felixd/dataplane/sha3.h"

void name_limited(char *out, size_t max, const char *prefix, const char *suffix)
{
	size_t lp = strlen(prefix), ls;
	uint8_t digest[32];
	char text[(32 * 8 + 5) / 6 + 1];

	if (!*suffix)
		suffix = "_";
	ls = strlen(suffix);
	if (lp + ls < max || (lp + ls == max && *suffix != '_')) {
		memcpy(out, prefix, lp);
		memcpy(out + lp, suffix, ls + 1);
		return;
	}
	assert(lp + 1 < max && max - lp - 1 < sizeof(text));
	sha256(suffix, ls, digest);
	base64url(digest, sizeof(digest), text);
	memcpy(out, prefix, lp);
	out[lp] = '_';
	memcpy(out + lp + 1, text, max - lp - 1);
	out[max] = '\0';
}

void name_chain(char out[CHAIN_NAME_MAX], const char *prefix, const char *suffix)
{
	name_limited(out, CHAIN_NAME_MAX - 1, prefix, suffix);
}

const char *name_kind_short(const char *kind)
{
	static const char *const kinds[][2] = {
		{ "NetworkPolicy", "np" },
		{ "GlobalNetworkPolicy", "gnp" },
		{ "StagedNetworkPolicy", "snp" },
		{ "StagedGlobalNetworkPolicy", "sgnp" },
		{ "StagedKubernetesNetworkPolicy", "sknp" },
		{ "KubernetesNetworkPolicy", "knp" },
		{ "KubernetesClusterNetworkPolicy", "kcnp" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i][0], kind) == 0)
			return kinds[i][1];
	return kind;
}

char *name_policy_id(const struct calc_policy_id *id)
{
	if (id->ns && *id->ns)
		return xasprintf("%s/%s/%s", name_kind_short(id->kind), id->ns, id->name);
	return xasprintf("%s/%s", name_kind_short(id->kind), id->name);
}

void name_policy_chain(char out[CHAIN_NAME_MAX], bool ingress, const struct calc_policy_id *id)
{
	CLEANUP(free_p) char *text = name_policy_id(id);

	name_chain(out, ingress ? "cali-pi-" : "cali-po-", text);
}

void name_profile_chain(char out[CHAIN_NAME_MAX], bool ingress, const char *profile)
{
	name_chain(out, ingress ? "cali-pri-" : "cali-pro-", profile);
}

void name_endpoint_chain(char out[CHAIN_NAME_MAX], bool to, const char *interface)
{
	name_chain(out, to ? "cali-tw-" : "cali-fw-", interface);
}

void name_group_chain(char out[CHAIN_NAME_MAX], bool ingress, const char *selector,
                      const struct calc_policy_id *ids, size_t n)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	uint8_t digest[28];
	char uid[(28 * 8 + 5) / 6 + 1];

	buf_printf(&text, "%s\n%s\n%zu\n", selector, ingress ? "inbound" : "outbound", n);
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "{Name: %s, Namespace: %s, Kind: %s}\n", ids[i].name,
		           ids[i].ns ? ids[i].ns : "", ids[i].kind);
	sha3_224(text.data, text.len, digest);
	base64url(digest, sizeof(digest), uid);
	snprintf(out, CHAIN_NAME_MAX, "%s%.20s", ingress ? "cali-gi-" : "cali-go-", uid);
}

void name_set(char out[SET_NAME_MAX], int family, const char *id)
{
	/* Upstream cuts the name; it does not hash it. 23 characters of a set ID's hash remain. */
	snprintf(out, SET_NAME_MAX, "%s%s", family == AF_INET6 ? "cali60" : "cali40", id);
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool name_chain_is_ours(const char *chain)
{
	static const char *const prefixes[] = { "cali-",   "califw-", "calitw-", "califh-",
		                                "calith-", "calipi-", "calipo-", "felix-" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (starts_with(chain, prefixes[i]))
			return true;
	return false;
}

bool name_set_is_ours(int family, const char *set)
{
	if (family == AF_INET6)
		return starts_with(set, "cali6") || starts_with(set, "felix-6");
	return starts_with(set, "cali4") || starts_with(set, "felix-4") ||
	       starts_with(set, "felix-masq-ipam-pools") ||
	       starts_with(set, "felix-all-ipam-pools");
}
