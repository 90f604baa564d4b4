/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * key: where an object stands in the datastore, as upstream's etcd layout has it.
 *
 *     IPPool pool1            /calico/resources/v3/projectcalico.org/ippools/pool1
 *     NetworkPolicy ns1/web   /calico/resources/v3/projectcalico.org/networkpolicies/ns1/web
 *     block 10.0.0.0/26       /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26
 *     affinity n1 of it       /calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-26       (name "n1/10.0.0.0/26")
 *     handle                  /calico/ipam/v2/handle/<id>
 *     config                  /calico/ipam/v2/config                               (name "default")
 */
#pragma once

#include <stddef.h>

#include "common/model/kind.h"

struct err;

/* The key, the caller's. NULL with *err when the name cannot be in a key (IPAM: not a CIDR; '/' in a v3 name). */
char *key_of(model_kind kind, const char *ns, const char *name, struct err *err);

/* The prefix under which a kind lives: all of it (ns NULL) or one namespace. The caller's. Not for IPAM kinds, which have two (v4 and v6): see key_parse. */
char *key_prefix(model_kind kind, const char *ns);

/* The inverse of key_of. *ret_ns is NULL where the kind has none. -ENOENT: not a key that the suite knows. */
int key_parse(const char *key, model_kind *ret_kind, char **ret_ns, char **ret_name);
