/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/index/segment.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int
damaged(const struct segment *s, const char *what, struct err *e)
{
	return err_set(e, FATE_REJECT, "index file '%s' is damaged: %s; index "
	    "again, or restore a backup", s->file, what);
}

/* table - does a table of n things lie in the file, at a multiple of 8 */
static bool
table(const struct segment *s, uint64_t at, uint64_t n, size_t each)
{
	return at % 8 == 0 && at <= s->size && n <= (s->size - at) / each;
}

int
segment_map(struct segment *s, const char *p, size_t size, struct err *e)
{
	struct segment_foot *f = &s->foot;

	s->p = p;
	s->size = size;
	if (size < sizeof(*f))
		return damaged(s, "it is too short", e);
	memcpy(f, p + size - sizeof(*f), sizeof(*f));
	s->size -= sizeof(*f);
	if (memcmp(f->magic, SEGMENT_MAGIC, 8) != 0)
		return damaged(s, "it does not end as one", e);
	if (!table(s, f->doc, f->docs, sizeof(*s->doc)) ||
	    !table(s, f->chunk, f->chunks, sizeof(*s->chunk)) ||
	    f->terms == UINT64_MAX ||
	    !table(s, f->term, f->terms + 1, sizeof(*s->term)) ||
	    f->docs >= UINT32_MAX || f->chunks >= UINT32_MAX ||
	    f->text > s->size || f->text_len > s->size - f->text ||
	    f->name > s->size || f->name_len > s->size - f->name ||
	    f->post > s->size || f->post_len > s->size - f->post ||
	    f->word > s->size || f->word_len > s->size - f->word)
		return damaged(s, "a table lies outside it", e);
	s->doc = (const void *)(p + f->doc);
	s->chunk = (const void *)(p + f->chunk);
	s->term = (const void *)(p + f->term);
	segment_count(s);
	return 0;
}

static void
segment_unmap(void *arg)
{
	struct segment *s = arg;

	munmap((void *)(uintptr_t)s->p, s->size + sizeof(s->foot));
}

int
segment_open(struct segment *s, struct arena *a, int dir, const char *name,
    struct err *e)
{
	struct stat st;
	void *p;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	memset(s, 0, sizeof(*s));
	s->file = arena_str(a, name);
	if (fd == -1)
		return err_errno(e, "cannot read '%s'", name);
	if (fstat(fd, &st) == -1 || st.st_size < (off_t)sizeof(s->foot)) {
		close(fd);
		return damaged(s, "it is too short", e);
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return err_errno(e, "cannot map '%s'", name);
	s->p = p;
	s->size = (size_t)st.st_size - sizeof(s->foot);
	arena_defer(a, segment_unmap, s);
	return segment_map(s, p, (size_t)st.st_size, e);
}

bool
segment_dead(const struct segment *s, uint32_t doc)
{
	return s->dead != NULL && (s->dead[doc / 8] >> (doc % 8) & 1);
}

void
segment_count(struct segment *s)
{
	s->live_docs = s->foot.docs;
	s->live_chunks = s->foot.chunks;
	s->live_tokens = s->foot.tokens;
	if (s->dead == NULL)
		return;
	s->live_docs = s->live_chunks = s->live_tokens = 0;
	for (uint32_t i = 0; i < s->foot.docs; i++)
		s->live_docs += !segment_dead(s, i);
	for (uint64_t i = 0; i < s->foot.chunks; i++)
		if (s->chunk[i].doc < s->foot.docs &&
		    !segment_dead(s, s->chunk[i].doc)) {
			s->live_chunks++;
			s->live_tokens += s->chunk[i].length;
		}
}

/* part - of a section; empty if it reaches out of it */
static struct view
part(const struct segment *s, uint64_t base, uint64_t len, uint64_t at,
    uint64_t n)
{
	if (at > len || n > len - at)
		return (struct view){ "", 0 };
	return (struct view){ s->p + base + at, (size_t)n };
}

struct view
segment_text(const struct segment *s, uint32_t i)
{
	const struct segment_doc *d = &s->doc[i];

	return part(s, s->foot.text, s->foot.text_len, d->text, d->text_len);
}

struct view
segment_id(const struct segment *s, uint32_t i)
{
	const struct segment_doc *d = &s->doc[i];

	return part(s, s->foot.name, s->foot.name_len, d->name, d->id_len);
}

struct view
segment_source(const struct segment *s, uint32_t i)
{
	const struct segment_doc *d = &s->doc[i];

	if (d->name > s->foot.name_len)
		return (struct view){ "", 0 };
	return part(s, s->foot.name, s->foot.name_len, d->name + d->id_len,
	    d->source_len);
}

struct view
segment_word(const struct segment *s, uint64_t i)
{
	uint32_t from = s->term[i].word, to = s->term[i + 1].word;

	return part(s, s->foot.word, s->foot.word_len, from,
	    to < from ? UINT64_MAX : to - from);
}

int64_t
segment_find(const struct segment *s, struct view word)
{
	uint64_t lo = 0, hi = s->foot.terms, mid;
	int c;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = view_cmp(segment_word(s, mid), word);
		if (c == 0)
			return (int64_t)mid;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

void
postings_open(struct postings *o, const struct segment *s, uint64_t term)
{
	uint64_t from = s->term[term].post, to = s->term[term + 1].post;
	struct view v = part(s, s->foot.post, s->foot.post_len, from,
	    to < from ? UINT64_MAX : to - from);

	o->p = (const unsigned char *)v.p;
	o->end = o->p + v.n;
	o->chunks = s->foot.chunks;
	o->chunk = o->tf = 0;
	o->begun = false;
}

/* varint - seven bits a byte, the lowest first; false at the end */
static bool
varint(struct postings *o, uint64_t *x)
{
	unsigned shift = 0;

	*x = 0;
	while (o->p < o->end && shift < 63) {
		unsigned char c = *o->p++;

		*x |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return true;
		shift += 7;
	}
	return false;
}

bool
postings_next(struct postings *o)
{
	uint64_t x, tf = 1;

	if (!varint(o, &x) || (!(x & 1) && !varint(o, &tf)))
		return false;
	x = (x >> 1) + (o->begun ? o->chunk : 0);
	if (x >= o->chunks || tf > UINT32_MAX) {
		o->p = o->end;
		return false;
	}
	o->chunk = (uint32_t)x;
	o->tf = (uint32_t)tf;
	o->begun = true;
	return true;
}
