/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/bpe.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/utf8.h"

/* any file of a vocabulary: what opens as byte-level encodes a text and decodes
 * it to the same; a few bytes of the file are such a text too.  A normalizer,
 * a blank in front or an added token that takes white space away may change it */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
both_ways(struct arena *a, const struct tokenizer *t, struct view text,
    bool same)
{
	struct buf *b = buf_new(a, 1 << 20);
	uint32_t *ids;
	size_t count = tokenizer_encode(t, a, text, &ids);

	for (size_t i = 0; i < count; i++)
		if (ids[i] >= t->size)
			panic("an id that is none");
	if (tokenizer_decode(t, ids, count, b) == -1)
		panic("an id that is not decoded");
	if (same && !view_eq(buf_get(b), text))
		panic("not the same text");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct view text = { "It's 12  tests\n\xc3\xa4 \xe4\xb8\xad",
	    22 };
	struct view file = { (const char *)p, n }, tail;
	struct arena *a = arena_new();
	struct err e;
	struct tokenizer *t = tokenizer_open(a, file, &e);
	size_t repairs;

	if (t != NULL) {
		struct view regex;
		/* what a pattern of the file's own does not match is lost */
		bool same = t->bpe != NULL && bpe_cut(t->bpe, &regex) != NULL &&
		    memmem(p, n, "normaliz", 8) == NULL &&
		    memmem(p, n, "prefix_space", 12) == NULL &&
		    memmem(p, n, "strip", 5) == NULL;

		both_ways(a, t, text, same);
		tail = (struct view){ file.p + n / 2, n - n / 2 };
		if (tail.n > 4096)
			tail.n = 4096;
		both_ways(a, t, utf8_repair(a, tail, &repairs), same);
	}
	arena_free(a);
	return 0;
}
