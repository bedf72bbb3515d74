/* SPDX-License-Identifier: Apache-2.0 */
/* search - the passages that answer a question best, with where they stand */
#include "appliance/base/base.h"
#include "appliance/index/index.h"
#include "appliance/module.h"
#include "appliance/text/utf8.h"

#include <unistd.h>

#define LINE	76		/* columns of a passage on a terminal */
#define PASSAGES_MAX	((size_t)256 << 20)

struct search_conf {
	const char *index, *query, *into;
	struct opt_list words;
	int64_t k, each;
	double k1, b;
	bool json;
};

static const struct opt search_opts[] = {
	OPT_REF(OPT_INDEX, struct search_conf, index, NULL,
	    OPT_POSITIONAL | OPT_NEEDED,
	    "the index, as NAME[@VERSION|@TAG], or a path with a slash"),
	OPT_LIST(struct search_conf, words, NULL, OPT_POSITIONAL,
	    "a question; without one each record brings its own"),
	OPT_INT(struct search_conf, k, "5", 1, 100000, 0,
	    "most passages"),
	OPT_INT(struct search_conf, each, "0", 0, 100000, 0,
	    "most passages of one document; 0: any"),
	OPT_TEXT(struct search_conf, query, NULL, 0,
	    "field with the question; unset: question, and if it is not "
	    "there, query"),
	OPT_TEXT(struct search_conf, into, "passages", 0,
	    "field that gets the passages"),
	OPT_FLOAT(struct search_conf, k1, "1.2", 0, 100, 0,
	    "BM25: how soon more of the same word stops to count"),
	OPT_FLOAT(struct search_conf, b, "0.75", 0, 1, 0,
	    "BM25: how much long passages pay for their length"),
	OPT_BOOL(struct search_conf, json, "no", OPT_NOKEY,
	    "in a shell, a question's passages as records"),
	OPT_DONE
};

struct searcher {			/* of a thread */
	struct search *search;
	struct hit *hit;
};

static int
search_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct search_conf *c = arg;

	(void)e;
	needs->source = c->words.n > 0;
	needs->stateless = c->words.n == 0;
	needs->store = stage_named(c->index);
	return 0;
}

static int
search_open_index(struct stage *s, struct err *e)
{
	const struct search_conf *c = s->conf;
	int dir = stage_files(s, c->index, KIND_INDEX, e);

	if (dir == -1)
		return -1;
	s->state = index_open(s->arena, dir, c->k1, c->b, e);
	close(dir);
	return s->state == NULL ? err_prefix(e, "'%s': ", c->index) : 0;
}

static int
search_thread(struct stage *s, void **scratch, struct err *e)
{
	const struct search_conf *c = s->conf;
	struct searcher *t = arena_alloc(s->arena, sizeof(*t));

	t->hit = arena_array(s->arena, (size_t)c->k, sizeof(*t->hit));
	t->search = search_open(s->arena, s->state, e);
	*scratch = t;
	return t->search == NULL ? -1 : 0;
}

/* hit_hex - BLAKE2b-256 of the passage */
static void
hit_hex(struct view text, char hex[HASH_HEX + 1])
{
	hash_hex(hash_of(NULL, text.p, text.n), hex);
}

/* hit_offset - of the passage in its source */
static long long
hit_offset(const struct hit *h)
{
	uint32_t n;

	return (long long)hit_doc(h, &n)->offset +
	    h->seg->chunk[h->chunk].begin;
}

/* hit_json - a passage's members without the braces */
static void
hit_json(struct buf *b, const struct hit *h, size_t rank)
{
	struct view text = hit_text(h);
	char hex[HASH_HEX + 1];
	uint32_t doc;

	hit_doc(h, &doc);
	hit_hex(text, hex);
	buf_printf(b, "\"rank\":%zu,\"score\":", rank);
	buf_json_num(b, h->score);
	buf_str(b, ",\"id\":");
	buf_json(b, segment_id(h->seg, doc));
	buf_str(b, ",\"source\":");
	buf_json(b, segment_source(h->seg, doc));
	buf_printf(b, ",\"offset\":%lld,\"length\":%zu,\"hash\":\"%s\","
	    "\"text\":", hit_offset(h), text.n, hex);
	buf_json(b, text);
}

/* search_record - a question of its own */
static void
search_record(const struct search_conf *c, struct searcher *t,
    struct arena *a, struct rec *r)
{
	struct buf *b = buf_new(a, PASSAGES_MAX);
	struct view question;
	size_t n;

	if (c->query != NULL ? !rec_str(a, r, c->query, &question) :
	    !rec_str(a, r, "question", &question) &&
	    !rec_str(a, r, "query", &question)) {
		rec_fail(a, r, "no text in '%s'", c->query != NULL ?
		    c->query : "question' or 'query");
		return;
	}
	n = index_search(t->search, question, (size_t)c->k, (size_t)c->each,
	    t->hit);
	buf_char(b, '[');
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i > 0 ? ",{" : "{");
		hit_json(b, &t->hit[i], i + 1);
		buf_char(b, '}');
	}
	buf_char(b, ']');
	if (b->full)
		rec_fail(a, r, "the passages are longer than 256 MiB");
	else
		rec_set_raw(a, r, c->into, buf_get(b));
}

/* show_text - some lines of a passage, broken at blanks */
static void
show_text(struct view text)
{
	size_t col = 0, lines = 1, n;

	fputs("   ", stdout);
	for (size_t i = 0; i < text.n && lines < 4; i += n) {
		uint32_t c = utf8_get(text.p + i, &n);

		if (utf8_space(c)) {
			if (col == 0)
				continue;
			if (col >= LINE - 12) {
				fputs("\n   ", stdout);
				lines++;
				col = 0;
				continue;
			}
			c = ' ';
			putchar(' ');
			col++;
			/* one blank for many */
			while (i + n < text.n && memchr(" \t\r\n", text.p[i +
			    n], 4) != NULL)
				n++;
			continue;
		}
		if (c < 0x20 || c == 0x7f)
			continue;
		fwrite(text.p + i, 1, n, stdout);
		col++;
	}
	puts(lines == 4 ? "..." : "");
}

/* show_hit - for people */
static void
show_hit(const struct hit *h, size_t rank)
{
	struct view text = hit_text(h), source;
	char hex[HASH_HEX + 1];
	uint32_t doc;

	hit_doc(h, &doc);
	hit_hex(text, hex);
	source = segment_source(h->seg, doc);
	if (source.n == 0)
		source = segment_id(h->seg, doc);
	printf("%s%zu  %.*s\n   bytes %lld to %lld, hash %.16s, score %.3f\n",
	    rank > 1 ? "\n" : "", rank, (int)source.n, source.p,
	    hit_offset(h), hit_offset(h) + (long long)text.n, hex, h->score);
	show_text(text);
}

/* search_words - the one question of a source: its passages */
static int
search_words(struct stage *s, struct batch *b, struct err *e)
{
	const struct search_conf *c = s->conf;
	struct buf *question = buf_new(s->arena, (size_t)1 << 20), *out;
	struct searcher *t;
	size_t n;

	if (search_thread(s, (void **)&t, e) == -1)
		return -1;
	for (size_t i = 0; i < c->words.n; i++) {
		buf_str(question, i > 0 ? " " : "");
		buf_str(question, c->words.v[i]);
	}
	if (utf8_check(question->p, question->n) != question->n)
		return err_set(e, FATE_USAGE, "the question is not UTF-8");
	n = index_search(t->search, buf_get(question), (size_t)c->k,
	    (size_t)c->each, t->hit);
	for (size_t i = 0; i < n; i++) {
		if (stage_is_shell(s) && !c->json) {
			show_hit(&t->hit[i], i + 1);
			continue;
		}
		out = buf_new(b->arena, PASSAGES_MAX);
		buf_char(out, '{');
		hit_json(out, &t->hit[i], i + 1);
		buf_char(out, '}');
		if (rec_parse(b->arena, buf_get(out), batch_add(b), e) == -1)
			return -1;
	}
	if (n == 0)
		msg_info("no passage has any of these words");
	return 1;
}

static int
search_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct search_conf *c = s->conf;

	if (c->words.n > 0)
		return search_words(s, b, e);
	for (size_t i = 0; i < b->n; i++)
		search_record(c, scratch, b->arena, &b->rec[i]);
	return 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "search", .summary = "the passages that answer a question",
	.options = search_opts, .conf_size = sizeof(struct search_conf),
	.plan = search_plan, .open = search_open_index,
	.thread = search_thread, .batch = search_batch,
};
