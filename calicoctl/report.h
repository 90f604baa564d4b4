/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report: what `ipam check` found, as the JSON that `ipam release --from-report` takes: each
 * address that IPAM says is taken, with what says so and whether anything uses it, and the handles
 * that nothing refers to.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/net/addr.h"

struct err;

#define REPORT_MAX (64u << 20) /* bytes: some 200,000 addresses */

struct report_address {
	struct ip_addr ip;
	char *handle, *pod, *ns, *node, *type, *created; /* NULL: none */
	bool has_sequence;
	uint64_t sequence; /* of the block when the address was taken */
	bool in_use, borrowed, cooling;
	char **owners; /* who uses it: "Workload(ns1/web)" */
	size_t n_owners;
};

struct report_handle {
	char *id, *uid, *revision; /* uid: of the Kubernetes datastore, else NULL */
};

struct report {
	char *version, *cluster_guid, *cluster_revision, *cluster_type;
	bool locked;
	struct report_address *addresses;
	size_t n_addresses;
	struct report_handle *handles; /* leaked ones */
	size_t n_handles;
};

/* An address more, zeroed, good until the next one. Likewise a handle. */
struct report_address *report_add_address(struct report *r);
struct report_handle *report_add_handle(struct report *r);
void report_done(struct report *r); /* a CLEANUP() function */

/* By address; then as they were added. */
void report_sort(struct report *r);

/* As upstream writes it, byte for byte but for the order of equal addresses. r is sorted. */
void report_write(const struct report *r, struct buf *out);

/* -EINVAL with the place. *ret is the caller's, whatever comes back. */
int report_read(const char *text, size_t len, struct report *ret, struct err *err);

/*
 * What all of n reports show as leaked: addresses that nothing uses and that do not cool down, with
 * the last report's handle and sequence number; handles at one revision. The entries are copied.
 */
void report_leaks(const struct report *reports, size_t n, struct report *ret);
