/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vocabulary's tables to an image (compiled.h) and back.  A scanner's flags
 * and what a few loops find out are made at each opening; the rest is used
 * where it is mapped.
 */
#include "appliance/base/base.h"
#include "appliance/text/compiled.h"
#include "appliance/text/spm_room.h"

#define REVISION	1		/* of what lies in the sections */

enum { TAG_SETTINGS = 1, TAG_POOL, TAG_PIECES, TAG_TEXTS, TAG_TYPES,
    TAG_SCORES, TAG_WEIGHTS, TAG_SLOTS, TAG_NAMES, TAG_RESERVED, TAG_LINKS,
    TAG_TRIE, TAG_OWN, TAG_MAP, TAG_TO, TAG_KEPT, TAG_BACK_MAP, TAG_BACK_TO };

struct rules {				/* of a normalizer */
	uint8_t dummy, squeeze, escape, suffix, fold, zero[3];
};

struct settings {
	uint32_t kind, unk, byte[256], longest;
	int32_t bos, eos;
	float heaviest;
	struct spm_ref unknown;
	struct rules norm, back;
	uint8_t byte_fallback, plain, fold, denormalizes, zero[4];
};

static struct rules
rules_of(const struct spm_norm *m)
{
	return (struct rules){ m->dummy, m->squeeze, m->escape, m->suffix,
	    m->fold, { 0 } };
}

/* add_norm - a normalizer's tables */
static void
add_norm(struct compiling *c, const struct spm_norm *m, uint32_t map,
    uint32_t to)
{
	compiled_add(c, map, m->map.unit, sizeof(*m->map.unit), m->map.n);
	compiled_add(c, to, m->to.p, 1, m->to.n);
}

/* add_tables - all that is the same for every kind */
static void
add_tables(struct compiling *c, const struct spm *s)
{
	compiled_add(c, TAG_POOL, s->pool.p, 1, s->pool.n);
	compiled_add(c, TAG_PIECES, s->piece, sizeof(*s->piece), s->n);
	if (s->text != s->piece)
		compiled_add(c, TAG_TEXTS, s->text, sizeof(*s->text), s->n);
	compiled_add(c, TAG_TYPES, s->type, sizeof(*s->type), s->n);
	compiled_add(c, TAG_SCORES, s->score, sizeof(*s->score), s->n);
	compiled_add(c, TAG_WEIGHTS, s->weight, sizeof(*s->weight), s->n);
	compiled_add(c, TAG_SLOTS, s->slot, sizeof(*s->slot), s->n);
	compiled_add(c, TAG_NAMES, s->names.slot, sizeof(*s->names.slot),
	    (size_t)s->names.mask + 1);
	compiled_add(c, TAG_RESERVED, s->reserved.slot,
	    sizeof(*s->reserved.slot), (size_t)s->reserved.mask + 1);
	compiled_add(c, TAG_LINKS, s->links, sizeof(*s->links), 1);
	compiled_add(c, TAG_TRIE, s->pieces.unit, sizeof(*s->pieces.unit),
	    s->pieces.n);
	compiled_add(c, TAG_OWN, s->own.unit, sizeof(*s->own.unit), s->own.n);
	compiled_add(c, TAG_KEPT, s->norm.own.unit,
	    sizeof(*s->norm.own.unit), s->norm.own.n);
}

struct view
spm_compile(struct arena *a, const struct spm *s)
{
	struct compiling *c = compiled_begin(a, COMPILED_SPM, REVISION);
	struct settings *t = arena_alloc(a, sizeof(*t));

	*t = (struct settings){ .kind = s->kind, .unk = s->unk,
	    .longest = (uint32_t)s->longest, .bos = s->bos, .eos = s->eos,
	    .heaviest = s->heaviest, .unknown = {
	    (uint32_t)(s->unknown.p - s->pool.p), (uint32_t)s->unknown.n },
	    .norm = rules_of(&s->norm), .byte_fallback = s->byte_fallback,
	    .plain = s->plain, .fold = s->fold,
	    .denormalizes = s->back != NULL };
	memcpy(t->byte, s->byte, sizeof(t->byte));
	add_tables(c, s);
	add_norm(c, &s->norm, TAG_MAP, TAG_TO);
	if (s->back != NULL) {
		t->back = rules_of(s->back);
		add_norm(c, s->back, TAG_BACK_MAP, TAG_BACK_TO);
	}
	compiled_add(c, TAG_SETTINGS, t, sizeof(*t), 1);
	return compiled_end(c);
}

/* table - a section that must have n elements */
static const void *
table(struct view image, uint32_t tag, size_t width, size_t n)
{
	size_t count;
	const void *p = compiled_get(image, tag, width, &count);

	return p != NULL && count == n ? p : NULL;
}

/* refs_good - do they lie in the pool */
static bool
refs_good(const struct spm *s, const struct spm_ref *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (r[i].at > s->pool.n || r[i].n > s->pool.n - r[i].at)
			return false;
	return true;
}

/* names_get - every id is one, and some place is free, so that a search ends */
static bool
names_get(const struct spm *s, struct view image, uint32_t tag,
    struct spm_names *t)
{
	size_t n, bad = 0, free = 0;

	t->slot = compiled_get(image, tag, sizeof(*t->slot), &n);
	if (t->slot == NULL || n == 0 || n > UINT32_MAX || (n & (n - 1)) != 0)
		return false;
	t->mask = (uint32_t)(n - 1);
	for (size_t i = 0; i < n; i++) {
		free += t->slot[i].id == SPM_NONE;
		bad += t->slot[i].id >= s->n && t->slot[i].id != SPM_NONE;
	}
	return bad == 0 && free > 0;
}

/* trie_get - one whose values are below an end; 0: they are not used */
static bool
trie_get(struct view image, uint32_t tag, uint32_t end, struct trie *t)
{
	uint32_t value;
	size_t n;

	t->unit = compiled_get(image, tag, sizeof(*t->unit), &n);
	if (n > UINT32_MAX)
		return false;
	t->n = (uint32_t)n;
	for (uint32_t i = 0; end > 0 && i < t->n; i++)
		if (trie_value(t, i, &value) && value >= end &&
		    (t->unit[i] & 0x80000000) == 0)
			return false;
	return true;
}

/* norm_get - a normalizer, whose user-defined pieces are there already */
static bool
norm_get(struct view image, const struct rules *r, uint32_t map, uint32_t to,
    struct spm_norm *m)
{
	struct err e;

	m->dummy = r->dummy & 1;
	m->squeeze = r->squeeze & 1;
	m->escape = r->escape & 1;
	m->suffix = r->suffix & 1;
	m->fold = r->fold & 1;
	m->to.p = compiled_get(image, to, 1, &m->to.n);
	return trie_get(image, map, 0, &m->map) && (m->map.n == 0 ||
	    (m->to.n > 0 && m->to.p[m->to.n - 1] == '\0')) &&
	    spm_norm_ready(m, &e) == 0;
}

/* ids_good - of the settings, and types of pieces */
static bool
ids_good(struct spm *s)
{
	for (unsigned i = 0; i < 256; i++)
		if (s->byte[i] >= s->n && (s->byte_fallback ||
		    s->byte[i] != SPM_NONE))
			return false;
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->type[i] < SPM_NORMAL || s->type[i] > SPM_BYTE)
			return false;
		s->unused |= s->kind == SPM_BPE && s->type[i] == SPM_UNUSED;
	}
	return s->n > 0 && s->unk < s->n && s->bos >= -1 && s->eos >= -1 &&
	    (s->bos == -1 || (uint32_t)s->bos < s->n) &&
	    (s->eos == -1 || (uint32_t)s->eos < s->n) &&
	    s->kind >= SPM_UNIGRAM && s->kind <= SPM_CHAR;
}

/* attach_pieces - what there is for each piece */
static bool
attach_pieces(struct spm *s, struct view image)
{
	size_t n;

	s->pool.p = compiled_get(image, TAG_POOL, 1, &s->pool.n);
	s->piece = compiled_get(image, TAG_PIECES, sizeof(*s->piece), &n);
	if (s->pool.p == NULL || s->piece == NULL || n >= SPM_NONE)
		return false;
	s->n = (uint32_t)n;
	s->text = s->fold ? table(image, TAG_TEXTS, sizeof(*s->text), n) :
	    s->piece;
	s->type = table(image, TAG_TYPES, sizeof(*s->type), n);
	s->score = table(image, TAG_SCORES, sizeof(*s->score), n);
	s->weight = table(image, TAG_WEIGHTS, sizeof(*s->weight), n);
	s->slot = table(image, TAG_SLOTS, sizeof(*s->slot), n);
	s->links = table(image, TAG_LINKS, sizeof(*s->links), 1);
	return s->text != NULL && s->type != NULL && s->score != NULL &&
	    s->weight != NULL && s->slot != NULL && s->links != NULL &&
	    refs_good(s, s->piece, n) && refs_good(s, s->text, n);
}

/* attach - all of it; false: something is not good */
static bool
attach(struct arena *a, struct spm *s, struct view image)
{
	const struct settings *t;

	if (!compiled_is(image, COMPILED_SPM, REVISION, NULL) ||
	    (t = table(image, TAG_SETTINGS, sizeof(*t), 1)) == NULL)
		return false;
	s->kind = (enum spm_kind)t->kind;
	s->byte_fallback = t->byte_fallback & 1;
	s->plain = t->plain & 1;
	s->fold = t->fold & 1;
	s->unk = t->unk;
	memcpy(s->byte, t->byte, sizeof(s->byte));
	s->bos = t->bos;
	s->eos = t->eos;
	s->longest = t->longest;
	s->heaviest = t->heaviest;
	if (!attach_pieces(s, image) || !ids_good(s) ||
	    !refs_good(s, &t->unknown, 1) ||
	    !names_get(s, image, TAG_NAMES, &s->names) ||
	    !names_get(s, image, TAG_RESERVED, &s->reserved) ||
	    !trie_get(image, TAG_TRIE, s->n, &s->pieces) ||
	    !trie_get(image, TAG_OWN, 0, &s->own) ||
	    !trie_get(image, TAG_KEPT, 0, &s->norm.own) ||
	    (s->kind == SPM_UNIGRAM && s->pieces.n == 0) ||
	    !norm_get(image, &t->norm, TAG_MAP, TAG_TO, &s->norm))
		return false;
	s->unknown = spm_bytes(s, t->unknown);
	if ((t->denormalizes & 1) == 0)
		return true;
	s->back = arena_alloc(a, sizeof(*s->back));
	return norm_get(image, &t->back, TAG_BACK_MAP, TAG_BACK_TO, s->back);
}

struct spm *
spm_attach(struct arena *a, struct view image)
{
	struct spm *s = arena_alloc(a, sizeof(*s));

	if (!attach(a, s, image))
		return NULL;
	arena_defer(a, spm_rooms_free, s);
	return s;
}

struct spm *
spm_map(struct arena *a, int dir, const struct hash *source)
{
	struct view image = compiled_map(a, dir, COMPILED_SPM, REVISION,
	    source);

	return image.p == NULL ? NULL : spm_attach(a, image);
}
