/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_MARK_H
#define JOB_MARK_H

#include "appliance/job/run.h"

/*
 * mark.h - the place in a pipeline to resume from: how many batches are wholly
 * behind us, and how long journals, rejects and verdicts were then.  A file of
 * lines of words in work.PIPELINE, replaced by rename after all it speaks of is
 * flushed.
 */

struct mark_stage {
	int64_t journal, in, kept, dropped, failed;
	struct stage_rule *rules;
};

struct mark {
	int64_t batches, records, rejected, seconds;
	int threads;
	int64_t rejects_len, verdicts_len;
	struct mark_stage *stage;
};

int mark_write(struct run *, struct err *);

/* mark_read - stage holds as many as the pipeline has; other modules: reject */
int mark_read(struct arena *, int work, const struct plan_pipe *,
    struct mark *, struct err *);

#endif
