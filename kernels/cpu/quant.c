/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inference with quantised weights (quant.h).  Rows of activations are
 * quantised first, then panels of outputs are shared out; each goes through so
 * many rows at once that these stay in the first cache, and yet so many that a
 * panel, which comes from further away, is not read too often.
 */
#include "appliance/base/base.h"
#include "kernels/cpu/quant.h"
#include "kernels/cpu/room.h"

#define LINE		((size_t)64)
#define NEAR		((size_t)24 << 10)	/* bytes of rows in cache, */
#define LEAST		((size_t)24)		/* or so many rows */

/* panel_size - bytes of a panel */
static size_t
panel_size(enum kernel_quant form, size_t blocks)
{
	return (blocks + 1) / 2 * pair_size(form);
}

size_t
OP(quant_size)(void *dev, enum kernel_quant form, size_t N, size_t K)
{
	(void)dev;
	return (N + WIDE - 1) / WIDE * panel_size(form, block32_count(K));
}

/* put_block - the block of output i to its place in the panel's block */
static void
put_block(enum kernel_quant form, unsigned char *w, size_t i,
    const unsigned char *block)
{
	for (size_t k = 0; k < BLOCK32; k++) {
		int q = block32_q(form, block, k);
		size_t g = k / 4;

		if (form == KERNEL_Q8)
			w[(g * WIDE + i) * 4 + k % 4] =
			    (unsigned char)(q + 128);
		else
			w[(g % 4 * WIDE + i) * 4 + k % 4] |=
			    (unsigned char)((q + 8) << g / 4 * 4);
	}
}

void
OP(quant_pack)(void *dev, enum kernel_quant form, void *packed,
    const void *from, size_t N, size_t K)
{
	size_t blocks = block32_count(K), bytes = block32_bytes(form);
	size_t panel = panel_size(form, blocks);

	memset(packed, 0, OP(quant_size)(dev, form, N, K));
	for (size_t n = 0; n < N; n++) {
		unsigned char *p = (unsigned char *)packed + n / WIDE * panel;
		const unsigned char *row = (const unsigned char *)from +
		    n * blocks * bytes;

		for (size_t b = 0; b < blocks; b++, row += bytes) {
			uint16_t half = block32_scale(row);

			memcpy(p + scales_at(form, b) + n % WIDE *
			    sizeof(half), &half, sizeof(half));
			put_block(form, p + block_at(form, b), n % WIDE, row);
		}
	}
}

struct quant_call {
	enum kernel_quant form;
	real *y;
	const real *from;
	const unsigned char *w;
	size_t R, N, K, blocks, panels, tasks;
	int8_t *x;
	float *d;
	int32_t *back;
};

/* rows_task - quantise some rows */
static void
rows_task(void *arg, size_t task, void *scratch)
{
	const struct quant_call *c = arg;
	int32_t off = c->form == KERNEL_Q8 ? -128 : -8;
	size_t r, to;

	(void)scratch;
	for (part(c->R, c->tasks, task, &r, &to); r < to; r++) {
		int32_t *back = c->back + r * c->blocks;

		block32_row(c->x + r * c->blocks * BLOCK32, c->d + r *
		    c->blocks, back, c->from + r * c->K, c->K);
		for (size_t b = 0; b < c->blocks; b++)
			back[b] *= off;
	}
}

/* panel_run - rows from..to against one panel */
static void
panel_run(const struct quant_call *c, size_t panel, size_t from, size_t to)
{
	struct tile t = { .form = c->form, .N = c->N, .n = c->N - panel * WIDE,
	    .blocks = c->blocks, .w = c->w + panel * panel_size(c->form,
	    c->blocks) };
	size_t tall = OP(tile_tall);

	for (size_t r = from; r < to; r += tall) {
		t.y = c->y + r * c->N + panel * WIDE;
		t.x = c->x + r * c->blocks * BLOCK32;
		t.d = c->d + r * c->blocks;
		t.back = c->back + r * c->blocks;
		OP(tile_run)(&t, to - r < tall ? to - r : tall);
	}
}

static void
panels_task(void *arg, size_t task, void *scratch)
{
	const struct quant_call *c = arg;
	size_t from, to, last, tall = OP(tile_tall);
	size_t some = NEAR / (c->blocks * BLOCK32);

	(void)scratch;
	some = (some < LEAST ? LEAST : some) / tall * tall;
	part(c->panels, c->tasks, task, &from, &to);
	for (size_t r = 0; r < c->R; r = last) {
		last = c->R - r < some ? c->R : r + some;
		for (size_t p = from; p < to; p++)
			panel_run(c, p, r, last);
	}
}

/* quant_room - the device's memory for a call's quantised rows */
static void
quant_room(void *dev, struct quant_call *c)
{
	size_t x = (c->R * c->blocks * BLOCK32 + LINE - 1) / LINE * LINE;
	size_t want = x + c->R * c->blocks * (sizeof(float) +
	    sizeof(int32_t));

	c->x = cpu_room(dev, want);
	c->d = (float *)(void *)(c->x + x);
	c->back = (int32_t *)(void *)(c->d + c->R * c->blocks);
}

void
OP(quant_product)(void *dev, enum kernel_quant form, real *y, const real *x,
    const void *packed, size_t R, size_t N, size_t K)
{
	struct cpu *cpu = dev;
	struct quant_call c = { .form = form, .y = y, .from = x, .w = packed,
	    .R = R, .N = N, .K = K, .blocks = block32_count(K),
	    .panels = (N + WIDE - 1) / WIDE };

	if (R == 0 || N == 0)
		return;
	quant_room(dev, &c);
	c.tasks = tasks_for(dev, R, K * 2);
	pool_run(cpu->pool, rows_task, &c, c.tasks, 0);
	c.tasks = tasks_for(dev, c.panels, WIDE * K * R / 16);
	pool_run(cpu->pool, panels_task, &c, c.tasks, 0);
}

void
OP(quant_embed)(void *dev, enum kernel_quant form, real *y,
    const void *packed, const int32_t *id, size_t R, size_t N, size_t K)
{
	size_t blocks = block32_count(K), panel = panel_size(form, blocks);
	float off = form == KERNEL_Q8 ? 128 : 8;

	(void)dev;
	(void)N;
	for (size_t r = 0; r < R; r++) {
		size_t n = (size_t)id[r], i = n % WIDE;
		struct tile t = { .form = form, .blocks = blocks,
		    .w = (const unsigned char *)packed + n / WIDE * panel };

		for (size_t k = 0; k < K; k++)
			y[r * K + k] = half_f16(tile_scale(&t, k / BLOCK32,
			    i)) * ((float)tile_number(&t, k / BLOCK32, i, k %
			    BLOCK32) - off);
	}
}
