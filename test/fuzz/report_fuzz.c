/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes: a report or an error; what is read is written and read again unchanged, and agrees
 * with itself. */
#include <assert.h>
#include <string.h>

#include "calicoctl/report.h"
#include "common/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report r[2] = { 0 }, leaks;
	struct buf once = { 0 }, twice = { 0 };

	if (report_read((const char *)data, size, &r[0], NULL) == 0) {
		report_write(&r[0], &once);
		assert(report_read(buf_cstr(&once), once.len, &r[1], NULL) == 0);
		report_write(&r[1], &twice);
		assert(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
		report_leaks(r, 2, &leaks);
		report_done(&leaks);
	}
	report_done(&r[0]);
	report_done(&r[1]);
	buf_done(&once);
	buf_done(&twice);
	return 0;
}
