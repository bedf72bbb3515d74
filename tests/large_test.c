/* SPDX-License-Identifier: Apache-2.0 */
/*
 * large_test - a mapped image becomes memory of this process, piece by piece:
 * its address and bytes stay, beside another mapping that stays as it is, and
 * what it was copied from is no longer resident
 */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "appliance/model/image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIB	((size_t)1 << 20)
#define BYTES	(41 * MIB + 12345)	/* two pieces, and some pages more */

static uint64_t
word_at(size_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15u;
}

static bool
is_whole(const struct image *m)
{
	const uint64_t *v = m->body;

	for (size_t i = 0; i < BYTES / sizeof(*v); i++)
		if (v[i] != word_at(i))
			return false;
	return true;
}

/* resident - bytes of files and of its own memory that are resident */
static void
resident(size_t *files, size_t *own)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long all = 0, in = 0, of = 0;

	if (f == NULL || fscanf(f, "%lu %lu %lu", &all, &in, &of) != 3)
		in = of = 0;
	if (f != NULL)
		fclose(f);
	*files = of * (size_t)sysconf(_SC_PAGESIZE);
	*own = (in - of) * (size_t)sysconf(_SC_PAGESIZE);
}

static void
test_move(struct arena *a, int dir, const struct hash *key)
{
	struct image m, other;
	size_t files, own, then, mine, pieces = 0;
	bool whole = true, maps;
	const void *body;

	maps = image_map(&m, a, dir, key, BYTES) &&
	    image_map(&other, a, dir, key, BYTES);
	tap(maps, "an image is mapped twice");
	if (!maps)
		return;
	body = m.body;
	whole = is_whole(&m) && is_whole(&other);
	tap(whole, "and read");
	resident(&files, &own);
	for (; pieces < 100 && image_large(&m); pieces++)
		whole &= m.body == body && is_whole(&m);
	tap(whole && is_whole(&m), "after each piece its bytes are the same");
	tap(is_whole(&other), "and those of the other mapping");
	resident(&then, &mine);
	if (pieces == 0) {
		tap(true, "moved # SKIP the kernel gives no large pages");
		return;
	}
	tap(pieces == 2 && m.moved == 40 * MIB, "large pages move, the end "
	    "stays: %zu pieces, %zu bytes", pieces, m.moved);
	tap(files > then + 30 * MIB && mine > own + 30 * MIB,
	    "resident are %zu MiB of files less, %zu of its own more",
	    (files - then) / MIB, (mine - own) / MIB);
	tap(!image_large(&m), "and then there is no more to do");
}

int
main(void)
{
	const char *path = tap_dir();
	struct hash key = hash_of(NULL, "key", 3);
	struct arena *a = arena_new();
	struct image m;
	struct err e;
	int dir;

	if ((dir = file_dir(AT_FDCWD, path, &e)) == -1) {
		tap(false, "no directory");
		return tap_done();
	}
	tap(image_begin(&m, a, dir, &key, BYTES), "an image is begun");
	for (size_t i = 0; i < BYTES / sizeof(uint64_t); i++)
		((uint64_t *)m.body)[i] = word_at(i);
	tap(image_end(&m, dir, &e) == 0, "and ended");
	test_move(a, dir, &key);
	tap(image_large(&m) || m.moved == 0, "one that was just made moves "
	    "as well");
	tap(is_whole(&m), "with its bytes");
	arena_free(a);
	file_remove(AT_FDCWD, path, &e);
	close(dir);
	return tap_done();
}
