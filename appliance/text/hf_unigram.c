/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unigram: of all ways to cut a piece to tokens the one of the highest sum of
 * scores, found from left to right (Viterbi); of equals the one found first.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_model.h"
#include "appliance/text/utf8.h"

#include <math.h>
#include <stdlib.h>

#define UNK_PENALTY	10.0

/*
 * number - a score as the library reads it: the digits as a whole number, then
 * one product or quotient, which may differ from the nearest double in its last
 * bit.  Digits beyond 64 bits are left out.
 */
static bool
number(struct view v, double *x)
{
	const char *p = v.p, *end = v.p + v.n;
	bool minus = p < end && *p == '-', full = false, point = false;
	uint64_t whole = 0;
	int64_t exponent = 0, given = 0;
	struct view rest;

	if (!json_number(v, x))
		return false;
	for (p += minus; p < end && (*p == '.' || (*p >= '0' && *p <= '9'));
	    p++) {
		unsigned d = (unsigned)(*p - '0');

		if (*p == '.') {
			point = true;
			continue;
		}
		full = full || whole > UINT64_MAX / 10 ||
		    (whole == UINT64_MAX / 10 && d > UINT64_MAX % 10);
		if (!full)
			whole = whole * 10 + d;
		exponent += full ? !point : -(int64_t)point;
	}
	if (p < end) {			/* the e */
		p += 1 + (p[1] == '+');
		rest = (struct view){ p, (size_t)(end - p) };
		if (!json_integer(rest, &given))
			return true;	/* leading zeros: as strtod has it */
	}
	exponent += given;
	*x = (double)whole;
	if (exponent < -308) {
		*x /= 1e308;
		exponent += 308;
	}
	if (exponent < -308 || exponent > 308)
		return json_number(v, x);
	if (exponent >= 0)
		*x *= strtod((char[]){ '1', 'e', (char)('0' + exponent / 100),
		    (char)('0' + exponent / 10 % 10),
		    (char)('0' + exponent % 10), '\0' }, NULL);
	else
		*x /= strtod((char[]){ '1', 'e', (char)('0' + -exponent / 100),
		    (char)('0' + -exponent / 10 % 10),
		    (char)('0' + -exponent % 10), '\0' }, NULL);
	*x = minus ? -*x : *x;
	return true;
}

/* order_cmp - for qsort_r: ids by bytes */
static int
order_cmp(const void *va, const void *vb, void *arg)
{
	const struct hf_vocab *v = arg;

	return view_cmp(hf_vocab_view(v, v->token[*(const uint32_t *)va]),
	    hf_vocab_view(v, v->token[*(const uint32_t *)vb]));
}

/* open_pieces - [["piece",score],...]; of a piece that is there twice the
 * last counts */
static int
open_pieces(struct hf_open *o, struct hf_model *m, struct view list,
    struct err *e)
{
	struct hf_scores *s = m->scores;
	struct json_iter it, pair;
	struct view v, text, score, raw;
	double least = INFINITY;
	uint32_t n = 0;

	if (!json_open(&it, list, '['))
		return err_set(e, FATE_REJECT, "model.vocab is no array");
	while (json_element(&it, &v))
		m->size++;
	m->vocab = hf_vocab_new(o->arena, m->size);
	s->score = arena_array(o->arena, (size_t)m->size + 1, sizeof(double));
	s->order = arena_array(o->arena, (size_t)m->size + 1,
	    sizeof(*s->order));
	json_open(&it, list, '[');
	for (; json_element(&it, &v); n++) {
		if (!json_open(&pair, v, '[') || !json_element(&pair, &raw) ||
		    !json_element(&pair, &score) ||
		    !json_string(o->arena, raw, &text) ||
		    !number(score, &s->score[n]) ||
		    !hf_vocab_put(m->vocab, o->arena, text, n))
			return err_set(e, FATE_REJECT, "model.vocab: entry %u "
			    "is no piece and score", n);
		if (s->score[n] < least)
			least = s->score[n];
	}
	s->unk = least - UNK_PENALTY;
	for (uint32_t i = 0; i < n; i++)
		if (m->vocab->token[i].n > 0 && hf_vocab_find(m->vocab,
		    hf_vocab_view(m->vocab, m->vocab->token[i])) == i)
			s->order[s->n++] = i;
	if (hf_model_trie(o->arena, m->vocab, VIEW(""), &m->tokens, e) == -1)
		return -1;
	if (m->tokens.n > 0)
		return 0;
	qsort_r(s->order, s->n, sizeof(*s->order), order_cmp, m->vocab);
	for (uint32_t i = 0, c = 0; c <= 256; c++) {
		while (i < s->n && (unsigned char)m->vocab->pool[
		    m->vocab->token[s->order[i]].at] < c)
			i++;
		s->first[c] = i;
	}
	return 0;
}

int
hf_unigram_open(struct hf_open *o, struct hf_model *m, struct view json,
    struct err *e)
{
	struct view v;
	char name[8];
	int64_t unk;

	m->scores = arena_alloc(o->arena, sizeof(*m->scores));
	if (!json_get(json, "vocab", &v))
		return err_set(e, FATE_REJECT, "the model has no vocab");
	if (open_pieces(o, m, v, e) == -1)
		return -1;
	m->bytes = hf_flag(json, "byte_fallback", false);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "<0x%02X>", i);
		m->byte[i] = hf_vocab_find(m->vocab, view_of(name));
	}
	if (json_get(json, "unk_id", &v) && !json_is_null(v)) {
		if (!json_integer(v, &unk) || unk < 0 || unk >= m->size)
			return err_set(e, FATE_REJECT, "its unk_id is not in "
			    "the vocabulary");
		m->unk_id = (uint32_t)unk;
	}
	return 0;
}

struct best {				/* of the ways that end at a place */
	double score;
	uint32_t from, id;		/* from HF_NONE: none yet */
};

/* best_try - one more way */
static void
best_try(struct best *b, double score, uint32_t from, uint32_t id)
{
	if (b->from == HF_NONE || score > b->score)
		*b = (struct best){ score, from, id };
}

/* narrow - the first of the tokens [lo, hi) whose byte at a depth is >= c */
static uint32_t
narrow(const struct hf_model *m, uint32_t lo, uint32_t hi, size_t depth,
    unsigned c)
{
	const struct hf_scores *s = m->scores;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		struct view t = hf_vocab_view(m->vocab,
		    m->vocab->token[s->order[mid]]);

		if (t.n <= depth || (unsigned char)t.p[depth] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* try_trie - all that begin at a place; is one of them one character */
static bool
try_trie(const struct hf_model *m, struct view piece, uint32_t at,
    size_t one, struct best *best)
{
	double here = best[at].score;
	uint32_t place = 0, id;
	bool single = false;

	for (size_t i = at; i < piece.n && trie_step(&m->tokens, &place,
	    (unsigned char)piece.p[i]); i++)
		if (trie_value(&m->tokens, place, &id) &&
		    id < m->vocab->end) {
			best_try(&best[i + 1], m->scores->score[id] + here, at,
			    id);
			single = single || i + 1 - at == one;
		}
	return single;
}

/* try_tokens - the same by order, where there is no trie */
static bool
try_tokens(const struct hf_model *m, struct view piece, uint32_t at,
    size_t one, struct best *best)
{
	const struct hf_scores *s = m->scores;
	unsigned c = (unsigned char)piece.p[at];
	uint32_t lo = s->first[c], hi = s->first[c + 1], id;
	double here = best[at].score;
	bool single = false;

	for (size_t depth = 1; lo < hi; depth++) {
		id = s->order[lo];
		if (m->vocab->token[id].n == depth) {
			best_try(&best[at + depth], s->score[id] + here, at,
			    id);
			single = single || depth == one;
			lo++;
		}
		if (at + depth == piece.n)
			break;
		c = (unsigned char)piece.p[at + depth];
		lo = narrow(m, lo, hi, depth, c);
		hi = narrow(m, lo, hi, depth, c + 1);
	}
	return single;
}

int
hf_unigram_unknown(const struct hf_model *m, struct view piece, uint32_t from,
    uint32_t to, struct hf_tokens *out, struct err *e)
{
	struct hf_token t = { HF_NONE, from, to, { piece.p + from,
	    to - from } };
	bool bytes = m->bytes;

	t.id = hf_vocab_find(m->vocab, t.text);
	if (t.id != HF_NONE) {
		hf_tokens_put(out, t);
		return 0;
	}
	for (uint32_t i = from; bytes && i < to; i++)
		bytes = m->byte[(unsigned char)piece.p[i]] != HF_NONE;
	for (uint32_t i = from; bytes && i < to; i++) {
		t.id = m->byte[(unsigned char)piece.p[i]];
		hf_vocab_token(m->vocab, t.id, &t.text);
		hf_tokens_put(out, t);
	}
	if (bytes)
		return 0;
	if (m->unk_id == HF_NONE)
		return err_set(e, FATE_REJECT, "a character is unknown, and "
		    "the model has no unk_id");
	t.id = m->unk_id;
	hf_tokens_put(out, t);
	return 0;
}

int
hf_unigram_run(const struct hf_model *m, struct view piece,
    struct hf_tokens *out, struct err *e)
{
	struct best *best = arena_array(out->scratch, piece.n + 1,
	    sizeof(*best));
	uint32_t *cut, n = 0, to;
	size_t len;

	for (size_t i = 0; i <= piece.n; i++)
		best[i].from = HF_NONE;
	for (uint32_t at = 0; at < piece.n; at += (uint32_t)len) {
		utf8_get(piece.p + at, &len);
		if (m->tokens.n > 0 ? try_trie(m, piece, at, len, best) :
		    try_tokens(m, piece, at, len, best))
			continue;
		if (m->unk_id == HF_NONE && (best[at + len].from == HF_NONE ||
		    m->scores->unk + best[at].score > best[at + len].score))
			return err_set(e, FATE_REJECT, "a character is "
			    "unknown, and the model has no unk_id");
		best_try(&best[at + len], m->scores->unk + best[at].score, at,
		    m->unk_id);
	}
	/* backwards; unknown ones side by side are one */
	cut = arena_array(out->scratch, piece.n + 1, sizeof(*cut));
	for (to = (uint32_t)piece.n; to > 0;) {
		struct best *b = &best[to];
		uint32_t from = b->from;

		while (b->id == m->unk_id && from > 0 &&
		    best[from].id == m->unk_id)
			from = best[from].from;
		cut[n++] = to;
		to = from;
	}
	for (to = 0; n > 0; to = cut[n]) {
		struct hf_token t = { HF_NONE, to, cut[n - 1],
		    { piece.p + to, cut[n - 1] - to } };

		t.id = best[cut[--n]].id;
		if (t.id != m->unk_id)
			hf_tokens_put(out, t);
		else if (hf_unigram_unknown(m, piece, to, cut[n], out, e) ==
		    -1)
			return -1;
	}
	return 0;
}
