/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status: a file for each workload's endpoint of this node while it is up, that the CNI plugin (and
 * whoever else) may wait for: <prefix>/endpoint-status/<orchestrator> <namespace>%2F<workload>
 * <endpoint>, as upstream names and fills them.
 *
 * Files appear and go whole. What an earlier run left is removed once it is known what there is. A
 * directory that cannot be written (a full disk) is tried again with back-off; nothing else waits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct calc_endpoint;
struct status;

struct status *status_new(uv_loop_t *loop);
/* Files stay. */
void status_free(struct status *s);

/* Where the files are; NULL or "": nowhere. Files that are elsewhere are removed. */
void status_set_prefix(struct status *s, const char *prefix);
/* From now on what is there is known: files are written, and others removed. */
void status_in_sync(struct status *s);
void status_endpoint(struct status *s, const struct calc_endpoint *e, bool up);

struct status_stats {
	uint64_t written, removed, failures;
	size_t up;
};
struct status_stats status_stats(const struct status *s);

/* The file's name and contents, the caller's. NULL: the endpoint's name is not of the form
 * node-orchestrator-workload-endpoint. */
char *status_file_name(const char *ns, const char *name);
char *status_file_text(const struct calc_endpoint *e);
