/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		err->code = code;
		va_start(ap, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int code = errno ? -errno : -EIO;
	va_list ap;

	if (err) {
		size_t len;
		int n;

		err->code = code;
		va_start(ap, fmt);
		n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
		len = n < 0 ? 0 : (size_t)n;
		if (len < sizeof(err->text))
			(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s",
			               strerror(-code));
	}
	return code;
}

int err_wrap(struct err *err, int code, const char *fmt, ...)
{
	char what[sizeof(err->text)], below[sizeof(err->text)];
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		(void)vsnprintf(what, sizeof(what), fmt, ap);
		va_end(ap);
		memcpy(below, err->text, sizeof(below));
		err->code = code;
		/* A sentence that is too long loses its end, where the detail is repeated least. */
		if ((size_t)snprintf(err->text, sizeof(err->text), "%s: %s", what, below) >=
		    sizeof(err->text))
			memcpy(err->text + sizeof(err->text) - 4, "...", 4);
	}
	return code;
}
