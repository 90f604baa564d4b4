/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes: trees or errors; settled, they are JSON. */
#include <stdlib.h>

#include "calicoctl/typed.h"
#include "calicoctl/yaml.h"
#include "proto/v3_policy.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_docs docs;

	yaml_parse((const char *)data, size, &docs);
	for (size_t i = 0; i < docs.n; i++) {
		struct json *again = NULL;
		struct buf text = { 0 };

		if (!docs.items[i].tree)
			continue;
		(void)yaml_line_of(&docs.items[i], docs.items[i].tree, "spec.ingress[0].source");
		typed_settle(&v3__network_policy__descriptor, docs.items[i].tree);
		json_write(docs.items[i].tree, 0, &text);
		if (json_parse(buf_cstr(&text), text.len, &again, NULL) != 0)
			abort();
		json_free(again);
		buf_done(&text);
	}
	yaml_docs_done(&docs);
	return 0;
}
