/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sums are those of hf_unigram_run to the last bit, in the same order: what
 * is settled between two places is not added up anew, as of nearly equal ways
 * another one might win.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_charsmap.h"
#include "appliance/text/hf_model.h"
#include "appliance/text/hf_split.h"
#include "appliance/text/hf_viterbi.h"
#include "appliance/text/utf8.h"

#define SEEN_MOST	65536u		/* characters that are kept */
#define SEEN_LEAST	128u
#define AS_IS		0x200000u	/* a character that is normalized */
#define ONE_MOST	4u		/* bytes that are kept of a text */
#define KEPT		((size_t)1 << 20)	/* characters of a piece */
#define BYTES_MOST	((size_t)1 << 30)	/* of a piece */
#define NONE		SIZE_MAX

/* what a character becomes: another one, or nothing, a blank, some, or what is
 * for the plain way only; or it is not of a unit */
enum { TO_ONE, TO_BLANK, TO_NONE, TO_SOME, TO_MANY, TO_PLAIN, TO_GAP };

struct seen {				/* a character that was met */
	double score;
	uint64_t follow;		/* bits of what tokens go on with */
	uint32_t id;			/* of its own token, or the unknown */
	uint32_t base;			/* of the trie's node behind it */
	uint32_t c : 24;		/* and one; 0: free */
	uint32_t n : 4, to : 4;		/* bytes of what it becomes */
	char text[ONE_MOST];
};

struct part {				/* a character of a piece */
	double score;
	uint32_t id, at;		/* at: bytes before it */
	uint32_t base;			/* 0: no token goes on */
};

struct best {				/* of the ways that end at a place */
	double score;
	uint32_t from, id;		/* from HF_NONE: none yet */
};

struct hf_viterbi {
	struct hf_path path;
	const struct hf_units *units;
	const struct hf_model *model;
	struct view sign;		/* before each word */
	struct seen first;		/* that, as a character */
	struct arena *work;
	struct seen *seen;
	uint32_t mask;
	/* of a piece: its text, characters, and ways from where all is settled;
	 * room for as many characters, of up to four bytes */
	char *text;
	struct part *part;
	struct best *best;
	uint32_t *order;
	size_t bytes, parts, cap;
	uint64_t follow;		/* of the last one */
	size_t unknown;			/* from there on they are; or NONE */
	uint32_t *id;
	size_t n, room;
};

/* parts_free - what is of a piece */
static void
parts_free(struct hf_viterbi *v)
{
	mem_free(v->text);
	mem_free(v->part);
	mem_free(v->best);
	mem_free(v->order);
	v->text = NULL;
	v->part = NULL;
	v->best = NULL;
	v->order = NULL;
	v->cap = 0;
}

/* viterbi_free - an arena's closer */
static void
viterbi_free(void *arg)
{
	struct hf_viterbi *v = arg;

	arena_free(v->work);
	parts_free(v);
	mem_free(v->seen);
	mem_free(v->id);
}

/* follow_bit - of the first two bytes of a character */
static inline unsigned
follow_bit(unsigned char a, unsigned char b)
{
	return (a < 0x80 ? a : b ^ (unsigned)a << 3) & 63;
}

/* follow_all - of what goes on behind a place in the trie */
static uint64_t
follow_all(const struct trie *t, uint32_t place)
{
	uint64_t bits = 0;
	uint32_t to, then;

	for (unsigned a = 1; a < 256; a++) {
		to = place;
		if (!trie_step(t, &to, (unsigned char)a))
			continue;
		if (a < 0x80)
			bits |= (uint64_t)1 << follow_bit((unsigned char)a, 0);
		for (unsigned b = 0x80; a >= 0x80 && b < 0xc0; b++) {
			then = to;
			if (trie_step(t, &then, (unsigned char)b))
				bits |= (uint64_t)1 << follow_bit(
				    (unsigned char)a, (unsigned char)b);
		}
	}
	return bits;
}

/* seen_token - the token that a character is, and whether others go on */
static void
seen_token(const struct hf_viterbi *v, struct seen *s)
{
	const struct hf_model *m = v->model;
	uint32_t place = 0, id;

	s->id = m->unk_id;
	s->score = m->scores->unk;
	for (unsigned i = 0; i < s->n; i++)
		if (!trie_step(&m->tokens, &place, (unsigned char)s->text[i]))
			return;
	if (trie_value(&m->tokens, place, &id) && id < m->vocab->end) {
		s->id = id;
		s->score = m->scores->score[id];
	}
	s->follow = follow_all(&m->tokens, place);
	s->base = place ^ trie_offset(m->tokens.unit[place]);
}

struct hf_viterbi *
hf_viterbi_new(struct arena *a, const struct hf_path *path,
    const struct hf_units *u, size_t units)
{
	const struct hf_model *m = path->model;
	struct hf_viterbi *v;
	uint32_t size = SEEN_LEAST;

	if (m->kind != HF_UNIGRAM || m->tokens.n == 0 ||
	    (hf_norm_acts(path->norm) & ~HF_ACT_CHARSMAP) != 0 ||
	    hf_split_how(path->split) != HF_CUT_WORDS ||
	    (hf_split_sign(path->split).n == 0 &&
	    hf_split_steps(path->split) > 1) ||
	    hf_split_sign(path->split).n > ONE_MOST)
		return NULL;
	while (size < SEEN_MOST && size < units)
		size *= 2;
	v = arena_alloc(a, sizeof(*v));
	v->path = *path;
	v->units = u;
	v->model = m;
	v->sign = hf_split_sign(path->split);
	v->work = arena_new();
	v->seen = mem_alloc(size * sizeof(*v->seen));
	v->mask = size - 1;
	if (v->sign.n <= ONE_MOST) {
		v->first.n = (uint8_t)v->sign.n;
		memcpy(v->first.text, v->sign.p, v->sign.n);
		seen_token(v, &v->first);
	}
	arena_defer(a, viterbi_free, v);
	return v;
}

/* seen_text - what a character became */
static void
seen_text(const struct hf_viterbi *v, struct seen *s, struct view text)
{
	size_t first, n;
	uint32_t c;

	s->to = TO_NONE;
	if (text.n == 0)
		return;
	c = utf8_get(text.p, &first);
	s->to = first == text.n ? TO_ONE : text.n <= ONE_MOST ? TO_SOME :
	    TO_MANY;
	if (s->to == TO_ONE && hf_white(c))
		s->to = TO_BLANK;
	for (size_t i = 0; i < text.n; i += n) {
		utf8_get(text.p + i, &n);
		if (n == v->sign.n && memcmp(text.p + i, v->sign.p, n) == 0)
			s->to = TO_PLAIN;
	}
	s->n = text.n <= ONE_MOST ? text.n & 7 : 0;
	memcpy(s->text, text.p, s->n);
	if (s->to == TO_ONE)
		seen_token(v, s);
}

/* seen_make - a character that is not known; AS_IS: no more is done with it */
static void
seen_make(struct hf_viterbi *v, struct seen *s, uint32_t c)
{
	char one[4];
	struct view text = { one, utf8_put(c & ~AS_IS, one) };
	struct hf_text x;

	*s = (struct seen){ .c = (c + 1) & 0xffffff, .to = TO_PLAIN };
	if (c & AS_IS) {
		seen_text(v, s, text);
		return;
	}
	if (c < 128 && v->units->ascii[c] == HF_GAP)
		s->to = TO_GAP;
	if (s->to == TO_GAP || !hf_charsmap_alone(v->path.chars, c))
		return;
	arena_reset(v->work);
	x = hf_text_new(v->work, text);
	hf_norm_run(v->path.norm, &x);
	seen_text(v, s, hf_text_get(&x));
}

static inline const struct seen *
seen_get(struct hf_viterbi *v, uint32_t c)
{
	struct seen *s = &v->seen[(c ^ (c >> 12 & 0xff0)) & v->mask];

	if (s->c != c + 1)
		seen_make(v, s, c);
	return s;
}

/* parts_grow - room for more characters */
static void
parts_grow(struct hf_viterbi *v)
{
	size_t cap = v->cap + v->cap / 2 + 256;

	v->text = mem_grow(v->text, cap * ONE_MOST + ONE_MOST);
	v->part = mem_grow(v->part, cap * sizeof(*v->part));
	v->best = mem_grow(v->best, (cap + 1) * sizeof(*v->best));
	v->order = mem_grow(v->order, cap * sizeof(*v->order));
	v->cap = cap;
}

/* part_put - one more character of the piece: of at most ONE_MOST bytes, for
 * each of `cap` characters of which there is room, and ONE_MOST behind them */
static inline void
part_put(struct hf_viterbi *v, const struct seen *s)
{
	unsigned bit;

	if (v->parts == v->cap)
		parts_grow(v);
	bit = follow_bit((unsigned char)s->text[0], (unsigned char)s->text[1]);
	if (v->follow >> bit & 1)
		__builtin_prefetch(&v->model->tokens.unit[v->part[v->parts -
		    1].base ^ (unsigned char)s->text[0]]);
	else if (v->parts > 0)
		v->part[v->parts - 1].base = 0;
	v->follow = s->follow;
	v->part[v->parts++] = (struct part){ s->score, s->id,
	    (uint32_t)v->bytes, s->base };
	memcpy(v->text + v->bytes, s->text, ONE_MOST);
	v->bytes += s->n;
}

/* put - an id; piece_end has made room for one a byte */
static inline void
put(struct hf_viterbi *v, uint32_t id)
{
	v->id[v->n++] = id;
}

/* part_at - bytes before a character, of which there may be none more */
static size_t
part_at(const struct hf_viterbi *v, size_t i)
{
	return i < v->parts ? v->part[i].at : v->bytes;
}

/* put_unknown - the characters up to one that no token is of, together */
static void
put_unknown(struct hf_viterbi *v, size_t to)
{
	struct hf_tokens list = { .arena = v->work, .scratch = v->work };
	struct err e;

	if (v->unknown == NONE)
		return;
	arena_reset(v->work);
	/* this does not fail: hf_model_may_fail */
	(void)hf_unigram_unknown(v->model, (struct view){ v->text, v->bytes },
	    (uint32_t)part_at(v, v->unknown), (uint32_t)part_at(v, to), &list,
	    &e);
	for (size_t i = 0; i < list.n; i++)
		put(v, list.v[i].id);
	v->unknown = NONE;
}

/* token - the one of the characters from one on */
static inline void
token(struct hf_viterbi *v, size_t from, uint32_t id)
{
	if (id != v->model->unk_id) {
		put_unknown(v, from);
		put(v, id);
	} else if (v->unknown == NONE)
		v->unknown = from;
}

/* settle - the tokens between two characters that none lies across; best is of
 * the first one */
static inline void
settle(struct hf_viterbi *v, const struct best *best, size_t from, size_t to)
{
	size_t n = 0, k;

	if (best[to - from].from == from) {
		token(v, from, best[to - from].id);
		return;
	}
	for (k = to; k > from; k = best[k - from].from)
		v->order[n++] = (uint32_t)k;
	for (k = from; n > 0; k = v->order[n]) {
		n--;
		token(v, k, best[v->order[n] - from].id);
	}
}

/* best_try - one more way */
static inline void
best_try(struct best *b, double score, size_t from, uint32_t id)
{
	if (b->from == HF_NONE || score > b->score)
		*b = (struct best){ score, (uint32_t)from, id };
}

/* walk - the tokens of several characters that begin with one; far: ways lead
 * there, and how far they do now.  best is of the first character that is not
 * settled, which is `done` */
static size_t
walk(const struct hf_viterbi *v, struct best *best, size_t done, size_t i,
    size_t far)
{
	const struct trie *t = &v->model->tokens;
	double here = best[i - done].score;
	uint32_t base = v->part[i].base, place = 0, id;
	size_t at = part_at(v, i + 1), end;

	for (size_t k = i + 1; k < v->parts; k++) {
		for (end = part_at(v, k + 1); at < end; at++) {
			place = base ^ (unsigned char)v->text[at];
			if (place >= t->n || (t->unit[place] & 0x800000ff) !=
			    (unsigned char)v->text[at])
				return far;
			base = place ^ trie_offset(t->unit[place]);
		}
		if (!trie_value(t, place, &id) || id >= v->model->vocab->end)
			continue;
		while (far <= k)
			best[++far - done].from = HF_NONE;
		best_try(&best[k + 1 - done], v->model->scores->score[id] +
		    here, i, id);
	}
	return far;
}

/* piece_end - the ids of a piece, at most one for each of its bytes */
static void
piece_end(struct hf_viterbi *v)
{
	const struct part *p = v->part;
	struct best *best = v->best;
	size_t done = 0, far = 0;

	if (v->room < v->n + v->bytes) {
		v->room = v->n + v->bytes + v->room / 2 + 64;
		v->id = mem_grow(v->id, v->room * sizeof(*v->id));
	}
	v->unknown = NONE;
	if (v->parts > 0)
		best[0].score = 0;
	for (size_t i = 0; i < v->parts; i++) {
		if (far == i)
			best[++far - done].from = HF_NONE;
		best_try(&best[i + 1 - done], p[i].score +
		    best[i - done].score, i, p[i].id);
		if (p[i].base != 0)
			far = walk(v, best, done, i, far);
		if (far > i + 1)
			continue;
		settle(v, best, done, far);
		best[0].score = best[far - done].score;
		done = far;
	}
	put_unknown(v, v->parts);
	v->parts = v->bytes = 0;
	v->follow = 0;
}

/* part_next - one more character that stays as it is, or a blank */
static inline bool
part_next(struct hf_viterbi *v, const struct seen *s)
{
	if (s->to == TO_BLANK) {
		piece_end(v);
		return true;
	}
	if (v->parts == 0 && v->sign.n > 0)
		part_put(v, &v->first);
	part_put(v, s);
	return s->to == TO_ONE;
}

/* part_some - what a character becomes, where that is not one */
static bool
part_some(struct hf_viterbi *v, uint32_t c, struct seen s)
{
	struct arena *own = NULL;
	struct view text = { s.text, s.n };
	struct hf_text x;
	bool all = true;
	char one[4];
	size_t n;

	if (s.to == TO_NONE || s.to == TO_PLAIN)
		return s.to == TO_NONE;
	if (s.to == TO_MANY) {
		own = arena_new();
		x = hf_text_new(own, (struct view){ one, utf8_put(c, one) });
		hf_norm_run(v->path.norm, &x);
		text = hf_text_get(&x);
	}
	for (size_t i = 0; i < text.n; i += n)
		all = part_next(v, seen_get(v, utf8_get(text.p + i, &n) |
		    AS_IS)) && all;
	if (own != NULL)
		arena_free(own);
	return all;
}

/* char_get - utf8_get, of three bytes at once */
static inline uint32_t
char_get(const char *p, size_t *n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (u[0] < 0x80) {
		*n = 1;
		return u[0];
	}
	if (u[0] < 0xe0 || u[0] >= 0xf0)
		return utf8_get(p, n);
	*n = 3;
	return (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu);
}

bool
hf_viterbi_run(struct hf_viterbi *v, const char **p, const char *end,
    const uint32_t **ids, size_t *count)
{
	const struct seen *s;
	const char *at = *p;
	bool all = true;
	size_t n;
	uint32_t c;

	v->n = v->parts = v->bytes = 0;
	v->follow = 0;
	for (; all && at < end; at += n) {
		c = char_get(at, &n);
		s = seen_get(v, c);
		if (s->to == TO_GAP)
			break;
		all = s->to <= TO_BLANK ? part_next(v, s) :
		    part_some(v, c, *s);
		all = all && v->bytes < BYTES_MOST;
	}
	/* a blank may be part of a grapheme, with what is behind it */
	if (all && end - at > 1 && (at[1] & 0x80) != 0)
		all = hf_charsmap_alone(v->path.chars, utf8_get(at + 1, &n));
	if (all)
		piece_end(v);
	*p = at;
	*ids = v->id;
	*count = v->n;
	if (v->cap > KEPT)
		parts_free(v);
	return all;
}
