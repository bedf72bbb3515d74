/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "appliance/base/buf.h"
#include "appliance/base/conf.h"
#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/base/id.h"
#include "appliance/base/opt.h"
#include "appliance/base/when.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int closed[3], nclosed;

static void
closer(void *arg)
{
	closed[nclosed++] = *(int *)arg;
}

static void
test_arena(void)
{
	struct arena *a = arena_new();
	int one = 1, two = 2;
	char *p, *q;

	p = arena_alloc(a, 5);
	q = arena_alloc(a, 100000);
	tap(((uintptr_t)p & 15) == 0 && ((uintptr_t)q & 15) == 0,
	    "arena aligns to 16");
	tap(q[0] == 0 && q[99999] == 0, "arena zeroes");
	tap(strcmp(arena_printf(a, "%d-%s", 7, "x"), "7-x") == 0,
	    "arena_printf");
	arena_defer(a, closer, &one);
	arena_defer(a, closer, &two);
	arena_reset(a);
	tap(nclosed == 2 && closed[0] == 2 && closed[1] == 1,
	    "closers run in reverse");
	arena_free(a);
	tap(nclosed == 2, "and once");
}

static void
test_buf(void)
{
	struct buf b;

	buf_init(&b, 8);
	buf_str(&b, "12345678");
	tap(!b.full && b.n == 8, "a buffer holds its maximum");
	buf_char(&b, '9');
	tap(b.full && b.n == 8, "and not more; it says so");
	buf_free(&b);
	buf_init(&b, 256);
	buf_json(&b, VIEW("a\"\\\n\x01\xc3\xa4/"));
	tap_str(buf_cstr(&b), "\"a\\\"\\\\\\n\\u0001\xc3\xa4/\"", "JSON string");
	b.n = 0;
	buf_json_num(&b, 0.1);
	buf_char(&b, ' ');
	buf_json_num(&b, -3);
	buf_char(&b, ' ');
	buf_json_num(&b, 1.0 / 3);
	buf_char(&b, ' ');
	buf_json_num(&b, 1.0 / 0.0);
	tap_str(buf_cstr(&b), "0.1 -3 0.3333333333333333 null",
	    "JSON numbers are the shortest that read back");
	buf_free(&b);
}

struct sample {
	bool flag;
	int64_t n, size, wait;
	double x;
	int mode;
	const char *name;
	struct opt_list list, rest, kinds;
};

static const struct opt sample_opts[] = {
	OPT_TEXT(struct sample, name, NULL, OPT_POSITIONAL | OPT_NEEDED, "n"),
	OPT_BOOL(struct sample, flag, "no", 0, "f"),
	OPT_INT(struct sample, n, "5", 1, 10, 0, "i"),
	OPT_SIZE(struct sample, size, "1K", 0, 0, 0, "s"),
	OPT_DURATION(struct sample, wait, "1m", 0, 0, 0, "w"),
	OPT_FLOAT(struct sample, x, "0.5", 0, 1, 0, "x"),
	OPT_ENUM(struct sample, mode, "b", "a|b|c", 0, "m"),
	OPT_LIST(struct sample, list, NULL, 0, "l"),
	OPT_LIST(struct sample, kinds, "u,v", 0, "k"),
	OPT_PATH_IN(struct sample, rest, NULL, OPT_POSITIONAL | OPT_MANY,
	    "r"),
	OPT_DONE
};

/* opt_cases - words, and the error or the values */
static const struct {
	const char *words, *want;
} opt_cases[] = {
	{ "me", "me no 5 1024 60 0.5 b  u,v " },
	{ "me flag=yes n=7 size=2M wait=2h x=1 mode=c list=p,q",
	    "me yes 7 2097152 7200 1 c p,q u,v " },
	{ "me /a /b,c", "me no 5 1024 60 0.5 b  u,v /a,/b,c" },
	{ "me kinds=w", "me no 5 1024 60 0.5 b  w " },
	{ "me kinds=w kinds=v,u", "me no 5 1024 60 0.5 b  w,v,u " },
	{ "\"x=y\"", "x=y no 5 1024 60 0.5 b  u,v " },
	{ "", "!'name' is missing: n" },
	{ "me n=11", "!1:4: n=: '11' is not within 1 to 10" },
	{ "me n=x", "!1:4: n=: 'x' is not a whole number" },
	{ "me moed=a", "!1:4: no option 'moed' (did you mean 'mode'?)" },
	{ "me mode=d", "!1:4: mode=: 'd' is not one of a|b|c" },
	{ "me n=1 n=2", "!1:8: 'n' is given twice" },
	{ "me flag=maybe", "!1:4: flag=: 'maybe' is neither yes nor no" },
	{ "me x=nan", "!1:4: x=: 'nan' is not a number" },
	{ "me size=4Q", "!1:4: size=: '4Q' is not a size such as 64K, 4M, 2G" },
};

static void
test_opt(struct arena *a)
{
	struct sample s;
	struct words w;
	struct line l;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(opt_cases); i++) {
		struct buf *b = buf_new(a, 4096);

		memset(&s, 0, sizeof(s));
		words_open(&w, a, opt_cases[i].words,
		    strlen(opt_cases[i].words), &e);
		words_next(&w, &l, &e);
		if (opt_defaults(sample_opts, &s, a, &e) == -1 ||
		    opt_words(sample_opts, &s, a, l.word, l.n, &e) == -1)
			buf_printf(b, "!%s", e.text);
		else
			for (size_t k = 0; sample_opts[k].name != NULL; k++) {
				if (k > 0)
					buf_char(b, ' ');
				opt_value(&sample_opts[k], &s, b);
			}
		tap_str(buf_cstr(b), opt_cases[i].want, opt_cases[i].words);
	}
}

/* test_paths - references and paths of an option, one after the other */
static void
test_paths(struct arena *a)
{
	static const struct {
		const char *value, *want;
	} cases[] = {
		{ "one", "one/0" }, { "a=one,./b=c,d=./e=f,x@y:z",
		    "one/1 ./b=c/0 ./e=f/1 x@y:z/0" },
		{ "long-name=./x,,=y", "./x/9 y/0" },
	};
	struct opt_list list;
	static const struct opt o[] = {
		{ .name = "m", .type = OPT_MODEL, .flags = OPT_MANY },
		OPT_DONE
	};
	const char *text;
	struct err e;
	size_t n;

	for (size_t i = 0; i < BASE_COUNT(cases); i++) {
		struct buf *b = buf_new(a, 4096);

		memset(&list, 0, sizeof(list));
		opt_set(o, &list, a, "m", cases[i].value, &e);
		for (size_t k = 0; (text = opt_path(o, &list, k, &n)) != NULL;
		    k++)
			buf_printf(b, "%s%s/%zu", k > 0 ? " " : "", text, n);
		tap_str(buf_cstr(b), cases[i].want, cases[i].value);
	}
}

/* every default of quern.conf parses within its own range */
static void
test_conf(struct arena *a)
{
	struct conf c;
	struct err e;

	memset(&c, 0, sizeof(c));
	tap(opt_defaults(conf_opts, &c, a, &e) == 0,
	    "quern.conf's defaults parse");
	tap(c.jobs == 4 && c.min_free == (int64_t)256 << 20, "and mean that");
}

static const struct {
	const char *in, *now, *want;
} calendar_cases[] = {
	{ "sun 02:00", "2026-11-24T00:00:00", "2026-11-29T02:00:00Z" },
	{ "tue 02:00", "2026-11-24T02:00:00", "2026-12-01T02:00:00Z" },
	{ "mon,wed 08:30", "2026-11-24T09:00:00", "2026-11-25T08:30:00Z" },
	{ "day 02:00", "2026-11-24T01:59:59", "2026-11-24T02:00:00Z" },
	{ "month 31 02:00", "2026-11-24T00:00:00", "2026-11-30T02:00:00Z" },
	{ "month 29", "2027-02-01T00:00:00", "2027-02-28T00:00:00Z" },
	{ "hour", "2026-11-24T00:30:00", "2026-11-24T01:00:00Z" },
	{ "15m", "2026-11-24T00:30:00", "2026-11-24T00:45:00Z" },
	{ "someday", "2026-11-24T00:00:00", NULL },
	{ "sun 25:00", "2026-11-24T00:00:00", NULL },
	{ "0s", "2026-11-24T00:00:00", NULL },
};

static void
test_when(void)
{
	struct calendar c;
	char out[32];
	struct err e;
	time_t now;
	int64_t n;

	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < BASE_COUNT(calendar_cases); i++) {
		int rc = when_calendar(calendar_cases[i].in, &c, &e);

		when_time(calendar_cases[i].now, 0, &now, &e);
		if (calendar_cases[i].want == NULL)
			tap(rc == -1, "'%s' is refused", calendar_cases[i].in);
		else
			tap_str(rc == 0 ? when_show_time(when_next(&c, now),
			    out) : e.text, calendar_cases[i].want,
			    calendar_cases[i].in);
	}
	tap(when_duration("1.5h", &n, &e) == 0 && n == 5400, "1.5h");
	tap(when_duration("0x10", &n, &e) == -1, "hex is no duration");
	tap(when_duration("-1s", &n, &e) == -1, "nothing lasts -1 s");
	tap(when_size("1e3", &n, &e) == -1, "1e3 is no size");
	tap(when_time("+2h", 100, &now, &e) == 0 && now == 7300, "+2h");
}

static void
test_id(void)
{
	char a[ID_LEN + 1], b[ID_LEN + 1];

	id_new(a);
	id_new(b);
	tap(id_valid(a) && id_valid(b) && strcmp(a, b) != 0,
	    "ids are valid and differ");
	tap(id_prefix("2026") && !id_prefix("2x") && !id_prefix(""),
	    "prefixes of ids");
	tap(name_valid("a-b_c.9", 7) && !name_valid("-a", 2) &&
	    !name_valid("A", 1) && !name_valid("a/b", 3), "names");
	tap(name_distance("dedpu", "dedup") == 2 &&
	    name_distance("clean", "clean") == 0, "edit distance");
}

static void
test_file(struct arena *a)
{
	const char *dir = tap_dir();
	struct view v;
	struct err e;
	int fd;

	fd = file_dir(AT_FDCWD, dir, &e);
	tap(file_replace(fd, "f", VIEW("one"), 0600, true, &e) == 0 &&
	    file_replace(fd, "f", VIEW("two"), 0600, false, &e) == 0 &&
	    file_read(a, fd, "f", 100, &v, &e) == 0 && view_is(v, "two"),
	    "file_replace replaces");
	tap(file_read(a, fd, "f", 2, &v, &e) == -1, "file_read keeps to max");
	tap(file_read(a, fd, "none", 2, &v, &e) == -1 &&
	    e.fate == FATE_NOINPUT, "what is absent is no input");
	mkdirat(fd, "d", 0700);
	mkdirat(fd, "d/e", 0700);
	file_replace(fd, "d/e/f", VIEW("12345"), 0600, false, &e);
	tap(file_usage(fd, "d") == 5, "file_usage");
	tap(symlinkat("/etc", fd, "d/link") == 0 &&
	    file_remove(fd, "d", &e) == 0 && !file_exists(fd, "d") &&
	    access("/etc", F_OK) == 0, "file_remove stays inside");
	file_remove(AT_FDCWD, dir, &e);
	close(fd);
}

/* test_err - what is quoted may be no text, or cut */
static void
test_err(void)
{
	char text[600];
	struct err e;

	err_set(&e, FATE_REJECT, "a '%.3s' b \xc0\x80\xed\xa0\x80\xf5"
	    "\xe0\x80\x80\xf4\x90\x80\x80 \xed\x9f\xbf\xf0\x90\x80\x80",
	    "\xc3\xa9\xe4\xb8\xad");
	tap_str(e.text, "a '\xc3\xa9?' b ????????????? \xed\x9f\xbf\xf0\x90"
	    "\x80\x80", "a message is UTF-8 whatever is quoted");
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[sizeof(text) - 2] = '\0';
	err_set(&e, FATE_REJECT, "%s", text);
	err_prefix(&e, "xy");
	tap(strlen(e.text) == sizeof(e.text) - 1 && e.text[2] == '\xc3' &&
	    e.text[sizeof(e.text) - 2] == '?', "and where it is cut");
}

static void
test_hash(void)
{
	struct hash_key k = { { 1 } };
	char hex[HASH_HEX + 1];
	struct hash h;

	/* BLAKE2b-256 of the empty text, RFC 7693 reference code */
	hash_hex(hash_of(NULL, "", 0), hex);
	tap_str(hex, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cd"
	    "f12fe3a8", "BLAKE2b-256");
	h = hash_of(&k, "a", 1);
	tap(memcmp(&h, &(struct hash){ { 0 } }, sizeof(h)) != 0 &&
	    hash_u64(h) != hash_u64(hash_of(NULL, "a", 1)), "keyed");
}

int
main(void)
{
	struct arena *a = arena_new();

	test_arena();
	test_buf();
	test_opt(a);
	test_paths(a);
	test_conf(a);
	test_when();
	test_id();
	test_file(a);
	test_err();
	test_hash();
	arena_free(a);
	return tap_done();
}
