/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/pooling.h"
#include "appliance/model/weights.h"
#include "appliance/text/json.h"
#include "tests/fuzz/dir.h"

#include <sys/stat.h>

/* an encoder's config.json, modules.json and its pooling's config.json, with a
 * NUL between them: a shape that is read is written and read the same, and its
 * labels are found by their names; what says how rows are pooled likewise */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
fuzz_shape(struct arena *a, struct view json)
{
	struct buf *b = buf_new(a, (size_t)64 << 20);
	struct shape s, again;
	struct label_names x;
	struct err e;

	/* more names than there is room for */
	if (shape_parse(json, &s, &e) == -1 || !s.encoder ||
	    s.head.labels > 1 << 16)
		return;
	shape_print(&s, b);
	if (shape_parse(buf_get(b), &again, &e) == -1)
		panic("what is written cannot be read: %s", e.text);
	if (again.C != s.C || again.T != s.T || again.place_skip !=
	    s.place_skip || again.head.kind != s.head.kind ||
	    again.head.labels != s.head.labels || again.head.problem !=
	    s.head.problem)
		panic("what is written means something else");
	head_names(&s.head, a, &x);
	for (size_t i = 0; i < x.n && i < 8; i++)
		if (x.text[i].p != NULL && head_find(&x, x.text[i]) >
		    (int64_t)i)
			panic("label %zu is found behind itself", i);
}

static void
fuzz_pooling(struct arena *a, int dir)
{
	struct shape_head h = { .kind = HEAD_EMBED }, again = h;
	size_t most, once;
	struct err e;

	if (pooling_read(a, dir, &h, &most, &e) == -1)
		return;
	if (pooling_write(a, dir, &h, 8, most > 0 ? most : 9, &e) == -1 ||
	    pooling_read(a, dir, &again, &once, &e) == -1)
		panic("what is written cannot be read: %s", e.text);
	if (again.pool != h.pool || again.normalize != h.normalize)
		panic("what is written means something else");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char *const name[] = { "modules.json",
	    "1_Pooling/config.json" };
	const char *at = (const char *)p, *end = at + n, *stop;
	int dir = fuzz_dir();
	struct arena *a;
	struct err e;

	if (dir == -1)
		return 0;
	a = arena_new();
	stop = memchr(at, 0, n);
	stop = stop == NULL ? end : stop;
	fuzz_shape(a, (struct view){ at, (size_t)(stop - at) });
	mkdirat(dir, "1_Pooling", 0700);
	for (size_t i = 0; i < BASE_COUNT(name); i++) {
		at = stop < end ? stop + 1 : end;
		stop = memchr(at, 0, (size_t)(end - at));
		stop = stop == NULL ? end : stop;
		file_replace(dir, name[i], (struct view){ at, (size_t)(stop -
		    at) }, 0600, false, &e);
	}
	fuzz_pooling(a, dir);
	arena_free(a);
	return 0;
}
