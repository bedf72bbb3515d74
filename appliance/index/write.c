/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/index/write.h"

#define OUT_MAX		((size_t)2 << 20)
#define OUT_FLUSH	((size_t)1 << 20)
#define TABLE_MAX	((size_t)1 << 38)

void
write_open(struct segment_write *w, int fd)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	buf_init(&w->out, OUT_MAX);
	buf_init(&w->docs, TABLE_MAX);
	buf_init(&w->chunks, TABLE_MAX);
	buf_init(&w->names, TABLE_MAX);
	buf_init(&w->words, UINT32_MAX);
	buf_init(&w->terms, TABLE_MAX);
	memcpy(w->foot.magic, SEGMENT_MAGIC, 8);
}

void
write_abandon(void *arg)
{
	struct segment_write *w = arg;

	buf_free(&w->out);
	buf_free(&w->docs);
	buf_free(&w->chunks);
	buf_free(&w->names);
	buf_free(&w->words);
	buf_free(&w->terms);
}

static int
flush(struct segment_write *w, struct err *e)
{
	if (file_put(w->fd, w->out.p, w->out.n) == -1)
		return err_errno(e, "cannot write an index");
	w->out.n = 0;
	return 0;
}

/* put - bytes of any number to the file */
static int
put(struct segment_write *w, const void *p, size_t n, struct err *e)
{
	w->at += n;
	if (w->out.n + n > OUT_FLUSH && w->out.n > 0 && flush(w, e) == -1)
		return -1;
	if (n > OUT_FLUSH)
		return file_put(w->fd, p, n) == -1 ?
		    err_errno(e, "cannot write an index") : 0;
	buf_add(&w->out, p, n);
	return 0;
}

/* align - the next table begins at a multiple of 8 */
static int
align(struct segment_write *w, struct err *e)
{
	return put(w, "\0\0\0\0\0\0\0", (8 - w->at % 8) % 8, e);
}

int
write_doc(struct segment_write *w, const struct segment_doc *like,
    struct view text, struct view id, struct view source, struct err *e)
{
	struct segment_doc d = *like;

	d.text = w->foot.text_len;
	d.text_len = (uint32_t)text.n;
	d.name = w->names.n;
	d.id_len = (uint32_t)id.n;
	d.source_len = (uint32_t)source.n;
	d.chunk = (uint32_t)w->foot.chunks;
	buf_view(&w->names, id);
	buf_view(&w->names, source);
	buf_add(&w->docs, &d, sizeof(d));
	w->foot.text_len += text.n;
	w->foot.docs++;
	return put(w, text.p, text.n, e);
}

void
write_chunk(struct segment_write *w, uint32_t begin, uint32_t end,
    uint32_t length)
{
	struct segment_chunk c = { (uint32_t)w->foot.docs - 1, begin, end,
	    length };

	buf_add(&w->chunks, &c, sizeof(c));
	w->foot.chunks++;
	w->foot.tokens += length;
}

int
write_terms(struct segment_write *w, struct err *e)
{
	w->foot.name = w->at;
	w->foot.name_len = w->names.n;
	if (put(w, w->names.p, w->names.n, e) == -1 || align(w, e) == -1)
		return -1;
	w->foot.doc = w->at;
	if (put(w, w->docs.p, w->docs.n, e) == -1)
		return -1;
	w->foot.chunk = w->at;
	if (put(w, w->chunks.p, w->chunks.n, e) == -1)
		return -1;
	w->foot.post = w->at;
	return 0;
}

/* term_end - how many postings the last term has got; without one it goes */
static void
term_end(struct segment_write *w)
{
	struct segment_term *t;

	if (w->foot.terms == 0)
		return;
	t = (void *)(w->terms.p + w->terms.n - sizeof(*t));
	t->df = w->df;
	if (w->df > 0)
		return;
	w->words.n = t->word;
	w->terms.n -= sizeof(*t);
	w->foot.terms--;
}

void
write_term(struct segment_write *w, struct view word)
{
	struct segment_term t = { 0, 0, 0 };

	term_end(w);
	t.post = w->at - w->foot.post;
	t.word = (uint32_t)w->words.n;
	buf_view(&w->words, word);
	buf_add(&w->terms, &t, sizeof(t));
	w->foot.terms++;
	w->last = w->df = 0;
}

static size_t
varint(unsigned char *out, uint64_t x)
{
	size_t n = 0;

	for (; x >= 0x80; x >>= 7)
		out[n++] = (unsigned char)(x | 0x80);
	out[n++] = (unsigned char)x;
	return n;
}

int
write_posting(struct segment_write *w, uint32_t chunk, uint32_t tf,
    struct err *e)
{
	unsigned char out[20];
	size_t n = varint(out, (uint64_t)(chunk - w->last) * 2 + (tf == 1));

	if (tf != 1)
		n += varint(out + n, tf);
	w->last = chunk;
	w->df++;
	return put(w, out, n, e);
}

int
write_close(struct segment_write *w, struct err *e)
{
	struct segment_term end = { 0, 0, 0 };

	term_end(w);
	w->foot.post_len = w->at - w->foot.post;
	w->foot.word = w->at;
	w->foot.word_len = w->words.n;
	end.post = w->foot.post_len;
	end.word = (uint32_t)w->words.n;
	if (put(w, w->words.p, w->words.n, e) == -1 || align(w, e) == -1)
		return -1;
	w->foot.term = w->at;
	buf_add(&w->terms, &end, sizeof(end));
	if (w->words.full || w->terms.full || w->docs.full || w->names.full ||
	    w->chunks.full)
		return err_set(e, FATE_REJECT, "a part of the index has grown "
		    "too large: smaller memory=");
	if (put(w, w->terms.p, w->terms.n, e) == -1 ||
	    put(w, &w->foot, sizeof(w->foot), e) == -1 || flush(w, e) == -1)
		return -1;
	file_sync(w->fd, "an index file");
	return 0;
}
