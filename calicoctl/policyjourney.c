/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a packet on its way from one end to the other. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "calicoctl/policy.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define ICMP_ECHO 8
#define ICMPV6_ECHO 128

static bool is_pod(const struct policy_end *e)
{
	return e->party && !e->is_host;
}

/* A pod and the node that it is on. */
static bool at_home(const struct policy_end *pod, const struct policy_end *host)
{
	return is_pod(pod) && host->is_host && host->node && strcmp(pod->node, host->node) == 0;
}

static int choose_addresses(struct policy_journey *j, struct err *err)
{
	bool v4 = j->from.v4.family && j->to.v4.family, v6 = j->from.v6.family && j->to.v6.family;
	bool wants_v6 = j->packet.protocol == IPPROTO_ICMPV6;

	if (!v4 && !v6)
		return err_set(err, -EINVAL, "%s and %s have no addresses of one family",
		               visible(j->from.text), visible(j->to.text));
	if (wants_v6 && !v6)
		return err_set(err, -EINVAL, "ICMPv6: %s and %s have no IPv6 addresses",
		               visible(j->from.text), visible(j->to.text));
	if (v4 && !wants_v6) {
		j->packet.src.addr = j->from.v4;
		j->packet.dst.addr = j->to.v4;
	} else {
		j->packet.src.addr = j->from.v6;
		j->packet.dst.addr = j->to.v6;
		if (j->packet.protocol == IPPROTO_ICMP)
			j->packet.protocol = IPPROTO_ICMPV6;
	}
	if (j->packet.icmp_type < 0)
		j->packet.icmp_type =
		        j->packet.protocol == IPPROTO_ICMPV6 ? ICMPV6_ECHO : ICMP_ECHO;
	return 0;
}

/* What felixd does with pods' packets to their host behind their policies. */
static void to_own_host(const struct policy_scene *s, struct policy_journey *j,
                        struct policy_walk *k)
{
	const char *action = policy_scene_to_host_action(s, j->to.node);
	CLEANUP(free_p) char *text = NULL;

	if (k->verdict != POLICY_ALLOW)
		return;
	text = xasprintf("DefaultEndpointToHostAction is %s: %s", action,
	                 strcasecmp(action, "Accept") == 0   ? "pods reach their host"
	                 : strcasecmp(action, "Return") == 0 ? "the host's own rules decide"
	                                                     : "pods do not reach their host");
	policy_walk_append(k, strcasecmp(action, "Drop") == 0 ? POLICY_DENY : POLICY_ALLOW, text);
}

/* Of a host endpoint, the failsafe ports come before every policy. */
static void walk_end(const struct policy_scene *s, struct policy_journey *j,
                     const struct policy_party *party, enum policy_direction d,
                     struct policy_walk *k)
{
	if (party->r->kind == V3__KIND__KIND_HOST_ENDPOINT &&
	    policy_scene_is_failsafe(s, party->node, d, &j->packet))
		policy_walk_fixed(party, d, POLICY_ALLOW, "the destination port is a failsafe port",
		                  k);
	else
		policy_walk(s->w, party, d, &j->packet, k);
}

static void walk_source(const struct policy_scene *s, struct policy_journey *j)
{
	struct policy_walk *k = &j->walks[j->n_walks];

	if (!j->from.party || at_home(&j->to, &j->from))
		return;
	j->n_walks++;
	walk_end(s, j, j->from.party, POLICY_EGRESS, k);
	if (at_home(&j->from, &j->to))
		to_own_host(s, j, k);
}

static void walk_destination(const struct policy_scene *s, struct policy_journey *j)
{
	struct policy_walk *k = &j->walks[j->n_walks];

	if (!j->to.party || at_home(&j->from, &j->to))
		return;
	j->n_walks++;
	if (at_home(&j->to, &j->from))
		policy_walk_fixed(j->to.party, POLICY_INGRESS, POLICY_ALLOW,
		                  "a host reaches its own pods whatever policies say", k);
	else
		walk_end(s, j, j->to.party, POLICY_INGRESS, k);
}

int policy_journey(const struct policy_scene *s, struct policy_journey *j, struct err *err)
{
	int rc = choose_addresses(j, err);

	if (rc < 0)
		return rc;
	if (is_pod(&j->from) && j->from.party == j->to.party) {
		policy_walk_fixed(j->from.party, POLICY_EGRESS, POLICY_ALLOW,
		                  "what a pod sends to itself never leaves it", &j->walks[0]);
		j->n_walks = 1;
		j->allowed = true;
		return 0;
	}
	policy_packet_resolve(&j->packet, s->w);
	walk_source(s, j);
	walk_destination(s, j);
	j->allowed = true;
	for (size_t i = 0; i < j->n_walks; i++)
		j->allowed &= j->walks[i].verdict == POLICY_ALLOW;
	return 0;
}

void policy_journey_done(struct policy_journey *j)
{
	for (size_t i = 0; i < j->n_walks; i++)
		policy_walk_done(&j->walks[i]);
	policy_packet_done(&j->packet);
}
