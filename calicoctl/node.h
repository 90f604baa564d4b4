/* SPDX-License-Identifier: BSD-2-Clause */
/* node: what the commands about this node share. */
#pragma once

#include <stdio.h>

#include "calicoctl/calicoctl.h"

struct bundle;
struct err;

/* false: this is for root alone, and that has been said. */
bool node_is_root(void);

/* `node status`, written to a file. */
int node_status(const struct options *o, FILE *to, struct err *err);

/*
 * Gathers what this node says about itself below a directory of the bundle ("" or "nodes/n1/"):
 * the kernel's network, each daemon, journals that are not older than since ("30m"; NULL: all),
 * and at most max_logs files of log_dir.
 */
void node_gather(const struct options *o, const struct bundle *b, const char *below,
                 const char *since, const char *log_dir, size_t max_logs);
