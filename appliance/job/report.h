/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_REPORT_H
#define JOB_REPORT_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"

/*
 * report.h - report.html: one page that needs nothing else, made of a job's
 * result.json.  Warnings and errors first, then the graph as a picture, then a
 * table for each pipeline, with bars for what its stages kept, dropped and
 * failed, the rules that dropped, and what stages measured, drawn by its form
 * (page.h).
 */
int report_html(struct arena *, struct view result_json, struct buf *,
    struct err *);

#endif
