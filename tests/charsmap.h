/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CHARSMAP_H
#define TESTS_CHARSMAP_H

#include "appliance/base/base.h"
#include "appliance/base/buf.h"
#include "appliance/text/trie.h"

/* charsmap_of - the bytes of a precompiled normalizer of n keys, each with what
 * it becomes: a trie's size, the trie, and texts that end with NUL */
static inline struct view
charsmap_of(struct arena *a, const char *const map[][2], size_t n)
{
	struct view *key = arena_array(a, n, sizeof(*key));
	uint32_t *value = arena_array(a, n, sizeof(*value)), size;
	struct buf *to = buf_new(a, 4096), *out = buf_new(a, 1 << 20);
	struct trie t;
	struct err e;

	for (size_t i = 0; i < n; i++) {
		key[i] = view_of(map[i][0]);
		value[i] = (uint32_t)to->n;
		buf_add(to, map[i][1], strlen(map[i][1]) + 1);
	}
	trie_make(a, key, value, n, &t, &e);
	size = t.n * 4;
	buf_add(out, &size, 4);
	buf_add(out, t.unit, size);
	buf_view(out, buf_get(to));
	return buf_get(out);
}

#endif
