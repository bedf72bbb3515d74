/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_PROGRESS_H
#define SPOOL_PROGRESS_H

#include "spool/ticket.h"

/*
 * progress.h - how far a pipeline is: the file progress.NAME that its worker
 * replaces about once a second (quern-ticket.5).
 */

struct progress_stage {
	const char *name;
	int64_t in, kept, dropped, failed;
};

struct progress {
	int64_t seconds;		/* at work, all attempts together */
	int64_t records;		/* that left the source */
	int64_t done, total;		/* source bytes; total 0: not known */
	const char *note;		/* what a long stage says of itself */
	struct progress_stage *stage;
	size_t nstages;
};

/* progress_load - false if there is none yet */
bool progress_load(struct arena *, int dir, const char *pipeline,
    struct progress *);

/* job_why - why a job or pipeline is not running; out holds 200 bytes */
const char *job_why(const struct job *, bool draining, char *out);

#endif
