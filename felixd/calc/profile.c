/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles: labels for those who name them, and rules for when no policy decided. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/calc/state.h"

#define PROFILE_DEFAULT_ALLOW "projectcalico-default-allow"

static struct profile *find(const struct calc *c, const char *name)
{
	hmap_find(p, &c->profiles, hash_str(name), struct profile, node,
	          strcmp(p->name, name) == 0);
	return p;
}

static struct profile *get(struct calc *c, const char *name)
{
	struct profile *p = find(c, name);

	if (!p) {
		size_t len = strlen(name);

		p = xcalloc(1, sizeof(*p) + len + 1);
		memcpy(p->name, name, len + 1);
		list_init(&p->dirty);
		rules_constant(CALC_DENY, &p->rules); /* what is not there allows nothing */
		hmap_insert(&c->profiles, &p->node, hash_str(name));
	}
	return p;
}

static void free_profile(struct calc *c, struct profile *p)
{
	index_parent_remove(&c->sets.index, &p->all);
	index_parent_remove(&c->local, &p->local);
	list_unlink(&p->dirty);
	hmap_remove(&c->profiles, &p->node);
	rules_done(&p->rules);
	free(p);
}

void calc_profile_forget(struct calc *c, struct profile *p)
{
	if (!p->exists && !p->refs && !p->told && !p->holds_sets)
		free_profile(c, p);
}

/* rules is taken. */
static void set_rules(struct calc *c, struct profile *p, const struct rules *rules)
{
	if (p->holds_sets) {
		sets_want(&c->sets, rules);
		sets_unwant(&c->sets, &p->rules);
	}
	rules_done(&p->rules);
	p->rules = *rules;
	if (p->local_refs || p->told)
		calc_touch(&c->dirty_profiles, &p->dirty);
}

static void set_labels(struct calc *c, struct profile *p, const struct label_list *labels)
{
	index_parent_set(&c->sets.index, &p->all, labels->v, labels->n);
	index_parent_set(&c->local, &p->local, labels->v, labels->n);
}

void calc_profile_builtin(struct calc *c)
{
	struct profile *p = get(c, PROFILE_DEFAULT_ALLOW);
	struct rules rules;

	rules_constant(CALC_ALLOW, &rules);
	set_rules(c, p, &rules);
	p->exists = p->builtin = true;
}

int calc_profile_update(struct calc *c, const struct resource *r, struct err *err)
{
	const V3__Profile *msg = (const V3__Profile *)r->msg;
	const V3__ProfileSpec *spec = msg->spec;
	struct label_list labels = { 0 };
	struct rules rules = { 0 };
	struct profile *p = find(c, r->name);
	int rc;

	if (p && p->builtin)
		return 0; /* a stored copy says nothing */
	if (spec && (rc = rules_convert("", spec->ingress, spec->n_ingress, spec->egress,
	                                spec->n_egress, &rules, err)) < 0) {
		calc_profile_remove(c, r->name);
		return err_wrap(err, rc, "spec");
	}
	p = get(c, r->name);
	p->exists = true;
	set_rules(c, p, &rules);
	for (size_t i = 0; spec && i < spec->n_labelstoapply; i++) {
		const V3__ProfileSpec__LabelsToApplyEntry *e = spec->labelstoapply[i];

		label_list_add(&labels, e->key ? e->key : "", e->value ? e->value : "");
	}
	set_labels(c, p, &labels);
	label_list_done(&labels);
	return 0;
}

void calc_profile_remove(struct calc *c, const char *name)
{
	struct profile *p = find(c, name);
	struct rules deny;

	if (!p || p->builtin || !p->exists)
		return;
	p->exists = false;
	rules_constant(CALC_DENY, &deny);
	set_rules(c, p, &deny);
	set_labels(c, p, &(struct label_list){ 0 });
	calc_profile_forget(c, p);
}

struct profile *calc_profile_ref(struct calc *c, const char *name)
{
	struct profile *p = get(c, name);

	p->refs++;
	return p;
}

void calc_profile_unref(struct calc *c, struct profile *p)
{
	p->refs--;
	calc_profile_forget(c, p);
}

void calc_profile_local(struct calc *c, struct profile *p, int delta)
{
	bool was = p->local_refs > 0;

	p->local_refs += (unsigned)delta;
	if (was != (p->local_refs > 0))
		calc_touch(&c->dirty_profiles, &p->dirty);
}

void calc_profiles_done(struct calc *c)
{
	hmap_for_each (p, &c->profiles, struct profile, node)
		free_profile(c, p);
	hmap_done(&c->profiles);
}
