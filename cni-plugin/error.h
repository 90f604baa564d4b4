/* SPDX-License-Identifier: BSD-2-Clause */
/* error: what the plugin tells the runtime when it fails. */
#pragma once

#include "common/base/buf.h"

/* The specification's numbers; 8 and 999 are those of its reference implementation. */
enum cni_code {
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD = 2,
	CNI_INVALID_ENVIRONMENT = 4,
	CNI_IO_FAILURE = 5,
	CNI_DECODING_FAILURE = 6,
	CNI_INVALID_CONFIG = 7,
	CNI_OWN_NETNS = 8,
	CNI_TRY_AGAIN_LATER = 11,
	CNI_FAILED = 999, /* upstream's code for everything else */
};

struct cni_error {
	enum cni_code code;
	char msg[640];
	char details[256];
};

/* Records code and a sentence. Returns -1, so that "return cni_fail(...)" reads well. */
int cni_fail(struct cni_error *e, enum cni_code code, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* The JSON object that goes to standard output. version: the configuration's, or NULL. */
void cni_error_write(const struct cni_error *e, const char *version, struct buf *out);
