/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning from a teacher: records that the module teach has been through.
 * Beside the tokens lies, for each that is learnt and in their order, what the
 * teacher held to be likely at its place: a token's number among the learnt
 * ones is where its words are.
 */
#include "appliance/base/base.h"
#include "appliance/model/taught.h"
#include "modules/train/tokens.h"

struct place {				/* on file, K of them a token */
	int32_t id;
	float p;
};

struct distill {
	struct taught taught;
	char hash[HASH_HEX + 1];	/* of our vocabulary */
	size_t *nth[2];			/* of each token: of train, of valid */
	int32_t *word;			/* [R,K], as p: of a micro-batch */
	real *p;
	uint64_t *seen, now;		/* [V] at which place last, counted */
};

static int
distill_open(struct train *t, struct err *e)
{
	struct distill *o = arena_alloc(t->stage->arena, sizeof(*o));

	(void)e;
	o->taught.alpha = t->conf->alpha;
	o->taught.K = (size_t)t->conf->words;
	if (o->taught.K > t->model.w.shape.V)
		o->taught.K = t->model.w.shape.V;
	o->taught.temperature = t->conf->teacher_temperature;
	hash_hex(hash_of(NULL, t->model.tokenizer_file.p,
	    t->model.tokenizer_file.n), o->hash);
	o->seen = arena_array(t->stage->arena, t->model.w.shape.V,
	    sizeof(*o->seen));
	o->now = 0;
	t->goal = o;
	return 0;
}

static void
distill_want(struct train *t, struct slab *s, size_t R)
{
	struct distill *o = t->goal;

	taught_want(&o->taught, s, R);
}

/* is_ours - what the teacher's words are made with */
static const char *
is_ours(const struct distill *o, struct arena *a, struct view teacher)
{
	struct view raw, hash;
	double T;

	if (!json_get(teacher, "tokenizer", &raw) ||
	    !json_string(a, raw, &hash) || !view_is(hash, o->hash))
		return "its teacher has another vocabulary: tokens would mean "
		    "other words";
	if (!json_get(teacher, "temperature", &raw) || !json_number(raw, &T) ||
	    T < o->taught.temperature * 0.999999 ||
	    T > o->taught.temperature * 1.000001)
		return arena_printf(a, "its teacher spoke at another "
		    "temperature than %g", o->taught.temperature);
	return NULL;
}

/* place_get - the words of one place: K or more, none twice; false: they are
 * not that */
static bool
place_get(struct distill *o, size_t V, struct view list, struct place *out)
{
	struct json_iter it;
	struct view v;
	int64_t id;
	double p, sum = 0;
	size_t n = 0;

	if (!json_open(&it, list, '['))
		return false;
	o->now++;
	for (; n < o->taught.K && json_element(&it, &v); n++) {
		if (!json_integer(v, &id) || id < 0 || (uint64_t)id >= V ||
		    o->seen[id] == o->now || !json_element(&it, &v) ||
		    !json_number(v, &p) || !(p >= 0 && p <= 1))
			return false;
		o->seen[id] = o->now;
		sum += p;
		out[n] = (struct place){ (int32_t)id, (float)p };
	}
	return n == o->taught.K && sum <= 1.001;
}

static const char *
distill_add(struct train *t, struct arena *a, struct rec *r,
    struct texts *out)
{
	struct distill *o = t->goal;
	size_t V = t->model.w.shape.V, learnt = 0, n = 0;
	struct view teacher, list, one;
	struct json_iter it;
	struct place *v;
	struct lesson l;
	const char *why;

	if (!rec_raw(r, "teacher", &teacher) || teacher.p[0] != '{')
		return "no 'teacher': the records go through teach first";
	why = is_ours(o, a, teacher);
	if (why == NULL)
		why = lesson_of(&t->lesson, a, r, &l);
	if (why != NULL)
		return why;
	for (size_t i = 1; i < l.n; i++)
		learnt += l.mine[i];
	v = arena_array(a, learnt * o->taught.K + 1, sizeof(*v));
	if (json_get(teacher, "words", &list) && json_open(&it, list, '['))
		for (; json_element(&it, &one); n++)
			if (n >= learnt || !place_get(o, V, one,
			    v + n * o->taught.K))
				return arena_printf(a, "place %zu of its "
				    "teacher's words has not %zu of them, or "
				    "is of another text", n + 1,
				    o->taught.K);
	if (n != learnt)
		return arena_printf(a, "its teacher spoke of %zu tokens, %zu "
		    "are learnt: the text or the options are others", n,
		    learnt);
	if (l.n > 0)
		l.mine[0] = 0;		/* nobody says what it should be */
	tokens_put(&l, out->ids);
	buf_add(out->side, v, learnt * o->taught.K * sizeof(*v));
	return NULL;
}

/* number_of - each token that is learnt after others */
static size_t *
number_of(struct arena *a, const struct tokens *x)
{
	size_t *nth = arena_array(a, x->n + 1, sizeof(*nth)), n = 0;

	for (size_t i = 0; i < x->n; i++) {
		nth[i] = n;
		n += !(x->v[i] & TOKEN_QUIET);
	}
	return nth;
}

static int
distill_ready(struct train *t, struct err *e)
{
	struct distill *o = t->goal;
	struct arena *a = t->stage->arena;

	(void)e;
	o->nth[0] = number_of(a, &t->train);
	o->nth[1] = number_of(a, &t->valid);
	o->word = arena_array(a, t->decoder.R * o->taught.K,
	    sizeof(*o->word));
	o->p = arena_array(a, t->decoder.R * o->taught.K, sizeof(*o->p));
	return 0;
}

static double
distill_run(struct train *t, const struct micro *m, double scale)
{
	struct distill *o = t->goal;
	const struct tokens *x = m->held ? &t->valid : &t->train;
	const struct place *all = (const void *)x->side, *v;
	const size_t K = o->taught.K;
	double nll = 0, sum;

	for (size_t r = 0; r < t->decoder.R; r++) {
		if (m->target[r] < 0)
			continue;
		v = all + o->nth[m->held][m->token[r]] * K;
		for (size_t k = 0; k < K; k++) {
			o->word[r * K + k] = v[k].id;
			o->p[r * K + k] = (real)v[k].p;
		}
	}
	sum = taught_run(&o->taught, &t->decoder, m->id, m->target, o->word,
	    o->p, scale, &nll);
	t->number[0] += nll;
	return sum;
}

const struct objective objective_distill = {
	.name = "distill", .group = 1, .number = { "nll" },
	.open = distill_open, .want = distill_want, .add = distill_add,
	.ready = distill_ready, .run = distill_run,
};
