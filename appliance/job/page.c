/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/page.h"

void
page_text(struct buf *b, struct view v)
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

struct view
page_member(struct arena *a, struct view object, const char *name)
{
	struct view raw, text;

	if (json_get(object, name, &raw) && json_string(a, raw, &text))
		return text;
	return (struct view){ "", 0 };
}

double
page_number(struct view object, const char *name)
{
	struct view raw;
	double x;

	return json_get(object, name, &raw) && json_number(raw, &x) ? x : 0;
}

bool
page_array(struct view object, const char *name, struct json_iter *it)
{
	struct view v;

	return json_get(object, name, &v) && json_open(it, v, '[');
}
