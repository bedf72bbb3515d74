/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/engine/quant.h"
#include "kernels/half.h"

#include <math.h>

static uint16_t
get_u16(const unsigned char *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void
put_u16(unsigned char *p, uint16_t x)
{
	p[0] = (unsigned char)x;
	p[1] = (unsigned char)(x >> 8);
}

static void
from_f32(const unsigned char *in, float *out, size_t n)
{
	memcpy(out, in, n * sizeof(*out));
}

static void
to_f32(const float *in, unsigned char *out, size_t n)
{
	memcpy(out, in, n * sizeof(*in));
}

static void
from_f64(const unsigned char *in, float *out, size_t n)
{
	double d;

	for (size_t i = 0; i < n; i++) {
		memcpy(&d, in + 8 * i, 8);
		out[i] = (float)d;
	}
}

static void
from_f16(const unsigned char *in, float *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = half_f16(get_u16(in + 2 * i));
}

static void
to_f16(const float *in, unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_u16(out + 2 * i, half_to_f16(in[i]));
}

static void
from_bf16(const unsigned char *in, float *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = half_bf16(get_u16(in + 2 * i));
}

static void
to_bf16(const float *in, unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_u16(out + 2 * i, half_to_bf16(in[i]));
}

static void
from_q8_0(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 34, out += 32) {
		float d = half_f16(get_u16(in));

		for (int i = 0; i < 32; i++)
			out[i] = d * (float)(int8_t)in[2 + i];
	}
}

/* furthest - the number of largest magnitude, the first of those */
static float
furthest(const float *in)
{
	float far = in[0];

	for (int i = 1; i < 32; i++)
		if (fabsf(in[i]) > fabsf(far))
			far = in[i];
	return far;
}

/* code - to a whole number within bounds; not a number: the least */
static int
code(float x, int least, int most)
{
	return x >= (float)least ? x <= (float)most ? (int)x : most : least;
}

static void
to_q8_0(const float *in, unsigned char *out, size_t n)
{
	for (; n > 0; n--, in += 32, out += 34) {
		float d = fabsf(furthest(in)) / 127, by = d == 0 ? 0 : 1 / d;

		put_u16(out, half_to_f16(d));
		for (int i = 0; i < 32; i++)
			out[2 + i] = (unsigned char)code(roundf(in[i] * by),
			    -127, 127);
	}
}

/* fours - 16 bytes: the low halves are the first 16 numbers; high: a fifth bit
 * of each */
static void
fours(const unsigned char *in, uint32_t high, int *q)
{
	for (int i = 0; i < 16; i++) {
		q[i] = (in[i] & 15) | (int)(high >> i & 1) << 4;
		q[16 + i] = in[i] >> 4 | (int)(high >> (16 + i) & 1) << 4;
	}
}

static uint32_t
get_u32(const unsigned char *p)
{
	return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

/* spread - numbers from d, what is taken off q, and m */
static void
spread(const int *q, float d, int off, float m, float *out)
{
	for (int i = 0; i < 32; i++)
		out[i] = off > 0 ? d * (float)(q[i] - off) :
		    d * (float)q[i] + m;
}

static void
from_q4_0(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 18, out += 32) {
		fours(in + 2, 0, q);
		spread(q, half_f16(get_u16(in)), 8, 0, out);
	}
}

static void
from_q4_1(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 20, out += 32) {
		fours(in + 4, 0, q);
		spread(q, half_f16(get_u16(in)), 0,
		    half_f16(get_u16(in + 2)), out);
	}
}

static void
from_q5_0(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 22, out += 32) {
		fours(in + 6, get_u32(in + 2), q);
		spread(q, half_f16(get_u16(in)), 16, 0, out);
	}
}

static void
from_q5_1(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 24, out += 32) {
		fours(in + 8, get_u32(in + 4), q);
		spread(q, half_f16(get_u16(in)), 0,
		    half_f16(get_u16(in + 2)), out);
	}
}

/* to_q4_0 - the furthest number becomes -8, so that it is met exactly */
static void
to_q4_0(const float *in, unsigned char *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 32, out += 18) {
		float d = furthest(in) / -8, by = d == 0 ? 0 : 1 / d;

		put_u16(out, half_to_f16(d));
		for (int i = 0; i < 32; i++)
			q[i] = code(in[i] * by + 8.5f, 0, 15);
		for (int i = 0; i < 16; i++)
			out[2 + i] = (unsigned char)(q[i] | q[16 + i] << 4);
	}
}

static const struct quant quants[] = {
	{ GGUF_FORM_F32, "f32", 1, 4, from_f32, to_f32 },
	{ GGUF_FORM_F16, "f16", 1, 2, from_f16, to_f16 },
	{ GGUF_FORM_BF16, "bf16", 1, 2, from_bf16, to_bf16 },
	{ GGUF_FORM_F64, "f64", 1, 8, from_f64, NULL },
	{ GGUF_FORM_Q8_0, "q8_0", 32, 34, from_q8_0, to_q8_0 },
	{ GGUF_FORM_Q4_0, "q4_0", 32, 18, from_q4_0, to_q4_0 },
	{ GGUF_FORM_Q4_1, "q4_1", 32, 20, from_q4_1, NULL },
	{ GGUF_FORM_Q5_0, "q5_0", 32, 22, from_q5_0, NULL },
	{ GGUF_FORM_Q5_1, "q5_1", 32, 24, from_q5_1, NULL },
	{ GGUF_FORM_Q2_K, "q2_k", 256, 84, quant_q2_k, NULL },
	{ GGUF_FORM_Q3_K, "q3_k", 256, 110, quant_q3_k, NULL },
	{ GGUF_FORM_Q4_K, "q4_k", 256, 144, quant_q4_k, quant_to_q4_k },
	{ GGUF_FORM_Q5_K, "q5_k", 256, 176, quant_q5_k, NULL },
	{ GGUF_FORM_Q6_K, "q6_k", 256, 210, quant_q6_k, NULL },
	{ GGUF_FORM_IQ4_NL, "iq4_nl", 32, 18, quant_iq4_nl, NULL },
	{ GGUF_FORM_IQ4_XS, "iq4_xs", 256, 136, quant_iq4_xs, NULL },
	{ GGUF_FORM_MXFP4, "mxfp4", 32, 17, quant_mxfp4, NULL },
};

const struct quant *
quant_form(unsigned form)
{
	for (size_t i = 0; i < BASE_COUNT(quants); i++)
		if (quants[i].form == form)
			return &quants[i];
	return NULL;
}

const struct quant *
quant_named(const char *name)
{
	for (size_t i = 0; i < BASE_COUNT(quants); i++)
		if (strcmp(quants[i].name, name) == 0)
			return &quants[i];
	return NULL;
}

const struct quant *
quant_of(const struct quant *wanted, uint64_t row)
{
	if (row % wanted->block == 0)
		return wanted;
	return quant_form(row % 32 == 0 ? GGUF_FORM_Q8_0 : GGUF_FORM_F16);
}
