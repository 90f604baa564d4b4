/* SPDX-License-Identifier: BSD-2-Clause */
/* watch: get --watch: the objects that are there, and then every change as it comes. */
#pragma once

#include "calicoctl/db.h"
#include "calicoctl/select.h"
#include "calicoctl/show.h"

struct watch_request {
	const struct kind_info *kind;
	const char *ns;     /* NULL: of all */
	char *const *names; /* these alone; n_names 0: all */
	size_t n_names;
	const struct selector *selector; /* NULL: any */
	struct show *show;
	bool events;       /* say what happened to each */
	bool changes_only; /* what is there at the beginning is not shown */
};

/* Returns only when it fails, or when nobody reads any more (0). */
int watch_run(struct db *db, const struct watch_request *q, struct err *err);
