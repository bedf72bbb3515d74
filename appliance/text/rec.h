/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_REC_H
#define TEXT_REC_H

#include "appliance/text/json.h"

/*
 * rec.h - a record: one JSON object, its members in their order and bytes
 * (quern-records(5)).  A member that no stage touches leaves exactly as it
 * came.  Everything a record points to lives in the batch's arena.
 *
 * A record ends in one of three ways: kept; dropped, a verdict with a rule,
 * its value and threshold, which is normal; failed, a fault with a reason,
 * which is counted against max_rejects.
 */

#define REC_MAX		((size_t)16 << 20)	/* bytes of a line */

struct field {
	struct view name;		/* raw, with quotes */
	struct view raw;		/* JSON */
};

struct fact {
	const char *name;
	double value;
};

enum rec_state { REC_KEPT, REC_DROPPED, REC_FAILED };

struct rec {
	struct field *field;
	uint32_t nfields, cap;
	struct fact *fact;		/* measured in this process */
	uint32_t nfacts;
	enum rec_state state;
	const char *rule;		/* dropped: the rule; failed: why */
	const char *of;			/* dropped as a duplicate of this id */
	double value, threshold;
};

/* rec_parse - a line to a record; the line must outlive it */
int rec_parse(struct arena *, struct view line, struct rec *, struct err *);

/* rec_print - the record as one line without its end */
void rec_print(struct buf *, const struct rec *);

/* rec_raw - a member's bytes by its name; false if it is not there */
bool rec_raw(const struct rec *, const char *name, struct view *raw);

/* rec_str - a string member's text; false if absent or no string */
bool rec_str(struct arena *, const struct rec *, const char *name,
    struct view *);
bool rec_int(const struct rec *, const char *name, int64_t *);

/* rec_set_* - replace a member in its place, or add it at the end */
void rec_set_raw(struct arena *, struct rec *, const char *name,
    struct view raw);
void rec_set_str(struct arena *, struct rec *, const char *name, struct view);
void rec_set_int(struct arena *, struct rec *, const char *name, int64_t);
void rec_unset(struct rec *, const char *name);

/* rec_fact - note a measurement; rec_fact_get - one noted here or in `facts` */
void rec_fact(struct arena *, struct rec *, const char *name, double);
bool rec_fact_get(const struct rec *, const char *name, double *);

void rec_drop(struct rec *, const char *rule, double value, double threshold);
void rec_fail(struct arena *, struct rec *, const char *, ...)
    BASE_PRINTF(3, 4);

#endif
