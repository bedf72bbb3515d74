/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of a step's micro-batches become one, whichever rank computed
 * them.  Plainly each rank adds its own up and the sums are added.  With
 * exact=yes every micro-batch's gradient is added to a sum by itself, in the
 * order of micro-batches: in rounds in which each rank computes one, then the
 * sum goes from rank to rank and back to the first.  One rank alone adds in the
 * same order, so the bytes are the same.
 */
#include "appliance/base/base.h"
#include "appliance/base/conf.h"
#include "modules/train/train.h"

#include <math.h>

/* the two runs of gradients, and the sum of each */
static size_t
runs(const struct train *t, real *run[2], real *sum[2], size_t n[2])
{
	const struct decoder *d = &t->decoder;

	run[0] = d->grad;
	n[0] = d->ngrad;
	run[1] = d->agrad;
	n[1] = d->adapter == NULL ? 0 : d->adapter->all;
	sum[0] = t->join.sum[0];
	sum[1] = t->join.sum[1];
	return 2;
}

void
join_want(struct train *t, struct slab *s, const struct decoder *d)
{
	if (!t->conf->exact)
		return;
	slab_reals(s, "gradients' sum", d->ngrad, &t->join.sum[0]);
	slab_reals(s, "gradients' sum", d->adapter == NULL ? 0 :
	    d->adapter->all, &t->join.sum[1]);
}

static int
lost(struct err *e)
{
	return err_set(e, FATE_RETRY, "another rank is out of reach");
}

bool
join_mine(const struct train *t, int64_t i)
{
	return i % t->ranks.at.size == t->ranks.at.rank;
}

/* round_add - this rank's gradient to the sum, which comes from the rank before
 * it; n: ranks that have one in this round */
static int
round_add(struct train *t, int n, struct err *e)
{
	const struct kernels *k = t->device->k;
	const struct ranks *r = &t->ranks;
	void *dev = t->device->dev;
	real *run[2], *sum[2];
	size_t count[2];

	for (size_t i = 0, all = runs(t, run, sum, count); i < all; i++) {
		if (count[i] == 0)
			continue;
		if (r->at.rank > 0 && r->at.rank < n && r->t->receive(r->own,
		    sum[i], count[i], r->at.rank - 1) == -1)
			return lost(e);
		if (r->at.rank < n)
			k->add(dev, sum[i], run[i], count[i]);
		if (n > 1 && r->at.rank < n && r->t->send(r->own, sum[i],
		    count[i], (r->at.rank + 1) % n) == -1)
			return lost(e);
		if (n > 1 && r->at.rank == 0 && r->t->receive(r->own, sum[i],
		    count[i], n - 1) == -1)
			return lost(e);
	}
	optimise_clear(&t->optimise);
	return 0;
}

int
join_micro(struct train *t, int64_t i, struct err *e)
{
	int64_t size = t->ranks.at.size, n = t->conf->accumulate;
	bool last = i % size == size - 1 || i == n - 1;

	if (!t->conf->exact || !last)
		return 0;
	return round_add(t, (int)(i % size) + 1, e);
}

/* sums_out - the first rank's sums are the gradients of all */
static int
sums_out(struct train *t, struct err *e)
{
	const struct kernels *k = t->device->k;
	const struct ranks *r = &t->ranks;
	void *dev = t->device->dev;
	real *run[2], *sum[2];
	size_t count[2];

	for (size_t i = 0, all = runs(t, run, sum, count); i < all; i++) {
		if (count[i] == 0)
			continue;
		if (r->t != NULL && r->t->share_reals(r->own, sum[i],
		    count[i]) == -1)
			return lost(e);
		k->mix(dev, run[i], 0, sum[i], 1, count[i]);
		k->fill(dev, sum[i], count[i], 0);
	}
	return 0;
}

int
join_step(struct train *t, double *loss, size_t n, struct err *e)
{
	const struct ranks *r = &t->ranks;
	real *run[2], *sum[2];
	size_t count[2];

	if (join_sums(t, loss, n, e) == -1)
		return -1;
	if (t->conf->exact)
		return sums_out(t, e);
	if (r->t == NULL)
		return 0;
	for (size_t i = 0, all = runs(t, run, sum, count); i < all; i++)
		if (count[i] > 0 && r->t->sum_reals(r->own, run[i],
		    count[i]) == -1)
			return lost(e);
	return 0;
}

int
join_sums(struct train *t, double *x, size_t n, struct err *e)
{
	const struct ranks *r = &t->ranks;

	return r->t != NULL && r->t->sum(r->own, x, n) == -1 ? lost(e) : 0;
}

int
join_stop(struct train *t, bool mine, struct err *e)
{
	double all = mine;

	return join_sums(t, &all, 1, e) == -1 ? -1 : all > 0;
}

int
join_resume(struct train *t, int rc, struct err *e)
{
	const struct ranks *r = &t->ranks;
	const struct optimise *o = &t->optimise;

	if (r->t == NULL)
		return rc;
	if (r->t->share(r->own, &rc, sizeof(rc)) == -1)
		return lost(e);
	if (rc == 0)
		return 0;
	if (r->t->share(r->own, &t->at, sizeof(t->at)) == -1)
		return lost(e);
	for (size_t i = 0; i < o->n; i++) {
		const struct param *q = &o->v[i];
		real *x[] = { q->p, q->m, q->v };

		for (size_t k = 0; k < BASE_COUNT(x); k++)
			if (x[k] != NULL && r->t->share_reals(r->own, x[k],
			    q->rows * q->cols) == -1)
				return lost(e);
	}
	return 1;
}

/* join_same - each rank's length at its place of a row, summed: all see all */
int
join_same(struct train *t, double norm, struct err *e)
{
	const size_t n = (size_t)t->ranks.at.size;
	bool same = true;
	double *x;
	int rc;

	if (t->ranks.t == NULL)
		return 0;
	x = mem_alloc(n * sizeof(*x));
	x[t->ranks.at.rank] = norm;
	rc = join_sums(t, x, n, e);
	for (size_t i = 0; i < n; i++)
		same &= x[i] == x[0] || (isnan(x[i]) && isnan(x[0]));
	mem_free(x);
	return rc == -1 || same ? rc : err_set(e, FATE_REJECT, "the ranks' "
	    "gradients are not the same at step %lld: exact=yes keeps them "
	    "so%s", (long long)t->at.step + 1, t->conf->exact ? ", but not on "
	    "machines of two kinds" : "");
}

int
join_open(struct train *t, struct err *e)
{
	static const char *const name[] = { "none", "mpi", "nccl" };
	const struct train_conf *c = t->conf;

	ranks_alone(&t->ranks);
	if (c->ranks == RANKS_NONE)
		return 0;
	if (!stage_is_shell(t->stage))
		return err_set(e, FATE_REJECT, "ranks are started by mpirun or "
		    "srun around a command; a job's pipeline is one process");
	if (!conf_launched())
		return err_set(e, FATE_USAGE, "ranks=%s, but no launcher has "
		    "started this process: mpirun -n 2 quern train ..., or "
		    "srun", name[c->ranks]);
	if (!stage_ranks(t->stage))
		return err_set(e, FATE_REJECT, "ranks=%s needs sockets: "
		    "quern.conf must say ranks = yes", name[c->ranks]);
	if (ranks_open(t->stage->arena, name[c->ranks], &t->ranks, e) == -1)
		return -1;
	if (c->accumulate < t->ranks.at.size)
		return err_set(e, FATE_REJECT, "accumulate=%lld micro-batches "
		    "cannot be shared by %d ranks", (long long)c->accumulate,
		    t->ranks.at.size);
	if (t->ranks.at.rank > 0)
		msg_level(MSG_ERROR);	/* the first one speaks for all */
	else
		msg_info("%d ranks, %d of them on this machine",
		    t->ranks.at.size, t->ranks.at.here);
	return 0;
}

const char *
join_gpus(const struct train *t)
{
	const struct ranks *r = &t->ranks;

	return r->t != NULL && r->t->gpu ? arena_printf(t->stage->arena, "%d",
	    r->at.local) : stage_gpus(t->stage);
}

int
join_tokens(struct train *t, struct err *e)
{
	const struct ranks *r = &t->ranks;
	uint64_t n[2] = { t->train.n, t->train.nside };

	if (r->t == NULL || t->conf->shard != NULL)
		return 0;
	if (r->t->share(r->own, n, sizeof(n)) == -1)
		return lost(e);
	if (r->at.rank > 0) {
		t->train.n = (size_t)n[0];
		t->train.nside = (size_t)n[1];
		t->train.v = mem_alloc(t->train.n * 4 + 4);
		t->train.side = mem_alloc(t->train.nside + 1);
		arena_defer(t->stage->arena, mem_free, t->train.v);
		arena_defer(t->stage->arena, mem_free, t->train.side);
	}
	if (r->t->share(r->own, t->train.v, (size_t)n[0] * 4) == -1 ||
	    r->t->share(r->own, t->train.side, (size_t)n[1]) == -1)
		return lost(e);
	return 0;
}
