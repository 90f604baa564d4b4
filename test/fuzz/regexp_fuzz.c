/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text is a regular expression or not; one that is, is one in a group, too, and beside itself.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/validate_rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	CLEANUP(free_p) char *text = xstrndup((const char *)data, len);
	CLEANUP(free_p) char *group = xasprintf("(%s)", text);
	struct why why;

	if (text_regexp(text, &why) || strstr(text, "\\Q") || len > 900)
		return 0;
	assert(!text_regexp(group, &why));
	return 0;
}
