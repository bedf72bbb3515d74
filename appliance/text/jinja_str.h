/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_JINJA_STR_H
#define TEXT_JINJA_STR_H

#include "appliance/text/jinja_value.h"

/*
 * jinja_str.h - text of templates with its marks, and values as text; for
 * jinja's own files.
 */

struct jout {				/* text that grows */
	char *p;
	unsigned char *mark;
	size_t n, cap;
};

/* text that grows; what is too much sets full */
void out_add(struct jrun *, struct jout *, struct jstr);
void out_text(struct jrun *, struct jout *, const char *, unsigned mark);
struct jv out_end(struct jout *);

/* jv_str - as str() has it; jv_repr - as repr(); jv_show adds to out */
int jv_str(struct jrun *, struct jv, struct jv *);
int jv_show(struct jrun *, struct jout *, struct jv, bool repr);

struct jjson {
	int64_t indent;			/* -1: one line */
	struct jstr comma, colon;
	bool ascii, sorted;
};
int jv_dump(struct jrun *, struct jout *, struct jv, const struct jjson *,
    int depth);

/* strings: code points, parts */
size_t str_count(struct jstr);
struct jstr str_part(struct jstr, size_t from, size_t to);	/* bytes */
struct jv str_value(struct jstr, bool safe);
void str_escape(struct jrun *, struct jout *, struct jv);	/* HTML's */

#endif
