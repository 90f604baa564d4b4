/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * felixd_client: what integration tests ask felixd with.
 *
 *     felixd_client RUN program NS NAME REVISION DEADLINE_MS JSON   JSON: the WorkloadEndpoint; "-"
 * sends bytes that are none felixd_client RUN remove NS NAME DEADLINE_MS [CONTAINER] felixd_client
 * RUN unknown                                     a request of the future felixd_client RUN abandon
 * NS NAME REVISION JSON               sends Program and hangs up without waiting felixd_client RUN
 * churn N JSON                                programs and removes an endpoint N times, both in
 * flight at once
 *
 * RUN is a run directory. Prints "done", or "error CODE: TEXT" with exit status 1.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "proto/felixd_endpoint_v1.pb-c.h"
#include "proto/v3_endpoint.pb-c.h"

#define TIMEOUT_MS 30000

static int print_reply(const Endpoint__V1__FromFelixd *m)
{
	switch (m->payload_case) {
	case ENDPOINT__V1__FROM_FELIXD__PAYLOAD_DONE:
		puts("done");
		return 0;
	case ENDPOINT__V1__FROM_FELIXD__PAYLOAD_ERROR:
		printf("error %d: %s\n", (int)m->error->code, m->error->text ? m->error->text : "");
		return 1;
	default:
		puts("error: an unknown answer");
		return 1;
	}
}

static int call(const char *run, Endpoint__V1__ToFelixd *request, bool wait)
{
	struct ipc_call c = { 0 };
	ProtobufCMessage *reply = NULL;
	struct err err = { 0 };
	int rc = 1;

	if (ipc_call_open(&c, run, "felixd", "api.sock", &endpoint__v1__from_felixd__descriptor,
	                  TIMEOUT_MS, &err) < 0)
		printf("error: %s\n", err.text);
	else if (!wait)
		rc = ipc_call_send(&c, &request->base, &err) < 0;
	else if (ipc_call(&c, &request->base, &reply, &err) < 0)
		printf("error: %s\n", err.text);
	else
		rc = print_reply((Endpoint__V1__FromFelixd *)reply);
	if (reply)
		protobuf_c_message_free_unpacked(reply, NULL);
	ipc_call_close(&c);
	return rc;
}

/* The packed endpoint, in b. */
static int pack(const char *json, struct buf *b)
{
	ProtobufCMessage *wep;
	struct err err = { 0 };

	if (strcmp(json, "-") == 0) {
		buf_str(b, "\xff\xff\xff");
		return 0;
	}
	if (mapper_read_text(&v3__workload_endpoint__descriptor, json, strlen(json), MAPPER_REFUSE,
	                     &wep, &err) < 0) {
		fprintf(stderr, "felixd_client: %s\n", err.text);
		return -1;
	}
	msg_pack(wep, b);
	msg_free(wep);
	return 0;
}

static void fill_program(Endpoint__V1__Program *m, char *ns, char *name, uint64_t revision,
                         uint32_t deadline_ms, const struct buf *wep)
{
	endpoint__v1__program__init(m);
	m->namespace_ = ns;
	m->name = name;
	m->has_revision = m->has_deadline_ms = m->has_workload_endpoint = true;
	m->revision = revision;
	m->deadline_ms = deadline_ms;
	m->workload_endpoint.data = wep->data;
	m->workload_endpoint.len = wep->len;
}

static int program(const char *run, char **a, bool wait)
{
	struct buf wep = { 0 };
	Endpoint__V1__Program m;
	Endpoint__V1__ToFelixd e = ENDPOINT__V1__TO_FELIXD__INIT;
	int rc;

	if (pack(a[wait ? 4 : 3], &wep) < 0)
		return 2;
	fill_program(&m, a[0], a[1], strtoull(a[2], NULL, 10), wait ? (uint32_t)atoi(a[3]) : 0,
	             &wep);
	e.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_PROGRAM;
	e.program = &m;
	rc = call(run, &e, wait);
	buf_done(&wep);
	return rc;
}

static int remove_endpoint(const char *run, char **a, int n)
{
	Endpoint__V1__Remove m = ENDPOINT__V1__REMOVE__INIT;
	Endpoint__V1__ToFelixd e = ENDPOINT__V1__TO_FELIXD__INIT;

	m.namespace_ = a[0];
	m.name = a[1];
	m.has_deadline_ms = true;
	m.deadline_ms = (uint32_t)atoi(a[2]);
	m.container_id = n > 3 ? a[3] : NULL;
	e.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_REMOVE;
	e.remove = &m;
	return call(run, &e, true);
}

/* Every request is answered, whatever overtakes it. */
static int churn(const char *run, unsigned n, const char *json)
{
	struct ipc_call c = { 0 };
	struct err err = { 0 };
	struct buf wep = { 0 };
	unsigned answers = 0;

	if (pack(json, &wep) < 0)
		return 2;
	if (ipc_call_open(&c, run, "felixd", "api.sock", &endpoint__v1__from_felixd__descriptor,
	                  TIMEOUT_MS, &err) < 0)
		goto out;
	for (unsigned i = 0; i < n; i++) {
		Endpoint__V1__Program p;
		Endpoint__V1__Remove r = ENDPOINT__V1__REMOVE__INIT;
		Endpoint__V1__ToFelixd e = ENDPOINT__V1__TO_FELIXD__INIT;

		e.has_request_id = true;
		e.request_id = 2 * i + 1;
		fill_program(&p, (char *)"default", (char *)"churn", 1000 + i, 5000, &wep);
		e.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_PROGRAM;
		e.program = &p;
		if (ipc_call_send(&c, &e.base, &err) < 0)
			goto out;
		r.namespace_ = (char *)"default";
		r.name = (char *)"churn";
		e.request_id = 2 * i + 2;
		e.payload_case = ENDPOINT__V1__TO_FELIXD__PAYLOAD_REMOVE;
		e.remove = &r;
		if (ipc_call_send(&c, &e.base, &err) < 0)
			goto out;
	}
	while (answers < 2 * n) {
		ProtobufCMessage *reply;

		if (ipc_call_recv(&c, &reply, &err) < 0)
			goto out;
		protobuf_c_message_free_unpacked(reply, NULL);
		answers++;
	}
	puts("done");
out:
	if (err.text[0])
		printf("error after %u answers: %s\n", answers, err.text);
	ipc_call_close(&c);
	buf_done(&wep);
	return answers < 2 * n;
}

int main(int argc, char **argv)
{
	if (argc > 2) {
		const char *run = argv[1], *verb = argv[2];
		int n = argc - 3;
		char **a = argv + 3;

		if (strcmp(verb, "program") == 0 && n == 5)
			return program(run, a, true);
		if (strcmp(verb, "abandon") == 0 && n == 4)
			return program(run, a, false);
		if (strcmp(verb, "remove") == 0 && (n == 3 || n == 4))
			return remove_endpoint(run, a, n);
		if (strcmp(verb, "churn") == 0 && n == 2)
			return churn(run, (unsigned)atoi(a[0]), a[1]);
		if (strcmp(verb, "unknown") == 0 && n == 0)
			return call(run, &(Endpoint__V1__ToFelixd)ENDPOINT__V1__TO_FELIXD__INIT,
			            true);
	}
	fprintf(stderr, "felixd_client: see the comment at the top of its source\n");
	return 2;
}
