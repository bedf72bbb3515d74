/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/text/follow.h"
#include "appliance/text/json.h"

/* a schema, a zero byte, a text: what is taken and may end is JSON in UTF-8 */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	const uint8_t *zero = memchr(p, 0, n);
	size_t len = zero == NULL ? n : (size_t)(zero - p);
	struct view json = { (const char *)p, len }, text = { "", 0 }, value;
	struct schema s;
	struct follow f;
	struct err e;

	if (zero != NULL)
		text = (struct view){ (const char *)zero + 1, n - len - 1 };
	if (utf8_check(json.p, json.n) == json.n && schema_read(a, json, &s, &e) == 0) {
		follow_room(&f, a);
		follow_begin(&f, &s);
		if (follow_bytes(&f, text) && follow_done(&f) &&
		    (utf8_check(text.p, text.n) != text.n || json_value(text, &value, &e) == -1))
			panic("what may end is no JSON");
	}
	arena_free(a);
	return 0;
}
