/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_FINISH_H
#define JOB_FINISH_H

#include "appliance/base/err.h"

/*
 * finish.h - quern-worker --finish DIR: when all pipelines of a job have ended,
 * gather what they left: result/result.json and result/rejects.jsonl, and drop
 * what only a resume would need.
 */
int finish_main(const char *dir, struct err *);

#endif
