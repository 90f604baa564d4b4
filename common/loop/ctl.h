/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl: the socket for people that every daemon has. daemon.c opens it; nobody else needs this
 * header. */
#pragma once

#include "common/loop/daemon.h"

struct ctl;

int ctl_open(struct daemon *d, struct ctl **ret, struct err *err);
void ctl_close(struct ctl *c); /* NULL is fine */
bool ctl_watched(const struct ctl *c);
void ctl_event(struct ctl *c, const char *section, const char *json);

/* What daemon.c knows and ctl tells. */
bool daemon_is_ready(const struct daemon *d);
const char *daemon_status(const struct daemon *d);
int daemon_reload(struct daemon *d, struct err *err);
const struct daemon_option *daemon_common_options(void);

/* Writes the dumps of one section (NULL: all) as log lines. */
void ctl_dump_to_log(struct daemon *d);
