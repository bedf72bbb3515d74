/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/bpe_table.h"
#include "appliance/text/utf8.h"

/* an image of a vocabulary: each five bytes say where a byte of a good one is
 * written over, and with what; whatever is taken encodes and decodes */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define PIPE	"{\"added_tokens\":[{\"id\":260,\"content\":\"<x>\"," \
    "\"special\":false},{\"id\":261,\"content\":\"<y>\",\"special\":true}]," \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\"," \
    "\"ignore_merges\":true,\"vocab\":{"

/* good - an image of the bytes and four tokens, two of them of rules */
static struct view
good(struct arena *a)
{
	struct buf *b = buf_new(a, 1 << 20);
	struct bpe *t;
	struct err e;
	char c[4];

	buf_str(b, PIPE);
	for (unsigned i = 0; i < 256; i++) {
		buf_json(b, (struct view){ c,
		    utf8_put(bpe_byte_char((unsigned char)i), c) });
		buf_printf(b, ":%u,", i);
	}
	buf_str(b, "\"ab\":256,\"abc\":257,\"ABC\":258,\"abcdefghijklmnopqr\":"
	    "259},\"merges\":[[\"a\",\"b\"],[\"ab\",\"c\"]]}}");
	t = bpe_open(a, buf_get(b), &e);
	if (t == NULL)
		panic("%s", e.text);
	return t->image;
}

/* both_ways - a text to ids and back; ids of a changed image may be any */
static void
both_ways(struct arena *a, const struct bpe *t, struct view text)
{
	struct buf *b = buf_new(a, 1 << 20);
	uint32_t *ids;
	size_t n = bpe_encode(t, NULL, a, text, &ids);

	(void)bpe_decode(t, ids, n, b);
	(void)bpe_find(t, "<y>");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct view image;	/* made once: it is most of a run */
	struct arena *a = arena_new();
	char *copy;
	struct bpe *t;
	uint32_t at;
	struct err e;

	if (image.p == NULL)
		image = good(arena_new());
	copy = mem_alloc(image.n);
	memcpy(copy, image.p, image.n);
	for (; n >= 5; p += 5, n -= 5) {
		memcpy(&at, p, 4);
		copy[at % image.n] = (char)p[4];
	}
	t = bpe_attach(a, (struct view){ copy, image.n }, &e);
	if (t != NULL) {
		both_ways(a, t, VIEW("abc ABC <x> ab\n  It's 12 \xe4\xb8\xad"
		    "\xe6\x96\x87\xe4\xb8\xad" "abcdefghijklmnopqr"));
		both_ways(a, t, VIEW("aaaabbbbccccaaaabbbbccccaaaabbbbccccaaaa"
		    "bbbbccccabababababababababcabcabcabcabcabcabcabc"));
	}
	arena_free(a);
	mem_free(copy);
	return 0;
}
