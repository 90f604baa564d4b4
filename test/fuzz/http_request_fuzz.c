/* SPDX-License-Identifier: BSD-2-Clause */
/* The head of an HTTP request: a verdict for any bytes, the same however they arrive. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole, part;
	size_t used = 0, part_used = 0;
	unsigned status = http_request_parse((const char *)data, size, &whole, &used);

	if (status == 200 && (used > size || whole.path[0] != '/' ||
	                      memchr(whole.path, '\0', sizeof(whole.path)) == NULL))
		abort();
	if (size > 4096)
		return 0;
	for (size_t n = 0; n < size; n++) {
		unsigned s = http_request_parse((const char *)data, n, &part, &part_used);

		if (s == 0)
			continue;
		/* a beginning that is judged is judged as the whole is */
		if (s == 200 && (status != 200 || part_used != used))
			abort();
		if (s != 200 && status == 200)
			abort();
		break;
	}
	return 0;
}
