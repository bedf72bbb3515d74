/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_KNOWN_H
#define JOB_KNOWN_H

#include "appliance/job/plan.h"

/*
 * known.h - what needs the store: every name that a plan reads and does not
 * make itself must be there, and be of the kind that the option wants.
 */
void known_all(const struct plan *, struct arena *, const struct conf *,
    struct faults *);

#endif
