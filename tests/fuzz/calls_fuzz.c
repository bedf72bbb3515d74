/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/calls.h"
#include "appliance/text/json.h"

/* answers: what is read as a call has arguments that are JSON */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct view text = { (const char *)p, n }, v;
	struct arena *a = arena_new();
	struct calls c;
	struct err e;

	if (calls_read(a, text, VIEW("[{\"name\":\"a\"}]"), &c) == 1)
		for (size_t i = 0; i < c.n; i++)
			if (json_value(c.v[i].arguments, &v, &e) == -1 ||
			    v.p[0] != '{' || !view_is(c.v[i].name, "a"))
				panic("what was read is no call: %s", e.text);
	arena_free(a);
	return 0;
}
