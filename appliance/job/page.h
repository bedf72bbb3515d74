/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_PAGE_H
#define JOB_PAGE_H

#include "appliance/text/json.h"

/*
 * page.h - what report.html is made of: text, a graph, plots.  Everything is
 * HTML with SVG in it and needs no other file.
 */

/* page_text - text with what HTML means otherwise escaped */
void page_text(struct buf *, struct view);

/* page_member - a string member's text, or empty; page_number - or 0;
 * page_array - open an array member */
struct view page_member(struct arena *, struct view object, const char *name);
double page_number(struct view object, const char *name);
bool page_array(struct view object, const char *name, struct json_iter *);

/* page_graph - the pipelines of result.json as boxes, from left to right in
 * the order in which they wait for one another */
void page_graph(struct arena *, struct view root, struct buf *);

/* page_value - a number, a text, or the members of an object in one line */
void page_value(struct arena *, struct view, struct buf *);

/* page_table - of an array of objects, a column for each name; page_points - of
 * {"points":[[X,Y],...]}, X numbers ("scale":"log") or words, their order in
 * "words" */
void page_table(struct arena *, struct view rows, struct buf *);
void page_points(struct arena *, struct view object, struct buf *);

/*
 * page_plot - what a stage left under a name, by its form: numbers and texts
 * are a table; {"value","low","high"} a measure with its interval; pairs of
 * numbers a curve, all curves of an object in one picture; pairs of a text and
 * a number bars; objects in an array the rows of a table; {"points"} points.
 */
void page_plot(struct arena *, struct view name, struct view value,
    struct buf *);

#endif
