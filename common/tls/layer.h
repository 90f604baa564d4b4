/* SPDX-License-Identifier: BSD-2-Clause */
/* layer: TLS as the transport of the loop's servers and clients, and who may be at the other end.
 */
#pragma once

#include <stdbool.h>

#include "common/loop/transport.h"

struct tls_context;

struct tls_layer {
	struct transport_layer base;
	struct tls_context *context; /* a reference */
	char *cn, *uri_san;          /* the peer's must be one of these; both NULL: anyone's */
	bool check_host; /* of a client: the certificate must be for the host that it connects to */
};

/* context is referenced, the names are copied; NULL or "": not asked. */
void tls_layer_init(struct tls_layer *l, struct tls_context *context, const char *cn,
                    const char *uri_san, bool check_host);
/* Connections that are open stay as they are. Also of one that is all zeros. */
void tls_layer_done(struct tls_layer *l);
