/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning a vocabulary.  Counting does not depend on order, so the stage is
 * stateless and every thread counts for itself; nothing is kept at a mark, a
 * killed job learns anew and finds the same.
 */
#include "appliance/base/base.h"
#include "appliance/store/store.h"
#include "appliance/text/learn.h"
#include "appliance/text/tokenizer.h"
#include "modules/tokenize/vocab.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct vocab {
	struct learn *learn;
	struct learn_conf rules;
	struct vocab_file {
		int fd;
		const char *name;	/* in the job's directory; or NULL */
	} *file;			/* of the threads */
	int nfiles;
};

static const char *const pieces[] = { "<unk>", "<s>", "</s>" };
static const char *const bert[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]",
    "[MASK]" };

/* vocab_rules - what the options say */
static void
vocab_rules(const struct vocab_conf *c, struct learn_conf *r)
{
	bool marks;

	*r = (struct learn_conf){
		.kind = (enum learn_kind)c->kind, .pattern = c->pattern,
		.size = (uint32_t)c->vocab, .min_count = c->min_count,
		.nfc = c->normalize == 1, .collapse = c->whitespace == 1,
		.digits = c->digits == 1, .lowercase = c->lowercase,
		.byte_fallback = c->byte_fallback, .coverage = c->coverage,
		.limit_alphabet = c->limit_alphabet,
		.initial_alphabet = c->initial_alphabet,
		.max_token_length = c->max_token_length,
		.special = c->special.v, .nspecial = c->special.n,
		.model = c->format == 1, .memory = (size_t)c->memory,
		.threads = 1 };
	marks = r->kind == LEARN_CHAR_BPE || r->kind == LEARN_UNIGRAM;
	r->prefix = c->dummy_prefix == 0 ? marks : c->dummy_prefix == 1;
	if (c->special.given || r->kind == LEARN_BPE)
		return;
	r->special = marks ? pieces : bert;
	r->nspecial = marks ? BASE_COUNT(pieces) : BASE_COUNT(bert);
}

int
vocab_plan(const struct vocab_conf *c, struct err *e)
{
	struct arena *a = arena_new();
	struct learn_conf rules;
	int rc;

	vocab_rules(c, &rules);
	rc = learn_begin(a, &rules, e) == NULL ? -1 : 0;
	arena_free(a);
	return rc;
}

int
vocab_open(struct stage *s, const struct vocab_conf *c, struct err *e)
{
	struct vocab *v = arena_alloc(s->arena, sizeof(*v));

	s->state = v;
	vocab_rules(c, &v->rules);
	v->rules.threads = stage_threads(s);
	v->learn = learn_begin(s->arena, &v->rules, e);
	return v->learn == NULL ? -1 : 0;
}

/* vocab_file - for counts that do not fit: beside the job's other files, where
 * it counts as the job's, in a shell one without a name */
static int
vocab_file(struct stage *s, int number, struct vocab_file *f, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	int dir = stage_dir(s);

	if (dir != -1) {
		f->name = arena_printf(s->arena, "%s.words.%d",
		    stage_pipeline(s), number);
		f->fd = openat(dir, f->name, O_RDWR | O_CREAT | O_TRUNC |
		    O_CLOEXEC | O_NOFOLLOW, 0600);
	} else {
		tmp = tmp == NULL ? "/tmp" : tmp;
		f->fd = open(tmp, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	}
	if (f->fd == -1)
		return err_errno(e, "cannot create a file for words in '%s'",
		    dir != -1 ? f->name : tmp);
	return 0;
}

int
vocab_thread(struct stage *s, void **scratch, struct err *e)
{
	struct vocab *v = s->state;
	struct vocab_file f = { 0 };

	if (vocab_file(s, v->nfiles, &f, e) == -1)
		return -1;
	v->file = arena_grow(s->arena, v->file, (size_t)v->nfiles,
	    (size_t)v->nfiles + 1, sizeof(*v->file));
	v->file[v->nfiles++] = f;
	*scratch = learn_thread(v->learn, f.fd);
	return 0;
}

int
vocab_batch(void *scratch, struct batch *b, const char *name, struct err *e)
{
	struct view text;

	for (size_t i = 0; i < b->n; i++)
		if (!rec_str(b->arena, &b->rec[i], name, &text))
			rec_fail(b->arena, &b->rec[i], "no text in '%s'",
			    name);
		else if (learn_add(scratch, b->arena, text, e) == -1)
			return -1;
	return 0;
}

/* vocab_publish - a version of a tokenizer */
static int
vocab_publish(struct stage *s, const struct vocab *vocab, const char *name,
    struct view bytes, struct err *e)
{
	struct store *store = stage_store(s);
	struct version v = { .name = name, .kind = STORE_TOKENIZER };
	char hex[HASH_HEX + 1];
	const char *file;

	hash_hex(hash_of(NULL, bytes.p, bytes.n), hex);
	file = arena_printf(s->arena, "%.24s.%s.%s", hex, name,
	    vocab->rules.model ? "model" : "json");
	if (file_replace(store->packs, file, bytes, 0640, true, e) == -1)
		return -1;
	file_sync(store->packs, "packs");
	v.created = time(NULL);
	v.job = stage_is_shell(s) ? NULL : stage_job(s);
	v.pipeline = stage_pipeline(s);
	v.key = stage_result_key(s);
	v.pack = &file;
	v.npacks = 1;
	v.bytes = (int64_t)bytes.n;
	v.input = (const char **)(uintptr_t)stage_inputs(s, &v.ninputs);
	if (store_publish(store, &v, true, e) == -1)
		return -1;
	msg_info("saved '%s@%u'", v.name, v.number);
	return 0;
}

/* vocab_stopping - learn_end's question */
static bool
vocab_stopping(void *arg)
{
	return stage_stopping(arg);
}

int
vocab_finish(struct stage *s, const char *name, struct err *e)
{
	struct vocab *v = s->state;
	struct buf *b = buf_new(s->arena, TOKENIZER_MAX);
	const char *path;
	int at;

	if (learn_end(v->learn, vocab_stopping, s, b, e) == -1)
		return -1;
	stage_result(s, "vocabulary", view_of(arena_printf(s->arena,
	    "{\"tokens\":%u,\"words\":%zu}", learn_tokens(v->learn),
	    learn_words(v->learn))));
	if (learn_tokens(v->learn) < v->rules.size)
		stage_warn(s, "only %u tokens were found, %u were asked for",
		    learn_tokens(v->learn), v->rules.size);
	if (strchr(name, '/') == NULL)
		return vocab_publish(s, v, name, buf_get(b), e);
	path = stage_output(s, name, &at, e);
	return path == NULL ? -1 : file_replace(at, path, buf_get(b), 0644,
	    true, e);
}

void
vocab_close(struct stage *s)
{
	struct vocab *v = s->state;

	for (int i = 0; v != NULL && i < v->nfiles; i++) {
		close(v->file[i].fd);
		/* words are text, which no ended job keeps */
		if (v->file[i].name != NULL)
			unlinkat(stage_dir(s), v->file[i].name, 0);
	}
}
