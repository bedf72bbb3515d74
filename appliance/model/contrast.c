/* SPDX-License-Identifier: Apache-2.0 */
/* On the host and in double: texts of a micro-batch are few */
#include "appliance/base/base.h"
#include "appliance/base/arena.h"
#include "appliance/model/contrast.h"

#include <math.h>

static double
dot(const double *a, const double *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* unit - y = x / |x|, and the length */
static double
unit(const real *x, double *y, size_t n, bool normalize)
{
	double length;

	for (size_t i = 0; i < n; i++)
		y[i] = (double)x[i];
	length = normalize ? fmax(sqrt(dot(y, y, n)), 1e-12) : 1;
	for (size_t i = 0; i < n; i++)
		y[i] /= length;
	return length;
}

/* softmax - p becomes probabilities; the loss of the one that is wanted */
static double
softmax(double *p, size_t n, size_t want)
{
	double max = p[0], sum = 0, x = p[want];

	for (size_t i = 1; i < n; i++)
		max = p[i] > max ? p[i] : max;
	for (size_t i = 0; i < n; i++) {
		p[i] = exp(p[i] - max);
		sum += p[i];
	}
	for (size_t i = 0; i < n; i++)
		p[i] /= sum;
	return max + log(sum) - x;
}

/* unit_grad - what is left of a gradient of y behind unit */
static void
unit_grad(const double *y, double *dy, real *dx, size_t n, double length,
    bool normalize)
{
	double along = normalize ? dot(y, dy, n) : 0;

	for (size_t i = 0; i < n; i++)
		dx[i] = (real)((dy[i] - along * y[i]) / length);
}

double
contrast(const real *x, size_t n, size_t C, bool normalize,
    double temperature, real *dx)
{
	size_t pairs = n / 2;
	double *y = mem_alloc(n * C * sizeof(*y)), loss = 0;
	double *dy = mem_alloc(n * C * sizeof(*dy));
	double *length = mem_alloc((n + pairs) * sizeof(*length));
	double *p = length + n;

	memset(dy, 0, n * C * sizeof(*dy));
	for (size_t i = 0; i < n; i++)
		length[i] = unit(x + i * C, y + i * C, C, normalize);
	for (size_t i = 0; i < pairs; i++) {
		for (size_t j = 0; j < pairs; j++)
			p[j] = dot(y + 2 * i * C, y + (2 * j + 1) * C, C) /
			    temperature;
		loss += softmax(p, pairs, i);
		for (size_t j = 0; j < pairs; j++)
			for (size_t c = 0; c < C; c++) {
				double g = (p[j] - (i == j)) / temperature;

				dy[2 * i * C + c] += g * y[(2 * j + 1) * C +
				    c];
				dy[(2 * j + 1) * C + c] += g * y[2 * i * C +
				    c];
			}
	}
	for (size_t i = 0; dx != NULL && i < n; i++)
		unit_grad(y + i * C, dy + i * C, dx + i * C, C, length[i],
		    normalize);
	mem_free(y);
	mem_free(dy);
	mem_free(length);
	return loss;
}
