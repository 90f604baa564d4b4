/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/tally.h"

#include <stdio.h>
#include <string.h>

#include "calicoctl/visible.h"
#include "common/base/mem.h"

void tally_begin(struct tally *t, const char *verb, const char *past, const struct manifest *m)
{
	*t = (struct tally){ .verb = verb, .past = past, .total = m->n };
	for (size_t i = 0; i < m->n; i++)
		if (i == 0)
			t->kind = m->items[0].kind;
		else if (m->items[i].kind != t->kind)
			t->kind = NULL;
}

void tally_error(struct tally *t, const char *text)
{
	struct buf shown = { 0 };

	visible_add(&shown, text, true); /* it quotes what manifests hold */
	t->errors = xrealloc(t->errors, (t->n_errors + 1) * sizeof(*t->errors));
	t->errors[t->n_errors++] = buf_take(&shown);
}

/* "'IPPool' ", or nothing when kinds differ. */
static void kind_str(const struct tally *t, char *out, size_t size)
{
	if (t->kind)
		snprintf(out, size, "'%s' ", t->kind->name);
	else
		*out = '\0';
}

static void print_errors(const struct tally *t)
{
	fputc('[', stderr);
	for (size_t i = 0; i < t->n_errors; i++)
		fprintf(stderr, "%s%s", i ? " " : "", t->errors[i]);
	fputs("]\n", stderr);
}

static void print_failures(const struct tally *t)
{
	char kind[80];

	kind_str(t, kind, sizeof(kind));
	if (t->handled == 0) {
		if (t->total == 1)
			fprintf(stderr, "failed to %s %sresource: ", t->verb, kind);
		else
			fprintf(stderr, "failed to %s any %sresources: ", t->verb, kind);
		print_errors(t);
		return;
	}
	if (t->handled > t->n_errors)
		printf("Partial success: %s the first %zu out of %zu %sresources:\n", t->past,
		       t->handled, t->total, kind);
	fflush(stdout); /* in this order, when both go to one place */
	fputs("hit error: ", stderr);
	print_errors(t);
}

int tally_end(struct tally *t)
{
	int status = t->n_errors ? 1 : 0;
	char kind[80];

	kind_str(t, kind, sizeof(kind));
	if (t->n_errors == 0) {
		printf("Successfully %s %zu %sresource(s)\n", t->past, t->handled, kind);
	} else if (strcmp(t->verb, "delete") == 0) { /* upstream has its own words there */
		if (t->handled)
			printf("Successfully %s %zu %sresource(s)\n", t->past, t->handled, kind);
		fflush(stdout);
		for (size_t i = 0; i < t->n_errors; i++)
			fprintf(stderr, "Failed to delete %sresource: %s\n", kind, t->errors[i]);
		fputc('\n', stderr);
	} else {
		print_failures(t);
	}
	for (size_t i = 0; i < t->n_errors; i++)
		free(t->errors[i]);
	free(t->errors);
	return status;
}
