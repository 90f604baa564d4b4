/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach: one run of the plugin: what is asked, where it happens, and the open ends to the three
 * daemons.
 *
 *     main -> add, del, check -> ipam     (ipamd, or another IPAM plugin)
 *                             -> pod      (the kernel: veth, sysctls, routes, addresses)
 *                             -> endpoint (typhad: the WorkloadEndpoint; felixd: its policy and
 * routes)
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>

#include "cni-plugin/config.h"
#include "cni-plugin/env.h"
#include "cni-plugin/error.h"
#include "common/base/clock.h"
#include "common/ipc/call.h"
#include "common/net/addr.h"
#include "common/nl/nl.h"

#define DAEMON_KEPT 8 /* more answers than are ever asked for at once */

struct daemon {
	const char *name;
	const ProtobufCMessageDescriptor *reply;
	struct ipc_call call;
	bool open;
	ProtobufCMessage *kept[DAEMON_KEPT]; /* answers that were not waited for yet, in order */
	size_t n_kept;
};

struct attach {
	const struct cni_env *env;
	const struct cni_config *config;
	const char *run; /* the run directory */
	char *node;
	bool k8s;       /* the orchestrator: k8s, else cni */
	const char *ns; /* of the endpoint; borrowed */
	char *handle;   /* of the address */
	char host_if[IFNAMSIZ];
	struct mono_ms deadline;

	struct daemon typhad, felixd, ipamd;
	bool typhad_greeted;
	bool felixd_told; /* a Program request has left */
	uint64_t remove_id, write_id,
	        delete_id; /* requests to felixd and typhad whose answers are still to be heard */

	/* the pod, as pod.c knows it */
	int netns_fd; /* -1: not open */
	struct nl_conn *host_nl, *pod_nl;
	int host_index, pod_index;
	struct mac_addr pod_mac;
	uint32_t mtu; /* 0: the kernel's */

	/* its addresses: as the IPAM gave them, with the block's length; until then, of which
	 * families they will be */
	struct cni_result ipam;
	bool ask4, ask6;

	/* its endpoint, and the questions about it that are under way */
	struct {
		uint64_t ready, existing, profile; /* 0: not asked */
	} asked;
	char *wep_name, *wep_ifname;
	uint64_t wep_revision; /* of what we have written; 0: nothing */
	char *wep_container;   /* of what was there before; NULL: nothing was */
	uint64_t wep_found;    /* its revision */
};

#define CNI_TIMEOUT_MS 30000 /* for the whole run; CALICO_CNI_TIMEOUT (seconds) */
#define CNI_UNDO_MS 5000     /* for each step that undoes a failed ADD, beyond that */

/* Fills in what follows from env and config alone. env and config are borrowed. */
int attach_init(struct attach *a, const struct cni_env *env, const struct cni_config *config,
                struct cni_error *e);
void attach_done(struct attach *a);

/* Milliseconds until the deadline; 0 when it has passed. */
int attach_left_ms(const struct attach *a);

/*
 * Asks a daemon and waits for the answer, connecting when need be. The answer is freed with
 * protobuf_c_message_free_unpacked(). Failures are worth another try (code 11) and name daemon and
 * socket.
 */
int daemon_ask(struct attach *a, struct daemon *d, ProtobufCMessage *request,
               ProtobufCMessage **ret, struct cni_error *e);

/* Connects, if that is still to be done. */
int daemon_connect(struct attach *a, struct daemon *d, struct cni_error *e);

/* The two halves, so that something else can be done between them. What is queued leaves with what
 * is sent next, or when its answer is waited for. */
int daemon_queue(struct attach *a, struct daemon *d, ProtobufCMessage *request, uint64_t *ret_id,
                 struct cni_error *e);
int daemon_flush(struct attach *a, struct daemon *d, struct cni_error *e);
int daemon_send(struct attach *a, struct daemon *d, ProtobufCMessage *request, uint64_t *ret_id,
                struct cni_error *e);
int daemon_wait(struct attach *a, struct daemon *d, uint64_t id, ProtobufCMessage **ret,
                struct cni_error *e);

/* ADD, DEL and CHECK of `calico`; ADD's answer is appended to out. */
int calico_add(struct attach *a, struct buf *out, struct cni_error *e);
int calico_del(struct attach *a, struct cni_error *e);
int calico_check(struct attach *a, struct cni_error *e);

/* ... and of `calico-ipam`. */
int calico_ipam_add(struct attach *a, struct buf *out, struct cni_error *e);
int calico_ipam_del(struct attach *a, struct cni_error *e);
int calico_ipam_check(struct attach *a, struct cni_error *e);
