/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of tools in answers: a table of the forms, and of what is none. */
#include "appliance/base/base.h"
#include "appliance/text/calls.h"
#include "tests/tap.h"

static const char tools[] = "[{\"type\":\"function\",\"function\":{\"name\":"
    "\"corn\",\"parameters\":{}}},{\"name\":\"b\\u00e4r\"}]";

/* an answer; what is read: -1, or name and arguments of each call, then what is
 * said beside them */
static const struct {
	const char *text, *want;
} cases[] = {
	/* Hermes, Qwen */
	{ "<tool_call>\n{\"name\": \"corn\", \"arguments\": {\"n\": 1}}\n"
	    "</tool_call>", "corn {\"n\": 1};" },
	{ "I look.\n<tool_call>{\"name\":\"corn\",\"arguments\":{}}</tool_call>"
	    "\n<tool_call>\n{\"name\":\"b\xc3\xa4r\"}\n</tool_call>\nSo.",
	    "corn {};b\xc3\xa4r {};I look.\n\n\nSo." },
	{ "<tool_call>{\"arguments\":{\"a\":\"}</tool_call>\"},\"name\":"
	    "\"corn\"}", "corn {\"a\":\"}</tool_call>\"};" },
	{ "<tool_call>{\"name\":\"corn\",\"arguments\":\"{\\\"n\\\":2}\"}"
	    "</tool_call>", "corn {\"n\":2};" },
	{ "<tool_call>{\"name\":\"corn\",\"arguments\":null}</tool_call>",
	    "corn {};" },
	{ "<tool_call>", "-1" },
	{ "<tool_call>corn</tool_call>", "-1" },
	{ "<tool_call>{\"name\":\"corn\",\"arg", "-1" },
	{ "<tool_call>{\"name\":\"corn\"} and", "-1" },
	{ "<tool_call>{\"name\":\"rye\",\"arguments\":{}}</tool_call>", "-1" },
	{ "<tool_call>{\"name\":7,\"arguments\":{}}</tool_call>", "-1" },
	{ "<tool_call>{\"name\":\"corn\",\"arguments\":[1]}</tool_call>",
	    "-1" },
	{ "<tool_call>{\"name\":\"corn\",\"arguments\":\"n\"}</tool_call>",
	    "-1" },
	{ "<tool_call>{\"arguments\":{}}</tool_call>", "-1" },
	/* Mistral */
	{ "[TOOL_CALLS] [{\"name\": \"corn\", \"arguments\": {\"n\": 1}}, "
	    "{\"name\": \"corn\", \"arguments\": {}}]",
	    "corn {\"n\": 1};corn {};" },
	{ "[TOOL_CALLS]corn{\"n\": 1}[TOOL_CALLS]corn[ARGS]{}",
	    "corn {\"n\": 1};corn {};" },
	{ "Well, [TOOL_CALLS]corn {\"n\": 1}", "corn {\"n\": 1};Well," },
	{ "[TOOL_CALLS] []", "-1" },
	{ "[TOOL_CALLS] [{\"name\": \"corn\"}, 7]", "-1" },
	{ "[TOOL_CALLS] [{\"name\": \"corn\"}", "-1" },
	{ "[TOOL_CALLS]corn", "-1" },
	{ "[TOOL_CALLS]rye{}", "-1" },
	/* Llama 3 */
	{ "{\"name\": \"corn\", \"parameters\": {\"n\": 1}}",
	    "corn {\"n\": 1};" },
	{ "<|python_tag|>{\"type\": \"function\", \"name\": \"corn\", "
	    "\"parameters\": {}}", "corn {};" },
	{ "{\"name\":\"corn\",\"parameters\":{}}; {\"name\":\"corn\","
	    "\"parameters\":{\"n\":2}}\n", "corn {};corn {\"n\":2};" },
	{ "<|python_tag|>print(1)", "-1" },
	/* answers */
	{ "", "" }, { "  ", "" }, { "corn", "" }, { "{}", "" },
	{ "{\"name\": \"rye\", \"parameters\": {}}", "" },
	{ "{\"name\": \"corn\", \"parameters\": {}} is what I call", "" },
	{ "a tool_call is {\"name\":\"corn\"}", "" },
};

int
main(void)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 4096);

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct calls c;
		int rc = calls_read(a, view_of(cases[i].text), view_of(tools),
		    &c);

		b->n = 0;
		if (rc == -1)
			buf_str(b, "-1");
		for (size_t k = 0; rc == 1 && k < c.n; k++) {
			buf_view(b, c.v[k].name);
			buf_char(b, ' ');
			buf_view(b, c.v[k].arguments);
			buf_char(b, ';');
		}
		if (rc == 1)
			buf_view(b, c.content);
		tap(strcmp(buf_cstr(b), cases[i].want) == 0, "%s: %s",
		    cases[i].text, buf_cstr(b));
	}
	arena_free(a);
	return tap_done();
}
