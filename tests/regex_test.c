/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of tokenizer.json: the search beside a plain one that
 * forgets everything, over random patterns and texts; and steps, which may only
 * grow as the text does.
 */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/base/msg.h"
#include "appliance/text/hf_class.h"
#include "appliance/text/hf_regex.h"
#include "tests/tap.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CASES	5000
#endif
#endif
#ifndef CASES
#define CASES	20000
#endif
#define PATIENCE	100000		/* steps of the plain search */

static uint64_t seed = 1;

static unsigned
dice(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

/* the plain search; its texts are ASCII */
struct plain {
	const struct hf_regex *re;
	const char *text;
	size_t n, steps;
};

static bool plain(struct plain *, uint32_t pc, size_t at, size_t *end);

static bool
plain_run(struct plain *p, const struct hf_inst *i, uint32_t pc, size_t at,
    size_t *end)
{
	size_t most = 0;

	while (most < i->max && at + most < p->n && hf_set_has(i->set,
	    (unsigned char)p->text[at + most]))
		most++;
	if (most < i->min)
		return false;
	if (i->kind == HF_ALL)
		return plain(p, pc + 1, at + most, end);
	for (size_t k = i->min; k <= most; k++)
		if (plain(p, pc + 1, at + (i->kind == HF_LAZY ? k : most -
		    (k - i->min)), end))
			return true;
	return false;
}

static bool
plain_look(struct plain *p, const struct hf_inst *i, uint32_t pc, size_t at)
{
	bool not = i->kind == HF_NOT_AHEAD || i->kind == HF_NOT_BEHIND;
	size_t end, back = i->kind >= HF_BEHIND ? i->min : 0;

	return (back <= at && plain(p, pc + 1, at - back, &end)) != not;
}

static bool
plain(struct plain *p, uint32_t pc, size_t at, size_t *end)
{
	const struct hf_inst *i = &p->re->code[pc];
	size_t mid;

	if (++p->steps > PATIENCE)
		return false;
	switch (i->op) {
	case OP_CHAR:
		return at < p->n && (unsigned char)p->text[at] == i->x &&
		    plain(p, pc + 1, at + 1, end);
	case OP_RUN:
		return plain_run(p, i, pc, at, end);
	case OP_SPLIT:
		return plain(p, i->x, at, end) || plain(p, i->y, at, end);
	case OP_JUMP:
		return plain(p, i->x, at, end);
	case OP_LOOK:
		return plain_look(p, i, pc, at) && plain(p, i->x, at, end);
	case OP_ATOM:
		return plain(p, pc + 1, at, &mid) && plain(p, i->x, mid, end);
	case OP_END:
		*end = at;
		return true;
	case OP_ASSERT:
		break;
	}
	panic("an instruction that no pattern here makes");
}

/* plain_next - as hf_search_next */
static bool
plain_next(struct plain *p, size_t *next, size_t *last, size_t *from,
    size_t *to)
{
	for (size_t at = *next; at <= p->n; at++)
		if (plain(p, 0, at, to) && (*to > at || *last != at)) {
			*from = at;
			*next = *last = *to;
			return true;
		}
	return false;
}

/* some - a random pattern */
static void
some(struct buf *b, int depth)
{
	static const char *const atom[] = { "a", "b", "c", "[ab]", "[^a]",
	    "." };
	static const char *const times[] = { "", "", "", "*", "+", "?", "*?",
	    "+?", "??", "*+", "++", "{2}", "{1,2}", "{2,}", "{1,3}?",
	    "{2,}?" };
	static const char *const open[] = { "(?:", "(?:", "(?:", "(?>",
	    "(?=", "(?!", "(?<=", "(?<!" };

	for (unsigned n = 1 + dice(3); n > 0; n--) {
		unsigned kind = dice(10);

		if (kind < 7 || depth > 2) {
			buf_str(b, atom[dice(BASE_COUNT(atom))]);
			buf_str(b, times[dice(BASE_COUNT(times))]);
			continue;
		}
		kind = dice(BASE_COUNT(open));
		buf_str(b, open[kind]);
		some(b, depth + 1);
		if (dice(2) == 0) {
			buf_char(b, '|');
			some(b, depth + 1);
		}
		buf_char(b, ')');
		if (kind < 4)
			buf_str(b, times[dice(BASE_COUNT(times))]);
	}
}

/* same - has a text the same matches; -1: the plain one takes too long */
static int
same(const struct hf_regex *re, const char *text, size_t n)
{
	struct plain p = { .re = re, .text = text, .n = n };
	struct hf_search *s = hf_search_new(re, (struct view){ text, n });
	size_t next = 0, last = SIZE_MAX, from, to, f, t;
	bool one, two;
	int rc = 1;

	do {
		p.steps = 0;
		one = plain_next(&p, &next, &last, &from, &to);
		two = hf_search_next(s, &f, &t);
		if (p.steps > PATIENCE)
			rc = -1;
		else if (one != two || (one && (from != f || to != t)))
			rc = 0;
	} while (rc == 1 && one);
	hf_search_free(s);
	return rc;
}

static void
test_plain(const struct hf_chars *chars)
{
	size_t compared = 0, slow = 0, refused = 0, matched = 0;
	char text[40], wrong[256] = "";
	struct err e;

	for (size_t k = 0; k < CASES && wrong[0] == '\0'; k++) {
		struct arena *a = arena_new();
		struct buf *b = buf_new(a, 1 << 12);
		struct hf_regex *re;
		size_t n = dice(k % 4 == 0 ? sizeof(text) : 14);

		some(b, 0);
		re = hf_regex_open(a, chars, buf_get(b), &e);
		for (size_t i = 0; i < n; i++)
			text[i] = "aaaabbbc"[dice(8)];
		if (re == NULL)
			refused++;
		else
			switch (same(re, text, n)) {
			case 0:
				snprintf(wrong, sizeof(wrong), "%.150s of "
				    "%.*s", buf_cstr(b), (int)n, text);
				break;
			case 1:
				compared++;
				break;
			default:
				slow++;
			}
		matched += re != NULL && n > 0;
		arena_free(a);
	}
	tap(wrong[0] == '\0' && compared > CASES / 2, "%zu patterns: the "
	    "matches of a plain search (%zu are refused, %zu take it too "
	    "long)%s%s", compared, refused, slow, wrong[0] == '\0' ? "" :
	    ", but ", wrong);
}

/* steps_of - of all matches in n bytes of a unit */
static uint64_t
steps_of(const struct hf_regex *re, const char *unit, size_t n)
{
	char *text = mem_alloc(n);
	size_t k = strlen(unit), from, to;
	struct hf_search *s;
	uint64_t steps;

	for (size_t i = 0; i < n; i++)
		text[i] = unit[i % k];
	s = hf_search_new(re, (struct view){ text, n });
	while (hf_search_next(s, &from, &to))
		;
	steps = hf_search_steps(s);
	hf_search_free(s);
	mem_free(text);
	return steps;
}

static void
test_steps(struct arena *a, const struct hf_chars *chars)
{
	static const struct {
		const char *pattern, *unit;
	} cases[] = {
		{ "a.*b", "a" }, { "a.*?b", "a" }, { "a+?b", "a" },
		{ "a*a*b", "a" }, { "a*?a*?b", "a" }, { "a*a*?b", "a" },
		{ "a*?a*b", "a" }, { "a*a*a*a*b", "a" }, { "a{2,}?b", "a" },
		{ "a{2,}a{3,}b", "a" }, { "(?:a|aa)+b", "a" },
		{ "(?:ab)*?c", "ab" }, { "(?:a+)+b", "a" },
		{ "(?:a+?)+?b", "a" }, { "(?>a+)b", "a" }, { "a++b", "a" },
		{ "(?>.*?x)y", "a" }, { "(?>.*a)y", "ab" },
		{ "a(?=.*b)", "a" }, { "a(?!.*?b)", "a" },
		{ "(?:a.*b|c.*d)", "ac" }, { "(?=(?:a|b)*c)a", "ab" },
		{ "(a*)*b", "a" }, { "(?:a*x)+y", "aaax" }, { "\\s+(?!\\S)|\\s+", " " },
		{ "\\s*[\\r\\n]+|\\s+$", " " }, { ".*x.*y.*z", "ax" },
		{ "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}"
		    "\\p{N}]+|\\s+(?!\\S)|\\s+", "ab 1  ." },
		{ "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
		    "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|\\p{N}{1,3}| ?[^\\s\\p{L}"
		    "\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "A" },
	};
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct hf_regex *re = hf_regex_open(a, chars, view_of(cases[
		    i].pattern), &e);
		uint64_t one, two;

		if (re == NULL)
			panic("%s", e.text);
		one = steps_of(re, cases[i].unit, 100000);
		two = steps_of(re, cases[i].unit, 200000);
		tap(two < 2 * one + one / 10 && one < 100 * 100000,
		    "%s of '%s': %.1f steps a byte, and of twice the text "
		    "%.1f", cases[i].pattern, cases[i].unit, (double)one / 1e5,
		    (double)two / 2e5);
	}
}

int
main(void)
{
	struct arena *a = arena_new();
	const struct hf_chars *chars = hf_chars_new(a);
	struct err e;

	test_plain(chars);
	test_steps(a, chars);
	tap(hf_regex_open(a, chars, VIEW("a\xff"), &e) == NULL &&
	    strstr(e.text, "no UTF-8 at byte 1") != NULL &&
	    hf_regex_open_rust(a, chars, VIEW("\xc3"), &e) == NULL,
	    "a pattern that is no UTF-8 is refused");
	tap(hf_regex_open(a, chars, VIEW("((?:a?)+)b"), &e) != NULL &&
	    hf_regex_open(a, chars, VIEW("(?:a*b?)*"), &e) == NULL &&
	    hf_regex_open_rust(a, chars, VIEW("(a*)*"), &e) == NULL,
	    "a loop of loops of one character is one loop: %s", e.text);
	tap(hf_regex_open(a, chars, VIEW("(?:ab){0,500}"), &e) == NULL,
	    "as many alternatives as would take too much memory: %s", e.text);
	arena_free(a);
	return tap_done();
}
