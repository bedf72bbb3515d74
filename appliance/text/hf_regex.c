/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/hf_node.h"
#include "appliance/text/hf_regex.h"

struct compile {
	struct hf_regex *re;
	size_t cap;
	struct arena *arena;
	bool rust;
	struct err *err;
};

static int compile_node(struct compile *, const struct node *);

/* emit - one more instruction; -1: too many */
static int
emit(struct compile *c, enum hf_op op)
{
	struct hf_regex *re = c->re;

	if (re->n == HF_REGEX_CODE || re->splits > HF_REGEX_SPLITS)
		return err_set(c->err, FATE_REJECT, "the pattern is too "
		    "large");
	if (re->n == c->cap) {
		c->cap = c->cap == 0 ? 64 : c->cap * 2;
		re->code = arena_grow(c->arena, re->code, re->n, c->cap,
		    sizeof(*re->code));
	}
	re->code[re->n] = (struct hf_inst){ .op = op };
	if (op == OP_RUN)
		re->code[re->n].slot = (uint32_t)re->runs++;
	if (op == OP_SPLIT)
		re->code[re->n].slot = (uint32_t)re->splits++;
	return (int)re->n++;
}

/* node_empty - can it match nothing */
static bool
node_empty(const struct node *n)
{
	switch (n->kind) {
	case N_CHAR:
	case N_SET:
		return false;
	case N_CAT:
		for (n = n->sub; n != NULL; n = n->next)
			if (!node_empty(n))
				return false;
		return true;
	case N_ALT:
		for (n = n->sub; n != NULL; n = n->next)
			if (node_empty(n))
				return true;
		return false;
	case N_REPEAT:
		return n->min == 0 || node_empty(n->sub);
	case N_ATOM:
		return node_empty(n->sub);
	default:
		return true;
	}
}

/* node_fixed - characters that it always takes; -1 if that varies */
static int64_t
node_fixed(const struct node *n)
{
	int64_t sum = 0, one;

	switch (n->kind) {
	case N_CHAR:
	case N_SET:
		return 1;
	case N_CAT:
		for (n = n->sub; n != NULL; n = n->next) {
			one = node_fixed(n);
			if (one == -1)
				return -1;
			sum += one;
		}
		return sum;
	case N_REPEAT:
		one = node_fixed(n->sub);
		return one == -1 || n->min != n->max || n->how != HF_GREEDY ||
		    one * n->min > 255 ? -1 : one * n->min;
	case N_EMPTY:
	case N_ASSERT:
		return 0;
	default:
		return -1;
	}
}

/* single - the one character or set that a node is; CATs of one are looked
 * into */
static const struct node *
single(const struct node *n)
{
	while (n->kind == N_CAT && n->sub != NULL && n->sub->next == NULL)
		n = n->sub;
	return n->kind == N_CHAR || n->kind == N_SET ? n : NULL;
}

static int
compile_run(struct compile *c, const struct node *one, uint32_t min,
    uint32_t max, int how)
{
	int at = emit(c, OP_RUN);
	struct hf_inst *i;

	if (at == -1)
		return -1;
	i = &c->re->code[at];
	i->min = min;
	i->max = max;
	i->kind = how;
	i->set = one->set;
	if (one->kind == N_CHAR) {
		uint32_t *set = arena_array(c->arena, HF_SET_WORDS,
		    sizeof(*set));

		hf_set_add(set, one->c, one->c);
		i->set = set;
	}
	return 0;
}

/* compile_optional - a split around the body: greedy tries it first */
static int
compile_optional(struct compile *c, const struct node *n, bool loop)
{
	int split = emit(c, OP_SPLIT), jump;
	uint32_t out;

	if (split == -1 || compile_node(c, n->sub) == -1)
		return -1;
	if (loop) {
		jump = emit(c, OP_JUMP);
		if (jump == -1)
			return -1;
		c->re->code[jump].x = (uint32_t)split;
	}
	out = (uint32_t)c->re->n;
	c->re->code[split].x = n->how == HF_LAZY ? out : (uint32_t)split + 1;
	c->re->code[split].y = n->how == HF_LAZY ? (uint32_t)split + 1 : out;
	return 0;
}

/* looped - the character of a loop that is looped again, such as (a*)*: that is
 * one loop, since both come to the same ends, the farthest first; NULL */
static const struct node *
looped(const struct node *n)
{
	const struct node *in = n->sub;

	while (in->kind == N_CAT && in->sub != NULL && in->sub->next == NULL)
		in = in->sub;
	return n->how == HF_GREEDY && n->max == HF_ENDLESS &&
	    in->kind == N_REPEAT && in->how == HF_GREEDY && in->min == 0 &&
	    in->max > 0 ? single(in->sub) : NULL;
}

static int
compile_repeat(struct compile *c, const struct node *n)
{
	const struct node *one = single(n->sub);
	int atom = -1, end;

	if (one == NULL && !c->rust)
		one = looped(n);
	if (one != NULL && one != single(n->sub))
		return compile_run(c, one, 0, HF_ENDLESS, HF_GREEDY);
	if (one != NULL)
		return compile_run(c, one, n->min, n->max, n->how);
	/* Oniguruma leaves such a loop early, but not where it writes it out */
	if (n->max > 1 && node_empty(n->sub))
		return err_set(c->err, FATE_REJECT, "a loop whose body may be "
		    "empty is not read");
	if (n->how == HF_ALL && (atom = emit(c, OP_ATOM)) == -1)
		return -1;
	for (uint32_t i = 0; i < n->min; i++)
		if (compile_node(c, n->sub) == -1)
			return -1;
	if (n->max == HF_ENDLESS) {
		if (compile_optional(c, n, true) == -1)
			return -1;
	} else {
		for (uint32_t i = n->min; i < n->max; i++)
			if (compile_optional(c, n, false) == -1)
				return -1;
	}
	if (atom == -1)
		return 0;
	end = emit(c, OP_END);
	if (end == -1)
		return -1;
	c->re->code[atom].x = (uint32_t)end + 1;
	return 0;
}

/* compile_alternatives - split, first, jump out, split, second, ... */
static int
compile_alternatives(struct compile *c, const struct node *n)
{
	uint32_t last = UINT32_MAX, next;
	int split, jump;

	for (n = n->sub; n != NULL; n = n->next) {
		split = -1;
		if (n->next != NULL && (split = emit(c, OP_SPLIT)) == -1)
			return -1;
		if (compile_node(c, n) == -1)
			return -1;
		if (split == -1)
			break;
		jump = emit(c, OP_JUMP);
		if (jump == -1)
			return -1;
		c->re->code[jump].x = last;	/* a chain, mended below */
		last = (uint32_t)jump;
		c->re->code[split].x = (uint32_t)split + 1;
		c->re->code[split].y = (uint32_t)c->re->n;
	}
	for (; last != UINT32_MAX; last = next) {
		next = c->re->code[last].x;
		c->re->code[last].x = (uint32_t)c->re->n;
	}
	return 0;
}

/* compile_behind - one lookbehind of a fixed length, or alternatives of these;
 * a wrong one of several forbidden ones is a lookbehind each */
static int
compile_look(struct compile *c, const struct node *n, const struct node *body)
{
	int64_t fixed = 0;
	int look, end;

	if (n->how >= HF_BEHIND) {
		fixed = node_fixed(body);
		if (fixed == -1)
			return err_set(c->err, FATE_REJECT, "a lookbehind of "
			    "varying length is not read");
	}
	look = emit(c, OP_LOOK);
	if (look == -1 || compile_node(c, body) == -1)
		return -1;
	end = emit(c, OP_END);
	if (end == -1)
		return -1;
	c->re->code[look].x = (uint32_t)end + 1;
	c->re->code[look].min = (uint32_t)fixed;
	c->re->code[look].kind = n->how;
	return 0;
}

/* compile_behind - lookbehind: its alternatives may differ in length */
static int
compile_behind(struct compile *c, const struct node *n)
{
	struct node all = { .kind = N_ALT }, *one, *look, **last = &all.sub;

	if (n->sub->kind != N_ALT)
		return compile_look(c, n, n->sub);
	for (one = n->sub->sub; one != NULL; one = one->next) {
		if (n->how == HF_NOT_BEHIND) {	/* none of them: in a row */
			if (compile_look(c, n, one) == -1)
				return -1;
			continue;
		}
		look = arena_alloc(c->arena, sizeof(*look));
		*look = (struct node){ .kind = N_LOOK, .how = n->how };
		look->sub = arena_alloc(c->arena, sizeof(*look));
		*look->sub = *one;
		look->sub->next = NULL;
		*last = look;
		last = &look->next;
	}
	return all.sub == NULL ? 0 : compile_alternatives(c, &all);
}

static int
compile_node(struct compile *c, const struct node *n)
{
	int at, end;

	switch (n->kind) {
	case N_EMPTY:
		return 0;
	case N_CHAR:
		at = emit(c, OP_CHAR);
		if (at != -1)
			c->re->code[at].x = n->c;
		return at == -1 ? -1 : 0;
	case N_SET:
		return compile_run(c, n, 1, 1, HF_ALL);
	case N_CAT:
		for (n = n->sub; n != NULL; n = n->next)
			if (compile_node(c, n) == -1)
				return -1;
		return 0;
	case N_ALT:
		return compile_alternatives(c, n);
	case N_REPEAT:
		return compile_repeat(c, n);
	case N_LOOK:
		return n->how >= HF_BEHIND ? compile_behind(c, n) :
		    compile_look(c, n, n->sub);
	case N_ATOM:
		at = emit(c, OP_ATOM);
		if (at == -1 || compile_node(c, n->sub) == -1)
			return -1;
		end = emit(c, OP_END);
		if (end == -1)
			return -1;
		c->re->code[at].x = (uint32_t)end + 1;
		return 0;
	case N_ASSERT:
		at = emit(c, OP_ASSERT);
		if (at != -1)
			c->re->code[at].kind = n->how;
		return at == -1 ? -1 : 0;
	}
	return 0;
}

/*
 * misses - does Oniguruma miss matches: it seeks what begins with .* or .+ at
 * the starts of lines only, and forgets that a lookahead in front of it may
 * hold later.  What is sought in a lookahead of one length it does find.
 * 1 if so, 0 if nothing was taken yet, -1 if something was.
 */
static int
misses(const struct node *n, bool *ahead)
{
	int r = 0;

	switch (n->kind) {
	case N_CHAR:
	case N_SET:
		return -1;
	case N_CAT:
		for (n = n->sub; r == 0 && n != NULL; n = n->next)
			r = misses(n, ahead);
		return r;
	case N_ALT:
		r = -1;
		for (n = n->sub; r < 1 && n != NULL; n = n->next) {
			int one = misses(n, ahead);

			r = one > r ? one : r;
		}
		return r;
	case N_REPEAT:
		if (single(n->sub) != NULL && single(n->sub)->how == 1 &&
		    n->max == HF_ENDLESS && n->how != HF_LAZY)
			return *ahead ? 1 : -1;
		return misses(n->sub, ahead) == 1 ? 1 : -1;
	case N_ATOM:
		return misses(n->sub, ahead);
	case N_LOOK:
		*ahead = *ahead || (n->how == HF_AHEAD &&
		    node_fixed(n->sub) == -1);
		return 0;
	default:
		return 0;
	}
}

static struct hf_regex *
open_as(struct arena *a, const struct hf_chars *chars, struct view pattern,
    bool rust, struct err *e)
{
	struct hf_regex *re = arena_alloc(a, sizeof(*re));
	struct hf_parse s = { .arena = a, .chars = chars, .p = pattern.p,
	    .end = pattern.p + pattern.n, .rust = rust, .err = e };
	struct compile c = { .re = re, .arena = a, .rust = rust, .err = e };
	struct node *n;
	uint32_t *word;
	bool ahead = false;
	size_t good = utf8_check(pattern.p, pattern.n);

	if (good < pattern.n) {
		err_set(e, FATE_REJECT, "its pattern is no UTF-8 at byte %zu",
		    good);
		return NULL;
	}
	n = hf_node_parse(&s);
	if (n != NULL && !rust && misses(n, &ahead) == 1) {
		err_set(e, FATE_REJECT, "a lookahead before a loop of dots is "
		    "not read");
		n = NULL;
	}
	if (n == NULL || compile_node(&c, n) == -1 || emit(&c, OP_END) == -1) {
		err_prefix(e, "its pattern '%.*s': ", (int)(pattern.n < 120 ?
		    pattern.n : 120), pattern.p);
		return NULL;
	}
	re->empty = node_empty(n);
	word = arena_array(a, HF_SET_WORDS, sizeof(*word));
	hf_set_prop(chars, word, rust ? HF_WORD : HF_ONIG_WORD);
	re->word = word;
	return re;
}

struct hf_regex *
hf_regex_open(struct arena *a, const struct hf_chars *chars,
    struct view pattern, struct err *e)
{
	return open_as(a, chars, pattern, false, e);
}

struct hf_regex *
hf_regex_open_rust(struct arena *a, const struct hf_chars *chars,
    struct view pattern, struct err *e)
{
	return open_as(a, chars, pattern, true, e);
}
