/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenize - learn a vocabulary, turn text into ids and back, write shards.
 * What is read is said in appliance/text/tokenizer.h; learning is in vocab.c,
 * what is written in shard.h.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/store/store.h"
#include "appliance/base/words.h"
#include "appliance/text/tokenizer.h"
#include "modules/tokenize/compare.h"
#include "modules/tokenize/shard.h"
#include "modules/tokenize/talk.h"
#include "modules/tokenize/vocab.h"

struct tokenize_conf {
	int act;
	const char *name, *with, *text, *against;
	int layout;
	struct opt_list by;
	struct talk_conf talk;
	struct vocab_conf vocab;
	bool around, find;
};

enum { ACT_ENCODE, ACT_DECODE, ACT_COUNT, ACT_LEARN, ACT_SHARD, ACT_INSPECT,
    ACT_COMPARE };

#define TALK_OPT(t, f, d, h)						\
	{ .name = #f, .type = t, .offset =				\
	    offsetof(struct tokenize_conf, talk.f), .def = d, .help = h }

static const struct opt tokenize_opts[] = {
	{ .name = "do", .type = OPT_ENUM, .flags = OPT_POSITIONAL,
	    .offset = offsetof(struct tokenize_conf, act), .def = "encode",
	    .words = "encode|decode|count|learn|shard|inspect|compare",
	    .help = "add ids; ids to text; note the fact tokens; make a "
	    "vocabulary; write a shard; say what a vocabulary is; compare "
	    "two on texts" },
	OPT_TEXT(struct tokenize_conf, name, NULL, OPT_POSITIONAL,
	    "learn: the tokenizer that gets a new version, or a path with a "
	    "slash; shard: the file"),
	OPT_REF(OPT_TOKENIZER, struct tokenize_conf, with, NULL, 0,
	    "the tokenizer, as NAME[@VERSION|@TAG], or a path with a slash: a "
	    "file or a directory that has one"),
	OPT_REF(OPT_TOKENIZER, struct tokenize_conf, against, NULL, 0,
	    "compare: the other tokenizer"),
	OPT_LIST(struct tokenize_conf, by, "lang", 0,
	    "compare: fields whose values are compared by themselves"),
	OPT_ENUM(struct tokenize_conf, layout, "quern", SHARD_LAYOUTS, 0,
	    "shard: the file's layout"),
	TALK_OPT(OPT_TEXT, template, NULL, "messages: the chat template, a "
	    "name or a path with a slash; unset: what lies beside the "
	    "tokenizer"),
	TALK_OPT(OPT_BOOL, mask, "no", "messages: add the field mask, 1 where "
	    "a token is the assistant's"),
	TALK_OPT(OPT_BOOL, prompt, "no", "messages: add what begins an "
	    "answer"),
	TALK_OPT(OPT_TEXT, date, NULL, "messages: the date that a template "
	    "may show, as 2026-11-25"),
	{ .name = "turn", .type = OPT_LIST, .flags = OPT_MANY, .offset =
	    offsetof(struct tokenize_conf, talk.turn), .help = "messages: "
	    "what stands before an answer and what ends it, for the mask" },
	OPT_BOOL(struct tokenize_conf, around, "no", 0,
	    "ids as tokenizer.json has them: special tokens around, "
	    "truncation, padding"),
	OPT_BOOL(struct tokenize_conf, find, "no", 0,
	    "special tokens are made of text that looks like them"),
	OPT_TEXT(struct tokenize_conf, text, "text", 0,
	    "field that is read: a text, or a list of messages"),
	VOCAB_OPTIONS(struct tokenize_conf, vocab),
	OPT_DONE
};

struct tokenize {
	struct known known;		/* of with= */
	struct tokenizer *tok;
	struct talk *talk;
	struct shard *shard;
	struct compare *compare;
	bool told;			/* inspect: it has said all */
};

static int
tokenize_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct tokenize_conf *conf = arg;
	bool learn = conf->act == ACT_LEARN, shard = conf->act == ACT_SHARD,
	    compare = conf->act == ACT_COMPARE;

	if ((learn || shard) && conf->name == NULL)
		return err_set(e, FATE_REJECT, "'name' is missing: what is "
		    "learnt or written");
	if (!learn && conf->with == NULL)
		return err_set(e, FATE_REJECT, "'with' is missing: the "
		    "tokenizer");
	if (learn && vocab_plan(&conf->vocab, e) == -1)
		return -1;
	if (compare && conf->against == NULL)
		return err_set(e, FATE_REJECT, "'against' is missing: the "
		    "other tokenizer");
	needs->source = conf->act == ACT_INSPECT;
	needs->stateless = !shard && !compare && !needs->source;
	needs->sink = needs->unmarked = learn || shard || compare;
	needs->report = compare;
	if (learn && strchr(conf->name, '/') == NULL) {
		if (sink_plan(conf->name, needs, e) == -1)
			return -1;
		needs->makes = KIND_TOKENIZER;
	}
	if (stage_named(conf->with) || (compare && stage_named(conf->against)))
		needs->store = true;
	return 0;
}

static int
tokenize_open(struct stage *s, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t;

	if (conf->act == ACT_LEARN)
		return vocab_open(s, &conf->vocab, e);
	s->state = t = arena_alloc(s->arena, sizeof(*t));
	if (known_open(s, conf->with, conf->talk.template, &t->known, e) == -1)
		return -1;
	if ((conf->around || conf->find) && (t->known.tokenizer =
	    tokenizer_open_all(s->arena, t->known.file, e)) == NULL)
		return err_prefix(e, "'%s': ", conf->with);
	t->tok = t->known.tokenizer;
	if (conf->act == ACT_INSPECT || conf->act == ACT_DECODE)
		return 0;
	if (conf->act == ACT_COMPARE) {
		t->compare = compare_open(s, t->tok, conf->with,
		    conf->against, &conf->by, e);
		return t->compare == NULL ? -1 : 0;
	}
	t->talk = talk_open(s, &conf->talk, &t->known, e);
	if (t->talk == NULL)
		return -1;
	if (conf->act == ACT_SHARD)
		t->shard = shard_open(s, conf->name, conf->layout, t->tok,
		    t->known.hash, e);
	return conf->act != ACT_SHARD || t->shard != NULL ? 0 : -1;
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

/* tokenize_field - the ids of a record's text or messages; false: it failed */
static bool
tokenize_field(struct stage *s, struct tokenizer_scratch *scratch,
    struct arena *a, struct rec *r, struct chat_ids *ids)
{
	const struct tokenize_conf *conf = s->conf;
	const struct tokenize *t = s->state;
	struct view text;
	struct err e;

	if (talk_is(r, conf->text, &text))
		return talk_ids(t->talk, a, r, text, ids);
	if (!rec_str(a, r, conf->text, &text)) {
		rec_fail(a, r, "no text in '%s'", conf->text);
		return false;
	}
	if (!conf->around && !conf->find)
		ids->n = tokenizer_encode_with(t->tok, scratch, a, text,
		    &ids->id);
	else if (tokenizer_encode_all(t->tok, a, text, conf->around,
	    conf->find, &ids->id, &ids->n, &e) == -1) {
		rec_fail(a, r, "%s", e.text);
		return false;
	}
	return true;
}

/* tokenize_record - one record, whatever is done */
static int
tokenize_record(struct stage *s, struct tokenizer_scratch *scratch,
    struct arena *a, struct rec *r, struct err *e)
{
	const struct tokenize_conf *conf = s->conf;
	struct tokenize *t = s->state;
	struct view text, split = VIEW("");
	struct chat_ids ids;
	struct buf *b;

	if (conf->act == ACT_COMPARE) {
		if (!rec_str(a, r, conf->text, &text))
			rec_fail(a, r, "no text in '%s'", conf->text);
		else
			compare_add(t->compare, a, r, text);
		return 0;
	}
	if (!tokenize_field(s, scratch, a, r, &ids))
		return 0;
	(void)rec_str(a, r, "split", &split);
	if (conf->act == ACT_SHARD)
		return shard_put(t->shard, split, ids.id, ids.n, e);
	rec_fact(a, r, "tokens", (double)ids.n);
	if (conf->act == ACT_COUNT)
		return 0;
	b = buf_new(a, ids.n * 11 + 16);
	buf_char(b, '[');
	for (size_t i = 0; i < ids.n; i++)
		buf_printf(b, i > 0 ? ",%u" : "%u", ids.id[i]);
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
	if (conf->act == ACT_INSPECT) {
		if (!t->told)
			inspect_known(s, &t->known, batch_add(b));
		t->told = true;
		return 1;
	}
	for (size_t i = 0; i < b->n; i++) {
		if (conf->act == ACT_DECODE)
			tokenize_decode(conf, t, b->arena, &b->rec[i]);
		else if (tokenize_record(s, scratch, b->arena, &b->rec[i],
		    e) == -1)
			return -1;
	}
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
	if (conf->act == ACT_COMPARE)
		compare_finish(t->compare, s);
	if (conf->act == ACT_SHARD && shard_finish(t->shard, s, e) == -1)
		return -1;
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

	if (conf->act == ACT_LEARN)
		vocab_close(s);
	else if (t != NULL)
		shard_close(t->shard);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 8,
	.name = "tokenize", .summary = "learn a vocabulary, text to ids and "
	    "back",
	.options = tokenize_opts, .conf_size = sizeof(struct tokenize_conf),
	.plan = tokenize_plan, .open = tokenize_open,
	.thread = tokenize_thread,
	.batch = tokenize_batch, .finish = tokenize_finish,
	.close = tokenize_close,
};
