/* SPDX-License-Identifier: BSD-2-Clause */
/* CHECK: what ADD made is still as it made it. Upstream says OK whatever the state; runtimes that
 * call it right after ADD find it true here too. */
#include <string.h>

#include "cni-plugin/attach.h"
#include "cni-plugin/endpoint.h"
#include "cni-plugin/ipam.h"
#include "cni-plugin/pod.h"

/* Of prevResult, what is this plugin's: others of the chain may have added interfaces and
 * addresses. */
static void own_part(const struct attach *a, struct cni_result *ret)
{
	const struct cni_result *prev = &a->config->prev;

	*ret = (struct cni_result){ 0 };
	for (size_t i = 0; i < prev->n_ips; i++) {
		int k = prev->ips[i].interface;

		if (k < 0 || (prev->interfaces[k].sandbox &&
		              strcmp(prev->interfaces[k].name, a->env->ifname) == 0))
			ret->ips[ret->n_ips++] = prev->ips[i];
	}
}

static int need_prev(const struct attach *a, struct cni_error *e)
{
	if (strcmp(a->config->version, "0.4.0") < 0)
		return cni_fail(e, CNI_INCOMPATIBLE_VERSION, "config version does not allow CHECK");
	if (!a->config->has_prev)
		return cni_fail(e, CNI_INVALID_CONFIG, "CHECK needs prevResult, which is missing");
	return 0;
}

int calico_check(struct attach *a, struct cni_error *e)
{
	struct cni_result want;
	bool found;

	if (need_prev(a, e) < 0)
		return -1;
	own_part(a, &want);
	if (want.n_ips == 0)
		return cni_fail(e, CNI_FAILED, "prevResult holds no address of %s", a->env->ifname);
	a->ipam = want; /* whose families say which routes there are */
	if (pod_open(a, e) < 0 || pod_check(a, &want, e) < 0 || endpoint_find(a, &found, e) < 0)
		return -1;
	if (!found || strcmp(a->wep_container, a->env->container) != 0)
		return cni_fail(e, CNI_FAILED,
		                "the datastore has no endpoint '%s' of this container",
		                a->wep_name);
	return ipam_check(a, &want, e);
}

int calico_ipam_check(struct attach *a, struct cni_error *e)
{
	if (need_prev(a, e) < 0)
		return -1;
	return ipam_check(a, &a->config->prev, e);
}
