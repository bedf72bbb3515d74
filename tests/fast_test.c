/* SPDX-License-Identifier: Apache-2.0 */
/* The quick ways of byte-level vocabularies beside the plain ones: blocks beside
 * bpe_piece, ids beside the definition, an image beside its source */
#include "tests/random.h"
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/bpe_scan.h"
#include "appliance/text/bpe_table.h"
#include "appliance/text/compiled.h"
#include "appliance/text/learn.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/utf8.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const patterns[] = { "gpt2", "llama3", "qwen2", "o200k",
    "tekken", "cl100k" };

/* what texts are made of: every class, and what patterns single out */
static const uint32_t letters[] = { ' ', ' ', ' ', '\n', '\r', '\t', '\'',
    '\'', '/', '(', '-', 'a', 'e', 's', 't', 'l', 'v', 'r', 'd', 'm', 'A', 'S',
    'L', 'T', 'Z', '0', '1', '9', 0xe9, 0xc9, 0x17f, 0x301, 0x2019, 0x201c,
    0x4e2d, 0x6587, 0x5b57, 0x3042, 0x3044, 0x30ab, 0x3000, 0xa0, 0x85, 0x2028,
    0x1f600, 0x1f468, 0x200d, 0x2b0, 0x1c5, 0x661, 0xbd, 0x2167, 0x431, 0x411,
    0xac00, 0x5d0, 0x915, 0x94d, 0x1b, 0xd7, 0x10d50, 0x16d40, 0xe000 };

#define KINDS	5

/*
 * text_make - characters up to n bytes: kind 0 ASCII; 1 anything above; 2 runs
 * of one character; 3 ideographs that end with the same byte, so that tokens
 * are learnt that hold two in part; 4 two that are in no text that is learnt
 */
static size_t
text_make(char *out, size_t n, int kind)
{
	size_t at = 0, len, times;
	char c[4];

	while (at < n) {
		uint32_t i = random_below(kind == 0 ? 28 :
		    (uint32_t)BASE_COUNT(letters));

		len = utf8_put(kind == 3 ? 0x4e2d + 64 * random_below(60) :
		    kind == 4 && i % 8 != 0 ? 0x9f8d + 15 * (i % 2) :
		    letters[i], c);
		times = kind == 2 ? 1 + random_below(random_below(4) == 0 ?
		    90 : 6) : 1;
		for (; times > 0 && at + len <= n; times--, at += len)
			memcpy(out + at, c, len);
		if (at + 4 > n && kind != 0)
			while (at < n)
				out[at++] = 'x';
	}
	return n;
}

/* blocks_agree - every piece that a block is certain of is bpe_piece's, with
 * blocks from every piece on (each), or where the last one ended; how many there
 * were, -1 */
static long
blocks_agree(const struct bpe_pattern *t, const char *p, size_t n, bool each)
{
	char last[BPE_BLOCK];
	long count = 0;
	size_t at = 0, left, len, from;
	uint64_t starts;

	while (at < n) {
		from = at;
		left = n - at;
		memset(last, 0, sizeof(last));
		memcpy(last, p + at, left < BPE_BLOCK ? left : BPE_BLOCK);
		starts = bpe_block(t, left < BPE_BLOCK ? last : p + at,
		    left < BPE_BLOCK ? left : BPE_BLOCK,
		    left < BPE_BLOCK ? last + left : p + n);
		for (; starts != 0; starts &= starts - 1, count++) {
			len = bpe_piece(t, p + from, n - from);
			from += len;
			if (from != at + (size_t)__builtin_ctzll(starts))
				return -1;
		}
		at = each || from == at ? at + bpe_piece(t, p + at, left) :
		    from;
	}
	return count;
}

static void
test_blocks(void)
{
	char text[512];
	long count, sum;

	if (!bpe_block_here()) {
		tap(true, "blocks # SKIP no AVX2 here");
		return;
	}
	for (size_t i = 0; i < BASE_COUNT(patterns); i++) {
		const struct bpe_pattern *t = bpe_pattern(patterns[i]);

		sum = count = 0;
		for (int round = 0; round < 9 && count >= 0; round++)
			for (size_t n = 0; n <= 200 && count >= 0; n++) {
				text_make(text, n, round % KINDS);
				count = blocks_agree(t, text, n, true);
				sum += count;
				if (count < 0)
					printf("# %zu: %.*s\n", n, (int)n,
					    text);
			}
		tap(count >= 0 && sum > 100000, "%s: %ld pieces of blocks are "
		    "the plain ones", patterns[i], sum);
	}
}

/* test_letters - a word goes on through a scalar if and only if it is one of a
 * word by its class */
static void
test_letters(void)
{
	const unsigned letter = UTF8_UPPER | UTF8_LOWER | UTF8_LETTER;
	const struct bpe_pattern *gpt2 = bpe_pattern("gpt2");
	const struct bpe_pattern *o200k = bpe_pattern("o200k");
	char text[] = "\xe4\xb8\xad......";
	size_t bad = 0, n;

	for (uint32_t c = 0; c < 0x110000; c++) {
		unsigned class = utf8_class(c);

		if (c >= 0xd800 && c < 0xe000)
			continue;
		n = 3 + utf8_put(c, text + 3);
		bad += (bpe_piece(gpt2, text, n) == n) !=
		    ((class & letter) != 0);
		bad += (bpe_piece(o200k, text, n) == n) !=
		    ((class & (UTF8_LOWER | UTF8_LETTER | UTF8_MARK)) != 0);
	}
	tap(bad == 0, "words end where the classes say");
}

/* test_scalars - every scalar between and beside others */
static void
test_scalars(void)
{
	static const char *const around[][2] = { { "ab", "cd " },
	    { "1 ", "2 " }, { "(", "(" }, { " ", "'s" }, { "\n", "\n" },
	    { "aB", "Cd" } };
	size_t bad = 0, cases = 0;

	for (uint32_t c = 0; c < 0x110000; c++) {
		char text[128] = "";
		size_t n = 0, len;

		if (c >= 0xd800 && c < 0xe000)
			continue;
		for (size_t i = 0; i < BASE_COUNT(around); i++) {
			len = strlen(around[i][0]);
			memcpy(text + n, around[i][0], len);
			n += len;
			n += utf8_put(c, text + n);
			len = strlen(around[i][1]);
			memcpy(text + n, around[i][1], len);
			n += len;
		}
		for (size_t i = 0; i < BASE_COUNT(patterns); i++, cases++)
			bad += blocks_agree(bpe_pattern(patterns[i]), text,
			    n, false) < 0;
	}
	tap(bad == 0 && cases == 6 * (size_t)1112064, "every scalar value");
}

/* ids_plain - by definition: pieces by bpe_piece, and in each the leftmost pair
 * of the least rank until none is left */
static size_t
ids_plain(const struct bpe *b, struct view v, uint32_t *out)
{
	size_t count = 0, len, n, best;
	uint32_t rank, least, *id;

	for (size_t at = 0; at < v.n; at += len) {
		len = n = bpe_piece(b->pattern, v.p + at, v.n - at);
		id = out + count;
		if (b->whole && bpe_name_find(b, v.p + at, len) != BPE_NONE) {
			out[count++] = bpe_name_find(b, v.p + at, len);
			continue;
		}
		for (size_t i = 0; i < n; i++)
			id[i] = b->byte[(unsigned char)v.p[at + i]];
		for (;;) {
			least = BPE_NONE;
			best = 0;
			for (size_t i = 0; i + 1 < n; i++) {
				rank = bpe_pair_rank(b, id[i], id[i + 1]);
				if (rank < least) {
					least = rank;
					best = i;
				}
			}
			if (least == BPE_NONE)
				break;
			id[best] = b->made[least];
			memmove(id + best + 1, id + best + 2,
			    (n - best - 2) * sizeof(*id));
			n--;
		}
		count += n;
	}
	return count;
}

/* written - text in the byte-level alphabet */
static const char *
written(struct arena *a, const char *text)
{
	struct buf *b = buf_new(a, 256);
	char c[4];

	for (; *text != '\0'; text++)
		buf_add(b, c, utf8_put(bpe_byte_char((unsigned char)*text),
		    c));
	return buf_cstr(b);
}

/* vocabulary - learnt on random text; whole: with ignore_merges, and a token of
 * an ideograph twice that no rules make */
static struct view
vocabulary(struct arena *a, bool whole)
{
	struct learn_conf rules = { .kind = LEARN_BPE, .pattern = "gpt2",
	    .size = 2500, .min_count = 2, .coverage = 1, .threads = 1,
	    .memory = 1 << 26 };
	static const char type[] = "\"type\":\"BPE\",", in[] = "\"vocab\":{";
	struct err e = { 0 };
	struct learn *l = learn_begin(a, &rules, &e);
	struct buf *json = buf_new(a, 1 << 24);
	struct learn_thread *t;
	const char *at, *at2;
	struct view v;
	char text[400];
	FILE *file = tmpfile();
	int rc = -1;

	if (l != NULL && file != NULL) {
		t = learn_thread(l, fileno(file));
		for (int i = 0; i < 600; i++)
			learn_add(t, a, (struct view){ text,
			    text_make(text, 400, i % 4) }, &e);
		rc = learn_end(l, NULL, NULL, json, &e);
		fclose(file);
	}
	if (rc == -1)
		return (struct view){ e.text, 0 };
	v = view_of(buf_cstr(json));
	at = strstr(v.p, type);
	at2 = strstr(v.p, in);
	if (!whole || at == NULL || at2 == NULL || at2 < at)
		return v;
	at += strlen(type);
	at2 += strlen(in);
	return view_of(arena_printf(a, "%.*s\"ignore_merges\":true,%.*s"
	    "\"%s\":5000,%s", (int)(at - v.p), v.p, (int)(at2 - at), at,
	    written(a, "\xe9\xbe\x8d\xe9\xbe\x8d"), at2));
}

/* ids_agree - with a scratch, with one of its own, by definition, and back */
static bool
ids_agree(struct arena *a, const struct bpe *b, struct bpe_scratch *s,
    struct view v)
{
	uint32_t *one, *two, *three = arena_array(a, v.n + 1, sizeof(*three));
	size_t n = bpe_encode(b, s, a, v, &one), m;
	struct buf *back = buf_new(a, v.n + 1);

	m = ids_plain(b, v, three);
	if (n != m || memcmp(one, three, n * sizeof(*one)) != 0 ||
	    bpe_encode(b, NULL, a, v, &two) != n ||
	    memcmp(one, two, n * sizeof(*one)) != 0)
		return false;
	return bpe_decode(b, one, n, back) == 0 && !back->full &&
	    view_eq(buf_get(back), v);
}

static void
test_ids(struct arena *a, const struct bpe *b, const char *name)
{
	struct bpe_scratch *s = bpe_scratch(a, b);
	struct arena *work = arena_new();
	char text[1024];
	size_t bad = 0, cases = 0;

	for (int round = 0; round < 6; round++)
		for (size_t n = 0; n <= 200; n++, cases++) {
			arena_reset(work);
			text_make(text, n, round % KINDS);
			bad += !ids_agree(work, b, s, (struct view){ text,
			    n });
		}
	for (int round = 0; round < 100; round++, cases++) {
		arena_reset(work);
		text_make(text, sizeof(text), round % KINDS);
		bad += !ids_agree(work, b, s, (struct view){ text,
		    sizeof(text) });
	}
	if (b->whole)
		tap(bpe_find(b, "\xe9\xbe\x8d\xe9\xbe\x8d") == 5000,
		    "there is a token that no rules make");
	tap(bad == 0, "%s: %zu texts have the ids of the definition", name,
	    cases);
	arena_free(work);
}

/* test_steps - a mebibyte that is hard for some; steps grow as n log n at most */
static void
test_steps(struct arena *a, const struct bpe *b)
{
	static const struct {
		const char *name, *unit;
	} hard[] = {
		{ "one letter", "a" }, { "spaces", " " }, { "lines", "\n" },
		{ "digits", "1" }, { "one ideograph", "\xe4\xb8\xad" },
		{ "marks", "\xcc\x81" }, { "ticks", "'" },
		{ "lines and blanks", "\n " }, { "capitals", "aA" },
		{ "emoji", "\xf0\x9f\x98\x80\xe2\x80\x8d" },
		{ "slashes and lines", "/\n" }, { "random letters", NULL },
	};
	const size_t n = (size_t)1 << 20;
	char *text = arena_alloc(a, n);

	for (size_t i = 0; i < BASE_COUNT(hard); i++) {
		struct arena *work = arena_new();
		struct bpe_scratch *s = bpe_scratch(work, b);
		const char *unit = hard[i].unit;
		size_t len = unit == NULL ? 0 : strlen(unit), m = n;
		uint32_t *ids;
		double most;

		for (size_t at = 0; at < n; at++)
			text[at] = unit == NULL ? (char)('a' +
			    random_below(26)) : unit[at % len];
		m = unit == NULL ? n : n / len * len;
		bpe_encode(b, s, work, (struct view){ text, m }, &ids);
		most = (double)bpe_scratch_steps(s) / (double)m;
		tap(most < 80, "a mebibyte of %s: %.1f steps a byte",
		    hard[i].name, most);
		arena_free(work);
	}
}

struct job {
	pthread_t id;
	const struct bpe *b;
	struct view text;
	struct hash hash;
};

static void *
job_run(void *arg)
{
	struct job *j = arg;
	struct arena *a = arena_new();
	struct bpe_scratch *s = bpe_scratch(a, j->b);
	uint32_t *ids;
	size_t n;

	for (int i = 0; i < 3; i++) {
		n = bpe_encode(j->b, s, a, j->text, &ids);
		j->hash = hash_of(NULL, ids, n * sizeof(*ids));
	}
	arena_free(a);
	return NULL;
}

static void
test_threads(struct arena *a, const struct bpe *b)
{
	struct job job[8];
	char *text = arena_alloc(a, 1 << 18);
	bool same = true;

	text_make(text, 1 << 18, 1);
	for (size_t i = 0; i < BASE_COUNT(job); i++) {
		job[i] = (struct job){ .b = b, .text = { text, 1 << 18 } };
		pthread_create(&job[i].id, NULL, job_run, &job[i]);
	}
	for (size_t i = 0; i < BASE_COUNT(job); i++) {
		pthread_join(job[i].id, NULL);
		same = same && memcmp(&job[i].hash, &job[0].hash,
		    sizeof(job[0].hash)) == 0;
	}
	tap(same, "eight threads at once have the same ids");
}

/* test_kept - a directory of images: made, mapped, and not trusted */
static void
test_kept(struct arena *a, struct view json)
{
	struct hash h = hash_of(NULL, json.p, json.n), other = h;
	const char *dir = tap_dir();
	char name[COMPILED_NAME];
	struct view image, part;
	struct err e;
	int at, fd;
	char *p;

	if ((at = file_dir(AT_FDCWD, dir, &e)) == -1) {
		tap(false, "no directory");
		return;
	}
	tap(bpe_map(a, at, &h) == NULL, "an empty directory has none");
	tap(tokenizer_open_kept(a, json, &h, at, &e) != NULL &&
	    bpe_map(a, at, &h) != NULL, "what was opened once is mapped");
	test_ids(a, bpe_map(a, at, &h), "mapped");
	other.b[0] ^= 1;
	tap(bpe_map(a, at, &other) == NULL, "not for another file");
	compiled_name(&h, name);
	file_read(a, at, name, (size_t)1 << 30, &image, &e);
	p = arena_copy(a, image.p, image.n);
	compiled_name(&other, name);
	part = (struct view){ p, image.n };
	file_replace(at, name, part, 0600, false, &e);
	tap(bpe_map(a, at, &other) == NULL, "not under another name");
	compiled_name(&h, name);
	for (size_t i = 0; i < image.n; i += image.n / 17 + 1) {
		p[i] ^= 4;
		file_replace(at, name, part, 0600, false, &e);
		tap(bpe_map(a, at, &h) == NULL, "not with byte %zu changed",
		    i);
		p[i] ^= 4;
	}
	for (size_t n = 0; n < image.n; n += image.n / 7 + 1) {
		part.n = n;
		file_replace(at, name, part, 0600, false, &e);
		tap(bpe_map(a, at, &h) == NULL, "not cut to %zu bytes", n);
	}
	part.n = image.n;
	file_replace(at, name, part, 0600, false, &e);
	tap(bpe_map(a, at, &h) != NULL, "whole again");
	fd = openat(at, name, O_RDONLY);
	fchmod(fd, 0622);
	tap(bpe_map(a, at, &h) == NULL, "not if others may write to it");
	tap(tokenizer_open_kept(a, json, &h, at, &e) != NULL &&
	    bpe_map(a, at, &h) != NULL, "it is made anew then");
	close(fd);
	fchmod(at, 0500);
	unlinkat(at, name, 0);
	tap(tokenizer_open_kept(a, json, &h, at, &e) != NULL,
	    "a directory that cannot be written is no fault");
	file_remove(AT_FDCWD, dir, &e);
	close(at);
}

int
main(void)
{
	struct arena *a = arena_new();
	struct view json = vocabulary(a, false);
	struct view whole = vocabulary(a, true);
	struct err e = { 0 };
	struct bpe *b = bpe_open(a, json, &e), *w = bpe_open(a, whole, &e);

	if (b == NULL || w == NULL) {
		tap(false, "a vocabulary: %s", e.text);
		return tap_done();
	}
	test_blocks();
	test_letters();
	test_scalars();
	test_ids(a, b, "merges");
	test_ids(a, w, "whole pieces first");
	test_steps(a, b);
	test_threads(a, b);
	test_kept(a, json);
	arena_free(a);
	return tap_done();
}
