/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held matrices, row by row.  A byte of NF4 is two numbers that are looked up
 * together; the products with their scale are then whole vectors.  And numbers
 * made 16 bits.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/cpu.h"
#include "kernels/held.h"

struct widen_call {
	real *y;
	const struct kernel_held *h;
	const int32_t *row;
	size_t first, R, K, tasks;
	float pair[256][2];		/* the two numbers of a byte */
};

/* widen_block - n numbers from an even place on, all of one scale */
static void
widen_block(const struct widen_call *c, real *y, size_t at, size_t n,
    float scale)
{
	const uint8_t *p = (const uint8_t *)c->h->data + at / 2;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES, p += LANES / 2) {
		for (size_t k = 0; k < LANES / 2; k++)
			memcpy(y + i + 2 * k, c->pair[p[k]],
			    sizeof(c->pair[0]));
		save(y + i, load(y + i) * splat(scale));
	}
	for (; i < n; i++)
		y[i] = held_number(c->h, at + i);
}

/* widen_nf4 - n numbers from place `at` on, block by block */
static void
widen_nf4(const struct widen_call *c, real *y, size_t at, size_t n)
{
	size_t here;

	for (; n > 0; y += here, at += here, n -= here) {
		here = NF4_BLOCK - at % NF4_BLOCK;
		here = at % 2 != 0 ? 1 : here < n ? here : n;
		if (here == 1)
			*y = held_number(c->h, at);
		else
			widen_block(c, y, at, here, held_scale(c->h, at /
			    NF4_BLOCK));
	}
}

static void
widen_halves(const struct widen_call *c, real *y, size_t at, size_t n)
{
	const uint16_t *half = (const uint16_t *)c->h->data + at;

	if (c->h->form == FORM_BF16)
		for (size_t i = 0; i < n; i++)
			y[i] = half_bf16(half[i]);
	else
		for (size_t i = 0; i < n; i++)
			y[i] = half_f16(half[i]);
}

static void
widen_task(void *arg, size_t task, void *scratch)
{
	const struct widen_call *c = arg;
	size_t r, to, from, K = c->K;

	(void)scratch;
	for (part(c->R, c->tasks, task, &r, &to); r < to; r++) {
		from = c->row == NULL ? c->first + r : (size_t)c->row[r];
		if (c->h->form == FORM_NF4)
			widen_nf4(c, c->y + r * K, from * K, K);
		else
			widen_halves(c, c->y + r * K, from * K, K);
	}
}

void
OP(widen)(void *dev, real *y, const struct kernel_held *h,
    const int32_t *row, size_t first, size_t R, size_t K)
{
	struct cpu *cpu = dev;
	struct widen_call c = { .y = y, .h = h, .row = row, .first = first,
	    .R = R, .K = K };

	for (size_t i = 0; h->form == FORM_NF4 && i < 256; i++) {
		c.pair[i][0] = nf4_codes[i >> 4];
		c.pair[i][1] = nf4_codes[i & 15];
	}
	c.tasks = tasks_for(dev, R, K);
	pool_run(cpu->pool, widen_task, &c, c.tasks, 0);
}

struct round_call {
	real *y;
	uint16_t *half;			/* instead of y */
	const real *x;
	enum kernel_form form;
	size_t n, tasks;
};

/* the form is outside the loops, which are whole vectors then */
static void
round_task(void *arg, size_t task, void *scratch)
{
	const struct round_call *c = arg;
	const real *x = c->x;
	size_t i, to;

	(void)scratch;
	part(c->n, c->tasks, task, &i, &to);
	if (c->half != NULL && c->form == FORM_BF16)
		for (; i < to; i++)
			c->half[i] = half_narrow(x[i], FORM_BF16);
	else if (c->half != NULL)
		for (; i < to; i++)
			c->half[i] = half_narrow(x[i], FORM_F16);
	else if (c->form == FORM_BF16)
		for (; i < to; i++)
			c->y[i] = half_round(x[i], FORM_BF16);
	else
		for (; i < to; i++)
			c->y[i] = half_round(x[i], FORM_F16);
}

static void
round_run(struct cpu *cpu, struct round_call *c)
{
	c->tasks = tasks_for(cpu, c->n, 1);
	pool_run(cpu->pool, round_task, c, c->tasks, 0);
}

void
OP(narrow)(void *dev, uint16_t *y, const real *x, size_t n,
    enum kernel_form form)
{
	round_run(dev, &(struct round_call){ .half = y, .x = x, .form = form,
	    .n = n });
}

void
OP(round)(void *dev, real *y, const real *x, size_t n, enum kernel_form form)
{
	round_run(dev, &(struct round_call){ .y = y, .x = x, .form = form,
	    .n = n });
}
