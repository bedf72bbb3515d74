/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/engine/quant.h"

#include <math.h>

/* quant_half - exact; subnormal halves are normal floats */
float
quant_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, x;
	uint32_t exp = h >> 10 & 31, frac = h & 1023;
	float f;

	if (exp == 0) {
		f = (float)frac / 16777216.f;
		return sign != 0 ? -f : f;
	}
	x = sign | (exp == 31 ? 255 : exp + 112) << 23 | frac << 13;
	memcpy(&f, &x, sizeof(f));
	return f;
}

uint16_t
quant_to_half(float f)
{
	uint32_t x, sign;

	memcpy(&x, &f, sizeof(x));
	sign = x >> 16 & 0x8000;
	x &= 0x7fffffff;
	if (x > 0x7f800000)			/* not a number stays one */
		return (uint16_t)(sign | 0x7e00);
	if (x >= 0x47800000)			/* 65536 and above */
		return (uint16_t)(sign | 0x7c00);
	if (x < 0x38800000) {
		/* beside 0.5 a float's last bit is a subnormal half's */
		memcpy(&f, &x, sizeof(f));
		f += 0.5f;
		memcpy(&x, &f, sizeof(x));
		return (uint16_t)(sign | (x - 0x3f000000));
	}
	x += 0xfff + (x >> 13 & 1);
	return (uint16_t)(sign | (x - 0x38000000) >> 13);
}

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
		out[i] = quant_half(get_u16(in + 2 * i));
}

static void
to_f16(const float *in, unsigned char *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_u16(out + 2 * i, quant_to_half(in[i]));
}

static void
from_bf16(const unsigned char *in, float *out, size_t n)
{
	uint32_t x;

	for (size_t i = 0; i < n; i++) {
		x = (uint32_t)get_u16(in + 2 * i) << 16;
		memcpy(&out[i], &x, 4);
	}
}

static void
to_bf16(const float *in, unsigned char *out, size_t n)
{
	uint32_t x;

	for (size_t i = 0; i < n; i++) {
		memcpy(&x, &in[i], 4);
		if ((x & 0x7fffffff) > 0x7f800000)
			x = (x & 0xffff0000) | 64u << 16;
		else
			x += 0x7fff + (x >> 16 & 1);
		put_u16(out + 2 * i, (uint16_t)(x >> 16));
	}
}

/* from_q8_0 - d, 32 bytes */
static void
from_q8_0(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 34, out += 32) {
		float d = quant_half(get_u16(in));

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

		put_u16(out, quant_to_half(d));
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
		spread(q, quant_half(get_u16(in)), 8, 0, out);
	}
}

static void
from_q4_1(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 20, out += 32) {
		fours(in + 4, 0, q);
		spread(q, quant_half(get_u16(in)), 0,
		    quant_half(get_u16(in + 2)), out);
	}
}

static void
from_q5_0(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 22, out += 32) {
		fours(in + 6, get_u32(in + 2), q);
		spread(q, quant_half(get_u16(in)), 16, 0, out);
	}
}

static void
from_q5_1(const unsigned char *in, float *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 24, out += 32) {
		fours(in + 8, get_u32(in + 4), q);
		spread(q, quant_half(get_u16(in)), 0,
		    quant_half(get_u16(in + 2)), out);
	}
}

/* to_q4_0 - the furthest number becomes -8, so that it is met exactly */
static void
to_q4_0(const float *in, unsigned char *out, size_t n)
{
	int q[32];

	for (; n > 0; n--, in += 32, out += 18) {
		float d = furthest(in) / -8, by = d == 0 ? 0 : 1 / d;

		put_u16(out, quant_to_half(d));
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
	{ GGUF_FORM_Q4_K, "q4_k", 256, 144, quant_q4_k, quant_to_q4_k },
	{ GGUF_FORM_Q5_K, "q5_k", 256, 176, quant_q5_k, NULL },
	{ GGUF_FORM_Q6_K, "q6_k", 256, 210, quant_q6_k, NULL },
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
