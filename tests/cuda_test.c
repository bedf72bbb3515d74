/* SPDX-License-Identifier: Apache-2.0 */
/* cuda_test - the CUDA device against ref, where there is a GPU; where there is
 * none, that this is said and nothing else happens */
#include "tests/tap.h"

#include "appliance/engine/device.h"
#include "appliance/model/random.h"

#include <math.h>

static const size_t sizes[][3] = { { 1, 1, 1 }, { 2, 3, 5 }, { 7, 17, 9 },
    { 33, 31, 70 }, { 13, 100, 600 }, { 257, 129, 65 } };

/* numbers of a stream, on the host and on the device */
static real *
some(struct arena *a, struct device *d, uint64_t stream, size_t n, real **there)
{
	real *x = arena_array(a, n, sizeof(*x));

	for (size_t i = 0; i < n; i++)
		x[i] = (real)random_normal(11, stream, i);
	*there = d->k->alloc(d->dev, n * sizeof(*x));
	d->k->put(d->dev, *there, x, n * sizeof(*x));
	return x;
}

static void
test_gemm(struct arena *a, struct device *d, struct device *ref, size_t s,
    int t, int precision)
{
	size_t M = sizes[s][0], N = sizes[s][1], K = sizes[s][2];
	real *x[2], *w[2], *y[2], *got = arena_array(a, M * N, sizeof(*got));
	double off = 0, most = 1e-30;

	x[0] = some(a, d, 1, M * K, &x[1]);
	w[0] = some(a, d, 2, N * K, &w[1]);
	y[0] = some(a, d, 3, M * N, &y[1]);
	ref->k->gemm(ref->dev, t & 1, t >> 1, M, N, K, 0.5, x[0], w[0],
	    t == 2, y[0]);
	d->k->gemm(d->dev, t & 1, t >> 1, M, N, K, 0.5, x[1], w[1], t == 2,
	    y[1]);
	d->k->get(d->dev, got, y[1], M * N * sizeof(*got));
	for (size_t i = 0; i < M * N; i++) {
		most = fabs((double)y[0][i]) > most ? fabs((double)y[0][i]) :
		    most;
		off = fabs((double)y[0][i] - (double)got[i]) > off ||
		    got[i] != got[i] ?
		    fabs((double)y[0][i] - (double)got[i]) : off;
	}
	tap(off / most < 2e-5, "%s gemm, precision %d, shape %zu, way %d: "
	    "%.1e", d->k->isa(d->dev), precision, s, t, off / most);
	d->k->release(d->dev, x[1]);
	d->k->release(d->dev, w[1]);
	d->k->release(d->dev, y[1]);
}

static void
test_fill(struct arena *a, struct device *d)
{
	size_t n = 100003;
	real *got = arena_array(a, n, sizeof(*got)), *x;
	bool good = true;

	x = d->k->alloc(d->dev, n * sizeof(*x));
	d->k->fill(d->dev, x, n - 1, 2.5);
	d->k->get(d->dev, got, x, n * sizeof(*x));
	for (size_t i = 0; i < n - 1; i++)
		good = good && got[i] == 2.5f;
	tap(good && got[n - 1] == 0, "%s fill", d->k->isa(d->dev));
	d->k->release(d->dev, x);
}

int
main(void)
{
	struct arena *a = arena_new();
	struct device *d, *ref;
	struct err e = { .text = "" };

	ref = device_open(a, "ref", 1, &e);
	tap(ref != NULL, "ref opens");
	d = device_open(a, "cuda", 0, &e);
	if (d == NULL) {
		tap(strstr(e.text, "without the device 'cuda'") != NULL ||
		    strstr(e.text, "device 'cuda' cannot be opened: ") != NULL,
		    "no GPU is said: %s", e.text);
		tap(device_for(a, "0", 1, &e) == NULL,
		    "who asks for one gets no CPU instead");
		printf("ok %d - # SKIP no GPU here\n", ++tap_cases);
		return tap_done();
	}
	tap(device_missing(d->k) == NULL, "it has every operation");
	test_fill(a, d);
	for (int p = PRECISION_F32; p <= PRECISION_F16; p++) {
		ref->k->precision(ref->dev, (enum kernel_precision)p);
		if (d->k->precision(d->dev, (enum kernel_precision)p) == -1) {
			printf("ok %d - # SKIP this GPU multiplies no bf16\n",
			    ++tap_cases);
			break;
		}
		for (size_t s = 0; s < BASE_COUNT(sizes); s++)
			for (int t = 0; t < 4; t++)
				test_gemm(a, d, ref, s, t, p);
	}
	arena_free(a);
	return tap_done();
}
