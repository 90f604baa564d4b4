/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_object: what the datastore says of Felix's parameters, as layers (config.h).
 *
 * Of all that it is told it keeps the texts of the objects that could be this node's:
 * FelixConfiguration default, node.<this node>, and those with a nodeSelector; of all Nodes, this
 * one's labels. Of several whose nodeSelector fits, the oldest counts, then the lowest name. Pure.
 */
#pragma once

#include "common/model/resource.h"
#include "felixd/config.h"

struct felix_objects;

/* layers is borrowed and must outlive it. */
struct felix_objects *felix_objects_new(const char *node, struct felix_layers *layers);
void felix_objects_free(struct felix_objects *o);

/* FelixConfiguration, Node, ClusterInformation. true: the layers have been filled anew. */
bool felix_objects_update(struct felix_objects *o, const struct resource *r);
bool felix_objects_remove(struct felix_objects *o, model_kind kind, const char *name);

/* The FelixConfiguration by nodeSelector that counts; NULL: none. Lives until the next update. */
const char *felix_objects_selected(const struct felix_objects *o);
