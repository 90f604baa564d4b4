/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS between two ends of a socket pair: who is let in, who is not and why, and bytes in any
 * pieces. All certificates are made here. */
#include "test/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/tls/tls.h"
#include "test/unit/cert.h"

static struct cert ca, other_ca, server, client, expired, future, stranger, wrong_host;

static int make_certs(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_DFL); /* whoever raises it ends this test */
	ca = cert_make(NULL, &(struct cert_spec){ .cn = "test CA" });
	other_ca = cert_make(NULL, &(struct cert_spec){ .cn = "other CA" });
	server = cert_make(&ca, &(struct cert_spec){ .cn = "typha-server",
	                                             .san = "URI:spiffe://c/typha,DNS:localhost,"
	                                                    "DNS:*.example.org,IP:127.0.0.1,"
	                                                    "IP:fd00::1" });
	client = cert_make(
	        &ca, &(struct cert_spec){ .cn = "typha-client", .san = "URI:spiffe://c/felix" });
	expired = cert_make(&ca, &(struct cert_spec){ .cn = "typha-client", .to_sec = -60 });
	future = cert_make(&ca, &(struct cert_spec){ .cn = "typha-client", .from_sec = 600 });
	stranger = cert_make(&other_ca, &(struct cert_spec){ .cn = "typha-client" });
	wrong_host = cert_make(&ca, &(struct cert_spec){ .cn = "localhost", .san = "DNS:else" });
	return 0;
}

static int free_certs(void **state)
{
	struct cert *all[] = { &ca,      &other_ca, &server,   &client,
		               &expired, &future,   &stranger, &wrong_host };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		cert_free(all[i]);
	return 0;
}

/* ---- two ends */

struct pair {
	int fd[2];
	struct tls_context *c[2];
	struct tls *t[2]; /* server, client */
	struct err err[2];
	int result[2];
};

static void pair_open(struct pair *p, const struct tls_config *s, const struct tls_config *c,
                      const char *name)
{
	struct err err = { 0 };

	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, p->fd),
	                 0);
	if (tls_context_new(s, &p->c[0], &err) < 0 || tls_context_new(c, &p->c[1], &err) < 0)
		fail_msg("%s", err.text);
	p->t[0] = tls_new(p->c[0], p->fd[0], NULL);
	p->t[1] = tls_new(p->c[1], p->fd[1], name);
	assert_true(p->t[0] && p->t[1]);
}

static void pair_close(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		tls_free(p->t[i]);
		tls_context_unref(p->c[i]);
		close_p(&p->fd[i]);
	}
}

/* Until both are done or have failed; one that fails closes its socket. */
static void shake(struct pair *p)
{
	p->result[0] = p->result[1] = -EAGAIN;
	for (int turn = 0; turn < 100; turn++) {
		for (int i = 0; i < 2; i++) {
			if (p->result[i] != -EAGAIN)
				continue;
			p->result[i] = tls_handshake(p->t[i], &p->err[i]);
			if (p->result[i] < 0 && p->result[i] != -EAGAIN)
				close_p(&p->fd[i]);
		}
		if (p->result[0] != -EAGAIN && p->result[1] != -EAGAIN)
			return;
	}
	fail_msg("the handshake does not end");
}

static struct tls_config server_config(void)
{
	return (struct tls_config){ .server = true,
		                    .ca_pem = ca.cert_pem,
		                    .cert_pem = server.cert_pem,
		                    .key_pem = server.key_pem,
		                    .verify_peer = true };
}

static struct tls_config client_config(const struct cert *c)
{
	return (struct tls_config){ .ca_pem = ca.cert_pem,
		                    .cert_pem = c ? c->cert_pem : NULL,
		                    .key_pem = c ? c->key_pem : NULL,
		                    .verify_peer = true };
}

/* ---- who is let in */

static void both_are_who_they_say(void **state)
{
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;
	char got[16];

	(void)state;
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	assert_int_equal(p.result[0], 0);
	assert_int_equal(p.result[1], 0);
	assert_string_equal(tls_peer_cn(p.t[0]), "typha-client");
	assert_string_equal(tls_peer_cn(p.t[1]), "typha-server");
	assert_string_equal(tls_version(p.t[0]), "TLSv1.3");
	assert_null(tls_alpn(p.t[0]));
	struct iovec iov[3] = { { (void *)(uintptr_t) "he", 2 },
		                { (void *)(uintptr_t) "", 0 },
		                { (void *)(uintptr_t) "llo", 3 } };
	assert_int_equal(tls_write(p.t[1], iov, 3, NULL), 5);
	assert_int_equal(tls_read(p.t[0], got, 2, NULL), 2);
	assert_true(tls_pending(p.t[0]));
	assert_int_equal(tls_read(p.t[0], got + 2, sizeof(got) - 2, NULL), 3);
	assert_memory_equal(got, "hello", 5);
	assert_false(tls_pending(p.t[0]));
	assert_int_equal(tls_read(p.t[0], got, sizeof(got), NULL), -EAGAIN);
	assert_int_equal(tls_events(p.t[0]), POLLIN);
	/* a goodbye is an end */
	tls_free(p.t[1]);
	p.t[1] = NULL;
	assert_int_equal(tls_read(p.t[0], got, sizeof(got), NULL), 0);
	pair_close(&p);
}

static void cn_or_uri_must_match(void **state)
{
	static const struct {
		const char *cn, *uri;
		int result;
		const char *text; /* part of the sentence */
	} cases[] = {
		{ NULL, NULL, 0, NULL },
		{ "", "", 0, NULL },
		{ "typha-client", NULL, 0, NULL },
		{ "typha-client", "spiffe://c/no", 0, NULL },
		{ "somebody", "spiffe://c/felix", 0, NULL },
		{ NULL, "spiffe://c/felix", 0, NULL },
		{ "somebody", NULL, -EACCES, "CN 'typha-client' and not 'somebody'" },
		{ "typha-clien", NULL, -EACCES, "and not 'typha-clien'" },
		{ "typha-client2", "", -EACCES, "and not 'typha-client2'" },
		{ NULL, "spiffe://c/feli", -EACCES, "no URI SAN 'spiffe://c/feli'" },
		{ "a", "b", -EACCES, "nor the URI SAN 'b'" },
	};
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;

	(void)state;
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };

		assert_int_equal(tls_check_peer(p.t[0], cases[i].cn, cases[i].uri, &err),
		                 cases[i].result);
		if (cases[i].text && !strstr(err.text, cases[i].text))
			fail_msg("'%s' does not say '%s'", err.text, cases[i].text);
	}
	pair_close(&p);
}

/* The server's view of clients that are not let in. */
static void wrong_clients_are_refused(void **state)
{
	const struct {
		const struct cert *cert;
		const char *text;
	} cases[] = {
		{ NULL, "peer did not return a certificate" },
		{ &expired, "certificate has expired" },
		{ &future, "certificate is not yet valid" },
		{ &stranger, "unable to get local issuer certificate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_config s = server_config(), c = client_config(cases[i].cert);
		struct pair p;
		char got[8];
		struct err err = { 0 };

		pair_open(&p, &s, &c, NULL);
		shake(&p);
		assert_true(p.result[0] < 0);
		if (!strstr(p.err[0].text, cases[i].text))
			fail_msg("'%s' does not say '%s'", p.err[0].text, cases[i].text);
		/* In TLS 1.3 the client is done before: it hears of it when it reads. */
		if (p.result[1] == 0) {
			assert_true(tls_read(p.t[1], got, sizeof(got), &err) < 0);
			if (!strstr(err.text, "alert"))
				fail_msg("the client is not told why: %s", err.text);
		}
		pair_close(&p);
	}
}

static void wrong_servers_are_refused(void **state)
{
	const struct {
		const struct cert *cert;
		const char *name; /* asked for */
		const char *text; /* NULL: accepted */
	} cases[] = {
		{ &server, NULL, NULL },
		{ &server, "localhost", NULL },
		{ &server, "a.example.org", NULL },
		{ &server, "127.0.0.1", NULL },
		{ &server, "fd00::1", NULL },
		{ &server, "typha-server", "for typha-server is not accepted: hostname mismatch" },
		{ &server, "a.b.example.org", "hostname mismatch" },
		{ &server, "127.0.0.2", "IP address mismatch" },
		{ &server, "fd00::2", "IP address mismatch" },
		{ &wrong_host, "localhost", "hostname mismatch" }, /* the SAN counts, not the CN */
		{ &client, "typha-client",
		  "hostname mismatch" }, /* also when there is no DNS SAN */
		{ &stranger, NULL, "unable to get local issuer certificate" },
		{ &expired, NULL, "certificate has expired" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_config s = server_config(), c = client_config(&client);
		struct pair p;

		s.cert_pem = cases[i].cert->cert_pem;
		s.key_pem = cases[i].cert->key_pem;
		pair_open(&p, &s, &c, cases[i].name);
		shake(&p);
		assert_int_equal(p.result[1], cases[i].text ? -EACCES : 0);
		if (cases[i].text && !strstr(p.err[1].text, cases[i].text))
			fail_msg("'%s' does not say '%s'", p.err[1].text, cases[i].text);
		pair_close(&p);
	}
}

/* ---- handshakes that are none */

static void expect_refused(const void *bytes, size_t len, bool server_side, const char *text)
{
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;
	struct err err = { 0 };
	int r, me = server_side ? 0 : 1;

	pair_open(&p, &s, &c, NULL);
	r = tls_handshake(p.t[me], &err);
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(tls_events(p.t[me]), POLLIN);
	assert_int_equal(send(p.fd[!me], bytes, len, MSG_NOSIGNAL), (ssize_t)len);
	shutdown(p.fd[!me], SHUT_WR);
	r = tls_handshake(p.t[me], &err);
	assert_true(r < 0 && r != -EAGAIN);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	pair_close(&p);
}

static void garbage_is_refused(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		expect_refused("", 0, side, "the peer closed the connection");
		expect_refused("\x16\x03", 2, side, "the peer closed the connection");
		expect_refused("\0\0\0\4\10\1\32\0 and so on and on", 25, side, "TLS handshake: ");
		expect_refused("\x16\x03\x01\xff\xff garbage garbage", 21, side, "TLS handshake: ");
	}
	expect_refused("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 28, true, "http request");
}

/* Every beginning of a good handshake, then the end. */
static void a_truncated_handshake_is_refused(void **state)
{
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;
	uint8_t hello[4096];
	ssize_t len;

	(void)state;
	pair_open(&p, &s, &c, "localhost");
	assert_int_equal(tls_handshake(p.t[1], NULL), -EAGAIN);
	len = recv(p.fd[0], hello, sizeof(hello), 0);
	assert_true(len > 100);
	pair_close(&p);
	for (ssize_t n = 0; n < len; n++)
		expect_refused(hello, (size_t)n, true, "the peer closed the connection");
}

/* ---- bytes */

/* More than a socket takes, in pieces of many sizes: it arrives as it was sent. */
static void bytes_arrive_in_order(void **state)
{
	enum {
		TOTAL = 3 << 20
	};
	static uint8_t sent[TOTAL], got[TOTAL];
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;
	size_t out = 0, in = 0;
	bool blocked = false;

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (uint8_t)(i * 31 + (i >> 9));
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	for (unsigned turn = 0; in < TOTAL && turn < 1000000; turn++) {
		struct iovec iov[40];
		size_t at = out;
		int n = 0;
		ssize_t r;

		for (; n < 40 && at < TOTAL; n++) {
			size_t part = 1 + ((at * 7919) % (n % 7 == 6 ? 40000 : 700));

			part = part < TOTAL - at ? part : TOTAL - at;
			iov[n] = (struct iovec){ sent + at, part };
			at += part;
		}
		r = n ? tls_write(p.t[0], iov, n, NULL) : -EAGAIN;
		if (r > 0) {
			out += (size_t)r;
			continue;
		}
		assert_int_equal(r, -EAGAIN);
		blocked = blocked || out < TOTAL;
		if (out < TOTAL)
			assert_int_equal(tls_events(p.t[0]), POLLOUT);
		r = tls_read(p.t[1], got + in, 50000 < TOTAL - in ? 50000 : TOTAL - in, NULL);
		assert_true(r > 0);
		in += (size_t)r;
	}
	assert_int_equal(in, TOTAL);
	assert_memory_equal(sent, got, TOTAL);
	assert_true(blocked); /* or the test did not test */
	pair_close(&p);
}

static void a_peer_that_is_gone_raises_no_signal(void **state)
{
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;
	struct err err = { 0 };
	struct iovec iov = { (void *)(uintptr_t) "x", 1 };
	char got[8];

	(void)state;
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	close_p(&p.fd[1]);
	assert_int_equal(tls_write(p.t[0], &iov, 1, &err), -EPIPE);
	assert_non_null(strstr(err.text, "TLS write: "));
	pair_close(&p);

	/* Without goodbye, what was read may not be all: that is no end. */
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	close_p(&p.fd[1]);
	assert_int_equal(tls_read(p.t[0], got, sizeof(got), &err), -ECONNRESET);
	pair_close(&p);
}

/* ---- what a context is made of */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect_bad(const struct tls_config *config, const char *text)
{
	struct tls_context *c = NULL;
	struct err err = { 0 };

	assert_true(tls_context_new(config, &c, &err) < 0);
	assert_null(c);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
	assert_null(strstr(err.text, "sesame"));
	assert_null(strstr(err.text, "PRIVATE"));
}

static void what_is_wrong_is_named(void **state)
{
	struct cert locked =
	        cert_make(&ca, &(struct cert_spec){ .cn = "x", .key_password = "open-sesame" });
	CLEANUP(free_p) char *half = NULL, *two = NULL;
	char dir[] = "/tmp/tls_test.XXXXXX", path[64];
	struct tls_config good = server_config(), bad;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);

	bad = good;
	bad.ca_file = "/nonexistent/ca.crt";
	expect_bad(&bad, "the CA file: ");
	expect_bad(&bad, "'/nonexistent/ca.crt'");
	write_file(path, "no PEM at all\n");
	bad.ca_file = path;
	expect_bad(&bad, "holds no certificate");
	expect_bad(&bad, path);
	half = xstrdup(ca.cert_pem);
	strcpy(strstr(half, "\n") + 40, "-----END CERTIFICATE-----\n");
	two = xasprintf("%s%s", ca.cert_pem, half);
	write_file(path, two);
	expect_bad(&bad, "a broken certificate");

	bad = good;
	bad.key_file = "/nonexistent/key";
	expect_bad(&bad, "the key file: ");
	write_file(path, client.key_pem);
	bad.key_file = path;
	expect_bad(&bad, "the key file '");
	expect_bad(&bad, "key values mismatch");
	write_file(path, locked.key_pem);
	bad.cert_pem = locked.cert_pem;
	expect_bad(&bad, "is protected by a password");

	bad = good;
	bad.cert_pem = NULL;
	expect_bad(&bad, "there is a key but no certificate");
	bad.key_pem = NULL;
	expect_bad(&bad, "a server needs a certificate and a key");
	bad = good;
	bad.cert_pem = "";
	bad.cert_file = path; /* a key where a certificate should be */
	expect_bad(&bad, "holds no certificate that can be used");

	bad = good;
	bad.min_version = "1.1";
	expect_bad(&bad, "unsupported TLS version: 1.1 (supported versions: 1.2, 1.3)");
	bad = good;
	bad.cipher_suites = "TLS_AES_128_GCM_SHA256, TLS_RSA_WITH_RC4_128_SHA";
	expect_bad(&bad, "unsupported cipher: TLS_RSA_WITH_RC4_128_SHA");
	bad.cipher_suites = ",";
	expect_bad(&bad, "unsupported cipher: ");

	unlink(path);
	rmdir(dir);
	cert_free(&locked);
}

static void files_do_as_well(void **state)
{
	struct tls_config s = server_config(), c = client_config(&client);
	char dir[] = "/tmp/tls_test.XXXXXX", path[3][64];
	const char *text[3] = { ca.cert_pem, server.cert_pem, server.key_pem };
	struct pair p;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 3; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%d", dir, i);
		write_file(path[i], text[i]);
	}
	s.ca_file = path[0];
	s.cert_file = path[1];
	s.key_file = path[2];
	s.ca_pem = s.cert_pem = s.key_pem = NULL;
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	assert_int_equal(p.result[0], 0);
	pair_close(&p);
	for (int i = 0; i < 3; i++)
		unlink(path[i]);
	rmdir(dir);
}

static void versions_and_suites_are_kept(void **state)
{
	static const struct {
		const char *server_min, *server_suites, *client_suites;
		const char *version; /* NULL: they do not agree */
	} cases[] = {
		{ "1.3", NULL, NULL, "TLSv1.3" },
		{ "1.2", NULL, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLSv1.3" },
		{ NULL, "TLS_AES_256_GCM_SHA384 , TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256",
		  "TLSv1.3" },
		{ NULL, "TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tls_config s = server_config(), c = client_config(&client);
		struct pair p;

		s.min_version = cases[i].server_min;
		s.cipher_suites = cases[i].server_suites;
		c.cipher_suites = cases[i].client_suites;
		pair_open(&p, &s, &c, NULL);
		shake(&p);
		if (cases[i].version) {
			assert_int_equal(p.result[0], 0);
			assert_string_equal(tls_version(p.t[1]), cases[i].version);
		} else {
			assert_true(p.result[0] < 0 && p.result[1] < 0);
		}
		pair_close(&p);
	}
}

static void alpn_is_agreed_on_or_refused(void **state)
{
	struct tls_config s = server_config(), c = client_config(&client);
	struct pair p;

	(void)state;
	s.alpn = c.alpn = "h2";
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	assert_string_equal(tls_alpn(p.t[0]), "h2");
	assert_string_equal(tls_alpn(p.t[1]), "h2");
	pair_close(&p);

	c.alpn = "spdy";
	pair_open(&p, &s, &c, NULL);
	shake(&p);
	assert_true(p.result[0] < 0 && p.result[1] < 0);
	pair_close(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_are_who_they_say),
		cmocka_unit_test(cn_or_uri_must_match),
		cmocka_unit_test(wrong_clients_are_refused),
		cmocka_unit_test(wrong_servers_are_refused),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_truncated_handshake_is_refused),
		cmocka_unit_test(bytes_arrive_in_order),
		cmocka_unit_test(a_peer_that_is_gone_raises_no_signal),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(files_do_as_well),
		cmocka_unit_test(versions_and_suites_are_kept),
		cmocka_unit_test(alpn_is_agreed_on_or_refused),
	};

	return cmocka_run_group_tests(tests, make_certs, free_certs);
}
