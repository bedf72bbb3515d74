/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every golden model written as GGUF and read back: the same shape and the same
 * numbers, or, where GGUF has no word for what config.json says, a refusal that
 * names it.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/convert.h"
#include "appliance/model/gguf_model.h"
#include "tests/golden.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const char *path;
static size_t written;

/* those that are not written, and the words for it */
static const char *const refused[][2] = {
	{ "bert-many", "has no place in a GGUF file" },
	{ "bert-masked", "has no place in a GGUF file" },
	{ "bert-number", "has no place in a GGUF file" },
	{ "bert-one", "has no place in a GGUF file" },
	{ "bert-tags", "has no place in a GGUF file" },
	{ "bert-tanh", "has no place in a GGUF file" },
	{ "gemma2", "query_pre_attn_scalar" },
	{ "gemma3", "which layers have a window" },
	{ "gpt2-scaled", "for which GGUF has no word" },
	{ "llama-dynamic", "RoPE of type 'dynamic'" },
	{ "llama-yarn-said", "how positions are turned" },
	{ "opt", "'opt' has no table for GGUF" },
	{ "qwen2-window", "sliding_window" },
	{ "qwen3-moe", "has no place in a GGUF file" },
};

static const char *
refusal(const char *name)
{
	for (size_t i = 0; i < BASE_COUNT(refused); i++)
		if (strcmp(refused[i][0], name) == 0)
			return refused[i][1];
	return strncmp(name, "distilbert", 10) == 0 ||
	    strncmp(name, "mpnet", 5) == 0 ||
	    strstr(name, "roberta") != NULL ? "has no table for GGUF" : NULL;
}

/* furthest - Gemma's norms are rounded on their way */
static double
furthest(const real *x, const real *y, size_t n)
{
	double far = 0;

	for (size_t i = 0; i < n; i++)
		far = fmax(far, fabs((double)x[i] - (double)y[i]));
	return far;
}

/* write_model - config.json and weights below the test's own directory */
static int
write_model(struct arena *a, int from, int to, struct weights *w,
    struct golden *g, struct shape *s, struct err *e)
{
	struct view config, want;

	if (file_read(a, from, "config.json", 1 << 16, &config, e) == -1 ||
	    file_read(a, from, "want", 1 << 20, &want, e) == -1 ||
	    file_replace(to, "config.json", config, 0600, false, e) == -1 ||
	    shape_parse(config, s, e) == -1)
		return -1;
	weights_layout(a, s, w);
	golden_fill(a, w, want.p, g);
	return weights_write(a, w, g->run, to, e);
}

/* read_back - the file is a model of the same shape and numbers */
static void
read_back(struct arena *a, const char *name, int fd, const struct weights *w,
    const real *run)
{
	struct err e = { .text = "" };
	struct source s;
	struct shape have;
	struct weights back;
	real *got;

	if (source_open(a, fd, -1, &s, &have, &e) == -1) {
		tap(false, "%s: %s", name, e.text);
		return;
	}
	tap(gguf_same(&w->shape, &have, &e) == 0, "%s: the same shape %s",
	    name, e.text);
	weights_layout(a, &have, &back);
	got = arena_array(a, back.all, sizeof(*got));
	tap(back.all == w->all && weights_read(a, &back, &s.tensors, got,
	    &e) == 0 && furthest(got, run, w->all) < (have.less_one ? 3e-7 :
	    1e-30), "%s: the same numbers %s", name, e.text);
	written++;
}

static void
test_case(const char *name, int dir, struct device *const device[2])
{
	struct arena *a = arena_new();
	struct err e = { .text = "" };
	const char *words = refusal(name);
	int to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct source s;
	struct convert c = { .arena = a, .source = &s };
	struct golden g = { .floor = 0 };
	struct weights w;
	struct shape shape;

	(void)device;
	if (write_model(a, dir, to, &w, &g, &shape, &e) == -1 ||
	    source_open(a, to, -1, &s, NULL, &e) == -1) {
		tap(false, "%s: %s", name, e.text);
	} else if (convert_gguf(&c, to, "m.gguf", &e) == -1) {
		tap(words != NULL && strstr(e.text, words) != NULL,
		    "%s: refused: %s", name, e.text);
	} else {
		tap(words == NULL, "%s: is written", name);
		fd = openat(to, "m.gguf", O_RDONLY | O_CLOEXEC);
		read_back(a, name, fd, &w, g.run);
		close(fd);
	}
	unlinkat(to, "m.gguf", 0);
	unlinkat(to, "config.json", 0);
	unlinkat(to, "model.safetensors", 0);
	close(to);
	arena_free(a);
}

int
main(int argc, char **argv)
{
	path = tap_dir();
	golden_each("models", argc > 1 ? argv[1] : NULL, test_case);
	golden_each("encoders", argc > 1 ? argv[1] : NULL, test_case);
	tap(written > 0, "%zu were read back", written);
	rmdir(path);
	return tap_done();
}
