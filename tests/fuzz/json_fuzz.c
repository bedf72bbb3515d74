/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/rec.h"
#include "appliance/text/utf8.h"

/* JSON Lines: a record that parses prints, and parses again to the same bytes */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct buf *one = buf_new(a, (size_t)64 << 20);
	struct buf *two = buf_new(a, (size_t)64 << 20);
	struct view line = { (const char *)p, n }, text;
	struct rec r, again;
	struct err e;
	size_t repairs;

	if (rec_parse(a, line, &r, &e) == 0) {
		rec_str(a, &r, "text", &text);
		rec_print(one, &r);
		if (rec_parse(a, buf_get(one), &again, &e) == -1)
			panic("printed record does not parse: %s", e.text);
		rec_print(two, &again);
		if (!view_eq(buf_get(one), buf_get(two)))
			panic("printed record changes");
	}
	text = utf8_nfc(a, utf8_repair(a, line, &repairs));
	rec_set_str(a, &r, "text", text);
	arena_free(a);
	return 0;
}
