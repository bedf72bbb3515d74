/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_char.h"

#define GC(x)	(1u << GC_ ## x)
#define GC_L	(GC(LU) | GC(LL) | GC(LT) | GC(LM) | GC(LO))
#define GC_M	(GC(MN) | GC(MC) | GC(ME))
#define GC_N	(GC(ND) | GC(NL) | GC(NO))
#define GC_P	(GC(PC) | GC(PD) | GC(PS) | GC(PE) | GC(PI) | GC(PF) | GC(PO))

/* base - the categories that a property nearly is; hf_props has the rest */
static const uint32_t base[HF_PROPS] = {
	[HF_WORD] = GC_L | GC_M | GC(ND) | GC(PC),
	[HF_ONIG_WORD] = GC_L | GC_M | GC(ND) | GC(PC),
	[HF_PUNCT] = GC_P,
	[HF_OTHER] = GC(CC) | GC(CF) | GC(CO),
	[HF_MN] = GC(MN),
	[HF_MARK] = GC_M,
	[HF_NUMERIC] = GC_N,
	[HF_JOINS] = GC_M,
	[HF_ALPHA] = GC_L | GC(NL) | GC(MN) | GC(MC),
	[HF_UPPER] = GC(LU),
	[HF_LOWER] = GC(LL),
	[HF_ONIG_PUNCT] = GC_P,
	[HF_APART] = GC(CC) | GC(CF) | GC(ZL) | GC(ZP),
};

const struct hf_chars *
hf_chars_new(struct arena *a)
{
	struct hf_chars *t = arena_alloc(a, sizeof(*t));
	uint32_t bits[GC_CS + 1] = { 0 };
	size_t at = 0, n = 0;

	for (unsigned p = 0; p < HF_PROPS; p++)
		for (unsigned g = 0; g <= GC_CS; g++)
			bits[g] |= (base[p] >> g & 1) << p;
	for (size_t i = 0; i < hf_gc_count; i++) {
		n += hf_gc_runs[i] >> 5;
		if ((hf_gc_runs[i] & 31) == 31) {
			n <<= 11;
			continue;
		}
		n = n + 1 < HF_CHARS - at ? n + 1 : HF_CHARS - at;
		memset(t->gc + at, hf_gc_runs[i] & 31, n);
		for (size_t k = 0; k < n; k++)
			t->prop[at + k] = bits[hf_gc_runs[i] & 31];
		at += n;
		n = 0;
	}
	for (size_t i = 0; i < hf_props_count; i++)
		for (uint32_t k = 0; k < hf_props[i].n; k++)
			t->prop[hf_props[i].from + k] ^= 1u << hf_props[i].prop;
	return t;
}

uint32_t
hf_lower(uint32_t c)
{
	size_t lo = 0, hi = hf_lowers_count;
	const struct hf_lower *r;

	if (c < 128)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	while (lo < hi) {	/* the first that begins above c */
		size_t mid = (lo + hi) / 2;

		if (hf_lowers[mid].from > c)
			hi = mid;
		else
			lo = mid + 1;
	}
	/* a run of every second may lie around another one */
	for (size_t k = 0; k < 2 && lo > k; k++) {
		r = &hf_lowers[lo - 1 - k];
		if ((c - r->from) % r->step == 0 &&
		    (c - r->from) / r->step < r->n)
			return (uint32_t)((int32_t)c + r->delta);
	}
	return c;
}

bool
hf_white(uint32_t c)
{
	return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x85 && (c == 0x85 ||
	    c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	    c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	    c == 0x3000));
}
