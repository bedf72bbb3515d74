/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_PLAN_H
#define JOB_PLAN_H

#include "appliance/base/conf.h"
#include "appliance/job/lang.h"
#include "appliance/module.h"
#include "appliance/store/ref.h"

#include <time.h>

/*
 * plan.h - a job file's text to what will be done: modules loaded, options
 * parsed, names joined to edges.  The same code serves `check`, admission and
 * the run, so a plan that was admitted is the plan that runs.
 */

struct plan_stage {
	const struct module *module;
	void *conf;
	struct needs needs;
	struct word word;		/* where it stands */
};

struct plan_pipe {
	const char *name;
	struct plan_stage *stage;
	size_t nstages;
	uint64_t after;			/* pipelines that it needs */
	struct word word;
};

struct plan {
	const char *file;
	int priority, attempts;
	time_t not_before;
	const char *every;
	bool catch_up;
	const char **after;
	size_t nafter;
	int64_t memory, disk, seconds, cores, rejects;	/* rejects -1: any */
	const char *notify, *purpose;
	int64_t retain;
	struct plan_pipe *pipe;
	size_t npipes;
};

/* plan_make - everything wrong goes to faults; conf for the grants, or NULL */
void plan_make(struct plan *, struct arena *, struct view text,
    const struct conf *, struct faults *);

/* plan_stage - one stage from its words, also for a shell stage */
int plan_stage(struct plan_stage *, struct arena *, const struct word *,
    size_t n, struct err *);

/* plan_shape - does a source begin and a sink end it, is what stands between
 * neither; shell: stdin and stdout stand in */
void plan_shape(const struct plan_pipe *, struct faults *);

/* plan_json - for people and programs; plan_ticket - for quernd */
void plan_json(const struct plan *, struct buf *);
void plan_ticket(const struct plan *, struct buf *);

/* plan_find - a pipeline by its name; NULL */
const struct plan_pipe *plan_find(const struct plan *, const char *name);

/* plan_saver - which pipeline of the job saves a name; -1 */
int plan_saver(const struct plan *, const char *name);

#endif
