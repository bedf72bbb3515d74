/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/jinja_str.h"
#include "appliance/text/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <utf8proc.h>

/* out_reserve - room for more; false and full beyond the limits */
static bool
out_reserve(struct jrun *r, struct jout *o, size_t more)
{
	size_t cap = o->cap * 2 + 64;

	if (more > JINJA_OUT - o->n || more > JINJA_MADE - r->made) {
		r->full = true;
		return false;
	}
	r->made += more;
	if (o->n + more <= o->cap)
		return true;
	cap = cap < o->n + more ? o->n + more : cap;
	o->p = arena_grow(r->arena, o->p, o->n, cap, 1);
	o->mark = arena_grow(r->arena, o->mark, o->n, cap, 1);
	o->cap = cap;
	return true;
}

void
out_add(struct jrun *r, struct jout *o, struct jstr s)
{
	if (s.n == 0 || !out_reserve(r, o, s.n))
		return;
	memcpy(o->p + o->n, s.p, s.n);
	for (size_t i = 0; i < s.n; i++)
		o->mark[o->n + i] = (unsigned char)((s.mark == NULL ? 0 :
		    s.mark[i]) | r->generation);
	o->n += s.n;
}

void
out_text(struct jrun *r, struct jout *o, const char *s, unsigned mark)
{
	size_t n = strlen(s);

	if (n == 0 || !out_reserve(r, o, n))
		return;
	memcpy(o->p + o->n, s, n);
	memset(o->mark + o->n, (int)(mark | r->generation), n);
	o->n += n;
}

struct jv
out_end(struct jout *o)
{
	return str_value((struct jstr){ o->p == NULL ? "" : o->p, o->mark,
	    o->n }, false);
}

size_t
str_count(struct jstr s)
{
	return utf8_count((struct view){ s.p, s.n });
}

struct jstr
str_part(struct jstr s, size_t from, size_t to)
{
	return (struct jstr){ s.n == 0 ? s.p : s.p + from, s.mark == NULL ?
	    NULL : s.mark + from, to - from };
}

struct jv
str_value(struct jstr s, bool safe)
{
	return (struct jv){ .kind = J_STR, .safe = safe, .s = s };
}

void
str_escape(struct jrun *r, struct jout *o, struct jv v)
{
	static const char from[] = "&<>'\"";
	static const char *const to[] = { "&amp;", "&lt;", "&gt;", "&#39;",
	    "&#34;" };

	if (v.safe) {
		out_add(r, o, v.s);
		return;
	}
	for (size_t i = 0; i < v.s.n; i++) {
		const char *k = v.s.p[i] == '\0' ? NULL :
		    strchr(from, v.s.p[i]);

		if (k != NULL)
			out_text(r, o, to[k - from], v.s.mark == NULL ? 0 :
			    v.s.mark[i]);
		else
			out_add(r, o, str_part(v.s, i, i + 1));
	}
}

/* show_float - the shortest digits that are read back as the same */
static void
show_float(char *out, size_t size, double x)
{
	char s[40], digits[20];
	int n = 0, e, prec = 0;

	if (isnan(x) || isinf(x)) {
		snprintf(out, size, "%s", isnan(x) ? "nan" : x < 0 ? "-inf" :
		    "inf");
		return;
	}
	do
		snprintf(s, sizeof(s), "%.*e", prec, x);
	while (strtod(s, NULL) != x && prec++ < 17);
	for (const char *p = s; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			digits[n++] = *p;
	digits[n] = '\0';
	e = atoi(strchr(s, 'e') + 1);
	if (e < -4 || e >= 16)
		snprintf(out, size, "%s%c%s%se%c%02d", s[0] == '-' ? "-" : "",
		    digits[0], n > 1 ? "." : "", digits + 1,
		    e < 0 ? '-' : '+', abs(e));
	else
		snprintf(out, size, "%.*f", n - 1 - e > 1 ? n - 1 - e : 1, x);
}

/* show_quoted - a text as repr() has it */
static void
show_quoted(struct jrun *r, struct jout *o, struct jstr s)
{
	bool single = s.n > 0 && memchr(s.p, '\'', s.n) != NULL,
	    twice = s.n > 0 && memchr(s.p, '"', s.n) != NULL;
	char quote = single && !twice ? '"' : '\'', t[16];
	const char *q = quote == '"' ? "\"" : "'", *k;
	size_t n;

	out_text(r, o, q, JINJA_VALUE);
	for (size_t i = 0; i < s.n; i += n) {
		uint32_t u = utf8_get(s.p + i, &n);
		int c = utf8proc_category((utf8proc_int32_t)u);
		unsigned mark = s.mark == NULL ? 0 : s.mark[i];

		t[0] = '\0';
		k = u == '\n' ? "\\n" : u == '\r' ? "\\r" : u == '\t' ?
		    "\\t" : u == '\\' ? "\\\\" : NULL;
		if (k != NULL)
			snprintf(t, sizeof(t), "%s", k);
		else if (u == (unsigned char)quote)
			snprintf(t, sizeof(t), "\\%c", quote);
		else if (c == UTF8PROC_CATEGORY_CC || c == UTF8PROC_CATEGORY_CF
		    || c == UTF8PROC_CATEGORY_CO || c == UTF8PROC_CATEGORY_CN
		    || c == UTF8PROC_CATEGORY_ZL || c == UTF8PROC_CATEGORY_ZP
		    || (c == UTF8PROC_CATEGORY_ZS && u != ' '))
			snprintf(t, sizeof(t), u < 0x100 ? "\\x%02x" :
			    u < 0x10000 ? "\\u%04x" : "\\U%08x", u);
		if (t[0] != '\0')
			out_text(r, o, t, mark);
		else
			out_add(r, o, str_part(s, i, i + n));
	}
	out_text(r, o, q, JINJA_VALUE);
}

/* show_seq - (1, 2) [1, 2] */
static int
show_seq(struct jrun *r, struct jout *o, const struct jseq *q)
{
	bool list = q->form == SEQ_LIST;

	if (q->form > SEQ_TUPLE)
		return jinja_error(r, "a %s has no text; put '| list' behind "
		    "it", q->form == SEQ_ONCE ? "generator" : "view or range");
	out_text(r, o, list ? "[" : "(", 0);
	for (size_t i = 0; i < q->n; i++) {
		out_text(r, o, i == 0 ? "" : ", ", 0);
		if (jv_show(r, o, q->v[i], true) == -1)
			return -1;
	}
	if (q->form == SEQ_TUPLE && q->n == 1)
		out_text(r, o, ",", 0);
	out_text(r, o, list ? "]" : ")", 0);
	return 0;
}

/* show_dict - {'a': 1} */
static int
show_dict(struct jrun *r, struct jout *o, const struct jdict *d)
{
	out_text(r, o, "{", 0);
	for (size_t i = 0; i < d->n; i++) {
		out_text(r, o, i == 0 ? "" : ", ", 0);
		if (jv_show(r, o, d->key[i], true) == -1)
			return -1;
		out_text(r, o, ": ", 0);
		if (jv_show(r, o, d->value[i], true) == -1)
			return -1;
	}
	out_text(r, o, "}", 0);
	return 0;
}

int
jv_show(struct jrun *r, struct jout *o, struct jv v, bool repr)
{
	char s[64] = "";
	int rc = 0;

	if (jinja_step(r, 1) == -1)
		return -1;
	switch (v.kind) {
	case J_UNDEFINED:
		out_text(r, o, repr ? "Undefined" : "", 0);
		return 0;
	case J_NONE:
		out_text(r, o, "None", 0);
		return 0;
	case J_BOOL:
		out_text(r, o, v.i ? "True" : "False", 0);
		return 0;
	case J_INT:
		snprintf(s, sizeof(s), "%lld", (long long)v.i);
		out_text(r, o, s, JINJA_VALUE);
		return 0;
	case J_FLOAT:
		show_float(s, sizeof(s), v.f);
		out_text(r, o, s, JINJA_VALUE);
		return 0;
	case J_STR:
		if (!repr)
			out_add(r, o, v.s);
		else {
			out_text(r, o, v.safe ? "Markup(" : "", 0);
			show_quoted(r, o, v.s);
			out_text(r, o, v.safe ? ")" : "", 0);
		}
		return 0;
	default:
		break;
	}
	if (v.kind != J_SEQ && v.kind != J_DICT)
		return jinja_error(r, "a %s has no text", jv_type(v));
	if (++r->depth > JINJA_DEPTH)
		return jinja_error(r, "nested too deeply");
	rc = v.kind == J_SEQ ? show_seq(r, o, v.seq) :
	    show_dict(r, o, v.dict);
	r->depth--;
	return rc;
}

int
jv_str(struct jrun *r, struct jv v, struct jv *out)
{
	struct jout o = { 0 };

	if (v.kind == J_STR) {
		*out = v;
		return 0;
	}
	if (jv_show(r, &o, v, false) == -1)
		return -1;
	*out = out_end(&o);
	return 0;
}

/* dump_string - JSON's escapes, as few as Python's json makes */
static void
dump_string(struct jrun *r, struct jout *o, struct jstr s, bool ascii)
{
	static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
	char t[16];
	size_t n;

	out_text(r, o, "\"", JINJA_VALUE);
	for (size_t i = 0; i < s.n; i += n) {
		uint32_t u = utf8_get(s.p + i, &n);
		const char *k = u == 0 || u > 0x7f ? NULL :
		    strchr(from, (int)u);
		unsigned mark = s.mark == NULL ? 0 : s.mark[i];

		if (k != NULL)
			snprintf(t, sizeof(t), "\\%c", to[k - from]);
		else if (u < 0x20 || (ascii && u > 0x7e && u < 0x10000))
			snprintf(t, sizeof(t), "\\u%04x", u);
		else if (ascii && u > 0xffff)
			snprintf(t, sizeof(t), "\\u%04x\\u%04x",
			    0xd800 + ((u - 0x10000) >> 10),
			    0xdc00 + ((u - 0x10000) & 0x3ff));
		else {
			out_add(r, o, str_part(s, i, i + n));
			continue;
		}
		out_text(r, o, t, mark);
	}
	out_text(r, o, "\"", JINJA_VALUE);
}

/* dump_line - a new line, if there are lines */
static void
dump_line(struct jrun *r, struct jout *o, const struct jjson *how, int depth)
{
	if (how->indent < 0)
		return;
	out_text(r, o, "\n", JINJA_VALUE);
	for (int64_t i = 0; i < how->indent * depth && !r->full; i++)
		out_text(r, o, " ", JINJA_VALUE);
}

/* dump_order - places of a dict's keys, sorted if that is asked for */
static int
dump_order(struct jrun *r, const struct jdict *d, bool sorted, size_t **out)
{
	size_t *at = arena_array(r->arena, d->n + 1, sizeof(*at)), k;
	bool less;

	*out = at;
	for (size_t i = 0; i < d->n; i++) {
		for (k = i; k > 0 && sorted; k--) {
			if (jv_less(r, d->key[i], d->key[at[k - 1]],
			    &less) == -1 || jinja_step(r, 1) == -1)
				return -1;
			if (!less)
				break;
			at[k] = at[k - 1];
		}
		at[k] = i;
	}
	return 0;
}

/* dump_many - an array or an object */
static int
dump_many(struct jrun *r, struct jout *o, struct jv v, const struct jjson *how,
    int depth)
{
	size_t n = v.kind == J_SEQ ? v.seq->n : v.dict->n, *at = NULL;
	bool array = v.kind == J_SEQ;
	struct jv key;

	if (n == 0) {
		out_text(r, o, array ? "[]" : "{}", JINJA_VALUE);
		return 0;
	}
	if (!array && dump_order(r, v.dict, how->sorted, &at) == -1)
		return -1;
	out_text(r, o, array ? "[" : "{", JINJA_VALUE);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			out_add(r, o, how->comma);
		dump_line(r, o, how, depth + 1);
		if (!array) {
			key = v.dict->key[at[i]];
			if (key.kind == J_STR)
				dump_string(r, o, key.s, how->ascii);
			else {
				out_text(r, o, "\"", JINJA_VALUE);
				if (jv_dump(r, o, key, how, 0) == -1)
					return -1;
				out_text(r, o, "\"", JINJA_VALUE);
			}
			out_add(r, o, how->colon);
		}
		if (jv_dump(r, o, array ? v.seq->v[i] : v.dict->value[at[i]],
		    how, depth + 1) == -1)
			return -1;
	}
	dump_line(r, o, how, depth);
	out_text(r, o, array ? "]" : "}", JINJA_VALUE);
	return 0;
}

int
jv_dump(struct jrun *r, struct jout *o, struct jv v, const struct jjson *how,
    int depth)
{
	char s[64];
	int rc;

	if (jinja_step(r, 1) == -1)
		return -1;
	switch (v.kind) {
	case J_NONE:
		out_text(r, o, "null", JINJA_VALUE);
		return 0;
	case J_BOOL:
		out_text(r, o, v.i ? "true" : "false", JINJA_VALUE);
		return 0;
	case J_INT:
		return jv_show(r, o, v, false);
	case J_FLOAT:
		show_float(s, sizeof(s), v.f);
		out_text(r, o, isnan(v.f) ? "NaN" : isinf(v.f) ? v.f < 0 ?
		    "-Infinity" : "Infinity" : s, JINJA_VALUE);
		return 0;
	case J_STR:
		dump_string(r, o, v.s, how->ascii);
		return 0;
	default:
		break;
	}
	if (v.kind != J_DICT && (v.kind != J_SEQ || v.seq->form > SEQ_TUPLE))
		return jinja_error(r, "a %s cannot be JSON%s", jv_type(v),
		    v.kind == J_SEQ ? "; put '| list' in front" : "");
	if (++r->depth > JINJA_DEPTH)
		return jinja_error(r, "nested too deeply");
	rc = dump_many(r, o, v, how, depth);
	r->depth--;
	return rc;
}
