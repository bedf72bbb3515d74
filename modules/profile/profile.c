/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile - what a dataset looks like: counts, lengths and their quantiles,
 * fields, splits, languages, top words, anomalies.  In a job the numbers go to
 * result.json; in a shell they are printed.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/text/utf8.h"
#include "appliance/text/words.h"

#include <stdlib.h>

#define PROFILE_WORDS	((size_t)1 << 20)	/* distinct words counted */
#define PROFILE_FIELDS	64

struct profile_conf {
	const char *text;
	int64_t top;
	bool json;
};

static const struct opt profile_opts[] = {
	OPT_TEXT(struct profile_conf, text, "text", 0,
	    "field that is looked at"),
	OPT_INT(struct profile_conf, top, "20", 0, 1000, 0,
	    "commonest words that are listed"),
	OPT_BOOL(struct profile_conf, json, "no", 0,
	    "in a shell: print JSON instead of tables"),
	OPT_DONE
};

struct profile_word {
	const char *s;
	uint32_t len;
	uint64_t hash;
	int64_t n;
};

struct profile_field {
	const char *name;
	int64_t n;
};

struct profile {
	int64_t records, chars, words, empty, replaced, long_lines;
	uint32_t *length;		/* in characters, a record each */
	size_t nlength, cap;
	struct profile_word *table;
	size_t nwords;
	int64_t other;			/* words beyond the table */
	struct profile_field field[PROFILE_FIELDS];
	size_t nfields;
};

static int
profile_plan(const void *arg, struct needs *needs, struct err *e)
{
	(void)arg;
	(void)e;
	needs->sink = needs->report = needs->unmarked = true;
	return 0;
}

static int
profile_open(struct stage *s, struct err *e)
{
	struct profile *p = arena_alloc(s->arena, sizeof(*p));

	(void)e;
	p->table = mem_alloc(2 * PROFILE_WORDS * sizeof(*p->table));
	arena_defer(s->arena, mem_free, p->table);
	s->state = p;
	return 0;
}

/* profile_word - count one word, in lower case */
static void
profile_count(struct stage *s, struct profile *p, struct arena *a,
    struct view w)
{
	char *low = arena_alloc(a, w.n * 2 + 4);
	size_t len = 0, n, i;
	struct hash h;
	uint64_t key;

	for (size_t k = 0; k < w.n; k += n)
		len += utf8_put(utf8_fold(utf8_get(w.p + k, &n)), low + len);
	while (len > 0 && strchr(".,;:!?()[]\"'", low[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr("([\"'", *low) != NULL) {
		low++;
		len--;
	}
	if (len == 0 || len > 200)
		return;
	h = hash_of(NULL, low, len);
	key = hash_u64(h);
	for (i = key % (2 * PROFILE_WORDS); p->table[i].s != NULL;
	    i = (i + 1) % (2 * PROFILE_WORDS))
		if (p->table[i].hash == key) {
			p->table[i].n++;
			return;
		}
	if (p->nwords == PROFILE_WORDS) {
		p->other++;
		return;
	}
	p->nwords++;
	p->table[i] = (struct profile_word){ arena_strn(s->arena, low, len),
	    (uint32_t)len, key, 1 };
}

/* profile_fields - which members records have */
static void
profile_fields(struct stage *s, struct profile *p, const struct rec *r)
{
	size_t k;

	for (uint32_t i = 0; i < r->nfields; i++) {
		struct view name = r->field[i].name;

		for (k = 0; k < p->nfields; k++)
			if (strlen(p->field[k].name) == name.n - 2 &&
			    memcmp(p->field[k].name, name.p + 1,
			    name.n - 2) == 0)
				break;
		if (k == PROFILE_FIELDS)
			continue;
		if (k == p->nfields)
			p->field[p->nfields++].name = arena_strn(s->arena,
			    name.p + 1, name.n - 2);
		p->field[k].n++;
	}
}

/* profile_record - one record */
static void
profile_record(struct stage *s, struct profile *p, struct arena *a,
    const struct rec *r)
{
	const struct profile_conf *conf = s->conf;
	struct view text = { "", 0 };
	struct spans words;
	size_t chars;

	p->records++;
	profile_fields(s, p, r);
	rec_str(a, r, conf->text, &text);
	chars = utf8_count(text);
	if (p->nlength == p->cap) {
		p->cap = p->cap == 0 ? 1024 : p->cap * 2;
		p->length = mem_grow(p->length, p->cap * sizeof(*p->length));
	}
	p->length[p->nlength++] = chars > UINT32_MAX ? UINT32_MAX :
	    (uint32_t)chars;
	p->chars += (int64_t)chars;
	p->empty += chars == 0;
	p->replaced += memmem(text.p, text.n, "\xef\xbf\xbd", 3) != NULL;
	text_words(a, text, &words);
	p->words += (int64_t)words.n;
	for (size_t i = 0; i < words.n; i++) {
		p->long_lines += words.v[i].n > 1000;
		profile_count(s, p, a, words.v[i]);
	}
}

static int
profile_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	(void)scratch;
	(void)e;
	for (size_t i = 0; i < b->n; i++)
		profile_record(s, s->state, b->arena, &b->rec[i]);
	return 0;
}

static int
u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* word_cmp - most frequent first, then bytewise */
static int
word_cmp(const void *va, const void *vb)
{
	const struct profile_word *a = va, *b = vb;

	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return view_cmp((struct view){ a->s, a->len },
	    (struct view){ b->s, b->len });
}

/* profile_sort - lengths in order, words to the front of the table */
static void
profile_sort(struct profile *p)
{
	size_t n = 0;

	if (p->nlength > 1)
		qsort(p->length, p->nlength, sizeof(*p->length), u32_cmp);
	for (size_t i = 0; i < 2 * PROFILE_WORDS; i++)
		if (p->table[i].s != NULL)
			p->table[n++] = p->table[i];
	if (n > 1)
		qsort(p->table, n, sizeof(*p->table), word_cmp);
}

/* profile_quantile - the value below which a part q of the records lies */
static uint32_t
profile_quantile(const struct profile *p, double q)
{
	size_t i = (size_t)(q * (double)p->nlength);

	if (p->nlength == 0)
		return 0;
	return p->length[i < p->nlength ? i : p->nlength - 1];
}

static const struct {
	const char *name;
	double q;
} quantiles[] = {
	{ "min", 0 }, { "p5", .05 }, { "p25", .25 }, { "p50", .5 },
	{ "p75", .75 }, { "p95", .95 }, { "p99", .99 }, { "max", 1 },
};

/* profile_lengths - how many records have from 1 to 2 to 4 ... characters */
static void
profile_lengths(const struct profile *p, struct buf *b)
{
	size_t i = 0, from, n;
	const char *sep = "";

	for (uint64_t end = 1; i < p->nlength; end *= 2) {
		for (n = i; i < p->nlength && p->length[i] < end; i++)
			continue;
		from = end / 2;
		if (n == 0 && i == 0)
			continue;	/* the first that there are */
		buf_printf(b, "%s[\"%zu to %llu\",%zu]", sep, from,
		    (unsigned long long)end - 1, i - n);
		sep = ",";
	}
}

/* profile_json - everything as one object */
static void
profile_json(const struct profile_conf *conf, const struct profile *p,
    struct buf *b)
{
	buf_printf(b, "{\"records\":%lld,\"chars\":%lld,\"words\":%lld,"
	    "\"distinct_words\":%zu,\"empty\":%lld,\"with_replacement\":%lld,"
	    "\"words_over_1000\":%lld,\"length\":{", (long long)p->records,
	    (long long)p->chars, (long long)p->words, p->nwords,
	    (long long)p->empty, (long long)p->replaced,
	    (long long)p->long_lines);
	for (size_t i = 0; i < BASE_COUNT(quantiles); i++)
		buf_printf(b, "%s\"%s\":%u", i > 0 ? "," : "",
		    quantiles[i].name, profile_quantile(p, quantiles[i].q));
	buf_str(b, "},\"lengths\":[");
	profile_lengths(p, b);
	buf_str(b, "],\"fields\":{");
	for (size_t i = 0; i < p->nfields; i++)
		buf_printf(b, "%s\"%s\":%lld", i > 0 ? "," : "",
		    p->field[i].name, (long long)p->field[i].n);
	buf_str(b, "},\"top_words\":[");
	for (size_t i = 0; i < p->nwords && i < (size_t)conf->top; i++) {
		buf_str(b, i > 0 ? ",[" : "[");
		buf_json(b, (struct view){ p->table[i].s, p->table[i].len });
		buf_printf(b, ",%lld]", (long long)p->table[i].n);
	}
	buf_str(b, "]}");
}

/* profile_table - for people */
static void
profile_table(const struct profile_conf *conf, const struct profile *p)
{
	printf("records  %lld\ncharacters %lld\nwords    %lld, %zu distinct%s\n"
	    "\nlength in characters\n", (long long)p->records,
	    (long long)p->chars, (long long)p->words, p->nwords,
	    p->other > 0 ? " (and rarer ones that were not kept)" : "");
	for (size_t i = 0; i < BASE_COUNT(quantiles); i++)
		printf("  %-4s %9u\n", quantiles[i].name,
		    profile_quantile(p, quantiles[i].q));
	puts("\nfields");
	for (size_t i = 0; i < p->nfields; i++)
		printf("  %-20s %10lld\n", p->field[i].name,
		    (long long)p->field[i].n);
	puts("\nanomalies");
	printf("  empty texts %lld\n  texts with U+FFFD %lld\n"
	    "  words of more than 1000 bytes %lld\n", (long long)p->empty,
	    (long long)p->replaced, (long long)p->long_lines);
	puts("\ntop words");
	for (size_t i = 0; i < p->nwords && i < (size_t)conf->top; i++)
		printf("  %-20.*s %10lld\n", (int)p->table[i].len,
		    p->table[i].s, (long long)p->table[i].n);
}

static int
profile_finish(struct stage *s, struct batch *out, struct err *e)
{
	const struct profile_conf *conf = s->conf;
	struct profile *p = s->state;
	struct buf *b = buf_new(s->arena, (size_t)64 << 20);

	(void)out;
	(void)e;
	profile_sort(p);
	profile_json(conf, p, b);
	stage_result(s, "profile", buf_get(b));
	if (p->empty > 0)
		stage_warn(s, "%lld texts are empty", (long long)p->empty);
	if (stage_is_shell(s) && conf->json)
		puts(buf_cstr(b));
	else if (stage_is_shell(s))
		profile_table(conf, p);
	return 1;
}

static void
profile_close(struct stage *s)
{
	struct profile *p = s->state;

	if (p != NULL)
		mem_free(p->length);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "profile", .summary = "counts, lengths, words, anomalies",
	.options = profile_opts, .conf_size = sizeof(struct profile_conf),
	.plan = profile_plan, .open = profile_open, .batch = profile_batch,
	.finish = profile_finish, .close = profile_close,
};
