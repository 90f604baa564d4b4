/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/etcd_options.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"

static const struct {
	const char *field, *env;
	size_t offset;
} names[] = {
	/* clang-format off */
	{ "etcdEndpoints",    "ETCD_ENDPOINTS",     offsetof(struct store_etcd_options, endpoints) },
	{ "etcdDiscoverySrv", "ETCD_DISCOVERY_SRV", offsetof(struct store_etcd_options, discovery_srv) },
	{ "etcdUsername",     "ETCD_USERNAME",      offsetof(struct store_etcd_options, username) },
	{ "etcdPassword",     "ETCD_PASSWORD",      offsetof(struct store_etcd_options, password) },
	{ "etcdKeyFile",      "ETCD_KEY_FILE",      offsetof(struct store_etcd_options, key_file) },
	{ "etcdCertFile",     "ETCD_CERT_FILE",     offsetof(struct store_etcd_options, cert_file) },
	{ "etcdCACertFile",   "ETCD_CA_CERT_FILE",  offsetof(struct store_etcd_options, ca_file) },
	{ "etcdKey",          NULL,                 offsetof(struct store_etcd_options, key_pem) },
	{ "etcdCert",         NULL,                 offsetof(struct store_etcd_options, cert_pem) },
	{ "etcdCACert",       NULL,                 offsetof(struct store_etcd_options, ca_pem) },
	/* clang-format on */
};

static char **option_at(struct store_etcd_options *o, size_t i)
{
	return (char **)((char *)o + names[i].offset);
}

static void option_set(char **at, const char *value)
{
	if (*at)
		explicit_bzero(*at, strlen(*at));
	free(*at);
	*at = value && *value ? xstrdup(value) : NULL;
}

const char *store_env(const char *name)
{
	CLEANUP(free_p) char *prefixed = xasprintf("CALICO_%s", name);
	const char *v = getenv(prefixed);

	if (!v || !*v)
		v = getenv(name);
	return v && *v ? v : NULL;
}

bool etcd_options_set(struct store_etcd_options *o, const char *field, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i].field, field) == 0) {
			option_set(option_at(o, i), value);
			return true;
		}
	return false;
}

void etcd_options_env(struct store_etcd_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].env && !*option_at(o, i))
			option_set(option_at(o, i), store_env(names[i].env));
}

void etcd_options_copy(struct store_etcd_options *to, const struct store_etcd_options *from)
{
	struct store_etcd_options copy = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		option_set(option_at(&copy, i),
		           *option_at((struct store_etcd_options *)(uintptr_t)from, i));
	*to = copy;
}

void etcd_options_done(struct store_etcd_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		option_set(option_at(o, i), NULL);
}

int etcd_options_check(const struct store_etcd_options *o, struct err *err)
{
	bool files = o->key_file || o->cert_file || o->ca_file;
	bool inline_pem = o->key_pem || o->cert_pem || o->ca_pem;

	if (o->endpoints && o->discovery_srv)
		return err_set(err, -EINVAL,
		               "multiple discovery or bootstrap options specified, use either "
		               "\"etcdEndpoints\" or \"etcdDiscoverySrv\"");
	if (!o->endpoints && !o->discovery_srv)
		return err_set(err, -EINVAL, "no etcd endpoints specified");
	if (files && inline_pem)
		return err_set(err, -EINVAL,
		               "Cannot mix inline certificate-key and certificate / key files");
	return 0;
}
