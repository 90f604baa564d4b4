/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "common/model/validate.h"
#include "proto/v3_node.pb-c.h"

#define API "\"apiVersion\":\"projectcalico.org/v3\""

static ProtobufCMessage *manifest(const struct kind_info *k, const char *text)
{
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (mapper_read_text(k->message, text, strlen(text), MAPPER_REFUSE, &m, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return m;
}

/* ---- defaults */

static const struct {
	const char *kind, *in, *out;
} defaults[] = {
	{ "IPPool", "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"cidr\":\"10.0.0.0/16\"}}",
	  "{\"kind\":\"IPPool\"," API ",\"metadata\":{\"name\":\"p\"},\"spec\":{\"cidr\":\"10.0.0."
	  "0/16\",\"vxlanMode\":\"Never\",\"ipipMode\":"
	  "\"Never\",\"blockSize\":26,\"nodeSelector\":\"all()\",\"allowedUses\":[\"Workload\","
	  "\"Tunnel\"],\"assignmentMode\":\"Automatic\"}}" },
	{ "IPPool",
	  "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"cidr\":\"FD00:0::/"
	  "64\",\"ipipMode\":\"Never\",\"vxlanMode\":\"Always\",\"allowedUses\":"
	  "[\"Tunnel\"],\"nodeSelector\":\"a == 'b'\",\"assignmentMode\":\"Manual\"}}",
	  "{\"kind\":\"IPPool\"," API ",\"metadata\":{\"name\":\"p\"},\"spec\":{\"cidr\":\"fd00::/"
	  "64\",\"vxlanMode\":\"Always\",\"ipipMode\":"
	  "\"Never\",\"blockSize\":122,\"nodeSelector\":\"a == "
	  "'b'\",\"allowedUses\":[\"Tunnel\"],\"assignmentMode\":\"Manual\"}}" },
	{ "NetworkPolicy", "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"}}",
	  "{\"kind\":\"NetworkPolicy\"," API ",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
	  "\"labels\":{\"projectcalico.org/tier\":"
	  "\"default\"}},\"spec\":{\"tier\":\"default\",\"types\":[\"Ingress\"]}}" },
	{ "NetworkPolicy",
	  "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"labels\":{\"projectcalico.org/"
	  "tier\":\"x\"}},\"spec\":{\"tier\":"
	  "\"t\",\"egress\":[{\"action\":\"Allow\"}]}}",
	  "{\"kind\":\"NetworkPolicy\"," API ",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\","
	  "\"labels\":{\"projectcalico.org/tier\":\"t\"}},"
	  "\"spec\":{\"tier\":\"t\",\"egress\":[{\"action\":\"Allow\",\"source\":{},"
	  "\"destination\":{}}],\"types\":[\"Egress\"]}}" },
	{ "GlobalNetworkPolicy",
	  "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"ingress\":[{\"action\":\"Deny\"}],\"egress\":"
	  "[{\"action\":\"Deny\"}]}}",
	  "{\"kind\":\"GlobalNetworkPolicy\"," API
	  ",\"metadata\":{\"name\":\"p\",\"labels\":{\"projectcalico.org/"
	  "tier\":\"default\"}},\"spec\":"
	  "{\"tier\":\"default\",\"ingress\":[{\"action\":\"Deny\",\"source\":{},\"destination\":{}"
	  "}],\"egress\":[{\"action\":\"Deny\",\"source\":"
	  "{},\"destination\":{}}],\"types\":[\"Ingress\",\"Egress\"]}}" },
	{ "GlobalNetworkPolicy",
	  "{\"metadata\":{\"name\":\"p\"},\"spec\":{\"types\":[\"Egress\"],\"ingress\":[{"
	  "\"action\":\"Deny\"}]}}",
	  "{\"kind\":\"GlobalNetworkPolicy\"," API
	  ",\"metadata\":{\"name\":\"p\",\"labels\":{\"projectcalico.org/"
	  "tier\":\"default\"}},\"spec\":"
	  "{\"tier\":\"default\",\"ingress\":[{\"action\":\"Deny\",\"source\":{},\"destination\":{}"
	  "}],\"types\":[\"Egress\"]}}" },
	{ "Tier", "{\"metadata\":{\"name\":\"t\"}}",
	  "{\"kind\":\"Tier\"," API ",\"metadata\":{\"name\":\"t\"},\"spec\":{\"order\":1000000,"
	  "\"defaultAction\":\"Deny\"}}" },
	{ "Tier",
	  "{\"metadata\":{\"name\":\"t\"},\"spec\":{\"order\":0,\"defaultAction\":\"Pass\"}}",
	  "{\"kind\":\"Tier\"," API
	  ",\"metadata\":{\"name\":\"t\"},\"spec\":{\"order\":0,\"defaultAction\":\"Pass\"}}" },
	{ "BGPConfiguration", "{\"metadata\":{\"name\":\"default\"}}",
	  "{\"kind\":\"BGPConfiguration\"," API
	  ",\"metadata\":{\"name\":\"default\"},\"spec\":{\"logSeverityScreen\":\"Info\"}}" },
	{ "WorkloadEndpoint",
	  "{\"metadata\":{\"namespace\":\"ns1\"},\"spec\":{\"node\":\"node-1\",\"orchestrator\":"
	  "\"k8s\",\"pod\":\"web-0\","
	  "\"endpoint\":\"eth0\"}}",
	  "{\"kind\":\"WorkloadEndpoint\"," API
	  ",\"metadata\":{\"name\":\"node--1-k8s-web--0-eth0\",\"namespace\":\"ns1\",\"labels\":"
	  "{\"projectcalico.org/namespace\":\"ns1\",\"projectcalico.org/"
	  "orchestrator\":\"k8s\"}},\"spec\":{\"orchestrator\":\"k8s\",\"node\":"
	  "\"node-1\",\"pod\":\"web-0\",\"endpoint\":\"eth0\"}}" },
	{ "Node", "{\"metadata\":{\"name\":\"n\"}}",
	  "{\"kind\":\"Node\"," API ",\"metadata\":{\"name\":\"n\"},\"spec\":{},\"status\":{}}" },
	{ "BGPPeer", "{\"metadata\":{\"name\":\"n\"}}",
	  "{\"kind\":\"BGPPeer\"," API ",\"metadata\":{\"name\":\"n\"},\"spec\":{}}" },
};

static void defaults_are_upstreams(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		const struct kind_info *k = kind_by_name(defaults[i].kind);
		CLEANUP(buf_done) struct buf out = { 0 };
		ProtobufCMessage *m = manifest(k, defaults[i].in);

		model_default(k->kind, m);
		mapper_write_text(m, 0, &out);
		assert_string_equal(buf_cstr(&out), defaults[i].out);
		buf_clear(&out);
		model_default(k->kind, m); /* once is enough */
		mapper_write_text(m, 0, &out);
		assert_string_equal(buf_cstr(&out), defaults[i].out);
		msg_free(m);
	}
}

static void defaults_make_an_empty_message_whole(void **state)
{
	(void)state;
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		ProtobufCMessage *m = msg_new(k->message);
		struct violations v;

		model_default(k->kind, m);
		assert_int_equal(model_meta(m, false) != NULL, k->v3);
		(void)model_validate(
		        k->kind, m,
		        &v); /* with nothing in it, nothing is dereferenced that is not there */
		if (k->v3)
			assert_true(v.n > 0);
		violations_done(&v);
		msg_free(m);
		m = msg_new(k->message);
		(void)model_validate(k->kind, m, &v);
		violations_done(&v);
		msg_free(m);
	}
}

/* ---- rules. META and SPEC make an object of its parts; wrong NULL: it is allowed */

#define OBJ(meta, spec) "{\"metadata\":{" meta "},\"spec\":{" spec "}}"
#define N "\"name\":\"x\""
#define NS N ",\"namespace\":\"ns\""
#define ONE(field) "error with field " field

static const struct {
	const char *kind, *in, *wrong;
} cases[] = {
	/* metadata */
	{ "Node", OBJ("\"name\":\"node-1.example.com\"", ""), NULL },
	{ "Node", OBJ("", ""), ONE("metadata.name (is required)") },
	{ "Node", OBJ("\"generateName\":\"x-\"", ""),
	  ONE("metadata.name (is required; generateName is not supported)") },
	{ "Node", OBJ("\"name\":\"Node\"", ""),
	  ONE("metadata.name = 'Node' (must be at most 253 lower-case letters, digits, '-' and "
	      "'.', each part beginning and ending with a letter or digit)") },
	{ "Node", OBJ("\"name\":\"a..b\"", ""), "metadata.name = 'a..b'" },
	{ "Node", OBJ("\"name\":\"-a\"", ""), "metadata.name = '-a'" },
	{ "Node", OBJ("\"name\":\"a.\"", ""), "metadata.name = 'a.'" },
	{ "Node", OBJ("\"name\":\"a/b\"", ""), "metadata.name = 'a/b'" },
	{ "Node", OBJ(NS, ""),
	  ONE("metadata.namespace = 'ns' (namespace should not be specified for a non-namespaced "
	      "resource. Node is not a namespaced resource)") },
	{ "Node", OBJ(N ",\"labels\":{\"a.b/c-d_e\":\"V1\",\"e\":\"\"}", ""), NULL },
	{ "Node", OBJ(N ",\"labels\":{\"A\":\"Z\",\"Z\":\"A\",\"0\":\"9\"}", ""), NULL },
	{ "Node", OBJ(N ",\"labels\":{\"a b\":\"\"}", ""),
	  "metadata.labels = 'a b' (a label's key must be" },
	{ "Node", OBJ(N ",\"labels\":{\"A/b\":\"\"}", ""), "metadata.labels = 'A/b'" },
	{ "Node", OBJ(N ",\"labels\":{\"\":\"\"}", ""), "metadata.labels = ''" },
	{ "Node", OBJ(N ",\"labels\":{\"a\":\"-\"}", ""),
	  "metadata.labels.a = '-' (a label's value must be" },
	{ "Node", OBJ(N ",\"annotations\":{\"Example.com/A\":\"any thing\"}", ""), NULL },
	{ "Node", OBJ(N ",\"annotations\":{\"a b\":\"\"}", ""), "metadata.annotations = 'a b'" },
	{ "NetworkPolicy", OBJ(N, ""),
	  ONE("metadata.namespace (is required: NetworkPolicy is a namespaced resource)") },
	{ "NetworkPolicy", OBJ(N ",\"namespace\":\"a.b\"", ""),
	  ONE("metadata.namespace = 'a.b' (is not a namespace's name)") },
	{ "NetworkPolicy", OBJ("\"name\":\"a.b\",\"namespace\":\"ns\"", ""), NULL },
	{ "NetworkPolicy", OBJ("\"name\":\"a.b.c\",\"namespace\":\"ns\"", ""),
	  "metadata.name = 'a.b.c'" },
	{ "NetworkPolicy", OBJ("\"name\":\"knp.default.a.b.c\",\"namespace\":\"ns\"", ""), NULL },
	{ "NetworkPolicy", OBJ("\"name\":\"ossg.default.a\",\"namespace\":\"ns\"", ""), NULL },
	{ "NetworkPolicy", OBJ("\"name\":\"knp.default.\",\"namespace\":\"ns\"", ""),
	  "metadata.name = 'knp.default.'" },
	{ "GlobalNetworkPolicy", OBJ("\"name\":\"a.b\"", ""), NULL },
	{ "GlobalNetworkPolicy", OBJ("\"name\":\"knp.default.a\"", ""),
	  "metadata.name = 'knp.default.a'" },
	{ "Tier", OBJ("\"name\":\"a.b\"", ""), "metadata.name = 'a.b'" },
	{ "Tier", OBJ("\"name\":\"-a\"", ""), "metadata.name = '-a'" },
	{ "Tier", OBJ("\"name\":\"a-\"", ""), "metadata.name = 'a-'" },
	{ "Tier", OBJ("\"name\":\"a-0\"", ""), NULL },
	{ "BGPConfiguration", OBJ("\"name\":\"default\"", ""), NULL },
	{ "BGPConfiguration", OBJ("\"name\":\"node.n1.x\"", ""), NULL },
	{ "BGPConfiguration", OBJ("\"name\":\"node.\"", ""),
	  "metadata.name = 'node.' (must be 'default' or 'node.' and a node's name)" },
	{ "BGPConfiguration", OBJ("\"name\":\"other\"", ""), "metadata.name = 'other'" },
	{ "ClusterInformation", OBJ("\"name\":\"x\"", ""),
	  ONE("metadata.name = 'x' (must be 'default')") },
	{ "Profile", OBJ("\"name\":\"ksa.ns.default\"", ""), NULL },

	/* IPPool */
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"ipipMode\":\"CrossSubnet\",\"natOutgoing\":true"),
	  NULL },
	{ "IPPool", OBJ(N, "\"cidr\":\"fd00::/64\",\"vxlanMode\":\"Always\""), NULL },
	{ "IPPool", OBJ(N, ""), ONE("spec.cidr (is required)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/33\""),
	  ONE("spec.cidr = '10.0.0.0/33' (is not a CIDR)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0\""),
	  ONE("spec.cidr = '10.0.0.0' (is not a CIDR)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.1/16\""),
	  ONE("spec.cidr = '10.0.0.1/16' (the CIDR is not strictly masked: is 10.0.0.0/16 "
	      "meant?)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"ipipMode\":\"always\""),
	  ONE("spec.ipipMode = 'always' (must be Never, Always or CrossSubnet)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"vxlanMode\":\"x\""),
	  "spec.vxlanMode = 'x'" },
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"ipipMode\":\"Always\",\"vxlanMode\":\"Always\""),
	  "IPIPMode and VXLANMode cannot both be enabled on the same IP pool" },
	{ "IPPool", OBJ(N, "\"cidr\":\"fd00::/64\",\"ipipMode\":\"Always\""),
	  "spec.ipipMode = 'Always' (IPIP is not supported on an IPv6 IP pool)" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"blockSize\":19"),
	  ONE("spec.blockSize = '19' (block size must be between 20 and 32)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"blockSize\":33"), "spec.blockSize = '33'" },
	{ "IPPool", OBJ(N, "\"cidr\":\"fd00::/64\",\"blockSize\":115"),
	  "spec.blockSize = '115' (block size must be between 116 and 128)" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/27\""),
	  "spec.cidr = '10.0.0.0/27' (IP pool size is too small" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/27\",\"disabled\":true"), NULL },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/27\",\"blockSize\":28"), NULL },
	{ "IPPool", OBJ(N, "\"cidr\":\"169.254.1.0/24\""), "overlaps with IPv4 Link Local range" },
	{ "IPPool", OBJ(N, "\"cidr\":\"169.0.0.0/8\""), "overlaps with IPv4 Link Local range" },
	{ "IPPool", OBJ(N, "\"cidr\":\"fe80::/64\""), "overlaps with IPv6 Link Local range" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"nodeSelector\":\"a ==\""),
	  "spec.nodeSelector = 'a ==' (invalid selector: " },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"nodeSelector\":\"global()\""),
	  "spec.nodeSelector = 'global()'" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"allowedUses\":[\"Tunnel\",\"Tunnel\"]"),
	  ONE("spec.allowedUses = 'Tunnel' (is there twice)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"allowedUses\":[\"Workload\",\"x\"]"),
	  ONE("spec.allowedUses[1] = 'x' (must be Workload, Tunnel or LoadBalancer)") },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"assignmentMode\":\"auto\""),
	  "spec.assignmentMode = 'auto'" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"allowedUses\":[\"LoadBalancer\"]"), NULL },
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"allowedUses\":[\"LoadBalancer\",\"Tunnel\"]"),
	  "cannot be combined with Workload or Tunnel" },
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/"
	         "16\",\"allowedUses\":[\"LoadBalancer\"],\"vxlanMode\":\"Always\""),
	  "cannot have an encapsulation" },
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/"
	         "16\",\"allowedUses\":[\"LoadBalancer\"],\"disableBGPExport\":true"),
	  "has to be exported" },
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/"
	         "16\",\"allowedUses\":[\"LoadBalancer\"],\"nodeSelector\":\"has(a)\""),
	  "can only have nodeSelector all()" },
	{ "IPPool", OBJ(N, "\"cidr\":\"10.0.0.0/16\",\"namespaceSelector\":\"has(a)\""),
	  "cannot be combined with the use Tunnel" },
	{ "IPPool",
	  OBJ(N, "\"cidr\":\"10.0.0.0/"
	         "16\",\"namespaceSelector\":\"has(a)\",\"allowedUses\":[\"Workload\"]"),
	  NULL },

	/* policies */
	{ "NetworkPolicy",
	  OBJ(NS, "\"tier\":\"default\",\"order\":1,\"selector\":\"a == "
	          "'b'\",\"types\":[\"Ingress\",\"Egress\"],"
	          "\"serviceAccountSelector\":\"all()\",\"performanceHints\":["
	          "\"AssumeNeededOnEveryNode\"]"),
	  NULL },
	{ "NetworkPolicy", OBJ(NS, "\"tier\":\"a.b\""), "spec.tier = 'a.b'" },
	{ "NetworkPolicy", OBJ(NS, "\"selector\":\"a == 'b\""),
	  "spec.selector = 'a == 'b' (invalid selector: " },
	{ "NetworkPolicy", OBJ(NS, "\"selector\":\"global()\""),
	  ONE("spec.selector = 'global()' (global() can only be used in an EntityRule "
	      "namespaceSelector)") },
	{ "NetworkPolicy", OBJ(NS, "\"types\":[\"ingress\"]"),
	  ONE("spec.types[0] = 'ingress' (must be Ingress or Egress)") },
	{ "NetworkPolicy", OBJ(NS, "\"types\":[\"Ingress\",\"Ingress\"]"),
	  ONE("spec.types = 'Ingress' (is there twice)") },
	{ "NetworkPolicy", OBJ(NS, "\"performanceHints\":[\"x\"]"),
	  ONE("spec.performanceHints[0] = 'x' (must be AssumeNeededOnEveryNode)") },
	{ "GlobalNetworkPolicy", OBJ(N, "\"namespaceSelector\":\"global()\""),
	  "spec.namespaceSelector = 'global()'" },
	{ "GlobalNetworkPolicy", OBJ(N, "\"doNotTrack\":true,\"applyOnForward\":true"), NULL },
	{ "GlobalNetworkPolicy", OBJ(N, "\"doNotTrack\":true"),
	  ONE("spec.doNotTrack = 'true' (applyOnForward must be true if doNotTrack is true)") },
	{ "GlobalNetworkPolicy", OBJ(N, "\"preDNAT\":true"),
	  ONE("spec.preDNAT = 'true' (applyOnForward must be true if preDNAT is true)") },
	{ "GlobalNetworkPolicy",
	  OBJ(N, "\"preDNAT\":true,\"doNotTrack\":true,\"applyOnForward\":true"),
	  "cannot both be true" },
	{ "GlobalNetworkPolicy",
	  OBJ(N, "\"preDNAT\":true,\"applyOnForward\":true,\"types\":[\"Egress\"]"),
	  "cannot have 'Egress' type" },
	{ "GlobalNetworkPolicy",
	  OBJ(N, "\"preDNAT\":true,\"applyOnForward\":true,\"types\":[\"Ingress\"],\"egress\":[{"
	         "\"action\":\"Allow\"}]"),
	  "cannot have any Egress rules" },

/* rules */
#define RULE(rule) OBJ(N, "\"ingress\":[{\"action\":\"Allow\"},{\"action\":\"Allow\"," rule "}]")
#define EGRESS(rule) OBJ(N, "\"egress\":[{\"action\":\"Allow\"," rule "}]")
#define R1 "spec.ingress[1]."
	{ "GlobalNetworkPolicy", OBJ(N, "\"ingress\":[{}]"),
	  ONE("spec.ingress[0].action (is required)") },
	{ "GlobalNetworkPolicy", OBJ(N, "\"egress\":[{\"action\":\"allow\"}]"),
	  ONE("spec.egress[0].action = 'allow' (must be Allow, Deny, Log or Pass)") },
	{ "GlobalNetworkPolicy", RULE("\"ipVersion\":5"), ONE(R1 "ipVersion (must be 4 or 6)") },
	{ "GlobalNetworkPolicy", RULE("\"ipVersion\":0"), ONE(R1 "ipVersion (must be 4 or 6)") },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"UDPLite\""), NULL },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"89\""), NULL },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"tcp\""),
	  ONE(R1 "protocol = 'tcp' (must be TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from "
	         "1 to 255)") },
	{ "GlobalNetworkPolicy", RULE("\"notProtocol\":\"foo\""), R1 "notProtocol = 'foo'" },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":0"),
	  ONE(R1 "protocol = '0' (must be a number from 1 to 255, or a protocol's name)") },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"ICMP\",\"icmp\":{\"type\":8,\"code\":0}"),
	  NULL },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":58,\"icmp\":{\"type\":128}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"icmp\":{\"type\":8}"),
	  ONE(R1 "icmp (rules that specify ICMP fields must set protocol to ICMP or ICMPv6)") },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"TCP\",\"icmp\":{\"type\":8}"),
	  R1 "icmp (rules" },
	{ "GlobalNetworkPolicy", RULE("\"notICMP\":{\"type\":8}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"ICMP\",\"icmp\":{\"code\":1}"),
	  ONE(R1 "icmp.code (ICMP code specified without an ICMP type)") },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"ICMP\",\"icmp\":{\"type\":255}"),
	  ONE(R1 "icmp.type = '255' (must be between 0 and 254)") },
	{ "GlobalNetworkPolicy", RULE("\"notICMP\":{\"type\":1,\"code\":256}"),
	  ONE(R1 "notICMP.code = '256' (must be between 0 and 255)") },
	{ "GlobalNetworkPolicy", RULE("\"ipVersion\":6,\"protocol\":\"ICMP\""),
	  ONE(R1 "protocol = 'ICMP' (protocol ICMP does not fit ipVersion 6)") },
	{ "GlobalNetworkPolicy", RULE("\"ipVersion\":4,\"notProtocol\":58"),
	  ONE(R1 "notProtocol = 'ICMPv6' (protocol ICMPv6 does not fit ipVersion 4)") },
	{ "GlobalNetworkPolicy",
	  RULE("\"protocol\":\"TCP\",\"source\":{\"ports\":[1,\"2:3\",\"a\"],\"notPorts\":[65535]"
	       "}"),
	  NULL },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":132,\"destination\":{\"ports\":[1]}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"destination\":{\"ports\":[\"http\"]}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"destination\":{\"ports\":[\"http\",80]}"),
	  ONE(R1 "destination.ports[1] = '80' (rules that specify ports must set protocol to TCP "
	         "or UDP or SCTP)") },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"UDPLite\",\"source\":{\"notPorts\":[\"a\"]}"),
	  R1 "source.notPorts[0] = 'a' (rules that specify ports" },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"TCP\",\"source\":{\"ports\":[0]}"),
	  ONE(R1 "source.ports[0] = '0' (port range invalid, port number must be between 1 and "
	         "65535)") },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"TCP\",\"source\":{\"ports\":[\"0:5\"]}"),
	  R1 "source.ports[0] = '0:5'" },
	{ "GlobalNetworkPolicy",
	  RULE("\"source\":{\"nets\":[\"10.0.0.0/8\"],\"notNets\":[\"10.1.0.0/16\"]}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"nets\":[\"10.0.0.1/8\"]}"),
	  R1 "source.nets[0] = '10.0.0.1/8' (the CIDR is not strictly masked" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"nets\":[\"10.0.0.1\"]}"),
	  ONE(R1 "source.nets[0] = '10.0.0.1' (is not a CIDR)") },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"nets\":[\"0.0.0.0/0\"]}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"notNets\":[\"0.0.0.0/0\"]}"),
	  ONE(R1 "source.notNets[0] = '0.0.0.0/0' (would leave no address)") },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"notNets\":[\"::/0\"]}"),
	  R1 "source.notNets[0] = '::/0'" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"nets\":[\"10.0.0.0/8\",\"10.0.0.0/8\"]}"),
	  ONE(R1 "source.nets = '10.0.0.0/8' (is there twice)") },
	{ "GlobalNetworkPolicy",
	  RULE("\"source\":{\"nets\":[\"10.0.0.0/8\"]},\"destination\":{\"nets\":[\"fd00::/8\"]}"),
	  ONE(R1 "destination.nets[0] = 'fd00::/8' (rule contains both IPv4 and IPv6 CIDRs, or "
	         "does not fit its ipVersion)") },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"notNets\":[\"10.0.0.0/8\",\"fd00::/8\"]}"),
	  R1 "source.notNets[1] = 'fd00::/8'" },
	{ "GlobalNetworkPolicy", RULE("\"ipVersion\":6,\"source\":{\"nets\":[\"10.0.0.0/8\"]}"),
	  R1 "source.nets[0] = '10.0.0.0/8'" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"selector\":\"global()\"}"),
	  R1 "source.selector = 'global()'" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"notSelector\":\"global()\"}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"notSelector\":\"a b\"}"),
	  R1 "source.notSelector = 'a b' (invalid selector: " },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"namespaceSelector\":\" global() \"}"), NULL },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"namespaceSelector\":\"global() || has(a)\"}"),
	  "(global() cannot be combined with other selectors)" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"namespaceSelector\":\"!global()\"}"),
	  "(global() cannot be combined with other selectors)" },
	{ "GlobalNetworkPolicy",
	  RULE("\"source\":{\"serviceAccounts\":{\"names\":[\"a\"],\"selector\":\"has(x)\"}}"),
	  NULL },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"serviceAccounts\":{\"names\":[\"A\"]}}"),
	  R1 "source.serviceAccounts.names[0] = 'A'" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"serviceAccounts\":{\"selector\":\"(\"}}"),
	  R1 "source.serviceAccounts.selector = '('" },
#define SVC "\"services\":{\"name\":\"s\",\"namespace\":\"n\"}"
	{ "GlobalNetworkPolicy", RULE("\"source\":{" SVC "}"), NULL },
	{ "GlobalNetworkPolicy", EGRESS("\"destination\":{" SVC "}"), NULL },
	{ "GlobalNetworkPolicy", EGRESS("\"source\":{" SVC "}"),
	  "spec.egress[0].source.services = 's' (services can only be used" },
	{ "GlobalNetworkPolicy", RULE("\"destination\":{" SVC "}"),
	  R1 "destination.services = 's' (services can only be used" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"services\":{\"name\":\"s\"}}"),
	  "a service in a GlobalNetworkPolicy needs its namespace" },
	{ "NetworkPolicy",
	  OBJ(NS, "\"ingress\":[{\"action\":\"Deny\",\"source\":{\"services\":{\"name\":\"s\"}}}]"),
	  NULL },
	{ "GlobalNetworkPolicy", RULE("\"source\":{\"services\":{\"namespace\":\"n\"}}"),
	  R1 "source.services.name (is required)" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{" SVC ",\"selector\":\"has(a)\"}"),
	  "cannot specify selectors or service accounts together with services" },
	{ "GlobalNetworkPolicy", RULE("\"source\":{" SVC ",\"nets\":[\"10.0.0.0/8\"]}"),
	  "cannot specify nets together with services" },
	{ "GlobalNetworkPolicy",
	  EGRESS("\"protocol\":\"TCP\",\"destination\":{" SVC ",\"ports\":[1]}"),
	  "cannot specify ports together with services" },
	{ "GlobalNetworkPolicy", RULE("\"protocol\":\"TCP\",\"source\":{" SVC ",\"ports\":[1]}"),
	  NULL },
	{ "Profile", OBJ(N, "\"ingress\":[{\"action\":\"allow\"}]"),
	  "spec.ingress[0].action = 'allow'" },
	{ "Profile", OBJ(N, "\"labelsToApply\":{\"pcns.projectcalico.org/name\":\"a\"}"), NULL },
	{ "Profile", OBJ(N, "\"labelsToApply\":{\"a b\":\"a\"}"), "spec.labelsToApply = 'a b'" },
	{ "Profile", OBJ(N, "\"labelsToApply\":{\"a\":\"b c\"}"), "spec.labelsToApply.a = 'b c'" },
	/* several things wrong are told together */
	{ "GlobalNetworkPolicy",
	  OBJ("\"name\":\"X\"", "\"tier\":\"Y\",\"ingress\":[{\"action\":\"z\"}]"),
	  "error with the following fields:\n-  metadata.name = 'X' (" },

	/* tiers, sets */
	{ "Tier", OBJ(N, "\"order\":1,\"defaultAction\":\"Pass\""), NULL },
	{ "Tier", OBJ(N, "\"defaultAction\":\"pass\""),
	  ONE("spec.defaultAction = 'pass' (must be Pass or Deny)") },
	{ "Tier", OBJ("\"name\":\"default\"", ""), NULL },
	{ "Tier", OBJ("\"name\":\"default\"", "\"order\":5"),
	  ONE("spec.order (the order of tier 'default' is 1000000)") },
	{ "Tier", OBJ("\"name\":\"kube-admin\"", "\"order\":1000,\"defaultAction\":\"Pass\""),
	  NULL },
	{ "Tier",
	  OBJ("\"name\":\"kube-baseline\"", "\"order\":10000000,\"defaultAction\":\"Deny\""),
	  "the default action of tier 'kube-baseline' is Pass" },
	{ "NetworkSet", OBJ(NS, "\"nets\":[\"10.0.0.1\",\"10.0.0.1/8\",\"fd00::/8\"]"), NULL },
	{ "NetworkSet", OBJ(NS, "\"nets\":[\"10.0.0.0/33\"]"),
	  ONE("spec.nets[0] = '10.0.0.0/33' (is neither an IP address nor a CIDR)") },
	{ "NetworkSet", OBJ(NS, "\"nets\":[\"10.0.0.1\",\"10.0.0.1\"]"), "is there twice" },
	{ "NetworkSet", OBJ(NS ",\"labels\":{\"projectcalico.org/namespace\":\"x\"}", ""),
	  "this label is set by the system" },
	{ "GlobalNetworkSet", OBJ(N, "\"nets\":[\"x\"]"), "spec.nets[0] = 'x'" },
	{ "GlobalNetworkSet", OBJ(N, ""), NULL },

/* endpoints: the name is filled in */
#define WEP(spec)                                                                                  \
	"{\"metadata\":{\"namespace\":\"ns\"},\"spec\":{\"node\":\"n\",\"orchestrator\":\"k8s\","  \
	"\"pod\":\"p\",\"endpoint\":\"eth0\"" spec "}}"
	{ "WorkloadEndpoint",
	  WEP(",\"ipNetworks\":[\"10.0.0.1/32\",\"fd00::1/"
	      "128\"],\"ipv4Gateway\":\"169.254.1.1\",\"profiles\":[\"kns.ns\"],"
	      "\"interfaceName\":\"cali123\",\"mac\":\"ee:ee:ee:ee:ee:ee\""),
	  NULL },
	{ "WorkloadEndpoint",
	  "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"wrong\"},\"spec\":{\"node\":\"n\","
	  "\"orchestrator\":\"k8s\",\"pod\":\"p\",\"endpoint\":\"e\"}}",
	  "the WorkloadEndpoint name does not match the primary identifiers assigned in the spec: "
	  "expected name n-k8s-p-e" },
	{ "WorkloadEndpoint",
	  "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"x\"},\"spec\":{\"orchestrator\":\"k8s\"}"
	  "}",
	  ONE("spec.node (is required)") },
	{ "WorkloadEndpoint",
	  "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"x\"},\"spec\":{\"node\":\"n\","
	  "\"orchestrator\":\"k8s\",\"endpoint\":\"e\"}}",
	  "no name without pod" },
	{ "WorkloadEndpoint", WEP(",\"ipNetworks\":[\"10.0.0.0/24\"]"),
	  ONE("spec.ipNetworks[0] = '10.0.0.0/24' (must be a single address, /32 or /128)") },
	{ "WorkloadEndpoint", WEP(",\"ipNetworks\":[\"x\"]"), "spec.ipNetworks[0] = 'x'" },
	{ "WorkloadEndpoint", WEP(",\"ipv4Gateway\":\"fd00::1\""),
	  ONE("spec.ipv4Gateway = 'fd00::1' (is not an IPv4 address)") },
	{ "WorkloadEndpoint", WEP(",\"ipv6Gateway\":\"1.1.1.1\""),
	  ONE("spec.ipv6Gateway = '1.1.1.1' (is not an IPv6 address)") },
	{ "WorkloadEndpoint", WEP(",\"interfaceName\":\"cali567890123456\""),
	  "spec.interfaceName = 'cali567890123456'" },
	{ "WorkloadEndpoint", WEP(",\"interfaceName\":\"a/b\""), "spec.interfaceName = 'a/b'" },
	{ "WorkloadEndpoint", WEP(",\"mac\":\"ee:ee\""),
	  ONE("spec.mac = 'ee:ee' (is not a MAC address)") },
	{ "WorkloadEndpoint", WEP(",\"profiles\":[\"A\"]"), "spec.profiles[0] = 'A'" },
	{ "WorkloadEndpoint",
	  WEP(",\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80},{\"protocol\":17,"
	      "\"port\":53,\"hostPort\":53,\"hostIP\":\"10.0.0.1\"}]"),
	  NULL },
	{ "WorkloadEndpoint", WEP(",\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\"}]"),
	  ONE("spec.ports[0].port = '0' (must be between 1 and 65535)") },
	{ "WorkloadEndpoint", WEP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"ICMP\",\"port\":1}]"),
	  ONE("spec.ports[0].protocol = 'ICMP' (must be TCP, UDP or SCTP)") },
	{ "WorkloadEndpoint", WEP(",\"ports\":[{\"name\":\"a\",\"port\":1}]"),
	  ONE("spec.ports[0].protocol (is required)") },
	{ "WorkloadEndpoint", WEP(",\"ports\":[{\"protocol\":\"TCP\",\"port\":1}]"),
	  ONE("spec.ports[0].name (a port needs a name or a hostPort)") },
	{ "WorkloadEndpoint",
	  WEP(",\"ports\":[{\"name\":\"a b\",\"protocol\":\"TCP\",\"port\":1}]"),
	  "spec.ports[0].name = 'a b'" },
	{ "WorkloadEndpoint",
	  WEP(",\"ports\":[{\"name\":\"a\",\"protocol\":\"TCP\",\"port\":1,\"hostPort\":70000}]"),
	  "spec.ports[0].hostPort = '70000'" },
	{ "WorkloadEndpoint",
	  WEP(",\"ipNetworks\":[\"10.0.0.1/"
	      "32\"],\"ipNATs\":[{\"internalIP\":\"10.0.0.1\",\"externalIP\":\"1.1.1.1\"}]"),
	  NULL },
	{ "WorkloadEndpoint",
	  WEP(",\"ipNATs\":[{\"internalIP\":\"10.0.0.1\",\"externalIP\":\"1.1.1.1\"}]"),
	  "NAT is not in the endpoint networks" },
	{ "WorkloadEndpoint",
	  WEP(",\"ipNetworks\":[\"10.0.0.1/"
	      "32\"],\"ipNATs\":[{\"internalIP\":\"10.0.0.1\",\"externalIP\":\"fd00::1\"}]"),
	  "mismatched IP versions" },
	{ "WorkloadEndpoint", WEP(",\"allowSpoofedSourcePrefixes\":[\"10.0.0.1\"]"),
	  "spec.allowSpoofedSourcePrefixes[0] = '10.0.0.1' (is not a CIDR)" },

	/* nodes and the cluster */
	{ "Node",
	  OBJ(N, "\"bgp\":{\"asNumber\":64512,\"ipv4Address\":\"10.0.0.1/"
	         "24\",\"ipv6Address\":\"fd00::1/64\",\"ipv4IPIPTunnelAddr\":\"10.1.0.1\","
	         "\"routeReflectorClusterID\":\"1.0.0.1\"},\"vxlanTunnelMACAddr\":\"66:00:00:00:00:"
	         "01\",\"addresses\":[{\"address\":\"10.0.0.1/24\","
	         "\"type\":\"CalicoNodeIP\"},{\"address\":\"10.0.0.1\",\"type\":\"InternalIP\"}]"),
	  NULL },
	{ "Node", OBJ(N, "\"bgp\":{}"), ONE("spec.bgp (Spec.BGP should not be empty)") },
	{ "Node", OBJ(N, "\"bgp\":{\"ipv4Address\":\"fd00::1/64\"}"),
	  "spec.bgp.ipv4Address = 'fd00::1/64'" },
	{ "Node", OBJ(N, "\"bgp\":{\"ipv6Address\":\"10.0.0.1\"}"),
	  "spec.bgp.ipv6Address = '10.0.0.1'" },
	{ "Node", OBJ(N, "\"bgp\":{\"ipv4IPIPTunnelAddr\":\"10.0.0.1/32\"}"),
	  "spec.bgp.ipv4IPIPTunnelAddr = '10.0.0.1/32'" },
	{ "Node", OBJ(N, "\"bgp\":{\"routeReflectorClusterID\":\"1\"}"),
	  "spec.bgp.routeReflectorClusterID = '1'" },
	{ "Node", OBJ(N, "\"ipv4VXLANTunnelAddr\":\"x\""), "spec.ipv4VXLANTunnelAddr = 'x'" },
	{ "Node", OBJ(N, "\"vxlanTunnelMACAddr\":\"x\""), "spec.vxlanTunnelMACAddr = 'x'" },
	{ "Node", OBJ(N, "\"addresses\":[{\"address\":\"x\"}]"),
	  "spec.addresses[0].address = 'x'" },
	{ "Node", OBJ(N, "\"addresses\":[{\"address\":\"10.0.0.1\",\"type\":\"x\"}]"),
	  "spec.addresses[0].type = 'x'" },
	{ "Node", OBJ(N, "\"orchRefs\":[{\"nodeName\":\"n\"}]"),
	  ONE("spec.orchRefs[0].orchestrator (is required)") },
	{ "Node", "{\"metadata\":{\"name\":\"n\"},\"status\":{\"podCIDRs\":[\"x\"]}}",
	  "status.podCIDRs[0] = 'x'" },
	{ "ClusterInformation",
	  OBJ("\"name\":\"default\"", "\"clusterGUID\":\"0123456789abcdef0123456789abcdef\""),
	  NULL },
	{ "ClusterInformation",
	  OBJ("\"name\":\"default\"", "\"clusterGUID\":\"0123456789ABCDEF0123456789abcdef\""),
	  "spec.clusterGUID" },

	/* BGP */
	{ "BGPConfiguration",
	  OBJ("\"name\":\"default\"", "\"nodeToNodeMeshEnabled\":false,\"asNumber\":64512,"
	                              "\"listenPort\":179,\"logSeverityScreen\":\"debug\""),
	  NULL },
	{ "BGPConfiguration", OBJ("\"name\":\"node.a\"", "\"nodeToNodeMeshEnabled\":false"),
	  ONE("spec.nodeToNodeMeshEnabled = 'false' (can only be set in 'default')") },
	{ "BGPConfiguration", OBJ("\"name\":\"node.a\"", "\"asNumber\":1"),
	  ONE("spec.asNumber (can only be set in 'default')") },
	{ "BGPConfiguration", OBJ("\"name\":\"default\"", "\"listenPort\":65536"),
	  ONE("spec.listenPort = '65536' (must be between 1 and 65535)") },
	{ "BGPConfiguration", OBJ("\"name\":\"default\"", "\"logSeverityScreen\":\"loud\""),
	  "must be Trace, Debug, Info, Warning, Error or Fatal" },
	{ "BGPPeer",
	  OBJ(N, "\"peerIP\":\"192.0.2.1\",\"asNumber\":64513,\"node\":\"n1\",\"nextHopMode\":"
	         "\"Keep\",\"sourceAddress\":\"UseNodeIP\",\"maxRestartTime\":\"1m30.5s\""),
	  NULL },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1:1790\",\"nodeSelector\":\"has(a)\""), NULL },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"[fd00::1]:179\""), NULL },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"fd00::1\""), NULL },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1:65535\""), NULL },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1:65536\""),
	  "the port must be between 1 and 65535" },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"host\""),
	  ONE("spec.peerIP = 'host' (is not an IP address, IPv4:port or [IPv6]:port)") },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1:0\""), "the port must be between 1 and 65535" },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1:99999\""),
	  "the port must be between 1 and 65535" },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1:\""), "spec.peerIP" },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"[192.0.2.1]:179\""), "spec.peerIP" },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"[]:179\""), "spec.peerIP" },
	{ "BGPPeer", OBJ(N, "\"node\":\"n\",\"nodeSelector\":\"all()\""),
	  "Node field must be empty when NodeSelector is specified" },
	{ "BGPPeer", OBJ(N, "\"peerIP\":\"192.0.2.1\",\"peerSelector\":\"all()\""),
	  "PeerIP field must be empty when PeerSelector is specified" },
	{ "BGPPeer", OBJ(N, "\"asNumber\":1,\"peerSelector\":\"all()\""),
	  "ASNumber field must be empty when PeerSelector is specified" },
	{ "BGPPeer", OBJ(N, "\"nextHopMode\":\"x\""), "spec.nextHopMode = 'x'" },
	{ "BGPPeer", OBJ(N, "\"sourceAddress\":\"x\""), "spec.sourceAddress = 'x'" },
	{ "BGPFilter", OBJ(N, "\"exportV4\":[{\"action\":\"Accept\"}]"), NULL },
	{ "BGPFilter", OBJ(N, "\"exportV4\":[{\"action\":\"Deny\"}]"),
	  ONE("spec.exportV4[0].action = 'Deny' (must be Accept or Reject)") },

	/* settings and reports: the rest is in model_config_test.c */
	{ "FelixConfiguration", OBJ("\"name\":\"default\"", "\"bpfEnabled\":true"), NULL },
	{ "FelixConfiguration", OBJ("\"name\":\"default\"", "\"nftablesMode\":\"On\""),
	  ONE("spec.nftablesMode = 'On' (must be Disabled, Enabled or Auto)") },
	{ "KubeControllersConfiguration",
	  OBJ("\"name\":\"default\"", "\"healthChecks\":\"Enabled\""), NULL },
	{ "KubeControllersConfiguration", OBJ("\"name\":\"x\"", "\"healthChecks\":\"Enabled\""),
	  ONE("metadata.name = 'x' (must be 'default')") },
	{ "CalicoNodeStatus",
	  OBJ(N, "\"node\":\"n\",\"classes\":[\"BGP\"],\"updatePeriodSeconds\":0"), NULL },
	{ "CalicoNodeStatus", OBJ(N, "\"node\":\"n\",\"updatePeriodSeconds\":10"),
	  ONE("spec.classes (is required)") },

/* IPAM */
#define BLOCK(alloc, free_)                                                                        \
	"{\"cidr\":\"10.0.0.0/31\",\"allocations\":" alloc ",\"unallocated\":" free_               \
	",\"attributes\":[{\"handle_id\":\"h\"}]}"
	{ "IPAMBlock", BLOCK("[0,null]", "[1]"), NULL },
	{ "IPAMBlock", BLOCK("[0]", "[]"),
	  "allocations (has 1 items, which is not the number of addresses in 10.0.0.0/31)" },
	{ "IPAMBlock", BLOCK("[1,null]", "[1]"),
	  ONE("allocations[0] (1 is not the index of an attribute)") },
	{ "IPAMBlock", BLOCK("[0,null]", "[2]"),
	  ONE("unallocated[0] (2 is not an ordinal of the block)") },
	{ "IPAMBlock", BLOCK("[0,null]", "[-1]"),
	  ONE("unallocated[0] (-1 is not an ordinal of the block)") },
	{ "IPAMBlock", BLOCK("[0,null]", "[0]"), ONE("unallocated[0] (0 is allocated)") },
	{ "IPAMBlock", "{\"cidr\":\"10.0.0.1/31\"}", "cidr = '10.0.0.1/31'" },
	{ "IPAMBlock", "{\"cidr\":\"10.0.0.0/8\"}", "allocations (has 0 items" },
	{ "IPAMBlock", "{}", ONE("cidr (is required)") },
	{ "BlockAffinity", "{}", NULL },
	{ "BlockAffinity", "{\"state\":\"pendingDeletion\"}", NULL },
	{ "BlockAffinity", "{\"state\":\"x\"}",
	  ONE("state = 'x' (must be pending, confirmed or pendingDeletion)") },
	{ "IPAMHandle", "{\"block\":{\"10.0.0.0/26\":2}}", NULL },
	{ "IPAMHandle", "{\"block\":{\"x\":2}}", ONE("block = 'x' (is not a CIDR)") },
	{ "IPAMHandle", "{\"block\":{\"10.0.0.0/26\":-2}}",
	  ONE("block.10.0.0.0/26 (-2 is not a number of addresses)") },
	{ "IPAMConfig",
	  "{\"ipCooldownSeconds\":1200,\"maxBlocksPerHost\":20,\"kubeVirtVMAddressPersistence\":"
	  "\"Enabled\"}",
	  NULL },
	{ "IPAMConfig", "{\"ipCooldownSeconds\":1201}",
	  ONE("ipCooldownSeconds = '1201' (must be between 0 and 1200)") },
	{ "IPAMConfig", "{\"maxBlocksPerHost\":-1}", "maxBlocksPerHost = '-1'" },
	{ "IPAMConfig", "{\"kubeVirtVMAddressPersistence\":\"x\"}",
	  "kubeVirtVMAddressPersistence = 'x'" },
};

static void what_is_wrong_is_told_and_nothing_else(void **state)
{
	unsigned long long good = 0, bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct kind_info *k = kind_by_name(cases[i].kind);
		CLEANUP(buf_done) struct buf text = { 0 };
		ProtobufCMessage *m = manifest(k, cases[i].in);
		struct violations v;
		size_t n;

		model_default(k->kind, m);
		n = model_validate(k->kind, m, &v);
		assert_int_equal(n, v.n);
		if (n > 0)
			violations_str(&v, &text);
		if (!cases[i].wrong) {
			good |= 1ull << k->kind;
			if (n > 0)
				fail_msg("%s: %s", cases[i].in, buf_cstr(&text));
		} else {
			bad |= 1ull << k->kind;
			if (strncmp(cases[i].wrong, "error with field", 16) == 0 &&
			    strcmp(buf_cstr(&text), cases[i].wrong) != 0)
				fail_msg("%s: '%s', not '%s'", cases[i].in, buf_cstr(&text),
				         cases[i].wrong);
			if (!strstr(buf_cstr(&text), cases[i].wrong))
				fail_msg("%s: '%s', not '%s'", cases[i].in, buf_cstr(&text),
				         cases[i].wrong);
		}
		violations_done(&v);
		msg_free(m);
	}
	for (const struct kind_info *k = kind_next(NULL); k; k = kind_next(k)) {
		assert_true(good & 1ull << k->kind); /* each kind has something that is right, and
		                                        something that is wrong */
		assert_true(bad & 1ull << k->kind);
	}
}

static void several_violations_are_a_list(void **state)
{
	ProtobufCMessage *m = manifest(kind_by_name("Tier"),
	                               "{\"metadata\":{},\"spec\":{\"defaultAction\":\"x\"}}");
	CLEANUP(buf_done) struct buf text = { 0 };
	struct violations v;

	(void)state;
	assert_int_equal(model_validate(V3__KIND__KIND_TIER, m, &v), 2);
	violations_str(&v, &text);
	assert_string_equal(buf_cstr(&text),
	                    "error with the following fields:\n-  metadata.name (is required)\n"
	                    "-  spec.defaultAction = 'x' (must be Pass or Deny)");
	violations_done(&v);
	violations_done(&v);
	assert_int_equal(model_validate(V3__KIND__KIND_NODE, m, &v), 1); /* a tier is no node */
	violations_done(&v);
	msg_free(m);
}

static void lists_and_lengths_have_limits(void **state)
{
	CLEANUP(buf_done) struct buf in = { 0 }, text = { 0 };
	ProtobufCMessage *m;
	struct violations v;

	(void)state;
	buf_str(&in, "{\"metadata\":{\"name\":\"x\",\"annotations\":{\"a\":\"");
	for (int i = 0; i < 256 << 10; i++)
		buf_byte(&in, 'a');
	buf_str(&in, "\"}},\"spec\":{\"selector\":\"has(");
	for (int i = 0; i < 1024; i++)
		buf_byte(&in, 'a');
	buf_str(&in, ")\",\"egress\":[{\"action\":\"Allow\",\"protocol\":\"TCP\",\"destination\":{"
	             "\"ports\":[1");
	for (int i = 0; i < 50; i++)
		buf_str(&in, ",1");
	buf_str(&in, "],\"nets\":[\"10.0.0.0/8\"");
	for (int i = 0; i < 256; i++)
		buf_printf(&in, ",\"10.%d.0.0/16\"", i);
	buf_str(&in, "]}}],\"ingress\":[{\"action\":\"Allow\"}");
	for (int i = 0; i < 1024; i++)
		buf_str(&in, ",{\"action\":\"Allow\"}");
	buf_str(&in, "]}}");
	m = manifest(kind_by_name("GlobalNetworkPolicy"), buf_cstr(&in));
	assert_int_equal(model_validate(V3__KIND__KIND_GLOBAL_NETWORK_POLICY, m, &v), 5);
	for (size_t i = 0; i < v.n; i++) {
		free(v.items[i].value);
		v.items[i].value = NULL;
	}
	violations_str(&v, &text);
	assert_string_equal(
	        buf_cstr(&text),
	        "error with the following fields:\n"
	        "-  metadata.annotations (keys and values are 262145 bytes, which is more than "
	        "262144)\n"
	        "-  spec.ingress (has 1025 items, which is more than 1024)\n"
	        "-  spec.egress[0].destination.nets (has 257 items, which is more than 256)\n"
	        "-  spec.egress[0].destination.ports (has 51 items, which is more than 50)\n"
	        "-  spec.selector (must be at most 1024 bytes long)");
	violations_done(&v);
	msg_free(m);
}

/* The longest that may be, and one more. */
static void names_may_be_so_long(void **state)
{
	static const struct {
		const char *kind, *before, *after;
		size_t max;
	} limits[] = {
		{ "Tier", "{\"metadata\":{\"name\":\"", "\"}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"", "\"}}", 253 },
		{ "NetworkSet", "{\"metadata\":{\"name\":\"x\",\"namespace\":\"", "\"}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"", "\":\"\"}}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"p/", "\":\"\"}}}", 63 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"", "/n\":\"\"}}}", 253 },
		{ "Node", "{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"", "\"}}}", 63 },
		{ "GlobalNetworkPolicy",
		  "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"selector\":\"a == '", "'\"}}",
		  1024 - strlen("a == ''") },
		{ "WorkloadEndpoint",
		  "{\"metadata\":{\"namespace\":\"n\"},\"spec\":{\"node\":\"n\",\"orchestrator\":"
		  "\"k8s\","
		  "\"pod\":\"p\",\"endpoint\":\"e\",\"interfaceName\":\"",
		  "\"}}", 15 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		for (size_t more = 0; more < 2; more++) {
			const struct kind_info *k = kind_by_name(limits[i].kind);
			CLEANUP(buf_done) struct buf in = { 0 };
			ProtobufCMessage *m;
			struct violations v;

			buf_str(&in, limits[i].before);
			for (size_t n = 0; n < limits[i].max + more; n++)
				buf_byte(&in, 'a');
			buf_str(&in, limits[i].after);
			m = manifest(k, buf_cstr(&in));
			model_default(k->kind, m);
			if (model_validate(k->kind, m, &v) != more)
				fail_msg("%s: %zu violations", buf_cstr(&in), v.n);
			violations_done(&v);
			msg_free(m);
		}
	}
}

static void the_list_of_violations_ends(void **state)
{
	CLEANUP(buf_done) struct buf in = { 0 };
	ProtobufCMessage *m;
	struct violations v;

	(void)state;
	buf_str(&in, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"nets\":[\"a\"");
	for (int i = 0; i < 1000; i++)
		buf_printf(&in, ",\"b%d\"", i);
	buf_str(&in, "]}}");
	m = manifest(kind_by_name("GlobalNetworkSet"), buf_cstr(&in));
	assert_int_equal(model_validate(V3__KIND__KIND_GLOBAL_NETWORK_SET, m, &v), 64);
	violations_done(&v);
	msg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_upstreams),
		cmocka_unit_test(defaults_make_an_empty_message_whole),
		cmocka_unit_test(what_is_wrong_is_told_and_nothing_else),
		cmocka_unit_test(several_violations_are_a_list),
		cmocka_unit_test(lists_and_lengths_have_limits),
		cmocka_unit_test(names_may_be_so_long),
		cmocka_unit_test(the_list_of_violations_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
