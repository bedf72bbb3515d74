/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/learn_lattice.h"
#include "appliance/text/learn_share.h"
#include "appliance/text/learn_unigram.h"
#include "appliance/text/utf8.h"

#include <math.h>
#include <stdlib.h>

/* the numbers of the reference trainers */
#define SEEDS		1000000		/* pieces at first */
#define LONGEST		16		/* characters of a piece */
#define EM		2		/* rounds between two prunings */
#define KEEP		0.75		/* share that a pruning leaves */
#define ENOUGH		1.1		/* of the size: pruning ends */
#define RARE		0.5		/* expected less often: it goes */

#define SHARE		512		/* words at a time for a thread */

struct word {
	size_t at;
	uint32_t n;
	int64_t count;
};

struct unigram {
	struct arena *arena;
	const struct learn_rules *rules;
	struct unigram_text text;
	struct word *word;
	size_t nwords;
	struct unigram_piece *piece;	/* first the characters */
	size_t n, chars;
	double *score, *share;
	struct lattice_model model;
	struct lattice_scratch *scratch[64];	/* of each thread */
	int64_t *sum[64];		/* by piece */
	double *loss;
	int threads;
};

/* unigram_close - the arena's closer */
static void
unigram_close(void *arg)
{
	struct unigram *u = arg;

	mem_free(u->text.symbol);
	mem_free(u->text.count);
	mem_free(u->word);
	mem_free(u->piece);
	mem_free(u->score);
	mem_free(u->share);
	mem_free(u->loss);
	for (int i = 0; i < u->threads; i++)
		mem_free(u->sum[i]);
	if (u->model.trie.edge != NULL)
		learn_trie_free(&u->model.trie);
}

/* unigram_text - words of symbols from 1, cut where they are too long; then,
 * so that it stands somewhere, each character as a word that is not there */
static int
unigram_text(struct unigram *u, const struct learn_text *t, uint32_t first,
    struct err *e)
{
	size_t words = u->chars, at = 0, k = 0;

	for (size_t w = 0; w < t->words; w++)
		words += t->length[w] / LATTICE_MAX + 1;
	if (t->n + u->chars + words >= UINT32_MAX)
		return err_set(e, FATE_REJECT, "words of %zu characters in "
		    "all: at most %u can be learnt from", t->n, UINT32_MAX);
	words += t->n + u->chars + 1;
	u->text.symbol = mem_alloc(words * sizeof(uint32_t));
	u->text.count = mem_alloc(words * sizeof(int64_t));
	u->word = mem_alloc((words - t->n) * sizeof(*u->word));
	for (size_t w = 0; w < t->words; w++)
		for (uint32_t i = 0; i < t->length[w]; i++) {
			struct word *d = &u->word[u->nwords];

			if (d->n == 0)
				*d = (struct word){ at, 0, t->count[w] };
			u->text.symbol[at] = t->symbol[k++] - first + 1;
			u->text.count[at++] = t->count[w];
			if (++d->n == LATTICE_MAX || i + 1 == t->length[w]) {
				u->nwords++;
				at++;	/* the 0 between words */
			}
		}
	for (uint32_t c = 1; c <= u->chars; c++, at += 2)
		u->text.symbol[at] = c;
	u->text.n = at;
	return 0;
}

/* unigram_seed - all characters, then substrings; scores sum to one */
static void
unigram_seed(struct unigram *u)
{
	size_t n, chars = u->chars;
	struct unigram_piece *seed = learn_seed(&u->text,
	    u->rules->min_count, SEEDS, &n);
	double sum = 0;

	u->piece = mem_alloc((chars + n + 1) * sizeof(*u->piece));
	for (size_t i = 0; i < u->text.n; i++) {
		struct unigram_piece *p;

		if (u->text.symbol[i] == 0)
			continue;
		p = &u->piece[u->text.symbol[i] - 1];
		p->at = (uint32_t)i;
		p->len = 1;
		p->score += (double)u->text.count[i];
	}
	if (n > 0)
		memcpy(u->piece + chars, seed, n * sizeof(*seed));
	mem_free(seed);
	u->n = chars + n;
	for (size_t i = 0; i < u->n; i++) {
		if (u->piece[i].score <= 0)	/* forced, but not there */
			u->piece[i].score = RARE;
		sum += u->piece[i].score;
	}
	for (size_t i = 0; i < u->n; i++)
		u->piece[i].score = log(u->piece[i].score / sum);
	u->score = mem_alloc(u->n * sizeof(*u->score));
	u->share = mem_alloc(u->n * sizeof(*u->share));
	u->loss = mem_alloc((u->n + 1) * sizeof(*u->loss));
	for (int i = 0; i < u->threads; i++) {
		u->scratch[i] = lattice_new(u->arena);
		u->sum[i] = mem_alloc(u->n * sizeof(int64_t));
	}
}

/* unigram_model - what the pieces of now are */
static void
unigram_model(struct unigram *u)
{
	if (u->model.trie.edge != NULL)
		learn_trie_free(&u->model.trie);
	learn_trie_init(&u->model.trie);
	for (size_t i = 0; i < u->n; i++) {
		u->score[i] = u->piece[i].score;
		u->share[i] = exp(u->piece[i].score);
		learn_trie_put(&u->model.trie, u->text.symbol +
		    u->piece[i].at, u->piece[i].len, (uint32_t)i);
	}
	u->model.score = u->score;
	u->model.share = u->share;
	u->model.longest = u->text.longest;
}

/* unigram_all - work on all words, then each piece's sum over threads */
static void
unigram_all(struct unigram *u, void (*work)(void *, int, size_t, size_t))
{
	for (int i = 0; i < u->threads; i++)
		memset(u->sum[i], 0, u->n * sizeof(int64_t));
	learn_share(u->threads, u->nwords, SHARE, work, u);
	for (size_t p = 0; p < u->n; p++) {
		u->piece[p].count = 0;
		for (int i = 0; i < u->threads; i++)
			u->piece[p].count += u->sum[i][p];
	}
}

static void
work_expect(void *arg, int thread, size_t from, size_t to)
{
	struct unigram *u = arg;

	for (; from < to; from++)
		lattice_expect(&u->model, u->scratch[thread], u->text.symbol +
		    u->word[from].at, u->word[from].n, u->word[from].count,
		    u->sum[thread]);
}

static void
work_best(void *arg, int thread, size_t from, size_t to)
{
	struct unigram *u = arg;
	uint32_t piece[LATTICE_MAX], n;
	double score;

	for (; from < to; from++) {
		n = lattice_best(&u->model, u->scratch[thread],
		    u->text.symbol + u->word[from].at, u->word[from].n,
		    TRIE_NONE, piece, &score);
		while (n > 0)
			u->sum[thread][piece[--n]] += u->word[from].count;
	}
}

/* digamma - the logarithm's place in a Dirichlet prior (Liang and Klein 2009);
 * by recurrence and the asymptotic series, x > 0 */
static double
digamma(double x)
{
	double r = 0, y;

	for (; x < 7; x++)
		r -= 1 / x;
	x -= 0.5;
	y = 1 / (x * x);
	return r + log(x) + y * (1.0 / 24 - y * (7.0 / 960 - y * (31.0 / 8064 -
	    y * 127.0 / 30720)));
}

/* unigram_keep - only the pieces whose count is not negative */
static void
unigram_keep(struct unigram *u)
{
	size_t n = 0;

	for (size_t i = 0; i < u->n; i++)
		if (u->piece[i].count >= 0)
			u->piece[n++] = u->piece[i];
	u->n = n;
}

/* unigram_free - what is written like a special token or a byte is none of our
 * pieces; symbol: by character */
static void
unigram_free(struct unigram *u, const struct learn_vocab *v, uint32_t first,
    const uint32_t *id)
{
	uint32_t node;
	size_t len;

	unigram_model(u);
	for (uint32_t i = 0; i < first; i++) {
		struct view s = v->token[i];

		node = 0;
		for (size_t at = 0; at < s.n && node != TRIE_NONE; at += len) {
			uint32_t c = id[utf8_get(s.p + at, &len)];

			node = c < first || c >= LEARN_BREAK ? TRIE_NONE :
			    learn_trie_next(&u->model.trie, node,
			    c - first + 1);
		}
		if (node != TRIE_NONE && node != 0 &&
		    u->model.trie.piece[node] != TRIE_NONE)
			u->piece[u->model.trie.piece[node]].count = -1;
	}
	unigram_keep(u);
}

/* unigram_em - expected counts, and what follows for the probabilities */
static void
unigram_em(struct unigram *u)
{
	double sum = 0, count;

	unigram_model(u);
	unigram_all(u, work_expect);
	for (size_t i = 0; i < u->n; i++) {
		count = (double)u->piece[i].count / LATTICE_ONE;
		if (count < RARE && i >= u->chars) {
			u->piece[i].count = -1;
			continue;
		}
		u->piece[i].score = count < RARE ? RARE : count;
		sum += u->piece[i].score;
	}
	unigram_keep(u);
	for (size_t i = 0; i < u->n; i++)
		u->piece[i].score = digamma(u->piece[i].score) - digamma(sum);
}

/* work_loss - what the text's likelihood loses without a piece; -1: nothing,
 * since the piece is not used; characters are not asked for */
static void
work_loss(void *arg, int thread, size_t from, size_t to)
{
	struct unigram *u = arg;
	uint32_t other[UNIGRAM_LONGEST], n;
	double sum = u->loss[u->n], f, with, without, score;

	for (; from < to; from++) {
		const struct unigram_piece *p = &u->piece[from];

		u->loss[from] = -1;
		if (from < u->chars || p->count == 0)
			continue;
		n = lattice_best(&u->model, u->scratch[thread],
		    u->text.symbol + p->at, p->len, (uint32_t)from, other,
		    &score);
		if (score > p->score)
			continue;
		f = (double)p->count;
		with = log(f) - log(sum);
		without = 0;
		for (uint32_t i = 0; i < n; i++)
			without += log((double)u->piece[other[i]].count + f) -
			    log(sum + f * (n - 1));
		u->loss[from] = f * (with - without);
	}
}

struct loss {
	double loss;
	uint32_t piece;
};

/* loss_cmp - the largest first */
static int
loss_cmp(const void *va, const void *vb)
{
	const struct loss *a = va, *b = vb;

	if (a->loss != b->loss)
		return a->loss > b->loss ? -1 : 1;
	return a->piece < b->piece ? -1 : a->piece > b->piece;
}

/* unigram_prune - the pieces whose loss costs least go */
static void
unigram_prune(struct unigram *u, size_t enough)
{
	size_t n = 0, keep = (size_t)((double)u->n * KEEP);
	struct loss *order = mem_alloc((u->n + 1) * sizeof(*order));

	if (keep < enough)
		keep = enough;
	unigram_model(u);
	unigram_all(u, work_best);
	u->loss[u->n] = 0;
	for (size_t i = 0; i < u->n; i++)
		u->loss[u->n] += (double)u->piece[i].count;
	learn_share(u->threads, u->n, SHARE, work_loss, u);
	for (size_t i = u->chars; i < u->n; i++)
		if (u->loss[i] != -1)
			order[n++] = (struct loss){ u->loss[i], (uint32_t)i };
		else
			u->piece[i].count = -1;
	qsort(order, n, sizeof(*order), loss_cmp);
	for (size_t i = keep > u->chars ? keep - u->chars : 0; i < n; i++)
		u->piece[order[i].piece].count = -1;
	mem_free(order);
	unigram_keep(u);
}

/* piece_cmp - the most likely first */
static int
piece_cmp(const void *va, const void *vb)
{
	const struct unigram_piece *a = va, *b = vb;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* unigram_learned - special tokens and bytes, then all characters and the
 * likeliest pieces, by score */
static void
unigram_learned(struct unigram *u, const struct learn_vocab *old,
    uint32_t first, struct learned *t)
{
	struct learn_vocab *v = learn_vocab_new(u->arena);
	double *score = arena_array(u->arena, u->rules->size + 1, 8);
	size_t room = u->rules->size - first, rest = u->n - u->chars;
	const struct unigram_piece *p;
	struct buf b;

	qsort(u->piece + u->chars, rest, sizeof(*u->piece), piece_cmp);
	if (u->n > room)
		u->n = room;
	qsort(u->piece, u->n, sizeof(*u->piece), piece_cmp);
	for (uint32_t i = 0; i < first; i++)
		(void)learn_vocab_put(v, old->token[i]);
	buf_init(&b, 4096);
	for (size_t i = 0; i < u->n; i++) {
		p = &u->piece[i];
		b.n = 0;
		for (uint32_t k = 0; k < p->len; k++)
			buf_view(&b, old->token[first - 1 +
			    u->text.symbol[p->at + k]]);
		score[learn_vocab_put(v, buf_get(&b))] = p->score;
	}
	buf_free(&b);
	t->vocab = v;
	t->score = score;
	t->first = first;
}

int
learn_unigram(struct arena *a, const struct learn_words *words,
    const struct learn_rules *rules, struct learned *t, struct err *e)
{
	struct unigram *u = arena_alloc(a, sizeof(*u));
	struct learn_vocab *v = learn_vocab_new(a);
	struct learn_text *text = learn_text_new(a, 0);
	struct learn_alphabet al;
	int64_t *letters = NULL;
	size_t enough = (size_t)(rules->size * ENOUGH);

	u->arena = a;
	u->rules = rules;
	u->threads = t->conf->threads < 1 ? 1 : t->conf->threads > 64 ? 64 :
	    t->conf->threads;
	u->text.longest = rules->max_length > 0 ? rules->max_length : LONGEST;
	for (size_t i = 0; i < words->n; i++)
		learn_letters(a, &letters, &words->v[i]);
	if (learn_alphabet(a, t->conf, letters, v, &al, e) == -1)
		return -1;
	u->chars = al.chars;
	arena_defer(a, unigram_close, u);
	for (size_t i = 0; i < words->n; i++)
		learn_symbols(t->conf, &words->v[i], &al, v, text);
	if (unigram_text(u, text, al.first, e) == -1)
		return -1;
	unigram_seed(u);
	unigram_free(u, v, al.first, al.id);
	for (;;) {
		for (int i = 0; i < EM; i++) {
			if (rules->stop != NULL && rules->stop(rules->arg))
				return err_set(e, FATE_STOP, "stopped");
			unigram_em(u);
		}
		if (u->n <= enough || u->n == u->chars)
			break;
		unigram_prune(u, enough);
	}
	unigram_learned(u, v, al.first, t);
	return 0;
}
