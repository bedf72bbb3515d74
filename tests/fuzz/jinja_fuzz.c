/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/text/jinja.h"

/* any template, with a small chat: it ends, and what it writes is UTF-8 with a
 * known mark on each byte */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct jinja_var var[] = {
		{ "messages", VIEW("[{\"role\":\"system\",\"content\":\"s\"},"
		    "{\"role\":\"user\",\"content\":\"\xc3\xa4 <|x|>\"},"
		    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
		    "{\"id\":1,\"function\":{\"name\":\"f\",\"arguments\":"
		    "{\"a\":[1.5,true]}}}]}]"), false },
		{ "tools", VIEW("[{\"type\":\"function\",\"function\":{"
		    "\"name\":\"f\",\"parameters\":{}}}]"), false },
		{ "bos_token", VIEW("\"<s>\""), true },
		{ "add_generation_prompt", VIEW("true"), false },
	};
	static const struct tm now = { .tm_year = 126, .tm_mday = 1 };
	struct arena *a = arena_new();
	struct jinja_text t;
	struct jinja *j;
	struct err e;

	j = jinja_open(a, (struct view){ (const char *)p, n }, &e);
	if (j != NULL && jinja_render(j, a, var, BASE_COUNT(var), &now, &t,
	    &e) == 0) {
		if (utf8_check(t.text.p, t.text.n) != t.text.n)
			panic("not UTF-8");
		for (size_t i = 0; i < t.text.n; i++)
			if (t.mark[i] > (JINJA_VALUE | JINJA_GENERATION))
				panic("a mark that is none");
	}
	arena_free(a);
	return 0;
}
