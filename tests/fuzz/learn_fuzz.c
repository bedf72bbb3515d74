/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/json.h"
#include "appliance/text/learn.h"
#include "appliance/text/utf8.h"

#include <stdlib.h>

/* six bytes of rules and then texts, a line each: what is learnt is JSON, and
 * byte-level BPE can be opened and cuts the texts it was learnt from */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const pattern[] = { "gpt2", "llama3", "qwen2",
	    "o200k", "tekken" };
	static const char *const special[] = { "<unk>", "[UNK]", "ab" };
	struct learn_conf c = { .nspecial = 3, .special = special,
	    .memory = 1, .threads = 2 };
	struct arena *a, *scratch;
	struct learn_thread *t[2];
	struct learn *l;
	struct view text, line, json;
	struct buf *b;
	uint32_t *ids;
	FILE *file[2];
	struct err e;
	int rc = 0;

	if (size < 6)
		return 0;
	a = arena_new();
	scratch = arena_new();
	c.kind = (enum learn_kind)(data[0] & 3);
	c.pattern = pattern[data[0] / 4 % 5];
	if (c.kind != LEARN_BPE)
		c.pattern = "gpt2";
	if (c.kind == LEARN_UNIGRAM)
		c.nspecial = 2;
	c.size = (c.kind == LEARN_WORDPIECE ? 2 : 260) + data[1];
	c.min_count = data[2] & 3;
	c.coverage = 1 - (data[2] >> 2) / 128.0;
	c.nfc = data[3] & 1;
	c.collapse = data[3] >> 1 & 1;
	c.prefix = data[3] >> 2 & 1;
	c.digits = data[3] >> 3 & 1;
	c.lowercase = data[3] >> 4 & 1;
	c.byte_fallback = data[3] >> 5 & 1;
	c.model = data[3] >> 6 & 1;
	c.limit_alphabet = data[4];
	c.max_token_length = data[5] & 15;
	b = buf_new(a, 1 << 24);
	l = learn_begin(a, &c, &e);
	for (int i = 0; i < 2; i++)
		file[i] = tmpfile();
	for (int i = 0; l != NULL && i < 2; i++)
		t[i] = learn_thread(l, fileno(file[i]));
	text = utf8_repair(a, (struct view){ (const char *)data + 6,
	    size - 6 }, &(size_t){ 0 });
	for (size_t i = 0, n; l != NULL && i < text.n && rc == 0; i += n + 1) {
		line = (struct view){ text.p + i, 0 };
		for (n = 0; i + n < text.n && text.p[i + n] != '\n'; n++)
			line.n++;
		rc = learn_add(t[i % 2], scratch, line, &e);
	}
	if (l != NULL && rc == 0)
		rc = learn_end(l, NULL, NULL, b, &e);
	if (l != NULL && rc == 0 && !c.model &&
	    json_value(buf_get(b), &json, &e) == -1)
		abort();
	if (l != NULL && rc == 0 && c.kind == LEARN_BPE && !c.collapse &&
	    !c.digits) {
		struct bpe *bpe = bpe_open(a, buf_get(b), &e);

		if (bpe == NULL)
			abort();
		(void)bpe_encode(bpe, NULL, a, text, &ids);
	}
	for (int i = 0; i < 2; i++)
		fclose(file[i]);
	arena_free(scratch);
	arena_free(a);
	return 0;
}
