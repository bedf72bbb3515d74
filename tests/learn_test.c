/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning vocabularies: the fast merges beside plain ones on random words; the
 * same bytes for any number of threads and any memory; what is refused; texts
 * that nobody writes.
 */
#include "tests/tap.h"

#include "appliance/text/json.h"
#include "appliance/text/learn.h"
#include "appliance/text/learn_lattice.h"
#include "appliance/text/learn_least.h"
#include "appliance/text/learn_merge.h"
#include "appliance/text/learn_passes.h"
#include "appliance/text/learn_unigram.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/utf8.h"

#include <math.h>

/* a sanitizer makes it ten times as slow */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW	8
#endif
#endif
#if !defined(SLOW) && defined(__SANITIZE_ADDRESS__)
#define SLOW	8
#endif
#ifndef SLOW
#define SLOW	1
#endif

/* a generator of its own, the same everywhere */
static uint64_t seed = 1;

static uint32_t
dice(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33) % n;
}

/*
 * The plain version: the library's trainer as it is written there, word lists
 * and sets of words; every word is gone through from the left.
 */
#define WORDS	24
#define LONG	16
#define PAIRS	4096

struct plain_pair {
	uint32_t left, right;
	int64_t count;
	bool made;
	uint32_t words;			/* a set */
};

struct plain {
	uint32_t sym[WORDS][LONG], len[WORDS][LONG], n[WORDS], words;
	int64_t count[WORDS];
	struct plain_pair pair[PAIRS], heap[PAIRS];
	size_t npairs, nheap;
	uint32_t max;
};

static struct plain_pair *
plain_pair(struct plain *p, uint32_t left, uint32_t right)
{
	for (size_t i = 0; i < p->npairs; i++)
		if (p->pair[i].left == left && p->pair[i].right == right)
			return &p->pair[i];
	p->pair[p->npairs] = (struct plain_pair){ left, right, 0, false, 0 };
	return &p->pair[p->npairs++];
}

static void
plain_change(struct plain *p, uint32_t left, uint32_t right, uint32_t word,
    int64_t sign)
{
	struct plain_pair *q = plain_pair(p, left, right);

	q->count += sign * p->count[word];
	if (sign > 0) {
		q->words |= UINT32_C(1) << word;
		q->made = true;
	}
}

static void
plain_push(struct plain *p)
{
	for (size_t i = 0; i < p->npairs; i++) {
		if (p->pair[i].made && p->pair[i].count > 0)
			p->heap[p->nheap++] = p->pair[i];
		p->pair[i].made = false;
		p->pair[i].words = 0;
	}
}

static void
plain_join(struct plain *p, uint32_t w, uint32_t left, uint32_t right,
    uint32_t id)
{
	uint32_t *s = p->sym[w], *l = p->len[w];

	for (uint32_t i = 0; i + 1 < p->n[w]; i++) {
		if (s[i] != left || s[i + 1] != right)
			continue;
		if (i > 0) {
			plain_change(p, s[i - 1], left, w, -1);
			if (p->max == 0 || l[i - 1] + l[i] + l[i + 1] < p->max)
				plain_change(p, s[i - 1], id, w, 1);
		}
		s[i] = id;
		l[i] += l[i + 1];
		p->n[w]--;
		for (uint32_t k = i + 1; k < p->n[w]; k++) {
			s[k] = s[k + 1];
			l[k] = l[k + 1];
		}
		if (i + 1 < p->n[w]) {
			plain_change(p, right, s[i + 1], w, -1);
			if (p->max == 0 || l[i] + l[i + 1] < p->max)
				plain_change(p, id, s[i + 1], w, 1);
		}
	}
}

/* plain_top - the place of the first in the heap */
static size_t
plain_top(const struct plain *p)
{
	size_t top = 0;

	for (size_t i = 1; i < p->nheap; i++) {
		const struct plain_pair *a = &p->heap[i], *b = &p->heap[top];

		if (a->count != b->count ? a->count > b->count :
		    a->left != b->left ? a->left < b->left :
		    a->right < b->right)
			top = i;
	}
	return top;
}

static size_t
plain_merge(struct plain *p, uint32_t size, int64_t min_count,
    struct learn_vocab *v, struct learn_pair *out)
{
	size_t n = 0, top;
	struct plain_pair t;
	char name[300];
	int64_t now;
	uint32_t id;

	for (uint32_t w = 0; w < p->words; w++)
		for (uint32_t i = 0; i + 1 < p->n[w]; i++)
			plain_change(p, p->sym[w][i], p->sym[w][i + 1], w, 1);
	plain_push(p);
	while (v->n < size && p->nheap > 0) {
		top = plain_top(p);
		now = plain_pair(p, p->heap[top].left,
		    p->heap[top].right)->count;
		if (now != p->heap[top].count) {
			p->heap[top].count = now;
			continue;
		}
		if (now < 1 || now < min_count)
			break;
		t = p->heap[top];
		p->heap[top] = p->heap[--p->nheap];
		snprintf(name, sizeof(name), "%.*s%.*s",
		    (int)v->token[t.left].n, v->token[t.left].p,
		    (int)v->token[t.right].n, v->token[t.right].p);
		id = learn_vocab_put(v, view_of(name));
		out[n++] = (struct learn_pair){ t.left, t.right };
		for (uint32_t w = 0; w < p->words; w++)
			if (t.words >> w & 1)
				plain_join(p, w, t.left, t.right, id);
		plain_push(p);
	}
	return n;
}

/* words_differ - no word of a plain text is there twice */
static bool
words_differ(const struct plain *p)
{
	for (uint32_t i = 0; i < p->words; i++)
		for (uint32_t k = 0; k < i; k++)
			if (p->n[i] == p->n[k] && memcmp(p->sym[i], p->sym[k],
			    p->n[i] * sizeof(p->sym[i][0])) == 0)
				return false;
	return true;
}

/* passes_same - the same merges when words lie in a file and next to nothing, or
 * not all at once, fits into memory */
static bool
passes_same(struct arena *a, const struct learn_text *t,
    const struct learn_rules *rules, FILE *file, struct learn_vocab *v,
    const struct learn_merges *want)
{
	struct tape *tape = tape_new(a, fileno(file), 0);
	struct pass_limits limits = { .memory = 1 + dice(2) * dice(30000) };
	struct learn_merges got = { 0 };
	struct least least;
	struct err e;

	least_init(&least);
	for (size_t w = 0, at = 0; w < t->words; at += t->length[w++]) {
		if (t->distinct)
			least_word(&least, rules, t->length[w], t->count[w]);
		if (tape_put(tape, &(struct tape_word){ t->count[w],
		    t->length[w], t->symbol + at }, &e) == -1)
			return false;
	}
	limits.least = least_end(&least, rules);
	return tape_turn(tape, &e) == 0 && learn_passes(a, tape, rules,
	    &limits, v, &got, &e) == 0 && got.n == want->n &&
	    (got.n == 0 || memcmp(got.v, want->v, got.n *
	    sizeof(*got.v)) == 0);
}

/* merges_one - random words of few letters, both ways; false: they differ */
static bool
merges_one(struct arena *a, struct plain *p, FILE *file, int *passes)
{
	static struct learn_pair want[PAIRS];
	struct learn_vocab *v[3] = { learn_vocab_new(a), learn_vocab_new(a),
	    learn_vocab_new(a) };
	struct learn_rules rules = { .size = 3 + dice(1 + dice(60)), .min_count =
	    dice(4), .max_length = dice(3) == 0 ? 2 + dice(6) : 0 };
	uint32_t letters = 1 + dice(4), symbol[WORDS * LONG], base;
	struct learn_text t = { .symbol = symbol };
	struct learn_merges got = { 0 };
	bool same, special = dice(3) == 0;
	struct err e;
	size_t n;

	memset(p, 0, sizeof(*p));
	p->max = rules.max_length;
	for (int k = 0; k < 3; k++) {
		if (special)
			(void)learn_vocab_put(v[k], VIEW("ab"));
		base = v[k]->n;
		for (uint32_t c = 0; c < letters; c++)
			(void)learn_vocab_put(v[k], (struct view){
			    &"abcd"[c], 1 });
	}
	p->words = 1 + dice(WORDS);
	for (uint32_t w = 0; w < p->words; w++) {
		p->n[w] = 1 + dice(LONG);
		p->count[w] = 1 + dice(9);
		for (uint32_t i = 0; i < p->n[w]; i++) {
			p->sym[w][i] = symbol[t.n++] = base + dice(letters);
			p->len[w][i] = 1;
		}
	}
	t.length = p->n;
	t.count = p->count;
	t.words = p->words;
	t.distinct = words_differ(p);
	/* the plain one shortens its words: ours comes first */
	if (learn_merge(a, &t, &rules, v[0], &got, &e) == -1)
		return false;
	*passes += !passes_same(a, &t, &rules, file, v[2], &got);
	n = plain_merge(p, rules.size, rules.min_count, v[1], want);
	same = n == got.n && v[0]->n == v[1]->n &&
	    (n == 0 || memcmp(want, got.v, n * sizeof(*want)) == 0);
	for (uint32_t i = 0; same && i < v[0]->n; i++)
		same = view_eq(v[0]->token[i], v[1]->token[i]);
	return same;
}

static void
test_merges(void)
{
	struct plain *p = mem_alloc(sizeof(*p));
	int bad = 0, passes = 0, rounds = 2000 / SLOW;
	FILE *file = tmpfile();

	for (int i = 0; i < rounds; i++) {
		struct arena *a = arena_new();

		bad += !merges_one(a, p, file, &passes);
		arena_free(a);
	}
	fclose(file);
	tap(bad == 0, "%d random vocabularies: merges as by the plain way, %d "
	    "differ", rounds, bad);
	tap(passes == 0, "the same by passes over a file, %d differ", passes);
	mem_free(p);
}

/* all ways to cut a word: each bit of `cuts` is an end of a piece */
static double
ways(const struct learn_trie *trie, const double *share, const uint32_t *word,
    uint32_t n, uint32_t cuts, uint32_t *piece, uint32_t *k)
{
	uint32_t node = 0;
	double p = 1;

	*k = 0;
	for (uint32_t i = 0; i < n; i++) {
		node = learn_trie_next(trie, node, word[i]);
		if (node == TRIE_NONE)
			return 0;
		if (i + 1 < n && (cuts >> i & 1) == 0)
			continue;
		piece[*k] = trie->piece[node];
		if (piece[*k] == TRIE_NONE)
			return 0;
		p *= share[piece[(*k)++]];
		node = 0;
	}
	return p;
}

/* lattice_one - a random model on a random word beside all ways to cut it */
static bool
lattice_one(struct lattice_scratch *scratch)
{
	enum { PIECES = 40, WORD = 9 };
	uint32_t symbol[4], word[WORD], n = 1 + dice(WORD), piece[WORD];
	uint32_t found[WORD], k, kfound;
	double share[PIECES], score[PIECES], want[PIECES] = { 0 }, p;
	double all = 0, best = 0, got;
	int64_t expected[PIECES] = { 0 };
	struct lattice_model m = { .longest = 4, .score = score,
	    .share = share };
	bool same = true;

	learn_trie_init(&m.trie);
	for (uint32_t i = 0; i < PIECES; i++) {
		uint32_t len = i < 3 ? 1 : 1 + dice(4);

		for (uint32_t j = 0; j < len; j++)
			symbol[j] = i < 3 ? i + 1 : 1 + dice(3);
		learn_trie_put(&m.trie, symbol, len, i);
		share[i] = (1 + dice(1000)) / 4000.0;
		score[i] = log(share[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		word[i] = 1 + dice(3);
	for (uint32_t cuts = 0; cuts < UINT32_C(1) << (n - 1); cuts++) {
		p = ways(&m.trie, share, word, n, cuts, piece, &k);
		all += p;
		best = p > best ? p : best;
		for (uint32_t i = 0; p > 0 && i < k; i++)
			want[piece[i]] += p;
	}
	lattice_expect(&m, scratch, word, n, 7, expected);
	for (uint32_t i = 0; i < PIECES; i++)
		same = same && fabs((double)expected[i] / LATTICE_ONE -
		    7 * want[i] / all) < 1e-5;
	kfound = lattice_best(&m, scratch, word, n, TRIE_NONE, found, &got);
	same = same && fabs(exp(got) - best) < 1e-9 * best;
	for (p = 1; kfound > 0; )
		p *= share[found[--kfound]];
	learn_trie_free(&m.trie);
	return same && fabs(p - best) < 1e-9 * best;
}

/* a long word's chance is far below what a double can be */
static bool
lattice_long(struct lattice_scratch *scratch)
{
	uint32_t word[LATTICE_MAX];
	double share = 1e-9, score = log(1e-9);
	int64_t expected = 0;
	struct lattice_model m = { .longest = 16, .score = &score,
	    .share = &share };

	learn_trie_init(&m.trie);
	for (uint32_t i = 0; i < LATTICE_MAX; i++)
		word[i] = 1;
	learn_trie_put(&m.trie, word, 1, 0);
	lattice_expect(&m, scratch, word, LATTICE_MAX, 3, &expected);
	learn_trie_free(&m.trie);
	return expected == (int64_t)(3 * LATTICE_MAX * LATTICE_ONE);
}

static void
test_lattice(struct arena *a)
{
	struct lattice_scratch *scratch = lattice_new(a);
	int bad = 0, rounds = 3000 / SLOW;

	for (int i = 0; i < rounds; i++)
		bad += !lattice_one(scratch);
	tap(bad == 0, "%d random words: expected counts and the best way "
	    "are those of all ways, %d differ", rounds, bad);
	tap(lattice_long(scratch), "a word of %d characters", LATTICE_MAX);
}

/* seed_of - how often symbols at a place are there, and how often at least with
 * one more; the plain way */
static int64_t
seed_of(const struct unigram_text *t, uint32_t at, uint32_t len, int *places,
    int64_t *more)
{
	int64_t sum = 0, next[8] = { 0 };

	*places = 0;
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t n = 0;

		while (n < len && t->symbol[i + n] != 0 &&
		    t->symbol[i + n] == t->symbol[at + n])
			n++;
		if (n < len)
			continue;
		sum += t->count[i];
		next[t->symbol[i + len]] += t->count[i];
		++*places;
	}
	*more = 0;
	for (int i = 1; i < 8; i++)
		*more = next[i] > *more ? next[i] : *more;
	return sum;
}

/* seed_one - substrings of random words, all of them looked at */
static bool
seed_one(void)
{
	uint32_t symbol[128] = { 0 };
	int64_t count[128] = { 0 }, sum, more;
	struct unigram_text t = { symbol, 0, count, 2 + dice(5) };
	size_t n, found = 0;
	struct unigram_piece *s;
	bool good = true;
	int places;

	for (uint32_t w = 1 + dice(8); w > 0; w--) {
		int64_t times = 1 + dice(5);

		for (uint32_t k = 1 + dice(9); k > 0; k--) {
			symbol[t.n] = 1 + dice(2 + w % 3);
			count[t.n++] = times;
		}
		t.n++;
	}
	s = learn_seed(&t, 2, 1000, &n);
	for (size_t i = 0; i < n; i++) {
		sum = seed_of(&t, s[i].at, s[i].len, &places, &more);
		good = good && s[i].count == sum && sum >= 2 &&
		    s[i].len >= 2 && s[i].len <= t.longest;
		for (size_t k = 0; k < i; k++)	/* each once, and in order */
			good = good && s[k].score >= s[i].score &&
			    (s[k].len != s[i].len || memcmp(symbol + s[k].at,
			    symbol + s[i].at, 4 * s[i].len) != 0);
	}
	/* all that are there twice and less often with one more */
	for (uint32_t at = 0; at < t.n; at++)
		for (uint32_t len = 2; len <= t.longest; len++) {
			if (memchr(symbol + at, 0, 4 * len) != NULL &&
			    symbol[at + len - 1] == 0)
				break;
			sum = seed_of(&t, at, len, &places, &more);
			if (places < 2 || (more == sum && len < t.longest))
				continue;
			found = 0;
			for (size_t i = 0; i < n; i++)
				found += s[i].len == len && memcmp(symbol +
				    s[i].at, symbol + at, 4 * len) == 0;
			good = good && found == 1;
		}
	mem_free(s);
	return good;
}

static void
test_seed(void)
{
	int bad = 0, rounds = 3000 / SLOW;

	for (int i = 0; i < rounds; i++)
		bad += !seed_one();
	tap(bad == 0, "%d times random words: the seed has each repeated "
	    "substring once, %d do not", rounds, bad);
}

static const char *const end[] = { "<|endoftext|>" };
static const char *const bert[] = { "[UNK]" };
static const char *const unk[] = { "<unk>", "<s>", "</s>" };

static struct learn_conf
rules_of(enum learn_kind kind, uint32_t size)
{
	struct learn_conf c = { .kind = kind, .pattern = "gpt2", .size = size,
	    .min_count = 2, .coverage = 1, .special = end, .nspecial = 1,
	    .memory = 1 << 26, .threads = 1 };

	if (kind == LEARN_CHAR_BPE || kind == LEARN_UNIGRAM) {
		c.special = unk;
		c.nspecial = 3;
		c.prefix = true;
	} else if (kind == LEARN_WORDPIECE) {
		c.special = bert;
		c.lowercase = true;
	}
	return c;
}

/* learnt_runs - what is written for some texts, each added by the next thread,
 * and how often counts went to files */
static const char *
learnt_runs(struct arena *a, const struct learn_conf *c,
    const struct view *text, size_t n, size_t *runs)
{
	struct buf *b = buf_new(a, 1 << 28);
	struct arena *scratch;
	struct learn_thread *t[8];
	struct err e = { 0 };
	struct learn *l = learn_begin(a, c, &e);
	FILE *file[8];
	int rc = 0;

	if (l == NULL)
		return arena_str(a, e.text);
	scratch = arena_new();
	for (int i = 0; i < c->threads; i++) {
		file[i] = tmpfile();
		t[i] = learn_thread(l, fileno(file[i]));
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = learn_add(t[i % (size_t)c->threads], scratch, text[i],
		    &e);
	if (rc == 0)
		rc = learn_end(l, NULL, NULL, b, &e);
	for (int i = 0; i < c->threads; i++)
		fclose(file[i]);
	arena_free(scratch);
	*runs = learn_runs(l);
	return rc == -1 ? arena_str(a, e.text) : buf_cstr(b);
}

static const char *
learnt(struct arena *a, const struct learn_conf *c, const struct view *text,
    size_t n)
{
	size_t runs;

	return learnt_runs(a, c, text, n, &runs);
}

/* merges_of - a tokenizer.json's merges with commas */
static const char *
merges_of(struct arena *a, const char *json)
{
	struct buf *b = buf_new(a, 1 << 20);
	struct view v, model, merges;
	struct json_iter it;
	struct err e;

	if (json_value(view_of(json), &v, &e) == -1 ||
	    !json_get(v, "model", &model) ||
	    !json_get(model, "merges", &merges) ||
	    !json_open(&it, merges, '['))
		return json;
	while (json_element(&it, &v))
		if (json_string(a, v, &v))
			buf_printf(b, "%s%.*s", b->n > 0 ? "," : "", (int)v.n,
			    v.p);
	return buf_cstr(b);
}

/* merges that were found by hand; G is the byte-level blank */
#define G	"\xc4\xa0"
#define M	"\xe2\x96\x81"
static const struct {
	enum learn_kind kind;
	uint32_t more;			/* tokens after the first */
	const char *text, *merges;
} hand_cases[] = {
	/* ids of equals: pairs by left, then right */
	{ LEARN_BPE, 3, "abab abab abab", "a b,ab ab," G " abab" },
	{ LEARN_BPE, 2, "abab abab abab", "a b,ab ab" },
	/* aaaa has three pairs and two joins */
	{ LEARN_BPE, 9, "aaaa aaaa", "a a,aa aa" },
	/* once is too seldom */
	{ LEARN_BPE, 9, "abc", "" },
	{ LEARN_BPE, 9, "", "" },
	/* words never join */
	{ LEARN_BPE, 9, "a a a", G " a" },
	{ LEARN_CHAR_BPE, 9, "ab ab", "a b," M " ab" },
	{ LEARN_CHAR_BPE, 9, "\xc3\xa4\xc3\xb6 \xc3\xa4\xc3\xb6 x",
	    "\xc3\xa4 \xc3\xb6," M " \xc3\xa4\xc3\xb6" },
};

static void
test_hand(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(hand_cases); i++) {
		bool level = hand_cases[i].kind == LEARN_BPE;
		struct learn_conf c = rules_of(hand_cases[i].kind, (level ?
		    257 : 7) + hand_cases[i].more);
		struct view v = view_of(hand_cases[i].text);

		tap_str(merges_of(a, learnt(a, &c, &v, 1)),
		    hand_cases[i].merges, arena_printf(a, "merges of '%s'",
		    hand_cases[i].text));
	}
}

/* a unigram model: its size, its probabilities, what it cuts */
static void
test_unigram(struct arena *a)
{
	struct learn_conf c = rules_of(LEARN_UNIGRAM, 26);
	struct view v = VIEW("the cat sat on the mat and the cat ate the "
	    "rat; the other cat that sat there ate another rat <s>"), json;
	struct view model, vocab, one, piece;
	struct json_iter it, pair;
	struct err e;
	double sum = 0, score, last = 0;
	bool order = true, the = false;
	int n = 0;

	if (json_value(view_of(learnt(a, &c, &v, 1)), &json, &e) == -1 ||
	    !json_get(json, "model", &model) ||
	    !json_get(model, "vocab", &vocab) ||
	    !json_open(&it, vocab, '[')) {
		tap(false, "a unigram model: %s", learnt(a, &c, &v, 1));
		return;
	}
	for (; json_element(&it, &one); n++) {
		if (!json_open(&pair, one, '[') ||
		    !json_element(&pair, &piece) ||
		    !json_element(&pair, &one) || !json_number(one, &score))
			break;
		the = the || view_is(piece, "\"" M "the\"");
		if (n >= 3 && view_is(piece, "\"<s>\""))
			order = false;
		if (n < 3)
			continue;
		sum += exp(score);
		order = order && (n == 3 || score <= last);
		last = score;
	}
	tap(n == 26, "a unigram model has its size: %d", n);
	tap(sum > 0.5 && sum < 1.01, "its probabilities' sum: %.3f", sum);
	tap(order, "they descend, and a special token is there once");
	tap(the, "a word that is there often is a piece");
}

/* the first bytes of SentencePiece's file, as protobuf has them */
static void
test_model(struct arena *a)
{
	static const char want[] = "\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02"
	    "\n\x0c\n\x03<s>\x15\0\0\0\0\x18\x03"
	    "\n\x0d\n\x04</s>\x15\0\0\0\0\x18\x03"
	    "\n\x0a\n\x01" "a\x15\0\0\0\xc0\x18\x01"
	    "\n\x0a\n\x01" "b\x15\0\0\x40\xc0\x18\x01"
	    "\n\x0c\n\x03" M "\x15\0\0\x80\xc0\x18\x01"
	    "\n\x0b\n\x02" "ab\x15\0\0\0\x80\x18\x01"
	    "\n\x0e\n\x05" M "ab\x15\0\0\x80\xbf\x18\x01\x12";
	struct learn_conf c = rules_of(LEARN_CHAR_BPE, 8);
	struct view v = VIEW("ab ab");

	c.model = true;
	tap(memcmp(learnt(a, &c, &v, 1), want, sizeof(want) - 1) == 0,
	    "SentencePiece's file, byte by byte");
}

/* the words that BERT cuts, by the tokens that they leave when none is joined */
static const struct {
	const char *text, *tokens;
	bool lowercase;
} bert_cases[] = {
	{ "Ab", "[UNK] a b ##b", true },
	{ "Ab", "[UNK] A b ##b", false },
	{ "a.b", "[UNK] . a b", true },
	{ "\xc3\x89t\xc3\xa9", "[UNK] e t ##t ##e", true },
	{ "\xc3\x89t", "[UNK] t \xc3\x89 ##t", false },
	{ "a\xe6\xbc\xa2z", "[UNK] a z \xe6\xbc\xa2", true },
	{ "a\xc2\xad" "b\x7f" "c\xef\xbf\xbd" "d", "[UNK] a b c d ##b ##c "
	    "##d", true },
	{ "a\tb\xe2\x80\x83" "c", "[UNK] a b c", true },
	{ "\xe2\x80\x9c" "a\xe2\x80\x9d$", "[UNK] $ a \xe2\x80\x9c "
	    "\xe2\x80\x9d", true },
};

static void
test_bert(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(bert_cases); i++) {
		struct learn_conf c = rules_of(LEARN_WORDPIECE, 100);
		struct view v = view_of(bert_cases[i].text), json, name;
		struct buf *b = buf_new(a, 4096);
		struct json_iter it;
		struct err e;

		c.lowercase = bert_cases[i].lowercase;
		c.min_count = 10;
		if (json_value(view_of(learnt(a, &c, &v, 1)), &json, &e) ==
		    -1 || !json_get(json, "model", &json) ||
		    !json_get(json, "vocab", &json) ||
		    !json_open(&it, json, '{')) {
			tap(false, "%s", learnt(a, &c, &v, 1));
			continue;
		}
		while (json_member(&it, &name, &v))
			if (json_string(a, name, &name))
				buf_printf(b, "%s%.*s", b->n > 0 ? " " : "",
				    (int)name.n, name.p);
		tap_str(buf_cstr(b), bert_cases[i].tokens, arena_printf(a,
		    "BERT's words in '%s'", bert_cases[i].text));
	}
}

/* bert_texts - each character in a word, in texts of 256; surrogates are none */
static size_t
bert_texts(struct arena *a, struct view *text)
{
	size_t n = 0;

	for (uint32_t page = 0; page < 0x1100; page += SLOW) {
		struct buf *b;

		if (page >= 0xd8 && page < 0xe0)
			continue;
		if (page >= 0x330 && page < 0xe00)	/* unassigned */
			continue;
		b = buf_new(a, 4096);
		for (uint32_t c = page << 8; c < (page + 1) << 8; c++) {
			char out[4];

			buf_char(b, 'a');
			buf_add(b, out, utf8_put(c, out));
			buf_str(b, "b ");
		}
		text[n++] = buf_get(b);
	}
	return n;
}

/*
 * What is cut for learning is what is cut for encoding: then each word has all
 * its tokens, and each token behind ## is used.  (All characters have tokens
 * without it, used or not.)
 */
static void
test_bert_all(struct arena *a, bool lowercase)
{
	struct learn_conf c = rules_of(LEARN_WORDPIECE, 1000000);
	struct view text[0x1100], json, name, v;
	size_t n = bert_texts(a, text), ids = 0, unknown = 0, unused = 0, k;
	struct tokenizer *t;
	struct err e = { 0 };
	struct json_iter it;
	uint32_t *id, i = 0;
	bool *used;

	c.lowercase = lowercase;
	c.min_count = 1000000;
	json = view_of(learnt(a, &c, text, n));
	t = tokenizer_open(a, json, &e);
	if (t == NULL || !json_get(json, "model", &v) ||
	    !json_get(v, "vocab", &v) || !json_open(&it, v, '{')) {
		tap(false, "every character: %s", e.text);
		return;
	}
	used = arena_alloc(a, t->size);
	for (size_t p = 0; p < n; p++) {
		struct arena *here = arena_new();

		k = tokenizer_encode(t, here, text[p], &id);
		for (size_t w = 0; w < k; w++) {
			unknown += id[w] == 0;
			used[id[w]] = true;
		}
		ids += k;
		arena_free(here);
	}
	for (; json_member(&it, &name, &v); i++)
		unused += name.n > 3 && memcmp(name.p, "\"##", 3) == 0 &&
		    !used[i];
	tap(ids > 0 && i == t->size && unknown == 0 && unused == 0, "BERT's "
	    "words, %s: %zu ids, %zu unknown, %zu of %u tokens unused",
	    lowercase ? "small" : "as they are", ids, unknown, unused, i);
}

/* speech - random words of many letters, skewed as words are */
static struct view
speech(struct arena *a, size_t words)
{
	struct buf *b = buf_new(a, 1 << 24);
	static const char *const letter[] = { "a", "e", "n", "\xc3\xa9",
	    "\xe6\xbc\xa2", "s", "t", "1", "2", ".", "  ", "\n" };

	while (words-- > 0) {
		uint32_t n = dice(1 + dice(40)), k = dice(1 + dice(5000));

		for (uint32_t i = 0; i <= n % 9; i++) {
			buf_str(b, letter[k % BASE_COUNT(letter)]);
			k = k / 3 * 7 + i;
		}
		while (dice(4) > 0)
			buf_char(b, (char)('a' + dice(1 + dice(26))));
		buf_char(b, ' ');
	}
	return buf_get(b);
}

static void
test_same(struct arena *a, enum learn_kind kind, const char *name)
{
	static const struct {
		int threads;
		size_t memory;
	} ways[] = { { 2, 1 << 26 }, { 7, 1 << 26 }, { 1, 1 }, { 3, 1 } };
	struct view text[40];
	struct learn_conf c;
	const char *first, *other;
	size_t runs;

	for (size_t i = 0; i < BASE_COUNT(text); i++)
		text[i] = speech(a, SLOW > 1 ? 250 : 1000);
	c = rules_of(kind, 1200);
	first = learnt_runs(a, &c, text, BASE_COUNT(text), &runs);
	tap(runs == 0, "%s: enough memory is enough", name);
	for (size_t i = 0; i < BASE_COUNT(ways); i++) {
		c.threads = ways[i].threads;
		c.memory = ways[i].memory;
		other = learnt_runs(a, &c, text, BASE_COUNT(text), &runs);
		tap(first[0] == '{' && strcmp(first, other) == 0 &&
		    (runs > 0) == (c.memory == 1), "%s: the same with %d "
		    "threads and %zu runs in files", name, c.threads, runs);
	}
}

/* texts that nobody writes: with quadratic time this would not end */
static void
test_hostile(struct arena *a, enum learn_kind kind, const char *name)
{
	size_t n = (1 << 19) / SLOW;
	char *p = arena_alloc(a, n);
	struct view v = { p, n };
	struct learn_conf c = rules_of(kind, 2000);
	const char *got;

	memset(p, 'a', n);
	got = learnt(a, &c, &v, 1);
	tap(got[0] == '{', "%s: one letter %zu times: %.20s", name, n, got);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + dice(26));
	got = learnt(a, &c, &v, 1);
	tap(got[0] == '{', "%s: a word of %zu letters: %.20s", name, n, got);
	memset(p, ' ', n);
	got = learnt(a, &c, &v, 1);
	tap(got[0] == '{' || strncmp(got, "no words", 8) == 0,
	    "%s: %zu blanks: %.20s", name, n, got);
}

/* what is refused, and the words for it */
static void
test_refused(struct arena *a)
{
	static const char *const twice[] = { "<unk>", "<unk>" };
	struct view v = VIEW("some text, some text");
	struct learn_conf c = rules_of(LEARN_BPE, 200);

	tap_str(learnt(a, &c, &v, 1), "a vocabulary of 200 cannot hold 256 "
	    "bytes and 1 special tokens", "a small one");
	c = rules_of(LEARN_BPE, 300);
	c.pattern = "cl100k";
	tap_str(learnt(a, &c, &v, 1), "pattern 'cl100k' is for rank files; in "
	    "a tokenizer.json it is 'llama3'", "a pattern of rank files");
	c.pattern = "llama3";
	c.prefix = true;
	tap_str(learnt(a, &c, &v, 1), "a blank in front of a text goes with "
	    "pattern=gpt2 and digits=pattern only: tokenizer.json would put it "
	    "before every piece", "a blank before each piece");
	c = rules_of(LEARN_CHAR_BPE, 10);
	tap_str(learnt(a, &c, &v, 1), "a vocabulary of 10 cannot hold 3 "
	    "special tokens and bytes and the texts' 8 characters: coverage or "
	    "limit_alphabet keep fewer", "more characters than tokens");
	v.n = 0;
	tap_str(learnt(a, &c, &v, 1), "no words in no text: there is nothing "
	    "to learn from", "no text");
	c.special = end;
	c.nspecial = 1;
	tap_str(learnt(a, &c, &v, 1), "'special' lacks '<unk>', which stands "
	    "for what is not in the vocabulary", "no unknown token");
	c.special = twice;
	c.nspecial = 2;
	tap_str(learnt(a, &c, &v, 1), "special token '<unk>' is there twice",
	    "a token twice");
	c = rules_of(LEARN_WORDPIECE, 100);
	c.digits = true;
	tap_str(learnt(a, &c, &v, 1), "kind=wordpiece cuts texts as BERT does: "
	    "normalize, whitespace, dummy_prefix and digits are for other "
	    "kinds", "digits of WordPiece");
	c = rules_of(LEARN_BPE, 300);
	c.model = true;
	tap_str(learnt(a, &c, &v, 1), "format=model is for kind=char-bpe and "
	    "kind=unigram", "byte-level BPE as a model");
	c = rules_of(LEARN_UNIGRAM, 300);
	c.max_token_length = 65;
	tap_str(learnt(a, &c, &v, 1), "pieces of a unigram model have at most "
	    "64 characters", "long pieces");
}

int
main(void)
{
	struct arena *a = arena_new();

	test_merges();
	test_hand(a);
	test_lattice(a);
	test_seed();
	test_unigram(a);
	test_model(a);
	test_bert(a);
	test_bert_all(a, true);
	test_bert_all(a, false);
	test_same(a, LEARN_BPE, "bpe");
	test_same(a, LEARN_CHAR_BPE, "char-bpe");
	test_same(a, LEARN_UNIGRAM, "unigram");
	test_same(a, LEARN_WORDPIECE, "wordpiece");
	test_hostile(a, LEARN_BPE, "bpe");
	test_hostile(a, LEARN_CHAR_BPE, "char-bpe");
	test_hostile(a, LEARN_UNIGRAM, "unigram");
	test_hostile(a, LEARN_WORDPIECE, "wordpiece");
	test_refused(a);
	arena_free(a);
	return tap_done();
}
