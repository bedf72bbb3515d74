/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_class.h"
#include "appliance/text/hf_fold.h"
#include "appliance/text/hf_regex.h"
#include "appliance/text/utf8.h"

/* set_or - a set and another, which may be inverted first */
static void
set_or(uint32_t *set, const uint32_t *other, bool invert)
{
	for (size_t i = 0; i < HF_SET_WORDS; i++)
		set[i] |= invert ? ~other[i] : other[i];
}

/* set_known - a named set, which patterns often name again and again; NULL: it
 * is to be made, in the memory that *room is */
static const uint32_t *
set_known(struct hf_parse *s, bool prop, uint32_t which, uint32_t **room)
{
	struct hf_known *k = s->known;
	size_t i = 0;

	while (i < BASE_COUNT(s->known) && k[i].set != NULL &&
	    (k[i].prop != prop || k[i].which != which))
		i++;
	if (i == BASE_COUNT(s->known))
		i = 0;
	else if (k[i].set != NULL)
		return k[i].set;
	*room = arena_array(s->arena, HF_SET_WORDS, sizeof(**room));
	k[i] = (struct hf_known){ *room, which, prop };
	return NULL;
}

static void
set_gc(struct hf_parse *s, uint32_t *set, uint32_t which)
{
	uint32_t *room;
	const uint32_t *known = set_known(s, false, which, &room);

	if (known == NULL)
		hf_set_gc(s->chars, room, which);
	set_or(set, known == NULL ? room : known, false);
}

static void
set_prop(struct hf_parse *s, uint32_t *set, enum hf_prop prop)
{
	uint32_t *room;
	const uint32_t *known = set_known(s, true, prop, &room);

	if (known == NULL)
		hf_set_prop(s->chars, room, prop);
	set_or(set, known == NULL ? room : known, false);
}

static void
set_white(uint32_t *set)
{
	for (uint32_t c = 0; c <= 0x3000; c++)
		if (hf_white(c))
			hf_set_add(set, c, c);
}

/* the names of categories, short as the standard has them, and of groups */
static const struct {
	const char *name, *longer;
	uint32_t bits;
} categories[] = {
	{ "lu", "uppercaseletter", 1u << GC_LU },
	{ "ll", "lowercaseletter", 1u << GC_LL },
	{ "lt", "titlecaseletter", 1u << GC_LT },
	{ "lm", "modifierletter", 1u << GC_LM },
	{ "lo", "otherletter", 1u << GC_LO },
	{ "mn", "nonspacingmark", 1u << GC_MN },
	{ "mc", "spacingmark", 1u << GC_MC },
	{ "me", "enclosingmark", 1u << GC_ME },
	{ "nd", "decimalnumber", 1u << GC_ND },
	{ "nl", "letternumber", 1u << GC_NL },
	{ "no", "othernumber", 1u << GC_NO },
	{ "pc", "connectorpunctuation", 1u << GC_PC },
	{ "pd", "dashpunctuation", 1u << GC_PD },
	{ "ps", "openpunctuation", 1u << GC_PS },
	{ "pe", "closepunctuation", 1u << GC_PE },
	{ "pi", "initialpunctuation", 1u << GC_PI },
	{ "pf", "finalpunctuation", 1u << GC_PF },
	{ "po", "otherpunctuation", 1u << GC_PO },
	{ "sm", "mathsymbol", 1u << GC_SM },
	{ "sc", "currencysymbol", 1u << GC_SC },
	{ "sk", "modifiersymbol", 1u << GC_SK },
	{ "so", "othersymbol", 1u << GC_SO },
	{ "zs", "spaceseparator", 1u << GC_ZS },
	{ "zl", "lineseparator", 1u << GC_ZL },
	{ "zp", "paragraphseparator", 1u << GC_ZP },
	{ "cc", "control", 1u << GC_CC },
	{ "cf", "format", 1u << GC_CF },
	{ "co", "privateuse", 1u << GC_CO },
	{ "cn", "unassigned", 1u << GC_CN },
	{ "cs", "surrogate", 1u << GC_CS },
	{ "l", "letter", 31u << GC_LU },
	{ "m", "mark", 7u << GC_MN },
	{ "n", "number", 7u << GC_ND },
	{ "p", "punctuation", 127u << GC_PC },
	{ "s", "symbol", 15u << GC_SM },
	{ "z", "separator", 7u << GC_ZS },
	{ "c", "other", 31u << GC_CC },
	{ "lc", "casedletter", 7u << GC_LU },
	{ "any", "any", ~0u },
	{ "assigned", "assigned", ~(1u << GC_CN) },
	{ "cntrl", "cntrl", 1u << GC_CC },
	{ "digit", "digit", 1u << GC_ND },
};

static const struct {
	const char *name;
	enum hf_prop prop;
} properties[] = {
	{ "alpha", HF_ALPHA },
	{ "alphabetic", HF_ALPHA }, { "upper", HF_UPPER },
	{ "uppercase", HF_UPPER }, { "lower", HF_LOWER },
	{ "lowercase", HF_LOWER },
	{ "han", HF_HAN }, { "hiragana", HF_HIRAGANA },
	{ "katakana", HF_KATAKANA }, { "hangul", HF_HANGUL },
	{ "latin", HF_LATIN }, { "greek", HF_GREEK },
	{ "cyrillic", HF_CYRILLIC }, { "arabic", HF_ARABIC },
	{ "hebrew", HF_HEBREW }, { "thai", HF_THAI },
	{ "devanagari", HF_DEVANAGARI },
};

/* set_word - \w as it is within brackets: without the six numbers of Latin-1
 * that it has by itself */
static void
set_word(struct hf_parse *s, uint32_t *set)
{
	static const uint32_t out[] = { 0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe };
	bool less = !s->rust && s->brackets > 0;

	set_prop(s, set, s->rust ? HF_WORD : HF_ONIG_WORD);
	for (size_t i = 0; less && i < BASE_COUNT(out); i++)
		set[out[i] >> 5] &= ~(1u << (out[i] & 31));
}

/* set_named - the set that a property's name means */
static bool
set_named(struct hf_parse *s, uint32_t *set, struct view name)
{
	for (size_t i = 0; i < BASE_COUNT(categories); i++)
		if (view_is(name, categories[i].name) ||
		    view_is(name, categories[i].longer)) {
			set_gc(s, set, categories[i].bits);
			return true;
		}
	for (size_t i = 0; i < BASE_COUNT(properties); i++)
		if (view_is(name, properties[i].name)) {
			set_prop(s, set, properties[i].prop);
			return true;
		}
	if (view_is(name, "word")) {
		set_word(s, set);
	} else if (view_is(name, "punct")) {
		set_gc(s, set, 127u << GC_PC);
	} else if (view_is(name, "alnum")) {
		set_prop(s, set, HF_ALPHA);
		set_gc(s, set, 1u << GC_ND);
	} else if (view_is(name, "space") || view_is(name, "whitespace"))
		set_white(set);
	else if (view_is(name, "blank")) {
		set_gc(s, set, 1u << GC_ZS);
		hf_set_add(set, '\t', '\t');
	} else if (view_is(name, "ascii"))
		hf_set_add(set, 0, 127);
	else if (view_is(name, "xdigit")) {
		hf_set_add(set, '0', '9');
		hf_set_add(set, 'a', 'f');
		hf_set_add(set, 'A', 'F');
	} else
		return false;
	return true;
}

/* class_name - up to `stop`, small and without blanks, '-' and '_' */
static bool
class_name(struct hf_parse *s, const char *stop, char *name, size_t room,
    struct view *raw)
{
	const char *to = memmem(s->p, (size_t)(s->end - s->p), stop,
	    strlen(stop));
	size_t n = 0;

	if (to == NULL || (size_t)(to - s->p) >= room)
		return false;
	*raw = (struct view){ s->p, (size_t)(to - s->p) };
	for (; s->p < to; s->p++)
		if (*s->p != ' ' && *s->p != '_' && *s->p != '-')
			name[n++] = *s->p >= 'A' && *s->p <= 'Z' ? *s->p |
			    32 : *s->p;
	name[n] = '\0';
	s->p = to + strlen(stop);
	return true;
}

/* class_property - p is behind \p or \P */
static bool
class_property(struct hf_parse *s, uint32_t *set, bool invert)
{
	struct view raw = { "", 0 };
	char name[64];

	if (s->p < s->end && *s->p == '{') {
		s->p++;
		if (s->p < s->end && *s->p == '^') {
			invert = !invert;
			s->p++;
		}
		if (class_name(s, "}", name, sizeof(name), &raw) &&
		    set_named(s, set, view_of(name))) {
			if (s->rust && s->fold)
				hf_fold_set(set);
			if (invert)
				hf_set_not(set);
			return true;
		}
	}
	err_set(s->err, FATE_REJECT, "the property \\p{%.*s} is not known",
	    (int)raw.n, raw.p);
	return false;
}

uint32_t *
hf_class_escape(struct hf_parse *s)
{
	uint32_t *set = hf_set_new(s);
	char c = *s->p++;

	if (set == NULL)
		return NULL;
	if (c == 'p' || c == 'P')
		return class_property(s, set, c == 'P') ? set : NULL;
	if ((c | 32) == 'd')
		set_gc(s, set, 1u << GC_ND);
	else if ((c | 32) == 's')
		set_white(set);
	else if ((c | 32) == 'w')
		set_word(s, set);
	else
		set_named(s, set, VIEW("xdigit"));
	if (c < 'a')
		hf_set_not(set);
	return set;
}

/* class_number - digits in a base; at least one, at most `most` */
static int64_t
class_number(struct hf_parse *s, unsigned base, size_t most)
{
	int64_t x = 0;
	size_t n = 0;

	for (; s->p < s->end && n < most; n++, s->p++) {
		char c = *s->p;
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
		    (c | 32) >= 'a' && (c | 32) <= 'f' ?
		    (unsigned)((c | 32) - 'a') + 10 : 99;

		if (d >= base)
			break;
		x = x * base + d;
	}
	return n == 0 || x >= HF_CHARS ? -1 : x;
}

int64_t
hf_class_char(struct hf_parse *s)
{
	static const char from[] = "tnrfvae", to[] = "\t\n\r\f\v\a\033";
	const char *at, *begin = s->p;
	int64_t x = -1;
	size_t n;
	char c;

	if (s->p == s->end)
		return err_set(s->err, FATE_REJECT, "a pattern ends with a "
		    "backslash");
	c = *s->p;
	at = c == '\0' ? NULL : strchr(from, c);
	if (at != NULL) {
		s->p++;
		return to[at - from];
	}
	if (c == 'u') {
		s->p++;
		x = class_number(s, 16, 4);
	} else if (c == 'x') {
		bool brace = s->end - s->p > 1 && s->p[1] == '{';

		s->p += brace ? 2 : 1;
		x = class_number(s, 16, brace ? 8 : 2);
		if (brace && (s->p == s->end || *s->p++ != '}'))
			x = -1;
		if (!brace && x > 127)
			x = -1;		/* a byte of a character */
	} else if (c == '0') {
		x = class_number(s, 8, 3);
	} else if ((c < '0' || c > '9') && ((c | 32) < 'a' || (c | 32) > 'z')) {
		x = utf8_get(s->p, &n);
		s->p += n;
	}
	if (x == -1 || (x >= 0xd800 && x <= 0xdfff))
		return err_set(s->err, FATE_REJECT, "the escape \\%.*s is not "
		    "read", (int)(s->end - begin < 8 ? s->end - begin : 8),
		    begin);
	return x;
}

/* class_posix - p is at "[:name:]"; 0 if it is not that, -1 wrong */
static int
class_posix(struct hf_parse *s, uint32_t *set)
{
	uint32_t *one;
	struct view raw;
	char name[32];
	const char *old = s->p;
	bool invert;

	if (s->end - s->p < 4 || s->p[1] != ':')
		return 0;
	invert = s->p[2] == '^';
	s->p += 2 + invert;
	if (!class_name(s, ":]", name, sizeof(name), &raw)) {
		s->p = old;
		return 0;
	}
	one = hf_set_new(s);
	if (one == NULL)
		return -1;
	if (s->rust)		/* where they are of ASCII only */
		return err_set(s->err, FATE_REJECT, "the class [:%.*s:] is not "
		    "read", (int)raw.n, raw.p);
	if (strcmp(name, "punct") == 0)		/* symbols are in it, too */
		set_prop(s, one, HF_ONIG_PUNCT);
	else if (!set_named(s, one, view_of(name)))
		return err_set(s->err, FATE_REJECT, "the class [:%.*s:] is not "
		    "known", (int)raw.n, raw.p);
	set_or(set, one, invert);
	hf_set_drop(s, one);
	return 1;
}

/* class_item - a class within the brackets: 1; a character: 0 and *c; -1 */
static int
class_item(struct hf_parse *s, uint32_t *set, int64_t *c)
{
	uint32_t *one;
	size_t n;
	int posix;

	if (*s->p == '[') {
		posix = class_posix(s, set);
		if (posix != 0)
			return posix;
		s->p++;
		one = hf_class_bracket(s);
		if (one == NULL)
			return -1;
		set_or(set, one, false);
		hf_set_drop(s, one);
		return 1;
	}
	if (*s->p == '\\' && s->end - s->p > 1 &&
	    strchr("dDsSwWhHpP", s->p[1]) != NULL) {
		s->p++;
		one = hf_class_escape(s);
		if (one == NULL)
			return -1;
		set_or(set, one, false);
		hf_set_drop(s, one);
		return 1;
	}
	if (*s->p == '\\') {
		s->p++;
		if (s->p < s->end && *s->p == 'b') {
			s->p++;
			*c = '\b';
			return 0;
		}
		*c = hf_class_char(s);
		return *c == -1 ? -1 : 0;
	}
	*c = utf8_get(s->p, &n);
	s->p += n;
	return 0;
}

/* class_operation - Rust's -- and ~~ between classes */
static bool
class_operation(const struct hf_parse *s)
{
	return s->rust && s->end - s->p > 1 && s->p[0] == s->p[1] &&
	    (*s->p == '-' || *s->p == '~');
}

/* class_range - a character, or the range that begins with it */
static int
class_range(struct hf_parse *s, uint32_t *set, int64_t from)
{
	const char *old = s->p;
	int64_t to = from;

	if (!class_operation(s) && s->end - s->p > 1 && s->p[0] == '-' &&
	    s->p[1] != ']') {
		s->p++;
		if (class_item(s, set, &to) != 0) {
			s->p = old;
			return err_set(s->err, FATE_REJECT, "a class within a "
			    "range of characters is not read");
		}
	}
	if (to < from)
		return err_set(s->err, FATE_REJECT, "a range of characters is "
		    "empty");
	hf_set_add(set, (uint32_t)from, (uint32_t)to);
	return 0;
}

uint32_t *
hf_class_bracket(struct hf_parse *s)
{
	bool invert = s->p < s->end && *s->p == '^', first = true;
	uint32_t *set = hf_set_new(s), *all = NULL;
	int64_t c;
	int kind;

	if (set == NULL)
		return NULL;
	if (++s->brackets > 50) {
		err_set(s->err, FATE_REJECT, "classes are nested too deeply");
		return NULL;
	}
	s->p += invert;
	for (; s->p < s->end && (*s->p != ']' || first); first = false) {
		if (*s->p == ']') {
			err_set(s->err, FATE_REJECT, "a class begins with ']'");
			return NULL;
		}
		if (s->end - s->p > 1 && s->p[0] == '&' && s->p[1] == '&') {
			uint32_t *next = hf_set_new(s);

			s->p += 2;
			if (next == NULL)
				return NULL;
			for (size_t i = 0; all != NULL && i < HF_SET_WORDS; i++)
				set[i] &= all[i];
			if (all != NULL)
				hf_set_drop(s, all);
			all = set;
			set = next;
			continue;
		}
		if (class_operation(s)) {
			err_set(s->err, FATE_REJECT, "the class operation "
			    "%.2s is not read", s->p);
			return NULL;
		}
		kind = class_item(s, set, &c);
		if (kind == -1 || (kind == 0 && class_range(s, set, c) == -1))
			return NULL;
	}
	if (s->p == s->end) {
		err_set(s->err, FATE_REJECT, "a class is not closed");
		return NULL;
	}
	s->p++;
	s->brackets--;
	for (size_t i = 0; all != NULL && i < HF_SET_WORDS; i++)
		set[i] &= all[i];
	if (all != NULL)
		hf_set_drop(s, all);
	if (s->fold && !s->rust && !invert && hf_fold_long_in(set)) {
		err_set(s->err, FATE_REJECT, "a class with a letter that is "
		    "several where case does not count is not read");
		return NULL;
	}
	if (s->fold)
		hf_fold_set(set);
	if (invert)
		hf_set_not(set);
	return set;
}
