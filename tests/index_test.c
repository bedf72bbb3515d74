/* SPDX-License-Identifier: Apache-2.0 */
/* index_test - words and stems, passages, and BM25 beside a plain sum over all
 * passages, in one segment or several, with documents deleted, and merged */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/index/build.h"
#include "appliance/index/chunk.h"
#include "appliance/index/index.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

static const struct {
	const char *stem, *in, *out;
} words[] = {
	{ "none", "", "" },
	{ "none", "The QUICK, brown-fox!", "the|quick|brown|fox" },
	{ "none", "don't 'quoted' rock'n'roll", "don't|quoted|rock'n'roll" },
	{ "none", "don\xe2\x80\x99t", "don't" },
	{ "none", "3.14 1,000 v2.0 a.b 5.", "3.14|1,000|v2.0|a|b|5" },
	{ "none", "snake_case", "snake_case" },
	{ "none", "\xc3\x84RGER na\xc3\xafve", "\xc3\xa4rger|na\xc3\xafve" },
	{ "none", "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97 a",
	    "\xe4\xb8\xad\xe6\x96\x87|\xe6\x96\x87\xe5\xad\x97|a" },
	{ "none", "\xe4\xb8\xad", "\xe4\xb8\xad" },
	{ "english", "running runs the dog's licences",
	    "run|run|the|dog|licenc" },
	{ "german", "H\xc3\xa4user laufend", "haus|laufend" },
};

static void
test_words(struct arena *a)
{
	struct stemmer *s;
	struct analyse w;
	struct err e;

	for (size_t i = 0; i < BASE_COUNT(words); i++) {
		struct buf *b = buf_new(a, 4096);

		if (stemmer_open(a, words[i].stem, &s, &e) == -1) {
			tap(false, "%s", e.text);
			continue;
		}
		analyse_begin(&w, view_of(words[i].in));
		while (analyse_next(&w)) {
			if (b->n > 0)
				buf_char(b, '|');
			buf_view(b, stemmer_word(s, (struct view){ w.word,
			    w.n }));
		}
		tap_str(buf_cstr(b), words[i].out, words[i].in);
	}
	tap(stemmer_open(a, "klingon", &s, &e) == -1, "an unknown stemmer");
}

/* a generator of its own: the same cases everywhere */
static uint32_t
draw(uint32_t below)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 33) % below;
}

/* prose - n words of a small vocabulary with ends of all kinds between */
static struct view
prose(struct arena *a, unsigned n)
{
	static const char *const gap[] = { " ", " ", " ", ". ", "\n", ".\n\n",
	    "\xe3\x80\x82", "  " };
	struct buf *b = buf_new(a, 1 << 20);

	for (unsigned i = 0; i < n; i++) {
		unsigned w = draw(40) * draw(40) / 40;

		buf_str(b, draw(20) > 0 ? "w" :
		    "\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe4\xb8\xad");
		buf_printf(b, "%u%s", w, gap[draw(BASE_COUNT(gap))]);
	}
	return buf_get(b);
}

/* bare - a text's bytes that are not blank */
static size_t
bare(struct view v)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		n += strchr(" \n", v.p[i]) == NULL;
	return n;
}

static void
test_chunks(struct arena *a)
{
	static const struct {
		size_t words, overlap;
	} way[] = { { 1, 0 }, { 5, 0 }, { 5, 2 }, { 50, 0 }, { 50, 20 },
	    { 0, 0 }, { 100000, 0 } };
	struct chunk *c;
	size_t n, sum, before;
	bool good;

	for (size_t i = 0; i < BASE_COUNT(way); i++) {
		good = true;
		for (unsigned k = 0; k < 40; k++) {
			struct view t = prose(a, k == 0 ? 0 : draw(300));

			n = chunk_text(a, t, way[i].words, way[i].overlap, &c);
			sum = before = 0;
			for (size_t j = 0; j < n; j++) {
				sum += bare((struct view){ t.p + c[j].begin,
				    c[j].end - c[j].begin });
				good = good && c[j].begin < c[j].end &&
				    c[j].end <= t.n && t.p[c[j].begin] != ' ' &&
				    t.p[c[j].end - 1] != ' ' &&
				    (j == 0 || c[j].begin > c[j - 1].begin) &&
				    (way[i].overlap > 0 ||
				    c[j].begin >= before);
				before = c[j].end;
			}
			good = good && (way[i].overlap > 0 ? sum >= bare(t) :
			    sum == bare(t));
		}
		tap(good, "passages of %zu words, %zu shared: all the text, "
		    "in order", way[i].words, way[i].overlap);
	}
	n = chunk_text(a, VIEW("One two three. Four five\n\nsix seven."), 6, 0,
	    &c);
	tap(n == 2 && c[0].end == 24 && c[1].begin == 26,
	    "a passage ends with its paragraph");
}

#define DOCS	60

struct doc {
	struct view text;
	char id[8];
	bool dead;
};

/* plain - the score of every living passage, from the formula alone */
static size_t
plain(struct arena *a, const struct doc *d, struct view question, double k1,
    double b, double *score, char (*id)[8])
{
	struct {
		struct view text;
		double len;
		const char *id;
	} p[DOCS * 40];
	struct analyse q, w;
	double total = 0;
	size_t n = 0;

	for (size_t i = 0; i < DOCS; i++) {
		struct chunk *c;
		size_t chunks = d[i].dead ? 0 : chunk_text(a, d[i].text, 20,
		    0, &c);

		for (size_t k = 0; k < chunks; k++) {
			p[n].text = (struct view){ d[i].text.p + c[k].begin,
			    c[k].end - c[k].begin };
			p[n].len = 0;
			p[n].id = d[i].id;
			analyse_begin(&w, p[n].text);
			while (analyse_next(&w))
				p[n].len++;
			total += p[n++].len;
		}
	}
	for (size_t i = 0; i < n; i++) {
		score[i] = 0;
		memcpy(id[i], p[i].id, 8);
	}
	analyse_begin(&q, question);
	while (analyse_next(&q)) {
		double tf[DOCS * 40], df = 0;

		for (size_t i = 0; i < n; i++) {
			tf[i] = 0;
			analyse_begin(&w, p[i].text);
			while (analyse_next(&w))
				tf[i] += w.n == q.n &&
				    memcmp(w.word, q.word, w.n) == 0;
			df += tf[i] > 0;
		}
		for (size_t i = 0; i < n; i++)
			score[i] += log(1 + ((double)n - df + 0.5) /
			    (df + 0.5)) * tf[i] / (tf[i] + k1 * (1 - b + b *
			    p[i].len / (total / (double)n)));
	}
	return n;
}

/* agrees - do the hits have the plain sums, best first, and nothing better
 * left out */
static bool
agrees(struct arena *a, const struct index *x, const struct doc *d,
    struct view question, size_t k)
{
	static double score[DOCS * 40];
	static char id[DOCS * 40][8];
	struct err e;
	struct search *s = search_open(a, x, &e);
	struct hit *hit = arena_array(a, k + 1, sizeof(*hit));
	size_t n = plain(a, d, question, x->k1, x->b, score, id), hits, above;

	hits = index_search(s, question, k, 0, hit);
	for (size_t i = 0; i < hits; i++) {
		bool found = false;
		uint32_t doc;

		hit_doc(&hit[i], &doc);
		above = 0;
		for (size_t j = 0; j < n; j++) {
			found = found || (fabs(score[j] - hit[i].score) <
			    1e-9 && view_is(segment_id(hit[i].seg, doc),
			    id[j]));
			above += score[j] > hit[i].score + 1e-9;
		}
		if (!found || above > i || (i > 0 && hit[i].score >
		    hit[i - 1].score))
			return false;
	}
	above = 0;
	for (size_t j = 0; j < n; j++)
		above += score[j] > 0;
	return hits == (above < k ? above : k);
}

/* ask_all - some questions of an index */
static void
ask_all(struct arena *a, const struct index *x, const struct doc *d,
    const char *what)
{
	bool good = true;

	for (unsigned i = 0; i < 25; i++)
		good = agrees(a, x, d, prose(a, 1 + draw(5)), 1 + draw(30)) &&
		    good;
	good = agrees(a, x, d, VIEW("w1 w1 w2"), 10) && good;
	good = agrees(a, x, d, VIEW("nowhere"), 10) && good;
	good = agrees(a, x, d, VIEW(""), 10) && good;
	tap(good, "%s: as the formula says", what);
}

/* write_docs - some documents as one segment */
static int
write_docs(struct build *b, int dir, const char *name, const struct doc *d,
    size_t n)
{
	struct err e;
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600), rc;

	for (size_t i = 0; i < n; i++)
		build_doc(b, &(struct build_doc){ .id = view_of(d[i].id),
		    .source = VIEW("s"), .title = VIEW(""),
		    .text = d[i].text });
	rc = build_write(b, fd, &e);
	close(fd);
	return rc;
}

/* kill - mark as deleted in both */
static void
kill(struct arena *a, struct index *x, struct doc *d, size_t per)
{
	for (size_t i = 0; i < DOCS; i += 1 + draw(5)) {
		struct segment *s = &x->seg[i / per];

		if (s->dead == NULL)
			s->dead = arena_alloc(a, s->foot.docs / 8 + 1);
		s->dead[i % per / 8] |= (unsigned char)(1 << i % per % 8);
		d[i].dead = true;
	}
	index_count(x);
}

static void
test_search(struct arena *a, int dir)
{
	static const char *const name[] = { "0.seg", "1.seg", "2.seg" };
	struct index *x, *y;
	struct segment *part[3], *one = arena_alloc(a, 2 * sizeof(*one));
	struct doc d[DOCS] = { 0 };
	struct build *b;
	struct err e;
	int fd;

	for (size_t i = 0; i < DOCS; i++) {
		d[i].text = prose(a, draw(200));
		snprintf(d[i].id, sizeof(d[i].id), "d%zu", i);
	}
	b = build_open(a, "none", 20, 0, &e);
	for (size_t i = 0; i < 3; i++)
		if (write_docs(b, dir, name[i], d + i * 20, 20) == -1)
			tap(false, "a segment is written");
	file_replace(dir, "head", VIEW("quern-index 1\nstem none\nwords 20\n"
	    "overlap 0\nsegment 0.seg\nsegment 1.seg\nsegment 2.seg\n"), 0600,
	    false, &e);
	x = index_open(a, dir, 1.2, 0.75, &e);
	tap(x != NULL && x->docs == DOCS && x->nsegs == 3, "it is opened");
	ask_all(a, x, d, "three segments");
	kill(a, x, d, 20);
	tap(x->docs < DOCS, "some are deleted");
	ask_all(a, x, d, "with deleted documents");
	tap(index_head(x, dir, &e) == 0 &&
	    (x = index_open(a, dir, 0.9, 0.4, &e)) != NULL, "kept and opened");
	ask_all(a, x, d, "opened again, other k1 and b");
	fd = openat(dir, "3.seg", O_RDWR | O_CREAT, 0600);
	for (size_t i = 0; i < 3; i++)
		part[i] = &x->seg[i];
	tap(segment_merge(part, 3, fd, &e) == 0 &&
	    segment_open(one, a, dir, "3.seg", &e) == 0, "merged");
	close(fd);
	y = arena_copy(a, x, sizeof(*x));
	y->seg = one;
	y->nsegs = 1;
	index_count(y);
	tap(y->docs == x->docs && y->chunks == x->chunks &&
	    y->tokens == x->tokens, "has what lives and no more");
	ask_all(a, y, d, "merged");
	fd = openat(dir, "3.seg", O_RDWR);
	tap(ftruncate(fd, (off_t)one->size) == 0 && segment_open(one + 1, a,
	    dir, "3.seg", &e) == -1 && strstr(e.text, "damaged") != NULL,
	    "one cut short is refused: %s", e.text);
	close(fd);
}

int
main(void)
{
	const char *path = tap_dir();
	struct arena *a = arena_new();
	struct err e;
	int dir;

	test_words(a);
	test_chunks(a);
	if ((dir = file_dir(AT_FDCWD, path, &e)) == -1)
		return 1;
	test_search(a, dir);
	arena_free(a);
	file_remove(AT_FDCWD, path, &e);
	return tap_done();
}
