/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_CHILD_H
#define SPOOL_CHILD_H

#include "spool/sched.h"

/*
 * child.h - the processes of quernd: a pipeline's worker, an admission check,
 * a finishing worker, a hook.  All are forked and executed, lead their own
 * process group, and inherit nothing but stdio (and a worker its lock).
 *
 * A worker's lock is flocked before fork and inherited; only the worker keeps
 * it.  After a restart a held lock is a living worker that is not our child.
 *
 * A memory limit is the kernel's where it can be (cgroup.h); elsewhere RSS is
 * watched once a second, with RLIMIT_DATA behind it for what grows faster.
 */

enum child_kind { CHILD_PIPE, CHILD_CHECK, CHILD_FINISH, CHILD_HOOK };

struct child {
	struct child *next;
	enum child_kind kind;
	pid_t pid;			/* and process group */
	struct job *job;		/* CHILD_PIPE, CHILD_FINISH */
	struct pipe *pipe;		/* CHILD_PIPE */
	bool orphan;			/* started by an earlier quernd */
	int cores;
	uint64_t gpus;
	double started, asked;		/* asked: when TERM was sent, or 0 */
	const char *limit;		/* the limit that it broke, or NULL */
	double disk_checked;
	char *id[64];			/* CHILD_CHECK: jobs being checked */
	size_t nids;
};

/* child_new - a record at the head of the list */
struct child *child_new(struct sched *, enum child_kind);

/* child_fate - what a worker wrote as its last act; false if nothing */
bool child_fate(struct arena *, int dir, const struct pipe *, int *status,
    int *signal, const char **why);

/* child_pipe - start a worker; the job lies in run/ */
int child_pipe(struct sched *, struct job *, struct pipe *, int cores,
    uint64_t gpus, struct err *);

/* child_adopt - look at a pipeline of a job in run/ at start: is it alive, has
 * it left a fate, or is it to be started again */
void child_adopt(struct sched *, struct job *, struct pipe *);

int child_check(struct sched *, char **id, size_t n, struct err *);
int child_finish(struct sched *, struct job *, struct err *);
void child_hook(struct sched *, const char *program, const struct job *);

/* child_reap - take in those that have ended; true if any had */
bool child_reap(struct sched *);

/* child_lock - the pipeline's lock, held; -1 if its worker lives */
int child_lock(int dir, const struct pipe *, struct err *);

/* child_ended - a worker's end: kill what it left, tell the scheduler */
void child_ended(struct sched *, struct child *, int status, int signal);

/* child_watch - limits, kills that are due, orphans; once a second */
void child_watch(struct sched *);

/* child_stop - TERM now, KILL after 30 s; job NULL: all workers */
void child_stop(struct sched *, const struct job *);

size_t child_count(const struct sched *, enum child_kind);

#endif
