/* SPDX-License-Identifier: BSD-2-Clause */
/* A network configuration; and, when it is one, the answer to it. */
#include "cni-plugin/config.h"
#include "common/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = { 0 };
	struct cni_config c;
	struct cni_error e;

	if (cni_config_read((const char *)data, size, &c, &e) == 0)
		cni_result_write(&c.prev, c.version, &out);
	else
		cni_error_write(&e, c.version, &out);
	cni_config_done(&c);
	buf_done(&out);
	return 0;
}
