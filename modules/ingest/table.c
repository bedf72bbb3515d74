/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/ingest/format.h"

/* table_add - one more field */
static void
table_add(struct arena *a, struct view **field, int *n, struct view v)
{
	if ((*n & (*n - 1)) == 0)
		*field = arena_grow(a, *field, (size_t)*n,
		    *n == 0 ? 1 : (size_t)*n * 2, sizeof(**field));
	(*field)[(*n)++] = v;
}

/*
 * table_line - the fields of one line; false if it ended inside quotes, with
 * what the field holds so far in part
 */
static bool
table_line(const struct table *t, struct arena *a, struct view line,
    struct buf *part, bool inside, struct view **field, int *n)
{
	const char *p = line.p, *end = line.p + line.n;

	for (;;) {
		if (inside) {
			while (p < end && !(*p == '"' && (p + 1 == end ||
			    p[1] != '"'))) {
				if (*p == '"')
					p++;
				buf_char(part, *p++);
			}
			if (p == end)
				return false;
			p++;
			inside = false;
		}
		while (p < end && *p != t->separator)
			buf_char(part, *p++);
		table_add(a, field, n, view_keep(a, buf_get(part)));
		part->n = 0;
		if (p == end)
			return true;
		p++;
		if (t->quotes && p < end && *p == '"') {
			inside = true;
			p++;
		}
	}
}

int
table_row(struct table *t, struct arena *a, struct view **field,
    int64_t *offset, struct err *e)
{
	struct buf *part = buf_new(a, REC_MAX);
	struct view line;
	int64_t at;
	bool inside = false, first = true;
	int n = 0;

	*field = NULL;
	for (;;) {
		switch (lines_next(t->lines, &line, &at)) {
		case LINES_END:
			if (!first)
				return err_set(e, FATE_REJECT, "line %lld: "
				    "quote is not closed",
				    (long long)t->lines->number);
			return 0;
		case LINES_ERROR:
			return err_set(e, FATE_RETRY, "cannot be read");
		case LINES_LONG:
			return err_set(e, FATE_REJECT, "line %lld is longer "
			    "than 16 MiB", (long long)t->lines->number);
		default:
			break;
		}
		if (first && line.n == 0)
			continue;
		if (first) {
			*offset = at;
			if (t->quotes && line.p[0] == '"') {
				inside = true;
				line.p++;
				line.n--;
			}
		} else
			buf_char(part, '\n');
		first = false;
		if (table_line(t, a, line, part, inside, field, &n))
			return part->full ? err_set(e, FATE_REJECT,
			    "line %lld: a field is longer than 16 MiB",
			    (long long)t->lines->number) : n;
		inside = true;
	}
}
