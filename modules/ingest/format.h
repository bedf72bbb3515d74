/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_FORMAT_H
#define INGEST_FORMAT_H

#include "appliance/module.h"
#include "appliance/text/lines.h"

/* format.h - what a file is, and its text */

enum format {
	FORMAT_AUTO, FORMAT_TEXT, FORMAT_MARKDOWN, FORMAT_MAN, FORMAT_JSONL,
	FORMAT_CSV, FORMAT_TSV, FORMAT_HTML, FORMAT_BINARY
};

#define FORMAT_WORDS	"auto|text|markdown|man|jsonl|csv|tsv|html"

/* format_guess - by the name's ending (before .gz, .zst), else by the content;
 * FORMAT_BINARY if it is no text */
enum format format_guess(const char *path, struct view head);

/* format_man - a manual page's text: macros and escapes taken away (man(7) and
 * mdoc(7), the common part) */
struct view format_man(struct arena *, struct view);

/* format_html - the visible text, blocks on lines of their own; *title is empty
 * if there is none */
struct view format_html(struct arena *, struct view, struct view *title);

/*
 * Tables, RFC 4180: fields in quotes may hold separators, quotes doubled and
 * line ends.  TSV has no quotes.
 */
struct table {
	struct lines *lines;
	char separator;
	bool quotes;
	struct view *head;		/* column names */
	size_t ncols;
};

/* table_row - fields of the next row in the arena: how many, 0 at the end, -1
 * with a reason; *offset is where the row began */
int table_row(struct table *, struct arena *, struct view **, int64_t *offset,
    struct err *);

#endif
