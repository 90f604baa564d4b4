/* SPDX-License-Identifier: BSD-2-Clause */
/* env: the half of a CNI request that comes in the environment, checked. No I/O: the environment is
 * given. */
#pragma once

#include <stdbool.h>

#include "cni-plugin/error.h"

enum cni_command {
	CNI_ADD,
	CNI_DEL,
	CNI_CHECK,
	CNI_VERSION
};

struct cni_env {
	enum cni_command command;
	const char *container; /* CNI_CONTAINERID */
	const char *netns;     /* CNI_NETNS; "" when a DEL has none */
	const char *ifname;    /* CNI_IFNAME */
	const char *path;      /* CNI_PATH; "" when there is none */
	/* From CNI_ARGS, each "" when it is not there. Owned. */
	char *pod_namespace, *pod_name, *ip;
};

typedef const char *cni_lookup_fn(const char *name); /* getenv() */

/* Values but those from CNI_ARGS are borrowed from lookup. */
int cni_env_read(cni_lookup_fn *lookup, struct cni_env *ret, struct cni_error *e);
void cni_env_done(struct cni_env *env);

/* Names of networks and containers: letters, digits, '_', '.', '-'. */
bool cni_name_valid(const char *s, bool first_alnum);
