/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/gguf.h"

/* GGUF: what opens is asked for everything it says it has */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static volatile double sink;	/* what is read must be used */

/* fuzz_array - walk to its end, which must be that of its bytes */
static double
fuzz_array(const struct gguf_array *v)
{
	struct view rest = v->raw, text;
	double sum = 0;

	if (v->type == GGUF_TEXT) {
		while (gguf_next(&rest, &text))
			sum += text.n > 0 ? text.p[text.n - 1] : 0;
		if (rest.n != 0)
			panic("an array of texts ends early");
	} else if (v->type != GGUF_ARRAY)
		for (uint64_t i = 0; i < v->n; i++)
			sum += gguf_at(v, i) + (double)gguf_whole_at(v, i);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct view text, head = { (const char *)p, n };
	struct gguf g;
	struct err e;
	int64_t whole;
	double number, sum = 0;
	bool flag;

	if (gguf_parse(a, head, n, &g, &e) == 0) {
		for (size_t i = 0; i < g.nkeys; i++) {
			const char *name = arena_strn(a, g.key[i].name.p,
			    g.key[i].name.n);

			if (gguf_find(&g, name) != &g.key[i])
				panic("a key is not found");
			if (g.key[i].type == GGUF_ARRAY)
				sum += fuzz_array(&g.key[i].array);
			sum += gguf_text(&g, name, &text) +
			    gguf_whole(&g, name, &whole) +
			    gguf_number(&g, name, &number) +
			    gguf_bool(&g, name, &flag);
		}
		for (size_t i = 0; i < g.ntensors; i++)
			if (g.tensor[i].bytes > 0)
				sum += p[g.tensor[i].at + g.tensor[i].bytes -
				    1];
	}
	arena_free(a);
	sink = sum;
	return 0;
}
