/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct view
bpe_token_at(const struct bpe *b, uint32_t id)
{
	const struct slot *t = &b->slot[id];
	uint32_t n, at;

	if (t->n <= SLOT_TEXT)
		return (struct view){ t->text, t->n };
	if (t->n == BPE_ABSENT)
		return (struct view){ NULL, 0 };
	memcpy(&n, t->text, sizeof(n));
	memcpy(&at, t->text + 4, sizeof(at));
	return (struct view){ b->pool.p + at, n };
}

uint32_t
bpe_name_find(const struct bpe *b, const char *p, size_t n)
{
	size_t i = XXH3_64bits(p, n) & b->name_mask;
	struct view v;

	for (; b->name[i] != BPE_NONE; i = (i + 1) & b->name_mask) {
		v = bpe_token_at(b, b->name[i]);
		if (v.n == n && memcmp(v.p, p, n) == 0)
			return b->name[i];
	}
	return BPE_NONE;
}
