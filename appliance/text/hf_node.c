/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_class.h"
#include "appliance/text/hf_fold.h"
#include "appliance/text/hf_node.h"
#include "appliance/text/hf_regex.h"
#include "appliance/text/utf8.h"

#define REPEATS	100000			/* as Oniguruma has it */

static struct node *parse_alternatives(struct hf_parse *);

static struct node *
node_new(struct hf_parse *s, enum kind kind)
{
	struct node *n = arena_alloc(s->arena, sizeof(*n));

	n->kind = kind;
	return n;
}

static struct node *
parse_fail(struct hf_parse *s, const char *what)
{
	err_set(s->err, FATE_REJECT, "%s", what);
	return NULL;
}

/* node_set - a set, or NULL handed on */
static struct node *
node_set(struct hf_parse *s, const uint32_t *set)
{
	struct node *n;

	if (set == NULL)
		return NULL;
	n = node_new(s, N_SET);
	n->set = set;
	return n;
}

/* folds_two - do two letters together fold to one character, as ss does; what
 * has no case is a character beside one that has */
static bool
folds_two(const struct node *a, const struct node *b)
{
	if (a == NULL || a->c == 0 || b->c == 0 || a->kind > N_SET ||
	    b->kind > N_SET || (a->kind == N_CHAR && b->kind == N_CHAR))
		return false;
	return hf_fold_pair(a->c, b->c);
}

/* node_char - a character; where case does not count, a set of both cases */
static struct node *
node_char(struct hf_parse *s, uint32_t c)
{
	struct node *n = node_new(s, N_CHAR);
	uint32_t *set, all[HF_FOLDS];
	size_t count;

	n->c = c;
	if (!s->fold)
		return n;
	if (!s->rust && hf_fold_long(c))
		return parse_fail(s, "a letter that is several where case does "
		    "not count is not read");
	count = hf_fold_class(c, all);
	if (count == 1)
		return n;
	set = hf_set_new(s);
	if (set == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++)
		hf_set_add(set, all[i], all[i]);
	n = node_set(s, set);
	n->c = c;
	return n;
}

static struct node *
node_assert(struct hf_parse *s, int how)
{
	struct node *n = node_new(s, N_ASSERT);

	n->how = how;
	return n;
}

/* parse_newline - \R: CR LF, or one of the line ends, not given back */
static struct node *
parse_newline(struct hf_parse *s)
{
	struct node *atom = node_new(s, N_ATOM), *both = node_new(s, N_CAT);
	uint32_t *set = hf_set_new(s);

	if (set == NULL)
		return NULL;
	hf_set_add(set, 0x0a, 0x0d);
	hf_set_add(set, 0x85, 0x85);
	hf_set_add(set, 0x2028, 0x2029);
	both->sub = node_new(s, N_CHAR);
	both->sub->c = '\r';
	both->sub->next = node_new(s, N_CHAR);
	both->sub->next->c = '\n';
	atom->sub = node_new(s, N_ALT);
	atom->sub->sub = both;
	both->next = node_set(s, set);
	return atom;
}

/* parse_escape - p is behind a backslash */
static struct node *
parse_escape(struct hf_parse *s)
{
	int64_t c;

	if (s->p < s->end && *s->p != '\0') {
		if (strchr("dDsSwWhHpP", *s->p) != NULL) {
			return node_set(s, hf_class_escape(s));
		}
		if (strchr("bBAzZ", *s->p) != NULL)
			return node_assert(s, *s->p++);
		if (*s->p == 'R') {
			s->p++;
			return parse_newline(s);
		}
	}
	c = hf_class_char(s);
	return c == -1 ? NULL : node_char(s, (uint32_t)c);
}

/* parse_flags - (?imx-imx) or the head of (?imx-imx:...) */
static int
parse_flags(struct hf_parse *s)
{
	bool on = true;

	for (; s->p < s->end && *s->p != ')' && *s->p != ':'; s->p++) {
		if (*s->p == '-')
			on = false;
		else if (*s->p == 'i')
			s->fold = on;
		else if (*s->p == (s->rust ? 's' : 'm'))
			s->dot_all = on;
		else if (*s->p == 'x')
			s->extended = on;
		else
			return err_set(s->err, FATE_REJECT, "the group "
			    "(?%.*s is not read", (int)(s->end - s->p < 8 ?
			    s->end - s->p : 8), s->p);
	}
	return s->p == s->end ? err_set(s->err, FATE_REJECT, "a group is not "
	    "closed") : 0;
}

/* parse_head - what a group is; NULL is a plain one, *done that it is over */
static struct node *
parse_head(struct hf_parse *s, bool *done, bool *bad)
{
	static const struct {
		const char *head;
		enum kind kind;
		int how;
	} heads[] = { { "<=", N_LOOK, HF_BEHIND },
		{ "<!", N_LOOK, HF_NOT_BEHIND }, { "=", N_LOOK, HF_AHEAD },
		{ "!", N_LOOK, HF_NOT_AHEAD }, { ">", N_ATOM, 0 } };
	const char *to;

	s->p++;				/* the question mark */
	for (size_t i = 0; i < BASE_COUNT(heads); i++) {
		size_t n = strlen(heads[i].head);
		struct node *g;

		if ((size_t)(s->end - s->p) < n ||
		    memcmp(s->p, heads[i].head, n) != 0)
			continue;
		s->p += n;
		g = node_new(s, heads[i].kind);
		g->how = heads[i].how;
		return g;
	}
	if (s->p < s->end && *s->p == '#') {
		to = memchr(s->p, ')', (size_t)(s->end - s->p));
		*bad = to == NULL;
		*done = true;
		s->p = to == NULL ? s->end : to + 1;
	} else if (s->p < s->end && (*s->p == '<' || *s->p == '\'')) {
		to = memchr(s->p + 1, *s->p == '<' ? '>' : '\'',
		    (size_t)(s->end - s->p - 1));
		*bad = to == NULL;
		s->p = to == NULL ? s->end : to + 1;
	} else {
		*bad = parse_flags(s) == -1;
		s->p += !*bad && *s->p == ':';
	}
	return NULL;
}

/* parse_group - p is behind '(' */
static struct node *
parse_group(struct hf_parse *s)
{
	bool fold = s->fold, dot_all = s->dot_all, extended = s->extended;
	bool done = false, bad = false, flags = false;
	struct node *head = NULL, *body;

	if (++s->depth > 50)
		return parse_fail(s, "groups are nested too deeply");
	if (s->p < s->end && *s->p == '?') {
		head = parse_head(s, &done, &bad);
		if (bad)
			return s->p == s->end ? parse_fail(s, "a group is not "
			    "closed") : NULL;
		flags = !done && head == NULL && s->p < s->end &&
		    *s->p == ')' && s->p[-1] != ':';
	}
	if (done) {
		s->depth--;
		return node_new(s, N_EMPTY);
	}
	s->p += flags;			/* (?i): up to the end of the group */
	body = parse_alternatives(s);
	if (body == NULL)
		return NULL;
	s->depth--;
	if (flags)
		return body;
	if (s->p == s->end || *s->p != ')')
		return parse_fail(s, "a group is not closed");
	s->p++;
	s->fold = fold;
	s->dot_all = dot_all;
	s->extended = extended;
	if (head == NULL)
		return body;
	head->sub = body;
	return head;
}

/* parse_dot - any character, but the newline unless (?m) */
static struct node *
parse_dot(struct hf_parse *s)
{
	uint32_t *set = hf_set_new(s);
	struct node *n;

	if (set == NULL)
		return NULL;
	if (!s->dot_all)
		hf_set_add(set, '\n', '\n');
	hf_set_not(set);
	n = node_set(s, set);
	n->how = 1;
	return n;
}

/* parse_atom - one thing that can be repeated */
static struct node *
parse_atom(struct hf_parse *s)
{
	char c = *s->p;
	uint32_t ch;
	size_t n;

	if (c == '(' || c == '[' || c == '.' || c == '\\' || c == '^' ||
	    c == '$')
		s->p++;
	switch (c) {
	case '(':
		return parse_group(s);
	case '[':
		return node_set(s, hf_class_bracket(s));
	case '.':
		return parse_dot(s);
	case '\\':
		return parse_escape(s);
	case '^':
	case '$':
		return node_assert(s, !s->rust ? c : c == '^' ? 'A' : 'z');
	case '*':
	case '+':
	case '?':
		return parse_fail(s, "a quantifier has nothing before it");
	}
	ch = utf8_get(s->p, &n);
	s->p += n;
	return node_char(s, ch);
}

/* parse_number - digits of an interval; false if there are none */
static bool
parse_number(struct hf_parse *s, uint32_t *x)
{
	const char *from = s->p;

	for (*x = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
		if (*x <= REPEATS)
			*x = *x * 10 + (uint32_t)(*s->p - '0');
	return s->p > from;
}

/* parse_interval - {n} {n,} {n,m} {,m}; false: the brace is a character */
static bool
parse_interval(struct hf_parse *s, uint32_t *min, uint32_t *max)
{
	const char *old = s->p++;
	bool low = parse_number(s, min), high, comma;

	if (!low)
		*min = 0;
	comma = s->p < s->end && *s->p == ',';
	*max = *min;
	if (comma) {
		s->p++;
		high = parse_number(s, max);
		if (!high)
			*max = HF_ENDLESS;
		comma = low || high;
	}
	if ((low || comma) && s->p < s->end && *s->p == '}') {
		s->p++;
		return true;
	}
	s->p = old;
	return false;
}

static struct node *
node_repeat(struct hf_parse *s, struct node *sub, uint32_t min, uint32_t max,
    int how)
{
	struct node *n = node_new(s, N_REPEAT);

	n->sub = sub;
	n->min = min;
	n->max = max;
	n->how = how;
	return n;
}

/* parse_quantified - an atom and the quantifiers behind it, from left */
static struct node *
parse_quantified(struct hf_parse *s)
{
	struct node *n = parse_atom(s);
	uint32_t min, max;
	bool braces;
	int how;

	while (n != NULL && s->p < s->end) {
		char c = *s->p;

		braces = c == '{';
		if (braces) {
			if (!parse_interval(s, &min, &max))
				break;
		} else if (c == '*' || c == '+' || c == '?') {
			s->p++;
			min = c == '+';
			max = c == '?' ? 1 : HF_ENDLESS;
		} else
			break;
		if (max != HF_ENDLESS && (min > max || max > REPEATS))
			return parse_fail(s, "an interval is not in order or "
			    "too large");
		how = HF_GREEDY;
		if (s->p < s->end && *s->p == '?' && (s->rust || !braces ||
		    min != max)) {
			s->p++;
			how = HF_LAZY;
		} else if (s->p < s->end && *s->p == '+' && (s->rust ||
		    !braces)) {
			s->p++;
			how = HF_ALL;
		}
		n = node_repeat(s, n, min, max, how);
	}
	return n;
}

/* skip_extended - blanks and comments under (?x) */
static void
skip_extended(struct hf_parse *s)
{
	while (s->extended && s->p < s->end) {
		if (strchr(" \t\n\r\f\v", *s->p) != NULL && *s->p != '\0') {
			s->p++;
		} else if (*s->p == '#') {
			while (s->p < s->end && *s->p != '\n')
				s->p++;
		} else
			break;
	}
}

static struct node *
parse_alternatives(struct hf_parse *s)
{
	struct node *alt = node_new(s, N_ALT), *cat, **last, **next = &alt->sub;
	struct node *before;

	for (;;) {
		*next = cat = node_new(s, N_CAT);
		next = &cat->next;
		last = &cat->sub;
		for (before = NULL;; before = *last, last = &(*last)->next) {
			skip_extended(s);
			if (s->p == s->end || *s->p == '|' || *s->p == ')')
				break;
			*last = parse_quantified(s);
			if (*last == NULL)
				return NULL;
			if (!s->rust && folds_two(before, *last))
				return parse_fail(s, "letters that are one "
				    "character where case does not count are "
				    "not read");
		}
		if (s->p == s->end || *s->p != '|')
			break;
		s->p++;
	}
	return alt->sub->next == NULL ? alt->sub : alt;
}

struct node *
hf_node_parse(struct hf_parse *s)
{
	struct node *n = parse_alternatives(s);

	if (n != NULL && s->p < s->end)
		return parse_fail(s, "a ')' closes nothing");
	return n;
}
