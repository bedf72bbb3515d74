/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_class.h"
#include "appliance/text/hf_fold.h"

/* what folds to something else than its lower case */
static const struct {
	uint32_t c, to;
} others[] = {
	{ 0xb5, 0x3bc }, { 0x17f, 's' }, { 0x345, 0x3b9 }, { 0x3c2, 0x3c3 },
	{ 0x3d0, 0x3b2 }, { 0x3d1, 0x3b8 }, { 0x3d5, 0x3c6 },
	{ 0x3d6, 0x3c0 }, { 0x3f0, 0x3ba }, { 0x3f1, 0x3c1 },
	{ 0x3f5, 0x3b5 }, { 0x1c80, 0x432 }, { 0x1c81, 0x434 },
	{ 0x1c82, 0x43e }, { 0x1c83, 0x441 }, { 0x1c84, 0x442 },
	{ 0x1c85, 0x442 }, { 0x1c86, 0x44a }, { 0x1c87, 0x463 },
	{ 0x1c88, 0xa64b }, { 0x1e9b, 0x1e61 }, { 0x1fbe, 0x3b9 },
	{ 0x1fd3, 0x390 }, { 0x1fe3, 0x3b0 }, { 0xfb06, 0xfb05 }
};

/* what folds to several characters: from, to */
static const uint32_t longs[][2] = {
	{ 0xdf, 0xdf }, { 0x130, 0x130 }, { 0x149, 0x149 }, { 0x1f0, 0x1f0 },
	{ 0x390, 0x390 }, { 0x3b0, 0x3b0 }, { 0x587, 0x587 },
	{ 0x1e96, 0x1e9a }, { 0x1e9e, 0x1e9e }, { 0x1f50, 0x1f50 },
	{ 0x1f52, 0x1f52 }, { 0x1f54, 0x1f54 }, { 0x1f56, 0x1f56 },
	{ 0x1f80, 0x1faf }, { 0x1fb2, 0x1fb4 }, { 0x1fb6, 0x1fb7 },
	{ 0x1fbc, 0x1fbc }, { 0x1fc2, 0x1fc4 }, { 0x1fc6, 0x1fc7 },
	{ 0x1fcc, 0x1fcc }, { 0x1fd2, 0x1fd3 }, { 0x1fd6, 0x1fd7 },
	{ 0x1fe2, 0x1fe4 }, { 0x1fe6, 0x1fe7 }, { 0x1ff2, 0x1ff4 },
	{ 0x1ff6, 0x1ff7 }, { 0x1ffc, 0x1ffc }, { 0xfb00, 0xfb06 },
	{ 0xfb13, 0xfb17 }
};

/* how these begin, but for the vowels with an iota behind them */
static const uint16_t pairs[][2] = {
	{ 'a', 0x2be }, { 'f', 'f' }, { 'f', 'i' }, { 'f', 'l' },
	{ 'h', 0x331 }, { 'i', 0x307 }, { 'j', 0x30c }, { 's', 's' },
	{ 's', 't' }, { 't', 0x308 }, { 'w', 0x30a }, { 'y', 0x30a },
	{ 0x2bc, 'n' }, { 0x3b1, 0x342 }, { 0x3b7, 0x342 },
	{ 0x3b9, 0x308 }, { 0x3b9, 0x342 }, { 0x3c1, 0x313 },
	{ 0x3c5, 0x308 }, { 0x3c5, 0x313 }, { 0x3c5, 0x342 },
	{ 0x3c9, 0x342 }, { 0x565, 0x582 }, { 0x574, 0x565 },
	{ 0x574, 0x56b }, { 0x574, 0x56d }, { 0x574, 0x576 },
	{ 0x57e, 0x576 }
};

static const uint32_t vowels[][2] = {
	{ 0x3ac, 0x3ac }, { 0x3ae, 0x3ae }, { 0x3b1, 0x3b1 },
	{ 0x3b7, 0x3b7 }, { 0x3c9, 0x3c9 }, { 0x3ce, 0x3ce },
	{ 0x1f00, 0x1f07 }, { 0x1f20, 0x1f27 }, { 0x1f60, 0x1f67 },
	{ 0x1f70, 0x1f70 }, { 0x1f74, 0x1f74 }, { 0x1f7c, 0x1f7c }
};

uint32_t
hf_fold(uint32_t c)
{
	for (size_t i = 0; c >= 0xb5 && i < BASE_COUNT(others); i++)
		if (others[i].c == c)
			return others[i].to;
	return hf_lower(c);
}

/* each - hand over every character that folds to another, with that */
static void
each(void (*take)(void *, uint32_t c, uint32_t to), void *arg)
{
	const struct hf_lower *r = hf_lowers;

	for (uint32_t c = 'A'; c <= 'Z'; c++)
		take(arg, c, c + 32);
	for (size_t i = 0; i < hf_lowers_count; i++, r++)
		for (uint32_t k = 0; k < r->n; k++)
			take(arg, r->from + k * r->step, (uint32_t)((int32_t)
			    (r->from + k * r->step) + r->delta));
	for (size_t i = 0; i < BASE_COUNT(others); i++)
		take(arg, others[i].c, others[i].to);
}

struct members {
	uint32_t to, *out;
	size_t n;
};

static void
members_take(void *arg, uint32_t c, uint32_t to)
{
	struct members *m = arg;
	bool there = to != m->to;

	for (size_t i = 0; !there && i < m->n; i++)
		there = m->out[i] == c;
	if (!there && m->n < HF_FOLDS)
		m->out[m->n++] = c;
}

size_t
hf_fold_class(uint32_t c, uint32_t out[HF_FOLDS])
{
	struct members m = { hf_fold(c), out, 1 };

	out[0] = m.to;
	each(members_take, &m);
	return m.n;
}

/* in_ranges - is a character in one of some ranges */
static bool
in_ranges(const uint32_t (*range)[2], size_t n, uint32_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= range[i][0] && c <= range[i][1])
			return true;
	return false;
}

bool
hf_fold_long(uint32_t c)
{
	return in_ranges(longs, BASE_COUNT(longs), c);
}

bool
hf_fold_long_in(const uint32_t *set)
{
	for (size_t i = 0; i < BASE_COUNT(longs); i++)
		for (uint32_t c = longs[i][0]; c <= longs[i][1]; c++)
			if (hf_set_has(set, c))
				return true;
	return false;
}

bool
hf_fold_pair(uint32_t a, uint32_t b)
{
	a = hf_fold(a);
	b = hf_fold(b);
	for (size_t i = 0; i < BASE_COUNT(pairs); i++)
		if (pairs[i][0] == a && pairs[i][1] == b)
			return true;
	return b == 0x3b9 && in_ranges(vowels, BASE_COUNT(vowels), a);
}

static void
set_down(void *arg, uint32_t c, uint32_t to)
{
	if (hf_set_has(arg, c))
		hf_set_add(arg, to, to);
}

static void
set_up(void *arg, uint32_t c, uint32_t to)
{
	if (hf_set_has(arg, to))
		hf_set_add(arg, c, c);
}

void
hf_fold_set(uint32_t *set)
{
	each(set_down, set);
	each(set_up, set);
}
