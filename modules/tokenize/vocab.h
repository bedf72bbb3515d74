/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODULES_TOKENIZE_VOCAB_H
#define MODULES_TOKENIZE_VOCAB_H

#include "appliance/module.h"

/*
 * vocab.h - do=learn: the options as rules, the texts of all threads to the
 * learner, the vocabulary to the store or a file.
 */

struct vocab_conf {
	int kind, digits, whitespace, dummy_prefix, normalize, format;
	bool lowercase, byte_fallback;
	const char *pattern, *initial_alphabet;
	int64_t vocab, min_count, limit_alphabet, max_token_length, memory;
	double coverage;
	struct opt_list special;
};

/* VOCAB_OPTIONS - rows for a table whose conf S has a vocab_conf as member m */
#define VOCAB_ROW(t, S, m, f, d, lo, hi, w, fl, h)			\
	{ .name = #f, .type = t, .flags = fl, .offset = offsetof(S, m.f), \
	  .def = d, .min = lo, .max = hi, .words = w, .help = "learn: " h }
#define VOCAB_ENUM(S, m, f, w, d, h)					\
	VOCAB_ROW(OPT_ENUM, S, m, f, d, 0, 0, w, 0, h)
#define VOCAB_INT(S, m, f, d, lo, hi, h)				\
	VOCAB_ROW(OPT_INT, S, m, f, d, lo, hi, NULL, 0, h)
#define VOCAB_OPTIONS(S, m)						\
	VOCAB_ENUM(S, m, kind, "bpe|char-bpe|unigram|wordpiece", "bpe",	\
	    "byte-level BPE, BPE of characters, a unigram language "	\
	    "model, or WordPiece"),					\
	VOCAB_INT(S, m, vocab, "8000", 2, 1000000,			\
	    "size of the vocabulary"),					\
	VOCAB_INT(S, m, min_count, "2", 1, 1e9,				\
	    "fewest occurrences of a pair that is merged"),		\
	VOCAB_ROW(OPT_LIST, S, m, special, "<|endoftext|>", 0, 0, NULL,	\
	    OPT_MANY, "special tokens, which get the first ids; the "	\
	    "default is bpe's, the other kinds have their own"),	\
	VOCAB_ENUM(S, m, format, "json|model", "json",			\
	    "a tokenizer.json, or SentencePiece's model"),		\
	VOCAB_ROW(OPT_TEXT, S, m, pattern, "gpt2", 0, 0, NULL, 0,	\
	    "bpe: how text is cut: gpt2, llama3, qwen2, o200k, "	\
	    "tekken"),							\
	VOCAB_ENUM(S, m, digits, "pattern|single", "pattern",		\
	    "numbers as they come, or each digit alone"),		\
	VOCAB_ENUM(S, m, whitespace, "keep|collapse", "keep",		\
	    "blanks as they are, or none at the ends and no two together"), \
	VOCAB_ENUM(S, m, dummy_prefix, "auto|yes|no", "auto",		\
	    "a blank in front of each text; auto: with char-bpe and "	\
	    "unigram"),							\
	VOCAB_ENUM(S, m, normalize, "none|nfc", "none",			\
	    "Unicode's normal form of texts"),				\
	VOCAB_ROW(OPT_BOOL, S, m, lowercase, "yes", 0, 0, NULL, 0,	\
	    "wordpiece: small letters without accents"),		\
	VOCAB_ROW(OPT_BOOL, S, m, byte_fallback, "yes", 0, 0, NULL, 0,	\
	    "char-bpe, unigram: 256 tokens for the bytes of others"),	\
	VOCAB_ROW(OPT_FLOAT, S, m, coverage, "0.9995", 0.5, 1, NULL, 0,	\
	    "not bpe: the share of characters that get a token"),	\
	VOCAB_INT(S, m, limit_alphabet, "0", 0, 1114112,		\
	    "not bpe: most characters that get a token, 0: all"),	\
	VOCAB_ROW(OPT_TEXT, S, m, initial_alphabet, NULL, 0, 0, NULL, 0, \
	    "not bpe: characters that get a token in any case"),	\
	VOCAB_INT(S, m, max_token_length, "0", 0, 65535,		\
	    "bpe, wordpiece: tokens stay shorter, 0: any; unigram: "	\
	    "the longest, 0: 16 characters"),				\
	VOCAB_ROW(OPT_SIZE, S, m, memory, "512M", 1 << 20, 1e15, NULL,	\
	    OPT_NOKEY, "bytes of words and pairs in memory; more go "	\
	    "to files, but not with unigram, which then needs all words")

/* vocab_plan - what can be said against the options */
int vocab_plan(const struct vocab_conf *, struct err *);

/* vocab_open, _thread, _batch, _finish, _close - the module's; name: a
 * tokenizer or a path with a slash, text: the field that is read */
int vocab_open(struct stage *, const struct vocab_conf *, struct err *);
int vocab_thread(struct stage *, void **scratch, struct err *);
int vocab_batch(void *scratch, struct batch *, const char *text, struct err *);
int vocab_finish(struct stage *, const char *name, struct err *);
void vocab_close(struct stage *);

#endif
