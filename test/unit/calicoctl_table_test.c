/* SPDX-License-Identifier: BSD-2-Clause */
/* What `calicoctl get` prints: every kind's table and wide table, and YAML. '.' stands for a
 * trailing blank. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "calicoctl/output.h"
#include "calicoctl/table.h"
#include "calicoctl/typed.h"
#include "calicoctl/yaml.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "test/unit/every_kind.h"

static struct json *tree_of(const char *yaml)
{
	struct yaml_docs docs;
	struct json *tree;

	yaml_parse(yaml, strlen(yaml), &docs);
	assert_int_equal(docs.n, 1);
	if (!docs.items[0].tree)
		fail_msg("%s: %s", yaml, docs.items[0].err.text);
	tree = docs.items[0].tree;
	docs.items[0].tree = NULL;
	typed_settle(NULL, tree);
	yaml_docs_done(&docs);
	return tree;
}

/* yaml is a list of objects. */
static const char *table(const char *kind, const char *yaml, const struct table_style *style)
{
	static struct buf out;
	struct json *list = tree_of(yaml);
	struct err err;

	buf_clear(&out);
	if (table_write(kind_by_name(kind), list->items, list->len, style, &out, &err) != 0)
		buf_printf(&out, "error: %s", err.text);
	json_free(list);
	for (size_t i = 0; i + 1 < out.len; i++) /* trailing blanks, seen */
		if (out.data[i] == '\n' && i && out.data[i - 1] == ' ')
			for (size_t k = i; k > 0 && out.data[k - 1] == ' '; k--)
				out.data[k - 1] = '.';
	return buf_cstr(&out);
}

#define POOLS                                                                                      \
	"[{metadata: {name: pool1}, spec: {cidr: 10.0.0.0/16, natOutgoing: true, ipipMode: "       \
	"Always,"                                                                                  \
	" nodeSelector: all(), assignmentMode: Automatic}},"                                       \
	" {metadata: {name: second-pool}, spec: {cidr: 'fd00:1::/64', vxlanMode: CrossSubnet, "    \
	"disabled: true,"                                                                          \
	" disableBGPExport: true, nodeSelector: rack == '1'}}]"
#define POLICIES                                                                                   \
	"[{metadata: {name: p, namespace: ns1}, spec: {tier: default, order: 1000000, selector: "  \
	"a == 'b'}},"                                                                              \
	" {metadata: {name: longer, namespace: default}, spec: {tier: platform}}]"
#define NODES                                                                                      \
	"[{metadata: {name: n1}, spec: {bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: "             \
	"'fd00::1/64'}}},"                                                                         \
	" {metadata: {name: n2}, spec: {bgp: {asNumber: 65001, ipv4Address: 10.0.0.2/24}}},"       \
	" {metadata: {name: n3}, spec: {}}]"
#define WEPS                                                                                       \
	"[{metadata: {name: n1-k8s-web--0-eth0, namespace: ns1}, spec: {orchestrator: k8s, node: " \
	"n1, pod: web-0,"                                                                          \
	" endpoint: eth0, interfaceName: cali12345678901, ipNetworks: [10.0.0.1/32, "              \
	"'fd00::1/128'],"                                                                          \
	" profiles: [kns.ns1, ksa.ns1.default], ipNATs: [{internalIP: 10.0.0.1, externalIP: "      \
	"1.2.3.4},"                                                                                \
	" {internalIP: 10.0.0.1, externalIP: 1.2.3.5}]}},"                                         \
	" {metadata: {name: n2-foo-w-e, namespace: ns1}, spec: {orchestrator: foo, node: n2, "     \
	"workload: w}}]"

static size_t watch_widths[TABLE_COLUMNS_MAX] = { 11 };

static void tables(void **state)
{
	/* clang-format off */
	static const struct {
		const char *kind, *yaml;
		struct table_style style;
		const char *want;
	} cases[] = {
		{ "IPPool", POOLS, { 0 },
		  "NAME          CIDR          SELECTOR......\n"
		  "pool1         10.0.0.0/16   all().........\n"
		  "second-pool   fd00:1::/64   rack == '1'...\n\n" },
		{ "IPPool", POOLS, { .wide = true },
		  "NAME          CIDR          NAT     IPIPMODE   VXLANMODE     DISABLED   DISABLEBGPEXPORT   SELECTOR      ASSIGNMENTMODE...\n"
		  "pool1         10.0.0.0/16   true    Always     Never         false      false              all()         Automatic........\n"
		  "second-pool   fd00:1::/64   false   Never      CrossSubnet   true       true               rack == '1'   Automatic........\n\n" },
		{ "IPPool", "[]", { 0 }, "NAME   CIDR   SELECTOR...\n\n" },
		{ "IPPool", POOLS, { .namespaces = true, .columns = "CIDR,NAME" },
		  "CIDR          NAME..........\n"
		  "10.0.0.0/16   pool1.........\n"
		  "fd00:1::/64   second-pool...\n\n" },
		{ "IPPool", POOLS, { .columns = "CIDR,Name" },
		  "error: unknown heading Name, valid values are: NAME, CIDR, NAT, IPIPMODE, VXLANMODE, DISABLED, "
		  "DISABLEBGPEXPORT, SELECTOR, ASSIGNMENTMODE" },
		{ "NetworkPolicy", POLICIES, { 0 },
		  "NAME     TIER.......\n"
		  "p        default....\n"
		  "longer   platform...\n\n" },
		{ "NetworkPolicy", POLICIES, { .wide = true, .namespaces = true },
		  "NAMESPACE   NAME     TIER       ORDER   SELECTOR...\n"
		  "ns1         p        default    1e+06   a == 'b'...\n"
		  "default     longer   platform   <nil>..............\n\n" },
		{ "GlobalNetworkPolicy", "[{metadata: {name: g}, spec: {order: 12.5, selector: \"a\\n\\tb\\x1b\"}}]",
		  { .wide = true },
		  "NAME   TIER      ORDER   SELECTOR.....\n"
		  "g      default   12.5    a\\n\\tb\\x1b...\n\n" },
		{ "GlobalNetworkPolicy", "[{metadata: {name: g}, spec: {tier: t}}]", { .namespaces = true },
		  "NAME   TIER...\n"
		  "g      t......\n\n" },
		{ "Node", NODES, { 0 }, "NAME...\nn1.....\nn2.....\nn3.....\n\n" },
		{ "Node", NODES, { .wide = true, .node_asn = "64512" },
		  "NAME   ASN       IPV4          IPV6.........\n"
		  "n1     (64512)   10.0.0.1/24   fd00::1/64...\n"
		  "n2     65001     10.0.0.2/24................\n"
		  "n3..........................................\n\n" },
		{ "Node", "[{metadata: {name: n1}, spec: {bgp: {ipv4Address: 10.0.0.1/24}}}]", { .wide = true },
		  "NAME   ASN         IPV4          IPV6...\n"
		  "n1     (unknown)   10.0.0.1/24..........\n\n" },
		{ "WorkloadEndpoint", WEPS, { 0 },
		  "WORKLOAD   NODE   NETWORKS                  INTERFACE.........\n"
		  "web-0      n1     10.0.0.1/32,fd00::1/128   cali12345678901...\n"
		  "w          n2.................................................\n\n" },
		{ "WorkloadEndpoint", WEPS, { .wide = true, .namespaces = true },
		  "NAMESPACE   NAME                 WORKLOAD   NODE   NETWORKS                  INTERFACE         PROFILES                  NATS....................................\n"
		  "ns1         n1-k8s-web--0-eth0   web-0      n1     10.0.0.1/32,fd00::1/128   cali12345678901   kns.ns1,ksa.ns1.default   {10.0.0.1 1.2.3.4},{10.0.0.1 1.2.3.5}...\n"
		  "ns1         n2-foo-w-e           w          n2...................................................................................................................\n\n" },
		{ "WorkloadEndpoint", WEPS, { .columns = "ORCHESTRATOR,NAMESPACE" },
		  "ORCHESTRATOR   NAMESPACE...\n"
		  "k8s            ns1.........\n"
		  "foo            ns1.........\n\n" },
		{ "Tier", "[{metadata: {name: z}, spec: {order: 5}}, {metadata: {name: none}},"
			  " {metadata: {name: b}, spec: {order: 1e6}}, {metadata: {name: a}, spec: {order: 1000000}}]",
		  { 0 },
		  "NAME   ORDER...\n"
		  "z      5.......\n"
		  "a      1e+06...\n"
		  "b      1e+06...\n"
		  "none   <nil>...\n\n" },
		{ "Profile", "[{metadata: {name: p}, spec: {labelsToApply: {z: 1, a: 'b'}}}, {metadata: {name: q, labels: {k: v}}}]", { .wide = true },
		  "NAME   LABELS....\n"
		  "p      a=b,z=1...\n"
		  "q................\n\n" },
		{ "Profile", "[{metadata: {name: p, labels: {z: 1}}}]", { 0 }, "NAME...\np......\n\n" },
		{ "BGPConfiguration", "[{metadata: {name: default}, spec: {logSeverityScreen: Info,"
				      " nodeToNodeMeshEnabled: false, asNumber: 65000}}, {metadata: {name: node.n1}, spec: {}}]",
		  { 0 },
		  "NAME      LOGSEVERITY   MESHENABLED   ASNUMBER...\n"
		  "default   Info          false         65000......\n"
		  "node.n1   -             -             -..........\n\n" },
		{ "BGPPeer", "[{metadata: {name: a}, spec: {node: n1, peerIP: 10.0.0.9, asNumber: 65001}},"
			     " {metadata: {name: b}, spec: {nodeSelector: has(rr), peerSelector: all()}},"
			     " {metadata: {name: c}, spec: {peerIP: 'fd00::9'}}]",
		  { .wide = true },
		  "NAME   PEERIP     NODE       ASN.....\n"
		  "a      10.0.0.9   n1         65001...\n"
		  "b                 has(rr)    0.......\n"
		  "c      fd00::9    (global)   0.......\n\n" },
		{ "ClusterInformation", "[{metadata: {name: default}, spec: {clusterGUID: 0123456789abcdef0123456789abcdef,"
					" clusterType: 'typha,bgp', calicoVersion: v3.32.0, datastoreReady: true}}]",
		  { 0 },
		  "NAME      CLUSTERGUID                        CLUSTERTYPE   CALICOVERSION   DATASTOREREADY...\n"
		  "default   0123456789abcdef0123456789abcdef   typha,bgp     v3.32.0         true.............\n\n" },
		{ "ClusterInformation", "[{metadata: {name: default}}]", { 0 },
		  "NAME      CLUSTERGUID   CLUSTERTYPE   CALICOVERSION   DATASTOREREADY...\n"
		  "default                                               <nil>............\n\n" },
		{ "NetworkSet", "[{metadata: {name: s, namespace: x}, spec: {nets: [10.0.0.0/8, 'fd00::1']}}]", { .wide = true },
		  "NAME   NETS.................\n"
		  "s      10.0.0.0/8,fd00::1...\n\n" },
		{ "GlobalNetworkSet", "[{metadata: {name: s}, spec: {nets: [10.10.10.0/24, 10.10.11.0/24, 10.10.12.0/24,"
				      " 10.10.13.0/24, 10.10.14.0/24, 10.10.15.0/24, 10.10.16.0/24]}}, {metadata: {name: \xc3\xa9t\xc3\xa9}}]",
		  { .wide = true },
		  "NAME   NETS................................................................................................\n"
		  "s      10.10.10.0/24,10.10.11.0/24,10.10.12.0/24,10.10.13.0/24,10.10.14.0/24,10.10.15.0/24,10.10.16.0/24...\n"
		  "\xc3\xa9t\xc3\xa9........................................................................................................\n\n" },
		{ "StagedKubernetesNetworkPolicy", "[{metadata: {name: k}, spec: {podSelector: {matchLabels: {b: c, a: web}, matchExpressions: ["
						   "{key: k, operator: In, values: [x, w]}, {key: z, operator: Exists}]}}}, {metadata: {name: l}}]",
		  { .columns = "PODSELECTOR" },
		  "PODSELECTOR.......................................................................................................................................................................................................................\n"
		  "&LabelSelector{MatchLabels:map[string]string{a: web,b: c,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x w],},LabelSelectorRequirement{Key:z,Operator:Exists,Values:[],},},}...\n"
		  "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{},}....................................................................................................................................\n\n" },
		{ "HostEndpoint", "[{metadata: {name: h}, spec: {node: n1, interfaceName: eth0, expectedIPs: [1.2.3.4, 1.2.3.5], profiles: [a, b]}}]",
		  { .wide = true },
		  "NAME   NODE   INTERFACE   IPS               PROFILES...\n"
		  "h      n1     eth0        1.2.3.4,1.2.3.5   a,b........\n\n" },
		{ "IPAMConfiguration", "[{metadata: {name: default}, spec: {strictAffinity: true}}]", { .wide = true },
		  "NAME      STRICTAFFINITY   AUTOALLOCATEBLOCKS   MAXBLOCKSPERHOST...\n"
		  "default   true             false                0..................\n\n" },
		{ "BGPFilter", "[{metadata: {name: f}, spec: {exportV4: [{action: Accept}, {action: Reject}], importV6: []}}]", { 0 },
		  "NAME   NUMEXPORTV4   NUMIMPORTV4   NUMEXPORTV6   NUMIMPORTV6...\n"
		  "f      2             0             0             0.............\n\n" },
		{ "CalicoNodeStatus", "[{metadata: {name: s}, spec: {node: n1, classes: [Agent, BGP]}}]", { .wide = true },
		  "NAME   NODE   CLASSES.....\n"
		  "s      n1     Agent,BGP...\n\n" },
		{ "IPReservation", "[{metadata: {name: r}, spec: {reservedCIDRs: [10.0.0.0/24, 10.1.0.0/24]}}]", { .wide = true },
		  "NAME   CIDRS.....................\n"
		  "r      10.0.0.0/24,10.1.0.0/24...\n\n" },

		/* CJK and pictographs take two columns, combining marks none; what turns the direction of writing is shown */
		{ "GlobalNetworkPolicy", "[{metadata: {name: a}, spec: {selector: \"\xe6\x9d\xb1\xe4\xba\xac\"}},"
					 " {metadata: {name: b}, spec: {selector: \"e\xcc\x81t\xc3\xa9\"}},"
					 " {metadata: {name: c}, spec: {selector: \"\xf0\x9f\x98\x80\"}},"
					 " {metadata: {name: d}, spec: {selector: \"\xe2\x80\xae\xe2\x81\xa7\"}}]",
		  { .columns = "SELECTOR,NAME" },
		  "SELECTOR       NAME...\n"
		  "\xe6\x9d\xb1\xe4\xba\xac           a......\n"
		  "e\xcc\x81t\xc3\xa9            b......\n"
		  "\xf0\x9f\x98\x80             c......\n"
		  "\\u202e\\u2067   d......\n\n" },

		/* as a watch has it */
		{ "IPPool", "[{metadata: {name: p}, spec: {cidr: 10.0.0.0/16, nodeSelector: all()}}]",
		  { .event = "ADDED", .no_headings = true, .no_gap = true, .widths = watch_widths },
		  "ADDED      p    10.0.0.0/16   all()   \n" },
		{ "IPPool", "[]", { .color = true }, "\x1b[1mNAME   CIDR   SELECTOR   \x1b[0m\n\n" },
	};
	/* clang-format on */
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *seen = table(cases[i].kind, cases[i].yaml, &cases[i].style);

		if (strcmp(seen, cases[i].want) != 0)
			fail_msg("%s, case %zu:\n%swanted\n%s", cases[i].kind, i, seen,
			         cases[i].want);
	}
}

static void every_kind_has_a_table(void **state)
{
	const struct table_style style = { .wide = true, .namespaces = true };
	(void)state;

	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k))
		if (*k->aliases)
			assert_null(strstr(table(k->name, "[{metadata: {name: x}}, {}]", &style),
			                   "error"));
}

static void floats_as_go_prints_them(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = { { 0, "0" },
		      { 100, "100" },
		      { 1e5, "100000" },
		      { 1e6, "1e+06" },
		      { 1234567, "1.234567e+06" },
		      { 123456.5, "123456.5" },
		      { 0.5, "0.5" },
		      { 1e-4, "0.0001" },
		      { 1e-5, "1e-05" },
		      { -3.25, "-3.25" },
		      { 1e300, "1e+300" },
		      { 0.1, "0.1" },
		      { 999999, "999999" },
		      { -1e-300, "-1e-300" },
		      { 10, "10" },
		      { 1e7 / 3, "3.3333333333333335e+06" } };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf out = { 0 };

		table_float(cases[i].v, &out);
		assert_string_equal(buf_cstr(&out), cases[i].text);
	}
}

static const char *as_yaml(const struct json *j)
{
	static struct buf out;
	struct err err;

	buf_clear(&out);
	if (output_yaml(j, &out, &err) != 0)
		buf_printf(&out, "error: %s", err.text);
	return buf_cstr(&out);
}

static void yaml_goldens(void **state)
{
	struct json *j;
	(void)state;

	j = tree_of("{kind: IPPoolList, apiVersion: projectcalico.org/v3, metadata: "
	            "{resourceVersion: '12'}, items: ["
	            "{kind: IPPool, apiVersion: projectcalico.org/v3, metadata: {name: p, "
	            "creationTimestamp: '2026-08-22T06:33:20Z',"
	            " labels: {}, annotations: {a: \"two\\nlines\\n\"}}, spec: {cidr: 10.0.0.0/16, "
	            "blockSize: 26, natOutgoing: true,"
	            " allowedUses: [Workload, Tunnel], nodeSelector: \"a == 'b' && c in {'d: "
	            "e'}\"}}]}");
	assert_string_equal(as_yaml(j), "apiVersion: projectcalico.org/v3\n"
	                                "items:\n"
	                                "- apiVersion: projectcalico.org/v3\n"
	                                "  kind: IPPool\n"
	                                "  metadata:\n"
	                                "    annotations:\n"
	                                "      a: |\n"
	                                "        two\n"
	                                "        lines\n"
	                                "    creationTimestamp: \"2026-08-22T06:33:20Z\"\n"
	                                "    labels: {}\n"
	                                "    name: p\n"
	                                "  spec:\n"
	                                "    allowedUses:\n"
	                                "    - Workload\n"
	                                "    - Tunnel\n"
	                                "    blockSize: 26\n"
	                                "    cidr: 10.0.0.0/16\n"
	                                "    natOutgoing: true\n"
	                                "    nodeSelector: 'a == ''b'' && c in {''d: e''}'\n"
	                                "kind: IPPoolList\n"
	                                "metadata:\n"
	                                "  resourceVersion: \"12\"\n");
	json_free(j);

	j = tree_of("{a: '', b: 'true', c: '1.5', d: 'null', e: ' x', f: 'x #y', g: '- z', h: "
	            "'1:30', i: '2026-08-22', j: 'ee:ee:ee:ee:ee:ee',"
	            " k: '00:11:22:33:44:55', l: 'fd00::1', m: 0.5, n: null, o: [], p: '*', q: "
	            "'1_0', r: '<<', s: 'x: y', t: 'off', u: '0x1f', v: '!a', w: \"t\\tb\"}");
	assert_string_equal(as_yaml(j),
	                    "a: \"\"\nb: \"true\"\nc: \"1.5\"\nd: \"null\"\ne: ' x'\nf: 'x #y'\ng: "
	                    "'- z'\nh: \"1:30\"\n"
	                    "i: \"2026-08-22\"\nj: ee:ee:ee:ee:ee:ee\nk: \"00:11:22:33:44:55\"\nl: "
	                    "fd00::1\nm: 0.5\n\"n\": null\no: []\np: '*'\n"
	                    "q: \"1_0\"\nr: \"<<\"\ns: 'x: y'\nt: \"off\"\nu: \"0x1f\"\nv: "
	                    "'!a'\nw: \"t\\tb\"\n");
	json_free(j);
}

static void yaml_reads_back(void **state)
{
	static const char *const texts[] = { "",
		                             " ",
		                             "\n",
		                             "a\n\nb",
		                             "a\n",
		                             "\na",
		                             " a\nb ",
		                             "true",
		                             "-",
		                             "- ",
		                             "?",
		                             ":",
		                             "a:",
		                             "#",
		                             "a #",
		                             "'",
		                             "\"",
		                             "\\",
		                             "{",
		                             "}",
		                             "[x]",
		                             "%",
		                             "@",
		                             "`",
		                             "&a",
		                             "*a",
		                             "!",
		                             "|",
		                             ">",
		                             "\t",
		                             "a\tb\n",
		                             "\x01",
		                             "\xc3\xa9",
		                             "\xf0\x9f\x98\x80",
		                             "---",
		                             "...",
		                             "--- a",
		                             "0",
		                             "-0",
		                             "1e3",
		                             ".5",
		                             "=",
		                             "~",
		                             "a, b",
		                             "x\r\ny",
		                             "\xe2\x80\xa8",
		                             ("very long text with many words that would be folded "
		                              "by some writers at the eightieth column") };
	struct json *list = json_new(JSON_ARRAY), *again;
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct json *o = json_new(JSON_OBJECT);

		json_set(o, texts[i], json_new_str(texts[i]));
		json_append(list, o);
		json_append(list, json_new_str(texts[i]));
	}
	again = tree_of(as_yaml(list));
	for (size_t i = 0; i < list->len; i++)
		if (!json_equal(list->items[i], again->items[i]))
			fail_msg("'%s' did not come back:\n%s", texts[i / 2],
			         as_yaml(list->items[i]));
	json_free(list);
	json_free(again);
}

static void keys_in_order(void **state)
{
	static const char *const sorted[] = { "",
		                              "-",
		                              "A",
		                              "Az",
		                              "a",
		                              "a-b",
		                              "a.b",
		                              "a/b",
		                              "a2",
		                              "a10",
		                              "ab",
		                              "b01",
		                              "b1",
		                              "b1x",
		                              "ipv4Address",
		                              "ipv6Address",
		                              "vxlanTunnelMACAddr",
		                              "vxlanTunnelMACAddrV6" };
	(void)state;

	for (size_t a = 0; a < ARRAY_SIZE(sorted); a++)
		for (size_t b = 0; b < ARRAY_SIZE(sorted); b++) {
			int rc = output_key_cmp(sorted[a], sorted[b]);

			if ((rc > 0) - (rc < 0) != (a > b) - (a < b) &&
			    !(strncmp(sorted[a], "b", 1) == 0))
				fail_msg("'%s' and '%s': %d", sorted[a], sorted[b], rc);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(every_kind_has_a_table),
		cmocka_unit_test(floats_as_go_prints_them),
		cmocka_unit_test(yaml_goldens),
		cmocka_unit_test(yaml_reads_back),
		cmocka_unit_test(keys_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
