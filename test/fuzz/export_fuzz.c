/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes: an export or none; each item of IPAM's is an object or an error, and an object
 * survives the way back. */
#include <assert.h>

#include "calicoctl/migrate.h"
#include "common/base/mem.h"

static void read_item(const struct json *item)
{
	const struct node_map none = { 0 };
	struct resource *r, *again;
	struct json *j;

	if (migrate_ipam_read(item, &r, NULL) != 0)
		return;
	j = migrate_ipam_item(r, &none);
	assert(j && migrate_ipam_read(j, &again, NULL) == 0);
	assert(msg_equal(r->msg, again->msg));
	json_free(j);
	resource_free(r);
	resource_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct migrate_part parts[3];
	struct json *j;

	if (migrate_cut((const char *)data, size, parts) != 0 ||
	    json_parse(parts[2].text, parts[2].len, &j, NULL) != 0)
		return 0;
	for (size_t i = 0; j->type == JSON_OBJECT && i < j->len; i++) {
		const struct json *list = j->items[i];

		for (size_t k = 0; list->type == JSON_ARRAY && k < list->len; k++)
			read_item(list->items[k]);
		if (list->type == JSON_OBJECT)
			read_item(list);
	}
	json_free(j);
	return 0;
}
