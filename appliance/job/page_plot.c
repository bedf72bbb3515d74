/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/page.h"

#define CURVES	3
#define WIDTH	520
#define HEIGHT	180
#define LEFT	60
#define FOOT	20
#define BAR_W	260

struct frame {				/* of all curves of a picture */
	double x0, x1, y0, y1;
};

/* pair_of - an array of two: the first raw, the second a number */
static bool
pair_of(struct view v, struct view *first, double *second)
{
	struct json_iter it;
	struct view raw;

	return json_open(&it, v, '[') && json_element(&it, first) &&
	    json_element(&it, &raw) && json_number(raw, second);
}

enum form { FORM_OTHER, FORM_SCALAR, FORM_OBJECT, FORM_MEASURE, FORM_CURVE,
    FORM_BARS, FORM_POINTS, FORM_TABLE };

/* form_of - by the first element of an array, by the members of an object */
static enum form
form_of(struct view v)
{
	struct json_iter it;
	struct view one, first;
	double x;

	if (json_open(&it, v, '{') && json_get(v, "points", &one) &&
	    one.p[0] == '[')
		return FORM_POINTS;
	if (json_open(&it, v, '{'))
		return json_get(v, "value", &one) && json_get(v, "low",
		    &first) ? FORM_MEASURE : FORM_OBJECT;
	if (!json_open(&it, v, '['))
		return FORM_SCALAR;
	if (!json_element(&it, &one))
		return FORM_OTHER;
	if (one.p[0] == '{')
		return FORM_TABLE;
	if (!pair_of(one, &first, &x))
		return FORM_OTHER;
	return json_number(first, &x) ? FORM_CURVE : FORM_BARS;
}

/* frame_add - make room for a curve */
static void
frame_add(struct frame *f, struct view curve, bool *any)
{
	struct json_iter it;
	struct view one, first;
	double x, y;

	if (!json_open(&it, curve, '['))
		return;
	while (json_element(&it, &one)) {
		if (!pair_of(one, &first, &y) || !json_number(first, &x))
			continue;
		if (!*any)
			*f = (struct frame){ x, x, y, y };
		*any = true;
		f->x0 = x < f->x0 ? x : f->x0;
		f->x1 = x > f->x1 ? x : f->x1;
		f->y0 = y < f->y0 ? y : f->y0;
		f->y1 = y > f->y1 ? y : f->y1;
	}
}

/* curve_line - its points joined, and its name where it ends */
static void
curve_line(const struct frame *f, struct view curve, int nth, struct buf *b)
{
	double wide = f->x1 > f->x0 ? f->x1 - f->x0 : 1;
	double high = f->y1 > f->y0 ? f->y1 - f->y0 : 1;
	struct json_iter it;
	struct view one, first;
	double x, y;

	buf_printf(b, "<polyline class=s%d points=\"", nth);
	if (json_open(&it, curve, '['))
		while (json_element(&it, &one))
			if (pair_of(one, &first, &y) &&
			    json_number(first, &x))
				buf_printf(b, "%.1f,%.1f ", LEFT + (x - f->x0)
				    / wide * WIDTH, 6 + (f->y1 - y) / high *
				    HEIGHT);
	buf_str(b, "\" />");
}

/* plot_frame - axes with what stands at their ends */
static void
plot_frame(const struct frame *f, struct buf *b)
{
	buf_printf(b, "<svg role=img width=%d height=%d><line class=axis "
	    "x1=%d y1=%d x2=%d y2=%d /><line class=axis x1=%d y1=6 x2=%d "
	    "y2=%d />", LEFT + WIDTH + 10, HEIGHT + FOOT + 12, LEFT,
	    HEIGHT + 6, LEFT + WIDTH, HEIGHT + 6, LEFT, LEFT, HEIGHT + 6);
	buf_printf(b, "<text class=end x=%d y=16>%.4g</text><text class=end "
	    "x=%d y=%d>%.4g</text><text x=%d y=%d>%.6g</text><text class=end "
	    "x=%d y=%d>%.6g</text>", LEFT - 4, f->y1, LEFT - 4, HEIGHT + 6,
	    f->y0, LEFT, HEIGHT + FOOT + 4, f->x0, LEFT + WIDTH,
	    HEIGHT + FOOT + 4, f->x1);
}

/* plot_curves - all curves among an object's members in one picture */
static void
plot_curves(struct arena *a, struct view object, struct buf *b)
{
	struct view curve[CURVES], name[CURVES], key, value;
	struct json_iter it;
	struct frame f = { 0, 0, 0, 0 };
	bool any = false;
	int n = 0;

	if (!json_open(&it, object, '{'))
		return;
	while (n < CURVES && json_member(&it, &key, &value)) {
		if (form_of(value) != FORM_CURVE ||
		    !json_string(a, key, &name[n]))
			continue;
		frame_add(&f, value, &any);
		curve[n++] = value;
	}
	if (!any)
		return;
	plot_frame(&f, b);
	for (int i = 0; i < n; i++) {
		curve_line(&f, curve[i], i, b);
		buf_printf(b, "<line class=s%d x1=%d y1=%d x2=%d y2=%d />"
		    "<text x=%d y=%d>", i, LEFT + WIDTH - 110, 14 + i * 16,
		    LEFT + WIDTH - 90, 14 + i * 16, LEFT + WIDTH - 84,
		    18 + i * 16);
		page_text(b, name[i]);
		buf_str(b, "</text>");
	}
	buf_str(b, "</svg>\n");
}

/* plot_bars - pairs of a text and a number */
static void
plot_bars(struct arena *a, struct view array, struct buf *b)
{
	struct json_iter it;
	struct view one, first, text;
	double x, most = 0;

	if (json_open(&it, array, '['))
		while (json_element(&it, &one))
			if (pair_of(one, &first, &x) && x > most)
				most = x;
	buf_str(b, "<table>\n");
	if (json_open(&it, array, '['))
		while (json_element(&it, &one)) {
			if (!pair_of(one, &first, &x) ||
			    !json_string(a, first, &text))
				continue;
			buf_str(b, "<tr><td>");
			page_text(b, text);
			buf_printf(b, "<td class=n>%.15g<td><svg width=%d "
			    "height=12><rect class=bar width=%.1f height=12 />"
			    "</svg>\n", x, BAR_W, most > 0 ? BAR_W * x / most :
			    0);
		}
	buf_str(b, "</table>\n");
}

void
page_value(struct arena *a, struct view v, struct buf *b)
{
	struct json_iter it;
	struct view key, value, text;
	const char *sep = "";
	double x;

	if (form_of(v) == FORM_MEASURE)
		buf_printf(b, "%.6g <small>(95%%: %.6g to %.6g)</small>",
		    page_number(v, "value"), page_number(v, "low"),
		    page_number(v, "high"));
	else if (json_open(&it, v, '{'))
		while (json_member(&it, &key, &value)) {
			buf_str(b, sep);
			if (json_string(a, key, &text))
				page_text(b, text);
			buf_char(b, ' ');
			page_value(a, value, b);
			sep = ", ";
		}
	else if (json_number(v, &x))
		buf_printf(b, "%.10g", x);
	else
		page_text(b, json_string(a, v, &text) ? text : v);
}

/* plot_object - a row for each member that is not drawn below */
static void
plot_object(struct arena *a, struct view object, struct buf *b)
{
	struct json_iter it;
	struct view key, value, text;

	buf_str(b, "<table>\n");
	if (json_open(&it, object, '{'))
		while (json_member(&it, &key, &value)) {
			enum form form = form_of(value);

			if (form == FORM_CURVE || form == FORM_BARS ||
			    form == FORM_OTHER || form == FORM_POINTS ||
			    form == FORM_TABLE)
				continue;
			buf_str(b, "<tr><td>");
			if (json_string(a, key, &text))
				page_text(b, text);
			buf_str(b, "<td>");
			page_value(a, value, b);
			buf_char(b, '\n');
		}
	buf_str(b, "</table>\n");
	plot_curves(a, object, b);
	if (json_open(&it, object, '{'))
		while (json_member(&it, &key, &value)) {
			enum form form = form_of(value);

			if (form != FORM_BARS && form != FORM_POINTS &&
			    form != FORM_TABLE)
				continue;
			buf_str(b, "<h4>");
			if (json_string(a, key, &text))
				page_text(b, text);
			buf_str(b, "</h4>\n");
			if (form == FORM_BARS)
				plot_bars(a, value, b);
			else if (form == FORM_TABLE)
				page_table(a, value, b);
			else
				page_points(a, value, b);
		}
}

void
page_plot(struct arena *a, struct view name, struct view value, struct buf *b)
{
	enum form form = form_of(value);

	buf_str(b, "<h3>");
	page_text(b, name);
	buf_str(b, "</h3>\n");
	if (form == FORM_OBJECT)
		plot_object(a, value, b);
	else if (form == FORM_BARS)
		plot_bars(a, value, b);
	else if (form == FORM_TABLE)
		page_table(a, value, b);
	else if (form == FORM_POINTS)
		page_points(a, value, b);
	else {
		buf_str(b, "<p>");
		page_value(a, value, b);
		buf_str(b, "</p>\n");
	}
}
