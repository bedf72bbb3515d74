/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/tokenize/shard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LLMC_MAGIC	20240520
#define SPLITS		32		/* counted by name */

struct split {
	struct view name;
	uint64_t tokens, docs;
};

struct shard {
	struct arena *arena;
	int layout, fd, at;
	const char *path, *tmp;
	const char *index;		/* megatron's second file */
	struct buf *out;
	struct hash file;
	uint32_t width;
	int32_t end;			/* -1: none is put */
	uint64_t tokens, docs, cap, *offset;
	struct split split[SPLITS];
	size_t nsplits;
	bool published;
};

/* shard_fits - what the layout asks of a vocabulary */
static int
shard_fits(struct shard *h, const struct tokenizer *t, struct err *e)
{
	static const char *const names[] = { "quern", "llmc", "nanogpt",
	    "megatron" };
	const char *name = names[h->layout];
	bool half = h->layout == SHARD_LLMC || h->layout == SHARD_NANOGPT;

	if (half && t->size > 65536)
		return err_set(e, FATE_REJECT, "layout '%s' holds ids below "
		    "65536, the vocabulary has %u", name, t->size);
	if (half && t->end == -1)
		return err_set(e, FATE_REJECT, "layout '%s' needs a token "
		    "that ends a text, the vocabulary has none", name);
	h->width = h->layout == SHARD_MEGATRON ? t->size < 65500 ? 2 : 4 :
	    t->size > 65536 ? 4 : 2;
	h->end = h->layout == SHARD_QUERN ? -1 : t->end;
	return 0;
}

/* shard_head - the bytes in front of the tokens */
static size_t
shard_head(const struct shard *h, unsigned char head[1024])
{
	uint32_t version = 1, word;

	memset(head, 0, 1024);
	if (h->layout == SHARD_LLMC) {
		word = LLMC_MAGIC;
		memcpy(head, &word, 4);
		memcpy(head + 4, &version, 4);
		word = (uint32_t)h->tokens;
		memcpy(head + 8, &word, 4);
		return 1024;
	}
	if (h->layout != SHARD_QUERN)
		return 0;
	memcpy(head, "QUERNTOK", 8);
	memcpy(head + 8, &version, 4);
	memcpy(head + 12, &h->width, 4);
	memcpy(head + 16, &h->docs, 8);
	memcpy(head + 24, &h->tokens, 8);
	memcpy(head + 32, h->file.b, 32);
	return 64;
}

struct shard *
shard_open(struct stage *s, const char *name, int layout,
    const struct tokenizer *t, struct hash file, struct err *e)
{
	struct shard *h = arena_alloc(s->arena, sizeof(*h));
	unsigned char head[1024];
	size_t n;

	*h = (struct shard){ .arena = s->arena, .layout = layout, .fd = -1,
	    .file = file };
	if (shard_fits(h, t, e) == -1)
		return NULL;
	h->path = stage_output(s, name, &h->at, e);
	if (h->path == NULL)
		return NULL;
	if (layout == SHARD_MEGATRON) {
		n = strlen(h->path);
		if (n > 4 && strcmp(h->path + n - 4, ".bin") == 0)
			n -= 4;
		h->index = arena_printf(s->arena, "%.*s.idx", (int)n, h->path);
		h->path = arena_printf(s->arena, "%.*s.bin", (int)n, h->path);
	}
	h->tmp = arena_printf(s->arena, "%s.part", h->path);
	h->out = buf_new(s->arena, (size_t)1 << 30);
	h->fd = openat(h->at, h->tmp, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0640);
	/* the head is filled in at the end */
	if (h->fd == -1 || file_put(h->fd, head, shard_head(h, head)) == -1) {
		err_errno(e, "cannot create '%s'", h->path);
		return NULL;
	}
	return h;
}

/* shard_ids - ids at the width of the file */
static void
shard_ids(struct shard *h, const uint32_t *ids, size_t n)
{
	h->tokens += n;
	for (size_t i = 0; i < n; i++) {
		uint16_t half = (uint16_t)ids[i];

		buf_add(h->out, h->width == 2 ? (const void *)&half :
		    (const void *)&ids[i], h->width);
	}
}

/* shard_split - the counts of a split; those beyond the table are the last */
static struct split *
shard_split(struct shard *h, struct view name)
{
	size_t i = 0;

	while (i < h->nsplits && !view_eq(h->split[i].name, name))
		i++;
	if (i == h->nsplits) {
		if (i == SPLITS - 1)
			name = VIEW("others");
		if (i == SPLITS)
			return &h->split[SPLITS - 1];
		h->split[h->nsplits++].name = view_keep(h->arena, name);
	}
	return &h->split[i];
}

/* shard_mark - where the next document begins */
static void
shard_mark(struct shard *h)
{
	if (h->docs == h->cap) {
		h->cap = h->cap == 0 ? 1024 : h->cap * 2;
		h->offset = mem_grow(h->offset, h->cap * sizeof(*h->offset));
	}
	h->offset[h->docs++] = h->tokens;
}

int
shard_put(struct shard *h, struct view split, const uint32_t *ids, size_t n,
    struct err *e)
{
	struct split *p = shard_split(h, split);
	uint32_t end = (uint32_t)h->end;
	uint64_t before = h->tokens;

	shard_mark(h);
	if (h->layout == SHARD_LLMC)
		shard_ids(h, &end, 1);
	shard_ids(h, ids, n);
	if (h->end != -1 && h->layout != SHARD_LLMC)
		shard_ids(h, &end, 1);
	p->docs++;
	p->tokens += h->tokens - before;
	if (h->layout == SHARD_LLMC && h->tokens > INT32_MAX)
		return err_set(e, FATE_REJECT, "layout 'llmc' holds %d tokens "
		    "in a file: write several", INT32_MAX);
	if (h->out->n < (1 << 20))
		return 0;
	if (file_put(h->fd, h->out->p, h->out->n) == -1)
		return err_errno(e, "cannot write '%s'", h->path);
	h->out->n = 0;
	return 0;
}

/* shard_index - megatron's NAME.idx; offset has one more than documents */
static int
shard_index(struct shard *h, struct err *e)
{
	struct buf *b = buf_new(h->arena, h->docs * 20 + 64);
	uint64_t version = 1, more = h->docs + 1, place;
	char type = h->width == 2 ? 8 : 4;

	buf_add(b, "MMIDIDX\0\0", 9);
	buf_add(b, &version, 8);
	buf_char(b, type);
	buf_add(b, &h->docs, 8);
	buf_add(b, &more, 8);
	for (uint64_t i = 0; i < h->docs; i++) {
		uint32_t n = (uint32_t)(h->offset[i + 1] - h->offset[i]);

		buf_add(b, &n, 4);
	}
	for (uint64_t i = 0; i < h->docs; i++) {
		place = h->offset[i] * h->width;
		buf_add(b, &place, 8);
	}
	for (uint64_t i = 0; i <= h->docs; i++)
		buf_add(b, &i, 8);
	return file_replace(h->at, h->index, buf_get(b), 0640, true, e);
}

/* shard_results - counts, and those of splits as bars */
static void
shard_results(const struct shard *h, struct stage *s)
{
	struct buf *b = buf_new(s->arena, 1 << 16);

	stage_result(s, "shard", view_of(arena_printf(s->arena,
	    "{\"documents\":%llu,\"tokens\":%llu}",
	    (unsigned long long)h->docs, (unsigned long long)h->tokens)));
	if (h->nsplits == 0 || (h->nsplits == 1 && h->split[0].name.n == 0))
		return;
	for (int docs = 0; docs < 2; docs++) {
		b->n = 0;
		for (size_t i = 0; i < h->nsplits; i++) {
			buf_str(b, i > 0 ? ",[" : "[[");
			buf_json(b, h->split[i].name);
			buf_printf(b, ",%llu]", (unsigned long long)(docs ?
			    h->split[i].docs : h->split[i].tokens));
		}
		buf_char(b, ']');
		stage_result(s, docs ? "split_documents" : "split_tokens",
		    view_keep(s->arena, buf_get(b)));
	}
}

int
shard_finish(struct shard *h, struct stage *s, struct err *e)
{
	unsigned char head[1024];
	size_t n;

	shard_mark(h);			/* the end, as an offset */
	h->docs--;
	n = shard_head(h, head);
	if (file_put(h->fd, h->out->p, h->out->n) == -1 ||
	    (h->layout == SHARD_QUERN && file_put(h->fd, h->offset,
	    (h->docs + 1) * 8) == -1) ||
	    pwrite(h->fd, head, n, 0) != (ssize_t)n)
		return err_errno(e, "cannot write '%s'", h->path);
	file_sync(h->fd, h->path);
	/* the index first: without its .bin it is nothing */
	if ((h->index != NULL && shard_index(h, e) == -1) ||
	    file_rename(h->at, h->tmp, h->at, h->path, e) == -1)
		return -1;
	h->published = true;
	shard_results(h, s);
	return 0;
}

void
shard_close(struct shard *h)
{
	if (h == NULL || h->fd == -1)
		return;
	close(h->fd);
	mem_free(h->offset);
	if (!h->published)
		unlinkat(h->at, h->tmp, 0);
}
