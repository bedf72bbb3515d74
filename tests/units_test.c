/* SPDX-License-Identifier: Apache-2.0 */
/* The quick ways of SentencePiece's vocabularies beside the plain ones: text
 * normalized in blocks and a character at a time, its ids by units and worked
 * through from end to end, with random vocabularies */
#include "tests/charsmap.h"
#include "tests/random.h"
#include "tests/tap.h"

#include "appliance/text/spm_room.h"
#include "appliance/text/utf8.h"

#if defined(__SANITIZE_ADDRESS__)
#define MODELS	60
#else
#define MODELS	400
#endif

#define PIECES	120u
#define TEXTS	40

static const uint32_t letters[] = { ' ', ' ', ' ', 'a', 'b', 'c', 'd', 'a',
    'b', 'A', '0', '1', '.', ',', '-', '\n', '\t', 0x01, 0x7f, 0xe9, 0x2581,
    0x4e2d, 0x6587, 0x3044, 0x1f600 };

/* text_make - kind 0: ASCII; 1: anything; 2: runs */
static size_t
text_make(char *out, size_t n, int kind)
{
	size_t at = 0, len, times;
	char c[4];

	while (at + 4 <= n) {
		len = utf8_put(letters[random_below(kind == 0 ? 15 :
		    (uint32_t)BASE_COUNT(letters))], c);
		times = kind == 2 ? 1 + random_below(random_below(5) == 0 ?
		    80 : 4) : 1;
		for (; times > 0 && at + len <= n; times--, at += len)
			memcpy(out + at, c, len);
	}
	return at;
}

/* is_there - is a text among the pieces already */
static bool
is_there(const struct spm_spec *s, struct view v)
{
	for (size_t i = 0; i < s->n; i++)
		if (view_eq(s->piece[i].text, v))
			return true;
	return false;
}

/* charsmap - keys of one character and two, and some that end within one */
static struct view
charsmap(struct arena *a)
{
	static const char *const map[][2] = { { "\t", " " }, { "A", "a" },
		{ "\xe4\xb8", "x" }, { "\xe6\x96\x87", "ab" },
		{ "\xe3\x81\x84\xe4\xb8\xad", "\xe4\xb8\xad" },
		{ "a\xe3\x81\x84", "b" }, { "\xc3\xa9", "" } };
	return charsmap_of(a, map, BASE_COUNT(map));
}

/* model_make - a random vocabulary, with rules that vary by its number */
static struct spm *
model_make(struct arena *a, unsigned number)
{
	struct spm_spec s = { .kind = number % 2 == 0 ? SPM_BPE : SPM_UNIGRAM,
	    .byte_fallback = number % 3 == 0, .suffix = number % 11 == 0,
	    .rules = { .dummy_prefix = number % 5 != 0,
	    .squeeze = number % 7 < 4, .escape = number % 13 != 0 } };
	struct err e = { 0 };
	struct spm *m;
	char text[24];
	size_t n;

	if (number % 9 > 5)
		s.rules.charsmap = charsmap(a);
	s.piece = arena_array(a, PIECES + 257, sizeof(*s.piece));
	s.piece[s.n++] = (struct spm_piece){ VIEW("<unk>"), 0, SPM_UNKNOWN };
	for (unsigned i = 0; s.byte_fallback && i < 256; i++)
		s.piece[s.n++] = (struct spm_piece){ view_of(arena_printf(a,
		    "<0x%02X>", i)), 0, SPM_BYTE };
	for (unsigned i = 0; i < PIECES; i++) {
		struct spm_piece p = { .score = -(float)random_below(40) /
		    (random_below(4) == 0 ? 3 : 1), .type = SPM_NORMAL };

		n = text_make(text, 4 + random_below(8), number % 4 == 0);
		if (is_there(&s, (struct view){ text, n }))
			continue;
		p.text = (struct view){ arena_copy(a, text, n), n };
		if (random_below(30) == 0)
			p.type = SPM_USER_DEFINED;
		s.piece[s.n++] = p;
	}
	m = spm_make(a, &s, &e);
	if (m == NULL)
		printf("# %s\n", e.text);
	/* every other pair as it would be mapped */
	return m == NULL || number % 4 < 2 ? m :
	    spm_attach(a, spm_compile(a, m));
}

/* norm_plain - every character is asked for */
static void
norm_plain(struct spm_norm *m)
{
	m->ascii = m->graphic = false;
	m->high = true;
	memset(m->begins, 0xff, sizeof(m->begins));
}

/* plain - ids without blocks, units and cells */
static size_t
plain(struct spm *s, struct arena *a, struct view text, uint32_t **ids)
{
	struct spm_room *r = spm_room_take(s, text.n);
	struct spm_norm norm = s->norm;
	size_t n = 0;

	norm_plain(&norm);
	r->text.n = r->n = 0;
	r->sum = 0;
	spm_norm_run(&norm, text, &r->text);
	r->cap = 4 * r->text.n + 16;
	r->id = mem_grow(r->id, r->cap * sizeof(*r->id));
	if (r->text.n > 0 && s->kind == SPM_BPE)
		spm_bpe(s, r, buf_get(&r->text));
	else if (r->text.n > 0)
		spm_unigram(s, r, buf_get(&r->text));
	*ids = arena_array(a, r->n + 1, sizeof(**ids));
	for (size_t i = 0; i < r->n; i++)
		if (r->id[i] != s->unk || n == 0 || (*ids)[n - 1] != s->unk)
			(*ids)[n++] = r->id[i];
	spm_room_give(s, r);
	return n;
}

/* cuts_good - do units of both scanners end only where no piece has these two
 * characters; how many, -1 */
static long
cuts_good(const struct spm *s, const char *text, size_t n)
{
	const char *p = text, *end = text + n, *to;
	uint64_t first, ends;
	char block[LINKS_BLOCK];
	long count = 0;

	for (; p < end; p = to, count++) {
		size_t left = (size_t)(end - p), done;

		memset(block, 0, sizeof(block));
		memcpy(block, p, left < sizeof(block) ? left : sizeof(block));
		to = links_next(s->links, p, end);
		done = links_block(s->links, block, left < LINKS_BLOCK ?
		    left : LINKS_BLOCK, left <= LINKS_BLOCK, &first, &ends);
		/* the first units agree */
		if (done > 0 && p + __builtin_ctzll(ends) + 1 != to)
			return -1;
		for (uint32_t i = 0; to < end && i < s->n; i++) {
			char c = to[-1], d = to[0];
			struct view v = spm_bytes(s, s->text[i]);

			/* of a piece that no text is made into, links are
			 * not counted */
			for (size_t k = 1; s->type[i] != SPM_BYTE &&
			    s->type[i] != SPM_UNKNOWN && k < v.n &&
			    memchr(v.p, SPM_NEVER, v.n) == NULL; k++)
				if (v.p[k - 1] == c && v.p[k] == d &&
				    (unsigned char)c < 128 &&
				    (unsigned char)d < 128)
					return -1;
		}
	}
	return count;
}

/* back_good - are random ids the same text without slots */
static bool
back_good(struct spm *s, struct arena *a)
{
	struct buf *one = buf_new(a, 1 << 16), *two = buf_new(a, 1 << 16);
	const struct slot *slot = s->slot;
	struct slot *none = arena_array(a, s->n, sizeof(*none));
	uint32_t id[60];
	size_t n = random_below(60);

	for (size_t i = 0; i < n; i++)
		id[i] = random_below(s->n);
	for (uint32_t i = 0; i < s->n; i++) {
		none[i] = slot[i];
		none[i].n = SLOT_OTHER;
	}
	spm_decode(s, id, n, one);
	s->slot = none;
	spm_decode(s, id, n, two);
	s->slot = slot;
	return view_eq(buf_get(one), buf_get(two));
}

/* text_test - one text; is there a wrong cut, are ids or texts others */
static size_t
text_test(struct spm *s, struct arena *a, const char *text, size_t n)
{
	struct spm_norm norm = s->norm;
	struct buf *one = buf_new(a, 1 << 16), *two = buf_new(a, 1 << 16);
	uint32_t *fast, *slow;
	size_t count, many;

	norm_plain(&norm);
	spm_norm_run(&s->norm, (struct view){ text, n }, one);
	spm_norm_run(&norm, (struct view){ text, n }, two);
	many = spm_encode(s, a, (struct view){ text, n }, &fast);
	count = plain(s, a, (struct view){ text, n }, &slow);
	return !back_good(s, a) || !view_eq(buf_get(one), buf_get(two)) ||
	    cuts_good(s, one->p, one->n) < 0 || count != many ||
	    memcmp(fast, slow, many * sizeof(*fast)) != 0;
}

int
main(void)
{
	struct arena *a = arena_new(), *own = arena_new();
	size_t bad[2] = { 0, 0 }, cases = 0, n;
	char text[700];

	for (unsigned i = 0; i < MODELS; i++) {
		struct spm *s = model_make(a, i);

		for (int k = 0; s != NULL && k < TEXTS; k++, cases++) {
			n = text_make(text, random_below(k % 8 == 0 ?
			    sizeof(text) : 150), k % 3);
			if (n > 0 && k % 6 == 5)	/* no UTF-8 */
				text[random_below((uint32_t)n)] ^= (char)(1 <<
				    random_below(8));
			bad[i % 2] += text_test(s, own, text, n);
			arena_reset(own);
		}
		bad[i % 2] += s == NULL;
		arena_reset(a);
	}
	tap(bad[0] == 0, "BPE: the plain ids, %zu texts with both", cases);
	tap(bad[1] == 0, "Unigram: the plain ids");
	arena_free(a);
	arena_free(own);
	return tap_done();
}
