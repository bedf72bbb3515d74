/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backtracking with a memory.  What a program does behind a place in it and in
 * the text is the same however it came there.  So of every loop over one
 * character the last run that it walked is kept, and a range of places where
 * going on has failed; and of every split, once a text proves to be hard, two
 * bits a place: has failed, and within a lookahead, has succeeded.
 *
 * Ranges are kept while they grow, not when all has failed: an atomic group or
 * a lookahead that succeeds forgets the ways that it left behind, but not what
 * has failed in it.  Where a group succeeds and what comes after it does not,
 * splits within an atomic group are walked again.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_class.h"
#include "appliance/text/hf_regex.h"
#include "appliance/text/utf8.h"

enum frame_kind { F_GO, F_BACK, F_MORE, F_MARK };

struct frame {
	enum frame_kind kind;
	uint32_t pc;
	size_t at;			/* where to go on, or where it did */
	size_t low, top;		/* BACK: from top down to low; MORE: */
	uint32_t count;			/* from low up; characters taken */
};

struct loop {
	size_t from, to;		/* the last run that was walked */
	size_t bad, bad_to;		/* going on here has failed; if below */
};

struct hf_search {
	const struct hf_regex *re;
	struct view text;
	size_t next, last;		/* where to go on; where the last was */
	struct frame *stack;
	size_t depth, cap;
	struct loop *loop;
	unsigned char *mark;		/* two bits a split and place; NULL */
	uint64_t steps;
};

struct hf_search *
hf_search_new(const struct hf_regex *re, struct view text)
{
	struct hf_search *s = mem_alloc(sizeof(*s));

	*s = (struct hf_search){ .re = re, .text = text, .last = SIZE_MAX };
	s->loop = mem_alloc((re->runs + 1) * sizeof(*s->loop));
	for (size_t i = 0; i < re->runs; i++)
		s->loop[i] = (struct loop){ 1, 0, 1, 0 };
	return s;
}

void
hf_search_free(struct hf_search *s)
{
	mem_free(s->stack);
	mem_free(s->loop);
	mem_free(s->mark);
	mem_free(s);
}

uint64_t
hf_search_steps(const struct hf_search *s)
{
	return s->steps;
}

static void
push(struct hf_search *s, struct frame f)
{
	if (s->depth == s->cap) {
		s->cap = s->cap == 0 ? 64 : s->cap * 2;
		s->stack = mem_grow(s->stack, s->cap * sizeof(*s->stack));
	}
	s->stack[s->depth++] = f;
}

/* before - the start of the character that ends at a place */
static size_t
before(const struct hf_search *s, size_t at)
{
	do
		at--;
	while (at > 0 && ((unsigned char)s->text.p[at] & 0xc0) == 0x80);
	return at;
}

/* word_at - is there a character of a word at a place */
static bool
word_at(const struct hf_search *s, size_t at)
{
	size_t n;

	return at < s->text.n && hf_set_has(s->re->word, utf8_get(s->text.p +
	    at, &n));
}

static bool
assert_holds(const struct hf_search *s, int kind, size_t at)
{
	const struct view *t = &s->text;
	bool word;

	switch (kind) {
	case '^':
		return at == 0 || (at < t->n && t->p[at - 1] == '\n');
	case '$':
		return at == t->n || t->p[at] == '\n';
	case 'A':
		return at == 0;
	case 'z':
		return at == t->n;
	case 'Z':
		return at == t->n || (at + 1 == t->n && t->p[at] == '\n');
	default:
		word = at > 0 && word_at(s, before(s, at));
		return (word != word_at(s, at)) == (kind == 'b');
	}
}

/* mark_bit - the bits of a split at a place */
static unsigned char *
mark_bit(const struct hf_search *s, uint32_t slot, size_t at, unsigned *shift)
{
	size_t row = (s->re->splits + 3) / 4;

	*shift = slot % 4 * 2;
	return s->mark + at * row + slot / 4;
}

/* hard - has this text taken so long that splits should be kept */
static bool
hard(struct hf_search *s)
{
	if (s->mark == NULL && s->steps > 100000 + 64 * (uint64_t)s->next)
		s->mark = mem_alloc((s->text.n + 1) *
		    ((s->re->splits + 3) / 4));
	return s->mark != NULL;
}

/* loop_end - as far as characters of the set go; SIZE_MAX: too few of them.  An
 * endless loop that comes into the run it walked last is where that ends */
static size_t
loop_end(struct hf_search *s, const struct hf_inst *i, size_t at, size_t *low)
{
	struct loop *l = &s->loop[i->slot];
	bool endless = i->max == UINT32_MAX, known = false;
	size_t from = at, n;
	uint32_t count = 0;

	*low = at;
	for (; count < i->max; at += n) {
		known = endless && count >= i->min && at >= l->from &&
		    at <= l->to;
		if (known || at == s->text.n || !hf_set_has(i->set,
		    utf8_get(s->text.p + at, &n)))
			break;
		if (++count == i->min)
			*low = at + n;
	}
	s->steps += count;
	if (count < i->min)
		return SIZE_MAX;
	if (known) {
		at = l->to;
		from = from < l->from ? from : l->from;
	}
	if (endless)
		*l = (struct loop){ from, at, l->bad, l->bad_to };
	return at;
}

/* run_greedy - take all, and leave behind where less is enough; false: fail */
static bool
run_greedy(struct hf_search *s, const struct hf_inst *i, uint32_t pc,
    size_t *at)
{
	struct loop *l = &s->loop[i->slot];
	size_t low, high = loop_end(s, i, *at, &low), top = high;

	if (high == SIZE_MAX)
		return false;
	if (i->kind == HF_GREEDY && low < high) {
		if (high >= l->bad && high <= l->bad_to) {
			if (low >= l->bad)
				return false;
			high = before(s, l->bad);
		}
		push(s, (struct frame){ F_BACK, pc, high, low, top, 0 });
	}
	*at = high;
	return true;
}

/* run_lazy - take what must be, and leave behind that more would do; false:
 * going on from here has failed before */
static bool
run_lazy(struct hf_search *s, const struct hf_inst *i, uint32_t pc,
    size_t *at)
{
	const struct loop *l = &s->loop[i->slot];
	size_t low, n;
	bool bad;

	for (uint32_t k = 0; k < i->min; k++) {
		if (*at == s->text.n || !hf_set_has(i->set,
		    utf8_get(s->text.p + *at, &n)))
			return false;
		*at += n;
	}
	bad = i->max == UINT32_MAX && *at >= l->bad && *at <= l->bad_to;
	low = bad ? l->bad : *at;
	push(s, (struct frame){ F_MORE, pc, bad ? l->bad_to : *at, low, 0,
	    i->min });
	return !bad;
}

/* less - a greedy loop gives one character back */
static bool
less(struct hf_search *s, const struct hf_inst *i, struct frame *f)
{
	s->loop[i->slot].bad = f->at;
	s->loop[i->slot].bad_to = f->top;
	if (f->at <= f->low)
		return false;
	f->at = before(s, f->at);
	return true;
}

/* more - a lazy loop takes one character more, and with it all behind which
 * going on has failed before */
static bool
more(struct hf_search *s, const struct hf_inst *i, struct frame *f)
{
	struct loop *l = &s->loop[i->slot];
	bool endless = i->max == UINT32_MAX, known;
	size_t at = f->at, next = at, n;

	do {
		known = false;
		if (f->count == i->max || at == s->text.n || !hf_set_has(
		    i->set, utf8_get(s->text.p + at, &n)))
			break;
		next = at + n;
		known = endless && next >= l->bad && next <= l->bad_to;
		if (known)
			at = next = l->bad_to;
	} while (known);
	if (endless) {
		l->bad = f->low;
		l->bad_to = at;
	}
	if (next == at)
		return false;
	f->at = next;
	f->count += !endless;
	return true;
}

static bool run(struct hf_search *, uint32_t pc, size_t at, size_t *end,
    bool ahead);

/* look - does a lookaround hold */
static bool
look(struct hf_search *s, uint32_t pc, size_t at)
{
	const struct hf_inst *i = &s->re->code[pc];
	bool back = i->kind >= HF_BEHIND, found;
	bool not = i->kind == HF_NOT_AHEAD || i->kind == HF_NOT_BEHIND;
	size_t end;

	for (uint32_t k = 0; back && k < i->min; k++) {
		if (at == 0)
			return not;
		at = before(s, at);
	}
	found = run(s, pc + 1, at, &end, true);
	return found != not;
}

/* split - the first way, with the second and a mark left behind */
static bool
split(struct hf_search *s, const struct hf_inst *i, uint32_t pc, size_t at,
    bool ahead, bool *won)
{
	unsigned char *bits;
	unsigned shift;

	if (hard(s)) {
		bits = mark_bit(s, i->slot, at, &shift);
		if (*bits >> shift & 1)
			return false;
		if (ahead && *bits >> shift & 2) {
			*won = true;
			return true;
		}
		push(s, (struct frame){ F_MARK, pc, at, 0, 0, 0 });
	}
	push(s, (struct frame){ F_GO, i->y, at, 0, 0, 0 });
	return true;
}

/* back - the newest way that was left behind; false: none of this run's */
static bool
back(struct hf_search *s, size_t floor, uint32_t *pc, size_t *at)
{
	const struct hf_inst *i;
	struct frame *f;
	unsigned shift;

	while (s->depth > floor) {
		f = &s->stack[s->depth - 1];
		i = &s->re->code[f->pc];
		if (f->kind == F_MARK) {
			unsigned char *bits = mark_bit(s, i->slot, f->at,
			    &shift);

			*bits |= (unsigned char)(1u << shift);
		} else if (f->kind == F_GO) {
			*pc = f->pc;
			*at = f->at;
			s->depth--;
			return true;
		} else if (f->kind == F_BACK ? less(s, i, f) : more(s, i, f)) {
			*pc = f->pc + 1;
			*at = f->at;
			return true;
		}
		s->depth--;
	}
	return false;
}

/* won - a run has come to its end; what led there always will */
static void
won(struct hf_search *s, size_t floor, bool ahead)
{
	unsigned shift;

	for (size_t k = floor; ahead && k < s->depth; k++)
		if (s->stack[k].kind == F_MARK) {
			unsigned char *bits = mark_bit(s, s->re->code[
			    s->stack[k].pc].slot, s->stack[k].at, &shift);

			*bits |= (unsigned char)(2u << shift);
		}
	s->depth = floor;
}

/* run - from an instruction at a place to its OP_END; the end of the match */
static bool
run(struct hf_search *s, uint32_t pc, size_t at, size_t *end, bool ahead)
{
	size_t floor = s->depth, n;
	bool ok, over = false;

	for (;;) {
		const struct hf_inst *i = &s->re->code[pc];

		s->steps++;
		ok = true;
		switch (i->op) {
		case OP_CHAR:
			ok = at < s->text.n &&
			    utf8_get(s->text.p + at, &n) == i->x;
			at += ok ? n : 0;
			pc++;
			break;
		case OP_RUN:
			ok = i->kind == HF_LAZY ? run_lazy(s, i, pc, &at) :
			    run_greedy(s, i, pc, &at);
			pc++;
			break;
		case OP_SPLIT:
			ok = split(s, i, pc, at, ahead, &over);
			pc = i->x;
			break;
		case OP_JUMP:
			pc = i->x;
			break;
		case OP_LOOK:
			ok = look(s, pc, at);
			pc = i->x;
			break;
		case OP_ATOM:
			ok = run(s, pc + 1, at, &at, false);
			pc = i->x;
			break;
		case OP_ASSERT:
			ok = assert_holds(s, i->kind, at);
			pc++;
			break;
		case OP_END:
			over = true;
			break;
		}
		if (over) {
			won(s, floor, ahead);
			*end = at;
			return true;
		}
		if (!ok && !back(s, floor, &pc, &at))
			return false;
	}
}

bool
hf_search_next(struct hf_search *s, size_t *from, size_t *to)
{
	size_t at = s->next, n;

	for (;;) {
		while (!run(s, 0, at, to, false)) {
			if (at >= s->text.n)
				return false;
			utf8_get(s->text.p + at, &n);
			at += n;
		}
		*from = at;
		if (*to > at || s->last != at)
			break;
		/* nothing, just where the last match ended: one further */
		if (at >= s->text.n)
			return false;
		utf8_get(s->text.p + at, &n);
		at += n;
	}
	s->next = s->last = *to;
	return true;
}
