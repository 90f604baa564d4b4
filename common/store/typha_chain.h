/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * typha_chain: what a typhad that is fed by typhads needs beyond what every client does. Part of
 * the typha driver.
 *
 * Upstreams are as good as one another but not equally far. So it is known up to which revision the
 * watcher has been told, and a new upstream is asked to begin its snapshot when it is there itself:
 * nothing goes back. One that is not there within a time is left for the next.
 *
 * A write is answered when the watch has told what it made: who has the answer finds it in whatever
 * the watcher keeps.
 *
 * A typhad that is fed, over however many others, by itself would know nothing: each says its
 * lineage, and who finds himself there goes elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/list.h"
#include "proto/typhad_sync_v1.pb-c.h"

#define CHAIN_LINEAGE_MAX 16u /* typhads, one behind another */
#define CHAIN_SEEN_MS 5000    /* a write's answer waits for the watch so long */

struct typha;

struct typha_chain {
	char *instance;
	char **lineage; /* of the upstream, which is the first */
	size_t n_lineage;
	uint64_t known;     /* nothing that has been told is newer */
	uint64_t told;      /* everything up to here has been told */
	uint64_t behind_at; /* where the upstream was when it was too far behind */
	bool waiting;       /* for the snapshot of an upstream that must first get there */
	char *trouble;      /* in words; NULL: none */
	uint64_t left_behind, loops, unseen_late;
};

struct typha_chain *typha_chain_new(const char *instance);
void typha_chain_free(struct typha_chain *c); /* NULL is fine */

/* The upstream has said its lineage. false: we are in it, or it is too long; trouble says so. */
bool typha_chain_lineage(struct typha_chain *c, char *const *lineage, size_t n, const char *where);
/* The watch has been accepted by an upstream that is at revision. true: that is too far behind. */
bool typha_chain_watching(struct typha_chain *c, uint64_t revision, const char *where);
/* Its snapshot begins; or there is no upstream any more. */
void typha_chain_settled(struct typha_chain *c);
/* Something of this revision has been told, or was answered; everything up to it has been told. */
void typha_chain_know(struct typha_chain *c, uint64_t revision);
void typha_chain_tell(struct typha_chain *c, uint64_t revision);
