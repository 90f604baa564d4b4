/* SPDX-License-Identifier: BSD-2-Clause */
/* names: upstream's names for interfaces, addresses and moments. No I/O. */
#pragma once

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The host's end: prefix and 11 hex digits of SHA-1("<ns>.<pod>"); without Kubernetes, prefix and
 * the first 11 characters of the container's ID where these tell it from others (it has no more, or
 * is 32 or more hex digits), else 11 hex digits of the ID's SHA-1. -ENAMETOOLONG.
 */
int names_host_if_k8s(const char *prefix, const char *ns, const char *pod, char out[IFNAMSIZ]);
int names_host_if_cni(const char *prefix, const char *container, char out[IFNAMSIZ]);

/* The first of FELIX_INTERFACEPREFIX's comma-separated prefixes; "cali" when s is NULL or empty.
 * Cut to IFNAMSIZ - 1. */
void names_prefix(const char *s, char out[IFNAMSIZ]);

/* As Go prints a UTC time: "2026-08-22 13:33:20.123456789 +0000 UTC", without trailing zeros. */
#define NAMES_TIME_MAX 48
void names_go_time(uint64_t unix_ns, char out[NAMES_TIME_MAX]);
