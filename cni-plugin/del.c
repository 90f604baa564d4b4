/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DEL: out of force, out of the datastore, out of the kernel, and only then is the address free for
 * others. May be repeated as often as one likes.
 *
 * The endpoint's name is the pod's, not the container's: a late DEL of an old sandbox finds the
 * endpoint of the new one, and must leave it, its interface and its policy alone. The address it
 * may release, because that is kept under the container's own handle.
 *
 * The kernel takes an RCU grace period (some 15 ms) to delete a veth pair, with nothing for us to
 * do. felixd and typhad are asked before, and answer meanwhile; whichever of interface and policy
 * goes first, an interface without policy passes nothing.
 */
#include <string.h>

#include "cni-plugin/attach.h"
#include "cni-plugin/endpoint.h"
#include "cni-plugin/ipam.h"
#include "cni-plugin/pod.h"
#include "common/base/log.h"

#define DELETE_ATTEMPTS 6

/* *ret_ours: there is an endpoint, and it is this container's. */
static int find_ours(struct attach *a, bool *ret_ours, struct cni_error *e)
{
	if (endpoint_find(a, ret_ours, e) < 0)
		return -1;
	if (*ret_ours && *a->wep_container && strcmp(a->wep_container, a->env->container) != 0) {
		log_info("the endpoint belongs to another container by now",
		         "endpoint=%s container=%s", LOG_VIS(a->wep_name),
		         LOG_VIS(a->wep_container));
		*ret_ours = false;
	}
	return 0;
}

/*
 * felixd away is no reason to keep a pod: its routes go with the interface, and of the rest felixd
 * learns from the datastore when it is back.
 */
static void felixd_failed(const struct attach *a, const struct cni_error *why)
{
	log_warn("felixd was not told", "endpoint=%s error=%s", LOG_VIS(a->wep_name),
	         LOG_VIS(why->msg));
}

/* The first attempt is under way. Somebody changed the endpoint meanwhile: is it still ours? */
static int delete_endpoint(struct attach *a, bool *ours, struct cni_error *e)
{
	bool conflict;

	if (endpoint_delete_end(a, &conflict, e) < 0)
		return -1;
	for (int i = 1; i < DELETE_ATTEMPTS && conflict; i++) {
		if (find_ours(a, ours, e) < 0)
			return -1;
		if (!*ours)
			return 0;
		if (endpoint_delete(a, a->wep_found, &conflict, e) < 0)
			return -1;
	}
	if (conflict)
		return cni_fail(e, CNI_TRY_AGAIN_LATER,
		                "error deleting endpoint: endpoint was modified before it could be "
		                "deleted: %s",
		                a->wep_name);
	return 0;
}

int calico_del(struct attach *a, struct cni_error *e)
{
	struct cni_error why = { 0 };
	bool ours, gone;

	/* Without the datastore nothing is cleaned: it alone can tell whose endpoint this is. */
	if (find_ours(a, &ours, e) < 0)
		return -1;
	if (ours && endpoint_unprogram_begin(a, &why) < 0)
		felixd_failed(a, &why);
	if (ours && endpoint_delete_begin(a, a->wep_found, e) < 0)
		return -1;
	if (pod_remove(a, &gone, e) < 0 || (ours && delete_endpoint(a, &ours, e) < 0) ||
	    (ours && !gone && pod_remove_host(a, e) < 0))
		return -1;
	if (endpoint_unprogram_end(a, &why) < 0)
		felixd_failed(a, &why);
	if (ipam_release(a, e) < 0)
		return -1;
	log_info("pod detached", "namespace=%s pod=%s interface=%s", LOG_VIS(a->ns),
	         LOG_VIS(a->env->pod_name), a->host_if);
	return 0;
}

int calico_ipam_del(struct attach *a, struct cni_error *e)
{
	return ipam_release(a, e);
}
