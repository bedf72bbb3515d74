/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/hf_decode.h"
#include "appliance/text/utf8.h"

/* one_char - a member that is one character */
static int
one_char(struct hf_open *o, struct view json, const char *name, uint32_t *c,
    struct err *e)
{
	struct view v;
	size_t n = 0;

	if (hf_text_of(o, json, name, &v) && v.n > 0)
		*c = utf8_get(v.p, &n);
	return n > 0 && n == v.n ? 0 : err_set(e, FATE_REJECT, "its decoder's "
	    "%s is not one character", name);
}

/* number_of - a member that is a whole number */
static int
number_of(struct view json, const char *name, int64_t *x, struct err *e)
{
	struct view v;

	return json_get(json, name, &v) && json_integer(v, x) && *x >= 0 ? 0 :
	    err_set(e, FATE_REJECT, "its decoder's %s is no number", name);
}

/* open_one - what its kind has */
static int
open_one(struct hf_open *o, struct view type, struct view json,
    struct decode_step *s, struct err *e)
{
	struct view v;

	if (view_is(type, "ByteLevel")) {
		s->kind = DECODE_BYTES;
	} else if (view_is(type, "WordPiece")) {
		s->kind = DECODE_WORDPIECE;
		s->text = VIEW("##");
		hf_text_of(o, json, "prefix", &s->text);
		s->cleanup = hf_flag(json, "cleanup", true);
	} else if (view_is(type, "Metaspace")) {
		s->kind = DECODE_METASPACE;
		s->keep = !hf_flag(json, "add_prefix_space", true) ||
		    (hf_text_of(o, json, "prepend_scheme", &v) &&
		    view_is(v, "never"));
		return one_char(o, json, "replacement", &s->c, e);
	} else if (view_is(type, "BPEDecoder")) {
		s->kind = DECODE_BPE;
		s->text = VIEW("</w>");
		hf_text_of(o, json, "suffix", &s->text);
	} else if (view_is(type, "CTC")) {
		s->kind = DECODE_CTC;
		s->text = VIEW("<pad>");
		s->word = VIEW("|");
		hf_text_of(o, json, "pad_token", &s->text);
		hf_text_of(o, json, "word_delimiter_token", &s->word);
		s->cleanup = hf_flag(json, "cleanup", true);
	} else if (view_is(type, "Replace")) {
		s->kind = DECODE_REPLACE;
		if (!json_get(json, "pattern", &v) ||
		    !hf_text_of(o, json, "content", &s->text))
			return err_set(e, FATE_REJECT, "its Replace has no "
			    "pattern or content");
		return hf_pattern_open(o->arena, o->chars, v, &s->pattern, e);
	} else if (view_is(type, "Fuse")) {
		s->kind = DECODE_FUSE;
	} else if (view_is(type, "Strip")) {
		s->kind = DECODE_STRIP;
		if (number_of(json, "start", &s->start, e) == -1 ||
		    number_of(json, "stop", &s->stop, e) == -1)
			return -1;
		return one_char(o, json, "content", &s->c, e);
	} else if (view_is(type, "ByteFallback")) {
		s->kind = DECODE_FALLBACK;
	} else
		return hf_unknown("decoder", type, e);
	return 0;
}

/* kind_of - the type, or by members in files that have none */
static struct view
kind_of(struct view json)
{
	struct view type = hf_type(json), v;

	if (type.n > 0)
		return type;
	return view_of(json_get(json, "suffix", &v) ? "BPEDecoder" :
	    json_get(json, "prefix", &v) ? "WordPiece" :
	    json_get(json, "pad_token", &v) ? "CTC" :
	    json_get(json, "decoders", &v) ? "Sequence" :
	    json_get(json, "pattern", &v) ? "Replace" :
	    json_get(json, "start", &v) ? "Strip" : "");
}

static int
open_step(struct hf_open *o, struct hf_decode *m, struct view json,
    struct err *e)
{
	struct decode_step s = { .keep = false };
	struct view type = kind_of(json), list, v;
	struct json_iter it;
	int r = 0;

	if (view_is(type, "Sequence")) {
		if (!json_get(json, "decoders", &list) ||
		    !json_open(&it, list, '[') || ++o->depth > 20)
			return err_set(e, FATE_REJECT, "its decoder Sequence "
			    "has no good list");
		while (r == 0 && json_element(&it, &v))
			r = open_step(o, m, v, e);
		o->depth--;
		return r;
	}
	if (open_one(o, type, json, &s, e) == -1)
		return -1;
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 4 : m->cap * 2;
		m->v = arena_grow(o->arena, m->v, m->n, m->cap,
		    sizeof(*m->v));
	}
	m->v[m->n++] = s;
	return 0;
}

struct hf_decode *
hf_decode_open(struct hf_open *o, struct view json, struct err *e)
{
	struct hf_decode *m = arena_alloc(o->arena, sizeof(*m));
	uint64_t all = 1;
	bool after = false;

	memset(m->byte, 0xff, sizeof(m->byte));
	for (int i = 0; i < 256; i++)
		m->byte[bpe_byte_char((unsigned char)i)] = (int16_t)i;
	m->none = json.n == 0 || json_is_null(json);
	if (!m->none && open_step(o, m, json, e) == -1)
		return NULL;
	m->open = true;
	for (size_t i = 0; i < m->n; i++) {
		enum decode_kind kind = m->v[i].kind;
		size_t times = kind == DECODE_REPLACE ? hf_pattern_times(
		    &m->v[i].pattern, m->v[i].text.n) : kind == DECODE_BYTES ?
		    3 : kind == DECODE_WORDPIECE ? 2 : 1;

		if (hf_grow(&all, times, "decoder", e) == -1)
			return NULL;

		if (kind != DECODE_FUSE && kind != DECODE_STRIP && after)
			m->open = false;
		after = after || kind == DECODE_BYTES ||
		    kind == DECODE_FALLBACK;
	}
	return m;
}

/* swap - each occurrence of a text by another, from left */
static struct view
swap(struct arena *a, struct view v, struct view old, struct view new)
{
	size_t count = 0, n = 0, at = 0;
	const char *hit;
	char *out;

	/* the empty text is before and after each character */
	if (old.n == 0 && new.n == 0)
		return v;
	for (size_t i = 0; old.n > 0 && i + old.n <= v.n; i++)
		if (memcmp(v.p + i, old.p, old.n) == 0) {
			count++;
			i += old.n - 1;
		}
	if (old.n > 0 && count == 0)
		return v;
	out = arena_alloc(a, v.n + (old.n == 0 ? v.n + 1 : count) * new.n + 1);
	while (old.n == 0 && at <= v.n) {
		size_t len = 1;

		memcpy(out + n, new.p, new.n);
		n += new.n;
		if (at == v.n)
			return (struct view){ out, n };
		utf8_get(v.p + at, &len);
		memcpy(out + n, v.p + at, len);
		n += len;
		at += len;
	}
	while (count-- > 0) {
		hit = memmem(v.p + at, v.n - at, old.p, old.n);
		memcpy(out + n, v.p + at, (size_t)(hit - v.p) - at);
		n += (size_t)(hit - v.p) - at;
		if (new.n > 0)
			memcpy(out + n, new.p, new.n);
		n += new.n;
		at = (size_t)(hit - v.p) + old.n;
	}
	memcpy(out + n, v.p + at, v.n - at);
	return (struct view){ out, n + v.n - at };
}

/* cleanup - English, as BERT's tokens leave it */
static struct view
cleanup(struct arena *a, struct view v)
{
	static const char *const pairs[][2] = {
		{ " .", "." }, { " ?", "?" }, { " !", "!" }, { " ,", "," },
		{ " ' ", "'" }, { " n't", "n't" }, { " 'm", "'m" },
		{ " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" },
		{ " 're", "'re" },
	};

	for (size_t i = 0; i < BASE_COUNT(pairs); i++)
		v = swap(a, v, view_of(pairs[i][0]), view_of(pairs[i][1]));
	return v;
}

/* fallback_byte - the byte that <0xNN> names; -1 */
static int
fallback_byte(struct view v)
{
	int x = 0;

	if (v.n != 6 || memcmp(v.p, "<0x", 3) != 0 || v.p[5] != '>')
		return -1;
	/* a sign is a digit to the library, if one follows it */
	for (int i = 3; i < 5; i++) {
		char c = v.p[i];

		if (i == 3 && c == '+')
			continue;
		if (c >= '0' && c <= '9')
			x = x * 16 + c - '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			x = x * 16 + (c | 32) - 'a' + 10;
		else
			return -1;
	}
	return x;
}

int
hf_decode_byte(const struct hf_decode *m, struct view token)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].kind == DECODE_FALLBACK)
			return fallback_byte(token);
	return -1;
}

/* fallback - runs of byte tokens to text; what is none is U+FFFD a byte */
static size_t
fallback(struct arena *a, struct view *v, size_t n, bool raw)
{
	size_t out = 0, end;
	char *p;

	for (size_t i = 0; i < n; i = end) {
		end = i;
		while (end < n && fallback_byte(v[end]) != -1)
			end++;
		if (end == i) {
			v[out++] = v[end++];
			continue;
		}
		p = arena_alloc(a, end - i + 1);
		for (size_t k = i; k < end; k++)
			p[k - i] = (char)fallback_byte(v[k]);
		if (raw || utf8_check(p, end - i) == end - i) {
			v[out++] = (struct view){ p, end - i };
			continue;
		}
		for (size_t k = i; k < end; k++)
			v[out++] = VIEW("\xef\xbf\xbd");
	}
	return out;
}

/* strip - up to some characters of one kind at either end of a token */
static struct view
strip(const struct decode_step *s, struct view v)
{
	char one[4];
	size_t n = utf8_put(s->c, one);

	for (int64_t i = 0; i < s->start && v.n >= n &&
	    memcmp(v.p, one, n) == 0; i++) {
		v.p += n;
		v.n -= n;
	}
	for (int64_t i = 0; i < s->stop && v.n >= n &&
	    memcmp(v.p + v.n - n, one, n) == 0; i++)
		v.n -= n;
	return v;
}

/* metaspace - replacements to blanks, but none within the first token */
static struct view
metaspace(const struct decode_step *s, struct arena *a, struct view v,
    bool first)
{
	char *out = arena_alloc(a, v.n + 1);
	size_t n = 0, len;

	for (size_t i = 0; i < v.n; i += len) {
		if (utf8_get(v.p + i, &len) != s->c) {
			memcpy(out + n, v.p + i, len);
			n += len;
		} else if (!first || s->keep)
			out[n++] = ' ';
	}
	return (struct view){ out, n };
}

/* bytes - all tokens as one; those not of the byte alphabet as they are */
static size_t
bytes(const struct hf_decode *m, struct arena *a, struct view *v, size_t n,
    bool raw)
{
	size_t total = 0, len, repairs;
	struct view all;
	char *out;

	for (size_t i = 0; i < n; i++)
		total += v[i].n;
	out = arena_alloc(a, total + 1);
	all = (struct view){ out, 0 };
	for (size_t i = 0; i < n; i++) {
		size_t from = all.n;
		int byte = 0;

		for (size_t k = 0; byte != -1 && k < v[i].n; k += len) {
			uint32_t c = utf8_get(v[i].p + k, &len);

			byte = c < BASE_COUNT(m->byte) ? m->byte[c] : -1;
			out[all.n++] = (char)byte;
		}
		if (byte != -1)
			continue;
		memcpy(out + from, v[i].p, v[i].n);
		all.n = from + v[i].n;
	}
	v[0] = raw ? all : utf8_repair(a, all, &repairs);
	return 1;
}

/* ctc - repeated tokens once, without padding and empty ones */
static size_t
ctc(const struct decode_step *s, struct arena *a, struct view *v, size_t n)
{
	size_t out = 0;
	struct view last = { NULL, 0 }, one;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && view_eq(v[i], last))
			continue;
		last = v[i];
		one = swap(a, v[i], s->text, VIEW(""));
		if (s->cleanup)
			one = swap(a, cleanup(a, one), s->word, VIEW(" "));
		if (one.n > 0)
			v[out++] = one;
	}
	return out;
}

/* fuse - all tokens as one */
static size_t
fuse(struct arena *a, struct view *v, size_t n)
{
	size_t total = 0, at = 0;
	char *out;

	for (size_t i = 0; i < n; i++)
		total += v[i].n;
	out = arena_alloc(a, total + 1);
	for (size_t i = 0; i < n; at += v[i++].n)
		memcpy(out + at, v[i].p, v[i].n);
	v[0] = (struct view){ out, total };
	return 1;
}

/* fuse_two - one text behind another, which may hold any bytes */
static struct view
fuse_two(struct arena *a, struct view one, struct view two)
{
	struct view both[2] = { one, two };

	fuse(a, both, 2);
	return both[0];
}

static struct view
wordpiece(const struct decode_step *s, struct arena *a, struct view v,
    bool first)
{
	if (!first && v.n >= s->text.n &&
	    memcmp(v.p, s->text.p, s->text.n) == 0)
		v = (struct view){ v.p + s->text.n, v.n - s->text.n };
	else if (!first)
		v = fuse_two(a, VIEW(" "), v);
	return s->cleanup ? cleanup(a, v) : v;
}

static struct view
replace(const struct decode_step *s, struct arena *a, struct view v)
{
	struct hf_text x = hf_text_new(a, v);
	struct hf_matches m = { NULL, 0, 0 };

	hf_pattern_find(&s->pattern, v, &m);
	hf_text_replace(&x, &m, s->text);
	hf_matches_free(&m);
	return hf_text_get(&x);
}

/* decode_step - one decoder on all tokens; how many there are then */
static size_t
decode_step(const struct hf_decode *m, const struct decode_step *s,
    struct arena *a, struct view *v, size_t n, bool raw)
{
	switch (s->kind) {
	case DECODE_BYTES:
		return bytes(m, a, v, n, raw);
	case DECODE_CTC:
		return ctc(s, a, v, n);
	case DECODE_FUSE:
		return fuse(a, v, n);
	case DECODE_FALLBACK:
		return fallback(a, v, n, raw);
	default:
		break;
	}
	for (size_t i = 0; i < n; i++) {
		if (s->kind == DECODE_WORDPIECE)
			v[i] = wordpiece(s, a, v[i], i == 0);
		else if (s->kind == DECODE_METASPACE)
			v[i] = metaspace(s, a, v[i], i == 0);
		else if (s->kind == DECODE_BPE)
			v[i] = swap(a, v[i], s->text, view_of(i + 1 == n ?
			    "" : " "));
		else if (s->kind == DECODE_STRIP)
			v[i] = strip(s, v[i]);
		else
			v[i] = replace(s, a, v[i]);
	}
	return n;
}

void
hf_decode_run(const struct hf_decode *m, struct arena *a, struct view *v,
    size_t n, bool raw, struct buf *b)
{
	for (size_t i = 0; i < m->n; i++)
		n = decode_step(m, &m->v[i], a, v, n, raw && m->open);
	for (size_t i = 0; i < n; i++) {
		if (m->none && i > 0)
			buf_char(b, ' ');
		buf_view(b, v[i]);
	}
}
