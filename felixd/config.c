/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/setting.h"
#include "felixd/config_param.h"

#define PREFIX "FELIX_"

const char *felix_source_str(enum felix_source s)
{
	static const char *const names[] = {
		[FELIX_DEFAULT] = "default",
		[FELIX_CLUSTER] = "ClusterInformation",
		[FELIX_GLOBAL] = "FelixConfiguration default",
		[FELIX_SELECTED] = "FelixConfiguration by nodeSelector",
		[FELIX_NODE] = "Node",
		[FELIX_HOST] = "FelixConfiguration of the node",
		[FELIX_FILE] = "file",
		[FELIX_ENVIRONMENT] = "environment",
	};

	return names[s];
}

/* ---- layers */

static void note(const struct felix_layers *l, enum felix_note what, const char *name,
                 const char *value, const char *why, enum felix_source s)
{
	if (l->report)
		l->report(l->arg, what, name, value, why, s);
}

static void values_free(char **v)
{
	for (size_t i = 0; v && i < felix_params_count(); i++)
		free(v[i]);
	free(v);
}

void felix_layer_clear(struct felix_layers *l, enum felix_source s)
{
	values_free(l->value[s]);
	l->value[s] = NULL;
}

void felix_layers_done(struct felix_layers *l)
{
	for (unsigned s = 0; s < FELIX_SOURCES; s++)
		felix_layer_clear(l, s);
}

void felix_layer_set(struct felix_layers *l, enum felix_source s, const char *name, size_t name_len,
                     const char *value, size_t len)
{
	const struct felix_param *p = felix_param_find(name, name_len);
	char **at;

	if (!p) {
		CLEANUP(free_p) char *unknown = xstrndup(name, name_len);

		if (len)
			note(l, FELIX_UNKNOWN, unknown, NULL, "not a parameter of felix", s);
		return;
	}
	if (len && (p->flags & FELIX_LOCAL) && s < FELIX_FILE) {
		note(l, FELIX_NOT_HERE, p->name, NULL,
		     "only the environment and the file may set it", s);
		return;
	}
	if (!l->value[s])
		l->value[s] = xcalloc(felix_params_count(), sizeof(char *));
	at = &l->value[s][p - felix_params];
	free(*at);
	*at = len ? xstrndup(value, len) : NULL;
}

void felix_layer_read_env(struct felix_layers *l, const char *const *env)
{
	felix_layer_clear(l, FELIX_ENVIRONMENT);
	for (; *env; env++) {
		const char *name = *env + strlen(PREFIX), *eq;

		if (strncasecmp(*env, PREFIX, strlen(PREFIX)) != 0)
			continue;
		eq = strchr(name, '=');
		if (eq && eq > name)
			felix_layer_set(l, FELIX_ENVIRONMENT, name, (size_t)(eq - name), eq + 1,
			                strlen(eq + 1));
	}
}

static void on_line(void *arg, const char *key, size_t key_len, const char *value, size_t len)
{
	felix_layer_set(arg, FELIX_FILE, key, key_len, value, len);
}

int felix_layer_read_file(struct felix_layers *l, const char *text, struct err *err)
{
	char **before = take_ptr(&l->value[FELIX_FILE]);
	int rc = setting_lines(text, on_line, l, err);

	if (rc < 0) {
		felix_layer_clear(l, FELIX_FILE);
		l->value[FELIX_FILE] = before;
		return rc;
	}
	values_free(before);
	return 0;
}

/* ---- the outcome */

/* The text that counts: of the highest layer that has one. */
static const char *given(const struct felix_layers *l, size_t row, enum felix_source *ret)
{
	for (unsigned s = FELIX_SOURCES - 1; s > FELIX_DEFAULT; s--) {
		if (l->value[s] && l->value[s][row]) {
			*ret = s;
			return l->value[s][row];
		}
	}
	*ret = FELIX_DEFAULT;
	return NULL;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void set_default(struct felix_config *c, const struct felix_param *p)
{
	struct felix_row *row = &c->rows[p - felix_params];
	const char *why;

	row->source = FELIX_DEFAULT;
	if (p->dflt)
		(void)felix_param_parse(p, p->dflt, c, &row->text, &why);
}

static void resolve_one(const struct felix_layers *l, const struct felix_param *p,
                        const struct felix_row *before, struct felix_config *c)
{
	struct felix_row *row = &c->rows[p - felix_params];
	enum felix_source source;
	const char *text = given(l, (size_t)(p - felix_params), &source), *why;
	bool news = !before || !same(before->given, text);

	if (!text) {
		set_default(c, p);
		return;
	}
	row->given = xstrdup(text);
	row->source = (uint8_t)source;
	if (!felix_param_parse(p, text, c, &row->text, &why)) {
		set_default(c, p);
		if (news)
			note(l, FELIX_BAD_VALUE, p->name, text, why, source);
		return;
	}
	/* What was given for something that is as it is anyway needs no word. */
	if (news && p->inert && !same(row->text, p->dflt) && strcmp(row->text, "") != 0)
		note(l, FELIX_INERT, p->name, text, p->inert, source);
}

void felix_config_resolve(const struct felix_layers *l, const struct felix_config *before,
                          struct felix_config *ret)
{
	*ret = (struct felix_config){ .dataplane.nat_outgoing_random_fully = true };
	ret->rows = xcalloc(felix_params_count(), sizeof(*ret->rows));
	for (const struct felix_param *p = felix_params; p->name; p++)
		resolve_one(l, p, before && before->rows ? &before->rows[p - felix_params] : NULL,
		            ret);
}

void felix_config_done(struct felix_config *c)
{
	for (size_t i = 0; c->rows && i < felix_params_count(); i++) {
		free(c->rows[i].given);
		free(c->rows[i].text);
	}
	free(c->rows);
	free(c->dataplane.failsafe_in.v);
	free(c->dataplane.failsafe_out.v);
	*c = (struct felix_config){ 0 };
}

void felix_config_diff(const struct felix_config *a, const struct felix_config *b,
                       void (*fn)(void *arg, const char *name, const char *was, const char *is,
                                  enum felix_source source, enum felix_effect effect),
                       void *arg)
{
	for (const struct felix_param *p = felix_params; p->name; p++) {
		const struct felix_row *x = &a->rows[p - felix_params],
		                       *y = &b->rows[p - felix_params];

		if (!same(x->text, y->text))
			fn(arg, p->name, x->text, y->text, y->source, p->effect);
	}
}

void felix_config_each(const struct felix_config *c,
                       void (*fn)(void *arg, const char *name, const char *value,
                                  enum felix_source source, const char *inert),
                       void *arg)
{
	for (const struct felix_param *p = felix_params; p->name; p++) {
		const struct felix_row *row = &c->rows[p - felix_params];

		fn(arg, p->name, row->text, row->source, p->inert);
	}
}

enum felix_source felix_config_source(const struct felix_config *c, const char *name)
{
	const struct felix_param *p = felix_param_find(name, strlen(name));

	return p ? (enum felix_source)c->rows[p - felix_params].source : FELIX_DEFAULT;
}
