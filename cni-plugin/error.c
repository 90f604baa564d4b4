/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/jsonw.h"

int cni_fail(struct cni_error *e, enum cni_code code, const char *fmt, ...)
{
	va_list ap;

	e->code = code;
	e->details[0] = '\0';
	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return -1;
}

void cni_error_write(const struct cni_error *e, const char *version, struct buf *out)
{
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	if (version)
		jsonw_str(&w, "cniVersion", version);
	jsonw_u64(&w, "code", e->code);
	jsonw_str(&w, "msg", e->msg);
	if (e->details[0])
		jsonw_str(&w, "details", e->details);
	jsonw_end_object(&w);
	buf_str(out, "\n");
}
