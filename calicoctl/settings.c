/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calicoctl/typed.h"
#include "calicoctl/yaml.h"
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/ipc/sock.h"
#include "common/store/etcd_options.h"

static int set_type(const char *type, struct settings *s, struct err *err)
{
	if (strcmp(type, "embedded") == 0)
		s->datastore = DATASTORE_EMBEDDED;
	else if (strcmp(type, "typha") == 0)
		s->datastore = DATASTORE_TYPHA;
	else if (strcmp(type, "etcdv3") == 0)
		s->datastore = DATASTORE_ETCD;
	else
		return err_set(
		        err, -EINVAL,
		        "datastore type '%s' is not supported: use 'typha' (typhad's socket in the "
		        "run directory), 'etcdv3' or 'embedded' (a database file)",
		        type);
	return 0;
}

/* Upstream's rule: who names members of etcd and no type means etcd. */
static const char *implied_type(const struct store_etcd_options *o)
{
	return o->endpoints || o->discovery_srv ? "etcdv3" : "typha";
}

/* A text of the configuration's spec; NULL when it is absent. */
static const char *spec_text(const struct json *spec, const char *key)
{
	const char *v = json_str(json_get(spec, key));

	return v && *v ? v : NULL;
}

int settings_parse(const char *name, const char *text, size_t len, struct settings *ret,
                   struct err *err)
{
	struct yaml_docs docs;
	const struct json *tree, *spec;
	const char *kind, *v;
	int rc = -EINVAL;

	yaml_parse(text, len, &docs);
	if (docs.n != 1) {
		err_set(err, rc, "%s: expected one document, found %zu", name, docs.n);
		goto out;
	}
	tree = docs.items[0].tree;
	if (!tree) {
		err_set(err, rc, "%s: %s", name, docs.items[0].err.text);
		goto out;
	}
	kind = json_str(json_get(tree, "kind"));
	if (!kind || strcmp(kind, "CalicoAPIConfig") != 0) {
		err_set(err, rc, "%s: the kind is not CalicoAPIConfig", name);
		goto out;
	}
	spec = json_get(tree, "spec");
	if (spec && spec->type == JSON_OBJECT)
		for (size_t i = 0; i < spec->len; i++)
			(void)etcd_options_set(&ret->etcd, spec->keys[i], json_str(spec->items[i]));
	v = spec_text(spec, "datastoreType");
	if (set_type(v ? v : implied_type(&ret->etcd), ret, err) != 0 ||
	    (ret->datastore == DATASTORE_ETCD && etcd_options_check(&ret->etcd, err) != 0)) {
		err_wrap(err, rc, "%s", name);
		goto out;
	}
	v = spec_text(spec, ret->datastore == DATASTORE_EMBEDDED ? "datastorePath" : "typhaSocket");
	if (v)
		ret->path = xstrdup(v);
	rc = 0;
out:
	yaml_docs_done(&docs);
	return rc;
}

static int read_config(const struct options *o, struct settings *ret, bool *found, struct err *err)
{
	const char *path = o->config ? o->config : CONFIG_DEFAULT;
	CLEANUP(free_p) char *text = NULL;
	size_t len;
	int rc;

	*found = false;
	if (access(path, F_OK) != 0) {
		if (o->config)
			return err_set(err, -ENOENT, "Error reading config file: %s", path);
		return 0;
	}
	*found = true;
	rc = file_read(path, 1u << 20, &text, &len, err);
	return rc ? rc : settings_parse(path, text, len, ret, err);
}

int settings_read(const struct options *o, struct settings *ret, struct err *err)
{
	bool file = false;
	const char *v;
	int rc;

	*ret = (struct settings){ 0 };
	if (o->datastore) {
		ret->datastore = DATASTORE_EMBEDDED;
		ret->path = xstrdup(o->datastore);
		return 0;
	}
	rc = read_config(o, ret, &file, err);
	if (rc)
		return rc;
	if (!file) {
		etcd_options_env(&ret->etcd);
		v = store_env("DATASTORE_TYPE");
		if (set_type(v ? v : implied_type(&ret->etcd), ret, err) != 0 ||
		    (ret->datastore == DATASTORE_ETCD && etcd_options_check(&ret->etcd, err) != 0))
			return -EINVAL;
		v = getenv("CALICO_DATASTORE_PATH");
		if (ret->datastore == DATASTORE_EMBEDDED && v && *v)
			ret->path = xstrdup(v);
	}
	if (ret->datastore == DATASTORE_EMBEDDED && !ret->path)
		return err_set(
		        err, -EINVAL,
		        "the datastore is 'embedded', but its file is not given: use --datastore, "
		        "CALICO_DATASTORE_PATH or the configuration's datastorePath");
	if (ret->datastore == DATASTORE_TYPHA && !ret->path) {
		char path[SOCK_PATH_MAX];

		if (sock_path(o->run_dir, "typhad", "api.sock", path) < 0)
			return err_set(err, -ENAMETOOLONG, "run directory '%s' is too long",
			               o->run_dir ? o->run_dir : run_dir());
		ret->path = xstrdup(path);
	}
	return 0;
}

void settings_done(struct settings *s)
{
	free(s->path);
	etcd_options_done(&s->etcd);
	*s = (struct settings){ 0 };
}
