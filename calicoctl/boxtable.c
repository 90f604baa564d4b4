/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/boxtable.h"

#include <stdbool.h>

#include "common/base/mem.h"

/* Characters, not bytes. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void write_line(const size_t *width, size_t n, struct buf *out)
{
	for (size_t c = 0; c < n; c++) {
		buf_byte(out, '+');
		for (size_t i = 0; i < width[c] + 2; i++)
			buf_byte(out, '-');
	}
	buf_str(out, "+\n");
}

static void write_cell(const char *cell, size_t width, bool right, struct buf *out)
{
	size_t blanks = width - width_of(cell);

	buf_printf(out, "| %*s%s", right ? (int)blanks : 0, "", cell);
	buf_printf(out, "%*s ", right ? 0 : (int)blanks, "");
}

void boxtable_write(const char *const *cells, size_t n_columns, size_t n_rows, unsigned right,
                    struct buf *out)
{
	CLEANUP(free_p) size_t *width = xcalloc(n_columns, sizeof(*width));

	for (size_t i = 0; i < n_columns * n_rows; i++)
		if (width_of(cells[i]) > width[i % n_columns])
			width[i % n_columns] = width_of(cells[i]);
	write_line(width, n_columns, out);
	for (size_t r = 0; r < n_rows; r++) {
		for (size_t c = 0; c < n_columns; c++)
			write_cell(cells[r * n_columns + c], width[c], r && (right >> c & 1), out);
		buf_str(out, "|\n");
		if (r == 0)
			write_line(width, n_columns, out);
	}
	write_line(width, n_columns, out);
}
