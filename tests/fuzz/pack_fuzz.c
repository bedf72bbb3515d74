/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/store/pack.h"

#include <fcntl.h>
#include <stdlib.h>

/* packs: a damaged one is a fault */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static char path[] = "/tmp/quern-fuzz-XXXXXX";
	static int dir = -1;
	struct arena *a;
	struct pack_reader r;
	struct pack *pack;
	struct view v;
	struct err e;
	uint64_t id;

	if (dir == -1 && (mkdtemp(path) == NULL ||
	    (dir = file_dir(AT_FDCWD, path, &e)) == -1))
		return 0;
	a = arena_new();
	file_replace(dir, "p", (struct view){ (const char *)p, n }, 0600, false,
	    &e);
	pack = pack_open(a, dir, "p", &e);
	if (pack != NULL) {
		pack_read(&r, pack, 0);
		while (pack_next(&r, &v, &id, &e) == 1)
			pack_has(pack, id);
		pack_read_end(&r);
		pack_find(pack, a, VIEW("r1"), &v, &e);
	}
	arena_free(a);
	return 0;
}
