/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/learn_least.h"
#include "appliance/text/learn_own.h"
#include "appliance/text/learn_passes.h"
#include "appliance/text/learn_unigram.h"
#include "appliance/text/utf8.h"

#define TABLE_MIN	((size_t)1 << 16)
#define AHEAD		16		/* words that are fetched */

struct learn_thread {
	struct learn *learn;
	struct learn_count *count;
};

struct learn {
	struct arena *arena;
	struct learn_conf conf;
	struct learn_way way;
	struct learn_count **count;	/* of all threads */
	size_t ncounts, words;
	uint32_t tokens;
};

/* learn_has - is a token among the special ones */
static bool
learn_has(const struct learn_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->nspecial; i++)
		if (strcmp(conf->special[i], name) == 0)
			return true;
	return false;
}

/* learn_special - each once, the unknown one among them */
static int
learn_special(const struct learn_conf *conf, struct err *e)
{
	const char *unknown = conf->kind == LEARN_BPE ? NULL :
	    conf->kind == LEARN_WORDPIECE ? "[UNK]" : "<unk>";

	for (size_t i = 0; i < conf->nspecial; i++) {
		if (conf->special[i][0] == '\0')
			return err_set(e, FATE_REJECT, "a special token is "
			    "empty");
		for (size_t k = 0; k < i; k++)
			if (strcmp(conf->special[i], conf->special[k]) == 0)
				return err_set(e, FATE_REJECT, "special "
				    "token '%s' is there twice",
				    conf->special[i]);
	}
	for (size_t i = 0; conf->kind == LEARN_UNIGRAM && i < conf->nspecial;
	    i++)
		if (utf8_count(view_of(conf->special[i])) == 1)
			return err_set(e, FATE_REJECT, "special token '%s' is "
			    "a character, which is a piece anyway",
			    conf->special[i]);
	if (unknown != NULL && !learn_has(conf, unknown))
		return err_set(e, FATE_REJECT, "'special' lacks '%s', which "
		    "stands for what is not in the vocabulary", unknown);
	if (conf->kind == LEARN_BPE && conf->size < 256 + conf->nspecial)
		return err_set(e, FATE_REJECT, "a vocabulary of %u cannot hold "
		    "256 bytes and %zu special tokens", conf->size,
		    conf->nspecial);
	return 0;
}

/* learn_kinds - options that this kind has no use for */
static int
learn_kinds(const struct learn_conf *conf, struct err *e)
{
	bool bert = conf->kind == LEARN_WORDPIECE;

	if (bert && (conf->nfc || conf->collapse || conf->prefix ||
	    conf->digits))
		return err_set(e, FATE_REJECT, "kind=wordpiece cuts texts as "
		    "BERT does: normalize, whitespace, dummy_prefix and digits "
		    "are for other kinds");
	if (conf->kind != LEARN_BPE && strcmp(conf->pattern, "gpt2") != 0)
		return err_set(e, FATE_REJECT, "'pattern' is for kind=bpe");
	if (conf->model && (bert || conf->kind == LEARN_BPE))
		return err_set(e, FATE_REJECT, "format=model is for "
		    "kind=char-bpe and kind=unigram");
	if (conf->model && conf->nfc)
		return err_set(e, FATE_REJECT, "format=model cannot say "
		    "normalize=nfc");
	if (conf->kind == LEARN_UNIGRAM &&
	    conf->max_token_length > UNIGRAM_LONGEST)
		return err_set(e, FATE_REJECT, "pieces of a unigram model have "
		    "at most %d characters", UNIGRAM_LONGEST);
	return 0;
}

/* learn_level - what byte-level BPE's tokenizer.json cannot say */
static int
learn_level(const struct learn_conf *conf, struct err *e)
{
	const struct bpe_pattern *p = bpe_pattern(conf->pattern);

	if (p == NULL)
		return err_set(e, FATE_REJECT, "no pattern '%s': gpt2, llama3, "
		    "qwen2, o200k and tekken are known", conf->pattern);
	if (bpe_regex(p) == NULL)
		return err_set(e, FATE_REJECT, "pattern '%s' is for rank "
		    "files; in a tokenizer.json it is 'llama3'",
		    conf->pattern);
	if (conf->prefix && (conf->digits || strcmp(conf->pattern, "gpt2")))
		return err_set(e, FATE_REJECT, "a blank in front of a text "
		    "goes with pattern=gpt2 and digits=pattern only: "
		    "tokenizer.json would put it before every piece");
	return 0;
}

struct learn *
learn_begin(struct arena *a, const struct learn_conf *conf, struct err *e)
{
	struct learn *l = arena_alloc(a, sizeof(*l));

	l->arena = a;
	l->conf = *conf;
	if (learn_kinds(conf, e) == -1 || learn_special(conf, e) == -1 ||
	    (conf->kind == LEARN_BPE && learn_level(conf, e) == -1))
		return NULL;
	l->way.conf = &l->conf;
	if (conf->kind == LEARN_BPE)
		l->way.pattern = bpe_pattern(conf->pattern);
	else if (conf->kind == LEARN_WORDPIECE)
		l->way.chars = hf_chars_new(a);
	return l;
}

struct learn_thread *
learn_thread(struct learn *l, int file)
{
	struct learn_thread *t = arena_alloc(l->arena, sizeof(*t));
	size_t threads = l->conf.threads < 1 ? 1 : (size_t)l->conf.threads;
	size_t memory = l->conf.memory / threads;

	t->learn = l;
	t->count = learn_count_new(l->arena, memory < TABLE_MIN ? TABLE_MIN :
	    memory, file);
	if ((l->ncounts & (l->ncounts + 1)) == 0)
		l->count = arena_grow(l->arena, l->count, l->ncounts,
		    l->ncounts * 2 + 1, sizeof(struct learn_count *));
	l->count[l->ncounts++] = t->count;
	return t;
}

int
learn_add(struct learn_thread *t, struct arena *a, struct view text,
    struct err *e)
{
	if (learn_split(&t->learn->way, t->count, a, text, e) == -1)
		return -1;
	return learn_count_flush(t->count, e);
}

/* learn_some - is there a word */
static int
learn_some(const struct learn *l, struct err *e)
{
	if (l->words > 0 || l->conf.kind == LEARN_BPE)
		return 0;
	return err_set(e, FATE_REJECT, "no words in no text: there is nothing "
	    "to learn from");
}

/* learn_room - are there not too many first tokens */
static int
learn_room(const struct learn *l, const struct learn_vocab *v, struct err *e)
{
	if (v->n <= l->conf.size)
		return 0;
	return err_set(e, FATE_REJECT, "a vocabulary of %u cannot hold the "
	    "texts' characters: %u tokens, some with ## before them",
	    l->conf.size, v->n);
}

/* learn_pairs - the kinds that are learnt by merges */
static int
learn_pairs(struct learn *l, const struct learn_rules *rules,
    struct learn_vocab *v, struct learn_merges *merges,
    struct learn_alphabet *al, struct err *e)
{
	struct learn_words words;
	struct learn_text *text;
	int64_t *letters = NULL;
	size_t room = 0;

	if (learn_count_merge(l->arena, l->count, l->ncounts, &words, e) == -1)
		return -1;
	l->words = words.n;
	if (learn_some(l, e) == -1)
		return -1;
	for (size_t i = 0; i < words.n; i++) {
		room += words.v[i].n;
		if (l->conf.kind != LEARN_BPE)
			learn_letters(l->arena, &letters, &words.v[i]);
	}
	if (learn_alphabet(l->arena, &l->conf, letters, v, al, e) == -1)
		return -1;
	text = learn_text_new(l->arena, room);
	for (size_t i = 0; i < words.n; i++) {
		if (i + AHEAD < words.n)
			__builtin_prefetch(words.v[i + AHEAD].p);
		learn_symbols(&l->conf, &words.v[i], al, v, text);
	}
	if (learn_room(l, v, e) == -1)
		return -1;
	return learn_merge(l->arena, text, rules, v, merges, e);
}

/* words on their way to a tape */
struct far {
	struct learn *l;
	const struct learn_rules *rules;
	struct learn_vocab *v;
	const struct learn_alphabet *al;
	int64_t *letters;
	struct learn_text *text;	/* of one word */
	struct least least;
	struct tape *tape;
};

/* far_letters - learn_count_each's: what learn_alphabet needs */
static int
far_letters(void *arg, const struct learn_word *w, struct err *e)
{
	struct far *f = arg;

	(void)e;
	f->l->words++;
	if (f->l->conf.kind != LEARN_BPE)
		learn_letters(f->l->arena, &f->letters, w);
	return 0;
}

/* far_symbols - learn_count_each's: a word to the tape */
static int
far_symbols(void *arg, const struct learn_word *w, struct err *e)
{
	struct far *f = arg;
	struct learn_text *t = f->text;
	const uint32_t *symbol = t->symbol;

	t->n = t->words = 0;
	learn_symbols(&f->l->conf, w, f->al, f->v, t);
	for (size_t i = 0, at = 0; i < t->words; at += t->length[i++]) {
		least_word(&f->least, f->rules, t->length[i], w->count);
		symbol = t->symbol + at;
		if (t->length[i] > 1 && tape_put(f->tape, &(struct tape_word){
		    w->count, t->length[i], (uint32_t *)(uintptr_t)symbol },
		    e) == -1)
			return -1;
	}
	return 0;
}

/* learn_far - learn_pairs of words that did not fit into memory: they are read
 * twice from their runs, for the alphabet and as symbols */
static int
learn_far(struct learn *l, const struct learn_rules *rules,
    struct learn_vocab *v, struct learn_merges *merges,
    struct learn_alphabet *al, struct err *e)
{
	struct far f = { .l = l, .rules = rules, .v = v, .al = al,
	    .text = learn_text_new(l->arena, 0) };
	struct pass_limits limits = { .memory = l->conf.memory };
	int64_t end;
	int file;

	if (limits.memory < TABLE_MIN)
		limits.memory = TABLE_MIN;
	if (learn_count_each(l->count, l->ncounts, far_letters, &f, e) == -1 ||
	    learn_alphabet(l->arena, &l->conf, f.letters, v, al, e) == -1)
		return -1;
	file = learn_count_file(l->count[0], &end);
	f.tape = tape_new(l->arena, file, end);
	least_init(&f.least);
	if (learn_count_each(l->count, l->ncounts, far_symbols, &f, e) == -1 ||
	    tape_turn(f.tape, e) == -1 || learn_room(l, v, e) == -1) {
		(void)least_end(&f.least, rules);
		return -1;
	}
	limits.least = least_end(&f.least, rules);
	if (!f.text->distinct)
		limits.least = rules->min_count < 1 ? 1 : rules->min_count;
	for (size_t i = 0; i < l->ncounts; i++)
		learn_count_drop(l->count[i]);
	return learn_passes(l->arena, f.tape, rules, &limits, v, merges, e);
}

/* learn_merges - the kinds that are learnt by merges */
static int
learn_merges(struct learn *l, const struct learn_rules *rules,
    struct learned *t, struct err *e)
{
	struct learn_vocab *v = learn_vocab_new(l->arena);
	struct learn_merges *merges = arena_alloc(l->arena, sizeof(*merges));
	struct learn_alphabet al;
	int rc;

	if (learn_runs(l) > 0)
		rc = learn_far(l, rules, v, merges, &al, e);
	else
		rc = learn_pairs(l, rules, v, merges, &al, e);
	t->vocab = v;
	t->merges = merges;
	t->first = al.first;
	t->chars = al.chars;
	return rc;
}

/* learn_pieces - the kind that is not */
static int
learn_pieces(struct learn *l, const struct learn_rules *rules,
    struct learned *t, struct err *e)
{
	struct learn_words words;

	if (learn_count_merge(l->arena, l->count, l->ncounts, &words, e) == -1)
		return -1;
	l->words = words.n;
	if (learn_some(l, e) == -1)
		return -1;
	return learn_unigram(l->arena, &words, rules, t, e);
}

int
learn_end(struct learn *l, bool (*stop)(void *), void *arg, struct buf *b,
    struct err *e)
{
	struct learned t = { .conf = &l->conf };
	struct learn_rules rules = {
		.size = l->conf.size, .min_count = l->conf.min_count,
		.max_length = (uint32_t)l->conf.max_token_length,
		.threads = l->conf.threads,
		.prefix = l->conf.kind == LEARN_WORDPIECE ? VIEW("##") :
		    VIEW(""), .stop = stop, .arg = arg };

	if (l->conf.kind == LEARN_UNIGRAM ? learn_pieces(l, &rules, &t, e) ==
	    -1 : learn_merges(l, &rules, &t, e) == -1)
		return -1;
	l->tokens = t.vocab->n;
	if (l->conf.model)
		learn_model(&t, b);
	else
		learn_json(&t, b);
	return b->full ? err_set(e, FATE_REJECT, "the vocabulary is too large "
	    "to write") : 0;
}

size_t
learn_words(const struct learn *l)
{
	return l->words;
}

size_t
learn_runs(const struct learn *l)
{
	size_t runs = 0;

	for (size_t i = 0; i < l->ncounts; i++)
		runs += learn_count_runs(l->count[i]);
	return runs;
}

uint32_t
learn_tokens(const struct learn *l)
{
	return l->tokens;
}
