/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/index/index.h"
#include "appliance/index/build.h"

#include <sys/mman.h>
#include <unistd.h>

/* a segment: the first byte says how much of a good one the rest is written
 * over; whatever maps is searched and merged */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* good - a segment of a few documents; its size */
static size_t
good(char *out, size_t max)
{
	static const char *const text[] = { "one two three two",
	    "two three four", "\xe4\xb8\xad\xe6\x96\x87 one" };
	struct arena *a = arena_new();
	struct err e;
	struct build *b = build_open(a, "none", 2, 0, &e);
	int fd = memfd_create("good", 0);
	ssize_t n;

	for (size_t i = 0; i < BASE_COUNT(text); i++)
		build_doc(b, &(struct build_doc){ .id = VIEW("id"),
		    .source = VIEW("s"), .title = VIEW("t"),
		    .text = view_of(text[i]) });
	if (build_write(b, fd, &e) == -1)
		return 0;
	n = pread(fd, out, max, 0);
	close(fd);
	arena_free(a);
	return n < 0 ? 0 : (size_t)n;
}

static void
use(struct arena *a, struct segment *s)
{
	struct index *x = arena_alloc(a, sizeof(*x));
	struct hit hit[8];
	struct search *q;
	struct err e;
	size_t n;
	uint32_t doc;
	int fd = memfd_create("merged", 0);

	*x = (struct index){ .arena = a, .stem = "none", .seg = s, .nsegs = 1,
	    .k1 = 1.2, .b = 0.75 };
	index_count(x);
	q = search_open(a, x, &e);
	n = index_search(q, VIEW("two one \xe4\xb8\xad\xe6\x96\x87"), 8, 1,
	    hit);
	for (size_t i = 0; i < n; i++) {
		hit_text(&hit[i]);
		hit_doc(&hit[i], &doc);
		segment_source(s, doc);
	}
	(void)segment_merge(&s, 1, fd, &e);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char bytes[1 << 16] __attribute__((aligned(8)));
	struct arena *a = arena_new();
	struct segment s = { .file = "fuzz" };
	size_t size = n > 0 ? good(bytes, sizeof(bytes)) : 0;
	struct err e;

	/* the tail is where the tables are: write over the end backwards */
	if (n > 1 && n - 1 <= size)
		memcpy(bytes + (size - (n - 1)) * p[0] / 255, p + 1, n - 1);
	if (size > 0 && segment_map(&s, bytes, size, &e) == 0)
		use(a, &s);
	arena_free(a);
	return 0;
}
