/* SPDX-License-Identifier: Apache-2.0 */
/*
 * infer MODEL.gguf FORM THREADS IMAGES PROMPT - how fast a model reads and
 * writes: ms from nothing to the first logits, tokens a second of CPU time of a
 * prompt read, of one sequence and of 32 that go on side by side, of one that
 * goes on behind a prompt of DEEP times the length, and the most memory that
 * was resident.  Weights have moved into large pages by then, unless the
 * environment has SHARED.  Below, the step whose time is the median counts.  IMAGES is
 * the directory of images (image.h); the tokens are of no meaning.  Last, GB/s:
 * what the same thread reads of memory that no cache holds, and the weights,
 * keys and values that the steps of one sequence read.
 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/model/model.h"
#include "appliance/model/predict.h"
#include "tests/bench/cpu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { ROWS = 256, SEATS = 32, STEPS = 24, DEEP = 4, MOVES = 100 };

struct bench {
	struct predict *p;
	int32_t id[ROWS], slot[ROWS], pos[ROWS], want[ROWS];
	real *logits;
};

/* step - n rows, of one sequence or of n, from a place on; the time it took */
static double
step(struct bench *b, size_t n, bool side, size_t at)
{
	struct predict_rows r = { .n = n, .id = b->id, .slot = b->slot,
	    .pos = b->pos, .want = b->want, .nwant = side ? n : 1 };
	double t = cpu_seconds();

	for (size_t i = 0; i < n; i++) {
		b->id[i] = (int32_t)(at * 31 + i * 7) % 251;
		b->slot[i] = side ? (int32_t)i : 0;
		b->pos[i] = (int32_t)(side ? at : at + i);
		b->want[i] = side ? (int32_t)i : (int32_t)n - 1;
	}
	predict_logits(b->p, &r, b->logits);
	return cpu_seconds() - t;
}

static double
prefill(struct bench *b, size_t from, size_t to)
{
	double t = 0;

	for (size_t n; from < to; from += n) {
		n = to - from < ROWS ? to - from : ROWS;
		t += step(b, n, false, from);
	}
	return t;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* decode - the median step's tokens a second */
static double
decode(struct bench *b, size_t n, size_t at)
{
	double t[STEPS];

	for (size_t i = 0; i < STEPS; i++)
		t[i] = step(b, n, true, at + i);
	qsort(t, STEPS, sizeof(*t), by_size);
	return (double)n / t[STEPS / 2];
}

/* step_bytes - what a step of one sequence at a place reads */
static double
step_bytes(const struct predict *p, size_t at)
{
	const struct shape *m = &p->w->shape;
	size_t words = m->tied ? 0 : packed_size(p->device, p->words, m->V,
	    m->C);

	return (double)(slab_size(&p->weights) - words + at *
	    predict_place_bytes(p));
}

static void
tell(struct bench *b, size_t prompt)
{
	struct rusage use;
	double t, near, deep;

	printf("prefill %.1f\n", (double)prompt / prefill(b, 0, prompt));
	near = decode(b, 1, prompt);
	printf("decode_1 %.2f\n", near);
	printf("decode_32 %.2f\n", decode(b, SEATS, 8));
	t = prefill(b, 0, prompt * DEEP);
	printf("prefill_deep %.1f\n", (double)(prompt * DEEP) / t);
	deep = decode(b, 1, prompt * DEEP);
	printf("decode_deep %.2f\n", deep);
	getrusage(RUSAGE_SELF, &use);
	printf("rss_mib %.0f\n", (double)use.ru_maxrss / 1024);
	printf("gbs_1 %.2f\ngbs_deep %.2f\n", 1e-9 * near * step_bytes(b->p,
	    prompt), 1e-9 * deep * step_bytes(b->p, prompt * DEEP));
}

static int
form_named(const char *name)
{
	for (int i = 0; i <= PACKED_Q4; i++)
		if (strcmp(name, packed_names[i]) == 0)
			return i;
	return -1;
}

int
main(int argc, char **argv)
{
	double began = when_mono(), cpu = cpu_seconds();
	struct arena *a = arena_new();
	struct bench *b = arena_alloc(a, sizeof(*b));
	struct predict_how how = { .slots = SEATS, .rows = ROWS,
	    .wanted = SEATS, .large = getenv("SHARED") == NULL };
	struct device *d;
	struct model m;
	struct err e;
	int fd;

	if (argc != 6 || form_named(argv[2]) == -1) {
		fprintf(stderr, "usage: infer MODEL f32|q8|q4 THREADS IMAGES "
		    "PROMPT\n");
		return 64;
	}
	how.form = (enum packed_form)form_named(argv[2]);
	how.images = open(argv[4], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	how.places = (size_t)atoi(argv[5]) * DEEP + STEPS;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd == -1 || model_look(a, fd, &m, &e) == -1 ||
	    (how.form == PACKED_F32 && model_read(a, &m, &e) == -1))
		goto failed;
	how.w = &m.w;
	how.run = m.run;
	how.tensors = &m.tensors;
	how.config = m.config;
	d = device_open(a, "cpu", atoi(argv[3]), &e);
	b->p = d == NULL ? NULL : predict_packed(a, d, &how, &e);
	if (b->p == NULL)
		goto failed;
	b->logits = arena_array(a, SEATS * m.w.shape.V, sizeof(*b->logits));
	(void)step(b, 1, true, 0);
	printf("start_ms %.0f\nstart_cpu_ms %.0f\n",
	    (when_mono() - began) * 1e3, (cpu_seconds() - cpu) * 1e3);
	for (int i = 0; i < MOVES && b->p->mapped != NULL; i++)
		(void)step(b, 1, true, 0);
	tell(b, (size_t)atoi(argv[5]));
	printf("gbs_memory %.2f\n", memory(a));
	arena_free(a);
	return 0;
failed:
	fprintf(stderr, "infer: %s\n", fd == -1 ? "cannot open the model" :
	    e.text);
	return 1;
}
