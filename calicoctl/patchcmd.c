/* SPDX-License-Identifier: BSD-2-Clause */
/* patch: changes part of one object. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calicoctl/crud.h"
#include "calicoctl/db.h"
#include "calicoctl/patch.h"
#include "calicoctl/typed.h"
#include "calicoctl/write.h"
#include "calicoctl/yaml.h"
#include "common/base/err.h"
#include "common/base/mem.h"

struct request {
	const struct kind_info *kind;
	const char *ns;
	enum patch_type type;
	struct json *patch;
};

/* The patch is JSON or YAML, one document. */
static int read_patch(const struct options *o, struct request *q, struct err *err)
{
	const char *text = o->patch ? o->patch : "";
	struct yaml_docs docs;
	int rc = 0;

	yaml_parse(text, strlen(text), &docs);
	if (docs.n != 1)
		rc = err_set(err, -EINVAL,
		             docs.n ? "the patch is more than one document"
		                    : "the patch is empty: use --patch");
	else if (!docs.items[0].tree)
		rc = err_set(err, -EINVAL, "the patch, %s", docs.items[0].err.text);
	if (rc == 0) {
		q->patch = take_ptr(&docs.items[0].tree);
		typed_settle(q->type == PATCH_JSON ? NULL : q->kind->message, q->patch);
	}
	yaml_docs_done(&docs);
	return rc;
}

static int prepare(const struct options *o, struct request *q, struct err *err)
{
	int rc;

	q->kind = crud_kind(o->args[0], err);
	if (!q->kind)
		return -EINVAL;
	if (o->ns && !q->kind->namespaced)
		return err_set(err, -EINVAL, "%s is not namespaced", q->kind->name);
	if (!*o->args[1])
		return err_set(err, -EINVAL, "resource name may not be empty");
	rc = crud_namespace(o, q->kind, NULL, &q->ns, err);
	if (rc == 0)
		rc = patch_type_parse(o->patch_type, &q->type, err);
	return rc ? rc : read_patch(o, q, err);
}

static int change(void *arg, struct json **tree, struct err *err)
{
	const struct request *q = arg;
	struct json *after;
	int rc = patch_apply(q->type, *tree, q->patch, &after, err);

	if (rc)
		return err_wrap(err, rc, "performing %s patch",
		                q->type == PATCH_JSON    ? "JSON"
		                : q->type == PATCH_MERGE ? "merge"
		                                         : "strategic merge");
	json_free(*tree);
	*tree = after;
	return 0;
}

/* What upstream's client says itself stands alone; what a write says is told to be one's. */
static void complain(int rc, const struct err *err)
{
	const char *what = "updating existing resource: ";

	if (strncmp(err->text, "field in document", 17) == 0) {
		fprintf(stderr, "%s\n", err->text);
		return;
	}
	if (rc == -ENOENT || strncmp(err->text, "performing ", 11) == 0)
		what = "";
	fprintf(stderr, "hit error: %s%s\n", what, err->text);
}

int cmd_patch(const struct options *o)
{
	struct request q = { 0 };
	struct db *db = NULL;
	struct err err;
	int rc = prepare(o, &q, &err);

	if (rc) {
		fprintf(stderr, "%s\n", err.text);
	} else {
		db = db_begin(o, false);
		rc = db ? write_modify(db, q.kind, q.ns, o->args[1], change, &q, &err) : -EIO;
		if (db && rc)
			complain(rc, &err);
	}
	if (rc == 0)
		printf("Successfully patched 1 '%s' resource\n", q.kind->name);
	db_close(db);
	json_free(q.patch);
	return rc ? 1 : 0;
}
