/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of a packet through policies: a cluster of three pods, a network set and a namespace's
 * labels; each case adds resources, sends a packet to pod b, and says what decides and why the
 * rules before it did not. */
#include "test/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/policy/walk.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_staged.pb-c.h"

#define LIMIT 12

/* "Kind namespace/name {spec}" or "Kind name {spec}". labels stand in the spec as "_": they go
 * to the metadata. */
static struct resource *resource(const char *text)
{
	char kind[64], name[128];
	CLEANUP(free_p) char *json = NULL;
	char *slash, *ns = NULL, *base = name;
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };
	int at = 0;

	assert_int_equal(sscanf(text, "%63s %127s %n", kind, name, &at), 2);
	const struct kind_info *k = kind_by_name(kind);
	assert_non_null(k);
	if ((slash = strchr(name, '/'))) {
		*slash = '\0';
		ns = name;
		base = slash + 1;
	}
	json = xasprintf(
	        "{\"kind\":\"%s\",\"metadata\":{\"name\":\"%s\"%s},\"spec\":{%s}}", kind, base,
	        strncmp(text + at, "labels", 6) == 0 ? ",\"labels\":{\"app\":\"set\"}" : "",
	        strncmp(text + at, "labels", 6) == 0 ? text + at + 6 : text + at);
	for (char *c = json; *c; c++)
		if (*c == '`')
			*c = '"';
	if (mapper_read_text(k->message, json, strlen(json), MAPPER_REFUSE, &m, &err) < 0)
		fail_msg("%s: %s", json, err.text);
	return resource_new(k->kind, ns, base, 1, m);
}

/* clang-format off */
static const char *const cluster[] = {
	"WorkloadEndpoint default/a `orchestrator`:`k8s`,`node`:`h`,`pod`:`a`,`ipNetworks`:[`10.0.0.1/32`,`fd00::1/128`],"
		"`profiles`:[`kns.default`,`ksa.default.x`],`serviceAccountName`:`x`",
	"WorkloadEndpoint default/b `orchestrator`:`k8s`,`node`:`h`,`pod`:`b`,`ipNetworks`:[`10.0.0.2/32`,`fd00::2/128`],"
		"`profiles`:[`kns.default`],`ports`:[{`name`:`web`,`protocol`:`TCP`,`port`:80},{`name`:`dns`,`protocol`:`UDP`,`port`:53}]",
	"WorkloadEndpoint other/c `orchestrator`:`k8s`,`node`:`h`,`pod`:`c`,`ipNetworks`:[`10.0.0.3/32`],`profiles`:[`kns.other`]",
	"Profile kns.default `ingress`:[{`action`:`Allow`}],`egress`:[{`action`:`Allow`}],`labelsToApply`:{`pcns.env`:`p`}",
	"Profile kns.other `ingress`:[{`action`:`Allow`}],`egress`:[{`action`:`Allow`}],`labelsToApply`:{`pcns.env`:`q`}",
	"Profile ksa.default.x `labelsToApply`:{`pcsa.t`:`v`}",
	"GlobalNetworkSet net labels`nets`:[`192.0.2.0/24`]",
	"Tier default `order`:1000000,`defaultAction`:`Deny`",
};

#define A "10.0.0.1"
#define B "10.0.0.2"
#define C "10.0.0.3"
#define NET "192.0.2.9"
#define FAR "198.51.100.1"
#define NP(name, rest) "NetworkPolicy default/" name " " rest
#define GNP(name, rest) "GlobalNetworkPolicy " name " " rest
#define IN(rules) "`types`:[`Ingress`],`ingress`:[" rules "]"

static const struct {
	const char *resources[LIMIT];
	const char *from, *to, *proto;
	int port;
	bool egress; /* of a, else ingress of b */
	enum policy_verdict verdict;
	const char *by;  /* "GlobalNetworkPolicy first[0]", "tier default", "profile x[0]", "end" */
	const char *why; /* one of the sentences on the way; NULL: any */
} cases[] = {
	/* no policy: the profile */
	{ {0}, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ {0}, A, B, "TCP", 80, true, POLICY_ALLOW, "profile kns.default[0]", NULL },
	/* types */
	{ { NP("p", IN("")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default", NULL },
	{ { NP("p", IN("")) }, A, B, "TCP", 80, true, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { NP("p", "`egress`:[{`action`:`Deny`}]") }, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { NP("p", "`egress`:[{`action`:`Deny`}]") }, A, B, "TCP", 80, true, POLICY_DENY, "NetworkPolicy p[0]", NULL },
	{ { NP("p", "`types`:[`Ingress`],`egress`:[{`action`:`Deny`}]") }, A, B, "TCP", 80, true, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { NP("p", "") }, A, B, "TCP", 80, false, POLICY_DENY, "tier default", NULL },
	{ { NP("p", "") }, A, B, "TCP", 80, true, POLICY_ALLOW, "profile kns.default[0]", NULL },
	/* a policy of another namespace, a selector */
	{ { "NetworkPolicy other/p " IN("") }, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { NP("p", "`selector`:`app == 'z'`," IN("")) }, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { GNP("p", "`namespaceSelector`:`env == 'p'`," IN("")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default", NULL },
	{ { GNP("p", "`namespaceSelector`:`env == 'q'`," IN("")) }, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	/* protocol */
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`}")) }, A, B, "TCP", 80, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`}")) }, A, B, "UDP", 80, false, POLICY_DENY, "tier default", "protocol is UDP, not TCP" },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:17}")) }, A, B, "UDP", 80, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`notProtocol`:`TCP`}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "protocol is TCP, which is its notProtocol" },
	{ { NP("p", IN("{`action`:`Allow`,`ipVersion`:6}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default", "it is for IPv6 packets" },
	{ { NP("p", IN("{`action`:`Allow`,`ipVersion`:6}")) }, "fd00::1", "fd00::2", "TCP", 80, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	/* log, deny, order, ties */
	{ { NP("p", IN("{`action`:`Log`},{`action`:`Deny`},{`action`:`Allow`}")) }, A, B, "TCP", 80, false, POLICY_DENY, "NetworkPolicy p[1]", NULL },
	{ { GNP("x", "`order`:2," IN("{`action`:`Allow`}")), GNP("y", "`order`:1," IN("{`action`:`Deny`}")) }, A, B, "TCP", 80, false,
	  POLICY_DENY, "GlobalNetworkPolicy y[0]", NULL },
	{ { GNP("y", IN("{`action`:`Allow`}")), GNP("x", IN("{`action`:`Deny`}")) }, A, B, "TCP", 80, false, POLICY_DENY,
	  "GlobalNetworkPolicy x[0]", NULL },
	{ { GNP("x", IN("{`action`:`Allow`}")), GNP("y", "`order`:9999999," IN("{`action`:`Deny`}")) }, A, B, "TCP", 80, false,
	  POLICY_DENY, "GlobalNetworkPolicy y[0]", NULL },
	{ { NP("same", IN("{`action`:`Allow`}")), GNP("same", IN("{`action`:`Deny`}")) }, A, B, "TCP", 80, false, POLICY_DENY,
	  "GlobalNetworkPolicy same[0]", NULL }, /* "same//Global..." is before "same/default/Net..." */
	/* pass, tiers, default actions, a tier that is not there */
	{ { NP("p", IN("{`action`:`Pass`},{`action`:`Deny`}")) }, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { "Tier first `order`:1", GNP("x", "`tier`:`first`," IN("{`action`:`Deny`}")), NP("p", IN("{`action`:`Allow`}")) }, A, B, "TCP", 80,
	  false, POLICY_DENY, "GlobalNetworkPolicy x[0]", NULL },
	{ { "Tier first `order`:1", GNP("x", "`tier`:`first`," IN("{`action`:`Pass`}")), NP("p", IN("{`action`:`Allow`}")) }, A, B, "TCP", 80,
	  false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { "Tier first `order`:1", GNP("x", "`tier`:`first`," IN("")), NP("p", IN("{`action`:`Allow`}")) }, A, B, "TCP", 80, false,
	  POLICY_DENY, "tier first", NULL },
	{ { "Tier first `order`:1,`defaultAction`:`Pass`", GNP("x", "`tier`:`first`," IN("")), NP("p", IN("{`action`:`Allow`}")) }, A, B,
	  "TCP", 80, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { "Tier last", GNP("x", "`tier`:`last`," IN("{`action`:`Allow`}")), NP("p", IN("{`action`:`Pass`}")) }, A, B, "TCP", 80, false,
	  POLICY_ALLOW, "GlobalNetworkPolicy x[0]", NULL },
	{ { GNP("x", "`tier`:`gone`," IN("{`action`:`Allow`}")), NP("p", IN("{`action`:`Deny`}")) }, A, B, "TCP", 80, false, POLICY_DENY,
	  "NetworkPolicy p[0]", NULL },
	{ { GNP("x", "`tier`:`gone`," IN("")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier gone", NULL },
	/* staged: looked at, decides nothing, and makes no tier deny */
	{ { "StagedNetworkPolicy default/s " IN("{`action`:`Deny`}") }, A, B, "TCP", 80, false, POLICY_ALLOW, "profile kns.default[0]", NULL },
	{ { "StagedGlobalNetworkPolicy s " IN("{`action`:`Deny`,`protocol`:`UDP`}") }, A, B, "TCP", 80, false, POLICY_ALLOW,
	  "profile kns.default[0]", "protocol is TCP, not UDP" },
	/* of host endpoints alone */
	{ { GNP("x", "`preDNAT`:true,`applyOnForward`:true," IN("{`action`:`Deny`}")) }, A, B, "TCP", 80, false, POLICY_ALLOW,
	  "profile kns.default[0]", NULL },
	/* selectors */
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`serviceAccounts`:{`names`:[`x`]}}}")) }, A, B, "TCP", 80, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`serviceAccounts`:{`selector`:`t == 'v'`}}}")) }, A, B, "TCP", 80, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`selector`:`all()`}}")) }, C, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "source 10.0.0.3 is not selected by (projectcalico.org/namespace == \"default\" && all())" },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`namespaceSelector`:`env == 'q'`}}")) }, C, B, "TCP", 80, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`namespaceSelector`:`global()`,`selector`:`app == 'set'`}}")) }, NET, B, "TCP", 80,
	  false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { GNP("p", IN("{`action`:`Allow`,`source`:{`selector`:`app == 'set'`}}")) }, FAR, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "source 198.51.100.1, which no endpoint or network set has, is not selected by app == \"set\"" },
	{ { GNP("p", IN("{`action`:`Allow`,`source`:{`notSelector`:`app == 'set'`}}")) }, FAR, B, "TCP", 80, false, POLICY_ALLOW,
	  "GlobalNetworkPolicy p[0]", NULL },
	{ { GNP("p", IN("{`action`:`Allow`,`source`:{`notSelector`:`app == 'set'`}}")) }, NET, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "source 192.0.2.9 is selected by notSelector app == \"set\"" },
	{ { GNP("p", IN("{`action`:`Allow`,`source`:{`services`:{`namespace`:`n`,`name`:`s`}}}")) }, A, B, "TCP", 80, false, POLICY_DENY,
	  "tier default", "service n/s has no endpoints in this datastore" },
	/* nets */
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`nets`:[`10.0.0.3/32`,`10.0.0.1/32`]}}")) }, A, B, "TCP", 80, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`nets`:[`10.0.0.3/32`]}}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "source 10.0.0.1 is not in nets 10.0.0.3/32" },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`notNets`:[`10.0.0.0/24`]}}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "source 10.0.0.1 is in notNets 10.0.0.0/24" },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`notNets`:[`0.0.0.0/0`]}}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`source`:{`nets`:[`fd00::/64`]}}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "its source nets are not of IPv4 packets" },
	/* ports */
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`destination`:{`ports`:[22,`80:90`]}}")) }, A, B, "TCP", 90, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`destination`:{`ports`:[22,`80:90`]}}")) }, A, B, "TCP", 91, false, POLICY_DENY,
	  "tier default", "destination port 91 is not among 22, 80:90" },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`destination`:{`notPorts`:[80]}}")) }, A, B, "TCP", 80, false, POLICY_DENY,
	  "tier default", "destination port 80 is among notPorts 80" },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`destination`:{`ports`:[`web`]}}")) }, A, B, "TCP", 80, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`destination`:{`ports`:[`dns`]}}")) }, A, B, "TCP", 53, false, POLICY_DENY,
	  "tier default", "destination port 53 is not among dns" },
	{ { NP("p", IN("{`action`:`Allow`,`destination`:{`ports`:[`dns`]}}")) }, A, B, "UDP", 53, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`destination`:{`notPorts`:[`web`]}}")) }, A, B, "TCP", 81, false, POLICY_ALLOW,
	  "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`destination`:{`ports`:[80]}}")) }, A, B, "TCP", 80, false, POLICY_DENY, "tier default",
	  "no packet can match it: it has ports, but no protocol with ports" },
	/* ICMP: type 8, code 0 */
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`ICMP`,`icmp`:{`type`:8}}")) }, A, B, "ICMP", 0, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`ICMP`,`icmp`:{`type`:8,`code`:1}}")) }, A, B, "ICMP", 0, false, POLICY_DENY,
	  "tier default", "ICMP type is 8, code 0, not type 8, code 1" },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`ICMP`,`notICMP`:{`type`:8}}")) }, A, B, "ICMP", 0, false, POLICY_DENY, "tier default",
	  "ICMP type is 8, code 0, which its notICMP has: type 8" },
	{ { NP("p", IN("{`action`:`Allow`,`protocol`:`ICMPv6`}")) }, A, B, "ICMP", 0, false, POLICY_DENY, "tier default", "it is for IPv6 packets" },
	/* what felixd does of itself */
	{ { NP("p", "`egress`:[{`action`:`Allow`}]") }, A, B, "UDP", 4789, true, POLICY_DENY, "fixed", NULL },
	{ { NP("p", IN("{`action`:`Allow`}")) }, A, B, "UDP", 4789, false, POLICY_ALLOW, "NetworkPolicy p[0]", NULL },
};
/* clang-format on */

/* What decided, as the table says it. */
static void decided(const struct policy_walk *k, struct buf *out)
{
	const struct policy_step *s = &k->steps[k->decided_by];

	switch (s->kind) {
	case POLICY_STEP_RULE:
		if (s->policy)
			buf_printf(out, "%s %s[%zu]", s->policy->kind, s->policy->r->name,
			           s->index);
		else
			buf_printf(out, "profile %s[%zu]", s->profile, s->index);
		break;
	case POLICY_STEP_TIER_END:
		buf_printf(out, "tier %s", s->tier->name);
		break;
	case POLICY_STEP_PROFILE:
		buf_printf(out, "profile %s", s->profile);
		break;
	case POLICY_STEP_FIXED:
		buf_str(out, "fixed");
		break;
	default:
		buf_str(out, "end");
	}
}

static bool said(const struct policy_walk *k, const char *why)
{
	for (size_t i = 0; i < k->n_steps; i++)
		if (k->steps[i].text && strcmp(k->steps[i].text, why) == 0)
			return true;
	return false;
}

struct scene {
	struct policy_world *w;
	struct resource *r[LIMIT * 2];
	size_t n;
};

static void scene_add(struct scene *s, const char *text)
{
	struct err err = { 0 };

	s->r[s->n] = resource(text);
	if (policy_world_add(s->w, s->r[s->n++], &err) < 0)
		fail_msg("%s: %s", text, err.text);
}

static void scene_begin(struct scene *s)
{
	*s = (struct scene){ .w = policy_world_new() };
	for (size_t i = 0; i < ARRAY_SIZE(cluster); i++)
		scene_add(s, cluster[i]);
}

static void scene_end(struct scene *s)
{
	policy_world_free(s->w);
	for (size_t i = 0; i < s->n; i++)
		resource_free(s->r[i]);
}

static const struct policy_party *party(const struct scene *s, const char *name)
{
	for (size_t i = 0; i < s->w->n_parties; i++)
		if (strcmp(s->w->parties[i].r->name, name) == 0)
			return &s->w->parties[i];
	return NULL;
}

static struct policy_packet packet(const char *from, const char *to, const char *proto, int port)
{
	struct policy_packet k = { .icmp_type = 8 };

	k.src.port = 49152;
	k.dst.port = (uint16_t)port;
	assert_int_equal(ip_addr_parse(from, &k.src.addr), 0);
	assert_int_equal(ip_addr_parse(to, &k.dst.addr), 0);
	if (strcmp(proto, "TCP") == 0)
		k.protocol = 6;
	else if (strcmp(proto, "UDP") == 0)
		k.protocol = 17;
	else
		k.protocol = 1;
	return k;
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(buf_done) struct buf by = { 0 };
		struct policy_packet p =
		        packet(cases[i].from, cases[i].to, cases[i].proto, cases[i].port);
		struct policy_walk k;
		struct scene s;

		scene_begin(&s);
		for (size_t r = 0; r < LIMIT && cases[i].resources[r]; r++)
			scene_add(&s, cases[i].resources[r]);
		policy_world_settle(s.w);
		policy_packet_resolve(&p, s.w);
		policy_walk(s.w, party(&s, cases[i].egress ? "a" : "b"),
		            cases[i].egress ? POLICY_EGRESS : POLICY_INGRESS, &p, &k);
		decided(&k, &by);
		if (k.verdict != cases[i].verdict || strcmp(buf_cstr(&by), cases[i].by) != 0)
			fail_msg("case %zu (%s): %s by %s, not %s by %s", i,
			         cases[i].resources[0] ? cases[i].resources[0] : "no policy",
			         policy_verdict_str(k.verdict), buf_cstr(&by),
			         policy_verdict_str(cases[i].verdict), cases[i].by);
		if (cases[i].why && !said(&k, cases[i].why)) {
			for (size_t n = 0; n < k.n_steps; n++)
				if (k.steps[n].text)
					print_message("said: %s\n", k.steps[n].text);
			fail_msg("case %zu: nothing said '%s'", i, cases[i].why);
		}
		policy_walk_done(&k);
		policy_packet_done(&p);
		scene_end(&s);
	}
}

/* A profile that is named and not there, and one that is always there. */
static void test_profiles(void **state)
{
	static const char *const endpoints[] = {
		"WorkloadEndpoint default/lost "
		"`ipNetworks`:[`10.0.0.7/32`],`profiles`:[`gone`,`kns.default`]",
		"WorkloadEndpoint default/open "
		"`ipNetworks`:[`10.0.0.8/32`],`profiles`:[`projectcalico-default-allow`]",
		"WorkloadEndpoint default/bare `ipNetworks`:[`10.0.0.9/32`]",
		"WorkloadEndpoint default/mute "
		"`ipNetworks`:[`10.0.0.10/32`],`profiles`:[`ksa.default.x`,`kns.default`]",
	};
	static const struct {
		const char *name, *to, *by;
		enum policy_verdict verdict;
	} want[] = {
		{ "lost", "10.0.0.7", "profile gone", POLICY_DENY },
		{ "open", "10.0.0.8", "profile projectcalico-default-allow", POLICY_ALLOW },
		{ "bare", "10.0.0.9", "end", POLICY_DENY },
		{ "mute", "10.0.0.10", "profile kns.default[0]", POLICY_ALLOW },
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++)
		scene_add(&s, endpoints[i]);
	policy_world_settle(s.w);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		CLEANUP(buf_done) struct buf by = { 0 };
		struct policy_packet p = packet(A, want[i].to, "TCP", 80);
		struct policy_walk k;

		policy_packet_resolve(&p, s.w);
		policy_walk(s.w, party(&s, want[i].name), POLICY_INGRESS, &p, &k);
		decided(&k, &by);
		assert_string_equal(buf_cstr(&by), want[i].by);
		assert_int_equal(k.verdict, want[i].verdict);
		policy_walk_done(&k);
		policy_packet_done(&p);
	}
	scene_end(&s);
}

/* Host endpoints have policies that nobody else has; forward policy is none of their own. */
static void test_hosts(void **state)
{
	static const char *const resources[] = {
		"HostEndpoint eth `node`:`h`,`interfaceName`:`eth0`,`expectedIPs`:[`172.16.0.1`]",
		"HostEndpoint any `node`:`i`,`interfaceName`:`*`,`expectedIPs`:[`172.16.0.2`]",
		GNP("raw",
		    "`order`:9,`doNotTrack`:true,`applyOnForward`:true,`selector`:`!has("
		    "projectcalico.org/namespace)`," IN("{`action`:`Allow`,`protocol`:`UDP`}")),
		GNP("nat",
		    "`order`:1,`preDNAT`:true,`applyOnForward`:true,`selector`:`!has(projectcalico."
		    "org/namespace)`," IN(
		            "{`action`:`Deny`,`protocol`:`TCP`,`destination`:{`ports`:[80]}}")),
		GNP("own", "`selector`:`!has(projectcalico.org/namespace)`," IN(
		                   "{`action`:`Allow`,`protocol`:`TCP`},"
		                   "{`action`:`Deny`,`protocol`:`UDP`}")),
	};
	static const struct {
		const char *name, *to, *proto, *by;
		int port;
		enum policy_verdict verdict;
	} want[] = {
		{ "eth", "172.16.0.1", "UDP", "GlobalNetworkPolicy raw[0]", 53, POLICY_ALLOW },
		{ "any", "172.16.0.2", "UDP", "GlobalNetworkPolicy own[1]", 53, POLICY_DENY },
		{ "eth", "172.16.0.1", "TCP", "GlobalNetworkPolicy nat[0]", 80, POLICY_DENY },
		{ "any", "172.16.0.2", "TCP", "GlobalNetworkPolicy nat[0]", 80, POLICY_DENY },
		{ "any", "172.16.0.2", "TCP", "GlobalNetworkPolicy own[0]", 81, POLICY_ALLOW },
		{ "eth", "172.16.0.1", "ICMP", "tier default", 0, POLICY_DENY },
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		scene_add(&s, resources[i]);
	policy_world_settle(s.w);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		CLEANUP(buf_done) struct buf by = { 0 };
		struct policy_packet p = packet(A, want[i].to, want[i].proto, want[i].port);
		struct policy_walk k;

		policy_packet_resolve(&p, s.w);
		policy_walk(s.w, party(&s, want[i].name), POLICY_INGRESS, &p, &k);
		decided(&k, &by);
		assert_string_equal(buf_cstr(&by), want[i].by);
		assert_int_equal(k.verdict, want[i].verdict);
		policy_walk_done(&k);
		policy_packet_done(&p);
	}
	scene_end(&s);
}

/* What makes no sense counts as absent, and says why. */
static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ NP("p", "`selector`:`a ==`"), "selector" },
		{ NP("p", IN("{`action`:`Perhaps`}")), "spec: ingress[0]: action" },
		{ NP("p", IN("{`action`:`Allow`,`source`:{`nets`:[`x`]}}")),
		  "spec: ingress[0]: source: nets[0]" },
		{ "WorkloadEndpoint default/z `node`:`h`", "no address" },
	};
	struct scene s;

	(void)state;
	scene_begin(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct resource *r = resource(bad[i].text);
		struct err err = { 0 };

		assert_int_equal(policy_world_add(s.w, r, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i].why));
		resource_free(r);
	}
	assert_int_equal(s.w->n_policies, 0);
	scene_end(&s);
}

static void test_text(void **state)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct resource *r = resource(NP("p", IN("{`action`:`Allow`,`protocol`:`TCP`,`source`:{`"
	                                         "selector`:`a == 'b'`,`notNets`:[`10.0.0.0/8`]},"
	                                         "`destination`:{`ports`:[80,`443:444`,`web`]}}")));

	(void)state;
	policy_rule_text(((const V3__NetworkPolicy *)r->msg)->spec->ingress[0], &out);
	assert_string_equal(buf_cstr(&out),
	                    "Allow TCP from selector a == 'b' notNets 10.0.0.0/8 to "
	                    "ports 80, 443:444, web");
	resource_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_hosts), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
