/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ranks_check NAME - every call of a transport between the processes that
 * mpirun has started (tests/ranks.sh); the first of them says "all agree".
 */
#include "appliance/base/base.h"
#include "appliance/engine/ranks.h"

#include <stdio.h>
#include <string.h>

#define N	1000

/* wrong - how many numbers are not first + i * step */
static int
wrong(const real *x, real first, real step)
{
	int n = 0;

	for (int i = 0; i < N; i++)
		n += x[i] != first + (real)i * step;
	return n;
}

static void
set(real *x, real first, real step)
{
	for (int i = 0; i < N; i++)
		x[i] = first + (real)i * step;
}

/* check - how much is not as it should be, in this rank */
static int
check(const struct ranks *r)
{
	const int me = r->at.rank, all = r->at.size;
	const real sum = (real)(all * (all + 1)) / 2;
	char text[8] = "";
	double far[3] = { 1, me, 0 };
	real x[N];
	int bad = 0;

	if (me == 0)
		memcpy(text, "quern", 6);
	bad += r->t->share(r->own, text, sizeof(text)) != 0;
	bad += strcmp(text, "quern") != 0;
	bad += r->t->sum(r->own, far, 3) != 0;
	bad += far[0] != all || far[1] != all * (all - 1) / 2 || far[2] != 0;
	set(x, (real)(me + 1), (real)(me + 1));
	bad += r->t->sum_reals(r->own, x, N) != 0;
	bad += wrong(x, sum, sum);
	set(x, (real)(10 * (me + 1)), 1);
	bad += r->t->share_reals(r->own, x, N) != 0;
	bad += wrong(x, 10, 1);
	/* once around: each adds 1 */
	set(x, 0, 2);
	if (me > 0)
		bad += r->t->receive(r->own, x, N, me - 1) != 0;
	for (int i = 0; i < N; i++)
		x[i]++;
	bad += r->t->send(r->own, x, N, (me + 1) % all) != 0;
	if (me == 0)
		bad += r->t->receive(r->own, x, N, all - 1) != 0;
	bad += wrong(x, (real)(me == 0 ? all : me + 1), 2);
	bad += r->at.here != all || r->at.local != me;
	return bad;
}

int
main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct ranks r;
	struct err e;
	double bad;
	bool first;

	if (ranks_open(a, argc > 1 ? argv[1] : "mpi", &r, &e) == -1) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	bad = check(&r);
	if (r.t->sum(r.own, &bad, 1) != 0)
		bad = 1;
	first = r.at.rank == 0;
	ranks_close(&r);
	arena_free(a);
	if (first && bad == 0)
		puts("all agree");
	return bad == 0 ? 0 : 1;
}
