/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls: one connection.
 *
 * OpenSSL reads and writes through a BIO of our own: its own for sockets uses write(2), which
 * raises SIGPIPE when the peer is gone, and forgets errno.
 *
 * What is written is gathered into records of up to 16 KiB, however small the pieces: a record is a
 * cipher operation and 22 bytes. A record that the socket took only a part of has been made
 * already; OpenSSL sends its rest on the next call, whose bytes are the same again.
 */
#include "common/tls/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/tls/context.h"

#define RECORD_MAX 16384u /* RFC 8446 section 5.1 */

struct tls {
	struct tls_context *context;
	SSL *ssl;
	int fd;
	int io_errno; /* of the socket; 0: none */
	bool eof;     /* the socket is at its end */
	bool done;    /* the handshake */
	bool broken;  /* after a fatal error nothing may be sent, not even goodbye */
	short wants;
	char *peer_name; /* for errors */
	char *cn;        /* of the peer */
	char *alpn;
};

/* ---- the socket */

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static int sock_result(BIO *bio, struct tls *t, ssize_t n, bool reading)
{
	BIO_clear_retry_flags(bio);
	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR) {
		if (reading)
			BIO_set_retry_read(bio);
		else
			BIO_set_retry_write(bio);
		return -1;
	}
	t->io_errno = errno;
	return -1;
}

static int sock_write(BIO *bio, const char *data, int len)
{
	struct tls *t = BIO_get_data(bio);

	return sock_result(bio, t, send(t->fd, data, (size_t)len, MSG_NOSIGNAL), false);
}

static int sock_read(BIO *bio, char *to, int len)
{
	struct tls *t = BIO_get_data(bio);
	ssize_t n = recv(t->fd, to, (size_t)len, 0);

	if (n == 0 && len > 0)
		t->eof = true;
	return sock_result(bio, t, n, true);
}

static long sock_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	const struct tls *t = BIO_get_data(bio);

	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF)
		return t && t->eof;
	return cmd == BIO_CTRL_FLUSH;
}

static void method_make(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (method && (BIO_meth_set_write(method, sock_write) != 1 ||
	               BIO_meth_set_read(method, sock_read) != 1 ||
	               BIO_meth_set_ctrl(method, sock_ctrl) != 1)) {
		BIO_meth_free(method);
		method = NULL;
	}
}

/* ---- a connection */

/* The name that the server's certificate must be for. */
static bool expect_name(struct tls *t, const char *name)
{
	struct in6_addr addr;
	bool v4 = inet_pton(AF_INET, name, &addr) == 1;

	t->peer_name = xstrdup(name);
	if (v4 || inet_pton(AF_INET6, name, &addr) == 1)
		return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(t->ssl),
		                                 (const unsigned char *)&addr, v4 ? 4 : 16) == 1;
	/* A CN is no host's name, as in Go: else any client's certificate would do for a server
	 * that is called as the client is. */
	SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	                                  X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(t->ssl, name) == 1 && SSL_set_tlsext_host_name(t->ssl, name) == 1;
}

struct tls *tls_new(struct tls_context *c, int fd, const char *peer_name)
{
	struct tls *t = xcalloc(1, sizeof(*t));
	BIO *bio;

	(void)pthread_once(&method_once, method_make);
	ERR_clear_error();
	t->context = tls_context_ref(c);
	t->fd = fd;
	t->ssl = method ? SSL_new(c->ssl) : NULL;
	bio = t->ssl ? BIO_new(method) : NULL;
	if (!bio) {
		tls_free(t);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	if (c->server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	if (peer_name && *peer_name && !c->server && !expect_name(t, peer_name)) {
		tls_free(t);
		ERR_clear_error();
		return NULL;
	}
	return t;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	if (t->done && !t->broken)
		(void)SSL_shutdown(t->ssl);
	SSL_free(t->ssl);
	ERR_clear_error();
	tls_context_unref(t->context);
	free(t->peer_name);
	free(t->cn);
	free(t->alpn);
	free(t);
}

/* Why the certificate was not good enough; NULL: that was not the reason. */
static const char *verify_text(const struct tls *t)
{
	long v = t->context->verify_peer ? SSL_get_verify_result(t->ssl) : X509_V_OK;

	return v == X509_V_OK ? NULL : X509_verify_cert_error_string(v);
}

/* What a call that returned n means. 0: the peer has said goodbye. */
static int failed(struct tls *t, int n, const char *doing, struct err *err)
{
	const char *bad_cert, *name = t->peer_name;

	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		t->wants = POLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->wants = POLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return t->done ? 0
		               : err_set(err, -ECONNRESET,
		                         "the peer closed the connection during the TLS handshake");
	default:
		break;
	}
	t->broken = true;
	if (t->eof) {
		ERR_clear_error();
		return err_set(err, -ECONNRESET, "%s: the peer closed the connection", doing);
	}
	if (t->io_errno) {
		ERR_clear_error();
		errno = t->io_errno;
		return err_sys(err, "%s", doing);
	}
	bad_cert = t->done ? NULL : verify_text(t);
	if (bad_cert) {
		ERR_clear_error();
		return err_set(err, -EACCES, "%s: the peer's certificate%s%s is not accepted: %s",
		               doing, name ? " for " : "", name ? name : "", bad_cert);
	}
	return err_set(err, -EPROTO, "%s: %s", doing, tls_reason("the peer makes no sense"));
}

static char *common_name(const X509 *x)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int at = -1, last = -1;
	unsigned char *text = NULL;
	char *cn = NULL;
	int len;

	/* The last one counts, as in Go. */
	while ((at = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName,
	                                        at)) >= 0)
		last = at;
	if (last < 0)
		return NULL;
	len = ASN1_STRING_to_UTF8(&text,
	                          X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
	if (len >= 0 &&
	    strlen((const char *)text) == (size_t)len) /* a NUL inside: no name at all */
		cn = xstrdup((const char *)text);
	OPENSSL_free(text);
	return cn;
}

int tls_handshake(struct tls *t, struct err *err)
{
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	X509 *x;
	int n;

	if (t->done)
		return 0;
	ERR_clear_error();
	n = SSL_do_handshake(t->ssl);
	if (n != 1)
		return failed(t, n, "TLS handshake", err);
	t->done = true;
	x = SSL_get0_peer_certificate(t->ssl);
	if (x)
		t->cn = common_name(x);
	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
	if (alpn_len)
		t->alpn = xstrndup((const char *)alpn, alpn_len);
	return 0;
}

/* ---- bytes */

ssize_t tls_read(struct tls *t, void *to, size_t len, struct err *err)
{
	size_t got = 0;

	assert(t->done);
	while (got < len) {
		size_t n = 0;
		int r;

		ERR_clear_error();
		r = SSL_read_ex(t->ssl, (char *)to + got, len - got, &n);
		if (r == 1) {
			got += n;
			continue;
		}
		r = got ? SSL_get_error(t->ssl, r) : failed(t, r, "TLS read", err);
		if (got) {
			/* What is wrong is still so on the next call. */
			t->wants = r == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN;
			break;
		}
		return r;
	}
	return (ssize_t)got;
}

/* The next record's bytes: a piece that is long enough as it is, or several, copied. */
static size_t gather(const struct iovec *iov, int n, size_t skip, uint8_t *copy,
                     const uint8_t **ret)
{
	size_t len = 0;

	while (n && skip >= iov->iov_len) {
		skip -= iov->iov_len;
		iov++;
		n--;
	}
	if (!n)
		return 0;
	*ret = (const uint8_t *)iov->iov_base + skip;
	if (n == 1 || iov->iov_len - skip >= RECORD_MAX) {
		len = iov->iov_len - skip;
		return len < RECORD_MAX ? len : RECORD_MAX;
	}
	*ret = copy;
	for (; n && len < RECORD_MAX; iov++, n--, skip = 0) {
		size_t part = iov->iov_len - skip;

		part = part < RECORD_MAX - len ? part : RECORD_MAX - len;
		memcpy(copy + len, (const uint8_t *)iov->iov_base + skip, part);
		len += part;
	}
	return len;
}

/* The peer has closed while we wrote: in TLS 1.3 a client learns only now that its certificate is
 * not accepted. NULL: it did not say why. */
static const char *parting_words(struct tls *t)
{
	char byte;
	size_t n;
	int r;

	if (t->io_errno != EPIPE && t->io_errno != ECONNRESET)
		return NULL;
	ERR_clear_error();
	r = SSL_read_ex(t->ssl, &byte, 1, &n);
	return r != 1 && !t->eof && SSL_get_error(t->ssl, r) == SSL_ERROR_SSL ? tls_reason(NULL)
	                                                                      : NULL;
}

ssize_t tls_write(struct tls *t, const struct iovec *iov, int n, struct err *err)
{
	uint8_t copy[RECORD_MAX];
	const char *why;
	size_t sent = 0;

	assert(t->done);
	for (;;) {
		const uint8_t *data = NULL;
		size_t len = gather(iov, n, sent, copy, &data), now = 0;
		int r;

		if (len == 0)
			return (ssize_t)sent;
		ERR_clear_error();
		r = SSL_write_ex(t->ssl, data, len, &now);
		if (r == 1) {
			sent += now;
			continue;
		}
		r = failed(t, r, "TLS write", sent ? NULL : err);
		if (sent)
			return (ssize_t)sent;
		why = r == -EAGAIN ? NULL : parting_words(t);
		if (why)
			return err_set(err, -EACCES, "the peer refuses us: %s", why);
		return r ? r : err_set(err, -EPIPE, "TLS write: the peer said goodbye");
	}
}

short tls_events(const struct tls *t)
{
	return t->wants;
}

bool tls_pending(const struct tls *t)
{
	return SSL_pending(t->ssl) > 0;
}

/* ---- who is there */

static bool has_uri(const X509 *x, const char *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	size_t len = strlen(uri);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		const ASN1_IA5STRING *s;

		if (g->type != GEN_URI)
			continue;
		s = g->d.uniformResourceIdentifier;
		found = (size_t)ASN1_STRING_length(s) == len &&
		        memcmp(ASN1_STRING_get0_data(s), uri, len) == 0;
	}
	GENERAL_NAMES_free(names);
	return found;
}

int tls_check_peer(const struct tls *t, const char *cn, const char *uri_san, struct err *err)
{
	const X509 *x = SSL_get0_peer_certificate(t->ssl);
	bool ask_cn = cn && *cn, ask_uri = uri_san && *uri_san;

	if (!ask_cn && !ask_uri)
		return 0;
	if (!x)
		return err_set(err, -EACCES, "the peer showed no certificate");
	if (ask_cn && t->cn && strcmp(t->cn, cn) == 0)
		return 0;
	if (ask_uri && has_uri(x, uri_san))
		return 0;
	if (ask_cn && ask_uri)
		return err_set(
		        err, -EACCES,
		        "the peer's certificate has CN '%.100s' and not '%.100s', nor the URI "
		        "SAN '%.100s'",
		        t->cn ? t->cn : "", cn, uri_san);
	if (ask_cn)
		return err_set(err, -EACCES,
		               "the peer's certificate has CN '%.100s' and not '%.100s'",
		               t->cn ? t->cn : "", cn);
	return err_set(err, -EACCES, "the peer's certificate (CN '%.100s') has no URI SAN '%.100s'",
	               t->cn ? t->cn : "", uri_san);
}

const char *tls_peer_cn(const struct tls *t)
{
	return t->cn;
}

const char *tls_alpn(const struct tls *t)
{
	return t->alpn;
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}
