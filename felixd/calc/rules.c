/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/calc/rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"
#include "common/policy/compose.h"

static void *own(struct rules *r, void *p)
{
	r->owned = xrealloc(r->owned, (r->n_owned + 1) * sizeof(*r->owned));
	r->owned[r->n_owned++] = p;
	return p;
}

void rules_done(struct rules *r)
{
	for (size_t i = 0; i < r->n_specs; i++) {
		selector_unref(r->specs[i].sel);
		free(r->specs[i].port);
		free(r->specs[i].id);
	}
	for (size_t i = 0; i < r->n_owned; i++)
		free(r->owned[i]);
	free(r->owned);
	free(r->specs);
	free(r->ingress);
	free(r->egress);
	*r = (struct rules){ 0 };
}

static struct calc_rule blank_rule(enum calc_action action)
{
	return (struct calc_rule){
		.action = action,
		.protocol = -1,
		.not_protocol = -1,
		.icmp_type = -1,
		.icmp_code = -1,
		.not_icmp_type = -1,
		.not_icmp_code = -1,
	};
}

void rules_constant(enum calc_action action, struct rules *ret)
{
	struct calc_rule rule = blank_rule(action);

	*ret = (struct rules){ .n_ingress = 1, .n_egress = 1 };
	ret->ingress = xmemdup(&rule, sizeof(rule));
	ret->egress = xmemdup(&rule, sizeof(rule));
}

/* ---- sets */

/* The ID of the set, which the rules keep. sel (borrowed) may be NULL. */
static const char *want_set(struct rules *r, const char *id, enum set_source source,
                            enum calc_set_type type, struct selector *sel, uint8_t protocol,
                            const char *port)
{
	struct set_spec *s;

	for (size_t i = 0; i < r->n_specs; i++)
		if (strcmp(r->specs[i].id, id) == 0)
			return r->specs[i].id;
	r->specs = xrealloc(r->specs, (r->n_specs + 1) * sizeof(*r->specs));
	s = &r->specs[r->n_specs++];
	*s = (struct set_spec){
		.id = xstrdup(id),
		.source = source,
		.type = type,
		.sel = sel ? selector_ref(sel) : NULL,
		.protocol = protocol,
		.port = xstrdup(port),
	};
	return s->id;
}

static const char *want_selector(struct rules *r, struct selector *sel)
{
	return want_set(r, selector_id(sel), SET_OF_SELECTOR, CALC_SET_NET, sel, 0, NULL);
}

static const char *want_named_port(struct rules *r, struct selector *sel, int protocol,
                                   const char *port)
{
	uint8_t number = IPPROTO_TCP; /* upstream's choice for protocols without ports, too */
	const char *name = "tcp";
	CLEANUP(buf_done) struct buf content = { 0 };
	char id[SELECTOR_ID_MAX];

	if (protocol < 0) {
		number = SET_PROTOCOL_ANY;
		name = "any";
	} else if (protocol == IPPROTO_UDP) {
		number = IPPROTO_UDP;
		name = "udp";
	} else if (protocol == IPPROTO_SCTP) {
		number = IPPROTO_SCTP;
		name = "sctp";
	}
	buf_printf(&content, "%s,%s,%s", selector_id(sel), name, port);
	selector_make_id("n", buf_cstr(&content), id);
	return want_set(r, id, SET_OF_NAMED_PORT, CALC_SET_IP_PORT, sel, number, port);
}

/* ---- one side of a rule */

static int convert_nets(struct rules *r, char *const *text, size_t n, const char *field,
                        const struct ip_prefix **ret, size_t *ret_n, struct err *err)
{
	struct ip_prefix *nets;

	if (n == 0)
		return 0;
	nets = own(r, xcalloc(n, sizeof(*nets)));
	for (size_t i = 0; i < n; i++) {
		if (ip_prefix_parse(text[i], &nets[i]) < 0)
			return err_set(err, -EINVAL, "%s[%zu]: '%.64s' is not a CIDR", field, i,
			               text[i]);
		nets[i] = ip_prefix_network(&nets[i]);
	}
	*ret = nets;
	*ret_n = n;
	return 0;
}

struct port_list {
	struct calc_port_range *ranges;
	size_t n_ranges;
	const char **sets;
	size_t n_sets;
};

static int convert_ports(struct rules *r, V3__Port *const *ports, size_t n, struct selector *among,
                         int protocol, const char *field, struct port_list *ret, struct err *err)
{
	*ret = (struct port_list){ 0 };
	if (n == 0)
		return 0;
	ret->ranges = own(r, xcalloc(n, sizeof(*ret->ranges)));
	ret->sets = own(r, xcalloc(n, sizeof(*ret->sets)));
	for (size_t i = 0; i < n; i++) {
		const V3__Port *p = ports[i];

		if (p->name && *p->name) {
			ret->sets[ret->n_sets++] = want_named_port(r, among, protocol, p->name);
			continue;
		}
		uint32_t min = p->min, max = p->has_max ? p->max : p->min;
		if (!p->has_min || min > max || max > UINT16_MAX)
			return err_set(err, -EINVAL, "%s[%zu]: %u:%u is not a range of ports",
			               field, i, min, max);
		ret->ranges[ret->n_ranges++] =
		        (struct calc_port_range){ (uint16_t)min, (uint16_t)max };
	}
	return 0;
}

static const char **one(struct rules *r, const char *id)
{
	const char **v = own(r, xcalloc(1, sizeof(*v)));

	v[0] = id;
	return v;
}

static void service_set(struct rules *r, const V3__ServiceMatch *m, bool source,
                        struct calc_side *side)
{
	CLEANUP(buf_done) struct buf content = { 0 };
	char id[SELECTOR_ID_MAX];
	const char *kept;

	buf_printf(&content, "%s/%s", m->namespace_ ? m->namespace_ : "", m->name ? m->name : "");
	selector_make_id(source ? "svcnoport" : "svc", buf_cstr(&content), id);
	kept = want_set(r, id, SET_OF_SERVICE, source ? CALC_SET_NET : CALC_SET_IP_PORT, NULL, 0,
	                NULL);
	if (source) {
		side->sets = one(r, kept);
		side->n_sets = 1;
	} else {
		side->port_sets = one(r, kept);
		side->n_port_sets = 1;
	}
}

static int fill_side(struct rules *r, const V3__EntityRule *e, bool source, int protocol,
                     struct selector *want, struct selector *not_want, struct selector *all,
                     struct calc_side *side, struct err *err)
{
	struct port_list ports, not_ports;
	int rc;

	if ((rc = convert_nets(r, e->nets, e->n_nets, "nets", &side->nets, &side->n_nets, err)) <
	            0 ||
	    (rc = convert_nets(r, e->notnets, e->n_notnets, "notNets", &side->not_nets,
	                       &side->n_not_nets, err)) < 0 ||
	    (rc = convert_ports(r, e->ports, e->n_ports, want ? want : all, protocol, "ports",
	                        &ports, err)) < 0 ||
	    (rc = convert_ports(r, e->notports, e->n_notports, want ? want : all, protocol,
	                        "notPorts", &not_ports, err)) < 0)
		return rc;
	side->ports = ports.ranges;
	side->n_ports = ports.n_ranges;
	side->port_sets = ports.sets;
	side->n_port_sets = ports.n_sets;
	side->not_ports = not_ports.ranges;
	side->n_not_ports = not_ports.n_ranges;
	side->not_port_sets = not_ports.sets;
	side->n_not_port_sets = not_ports.n_sets;

	/* Where every port is a named one, its set says already whom the selector wants. */
	if (want && !(ports.n_sets && !ports.n_ranges)) {
		side->sets = one(r, want_selector(r, want));
		side->n_sets = 1;
	}
	if (not_want) {
		side->not_sets = one(r, want_selector(r, not_want));
		side->n_not_sets = 1;
	}
	if (e->services)
		service_set(r, e->services, source, side);
	return 0;
}

static int convert_side(struct rules *r, const char *ns, const V3__EntityRule *e, bool source,
                        int protocol, struct calc_side *side, struct err *err)
{
	struct selector *want = NULL, *not_want = NULL, *all = NULL;
	int rc;

	if (!e)
		return 0;
	if ((rc = compose_entity(ns, e, &want, &not_want, err)) == 0 &&
	    (rc = selector_parse("all()", &all, err)) == 0)
		rc = fill_side(r, e, source, protocol, want, not_want, all, side, err);
	selector_unref(want);
	selector_unref(not_want);
	selector_unref(all);
	return rc < 0 ? err_wrap(err, rc, "%s", source ? "source" : "destination") : 0;
}

/* ---- one rule */

static int convert_action(const char *s, enum calc_action *ret, struct err *err)
{
	static const struct {
		const char *name;
		enum calc_action action;
	} actions[] = {
		{ "Allow", CALC_ALLOW },
		{ "Deny", CALC_DENY },
		{ "Pass", CALC_PASS },
		{ "Log", CALC_LOG },
	};

	for (size_t i = 0; s && i < ARRAY_SIZE(actions); i++) {
		if (strcmp(s, actions[i].name) == 0) {
			*ret = actions[i].action;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "action: '%.32s' is not one of Allow, Deny, Log, Pass",
	               s ? s : "");
}

static int convert_protocol(const V3__Protocol *p, const char *field, int16_t *ret, struct err *err)
{
	int number;

	if (!p)
		return 0;
	number = protocol_number(p);
	if (number < 0 || number > 255)
		return err_set(err, -EINVAL, "%s: '%.32s' is not a protocol", field,
		               p->name ? p->name : "");
	*ret = (int16_t)number;
	return 0;
}

static int convert_icmp(const V3__IcmpFields *f, const char *field, int16_t *type, int16_t *code,
                        struct err *err)
{
	if (!f)
		return 0;
	if ((f->has_type && (f->type < 0 || f->type > 255)) ||
	    (f->has_code && (f->code < 0 || f->code > 255)) || (f->has_code && !f->has_type))
		return err_set(err, -EINVAL, "%s: neither a type nor a type with a code", field);
	if (f->has_type)
		*type = (int16_t)f->type;
	if (f->has_code)
		*code = (int16_t)f->code;
	return 0;
}

static int convert_rule(struct rules *r, const char *ns, const V3__Rule *v3, struct calc_rule *ret,
                        struct err *err)
{
	int rc;

	*ret = blank_rule(CALC_DENY);
	if ((rc = convert_action(v3->action, &ret->action, err)) < 0 ||
	    (rc = convert_protocol(v3->protocol, "protocol", &ret->protocol, err)) < 0 ||
	    (rc = convert_protocol(v3->notprotocol, "notProtocol", &ret->not_protocol, err)) < 0 ||
	    (rc = convert_icmp(v3->icmp, "icmp", &ret->icmp_type, &ret->icmp_code, err)) < 0 ||
	    (rc = convert_icmp(v3->noticmp, "notICMP", &ret->not_icmp_type, &ret->not_icmp_code,
	                       err)) < 0)
		return rc;
	ret->protocol_by_number = v3->protocol && !v3->protocol->name;
	ret->not_protocol_by_number = v3->notprotocol && !v3->notprotocol->name;
	if (v3->has_ipversion && v3->ipversion != 4 && v3->ipversion != 6)
		return err_set(err, -EINVAL, "ipVersion: %lld is neither 4 nor 6",
		               (long long)v3->ipversion);
	if (v3->has_ipversion)
		ret->ip_version = (uint8_t)v3->ipversion;
	else if (ret->protocol == IPPROTO_ICMP || ret->protocol == IPPROTO_ICMPV6)
		ret->ip_version = ret->protocol == IPPROTO_ICMP ? 4 : 6;
	if ((rc = convert_side(r, ns, v3->source, true, ret->protocol, &ret->src, err)) < 0)
		return rc;
	return convert_side(r, ns, v3->destination, false, ret->protocol, &ret->dst, err);
}

static int convert_list(struct rules *r, const char *ns, V3__Rule *const *v3, size_t n,
                        const char *field, struct calc_rule **ret, size_t *ret_n, struct err *err)
{
	if (n == 0)
		return 0;
	*ret = xcalloc(n, sizeof(**ret));
	*ret_n = n;
	for (size_t i = 0; i < n; i++) {
		int rc = convert_rule(r, ns, v3[i], &(*ret)[i], err);

		if (rc < 0)
			return err_wrap(err, rc, "%s[%zu]", field, i);
	}
	return 0;
}

int rules_convert(const char *ns, V3__Rule *const *ingress, size_t n_ingress,
                  V3__Rule *const *egress, size_t n_egress, struct rules *ret, struct err *err)
{
	int rc;

	*ret = (struct rules){ 0 };
	rc = convert_list(ret, ns, ingress, n_ingress, "ingress", &ret->ingress, &ret->n_ingress,
	                  err);
	if (rc == 0)
		rc = convert_list(ret, ns, egress, n_egress, "egress", &ret->egress, &ret->n_egress,
		                  err);
	if (rc < 0)
		rules_done(ret);
	return rc;
}
