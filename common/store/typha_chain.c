/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/store/typha_chain.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"

struct typha_chain *typha_chain_new(const char *instance)
{
	struct typha_chain *c = xcalloc(1, sizeof(*c));

	c->instance = xstrdup(instance);
	return c;
}

static void lineage_free(struct typha_chain *c)
{
	for (size_t i = 0; i < c->n_lineage; i++)
		free(c->lineage[i]);
	free(c->lineage);
	c->lineage = NULL;
	c->n_lineage = 0;
}

void typha_chain_free(struct typha_chain *c)
{
	if (!c)
		return;
	lineage_free(c);
	free(c->instance);
	free(c->trouble);
	free(c);
}

bool typha_chain_lineage(struct typha_chain *c, char *const *lineage, size_t n, const char *where)
{
	bool loop = false;

	for (size_t i = 0; i < n; i++)
		loop = loop || strcmp(lineage[i], c->instance) == 0;
	if (loop || n >= CHAIN_LINEAGE_MAX) {
		free(c->trouble);
		c->trouble =
		        xasprintf(loop ? "typhad at '%s' is fed by this one: not fed by it"
		                       : "typhad at '%s' is the end of a chain that is too long",
		                  where);
		c->loops++;
		return false;
	}
	lineage_free(c);
	c->lineage = xcalloc(n ? n : 1, sizeof(*c->lineage));
	for (size_t i = 0; i < n; i++)
		c->lineage[i] = xstrdup(lineage[i]);
	c->n_lineage = n;
	return true;
}

bool typha_chain_watching(struct typha_chain *c, uint64_t revision, const char *where)
{
	c->waiting = revision < c->known;
	if (!c->waiting)
		return false;
	c->behind_at = revision;
	free(c->trouble);
	c->trouble = xasprintf("typhad at '%s' is behind: it knows revision %" PRIu64
	                       ", here %" PRIu64 " is known",
	                       where, revision, c->known);
	return true;
}

void typha_chain_settled(struct typha_chain *c)
{
	c->waiting = false;
	free(take_ptr(&c->trouble));
}

void typha_chain_know(struct typha_chain *c, uint64_t revision)
{
	if (revision > c->known)
		c->known = revision;
}

void typha_chain_tell(struct typha_chain *c, uint64_t revision)
{
	typha_chain_know(c, revision);
	if (revision > c->told)
		c->told = revision;
}
