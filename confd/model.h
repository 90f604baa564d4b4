/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: from the datastore's objects to the tree that templates see. Pure.
 *
 * All of upstream's rules about who peers with whom are here; a template only writes down what it
 * is told. README.md lists the members.
 */
#pragma once

#include <stddef.h>

#include "common/json/json.h"
#include "common/model/resource.h"

struct err;

/* Objects of one kind, sorted by name. */
struct objects {
	struct resource **items;
	size_t n;
};

void objects_put(struct objects *o, struct resource *r);  /* taken; replaces one of the same name */
bool objects_remove(struct objects *o, const char *name); /* false: there was none */
const struct resource *objects_find(const struct objects *o, const char *name);
void objects_done(struct objects *o);

struct model_input {
	const char *node;
	const char *router_id; /* CALICO_ROUTER_ID: NULL or "", "hash", or the identifier itself */
	struct objects nodes, configs, peers, pools;
	struct objects affinities; /* this node's, by their names "<node>/<cidr>" */
};

void model_input_done(struct model_input *in);

/* -EAGAIN, with a sentence, when there is not yet enough to say anything: no Node, or no router ID.
 */
int model_build(const struct model_input *in, struct json **ret, struct err *err);
