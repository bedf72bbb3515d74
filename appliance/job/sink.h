/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_SINK_H
#define JOB_SINK_H

#include "appliance/module.h"

/*
 * sink.h - what save and append share: records into a pack that is born in
 * STORE/work/JOB, verdicts of the pipeline into another, and at the end both
 * published as a version.  Append keeps the packs of the version before it; a
 * record with the same id is replaced.  Every record needs an id.
 */

int sink_plan(const char *name, struct needs *, struct err *);
int sink_open(struct stage *, const char *name, bool append, struct err *);
int sink_batch(struct stage *, void *scratch, struct batch *, struct err *);
int sink_finish(struct stage *, struct batch *, struct err *);
void sink_close(struct stage *);

#endif
