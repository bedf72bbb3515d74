/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_charsmap.h"
#include "appliance/text/hf_nf.h"
#include "appliance/text/hf_parts.h"
#include "appliance/text/hf_pattern.h"
#include "appliance/text/hf_units.h"
#include "appliance/text/links.h"
#include "appliance/text/utf8.h"

#define LARGE	4096u			/* bytes of a text, see norm_large */

enum norm_kind { NORM_CLEAN, NORM_CHINESE, NORM_BERT_ACCENTS, NORM_LOWER,
	NORM_STRIP, NORM_ACCENTS, NORM_FORM, NORM_NMT, NORM_CHARSMAP,
	NORM_REPLACE, NORM_PREPEND, NORM_BYTES };

struct norm_step {
	enum norm_kind kind;
	enum hf_form form;
	bool left, right;
	struct hf_pattern pattern;
	struct view content;
	struct hf_charsmap *charsmap;
};

struct hf_norm {
	const struct hf_chars *chars;
	struct norm_step *v;
	size_t n, cap;
};

/* step_new - one more step */
static struct norm_step *
step_new(struct hf_open *o, struct hf_norm *m, enum norm_kind kind)
{
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 8 : m->cap * 2;
		m->v = arena_grow(o->arena, m->v, m->n, m->cap,
		    sizeof(*m->v));
	}
	m->v[m->n] = (struct norm_step){ .kind = kind };
	return &m->v[m->n++];
}

/* open_bert - its acts, in the library's order */
static void
open_bert(struct hf_open *o, struct hf_norm *m, struct view json)
{
	bool lower = hf_flag(json, "lowercase", true);

	if (hf_flag(json, "clean_text", true))
		step_new(o, m, NORM_CLEAN);
	if (hf_flag(json, "handle_chinese_chars", true))
		step_new(o, m, NORM_CHINESE);
	if (hf_flag(json, "strip_accents", lower)) {
		step_new(o, m, NORM_FORM)->form = HF_NFD;
		step_new(o, m, NORM_BERT_ACCENTS);
	}
	if (lower)
		step_new(o, m, NORM_LOWER);
}

/* kind_of - the type; files of old versions have none, but other members */
static struct view
kind_of(struct view json)
{
	static const char *const members[][2] = {
		{ "handle_chinese_chars", "BertNormalizer" },
		{ "strip_left", "Strip" }, { "normalizers", "Sequence" },
		{ "precompiled_charsmap", "Precompiled" },
		{ "pattern", "Replace" }, { "prepend", "Prepend" },
	};
	struct view type = hf_type(json), v;

	for (size_t i = 0; type.n == 0 && i < BASE_COUNT(members); i++)
		if (json_get(json, members[i][0], &v))
			type = view_of(members[i][1]);
	return type;
}

static int open_step(struct hf_open *, struct hf_norm *, struct view json,
    struct err *);

static int
open_list(struct hf_open *o, struct hf_norm *m, struct view json,
    struct err *e)
{
	struct json_iter it;
	struct view list, v;
	int r = 0;

	if (!json_get(json, "normalizers", &list) ||
	    !json_open(&it, list, '['))
		return err_set(e, FATE_REJECT, "its normalizer Sequence has no "
		    "list");
	if (++o->depth > 20)
		return err_set(e, FATE_REJECT, "its sequences are nested too "
		    "deeply");
	while (r == 0 && json_element(&it, &v))
		r = open_step(o, m, v, e);
	o->depth--;
	return r;
}

/* open_other - the kinds that have members */
static int
open_other(struct hf_open *o, struct hf_norm *m, struct view type,
    struct view json, struct err *e)
{
	struct norm_step *s;
	struct view v;

	if (view_is(type, "Strip")) {
		s = step_new(o, m, NORM_STRIP);
		s->left = hf_flag(json, "strip_left", true);
		s->right = hf_flag(json, "strip_right", true);
	} else if (view_is(type, "Precompiled")) {
		if (!hf_text_of(o, json, "precompiled_charsmap", &v))
			return err_set(e, FATE_REJECT, "its Precompiled has no "
			    "charsmap");
		s = step_new(o, m, NORM_CHARSMAP);
		s->charsmap = hf_charsmap_open(o->arena, v, e);
		return s->charsmap == NULL ? -1 : 0;
	} else if (view_is(type, "Replace")) {
		s = step_new(o, m, NORM_REPLACE);
		if (!json_get(json, "pattern", &v) ||
		    !hf_text_of(o, json, "content", &s->content))
			return err_set(e, FATE_REJECT, "its Replace has no "
			    "pattern or content");
		return hf_pattern_open(o->arena, o->chars, v, &s->pattern, e);
	} else if (view_is(type, "Prepend")) {
		if (!hf_text_of(o, json, "prepend", &v))
			return err_set(e, FATE_REJECT, "its Prepend has no "
			    "text");
		step_new(o, m, NORM_PREPEND)->content = v;
	} else
		return hf_unknown("normalizer", type, e);
	return 0;
}

static int
open_step(struct hf_open *o, struct hf_norm *m, struct view json,
    struct err *e)
{
	static const struct {
		const char *name;
		enum norm_kind kind;
		enum hf_form form;
	} plain[] = {
		{ "NFC", NORM_FORM, HF_NFC }, { "NFD", NORM_FORM, HF_NFD },
		{ "NFKC", NORM_FORM, HF_NFKC }, { "NFKD", NORM_FORM, HF_NFKD },
		{ "Lowercase", NORM_LOWER, 0 }, { "Nmt", NORM_NMT, 0 },
		{ "StripAccents", NORM_ACCENTS, 0 },
		{ "ByteLevel", NORM_BYTES, 0 },
	};
	struct view type = kind_of(json);

	for (size_t i = 0; i < BASE_COUNT(plain); i++)
		if (view_is(type, plain[i].name)) {
			step_new(o, m, plain[i].kind)->form = plain[i].form;
			return 0;
		}
	if (view_is(type, "Sequence"))
		return open_list(o, m, json, e);
	if (view_is(type, "BertNormalizer") || view_is(type, "Bert")) {
		open_bert(o, m, json);
		return 0;
	}
	return open_other(o, m, type, json, e);
}

/* check_growth - of all steps; a normal form lengthens nothing twice unless
 * other text came in between */
static int
check_growth(const struct hf_norm *m, struct err *e)
{
	uint64_t all = 1;
	bool formed = false, lower = false;

	for (size_t i = 0; i < m->n; i++) {
		const struct norm_step *s = &m->v[i];
		size_t times = 1;

		if (s->kind == NORM_REPLACE)
			times = hf_pattern_times(&s->pattern, s->content.n);
		else if (s->kind == NORM_PREPEND)
			times = 1 + s->content.n;
		else if (s->kind == NORM_CHARSMAP)
			times = hf_charsmap_times(s->charsmap);
		else if (s->kind == NORM_BYTES || s->kind == NORM_CHINESE ||
		    (s->kind == NORM_LOWER && !lower))
			times = 2;
		else if (s->kind == NORM_FORM && !formed)
			times = 11;	/* U+FDFA by NFKD */
		if (s->kind == NORM_REPLACE || s->kind == NORM_PREPEND ||
		    s->kind == NORM_CHARSMAP)
			formed = lower = false;
		formed = formed || s->kind == NORM_FORM;
		lower = lower || s->kind == NORM_LOWER;
		if (hf_grow(&all, times, "normalizer", e) == -1)
			return -1;
	}
	return 0;
}

struct hf_norm *
hf_norm_open(struct hf_open *o, struct view json, struct err *e)
{
	struct hf_norm *m = arena_alloc(o->arena, sizeof(*m));

	m->chars = o->chars;
	if (!json_is_null(json) && open_step(o, m, json, e) == -1)
		return NULL;
	return check_growth(m, e) == -1 ? NULL : m;
}

/* has_blank - is there white space in a text */
static bool
has_blank(struct view v)
{
	size_t n;

	for (size_t i = 0; i < v.n; i += n)
		if (hf_white(utf8_get(v.p + i, &n)))
			return true;
	return false;
}

unsigned
hf_norm_acts(const struct hf_norm *m)
{
	unsigned acts = 0;

	for (size_t i = 0; i < m->n; i++) {
		const struct norm_step *s = &m->v[i];

		if (s->kind == NORM_CLEAN)
			acts |= HF_ACT_CLEAN;
		else if (s->kind == NORM_CHINESE &&
		    (acts & ~HF_ACT_CLEAN) == 0)
			acts |= HF_ACT_CHINESE;
		else if (s->kind == NORM_FORM || s->kind == NORM_LOWER ||
		    s->kind == NORM_ACCENTS || s->kind == NORM_BERT_ACCENTS)
			acts |= HF_ACT_FORMS;
		else if (s->kind == NORM_CHARSMAP &&
		    (acts & HF_ACT_CHARSMAP) == 0)
			acts |= HF_ACT_CHARSMAP;
		else if (s->kind == NORM_PREPEND && acts == 0 &&
		    view_is(s->content, LINKS_SIGN))
			acts |= HF_ACT_PREPEND;
		else if (s->kind == NORM_REPLACE &&
		    s->pattern.literal.p != NULL &&
		    view_is(s->pattern.literal, " ") &&
		    view_is(s->content, LINKS_SIGN))
			acts |= HF_ACT_SIGN;
		else if (s->kind == NORM_REPLACE &&
		    s->pattern.literal.p != NULL &&
		    !has_blank(s->pattern.literal) && !has_blank(s->content))
			acts |= HF_ACT_LITERAL;
		else
			acts |= HF_ACT_OTHER;
	}
	return acts;
}

/* filter - without the characters that have a property, or a rule of its own */
static void
filter(const struct hf_chars *t, struct hf_text *x, enum norm_kind kind)
{
	struct hf_change c = { NULL, 0, 0 };
	size_t gone = 0, n;
	int32_t since = 0;
	bool drop;

	for (uint32_t i = 0; i < x->n; i += (uint32_t)n) {
		uint32_t ch = utf8_get(x->p + i, &n);

		switch (kind) {
		case NORM_CLEAN:
			drop = ch == 0 || ch == 0xfffd ||
			    t->prop[ch] >> HF_OTHER & 1;
			break;
		case NORM_BERT_ACCENTS:
			drop = t->prop[ch] >> HF_MN & 1;
			break;
		case NORM_ACCENTS:
			drop = t->prop[ch] >> HF_MARK & 1;
			break;
		default:		/* NMT */
			drop = (ch >= 1 && ch <= 8) || ch == 0x0b ||
			    (ch >= 0x0e && ch <= 0x1f) || ch == 0x7f ||
			    ch == 0x8f || ch == 0x9f;
		}
		if (drop) {
			since++;
			continue;
		}
		if (c.n == 0)
			gone = (size_t)since;
		else
			c.v[c.n - 1].step = -since;
		since = 0;
		hf_put(&c, ch, 0);
	}
	if (c.n > 0)
		c.v[c.n - 1].step = -since;
	hf_text_change(x, &c, gone);
}

/* nmt_blank - what SentencePiece's nmt rules take for a blank */
static bool
nmt_blank(uint32_t c)
{
	return c == 9 || c == 10 || c == 12 || c == 13 || c == 0x1680 ||
	    (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
	    c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

/* chinese - as the library has it, which skips U+2B820 to U+2B91F */
static bool
chinese(uint32_t c)
{
	return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
	    (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b81f) ||
	    (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) ||
	    (c >= 0x2f800 && c <= 0x2fa1f);
}

/* map - each character by itself */
static void
map(struct hf_text *x, enum norm_kind kind)
{
	struct hf_change c = { NULL, 0, 0 };
	bool same = x->n > 0 && x->len > 0 && x->span[0].from < x->span[0].to;
	uint32_t ch, to;
	size_t n;

	for (uint32_t i = 0; i < x->n; i += (uint32_t)n) {
		to = ch = utf8_get(x->p + i, &n);
		if (kind == NORM_CHINESE && chinese(ch)) {
			hf_put(&c, ' ', 0);
			hf_put(&c, ch, 1);
			hf_put(&c, ' ', 1);
			same = false;
			continue;
		}
		if (kind == NORM_LOWER && ch == 0x130) {
			hf_put(&c, 'i', 0);
			hf_put(&c, 0x307, 1);
			same = false;
			continue;
		}
		if (kind == NORM_LOWER)
			to = hf_lower(ch);
		else if (kind == NORM_CLEAN && hf_white(ch))
			to = ' ';
		else if (kind == NORM_NMT && nmt_blank(ch))
			to = ' ';
		same = same && to == ch;
		hf_put(&c, to, 0);
	}
	if (!same)
		hf_text_change(x, &c, 0);
	hf_change_free(&c);
}

/*
 * strip - white space off the ends.  The library compares the index of a
 * character with a length in bytes, so only in ASCII does the last character
 * take the place of what is stripped behind it.
 */
static void
strip(struct hf_text *x, bool left, bool right)
{
	struct hf_change c = { NULL, 0, 0 };
	size_t head = 0, tail = 0, count = utf8_count(hf_text_get(x)), i = 0, n;
	uint32_t at;

	for (at = 0; left && at < x->n && hf_white(utf8_get(x->p + at, &n));
	    at += (uint32_t)n)
		head++;
	for (at = x->n; right && at > 0; tail++) {
		do
			at--;
		while (((unsigned char)x->p[at] & 0xc0) == 0x80);
		if (!hf_white(utf8_get(x->p + at, &n)))
			break;
	}
	if (head == 0 && tail == 0)
		return;
	for (at = 0; at < x->n; at += (uint32_t)n, i++) {
		uint32_t ch = utf8_get(x->p + at, &n);

		if (i >= head && i < count - tail)
			hf_put(&c, ch, i + tail + 1 == x->n ? -(int32_t)tail :
			    0);
	}
	hf_text_change(x, &c, head);
}

void
hf_bytes(struct hf_text *x)
{
	struct hf_change c = { NULL, 0, 0 };

	for (uint32_t i = 0; i < x->n; i++)
		hf_put(&c, bpe_byte_char((unsigned char)x->p[i]),
		    ((unsigned char)x->p[i] & 0xc0) == 0x80);
	if (x->n > 0)
		hf_text_change(x, &c, 0);
}

static void
norm_step(const struct hf_norm *m, const struct norm_step *s,
    struct hf_text *x)
{
	struct hf_matches found = { NULL, 0, 0 };

	switch (s->kind) {
	case NORM_CLEAN:
	case NORM_NMT:
		filter(m->chars, x, s->kind);
		map(x, s->kind);
		break;
	case NORM_BERT_ACCENTS:
	case NORM_ACCENTS:
		filter(m->chars, x, s->kind);
		break;
	case NORM_CHINESE:
	case NORM_LOWER:
		map(x, s->kind);
		break;
	case NORM_STRIP:
		strip(x, s->left, s->right);
		break;
	case NORM_FORM:
		hf_nf(m->chars, x, s->form);
		break;
	case NORM_CHARSMAP:
		hf_charsmap_run(s->charsmap, m->chars, x);
		break;
	case NORM_REPLACE:
		hf_pattern_find(&s->pattern, hf_text_get(x), &found);
		hf_text_replace(x, &found, s->content);
		hf_matches_free(&found);
		break;
	case NORM_PREPEND:
		hf_text_prepend(x, s->content);
		break;
	case NORM_BYTES:
		hf_bytes(x);
		break;
	}
}

/* arena_close - an arena's closer, of another one */
static void
arena_close(void *arg)
{
	arena_free(arg);
}

/*
 * norm_large - a large text: what a step makes of it lies in an arena of its
 * own until the next step has read it, so that no more than two are there
 */
static void
norm_large(const struct hf_norm *m, struct hf_text *x)
{
	struct arena *into = x->arena, *a[2] = { arena_new(), arena_new() };
	const char *first = x->p, *was;
	unsigned now = 0;

	for (size_t i = 0; i < m->n; i++) {
		was = x->p;
		x->arena = a[now];
		norm_step(m, &m->v[i], x);
		if (x->p != was)
			now ^= 1;
		arena_reset(a[now]);
	}
	x->arena = into;
	arena_free(a[now]);
	if (x->p == first)
		arena_free(a[now ^ 1]);
	else
		arena_defer(into, arena_close, a[now ^ 1]);
}

void
hf_norm_run(const struct hf_norm *m, struct hf_text *x)
{
	if (x->n > LARGE && m->n > 0) {
		norm_large(m, x);
		return;
	}
	for (size_t i = 0; i < m->n; i++)
		norm_step(m, &m->v[i], x);
}
