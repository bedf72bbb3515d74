/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_LANG_H
#define JOB_LANG_H

#include "appliance/base/buf.h"
#include "appliance/base/words.h"

/*
 * lang.h - the job language (quern-job(5)) to lines that mean something: at
 * column one a setting or `pipeline NAME`; indented, a stage.  What is wrong is
 * collected, not returned: everything is said at once.
 */

struct lang_pipe {
	struct word name;
	struct line *stage;
	size_t nstages;
};

struct lang {
	struct line *setting;
	size_t nsettings;
	struct lang_pipe *pipe;
	size_t npipes;
};

struct faults {
	const char *file;
	struct buf *text;		/* file:line:col: what, a line each */
	size_t n;
};

/* fault - note one; w gives the place, or NULL */
void fault(struct faults *, const struct word *, const char *, ...)
    BASE_PRINTF(3, 4);
void faults_init(struct faults *, struct arena *, const char *file);

/* lang_parse - a job file; look at faults->n */
void lang_parse(struct lang *, struct arena *, struct view text,
    struct faults *);

#endif
