/* SPDX-License-Identifier: BSD-2-Clause */
/* cert: certificates for tests, made on the spot: a CA and what it signs. Everything is PEM text.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "test/unit/test.h"

struct cert {
	EVP_PKEY *key;
	X509 *x;
	char *cert_pem, *key_pem;
};

struct cert_spec {
	const char *cn;
	const char *san;          /* "URI:spiffe://a/b,DNS:x,IP:127.0.0.1" */
	long from_sec, to_sec;    /* from now; both 0: an hour around now */
	const char *key_password; /* of key_pem */
};

static inline char *cert_bio_text(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);

	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	memcpy(text, data, (size_t)len);
	BIO_free(bio);
	return text;
}

static inline void cert_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* ca NULL: it signs itself, and may sign others. */
static inline struct cert cert_make(const struct cert *ca, const struct cert_spec *spec)
{
	static long serial = 1;
	struct cert c = { .key = EVP_EC_gen("P-256"), .x = X509_new() };
	X509 *issuer = ca ? ca->x : c.x;
	BIO *bio;

	assert_true(c.key && c.x);
	X509_set_version(c.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c.x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(c.x), spec->from_sec ? spec->from_sec : -3600);
	X509_gmtime_adj(X509_getm_notAfter(c.x), spec->to_sec ? spec->to_sec : 3600);
	X509_set_pubkey(c.x, c.key);
	if (spec->cn)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(c.x), "CN", MBSTRING_UTF8,
		                           (const unsigned char *)spec->cn, -1, -1, 0);
	X509_set_issuer_name(c.x, X509_get_subject_name(issuer));
	cert_ext(c.x, issuer, NID_basic_constraints, ca ? "critical,CA:FALSE" : "critical,CA:TRUE");
	if (spec->san)
		cert_ext(c.x, issuer, NID_subject_alt_name, spec->san);
	assert_true(X509_sign(c.x, ca ? ca->key : c.key, EVP_sha256()) > 0);

	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, c.x);
	c.cert_pem = cert_bio_text(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, c.key, spec->key_password ? EVP_aes_128_cbc() : NULL, NULL, 0,
	                         NULL, (void *)(uintptr_t)spec->key_password);
	c.key_pem = cert_bio_text(bio);
	return c;
}

static inline void cert_free(struct cert *c)
{
	EVP_PKEY_free(c->key);
	X509_free(c->x);
	free(c->cert_pem);
	free(c->key_pem);
}
