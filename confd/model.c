/* SPDX-License-Identifier: BSD-2-Clause */
#include "confd/model.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/sha.h"
#include "confd/peers.h"
#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define DEFAULT_AS 64512u
#define NORMAL_PRIORITY 1024u

/* ---- writing the tree */

static void set_str(struct json *o, const char *key, const char *v)
{
	json_set(o, key, v ? json_new_str(v) : json_new(JSON_NULL));
}

static void set_num(struct json *o, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	json_set(o, key, json_new_number(text));
}

static void set_bool(struct json *o, const char *key, bool v)
{
	json_set(o, key, json_new_bool(v));
}

static struct json *cidr_item(const struct ip_prefix *p)
{
	struct json *o = json_new(JSON_OBJECT);
	char text[IP_PREFIX_STR_MAX];

	set_str(o, "cidr", ip_prefix_str(p, text));
	return o;
}

/* ---- what there is */

static const V3__BgpConfigurationSpec *config_spec(const struct model_input *in, const char *name)
{
	const struct resource *r = objects_find(&in->configs, name);

	return r ? ((const V3__BGPConfiguration *)r->msg)->spec : NULL;
}

/* As upstream: "debug" and "info" (the default) mean what they say, anything else is none. */
static const char *log_level(const struct model_input *in)
{
	char name[300];
	const V3__BgpConfigurationSpec *own, *global = config_spec(in, "default");
	const char *s;

	snprintf(name, sizeof(name), "node.%s", in->node);
	own = config_spec(in, name);
	s = own && own->logseverityscreen ? own->logseverityscreen
	    : global                      ? global->logseverityscreen
	                                  : NULL;
	if (!s || strcasecmp(s, "info") == 0)
		return "info";
	return strcasecmp(s, "debug") == 0 || strcasecmp(s, "trace") == 0 ? "debug" : "none";
}

static int router_id(const struct model_input *in, const struct bgp_node *me,
                     char out[IP_ADDR_STR_MAX], struct err *err)
{
	struct ip_addr a;
	uint8_t hash[32];

	if (!in->router_id || !*in->router_id) {
		if (!me->addr.family)
			return err_set(
			        err, -EAGAIN,
			        "the Node has no IPv4 address and CALICO_ROUTER_ID is not set");
		ip_addr_str(&me->addr, out);
		return 0;
	}
	if (strcmp(in->router_id, "hash") == 0) {
		/* Upstream's: of the name, and kept out of what is not a unicast address. */
		sha256(in->node, strlen(in->node), hash);
		if (hash[0] > 223)
			hash[0] = (uint8_t)(hash[0] - 32);
		a = ip_addr_from_bytes(AF_INET, hash);
		ip_addr_str(&a, out);
		return 0;
	}
	if (ip_addr_parse(in->router_id, &a) < 0 || a.family != AF_INET)
		return err_set(err, -EAGAIN,
		               "CALICO_ROUTER_ID '%s' is not in the form of an IPv4 address",
		               in->router_id);
	ip_addr_str(&a, out);
	return 0;
}

static struct json *blocks(const struct model_input *in, int family)
{
	struct json *list = json_new(JSON_ARRAY);

	for (size_t i = 0; i < in->affinities.n; i++) {
		const struct resource *r = in->affinities.items[i];
		const V3__IpamAffinity *a = (const V3__IpamAffinity *)r->msg;
		const char *cidr = strchr(r->name, '/');
		struct ip_prefix p;
		struct json *o;

		/* Pending: not ours yet. Confirmed, being given back, or old data without a state:
		 * ours. */
		if ((a->state && strcmp(a->state, "pending") == 0) ||
		    (a->has_deleted && a->deleted) || !cidr || ip_prefix_parse(cidr + 1, &p) < 0 ||
		    p.addr.family != family)
			continue;
		o = cidr_item(&p);
		/* The only address of a block needs its own route, which nothing may shadow. */
		set_bool(o, "blackhole", p.len < ip_addr_bits(&p.addr));
		json_append(list, o);
	}
	return list;
}

static bool is_on(const char *mode)
{
	return mode && *mode && strcmp(mode, "Never") != 0;
}

static void set_pools(const struct model_input *in, int family, struct json *root)
{
	struct json *exported = json_new(JSON_ARRAY), *hidden = json_new(JSON_ARRAY),
	            *foreign = json_new(JSON_ARRAY);

	for (size_t i = 0; i < in->pools.n; i++) {
		const V3__IpPoolSpec *s = ((const V3__IPPool *)in->pools.items[i]->msg)->spec;
		struct ip_prefix p;

		if (!s || !s->cidr || ip_prefix_parse(s->cidr, &p) < 0 || p.addr.family != family)
			continue;
		p = ip_prefix_network(&p);
		if (s->has_disablebgpexport && s->disablebgpexport)
			json_append(hidden, cidr_item(&p));
		if (!(s->has_disabled && s->disabled))
			json_append(exported, cidr_item(&p));
		/* Felix programs what travels in tunnels. */
		if (is_on(s->ipipmode) || is_on(s->vxlanmode))
			json_append(foreign, cidr_item(&p));
	}
	json_set(root, "exportPools", exported);
	json_set(root, "noExportPools", hidden);
	json_set(root, "tunnelPools", foreign);
}

static struct json *peer_item(const struct peer *p, const struct bgp_node *me, uint32_t own_as)
{
	struct json *o = json_new(JSON_OBJECT);
	char text[IP_ADDR_STR_MAX];

	set_str(o, "name", p->name);
	set_str(o, "address", ip_addr_str(&p->address, text));
	if (p->port)
		set_num(o, "port", p->port);
	set_num(o, "remoteAs", p->remote_as);
	set_bool(o, "internal", p->remote_as == own_as);
	if (!p->source_none)
		set_str(o, "sourceAddress", ip_addr_str(&me->addr, text));
	set_bool(o, "passive", p->passive);
	set_bool(o, "calicoNode", p->calico_node);
	set_bool(o, "mesh", strcmp(p->origin, "mesh") == 0);
	set_str(o, "nextHop", p->next_hop);
	set_bool(o, "nextHopSelf", strcmp(p->next_hop, "self") == 0);
	set_bool(o, "nextHopKeep", strcmp(p->next_hop, "keep") == 0);
	if (p->restart_sec)
		set_num(o, "restartTime", p->restart_sec);
	set_bool(o, "rrClient", p->rr_client);
	set_str(o, "origin", p->origin);
	return o;
}

int model_build(const struct model_input *in, struct json **ret, struct err *err)
{
	const V3__BgpConfigurationSpec *global = config_spec(in, "default");
	const struct resource *own = objects_find(&in->nodes, in->node);
	uint32_t default_as = global && global->asnumber && global->asnumber->has_value
	                              ? global->asnumber->value
	                              : DEFAULT_AS;
	bool mesh =
	        !(global && global->has_nodetonodemeshenabled && !global->nodetonodemeshenabled);
	char text[IP_ADDR_STR_MAX];
	struct json *root, *list;
	struct bgp_node me;
	struct peers peers;
	uint32_t own_as;
	int r;

	if (!own)
		return err_set(err, -EAGAIN, "node '%s' has no Node resource in the datastore",
		               in->node);
	bgp_node_of(in, own, AF_INET, &me);
	own_as = me.has_as ? me.as : default_as;
	r = router_id(in, &me, text, err);
	if (r < 0)
		return r;

	root = json_new(JSON_OBJECT);
	set_str(root, "node", in->node);
	set_str(root, "routerId", text);
	set_num(root, "localAs", own_as);
	set_num(root, "priority", NORMAL_PRIORITY);
	set_str(root, "logLevel", log_level(in));
	set_num(root, "listenPort", me.port);
	set_str(root, "ipv4", me.addr.family ? ip_addr_str(&me.addr, text) : NULL);
	set_bool(root, "mesh", mesh);
	set_str(root, "clusterId", me.cluster_id);
	json_set(root, "blocks", blocks(in, AF_INET));
	set_pools(in, AF_INET, root);

	peers_build(in, &me, AF_INET, own_as, default_as, mesh, &peers);
	list = json_new(JSON_ARRAY);
	for (size_t i = 0; i < peers.n; i++)
		json_append(list, peer_item(&peers.items[i], &me, own_as));
	json_set(root, "peers", list);
	peers_done(&peers);
	*ret = root;
	return 0;
}
