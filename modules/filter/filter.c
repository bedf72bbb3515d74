/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - the quality and repetition rules of Gopher (arXiv 2112.11446,
 * appendix A) as facts beside each record, and as verdicts where a threshold is
 * crossed.  Words are runs without white space; a duplicate is a repeat after
 * the first; shares are of the text's bytes.  filter(1) defines each fact.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/text/utf8.h"
#include "appliance/text/words.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct filter_conf {
	const char *text;
	bool decide;
	int64_t min_words, max_words, min_stop_words;
	double min_word_length, max_word_length, max_hash, max_ellipsis;
	double max_bullets, max_ellipsis_lines, min_alpha;
	double dup_lines, dup_paragraphs, dup_line_share, dup_paragraph_share;
	double top2, top3, top4, dup5, dup6, dup7, dup8, dup9, dup10;
};

#define SHARE(f, d, h)	OPT_FLOAT(struct filter_conf, f, d, 0, 1, 0, h)

static const struct opt filter_opts[] = {
	OPT_TEXT(struct filter_conf, text, "text", 0, "field that is measured"),
	OPT_BOOL(struct filter_conf, decide, "yes", 0,
	    "drop what crosses a threshold; no only measures"),
	OPT_INT(struct filter_conf, min_words, "50", 0, 1e9, 0,
	    "fewest words"),
	OPT_INT(struct filter_conf, max_words, "100000", 0, 1e9, 0,
	    "most words"),
	OPT_FLOAT(struct filter_conf, min_word_length, "3", 0, 100, 0,
	    "shortest mean word, in characters"),
	OPT_FLOAT(struct filter_conf, max_word_length, "10", 0, 1000, 0,
	    "longest mean word, in characters"),
	SHARE(max_hash, "0.1", "most # signs for each word"),
	SHARE(max_ellipsis, "0.1", "most ellipses for each word"),
	SHARE(max_bullets, "0.9", "most lines that begin with a bullet"),
	SHARE(max_ellipsis_lines, "0.3", "most lines that end with an "
	    "ellipsis"),
	SHARE(min_alpha, "0.8", "fewest words with a letter"),
	OPT_INT(struct filter_conf, min_stop_words, "2", 0, 8, 0,
	    "fewest of the, be, to, of, and, that, have, with; 0 for text "
	    "that is not English"),
	SHARE(dup_lines, "0.3", "most lines that repeat one before"),
	SHARE(dup_paragraphs, "0.3", "most paragraphs that do"),
	SHARE(dup_line_share, "0.2", "most of the text in repeated lines"),
	SHARE(dup_paragraph_share, "0.2", "most of it in repeated paragraphs"),
	SHARE(top2, "0.2", "most of it in its commonest pair of words"),
	SHARE(top3, "0.18", "in its commonest three words"),
	SHARE(top4, "0.16", "in its commonest four words"),
	SHARE(dup5, "0.15", "most of it in repeated runs of 5 words"),
	SHARE(dup6, "0.14", "of 6 words"), SHARE(dup7, "0.13", "of 7 words"),
	SHARE(dup8, "0.12", "of 8 words"), SHARE(dup9, "0.11", "of 9 words"),
	SHARE(dup10, "0.1", "of 10 words"),
	OPT_DONE
};

/* a table of 64-bit hashes with counts, sized for n entries */
struct counts {
	uint64_t *key;
	uint32_t *n;
	size_t mask;
};

static int
filter_plan(const void *arg, struct needs *needs, struct err *e)
{
	(void)arg;
	(void)e;
	needs->stateless = true;
	return 0;
}

static void
counts_open(struct counts *c, struct arena *a, size_t n)
{
	size_t size = 16;

	while (size < n * 2)
		size *= 2;
	c->key = arena_array(a, size, sizeof(*c->key));
	c->n = arena_array(a, size, sizeof(*c->n));
	c->mask = size - 1;
}

/* counts_add - how often the key has been added, this time included */
static uint32_t
counts_add(struct counts *c, uint64_t key)
{
	size_t i = key & c->mask;

	while (c->n[i] != 0 && c->key[i] != key)
		i = (i + 1) & c->mask;
	c->key[i] = key;
	return ++c->n[i];
}

/* counts_clear - for the next length of run */
static void
counts_clear(struct counts *c)
{
	memset(c->n, 0, (c->mask + 1) * sizeof(*c->n));
}

/* ends_ellipsis - "..." or U+2026, blanks behind it aside */
static bool
ends_ellipsis(struct view v)
{
	while (v.n > 0 && strchr(" \t\r", v.p[v.n - 1]) != NULL)
		v.n--;
	return v.n >= 3 && (memcmp(v.p + v.n - 3, "...", 3) == 0 ||
	    memcmp(v.p + v.n - 3, "\xe2\x80\xa6", 3) == 0);
}

/* begins_bullet - "-", "*" or U+2022, blanks before it aside */
static bool
begins_bullet(struct view v)
{
	while (v.n > 0 && (*v.p == ' ' || *v.p == '\t')) {
		v.p++;
		v.n--;
	}
	return (v.n > 0 && (*v.p == '-' || *v.p == '*')) ||
	    (v.n >= 3 && memcmp(v.p, "\xe2\x80\xa2", 3) == 0);
}

/* has_letter - and how long it is, in characters */
static bool
has_letter(struct view v, size_t *chars)
{
	bool letter = false;
	size_t n;

	*chars = 0;
	for (size_t i = 0; i < v.n; i += n) {
		letter |= utf8_letter(utf8_get(v.p + i, &n));
		++*chars;
	}
	return letter;
}

/* count_text - occurrences of a short word in a text */
static size_t
count_text(struct view v, const char *what)
{
	size_t n = strlen(what), count = 0;
	const char *p = v.p, *end = v.p + v.n;

	while ((p = memmem(p, (size_t)(end - p), what, n)) != NULL) {
		count++;
		p += n;
	}
	return count;
}

/* stop_words - how many of the eight are there */
static int
stop_words(const struct spans *w)
{
	static const char *const stops[] = { "the", "be", "to", "of", "and",
	    "that", "have", "with" };
	unsigned found = 0;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < BASE_COUNT(stops); k++)
			if (view_is(w->v[i], stops[k]))
				found |= 1u << k;
	return __builtin_popcount(found);
}

/* rule - note the fact, and the verdict if it is the first beyond its limit */
static void
rule(const struct filter_conf *conf, struct arena *a, struct rec *r,
    const char *name, double value, double limit, bool least)
{
	rec_fact(a, r, name, value);
	if (conf->decide && r->state == REC_KEPT &&
	    (least ? value < limit : value > limit))
		rec_drop(r, name, value, limit);
}

/* filter_words - the rules that look at words */
static void
filter_words(const struct filter_conf *conf, struct arena *a, struct rec *r,
    struct view text, const struct spans *w)
{
	double n = w->n == 0 ? 1 : (double)w->n;
	size_t letters = 0, chars = 0, len;

	for (size_t i = 0; i < w->n; i++) {
		letters += has_letter(w->v[i], &len);
		chars += len;
	}
	rule(conf, a, r, "words", (double)w->n, (double)conf->min_words, true);
	rule(conf, a, r, "words", (double)w->n, (double)conf->max_words,
	    false);
	rule(conf, a, r, "word_length", (double)chars / n,
	    conf->min_word_length, true);
	rule(conf, a, r, "word_length", (double)chars / n,
	    conf->max_word_length, false);
	rule(conf, a, r, "hash_per_word", (double)count_text(text, "#") / n,
	    conf->max_hash, false);
	rule(conf, a, r, "ellipsis_per_word", (double)(count_text(text, "...") +
	    count_text(text, "\xe2\x80\xa6")) / n, conf->max_ellipsis, false);
	rule(conf, a, r, "alpha_words", (double)letters / n, conf->min_alpha,
	    true);
	rule(conf, a, r, "stop_words", stop_words(w),
	    (double)conf->min_stop_words, true);
}

/* filter_repeats - repeated parts: their number and their share of the text */
static void
filter_repeats(const struct spans *s, struct counts *c, double bytes,
    double *number, double *share)
{
	size_t again = 0, size = 0;

	counts_clear(c);
	for (size_t i = 0; i < s->n; i++)
		if (counts_add(c, XXH3_64bits(s->v[i].p, s->v[i].n)) > 1) {
			again++;
			size += s->v[i].n;
		}
	*number = s->n == 0 ? 0 : (double)again / (double)s->n;
	*share = (double)size / bytes;
}

/* filter_lines - the rules that look at lines and paragraphs */
static void
filter_lines(const struct filter_conf *conf, struct arena *a, struct rec *r,
    struct view text, struct counts *c)
{
	double bytes = text.n == 0 ? 1 : (double)text.n, number, share;
	struct spans lines, paragraphs;
	size_t bullets = 0, dots = 0;

	text_lines(a, text, &lines);
	text_paragraphs(a, text, &paragraphs);
	for (size_t i = 0; i < lines.n; i++) {
		bullets += begins_bullet(lines.v[i]);
		dots += ends_ellipsis(lines.v[i]);
	}
	number = lines.n == 0 ? 1 : (double)lines.n;
	rule(conf, a, r, "bullet_lines", (double)bullets / number,
	    conf->max_bullets, false);
	rule(conf, a, r, "ellipsis_lines", (double)dots / number,
	    conf->max_ellipsis_lines, false);
	filter_repeats(&lines, c, bytes, &number, &share);
	rule(conf, a, r, "dup_lines", number, conf->dup_lines, false);
	rule(conf, a, r, "dup_line_share", share, conf->dup_line_share, false);
	filter_repeats(&paragraphs, c, bytes, &number, &share);
	rule(conf, a, r, "dup_paragraphs", number, conf->dup_paragraphs,
	    false);
	rule(conf, a, r, "dup_paragraph_share", share,
	    conf->dup_paragraph_share, false);
}

/* run_hash - n words as one key */
static uint64_t
run_hash(const uint64_t *h, size_t n)
{
	return XXH3_64bits(h, n * sizeof(*h));
}

/* run_bytes - the length of n words */
static size_t
run_bytes(const struct spans *w, size_t i, size_t n)
{
	size_t sum = 0;

	for (size_t k = i; k < i + n; k++)
		sum += w->v[k].n;
	return sum;
}

/* top_share - the part of the text that its commonest run of n words fills */
static double
top_share(const struct spans *w, const uint64_t *h, struct counts *c,
    size_t n, double bytes)
{
	size_t best = 1, size = 0;

	counts_clear(c);
	for (size_t i = 0; i + n <= w->n; i++) {
		size_t times = counts_add(c, run_hash(h + i, n));
		size_t each = run_bytes(w, i, n) + n - 1;

		if (times > best || (times == best && times > 1 &&
		    each > size)) {
			best = times;
			size = each;
		}
	}
	return best > 1 ? (double)(best * size) / bytes : 0;
}

/* dup_share - the part that repeated runs of n words fill; a run that is found
 * again is stepped over whole */
static double
dup_share(const struct spans *w, const uint64_t *h, struct counts *c,
    size_t n, double bytes)
{
	size_t size = 0, i = 0;

	counts_clear(c);
	while (i + n <= w->n) {
		if (counts_add(c, run_hash(h + i, n)) > 1) {
			size += run_bytes(w, i, n);
			i += n;
		} else
			i++;
	}
	return (double)size / bytes;
}

/* filter_runs - the rules that look at runs of words */
static void
filter_runs(const struct filter_conf *conf, struct arena *a, struct rec *r,
    struct view text, const struct spans *w, struct counts *c)
{
	static const char *const tops[] = { "top_2", "top_3", "top_4" };
	static const char *const dups[] = { "dup_5", "dup_6", "dup_7", "dup_8",
	    "dup_9", "dup_10" };
	const double top[] = { conf->top2, conf->top3, conf->top4 };
	const double dup[] = { conf->dup5, conf->dup6, conf->dup7, conf->dup8,
	    conf->dup9, conf->dup10 };
	double bytes = text.n == 0 ? 1 : (double)text.n;
	uint64_t *h = arena_array(a, w->n + 1, sizeof(*h));

	for (size_t i = 0; i < w->n; i++)
		h[i] = XXH3_64bits(w->v[i].p, w->v[i].n);
	for (size_t i = 0; i < 3; i++)
		rule(conf, a, r, tops[i], top_share(w, h, c, i + 2, bytes),
		    top[i], false);
	for (size_t i = 0; i < 6; i++)
		rule(conf, a, r, dups[i], dup_share(w, h, c, i + 5, bytes),
		    dup[i], false);
}

static int
filter_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct filter_conf *conf = s->conf;
	struct arena *a = b->arena;
	struct spans words;
	struct counts c;
	struct view text;

	(void)scratch;
	(void)e;
	for (size_t i = 0; i < b->n; i++) {
		struct rec *r = &b->rec[i];

		if (!rec_str(a, r, conf->text, &text)) {
			rec_fail(a, r, "no text in '%s'", conf->text);
			continue;
		}
		text_words(a, text, &words);
		counts_open(&c, a, words.n > 16 ? words.n : 16);
		filter_words(conf, a, r, text, &words);
		filter_lines(conf, a, r, text, &c);
		filter_runs(conf, a, r, text, &words, &c);
	}
	return 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "filter", .summary = "measure quality and repetition, and drop",
	.options = filter_opts, .conf_size = sizeof(struct filter_conf),
	.plan = filter_plan, .batch = filter_batch,
};
