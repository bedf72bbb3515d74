/* SPDX-License-Identifier: Apache-2.0 */
/* quant_test - decoding and encoding bit for bit beside PyPI's gguf (the table
 * is written by tests/peer/quant.py); what an encoder may lose, as laws */
#include "tests/tap.h"

#include "appliance/engine/quant.h"
#include "kernels/half.h"

#include <math.h>

#define BLOCKS	512

static const struct row {
	const char *name;
	uint64_t decoded, encoded;	/* FNV-1a; 0: has no encoder there */
	int half[2];			/* places of halves; -1: none */
} table[] = {
	{ "f16", 0x8297bd22fb146566, 0xa83fe303ac48dbde,
	    { 0, -1 } },
	{ "bf16", 0xf3032d173508ad6f, 0xb3c0f712cbedbea6,
	    { 0, -1 } },
	{ "q8_0", 0x22d0892f16e68ecd, 0xf91cebf732abac07,
	    { 0, -1 } },
	{ "q4_0", 0x2509ab0153d99eca, 0xac5b72de0c1b9137,
	    { 0, -1 } },
	{ "q4_1", 0x9eea814cbe4f25e6, 0x12dd79b06377c3a3,
	    { 0, 2 } },
	{ "q5_0", 0x7f73fc0dbb16182b, 0x4ab3ada0e73254b7,
	    { 0, -1 } },
	{ "q5_1", 0x8e0ae84918a19590, 0x63cd5863527d34bb,
	    { 0, 2 } },
	{ "q4_k", 0xf627933ce31c3278, 0x0,
	    { 0, 2 } },
	{ "q5_k", 0x7207022778ed87bb, 0x0,
	    { 0, 2 } },
	{ "q6_k", 0x7022377d8e6d2693, 0x0,
	    { 208, -1 } },
	{ "q2_k", 0x9c9571c62e79545f, 0x0,
	    { 80, 82 } },
	{ "q3_k", 0x7909d89669fcbc32, 0x0,
	    { 108, -1 } },
	{ "iq4_nl", 0x5cafbf813e331e51, 0x0,
	    { 0, -1 } },
	{ "iq4_xs", 0xbfb98acc7079c6ab, 0x0,
	    { 0, -1 } },
	{ "mxfp4", 0xae4507568a874a31, 0x5fcc6d9e986d850a,
	    { -1, -1 } },
};

/* draw - 24 bits of a stream that the script has too */
static uint32_t
draw(uint64_t *x)
{
	*x = *x * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*x >> 40);
}

static uint64_t
fnv(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

/* fill_blocks - any bytes, but halves that are finite */
static unsigned char *
fill_blocks(struct arena *a, const struct row *r, const struct quant *q)
{
	unsigned char *p = arena_alloc(a, BLOCKS * q->bytes);
	uint64_t x = 1;

	for (size_t i = 0; i < BLOCKS * q->bytes; i++)
		p[i] = (unsigned char)(draw(&x) >> 16);
	for (size_t i = 0; i < 2 * BLOCKS; i++)
		if (r->half[i % 2] != -1)
			p[i / 2 * q->bytes + (size_t)r->half[i % 2] + 1] &=
			    0xbb;
	return p;
}

/* fill_numbers - of many sizes; some blocks of zeros, some all alike */
static float *
fill_numbers(struct arena *a, size_t row)
{
	float *v = arena_array(a, BLOCKS * row, sizeof(*v));
	uint64_t x = 2;

	for (size_t i = 0; i < BLOCKS; i++) {
		float scale = ldexpf(1, (int)(i % 16) - 8);

		for (size_t k = 0; k < row; k++)
			v[i * row + k] = (float)((int)draw(&x) - (1 << 23)) /
			    (float)(1 << 23) * scale;
		for (size_t k = 0; k < row && i % 7 < 2; k++)
			v[i * row + k] = i % 7 == 0 ? 0 : v[i * row];
	}
	return v;
}

static void
test_peer(struct arena *a, const struct row *r)
{
	const struct quant *q = quant_named(r->name);
	size_t row = q->block == 1 ? 32 : q->block;
	float *out = arena_array(a, BLOCKS * row, sizeof(*out));
	float *in = fill_numbers(a, row);
	unsigned char *coded = arena_alloc(a, BLOCKS * row * 4);

	q->decode(fill_blocks(a, r, q), out, BLOCKS);
	tap(fnv(out, BLOCKS * q->block * sizeof(*out)) == r->decoded,
	    "%s: decoded bit for bit", r->name);
	if (r->encoded == 0 || q->encode == NULL)
		return;
	q->encode(in, coded, BLOCKS * row / q->block);
	tap(fnv(coded, BLOCKS * row / q->block * q->bytes) == r->encoded,
	    "%s: encoded byte for byte", r->name);
}

/* every half is what it was after a float */
static void
test_halves(void)
{
	unsigned same = 0, want = 0;

	for (uint32_t h = 0; h < 65536; h++) {
		if ((h & 0x7c00) == 0x7c00 && (h & 1023) != 0)
			continue;
		want++;
		same += half_to_f16(half_f16((uint16_t)h)) == h;
	}
	tap(same == want, "%u halves and back", want);
	tap(isnan(half_f16(half_to_f16(NAN))) &&
	    isnan(half_f16(0x7c01)), "what is no number stays none");
	tap(half_to_f16(65519) == 0x7bff && half_to_f16(65520) == 0x7c00 &&
	    half_to_f16(1e-8f) == 0 && half_to_f16(3e-8f) == 1,
	    "and the ends are rounded as IEEE 754 says");
}

/* loss - root of the mean square of what is lost, over that of what was */
static double
loss(struct arena *a, const char *name, const float *v, size_t n)
{
	const struct quant *q = quant_named(name);
	unsigned char *coded = arena_alloc(a, n / q->block * q->bytes);
	float *out = arena_array(a, n, sizeof(*out));
	double lost = 0, all = 0;

	q->encode(v, coded, n / q->block);
	q->decode(coded, out, n / q->block);
	for (size_t i = 0; i < n; i++) {
		lost += ((double)out[i] - v[i]) * ((double)out[i] - v[i]);
		all += (double)v[i] * v[i];
	}
	return sqrt(lost / all);
}

#define WEIGHTS	(1 << 16)

static void
test_loss(struct arena *a)
{
	float *v = arena_array(a, WEIGHTS, sizeof(*v));
	double f16, bf16, q8, q4, q4k;
	uint64_t x = 3;

	for (size_t i = 0; i < WEIGHTS; i++)	/* nearly normal */
		for (int k = 0; k < 12; k++)
			v[i] += ((float)draw(&x) / (1 << 24) - 0.5f) * 0.02f;
	f16 = loss(a, "f16", v, WEIGHTS);
	bf16 = loss(a, "bf16", v, WEIGHTS);
	q8 = loss(a, "q8_0", v, WEIGHTS);
	q4 = loss(a, "q4_0", v, WEIGHTS);
	q4k = loss(a, "q4_k", v, WEIGHTS);
	tap(loss(a, "f32", v, WEIGHTS) == 0, "f32 loses nothing");
	tap(f16 < 0.0003, "f16 loses %.6f", f16);
	tap(bf16 < 0.002, "bf16 loses %.6f", bf16);
	tap(q8 < 0.006, "q8_0 loses %.6f", q8);
	tap(q4 < 0.1, "q4_0 loses %.6f", q4);
	tap(q4k < 0.0695 && q4k < q4, "q4_k loses %.6f", q4k);
	for (size_t i = 0; i < WEIGHTS; i++)
		v[i] = v[i] + 0.1f;
	tap(loss(a, "q4_k", v, WEIGHTS) < loss(a, "q4_0", v, WEIGHTS) / 2,
	    "q4_k: numbers with a common offset lose less than half");
}

/* one: every number of a block within half a step; zeros and constants exact
 * or nearly; numbers too small or large for a scale end in something finite */
static void
test_bounds(struct arena *a)
{
	static const float odd[] = { 0, 1, -1, 65504, -65504, 1e-45f, -1e-40f,
	    1e-30f, 6e-8f };
	float in[256], out[256], most, *v = fill_numbers(a, 32);
	unsigned char coded[256];
	bool near = true, finite = true, equal = true;

	for (size_t i = 0; i < BLOCKS; i++) {
		quant_named("q8_0")->encode(v + 32 * i, coded, 1);
		quant_named("q8_0")->decode(coded, out, 1);
		most = 0;
		for (int k = 0; k < 32; k++)
			most = fmaxf(most, fabsf(v[32 * i + (size_t)k]));
		for (int k = 0; k < 32; k++)
			near &= fabsf(out[k] - v[32 * i + (size_t)k]) <=
			    most * (0.5f / 127 + 0.0005f) + 4e-6f;
	}
	tap(near, "q8_0: no number is off by more than half a step");
	for (size_t i = 0; i < BASE_COUNT(odd); i++)
		for (size_t k = 0; k < BASE_COUNT(odd); k++) {
			for (int n = 0; n < 256; n++)
				in[n] = n % 3 == 0 ? odd[i] : odd[k];
			for (const char *const *s = (const char *const[]){
			    "q8_0", "q4_0", "q4_k", NULL }; *s != NULL; s++) {
				quant_named(*s)->encode(in, coded, 1);
				quant_named(*s)->decode(coded, out, 1);
				for (unsigned n = 0; n < quant_named(*s)->block;
				    n++)
					finite &= isfinite(out[n]) &&
					    fabsf(out[n]) < 66000;
				equal &= i != k || i > 4 ||
				    fabsf(out[0] - in[0]) <=
				    fabsf(in[0]) * 0.001f;
			}
		}
	tap(finite, "odd numbers end in finite ones");
	tap(equal, "a block of one number keeps it");
}

/* what rows that do not fit become */
static void
test_rows(void)
{
	const struct quant *k = quant_named("q4_k");

	tap(quant_of(k, 512) == k, "512: Q4_K");
	tap(quant_of(k, 320) == quant_named("q8_0"), "320: Q8_0 instead");
	tap(quant_of(k, 48) == quant_named("f16"), "48: F16 instead");
	tap(quant_of(quant_named("bf16"), 7) == quant_named("bf16"),
	    "7: BF16 has no blocks");
	tap(quant_named("q9") == NULL && quant_form(4) == NULL &&
	    quant_form(18) == NULL, "what is unknown is none");
}

int
main(void)
{
	struct arena *a = arena_new();

	for (size_t i = 0; i < BASE_COUNT(table); i++)
		test_peer(a, &table[i]);
	test_halves();
	test_loss(a);
	test_bounds(a);
	test_rows();
	arena_free(a);
	return tap_done();
}
