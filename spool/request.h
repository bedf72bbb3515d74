/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_REQUEST_H
#define SPOOL_REQUEST_H

#include "spool/sched.h"

/*
 * request.h - ID.cancel ID.hold ID.release ID.priority ID.rm ID.rerun in
 * incoming/: what people want of a job.  A request is an empty file, or holds
 * one number (the priority; the pipeline to begin again with).  It is obeyed
 * only if its owner is the job's, quernd's own user, or root.
 */

extern const char *const request_verbs[];	/* ends with NULL */

/* request_is - is this name a request */
bool request_is(const char *name);

/* request_obey - do it and remove the file */
void request_obey(struct sched *, const char *name);

#endif
