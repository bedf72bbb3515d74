/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/store/pack.h"
#include "tests/fuzz/dir.h"

/* packs: a damaged one is a fault; one may be sealed with a key of zeros */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct seal key = { .id = "0123456789abcdef" };
	int dir = fuzz_dir();
	struct arena *a;
	struct pack_reader r;
	struct pack *pack;
	struct view v;
	struct err e;

	if (dir == -1)
		return 0;
	a = arena_new();
	file_replace(dir, "p", (struct view){ (const char *)p, n }, 0600, false,
	    &e);
	pack = pack_open(a, dir, "p", &(struct seals){ &key, 1 }, &e);
	if (pack != NULL) {
		pack_read(&r, pack, 0);
		while (pack_next(&r, &v, &e) == 1)
			pack_has(pack, r.id);
		pack_read_end(&r);
		pack_find(pack, a, VIEW("r1"), &v, &e);
	}
	arena_free(a);
	return 0;
}
