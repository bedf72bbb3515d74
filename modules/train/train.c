/* SPDX-License-Identifier: Apache-2.0 */
/* train - a language model from records or from a shard of tokens */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "modules/train/tokens.h"
#include "modules/train/unread.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* goal_plan - does the rest fit what it is trained for */
static int
goal_plan(const struct train_conf *c, struct err *e)
{
	const struct objective *o = objective_of(c);

	if (c->shard != NULL && o != &objective_causal)
		return err_set(e, FATE_REJECT, "a shard has tokens alone: "
		    "objective=%s needs records", o->name);
	if (o->apart && c->packing != PACKING_AUTO &&
	    c->packing != PACKING_NONE)
		return err_set(e, FATE_REJECT, "objective=%s has each text in "
		    "a sequence by itself: packing=none", o->name);
	if (c->turn.n != 0 && c->turn.n != 2)
		return err_set(e, FATE_REJECT, "'turn' is two markers: what "
		    "stands before an answer and what ends it");
	if (unread_check(c, e) == -1)
		return -1;
	return o->plan == NULL ? 0 : o->plan(c, e);
}

static int
train_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct train_conf *c = arg;

	if (c->tokenizer == NULL && c->base == NULL)
		return err_set(e, FATE_REJECT, "'tokenizer' is missing: the "
		    "vocabulary that the model is built for");
	if (c->base == NULL && c->channels % c->heads != 0)
		return err_set(e, FATE_REJECT, "channels=%lld cannot be shared "
		    "by heads=%lld", (long long)c->channels,
		    (long long)c->heads);
	if (c->kv_heads > 0 && c->heads % c->kv_heads != 0)
		return err_set(e, FATE_REJECT, "heads=%lld cannot share "
		    "kv_heads=%lld", (long long)c->heads,
		    (long long)c->kv_heads);
	if (c->adapter == ADAPTER_LORA && c->base == NULL)
		return err_set(e, FATE_REJECT, "adapter=lora without a base: "
		    "adapters are for a model that is there");
	if (c->adapter == ADAPTER_NONE && c->base_form != HELD_FILE &&
	    c->base_form != HELD_F32)
		return err_set(e, FATE_REJECT, "base_form is how frozen "
		    "weights are held: without an adapter none are");
	if (c->adapter == ADAPTER_NONE && c->merge)
		return err_set(e, FATE_REJECT, "merge=yes without an adapter");
	if (goal_plan(c, e) == -1 || tune_check(c, e) == -1)
		return -1;
	needs->source = c->shard != NULL;
	needs->makes = c->out == NULL ? KIND_MODEL : KIND_NONE;
	needs->sink = c->out != NULL;
	needs->store = c->out == NULL || stage_named(c->tokenizer) ||
	    stage_named(c->base) || c->valid != NULL;
	needs->gpus = strcmp(c->gpus, "auto") == 0 ? -1 : atoi(c->gpus);
	return 0;
}

/* open_one - a file that is collected in, cut to the mark */
static int
open_one(struct train *t, const char *name, int64_t bytes, struct err *e)
{
	int dir = stage_dir(t->stage), fd;

	fd = dir == -1 ? memfd_create(name, MFD_CLOEXEC) : openat(dir, name,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd == -1 || ftruncate(fd, bytes) == -1 ||
	    lseek(fd, 0, SEEK_END) == -1) {
		if (fd != -1)
			close(fd);
		return err_errno(e, "cannot keep %s", name);
	}
	stage_sync(t->stage, fd);
	return fd;
}

/* open_tokens - the files that texts are collected in */
static int
open_tokens(struct train *t, struct err *e)
{
	struct view past = stage_journal(t->stage);

	t->out.ids = buf_new(t->stage->arena, (size_t)1 << 30);
	t->out.side = buf_new(t->stage->arena, (size_t)1 << 34);
	if (past.n >= sizeof(t->stored))
		memcpy(&t->stored, past.p + past.n - sizeof(t->stored),
		    sizeof(t->stored));
	t->fd = open_one(t, "tokens", t->stored.tokens * 4, e);
	if (t->fd != -1)
		t->side = open_one(t, "side", t->stored.side, e);
	return t->fd == -1 || t->side == -1 ? -1 : 0;
}

static int
train_open(struct stage *s, struct err *e)
{
	struct train *t = arena_alloc(s->arena, sizeof(*t));

	s->state = t;
	t->stage = s;
	t->conf = s->conf;
	t->objective = objective_of(t->conf);
	t->fd = t->side = t->dir = -1;
	t->at.best = INFINITY;
	if (stage_is_shell(s) && t->conf->out == NULL)
		return err_set(e, FATE_USAGE, "'out' is missing: a shell has "
		    "no save for the model");
	if (join_open(t, e) == -1 || train_model(t, e) == -1 ||
	    train_chat(t, e) == -1 || checkpoint_open(t, e) == -1 ||
	    open_tokens(t, e) == -1)
		return -1;
	return t->objective->open == NULL ? 0 : t->objective->open(t, e);
}

static int
train_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct train *t = s->state;
	struct texts *x = &t->out;
	const char *why;

	(void)scratch;
	if (t->conf->shard != NULL)
		return 1;		/* all of it is read at the end */
	x->ids->n = x->side->n = 0;
	for (size_t i = 0; i < b->n; i++) {
		why = t->objective->add(t, b->arena, &b->rec[i], x);
		if (why != NULL) {
			rec_fail(b->arena, &b->rec[i], "%s", why);
			if (t->why == NULL)
				t->why = arena_str(s->arena, why);
		}
	}
	if (x->ids->full || x->side->full)
		return err_set(e, FATE_REJECT, "a batch of more than 1 GiB of "
		    "tokens");
	if (file_put(t->fd, x->ids->p, x->ids->n) == -1 ||
	    file_put(t->side, x->side->p, x->side->n) == -1)
		return err_errno(e, "cannot keep tokens");
	t->stored.tokens += (int64_t)(x->ids->n / 4);
	t->stored.side += (int64_t)x->side->n;
	stage_append(s, &t->stored, sizeof(t->stored));
	return 0;
}

/* read_back - a file that was collected in; freed with the arena */
static void *
read_back(struct train *t, int fd, size_t bytes, struct err *e)
{
	void *p = mem_alloc(bytes + 4);

	arena_defer(t->stage->arena, mem_free, p);
	if (lseek(fd, 0, SEEK_SET) != -1 && file_get(fd, p, bytes) ==
	    (ssize_t)bytes)
		return p;
	err_errno(e, "cannot read the tokens back");
	return NULL;
}

/* tokens_collected - what the batches have left */
static int
tokens_collected(struct train *t, struct err *e)
{
	t->train.n = (size_t)t->stored.tokens;
	t->train.nside = (size_t)t->stored.side;
	t->train.v = read_back(t, t->fd, t->train.n * 4, e);
	t->train.side = read_back(t, t->side, t->train.nside, e);
	return t->train.v == NULL || t->train.side == NULL ? -1 : 0;
}

size_t
train_context(const struct train *t)
{
	size_t T = (size_t)t->conf->context, most = t->model.w.shape.T;

	return T < most ? T : most;
}

/* rows_tell - how many, and how full */
static void
rows_tell(struct train *t, size_t learnt)
{
	size_t T = t->decoder.T;

	msg_info("%zu tokens, %zu of them learnt, in %zu sequences that are "
	    "%.0f %% full", t->train.n, learnt, t->rows.n, 100 *
	    fmin((double)t->train.n / (double)(t->rows.n * T), 1));
}

/* packing_of - as the options say, or as what is learnt asks for */
static int
packing_of(const struct train *t)
{
	bool quiet = false;

	for (size_t i = 0; i < t->train.n && !quiet; i++)
		quiet = (t->train.v[i] & TOKEN_QUIET) != 0;
	if (t->objective->apart)
		return PACKING_NONE;
	if (t->conf->packing != PACKING_AUTO)
		return t->conf->packing;
	return quiet ? PACKING_BFD_SPLIT : PACKING_WRAPPED;
}

/* train_rows - sequences of what was collected, and of what is held back */
static int
train_rows(struct train *t, struct err *e)
{
	struct arena *a = t->stage->arena;
	size_t T = t->decoder.T, learnt = 0;
	int packing = packing_of(t);

	for (size_t i = 0; i < t->train.n; i++)
		learnt += (t->train.v[i] & TOKEN_QUIET) == 0;
	rows_make(a, &t->train, T, packing, &t->rows);
	if (t->train.n == 0 && t->why != NULL)
		return err_set(e, FATE_REJECT, "nothing is left to learn "
		    "from; of the first record: %s", t->why);
	if (t->rows.n == 0)
		return err_set(e, FATE_REJECT, "there are %zu tokens, one "
		    "sequence has %zu: more text, or a smaller context",
		    t->train.n, T);
	if (learnt == 0)
		return err_set(e, FATE_REJECT, "no token is learnt: every "
		    "completion is empty, or no turn is the assistant's");
	if (!t->part.quiet)
		rows_tell(t, learnt);
	rows_make(a, &t->valid, T, packing, &t->held);
	if (t->conf->valid != NULL && t->held.n == 0)
		stage_warn(t->stage, "'%s' has fewer tokens than one "
		    "sequence: nothing is held back", t->conf->valid);
	if (t->held.n > 0 && t->held.n / t->objective->group <
	    t->objective->least) {
		stage_warn(t->stage, "'%s' has one pair, and nothing to tell "
		    "it from: nothing is held back", t->conf->valid);
		t->held.n = 0;
	}
	return 0;
}

/* most_learnt - of any row that will be */
static size_t
most_learnt(const struct train *t, const struct tokens *x)
{
	size_t T = train_context(t), most = 0, n;
	struct arena *a = arena_new();
	struct micro m = micro_new(a, 1, T);
	struct rows r;

	rows_make(a, x, T, packing_of(t), &r);
	for (size_t i = 0; i < r.n; i++) {
		n = rows_get(&r, i, &m);
		most = n > most ? n : most;
	}
	arena_free(a);
	return most;
}

/* train_targets - a decoder's sequences are as long as the longest needs */
static size_t
train_targets(const struct train *t)
{
	size_t n = most_learnt(t, &t->train), m = most_learnt(t, &t->valid);

	return n > m ? n : m;
}

/* train_data - tokens, and the device that they are put on */
static int
train_data(struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;

	if ((c->shard != NULL ? tokens_shard(t, e) :
	    tokens_collected(t, e)) == -1 || join_tokens(t, e) == -1)
		return -1;
	if (c->valid != NULL && tokens_valid(t, e) == -1)
		return -1;
	t->device = device_for(t->stage->arena, join_gpus(t),
	    stage_threads(t->stage), e);
	return t->device == NULL ? -1 : 0;
}

/* train_ready - memory, sequences, how many steps */
static int
train_ready(struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;
	int64_t each = c->batch * c->accumulate;

	t->targets = t->objective->seq2seq ? train_targets(t) : 0;
	if (train_memory(t, e) == -1 || train_rows(t, e) == -1 ||
	    (t->dir != -1 && origin_of(t, e) == -1))
		return -1;
	t->steps = c->steps > 0 ? c->steps : (int64_t)((double)c->epochs *
	    (double)(t->rows.n / t->objective->group) / (double)each + 0.999);
	t->part.until = t->steps;
	if (!t->part.quiet && t->conf->adapter == ADAPTER_LORA)
		adapter_tell(t);
	if (!t->part.quiet)
		msg_info("%s of %zu parameters, %zu tokens, %lld steps of "
		    "%lld sequences of %zu",
		    family_name(t->model.w.shape.family), t->model.w.all,
		    t->train.n, (long long)t->steps, (long long)each *
		    (long long)t->objective->group, t->decoder.T);
	if (train_example(t, e) == -1)
		return -1;
	return t->objective->ready == NULL ? 0 : t->objective->ready(t, e);
}

int
train_again(struct train *t, const struct train *of, struct stage *s,
    const struct train_conf *c, struct err *e)
{
	*t = *of;
	t->stage = s;
	t->conf = c;
	t->at = (struct progress){ .best = INFINITY };
	t->frozen = NULL;
	return train_shape(t, e) == -1 ? -1 : train_ready(t, e);
}

/* train_keep - the model's files, for the save that follows or to out= */
static int
train_keep(struct train *t, struct view told, struct err *e)
{
	const char *out = t->conf->out;
	int dir = stage_make(t->stage, out, e), rc;

	if (dir == -1)
		return -1;
	rc = file_replace(dir, "train.json", told, 0640, true, e);
	if (rc == 0 && t->conf->adapter == ADAPTER_LORA && !t->conf->merge)
		rc = peft_write(t->stage->arena, &t->adapter, &t->model.w,
		    dir, e);
	else if (rc == 0)
		rc = model_write(t->stage->arena, &t->model, dir, e);
	close(dir);
	return rc == 0 ? stage_made(t->stage, out, e) : -1;
}

static int
train_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct train *t = s->state;
	struct buf *b = buf_new(s->arena, (size_t)1 << 20);
	bool first;

	(void)out;
	if (train_data(t, e) == -1)
		return -1;
	if (t->conf->search != SEARCH_NONE ? tune_run(t, e) == -1 :
	    train_ready(t, e) == -1 || loop_run(t, e) == -1)
		return -1;
	first = t->ranks.at.rank == 0;
	ranks_close(&t->ranks);
	t->done = !first;
	if (!first)
		return 1;		/* the first one keeps the result */
	if (train_result(t, e) == -1)
		return -1;
	train_tell(t, b);
	stage_result(s, "train", buf_get(b));
	if (t->device->k->told != NULL)
		stage_result(s, "device", view_of(t->device->k->told(
		    t->device->dev)));
	/* a search has its own results, and its table goes with the model */
	b->n--;
	buf_view(b, t->part.told);
	buf_char(b, '}');
	t->done = train_keep(t, buf_get(b), e) == 0;
	return t->done ? 1 : -1;
}

static void
train_close(struct stage *s)
{
	struct train *t = s->state;

	if (t != NULL && t->fd != -1)
		close(t->fd);
	if (t != NULL && t->side != -1)
		close(t->side);
	if (t != NULL)
		checkpoint_close(t);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 8,
	.name = "train", .summary = "a language model from records or tokens",
	.options = train_opts, .conf_size = sizeof(struct train_conf),
	.plan = train_plan, .open = train_open, .batch = train_batch,
	.finish = train_finish, .close = train_close,
};
