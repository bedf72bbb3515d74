/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPE in general: tokens may be of any text, characters may be unknown, and the
 * same token may come of several rules.  The byte-level kind without any of
 * that is bpe.h's, which is faster.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_source.h"
#include "appliance/text/hf_model.h"
#include "appliance/text/utf8.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static struct hf_rule *
rule_place(const struct hf_merges *m, uint64_t pair)
{
	size_t i = XXH3_64bits(&pair, sizeof(pair)) & m->mask;

	while (m->rule[i].pair != pair && m->rule[i].pair != UINT64_MAX)
		i = (i + 1) & m->mask;
	return &m->rule[i];
}

/* open_rule - what it joins and what comes of that must be tokens */
static int
open_rule(struct hf_open *o, struct hf_model *m, struct view v, uint32_t rank,
    struct err *e)
{
	struct view left, right;
	uint32_t l, r, id = HF_NONE;
	char *joined;

	if (!bpe_merge_sides(o->arena, v, &left, &right))
		return err_set(e, FATE_REJECT, "model.merges: rule %u is no "
		    "pair", rank);
	l = hf_vocab_find(m->vocab, left);
	r = hf_vocab_find(m->vocab, right);
	if (l != HF_NONE && r != HF_NONE && right.n >= m->prefix.n) {
		joined = arena_alloc(o->arena, left.n + right.n + 1);
		memcpy(joined, left.p, left.n);
		memcpy(joined + left.n, right.p + m->prefix.n, right.n -
		    m->prefix.n);
		id = hf_vocab_find(m->vocab, (struct view){ joined, left.n +
		    right.n - m->prefix.n });
	}
	if (id == HF_NONE)
		return err_set(e, FATE_REJECT, "model.merges: rule %u speaks "
		    "of a token that model.vocab lacks", rank);
	*rule_place(m->merges, (uint64_t)l << 32 | r) = (struct hf_rule){
	    (uint64_t)l << 32 | r, rank, id };
	return 0;
}

/* open_rules - all of them; of two for one pair the last counts */
static int
open_rules(struct hf_open *o, struct hf_model *m, struct view list,
    struct err *e)
{
	struct json_iter it;
	size_t n = 0, size = 16;
	uint32_t rank = 0;
	struct view v;

	if (!json_open(&it, list, '['))
		return err_set(e, FATE_REJECT, "model.merges is no array");
	while (json_element(&it, &v))
		n++;
	if (n >= HF_TOKENS)
		return err_set(e, FATE_REJECT, "%zu merges are too many", n);
	while (size < n * 2)
		size *= 2;
	m->merges = arena_alloc(o->arena, sizeof(*m->merges));
	m->merges->rule = arena_array(o->arena, size, sizeof(struct hf_rule));
	memset(m->merges->rule, 0xff, size * sizeof(struct hf_rule));
	m->merges->mask = size - 1;
	json_open(&it, list, '[');
	while (json_element(&it, &v)) {
		if (v.n > 9 && memcmp(v.p, "\"#version", 9) == 0)
			continue;	/* a comment, in the old spelling */
		if (open_rule(o, m, v, rank++, e) == -1)
			return -1;
	}
	return 0;
}

/*
 * open_links - every character must have symbols of its own, which depend on
 * nothing beside it: so bytes for all, no prefix, suffix or whole pieces, and
 * no rule that joins the bytes of unknown characters, which show no links
 */
static void
open_links(struct arena *a, struct hf_model *m)
{
	struct links *l = arena_alloc(a, sizeof(*l));
	const struct hf_merges *t = m->merges;
	bool good = m->bytes && !m->whole && m->prefix.n == 0 &&
	    m->suffix.n == 0, *odd;

	for (unsigned i = 0; i < 256; i++)
		good = good && m->byte[i] != HF_NONE;
	if (!good)
		return;
	l->sign = 1;
	odd = mem_alloc(m->vocab->end);
	for (unsigned i = 0; i < 256; i++)
		odd[m->byte[i]] = true;
	if (m->unk_id != HF_NONE)
		odd[m->unk_id] = true;
	for (size_t i = 0; good && i <= t->mask; i++) {
		const struct hf_rule *r = &t->rule[i];

		if (r->pair == UINT64_MAX)
			continue;
		good = !odd[r->pair >> 32] && !odd[(uint32_t)r->pair] &&
		    !odd[r->id];
		links_add(l, hf_vocab_view(m->vocab, m->vocab->token[r->id]));
	}
	mem_free(odd);
	links_end(l);
	m->links = good ? l : NULL;
}

int
hf_bpe_open(struct hf_open *o, struct hf_model *m, struct view json,
    struct err *e)
{
	struct view vocab, merges, v;
	char name[8];
	double x;

	if (!json_get(json, "vocab", &vocab) ||
	    !json_get(json, "merges", &merges))
		return err_set(e, FATE_REJECT, "no model with vocab and "
		    "merges");
	if (json_get(json, "dropout", &v) && json_number(v, &x) && x != 0)
		return err_set(e, FATE_REJECT, "its BPE has dropout: ids "
		    "would be random");
	m->vocab = hf_vocab_open(o->arena, vocab, e);
	if (m->vocab == NULL)
		return -1;
	m->size = m->vocab->count;
	hf_text_of(o, json, "continuing_subword_prefix", &m->prefix);
	hf_text_of(o, json, "end_of_word_suffix", &m->suffix);
	m->fuse = hf_flag(json, "fuse_unk", false);
	m->bytes = hf_flag(json, "byte_fallback", false);
	m->whole = hf_flag(json, "ignore_merges", false);
	if (hf_text_of(o, json, "unk_token", &m->unk))
		m->unk_id = hf_vocab_find(m->vocab, m->unk);
	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "<0x%02X>", i);
		m->byte[i] = hf_vocab_find(m->vocab, view_of(name));
	}
	if (open_rules(o, m, merges, e) == -1)
		return -1;
	open_links(o->arena, m);
	return 0;
}

struct symbol {
	uint32_t id, prev, next, len;	/* len 0: joined to another */
};

struct symbols {
	struct symbol *v;
	uint32_t n, cap;
	struct arena *arena;
};

static void
symbols_put(struct symbols *s, uint32_t id, uint32_t len)
{
	if (s->n == s->cap) {
		s->cap += s->cap / 4 + 32;
		s->v = mem_grow(s->v, s->cap * sizeof(*s->v));
	}
	if (s->n > 0)
		s->v[s->n - 1].next = s->n;
	s->v[s->n] = (struct symbol){ id, s->n == 0 ? HF_NONE : s->n - 1,
	    HF_NONE, len };
	s->n++;
}

/* put_bytes - a character as its bytes' tokens, if all of them are there */
static bool
put_bytes(const struct hf_model *m, struct view text, struct symbols *s)
{
	for (size_t i = 0; i < text.n; i++)
		if (m->byte[(unsigned char)text.p[i]] == HF_NONE)
			return false;
	for (size_t i = 0; i < text.n; i++)
		symbols_put(s, m->byte[(unsigned char)text.p[i]], 1);
	return true;
}

/*
 * put_all - the first symbols.  An unknown one waits, as in the library, until
 * a known one or the end comes, so that byte tokens overtake it.  Without an
 * unknown token what is unknown is lost.
 */
static int
put_all(const struct hf_model *m, struct view piece, struct symbols *s,
    struct err *e)
{
	uint32_t wait = 0, id;		/* bytes of the unknown that waits */
	size_t n, len;
	char *room = arena_alloc(s->arena, m->prefix.n + m->suffix.n + 8);

	s->cap = (uint32_t)utf8_count(piece);
	s->v = mem_grow(NULL, s->cap * sizeof(*s->v));

	for (size_t at = 0; at < piece.n; at += n) {
		len = at == 0 ? 0 : m->prefix.n;
		memcpy(room, m->prefix.p, len);
		utf8_get(piece.p + at, &n);
		memcpy(room + len, piece.p + at, n);
		len += n;
		if (at + n == piece.n && m->suffix.n > 0) {
			memcpy(room + len, m->suffix.p, m->suffix.n);
			len += m->suffix.n;
		}
		id = hf_vocab_find(m->vocab, (struct view){ room, len });
		if (id != HF_NONE) {
			if (wait > 0)
				symbols_put(s, m->unk_id, wait);
			wait = 0;
			symbols_put(s, id, (uint32_t)n);
			continue;
		}
		if ((m->bytes && put_bytes(m, (struct view){ room, len }, s)) ||
		    m->unk.p == NULL)
			continue;
		if (m->unk_id == HF_NONE)
			return err_set(e, FATE_REJECT, "a character is "
			    "unknown, and the unknown token is not in the "
			    "vocabulary");
		if (wait > 0 && !m->fuse) {
			symbols_put(s, m->unk_id, wait);
			wait = 0;
		}
		wait += (uint32_t)n;
	}
	if (wait > 0)
		symbols_put(s, m->unk_id, wait);
	return 0;
}

struct cand {				/* a pair that could be joined */
	uint32_t rank, at, id;
};

struct heap {
	struct cand *v;
	size_t n, cap;
};

static bool
cand_less(const struct cand *a, const struct cand *b)
{
	return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

/* heap_try - push the pair that begins at a symbol, if there is a rule */
static void
heap_try(struct heap *h, const struct hf_merges *m, const struct symbol *s,
    uint32_t at)
{
	const struct hf_rule *r;
	struct cand c;
	size_t i;

	if (at == HF_NONE || s[at].next == HF_NONE)
		return;
	r = rule_place(m, (uint64_t)s[at].id << 32 | s[s[at].next].id);
	if (r->pair == UINT64_MAX)
		return;
	if (h->n == h->cap) {
		h->cap += h->cap / 4 + 32;
		h->v = mem_grow(h->v, h->cap * sizeof(*h->v));
	}
	c = (struct cand){ r->rank, at, r->id };
	for (i = h->n++; i > 0 && cand_less(&c, &h->v[(i - 1) / 2]);
	    i = (i - 1) / 2)
		h->v[i] = h->v[(i - 1) / 2];
	h->v[i] = c;
}

static struct cand
heap_pop(struct heap *h)
{
	struct cand top = h->v[0], last = h->v[--h->n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < h->n) {
		if (k + 1 < h->n && cand_less(&h->v[k + 1], &h->v[k]))
			k++;
		if (!cand_less(&h->v[k], &last))
			break;
		h->v[i] = h->v[k];
		i = k;
	}
	h->v[i] = last;
	return top;
}

/*
 * join_all - lowest rank first, then leftmost.  A candidate that is out of date
 * still counts if the pair that is there now makes the same token, whatever the
 * rank of that rule: so does the library.
 */
static void
join_all(const struct hf_merges *m, struct symbols *s)
{
	struct heap h = { NULL, 0, 0 };
	struct symbol *v = s->v;

	for (uint32_t i = 0; i + 1 < s->n; i++)
		heap_try(&h, m, v, i);
	while (h.n > 0) {
		struct cand c = heap_pop(&h);
		uint32_t right = v[c.at].next;
		const struct hf_rule *r;

		if (v[c.at].len == 0 || right == HF_NONE)
			continue;
		r = rule_place(m, (uint64_t)v[c.at].id << 32 | v[right].id);
		if (r->pair == UINT64_MAX || r->id != c.id)
			continue;
		v[c.at].id = c.id;
		v[c.at].len += v[right].len;
		v[c.at].next = v[right].next;
		v[right].len = 0;
		if (v[c.at].next != HF_NONE)
			v[v[c.at].next].prev = c.at;
		heap_try(&h, m, v, v[c.at].prev);
		heap_try(&h, m, v, c.at);
	}
	mem_free(h.v);
}

/* symbols_tokens - what is left of them */
static void
symbols_tokens(const struct hf_model *m, const struct symbols *s,
    struct hf_tokens *out)
{
	struct hf_token t = { 0, 0, 0, { NULL, 0 } };

	for (uint32_t i = 0; i < s->n; i++) {
		if (s->v[i].len == 0)
			continue;
		t.id = s->v[i].id;
		t.to = t.from + s->v[i].len;
		hf_vocab_token(m->vocab, t.id, &t.text);
		hf_tokens_put(out, t);
		t.from = t.to;
	}
}

int
hf_bpe_run(const struct hf_model *m, struct view piece, struct hf_tokens *out,
    struct err *e)
{
	struct symbols s = { .arena = out->scratch };
	struct hf_token t = { 0, 0, 0, { NULL, 0 } };
	int r;

	if (m->whole) {
		t.id = hf_vocab_find(m->vocab, piece);
		if (t.id != HF_NONE) {
			t.to = (uint32_t)piece.n;
			t.text = piece;
			hf_tokens_put(out, t);
			return 0;
		}
	}
	r = put_all(m, piece, &s, e);
	if (r == 0) {
		join_all(m->merges, &s);
		symbols_tokens(m, &s, out);
	}
	mem_free(s.v);
	return r;
}
