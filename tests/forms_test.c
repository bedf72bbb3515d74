/* SPDX-License-Identifier: Apache-2.0 */
/* Normal form C by parts beside the whole text through the steps of
 * tokenizer.json's normalizers */
#include "tests/random.h"
#include "tests/tap.h"

#include "appliance/text/hf_nf.h"
#include "appliance/text/utf8.h"

#define TEXTS	20000

/* plain ones of each kind, marks, what composes with what is before it, what
 * 9.0 does not know */
static const uint32_t letters[] = { 'a', 'e', ' ', '.', 0xe9, 0x301, 0x323,
    0x308, 0x345, 0x37e, 0x3b1, 0x431, 0x5d0, 0x5b0, 0x64b, 0x627, 0x654,
    0x915, 0x94d, 0x93c, 0x9c7, 0x9be, 0x1100, 0x1161, 0x11a7, 0x11a8, 0xac00,
    0x3042, 0x304b, 0x3099, 0x30ab, 0x4e2d, 0xf900, 0x212b, 0x2126, 0xfeff,
    0x1df9, 0x8ca, 0x1d15e, 0x11935, 0x11930, 0x16d63, 0x16d67, 0x1f600,
    0x2f800, 0x10ffff };

/* text_make - some characters, and runs that part them */
static size_t
text_make(char *out)
{
	size_t n = 0, parts = random_below(24), run;

	for (size_t i = 0; i < parts; i++) {
		n += utf8_put(letters[random_below(BASE_COUNT(letters))],
		    out + n);
		run = random_below(12) == 0 ? random_below(90) : 0;
		memset(out + n, 'x', run);
		n += run;
	}
	return n;
}

int
main(void)
{
	struct arena *all = arena_new(), *a = arena_new();
	const struct hf_chars *chars = hf_chars_new(all);
	size_t bad = 0, kept = 0;
	char text[24 * 96];

	for (int i = 0; i < TEXTS; i++) {
		struct view v = { text, 0 }, r;
		struct hf_text x;

		arena_reset(a);
		v.n = text_make(text);
		r = utf8_nfc9(a, v);
		x = hf_text_new(a, v);
		hf_nf(chars, &x, HF_NFC);
		bad += !view_eq(r, hf_text_get(&x));
		if (view_eq(r, v)) {
			kept++;
			bad += r.p != v.p;
		}
	}
	tap(bad == 0, "%d texts are brought into the form", TEXTS);
	tap(kept > TEXTS / 20 && kept < TEXTS, "%zu of them are in it, and "
	    "come back themselves", kept);
	arena_free(a);
	arena_free(all);
	return tap_done();
}
