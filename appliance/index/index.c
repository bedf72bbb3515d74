/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/words.h"
#include "appliance/index/index.h"

#include <stdlib.h>
#include <unistd.h>

#define HEAD_MAX	((size_t)1 << 20)
#define DEAD_MAX	((size_t)1 << 29)

/* open_dead - the deleted documents of a segment, if there is such a file */
static int
open_dead(struct index *x, struct segment *s, int dir, struct err *e)
{
	const char *name = arena_printf(x->arena, "%.*s.dead",
	    (int)strcspn(s->file, "."), s->file);
	struct view v;

	if (!file_exists(dir, name))
		return 0;
	if (file_read(x->arena, dir, name, DEAD_MAX, &v, e) == -1)
		return -1;
	if (v.n != (s->foot.docs + 7) / 8)
		return err_set(e, FATE_REJECT, "index file '%s' is damaged",
		    name);
	s->dead = arena_copy(x->arena, v.p, v.n);
	segment_count(s);
	return 0;
}

/* head_number - a count that lies in bounds */
static bool
head_number(const char *text, int64_t *x)
{
	char *end;

	*x = strtoll(text, &end, 10);
	return *end == '\0' && *x >= 0 && *x <= INT32_MAX;
}

/* head_line - one line of `head` */
static int
head_line(struct index *x, int dir, const struct line *l, struct err *e)
{
	const struct word *w = l->word;
	const char *key = w[0].s;
	size_t len = l->n == 2 ? strlen(w[1].s) : 0;

	if (len == 0)
		return err_set(e, FATE_REJECT, "the index's head is damaged");
	if (strcmp(key, "quern-index") == 0)
		return strcmp(w[1].s, "1") == 0 ? 0 : err_set(e, FATE_REJECT,
		    "the index has format %s, this quern knows 1", w[1].s);
	if (strcmp(key, "stem") == 0)
		x->stem = arena_str(x->arena, w[1].s);
	else if (strcmp(key, "segment") == 0) {
		if (strchr(w[1].s, '/') != NULL || len < 5 ||
		    strcmp(w[1].s + len - 4, ".seg") != 0)
			return err_set(e, FATE_REJECT, "the index's head is "
			    "damaged");
		if (segment_open(&x->seg[x->nsegs], x->arena, dir, w[1].s,
		    e) == -1 || open_dead(x, &x->seg[x->nsegs], dir, e) == -1)
			return -1;
		x->nsegs++;
	} else if ((strcmp(key, "words") != 0 ||
	    !head_number(w[1].s, &x->words)) &&
	    (strcmp(key, "overlap") != 0 ||
	    !head_number(w[1].s, &x->overlap)))
		return err_set(e, FATE_REJECT, "the index's head is damaged");
	return 0;
}

/* head_read - all lines; room for as many segments as there are lines */
static int
head_read(struct index *x, int dir, struct view text, struct err *e)
{
	struct words r;
	struct line l;
	size_t lines = 1;
	int rc;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	x->seg = arena_array(x->arena, lines, sizeof(*x->seg));
	if (words_open(&r, x->arena, text.p, text.n, e) == -1)
		return -1;
	while ((rc = words_next(&r, &l, e)) == 0 && l.n > 0)
		if (head_line(x, dir, &l, e) == -1)
			return -1;
	return rc;
}

void
index_count(struct index *x)
{
	x->docs = x->chunks = x->tokens = 0;
	for (size_t i = 0; i < x->nsegs; i++) {
		segment_count(&x->seg[i]);
		x->docs += x->seg[i].live_docs;
		x->chunks += x->seg[i].live_chunks;
		x->tokens += x->seg[i].live_tokens;
	}
}

struct index *
index_open(struct arena *a, int dir, double k1, double b, struct err *e)
{
	struct index *x = arena_alloc(a, sizeof(*x));
	struct view text;

	x->arena = a;
	x->k1 = k1;
	x->b = b;
	if (file_read(a, dir, "head", HEAD_MAX, &text, e) == -1 ||
	    head_read(x, dir, text, e) == -1)
		return NULL;
	if (x->stem == NULL) {
		err_set(e, FATE_REJECT, "the index's head is damaged");
		return NULL;
	}
	index_count(x);
	return x;
}

int
index_head(const struct index *x, int dir, struct err *e)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, HEAD_MAX);
	int rc = 0;

	buf_printf(b, "quern-index 1\nstem %s\nwords %lld\noverlap %lld\n",
	    x->stem, (long long)x->words, (long long)x->overlap);
	for (size_t i = 0; i < x->nsegs && rc == 0; i++) {
		const struct segment *s = &x->seg[i];

		buf_printf(b, "segment %s\n", s->file);
		if (s->dead != NULL && s->live_docs < s->foot.docs)
			rc = file_replace(dir, arena_printf(a, "%.*s.dead",
			    (int)strcspn(s->file, "."), s->file),
			    (struct view){ (const char *)s->dead,
			    (s->foot.docs + 7) / 8 }, 0640, true, e);
	}
	if (rc == 0)
		rc = file_replace(dir, "head", buf_get(b), 0640, true, e);
	if (rc == 0)
		file_sync(dir, "the index's directory");
	arena_free(a);
	return rc;
}
