/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every scalar value of Unicode through every kind of part that knows classes
 * of characters: digests of the pieces and their places, which the libraries
 * gave (tests/golden/hf/sweep.jsonl, by tests/peer/hf_golden.py).
 */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/text/hf.h"
#include "appliance/text/hf_char.h"
#include "appliance/text/utf8.h"

#include <fcntl.h>

#define BLOCK	1024u			/* scalars of one text */
#define BLOCKS	(HF_CHARS / BLOCK)

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SOME	1
#endif
#endif
#ifndef SOME
#define SOME	0
#endif

/* in_some - blocks of the short sweep, for builds that are slow */
static bool
in_some(unsigned block)
{
	return block < 4 || block % 64 == 10;
}

/* text_of - each scalar of a block in a few places */
static struct view
text_of(unsigned block, char *text)
{
	size_t n = 0;

	for (uint32_t c = block * BLOCK; c < (block + 1) * BLOCK; c++) {
		if (c >= 0xd800 && c < 0xe000)
			continue;
		for (const char *p = "*a** *1"; *p != '\0'; p++)
			if (*p == '*')
				n += utf8_put(c, text + n);
			else
				text[n++] = *p;
	}
	return (struct view){ text, n };
}

static void
add_number(struct hash_state *h, uint32_t n)
{
	unsigned char b[4] = { (unsigned char)n, (unsigned char)(n >> 8),
	    (unsigned char)(n >> 16), (unsigned char)(n >> 24) };

	hash_add(h, b, 4);
}

/* sweep - the digest of all pieces with their places, or of some blocks */
static bool
sweep(const struct hf *t, bool some, struct hash *digest)
{
	static char text[BLOCK * 20];
	struct arena *a = arena_new();
	struct hash_state h;
	struct hf_encoding x;
	struct err e;
	bool ok = true;

	hash_begin(&h, NULL);
	for (unsigned block = 0; ok && block < BLOCKS; block++) {
		if (some && !in_some(block))
			continue;
		arena_reset(a);
		ok = hf_encode(t, a, text_of(block, text), NULL, HF_POINTS |
		    HF_TEXTS, &x, &e) == 0;
		for (size_t i = 0; ok && i < x.n; i++) {
			add_number(&h, x.v[i].from);
			add_number(&h, x.v[i].to);
			hash_add(&h, x.v[i].text.p, x.v[i].text.n);
			hash_add(&h, "\377", 1);
		}
	}
	arena_free(a);
	*digest = hash_end(&h);
	return ok;
}

/* family - a line: {"about":WHAT,"file":TOKENIZER,"all":HEX,"some":HEX} */
static void
family(struct arena *a, const struct hf_chars *chars, struct view line)
{
	struct view root, about, file, v;
	struct hash got;
	char hex[HASH_HEX + 1];
	struct err e;
	struct hf *t;

	if (json_value(line, &root, &e) == -1 ||
	    !json_get(root, "about", &about) ||
	    !json_get(root, "file", &file) ||
	    !json_get(root, SOME ? "some" : "all", &v) ||
	    !json_string(a, v, &v)) {
		tap(false, "a line of the golden file is wrong");
		return;
	}
	t = hf_open_with(a, chars, file, &e);
	if (t == NULL) {
		tap(false, "%.*s: %s", (int)about.n, about.p, e.text);
		return;
	}
	if (!sweep(t, SOME, &got))
		hex[0] = '\0';
	else
		hash_hex(got, hex);
	tap(view_is(v, hex), "%.*s: %s scalars", (int)about.n, about.p, SOME ?
	    "some" : "all 1,112,064");
}

int
main(void)
{
	struct arena *a = arena_new();
	const struct hf_chars *chars = hf_chars_new(a);
	const char *src = getenv("srcdir");
	struct view file;
	struct err e;

	if (file_read(a, AT_FDCWD, arena_printf(a, "%s/tests/golden/hf/"
	    "sweep.jsonl", src == NULL ? "." : src), (size_t)1 << 24, &file,
	    &e) == -1) {
		tap(false, "%s", e.text);
		return tap_done();
	}
	for (size_t at = 0; at < file.n;) {
		const char *nl = memchr(file.p + at, '\n', file.n - at);
		size_t end = nl == NULL ? file.n : (size_t)(nl - file.p);
		struct arena *one = arena_new();

		family(one, chars, (struct view){ file.p + at, end - at });
		arena_free(one);
		at = end + 1;
	}
	arena_free(a);
	return tap_done();
}
