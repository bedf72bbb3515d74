/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_pattern.h"
#include "appliance/text/hf_script.h"
#include "appliance/text/hf_split.h"
#include "appliance/text/hf_units.h"
#include "appliance/text/links.h"
#include "appliance/text/utf8.h"

enum split_kind { SPLIT_BYTES, SPLIT_CHAR, SPLIT_METASPACE, SPLIT_WORDS,
	SPLIT_WHITE, SPLIT_PUNCT, SPLIT_DIGITS, SPLIT_PATTERN, SPLIT_SCRIPTS,
	SPLIT_LENGTH, SPLIT_ALPHABET };

enum behavior { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT,
	CONTIGUOUS };
static const char *const behaviors[] = { "Removed", "Isolated",
	"MergedWithPrevious", "MergedWithNext", "Contiguous" };
enum prepend { ALWAYS, FIRST, NEVER };

struct split_step {
	enum split_kind kind;
	enum behavior behavior;
	bool invert, blank, regex, cut;	/* ByteLevel's; Metaspace's split */
	enum prepend prepend;
	uint32_t c;			/* the delimiter or replacement */
	struct view text;		/* the replacement */
	struct hf_pattern pattern;
	int64_t length;
};

struct hf_split {
	const struct hf_chars *chars;
	const struct bpe_pattern *gpt2;
	struct split_step *v;
	size_t n, cap;
};

static struct split_step *
step_new(struct hf_open *o, struct hf_split *m, enum split_kind kind,
    enum behavior behavior)
{
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 8 : m->cap * 2;
		m->v = arena_grow(o->arena, m->v, m->n, m->cap,
		    sizeof(*m->v));
	}
	m->v[m->n] = (struct split_step){ .kind = kind,
	    .behavior = behavior };
	return &m->v[m->n++];
}

/* behavior_of - the member of that name; if it is absent what is given */
static int
behavior_of(struct hf_open *o, struct view json, struct split_step *s,
    struct err *e)
{
	struct view v;

	if (!hf_text_of(o, json, "behavior", &v))
		return 0;
	for (int i = 0; i < (int)BASE_COUNT(behaviors); i++)
		if (view_is(v, behaviors[i])) {
			s->behavior = (enum behavior)i;
			return 0;
		}
	return hf_unknown("behavior", v, e);
}

/* one_char - a member that is one character */
static int
one_char(struct hf_open *o, struct view json, const char *name,
    struct split_step *s, struct err *e)
{
	size_t n = 0;

	if (!hf_text_of(o, json, name, &s->text) || s->text.n == 0)
		return err_set(e, FATE_REJECT, "its pre-tokenizer has no %s",
		    name);
	s->c = utf8_get(s->text.p, &n);
	return n == s->text.n ? 0 : err_set(e, FATE_REJECT, "its %s is not one "
	    "character", name);
}

static int
open_metaspace(struct hf_open *o, struct hf_split *m, struct view json,
    struct err *e)
{
	struct split_step *s = step_new(o, m, SPLIT_METASPACE,
	    MERGED_WITH_NEXT);
	bool prefix = hf_flag(json, "add_prefix_space", true);
	struct view v;

	s->cut = hf_flag(json, "split", true);
	if (hf_text_of(o, json, "prepend_scheme", &v)) {
		s->prepend = view_is(v, "first") ? FIRST :
		    view_is(v, "never") ? NEVER : ALWAYS;
		if (s->prepend == ALWAYS && !view_is(v, "always"))
			return hf_unknown("prepend_scheme", v, e);
	}
	if (!prefix && s->prepend != NEVER)
		return err_set(e, FATE_REJECT, "its add_prefix_space does not "
		    "match its prepend_scheme");
	return one_char(o, json, "replacement", s, e);
}

static int open_step(struct hf_open *, struct hf_split *, struct view json,
    struct err *);

static int
open_list(struct hf_open *o, struct hf_split *m, struct view json,
    struct err *e)
{
	struct json_iter it;
	struct view list, v;
	int r = 0;

	if (!json_get(json, "pretokenizers", &list) ||
	    !json_open(&it, list, '['))
		return err_set(e, FATE_REJECT, "its pre-tokenizer Sequence has "
		    "no list");
	if (++o->depth > 20)
		return err_set(e, FATE_REJECT, "its sequences are nested too "
		    "deeply");
	while (r == 0 && json_element(&it, &v))
		r = open_step(o, m, v, e);
	o->depth--;
	return r;
}

/* open_other - the kinds with members that must be right */
static int
open_other(struct hf_open *o, struct hf_split *m, struct view type,
    struct view json, struct err *e)
{
	struct split_step *s;
	struct view v;

	if (view_is(type, "Split")) {
		s = step_new(o, m, SPLIT_PATTERN, REMOVED);
		s->invert = hf_flag(json, "invert", false);
		if (!json_get(json, "pattern", &v))
			return err_set(e, FATE_REJECT, "its Split has no "
			    "pattern");
		return behavior_of(o, json, s, e) == -1 ? -1 :
		    hf_pattern_open(o->arena, o->chars, v, &s->pattern, e);
	}
	if (view_is(type, "Punctuation"))
		return behavior_of(o, json, step_new(o, m, SPLIT_PUNCT,
		    ISOLATED), e);
	if (view_is(type, "CharDelimiterSplit"))
		return one_char(o, json, "delimiter", step_new(o, m,
		    SPLIT_CHAR, REMOVED), e);
	if (view_is(type, "FixedLength")) {
		s = step_new(o, m, SPLIT_LENGTH, ISOLATED);
		s->length = 5;
		if (json_get(json, "length", &v) && (!json_integer(v,
		    &s->length) || s->length < 1))
			return err_set(e, FATE_REJECT, "its FixedLength is "
			    "none");
		return 0;
	}
	return hf_unknown("pre-tokenizer", type, e);
}

static int
open_step(struct hf_open *o, struct hf_split *m, struct view json,
    struct err *e)
{
	struct view type = hf_type(json), v;
	struct split_step *s;

	if (view_is(type, "Sequence") || (type.n == 0 &&
	    json_get(json, "pretokenizers", &v)))
		return open_list(o, m, json, e);
	if (view_is(type, "Metaspace"))
		return open_metaspace(o, m, json, e);
	if (view_is(type, "ByteLevel")) {
		s = step_new(o, m, SPLIT_BYTES, ISOLATED);
		s->blank = hf_flag(json, "add_prefix_space", true);
		s->regex = hf_flag(json, "use_regex", true);
		step_new(o, m, SPLIT_ALPHABET, ISOLATED);
	} else if (view_is(type, "BertPreTokenizer")) {
		step_new(o, m, SPLIT_WHITE, REMOVED);
		step_new(o, m, SPLIT_PUNCT, ISOLATED);
	} else if (view_is(type, "Whitespace")) {
		step_new(o, m, SPLIT_WORDS, ISOLATED);
	} else if (view_is(type, "WhitespaceSplit")) {
		step_new(o, m, SPLIT_WHITE, REMOVED);
	} else if (view_is(type, "Digits")) {
		step_new(o, m, SPLIT_DIGITS, hf_flag(json, "individual_digits",
		    false) ? ISOLATED : CONTIGUOUS);
	} else if (view_is(type, "UnicodeScripts")) {
		step_new(o, m, SPLIT_SCRIPTS, ISOLATED);
	} else
		return open_other(o, m, type, json, e);
	return 0;
}

struct hf_split *
hf_split_open(struct hf_open *o, struct view json, struct err *e)
{
	struct hf_split *m = arena_alloc(o->arena, sizeof(*m));
	uint64_t all = 1;

	m->chars = o->chars;
	m->gpt2 = bpe_pattern("gpt2");
	if (!json_is_null(json) && open_step(o, m, json, e) == -1)
		return NULL;
	for (size_t i = 0; i < m->n; i++) {
		size_t times = m->v[i].kind == SPLIT_BYTES ? 3 :
		    m->v[i].kind == SPLIT_METASPACE ? 2 * m->v[i].text.n : 1;

		if (hf_grow(&all, times, "pre-tokenizer", e) == -1)
			return NULL;
	}
	return m;
}

unsigned
hf_split_how(const struct hf_split *m)
{
	const struct split_step *s = m->v;

	if (m->n == 0 || (m->n == 1 && s->kind == SPLIT_PATTERN &&
	    s->pattern.literal.p != NULL &&
	    view_is(s->pattern.literal, " ")))
		return HF_CUT_NONE;
	if (m->n == 1 && s->kind == SPLIT_METASPACE &&
	    view_is(s->text, LINKS_SIGN))
		return s->cut ? HF_CUT_SIGNS : HF_CUT_SIGN;
	if (m->n > 2 || s->kind != SPLIT_WHITE)
		return HF_CUT_OTHER;
	if (m->n == 2 && m->v[1].kind == SPLIT_PUNCT &&
	    m->v[1].behavior == ISOLATED)
		return HF_CUT_BERT;
	return m->n == 1 || (m->v[1].kind == SPLIT_METASPACE &&
	    m->v[1].prepend != FIRST) ? HF_CUT_WORDS : HF_CUT_OTHER;
}

struct view
hf_split_sign(const struct hf_split *m)
{
	return m->n == 2 && m->v[1].kind == SPLIT_METASPACE &&
	    m->v[1].prepend == ALWAYS ? m->v[1].text : VIEW("");
}

void
hf_pieces_put(struct hf_pieces *p, struct hf_text text, int64_t id)
{
	if (text.n == 0)
		return;
	if (p->put != NULL) {
		p->put(p->arg, &text, id);
		return;
	}
	if (p->n == p->cap) {
		p->cap = p->cap == 0 ? 16 : p->cap * 2;
		p->v = arena_grow(p->arena, p->v, p->n, p->cap, sizeof(*p->v));
	}
	p->v[p->n++] = (struct hf_piece){ text, id };
}

/* cut - the parts that a behavior makes of matches and what is between */
static void
cut(const struct hf_text *x, const struct hf_matches *m, enum behavior how,
    bool invert, struct hf_pieces *out)
{
	uint32_t from = 0, to = 0;
	bool was = false, is, joins;

	for (size_t i = 0; i < m->n; i++) {
		is = m->v[i].is != invert;
		if (how == REMOVED && is)
			continue;
		joins = i > 0 && ((how == CONTIGUOUS && is == was) ||
		    (how == MERGED_WITH_PREVIOUS && is && !was) ||
		    (how == MERGED_WITH_NEXT && !is && was));
		if (how == MERGED_WITH_NEXT && is && was)
			joins = false;
		if (!joins) {
			hf_pieces_put(out, hf_text_slice(x->arena, x, from,
			    to), -1);
			from = m->v[i].from;
		}
		to = m->v[i].to;
		was = is;
	}
	hf_pieces_put(out, hf_text_slice(x->arena, x, from, to), -1);
}

/* belongs - does a character match by itself */
static bool
belongs(const struct hf_chars *t, const struct split_step *s, uint32_t c)
{
	switch (s->kind) {
	case SPLIT_CHAR:
	case SPLIT_METASPACE:
		return c == s->c;
	case SPLIT_WHITE:
		return hf_white(c);
	case SPLIT_PUNCT:
		return t->prop[c] >> HF_PUNCT & 1;
	default:
		return t->prop[c] >> HF_NUMERIC & 1;
	}
}

/* find_chars - each character that belongs is a match */
static void
find_chars(const struct hf_chars *t, const struct split_step *s,
    struct view v, struct hf_matches *m)
{
	size_t done = 0, n;

	for (size_t i = 0; i < v.n; i += n)
		if (belongs(t, s, utf8_get(v.p + i, &n)))
			hf_found(m, &done, i, i + n);
	hf_found_end(m, done, v.n);
}

/* cut_words - runs of word characters, and of what is neither that nor white */
static void
cut_words(const struct hf_chars *t, const struct hf_text *x,
    struct hf_pieces *out)
{
	uint32_t from = 0;
	int was = 0, is;
	size_t n;

	for (uint32_t i = 0; i < x->n; i += (uint32_t)n) {
		uint32_t c = utf8_get(x->p + i, &n);

		is = t->prop[c] >> HF_WORD & 1 ? 1 : hf_white(c) ? 0 : 2;
		if (is != was) {
			if (was != 0)
				hf_pieces_put(out, hf_text_slice(x->arena, x,
				    from, i), -1);
			from = i;
		}
		was = is;
	}
	if (was != 0)
		hf_pieces_put(out, hf_text_slice(x->arena, x, from, x->n), -1);
}

static void
cut_lengths(const struct hf_text *x, int64_t length, struct hf_pieces *out)
{
	uint32_t from = 0, i;
	int64_t count = 0;
	size_t n;

	for (i = 0; i < x->n; i += (uint32_t)n, count++) {
		utf8_get(x->p + i, &n);
		if (count == length) {
			hf_pieces_put(out, hf_text_slice(x->arena, x, from, i),
			    -1);
			from = i;
			count = 0;
		}
	}
	hf_pieces_put(out, hf_text_slice(x->arena, x, from, i), -1);
}

/* cut_scripts - where the script changes; what has none goes with what is
 * before it, and is lost at the start, as in the library */
static void
cut_scripts(const struct hf_text *x, struct hf_pieces *out)
{
	unsigned was = HF_SCRIPT_ANY, is;
	int64_t from = -1;
	size_t n;

	for (uint32_t i = 0; i < x->n; i += (uint32_t)n) {
		is = hf_script(utf8_get(x->p + i, &n));
		if (is == HF_SCRIPT_ANY)
			continue;
		if (is != was) {
			if (from != -1)
				hf_pieces_put(out, hf_text_slice(x->arena, x,
				    (uint32_t)from, i), -1);
			from = i;
		}
		was = is;
	}
	if (from != -1)
		hf_pieces_put(out, hf_text_slice(x->arena, x, (uint32_t)from,
		    x->n), -1);
}

/* metaspace - blanks become the replacement, which may be put in front */
static void
metaspace(const struct split_step *s, struct hf_text *x)
{
	struct split_step blank = { .kind = SPLIT_CHAR, .c = ' ' };
	struct hf_matches m = { NULL, 0, 0 };

	find_chars(NULL, &blank, hf_text_get(x), &m);
	hf_text_replace(x, &m, s->text);
	hf_matches_free(&m);
	if ((s->prepend == ALWAYS || (s->prepend == FIRST && x->at == 0)) &&
	    !hf_text_starts(x, s->c))
		hf_text_prepend(x, s->text);
}

void
hf_split_step(const struct hf_split *p, size_t step, struct hf_text *x,
    struct hf_pieces *out)
{
	const struct split_step *s = &p->v[step];
	struct hf_matches m = { NULL, 0, 0 };

	switch (s->kind) {
	case SPLIT_BYTES:
		if (s->blank && !hf_text_starts(x, ' '))
			hf_text_prepend(x, VIEW(" "));
		if (s->regex)
			hf_pattern_find(&(struct hf_pattern){ .known =
			    p->gpt2 }, hf_text_get(x), &m);
		else
			hf_found_end(&m, 0, x->n);
		cut(x, &m, ISOLATED, false, out);
		break;
	case SPLIT_ALPHABET:
		hf_bytes(x);
		hf_pieces_put(out, *x, -1);
		break;
	case SPLIT_METASPACE:
		metaspace(s, x);
		if (s->cut)
			find_chars(p->chars, s, hf_text_get(x), &m);
		else
			hf_found_end(&m, 0, x->n);
		cut(x, &m, MERGED_WITH_NEXT, false, out);
		break;
	case SPLIT_WORDS:
		cut_words(p->chars, x, out);
		break;
	case SPLIT_SCRIPTS:
		cut_scripts(x, out);
		break;
	case SPLIT_LENGTH:
		cut_lengths(x, s->length, out);
		break;
	case SPLIT_PATTERN:
		hf_pattern_find(&s->pattern, hf_text_get(x), &m);
		cut(x, &m, s->behavior, s->invert, out);
		break;
	default:
		find_chars(p->chars, s, hf_text_get(x), &m);
		cut(x, &m, s->behavior, false, out);
	}
	hf_matches_free(&m);
}

size_t
hf_split_steps(const struct hf_split *p)
{
	return p->n;
}

void
hf_split_run(const struct hf_split *p, struct hf_pieces *pieces)
{
	for (size_t i = 0; i < p->n; i++) {
		struct hf_pieces out = { .arena = pieces->arena };

		for (size_t k = 0; k < pieces->n; k++) {
			if (pieces->v[k].id >= 0)
				hf_pieces_put(&out, pieces->v[k].text,
				    pieces->v[k].id);
			else
				hf_split_step(p, i, &pieces->v[k].text, &out);
		}
		*pieces = out;
	}
}
