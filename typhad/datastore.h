/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * datastore: where typhad's state comes from: a datastore of its own, or another typhad.
 *
 * Of typhads that may feed this one, those on this host come first and the others in random order,
 * so that the nodes of a cluster spread over them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct typhad;
struct datastore;

/* Opens what the parameters name. */
int datastore_open(struct typhad *t, struct err *err);
/* Begins to fill the cache; loaded is called once, when it is complete. */
int datastore_watch(struct typhad *t, void (*loaded)(struct typhad *t));
/* Writes under way are finished, nobody is told. */
void datastore_close(struct typhad *t);
/* Asks the datastore itself, all the way up, at which revision it is. Not live: it does not answer.
 */
typedef void datastore_verified_fn(void *arg, bool live, uint64_t revision);
void datastore_verify(struct typhad *t, datastore_verified_fn *fn, void *arg);
/* Whether it is another typhad's. */
bool datastore_is_chained(const struct typhad *t);
