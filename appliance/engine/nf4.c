/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/engine/nf4.h"
#include "kernels/held.h"

#include <math.h>
#include <stdlib.h>

#define DECADES		7		/* exponents of the map */
#define LEAST		1e-38f		/* scales are divided by no less */

size_t
nf4_bytes(size_t n)
{
	return (n + 1) / 2;
}

size_t
nf4_scales(size_t n)
{
	return (n + NF4_BLOCK - 1) / NF4_BLOCK;
}

size_t
nf4_steps(size_t n)
{
	return (nf4_scales(n) + NF4_STEP - 1) / NF4_STEP;
}

static int
by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

/*
 * nf4_map - a decade has twice as many numbers as the one below it, in the
 * middles of equal parts of 0.1 to 1, of either sign; beside them 0 and 1
 */
void
nf4_map(float map[NF4_MAP])
{
	size_t n = 0;

	for (int i = 0; i < DECADES; i++) {
		int parts = 1 << i;
		double decade = pow(10, i - (DECADES - 1));

		for (int k = 0; k < parts; k++) {
			float x = (float)(decade * (0.1 + 0.9 * (k + 0.5) /
			    parts));

			map[n++] = x;
			map[n++] = -x;
		}
	}
	map[n++] = 0;
	map[n++] = 1;
	qsort(map, n, sizeof(*map), by_size);
}

/* largest - magnitude */
static float
largest(const float *x, size_t n)
{
	float most = 0;

	for (size_t i = 0; i < n; i++)
		most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
	return most;
}

void
nf4_encode(const float *x, size_t n, uint8_t *data, float *scale)
{
	float middle[15], by, v;
	size_t here;

	for (int k = 0; k < 15; k++)
		middle[k] = (nf4_codes[k] + nf4_codes[k + 1]) / 2;
	memset(data, 0, nf4_bytes(n));
	for (size_t at = 0; at < n; at += here) {
		uint8_t code[NF4_BLOCK] = { 0 };

		here = n - at < NF4_BLOCK ? n - at : NF4_BLOCK;
		*scale = largest(x + at, here);
		by = 1 / (*scale < LEAST ? LEAST : *scale);
		scale++;
		for (size_t i = 0; i < here; i++) {
			v = x[at + i] * by;
			for (int k = 0; k < 15; k++)
				code[i] += v > middle[k];
		}
		for (size_t i = 0; i < here; i++)
			data[(at + i) / 2] |= (uint8_t)(i % 2 == 0 ?
			    code[i] << 4 : code[i]);
	}
}

/* nearest - place in the map */
static uint8_t
nearest(const float map[NF4_MAP], float x)
{
	size_t low = 0, high = NF4_MAP - 1, mid;

	while (high - low > 1) {
		mid = (low + high) / 2;
		if (map[mid] <= x)
			low = mid;
		else
			high = mid;
	}
	return (uint8_t)(fabsf(x - map[low]) <= fabsf(x - map[high]) ? low :
	    high);
}

float
nf4_double(const float *scale, size_t n, const float map[NF4_MAP],
    uint8_t *byte, float *step)
{
	float mean, x[NF4_STEP], by;
	double sum = 0;
	size_t here;

	for (size_t i = 0; i < n; i++)
		sum += (double)scale[i];
	mean = (float)(sum / (double)n);
	for (size_t at = 0; at < n; at += here, step++) {
		here = n - at < NF4_STEP ? n - at : NF4_STEP;
		for (size_t i = 0; i < here; i++)
			x[i] = scale[at + i] - mean;
		*step = largest(x, here);
		by = *step > 0 ? 1 / *step : 0;
		for (size_t i = 0; i < here; i++)
			byte[at + i] = nearest(map, x[i] * by);
	}
	return mean;
}
