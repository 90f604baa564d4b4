/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suites: TLS_MIN_VERSION and TLS_CIPHER_SUITES as every Calico component understands them.
 *
 * The names are those of Go's crypto/tls, which are the registry's. Without a list: the three
 * suites of TLS 1.3 and, for 1.2, those with forward secrecy. A list that names none of TLS 1.3
 * leaves these as they are, as Go does: they cannot be chosen there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/tls/context.h"

static const struct suite {
	const char *name;    /* Go's */
	const char *openssl; /* in a cipher list; of TLS 1.3 both are the same */
	bool tls13, by_default;
} suites[] = {
	{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", true, true },
	{ "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", true, true },
	{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", true, true },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", false, true },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", false, true },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", false,
	  true },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", false,
	  true },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", false, true },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", false, true },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", false, true },
	{ "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", false, true },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", false, true },
	{ "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", false, false },
	{ "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", false, false },
};

static const struct suite *suite_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (strlen(suites[i].name) == len && memcmp(suites[i].name, name, len) == 0)
			return &suites[i];
	return NULL;
}

static void add(struct buf lists[2], const struct suite *s)
{
	struct buf *list = &lists[s->tls13];

	buf_printf(list, "%s%s", list->len ? ":" : "", s->openssl);
}

/* lists: of TLS 1.2, of 1.3. */
static int parse(const char *names, struct buf lists[2], struct err *err)
{
	for (const char *at = names; *at;) {
		size_t len = strcspn(at, ","), skip = strspn(at, " \t"), n;
		const struct suite *s;

		skip = skip < len ? skip : len;
		for (n = len - skip; n && (at[skip + n - 1] == ' ' || at[skip + n - 1] == '\t');)
			n--;
		s = suite_of(at + skip, n);
		if (!s)
			return err_set(err, -EINVAL, "unsupported cipher: %.*s",
			               (int)(n < 80 ? n : 80), at + skip);
		add(lists, s);
		at += len;
		at += *at == ',';
	}
	return 0;
}

static int version_of(const char *text, int *ret, struct err *err)
{
	if (!text || !*text || strcmp(text, "1.2") == 0)
		*ret = TLS1_2_VERSION;
	else if (strcmp(text, "1.3") == 0)
		*ret = TLS1_3_VERSION;
	else
		return err_set(err, -EINVAL,
		               "unsupported TLS version: %.40s (supported versions: 1.2, 1.3)",
		               text);
	return 0;
}

int tls_suites_set(SSL_CTX *ssl, const char *min_version, const char *names, struct err *err)
{
	CLEANUP(buf_done) struct buf tls12 = { 0 };
	CLEANUP(buf_done) struct buf tls13 = { 0 };
	struct buf lists[2] = { { 0 }, { 0 } };
	int version = TLS1_2_VERSION, r = version_of(min_version, &version, err);

	if (r == 0 && names && *names)
		r = parse(names, lists, err);
	else
		for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
			if (suites[i].by_default)
				add(lists, &suites[i]);
	tls12 = lists[0];
	tls13 = lists[1];
	if (r < 0)
		return r;
	if (tls12.len == 0)
		version = TLS1_3_VERSION; /* none that 1.2 could use */
	if (SSL_CTX_set_min_proto_version(ssl, version) != 1 ||
	    (tls12.len && SSL_CTX_set_cipher_list(ssl, buf_cstr(&tls12)) != 1) ||
	    (tls13.len && SSL_CTX_set_ciphersuites(ssl, buf_cstr(&tls13)) != 1))
		return err_set(err, -EINVAL, "the cipher suites cannot be set: %s",
		               tls_reason("no reason given"));
	return 0;
}
