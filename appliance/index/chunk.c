/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/index/chunk.h"
#include "appliance/text/utf8.h"
#include "appliance/text/words.h"

#define LONG	60		/* bytes of a run that is no word */
#define PIECE	12

enum { WORD, LINE, SENTENCE, PARAGRAPH };

/* pieces - words, where long ones are cut into parts of about PIECE bytes and
 * behind each full stop */
static void
pieces(struct arena *a, struct view text, struct spans *out)
{
	struct spans s;
	size_t n = 0;

	text_words(a, text, &s);
	for (size_t i = 0; i < s.n; i++)
		n += s.v[i].n > LONG ? s.v[i].n : 1;
	out->v = arena_array(a, n + 1, sizeof(*out->v));
	out->n = 0;
	for (size_t i = 0; i < s.n; i++) {
		const char *p = s.v[i].p, *end = p + s.v[i].n, *from = p;
		size_t len;

		for (; s.v[i].n > LONG && p < end; p += len) {
			if ((size_t)(p - from) >= PIECE || (p - from >= 3 &&
			    memcmp(p - 3, "\xe3\x80\x82", 3) == 0)) {
				out->v[out->n++] = (struct view){ from,
				    (size_t)(p - from) };
				from = p;
			}
			(void)utf8_get(p, &len);
		}
		out->v[out->n++] = (struct view){ from, (size_t)(end - from) };
	}
}

/* ends_sentence - . ! ? or their wide forms, quotes and brackets behind it
 * aside */
static bool
ends_sentence(struct view w)
{
	while (w.n > 1 && memchr("\"')]", w.p[w.n - 1], 4) != NULL)
		w.n--;
	if (memchr(".!?", w.p[w.n - 1], 3) != NULL)
		return true;
	return w.n >= 3 && (memcmp(w.p + w.n - 3, "\xe3\x80\x82", 3) == 0 ||
	    memcmp(w.p + w.n - 3, "\xef\xbc\x81", 3) == 0 ||
	    memcmp(w.p + w.n - 3, "\xef\xbc\x9f", 3) == 0);
}

/* end_of - what ends with the i-th word */
static int
end_of(const struct spans *s, size_t i)
{
	const char *p = s->v[i].p + s->v[i].n;
	const char *end = i + 1 < s->n ? s->v[i + 1].p : p;
	unsigned lines = 0;

	for (; p < end; p++)
		lines += *p == '\n';
	return lines > 1 ? PARAGRAPH : ends_sentence(s->v[i]) ? SENTENCE :
	    lines > 0 ? LINE : WORD;
}

/* chunk_end - one past the last word of a passage that begins at `from` */
static size_t
chunk_end(const struct spans *s, size_t from, size_t words)
{
	size_t to = from + words, best = to;
	int strong = WORD, k;

	if (to >= s->n)
		return s->n;
	for (size_t i = to; i > from + words / 2; i--) {
		k = end_of(s, i - 1);
		if (k > strong) {
			strong = k;
			best = i;
		}
	}
	return best;
}

size_t
chunk_text(struct arena *a, struct view text, size_t words, size_t overlap,
    struct chunk **out)
{
	struct spans s;
	size_t from = 0, to, n = 0, step;

	pieces(a, text, &s);
	*out = NULL;
	if (s.n == 0)
		return 0;
	if (words == 0 || words > s.n)
		words = s.n;
	step = words / 2 > overlap ? words / 2 - overlap : 1;
	*out = arena_array(a, s.n / step + 2, sizeof(**out));
	for (;;) {
		to = chunk_end(&s, from, words);
		(*out)[n++] = (struct chunk){ (size_t)(s.v[from].p - text.p),
		    (size_t)(s.v[to - 1].p + s.v[to - 1].n - text.p) };
		if (to >= s.n)
			return n;
		from = to - from > overlap ? to - overlap : from + 1;
	}
}
