/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/model/resource.h"
#include "proto/felixd_endpoint_v1.pb-c.h"
#include "proto/typhad_sync_v1.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"
#include "proto/v3_node.pb-c.h"
#include "proto/v3_policy.pb-c.h"

#define SYNC_VERSION 1
#define FELIXD_MARGIN_MS 500 /* felixd's verdict is to arrive before our own patience ends */

/* Generated structs have char * where a constant will do. */
static char *borrow(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* ---- talking to typhad */

static int refused(const Sync__V1__Error *error, struct cni_error *e)
{
	enum cni_code code = CNI_FAILED;

	if (error->code == SYNC__V1__ERROR_CODE__ERROR_DATASTORE ||
	    error->code == SYNC__V1__ERROR_CODE__ERROR_LIMIT)
		code = CNI_TRY_AGAIN_LATER;
	return cni_fail(e, code, "typhad: %s",
	                error->text ? error->text : "refused without a reason");
}

/* Queues a request; typhad is greeted first, without waiting for its answer: it reads in order, and
 * refuses whom it does not like. */
static int tell(struct attach *a, Sync__V1__ToTyphad *m, uint64_t *ret_id, struct cni_error *e)
{
	if (!a->typhad_greeted) {
		Sync__V1__ToTyphad first = SYNC__V1__TO_TYPHAD__INIT;
		Sync__V1__Hello hello = SYNC__V1__HELLO__INIT;
		uint64_t ignored;

		hello.has_version = 1;
		hello.version = SYNC_VERSION;
		hello.program = borrow("cni-plugin");
		hello.hostname = a->node;
		hello.software = borrow(percale_version);
		first.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_HELLO;
		first.hello = &hello;
		if (daemon_queue(a, &a->typhad, &first.base, &ignored, e) < 0)
			return -1;
		a->typhad_greeted = true;
	}
	return daemon_queue(a, &a->typhad, &m->base, ret_id, e);
}

static int hear(struct attach *a, uint64_t id, Sync__V1__FromTyphad **ret, struct cni_error *e)
{
	return daemon_wait(a, &a->typhad, id, (ProtobufCMessage **)ret, e);
}

static void done(Sync__V1__FromTyphad *m)
{
	if (m)
		sync__v1__from_typhad__free_unpacked(m, NULL);
}

static bool is_error(const Sync__V1__FromTyphad *m, Sync__V1__ErrorCode code)
{
	return m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR && m->error->code == code;
}

/* What a reply that is neither a result nor a list says. */
static int failed(const Sync__V1__FromTyphad *m, struct cni_error *e)
{
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_ERROR)
		return refused(m->error, e);
	return cni_fail(e, CNI_FAILED, "typhad answered something else than was asked");
}

static int get_begin(struct attach *a, V3__Kind kind, const char *ns, const char *name,
                     uint64_t *ret_id, struct cni_error *e)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Get get = SYNC__V1__GET__INIT;

	get.has_kind = 1;
	get.kind = kind;
	get.namespace_ = borrow(ns);
	get.name = borrow(name);
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_GET;
	m.get = &get;
	return tell(a, &m, ret_id, e);
}

/* May find nothing: *ret then has the error. */
static int get_end(struct attach *a, uint64_t id, Sync__V1__FromTyphad **ret, struct cni_error *e)
{
	if (hear(a, id, ret, e) < 0)
		return -1;
	if ((*ret)->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT &&
	    (*ret)->result->resource)
		return 0;
	if (is_error(*ret, SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND))
		return 0;
	(void)failed(*ret, e);
	done(*ret);
	*ret = NULL;
	return -1;
}

/* ---- may we? */

static int ready_begin(struct attach *a, uint64_t *ret_id, struct cni_error *e)
{
	return get_begin(a, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default", ret_id, e);
}

static int ready_end(struct attach *a, uint64_t id, struct cni_error *e)
{
	Sync__V1__FromTyphad *m = NULL;
	V3__ClusterInformation *info = NULL;
	bool ready = false;

	if (get_end(a, id, &m, e) < 0)
		return -1;
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT) {
		ProtobufCBinaryData *body = &m->result->resource->body;

		info = v3__cluster_information__unpack(NULL, body->len, body->data);
		ready = info && info->spec && info->spec->datastoreready;
		v3__cluster_information__free_unpacked(info, NULL);
		done(m);
		if (!ready)
			return cni_fail(e, CNI_TRY_AGAIN_LATER,
			                "Calico is currently not ready to process requests");
		return 0;
	}
	done(m);
	return cni_fail(e, CNI_TRY_AGAIN_LATER,
	                "error getting ClusterInformation: the datastore has none yet");
}

static char *profile_name(const struct attach *a)
{
	return a->k8s ? xasprintf("kns.%s", a->ns) : xstrdup(a->config->name);
}

/*
 * The profile that the endpoint names, as upstream writes it, for clusters where nobody else does
 * (policy.type is not "k8s"): a Kubernetes namespace is open; a plain network's members may reach
 * each other and everything else.
 */
static int create_profile(struct attach *a, const char *name, struct cni_error *e)
{
	V3__Profile p = V3__PROFILE__INIT;
	V3__ObjectMeta meta = V3__OBJECT_META__INIT;
	V3__ProfileSpec spec = V3__PROFILE_SPEC__INIT;
	V3__Rule in = V3__RULE__INIT, out = V3__RULE__INIT, *ins = &in, *outs = &out;
	V3__EntityRule source = V3__ENTITY_RULE__INIT;
	V3__ProfileSpec__LabelsToApplyEntry label = V3__PROFILE_SPEC__LABELS_TO_APPLY_ENTRY__INIT,
	                                    *labels = &label;
	CLEANUP(free_p) char *has = xasprintf("has(%s)", name);
	CLEANUP(buf_done) struct buf body = { 0 };
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Create create = SYNC__V1__CREATE__INIT;
	Sync__V1__Resource r = SYNC__V1__RESOURCE__INIT;
	Sync__V1__FromTyphad *answer = NULL;
	uint64_t id;
	int code = 0;

	in.action = out.action = borrow("Allow");
	if (!a->k8s) {
		source.selector = has;
		in.source = &source;
	}
	label.key = borrow(a->k8s ? "pcns.projectcalico.org/name" : name);
	label.value = borrow(a->k8s ? a->ns : "");
	spec.n_ingress = spec.n_egress = spec.n_labelstoapply = 1;
	spec.ingress = &ins;
	spec.egress = &outs;
	spec.labelstoapply = &labels;
	meta.name = borrow(name);
	p.kind = borrow("Profile");
	p.apiversion = borrow(MODEL_API_VERSION);
	p.metadata = &meta;
	p.spec = &spec;
	buf_extend(&body, v3__profile__get_packed_size(&p));
	body.len = v3__profile__pack(&p, body.data);

	r.has_kind = r.has_body = 1;
	r.kind = V3__KIND__KIND_PROFILE;
	r.name = borrow(name);
	r.body = (ProtobufCBinaryData){ body.len, body.data };
	create.resource = &r;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_CREATE;
	m.create = &create;
	if (tell(a, &m, &id, e) < 0 || hear(a, id, &answer, e) < 0)
		return -1;
	if (answer->payload_case != SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT &&
	    !is_error(answer, SYNC__V1__ERROR_CODE__ERROR_ALREADY_EXISTS))
		code = failed(answer, e);
	done(answer);
	return code;
}

static bool keeps_profiles(const struct attach *a)
{
	return strcmp(a->config->policy_type, "k8s") != 0;
}

static int profile_end(struct attach *a, uint64_t id, const char *name, struct cni_error *e)
{
	Sync__V1__FromTyphad *m = NULL;
	bool there;

	if (get_end(a, id, &m, e) < 0)
		return -1;
	there = m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT;
	done(m);
	return there ? 0 : create_profile(a, name, e);
}

/* ---- which one? */

static void remember(struct attach *a, const Sync__V1__Resource *r,
                     const V3__WorkloadEndpointSpec *spec)
{
	free(a->wep_container);
	a->wep_container = xstrdup(spec->containerid ? spec->containerid : "");
	a->wep_found = r->revision;
}

static int name_for(struct attach *a, const char *ifname, char **ret, struct cni_error *e)
{
	struct err err;

	if (wep_name(a->node, a->k8s ? "k8s" : "cni", a->k8s ? a->env->pod_name : a->env->container,
	             ifname, ret, &err) < 0)
		return cni_fail(e, CNI_FAILED, "error constructing WorkloadEndpoint name: %s",
		                err.text);
	return 0;
}

/* An endpoint of this very pod (or container), whatever its interface is called: it goes on under
 * its name. */
static bool same_pod(const struct attach *a, const V3__WorkloadEndpointSpec *spec)
{
	const char *who = a->k8s ? spec->pod : spec->containerid;

	return spec->node && spec->orchestrator && who && spec->endpoint &&
	       strcmp(spec->node, a->node) == 0 &&
	       strcmp(spec->orchestrator, a->k8s ? "k8s" : "cni") == 0 &&
	       strcmp(who, a->k8s ? a->env->pod_name : a->env->container) == 0;
}

static void consider(struct attach *a, const Sync__V1__Resource *r)
{
	V3__WorkloadEndpoint *wep = v3__workload_endpoint__unpack(NULL, r->body.len, r->body.data);

	if (wep && wep->spec && !a->wep_container && same_pod(a, wep->spec)) {
		remember(a, r, wep->spec);
		free(a->wep_ifname);
		a->wep_ifname = xstrdup(wep->spec->endpoint);
	}
	v3__workload_endpoint__free_unpacked(wep, NULL);
}

static int existing_begin(struct attach *a, uint64_t *ret_id, struct cni_error *e)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__List list = SYNC__V1__LIST__INIT;
	CLEANUP(free_p) char *prefix = NULL;

	/* The name without its last segment, which is the interface: upstream's prefix ends in the
	 * '-' before it. */
	if (name_for(a, "x", &prefix, e) < 0)
		return -1;
	prefix[strlen(prefix) - 1] = '\0';
	list.has_kind = 1;
	list.kind = V3__KIND__KIND_WORKLOAD_ENDPOINT;
	list.namespace_ = borrow(a->ns);
	list.name_prefix = prefix;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_LIST;
	m.list = &list;
	return tell(a, &m, ret_id, e);
}

static int existing_end(struct attach *a, uint64_t id, struct cni_error *e)
{
	bool more = true;

	while (more) {
		Sync__V1__FromTyphad *answer = NULL;

		if (hear(a, id, &answer, e) < 0)
			return -1;
		if (answer->payload_case != SYNC__V1__FROM_TYPHAD__PAYLOAD_LIST) {
			(void)failed(answer, e);
			done(answer);
			return -1;
		}
		for (size_t i = 0; i < answer->list->n_resources; i++)
			consider(a, answer->list->resources[i]);
		more = answer->list->more;
		done(answer);
	}
	return 0;
}

int endpoint_ask(struct attach *a, struct cni_error *e)
{
	CLEANUP(free_p) char *profile = profile_name(a);

	free(a->wep_ifname);
	a->wep_ifname = xstrdup(a->env->ifname);
	if (ready_begin(a, &a->asked.ready, e) < 0 || existing_begin(a, &a->asked.existing, e) < 0)
		return -1;
	if (keeps_profiles(a) &&
	    get_begin(a, V3__KIND__KIND_PROFILE, NULL, profile, &a->asked.profile, e) < 0)
		return -1;
	return daemon_flush(a, &a->typhad, e);
}

int endpoint_prepare(struct attach *a, struct cni_error *e)
{
	CLEANUP(free_p) char *profile = profile_name(a);

	if (ready_end(a, a->asked.ready, e) < 0 || existing_end(a, a->asked.existing, e) < 0)
		return -1;
	if (a->asked.profile && profile_end(a, a->asked.profile, profile, e) < 0)
		return -1;
	return name_for(a, a->wep_ifname, &a->wep_name, e);
}

int endpoint_find(struct attach *a, bool *ret_found, struct cni_error *e)
{
	Sync__V1__FromTyphad *m = NULL;
	V3__WorkloadEndpoint *wep;
	uint64_t ready, id;

	*ret_found = false;
	if (!a->wep_name && name_for(a, a->env->ifname, &a->wep_name, e) < 0)
		return -1;
	if (ready_begin(a, &ready, e) < 0 ||
	    get_begin(a, V3__KIND__KIND_WORKLOAD_ENDPOINT, a->ns, a->wep_name, &id, e) < 0 ||
	    ready_end(a, ready, e) < 0 || get_end(a, id, &m, e) < 0)
		return -1;
	if (m->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT) {
		const Sync__V1__Resource *r = m->result->resource;

		wep = v3__workload_endpoint__unpack(NULL, r->body.len, r->body.data);
		*ret_found = wep && wep->spec;
		if (*ret_found)
			remember(a, r, wep->spec);
		v3__workload_endpoint__free_unpacked(wep, NULL);
	}
	done(m);
	return 0;
}

/* ---- writing */

static void pack_endpoint(const struct attach *a, struct buf *out)
{
	V3__WorkloadEndpoint wep = V3__WORKLOAD_ENDPOINT__INIT;
	V3__ObjectMeta meta = V3__OBJECT_META__INIT;
	V3__WorkloadEndpointSpec spec = V3__WORKLOAD_ENDPOINT_SPEC__INIT;
	V3__ObjectMeta__LabelsEntry entries[CNI_LABELS_MAX + 2], *labels[CNI_LABELS_MAX + 2];
	char texts[CNI_IPS_MAX][IP_PREFIX_STR_MAX], *nets[CNI_IPS_MAX], mac[MAC_STR_MAX];
	CLEANUP(free_p) char *profile = profile_name(a);
	const struct cni_label own[] = {
		{ borrow("projectcalico.org/namespace"), borrow(a->ns) },
		{ borrow("projectcalico.org/orchestrator"), borrow(a->k8s ? "k8s" : "cni") },
	};
	size_t len;

	for (size_t i = 0; i < a->config->n_labels + ARRAY_SIZE(own); i++) {
		const struct cni_label *l = i < a->config->n_labels ? &a->config->labels[i]
		                                                    : &own[i - a->config->n_labels];

		v3__object_meta__labels_entry__init(&entries[i]);
		entries[i].key = l->key;
		entries[i].value = l->value;
		labels[meta.n_labels++] = &entries[i];
	}
	meta.labels = labels;
	meta.name = a->wep_name;
	meta.namespace_ = borrow(a->ns);

	for (size_t i = 0; i < a->ipam.n_ips; i++) {
		struct ip_prefix host = ip_prefix_host(&a->ipam.ips[i].address.addr);

		nets[i] = borrow(ip_prefix_str(&host, texts[i]));
	}
	spec.orchestrator = borrow(a->k8s ? "k8s" : "cni");
	spec.node = a->node;
	spec.containerid = borrow(a->env->container);
	spec.pod = a->k8s ? a->env->pod_name : NULL;
	spec.endpoint = a->wep_ifname;
	spec.n_ipnetworks = a->ipam.n_ips;
	spec.ipnetworks = nets;
	spec.n_profiles = 1;
	spec.profiles = &profile;
	spec.interfacename = borrow(a->host_if);
	spec.mac = borrow(mac_str(&a->pod_mac, mac));
	wep.kind = borrow("WorkloadEndpoint");
	wep.apiversion = borrow(MODEL_API_VERSION);
	wep.metadata = &meta;
	wep.spec = &spec;
	len = v3__workload_endpoint__get_packed_size(&wep);
	(void)v3__workload_endpoint__pack(&wep, buf_extend(out, len));
}

int endpoint_write_begin(struct attach *a, struct buf *ret_body, struct cni_error *e)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Apply apply = SYNC__V1__APPLY__INIT;
	Sync__V1__Resource r = SYNC__V1__RESOURCE__INIT;

	pack_endpoint(a, ret_body);
	r.has_kind = r.has_body = 1;
	r.kind = V3__KIND__KIND_WORKLOAD_ENDPOINT;
	r.namespace_ = borrow(a->ns);
	r.name = a->wep_name;
	r.body = (ProtobufCBinaryData){ ret_body->len, ret_body->data };
	apply.resource = &r;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_APPLY;
	m.apply = &apply;
	return tell(a, &m, &a->write_id, e) < 0 ? -1 : daemon_flush(a, &a->typhad, e);
}

int endpoint_write_end(struct attach *a, struct cni_error *e)
{
	Sync__V1__FromTyphad *answer = NULL;
	int code = 0;

	if (hear(a, a->write_id, &answer, e) < 0)
		return -1;
	if (answer->payload_case == SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT &&
	    answer->result->resource)
		a->wep_revision = answer->result->resource->revision;
	else
		code = failed(answer, e);
	done(answer);
	return code;
}

int endpoint_delete_begin(struct attach *a, uint64_t revision, struct cni_error *e)
{
	Sync__V1__ToTyphad m = SYNC__V1__TO_TYPHAD__INIT;
	Sync__V1__Delete del = SYNC__V1__DELETE__INIT;

	del.has_kind = del.has_revision = 1;
	del.kind = V3__KIND__KIND_WORKLOAD_ENDPOINT;
	del.namespace_ = borrow(a->ns);
	del.name = a->wep_name;
	del.revision = revision;
	m.payload_case = SYNC__V1__TO_TYPHAD__PAYLOAD_DELETE;
	m.delete_ = &del;
	return tell(a, &m, &a->delete_id, e) < 0 ? -1 : daemon_flush(a, &a->typhad, e);
}

int endpoint_delete_end(struct attach *a, bool *ret_conflict, struct cni_error *e)
{
	Sync__V1__FromTyphad *answer = NULL;
	uint64_t id = a->delete_id;
	int code = 0;

	*ret_conflict = false;
	a->delete_id = 0;
	if (hear(a, id, &answer, e) < 0)
		return -1;
	if (is_error(answer, SYNC__V1__ERROR_CODE__ERROR_CONFLICT))
		*ret_conflict = true;
	else if (answer->payload_case != SYNC__V1__FROM_TYPHAD__PAYLOAD_RESULT &&
	         !is_error(answer, SYNC__V1__ERROR_CODE__ERROR_NOT_FOUND))
		code = failed(answer, e);
	done(answer);
	return code;
}

int endpoint_delete(struct attach *a, uint64_t revision, bool *ret_conflict, struct cni_error *e)
{
	if (endpoint_delete_begin(a, revision, e) < 0)
		return -1;
	return endpoint_delete_end(a, ret_conflict, e);
}

/* ---- felixd */

static int felixd_answer(struct attach *a, uint64_t id, struct cni_error *e)
{
	ProtobufCMessage *answer;
	const Endpoint__V1__FromFelixd *f;
	int r = 0;

	if (daemon_wait(a, &a->felixd, id, &answer, e) < 0)
		return -1;
	f = (const Endpoint__V1__FromFelixd *)answer;
	if (f->payload_case == ENDPOINT__V1__FROM_FELIXD__PAYLOAD_ERROR) {
		bool later = f->error->code == ENDPOINT__V1__ERROR_CODE__ERROR_DEADLINE ||
		             f->error->code == ENDPOINT__V1__ERROR_CODE__ERROR_NOT_READY;

		r = cni_fail(e, later ? CNI_TRY_AGAIN_LATER : CNI_FAILED, "felixd: %s",
		             f->error->text ? f->error->text : "refused without a reason");
	} else if (f->payload_case != ENDPOINT__V1__FROM_FELIXD__PAYLOAD_DONE) {
		r = cni_fail(e, CNI_FAILED, "felixd answered something else than was asked");
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	return r;
}

static uint32_t felixd_deadline(const struct attach *a)
{
	int left = attach_left_ms(a);

	return left > 2 * FELIXD_MARGIN_MS ? (uint32_t)(left - FELIXD_MARGIN_MS)
	                                   : (uint32_t)left / 2 + 1;
}

int endpoint_program(struct attach *a, const struct buf *body, struct cni_error *e)
{
	Endpoint__V1__ToFelixd m = ENDPOINT__V1__TO_FELIXD__INIT;
	Endpoint__V1__Program program = ENDPOINT__V1__PROGRAM__INIT;
	uint64_t id;

	program.namespace_ = borrow(a->ns);
	program.name = a->wep_name;
	program.has_revision = program.has_workload_endpoint = program.has_deadline_ms = 1;
	program.revision = a->wep_revision;
	program.workload_endpoint = (ProtobufCBinaryData){ body->len, body->data };
	program.deadline_ms = felixd_deadline(a);
	m.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_PROGRAM;
	m.program = &program;
	if (daemon_connect(a, &a->felixd, e) < 0)
		return -1;
	a->felixd_told = true;
	if (daemon_send(a, &a->felixd, &m.base, &id, e) < 0)
		return -1;
	return felixd_answer(a, id, e);
}

int endpoint_unprogram_begin(struct attach *a, struct cni_error *e)
{
	Endpoint__V1__ToFelixd m = ENDPOINT__V1__TO_FELIXD__INIT;
	Endpoint__V1__Remove remove = ENDPOINT__V1__REMOVE__INIT;

	remove.namespace_ = borrow(a->ns);
	remove.name = a->wep_name;
	remove.has_deadline_ms = 1;
	remove.deadline_ms = felixd_deadline(a);
	remove.container_id = borrow(a->env->container);
	m.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_REMOVE;
	m.remove = &remove;
	return daemon_send(a, &a->felixd, &m.base, &a->remove_id, e);
}

int endpoint_unprogram_end(struct attach *a, struct cni_error *e)
{
	uint64_t id = a->remove_id;

	a->remove_id = 0;
	return id && a->felixd.open ? felixd_answer(a, id, e) : 0;
}

int endpoint_unprogram(struct attach *a, struct cni_error *e)
{
	if (endpoint_unprogram_begin(a, e) < 0)
		return -1;
	return endpoint_unprogram_end(a, e);
}
