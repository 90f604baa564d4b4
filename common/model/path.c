/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/model/path.h"

void path_str(const struct path *p, struct buf *out)
{
	if (!p)
		return;
	path_str(p->up, out);
	if (!p->name)
		buf_printf(out, "[%zu]", p->index);
	else
		buf_printf(out, "%s%s", out->len > 0 ? "." : "", p->name);
}
