/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/report.h"
#include "appliance/text/json.h"

#define BOX_W	130
#define BOX_H	26
#define GAP	14

/* html - text with what HTML means otherwise escaped */
static void
html(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		switch (v.p[i]) {
		case '<':
			buf_str(b, "&lt;");
			break;
		case '>':
			buf_str(b, "&gt;");
			break;
		case '&':
			buf_str(b, "&amp;");
			break;
		case '"':
			buf_str(b, "&quot;");
			break;
		default:
			buf_char(b, v.p[i]);
		}
	}
}

/* text_of - a string member's text, or empty */
static struct view
text_of(struct arena *a, struct view object, const char *name)
{
	struct view raw, text;

	if (json_get(object, name, &raw) && json_string(a, raw, &text))
		return text;
	return (struct view){ "", 0 };
}

/* number_of - a number member, or 0 */
static double
number_of(struct view object, const char *name)
{
	struct view raw;
	double x;

	return json_get(object, name, &raw) && json_number(raw, &x) ? x : 0;
}

/* each - open an array member */
static bool
each(struct view object, const char *name, struct json_iter *it)
{
	struct view v;

	return json_get(object, name, &v) && json_open(it, v, '[');
}

/* report_warnings - errors and warnings of all pipelines, first of all */
static void
report_warnings(struct arena *a, struct view root, struct buf *b)
{
	struct json_iter pipes, warns;
	struct view pipe, warn, text;

	if (!each(root, "pipelines", &pipes))
		return;
	while (json_element(&pipes, &pipe)) {
		text = text_of(a, pipe, "error");
		if (text.n > 0) {
			buf_str(b, "<p class=bad><b>");
			html(b, text_of(a, pipe, "pipeline"));
			buf_str(b, "</b>: ");
			html(b, text);
			buf_str(b, "</p>\n");
		}
		if (number_of(pipe, "rejected") > 0)
			buf_printf(b, "<p class=warn>%.0f records failed; see "
			    "rejects.jsonl</p>\n", number_of(pipe,
			    "rejected"));
		if (!each(pipe, "warnings", &warns))
			continue;
		while (json_element(&warns, &warn)) {
			buf_str(b, "<p class=warn>");
			if (json_string(a, warn, &text))
				html(b, text);
			buf_str(b, "</p>\n");
		}
	}
}

/* graph_box - one stage, with a line down to the next */
static void
graph_box(struct buf *b, int x, int y, struct view name, bool line)
{
	buf_printf(b, "<rect x=%d y=%d width=%d height=%d rx=4 />", x, y,
	    BOX_W, BOX_H);
	buf_printf(b, "<text x=%d y=%d>", x + BOX_W / 2, y + BOX_H / 2 + 4);
	html(b, name);
	buf_str(b, "</text>");
	if (line)
		buf_printf(b, "<line x1=%d y1=%d x2=%d y2=%d />",
		    x + BOX_W / 2, y + BOX_H, x + BOX_W / 2, y + BOX_H + GAP);
	buf_char(b, '\n');
}

/* report_graph - a column of boxes for each pipeline */
static void
report_graph(struct arena *a, struct view root, struct buf *b)
{
	struct json_iter pipes, stages;
	struct view pipe, stage, next;
	struct buf *boxes = buf_new(a, (size_t)16 << 20);
	int x = 10, y, deepest = 0;
	bool more;

	if (!each(root, "pipelines", &pipes))
		return;
	while (json_element(&pipes, &pipe)) {
		buf_printf(boxes, "<text class=head x=%d y=18>",
		    x + BOX_W / 2);
		html(boxes, text_of(a, pipe, "pipeline"));
		buf_str(boxes, "</text>\n");
		y = 28;
		more = each(pipe, "stages", &stages) &&
		    json_element(&stages, &stage);
		while (more) {
			more = json_element(&stages, &next);
			graph_box(boxes, x, y, text_of(a, stage, "module"),
			    more);
			stage = next;
			y += BOX_H + GAP;
		}
		deepest = y > deepest ? y : deepest;
		x += BOX_W + 30;
	}
	buf_printf(b, "<svg width=%d height=%d role=img>\n", x, deepest);
	buf_view(b, buf_get(boxes));
	buf_str(b, "</svg>\n");
}

/* report_bar - kept, dropped and failed as parts of what came in */
static void
report_bar(struct buf *b, double in, double kept, double dropped,
    double failed)
{
	double all = kept + dropped + failed;

	if (in > all)
		all = in;
	if (all <= 0)
		all = 1;
	buf_printf(b, "<svg width=200 height=12><rect class=kept width=%.1f "
	    "height=12 /><rect class=dropped x=%.1f width=%.1f height=12 />"
	    "<rect class=failed x=%.1f width=%.1f height=12 /></svg>",
	    200 * kept / all, 200 * kept / all, 200 * dropped / all,
	    200 * (kept + dropped) / all, 200 * failed / all);
}

/* report_rules - "rule 12, other 3" */
static void
report_rules(struct arena *a, struct view stage, struct buf *b)
{
	struct json_iter it;
	struct view rules, key, value, text;
	const char *sep = "";

	if (!json_get(stage, "rules", &rules) || !json_open(&it, rules, '{'))
		return;
	while (json_member(&it, &key, &value)) {
		buf_str(b, sep);
		if (json_string(a, key, &text))
			html(b, text);
		buf_char(b, ' ');
		html(b, value);
		sep = ", ";
	}
}

/* report_numbers - what stages left in `result`, as it is */
static void
report_numbers(struct arena *a, struct view pipe, struct buf *b)
{
	struct json_iter stages;
	struct view stage, result;

	if (!each(pipe, "stages", &stages))
		return;
	while (json_element(&stages, &stage)) {
		if (!json_get(stage, "result", &result))
			continue;
		buf_str(b, "<details><summary>numbers of ");
		html(b, text_of(a, stage, "module"));
		buf_str(b, "</summary><pre>");
		html(b, result);
		buf_str(b, "</pre></details>\n");
	}
}

/* report_pipe - a pipeline's table */
static void
report_pipe(struct arena *a, struct view pipe, struct buf *b)
{
	struct json_iter stages;
	struct view stage, measured;
	double in, kept, dropped, failed;

	buf_str(b, "<h2>");
	html(b, text_of(a, pipe, "pipeline"));
	buf_str(b, ": ");
	html(b, text_of(a, pipe, "fate"));
	if (json_get(pipe, "measured", &measured))
		buf_printf(b, " <small>%.1f s, %.0f threads</small>",
		    number_of(measured, "seconds"),
		    number_of(measured, "threads"));
	buf_str(b, "</h2>\n<table><tr><th>stage<th>in<th>kept<th>dropped"
	    "<th>failed<th><th>by rule\n");
	if (!each(pipe, "stages", &stages))
		return;
	while (json_element(&stages, &stage)) {
		in = number_of(stage, "in");
		kept = number_of(stage, "kept");
		dropped = number_of(stage, "dropped");
		failed = number_of(stage, "failed");
		buf_str(b, "<tr><td>");
		html(b, text_of(a, stage, "module"));
		buf_printf(b, "<td class=n>%.0f<td class=n>%.0f<td class=n>"
		    "%.0f<td class=n>%.0f<td>", in, kept, dropped, failed);
		report_bar(b, in, kept, dropped, failed);
		buf_str(b, "<td>");
		report_rules(a, stage, b);
		buf_char(b, '\n');
	}
	buf_str(b, "</table>\n");
	report_numbers(a, pipe, b);
}

int
report_html(struct arena *a, struct view json, struct buf *b, struct err *e)
{
	struct json_iter pipes;
	struct view root, pipe;

	if (json_value(json, &root, e) == -1)
		return -1;
	buf_str(b, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>"
	    "<title>quern: job ");
	html(b, text_of(a, root, "job"));
	buf_str(b, "</title>\n<style>body{font:15px/1.4 sans-serif;margin:2em;"
	    "max-width:70em}table{border-collapse:collapse}td,th{padding:.2em "
	    ".6em;text-align:left;border-bottom:1px solid #ddd}.n{text-align:"
	    "right;font-variant-numeric:tabular-nums}.bad{background:#fdd;"
	    "padding:.5em}.warn{background:#fe9;padding:.5em}.kept{fill:"
	    "#5a5}.dropped{fill:#bbb}.failed{fill:#c33}svg[role] rect{fill:"
	    "#eef;stroke:#558}svg[role] text{font-size:13px;text-anchor:"
	    "middle}svg[role] .head{font-weight:bold}line{stroke:#558}pre{"
	    "white-space:pre-wrap}</style>\n<h1>Job ");
	html(b, text_of(a, root, "job"));
	buf_str(b, "</h1>\n");
	report_warnings(a, root, b);
	report_graph(a, root, b);
	if (each(root, "pipelines", &pipes))
		while (json_element(&pipes, &pipe))
			report_pipe(a, pipe, b);
	buf_str(b, "</html>\n");
	return b->full ? err_set(e, FATE_REJECT, "the report is too large") :
	    0;
}
