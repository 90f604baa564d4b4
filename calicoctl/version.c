/* SPDX-License-Identifier: BSD-2-Clause */
/* version: of this program, and of the cluster; asked again and again, what has changed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "calicoctl/commit.h"
#include "calicoctl/db.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "common/model/duration.h"
#include "proto/v3_node.pb-c.h"

#define CLUSTER V3__KIND__KIND_CLUSTER_INFORMATION

/* What was shown last; NULL: nothing that holds any more. */
struct shown {
	char *version, *type;
};

static const char *or_unknown(const char *s)
{
	return s && *s ? s : "unknown";
}

static void show(const char *heading, char **last, const char *value)
{
	if (*last && strcmp(*last, value) == 0)
		return;
	printf("%-18s %s\n", heading, visible(value));
	free(*last);
	*last = xstrdup(value);
}

static void forget(struct shown *last)
{
	free(last->version);
	free(last->type);
	*last = (struct shown){ 0 };
}

static int ask(struct db *db, struct shown *last, struct err *err)
{
	CLEANUP(result_p) struct store_result *r = db_get(db, CLUSTER, NULL, "default");
	const V3__ClusterInformationSpec *spec;

	if (r->status != STORE_OK) {
		forget(last); /* to be shown again when there is an answer again */
		db_error(r, CLUSTER, NULL, "default", err);
		return err_wrap(err, err->code, "unable to retrieve Cluster Version or Type");
	}
	spec = ((const V3__ClusterInformation *)r->items[0]->msg)->spec;
	show("Cluster Version:", &last->version, or_unknown(spec ? spec->calicoversion : NULL));
	show("Cluster Type:", &last->type, or_unknown(spec ? spec->clustertype : NULL));
	return 0;
}

static void wait_ns(int64_t ns)
{
	struct timespec pause = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	(void)nanosleep(&pause, NULL);
}

int cmd_version(const struct options *o)
{
	struct shown last = { 0 };
	struct db *db = NULL;
	int64_t poll = 0;
	struct err err;
	int rc;

	if (o->poll && *o->poll && duration_parse(o->poll, &poll, &err) != 0) {
		fprintf(stderr, "invalid poll duration specified: %s\n", visible(o->poll));
		return 1;
	}
	printf("Client Version:    %s\n", percale_version);
	printf("Git commit:        %s\n", or_unknown(CALICOCTL_COMMIT));
	if (o->client_only)
		return 0;
	do {
		fflush(stdout);
		rc = db ? 0 : db_open(o, false, &db, &err);
		if (rc == 0)
			rc = ask(db, &last, &err);
		else
			err_wrap(&err, rc, "Unable to detect installed Calico version");
		fflush(stdout);
		if (rc)
			fprintf(stderr, "%s\n", err.text);
		if (rc && db) { /* whoever was asked may be another one next time */
			db_close(db);
			db = NULL;
		}
		if (poll > 0)
			wait_ns(poll);
	} while (poll > 0);
	db_close(db);
	forget(&last);
	return rc ? 1 : 0;
}
