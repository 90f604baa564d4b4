/* SPDX-License-Identifier: BSD-2-Clause */
/* confd: the root object. */
#pragma once

#include <uv.h>

#include "common/loop/client.h"
#include "common/loop/daemon.h"
#include "common/store/store.h"
#include "confd/model.h"
#include "confd/mustache.h"

enum apply_step {
	APPLY_IDLE,
	APPLY_CHECK, /* bgpd reads the new file */
	APPLY_LOAD,  /* bgpd takes the file over */
};

struct confd {
	struct daemon *d;
	struct store *store;
	struct ipc_client *bgpd;
	uv_idle_t turn; /* gathers the changes of one turn of the loop */
	uv_timer_t retry;
	unsigned open_handles, retry_ms;

	struct model_input in;
	bool in_sync, stopping;

	/* template */
	struct mustache *template;
	char *template_from; /* its path, or "built in" */

	/* output */
	char *path, *path_new; /* the file; the one that is being checked */
	enum apply_step step;
	bool again;             /* something changed while bgpd was busy */
	bool loaded;            /* bgpd runs what the file says */
	bool unchecked;         /* the file was written while there was none and bgpd was away */
	struct json *model;     /* of the file as it is */
	char *text;             /* what the file holds; NULL: not known */
	struct json *new_model; /* of the one being checked */
	char *new_text;
	char *refused_text; /* what bgpd refused last: not tried again */
	char *trouble;      /* what is wrong; NULL: nothing */

	uint64_t count_renders, count_unchanged, count_checks, count_refused, count_loads,
	        count_events;
};

/* Renders and applies in the next turn of the loop. */
void apply_soon(struct confd *c);
/* bgpd is there, or gone. */
void apply_bgpd_up(struct confd *c);
void apply_bgpd_down(struct confd *c);

/* Reads the template again. On an error the old one stays. */
int template_load(struct confd *c, struct err *err);
