/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls: TLS 1.2 and 1.3 over a connected, non-blocking socket, for either side.
 *
 * No loop, no callbacks: whoever owns the socket calls when it is readable or writable, and asks
 * tls_events() what to wait for. The only room that knows OpenSSL. No key and no password is ever
 * part of an error's text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

struct err;
struct tls;
struct tls_context;

struct tls_config {
	bool server;
	const char *ca_file, *cert_file, *key_file;
	const char *ca_pem, *cert_pem, *key_pem; /* in place of the files */
	bool verify_peer;          /* the peer must show a certificate that ca vouches for */
	bool peer_optional;        /* of a server, with verify_peer: or none at all */
	bool peer_unverified;      /* of a server: it must show one, whoever vouches for it */
	const char *alpn;          /* "h2"; NULL: none */
	const char *min_version;   /* "1.2" (the default) or "1.3": TLS_MIN_VERSION */
	const char *cipher_suites; /* comma list in Go's names: TLS_CIPHER_SUITES; NULL: default */
};

/* Reads the files. -EINVAL or what reading says, with a sentence that names the file. The strings
 * of config are borrowed for the call. */
int tls_context_new(const struct tls_config *config, struct tls_context **ret, struct err *err);
struct tls_context *tls_context_ref(struct tls_context *c);
void tls_context_unref(struct tls_context *c); /* NULL is fine */

/*
 * One connection over fd, which is borrowed and must be non-blocking. peer_name: of a client, the
 * host name or address that the server's certificate must be for (also sent as SNI when it is a
 * name); NULL: the name is not checked. NULL when out of memory.
 */
struct tls *tls_new(struct tls_context *c, int fd, const char *peer_name);
void tls_free(struct tls *t); /* NULL is fine; says goodbye if that does not block */

/* Goes on with the handshake. 0: done; -EAGAIN: wait for tls_events(); else *err has a sentence. */
int tls_handshake(struct tls *t, struct err *err);

/* After the handshake. Bytes; 0 at the peer's end; -EAGAIN: wait for tls_events(); another negative
 * errno with *err filled. */
ssize_t tls_read(struct tls *t, void *to, size_t len, struct err *err);
ssize_t tls_write(struct tls *t, const struct iovec *iov, int n, struct err *err);

/* What the last call that returned -EAGAIN waits for: POLLIN, POLLOUT. */
short tls_events(const struct tls *t);
/* Bytes that tls_read() can give without the socket becoming readable. */
bool tls_pending(const struct tls *t);

/* The peer's certificate: cn or uri_san must match one of what is given (upstream: either
 * suffices); NULL or "": not asked. -EACCES with a sentence that names both. */
int tls_check_peer(const struct tls *t, const char *cn, const char *uri_san, struct err *err);
const char *tls_peer_cn(const struct tls *t); /* NULL: none; lives as long as t */
const char *tls_alpn(const struct tls *t);    /* what was agreed on; NULL: nothing */
const char *tls_version(const struct tls *t); /* "TLSv1.3" */
