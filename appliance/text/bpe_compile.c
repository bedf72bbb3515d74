/* SPDX-License-Identifier: Apache-2.0 */
/* A vocabulary to tables: what the file says is compiled to an image. */
#include "appliance/base/base.h"
#include "appliance/text/bpe_image.h"
#include "appliance/text/bpe_joint.h"
#include "appliance/text/compiled.h"

struct making {
	const struct bpe_source *from;
	struct arena *a;
	struct bpe t;			/* what is made so far */
	struct bpe_settings set;
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
	struct bpe_added_image *out = arena_array(m->a, s->nadded + 1,
	    sizeof(*out));
	size_t room = 1, at = 0;
	char *pool;

	for (size_t i = 0; i < s->nadded; i++)
		room += s->added[i].content.n;
	pool = arena_alloc(m->a, room);
	for (size_t i = 0; i < s->nadded; i++) {
		const struct bpe_token *k = &s->added[i];

		out[i] = (struct bpe_added_image){ k->id, (uint32_t)at,
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
	struct compiling *c = compiled_begin(a, COMPILED_BPE, BPE_REVISION);
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
