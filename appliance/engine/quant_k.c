/* SPDX-License-Identifier: Apache-2.0 */
/* blocks of 256 numbers whose parts have scales of their own (K quants) */
#include "appliance/base/base.h"
#include "appliance/engine/quant.h"
#include "kernels/half.h"

#include <math.h>

#define PARTS	8			/* of 32 numbers */
#define STEPS	21			/* widths that are tried for a part */
#define TINY	1e-30f			/* what is less counts as nothing */

static float
half_at(const unsigned char *p)
{
	return half_f16((uint16_t)(p[0] | p[1] << 8));
}

static void
put_half(unsigned char *p, float f)
{
	uint16_t h = half_to_f16(f);

	p[0] = (unsigned char)h;
	p[1] = (unsigned char)(h >> 8);
}

/*
 * 12 bytes hold 8 scales and 8 minima of 6 bits: the first four of each lie in
 * the low bits of bytes 0-3 and 4-7, the low halves of the others in bytes
 * 8-11, and their upper two bits at the top of bytes 0-7.
 */
static void
get_scales(const unsigned char *p, int *scale, int *min)
{
	for (int i = 0; i < 4; i++) {
		scale[i] = p[i] & 63;
		min[i] = p[4 + i] & 63;
		scale[4 + i] = (p[8 + i] & 15) | p[i] >> 6 << 4;
		min[4 + i] = p[8 + i] >> 4 | p[4 + i] >> 6 << 4;
	}
}

static void
put_scales(unsigned char *p, const int *scale, const int *min)
{
	for (int i = 0; i < 4; i++) {
		p[i] = (unsigned char)(scale[i] | scale[4 + i] >> 4 << 6);
		p[4 + i] = (unsigned char)(min[i] | min[4 + i] >> 4 << 6);
		p[8 + i] = (unsigned char)((scale[4 + i] & 15) |
		    (min[4 + i] & 15) << 4);
	}
}

/* two_parts - 32 bytes are 32 numbers in their low halves, then 32 in their
 * high ones; high: a fifth bit of each, at `bit` and above it */
static void
two_parts(const unsigned char *in, const unsigned char *high, int bit,
    const float *d, const float *m, float *out)
{
	for (int i = 0; i < 32; i++) {
		int lo = in[i] & 15, hi = in[i] >> 4;

		if (high != NULL) {
			lo |= (high[i] >> bit & 1) << 4;
			hi |= (high[i] >> (bit + 1) & 1) << 4;
		}
		out[i] = d[0] * (float)lo - m[0];
		out[32 + i] = d[1] * (float)hi - m[1];
	}
}

/* from_parts - Q4_K, and Q5_K with its fifth bits before the others */
static void
from_parts(const unsigned char *in, bool five, float *out)
{
	const unsigned char *high = five ? in + 16 : NULL;
	const unsigned char *q = in + (five ? 48 : 16);
	float d = half_at(in), dmin = half_at(in + 2), ds[PARTS], ms[PARTS];
	int scale[PARTS], min[PARTS];

	get_scales(in + 4, scale, min);
	for (int i = 0; i < PARTS; i++) {
		ds[i] = d * (float)scale[i];
		ms[i] = dmin * (float)min[i];
	}
	for (int i = 0; i < PARTS; i += 2)
		two_parts(q + 16 * i, high, i, ds + i, ms + i, out + 32 * i);
}

void
quant_q4_k(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 144, out += 256)
		from_parts(in, false, out);
}

void
quant_q5_k(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 176, out += 256)
		from_parts(in, true, out);
}

/* quant_q6_k - two halves of 128: 64 bytes of low bits, 32 of high ones; a
 * signed scale for each 16 numbers */
void
quant_q6_k(const unsigned char *in, float *out, size_t n)
{
	for (; n > 0; n--, in += 210, out += 256) {
		float d = half_at(in + 208);

		for (int i = 0; i < 256; i++) {
			int half = i / 128, k = i % 128;
			int low = in[64 * half + k % 64] >> k / 64 * 4 & 15;
			int high = in[128 + 32 * half + k % 32] >>
			    k / 32 * 2 & 3;
			float s = d * (float)(int8_t)in[192 + i / 16];

			out[i] = s * (float)((low | high << 4) - 32);
		}
	}
}

/* four - the nearest of 0 to 15 */
static int
four(float x)
{
	return x > 0 ? x < 15 ? (int)(x + 0.5f) : 15 : 0;
}

/* a part as scale * q - min */
struct part {
	float scale, min;
};

/* part_error - of the best q with this scale and min; q may be NULL */
static float
part_error(const float *x, float scale, float min, unsigned char *q)
{
	float by = scale < TINY ? 0 : 1 / scale, sum = 0;

	for (int i = 0; i < 32; i++) {
		int k = four((x[i] + min) * by);
		float off = scale * (float)k - min - x[i];

		sum += off * off;
		if (q != NULL)
			q[i] = (unsigned char)k;
	}
	return sum;
}

/* part_solve - q of a width, then scale and min by least squares for that q */
static struct part
part_solve(const float *x, float by, float least)
{
	float l = 0, l2 = 0, xl = 0, sum = 0, det;
	struct part p;

	for (int i = 0; i < 32; i++) {
		float k = (float)four((x[i] - least) * by);

		l += k;
		l2 += k * k;
		xl += k * x[i];
		sum += x[i];
	}
	det = 32 * l2 - l * l;
	if (det <= 0)			/* one q for all of them */
		return (struct part){ 1 / by, -least };
	p.scale = (32 * xl - sum * l) / det;
	p.min = (l * xl - l2 * sum) / det;
	if (p.min < 0)			/* the format has none below 0 */
		p = (struct part){ xl / l2, 0 };
	return p.scale < 0 ? (struct part){ 1 / by, -least } : p;
}

/* part_fit - some widths a little beside the whole range; the best of them */
static struct part
part_fit(const float *x)
{
	float least = 0, most = x[0], error, best_error = INFINITY;
	struct part p, best = { 0, 0 };

	for (int i = 0; i < 32; i++) {
		least = x[i] < least ? x[i] : least;
		most = x[i] > most ? x[i] : most;
	}
	if (most - least < TINY)	/* all alike, and not above 0 */
		return (struct part){ 0, -least };
	for (int i = 0; i < STEPS; i++) {
		p = part_solve(x, (14 + 0.1f * (float)i) / (most - least),
		    least);
		error = part_error(x, p.scale, p.min, NULL);
		if (error < best_error) {
			best_error = error;
			best = p;
		}
	}
	return best;
}

/* part_choose - the best codes of six bits near scale and min */
static void
part_choose(const float *x, const struct part *p, float d, float dmin,
    int *scale, int *min)
{
	int s = d < TINY ? 0 : (int)(p->scale / d + 0.5f);
	int m = dmin < TINY ? 0 : (int)(p->min / dmin + 0.5f);
	float error, best = INFINITY;

	for (int i = s - 1; i <= s + 1; i++)
		for (int k = m - 1; k <= m + 1; k++) {
			if (i < 0 || i > 63 || k < 0 || k > 63)
				continue;
			error = part_error(x, d * (float)i, dmin * (float)k,
			    NULL);
			if (error < best) {
				best = error;
				*scale = i;
				*min = k;
			}
		}
}

static void
to_parts(const float *x, unsigned char *out)
{
	struct part p[PARTS];
	int scale[PARTS] = { 0 }, min[PARTS] = { 0 };
	float d = 0, dmin = 0;
	unsigned char q[256];

	for (int i = 0; i < PARTS; i++) {
		p[i] = part_fit(x + 32 * i);
		d = p[i].scale > d ? p[i].scale : d;
		dmin = p[i].min > dmin ? p[i].min : dmin;
	}
	put_half(out, d / 63);
	put_half(out + 2, dmin / 63);
	d = half_at(out);
	dmin = half_at(out + 2);
	for (int i = 0; i < PARTS; i++) {
		part_choose(x + 32 * i, &p[i], d, dmin, &scale[i], &min[i]);
		part_error(x + 32 * i, d * (float)scale[i],
		    dmin * (float)min[i], q + 32 * i);
	}
	put_scales(out + 4, scale, min);
	for (int i = 0; i < 128; i++) {
		int at = i / 32 * 64 + i % 32;

		out[16 + i] = (unsigned char)(q[at] | q[at + 32] << 4);
	}
}

void
quant_to_q4_k(const float *in, unsigned char *out, size_t n)
{
	for (; n > 0; n--, in += 256, out += 144)
		to_parts(in, out);
}
