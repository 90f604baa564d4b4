/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/config.h"
#include "common/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config *c = NULL;
	struct err err;
	unsigned line;

	if (config_parse((const char *)data, len, &c, &line, &err) == 0)
		config_free(c);
	return 0;
}
