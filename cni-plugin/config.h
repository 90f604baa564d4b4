/* SPDX-License-Identifier: BSD-2-Clause */
/* config: the half of a CNI request that comes on standard input. No I/O. Keys and their meaning
 * are upstream's, but for run_dir. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cni-plugin/result.h"

#define CNI_CONFIG_MAX (1u << 20) /* bytes */
#define CNI_LABELS_MAX 256

struct cni_label {
	char *key, *value;
};

struct cni_names {
	char **items;
	size_t n;
};

struct cni_config {
	char *text; /* as it came, for delegates */
	size_t len;
	char *version, *name, *type;

	char *ipam_type; /* "" when there is none */
	bool ipv4, ipv6; /* ipam.assign_ipv4 and 6: the strings "true" and "false" */
	struct cni_names pools4, pools6;
	struct ip_prefix *routes; /* ipam.routes[].dst: replace the pod's default routes */
	size_t n_routes;

	char *nodename; /* "" when not given, like the following */
	char *nodename_file, *hostname, *run_dir, *log_level, *log_file_path, *policy_type;
	bool nodename_file_optional, require_mtu_file, include_default_routes, allow_ip_forwarding;
	uint32_t mtu;             /* 0: not given */
	unsigned num_queues;      /* at least 1 */
	struct cni_label *labels; /* args.cni.labels and Mesos' own */
	size_t n_labels;
	bool has_prev;
	struct cni_result prev; /* prevResult */
};

/*
 * Reads the configuration. *ret is the caller's, whatever the outcome: after an error it holds the
 * version, when that could be read, for the answer. Code 6: not JSON; 7: a value is missing or
 * makes no sense; 2: something that is not supported; 1: the version is not.
 */
int cni_config_read(const char *text, size_t len, struct cni_config *ret, struct cni_error *e);
void cni_config_done(struct cni_config *c);
