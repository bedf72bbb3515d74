/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vocabulary to tables and back: what the file says is compiled to an image,
 * and everything is used from an image, whether just made or mapped.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe_joint.h"
#include "appliance/text/compiled.h"
#include "appliance/text/hf_regex.h"

#define REVISION	2		/* of what lies in the sections */

enum { TAG_SETTINGS = 1, TAG_SLOTS, TAG_POOL, TAG_NAMES, TAG_PAIRS, TAG_MADE,
    TAG_FIRST, TAG_JOINTS, TAG_CLOSE, TAG_OTHERS, TAG_ADDED, TAG_ADDED_POOL,
    TAG_OWN };

struct settings {
	uint32_t byte[256], longest;
	char pattern[16];
	uint8_t nfc, blank, whole, zero[1];
};

struct added {
	uint32_t id, at, n;
	uint8_t normalized, special, lstrip, rstrip;
};

struct making {
	const struct bpe_source *from;
	struct arena *a;
	struct bpe t;			/* what is made so far */
	struct settings set;
	uint64_t *pair, *joint, *close;
	uint32_t *made;
};

/* make_slots - short tokens where they are looked up, long ones in the pool */
static void
make_slots(struct making *m, struct compiling *c)
{
	const struct bpe_source *s = m->from;
	struct slot *slot = arena_array(m->a, s->size + 1, sizeof(*slot));
	size_t room = 1, at = 0;
	uint32_t part;
	char *pool;

	for (uint32_t i = 0; i < s->size; i++)
		room += s->token[i].n > SLOT_TEXT ? s->token[i].n : 0;
	pool = arena_alloc(m->a, room);
	for (uint32_t i = 0; i < s->size; i++) {
		struct view v = s->token[i];

		slot[i].n = v.p == NULL ? BPE_ABSENT : v.n > SLOT_TEXT ?
		    BPE_POOLED : (unsigned char)v.n;
		if (slot[i].n <= SLOT_TEXT) {
			memcpy(slot[i].text, v.p, v.n);
		} else if (v.p != NULL) {
			part = (uint32_t)v.n;
			memcpy(slot[i].text, &part, sizeof(part));
			part = (uint32_t)at;
			memcpy(slot[i].text + 4, &part, sizeof(part));
			memcpy(pool + at, v.p, v.n);
			at += v.n;
		}
	}
	compiled_add(c, TAG_SLOTS, slot, sizeof(*slot), s->size);
	compiled_add(c, TAG_POOL, pool, 1, at);
	m->t.slot = slot;
	m->t.pool = (struct view){ pool, at };
}

/* put_pair - a later rule for the same pair counts */
static void
put_pair(struct making *m, uint32_t left, uint32_t right, uint32_t rank)
{
	uint64_t pair = (uint64_t)left << 20 | right;
	size_t i = (pair * 0x9e3779b97f4a7c15u) >> m->t.pair_shift;

	while (m->pair[i] != UINT64_MAX && m->pair[i] >> 24 != pair)
		i = (i + 1) & m->t.pair_mask;
	m->pair[i] = pair << 24 | rank;
}

/* new_pairs - a table for so many */
static void
new_pairs(struct making *m, size_t n)
{
	size_t size = 1024;

	m->t.pair_shift = 54;
	while (size < n * 2) {
		size *= 2;
		m->t.pair_shift--;
	}
	m->pair = arena_array(m->a, size, sizeof(*m->pair));
	memset(m->pair, 0xff, size * sizeof(*m->pair));
	m->t.pair = m->pair;
	m->t.pair_mask = size - 1;
}

/* split_pairs - the ways in which a token of a rank file is two tokens: put
 * them, or count them where there is no table yet */
static size_t
split_pairs(struct making *m, uint32_t id, const bool *length)
{
	const struct bpe_source *s = m->from;
	struct view v = s->token[id];
	uint32_t left, right;
	size_t n = 0;

	for (size_t i = 1; i < v.n; i++) {
		if (!length[i] || !length[v.n - i])
			continue;
		left = bpe_source_find(s, (struct view){ v.p, i });
		right = left == BPE_NONE ? BPE_NONE : bpe_source_find(s,
		    (struct view){ v.p + i, v.n - i });
		if (right == BPE_NONE)
			continue;
		if (m->pair != NULL)
			put_pair(m, left, right, id);
		n++;
	}
	return n;
}

/* make_ranks - a rank file: any two tokens that make a token are joined, and
 * that token's id is the rank */
static void
make_ranks(struct making *m)
{
	const struct bpe_source *s = m->from;
	bool length[BPE_RANKED + 1] = { false };
	size_t n = 0;

	m->t.ranks = s->size;
	m->made = arena_array(m->a, s->size + 1, sizeof(*m->made));
	for (uint32_t i = 0; i < s->size; i++) {
		m->made[i] = i;
		if (s->token[i].p != NULL && s->token[i].n <= BPE_RANKED)
			length[s->token[i].n] = true;
	}
	/* special tokens have ids, but no text is made into them */
	for (int put = 0; put < 2; put++) {
		if (put)
			new_pairs(m, n);
		for (uint32_t i = 0; i < s->size; i++)
			if (s->token[i].p != NULL &&
			    bpe_source_find(s, s->token[i]) == i)
				n += split_pairs(m, i, length);
	}
}

/* make_rules - tokenizer.json: rules in the order of their ranks */
static void
make_rules(struct making *m)
{
	const struct bpe_source *s = m->from;

	m->t.ranks = s->nrules > 0 ? s->nrules : 1;
	m->made = arena_array(m->a, m->t.ranks, sizeof(*m->made));
	new_pairs(m, s->nrules);
	for (uint32_t i = 0; i < s->nrules; i++) {
		if (s->rule[i].id == BPE_NONE)
			continue;
		m->made[i] = s->rule[i].id;
		put_pair(m, s->rule[i].left, s->rule[i].right, i);
	}
}

/* make_first - ranks of pairs of bytes, with which every piece begins */
static void
make_first(struct making *m, struct compiling *c)
{
	uint32_t *first = arena_array(m->a, 65536, sizeof(*first));
	const uint32_t *byte = m->from->byte;

	for (size_t i = 0; i < 65536; i++)
		first[i] = byte[i >> 8] == BPE_NONE ||
		    byte[i & 255] == BPE_NONE ? BPE_NONE :
		    bpe_pair_rank(&m->t, byte[i >> 8], byte[i & 255]);
	compiled_add(c, TAG_FIRST, first, sizeof(*first), 65536);
}

/* char_before - the character that ends at i, as far as the token holds it */
static size_t
char_before(struct view v, size_t i)
{
	size_t at = i - 1;

	while (at > 0 && ((unsigned char)v.p[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* char_whole - the character at a place, if the token holds all of it and it is
 * beyond ASCII; else 0 */
static uint32_t
char_whole(struct view v, size_t at)
{
	unsigned char c = at < v.n ? (unsigned char)v.p[at] : 0;
	size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t x = 0;

	if (c < 0xc0 || n > v.n - at)
		return 0;
	memcpy(&x, v.p + at, n);
	return x;
}

/* joint_of - the bit of the border at i of a token, see bpe_joint */
static size_t
joint_of(struct view v, size_t i, unsigned *kind)
{
	unsigned char y0 = (unsigned char)v.p[i];
	size_t at = char_before(v, i), y_n = y0 < 0xf0 ? 3 : 4;
	uint32_t x = char_whole(v, at), y = char_whole(v, i), beside;

	*kind = (x == 0 ? JOINT_RIGHT : 0) | (y == 0 ? JOINT_LEFT : 0);
	if (x == 0)
		x = (unsigned char)v.p[i - 1];
	if (y == 0)
		y = y0;
	if (*kind != JOINT_BOTH)
		return bpe_joint(*kind, x, y);
	beside = at == 0 ? 0 : char_whole(v, char_before(v, at));
	if (beside != 0)
		return bpe_joint_three(JOINT_BEFORE, beside, x, y);
	beside = char_whole(v, i + y_n);
	return beside != 0 ? bpe_joint_three(JOINT_BEHIND, beside, x, y) :
	    bpe_joint_both(x, y);
}

/* make_joint - the borders between characters of three bytes or more within a
 * token */
static void
make_joint(struct making *m, struct view v)
{
	for (size_t i = 1; i < v.n; i++) {
		unsigned char y0 = (unsigned char)v.p[i], x0;
		unsigned kind;
		size_t at;

		x0 = (unsigned char)v.p[char_before(v, i)];
		if (y0 < 0xe0 || (unsigned char)v.p[i - 1] < 0x80 ||
		    (x0 >= 0xc0 && x0 < 0xe0))
			continue;
		at = joint_of(v, i, &kind);
		m->joint[at / 64] |= (uint64_t)1 << at % 64;
		at = (size_t)(unsigned char)v.p[i - 1] << 8 | y0;
		if (kind != JOINT_BOTH)
			m->close[at / 64] |= (uint64_t)1 << at % 64;
	}
}

/* make_added - added tokens one behind the other */
static void
make_added(struct making *m, struct compiling *c)
{
	const struct bpe_source *s = m->from;
	struct added *out = arena_array(m->a, s->nadded + 1, sizeof(*out));
	size_t room = 1, at = 0;
	char *pool;

	for (size_t i = 0; i < s->nadded; i++)
		room += s->added[i].content.n;
	pool = arena_alloc(m->a, room);
	for (size_t i = 0; i < s->nadded; i++) {
		const struct bpe_token *k = &s->added[i];

		out[i] = (struct added){ k->id, (uint32_t)at,
		    (uint32_t)k->content.n, k->normalized, k->special,
		    k->lstrip, k->rstrip };
		memcpy(pool + at, k->content.p, k->content.n);
		at += k->content.n;
	}
	compiled_add(c, TAG_ADDED, out, sizeof(*out), s->nadded);
	compiled_add(c, TAG_ADDED_POOL, pool, 1, at);
}

/* make_others - tokens that no text is made into, which bpe_find knows too */
static void
make_others(struct making *m, struct compiling *c)
{
	const struct bpe_source *s = m->from;
	uint32_t *id = arena_array(m->a, s->size + 1, sizeof(*id));
	size_t n = 0;

	for (uint32_t i = 0; i < s->size; i++)
		if (s->token[i].p != NULL &&
		    bpe_source_find(s, s->token[i]) != i)
			id[n++] = i;
	compiled_add(c, TAG_OTHERS, id, sizeof(*id), n);
}

struct view
bpe_compile(struct arena *a, const struct bpe_source *s)
{
	struct compiling *c = compiled_begin(a, COMPILED_BPE, REVISION);
	struct making m = { .from = s, .a = a };

	memcpy(m.set.byte, s->byte, sizeof(s->byte));
	m.set.longest = (uint32_t)s->longest;
	m.set.nfc = s->nfc;
	m.set.blank = s->blank;
	m.set.whole = s->whole;
	snprintf(m.set.pattern, sizeof(m.set.pattern), "%s",
	    bpe_pattern_name(s->pattern));
	make_slots(&m, c);
	compiled_add(c, TAG_NAMES, s->names.id, sizeof(*s->names.id),
	    s->names.mask + 1);
	if (s->rule == NULL)
		make_ranks(&m);
	else
		make_rules(&m);
	compiled_add(c, TAG_PAIRS, m.pair, sizeof(*m.pair),
	    m.t.pair_mask + 1);
	compiled_add(c, TAG_MADE, m.made, sizeof(*m.made), m.t.ranks);
	make_first(&m, c);
	m.joint = arena_alloc(a, BPE_JOINTS / 8);
	m.close = arena_alloc(a, BPE_CLOSE / 8);
	for (size_t i = 0; i <= s->names.mask; i++)
		if (s->names.id[i] != BPE_NONE)
			make_joint(&m, s->token[s->names.id[i]]);
	compiled_add(c, TAG_JOINTS, m.joint, sizeof(*m.joint),
	    BPE_JOINTS / 64);
	compiled_add(c, TAG_CLOSE, m.close, sizeof(*m.close), BPE_CLOSE / 64);
	make_others(&m, c);
	make_added(&m, c);
	if (s->own_text.n > 0)
		compiled_add(c, TAG_OWN, s->own_text.p, 1, s->own_text.n);
	compiled_add(c, TAG_SETTINGS, &m.set, sizeof(m.set), 1);
	return compiled_end(c);
}

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
	const struct added *t;
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
	struct view image = compiled_map(a, dir, COMPILED_BPE, REVISION,
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
	const struct settings *s;
	size_t n;

	b->image = image;
	if (!compiled_is(image, COMPILED_BPE, REVISION, NULL) ||
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
