/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenize - learn a vocabulary, turn text into ids and back, write shards.
 * What is read is said in appliance/text/tokenizer.h; learning is in vocab.c.
 *
 *   shard   64 bytes: "QUERNTOK", u32 version 1, u32 width (2 or 4), u64
 *           documents, u64 tokens, 32 bytes BLAKE2b-256 of the tokenizer's
 *           file; the tokens, little-endian; u64 offsets of the documents in
 *           tokens, one more than there are documents
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/store/store.h"
#include "appliance/base/words.h"
#include "appliance/text/tokenizer.h"
#include "modules/tokenize/vocab.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct tokenize_conf {
	int act;
	const char *name, *with, *text;
	struct vocab_conf vocab;
};

enum { ACT_ENCODE, ACT_DECODE, ACT_COUNT, ACT_LEARN, ACT_SHARD };

static const struct opt tokenize_opts[] = {
	{ .name = "do", .type = OPT_ENUM, .flags = OPT_POSITIONAL,
	    .offset = offsetof(struct tokenize_conf, act), .def = "encode",
	    .words = "encode|decode|count|learn|shard",
	    .help = "add ids; ids to text; note the fact tokens; make a "
	    "vocabulary; write a shard" },
	OPT_TEXT(struct tokenize_conf, name, NULL, OPT_POSITIONAL,
	    "learn: the tokenizer that gets a new version, or a path with a "
	    "slash; shard: the file"),
	OPT_REF(OPT_TOKENIZER, struct tokenize_conf, with, NULL, 0,
	    "the tokenizer, as NAME[@VERSION|@TAG], or a path with a slash"),
	OPT_TEXT(struct tokenize_conf, text, "text", 0, "field that is read"),
	VOCAB_OPTIONS(struct tokenize_conf, vocab),
	OPT_DONE
};

struct tokenize {
	struct tokenizer *tok;
	struct hash hash;		/* of the tokenizer's file */
	/* shard */
	int fd, at;
	const char *path, *tmp;
	struct buf *out;
	uint32_t width;
	uint64_t tokens, docs, cap, *offset;
	bool published;
};

static int
tokenize_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct tokenize_conf *conf = arg;
	bool learn = conf->act == ACT_LEARN, shard = conf->act == ACT_SHARD;

	if ((learn || shard) && conf->name == NULL)
		return err_set(e, FATE_REJECT, "'name' is missing: what is "
		    "learnt or written");
	if (!learn && conf->with == NULL)
		return err_set(e, FATE_REJECT, "'with' is missing: the "
		    "tokenizer");
	if (learn && vocab_plan(&conf->vocab, e) == -1)
		return -1;
	needs->stateless = !shard;
	needs->sink = needs->unmarked = learn || shard;
	if (learn && strchr(conf->name, '/') == NULL) {
		if (sink_plan(conf->name, needs, e) == -1)
			return -1;
		needs->makes = KIND_TOKENIZER;
	}
	if (stage_named(conf->with))
		needs->store = true;
	return 0;
}

/* tokenize_shard - the temporary; its head is filled in at the end */
static int
tokenize_shard(struct stage *s, struct tokenize *t, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	char head[64] = { 0 };

	t->path = stage_output(s, conf->name, &t->at, e);
	if (t->path == NULL)
		return -1;
	t->tmp = arena_printf(s->arena, "%s.part", t->path);
	t->out = buf_new(s->arena, (size_t)1 << 30);
	t->width = t->tok->size > 65536 ? 4 : 2;
	t->fd = openat(t->at, t->tmp, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0640);
	if (t->fd == -1 || file_put(t->fd, head, sizeof(head)) == -1)
		return err_errno(e, "cannot create '%s'", t->path);
	return 0;
}

static int
tokenize_open(struct stage *s, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t;
	struct view file;
	int dir;

	if (conf->act == ACT_LEARN)
		return vocab_open(s, &conf->vocab, e);
	s->state = t = arena_alloc(s->arena, sizeof(*t));
	t->fd = -1;
	if (stage_tokenizer(s, conf->with, &file, e) == -1)
		return -1;
	t->hash = hash_of(NULL, file.p, file.n);
	dir = stage_compiled(s);
	t->tok = tokenizer_open_kept(s->arena, file, &t->hash, dir, e);
	if (dir != -1)
		close(dir);
	if (t->tok == NULL)
		return err_prefix(e, "'%s': ", conf->with);
	return conf->act == ACT_SHARD ? tokenize_shard(s, t, e) : 0;
}

/* tokenize_ids - the numbers of a JSON array */
static int
tokenize_ids(struct arena *a, struct view raw, uint32_t **ids, size_t *n)
{
	struct json_iter it;
	struct view v;
	int64_t x;

	*n = 0;
	*ids = arena_array(a, raw.n / 2 + 1, sizeof(**ids));
	if (!json_open(&it, raw, '['))
		return -1;
	while (json_element(&it, &v)) {
		if (!json_integer(v, &x) || x < 0 || x > UINT32_MAX)
			return -1;
		(*ids)[(*n)++] = (uint32_t)x;
	}
	return 0;
}

/* tokenize_decode - ids to text */
static void
tokenize_decode(const struct tokenize_conf *conf, const struct tokenize *t,
    struct arena *a, struct rec *r)
{
	struct buf *b = buf_new(a, REC_MAX);
	struct view raw;
	uint32_t *ids;
	size_t n;

	if (!rec_raw(r, "ids", &raw) || tokenize_ids(a, raw, &ids, &n) == -1)
		rec_fail(a, r, "no ids");
	else if (tokenizer_decode(t->tok, ids, n, b) == -1 || b->full)
		rec_fail(a, r, "an id is not in the vocabulary");
	else if (utf8_check(buf_get(b).p, b->n) != b->n)
		rec_fail(a, r, "its ids are no whole characters");
	else
		rec_set_str(a, r, conf->text, buf_get(b));
}

/* tokenize_put - a document's tokens to the shard */
static int
tokenize_put(struct tokenize *t, const uint32_t *ids, size_t n, struct err *e)
{
	if (t->docs == t->cap) {
		t->cap = t->cap == 0 ? 1024 : t->cap * 2;
		t->offset = mem_grow(t->offset, t->cap * sizeof(*t->offset));
	}
	t->offset[t->docs++] = t->tokens;
	t->tokens += n;
	for (size_t i = 0; i < n; i++) {
		uint16_t half = (uint16_t)ids[i];

		buf_add(t->out, t->width == 2 ? (const void *)&half :
		    (const void *)&ids[i], t->width);
	}
	if (t->out->n < (1 << 20))
		return 0;
	if (file_put(t->fd, t->out->p, t->out->n) == -1)
		return err_errno(e, "cannot write '%s'", t->path);
	t->out->n = 0;
	return 0;
}

/* tokenize_record - one record, whatever is done */
static int
tokenize_record(struct stage *s, struct tokenizer_scratch *scratch,
    struct arena *a, struct rec *r, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t = s->state;
	struct view text;
	struct buf *b;
	uint32_t *ids;
	size_t n;

	if (!rec_str(a, r, conf->text, &text)) {
		rec_fail(a, r, "no text in '%s'", conf->text);
		return 0;
	}
	n = tokenizer_encode_with(t->tok, scratch, a, text, &ids);
	if (conf->act == ACT_SHARD)
		return tokenize_put(t, ids, n, e);
	rec_fact(a, r, "tokens", (double)n);
	if (conf->act == ACT_COUNT)
		return 0;
	b = buf_new(a, n * 11 + 16);
	buf_char(b, '[');
	for (size_t i = 0; i < n; i++)
		buf_printf(b, i > 0 ? ",%u" : "%u", ids[i]);
	buf_char(b, ']');
	rec_set_raw(a, r, "ids", buf_get(b));
	return 0;
}

static int
tokenize_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t = s->state;

	if (conf->act == ACT_LEARN)
		return vocab_batch(scratch, b, conf->text, e);
	for (size_t i = 0; i < b->n; i++) {
		if (conf->act == ACT_DECODE)
			tokenize_decode(conf, t, b->arena, &b->rec[i]);
		else if (tokenize_record(s, scratch, b->arena, &b->rec[i],
		    e) == -1)
			return -1;
	}
	return 0;
}

/* shard_finish - the rest, the offsets, the head; then publish */
static int
shard_finish(struct tokenize *t, struct err *e)
{
	char head[64] = "QUERNTOK";
	uint32_t version = 1;

	if (tokenize_put(t, NULL, 0, e) == -1)	/* the end, as an offset */
		return -1;
	t->docs--;
	memcpy(head + 8, &version, 4);
	memcpy(head + 12, &t->width, 4);
	memcpy(head + 16, &t->docs, 8);
	memcpy(head + 24, &t->tokens, 8);
	memcpy(head + 32, t->hash.b, 32);
	if (file_put(t->fd, t->out->p, t->out->n) == -1 ||
	    file_put(t->fd, t->offset, (t->docs + 1) * 8) == -1 ||
	    pwrite(t->fd, head, sizeof(head), 0) != sizeof(head))
		return err_errno(e, "cannot write '%s'", t->path);
	file_sync(t->fd, t->path);
	if (file_rename(t->at, t->tmp, t->at, t->path, e) == -1)
		return -1;
	t->published = true;
	return 0;
}

static int
tokenize_finish(struct stage *s, struct batch *out, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t = s->state;

	(void)out;
	if (conf->act == ACT_LEARN && vocab_finish(s, conf->name, e) == -1)
		return -1;
	if (conf->act != ACT_SHARD)
		return 1;
	if (shard_finish(t, e) == -1)
		return -1;
	stage_result(s, "shard", view_of(arena_printf(s->arena,
	    "{\"documents\":%llu,\"tokens\":%llu}",
	    (unsigned long long)t->docs, (unsigned long long)t->tokens)));
	return 1;
}

static int
tokenize_thread(struct stage *s, void **scratch, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t = s->state;

	if (conf->act == ACT_LEARN)
		return vocab_thread(s, scratch, e);
	*scratch = tokenizer_scratch(t->tok, s->arena);
	return 0;
}

static void
tokenize_close(struct stage *s)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t = s->state;

	if (conf->act == ACT_LEARN) {
		vocab_close(s);
		return;
	}
	if (t == NULL || t->fd == -1)
		return;
	close(t->fd);
	mem_free(t->offset);
	if (!t->published)
		unlinkat(t->at, t->tmp, 0);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 4,
	.name = "tokenize", .summary = "learn a vocabulary, text to ids and "
	    "back",
	.options = tokenize_opts, .conf_size = sizeof(struct tokenize_conf),
	.plan = tokenize_plan, .open = tokenize_open,
	.thread = tokenize_thread,
	.batch = tokenize_batch, .finish = tokenize_finish,
	.close = tokenize_close,
};
