/* SPDX-License-Identifier: Apache-2.0 */
/* What a stage leaves in its result, drawn in report.html by its form */
#include "tests/tap.h"

#include "appliance/base/buf.h"
#include "appliance/job/page.h"

static const struct {
	const char *name, *value, *want;
} cases[] = {
	{ "numbers and texts are rows", "{\"a\":1.5,\"b\":\"<x>\"}",
	    "<tr><td>a<td>1.5\n<tr><td>b<td>&lt;x&gt;\n" },
	{ "a measure with its interval",
	    "{\"m\":{\"value\":0.5,\"low\":0.25,\"high\":0.75}}",
	    "<td>0.5 <small>(95%: 0.25 to 0.75)</small>" },
	{ "a curve", "{\"loss\":[[1,3],[2,1]]}", "<polyline class=s0 "
	    "points=\"60.0,6.0 580.0,186.0 \" />" },
	{ "bars", "[[\"en\",4],[\"<de>\",2]]", "<td>&lt;de&gt;<td class=n>2"
	    "<td><svg width=260 height=12><rect class=bar width=130.0 " },
	{ "a table", "[{\"name\":\"one\"},{\"name\":\"two\"}]", "<td>two" },
	{ "a table within an object",
	    "{\"n\":2,\"rows\":[{\"name\":\"one\"},{\"name\":\"two\"}]}",
	    "<h4>rows</h4>\n" },
	{ "and its rows",
	    "{\"n\":2,\"rows\":[{\"name\":\"one\"},{\"name\":\"two\"}]}",
	    "<td>two" },
	{ "no list of anything", "{\"n\":[]}", "<table>\n</table>\n" },
};

int
main(void)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct buf *b = buf_new(a, 1 << 16);
		bool ok;

		page_plot(a, VIEW("it"), view_of(cases[i].value), b);
		ok = strstr(buf_cstr(b), cases[i].want) != NULL;
		tap(ok, "%s", cases[i].name);
		if (!ok)
			printf("# %s\n", buf_cstr(b));
	}
	arena_free(a);
	return tap_done();
}
