/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/bpe.h"
#include "appliance/text/proto.h"
#include "appliance/text/spm.h"
#include "appliance/text/tokenizer.h"

/* what published vocabularies call the end of a text */
static const char *const ends[] = { "<|endoftext|>", "</s>", "<eos>",
    "<|end_of_text|>" };
static const char *const begins[] = { "<s>", "<bos>", "<|begin_of_text|>" };

/* find_any - the first of some names that the vocabulary has */
static int32_t
find_any(const struct bpe *b, const char *const *name, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t id = bpe_find(b, name[i]);

		if (id != -1)
			return (int32_t)id;
	}
	return -1;
}

/* is_ranks - a rank file: text that begins with base64 and has no NUL soon, as
 * the length in tokenizer.bin has */
static bool
is_ranks(struct view file)
{
	size_t n = file.n < 8 ? file.n : 8;
	char c = n == 0 ? '\0' : file.p[0];

	return ((c >= '0' && c <= '9') || ((c | 32) >= 'a' &&
	    (c | 32) <= 'z') || c == '+' || c == '/') &&
	    memchr(file.p, '\0', n) == NULL;
}

/* is_model - a SentencePiece model: its first field is a piece, or what comes
 * before the pieces in some writers' order */
static bool
is_model(struct view file)
{
	struct proto r = proto_of(file);
	struct proto_field f, in;

	if (proto_next(&r, &f) != 1 || f.wire != PROTO_BYTES || f.number > 5)
		return false;
	r = proto_of(f.bytes);
	return f.bytes.n == 0 || proto_next(&r, &in) == 1;
}

/* open_spm - a SentencePiece vocabulary; Llama's family, which is BPE, has the
 * token that begins a text in front of every text */
static int
open_spm(struct tokenizer *t, struct arena *a, struct view file, struct err *e)
{
	struct spm_spec spec;
	bool model = is_model(file);

	if ((model ? spm_read(a, file, &spec, e) :
	    spm_read_bin(a, file, &spec, e)) == -1)
		return -1;
	t->spm = spm_make(a, &spec, e);
	if (t->spm == NULL)
		return -1;
	t->name = model ? "tokenizer.model" : "tokenizer.bin";
	t->size = spm_size(t->spm);
	t->bos = spm_bos(t->spm);
	t->end = spm_eos(t->spm);
	t->begins = t->bos >= 0 && spec.kind == SPM_BPE;
	return 0;
}

/* open_bpe - a byte-level vocabulary, mapped if it was compiled before; that it
 * cannot be kept is no fault */
static const struct bpe *
open_bpe(struct arena *a, struct view file, bool ranks,
    const struct hash *hash, int dir, struct err *e)
{
	struct bpe *b = dir == -1 ? NULL : bpe_map(a, dir, hash);
	struct err absent;

	if (b != NULL)
		return b;
	b = ranks ? bpe_open_ranks(a, file, e) : bpe_open(a, file, e);
	if (b != NULL && dir != -1)
		(void)bpe_keep(b, dir, hash, &absent);
	return b;
}

struct tokenizer *
tokenizer_open(struct arena *a, struct view file, struct err *e)
{
	return tokenizer_open_kept(a, file, NULL, -1, e);
}

struct tokenizer *
tokenizer_open_kept(struct arena *a, struct view file,
    const struct hash *hash, int dir, struct err *e)
{
	struct tokenizer *t = arena_alloc(a, sizeof(*t));
	bool ranks = is_ranks(file);
	size_t i = 0;

	while (i < file.n && strchr(" \t\r\n", file.p[i]) != NULL &&
	    file.p[i] != '\0')
		i++;
	if (ranks || (i < file.n && file.p[i] == '{')) {
		t->name = ranks ? "tokenizer.tiktoken" : "tokenizer.json";
		t->bpe = open_bpe(a, file, ranks, hash, dir, e);
		if (t->bpe == NULL)
			return NULL;
		t->size = bpe_size(t->bpe);
		t->end = find_any(t->bpe, ends, BASE_COUNT(ends));
		t->bos = find_any(t->bpe, begins, BASE_COUNT(begins));
		return t;
	}
	return open_spm(t, a, file, e) == -1 ? NULL : t;
}

const char *
tokenizer_find(int dir)
{
	static const char *const names[] = { "tokenizer.json",
	    "tokenizer.model", "tokenizer.bin", "tokenizer.tiktoken" };

	for (size_t i = 0; i < BASE_COUNT(names); i++)
		if (file_exists(dir, names[i]))
			return names[i];
	return NULL;
}

struct tokenizer_scratch {
	struct bpe_scratch *bpe;
};

struct tokenizer_scratch *
tokenizer_scratch(const struct tokenizer *t, struct arena *a)
{
	struct tokenizer_scratch *s = arena_alloc(a, sizeof(*s));

	s->bpe = t->bpe == NULL ? NULL : bpe_scratch(a, t->bpe);
	return s;
}

size_t
tokenizer_encode_with(const struct tokenizer *t, struct tokenizer_scratch *s,
    struct arena *a, struct view text, uint32_t **ids)
{
	return t->bpe != NULL ? bpe_encode(t->bpe, s == NULL ? NULL : s->bpe,
	    a, text, ids) : spm_encode(t->spm, a, text, ids);
}

size_t
tokenizer_encode(const struct tokenizer *t, struct arena *a, struct view text,
    uint32_t **ids)
{
	return tokenizer_encode_with(t, NULL, a, text, ids);
}

int
tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n,
    struct buf *b)
{
	return t->bpe != NULL ? bpe_decode(t->bpe, ids, n, b) :
	    spm_decode(t->spm, ids, n, b);
}
