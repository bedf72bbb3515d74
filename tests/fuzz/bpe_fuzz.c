/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/bpe.h"

/* tokenizer.json: what opens encodes any text and decodes it to the same */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct view text = { "It's 12  tests\n\xc3\xa4 \xe4\xb8\xad",
	    22 };
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 4096);
	struct err e;
	struct bpe *t = bpe_open(a, (struct view){ (const char *)p, n }, &e);
	uint32_t *ids;
	size_t count;

	if (t != NULL) {
		count = bpe_encode(t, a, text, &ids);
		if (bpe_decode(t, ids, count, b) == -1 ||
		    !view_eq(buf_get(b), text))
			panic("not the same text");
	}
	arena_free(a);
	return 0;
}
