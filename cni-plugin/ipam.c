/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/ipam.h"

#include <string.h>

#include "cni-plugin/delegate.h"
#include "cni-plugin/names.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "proto/ipamd_ipam_v1.pb-c.h"

#define ATTRIBUTES 4

static bool own(const struct attach *a)
{
	return strcmp(a->config->ipam_type, "calico-ipam") == 0;
}

static int refused(const Ipam__V1__Error *error, struct cni_error *e)
{
	enum cni_code code = CNI_FAILED;

	if (error->code == IPAM__V1__ERROR_CODE__ERROR_UNAVAILABLE)
		code = CNI_TRY_AGAIN_LATER;
	return cni_fail(e, code, "ipamd: %s",
	                error->text ? error->text : "refused without a reason");
}

static int unexpected(struct cni_error *e)
{
	return cni_fail(e, CNI_FAILED, "ipamd answered something else than was asked");
}

/* ---- assigning */

static int send_assign(struct attach *a, struct ipam_pending *p, struct cni_error *e)
{
	const struct cni_config *c = a->config;
	Ipam__V1__ToIpamd m = IPAM__V1__TO_IPAMD__INIT;
	Ipam__V1__Assign assign = IPAM__V1__ASSIGN__INIT;
	Ipam__V1__Assign__AttributesEntry entries[ATTRIBUTES];
	Ipam__V1__Assign__AttributesEntry *attributes[ATTRIBUTES];
	char now[NAMES_TIME_MAX];
	char *ip = a->env->ip;

	names_go_time(wall_unix_ns(), now);
	const struct {
		const char *key;
		char *value;
	} said[ATTRIBUTES] = {
		{ "node", a->node },
		{ "timestamp", now },
		{ "pod", a->env->pod_name },
		{ "namespace", a->env->pod_namespace },
	};

	for (size_t i = 0; i < (a->k8s ? 4u : 2u); i++) {
		ipam__v1__assign__attributes_entry__init(&entries[i]);
		entries[i].key = (char *)(uintptr_t)said[i].key;
		entries[i].value = said[i].value;
		attributes[assign.n_attributes++] = &entries[i];
	}
	assign.attributes = attributes;
	assign.handle_id = a->handle;
	assign.intended_use = (char *)(uintptr_t) "Workload";
	assign.namespace_ = (char *)(uintptr_t)a->ns;
	if (*ip) {
		assign.ips = &ip;
		assign.n_ips = 1;
	} else {
		assign.has_num4 = assign.has_num6 = 1;
		assign.num4 = c->ipv4;
		assign.num6 = c->ipv6;
		assign.pools4 = c->pools4.items;
		assign.n_pools4 = c->pools4.n;
		assign.pools6 = c->pools6.items;
		assign.n_pools6 = c->pools6.n;
	}
	a->ask4 = *ip ? !strchr(ip, ':') : c->ipv4 > 0;
	a->ask6 = *ip ? strchr(ip, ':') != NULL : c->ipv6 > 0;
	m.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_ASSIGN;
	m.assign = &assign;
	p->may_hold = a->ipamd.open;
	if (daemon_send(a, &a->ipamd, &m.base, &p->id, e) < 0)
		return -1;
	p->may_hold = true;
	return 0;
}

static int take_cidrs(const Ipam__V1__Assigned *m, bool as_host, struct cni_result *r,
                      struct cni_error *e)
{
	if (m->n_cidrs == 0 || m->n_cidrs > CNI_IPS_MAX)
		return cni_fail(e, CNI_FAILED, "ipamd answered with %zu addresses", m->n_cidrs);
	*r = (struct cni_result){ 0 };
	for (size_t i = 0; i < m->n_cidrs; i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(m->cidrs[i], &p) < 0)
			return cni_fail(e, CNI_FAILED,
			                "ipamd answered with '%s', which is not an address",
			                LOG_VIS(m->cidrs[i]));
		/* Upstream: an address that was asked for by name comes back as /32, one that was
		 * chosen with its block's length. */
		if (as_host)
			p = ip_prefix_host(&p.addr);
		r->ips[r->n_ips++] = (struct cni_ip){ p, -1 };
		r->routes[r->n_routes++] = (struct cni_route){ .dst = p };
	}
	return 0;
}

int ipam_begin(struct attach *a, struct ipam_pending *p, struct cni_error *e)
{
	*p = (struct ipam_pending){ 0 };
	if (own(a))
		return send_assign(a, p, e);
	if (delegate_add(a, &a->ipam, e) < 0)
		return -1;
	p->may_hold = true;
	if (a->ipam.n_ips == 0)
		return cni_fail(e, CNI_FAILED, "IPAM plugin returned missing IP config");
	return 0;
}

int ipam_finish(struct attach *a, struct ipam_pending *p, struct cni_error *e)
{
	ProtobufCMessage *answer;
	int r;

	if (p->id == 0)
		return 0;
	if (daemon_wait(a, &a->ipamd, p->id, &answer, e) < 0)
		return -1;
	const Ipam__V1__FromIpamd *m = (const Ipam__V1__FromIpamd *)answer;

	if (m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED)
		r = take_cidrs(m->assigned, *a->env->ip != '\0', &a->ipam, e);
	else if (m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR)
		r = refused(m->error, e);
	else
		r = unexpected(e);
	for (size_t i = 0; r == 0 && i < a->ipam.n_ips; i++) {
		bool v4 = a->ipam.ips[i].address.addr.family == AF_INET;

		/* The host's end has been set up for what was asked for. */
		if (!(v4 ? a->ask4 : a->ask6))
			r = cni_fail(
			        e, CNI_FAILED,
			        "ipamd answered with an address of IPv%c, which was not asked for",
			        v4 ? '4' : '6');
	}
	if (m->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR)
		p->may_hold = false; /* all or nothing */
	protobuf_c_message_free_unpacked(answer, NULL);
	return r;
}

/* ---- releasing */

static int release_begin(struct attach *a, char *handle, uint64_t *ret_id, struct cni_error *e)
{
	Ipam__V1__ToIpamd m = IPAM__V1__TO_IPAMD__INIT;
	Ipam__V1__ReleaseByHandle release = IPAM__V1__RELEASE_BY_HANDLE__INIT;

	release.handle_id = handle;
	m.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_RELEASE_BY_HANDLE;
	m.release_by_handle = &release;
	return daemon_queue(a, &a->ipamd, &m.base, ret_id, e);
}

static int release_end(struct attach *a, const char *handle, uint64_t id, struct cni_error *e)
{
	ProtobufCMessage *answer;
	int r = 0;

	if (daemon_wait(a, &a->ipamd, id, &answer, e) < 0)
		return -1;
	const Ipam__V1__FromIpamd *f = (const Ipam__V1__FromIpamd *)answer;

	if (f->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR &&
	    f->error->code != IPAM__V1__ERROR_CODE__ERROR_NOT_FOUND)
		r = refused(f->error, e);
	else if (f->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_RELEASED)
		log_debug("addresses released", "handle=%s n=%zu", LOG_VIS(handle),
		          f->released->n_ips);
	protobuf_c_message_free_unpacked(answer, NULL);
	return r;
}

int ipam_release(struct attach *a, struct cni_error *e)
{
	CLEANUP(free_p) char *legacy = NULL;
	uint64_t own_id, legacy_id;

	if (!own(a))
		return delegate_del(a, e);
	/* What versions before 3 of upstream have assigned carries another handle. */
	legacy = a->k8s ? xasprintf("%s.%s", a->env->pod_namespace, a->env->pod_name)
	                : xstrdup(a->env->container);
	if (release_begin(a, a->handle, &own_id, e) < 0 ||
	    release_begin(a, legacy, &legacy_id, e) < 0 || release_end(a, a->handle, own_id, e) < 0)
		return -1;
	return release_end(a, legacy, legacy_id, e);
}

/* ---- checking */

int ipam_check(struct attach *a, const struct cni_result *want, struct cni_error *e)
{
	Ipam__V1__ToIpamd m = IPAM__V1__TO_IPAMD__INIT;
	Ipam__V1__GetByHandle get = IPAM__V1__GET_BY_HANDLE__INIT;
	struct cni_result have;
	ProtobufCMessage *answer;
	int r;

	if (!own(a))
		return delegate_check(a, e);
	get.handle_id = a->handle;
	m.payload_case = IPAM__V1__TO_IPAMD__PAYLOAD_GET_BY_HANDLE;
	m.get_by_handle = &get;
	if (daemon_ask(a, &a->ipamd, &m.base, &answer, e) < 0)
		return -1;
	const Ipam__V1__FromIpamd *f = (const Ipam__V1__FromIpamd *)answer;

	if (f->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ASSIGNED)
		r = take_cidrs(f->assigned, false, &have, e);
	else if (f->payload_case == IPAM__V1__FROM_IPAMD__PAYLOAD_ERROR)
		r = refused(f->error, e);
	else
		r = unexpected(e);
	protobuf_c_message_free_unpacked(answer, NULL);
	for (size_t i = 0; r == 0 && i < want->n_ips; i++) {
		char text[IP_ADDR_STR_MAX];
		bool found = false;

		for (size_t k = 0; k < have.n_ips; k++)
			found = found ||
			        ip_addr_eq(&have.ips[k].address.addr, &want->ips[i].address.addr);
		if (!found)
			r = cni_fail(e, CNI_FAILED,
			             "address %s is not assigned to the container (handle %s)",
			             ip_addr_str(&want->ips[i].address.addr, text), a->handle);
	}
	return r;
}
