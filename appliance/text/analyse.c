/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/analyse.h"
#include "appliance/text/utf8.h"

#include <libstemmer.h>

enum kind { OTHER, LETTER, DIGIT, PAIRED };

/* scripts whose words are not divided by blanks */
static bool
paired(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} range[] = { { 0x0e00, 0x0eff }, { 0x1000, 0x109f },
	    { 0x1780, 0x17ff }, { 0x3041, 0x30ff }, { 0x3400, 0x4dbf },
	    { 0x4e00, 0x9fff }, { 0xf900, 0xfaff }, { 0xff66, 0xff9f },
	    { 0x20000, 0x3ffff } };

	for (size_t i = 0; i < BASE_COUNT(range); i++)
		if (c >= range[i].from && c <= range[i].to)
			return true;
	return false;
}

/* kind_of - c is what stands at p, n bytes long */
static enum kind
kind_of(const char *p, size_t *n, uint32_t *c)
{
	*c = (unsigned char)*p;
	*n = 1;
	if (*c < 0x80) {
		if ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z')
			return LETTER;
		return *c >= '0' && *c <= '9' ? DIGIT : *c == '_' ? LETTER :
		    OTHER;
	}
	*c = utf8_get(p, n);
	if (*c >= 0x0e00 && paired(*c))
		return utf8_letter(*c) || utf8_digit(*c) ? PAIRED : OTHER;
	return utf8_letter(*c) ? LETTER : utf8_digit(*c) ? DIGIT : OTHER;
}

/* joins - does what stands at p hold a word together; n its bytes */
static bool
joins(const struct analyse *a, enum kind before, const char *p, size_t *n)
{
	enum kind next;
	size_t len;
	uint32_t c;

	if (*p == '\'')
		*n = 1;
	else if (a->end - p > 3 && memcmp(p, "\xe2\x80\x99", 3) == 0)
		*n = 3;
	else if ((*p == '.' || *p == ',') && before == DIGIT)
		*n = 1;
	else
		return false;
	if (p + *n >= a->end)
		return false;
	next = kind_of(p + *n, &len, &c);
	return next == before && next != PAIRED;
}

void
analyse_begin(struct analyse *a, struct view text)
{
	a->text = a->p = text.p;
	a->end = text.p + text.n;
}

/* put - one folded character; false if the word is full */
static bool
put(struct analyse *a, uint32_t c)
{
	char out[4];
	size_t n;

	if (c < 0x80) {
		if (a->n == ANALYSE_WORD)
			return false;
		a->word[a->n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
		return true;
	}
	n = utf8_put(utf8_fold(c == 0x2019 ? '\'' : c), out);
	if (a->n + n > ANALYSE_WORD)
		return false;
	memcpy(a->word + a->n, out, n);
	a->n += n;
	return true;
}

/* next_pair - this character and the one after it, if that is of the kind */
static void
next_pair(struct analyse *a, size_t n, uint32_t c)
{
	size_t more;
	uint32_t second;

	put(a, c);
	a->p += n;
	a->stop = (size_t)(a->p - a->text);
	if (a->p >= a->end || kind_of(a->p, &more, &second) != PAIRED)
		return;
	put(a, second);
	a->stop += more;
	/* the second of a run's last pair begins no word of its own */
	if (a->p + more >= a->end || kind_of(a->p + more, &(size_t){ 0 },
	    &(uint32_t){ 0 }) != PAIRED)
		a->p += more;
}

bool
analyse_next(struct analyse *a)
{
	enum kind kind = OTHER, last;
	size_t n = 0;
	uint32_t c = 0;

	while (a->p < a->end && (kind = kind_of(a->p, &n, &c)) == OTHER)
		a->p += n;
	if (a->p >= a->end)
		return false;
	a->n = 0;
	a->begin = (size_t)(a->p - a->text);
	if (kind == PAIRED) {
		next_pair(a, n, c);
		a->word[a->n] = '\0';
		return true;
	}
	last = kind;
	while (put(a, c)) {
		last = kind;
		a->p += n;
		if (a->p >= a->end)
			break;
		kind = kind_of(a->p, &n, &c);
		if (kind == PAIRED || (kind == OTHER && !joins(a, last, a->p,
		    &n)))
			break;
		if (kind == OTHER) {
			c = *a->p == '\xe2' ? 0x2019 : (unsigned char)*a->p;
			kind = last;
		}
	}
	a->stop = (size_t)(a->p - a->text);
	a->word[a->n] = '\0';
	return true;
}

struct stemmer {
	struct sb_stemmer *sb;
	bool english;
};

static void
stemmer_close(void *arg)
{
	sb_stemmer_delete(((struct stemmer *)arg)->sb);
}

int
stemmer_open(struct arena *a, const char *name, struct stemmer **s,
    struct err *e)
{
	*s = NULL;
	if (strcmp(name, "none") == 0)
		return 0;
	*s = arena_alloc(a, sizeof(**s));
	(*s)->sb = sb_stemmer_new(name, NULL);
	if ((*s)->sb == NULL)
		return err_set(e, FATE_REJECT, "there is no stemmer '%s'",
		    name);
	(*s)->english = strcmp(name, "english") == 0 ||
	    strcmp(name, "porter") == 0;
	arena_defer(a, stemmer_close, *s);
	return 0;
}

struct view
stemmer_word(struct stemmer *s, struct view w)
{
	const sb_symbol *out;
	int n;

	if (s == NULL)
		return w;
	if (s->english && w.n > 2 && memcmp(w.p + w.n - 2, "'s", 2) == 0)
		w.n -= 2;
	out = sb_stemmer_stem(s->sb, (const sb_symbol *)w.p, (int)w.n);
	n = out == NULL ? 0 : sb_stemmer_length(s->sb);
	return n <= 0 ? w : (struct view){ (const char *)out, (size_t)n };
}
