/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * backup: the embedded datastore's copy in a file, and back.
 *
 * Works on the datastore's file itself, beside a typhad that has it open: which file that is the
 * settings say, or else the typhad that runs here is asked.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/calicoctl.h"
#include "calicoctl/settings.h"
#include "common/base/err.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/ipc/call.h"
#include "common/store/kv_backup.h"
#include "proto/ctl_v1.pb-c.h"

#define ASK_MS 2500

static const char *setting_of(const Ctl__V1__Identity *id, const char *name)
{
	for (size_t i = 0; i < id->n_configuration; i++)
		if (id->configuration[i]->name && strcmp(id->configuration[i]->name, name) == 0)
			return id->configuration[i]->value;
	return NULL;
}

/* The file of the typhad that runs here, the caller's. */
static int path_of_typhad(const struct options *o, char **ret, struct err *err)
{
	Ctl__V1__ToDaemon request = CTL__V1__TO_DAEMON__INIT;
	Ctl__V1__WhoAreYou who = CTL__V1__WHO_ARE_YOU__INIT;
	ProtobufCMessage *msg = NULL;
	const Ctl__V1__FromDaemon *reply;
	struct ipc_call call = { .fd = -1 };
	const char *type = NULL, *path = NULL;
	int rc = ipc_call_open(&call, o->run_dir, "typhad", "ctl.sock",
	                       &ctl__v1__from_daemon__descriptor, ASK_MS, err);

	request.payload_case = CTL__V1__TO_DAEMON__PAYLOAD_WHO;
	request.who = &who;
	if (rc == 0)
		rc = ipc_call(&call, &request.base, &msg, err);
	ipc_call_close(&call);
	if (rc < 0)
		return err_wrap(
		        err, rc,
		        "typhad cannot be asked for the datastore's file; --datastore names it");
	reply = (const Ctl__V1__FromDaemon *)msg;
	if (reply->payload_case == CTL__V1__FROM_DAEMON__PAYLOAD_IDENTITY) {
		type = setting_of(reply->identity, "DatastoreType");
		path = setting_of(reply->identity, "DatastorePath");
	}
	if (!type || strcmp(type, "embedded") != 0)
		rc = err_set(
		        err, -EINVAL,
		        "typhad's datastore is '%s'; only an embedded one is backed up here (etcd: "
		        "'etcdctl snapshot save'; any: 'calicoctl datastore migrate export')",
		        LOG_VIS(type ? type : "?"));
	else if (!path)
		rc = err_set(err, -EPROTO, "typhad does not say where its datastore is");
	else
		*ret = xstrdup(path);
	protobuf_c_message_free_unpacked(msg, NULL);
	return rc;
}

static int find_path(const struct options *o, char **ret, struct err *err)
{
	struct settings settings;
	int rc = settings_read(o, &settings, err);

	if (rc < 0)
		return rc;
	if (settings.datastore == DATASTORE_EMBEDDED)
		*ret = xstrdup(settings.path);
	else if (settings.datastore == DATASTORE_ETCD)
		rc = err_set(err, -EINVAL,
		             "the datastore is etcd: 'etcdctl snapshot save' backs it up");
	settings_done(&settings);
	if (rc < 0)
		return rc;
	return *ret ? 0 : path_of_typhad(o, ret, err);
}

static int failed(const struct err *err)
{
	fprintf(stderr, "Error: %s\n", err->text);
	return 1;
}

int cmd_datastore_backup(const struct options *o)
{
	CLEANUP(free_p) char *path = NULL;
	struct kv_backup b = { 0 };
	struct err err = { 0 };

	if (find_path(o, &path, &err) < 0 || kv_backup(path, o->args[0], o->force, &b, &err) < 0)
		return failed(&err);
	printf("Backed up %llu object(s) at revision %llu of '%s' to '%s' (%llu bytes)\n",
	       (unsigned long long)b.objects, (unsigned long long)b.revision, path, o->args[0],
	       (unsigned long long)b.bytes);
	return 0;
}

int cmd_datastore_restore(const struct options *o)
{
	CLEANUP(free_p) char *path = NULL;
	struct kv_restore r = { 0 };
	struct err err = { 0 };

	if (find_path(o, &path, &err) < 0 || kv_restore(path, o->args[0], o->force, &r, &err) < 0)
		return failed(&err);
	printf("Restored '%s' from '%s': %llu object(s) written, %llu deleted, %llu as they were; "
	       "the revision is %llu\n",
	       path, o->args[0], (unsigned long long)r.written, (unsigned long long)r.deleted,
	       (unsigned long long)r.same, (unsigned long long)r.revision);
	return 0;
}
