/* SPDX-License-Identifier: BSD-2-Clause */
/* noded: keeps this node's own record in the datastore true. */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/sock.h"
#include "common/model/scalar.h"
#include "common/nl/watch.h"
#include "noded/noded.h"

#define NODENAME_FILE "/var/lib/calico/nodename"

static const struct daemon_option options[] = {
	{ "typhad", "CALICO_TYPHAD", NULL, "typhad's api.sock (default: in the run directory)",
	  false },
	{ "ip", "IP", NULL,
	  "this node's IPv4 address, 'autodetect', or 'none' (default: detect if the Node has "
	  "none)",
	  false },
	{ "ip6", "IP6", NULL, "the same for IPv6 (default: leave what the Node has)", false },
	{ "ip-autodetection-method", "IP_AUTODETECTION_METHOD", "first-found",
	  "first-found, interface=RE, skip-interface=RE, cidr=CIDR, can-reach=ADDRESS", false },
	{ "ip6-autodetection-method", "IP6_AUTODETECTION_METHOD", "first-found",
	  "the same for IPv6", false },
	{ "as", "AS", NULL, "this node's AS number (default: leave what the Node has)", false },
	{ "networking-backend", "CALICO_NETWORKING_BACKEND", "bird",
	  "bird, vxlan or none: with none no AS is written", false },
	{ "k8s-node-ref", "CALICO_K8S_NODE_REF", NULL, "the node's name in Kubernetes", false },
	{ "label", "CALICO_NODE_LABELS", NULL, "labels of the Node: KEY=VALUE[,KEY=VALUE...]",
	  false },
	{ "disable-ip-check", "DISABLE_NODE_IP_CHECK", NULL,
	  "do not look whether another node has the address", true },
	{ "nodename-file", "CALICO_NODENAME_FILE", NULL,
	  "written once the Node is (default: " NODENAME_FILE
	  ", or nodename in another run directory)",
	  false },
	{ "no-default-pools", "NO_DEFAULT_POOLS", NULL, "create no pool", true },
	{ "ipv4pool-cidr", "CALICO_IPV4POOL_CIDR", NULL,
	  "of default-ipv4-ippool, or 'none' (default: 192.168.0.0/16)", false },
	{ "ipv4pool-block-size", "CALICO_IPV4POOL_BLOCK_SIZE", NULL, "20 to 32 (default: 26)",
	  false },
	{ "ipv4pool-ipip", "CALICO_IPV4POOL_IPIP", NULL, "Never, CrossSubnet or Always", false },
	{ "ipv4pool-vxlan", "CALICO_IPV4POOL_VXLAN", NULL, "Never, CrossSubnet or Always", false },
	{ "ipv4pool-nat-outgoing", "CALICO_IPV4POOL_NAT_OUTGOING", NULL,
	  "true or false (default: true)", false },
	{ "ipv4pool-node-selector", "CALICO_IPV4POOL_NODE_SELECTOR", NULL, "default: all()",
	  false },
	{ "ipv4pool-disable-bgp-export", "CALICO_IPV4POOL_DISABLE_BGP_EXPORT", NULL,
	  "true or false (default: false)", false },
	{ "ipv6pool-cidr", "CALICO_IPV6POOL_CIDR", NULL, "of default-ipv6-ippool (default: none)",
	  false },
	{ "ipv6pool-block-size", "CALICO_IPV6POOL_BLOCK_SIZE", NULL, "116 to 128 (default: 122)",
	  false },
	{ "ipv6pool-vxlan", "CALICO_IPV6POOL_VXLAN", NULL, "Never, CrossSubnet or Always", false },
	{ "ipv6pool-nat-outgoing", "CALICO_IPV6POOL_NAT_OUTGOING", NULL,
	  "true or false (default: false)", false },
	{ "ipv6pool-node-selector", "CALICO_IPV6POOL_NODE_SELECTOR", NULL, "default: all()",
	  false },
	{ "ipv6pool-disable-bgp-export", "CALICO_IPV6POOL_DISABLE_BGP_EXPORT", NULL,
	  "true or false (default: false)", false },
	{ 0 },
};

static int plan_new(const struct daemon *d, unsigned f, struct addr_plan *p, struct err *err)
{
	const char *ip = daemon_opt(d, f == 0 ? "ip" : "ip6");
	int r = detect_new(
	        daemon_opt(d, f == 0 ? "ip-autodetection-method" : "ip6-autodetection-method"),
	        &p->detect, err);

	if (r < 0)
		return err_wrap(err, r,
		                f == 0 ? "IP_AUTODETECTION_METHOD" : "IP6_AUTODETECTION_METHOD");
	if (!ip || !*ip) {
		p->mode = f == 0 ? ADDR_KEEP
		                 : ADDR_NONE; /* as upstream: IPv6 is never detected unasked */
	} else if (strcmp(ip, "autodetect") == 0) {
		p->mode = ADDR_DETECT;
	} else if (strcmp(ip, "none") == 0) {
		p->mode = ADDR_NONE;
	} else {
		p->mode = ADDR_FIXED;
		p->fixed_has_len = strchr(ip, '/') != NULL ||
		                   f == 1; /* as upstream: only IPv4's length is looked up */
		if (ip_prefix_parse(ip, &p->fixed) < 0 ||
		    p->fixed.addr.family != (f == 0 ? AF_INET : AF_INET6))
			return err_set(err, -EINVAL, "%s: '%s' is not an %s address",
			               f == 0 ? "IP" : "IP6", LOG_VIS(ip),
			               f == 0 ? "IPv4" : "IPv6");
	}
	return 0;
}

static int pools_new(struct noded *n, struct err *err)
{
	const struct daemon *d = n->d;
	const char *cidr4 = daemon_opt(d, "ipv4pool-cidr"), *cidr6 = daemon_opt(d, "ipv6pool-cidr");
	struct ip_prefix *host;
	char text[IP_PREFIX_STR_MAX];
	struct record_pool v4 = {
		.family = AF_INET,
		.block_size = daemon_opt(d, "ipv4pool-block-size"),
		.ipip = daemon_opt(d, "ipv4pool-ipip"),
		.vxlan = daemon_opt(d, "ipv4pool-vxlan"),
		.nat_outgoing = daemon_opt(d, "ipv4pool-nat-outgoing"),
		.node_selector = daemon_opt(d, "ipv4pool-node-selector"),
		.disable_bgp_export = daemon_opt(d, "ipv4pool-disable-bgp-export"),
	};
	struct record_pool v6 = {
		.family = AF_INET6,
		.cidr = cidr6,
		.block_size = daemon_opt(d, "ipv6pool-block-size"),
		.vxlan = daemon_opt(d, "ipv6pool-vxlan"),
		.nat_outgoing = daemon_opt(d, "ipv6pool-nat-outgoing"),
		.node_selector = daemon_opt(d, "ipv6pool-node-selector"),
		.disable_bgp_export = daemon_opt(d, "ipv6pool-disable-bgp-export"),
	};

	if (daemon_opt_flag(d, "no-default-pools")) {
		if ((cidr4 && *cidr4) || (cidr6 && *cidr6))
			return err_set(err, -EINVAL,
			               "NO_DEFAULT_POOLS and a pool's CIDR exclude each other");
		return 0;
	}
	host = xcalloc(n->n_addrs + 1, sizeof(*host));
	for (size_t i = 0; i < n->n_addrs; i++)
		host[i] = n->addrs[i].prefix;
	v4.cidr = cidr4 && *cidr4 ? cidr4 : record_pool_cidr(host, n->n_addrs, text);
	free(host);
	if (strcmp(v4.cidr, "none") != 0 && !(n->new_pool[0] = record_pool_new(&v4, err)))
		return err_wrap(err, -EINVAL, "CALICO_IPV4POOL_*");
	if (cidr6 && *cidr6 && strcmp(cidr6, "none") != 0 &&
	    !(n->new_pool[1] = record_pool_new(&v6, err)))
		return err_wrap(err, -EINVAL, "CALICO_IPV6POOL_*");
	return 0;
}

static void noded_free(struct noded *n)
{
	for (unsigned f = 0; f < 2; f++) {
		detect_free(n->plan[f].detect);
		msg_free(n->new_pool[f] ? &n->new_pool[f]->base : NULL);
	}
	record_labels_free(n->labels, n->wish.n_labels);
	resource_free(n->node);
	free(n->addrs);
	free(n->file_path);
	nl_conn_close(n->nl);
	free(n);
}

static int noded_start(struct daemon *d, struct err *err)
{
	static const model_kind kinds[] = { V3__KIND__KIND_NODE };
	struct noded *n = xcalloc(1, sizeof(*n));
	const char *as = daemon_opt(d, "as"), *typhad = daemon_opt(d, "typhad"),
	           *file = daemon_opt(d, "nodename-file");
	char path[SOCK_PATH_MAX];
	int r;

	d->state = n;
	n->d = d;
	(void)uv_timer_init(d->loop, &n->retry);
	(void)uv_idle_init(d->loop, &n->turn);
	n->retry.data = n->turn.data = n;
	if ((r = plan_new(d, 0, &n->plan[0], err)) < 0 ||
	    (r = plan_new(d, 1, &n->plan[1], err)) < 0 ||
	    (r = record_labels_parse(daemon_opt(d, "label"), &n->labels, &n->wish.n_labels, err)) <
	            0)
		return r;
	n->wish.labels = n->labels;
	n->wish.k8s_node = daemon_opt(d, "k8s-node-ref");
	if (as && *as && strcmp(daemon_opt(d, "networking-backend"), "none") != 0) {
		if (asn_parse(as, &n->wish.as) < 0)
			return err_set(err, -EINVAL, "AS: '%s' is not an AS number", LOG_VIS(as));
		n->wish.have_as = true;
	}
	if (file && *file)
		n->file_path = xstrdup(file);
	else if (strcmp(d->run_dir, RUN_DIR_DEFAULT) == 0)
		n->file_path = xstrdup(NODENAME_FILE);
	else
		n->file_path = xasprintf("%s/nodename", d->run_dir);
	if ((r = dir_make_for(n->file_path, 0755, err)) < 0 ||
	    (r = nl_conn_open(NETLINK_ROUTE, -1, &n->nl, err)) < 0 ||
	    (r = addrs_listen(n, err)) < 0 || (r = addrs_read(n, err)) < 0 ||
	    (r = pools_new(n, err)) < 0)
		return r;
	daemon_sock_path(d, "typhad", "api.sock", path);
	r = store_typha_open(d->loop, typhad ? typhad : path, "noded", d->node, &n->store, err);
	if (r < 0)
		return r;
	r = store_watch(n->store, kinds, ARRAY_SIZE(kinds), &keep_watch_ops, n);
	if (r < 0)
		return err_set(err, r, "watch: %s", strerror(-r));
	daemon_ready(d, false, "waits for the datastore");
	return daemon_drop_privileges((const int[]){ -1 }, err);
}

void noded_on_closed(void *noded)
{
	struct noded *n = noded;

	if (--n->open_handles == 0)
		noded_free(n);
}

static void on_closed(uv_handle_t *h)
{
	noded_on_closed(h->data);
}

static void noded_stop(struct daemon *d)
{
	struct noded *n = d->state;

	if (!n)
		return;
	n->stopping = true;
	store_free(n->store);
	resource_free(n->pending);
	d->state = NULL;
	n->open_handles = 2 + (n->watch != NULL);
	nl_watch_close(n->watch);
	uv_close((uv_handle_t *)&n->retry, on_closed);
	uv_close((uv_handle_t *)&n->turn, on_closed);
}

static void dump_node(struct daemon *d, void *ctx)
{
	static const char *const modes[] = { "keep", "autodetect", "none", "fixed" };
	struct noded *n = d->state;
	struct jsonw *w = daemon_dump_writer(ctx);
	char text[IP_PREFIX_STR_MAX];

	jsonw_object(w, NULL);
	jsonw_str(w, "node", d->node);
	jsonw_bool(w, "inSync", n->in_sync);
	jsonw_bool(w, "exists", n->node != NULL);
	jsonw_u64(w, "revision", n->node ? n->node->revision : 0);
	for (unsigned f = 0; f < 2; f++) {
		struct ip_prefix p;

		jsonw_object(w, f == 0 ? "ipv4" : "ipv6");
		jsonw_str(w, "mode", modes[n->plan[f].mode]);
		jsonw_str(w, "wished",
		          n->wish.addr[f].addr.family ? ip_prefix_str(&n->wish.addr[f], text)
		                                      : NULL);
		jsonw_str(
		        w, "stored",
		        n->node && record_addr((V3__Node *)n->node->msg, f ? AF_INET6 : AF_INET, &p)
		                ? ip_prefix_str(&p, text)
		                : NULL);
		jsonw_end_object(w);
	}
	jsonw_str(w, "nodenameFile", n->file_path);
	jsonw_bool(w, "nodenameFileWritten", n->file_written);
	jsonw_end_object(w);
	daemon_dump_item(ctx, "node");
}

static void dump_addresses(struct daemon *d, void *ctx)
{
	struct noded *n = d->state;

	for (size_t i = 0; i < n->n_addrs; i++) {
		struct jsonw *w = daemon_dump_writer(ctx);
		char text[IP_PREFIX_STR_MAX];

		jsonw_object(w, NULL);
		jsonw_str(w, "interface", n->addrs[i].ifname);
		jsonw_i64(w, "index", n->addrs[i].ifindex);
		jsonw_str(w, "address", ip_prefix_str(&n->addrs[i].prefix, text));
		jsonw_end_object(w);
		daemon_dump_item(ctx, "addresses");
	}
}

static const struct daemon_dump dumps[] = {
	{ "node", "what the Node says and should say", dump_node },
	{ "addresses", "the host's addresses, as read last", dump_addresses },
	{ 0 },
};

static void noded_health(struct daemon *d, void *ctx)
{
	struct noded *n = d->state;

	daemon_counter(ctx, "node_writes", n->count_writes);
	daemon_counter(ctx, "node_write_conflicts", n->count_conflicts);
	daemon_counter(ctx, "address_changes", n->count_addr_changes);
	daemon_counter(ctx, "address_events", n->count_events);
	daemon_counter(ctx, "address_event_overruns", n->count_overruns);
}

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "noded",
		.summary = "keeps this node's record in the datastore true",
		.options = options,
		.dumps = dumps,
		.start = noded_start,
		.stop = noded_stop,
		.health = noded_health,
	};

	return daemon_main(&spec, argc, argv);
}
