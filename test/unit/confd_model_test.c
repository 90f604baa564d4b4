/* SPDX-License-Identifier: BSD-2-Clause */
/* Who peers with whom, by upstream's rules; and what of pools and blocks templates see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "confd/model.h"

static struct model_input in;

static void put(const char *kind, const char *name, const char *json)
{
	const struct kind_info *k = kind_by_name(kind);
	struct objects *o = strcmp(kind, "Node") == 0               ? &in.nodes
	                    : strcmp(kind, "BGPConfiguration") == 0 ? &in.configs
	                    : strcmp(kind, "BGPPeer") == 0          ? &in.peers
	                    : strcmp(kind, "IPPool") == 0           ? &in.pools
	                                                            : &in.affinities;
	struct err err = { 0 };
	ProtobufCMessage *m;

	if (mapper_read_text(k->message, json, strlen(json), MAPPER_REFUSE, &m, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	objects_put(o, resource_new(k->kind, NULL, name, 1, m));
}

static void node(const char *name, const char *addr, const char *more)
{
	CLEANUP(free_p)
	char *text = xasprintf("{\"metadata\":{\"labels\":{\"name\":\"%s\"}},\"spec\":{\"bgp\":{"
	                       "\"ipv4Address\":\"%s\"%s}}}",
	                       name, addr, more);

	put("Node", name, text);
}

static int setup(void **state)
{
	(void)state;
	model_input_done(&in);
	in = (struct model_input){ .node = "n2" };
	node("n1", "10.0.0.1/24", "");
	node("n2", "10.0.0.2/24", "");
	node("n3", "10.0.0.3/24", "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	model_input_done(&in);
	return 0;
}

/* "Name=address/as[:port][ flags]; ..." of all peers. */
static void peers_str(struct buf *out)
{
	struct err err = { 0 };
	struct json *m, *list;

	if (model_build(&in, &m, &err) < 0) {
		buf_str(out, err.text);
		return;
	}
	list = json_get(m, "peers");
	for (size_t i = 0; i < list->len; i++) {
		const struct json *p = list->items[i];
		static const char *const flags[] = { "passive", "rrClient", "nextHopSelf",
			                             "nextHopKeep" };
		bool on;

		buf_printf(out, "%s%s/%s", i ? "; " : "", json_str(json_get(p, "name")),
		           json_get(p, "remoteAs")->text);
		if (json_get(p, "port"))
			buf_printf(out, ":%s", json_get(p, "port")->text);
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
			if (json_bool(json_get(p, flags[f]), &on) == 0 && on)
				buf_printf(out, " %s", flags[f]);
		if (!json_get(p, "sourceAddress"))
			buf_str(out, " anySource");
		if (json_get(p, "restartTime"))
			buf_printf(out, " restart=%s", json_get(p, "restartTime")->text);
	}
	json_free(m);
}

static void expect(const char *wanted)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	peers_str(&out);
	assert_string_equal(buf_cstr(&out), wanted);
}

static void the_mesh(void **state)
{
	(void)state;
	expect("Mesh_10_0_0_1/64512; Mesh_10_0_0_3/64512 passive");
	/* Addresses are compared as texts: "10.0.0.10" is before "10.0.0.2". */
	node("n10", "10.0.0.10/24", "");
	expect("Mesh_10_0_0_1/64512; Mesh_10_0_0_10/64512; Mesh_10_0_0_3/64512 passive");
	/* A node's own AS; ours is what nodes without one are given. */
	node("n2", "10.0.0.2/24", ",\"asNumber\":65002");
	node("n3", "10.0.0.3/24", ",\"asNumber\":65003");
	expect("Mesh_10_0_0_1/65002; Mesh_10_0_0_10/65002; Mesh_10_0_0_3/65003 passive");
	/* Reflectors are in nobody's mesh; nor are nodes without an address. */
	node("n1", "10.0.0.1/24", ",\"routeReflectorClusterID\":\"1.0.0.1\"");
	put("Node", "n10", "{\"spec\":{}}");
	expect("Mesh_10_0_0_3/65003 passive");
	node("n2", "10.0.0.2/24", ",\"routeReflectorClusterID\":\"1.0.0.1\"");
	expect("");
}

static void settings_of_the_cluster(void **state)
{
	(void)state;
	put("BGPConfiguration", "default", "{\"spec\":{\"asNumber\":64999,\"listenPort\":1790}}");
	put("BGPConfiguration", "node.n3", "{\"spec\":{\"listenPort\":1791}}");
	expect("Mesh_10_0_0_1/64999:1790; Mesh_10_0_0_3/64999:1791 passive");
	put("BGPConfiguration", "default", "{\"spec\":{\"nodeToNodeMeshEnabled\":false}}");
	expect("");
}

static void global_peers(void **state)
{
	(void)state;
	put("BGPPeer", "tor", "{\"spec\":{\"peerIP\":\"10.0.0.254\",\"asNumber\":65000}}");
	expect("Global_10_0_0_254/65000; Mesh_10_0_0_1/64512; Mesh_10_0_0_3/64512 passive");
	put("BGPPeer", "tor",
	    "{\"spec\":{\"peerIP\":\"10.0.0.254:1179\",\"asNumber\":65000,\"nextHopMode\":\"Keep\","
	    "\"sourceAddress\":\"None\",\"maxRestartTime\":\"2m30s\"}}");
	expect("Global_10_0_0_254_port_1179/65000:1179 nextHopKeep anySource restart=150; "
	       "Mesh_10_0_0_1/64512; Mesh_10_0_0_3/64512 passive");
	/* One that is this node itself is nobody's peer; one that is a node takes the mesh's place.
	 */
	put("BGPPeer", "tor", "{\"spec\":{\"peerIP\":\"10.0.0.2\",\"asNumber\":64512}}");
	put("BGPPeer", "node3",
	    "{\"spec\":{\"peerIP\":\"10.0.0.3\",\"asNumber\":64512,\"nextHopMode\":\"Self\"}}");
	expect("Global_10_0_0_3/64512 passive nextHopSelf; Node_10_0_0_1/64512");
}

static void node_peers_and_precedence(void **state)
{
	(void)state;
	put("BGPConfiguration", "default", "{\"spec\":{\"nodeToNodeMeshEnabled\":false}}");
	put("BGPPeer", "a-other",
	    "{\"spec\":{\"node\":\"n1\",\"peerIP\":\"10.0.0.250\",\"asNumber\":65000}}");
	put("BGPPeer", "b-own",
	    "{\"spec\":{\"node\":\"n2\",\"peerIP\":\"10.0.0.251\",\"asNumber\":65000}}");
	put("BGPPeer", "c-selected",
	    "{\"spec\":{\"nodeSelector\":\"name in "
	    "{'n2','n9'}\",\"peerIP\":\"10.0.0.252\",\"asNumber\":65000}}");
	put("BGPPeer", "d-not",
	    "{\"spec\":{\"nodeSelector\":\"name == "
	    "'n1'\",\"peerIP\":\"10.0.0.253\",\"asNumber\":65000}}");
	expect("Node_10_0_0_251/65000; Node_10_0_0_252/65000");
	put("BGPPeer", "z-global", "{\"spec\":{\"peerIP\":\"10.0.0.252\",\"asNumber\":65009}}");
	expect("Global_10_0_0_252/65009; Node_10_0_0_251/65000");
}

static void reflectors_from_one_peer(void **state)
{
	(void)state;
	put("BGPConfiguration", "default", "{\"spec\":{\"nodeToNodeMeshEnabled\":false}}");
	node("n1", "10.0.0.1/24", ",\"routeReflectorClusterID\":\"1.0.0.1\"");
	put("BGPPeer", "rr",
	    "{\"spec\":{\"nodeSelector\":\"name != 'n1'\",\"peerSelector\":\"name == 'n1'\"}}");
	expect("Node_10_0_0_1/64512");
	in.node = "n1";
	expect("Node_10_0_0_2/64512 rrClient; Node_10_0_0_3/64512 rrClient");
	/* Two of one cluster are no clients of each other. */
	node("n2", "10.0.0.2/24", ",\"routeReflectorClusterID\":\"1.0.0.1\"");
	expect("Node_10_0_0_2/64512; Node_10_0_0_3/64512 rrClient");
	node("n2", "10.0.0.2/24", ",\"routeReflectorClusterID\":\"1.0.0.2\"");
	expect("Node_10_0_0_2/64512 rrClient; Node_10_0_0_3/64512 rrClient");
	/* The same from a global BGPPeer. */
	put("BGPPeer", "rr", "{\"spec\":{\"peerSelector\":\"name == 'n1'\"}}");
	expect("Node_10_0_0_2/64512 rrClient; Node_10_0_0_3/64512 rrClient");
	in.node = "n3";
	expect("Global_10_0_0_1/64512");
}

static void blocks_and_pools(void **state)
{
	struct err err = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct json *m;

	(void)state;
	put("IPAMAffinity", "n2/10.1.0.0/26", "{\"state\":\"confirmed\",\"deleted\":false}");
	put("IPAMAffinity", "n2/10.1.0.64/26", "{\"state\":\"pending\"}");
	put("IPAMAffinity", "n2/10.1.0.128/26", "{\"state\":\"pendingDeletion\"}");
	put("IPAMAffinity", "n2/10.1.0.192/26", "{}");
	put("IPAMAffinity", "n2/10.3.0.1/32", "{\"state\":\"confirmed\"}");
	put("IPAMAffinity", "n2/fd00::/122", "{\"state\":\"confirmed\"}");
	put("IPPool", "a", "{\"spec\":{\"cidr\":\"10.1.0.0/16\"}}");
	put("IPPool", "b",
	    "{\"spec\":{\"cidr\":\"10.2.0.0/"
	    "16\",\"disableBGPExport\":true,\"ipipMode\":\"Always\"}}");
	put("IPPool", "c",
	    "{\"spec\":{\"cidr\":\"10.3.0.0/"
	    "16\",\"disabled\":true,\"vxlanMode\":\"CrossSubnet\"}}");
	assert_int_equal(model_build(&in, &m, &err), 0);
	json_write(json_get(m, "blocks"), 0, &out);
	json_write(json_get(m, "exportPools"), 0, &out);
	json_write(json_get(m, "noExportPools"), 0, &out);
	json_write(json_get(m, "tunnelPools"), 0, &out);
	assert_string_equal(buf_cstr(&out),
	                    "[{\"cidr\":\"10.1.0.0/26\",\"blackhole\":true},{\"cidr\":\"10.1.0.128/"
	                    "26\",\"blackhole\":true},"
	                    "{\"cidr\":\"10.1.0.192/26\",\"blackhole\":true},{\"cidr\":\"10.3.0.1/"
	                    "32\",\"blackhole\":false}]"
	                    "[{\"cidr\":\"10.1.0.0/16\"},{\"cidr\":\"10.2.0.0/16\"}]"
	                    "[{\"cidr\":\"10.2.0.0/16\"}]"
	                    "[{\"cidr\":\"10.2.0.0/16\"},{\"cidr\":\"10.3.0.0/16\"}]");
	json_free(m);
}

static void router_ids(void **state)
{
	struct err err = { 0 };
	struct json *m;

	(void)state;
	assert_int_equal(model_build(&in, &m, &err), 0);
	assert_string_equal(json_str(json_get(m, "routerId")), "10.0.0.2");
	json_free(m);
	in.router_id = "9.9.9.9";
	assert_int_equal(model_build(&in, &m, &err), 0);
	assert_string_equal(json_str(json_get(m, "routerId")), "9.9.9.9");
	json_free(m);
	in.router_id = "hash";
	put("Node", "n2", "{\"spec\":{}}");
	assert_int_equal(model_build(&in, &m, &err), 0);
	/* the first four bytes of SHA-256("n2") */
	assert_string_equal(json_str(json_get(m, "routerId")), "4.128.169.61");
	json_free(m);
	in.router_id = NULL;
	assert_int_equal(model_build(&in, &m, &err), -EAGAIN);
	in.node = "nobody";
	assert_int_equal(model_build(&in, &m, &err), -EAGAIN);
	assert_string_equal(err.text, "node 'nobody' has no Node resource in the datastore");
}

/* A thousand in random order: sorted, found, gone. */
static void objects_stay_sorted(void **state)
{
	struct objects o = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%u", i * 617 % 1000);
		objects_put(&o, resource_new(V3__KIND__KIND_NODE, NULL, name, i, NULL));
	}
	assert_int_equal(o.n, 1000);
	for (size_t i = 1; i < o.n; i++)
		assert_true(strcmp(o.items[i - 1]->name, o.items[i]->name) < 0);
	for (unsigned i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%u", i * 331 % 1000);
		assert_non_null(objects_find(&o, name));
		assert_true(objects_remove(&o, name));
		assert_null(objects_find(&o, name));
		assert_false(objects_remove(&o, name));
	}
	assert_int_equal(o.n, 0);
	objects_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_mesh, setup),
		cmocka_unit_test_setup(settings_of_the_cluster, setup),
		cmocka_unit_test_setup(global_peers, setup),
		cmocka_unit_test_setup(node_peers_and_precedence, setup),
		cmocka_unit_test_setup(reflectors_from_one_peer, setup),
		cmocka_unit_test_setup(blocks_and_pools, setup),
		cmocka_unit_test_setup(router_ids, setup),
		cmocka_unit_test(objects_stay_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
