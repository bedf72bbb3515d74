/* SPDX-License-Identifier: Apache-2.0 */
/* Tables from an image, whether just made or mapped: all is used from one. */
#include "appliance/base/base.h"
#include "appliance/text/bpe_image.h"
#include "appliance/text/bpe_joint.h"
#include "appliance/text/compiled.h"
#include "appliance/text/hf_regex.h"

/* ids_good - is every one an id, or none where that may be; what: how many of
 * these there are */
static bool
ids_good(const uint32_t *id, size_t n, uint32_t size, bool none, size_t *free)
{
	size_t bad = 0, empty = 0;

	for (size_t i = 0; i < n; i++) {
		bad += id[i] >= size && id[i] != BPE_NONE;
		empty += id[i] == BPE_NONE;
	}
	if (free != NULL)
		*free = empty;
	return bad == 0 && (none || empty == 0);
}

/* slots_good - every token lies where it says */
static bool
slots_good(const struct bpe *b)
{
	struct view pool = b->pool;
	uint32_t n, at;

	for (uint32_t i = 0; i < b->size; i++) {
		const struct slot *t = &b->slot[i];

		if (t->n <= SLOT_TEXT || t->n == BPE_ABSENT)
			continue;
		memcpy(&n, t->text, sizeof(n));
		memcpy(&at, t->text + 4, sizeof(at));
		if (t->n != BPE_POOLED || at > pool.n || n > pool.n - at)
			return false;
	}
	return true;
}

/* tables_good - nothing points out of its table, and no search is without an
 * end.  Ranks of pairs are checked where they are used (bpe_made): to read all
 * of that table would be most of the time that an opening takes */
static bool
tables_good(const struct bpe *b)
{
	size_t i = 0, names;

	while (i <= b->pair_mask && b->pair[i] != UINT64_MAX)
		i++;
	return i <= b->pair_mask &&
	    ids_good(b->byte, 256, b->size, true, NULL) &&
	    ids_good(b->made, b->ranks, b->size, false, NULL) &&
	    ids_good(b->other, b->nother, b->size, false, NULL) &&
	    ids_good(b->first, 65536, b->ranks, true, NULL) &&
	    ids_good(b->name, b->name_mask + 1, b->size, true, &names) &&
	    names > 0 && slots_good(b);
}

/* attach_added - the automaton of added tokens is made at each opening: there
 * are few */
static bool
attach_added(struct bpe *b, struct arena *a)
{
	const struct bpe_added_image *t;
	const char *pool;
	size_t n, room;

	t = compiled_get(b->image, TAG_ADDED, sizeof(*t), &n);
	pool = compiled_get(b->image, TAG_ADDED_POOL, 1, &room);
	if (t == NULL || pool == NULL)
		return false;
	if (n == 0)
		return true;
	b->added = bpe_added_new(a, n, room);
	for (size_t i = 0; i < n; i++) {
		struct bpe_token k = { .id = t[i].id,
		    .normalized = t[i].normalized & 1,
		    .special = t[i].special & 1, .lstrip = t[i].lstrip & 1,
		    .rstrip = t[i].rstrip & 1 };

		if (t[i].at > room || t[i].n > room - t[i].at ||
		    t[i].n == 0 || t[i].id >= b->size ||
		    t[i].at < (i > 0 ? t[i - 1].at + t[i - 1].n : 0))
			return false;
		k.content = (struct view){ pool + t[i].at, t[i].n };
		if (!bpe_added_put(b->added, &k))
			return false;
	}
	bpe_added_ready(b->added);
	return true;
}

/* attach_sections - pointers to them; false: one is missing or of a wrong
 * size */
static bool
attach_sections(struct bpe *b)
{
	size_t slots, names, pairs, made, first, joints, close;

	b->slot = compiled_get(b->image, TAG_SLOTS, sizeof(*b->slot), &slots);
	b->pool.p = compiled_get(b->image, TAG_POOL, 1, &b->pool.n);
	b->name = compiled_get(b->image, TAG_NAMES, sizeof(*b->name), &names);
	b->pair = compiled_get(b->image, TAG_PAIRS, sizeof(*b->pair), &pairs);
	b->made = compiled_get(b->image, TAG_MADE, sizeof(*b->made), &made);
	b->first = compiled_get(b->image, TAG_FIRST, sizeof(*b->first),
	    &first);
	b->joint = compiled_get(b->image, TAG_JOINTS, sizeof(*b->joint),
	    &joints);
	b->close = compiled_get(b->image, TAG_CLOSE, sizeof(*b->close),
	    &close);
	b->other = compiled_get(b->image, TAG_OTHERS, sizeof(*b->other),
	    &b->nother);
	if (b->slot == NULL || b->pool.p == NULL || b->name == NULL ||
	    b->pair == NULL || b->made == NULL || b->first == NULL ||
	    b->joint == NULL || b->close == NULL || b->other == NULL ||
	    slots == 0 || slots > BPE_TOKENS || made == 0 ||
	    made > BPE_RANKS || names == 0 || (names & (names - 1)) != 0 ||
	    pairs < 2 || (pairs & (pairs - 1)) != 0 || first != 65536 ||
	    joints != BPE_JOINTS / 64 || close != BPE_CLOSE / 64)
		return false;
	b->size = (uint32_t)slots;
	b->ranks = (uint32_t)made;
	b->name_mask = names - 1;
	b->pair_mask = pairs - 1;
	b->pair_shift = (unsigned)__builtin_clzll(pairs) + 1;
	return true;
}

struct bpe *
bpe_map(struct arena *a, int dir, const struct hash *source)
{
	struct view image = compiled_map(a, dir, COMPILED_BPE, BPE_REVISION,
	    source);
	struct err e;

	return image.p == NULL ? NULL : bpe_attach(a, image, &e);
}

int
bpe_keep(const struct bpe *b, int dir, const struct hash *source,
    struct err *e)
{
	return compiled_keep(dir, b->image, source, e);
}

/* attach_own - the file's own expression is read at each opening */
static bool
attach_own(struct bpe *b, struct arena *a)
{
	struct err e;

	b->own_text.p = compiled_get(b->image, TAG_OWN, 1, &b->own_text.n);
	if (b->own_text.p == NULL)
		return true;
	b->own = hf_regex_open_rust(a, hf_chars_new(a), b->own_text, &e);
	return b->own != NULL;
}

struct bpe *
bpe_attach(struct arena *a, struct view image, struct err *e)
{
	struct bpe *b = arena_alloc(a, sizeof(*b));
	const struct bpe_settings *s;
	size_t n;

	b->image = image;
	if (!compiled_is(image, COMPILED_BPE, BPE_REVISION, NULL) ||
	    (s = compiled_get(image, TAG_SETTINGS, sizeof(*s), &n)) == NULL ||
	    n != 1 || memchr(s->pattern, '\0', sizeof(s->pattern)) == NULL ||
	    !attach_sections(b))
		goto bad;
	b->byte = s->byte;
	b->longest = s->longest;
	b->pattern = bpe_pattern(s->pattern);
	b->nfc = s->nfc & 1;
	b->blank = s->blank & 1;
	b->whole = s->whole & 1;
	if (b->pattern != NULL && tables_good(b) && attach_added(b, a) &&
	    attach_own(b, a))
		return b;
bad:
	err_set(e, FATE_REJECT, "no compiled vocabulary");
	return NULL;
}
