/* SPDX-License-Identifier: Apache-2.0 */
/* Tables whose rows are objects, and points that no line joins */
#include "appliance/base/base.h"
#include "appliance/job/page.h"

#include <math.h>

#define COLUMNS	32
#define WORDS	64
#define WIDTH	520
#define HEIGHT	150
#define LEFT	60
#define FOOT	20

struct columns {
	struct view key[COLUMNS];	/* raw */
	size_t n;
};

/* columns_of - every member that a row has, in the order of meeting */
static void
columns_of(struct view rows, struct columns *c)
{
	struct json_iter it, in;
	struct view row, key, value;
	size_t i;

	c->n = 0;
	if (!json_open(&it, rows, '['))
		return;
	while (json_element(&it, &row)) {
		if (!json_open(&in, row, '{'))
			continue;
		while (json_member(&in, &key, &value)) {
			for (i = 0; i < c->n && !view_eq(c->key[i], key); i++)
				continue;
			if (i == c->n && c->n < COLUMNS)
				c->key[c->n++] = key;
		}
	}
}

/* row_cell - the member of that name, or nothing */
static void
row_cell(struct arena *a, struct view row, struct view key, struct buf *b)
{
	struct json_iter it;
	struct view name, value;
	double x;

	if (json_open(&it, row, '{'))
		while (json_member(&it, &name, &value)) {
			if (!view_eq(name, key))
				continue;
			buf_str(b, json_number(value, &x) ? "<td class=n>" :
			    "<td>");
			if (!json_is_null(value))
				page_value(a, value, b);
			return;
		}
	buf_str(b, "<td>");
}

void
page_table(struct arena *a, struct view rows, struct buf *b)
{
	struct json_iter it;
	struct view row, text;
	struct columns c;

	columns_of(rows, &c);
	buf_str(b, "<table>\n<tr>");
	for (size_t i = 0; i < c.n; i++) {
		buf_str(b, "<th>");
		page_text(b, json_string(a, c.key[i], &text) ? text :
		    c.key[i]);
	}
	buf_char(b, '\n');
	if (json_open(&it, rows, '['))
		while (json_element(&it, &row)) {
			buf_str(b, "<tr>");
			for (size_t i = 0; i < c.n; i++)
				row_cell(a, row, c.key[i], b);
			buf_char(b, '\n');
		}
	buf_str(b, "</table>\n");
}

/* of a picture: words are places 0, 1, ... in the order that is said, then of
 * meeting */
struct places {
	struct view word[WORDS];
	size_t n;
	bool words, log;
	double x0, x1, y0, y1;
};

/* place_of - where a point lies; false: nowhere */
static bool
place_of(struct places *p, struct view point, double *x, double *y)
{
	struct json_iter it;
	struct view first, second;
	size_t i = 0;

	if (!json_open(&it, point, '[') || !json_element(&it, &first) ||
	    !json_element(&it, &second) || !json_number(second, y))
		return false;
	if (json_number(first, x)) {
		*x = p->log && *x > 0 ? log(*x) : *x;
		return !p->words;
	}
	p->words = true;
	while (i < p->n && !view_eq(p->word[i], first))
		i++;
	if (i == WORDS)
		return false;
	if (i == p->n)
		p->word[p->n++] = first;
	*x = (double)i;
	return true;
}

/* places_frame - room for all points; how many there are */
static size_t
places_frame(struct places *p, struct view points)
{
	struct json_iter it;
	struct view one;
	double x, y;
	size_t n = 0;

	if (!json_open(&it, points, '['))
		return 0;
	while (json_element(&it, &one)) {
		if (!place_of(p, one, &x, &y))
			continue;
		if (n++ == 0) {
			p->x0 = p->x1 = x;
			p->y0 = p->y1 = y;
		}
		p->x0 = fmin(p->x0, x);
		p->x1 = fmax(p->x1, x);
		p->y0 = fmin(p->y0, y);
		p->y1 = fmax(p->y1, y);
	}
	if (p->words) {			/* also those that nothing stands at */
		p->x0 = 0;
		p->x1 = (double)p->n - 1;
	}
	return n;
}

static double
part(double x, double from, double to)
{
	return to > from ? (x - from) / (to - from) : 0.5;
}

/* places_ends - what stands at the axes */
static void
places_ends(struct arena *a, const struct places *p, struct buf *b)
{
	struct view text;

	buf_printf(b, "<text class=end x=%d y=16>%.4g</text><text class=end "
	    "x=%d y=%d>%.4g</text>", LEFT - 4, p->y1, LEFT - 4, HEIGHT + 6,
	    p->y0);
	if (!p->words) {
		buf_printf(b, "<text x=%d y=%d>%.6g</text><text class=end "
		    "x=%d y=%d>%.6g</text>", LEFT, HEIGHT + FOOT + 4, p->log ?
		    exp(p->x0) : p->x0, LEFT + WIDTH, HEIGHT + FOOT + 4,
		    p->log ? exp(p->x1) : p->x1);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		buf_printf(b, "<text class=mid x=%.1f y=%d>", LEFT + 10 +
		    part((double)i, p->x0, p->x1) * (WIDTH - 20), HEIGHT +
		    FOOT + 4);
		page_text(b, json_string(a, p->word[i], &text) ? text :
		    p->word[i]);
		buf_str(b, "</text>");
	}
}

void
page_points(struct arena *a, struct view object, struct buf *b)
{
	struct places p = { .log = view_is(page_member(a, object, "scale"),
	    "log") };
	struct json_iter it;
	struct view points, one;
	double x, y;

	if (page_array(object, "words", &it))
		while (p.n < WORDS && json_element(&it, &one))
			p.word[p.n++] = one;
	if (!json_get(object, "points", &points) ||
	    places_frame(&p, points) == 0)
		return;
	buf_printf(b, "<svg role=img width=%d height=%d><line class=axis "
	    "x1=%d y1=%d x2=%d y2=%d /><line class=axis x1=%d y1=6 x2=%d "
	    "y2=%d />", LEFT + WIDTH + 10, HEIGHT + FOOT + 12, LEFT,
	    HEIGHT + 6, LEFT + WIDTH, HEIGHT + 6, LEFT, LEFT, HEIGHT + 6);
	places_ends(a, &p, b);
	if (json_open(&it, points, '['))
		while (json_element(&it, &one))
			if (place_of(&p, one, &x, &y))
				buf_printf(b, "<circle class=point cx=%.1f "
				    "cy=%.1f r=4 />", LEFT + 10 + part(x, p.x0,
				    p.x1) * (WIDTH - 20), 10 + (1 - part(y,
				    p.y0, p.y1)) * (HEIGHT - 12));
	buf_str(b, "</svg>\n");
}
