/* SPDX-License-Identifier: BSD-2-Clause */
/* context: what the files of this room share. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

struct err;

struct tls_context {
	unsigned refs;
	bool server, verify_peer;
	SSL_CTX *ssl;
	unsigned char alpn[256]; /* as the protocol has it: a length and that many bytes */
	unsigned alpn_len;
};

/* The reason of OpenSSL's oldest queued error, in words that hold nothing of the data; empties the
 * queue. fallback: when there is none. Lives for ever. */
const char *tls_reason(const char *fallback);

/* Sets the versions and the cipher suites, which are named as Go names them. */
int tls_suites_set(SSL_CTX *ssl, const char *min_version, const char *names, struct err *err);
