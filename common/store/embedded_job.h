/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embedded_job: the embedded driver's half that blocks: a batch of operations goes in, answers and
 * changes come out.
 *
 * Runs on a worker thread while the loop waits for it, never two at a time. Writes that are in one
 * batch share one transaction, that is one fsync (group commit); each has its own verdict. When the
 * disk is full, the writes of a batch are tried again one by one, so that a large one does not take
 * the small ones with it.
 *
 * Changes always come out of the log: those that other processes made before a write of ours are
 * found when the transaction begins, ours are added as they are made. Reading everything (OP_LOAD)
 * goes page by page, with writes in between; what changed meanwhile is read from the log at its
 * end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/list.h"
#include "common/store/kv.h"
#include "common/store/store.h"

enum op_type {
	OP_GET,
	OP_LIST,
	OP_CREATE,
	OP_UPDATE,
	OP_APPLY,
	OP_REMOVE,
	OP_LOAD,     /* one page of everything; the next one follows until the job is live */
	OP_CATCH_UP, /* what others have changed; asks for a reload when the job is not live */
	OP_TIDY,     /* a piece of tidying, and what is due to expire */
};

struct op {
	struct list node;
	enum op_type type;
	model_kind kind;
	char *ns, *name;    /* of a list: name is the prefix; each may be NULL */
	char *key;          /* not of lists */
	uint64_t expected;  /* revision; of OP_LOAD: the kinds to watch, when a watch begins */
	struct resource *r; /* to be written; becomes what was stored */
	store_done_fn *fn;  /* NULL: nobody waits */
	void *arg;
	/* the answer */
	bool answered; /* before the worker saw it: the request makes no sense */
	enum store_status status;
	char *text;
	uint64_t header;
	struct resource **items;
	size_t n;
	bool items_own; /* false: items[0] is r */
};

void op_free(struct op *op);
void op_answer(struct op *op, enum store_status status, const char *text); /* copies text */

/* One thing a watcher may have to hear of. */
struct change {
	model_kind kind;
	char *ns, *name;
	struct resource *r; /* NULL: gone, or why is set */
	bool r_own;         /* false: r belongs to an op of the same batch */
	char *key, *why;    /* of a value that cannot be read */
};

struct job {
	/* set by the loop while no batch runs */
	char *path;
	struct kv *kv;
	struct list ops; /* the batch */
	struct kv_keep keep;

	/* of the watch: the worker's own */
	uint64_t kinds;     /* by bit; 0: no watch */
	bool live;          /* delivered is true: changes come from the log */
	uint64_t delivered; /* the changes up to here have been given out */
	char *load_after;   /* where the next page begins; NULL: at the beginning */

	/* results of the batch */
	struct change *changes;
	size_t n_changes, cap_changes;
	bool load_began, load_done;
	bool reload;             /* the log does not reach back far enough: OP_LOAD is wanted */
	bool untidy;             /* there is more tidying to do: OP_TIDY is wanted */
	uint64_t next_expiry_ms; /* boottime_ms() at which OP_TIDY is wanted; 0: never */
	uint64_t expired;        /* objects */
	uint64_t revision;       /* of the datastore */
	uint64_t writes, commits, commits_failed, conflicts, reads, foreign;
	struct err write_err; /* of the last transaction; code 0: fine */
};

#define JOB_KIND_BIT(kind) ((unsigned)(kind) < 64 ? (uint64_t)1 << (unsigned)(kind) : 0)

/* Works the batch off: every op is answered. */
void job_run(struct job *j);
/* Frees the changes. */
void job_clear(struct job *j);
