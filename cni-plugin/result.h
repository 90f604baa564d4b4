/* SPDX-License-Identifier: BSD-2-Clause */
/* result: what ADD answers, what an IPAM plugin answers, and what CHECK is given back as
 * prevResult. No I/O. */
#pragma once

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "cni-plugin/error.h"
#include "common/json/json.h"
#include "common/net/addr.h"

#define CNI_IPS_MAX 16
#define CNI_ROUTES_MAX 64
#define CNI_INTERFACES_MAX 16

struct cni_interface {
	char name[IFNAMSIZ];
	char mac[MAC_STR_MAX]; /* "" when not told */
	uint32_t mtu;          /* 0: not told */
	char *sandbox;         /* NULL: the host's */
};

struct cni_ip {
	struct ip_prefix address; /* with host bits */
	int interface;            /* index into interfaces; -1: not told */
};

struct cni_route {
	struct ip_prefix dst; /* host bits as they were given */
	struct ip_addr gw;    /* unset: the default */
};

struct cni_result {
	struct cni_interface interfaces[CNI_INTERFACES_MAX];
	struct cni_ip ips[CNI_IPS_MAX];
	struct cni_route routes[CNI_ROUTES_MAX];
	size_t n_interfaces, n_ips, n_routes;
};

void cni_result_done(struct cni_result *r);

/* Writes r as version (0.3.0 to 1.0.0) wants it, indented by 4 as upstream does. */
void cni_result_write(const struct cni_result *r, const char *version, struct buf *out);

/* Reads a result; what names it in errors ("prevResult", "the result of 'host-local'"). On an error
 * *ret is empty. */
int cni_result_read(const struct json *j, const char *what, struct cni_result *ret,
                    struct cni_error *e);

/* The answer to VERSION. */
void cni_versions_write(struct buf *out);
bool cni_version_supported(const char *version);
#define CNI_VERSIONS_TEXT "[0.3.1 0.4.0 1.0.0]"
