/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "calicoctl/calicoctl.h"
#include "calicoctl/explain.h"
#include "common/base/err.h"
#include "common/base/mem.h"

int cmd_explain(const struct options *o)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err err;

	if (o->n_args == 0) {
		explain_kinds(&out);
	} else if (explain(o->args[0], o->recursive, &out, &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	fputs(buf_cstr(&out), stdout);
	return 0;
}
