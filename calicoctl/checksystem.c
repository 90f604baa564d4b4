/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node checksystem: whether this machine's kernel can do what a node needs.
 *
 * A kernel tells in several places what it has: what is loaded, what is built in, what its package
 * could load, its configuration, and which matches and targets netfilter knows by now. One that
 * says yes is enough; where none does, it is asked to do it, in a namespace of its own. What
 * upstream needs and this suite does not is looked at, and its absence no failure.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "calicoctl/kmodule.h"
#include "calicoctl/node.h"
#include "calicoctl/probe.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"

#define LIST_MAX (16u << 20) /* bytes of a list */
#define NAMES_MAX 4

struct feature {
	const char *name;
	bool optional;
	const char *names[NAMES_MAX];   /* what else provides it; ended by NULL */
	const char *options[NAMES_MAX]; /* of the kernel's configuration */
	const char *match, *target;     /* what netfilter calls it once it is there */
	bool (*probe)(void);            /* NULL: there is none */
};

static bool probe_ip_tables(void)
{
	return probe_table("filter", false);
}

static bool probe_ip6_tables(void)
{
	return probe_table("filter", true);
}

static bool probe_raw(void)
{
	return probe_table("raw", false);
}

static bool probe_mangle(void)
{
	return probe_table("mangle", false);
}

static bool probe_nat(void)
{
	return probe_table("nat", false);
}

static bool probe_hash_ip(void)
{
	return probe_set("hash:ip");
}

static bool probe_hash_ipport(void)
{
	return probe_set("hash:ip,port");
}

static bool probe_hash_net(void)
{
	return probe_set("hash:net");
}

static bool probe_veth(void)
{
	return probe_link("veth");
}

/* clang-format off */
static const struct feature features[] = { /* upstream's */
	{ "ip_set", false, { 0 }, { "CONFIG_IP_SET" }, NULL, NULL, probe_hash_ip },
	{ "ip6_tables", true, { 0 }, { "CONFIG_IP6_NF_IPTABLES" }, NULL, NULL, probe_ip6_tables },
	{ "ip_tables", false, { 0 }, { "CONFIG_IP_NF_IPTABLES" }, "icmp", NULL, probe_ip_tables },
	{ "ipt_ipvs", true, { "xt_ipvs" }, { "CONFIG_NETFILTER_XT_MATCH_IPVS" }, "ipvs", NULL, NULL },
	{ "vfio-pci", true, { "vfio_pci" }, { "CONFIG_VFIO", "CONFIG_VFIO_PCI" }, NULL, NULL, NULL },
	{ "xt_bpf", true, { 0 }, { "CONFIG_BPF", "CONFIG_NETFILTER_XT_MATCH_BPF" }, "bpf", NULL, NULL },
	{ "ipt_REJECT", false, { "xt_REJECT", NULL },
	  { "CONFIG_IP_NF_TARGET_REJECT", "CONFIG_NFT_REJECT", "CONFIG_NETFILTER_XT_TARGET_REJECT" }, NULL, "REJECT", NULL },
	{ "xt_rpfilter", false, { "ipt_rpfilter", NULL },
	  { "CONFIG_IP_NF_MATCH_RPFILTER", "CONFIG_IP6_NF_MATCH_RPFILTER", "CONFIG_NETFILTER_XT_MATCH_RPFILTER" }, "rpfilter", NULL, NULL },
	{ "nf_conntrack_netlink", false, { 0 }, { "CONFIG_NF_CT_NETLINK" }, NULL, NULL, probe_conntrack },
	{ "xt_addrtype", false, { 0 }, { "CONFIG_NETFILTER_XT_MATCH_ADDRTYPE" }, "addrtype", NULL, NULL },
	{ "xt_conntrack", false, { 0 }, { "CONFIG_NETFILTER_XT_MATCH_CONNTRACK" }, "conntrack", NULL, NULL },
	{ "xt_mark", false, { 0, NULL },
	  { "CONFIG_NETFILTER_XT_MARK", "CONFIG_IP_NF_TARGET_MARK", "CONFIG_NETFILTER_XT_TARGET_MARK" }, "mark", NULL, NULL },
	{ "xt_multiport", false, { 0, NULL },
	  { "CONFIG_NETFILTER_XT_MATCH_MULTIPORT", "CONFIG_IP_NF_MATCH_MULTIPORT" }, "multiport", NULL, NULL },
	{ "xt_set", false, { "ipt_set" }, { "CONFIG_NETFILTER_XT_SET" }, "set", NULL, NULL },
	{ "xt_u32", true, { 0 }, { "CONFIG_NETFILTER_XT_MATCH_U32" }, "u32", NULL, NULL },
};

static const struct feature own_features[] = { /* what felixd and the plugin use besides */
	{ "veth", false, { 0 }, { "CONFIG_VETH" }, NULL, NULL, probe_veth },
	{ "iptable_raw", false, { 0 }, { "CONFIG_IP_NF_RAW" }, NULL, NULL, probe_raw },
	{ "iptable_mangle", false, { 0 }, { "CONFIG_IP_NF_MANGLE" }, NULL, NULL, probe_mangle },
	{ "iptable_nat", false, { 0 }, { "CONFIG_IP_NF_NAT" }, NULL, NULL, probe_nat },
	{ "iptable_filter", false, { 0 }, { "CONFIG_IP_NF_FILTER" }, NULL, NULL, probe_ip_tables },
	{ "ip_set_hash_ip", false, { 0 }, { "CONFIG_IP_SET_HASH_IP" }, NULL, NULL, probe_hash_ip },
	{ "ip_set_hash_ipport", false, { 0 }, { "CONFIG_IP_SET_HASH_IPPORT" }, NULL, NULL, probe_hash_ipport },
	{ "ip_set_hash_net", false, { 0 }, { "CONFIG_IP_SET_HASH_NET" }, NULL, NULL, probe_hash_net },
	{ "xt_comment", false, { 0 }, { "CONFIG_NETFILTER_XT_MATCH_COMMENT" }, "comment", NULL, NULL },
	{ "xt_MASQUERADE", false, { "ipt_MASQUERADE", NULL },
	  { "CONFIG_NETFILTER_XT_TARGET_MASQUERADE", "CONFIG_IP_NF_TARGET_MASQUERADE" }, NULL, "MASQUERADE", NULL },
	{ "xt_CT", true, { 0 }, { "CONFIG_NETFILTER_XT_TARGET_CT" }, NULL, "NOTRACK", NULL },
	{ "xt_LOG", true, { 0 }, { "CONFIG_NETFILTER_XT_TARGET_LOG" }, NULL, "LOG", NULL },
};
/* clang-format on */

/* What the kernel says; NULL where it says nothing. */
struct kernel {
	struct utsname uts;
	char *loaded, *loadable, *builtin, *config, *matches, *targets;
};

static char *read_list(const char *path)
{
	char *text = NULL;

	return file_read(path, LIST_MAX, &text, NULL, NULL) == 0 ? text : NULL;
}

static char *read_config(const char *given, const char *release)
{
	/* around the release; a place without one has nothing behind it */
	static const char *const places[][2] = { { "/usr/src/linux/.config", NULL },
		                                 { "/boot/config-", "" },
		                                 { "/usr/src/linux-", "/.config" },
		                                 { "/usr/src/linux-headers-", "/.config" },
		                                 { "/lib/modules/", "/build/.config" } };
	char *text = given ? read_list(given) : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(places) && !given && !text; i++) {
		const char *behind = places[i][1];
		CLEANUP(free_p)
		char *path = xasprintf("%s%s%s", places[i][0], behind ? release : "",
		                       behind ? behind : "");

		text = read_list(path);
	}
	return text;
}

static void kernel_read(struct kernel *k, const char *config)
{
	char path[256];

	*k = (struct kernel){ 0 };
	(void)uname(&k->uts);
	k->loaded = read_list("/proc/modules");
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", k->uts.release);
	k->loadable = read_list(path);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.builtin", k->uts.release);
	k->builtin = read_list(path);
	k->config = read_config(config, k->uts.release);
	k->matches = read_list("/proc/net/ip_tables_matches");
	k->targets = read_list("/proc/net/ip_tables_targets");
}

static void kernel_done(struct kernel *k)
{
	free(k->loaded);
	free(k->loadable);
	free(k->builtin);
	free(k->config);
	free(k->matches);
	free(k->targets);
}

static bool has_module(const struct kernel *k, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	for (char *c = path; *c; c++)
		if (*c == '-')
			*c = '_';
	return access(path, F_OK) == 0 || kmodule_in_list(k->loaded, name) ||
	       kmodule_in_paths(k->loadable, name) || kmodule_in_paths(k->builtin, name);
}

static bool has_feature(const struct kernel *k, const struct feature *f)
{
	if (has_module(k, f->name) || (f->match && kmodule_in_list(k->matches, f->match)) ||
	    (f->target && kmodule_in_list(k->targets, f->target)))
		return true;
	for (size_t i = 0; i < NAMES_MAX && f->names[i]; i++)
		if (has_module(k, f->names[i]))
			return true;
	for (size_t i = 0; i < NAMES_MAX && f->options[i]; i++)
		if (kmodule_in_config(k->config, f->options[i]))
			return true;
	return f->probe && f->probe();
}

static void print_result(const char *what, const char *result)
{
	printf("\t\t%-20s\t\t\t\t\t%s\n", what, result);
}

static bool check_features(const struct kernel *k, const struct feature *list, size_t n)
{
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		const struct feature *f = &list[i];

		if (has_feature(k, f)) {
			print_result(f->name, "OK");
		} else if (f->optional) {
			printf("WARNING: Unable to detect optional module/feature %s; continuing\n",
			       f->name);
			print_result(f->name, "SKIP");
		} else {
			printf("WARNING: Unable to detect the %s module as Loaded/Builtin module "
			       "or lsmod\n",
			       f->name);
			print_result(f->name, "FAIL");
			ok = false;
		}
	}
	return ok;
}

int cmd_node_checksystem(const struct options *o)
{
	const char *config =
	        o->node.kernel_config && *o->node.kernel_config ? o->node.kernel_config : NULL;
	struct kernel k;
	bool ok;

	if (!node_is_root())
		return 1;
	kernel_read(&k, config);
	if (config && !k.config)
		fprintf(stderr, "WARNING: %s cannot be read\n", config);
	puts("Checking kernel version...");
	ok = kernel_at_least(k.uts.release, 2, 6, 24);
	print_result(k.uts.release, ok ? "OK" : "FAIL");
	if (!ok)
		printf("Minimum kernel version to run Calico is 2.6.24. Detected kernel version: "
		       "%s\n",
		       k.uts.release);
	puts("Checking kernel modules...");
	ok = check_features(&k, features, ARRAY_SIZE(features)) && ok;
	puts("Checking what Percale needs besides...");
	ok = check_features(&k, own_features, ARRAY_SIZE(own_features)) && ok;
	kernel_done(&k);
	fflush(stdout);
	if (ok)
		puts("System meets minimum system requirements to run Calico!");
	else
		fputs("system doesn't meet one or more minimum systems requirements to run "
		      "Calico\n",
		      stderr);
	return ok ? 0 : 1;
}
