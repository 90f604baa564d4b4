/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/http/health.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define COLUMNS 5u

static bool timed_out(const struct health_component *c)
{
	return c->timeout_ms && c->age_ms > c->timeout_ms;
}

bool health_live(const struct health_component *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (timed_out(&all[i]) || !all[i].live)
			return false;
	return true;
}

bool health_ready(const struct health_component *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (timed_out(&all[i]) || !all[i].ready)
			return false;
	return true;
}

struct row {
	const char *cells[COLUMNS];
	char timeout[32];
};

static void row_fill(struct row *r, const struct health_component *c)
{
	bool late = timed_out(c);

	if (c->timeout_ms)
		(void)snprintf(r->timeout, sizeof(r->timeout), "%gs",
		               (double)c->timeout_ms / 1000.0);
	else
		(void)snprintf(r->timeout, sizeof(r->timeout), "-");
	r->cells[0] = c->name;
	r->cells[1] = r->timeout;
	r->cells[2] = late ? "timed out" : c->live ? "reporting live" : "reporting non-live";
	r->cells[3] = late ? "timed out" : c->ready ? "reporting ready" : "reporting non-ready";
	r->cells[4] = c->detail ? c->detail : "";
}

static int by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->cells[0], y->cells[0]);
}

static void add_rule(const size_t width[COLUMNS], struct buf *out)
{
	for (unsigned c = 0; c < COLUMNS; c++) {
		buf_byte(out, '+');
		for (size_t i = 0; i < width[c] + 2; i++)
			buf_byte(out, '-');
	}
	buf_str(out, "+\n");
}

static void add_row(const char *const cells[COLUMNS], const size_t width[COLUMNS], struct buf *out)
{
	for (unsigned c = 0; c < COLUMNS; c++)
		buf_printf(out, "| %-*s ", (int)width[c], cells[c]);
	buf_str(out, "|\n");
}

void health_table(const struct health_component *all, size_t n, struct buf *out)
{
	static const char *const head[COLUMNS] = { "COMPONENT", "TIMEOUT", "LIVENESS", "READINESS",
		                                   "DETAIL" };
	struct row *rows = xcalloc(n ? n : 1, sizeof(*rows));
	size_t width[COLUMNS];

	for (unsigned c = 0; c < COLUMNS; c++)
		width[c] = strlen(head[c]);
	for (size_t i = 0; i < n; i++)
		row_fill(&rows[i], &all[i]);
	for (size_t i = 0; i < n; i++)
		for (unsigned c = 0; c < COLUMNS; c++)
			if (strlen(rows[i].cells[c]) > width[c])
				width[c] = strlen(rows[i].cells[c]);
	qsort(rows, n, sizeof(*rows), by_name);
	for (size_t i = 0; i < n; i++) /* the cell points into the row, which has moved */
		rows[i].cells[1] = rows[i].timeout;
	add_rule(width, out);
	add_row(head, width, out);
	add_rule(width, out);
	for (size_t i = 0; i < n; i++)
		add_row(rows[i].cells, width, out);
	add_rule(width, out);
	free(rows);
}
