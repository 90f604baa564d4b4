/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * typha_chain: what a typhad that is fed by typhads needs beyond what every client does. Part of
 * the typha driver.
 *
 * Upstreams are as good as one another but not equally far. So it is known up to which revision the
 * watcher has been told, and a new upstream is asked to begin its snapshot when it is there itself:
 * nothing goes back. One that is not there within a time is left for the next; unless the datastore
 * itself, asked through it, is not there either: then it has gone back in time, restored from a
 * backup, and everything is learnt anew.
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

#include "proto/typhad_sync_v1.pb-c.h"

#define CHAIN_LINEAGE_MAX 16u /* typhads, one behind another */
#define CHAIN_SEEN_MS 5000    /* a write's answer waits for the watch so long */
#define CHAIN_CIRCLE_MS 1000u /* before a server that is fed by us is left */

struct typha;

struct typha_chain {
	char *instance;
	char **lineage; /* of the upstream, which is the first */
	size_t n_lineage;
	uint64_t known; /* nothing that has been told is newer */
	uint64_t told;  /* everything up to here has been told */
	bool waiting;   /* for the snapshot of an upstream that must first get there */
	char *trouble;  /* in words; NULL: none */
	uint64_t left_behind, loops, unseen_late, rewinds;
};

struct typha_chain *typha_chain_new(const char *instance);
void typha_chain_free(struct typha_chain *c); /* NULL is fine */

/* Each of these does nothing to an ordinary client's t. */

/* The upstream's lineage. false: we are in it, or it is too long: the connection is left in a
 * moment. */
bool typha_chain_lineage(struct typha *t, char *const *lineage, size_t n);
/* What Watch asks for; what its result says. */
void typha_chain_ask(const struct typha *t, Sync__V1__Watch *m);
void typha_chain_watching(struct typha *t, const Sync__V1__Result *m);
/* Its snapshot begins. */
void typha_chain_snapshot(struct typha *t);
/* What is told next had happened by revision; 0: it is not said. */
void typha_chain_horizon(struct typha *t, uint64_t revision);
/* Is that less than was told before? Then everything begins anew, and the connection is lost. */
bool typha_chain_rewinds(struct typha *t, uint64_t revision);
/* Everything up to revision has been told: writes that waited for it are answered. */
void typha_chain_told(struct typha *t, uint64_t revision);
/* A write was answered with this revision, which the next upstream must have. */
void typha_chain_know(struct typha_chain *c, uint64_t revision);
