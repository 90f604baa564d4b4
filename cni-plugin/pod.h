/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pod: the kernel's half of an attachment.
 *
 *      pod's namespace                                    host's namespace
 *      CNI_IFNAME, addresses as /32 and /128      veth    cali..., ee:ee:ee:ee:ee:ee, proxy_arp
 *      default via 169.254.1.1          ------------------------
 *
 * Both ends are born by one request where they stay. The host's end is up first, the pod's end
 * stays down until felixd has said that the policy is in the kernel: until then there is no
 * carrier, and nothing can pass in either direction.
 *
 * There is no neighbour entry for 169.254.1.1 in the pod: the host's end answers for every address
 * (proxy_arp, without delay), always with the same MAC.
 */
#pragma once

#include "cni-plugin/attach.h"

/* The MAC of every host end, and the link-local address that follows from it. */
#define POD_HOST_MAC                                                                               \
	{                                                                                          \
		{                                                                                  \
			0xee, 0xee, 0xee, 0xee, 0xee, 0xee                                         \
		}                                                                                  \
	}
#define POD_GATEWAY4 "169.254.1.1"
#define POD_GATEWAY6 "fe80::ecee:eeff:feee:eeee"

/* Opens the namespace CNI_NETNS and a connection in it and in the host's. For ADD and CHECK: code 4
 * when it is not one. */
int pod_open(struct attach *a, struct cni_error *e);
void pod_close(struct attach *a);

/* Looks the MTU up: the configuration's, else the file's, else the kernel's default. */
int pod_mtu(struct attach *a, struct cni_error *e);

/* Removes what an earlier ADD of the same pod left, and makes the pair; both ends are down. Fills
 * pod_index, host_index, pod_mac. */
int pod_create(struct attach *a, struct cni_error *e);

/* The host's end: sysctls for the families of a->ipam (until that is known: of a->ask4, ask6), then
 * up. */
int pod_host_up(struct attach *a, struct cni_error *e);

/* Whether the pod forwards: its sysctls, with or without interfaces. */
int pod_forwarding(struct attach *a, struct cni_error *e);

/* The pod's end: sysctls, up, routes, addresses. */
int pod_configure(struct attach *a, struct cni_error *e);

/* Undoes pod_create(). */
void pod_undo(struct attach *a);

/* For DEL: removes CNI_IFNAME from CNI_NETNS, and the host's end with it. A namespace or an
 * interface that is gone is fine. *ret_gone: there was one. */
int pod_remove(struct attach *a, bool *ret_gone, struct cni_error *e);

/* Where the namespace was not told or is gone: removes the host's end by its name. Only for who
 * knows that it is this container's. */
int pod_remove_host(struct attach *a, struct cni_error *e);

/* For CHECK: the interfaces, addresses and routes are as ADD made them. want: prevResult. */
int pod_check(struct attach *a, const struct cni_result *want, struct cni_error *e);
