/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/scored.h"

/* tokenizer.bin: what opens encodes any text, and decodes what it encoded */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct view text = { "Once upon\n\xc3\xa4 a \xe4\xb8\xad",
	    17 };
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 1 << 20);
	struct err e;
	struct scored *s = scored_open(a, (struct view){ (const char *)p, n },
	    &e);
	uint32_t *ids;
	size_t count;

	if (s != NULL) {
		count = scored_encode(s, a, text, &ids);
		for (size_t i = 0; i < count; i++)
			if (ids[i] >= scored_size(s))
				panic("an id outside the vocabulary");
		if (scored_decode(s, ids, count, b) == -1)
			panic("its own ids are unknown");
	}
	arena_free(a);
	return 0;
}
