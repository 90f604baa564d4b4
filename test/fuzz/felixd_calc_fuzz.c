/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects as they come off the wire, of every kind that calc knows: a byte of kind, a byte of name,
 * two of length, the packed message. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/model/resource.h"
#include "felixd/calc/calc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void set_new(void *arg, const char *id, enum calc_set_type type, const struct calc_member *m,
                    size_t n)
{
	(void)arg, (void)id, (void)type, (void)m, (void)n;
}
static void set_delta(void *arg, const char *id, const struct calc_member *a, size_t n,
                      const struct calc_member *r, size_t k)
{
	(void)arg, (void)id, (void)a, (void)n, (void)r, (void)k;
}
static void policy(void *arg, const struct calc_policy *p)
{
	(void)arg, (void)p;
}
static void profile(void *arg, const struct calc_profile *p)
{
	(void)arg, (void)p;
}
static void endpoint(void *arg, const struct calc_endpoint *e)
{
	(void)arg, (void)e;
}
static void endpoint_gone(void *arg, const char *ns, const char *name)
{
	(void)arg, (void)ns, (void)name;
}
static void host(void *arg, const struct calc_host_endpoint *e)
{
	(void)arg, (void)e;
}
static void gone(void *arg, const char *name)
{
	(void)arg, (void)name;
}
static void policy_gone(void *arg, const struct calc_policy_id *id)
{
	(void)arg, (void)id;
}
static void pool(void *arg, const struct calc_pool *p)
{
	(void)arg, (void)p;
}
static void pool_gone(void *arg, const struct ip_prefix *cidr)
{
	(void)arg, (void)cidr;
}
static void in_sync(void *arg)
{
	(void)arg;
}
static void dumped(void *arg, const char *section, const char *json)
{
	(void)arg, (void)section, (void)json;
}

static const struct calc_output_ops ops = {
	.set_new = set_new,
	.set_delta = set_delta,
	.policy_update = policy,
	.profile_update = profile,
	.endpoint_update = endpoint,
	.endpoint_remove = endpoint_gone,
	.host_endpoint_update = host,
	.host_endpoint_remove = gone,
	.profile_remove = gone,
	.policy_remove = policy_gone,
	.set_remove = gone,
	.pool_update = pool,
	.pool_remove = pool_gone,
	.in_sync = in_sync,
};

static const model_kind kinds[] = {
	V3__KIND__KIND_WORKLOAD_ENDPOINT,
	V3__KIND__KIND_NETWORK_POLICY,
	V3__KIND__KIND_GLOBAL_NETWORK_POLICY,
	V3__KIND__KIND_PROFILE,
	V3__KIND__KIND_TIER,
	V3__KIND__KIND_NETWORK_SET,
	V3__KIND__KIND_GLOBAL_NETWORK_SET,
	V3__KIND__KIND_IP_POOL,
	V3__KIND__KIND_HOST_ENDPOINT,
	V3__KIND__KIND_STAGED_NETWORK_POLICY,
	V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY,
	V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY,
};

static void one(struct calc *c, uint8_t kind, uint8_t name, struct cursor *body)
{
	const struct kind_info *k = kind_info(kinds[kind % ARRAY_SIZE(kinds)]);
	const char *ns = k->namespaced ? "default" : NULL;
	char text[8] = { 'a' + name % 4 };
	ProtobufCMessage *m = msg_unpack(k->message, body->at, cursor_left(body));

	if (name & 0x80)
		calc_remove(c, k->kind, ns, text);
	if (!m)
		return;
	struct resource *r = resource_new(k->kind, ns, text, name, m);

	if ((name & 0x40) && k->kind == V3__KIND__KIND_WORKLOAD_ENDPOINT)
		(void)calc_local_endpoint(c, r, NULL);
	else
		(void)calc_update(c, r, NULL);
	resource_free(r);
	if (name & 0x20)
		calc_flush(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct calc *c = calc_new("node1", &ops, NULL);
	struct cursor in = cursor_of(data, len), body;
	uint8_t kind, name;
	uint16_t n;

	calc_in_sync(c);
	while (cursor_u8(&in, &kind) && cursor_u8(&in, &name) && cursor_be16(&in, &n) &&
	       cursor_sub(&in, n, &body))
		one(c, kind, name, &body);
	calc_flush(c);
	calc_dump(c, dumped, NULL);
	calc_free(c);
	return 0;
}
