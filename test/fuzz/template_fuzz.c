/* SPDX-License-Identifier: BSD-2-Clause */
/* Any template, carried out on a pool and a list of policies: a text or an error. */
#include "calicoctl/template.h"
#include "common/base/err.h"
#include "proto/v3_ippool.pb-c.h"
#include "proto/v3_policy.pb-c.h"

static const char pool[] =
        "{\"kind\":\"IPPool\",\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":\"b\"}},"
        "\"spec\":{\"cidr\":\"10.0.0.0/16\",\"blockSize\":26,\"allowedUses\":["
        "\"Workload\",\"Tunnel\"]}}";
static const char list[] =
        "{\"kind\":\"NetworkPolicyList\",\"metadata\":{\"resourceVersion\":\"7\"},"
        "\"items\":[{\"metadata\":{\"name\":\"n\"},\"spec\":{\"order\":1e3,"
        "\"ingress\":[{\"action\":\"Allow\"}]}}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct template_result results[2];
	struct template *t;
	struct buf out = { 0 };
	struct err err;

	if (!results[0].tree) {
		struct json *a = NULL, *b = NULL;

		(void)json_parse(pool, sizeof(pool) - 1, &a, NULL);
		(void)json_parse(list, sizeof(list) - 1, &b, NULL);
		results[0] = (struct template_result){ a, &v3__ippool__descriptor, false };
		results[1] = (struct template_result){ b, &v3__network_policy__descriptor, true };
	}
	if (template_parse("fuzz", (const char *)data, size, &t, &err) != 0)
		return 0;
	(void)template_run(t, results, 2, NULL, &out, &err);
	buf_done(&out);
	template_free(t);
	return 0;
}
