/* SPDX-License-Identifier: Apache-2.0 */
/* gguf_test - a small container says what was put in; cut at any byte, or with
 * any of a table of lies in it, it is refused with the reason and the place */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/text/gguf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
put(struct buf *b, uint64_t x, unsigned n)
{
	for (; n > 0; n--, x >>= 8)
		buf_char(b, (char)x);
}

static void
put_text(struct buf *b, const char *s)
{
	put(b, strlen(s), 8);
	buf_str(b, s);
}

static void
put_key(struct buf *b, const char *name, unsigned type)
{
	put_text(b, name);
	put(b, type, 4);
}

static void
put_tensor(struct buf *b, const char *name, unsigned form, uint64_t rows,
    uint64_t cols, uint64_t at)
{
	put_text(b, name);
	put(b, 2, 4);
	put(b, cols, 8);
	put(b, rows, 8);
	put(b, form, 4);
	put(b, at, 8);
}

#define KEYS	12

/* sample - every type of value once, two tensors of 4 x 32 */
static struct buf *
sample(struct arena *a)
{
	struct buf *b = buf_new(a, 1 << 16);

	buf_str(b, "GGUF");
	put(b, 3, 4);
	put(b, 2, 8);
	put(b, KEYS, 8);
	put_key(b, "a.text", GGUF_TEXT);
	put_text(b, "corn");
	put_key(b, "a.u8", GGUF_U8);
	put(b, 200, 1);
	put_key(b, "a.i8", GGUF_I8);
	put(b, 200, 1);
	put_key(b, "a.i16", GGUF_I16);
	put(b, 0xfffe, 2);
	put_key(b, "a.u64", GGUF_U64);
	put(b, UINT64_MAX, 8);
	put_key(b, "a.f32", GGUF_F32);
	put(b, 0x3fc00000, 4);
	put_key(b, "a.f64", GGUF_F64);
	put(b, 0xc004000000000000, 8);
	put_key(b, "a.bool", GGUF_BOOL);
	put(b, 1, 1);
	put_key(b, "a.texts", GGUF_ARRAY);
	put(b, GGUF_TEXT, 4);
	put(b, 3, 8);
	put_text(b, "mill");
	put_text(b, "");
	put_text(b, "wheel");
	put_key(b, "a.numbers", GGUF_ARRAY);
	put(b, GGUF_I32, 4);
	put(b, 2, 8);
	put(b, 7, 4);
	put(b, 0xffffffff, 4);
	put_key(b, "a.nested", GGUF_ARRAY);
	put(b, GGUF_ARRAY, 4);
	put(b, 2, 8);
	for (int i = 0; i < 2; i++) {
		put(b, GGUF_U8, 4);
		put(b, 3, 8);
		put(b, 0x030201, 3);
	}
	put_key(b, "general.alignment", GGUF_U32);
	put(b, 64, 4);
	put_tensor(b, "one", GGUF_FORM_Q8_0, 4, 32, 0);
	put_tensor(b, "two", GGUF_FORM_F32, 4, 32, 192);
	while (b->n % 64 != 0)
		buf_char(b, 0);
	for (int i = 0; i < 192 + 512; i++)
		buf_char(b, (char)i);
	return b;
}

static void
test_values(struct arena *a)
{
	struct view file = buf_get(sample(a)), text;
	struct gguf g;
	struct gguf_array v;
	struct err e = { .text = "" };
	int64_t whole;
	double number;
	bool flag;

	tap(gguf_parse(a, file, file.n, &g, &e) == 0, "it opens: %s", e.text);
	tap(g.nkeys == KEYS && g.ntensors == 2 && g.version == 3 &&
	    g.align == 64 && g.data % 64 == 0, "counts and alignment");
	tap(gguf_text(&g, "a.text", &text) && view_is(text, "corn"), "a text");
	tap(gguf_whole(&g, "a.u8", &whole) && whole == 200, "u8");
	tap(gguf_whole(&g, "a.i8", &whole) && whole == -56, "i8");
	tap(gguf_whole(&g, "a.i16", &whole) && whole == -2, "i16");
	tap(gguf_whole(&g, "a.u64", &whole) && whole == INT64_MAX,
	    "u64 beyond int64 is its greatest");
	tap(gguf_number(&g, "a.f32", &number) && number == 1.5, "f32");
	tap(gguf_number(&g, "a.f64", &number) && number == -2.5, "f64");
	tap(gguf_number(&g, "a.u8", &number) && number == 200,
	    "an integer is a number");
	tap(gguf_bool(&g, "a.bool", &flag) && flag, "bool");
	tap(!gguf_whole(&g, "a.f32", &whole) && !gguf_text(&g, "a.u8", &text) &&
	    !gguf_bool(&g, "none", &flag), "no value of another type or none");
	tap(gguf_array(&g, "a.texts", GGUF_TEXT, &v) && v.n == 3 &&
	    gguf_next(&v.raw, &text) && view_is(text, "mill") &&
	    gguf_next(&v.raw, &text) && text.n == 0 &&
	    gguf_next(&v.raw, &text) && view_is(text, "wheel") &&
	    !gguf_next(&v.raw, &text), "an array of texts");
	tap(gguf_array(&g, "a.numbers", GGUF_I64, &v) && v.n == 2 &&
	    gguf_whole_at(&v, 0) == 7 && gguf_whole_at(&v, 1) == -1 &&
	    gguf_at(&v, 1) == -1, "an array of integers");
	tap(!gguf_array(&g, "a.texts", GGUF_F64, &v), "texts are no numbers");
	tap(gguf_array(&g, "a.nested", GGUF_ARRAY, &v) && v.n == 2,
	    "arrays in an array");
	tap(strcmp(g.tensor[1].name, "two") == 0 && g.tensor[1].count == 128 &&
	    g.tensor[1].bytes == 512 && g.tensor[0].bytes == 4 * 34 &&
	    g.tensor[1].at == g.data + 192, "sizes and places of tensors");
}

/* every shorter file is refused; every changed byte at least ends */
static void
test_damage(struct arena *a)
{
	struct view file = buf_get(sample(a));
	struct arena *each = arena_new();
	struct gguf g;
	struct err e;
	char *copy = arena_copy(a, file.p, file.n);
	size_t opened = 0, tried = 0;

	for (size_t n = 0; n < file.n; n++, arena_reset(each))
		opened += gguf_parse(each, (struct view){ file.p, n }, n, &g,
		    &e) == 0;
	tap(opened == 0, "cut at any of %zu bytes it is refused", file.n);
	for (size_t i = 0; i < file.n - 704; i++)
		for (int bit = 0; bit < 8; bit++, arena_reset(each)) {
			copy[i] ^= (char)(1 << bit);
			gguf_parse(each, (struct view){ copy, file.n }, file.n,
			    &g, &e);
			copy[i] ^= (char)(1 << bit);
			tried++;
		}
	tap(tried > 0, "%zu changed bits were lived through", tried);
	arena_free(each);
}

/* one lie each: bytes at the place behind a mark become others */
static const struct lie {
	const char *mark;
	size_t behind;			/* bytes after the mark's end */
	uint64_t value;
	unsigned n;
	const char *says;
} lies[] = {
	{ "GG", 0, 0, 1, "does not begin with GGUF" },
	{ "GGUF", 0, 1, 4, "version 1: 2 and 3" },
	{ "GGUF", 0, 0x03000000, 4, "big-endian" },
	{ "GGUF", 4, 1ull << 40, 8, "tensors do not fit" },
	{ "GGUF", 12, 1ull << 40, 8, "keys do not fit" },
	{ "a.text", 0, 13, 4, "unknown type 13" },
	{ "a.text", 4, 1ull << 63, 8, "does not fit the file" },
	{ "a.texts", 8, 1ull << 60, 8, "longer than the file" },
	{ "a.numbers", 4, 99, 4, "unknown type 99" },
	{ "a.numbers", 8, 1ull << 62, 8, "longer than the file" },
	{ "general.alignment", 4, 0, 4, "no power of two" },
	{ "general.alignment", 4, 48, 4, "no power of two" },
	{ "general.alignment", 0, GGUF_I32, 4, "no u32" },
	{ "one", 0, 5, 4, "5 dimensions" },
	{ "one", 4, 0, 8, "has no numbers" },
	{ "one", 4, 33, 8, "no whole blocks of 32" },
	{ "one", 4, 1ull << 62, 8, "too large" },
	{ "one", 12, 1ull << 50, 8, "ends beyond the file" },
	{ "one", 20, 4, 4, "unknown type 4" },
	{ "one", 24, 32, 8, "no multiple of 64" },
	{ "two", 24, 64, 8, "in the same place" },
	{ "two", 24, 1ull << 62, 8, "ends beyond the file" },
};

static void
test_lies(struct arena *a)
{
	struct view file = buf_get(sample(a));
	struct gguf g;
	struct err e;
	char *copy, *p;

	for (size_t i = 0; i < BASE_COUNT(lies); i++) {
		const struct lie *l = &lies[i];

		copy = arena_copy(a, file.p, file.n);
		p = memmem(copy, file.n, l->mark, strlen(l->mark));
		p += strlen(l->mark) + l->behind;
		for (unsigned k = 0; k < l->n; k++)
			p[k] = (char)(l->value >> 8 * k);
		tap(gguf_parse(a, (struct view){ copy, file.n }, file.n, &g,
		    &e) == -1 && e.fate == FATE_REJECT &&
		    strstr(e.text, l->says) != NULL &&
		    strstr(e.text, "at byte") != NULL, "%s: %s", l->says,
		    e.text);
	}
	copy = arena_copy(a, file.p, file.n);
	p = memmem(copy, file.n, "a.i8", 4);
	p[2] = 'u';
	tap(gguf_parse(a, (struct view){ copy, file.n }, file.n, &g,
	    &e) == -1 && strstr(e.text, "'a.u8' is there twice") != NULL,
	    "a key twice: %s", e.text);
	copy = arena_copy(a, file.p, file.n);
	memcpy(memmem(copy, file.n, "two", 3), "one", 3);
	tap(gguf_parse(a, (struct view){ copy, file.n }, file.n, &g,
	    &e) == -1 && strstr(e.text, "'one' is there twice") != NULL,
	    "a tensor twice: %s", e.text);
}

/* a header of more than a mebibyte is read in several bites */
static void
test_file(struct arena *a)
{
	const char *dir = tap_dir(), *path = arena_printf(a, "%s/f", dir);
	struct buf *b = buf_new(a, 8 << 20);
	struct gguf_array v;
	struct view text;
	struct gguf g;
	struct err e = { .text = "" };
	char got[4];
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t n = 0;

	buf_str(b, "GGUF");
	put(b, 3, 4);
	put(b, 1, 8);
	put(b, 1, 8);
	put_key(b, "words", GGUF_ARRAY);
	put(b, GGUF_TEXT, 4);
	put(b, 200000, 8);
	for (int i = 0; i < 200000; i++)
		put_text(b, "corn");
	put_tensor(b, "t", GGUF_FORM_BF16, 1, 2, 0);
	while (b->n % 32 != 0)
		buf_char(b, 0);
	buf_str(b, "wxyz");
	tap(fd != -1 && file_put(fd, b->p, b->n) == 0 &&
	    gguf_open(a, AT_FDCWD, path, &g, &e) == 0, "a long one: %s",
	    e.text);
	if (gguf_array(&g, "words", GGUF_TEXT, &v))
		while (gguf_next(&v.raw, &text))
			n += view_is(text, "corn");
	tap(n == 200000, "all its texts");
	tap(gguf_read(g.tensor, 0, got, 4, &e) == 0 &&
	    memcmp(got, "wxyz", 4) == 0, "its data");
	tap(gguf_read(g.tensor, 2, got, 3, &e) == -1, "not beyond them");
	tap(ftruncate(fd, (off_t)b->n - 1) == 0 &&
	    gguf_read(g.tensor, 0, got, 4, &e) == -1 &&
	    strstr(e.text, "cut short") != NULL, "cut while open: %s", e.text);
	tap(gguf_open(a, AT_FDCWD, path, &g, &e) == -1 &&
	    strstr(e.text, "beyond the file") != NULL, "and then: %s", e.text);
	tap(gguf_open(a, AT_FDCWD, "/tmp", &g, &e) == -1, "a directory: %s",
	    e.text);
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* put_part - one of two files with a tensor each */
static void
put_part(struct arena *a, int dir, const char *name, unsigned no,
    const char *tensor)
{
	struct buf *b = buf_new(a, 1 << 16);
	struct err e;

	buf_str(b, "GGUF");
	put(b, 3, 4);
	put(b, 1, 8);
	put(b, 3, 8);
	put_key(b, "split.no", GGUF_U16);
	put(b, no, 2);
	put_key(b, "split.count", GGUF_U16);
	put(b, 2, 2);
	put_key(b, "split.tensors.count", GGUF_I32);
	put(b, 2, 4);
	put_tensor(b, tensor, GGUF_FORM_F32, 1, 1, 0);
	while (b->n % 32 != 0)
		buf_char(b, 0);
	buf_printf(b, "%.4s", tensor);
	tap(file_replace(dir, name, buf_get(b), 0600, false, &e) == 0,
	    "'%s' is made", name);
}

/* files of one container are one, unless they are not what they say */
static void
test_parts(struct arena *a)
{
	static const struct {
		unsigned no;
		const char *tensor, *says;
	} second[] = {
		{ 1, "rear", NULL },
		{ 1, "fore", "'fore' is in two files" },
		{ 0, "rear", "do not say that it is number 2 of 2" },
	};
	const char *path = tap_dir();
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char got[4];
	struct err e = { .text = "" };
	struct gguf g;
	int rc;

	put_part(a, dir, "m-00001-of-00002.gguf", 0, "fore");
	tap(gguf_shards(a, dir, "m-00001-of-00002.gguf", &g, &e) == -1 &&
	    strstr(e.text, "m-00002-of-00002.gguf") != NULL, "one is missing: "
	    "%s", e.text);
	for (size_t i = 0; i < BASE_COUNT(second); i++) {
		put_part(a, dir, "m-00002-of-00002.gguf", second[i].no,
		    second[i].tensor);
		rc = gguf_shards(a, dir, "m-00001-of-00002.gguf", &g, &e);
		if (second[i].says == NULL)
			tap(rc == 0 && g.ntensors == 2 && gguf_read(
			    &g.tensor[1], 0, got, 4, &e) == 0 &&
			    memcmp(got, "rear", 4) == 0, "two files: %s",
			    e.text);
		else
			tap(rc == -1 && strstr(e.text, second[i].says) != NULL,
			    "%s: %s", second[i].says, e.text);
	}
	unlinkat(dir, "m-00001-of-00002.gguf", 0);
	unlinkat(dir, "m-00002-of-00002.gguf", 0);
	close(dir);
	rmdir(path);
}

int
main(void)
{
	struct arena *a = arena_new();

	test_values(a);
	test_damage(a);
	test_lies(a);
	test_file(a);
	test_parts(a);
	arena_free(a);
	return tap_done();
}
