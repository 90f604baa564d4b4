/* SPDX-License-Identifier: BSD-2-Clause */
/* policy explain: why a packet gets through or not. policy effective: what applies to an endpoint.
 */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/db.h"
#include "calicoctl/debug.h"
#include "calicoctl/policy.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"

#define FAILED 2 /* 1 is: denied */

/* ---- what was asked */

static int number(const char *text, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && *end == '\0' && v <= max ? (int)v : -1;
}

static int read_protocol(const char *text, struct policy_packet *p, struct err *err)
{
	p->protocol = number(text, UINT8_MAX);
	if (p->protocol < 0)
		p->protocol = protocol_number_of_name(text);
	if (p->protocol <= 0)
		return err_set(err, -EINVAL,
		               "--proto: '%s' is neither a protocol's number nor one of TCP, UDP, "
		               "ICMP, ICMPv6, SCTP, UDPLite",
		               visible(text));
	return 0;
}

static int read_icmp(const char *flag, const char *text, int *ret, struct err *err)
{
	if (!text)
		return 0;
	*ret = number(text, UINT8_MAX);
	return *ret < 0 ? err_set(err, -EINVAL, "%s: '%s' is not a number from 0 to 255", flag,
	                          visible(text))
	                : 0;
}

static int read_port(const char *flag, const char *text, uint16_t *ret, struct err *err)
{
	int port = number(text, UINT16_MAX);

	if (port < 0)
		return err_set(err, -EINVAL, "%s: '%s' is not a port", flag, visible(text));
	*ret = (uint16_t)port;
	return 0;
}

static int read_packet(const struct options *o, struct policy_packet *p, struct err *err)
{
	bool icmp, ports;
	int rc = read_protocol(o->policy.proto, p, err);

	if (rc < 0)
		return rc;
	icmp = p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6;
	ports = protocol_has_ports(p->protocol) || p->protocol == IPPROTO_UDPLITE;
	p->icmp_type = -1;
	if (ports && !o->policy.port)
		return err_set(err, -EINVAL, "--port: %s packets have one", o->policy.proto);
	if (!ports && o->policy.port)
		return err_set(err, -EINVAL, "--port: %s packets have none", o->policy.proto);
	if (!icmp && (o->policy.icmp_type || o->policy.icmp_code))
		return err_set(err, -EINVAL, "--icmp-type: only of ICMP and ICMPv6");
	if (ports &&
	    ((rc = read_port("--port", o->policy.port, &p->dst.port, err)) < 0 ||
	     (rc = read_port("--source-port", o->policy.source_port, &p->src.port, err)) < 0))
		return rc;
	if ((rc = read_icmp("--icmp-type", o->policy.icmp_type, &p->icmp_type, err)) < 0)
		return rc;
	return read_icmp("--icmp-code", o->policy.icmp_code, &p->icmp_code, err);
}

static int read_output(const struct options *o, bool *ret_json, struct err *err)
{
	*ret_json = o->output && strcmp(o->output, "json") == 0;
	if (!*ret_json && o->output && strcmp(o->output, "text") != 0)
		return err_set(err, -EINVAL, "--output: '%s' is neither text nor json",
		               visible(o->output));
	return 0;
}

/* ---- explain */

static int find_ends(const struct policy_scene *s, const struct options *o,
                     struct policy_journey *j, struct err *err)
{
	int rc = policy_end_find(s, "--from", o->policy.from, o->ns, &j->from, err);

	return rc < 0 ? rc : policy_end_find(s, "--to", o->policy.to, o->ns, &j->to, err);
}

static int explain(const struct options *o, struct db *db, struct policy_journey *j, bool json,
                   struct err *err)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct policy_counters counters = { 0 };
	struct policy_scene s;
	int rc = policy_scene_load(db, &s, err);

	if (rc < 0)
		return rc;
	/* A felixd that is not there has counted nothing. */
	(void)debug_section(o, "felixd", "counters", &counters.list, &counters.node, NULL);
	if ((rc = find_ends(&s, o, j, err)) == 0 && (rc = policy_journey(&s, j, err)) == 0) {
		if (json)
			policy_journey_json(j, &counters, &out);
		else
			policy_journey_text(j, &counters, &out);
		fputs(buf_cstr(&out), stdout);
	}
	policy_journey_done(j);
	policy_scene_done(&s);
	json_free(counters.list);
	free(counters.node);
	return rc;
}

int cmd_policy_explain(const struct options *o)
{
	struct policy_journey j = { 0 };
	struct db *db;
	struct err err;
	bool json;
	int rc;

	if (!o->policy.from || !o->policy.to) {
		fprintf(stderr, "%s: from where to where does the packet go?\n",
		        o->policy.from ? "--to" : "--from");
		return FAILED;
	}
	if (read_output(o, &json, &err) < 0 || read_packet(o, &j.packet, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return FAILED;
	}
	db = db_begin(o, false);
	if (!db)
		return FAILED;
	rc = explain(o, db, &j, json, &err);
	db_close(db);
	if (rc < 0) {
		fprintf(stderr, "%s\n", err.text);
		return FAILED;
	}
	return j.allowed ? 0 : 1;
}

/* ---- effective */

static bool in_direction(const struct policy_entry *e, enum policy_direction d)
{
	return d == POLICY_INGRESS ? e->ingress : e->egress;
}

static size_t rules_of(const struct policy_entry *e, enum policy_direction d)
{
	return d == POLICY_INGRESS ? e->rules.n_ingress : e->rules.n_egress;
}

static void order_text(double order, struct buf *out)
{
	if (isinf(order))
		buf_str(out, "no order");
	else
		buf_printf(out, "order %.15g", order);
}

static void policy_line(const struct policy_entry *e, enum policy_direction d, struct buf *out)
{
	size_t n = rules_of(e, d);

	buf_printf(out, "    %s ", e->kind);
	if (*e->ns) {
		visible_add(out, e->ns, false);
		buf_byte(out, '/');
	}
	visible_add(out, e->r->name, false);
	buf_str(out, ": ");
	order_text(e->order, out);
	buf_printf(out, ", %zu rule%s%s%s%s\n", n, n == 1 ? "" : "s",
	           e->untracked  ? ", doNotTrack: before all others"
	           : e->pre_dnat ? ", preDNAT: before tracked ones"
	                         : "",
	           e->on_forward && !e->untracked && !e->pre_dnat ? ", applyOnForward" : "",
	           e->staged ? ", staged: not enforced" : "");
}

static void tier_line(const struct policy_tier *t, struct buf *out)
{
	buf_str(out, "  Tier ");
	visible_add(out, t->name, false);
	buf_str(out, ": ");
	if (t->exists)
		order_text(t->order, out);
	else
		buf_str(out, "does not exist, comes last");
	buf_printf(out, ", default action %s\n", t->default_pass ? "Pass" : "Deny");
}

static void effective_text(const struct policy_world *w, const struct policy_party *p,
                           enum policy_direction d, struct buf *out)
{
	buf_str(out, d == POLICY_INGRESS ? "Ingress:\n" : "Egress:\n");
	for (size_t t = 0; t < w->n_tiers; t++) {
		bool begun = false;

		for (size_t i = 0; i < w->n_policies; i++) {
			const struct policy_entry *e = &w->policies[i];

			if (strcmp(e->tier, w->tiers[t].name) != 0 || !in_direction(e, d) ||
			    !policy_applies(w, e, p))
				continue;
			if (!begun)
				tier_line(&w->tiers[t], out);
			begun = true;
			policy_line(e, d, out);
		}
	}
	for (size_t i = 0; i < p->n_profiles; i++) {
		buf_str(out, "  Profile ");
		visible_add(out, p->profiles[i], false);
		if (strcmp(p->profiles[i], POLICY_PROFILE_ALLOW) == 0)
			buf_str(out, ": allows everything");
		else if (!policy_world_profile(w, p->profiles[i]))
			buf_str(out, ": does not exist, denies everything");
		buf_byte(out, '\n');
	}
	buf_str(out, "  Deny\n");
}

static void effective_json(const struct policy_world *w, const struct policy_party *p,
                           enum policy_direction d, struct jsonw *j)
{
	jsonw_array(j, d == POLICY_INGRESS ? "ingress" : "egress");
	for (size_t t = 0; t < w->n_tiers; t++) {
		for (size_t i = 0; i < w->n_policies; i++) {
			const struct policy_entry *e = &w->policies[i];

			if (strcmp(e->tier, w->tiers[t].name) != 0 || !in_direction(e, d) ||
			    !policy_applies(w, e, p))
				continue;
			jsonw_object(j, NULL);
			jsonw_str(j, "tier", e->tier);
			jsonw_str(j, "tierDefaultAction",
			          w->tiers[t].default_pass ? "Pass" : "Deny");
			jsonw_str(j, "kind", e->kind);
			if (*e->ns)
				jsonw_str(j, "namespace", e->ns);
			jsonw_str(j, "name", e->r->name);
			if (!isinf(e->order))
				jsonw_double(j, "order", e->order);
			jsonw_bool(j, "staged", e->staged);
			jsonw_u64(j, "rules", rules_of(e, d));
			jsonw_end_object(j);
		}
	}
	jsonw_end_array(j);
}

static void effective(const struct policy_world *w, const struct policy_party *p, bool json,
                      struct buf *out)
{
	struct jsonw j;

	if (!json) {
		policy_party_text(p, out);
		buf_byte(out, '\n');
		effective_text(w, p, POLICY_INGRESS, out);
		effective_text(w, p, POLICY_EGRESS, out);
		return;
	}
	jsonw_init(&j, out);
	jsonw_object(&j, NULL);
	jsonw_str(&j, "kind", kind_info(p->r->kind)->name);
	if (p->r->ns)
		jsonw_str(&j, "namespace", p->r->ns);
	jsonw_str(&j, "name", p->r->name);
	jsonw_str(&j, "node", p->node);
	effective_json(w, p, POLICY_INGRESS, &j);
	effective_json(w, p, POLICY_EGRESS, &j);
	jsonw_array(&j, "profiles");
	for (size_t i = 0; i < p->n_profiles; i++)
		jsonw_str(&j, NULL, p->profiles[i]);
	jsonw_end_array(&j);
	jsonw_end_object(&j);
	buf_byte(out, '\n');
}

int cmd_policy_effective(const struct options *o)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	const struct policy_party *p;
	struct policy_scene s;
	struct db *db;
	struct err err;
	bool json;
	int rc;

	if (read_output(o, &json, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	db = db_begin(o, false);
	if (!db)
		return 1;
	rc = policy_scene_load(db, &s, &err);
	if (rc == 0) {
		rc = policy_party_find(&s, o->args[0], o->ns, &p, &err);
		if (rc == 0)
			effective(s.w, p, json, &out);
		policy_scene_done(&s);
	}
	db_close(db);
	fputs(buf_cstr(&out), stdout);
	if (rc < 0)
		fprintf(stderr, "%s\n", err.text);
	return rc < 0 ? 1 : 0;
}
