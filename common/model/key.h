/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key: where an object stands in the datastore, as upstream's etcd layout has it.
 *
 *     IPPool pool1            /calico/resources/v3/projectcalico.org/ippools/pool1
 *     NetworkPolicy ns1/web   /calico/resources/v3/projectcalico.org/networkpolicies/ns1/web
 *     block 10.0.0.0/26       /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26
 *     affinity n1 of it       /calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-26       (name
 * "n1/10.0.0.0/26") virtual affinity lb     /calico/ipam/v2/virtual/lb/ipv4/block/10.0.0.0-26 (name
 * "virtual:lb/10.0.0.0/26") handle                  /calico/ipam/v2/handle/<id> config
 * /calico/ipam/v2/config                               (name "default")
 *     felix of n1 reports     /calico/felix/v2/no-region/host/n1/status           (name
 * "no-region/n1") for the last time       /calico/felix/v2/no-region/host/n1/last_reported_status
 *     of a workload /calico/felix/v2/no-region/host/n1/workload/k8s/ns1%2fweb-0/endpoint/eth0 (name
 * "no-region/n1/k8s/ns1%2fweb-0/eth0") of a host endpoint /calico/felix/v1/host/n1/endpoint/n1-eth0
 * (name "n1/n1-eth0")
 */
#pragma once

#include <stddef.h>

#include "common/model/kind.h"

struct err;

/* The key, the caller's. NULL with *err when the name cannot be in a key (IPAM: not a canonical
 * CIDR; '/' or '%' in another name). */
char *key_of(model_kind kind, const char *ns, const char *name, struct err *err);

/*
 * The prefix under which a kind lives: all of it (ns NULL) or one namespace. The caller's. IPAM's
 * kinds share theirs with other keys: what is found below it has to be sorted out by key_parse().
 */
char *key_prefix(model_kind kind, const char *ns);

/* The inverse of key_of. *ret_ns is NULL where the kind has none. -ENOENT: not a key that the suite
 * knows. */
int key_parse(const char *key, model_kind *ret_kind, char **ret_ns, char **ret_name);
