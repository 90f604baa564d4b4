/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings: which datastore, and where.
 *
 * Flags come first. A configuration file, when there is one, is used alone; the environment counts
 * when there is none.
 */
#pragma once

#include "calicoctl/calicoctl.h"
#include "common/store/store.h"

struct err;

#define CONFIG_DEFAULT "/etc/calico/calicoctl.cfg"

enum settings_datastore {
	DATASTORE_TYPHA,
	DATASTORE_EMBEDDED,
	DATASTORE_ETCD,
};

struct settings {
	enum settings_datastore datastore;
	char *path;                     /* the database file, or typhad's socket */
	struct store_etcd_options etcd; /* etcd_options.h: owned here */
};

int settings_read(const struct options *o, struct settings *ret, struct err *err);

/* The same of a configuration file's text; *ret is filled with what it says, the path may stay
 * NULL. */
int settings_parse(const char *name, const char *text, size_t len, struct settings *ret,
                   struct err *err);
void settings_done(struct settings *s);
