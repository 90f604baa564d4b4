/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_options: how to reach etcd, from the environment and from configuration files: one table of
 * names for every program.
 *
 * The strings of the struct are owned here, and wiped when they go: one is a password, one a key.
 */
#pragma once

#include <stdbool.h>

#include "common/store/store.h"

struct err;

/* The environment variable CALICO_<name>, else <name>; NULL when neither has a value. */
const char *store_env(const char *name);

/* Sets the option that a configuration file calls so ("etcdEndpoints", any case) to a copy of
 * value. false: there is no such option. */
bool etcd_options_set(struct store_etcd_options *o, const char *field, const char *value);
/* The same of what the environment says (ETCD_ENDPOINTS ...), for what is not set yet. */
void etcd_options_env(struct store_etcd_options *o);
/* -EINVAL and upstream's sentence when the options contradict each other. */
int etcd_options_check(const struct store_etcd_options *o, struct err *err);
void etcd_options_copy(struct store_etcd_options *to, const struct store_etcd_options *from);
void etcd_options_done(struct store_etcd_options *o);
