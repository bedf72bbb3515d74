/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/spm.h"

/* .model and tokenizer.bin: what opens encodes any text, short ones from memory
 * as at first, and decodes what it encoded */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
both_ways(struct spm *s, struct arena *a, struct view text)
{
	struct buf *b = buf_new(a, 1 << 24);
	uint32_t *ids, *again;
	size_t n = spm_encode(s, a, text, &ids);

	for (size_t i = 0; i < n; i++)
		if (ids[i] >= spm_size(s))
			panic("an id outside the vocabulary");
	if (spm_encode(s, a, text, &again) != n ||
	    memcmp(ids, again, n * sizeof(*ids)) != 0)
		panic("other ids the second time");
	if (spm_decode(s, ids, n, b) == -1)
		panic("its own ids are unknown");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct view text = { "Once upon\n\xc3\xa4 a \xe4\xb8\xad"
	    " \xe2\x96\x81 ab  abab cabba aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "\xff\xed\xa0\x80", 71 };
	struct view file = { (const char *)p, n }, tail;
	struct arena *a = arena_new();
	struct spm_spec spec;
	struct err e;
	struct spm *s;

	for (int bin = 0; bin < 2; bin++) {
		if ((bin ? spm_read_bin(a, file, &spec, &e) :
		    spm_read(a, file, &spec, &e)) == -1)
			continue;
		s = spm_make(a, &spec, &e);
		if (s == NULL)
			continue;
		both_ways(s, a, text);
		tail = (struct view){ file.p + n / 2, n - n / 2 };
		if (tail.n > 2048)
			tail.n = 2048;
		both_ways(s, a, tail);
	}
	arena_free(a);
	return 0;
}
