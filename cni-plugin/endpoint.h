/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint: the pod's WorkloadEndpoint: in the datastore, through typhad, and in force, through
 * felixd. */
#pragma once

#include "cni-plugin/attach.h"
#include "common/base/buf.h"

/*
 * Before ADD: the datastore may be used, the profile exists, and which endpoint it is. Asked first,
 * all at once; endpoint_prepare() hears the answers, and fills wep_name, wep_ifname, and
 * wep_container where the pod has an endpoint already.
 */
int endpoint_ask(struct attach *a, struct cni_error *e);
int endpoint_prepare(struct attach *a, struct cni_error *e);

/* Writes the endpoint with the addresses of a->ipam; its packed message is appended to ret_body.
 * The end sets wep_revision. */
int endpoint_write_begin(struct attach *a, struct buf *ret_body, struct cni_error *e);
int endpoint_write_end(struct attach *a, struct cni_error *e);

/* Has felixd put it into force, and waits until it is. */
int endpoint_program(struct attach *a, const struct buf *body, struct cni_error *e);

/* For DEL and CHECK: the datastore may be used; looks the endpoint up by its name. *ret_found:
 * whether it is there; then wep_container and wep_found are filled. */
int endpoint_find(struct attach *a, bool *ret_found, struct cni_error *e);

/*
 * Takes it out of force. Of one that is not, or that is another container's by now: fine. The
 * halves let other work be done between them; the second waits for nothing when the first has
 * failed or was not called.
 */
int endpoint_unprogram(struct attach *a, struct cni_error *e);
int endpoint_unprogram_begin(struct attach *a, struct cni_error *e);
int endpoint_unprogram_end(struct attach *a, struct cni_error *e);

/* Deletes it if its revision is still this one. *ret_conflict: it is not; nothing happened. One
 * that is gone is fine. */
int endpoint_delete(struct attach *a, uint64_t revision, bool *ret_conflict, struct cni_error *e);
int endpoint_delete_begin(struct attach *a, uint64_t revision, struct cni_error *e);
int endpoint_delete_end(struct attach *a, bool *ret_conflict, struct cni_error *e);
