/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "calicoctl/commit.h"
#include "calicoctl/db.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/version.h"
#include "proto/v3_node.pb-c.h"

static const char *or_unknown(const char *s)
{
	return s && *s ? s : "unknown";
}

int cmd_version(const struct options *o)
{
	CLEANUP(result_p) struct store_result *r = NULL;
	const V3__ClusterInformationSpec *spec = NULL;
	struct db *db;
	struct err err;

	printf("Client Version:    %s\n", percale_version);
	printf("Git commit:        %s\n", or_unknown(CALICOCTL_COMMIT));
	if (o->client_only)
		return 0;
	fflush(stdout);
	if (db_open(o, false, &db, &err) != 0) {
		fprintf(stderr, "Unable to detect installed Calico version: %s\n", err.text);
		return 1;
	}
	r = db_get(db, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default");
	db_close(db);
	if (r->status != STORE_OK) {
		db_error(r, V3__KIND__KIND_CLUSTER_INFORMATION, NULL, "default", &err);
		fprintf(stderr, "unable to retrieve Cluster Version or Type: %s\n", err.text);
		return 1;
	}
	spec = ((const V3__ClusterInformation *)r->items[0]->msg)->spec;
	printf("Cluster Version:   %s\n", or_unknown(spec ? spec->calicoversion : NULL));
	printf("Cluster Type:      %s\n", or_unknown(spec ? spec->clustertype : NULL));
	return 0;
}
