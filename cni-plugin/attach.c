/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/attach.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cni-plugin/names.h"
#include "cni-plugin/pod.h"
#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/frame.h"
#include "common/ipc/sock.h"
#include "proto/felixd_endpoint_v1.pb-c.h"
#include "proto/ipamd_ipam_v1.pb-c.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define NODENAME_FILE "/var/lib/calico/nodename"
#define NODENAME_MAX 4096
#define TIMEOUT_MAX_SEC 3600

/*
 * nodename, then the file, then hostname, then the host's own name. Upstream demands the file even
 * when nodename is given, as a sign that its node agent has started; here the daemons' sockets tell
 * that, and the file is demanded only where it is needed or was named.
 */
static int find_node(const struct cni_config *c, char **ret, struct cni_error *e)
{
	const char *path = *c->nodename_file ? c->nodename_file : NODENAME_FILE;
	CLEANUP(free_p) char *text = NULL;
	char host[256] = "";
	size_t len, skip;
	struct err err = { 0 };
	int r = 0;

	if (!*c->nodename || *c->nodename_file)
		r = file_read(path, NODENAME_MAX, &text, &len, &err);
	if (r < 0 && !c->nodename_file_optional)
		return cni_fail(e, CNI_TRY_AGAIN_LATER,
		                "%s: check that noded is running on this node, or give nodename in "
		                "the network configuration",
		                err.text);
	if (*c->nodename) {
		*ret = xstrdup(c->nodename);
		return 0;
	}
	if (text && *text) {
		*ret = take_ptr(&text); /* as it is: upstream trims nothing */
		return 0;
	}
	if (*c->hostname) {
		*ret = xstrdup(c->hostname);
		return 0;
	}
	(void)gethostname(host, sizeof(host) - 1);
	skip = strspn(host, " \t\n");
	*ret = xstrdup(host + skip);
	for (char *p = *ret; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return 0;
}

static int timeout_ms(void)
{
	const char *s = getenv("CALICO_CNI_TIMEOUT");
	char *end;
	unsigned long sec;

	if (!s || !*s)
		return CNI_TIMEOUT_MS;
	sec = strtoul(s, &end, 10);
	if (*end || sec == 0 || sec > TIMEOUT_MAX_SEC) {
		log_warn("CALICO_CNI_TIMEOUT is not a number of seconds from 1 to 3600", "value=%s",
		         LOG_VIS(s));
		return CNI_TIMEOUT_MS;
	}
	return (int)sec * 1000;
}

int attach_init(struct attach *a, const struct cni_env *env, const struct cni_config *config,
                struct cni_error *e)
{
	char prefix[IFNAMSIZ];
	int r;

	*a = (struct attach){
		.env = env,
		.config = config,
		.run = *config->run_dir ? config->run_dir : run_dir(),
		.k8s = *env->pod_namespace && *env->pod_name,
		.typhad = { .name = "typhad", .reply = &sync__v1__from_typhad__descriptor },
		.felixd = { .name = "felixd", .reply = &endpoint__v1__from_felixd__descriptor },
		.ipamd = { .name = "ipamd", .reply = &ipam__v1__from_ipamd__descriptor },
		.netns_fd = -1,
	};
	a->deadline = mono_after(mono_now(), timeout_ms());
	a->ns = a->k8s ? env->pod_namespace : "default";
	a->handle = xasprintf("%s.%s", config->name, env->container);
	names_prefix(getenv("FELIX_INTERFACEPREFIX"), prefix);
	r = a->k8s ? names_host_if_k8s(prefix, env->pod_namespace, env->pod_name, a->host_if)
	           : names_host_if_cni(prefix, env->container, a->host_if);
	if (r < 0)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT,
		                "FELIX_INTERFACEPREFIX '%s' is too long", LOG_VIS(prefix));
	return find_node(config, &a->node, e);
}

static void hang_up(struct daemon *d)
{
	for (size_t i = 0; i < d->n_kept; i++)
		protobuf_c_message_free_unpacked(d->kept[i], NULL);
	d->n_kept = 0;
	ipc_call_close(&d->call);
	d->open = false;
}

void attach_done(struct attach *a)
{
	hang_up(&a->typhad);
	hang_up(&a->felixd);
	hang_up(&a->ipamd);
	pod_close(a);
	free(a->node);
	free(a->handle);
	free(a->wep_name);
	free(a->wep_ifname);
	free(a->wep_container);
	cni_result_done(&a->ipam);
}

int attach_left_ms(const struct attach *a)
{
	int64_t left = -mono_since_ms(a->deadline);

	return left < 0 ? 0 : (int)left;
}

/* After a failure the connection is of no further use; the next request opens another. */
static int lost(struct attach *a, struct daemon *d, const struct err *err, struct cni_error *e)
{
	hang_up(d);
	if (d == &a->typhad)
		a->typhad_greeted = false;
	if (strstr(err->text, "api.sock"))
		return cni_fail(e, CNI_TRY_AGAIN_LATER, "%s", err->text);
	return cni_fail(e, CNI_TRY_AGAIN_LATER, "%s (%s/%s/api.sock)", err->text, a->run, d->name);
}

int daemon_connect(struct attach *a, struct daemon *d, struct cni_error *e)
{
	struct err err = { 0 };

	if (!d->open && ipc_call_open(&d->call, a->run, d->name, "api.sock", d->reply,
	                              attach_left_ms(a), &err) < 0)
		return lost(a, d, &err, e);
	d->open = true;
	return 0;
}

int daemon_queue(struct attach *a, struct daemon *d, ProtobufCMessage *request, uint64_t *ret_id,
                 struct cni_error *e)
{
	struct ipc_envelope *envelope = (struct ipc_envelope *)request;
	struct err err = { 0 };

	if (daemon_connect(a, d, e) < 0)
		return -1;
	d->call.deadline = a->deadline;
	envelope->has_request_id = 1;
	envelope->request_id = *ret_id = d->call.next_id++;
	return ipc_call_queue(&d->call, request, &err) < 0 ? lost(a, d, &err, e) : 0;
}

int daemon_flush(struct attach *a, struct daemon *d, struct cni_error *e)
{
	struct err err = { 0 };

	return ipc_call_flush(&d->call, &err) < 0 ? lost(a, d, &err, e) : 0;
}

int daemon_send(struct attach *a, struct daemon *d, ProtobufCMessage *request, uint64_t *ret_id,
                struct cni_error *e)
{
	return daemon_queue(a, d, request, ret_id, e) < 0 ? -1 : daemon_flush(a, d, e);
}

static bool answers(const ProtobufCMessage *m, uint64_t id)
{
	const struct ipc_envelope *envelope = (const struct ipc_envelope *)m;

	return envelope->has_request_id && envelope->request_id == id;
}

static ProtobufCMessage *take_kept(struct daemon *d, size_t i)
{
	ProtobufCMessage *m = d->kept[i];

	d->n_kept--;
	memmove(&d->kept[i], &d->kept[i + 1], (d->n_kept - i) * sizeof(*d->kept));
	return m;
}

int daemon_wait(struct attach *a, struct daemon *d, uint64_t id, ProtobufCMessage **ret,
                struct cni_error *e)
{
	struct err err = { 0 };

	for (size_t i = 0; i < d->n_kept; i++)
		if (answers(d->kept[i], id)) {
			*ret = take_kept(d, i);
			return 0;
		}
	for (;;) {
		ProtobufCMessage *reply;

		if (ipc_call_recv(&d->call, &reply, &err) < 0)
			return lost(a, d, &err, e);
		if (answers(reply, id)) {
			*ret = reply;
			return 0;
		}
		/* The answer to another question; the oldest are those that nobody asks for. */
		if (d->n_kept == DAEMON_KEPT)
			protobuf_c_message_free_unpacked(take_kept(d, 0), NULL);
		d->kept[d->n_kept++] = reply;
	}
}

int daemon_ask(struct attach *a, struct daemon *d, ProtobufCMessage *request,
               ProtobufCMessage **ret, struct cni_error *e)
{
	uint64_t id;

	if (daemon_send(a, d, request, &id, e) < 0)
		return -1;
	return daemon_wait(a, d, id, ret, e);
}
