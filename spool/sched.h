/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_SCHED_H
#define SPOOL_SCHED_H

#include "spool/ended.h"
#include "spool/spool.h"

/*
 * sched.h - quernd's table of living jobs and what moves them.
 *
 * The table holds the jobs of queue, run and hold, sorted by id.  Every
 * transition is a rename made here; promises (admission, done, failed, hold)
 * set `dirty`, and the loop flushes once per wake-up for all of them.
 */

struct child;
struct drop;

struct sched {
	struct arena *arena;
	struct conf conf;
	struct spool spool;
	const char *worker;		/* path of quern-worker */
	struct job **job;
	size_t n, cap;
	struct child *children;
	int cgroup;			/* ours to divide (cgroup.h), or -1 */
	int running;			/* pipelines */
	int cores, cores_free;		/* free may be below zero */
	uint64_t gpus, gpus_free;	/* bit sets of device numbers */
	time_t started;
	bool draining, stopping, dirty;
	bool look;			/* a drop went back: look again soon */
	bool loading;			/* no steps until all is read */
	double space_checked;
	bool space_low;
	struct drop *drops;		/* those in hand (drop.h) */
	struct ended ended;		/* drops of ended jobs */
	size_t ndrops;
};

/* sched_load - read queue, run and hold; find living workers */
int sched_load(struct sched *, struct err *);

void sched_add(struct sched *, struct job *);
struct job *sched_find(const struct sched *, const char *id);

/* sched_start - start what is ready, best priority first, then oldest */
void sched_start(struct sched *);

/* sched_step - after any change of a job: finish it, hold it, or nothing */
void sched_step(struct sched *, struct job *);

/* sched_ended - a pipeline's worker has ended with a fate or a signal */
void sched_ended(struct sched *, struct job *, struct pipe *, int status,
    int signal, const char *why);

/* sched_finished - the finishing worker is through: to done or failed */
void sched_finished(struct sched *, struct job *);

/* sched_clock - templates that fire, jobs for which there is space again */
void sched_clock(struct sched *);

/* sched_wake - seconds until the clock changes something; 3600 at most */
double sched_wake(const struct sched *);

/* sched_idle - nothing runs, and only the calendar or a person changes that */
bool sched_idle(const struct sched *);

/* sched_prune - remove ended jobs that are older than conf says */
void sched_prune(struct sched *);

#endif
