/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of texts, as Python's str has them */
#include "appliance/base/base.h"
#include "appliance/text/jinja_run.h"
#include "appliance/text/utf8.h"

#include <utf8proc.h>

/* text_has - is a character one of a set */
static bool
text_has(struct jstr set, const char *p, size_t n)
{
	return n > 0 && set.n >= n && memmem(set.p, set.n, p, n) != NULL;
}

/* text_strip - without white space, or the characters of a set, at its ends */
static struct jstr
text_strip(struct jstr s, const struct jv *set, bool left, bool right)
{
	size_t from = 0, to = s.n, n, c;

	while (left && from < to) {
		n = jinja_space(s.p + from, s.p + to);
		if (set != NULL) {
			utf8_get(s.p + from, &n);
			n = text_has(set->s, s.p + from, n) ? n : 0;
		}
		if (n == 0)
			break;
		from += n;
	}
	while (right && to > from) {
		for (c = to - 1; c > from &&
		    ((unsigned char)s.p[c] & 0xc0) == 0x80; c--)
			;
		if (set != NULL ? !text_has(set->s, s.p + c, to - c) :
		    jinja_space(s.p + c, s.p + to) == 0)
			break;
		to = c;
	}
	return str_part(s, from, to);
}

/* text_find - the first (or last) place of a part; SIZE_MAX */
static size_t
text_find(struct jstr s, struct jstr part, size_t from, bool last)
{
	const char *at;

	if (part.n > s.n || from > s.n - part.n)
		return SIZE_MAX;
	if (last) {
		for (size_t i = s.n - part.n + 1; i-- > from; )
			if (memcmp(s.p + i, part.p, part.n) == 0)
				return i;
		return SIZE_MAX;
	}
	if (part.n == 0)
		return from;
	at = memmem(s.p + from, s.n - from, part.p, part.n);
	return at == NULL ? SIZE_MAX : (size_t)(at - s.p);
}

/* split_blank - at white space; from the left, the rest whole after max */
static int
split_blank(struct jrun *r, struct jv v, int64_t max, bool right,
    struct jv *out)
{
	struct jstr s = v.s, rest;
	size_t from, to, n;
	struct jv parts = jv_seq(r, SEQ_LIST);

	*out = jv_seq(r, SEQ_LIST);
	rest = text_strip(s, NULL, true, true);
	while (rest.n > 0 && max != 0) {
		if (!right) {
			for (to = 0; to < rest.n && jinja_space(rest.p + to,
			    rest.p + rest.n) == 0; to += n)
				utf8_get(rest.p + to, &n);
			if (jv_push(r, parts, str_value(str_part(rest, 0, to),
			    v.safe)) == -1)
				return -1;
			rest = text_strip(str_part(rest, to, rest.n), NULL,
			    true, false);
		} else {
			for (from = rest.n; from > 0; from--)
				if (((unsigned char)rest.p[from - 1] & 0xc0) !=
				    0x80 && jinja_space(rest.p + from - 1,
				    rest.p + rest.n) > 0)
					break;
			n = from > 0 ? jinja_space(rest.p + from - 1,
			    rest.p + rest.n) : 0;
			from += n > 0 ? n - 1 : 0;
			if (jv_push(r, parts, str_value(str_part(rest, from,
			    rest.n), v.safe)) == -1)
				return -1;
			rest = text_strip(str_part(rest, 0, from), NULL,
			    false, true);
		}
		max -= max > 0;
	}
	if (rest.n > 0) {
		rest = right ? text_strip(str_part(s, 0, (size_t)(rest.p +
		    rest.n - s.p)), NULL, false, true) :
		    str_part(s, (size_t)(rest.p - s.p), s.n);
		if (jv_push(r, parts, str_value(rest, v.safe)) == -1)
			return -1;
	}
	for (size_t i = 0; i < parts.seq->n; i++)
		if (jv_push(r, *out, parts.seq->v[right ? parts.seq->n - 1 - i :
		    i]) == -1)
			return -1;
	return 0;
}

/* split_at - at each separator; after max the rest is whole */
static int
split_at(struct jrun *r, struct jv v, struct jstr sep, int64_t max, bool right,
    struct jv *out)
{
	struct jv parts = jv_seq(r, SEQ_LIST);
	struct jstr s = v.s;
	size_t at;

	if (sep.n == 0)
		return jinja_error(r, "split at an empty text");
	while (max != 0 && (at = text_find(s, sep, 0, right)) != SIZE_MAX) {
		if (jv_push(r, parts, str_value(right ? str_part(s, at + sep.n,
		    s.n) : str_part(s, 0, at), v.safe)) == -1)
			return -1;
		s = right ? str_part(s, 0, at) : str_part(s, at + sep.n, s.n);
		max -= max > 0;
	}
	if (jv_push(r, parts, str_value(s, v.safe)) == -1)
		return -1;
	if (!right) {
		*out = parts;
		return 0;
	}
	*out = jv_seq(r, SEQ_LIST);
	for (size_t i = parts.seq->n; i-- > 0; )
		if (jv_push(r, *out, parts.seq->v[i]) == -1)
			return -1;
	return 0;
}

/* text_lines - splitlines() */
static int
text_lines(struct jrun *r, struct jv v, struct jv *out)
{
	struct jstr s = v.s;
	size_t from = 0, n;

	*out = jv_seq(r, SEQ_LIST);
	for (size_t i = 0; i < s.n; i += n) {
		uint32_t u = utf8_get(s.p + i, &n);

		if ((u < 10 || u > 13) && (u < 28 || u > 30) && u != 0x85 &&
		    u != 0x2028 && u != 0x2029)
			continue;
		if (jv_push(r, *out, str_value(str_part(s, from, i),
		    v.safe)) == -1)
			return -1;
		n += u == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
		from = i + n;
	}
	return from == s.n ? 0 : jv_push(r, *out, str_value(str_part(s, from,
	    s.n), v.safe));
}

/* text_case - lower, upper, title (a letter after no letter), capitalize */
static void
text_case(struct jrun *r, struct jv v, struct view how, struct jv *out)
{
	struct jout o = { 0 };
	bool inside = false, up, title = view_is(how, "title");
	char t[8];
	size_t n;

	for (size_t i = 0; i < v.s.n; i += n) {
		uint32_t u = utf8_get(v.s.p + i, &n), w;

		up = view_is(how, "upper") || (!inside && !view_is(how,
		    "lower"));
		w = (uint32_t)(up ? title || view_is(how, "capitalize") ?
		    utf8proc_totitle((utf8proc_int32_t)u) :
		    utf8proc_toupper((utf8proc_int32_t)u) :
		    utf8proc_tolower((utf8proc_int32_t)u));
		inside = !title || w != u || (utf8_class(u) & (UTF8_UPPER |
		    UTF8_LOWER)) != 0;
		t[utf8_put(w, t)] = '\0';
		if (u == 0xdf && up)		/* has no capital of its own */
			snprintf(t, sizeof(t), view_is(how, "upper") ? "SS" :
			    "Ss");
		if (u == w && t[0] != 'S')
			out_add(r, &o, str_part(v.s, i, i + n));
		else
			out_text(r, &o, t, v.s.mark == NULL ? 0 :
			    v.s.mark[i]);
	}
	*out = out_end(&o);
	out->safe = v.safe;
}

/* text_replace - old by new, at most so many times */
static int
text_replace(struct jrun *r, struct jv v, const struct jargs *args,
    struct jv *out)
{
	const struct jv *old = jinja_arg(args, 0, "old"),
	    *new = jinja_arg(args, 1, "new"),
	    *count = jinja_arg(args, 2, "count");
	int64_t left = count == NULL || count->kind != J_INT ? -1 : count->i;
	struct jout o = { 0 };
	size_t from = 0, at, n;

	if (old == NULL || new == NULL || old->kind != J_STR ||
	    new->kind != J_STR)
		return jinja_error(r, "replace takes two texts");
	for (at = 0; left != 0; left -= left > 0) {
		at = text_find(v.s, old->s, at, false);
		if (at == SIZE_MAX)
			break;
		out_add(r, &o, str_part(v.s, from, at));
		out_add(r, &o, new->s);
		from = at += old->s.n;
		if (old->s.n == 0) {		/* between all characters */
			if (at == v.s.n)
				break;
			utf8_get(v.s.p + at, &n);
			at += n;
		}
		if (jinja_step(r, 1) == -1)
			return -1;
	}
	if (v.s.n > 0)
		out_add(r, &o, str_part(v.s, from, v.s.n));
	*out = out_end(&o);
	out->safe = v.safe;
	return 0;
}

/* text_begins - startswith and endswith, of a text or any of a tuple */
static int
text_begins(struct jrun *r, struct jv v, bool end, const struct jargs *args,
    struct jv *out)
{
	struct jv one = args->n > 0 ? args->v[0] : JV_NONE;
	bool tuple = one.kind == J_SEQ && one.seq->form == SEQ_TUPLE,
	    yes = false;

	if (args->n != 1)
		return jinja_error(r, "%s takes one text", end ? "endswith" :
		    "startswith");
	for (size_t i = 0; i < (tuple ? one.seq->n : 1); i++) {
		struct jv part = tuple ? one.seq->v[i] : one;

		if (part.kind != J_STR)
			return jinja_error(r, "%s takes a text, not a %s",
			    end ? "endswith" : "startswith", jv_type(part));
		yes = yes || (part.s.n <= v.s.n && (part.s.n == 0 ||
		    memcmp(v.s.p + (end ? v.s.n - part.s.n : 0), part.s.p,
		    part.s.n) == 0));
	}
	*out = jv_bool(yes);
	return 0;
}

/* text_is - isdigit and the like: all characters, and at least one */
static struct jv
text_is(struct jstr s, struct view name)
{
	bool cased = false, all = s.n > 0;
	unsigned letter = UTF8_UPPER | UTF8_LOWER | UTF8_LETTER;
	size_t n;

	for (size_t i = 0; i < s.n && all; i += n) {
		uint32_t u = utf8_get(s.p + i, &n);
		unsigned c = utf8_class(u);
		bool digit = utf8proc_category((utf8proc_int32_t)u) ==
		    UTF8PROC_CATEGORY_ND;

		cased = cased || (c & (UTF8_UPPER | UTF8_LOWER)) != 0;
		if (view_is(name, "isalpha"))
			all = (c & letter) != 0;
		else if (view_is(name, "isalnum"))
			all = (c & (letter | UTF8_NUMBER)) != 0;
		else if (view_is(name, "isspace"))
			all = jinja_space(s.p + i, s.p + s.n) > 0;
		else if (view_is(name, "isdigit") || view_is(name,
		    "isdecimal"))
			all = digit;
		else if (view_is(name, "islower"))
			all = (c & UTF8_UPPER) == 0;
		else
			all = (c & UTF8_LOWER) == 0;
	}
	return jv_bool(all && (cased || name.n != 7 ||
	    jinja_among("isalpha|isalnum|isspace|isdigit", name)));
}

/* text_pad - center, ljust, rjust, zfill */
static int
text_pad(struct jrun *r, struct jv v, struct view name,
    const struct jargs *args, struct jv *out)
{
	struct jstr fill = args->n > 1 && args->v[1].kind == J_STR ?
	    args->v[1].s : (struct jstr){ view_is(name, "zfill") ? "0" : " ",
	    NULL, 1 };
	struct jout o = { 0 };
	int64_t pad, left, sign;

	if (args->n == 0 || args->v[0].kind != J_INT)
		return jinja_error(r, "'%.*s' takes a width", (int)name.n,
		    name.p);
	pad = args->v[0].i - (int64_t)str_count(v.s);
	pad = pad < 0 ? 0 : pad;
	left = view_is(name, "ljust") ? 0 : view_is(name, "center") ?
	    pad / 2 + (pad & args->v[0].i & 1) : pad;
	sign = view_is(name, "zfill") && v.s.n > 0 && (v.s.p[0] == '-' ||
	    v.s.p[0] == '+');
	if (sign)
		out_add(r, &o, str_part(v.s, 0, 1));
	for (int64_t i = 0; i < left && !r->full; i++)
		out_add(r, &o, fill);
	out_add(r, &o, str_part(v.s, (size_t)sign, v.s.n));
	for (int64_t i = left; i < pad && !r->full; i++)
		out_add(r, &o, fill);
	*out = out_end(&o);
	out->safe = v.safe;
	return 0;
}

/* text_places - find, rfind, count: places in characters */
static int
text_places(struct jrun *r, struct jv v, struct view name,
    const struct jargs *args, struct jv *out)
{
	size_t at, n = 0;

	if (args->n != 1 || args->v[0].kind != J_STR)
		return jinja_error(r, "'%.*s' takes one text", (int)name.n,
		    name.p);
	if (!view_is(name, "count")) {
		at = text_find(v.s, args->v[0].s, 0, view_is(name, "rfind"));
		*out = jv_int(at == SIZE_MAX ? -1 :
		    (int64_t)str_count(str_part(v.s, 0, at)));
		return 0;
	}
	for (at = 0; args->v[0].s.n > 0 && (at = text_find(v.s, args->v[0].s,
	    at, false)) != SIZE_MAX; at += args->v[0].s.n)
		n++;
	*out = jv_int((int64_t)(args->v[0].s.n > 0 ? n :
	    str_count(v.s) + 1));
	return 0;
}

/* text_join - of its argument's texts, itself between them */
static int
text_join(struct jrun *r, struct jv v, const struct jargs *args,
    struct jv *out)
{
	struct jout o = { 0 };
	struct jseq q;

	if (args->n != 1 || jv_iter(r, args->v[0], &q) == -1)
		return jinja_error(r, "join takes a list of texts");
	for (size_t i = 0; i < q.n; i++) {
		if (q.v[i].kind != J_STR)
			return jinja_error(r, "join of a %s", jv_type(q.v[i]));
		if (i > 0)
			out_add(r, &o, v.s);
		out_add(r, &o, q.v[i].s);
	}
	*out = out_end(&o);
	return jinja_step(r, q.n);
}

/* text_split - split and rsplit */
static int
text_split(struct jrun *r, struct jv v, bool right, const struct jargs *args,
    struct jv *out)
{
	const struct jv *sep = jinja_arg(args, 0, "sep"),
	    *max = jinja_arg(args, 1, "maxsplit");
	int64_t n = max == NULL || max->kind != J_INT ? -1 : max->i;

	if (jinja_step(r, v.s.n / 64) == -1)
		return -1;
	if (sep == NULL || sep->kind == J_NONE)
		return split_blank(r, v, n, right, out);
	return sep->kind != J_STR ? jinja_error(r, "split at a %s",
	    jv_type(*sep)) : split_at(r, v, sep->s, n, right, out);
}

int
jinja_str_method(struct jrun *r, struct jv v, struct view name,
    const struct jargs *args, struct jv *out)
{
	const struct jv *set = args->n > 0 && args->v[0].kind == J_STR ?
	    &args->v[0] : NULL;
	bool end;

	if (jinja_step(r, v.s.n / 64 + 1) == -1)
		return -1;
	if (jinja_among("strip|lstrip|rstrip", name)) {
		*out = str_value(text_strip(v.s, set, name.p[0] != 'r',
		    name.p[0] != 'l'), v.safe);
		return 0;
	}
	if (jinja_among("split|rsplit", name))
		return text_split(r, v, name.p[0] == 'r', args, out);
	if (view_is(name, "splitlines"))
		return text_lines(r, v, out);
	if (jinja_among("startswith|endswith", name))
		return text_begins(r, v, name.p[0] == 'e', args, out);
	if (view_is(name, "replace"))
		return text_replace(r, v, args, out);
	if (view_is(name, "join"))
		return text_join(r, v, args, out);
	if (jinja_among("find|rfind|count", name))
		return text_places(r, v, name, args, out);
	if (jinja_among("center|ljust|rjust|zfill", name))
		return text_pad(r, v, name, args, out);
	if (jinja_among("removeprefix|removesuffix", name)) {
		end = view_is(name, "removesuffix");
		if (text_begins(r, v, end, args, out) == -1)
			return -1;
		*out = str_value(!out->i || args->v[0].kind != J_STR ? v.s :
		    end ? str_part(v.s, 0, v.s.n - args->v[0].s.n) :
		    str_part(v.s, args->v[0].s.n, v.s.n), v.safe);
		return 0;
	}
	if (jinja_among("lower|upper|title|capitalize", name))
		text_case(r, v, name, out);
	else if (jinja_among("isalpha|isalnum|isspace|isdigit|isdecimal|"
	    "islower|isupper", name))
		*out = text_is(v.s, name);
	else
		return 1;
	return 0;
}
