/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a message's rules are found. What has none may hold anything that its types may. */
#include "common/model/validate_rule.h"

#include <string.h>

#include "common/base/mem.h"

static const struct message_rule *const subjects[] = {
	traffic_rules, policy_rules, endpoint_rules, meta_rules,   pool_rules, node_rules,
	staged_rules,  bgp_rules,    felix_rules,    config_rules, ipam_rules,
};

const struct message_rule *message_rule(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		for (const struct message_rule *r = subjects[i]; r->message; r++)
			if (r->message == d)
				return r;
	return NULL;
}

const struct field_rule *field_rule(const struct message_rule *m, const char *field)
{
	if (!m || !m->fields)
		return NULL;
	for (const struct field_rule *f = m->fields; f->field; f++)
		if (strcmp(f->field, field) == 0)
			return f;
	return NULL;
}
