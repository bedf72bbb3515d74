/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalizers change characters one by one, or within what lies between two
 * starters or two graphemes; pre-tokenizers of words then throw blanks away.
 * So a blank of ASCII parts what is before it from what is after it, as long as
 * it is a grapheme by itself: a mark behind it or a character that leads on in
 * front make it part of theirs.  With BERT's rules a punctuation mark or an
 * ideograph, too, is a unit whatever stands beside it.
 */
#include "appliance/base/base.h"
#include "appliance/text/hf_units.h"
#include "appliance/text/utf8.h"

/* all_white - is there white space, and nothing else */
static bool
all_white(const struct hf_text *x)
{
	size_t n;

	for (uint32_t i = 0; i < x->n; i += (uint32_t)n)
		if (!hf_white(utf8_get(x->p + i, &n)))
			return false;
	return x->n > 0;
}

/* open_ascii - a character by itself: its class, and what becomes of it */
static void
open_ascii(struct hf_units *u, struct arena *a, const struct hf_norm *norm,
    unsigned char c, bool alone)
{
	char one[1] = { (char)c };
	struct hf_text x = hf_text_new(a, (struct view){ one, 1 });
	unsigned char to;

	hf_norm_run(norm, &x);
	if (hf_white(c) && all_white(&x)) {
		u->ascii[c] = HF_GAP;
		return;
	}
	u->ascii[c] = alone ? HF_ALONE : HF_IN_UNIT;
	to = x.n == 1 ? (unsigned char)x.p[0] : 0;
	if (to < 128 && !hf_white(to) && (alone || !u->bert ||
	    !(u->chars->prop[to] >> HF_PUNCT & 1)))
		u->to[c] = (char)to;
}

bool
hf_units_open(const struct hf_chars *chars, const struct hf_norm *norm,
    const struct hf_split *split, struct hf_units *u)
{
	unsigned acts = hf_norm_acts(norm), how = hf_split_how(split);
	struct arena *a;

	*u = (struct hf_units){ .chars = chars, .bert = how == HF_CUT_BERT };
	if (acts & (HF_ACT_SIGN | HF_ACT_PREPEND | HF_ACT_OTHER) ||
	    (how != HF_CUT_BERT && how != HF_CUT_WORDS) || (u->bert &&
	    (acts & (HF_ACT_CHARSMAP | HF_ACT_LITERAL))))
		return false;
	u->clean = acts & HF_ACT_CLEAN;
	u->chinese = acts & HF_ACT_CHINESE;
	u->graphemes = acts & HF_ACT_CHARSMAP;
	a = arena_new();
	for (unsigned char c = 0; c < 128; c++)
		open_ascii(u, a, norm, c, u->bert && chars->prop[c] >>
		    HF_PUNCT & 1);
	arena_free(a);
	u->sign = hf_split_sign(split);
	if (acts & HF_ACT_LITERAL || (u->sign.n > 0 && (u->sign.n > HF_SIGN ||
	    (unsigned char)u->sign.p[0] < 128)))
		memset(u->to, 0, sizeof(u->to));
	u->han = (uint8_t)hf_unit_class(u, 0x4e00);
	for (uint32_t c = 0; c < 256; c++) {
		u->page[0][c] = (uint8_t)hf_unit_class(u, 0x2000 + c);
		u->page[1][c] = (uint8_t)hf_unit_class(u, 0x3000 + c);
		u->page[2][c] = (uint8_t)hf_unit_class(u, 0xff00 + c);
	}
	u->odd[0] = u->ascii[0x0b] == HF_GAP ? 0x0b : '\n';
	u->odd[1] = u->ascii[0x0c] == HF_GAP ? 0x0c : '\n';
	return u->ascii[' '] == HF_GAP && u->ascii['\t'] == HF_GAP &&
	    u->ascii['\n'] == HF_GAP && u->ascii['\r'] == HF_GAP;
}

size_t
hf_unit_ascii(const struct hf_units *u, const char *p, size_t n, char *out)
{
	size_t at = u->sign.n;

	memcpy(out, u->sign.p, at);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c >= 128 || u->to[c] == '\0')
			return 0;
		out[at++] = u->to[c];
	}
	return at;
}

int
hf_unit_class(const struct hf_units *u, uint32_t c)
{
	uint32_t prop = u->chars->prop[c];

	if (u->graphemes && prop & (1u << HF_JOINS | 1u << HF_LEADS))
		return HF_OPEN;
	if (!u->bert)
		return HF_IN_UNIT;
	if (prop >> HF_PUNCT & 1)
		return HF_ALONE;
	if (u->chinese && ((c >= 0x4e00 && c <= 0x9fff) ||
	    (c >= 0x3400 && c <= 0x4dbf)))
		return HF_ALONE;
	return hf_white(c) && !(u->clean && prop >> HF_OTHER & 1) ? HF_GAP :
	    HF_IN_UNIT;
}

/* joins - is there a character at p that is part of the grapheme before it */
static bool
joins(const struct hf_units *u, const char *p, const char *end)
{
	size_t n;

	return p < end && u->chars->prop[utf8_get(p, &n)] >> HF_JOINS & 1;
}

/* class_at - what the character at p is.  leads: does the one before lead on,
 * perhaps behind marks that will be gone; a blank is part of a unit then, or if
 * a mark follows */
static int
class_at(const struct hf_units *u, const char *p, const char *end, bool *leads,
    size_t *n)
{
	uint32_t c = utf8_get(p, n), prop = u->chars->prop[c];
	int class = c < 128 ? u->ascii[c] : hf_unit_class(u, c);

	if (!u->graphemes)
		return class;
	if (c == ' ' && (*leads || joins(u, p + 1, end)))
		class = HF_IN_UNIT;
	*leads = prop >> HF_LEADS & 1 || (*leads && prop >> HF_JOINS & 1);
	return class == HF_OPEN ? HF_IN_UNIT : class;
}

const char *
hf_unit_next(const struct hf_units *u, const char *p, const char *end,
    const char **from)
{
	bool leads = false;
	int class = HF_GAP;
	size_t n = 0;

	while (p < end && (class = class_at(u, p, end, &leads, &n)) == HF_GAP)
		p += n;
	*from = p;
	while (p < end && class == HF_IN_UNIT) {
		p += n;
		if (p < end)
			class = class_at(u, p, end, &leads, &n);
	}
	return p == *from && p < end ? p + n : p;
}
