/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPOOL_ADMIT_H
#define SPOOL_ADMIT_H

#include "spool/child.h"

/*
 * admit.h - from a copy in queue/.ID to a job in queue/, hold/ or failed/.
 *
 * Copies are checked in batches by `quern-worker --check --admit DIR...`, which
 * leaves a ticket or an error in each.  A batch whose check dies is checked
 * again one by one, so that a job file that kills the check hurts only itself.
 */

/* admit_init - remove half-made copies that an earlier quernd left */
int admit_init(struct sched *, struct err *);

/* admit_start - start checks for the copies that wait, as many as may run */
void admit_start(struct sched *);

/* admit_checked - a checking worker has ended */
void admit_checked(struct sched *, const struct child *, int status,
    int signal);

/* admit_clone - a child of a template, straight to queue/ */
int admit_clone(struct sched *, const struct job *template, struct err *);

#endif
