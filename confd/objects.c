/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "common/base/mem.h"
#include "confd/model.h"

/* Where name stands, or belongs. */
static size_t position(const struct objects *o, const char *name, bool *ret_found)
{
	size_t low = 0, high = o->n;

	*ret_found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int cmp = strcmp(o->items[mid]->name, name);

		if (cmp == 0) {
			*ret_found = true;
			return mid;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void objects_put(struct objects *o, struct resource *r)
{
	bool found;
	size_t at = position(o, r->name, &found);

	if (found) {
		resource_free(o->items[at]);
		o->items[at] = r;
		return;
	}
	if ((o->n & (o->n + 1)) == 0) /* full at 2^k - 1 */
		o->items = xrealloc(o->items, (o->n + 1) * 2 * sizeof(struct resource *));
	memmove(o->items + at + 1, o->items + at, (o->n - at) * sizeof(struct resource *));
	o->items[at] = r;
	o->n++;
}

bool objects_remove(struct objects *o, const char *name)
{
	bool found;
	size_t at = position(o, name, &found);

	if (!found)
		return false;
	resource_free(o->items[at]);
	o->n--;
	memmove(o->items + at, o->items + at + 1, (o->n - at) * sizeof(struct resource *));
	if ((o->n & (o->n + 1)) == 0) /* keeps objects_put()'s invariant: room for the next one */
		o->items = xrealloc(o->items, (o->n + 1) * 2 * sizeof(struct resource *));
	return true;
}

const struct resource *objects_find(const struct objects *o, const char *name)
{
	bool found;
	size_t at = position(o, name, &found);

	return found ? o->items[at] : NULL;
}

void objects_done(struct objects *o)
{
	for (size_t i = 0; i < o->n; i++)
		resource_free(o->items[i]);
	free(o->items);
	*o = (struct objects){ 0 };
}

void model_input_done(struct model_input *in)
{
	objects_done(&in->nodes);
	objects_done(&in->configs);
	objects_done(&in->peers);
	objects_done(&in->pools);
	objects_done(&in->affinities);
}
