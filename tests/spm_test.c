/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/trie.h"
#include "appliance/text/spm.h"
#include "appliance/text/utf8.h"
#include "tests/tap.h"

#include <fcntl.h>

/* SentencePiece models that are written here, field by field, and what its
 * library makes of texts with them.  spm_test DIR leaves the models in DIR, for
 * the library to be asked again (tests/peer/spm.py) */

#define S	"\xe2\x96\x81"

/* a piece: text, score, and its type's first letter if it is not normal */
struct piece {
	const char *text;
	float score;
	char type;			/* u c d(efined) - (unused) b(yte) */
};

#define BYTES	(1u << 0)	/* byte_fallback, with 256 bytes at the end */
#define BARE	(1u << 1)	/* no dummy prefix */
#define LOOSE	(1u << 2)	/* blanks are not squeezed */
#define RAW	(1u << 3)	/* blanks are not escaped */
#define SUFFIX	(1u << 4)
#define MAPS	(1u << 5)	/* a charsmap, see map_make */
#define BACK	(1u << 6)	/* and one for decoded text */

static const struct model {
	const char *name;
	enum spm_kind kind;
	unsigned flags;
	struct piece piece[16];
} models[] = {
	{ "bpe", SPM_BPE, 0, { { "<unk>", 0, 'u' }, { "<s>", 0, 'c' },
	    { "</s>", 0, 'c' }, { "ab", -1, 0 }, { "bc", -1, 0 },
	    { "abc", -2, 0 }, { S "a", -3, 0 }, { "a", -9, 0 },
	    { "b", -9, 0 }, { "c", -9, 0 }, { S, -9, 0 }, { "aa", -4, 0 } } },
	{ "bytes", SPM_BPE, BYTES | LOOSE, { { "<unk>", 0, 'u' },
	    { "<s>", 0, 'c' }, { "ab", -1, 0 }, { "a", -9, 0 },
	    { S, -9, 0 }, { S S, -2, 0 } } },
	{ "own", SPM_BPE, 0, { { "<unk>", 0, 'u' }, { "ab", -1, 'd' },
	    { S "b", -2, 'd' }, { "a b", -3, 'd' }, { "a", -9, 0 },
	    { "b", -9, 0 }, { S, -9, 0 }, { "ba", -1, 0 } } },
	{ "unused", SPM_BPE, 0, { { "<unk>", 0, 'u' }, { "ab", -1, '-' },
	    { "abc", -2, '-' }, { "a", -9, 0 }, { "b", -9, 0 },
	    { "c", -9, '-' }, { S, -9, 0 } } },
	{ "reach", SPM_BPE, 0, { { "<unk>", 0, 'u' }, { "a" S "b", -1, 0 },
	    { "a" S, -2, 0 }, { "a", -9, 0 }, { "b", -9, 0 },
	    { S, -9, 0 } } },
	{ "unigram", SPM_UNIGRAM, 0, { { "<unk>", 0, 'u' }, { "<s>", 0, 'c' },
	    { S "ab", -2, 0 }, { "ab", -1.5f, 0 }, { "abab", -3, 0 },
	    { "a", -3, 0 }, { "b", -3, 0 }, { S, -1, 0 }, { "<x>", 0, 'd' },
	    { "bb", -4, '-' } } },
	{ "suffix", SPM_UNIGRAM, SUFFIX | BYTES, { { "<unk>", 0, 'u' },
	    { "ab" S, -1, 0 }, { "ab", -2, 0 }, { S, -1, 0 } } },
	{ "raw", SPM_UNIGRAM, RAW | BARE | LOOSE, { { "<unk>", 0, 'u' },
	    { " a", -1, 0 }, { "a", -2, 0 }, { " ", -2, 0 },
	    { S, -2, 0 } } },
	{ "maps", SPM_UNIGRAM, MAPS | BACK, { { "<unk>", 0, 'u' },
	    { S, -1, 0 }, { "a", -1, 0 }, { "b", -1, 0 }, { "c", -1, 0 },
	    { "Ab", -1, 'd' } } },
	{ "word", SPM_WORD, 0, { { "<unk>", 0, 'u' }, { S "ab", -1, 0 },
	    { S "b", -1, '-' }, { S "c", -1, 'c' } } },
	{ "char", SPM_CHAR, BARE, { { "<unk>", 0, 'u' }, { "a", -1, 0 },
	    { S, -1, 0 }, { "<x>", -1, 'd' } } },
};

static const struct {
	const char *model, *text, *ids, *back;
} cases[] = {
	{ "bpe", "abc", "10 5", "abc" },
	{ "bpe", "aabc", "6 5", "aabc" },
	{ "bpe", "abcbc", "10 5 4", "abcbc" },
	{ "bpe", " a  ab ", "6 10 3", "a ab" },
	{ "bpe", "a" S, "6", "a" },
	{ "bpe", "xay xx", "10 0 7 0 10 0",
	    " \xe2\x81\x87 a \xe2\x81\x87   \xe2\x81\x87 " },
	{ "bpe", "<s>a", "10 0 7", " \xe2\x81\x87 a" },
	{ "bpe", "", "", "" },
	{ "bpe", "  ", "", "" },
	{ "bpe", "aaaaa", "6 11 11", "aaaaa" },
	{ "bytes", "aba\xc3\xa9", "4 2 3 201 175", "aba\xc3\xa9" },
	{ "bytes", "  a", "5 4 3", "  a" },
	{ "bytes", S "b", "5 104", " b" },
	{ "bytes", "a b", "4 3 4 104", "a b" },
	{ "own", "aba", "6 1 4", "aba" },
	{ "own", " b", "2", "b" },
	{ "own", "xa b", "6 0 4 2", " \xe2\x81\x87 a b" },
	{ "own", "bab", "2 1", "bab" },
	{ "own", "a  b", "6 4 2", "a b" },
	{ "unused", "ab", "6 3 4", "ab" },
	{ "unused", "abc", "6 3 4 0", "ab \xe2\x81\x87 " },
	{ "unused", "aab", "6 3 3 4", "aab" },
	{ "unused", "c", "6 0", " \xe2\x81\x87 " },
	{ "unused", "abcab", "6 3 4 0 3 4", "ab \xe2\x81\x87 ab" },
	{ "reach", "a b", "5 1", "a b" },
	{ "reach", "a ba b", "5 1 1", "a ba b" },
	{ "reach", "ab", "5 3 4", "ab" },
	{ "unigram", "abab", "2 3", "abab" },
	{ "unigram", "ab ab", "2 2", "ab ab" },
	{ "unigram", "abb bb", "2 6 7 6 6", "abb bb" },
	{ "unigram", "<x>a<x>", "7 8 5 8", "<x>a<x>" },
	{ "unigram", "\xc3\xa9" "ab", "7 0 3", " \xe2\x81\x87 ab" },
	{ "unigram", "\xc3\xa9\xc3\xa9 a", "7 0 7 5", " \xe2\x81\x87  a" },
	{ "suffix", "ab ab", "1 1", "ab ab " },
	{ "suffix", "\xc3\xa9", "199 173 3", "\xc3\xa9 " },
	{ "raw", " a a", "1 1", " a a" },
	{ "raw", "a" S " a", "2 4 1", "a  a" },
	{ "raw", "  ", "3 3", "  " },
	{ "maps", "A", "1 2", "a" },
	{ "maps", "AB", "1 4", "c" },
	{ "maps", "ABb\t\ta", "1 4 3 1 2", "cb a" },
	{ "maps", "a\xe3\x80\x80" "b", "1 2 1 3 1 3", "a b b" },
	{ "maps", "!a!", "1 2", "a" },
	{ "maps", "\xe3\x80\x80", "1 3", "b" },
	{ "maps", "AbA", "1 5 2", "aba" },
	{ "maps", "b\xe3\x80\x80\xe3\x80\x80!\t\tA", "1 3 1 3 1 3 1 2",
	    "b b b a" },
	{ "word", "ab b c", "1 0", "ab \xe2\x81\x87 " },
	{ "word", "ab", "1", "ab" },
	{ "word", " x ab ab", "0 1 1", " \xe2\x81\x87  ab ab" },
	{ "char", "ab<x>a a", "1 0 3 1 2 1", "a \xe2\x81\x87 <x>a a" },
	{ "char", S " b", "2 2 0", " \xe2\x81\x87 " },
};

/* put_varint, put_bytes - the wire format */
static void
put_varint(struct buf *b, uint64_t v)
{
	for (; v >= 128; v >>= 7)
		buf_char(b, (char)(v | 128));
	buf_char(b, (char)v);
}

static void
put_number(struct buf *b, unsigned field, uint64_t v)
{
	put_varint(b, field << 3);
	put_varint(b, v);
}

static void
put_bytes(struct buf *b, unsigned field, struct view v)
{
	put_varint(b, field << 3 | 2);
	put_varint(b, v.n);
	buf_view(b, v);
}

static void
put_piece(struct arena *a, struct buf *b, const char *text, float score,
    char type)
{
	static const char types[] = ".?ucd-b";
	struct buf *p = buf_new(a, 1 << 16);

	put_bytes(p, 1, view_of(text));
	put_varint(p, 2 << 3 | 5);
	buf_add(p, &score, 4);
	if (type != 0)
		put_number(p, 3, (uint64_t)(strchr(types, type) - types));
	put_bytes(b, 1, buf_get(p));
}

/* map_make - A is a, Ab is c, two tabs are one blank, an ideographic blank is
 * two blanks around b, and nothing is left of ! */
static struct view
map_make(struct arena *a)
{
	static const struct view key[] = { VIEW("A"), VIEW("AB"),
	    VIEW("\t\t"), VIEW("\xe3\x80\x80"), VIEW("!") };
	static const char to[] = "a\0c\0 \0 b \0";
	static const uint32_t value[] = { 0, 2, 4, 6, 9 };
	struct buf *b = buf_new(a, 1 << 20);
	struct trie t;
	struct err e;
	uint32_t size;

	if (trie_make(a, key, value, BASE_COUNT(key), &t, &e) == -1)
		return (struct view){ NULL, 0 };
	size = t.n * 4;
	buf_add(b, &size, 4);
	buf_add(b, t.unit, size);
	buf_add(b, to, sizeof(to));
	return buf_get(b);
}

static void
put_rules(struct arena *a, struct buf *b, unsigned field, unsigned flags)
{
	struct buf *p = buf_new(a, 1 << 20);

	if (flags & MAPS)
		put_bytes(p, 2, map_make(a));
	put_number(p, 3, (flags & BARE) == 0);
	put_number(p, 4, (flags & LOOSE) == 0);
	put_number(p, 5, (flags & RAW) == 0);
	put_bytes(b, field, buf_get(p));
}

static struct view
model_make(struct arena *a, const struct model *m)
{
	struct buf *b = buf_new(a, 1 << 20), *p = buf_new(a, 1 << 16);

	for (const struct piece *x = m->piece; x->text != NULL; x++)
		put_piece(a, b, x->text, x->score, x->type);
	for (unsigned i = 0; (m->flags & BYTES) != 0 && i < 256; i++)
		put_piece(a, b, arena_printf(a, "<0x%02X>", i), 0, 'b');
	put_number(p, 3, m->kind);
	put_number(p, 24, (m->flags & SUFFIX) != 0);
	put_number(p, 35, (m->flags & BYTES) != 0);
	put_bytes(b, 2, buf_get(p));
	put_rules(a, b, 3, m->flags);
	if (m->flags & BACK)
		put_rules(a, b, 5, MAPS | BARE | RAW | LOOSE);
	return buf_get(b);
}

static const struct model *
model_find(const char *name)
{
	const struct model *m = models;

	while (strcmp(m->name, name) != 0)
		m++;
	return m;
}

static void
test_cases(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct buf *got = buf_new(a, 4096), *back = buf_new(a, 4096);
		struct err e = { 0 };
		struct tokenizer *t = tokenizer_open(a, model_make(a,
		    model_find(cases[i].model)), &e);
		uint32_t *ids;
		size_t n;

		if (t == NULL) {
			tap(false, "%s: %s", cases[i].model, e.text);
			continue;
		}
		n = tokenizer_encode(t, a, view_of(cases[i].text), &ids);
		for (size_t k = 0; k < n; k++)
			buf_printf(got, k > 0 ? " %u" : "%u", ids[k]);
		tokenizer_decode(t, ids, n, back);
		tap_str(buf_cstr(got), cases[i].ids, arena_printf(a,
		    "%s: '%s'", cases[i].model, cases[i].text));
		tap_str(buf_cstr(back), cases[i].back, "and back");
	}
}

/* files that are refused: a model that is changed at one place */
static const struct {
	struct piece piece[4];
	enum spm_kind kind;
	unsigned flags;
	const char *err;
} bad[] = {
	{ { { "a", 0, 0 } }, SPM_BPE, 0, "no piece is the unknown one" },
	{ { { "a", 0, 'u' }, { "b", 0, 'u' } }, SPM_BPE, 0,
	    "pieces 0 and 1 are both the unknown one" },
	{ { { "a", 0, 'u' }, { "", 0, 0 } }, SPM_BPE, 0, "piece 1 is empty" },
	{ { { "a", 0, 'u' }, { "b", 0, 0 }, { "b", 0, 0 } }, SPM_UNIGRAM, 0,
	    "pieces 1 and 2 are the same" },
	{ { { "a", 0, 'u' }, { "b", 0, 0 }, { "b", 0, 'c' } }, SPM_BPE, 0,
	    "pieces 1 and 2 are the same" },
	{ { { "a", 0, 'u' }, { "<0x00>", 0, 'b' } }, SPM_BPE, 0,
	    "piece 1 is a byte, and there is no byte_fallback" },
	{ { { "a", 0, 'u' }, { "<0x0g>", 0, 'b' } }, SPM_BPE, BYTES,
	    "piece 1 is no byte like <0x0A>" },
	{ { { "a", 0, 'u' }, { "b", 0, 0 } }, 5, 0,
	    "model_type 5 is none of UNIGRAM, BPE, WORD, CHAR" },
	{ { { "a", 0, 'u' }, { "b", 1.0f / 0.0f, 0 } }, SPM_BPE, 0,
	    "piece 1 has no finite score" },
	{ { { "a", 0, 'u' }, { "b", 0, '?' } }, SPM_BPE, 0, NULL },
};

static void
test_bad(struct arena *a)
{
	for (size_t i = 0; i < BASE_COUNT(bad); i++) {
		struct model m = { .kind = bad[i].kind, .flags = bad[i].flags };
		struct err e = { 0 };

		memcpy(m.piece, bad[i].piece, sizeof(bad[i].piece));
		if (bad[i].err != NULL)
			tap_str(tokenizer_open(a, model_make(a, &m), &e) ==
			    NULL ? e.text : "it was read", bad[i].err,
			    "a model is refused");
		else
			tap(tokenizer_open(a, model_make(a, &m), &e) != NULL,
			    "a type that is the default is read");
	}
}

/* a file that was cut short anywhere is refused, or has lost only what comes
 * after its pieces */
static void
test_short(struct arena *a)
{
	struct view file = model_make(a, model_find("maps"));
	struct arena *tmp = arena_new();
	size_t read = 0;
	struct err e;

	for (size_t n = 1; n < file.n; n++) {
		read += tokenizer_open(tmp, (struct view){ file.p, n }, &e) !=
		    NULL;
		arena_reset(tmp);
	}
	arena_free(tmp);
	tap(read < 20, "of %zu files cut short, %zu can be read", file.n,
	    read);
}

/* a charsmap that was changed at any place is refused or maps to something */
static void
test_map(struct arena *a)
{
	struct arena *tmp = arena_new();
	struct view map = map_make(a);
	struct spm_piece piece[] = { { VIEW("?"), 0, SPM_UNKNOWN },
	    { VIEW("a"), -1, SPM_NORMAL } };
	struct spm_spec s = { .kind = SPM_BPE, .piece = piece, .n = 2 };
	unsigned refused = 0;
	uint32_t *ids;
	struct err e;
	struct spm *m;

	for (size_t i = 0; i < map.n; i++)
		for (unsigned bit = 0; bit < 8; bit += 3) {
			struct view v = view_keep(tmp, map);

			((char *)(uintptr_t)v.p)[i] ^= (char)(1 << bit);
			s.rules.charsmap = v;
			m = spm_make(tmp, &s, &e);
			refused += m == NULL;
			if (m != NULL)
				spm_encode(m, tmp, VIEW("AB\t\tA! "
				    "\xe3\x80\x80"), &ids);
			arena_reset(tmp);
		}
	arena_free(tmp);
	tap(refused > 0, "%u changed charsmaps are refused", refused);
}

/* the library's own sweep of this is in tests/peer: here, that nothing is
 * slow */
static void
test_long(struct arena *a)
{
	static const char *const names[] = { "bpe", "unused", "unigram" };
	size_t n = 1 << 20;
	char *text = arena_alloc(a, n);
	uint32_t *ids;
	struct err e;

	memset(text, 'a', n);
	for (size_t i = 0; i < BASE_COUNT(names); i++) {
		struct tokenizer *t = tokenizer_open(a, model_make(a,
		    model_find(names[i])), &e);

		tap(tokenizer_encode(t, a, (struct view){ text, n }, &ids) >=
		    n / 2, "%s: a mebibyte of one letter", names[i]);
	}
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOME	1
#endif
#endif
#ifndef SOME
#define SOME	0
#endif

/* the library's ids of every scalar in four places, 1,024 to a text; of some
 * blocks, for builds that are slow (tests/peer/spm.py digests) */
static const struct {
	const char *model, *all, *some;
} swept[] = {
	{ "bytes",
	    "08a1f298a1c4e4907a112bcf92832a9dd728b07f4d1da57f8252207695de657b",
	    "2c7acfeb7edbd8cd61b2762d63136c928aedb105ff6bd94a7ae72d99f38ca887"
	},
	{ "unigram",
	    "31a38beeb051696158124748153e702a02d0df5bbea465c23934d41238d1468f",
	    "8c7f601a07e914f80e4faefd4c5699c269479e443de12587012bfb222d7a061b"
	},
	{ "suffix",
	    "695f6872a7b7809979fbcac973af54f5b160aa474dfaff617008ddb904ebbfca",
	    "b4039ecccf8f53d0a1efaa6d1a4eb3ff655e8919431bc6d20ec6db16dd26fd40"
	},
	{ "maps",
	    "ffe806093bf790969a6ac972fa60431ef7c01a53499ff658c9ab20c3fdb67aa3",
	    "9c6aa794eb9a28888a2484d41b834720fa5fd8716329a2ba848da07426b7fac8"
	},
	{ "char",
	    "c4e841fafd11e75346d652616036af3e402831315b625fbfafbe476e44bc32a8",
	    "c9fe04d426f7205cc7483967028d76981782817b761b565c2b23a43824aca77d"
	},
};

static void
test_sweep(struct arena *a, size_t which)
{
	struct err e;
	struct tokenizer *t = tokenizer_open(a, model_make(a, model_find(
	    swept[which].model)), &e);
	struct arena *one = arena_new();
	struct hash_state h;
	char hex[HASH_HEX + 1], *text = arena_alloc(a, 1024 * 20);
	uint32_t *ids;
	size_t n;

	hash_begin(&h, NULL);
	for (uint32_t block = 0; t != NULL && block < 0x110000 / 1024;
	    block++) {
		if (SOME && block >= 4 && block % 64 != 10)
			continue;
		n = 0;
		for (uint32_t c = block * 1024; c < (block + 1) * 1024; c++)
			for (const char *p = "*a** *1"; *p != '\0' &&
			    (c < 0xd800 || c >= 0xe000); p++)
				if (*p == '*')
					n += utf8_put(c, text + n);
				else
					text[n++] = *p;
		arena_reset(one);
		n = tokenizer_encode(t, one, (struct view){ text, n }, &ids);
		for (size_t i = 0; i < n; i++) {
			unsigned char b[2] = { (unsigned char)ids[i],
			    (unsigned char)(ids[i] >> 8) };

			hash_add(&h, b, 2);
		}
	}
	arena_free(one);
	hash_hex(hash_end(&h), hex);
	tap_str(hex, SOME ? swept[which].some : swept[which].all,
	    arena_printf(a, "%s: every scalar", swept[which].model));
}

/* trie_make: what is in it, and that nothing else is */
static void
test_trie(struct arena *a)
{
	enum { KEYS = 20000 };
	struct view *key = arena_array(a, KEYS, sizeof(*key));
	uint32_t *value = arena_array(a, KEYS, sizeof(*value)), got, wrong = 0;
	struct trie t;
	struct err e;

	for (uint32_t i = 0; i < KEYS; i++) {
		key[i] = view_of(arena_printf(a, "%x-%u", i * 2654435761u, i));
		value[i] = i;
	}
	if (trie_make(a, key, value, KEYS, &t, &e) == -1) {
		tap(false, "%s", e.text);
		return;
	}
	for (uint32_t i = 0; i < KEYS; i++) {
		struct view v = key[i];

		wrong += trie_longest(&t, v.p, v.n, 64, &got) != v.n || got != i;
		wrong += trie_longest(&t, v.p + 1, v.n - 1, 64, &got) ==
		    v.n - 1 && !view_eq(key[got], (struct view){ v.p + 1,
		    v.n - 1 });
	}
	tap(wrong == 0, "a trie of %d keys in %u units", KEYS, t.n);
}

int
main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct err e;
	int dir = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;

	for (size_t i = 0; dir != -1 && i < BASE_COUNT(models); i++)
		if (file_replace(dir, arena_printf(a, "%s.model",
		    models[i].name), model_make(a, &models[i]), 0640, false,
		    &e) == -1)
			tap(false, "%s", e.text);
	test_cases(a);
	test_bad(a);
	test_short(a);
	test_map(a);
	test_long(a);
	test_trie(a);
	for (size_t i = 0; i < BASE_COUNT(swept); i++)
		test_sweep(a, i);
	arena_free(a);
	return tap_done();
}
