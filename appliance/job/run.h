/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_RUN_H
#define JOB_RUN_H

#include "appliance/job/plan.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/*
 * run.h - one pipeline at work: what its stages share.  Order of calls:
 * run_open, pipeline_run, run_close; run_progress and run_piece may be called
 * by pipeline_run's caller after an error too.
 */

struct counts {
	_Atomic int64_t in, kept, dropped, failed;
};

struct stage_rule {			/* verdicts of one rule */
	const char *rule;
	int64_t n;
	struct stage_rule *next;
};

/* what the house keeps for a stage */
struct stage_own {
	size_t place;			/* in the pipeline, from 0 */
	int journal;			/* -1 in a shell */
	int64_t journal_len;		/* appended, incl. `pending` */
	struct buf *pending;		/* not yet written */
	struct view past;		/* what the mark kept */
	int sync[8];
	size_t nsync;
	struct counts counts;
	struct stage_rule *rules;
	struct buf *result;		/* members of result.json */
	int64_t result_mark;
};

struct run {
	struct arena *arena;
	const struct plan_pipe *pipe;
	struct stage *stage;
	size_t nstages;
	bool shell, unmarked;
	bool ranks;			/* may speak to other ranks */
	int dir, work, result;		/* -1 in a shell */
	const char *job, *path;		/* id; the job's directory */
	struct store *store;
	const char **input;		/* versions that were read */
	size_t ninputs;
	const char *result_key;		/* hex, or NULL */
	struct hash_key key;
	int threads;
	const char *gpus;
	int64_t max_rejects;
	int64_t batches;		/* handed out by the source */
	_Atomic int64_t total, done;
	_Atomic int64_t records, rejected;
	int64_t seconds_before;		/* of earlier attempts */
	double began, told, marked;
	char note[160];
	pthread_mutex_t text;		/* note, warnings, rules */
	struct buf *warnings;
	struct buf *measured;		/* members of result.json's */
	size_t nwarnings;
	int rejects, verdicts;		/* files, -1 if none */
	int64_t rejects_len, verdicts_len;
	int out;			/* a shell's stdout, else -1 */
	bool tty;			/* a progress line is wanted */
	int said;			/* faults told to a shell */
};

extern volatile sig_atomic_t run_signal;	/* TERM or INT has come */

/* run_store - the store and its key, if a stage needs it; conf NULL: a shell */
int run_store(struct run *, struct arena *, const struct conf *,
    const struct plan_pipe *, struct err *);

/* run_same - 1 if what this pipeline saves was made before from the same input
 * by the same stages, and is noted as this job's; 0; -1 */
int run_same(struct run *, const struct plan_pipe *, struct err *);

/* run_note - the run in the store's list of runs */
int run_note(struct run *, const struct plan_pipe *, const struct err *failure,
    struct err *);

/* run_open - stages, journals cut to the mark, scratch directories */
int run_open(struct run *, struct arena *, const struct plan_pipe *,
    struct err *);

/* run_mark - everything up to now survives; called while nothing moves */
int run_mark(struct run *, struct err *);

/* run_progress - the progress file, or a terminal's line; once a second */
void run_progress(struct run *, bool last);

/* run_piece - result.PIPELINE.json: counts, rules, results, warnings */
int run_piece(struct run *, const struct err *failure, struct err *);

/* run_settle - counts, rejects and verdicts of a batch after a stage; what is
 * no longer kept leaves the batch */
void run_settle(struct run *, struct stage *, struct batch *, struct buf *rej,
    struct buf *ver);

void run_close(struct run *);

/* pipeline_run - all batches, then finish; FATE_STOP when asked to stop */
int pipeline_run(struct run *, struct err *);

#endif
