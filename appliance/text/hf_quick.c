/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids by units (hf_units.h): what a thread has met before is found again, and
 * many lookups are under way at once; what is new goes through all the parts by
 * itself, and is kept.
 */
#include "appliance/base/base.h"
#include "appliance/text/cells_take.h"
#include "appliance/text/hf_model.h"
#include "appliance/text/hf_quick.h"
#include "appliance/text/hf_split.h"
#include "appliance/text/hf_viterbi.h"
#include "appliance/text/links.h"

#define ROOM		128u	/* ids that can be written without asking */
#define KEPT		((size_t)1 << 22)
#define QUEUE		256u	/* units that wait, at most */
#define ASCII_UNIT	64u	/* bytes of a unit to be tried as ASCII */
#define THREES		65536u	/* characters of three bytes are below */
#define SPARE		16u	/* bytes that a key reads from its start */

struct hf_quick {
	struct hf_path path;
	struct hf_units units;
	const struct links *links;	/* units end where nothing is linked */
	bool signs;			/* pieces begin at signs */
};

struct hf_scratch {
	const struct hf_quick *quick;
	struct cells cells;
	struct hf_viterbi *viterbi;	/* NULL: not for this model */
	uint32_t *alone;		/* of units of one character of three
					 * bytes: the one id, and one; NULL */
	struct arena *work;		/* of one unit */
	struct arena *scratch;		/* of one piece */
	uint32_t *id;			/* of this text */
	size_t n, cap;
	const char *end;		/* of what can be read */
	struct cell_unit unit[QUEUE];	/* these wait to be looked up */
	size_t units;
};

/* scratch_free - an arena's closer */
static void
scratch_free(void *arg)
{
	struct hf_scratch *s = arg;

	arena_free(s->work);
	arena_free(s->scratch);
	cells_free(&s->cells);
	mem_free(s->alone);
	mem_free(s->id);
}

struct hf_scratch *
hf_quick_scratch(struct arena *a, const struct hf_quick *q, size_t pieces)
{
	struct hf_scratch *s = arena_alloc(a, sizeof(*s));

	s->quick = q;
	s->work = arena_new();
	s->scratch = arena_new();
	cells_init(&s->cells, pieces);
	if (q->links == NULL)
		s->viterbi = hf_viterbi_new(a, &q->path, &q->units, pieces);
	arena_defer(a, scratch_free, s);
	return s;
}

/* links_open - pipelines in which a blank becomes a sign, no more is done */
static bool
links_open(struct hf_quick *q)
{
	unsigned acts = hf_norm_acts(q->path.norm);
	unsigned how = hf_split_how(q->path.split);

	q->links = q->path.model->links;
	q->signs = how == HF_CUT_SIGNS;
	return (acts & ~(HF_ACT_SIGN | HF_ACT_PREPEND)) == 0 &&
	    (how == HF_CUT_SIGN || how == HF_CUT_SIGNS ||
	    (how == HF_CUT_NONE && acts & HF_ACT_SIGN)) &&
	    q->links != NULL;
}

const struct hf_quick *
hf_quick_open(struct arena *a, const struct hf_path *path)
{
	struct hf_quick *q = arena_alloc(a, sizeof(*q));

	q->path = *path;
	if (hf_model_may_fail(path->model) != NULL ||
	    hf_added_sought(path->added))
		return NULL;
	return hf_units_open(path->chars, path->norm, path->split,
	    &q->units) || links_open(q) ? q : NULL;
}

/* room - for n more ids and ROOM behind them */
static void
room(struct hf_scratch *s, size_t n)
{
	size_t want = s->n + n + ROOM;

	if (want <= s->cap)
		return;
	want = want < s->cap * 2 ? s->cap * 2 : want;
	s->id = mem_grow(s->id, want * sizeof(*s->id));
	s->cap = want;
}

/* unit_pieces - a unit through all the parts */
static int
unit_pieces(struct hf_scratch *s, const char *p, size_t n,
    struct hf_tokens *tokens, struct err *e)
{
	const struct hf_path *t = &s->quick->path;
	struct hf_pieces pieces = { .arena = s->work };
	struct hf_text x = hf_text_new(s->work, (struct view){ p, n });

	hf_norm_run(t->norm, &x);
	hf_pieces_put(&pieces, x, -1);
	hf_split_run(t->split, &pieces);
	for (size_t i = 0; i < pieces.n; i++) {
		arena_reset(s->scratch);
		if (hf_model_run(t->model, hf_text_get(&pieces.v[i].text),
		    tokens, e) == -1)
			return -1;
	}
	return 0;
}

/* unit_signs - a unit between links, its blanks as signs */
static int
unit_signs(struct hf_scratch *s, const char *p, size_t n,
    struct hf_tokens *tokens, struct err *e)
{
	char *to = arena_alloc(s->work, 3 * n);
	size_t len = 0, from = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] == ' ') {
			memcpy(to + len, LINKS_SIGN, 3);
			len += 3;
		} else
			to[len++] = p[i];
	for (size_t i = 1; i <= len; i++) {
		if (i < len && (!s->quick->signs || len - i < 3 ||
		    memcmp(to + i, LINKS_SIGN, 3) != 0))
			continue;
		arena_reset(s->scratch);
		if (hf_model_run(s->quick->path.model, (struct view){ to +
		    from, i - from }, tokens, e) == -1)
			return -1;
		from = i;
	}
	return 0;
}

/* unit_viterbi - the unit at *p without going through the parts, and where it
 * ends; false: it is not for that */
static bool
unit_viterbi(struct hf_scratch *s, const char **p, const char *end)
{
	const uint32_t *id;
	size_t count;

	if (s->viterbi == NULL || !hf_viterbi_run(s->viterbi, p, end, &id,
	    &count))
		return false;
	room(s, count);
	if (count > 0)
		memcpy(s->id + s->n, id, count * sizeof(*id));
	s->n += count;
	return true;
}

/* unit_plain - the ids of a unit, from nothing that is known; begins: with it
 * the text does, which is more than a link, where these count */
static int
unit_plain(struct hf_scratch *s, const char *p, size_t n, bool begins,
    struct err *e)
{
	struct hf_tokens tokens = { .arena = s->work, .scratch = s->scratch };
	bool linked = s->quick->links != NULL;
	char piece[ASCII_UNIT + HF_SIGN];
	const char *to = p;
	size_t had = s->n;
	size_t len = n > ASCII_UNIT || linked ? 0 : hf_unit_ascii(
	    &s->quick->units, p, n, piece);

	if (unit_viterbi(s, &to, p + n) && to == p + n)
		return 0;
	s->n = had;
	arena_reset(s->work);
	arena_reset(s->scratch);
	if (linked && !begins) {
		if (unit_signs(s, p, n, &tokens, e) == -1)
			return -1;
	} else if (len > 0 ? hf_model_run(s->quick->path.model,
	    (struct view){ piece, len }, &tokens, e) == -1 :
	    unit_pieces(s, p, n, &tokens, e) == -1)
		return -1;
	room(s, tokens.n);
	for (size_t i = 0; i < tokens.n; i++)
		s->id[s->n++] = tokens.v[i].id;
	room(s, 0);
	return 0;
}

/* unit_seek - a unit that is not in its line */
static int
unit_seek(struct hf_scratch *s, const struct cell_unit *u, bool begins,
    struct err *e)
{
	bool few = u->n <= CELL_SHORT;
	bool pool = u->n > CELL_IDS && u->n <= CELL_LONG;
	const uint32_t *id;
	uint64_t hash = 0;
	size_t had = s->n, ids;

	ids = few ? cell_beside(&s->cells, u->line, u->k, s->id + had) : 0;
	if (ids > 0) {
		s->n += ids - 1;
		return 0;
	}
	if (pool) {
		hash = few ? cells_hash(u->p, u->n) : u->k.k[0];
		id = cells_find(&s->cells, hash, u->p, u->n, begins, &ids);
		if (id != NULL) {
			room(s, ids);
			memcpy(s->id + had, id, ids * sizeof(*id));
			s->n += ids;
			return 0;
		}
	}
	if (unit_plain(s, u->p, u->n, begins, e) == -1)
		return -1;
	ids = s->n - had;
	if (few && ids <= CELL_IDS)
		cell_keep(&s->cells, u->line, u->k, s->id + had, ids);
	else if (pool)
		cells_put(&s->cells, hash, u->p, u->n, begins, s->id + had,
		    ids);
	return 0;
}

/* unit_one - a unit of any length, by itself */
static int
unit_one(struct hf_scratch *s, const char *p, size_t n, bool begins,
    struct err *e)
{
	struct cell_unit u = { .p = p, .n = n };
	size_t ids;

	room(s, 0);
	if (n > CELL_SHORT) {
		cell_unit(&s->cells, &u, p, n);
		return unit_seek(s, &u, begins, e);
	}
	u.k = cell_key_near(p, n, s->end);
	u.k.k[1] |= (uint64_t)(begins ? CELL_MARK : 0) << 56;
	u.line = cell_line(&s->cells, u.k);
	ids = cell_take(u.line, u.k, s->id + s->n);
	if (ids == 0)
		return unit_seek(s, &u, begins, e);
	s->n += ids - 1;
	return 0;
}

/* units_take - those that wait */
static int
units_take(struct hf_scratch *s, struct err *e)
{
	const struct cell_unit *u = s->unit, *end = u + s->units;
	uint32_t *out;
	size_t ids;

	s->units = 0;
	room(s, QUEUE * CELL_IDS);
	out = s->id + s->n;
	for (; u < end; u++) {
		ids = cell_take(u->line, u->k, out);
		if (ids > 0) {
			out += ids - 1;
			continue;
		}
		s->n = (size_t)(out - s->id);
		if (unit_seek(s, u, false, e) == -1)
			return -1;
		room(s, QUEUE * CELL_IDS);
		out = s->id + s->n;
	}
	s->n = (size_t)(out - s->id);
	return 0;
}

/* units_put - those of a block, to wait */
static int
units_put(struct hf_scratch *s, const char *p, uint64_t first, uint64_t ends,
    struct err *e)
{
	if (s->units > QUEUE - CELL_UNITS && units_take(s, e) == -1)
		return -1;
	s->units += cell_units(&s->cells, p, first, ends, s->unit + s->units);
	return 0;
}

/* alone_seek - the id of a unit of one character, which is kept; false: it is
 * none of these */
static bool
alone_seek(struct hf_scratch *s, const char *p, uint32_t c, struct err *e)
{
	size_t had = s->n;

	if (hf_unit_class3(&s->quick->units, c) != HF_ALONE ||
	    unit_one(s, p, 3, false, e) == -1)
		return false;
	if (s->n == had + 1)
		s->alone[c] = s->id[had] + 1;
	return true;
}

/* units_alone - units of one character of three bytes each, as most of Chinese
 * are for BERT, and gaps; where they end */
static const char *
units_alone(struct hf_scratch *s, const char *p, const char *end)
{
	const struct hf_units *u = &s->quick->units;
	uint32_t c, id;
	struct err e;

	if (s->alone == NULL)
		s->alone = mem_alloc(THREES * sizeof(*s->alone));
	while (end - p >= 3) {
		if ((*p & 0x80) == 0) {
			if (u->ascii[(unsigned char)*p] != HF_GAP)
				break;
			p++;
			continue;
		}
		if (((unsigned char)*p & 0xf0) != 0xe0)
			break;
		c = hf_units_three(p);
		id = s->alone[c];
		room(s, 1);
		if (id > 0)
			s->id[s->n++] = id - 1;
		else if (!alone_seek(s, p, c, &e))
			break;
		p += 3;
	}
	return p;
}

/* block - whole units of up to HF_BLOCK bytes */
static size_t
block(const struct hf_quick *q, const char *p, size_t n, bool last,
    uint64_t *first, uint64_t *ends)
{
	return q->links == NULL ? hf_units_block(&q->units, p, n, last, first,
	    ends) : links_block(q->links, p, n, last, first, ends);
}

/* next - the next unit, see hf_unit_next */
static const char *
next(const struct hf_quick *q, const char *p, const char *end,
    const char **from)
{
	*from = p;
	return q->links == NULL ? hf_unit_next(&q->units, p, end, from) :
	    links_next(q->links, p, end);
}

/* dense - does an ideograph begin at p, by its first byte, or kana: 0xe3 */
static inline bool
dense(const char *p, unsigned char least)
{
	return (unsigned char)*p >= least && (unsigned char)*p <= 0xe9;
}

/* unit_dense - units at p of a text that is dense: nearly all are long and new,
 * or ideographs in a row; *to is where they end, or p if it is none */
static int
unit_dense(struct hf_scratch *s, const char *p, const char *end,
    const char **to, struct err *e)
{
	bool lines = s->viterbi != NULL;

	*to = p;
	if (lines ? !dense(p, 0xe3) : !s->quick->units.bert || end - p < 12 ||
	    !dense(p, 0xe4) || !dense(p + 3, 0xe4) || !dense(p + 6, 0xe4) ||
	    !dense(p + 9, 0xe4))
		return 0;
	if (units_take(s, e) == -1)
		return -1;
	if (!lines)
		*to = units_alone(s, p, end);
	else if (!unit_viterbi(s, to, end))
		*to = p;
	return 0;
}

/* units_all - a text by its units */
static int
units_all(struct hf_scratch *s, struct view v, struct err *e)
{
	const struct hf_quick *q = s->quick;
	const char *p = v.p, *end = v.p + v.n, *from, *to, *at;
	char tail[HF_BLOCK + SPARE] = { 0 };
	bool fast = hf_units_here(), begins = q->links != NULL;
	uint64_t first, ends;
	size_t left, n;
	int r = 0;

	for (s->end = end; p < end && r == 0; p = to) {
		left = (size_t)(end - p);
		r = unit_dense(s, p, end, &to, e);
		if (r == -1 || to > p)
			continue;
		at = p;
		if (left < sizeof(tail)) {
			r = units_take(s, e);
			at = memcpy(tail, p, left);
		}
		n = r == -1 || !fast || begins ? 0 : block(q, at, left <
		    HF_BLOCK ? left : HF_BLOCK, left <= HF_BLOCK, &first,
		    &ends);
		to = p + n;
		if (n > 0)
			r = units_put(s, at, first, ends, e);
		else if (r == 0 && (r = units_take(s, e)) == 0 &&
		    (to = next(q, p, end, &from)) > from)
			r = unit_one(s, from, (size_t)(to - from), begins, e);
		begins = false;
	}
	return r == -1 ? -1 : units_take(s, e);
}

int
hf_quick_run(struct hf_scratch *s, struct arena *a, struct view text,
    uint32_t **ids, size_t *n, struct err *e)
{
	int r;

	s->n = s->units = 0;
	room(s, 0);
	r = units_all(s, text, e);
	*n = s->n;
	*ids = r == -1 ? NULL : arena_copy(a, s->id, s->n * sizeof(**ids));
	if (s->cap > KEPT) {
		mem_free(s->id);
		s->id = NULL;
		s->cap = 0;
	}
	return r;
}
