/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SentencePiece model: ModelProto of sentencepiece_model.proto (proto2), the
 * fields that a reader needs.  Ids are those of the same vocabulary's
 * tokenizer.json.  BPE's scores say the order of merges, characters' come after
 * them all, as with SentencePiece's own trainer.
 */
#include "appliance/base/base.h"
#include "appliance/text/learn_own.h"

/* fields of ModelProto, SentencePiece, TrainerSpec, NormalizerSpec */
enum {
	M_PIECES = 1, M_TRAINER = 2, M_NORMALIZER = 3,
	P_PIECE = 1, P_SCORE = 2, P_TYPE = 3,
	T_MODEL_TYPE = 3, T_VOCAB_SIZE = 4, T_CHARACTER_COVERAGE = 10,
	T_MAX_LENGTH = 20, T_SPLIT_DIGITS = 25, T_BYTE_FALLBACK = 35,
	T_UNK_ID = 40, T_BOS_ID, T_EOS_ID, T_PAD_ID,
	N_NAME = 1, N_DUMMY_PREFIX = 3, N_REMOVE_EXTRA = 4, N_ESCAPE = 5,
};
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_FLOAT = 5 };
enum { MODEL_UNIGRAM = 1, MODEL_BPE = 2 };
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_BYTE = 6 };

static void
put_varint(struct buf *b, uint64_t x)
{
	for (; x >= 0x80; x >>= 7)
		buf_char(b, (char)(x | 0x80));
	buf_char(b, (char)x);
}

/* put_int - a field that is a number; a negative one has ten bytes */
static void
put_int(struct buf *b, unsigned field, int64_t x)
{
	put_varint(b, field << 3 | WIRE_VARINT);
	put_varint(b, (uint64_t)x);
}

static void
put_float(struct buf *b, unsigned field, float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof(bits));
	put_varint(b, field << 3 | WIRE_FLOAT);
	for (int i = 0; i < 4; i++)
		buf_char(b, (char)(bits >> 8 * i));
}

static void
put_bytes(struct buf *b, unsigned field, struct view v)
{
	put_varint(b, field << 3 | WIRE_BYTES);
	put_varint(b, v.n);
	buf_view(b, v);
}

/* model_score - of a token that is no special one and no byte */
static double
model_score(const struct learned *t, uint32_t id)
{
	uint32_t merged = t->first + t->chars;

	if (t->score != NULL)
		return t->score[id];
	return id >= merged ? -(double)(id - merged) :
	    -(double)(t->vocab->n - merged + id - t->first);
}

/* model_pieces - all tokens in the order of their ids */
static void
model_pieces(const struct learned *t, struct buf *b)
{
	uint32_t special = (uint32_t)t->conf->nspecial;
	struct buf one;

	buf_init(&one, (size_t)1 << 30);
	for (uint32_t i = 0; i < t->vocab->n; i++) {
		int type = i >= t->first ? TYPE_NORMAL : i >= special ?
		    TYPE_BYTE : view_is(t->vocab->token[i], "<unk>") ?
		    TYPE_UNKNOWN : TYPE_CONTROL;

		one.n = 0;
		put_bytes(&one, P_PIECE, t->vocab->token[i]);
		put_float(&one, P_SCORE, i < t->first ? 0 :
		    (float)model_score(t, i));
		put_int(&one, P_TYPE, type);
		put_bytes(b, M_PIECES, buf_get(&one));
	}
	buf_free(&one);
}

/* model_id - of a special token, -1 */
static int64_t
model_id(const struct learned *t, const char *name)
{
	uint32_t id = learn_vocab_find(t->vocab, view_of(name));

	return id < t->conf->nspecial ? (int64_t)id : -1;
}

/* model_trainer - how the pieces are used, and what they were learnt with */
static void
model_trainer(const struct learned *t, struct buf *b)
{
	const struct learn_conf *conf = t->conf;
	struct buf one;

	buf_init(&one, 4096);
	put_int(&one, T_MODEL_TYPE, conf->kind == LEARN_UNIGRAM ?
	    MODEL_UNIGRAM : MODEL_BPE);
	put_int(&one, T_VOCAB_SIZE, t->vocab->n);
	put_float(&one, T_CHARACTER_COVERAGE, (float)conf->coverage);
	if (conf->max_token_length > 0)
		put_int(&one, T_MAX_LENGTH, conf->max_token_length);
	put_int(&one, T_SPLIT_DIGITS, conf->digits);
	put_int(&one, T_BYTE_FALLBACK, conf->byte_fallback);
	put_int(&one, T_UNK_ID, model_id(t, "<unk>"));
	put_int(&one, T_BOS_ID, model_id(t, "<s>"));
	put_int(&one, T_EOS_ID, model_id(t, "</s>"));
	put_int(&one, T_PAD_ID, model_id(t, "<pad>"));
	put_bytes(b, M_TRAINER, buf_get(&one));
	buf_free(&one);
}

void
learn_model(const struct learned *t, struct buf *b)
{
	struct buf one;

	model_pieces(t, b);
	model_trainer(t, b);
	buf_init(&one, 4096);
	put_bytes(&one, N_NAME, VIEW("identity"));
	put_int(&one, N_DUMMY_PREFIX, t->conf->prefix);
	put_int(&one, N_REMOVE_EXTRA, t->conf->collapse);
	put_int(&one, N_ESCAPE, 1);
	put_bytes(b, M_NORMALIZER, buf_get(&one));
	buf_free(&one);
}
