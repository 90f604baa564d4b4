/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ADD, in the order that lets nothing pass unseen and can be undone step by step:
 *
 *     look       namespace, datastore ready, which endpoint; nothing is changed yet
 *     address    asked of ipamd; while it becomes durable ...
 *     pair       ... the veth pair is made, both ends down
 *     host end   ... sysctls, up: felixd's routes need that. The pod's end is down, so there is
 *                no carrier
 *     endpoint   written through typhad; meanwhile the pod's own sysctls
 *     policy     felixd says that routes and policy are in the kernel
 *     pod end    up, routes, address: from here on packets flow
 */
#include <stdlib.h>

#include "cni-plugin/attach.h"
#include "cni-plugin/endpoint.h"
#include "cni-plugin/ipam.h"
#include "cni-plugin/pod.h"
#include "common/base/log.h"
#include "common/base/mem.h"

static void undo_step(struct attach *a, const char *what,
                      int (*step)(struct attach *, struct cni_error *))
{
	struct cni_error e = { 0 };

	/* A step back has time of its own: the deadline may be what failed. */
	a->deadline = mono_after(mono_now(), CNI_UNDO_MS);
	if (step(a, &e) < 0)
		log_error("a failed ADD could not be undone", "step=%s error=%s", what,
		          LOG_VIS(e.msg));
}

static int undo_endpoint(struct attach *a, struct cni_error *e)
{
	bool conflict;

	return endpoint_delete(a, a->wep_revision, &conflict, e);
}

/* What DEL would do, for what was done. */
static void undo(struct attach *a, const struct ipam_pending *ipam)
{
	if (a->felixd_told)
		undo_step(a, "felixd", endpoint_unprogram);
	if (a->wep_revision)
		undo_step(a, "endpoint", undo_endpoint);
	pod_undo(a);
	if (ipam->may_hold)
		undo_step(a, "address", ipam_release);
}

static int steps(struct attach *a, struct ipam_pending *ipam, struct cni_error *e)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	if (pod_open(a, e) < 0 || endpoint_ask(a, e) < 0 || pod_mtu(a, e) < 0 ||
	    daemon_connect(a, &a->felixd, e) < 0 || endpoint_prepare(a, e) < 0)
		return -1;
	if (ipam_begin(a, ipam, e) < 0 || pod_create(a, e) < 0 || pod_host_up(a, e) < 0 ||
	    ipam_finish(a, ipam, e) < 0)
		return -1;
	if (endpoint_write_begin(a, &body, e) < 0 || pod_forwarding(a, e) < 0 ||
	    endpoint_write_end(a, e) < 0 || endpoint_program(a, &body, e) < 0)
		return -1;
	return pod_configure(a, e);
}

static void answer(struct attach *a, struct buf *out)
{
	struct cni_result *r = &a->ipam;

	for (size_t i = 0; i < r->n_interfaces;
	     i++) /* a delegate that names interfaces is overruled */
		free(r->interfaces[i].sandbox);
	r->n_interfaces = 2;
	r->interfaces[0] = (struct cni_interface){ 0 };
	r->interfaces[1] =
	        (struct cni_interface){ .mtu = a->mtu, .sandbox = xstrdup(a->env->netns) };
	(void)snprintf(r->interfaces[0].name, IFNAMSIZ, "%s", a->host_if);
	(void)snprintf(r->interfaces[1].name, IFNAMSIZ, "%s", a->env->ifname);
	(void)mac_str(&a->pod_mac, r->interfaces[1].mac);
	for (size_t i = 0; i < r->n_ips; i++) {
		r->ips[i].address = ip_prefix_host(&r->ips[i].address.addr);
		r->ips[i].interface = 1;
	}
	cni_result_write(r, a->config->version, out);
}

int calico_add(struct attach *a, struct buf *out, struct cni_error *e)
{
	struct ipam_pending ipam = { 0 };

	if (steps(a, &ipam, e) < 0) {
		undo(a, &ipam);
		return -1;
	}
	log_info("pod attached", "namespace=%s pod=%s interface=%s endpoint=%s", LOG_VIS(a->ns),
	         LOG_VIS(a->env->pod_name), a->host_if, LOG_VIS(a->wep_name));
	answer(a, out);
	return 0;
}

int calico_ipam_add(struct attach *a, struct buf *out, struct cni_error *e)
{
	struct ipam_pending ipam = { 0 };

	if (ipam_begin(a, &ipam, e) < 0 || ipam_finish(a, &ipam, e) < 0) {
		if (ipam.may_hold)
			undo_step(a, "address", ipam_release);
		return -1;
	}
	cni_result_write(&a->ipam, a->config->version, out);
	return 0;
}
