/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * context: certificates and keys, read once and shared by all connections.
 *
 * A key that needs a password is refused: nobody is there to type it. What was read of a key is
 * wiped before its memory is given back. Sessions are not resumed: each connection shows its
 * certificate, so one that has expired meanwhile, or is no longer the right one, does not get in.
 */
#include "common/tls/context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/tls/tls.h"

#define PEM_MAX (1u << 20) /* bytes; a file of all the world's CAs has 200 KiB */

const char *tls_reason(const char *fallback)
{
	unsigned long code = ERR_get_error();
	const char *text = NULL;

	if (code)
		text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
		                              : ERR_reason_error_string(code);
	ERR_clear_error();
	return text ? text : fallback;
}

/* ---- what comes from a file or from memory */

struct pem {
	const char *what; /* "the CA file '/etc/ca.crt'" */
	char *text;
	size_t len;
	BIO *bio;
};

static void pem_done(struct pem *p)
{
	BIO_free(p->bio);
	if (p->text)
		OPENSSL_cleanse(p->text, p->len);
	free(p->text);
	free_p(&p->what);
	ERR_clear_error();
}

/* 1: it is there; 0: neither is given. */
static int pem_open(struct pem *p, const char *kind, const char *file, const char *pem,
                    struct err *err)
{
	bool from_file = file && *file;

	if (!from_file && !(pem && *pem))
		return 0;
	ERR_clear_error();
	if (from_file) {
		int r = file_read(file, PEM_MAX, &p->text, &p->len, err);

		if (r < 0)
			return err_wrap(err, r, "the %s file", kind);
		p->what = xasprintf("the %s file '%s'", kind, file);
	} else {
		p->len = strlen(pem);
		if (p->len > PEM_MAX)
			return err_set(err, -EFBIG, "the %s is too large", kind);
		p->text = xstrdup(pem);
		p->what = xasprintf("the %s", kind);
	}
	p->bio = BIO_new_mem_buf(p->text, (int)p->len);
	return p->bio ? 1 : err_set(err, -ENOMEM, "out of memory");
}

/* arg: a bool that hears of it; or NULL. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	if (arg)
		*(bool *)arg = true;
	return -1;
}

/* ---- the three of them */

static int ca_load(struct tls_context *c, const struct tls_config *config, struct err *err)
{
	CLEANUP(pem_done) struct pem p = { 0 };
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl);
	unsigned n = 0;
	X509 *x;
	int r = pem_open(&p, "CA", config->ca_file, config->ca_pem, err);

	if (r < 0)
		return r;
	if (r == 0) {
		if (config->verify_peer && SSL_CTX_set_default_verify_paths(c->ssl) != 1)
			return err_set(err, -EINVAL, "the system's CA certificates: %s",
			               tls_reason("cannot be read"));
		return 0;
	}
	while ((x = PEM_read_bio_X509(p.bio, NULL, no_password, NULL))) {
		bool ok = X509_STORE_add_cert(store, x) == 1 &&
		          (!c->server || SSL_CTX_add_client_CA(c->ssl, x) == 1);

		X509_free(x);
		if (!ok)
			return err_set(err, -EINVAL, "%s: %s", p.what, tls_reason("is no use"));
		n++;
	}
	/* The end of the file is an error, too: the only one that is none. */
	if (n == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return err_set(err, -EINVAL, "%s holds %s: %s", p.what,
		               n ? "a broken certificate" : "no certificate",
		               tls_reason("nothing in PEM"));
	return 0;
}

static int cert_load(struct tls_context *c, const struct tls_config *config, struct err *err)
{
	CLEANUP(pem_done) struct pem p = { 0 };
	X509 *x;
	int r = pem_open(&p, "certificate", config->cert_file, config->cert_pem, err);
	bool ok;

	if (r <= 0)
		return r;
	x = PEM_read_bio_X509_AUX(p.bio, NULL, no_password, NULL);
	ok = x && SSL_CTX_use_certificate(c->ssl, x) == 1;
	X509_free(x);
	if (!ok)
		return err_set(err, -EINVAL, "%s holds no certificate that can be used: %s", p.what,
		               tls_reason("nothing in PEM"));
	while ((x = PEM_read_bio_X509(p.bio, NULL, no_password, NULL))) {
		if (SSL_CTX_add0_chain_cert(c->ssl, x) != 1) {
			X509_free(x);
			return err_set(err, -EINVAL, "%s: %s", p.what, tls_reason("is no use"));
		}
	}
	return 1;
}

static int key_load(struct tls_context *c, const struct tls_config *config, struct err *err)
{
	CLEANUP(pem_done) struct pem p = { 0 };
	bool ok, locked = false;
	EVP_PKEY *key;
	int r = pem_open(&p, "key", config->key_file, config->key_pem, err);

	if (r <= 0)
		return r;
	key = PEM_read_bio_PrivateKey(p.bio, NULL, no_password, &locked);
	ok = key && SSL_CTX_use_PrivateKey(c->ssl, key) == 1;
	EVP_PKEY_free(key);
	if (locked)
		return err_set(err, -EINVAL, "%s is protected by a password", p.what);
	if (!ok)
		return err_set(err, -EINVAL, "%s holds no key that goes with the certificate: %s",
		               p.what, tls_reason("nothing in PEM"));
	return 1;
}

static int identity_load(struct tls_context *c, const struct tls_config *config, struct err *err)
{
	int cert = cert_load(c, config, err);
	int key = cert < 0 ? cert : key_load(c, config, err);

	if (cert < 0 || key < 0)
		return cert < 0 ? cert : key;
	if (cert != key)
		return err_set(err, -EINVAL, "there is a %s but no %s",
		               cert ? "certificate" : "key", cert ? "key" : "certificate");
	if (!cert && config->server)
		return err_set(err, -EINVAL, "a server needs a certificate and a key");
	if (cert && SSL_CTX_check_private_key(c->ssl) != 1)
		return err_set(err, -EINVAL, "the key does not belong to the certificate: %s",
		               tls_reason("no reason given"));
	return 0;
}

/* ---- ALPN */

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
	const struct tls_context *c = arg;

	(void)ssl;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, c->alpn, c->alpn_len,
	                          in, in_len) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int alpn_set(struct tls_context *c, const char *name, struct err *err)
{
	size_t len = name ? strlen(name) : 0;

	if (len == 0)
		return 0;
	if (len > 255)
		return err_set(err, -EINVAL, "the protocol's name is too long");
	c->alpn[0] = (unsigned char)len;
	memcpy(c->alpn + 1, name, len);
	c->alpn_len = (unsigned)len + 1;
	if (c->server)
		SSL_CTX_set_alpn_select_cb(c->ssl, on_alpn, c);
	else if (SSL_CTX_set_alpn_protos(c->ssl, c->alpn, c->alpn_len) != 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* ---- the context */

static int any_certificate(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static void verify_set(SSL_CTX *ssl, const struct tls_config *config)
{
	int mode = SSL_VERIFY_NONE;

	if (config->verify_peer || config->peer_unverified)
		mode = SSL_VERIFY_PEER;
	if (mode && !config->peer_optional)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl, mode, config->verify_peer ? NULL : any_certificate);
}

int tls_context_new(const struct tls_config *config, struct tls_context **ret, struct err *err)
{
	struct tls_context *c = xcalloc(1, sizeof(*c));
	int r;

	ERR_clear_error();
	c->refs = 1;
	c->server = config->server;
	c->verify_peer = config->verify_peer;
	c->ssl = SSL_CTX_new(config->server ? TLS_server_method() : TLS_client_method());
	if (!c->ssl) {
		free(c);
		return err_set(err, -ENOMEM, "TLS cannot be set up: %s",
		               tls_reason("out of memory"));
	}
	SSL_CTX_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                                 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_options(c->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                    SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(c->ssl, 0);
	SSL_CTX_set_default_passwd_cb(c->ssl, no_password);
	verify_set(c->ssl, config);
	r = tls_suites_set(c->ssl, config->min_version, config->cipher_suites, err);
	if (r == 0)
		r = ca_load(c, config, err);
	if (r == 0)
		r = identity_load(c, config, err);
	if (r == 0)
		r = alpn_set(c, config->alpn, err);
	if (r < 0) {
		tls_context_unref(c);
		return r;
	}
	*ret = c;
	return 0;
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
	c->refs++;
	return c;
}

void tls_context_unref(struct tls_context *c)
{
	if (!c || --c->refs)
		return;
	SSL_CTX_free(c->ssl);
	free(c);
}
