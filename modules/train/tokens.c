/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens to learn from: of records, of a shard, of what is held back. */
#include "appliance/base/base.h"
#include "modules/train/tokens.h"

#include <fcntl.h>

#define TOKENS_MAX	((size_t)1 << 40)

size_t
tokens_put(const struct lesson *l, struct buf *out)
{
	for (size_t i = 0; i < l->n; i++) {
		uint32_t x = l->id[i] | (l->mine[i] ? 0 : TOKEN_QUIET) |
		    (i == 0 ? TOKEN_FIRST : 0);

		buf_add(out, &x, 4);
	}
	return l->n;
}

const char *
tokens_add(struct train *t, struct arena *a, struct rec *rec,
    struct texts *out)
{
	struct lesson l;
	const char *why = lesson_of(&t->lesson, a, rec, &l);

	if (why == NULL)
		tokens_put(&l, out->ids);
	return why;
}

struct shard {				/* as tokenize writes it */
	struct view file;
	uint32_t width;
	uint64_t docs, tokens;
};

/* shard_head - is it one of this very vocabulary, and whole */
static int
shard_head(const struct train *t, struct shard *s, struct err *e)
{
	const char *path = t->conf->shard;
	struct hash h = hash_of(NULL, t->model.tokenizer_file.p,
	    t->model.tokenizer_file.n);
	struct view file = s->file;
	uint32_t version;

	if (file.n < 64 || memcmp(file.p, "QUERNTOK", 8) != 0)
		return err_set(e, FATE_REJECT, "'%s' is no shard of tokens",
		    path);
	memcpy(&version, file.p + 8, 4);
	memcpy(&s->width, file.p + 12, 4);
	memcpy(&s->docs, file.p + 16, 8);
	memcpy(&s->tokens, file.p + 24, 8);
	if (version != 1 || (s->width != 2 && s->width != 4) ||
	    s->tokens > (file.n - 64) / s->width || s->docs >= file.n / 8 ||
	    64 + s->tokens * s->width + (s->docs + 1) * 8 != file.n)
		return err_set(e, FATE_REJECT, "'%s' is cut short or of a "
		    "newer version", path);
	if (memcmp(file.p + 32, h.b, HASH_LEN) != 0)
		return err_set(e, FATE_REJECT, "'%s' was made with another "
		    "tokenizer", path);
	return 0;
}

/* shard_token - the i-th, or -1 if it is not in the vocabulary */
static int
shard_token(const struct train *t, const struct shard *s, uint64_t i,
    int32_t *id, struct err *e)
{
	uint32_t x = 0;

	memcpy(&x, s->file.p + 64 + i * s->width, s->width);
	*id = (int32_t)x;
	if (x < t->model.w.shape.V)
		return 0;
	return err_set(e, FATE_REJECT, "'%s': token %llu is not in the "
	    "vocabulary", t->conf->shard, (unsigned long long)i);
}

/* shard_doc - where a document's tokens begin and end */
static int
shard_doc(const struct train *t, const struct shard *s, uint64_t doc,
    uint64_t *from, uint64_t *to, struct err *e)
{
	const char *p = s->file.p + 64 + s->tokens * s->width + doc * 8;

	memcpy(from, p, 8);
	memcpy(to, p + 8, 8);
	if (*from <= *to && *to <= s->tokens)
		return 0;
	return err_set(e, FATE_REJECT, "'%s': document %llu lies outside it",
	    t->conf->shard, (unsigned long long)doc);
}

int
tokens_shard(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	struct buf *b = buf_new(a, TOKENS_MAX), *doc = buf_new(a, TOKENS_MAX);
	struct shard s = { .docs = 0 };
	struct arena *own;
	struct lesson l;
	uint64_t from, to;
	int32_t id;

	if (file_read(a, AT_FDCWD, t->conf->shard, TOKENS_MAX, &s.file,
	    e) == -1 || shard_head(t, &s, e) == -1)
		return -1;
	for (uint64_t d = 0; d < s.docs; d++) {
		if (shard_doc(t, &s, d, &from, &to, e) == -1)
			return -1;
		doc->n = 0;
		for (uint64_t i = from; i < to; i++) {
			if (shard_token(t, &s, i, &id, e) == -1)
				return -1;
			buf_add(doc, &id, 4);
		}
		own = arena_new();
		lesson_ids(&t->lesson, own, (void *)doc->p, doc->n / 4, 0, &l);
		tokens_put(&l, b);
		arena_free(own);
	}
	t->train = (struct tokens){ .v = (void *)b->p, .n = b->n / 4 };
	return 0;
}

int
tokens_valid(struct train *t, struct err *e)
{
	struct arena *a = arena_new();
	struct texts x = { buf_new(t->stage->arena, (size_t)1 << 32),
	    buf_new(t->stage->arena, (size_t)1 << 36) };
	const char *why, *first = NULL;
	struct stage_records *r;
	size_t n = 0, out = 0;
	struct rec rec;
	int rc;

	r = stage_records(t->stage, t->conf->valid, e);
	rc = r == NULL ? -1 : 1;
	for (; rc == 1 && (rc = stage_record(r, a, &rec, e)) == 1; n++) {
		why = t->objective->add(t, a, &rec, &x);
		if (why != NULL && out++ == 0)
			first = arena_str(t->stage->arena, why);
		arena_reset(a);
	}
	arena_free(a);
	if (out > 0)
		stage_warn(t->stage, "%zu of the %zu records of '%s' cannot "
		    "be judged; of the first: %s", out, n, t->conf->valid,
		    first);
	if (x.ids->full || x.side->full)
		return err_set(e, FATE_REJECT, "'%s' has more tokens than are "
		    "held at once: take fewer records", t->conf->valid);
	t->valid = (struct tokens){ (void *)x.ids->p, x.ids->n / 4, x.side->p,
	    x.side->n };
	return rc;
}
