/* SPDX-License-Identifier: Apache-2.0 */
/* a vocabulary of SentencePiece's kind in GGUF's keys as a file of its own */
#include "appliance/base/base.h"
#include "appliance/text/gguf_vocab.h"

/* protocol buffers: a number of seven bits a byte, and what begins with it */
static void
put_varint(struct buf *b, uint64_t x)
{
	for (; x > 127; x >>= 7)
		buf_char(b, (char)(x | 128));
	buf_char(b, (char)x);
}

static void
put_number(struct buf *b, unsigned field, uint64_t x)
{
	put_varint(b, field << 3);
	put_varint(b, x);
}

static void
put_bytes(struct buf *b, unsigned field, struct view v)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, v.n);
	buf_view(b, v);
}

/* put_rules - the normalizer_spec: BPE's is only the blank before a text */
static void
put_rules(const struct gguf_vocab *v, bool unigram, struct buf *b)
{
	struct gguf_array map;
	bool blank = true, squeeze = false;
	struct buf one;

	gguf_bool(v->g, "tokenizer.ggml.add_space_prefix", &blank);
	if (unigram)
		gguf_bool(v->g, "tokenizer.ggml.remove_extra_whitespaces",
		    &squeeze);
	buf_init(&one, GGUF_HEADER);
	if (unigram && gguf_array(v->g, "tokenizer.ggml.precompiled_charsmap",
	    GGUF_I64, &map) && map.n == map.raw.n)
		put_bytes(&one, 2, map.raw);
	else
		put_bytes(&one, 1, VIEW("identity"));
	put_number(&one, 3, blank);		/* add_dummy_prefix */
	put_number(&one, 4, squeeze);		/* remove_extra_whitespaces */
	put_number(&one, 5, 1);			/* escape_whitespaces */
	put_bytes(b, 3, buf_get(&one));
	buf_free(&one);
}

/* put_trainer - the trainer_spec; the ends of a text are known by name */
static void
put_trainer(const struct gguf_vocab *v, bool unigram, bool bytes,
    struct buf *b)
{
	static const struct {
		const char *key;
		unsigned field, name;
		int64_t absent;
	} ids[] = {
		{ "tokenizer.ggml.unknown_token_id", 40, 45, 0 },
		{ "tokenizer.ggml.bos_token_id", 41, 46, 1 },
		{ "tokenizer.ggml.eos_token_id", 42, 47, 2 },
		{ "tokenizer.ggml.padding_token_id", 43, 48, -1 },
	};
	struct view text;
	struct buf one;
	int64_t id;

	buf_init(&one, 1 << 20);
	put_number(&one, 3, unigram ? 1 : 2);	/* UNIGRAM, BPE */
	put_number(&one, 4, v->tokens.n);
	put_number(&one, 35, bytes);		/* byte_fallback */
	for (size_t i = 0; i < BASE_COUNT(ids); i++) {
		id = ids[i].absent;
		gguf_whole(v->g, ids[i].key, &id);
		put_number(&one, ids[i].field, (uint64_t)id);
		if (gguf_token(v, id, &text))
			put_bytes(&one, ids[i].name, text);
	}
	put_bytes(b, 2, buf_get(&one));
	buf_free(&one);
}

/* make_model - SentencePiece's ModelProto: pieces, trainer, normalizer */
static void
make_model(const struct gguf_vocab *v, bool unigram, struct buf *b)
{
	struct view rest = v->tokens.raw, text;
	bool bytes = false;
	struct buf one;
	float score;
	int64_t type;

	buf_init(&one, GGUF_HEADER);
	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		one.n = 0;
		score = v->scored ? (float)gguf_at(&v->scores, i) : 0;
		type = gguf_type_of(v, i);
		bytes |= type == GGUF_BYTE;
		put_bytes(&one, 1, text);
		put_varint(&one, 2 << 3 | 5);
		buf_add(&one, &score, 4);
		put_number(&one, 3, (uint64_t)type);
		put_bytes(b, 1, buf_get(&one));
	}
	buf_free(&one);
	put_trainer(v, unigram, bytes, b);
	put_rules(v, unigram, b);
}

/* is_bin - has it the order of ids that llama2.c's tokenizer.bin has */
static bool
is_bin(const struct gguf_vocab *v)
{
	bool blank = true;

	gguf_bool(v->g, "tokenizer.ggml.add_space_prefix", &blank);
	for (uint64_t i = 0; i < v->tokens.n; i++)
		if (gguf_type_of(v, i) != (i == 0 ? GGUF_UNKNOWN : i < 3 ?
		    GGUF_CONTROL : i < 259 ? GGUF_BYTE : GGUF_NORMAL))
			return false;
	return blank && v->scored && v->tokens.n > 259;
}

/* put_piece - blanks as they are */
static void
put_piece(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.n - i > 2 && memcmp(v.p + i, "\xe2\x96\x81", 3) == 0) {
			buf_char(b, ' ');
			i += 2;
		} else
			buf_char(b, v.p[i]);
}

/* make_bin - tokenizer.bin: the longest piece, then score, length and bytes */
static void
make_bin(const struct gguf_vocab *v, struct buf *b)
{
	struct view rest = v->tokens.raw, text;
	uint32_t most = 0, len;
	float score;
	struct buf one;

	buf_init(&one, GGUF_HEADER);
	buf_add(b, &most, 4);
	for (uint64_t i = 0; gguf_next(&rest, &text); i++) {
		one.n = 0;
		if (i == 1 || i == 2)	/* as that program spells them */
			text = i == 1 ? VIEW("\n<s>\n") : VIEW("\n</s>\n");
		put_piece(&one, text);
		len = (uint32_t)one.n;
		most = len > most ? len : most;
		score = (float)gguf_at(&v->scores, i);
		buf_add(b, &score, 4);
		buf_add(b, &len, 4);
		buf_view(b, buf_get(&one));
	}
	buf_free(&one);
	if (!b->full)
		memcpy(b->p, &most, 4);
}

const char *
gguf_spm(const struct gguf_vocab *v, bool unigram, bool bin, struct buf *b)
{
	if (bin && !unigram && is_bin(v)) {
		make_bin(v, b);
		return "tokenizer.bin";
	}
	make_model(v, unigram, b);
	return "tokenizer.model";
}
