/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/page.h"
#include "appliance/job/report.h"

/* report_warnings - errors and warnings of all pipelines, first of all */
static void
report_warnings(struct arena *a, struct view root, struct buf *b)
{
	struct json_iter pipes, warns;
	struct view pipe, warn, text;

	if (!page_array(root, "pipelines", &pipes))
		return;
	while (json_element(&pipes, &pipe)) {
		text = page_member(a, pipe, "error");
		if (text.n > 0) {
			buf_str(b, "<p class=bad><b>");
			page_text(b, page_member(a, pipe, "pipeline"));
			buf_str(b, "</b>: ");
			page_text(b, text);
			buf_str(b, "</p>\n");
		}
		if (page_number(pipe, "rejected") > 0) {
			buf_str(b, "<p class=warn><b>");
			page_text(b, page_member(a, pipe, "pipeline"));
			buf_printf(b, "</b>: %.0f records failed; see "
			    "rejects.jsonl</p>\n", page_number(pipe,
			    "rejected"));
		}
		if (!page_array(pipe, "warnings", &warns))
			continue;
		while (json_element(&warns, &warn)) {
			buf_str(b, "<p class=warn><b>");
			page_text(b, page_member(a, pipe, "pipeline"));
			buf_str(b, "</b>: ");
			if (json_string(a, warn, &text))
				page_text(b, text);
			buf_str(b, "</p>\n");
		}
	}
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
			page_text(b, text);
		buf_char(b, ' ');
		page_text(b, value);
		sep = ", ";
	}
}

/* report_stages - what stages left in `result`, drawn; and their options */
static void
report_stages(struct arena *a, struct view pipe, struct buf *b)
{
	struct json_iter stages, members;
	struct view stage, result, key, value, text;

	if (!page_array(pipe, "stages", &stages))
		return;
	while (json_element(&stages, &stage)) {
		if (!json_get(stage, "result", &result) ||
		    !json_open(&members, result, '{'))
			continue;
		while (json_member(&members, &key, &value))
			if (json_string(a, key, &text))
				page_plot(a, text, value, b);
	}
}

/* report_options - of every stage, as they were in force */
static void
report_options(struct arena *a, struct view pipe, struct buf *b)
{
	struct json_iter stages, members;
	struct view stage, options, key, value, text;

	if (!page_array(pipe, "stages", &stages))
		return;
	buf_str(b, "<details><summary>options</summary><table>\n");
	while (json_element(&stages, &stage)) {
		if (!json_get(stage, "options", &options) ||
		    !json_open(&members, options, '{'))
			continue;
		buf_str(b, "<tr><td>");
		page_text(b, page_member(a, stage, "module"));
		buf_str(b, "<td>");
		while (json_member(&members, &key, &value)) {
			if (json_string(a, key, &text))
				page_text(b, text);
			buf_char(b, '=');
			if (json_string(a, value, &text))
				page_text(b, text);
			buf_char(b, ' ');
		}
		buf_char(b, '\n');
	}
	buf_str(b, "</table></details>\n");
}

/* report_pipe - a pipeline's table */
static void
report_pipe(struct arena *a, struct view pipe, struct buf *b)
{
	struct json_iter stages;
	struct view stage, measured;
	double in, kept, dropped, failed;

	buf_str(b, "<h2>");
	page_text(b, page_member(a, pipe, "pipeline"));
	buf_str(b, ": ");
	page_text(b, page_member(a, pipe, "fate"));
	if (json_get(pipe, "measured", &measured))
		buf_printf(b, " <small>%.1f s, %.0f threads</small>",
		    page_number(measured, "seconds"),
		    page_number(measured, "threads"));
	buf_str(b, "</h2>\n<table><tr><th>stage<th>in<th>kept<th>dropped"
	    "<th>failed<th><th>by rule\n");
	if (!page_array(pipe, "stages", &stages))
		return;
	while (json_element(&stages, &stage)) {
		in = page_number(stage, "in");
		kept = page_number(stage, "kept");
		dropped = page_number(stage, "dropped");
		failed = page_number(stage, "failed");
		buf_str(b, "<tr><td>");
		page_text(b, page_member(a, stage, "module"));
		buf_printf(b, "<td class=n>%.0f<td class=n>%.0f<td class=n>"
		    "%.0f<td class=n>%.0f<td>", in, kept, dropped, failed);
		report_bar(b, in, kept, dropped, failed);
		buf_str(b, "<td>");
		report_rules(a, stage, b);
		buf_char(b, '\n');
	}
	buf_str(b, "</table>\n");
	report_stages(a, pipe, b);
	report_options(a, pipe, b);
}

static const char style[] =
    "body{font:15px/1.4 sans-serif;margin:2em;max-width:70em}"
    "table{border-collapse:collapse;margin:.5em 0}"
    "td,th{padding:.2em .6em;text-align:left;border-bottom:1px solid #ddd;"
    "vertical-align:top}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}"
    ".bad{background:#fdd;padding:.5em}.warn{background:#fe9;padding:.5em}"
    ".kept{fill:#5a5}.dropped{fill:#bbb}.failed{fill:#c33}"
    ".pipe{fill:#eef;stroke:#558}.lost{fill:#fdd;stroke:#933}"
    ".edge{fill:none;stroke:#558}svg text{font-size:12px}"
    ".head{font-weight:bold}.axis{stroke:#999}.end{text-anchor:end}"
    ".s0{fill:none;stroke:#36c;stroke-width:1.5}"
    ".s1{fill:none;stroke:#c63;stroke-width:1.5}"
    ".s2{fill:none;stroke:#393;stroke-width:1.5}"
    ".bar{fill:#7ae}.point{fill:#36c;fill-opacity:.6}"
    ".mid{text-anchor:middle}details{margin:.5em 0}";

int
report_html(struct arena *a, struct view json, struct buf *b, struct err *e)
{
	struct json_iter pipes;
	struct view root, pipe;

	if (json_value(json, &root, e) == -1)
		return -1;
	buf_str(b, "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>"
	    "<title>quern: job ");
	page_text(b, page_member(a, root, "job"));
	buf_str(b, "</title>\n<style>");
	buf_str(b, style);
	buf_str(b, "</style>\n<h1>Job ");
	page_text(b, page_member(a, root, "job"));
	buf_str(b, "</h1>\n");
	report_warnings(a, root, b);
	page_graph(a, root, b);
	if (page_array(root, "pipelines", &pipes))
		while (json_element(&pipes, &pipe))
			report_pipe(a, pipe, b);
	buf_str(b, "</html>\n");
	return b->full ? err_set(e, FATE_REJECT, "the report is too large") :
	    0;
}
