/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ipam: the pod's addresses. ipam.type "calico-ipam" is this very program, so it asks ipamd itself;
 * any other type is a program in CNI_PATH.
 */
#pragma once

#include "cni-plugin/attach.h"

/*
 * Two halves, so that the veth pair can be made while the address becomes durable. ipam_begin()
 * starts (a delegate is run to its end); ipam_finish() fills a->ipam.
 */
struct ipam_pending {
	uint64_t id;   /* 0: done already */
	bool may_hold; /* the container may hold addresses now: on failure, ipam_release() */
};
int ipam_begin(struct attach *a, struct ipam_pending *p, struct cni_error *e);
int ipam_finish(struct attach *a, struct ipam_pending *p, struct cni_error *e);

/* Gives back whatever the container has. Of a container that has nothing: fine. */
int ipam_release(struct attach *a, struct cni_error *e);

/* For CHECK: that the container has every address of want. */
int ipam_check(struct attach *a, const struct cni_result *want, struct cni_error *e);
