/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backend holds policy, by configuration or by what the host uses, and what becomes of the
 * other one's rules. */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "felixd/dataplane/dataplane_i.h"
#include "felixd/dataplane/ipset.h"
#include "felixd/dataplane/iptables.h"
#include "felixd/dataplane/nft_rules.h"
#include "felixd/dataplane/nft_sets.h"

static void sink_chain(void *arg, enum table_id table, struct chain *c)
{
	const struct ruleset *t = arg;

	t->ops->set_chain(t->self, table, c);
}

static void sink_hook(void *arg, enum table_id table, const char *kernel_chain,
                      struct chain *inserts, struct chain *appends)
{
	const struct ruleset *t = arg;

	t->ops->set_hook(t->self, table, kernel_chain, inserts, appends);
}

static void sink_map(void *arg, enum table_id table, const char *name,
                     const struct verdict *entries, size_t n)
{
	const struct ruleset *t = arg;

	t->ops->set_map(t->self, table, name, entries, n);
}

void backends_adapt(const struct dataplane *dp, struct dataplane_config *config)
{
	if (!dp->nft)
		return;
	if (config->nft_filter_allow_action)
		config->filter_allow_action = config->nft_filter_allow_action;
	if (config->nft_mangle_allow_action)
		config->mangle_allow_action = config->nft_mangle_allow_action;
	if (config->nft_deny_action)
		config->deny_action = config->nft_deny_action;
	if (config->nft_mark_mask)
		config->mark_mask = config->nft_mark_mask;
	config->refresh_iptables_ms = config->refresh_nftables_ms;
}

/* Opens the link to nf_tables if they are to be used. */
static int choose(struct dataplane *dp, int family, struct err *err)
{
	const char *mode = dp->config.nftables_mode;
	bool use = true;
	int rc;

	if (mode && strcasecmp(mode, "Disabled") == 0)
		return 0;
	rc = nft_link_open(family, &dp->nft, err);
	if (rc < 0 || (mode && strcasecmp(mode, "Enabled") == 0))
		return rc;
	if (nft_link_kube_proxy(dp->nft, &use, err) < 0)
		use = false; /* a kernel without nf_tables */
	if (use)
		return 0;
	nft_link_close(dp->nft);
	dp->nft = NULL;
	return 0;
}

int backends_choose(struct dataplane *dp, int family, struct err *err)
{
	int rc = choose(dp, family, err);

	if (rc == 0)
		backends_adapt(dp, &dp->config);
	return rc;
}

static bool appends(const struct dataplane *dp)
{
	const char *mode = dp->config.chain_insert_mode;

	return mode && strcasecmp(mode, "append") == 0;
}

void backends_configured(struct dataplane *dp)
{
	dp->render.vmaps = dp->nft != NULL;
	if (!dp->nft)
		iptables_set_append(dp->tables.self, appends(dp));
}

int backends_open(struct dataplane *dp, struct err *err)
{
	struct nft_sets *nft_sets;
	struct ipsets *ipsets;
	int rc;

	dp->clean_other = true;
	if (dp->nft) {
		nft_sets = nft_sets_new(dp->nft);
		dp->sets = (struct setstore){ &nft_sets_ops, nft_sets };
		dp->tables = (struct ruleset){ &nft_rules_ops, nft_rules_new(dp->nft, nft_sets) };
	} else {
		rc = ipsets_new(dp->render.family, &ipsets, err);
		if (rc < 0)
			return rc;
		dp->sets = (struct setstore){ &ipset_ops, ipsets };
		dp->tables = (struct ruleset){ &iptables_ops,
			                       iptables_new(dp->render.family, appends(dp)) };
	}
	backends_configured(dp);
	dp->sink = (struct render_sink){ sink_chain, sink_hook, sink_map, &dp->tables };
	log_info("policy is kept by", "backend=%s", dp->nft ? "nftables" : "iptables");
	return 0;
}

void backends_close(struct dataplane *dp)
{
	if (dp->tables.ops)
		dp->tables.ops->free(dp->tables.self);
	if (dp->sets.ops)
		dp->sets.ops->free(dp->sets.self);
	nft_link_close(dp->nft);
}

/* ---- the other one */

/* Nothing is wanted of it: what is ours goes, what is others' stays. */
static int clean_iptables(int family, struct err *err)
{
	struct iptables *t = iptables_new(family, false);
	struct ipsets *s;
	int rc;

	iptables_doubt_existing(t);
	rc = iptables_apply(t, err);
	iptables_free(t);
	if (rc < 0)
		return rc;
	if (ipsets_new(family, &s, err) < 0) /* a kernel without IP sets has none of ours */
		return 0;
	rc = ipset_apply(s, SIZE_MAX, err);
	if (rc >= 0)
		rc = ipset_destroy_unwanted(s) ? -EAGAIN : 0; /* some at a time */
	ipsets_free(s);
	return rc;
}

static int clean_nftables(int family, struct err *err)
{
	struct nft_link *l;
	bool was = false;
	int rc = nft_link_open(family, &l, err);

	if (rc < 0)
		return rc;
	rc = nft_link_remove_table(l, &was, err);
	nft_link_close(l);
	if (was)
		log_info("nftables' table calico is gone: iptables hold policy now", "%s", "");
	return rc == -EINVAL || rc == -EOPNOTSUPP ? 0 : rc; /* no nf_tables here */
}

int backends_clean_other(struct dataplane *dp, struct err *err)
{
	return dp->nft ? clean_iptables(dp->render.family, err)
	               : clean_nftables(dp->render.family, err);
}
