/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/index/write.h"

#define GONE	UINT32_MAX

struct source {
	const struct segment *s;
	uint32_t *chunk;		/* new numbers; GONE */
	uint64_t term;			/* the next to merge */
};

/* merge_docs - texts, documents and chunks that live */
static int
merge_docs(struct source *src, struct arena *a, struct segment_write *w,
    struct err *e)
{
	const struct segment *s = src->s;
	const struct segment_chunk *c;
	uint64_t k = 0;

	src->chunk = arena_array(a, s->foot.chunks + 1, sizeof(uint32_t));
	for (uint32_t i = 0; i < s->foot.docs; i++) {
		bool dead = segment_dead(s, i);

		if (!dead && write_doc(w, &s->doc[i], segment_text(s, i),
		    segment_id(s, i), segment_source(s, i), e) == -1)
			return -1;
		for (; k < s->foot.chunks && s->chunk[k].doc <= i; k++) {
			c = &s->chunk[k];
			src->chunk[k] = dead ? GONE : (uint32_t)w->foot.chunks;
			if (!dead)
				write_chunk(w, c->begin, c->end, c->length);
		}
	}
	for (; k < s->foot.chunks; k++)
		src->chunk[k] = GONE;
	return 0;
}

/* merge_least - the smallest word that is next anywhere; false at the end */
static bool
merge_least(const struct source *src, size_t n, struct view *word)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct view one;

		if (src[i].term >= src[i].s->foot.terms)
			continue;
		one = segment_word(src[i].s, src[i].term);
		if (!any || view_cmp(one, *word) < 0)
			*word = one;
		any = true;
	}
	return any;
}

/* merge_term - its postings from all that have it, in their new numbers */
static int
merge_term(struct source *src, size_t n, struct view word,
    struct segment_write *w, struct err *e)
{
	struct postings o;

	write_term(w, word);
	for (size_t i = 0; i < n; i++) {
		if (src[i].term >= src[i].s->foot.terms ||
		    !view_eq(segment_word(src[i].s, src[i].term), word))
			continue;
		postings_open(&o, src[i].s, src[i].term++);
		while (postings_next(&o))
			if (src[i].chunk[o.chunk] != GONE &&
			    write_posting(w, src[i].chunk[o.chunk], o.tf,
			    e) == -1)
				return -1;
	}
	return 0;
}

int
segment_merge(struct segment *const *s, size_t n, int fd, struct err *e)
{
	struct arena *a = arena_new();
	struct source *src = arena_array(a, n, sizeof(*src));
	struct segment_write w;
	struct view word = { "", 0 };
	int rc = 0;

	write_open(&w, fd);
	for (size_t i = 0; i < n && rc == 0; i++) {
		src[i].s = s[i];
		rc = merge_docs(&src[i], a, &w, e);
	}
	if (rc == 0)
		rc = write_terms(&w, e);
	while (rc == 0 && merge_least(src, n, &word))
		rc = merge_term(src, n, word, &w, e);
	if (rc == 0)
		rc = write_close(&w, e);
	write_abandon(&w);
	arena_free(a);
	return rc;
}
