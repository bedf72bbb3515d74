/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/engine/tensors.h"
#include "appliance/model/shape.h"
#include "tests/fuzz/dir.h"

/* safetensors: what opens is read whole; config.json of a model: what is taken
 * is printed and taken again */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
fuzz_shape(struct arena *a, struct view text)
{
	struct buf *b = buf_new(a, 1 << 16);
	struct shape s, again;
	struct err e;

	if (shape_parse(text, &s, &e) == -1)
		return;
	shape_print(&s, b);
	if (shape_parse(buf_get(b), &again, &e) == -1 ||
	    again.C != s.C || again.V != s.V || again.LE != s.LE ||
	    again.family != s.family)
		panic("'%s' is not taken again: %s", buf_cstr(b), e.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int dir = fuzz_dir();
	struct arena *a;
	struct tensors t;
	struct err e;

	if (dir == -1)
		return 0;
	a = arena_new();
	fuzz_shape(a, (struct view){ (const char *)p, n });
	file_replace(dir, "t", (struct view){ (const char *)p, n }, 0600, false,
	    &e);
	if (tensors_open(a, dir, "t", &t, &e) == 0)
		for (size_t i = 0; i < t.n; i++)
			tensor_read(&t.v[i], arena_array(a,
			    (size_t)t.v[i].count + 1, sizeof(float)), &e);
	arena_free(a);
	return 0;
}
