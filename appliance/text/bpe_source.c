/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_source.h"
#include "appliance/text/json.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

bool
bpe_source_put(struct bpe_source *b, struct arena *a, int64_t id, struct view v)
{
	uint32_t want;

	if (id < 0 || id >= (int64_t)BPE_TOKENS)
		return false;
	if (id >= b->room) {
		want = (uint32_t)id + 1;
		want = want < b->room * 2 ? b->room * 2 : want;
		want = want < 1024 ? 1024 : want;
		b->token = arena_grow(a, b->token, b->room, want,
		    sizeof(*b->token));
		b->room = want;
	}
	if (b->token[id].p != NULL)
		return false;
	b->token[id] = v;
	if (id >= b->size)
		b->size = (uint32_t)id + 1;
	return true;
}

struct bpe_names
bpe_names_new(struct arena *a, size_t n)
{
	struct bpe_names t;
	size_t size = 1024;

	while (size < n * 2)
		size *= 2;
	t.id = arena_array(a, size, sizeof(*t.id));
	memset(t.id, 0xff, size * sizeof(*t.id));
	t.mask = size - 1;
	return t;
}

size_t
bpe_names_place(const struct bpe_names *t, const struct view *token,
    struct view v)
{
	size_t i = XXH3_64bits(v.p, v.n) & t->mask;

	while (t->id[i] != BPE_NONE && !view_eq(token[t->id[i]], v))
		i = (i + 1) & t->mask;
	return i;
}

uint32_t
bpe_source_find(const struct bpe_source *b, struct view v)
{
	return b->names.id[bpe_names_place(&b->names, b->token, v)];
}

int
bpe_source_name(struct bpe_source *b, struct arena *a, const bool *named,
    struct err *e)
{
	b->names = bpe_names_new(a, b->size);
	for (uint32_t i = 0; i < b->size; i++) {
		uint32_t *at;

		if (b->token[i].p == NULL || (named != NULL && !named[i]))
			continue;
		at = &b->names.id[bpe_names_place(&b->names, b->token,
		    b->token[i])];
		if (*at != BPE_NONE && named == NULL)
			return err_set(e, FATE_REJECT, "tokens %u and %u are "
			    "the same", *at, i);
		*at = i;
		if (b->token[i].n > b->longest)
			b->longest = b->token[i].n;
	}
	for (int i = 0; i < 256; i++) {
		char c = (char)i;

		b->byte[i] = bpe_source_find(b, (struct view){ &c, 1 });
		/* bytes that valid text never has */
		if (b->byte[i] == BPE_NONE && i != 0xc0 && i != 0xc1 &&
		    i < 0xf5)
			return err_set(e, FATE_REJECT, "the vocabulary lacks "
			    "byte %d: no byte-level vocabulary", i);
	}
	return 0;
}

bool
bpe_merge_sides(struct arena *a, struct view v, struct view *left,
    struct view *right)
{
	struct json_iter it;
	struct view one, two, text;
	const char *blank;

	if (json_open(&it, v, '['))
		return json_element(&it, &one) && json_element(&it, &two) &&
		    json_string(a, one, left) && json_string(a, two, right);
	if (!json_string(a, v, &text))
		return false;
	blank = memchr(text.p, ' ', text.n);
	if (blank == NULL || memchr(blank + 1, ' ', text.n - 1 -
	    (size_t)(blank - text.p)) != NULL)
		return false;
	*left = (struct view){ text.p, (size_t)(blank - text.p) };
	*right = (struct view){ blank + 1, text.n - left->n - 1 };
	return true;
}
