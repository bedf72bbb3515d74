/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "appliance/base/words.h"
#include "appliance/text/lines.h"
#include "appliance/text/rec.h"
#include "appliance/text/utf8.h"

/* JSON texts and whether they are good (RFC 8259) */
static const struct {
	const char *in;
	bool good;
} json_cases[] = {
	{ "{}", true }, { "[]", true }, { " [1, 2] ", true },
	{ "{\"a\":[{},[],\"x\"]}", true }, { "-0.5e+10", true },
	{ "\"\\u00e4\\n\"", true }, { "null", true },
	{ "", false }, { "{", false }, { "[1,]", false }, { "{\"a\"}", false },
	{ "{a:1}", false }, { "01", false }, { "1.", false }, { ".5", false },
	{ "+1", false }, { "\"\\x\"", false }, { "\"\\u12g4\"", false },
	{ "\"a\tb\"", false }, { "\"a", false }, { "[1] 2", false },
	{ "nul", false }, { "{\"a\":1,}", false }, { "[}", false },
	{ "{\"a\":1]", false }, { "NaN", false }, { "1e", false },
};

static void
test_json(struct arena *a)
{
	struct view v, s;
	struct err e;
	char deep[600];

	for (size_t i = 0; i < BASE_COUNT(json_cases); i++)
		tap((json_value(view_of(json_cases[i].in), &v, &e) == 0) ==
		    json_cases[i].good, "%s is %s", json_cases[i].in,
		    json_cases[i].good ? "JSON" : "not JSON");
	memset(deep, '[', 300);
	memset(deep + 300, ']', 300);
	tap(json_value((struct view){ deep, 600 }, &v, &e) == -1,
	    "300 levels are too deep");
	tap(json_string(a, VIEW("\"\\ud83d\\ude00\\u00e4\""), &s) &&
	    view_is(s, "\xf0\x9f\x98\x80\xc3\xa4"), "surrogate pairs");
	tap(!json_string(a, VIEW("\"\\ud83d\""), &s), "half a pair");
	tap(!json_string(a, VIEW("\"\\udc00\\ud83d\""), &s), "pair reversed");
	tap(json_get(VIEW("{\"a\":1, \"b\" : [2]}"), "b", &v) &&
	    view_is(v, "[2]"), "json_get");
}

static const struct {
	const char *name, *in, *want;
} rec_cases[] = {
	{ "bytes and order stay", "{ \"z\" : 1.50,\"a\":\"\\u0041\"}",
	    "{\"z\":1.50,\"a\":\"\\u0041\",\"text\":\"T\\n\"}" },
	{ "text in its place", "{\"text\":\"old\",\"b\":null}",
	    "{\"text\":\"T\\n\",\"b\":null}" },
};

static void
test_rec(struct arena *a)
{
	struct buf *b = buf_new(a, 4096);
	struct rec r;
	struct err e;
	double x;

	for (size_t i = 0; i < BASE_COUNT(rec_cases); i++) {
		b->n = 0;
		rec_parse(a, view_of(rec_cases[i].in), &r, &e);
		rec_set_str(a, &r, "text", VIEW("T\n"));
		rec_print(b, &r);
		tap_str(buf_cstr(b), rec_cases[i].want, rec_cases[i].name);
	}
	b->n = 0;
	rec_parse(a, VIEW("{\"facts\":{\"old\":1,\"n\":2},\"id\":\"x\"}"), &r,
	    &e);
	tap(rec_fact_get(&r, "n", &x) && x == 2, "a fact that came in");
	rec_fact(a, &r, "n", 3);
	rec_fact(a, &r, "new", 0.5);
	rec_print(b, &r);
	tap_str(buf_cstr(b), "{\"facts\":{\"old\":1,\"n\":3,\"new\":0.5},"
	    "\"id\":\"x\"}", "facts measured anew replace their elders");
	tap(rec_parse(a, VIEW("[1]"), &r, &e) == -1, "an array is no record");
	tap(rec_parse(a, VIEW("{\"a\":\"\xff\"}"), &r, &e) == -1,
	    "nor is what is not UTF-8");
}

/* a stream handed out in pieces of a given size */
struct pieces {
	const char *p;
	size_t n, step;
};

static ssize_t
pieces_read(void *arg, void *p, size_t n)
{
	struct pieces *s = arg;

	if (n > s->step)
		n = s->step;
	if (n > s->n)
		n = s->n;
	memcpy(p, s->p, n);
	s->p += n;
	s->n -= n;
	return (ssize_t)n;
}

static void
test_lines(struct arena *a)
{
	static const char text[] = "one\r\n\ntwolong!\nfour";

	for (size_t step = 1; step < 20; step += 3) {
		struct pieces s = { text, sizeof(text) - 1, step };
		struct buf *b = buf_new(a, 4096);
		struct lines l;
		struct view v;
		int64_t at;
		int rc;

		lines_open(&l, pieces_read, &s, 5);
		while ((rc = lines_next(&l, &v, &at)) != LINES_END)
			buf_printf(b, "%lld:%.*s%s|", (long long)at, (int)v.n,
			    v.p, rc == LINES_LONG ? "LONG" : "");
		tap_str(buf_cstr(b), "0:one|5:|6:LONG|15:four|",
		    "lines in pieces");
		lines_close(&l);
	}
}

static void
test_utf8(struct arena *a)
{
	size_t n;
	char c[4];

	tap(view_is(utf8_repair(a, VIEW("a\xff" "b\xe2\x82"), &n),
	    "a\xef\xbf\xbd" "b\xef\xbf\xbd") && n == 2,
	    "each ill-formed part is one U+FFFD");
	tap(view_is(utf8_nfc(a, VIEW("A\xcc\x88")), "\xc3\x84"), "NFC");
	tap(view_is(utf8_nfc(a, VIEW("\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa7"
	    "A\xcc\x88\xea\xb0\x80\xe1\x86\xa8")), "\xea\xb0\x80"
	    "\xe1\x86\xa7\xc3\x84\xea\xb0\x81"),
	    "a Hangul letter that joins nothing stays");
	tap(utf8_put(0x1f600, c) == 4 && utf8_get(c, &n) == 0x1f600 && n == 4,
	    "four bytes there and back");
	for (uint32_t u = 0; u < 0x110000; u++) {
		size_t len;
		char s[4];

		if (u >= 0xd800 && u < 0xe000)
			continue;
		len = utf8_put(u, s);
		if (utf8_check(s, len) != len || utf8_get(s, &n) != u) {
			tap(false, "U+%04X", u);
			return;
		}
	}
	tap(true, "all 1,112,064 scalars there and back");
	tap(utf8_letter('a') && utf8_letter(0x4e2d) && !utf8_letter('1') &&
	    utf8_digit(0x0663) && utf8_space(0xa0) && utf8_upper(0xc4),
	    "classes");
}

int
main(void)
{
	struct arena *a = arena_new();

	test_json(a);
	test_rec(a);
	test_lines(a);
	test_utf8(a);
	arena_free(a);
	return tap_done();
}
