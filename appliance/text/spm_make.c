/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/spm_room.h"

#include <float.h>
#include <math.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define UNKNOWN_LESS	10.0f	/* than the least score */
#define OWN_BYTE	0.1	/* each byte of a user-defined piece but one */
#define PIECE_MAX	8000u	/* the library takes no piece that long */

/* fold - a piece as it is within; its bytes there */
static size_t
fold(struct view v, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < v.n; i++)
		if (v.n - i >= 3 && memcmp(v.p + i, SPM_SIGN, 3) == 0) {
			to[n++] = ' ';
			i += 2;
		} else
			to[n++] = v.p[i] == ' ' ? SPM_NEVER : v.p[i];
	return n;
}

/* make_pool - the pieces as the file has them, and as they are within where
 * that differs, and what unknown is decoded to */
static int
make_pool(struct arena *a, struct spm *s, const struct spm_spec *spec,
    struct err *e)
{
	struct spm_ref *piece = arena_array(a, s->n, sizeof(*piece));
	struct spm_ref *text = arena_array(a, s->n, sizeof(*text));
	size_t room = spec->unknown.n + 1, at = 0;
	char *pool;

	for (uint32_t i = 0; i < s->n; i++)
		room += spec->piece[i].text.n * (s->fold ? 2 : 1);
	if (room > UINT32_MAX)
		return err_set(e, FATE_REJECT, "its pieces have more than 4 "
		    "GiB");
	pool = arena_alloc(a, room);
	for (uint32_t i = 0; i < s->n; i++) {
		struct view v = spec->piece[i].text;

		piece[i] = (struct spm_ref){ (uint32_t)at, (uint32_t)v.n };
		if (v.n > 0)
			memcpy(pool + at, v.p, v.n);
		at += v.n;
	}
	for (uint32_t i = 0; s->fold && i < s->n; i++) {
		text[i].at = (uint32_t)at;
		text[i].n = (uint32_t)fold(spec->piece[i].text, pool + at);
		at += text[i].n;
	}
	if (spec->unknown.n > 0)
		memcpy(pool + at, spec->unknown.p, spec->unknown.n);
	s->unknown = (struct view){ pool + at, spec->unknown.n };
	s->pool = (struct view){ pool, at + spec->unknown.n };
	s->piece = piece;
	s->text = s->fold ? text : piece;
	return 0;
}

static uint32_t
name_hash(struct view v)
{
	return (uint32_t)XXH3_64bits(v.p, v.n);
}

/* names_new - an empty table of two places for each of n */
static struct spm_name *
names_new(struct arena *a, size_t n, struct spm_names *t)
{
	struct spm_name *slot;
	size_t size = 4;

	while (size < 2 * n)
		size *= 2;
	slot = arena_array(a, size, sizeof(*slot));
	for (size_t i = 0; i < size; i++)
		slot[i].id = SPM_NONE;
	*t = (struct spm_names){ slot, (uint32_t)(size - 1) };
	return slot;
}

/* names_place - where these bytes are or would be */
static uint32_t
names_place(const struct spm *s, const struct spm_names *t, struct view v,
    uint32_t hash)
{
	uint32_t i = hash & t->mask;

	while (t->slot[i].id != SPM_NONE && (t->slot[i].hash != hash ||
	    !view_eq(spm_bytes(s, s->text[t->slot[i].id]), v)))
		i = (i + 1) & t->mask;
	return i;
}

uint32_t
spm_find(const struct spm *s, const struct spm_names *t, struct view v)
{
	return t->slot[names_place(s, t, v, name_hash(v))].id;
}

/* is_reserved - is a piece one that text is never made into */
static bool
is_reserved(const struct spm *s, uint32_t id)
{
	return s->type[id] == SPM_UNKNOWN || s->type[id] == SPM_CONTROL ||
	    s->type[id] == SPM_BYTE;
}

/* byte_of - the byte that a piece like <0x0A> is, -1 */
static int
byte_of(struct view v)
{
	static const char digit[] = "0123456789ABCDEF";
	const char *hi, *lo;

	if (v.n != 6 || memcmp(v.p, "<0x", 3) != 0 || v.p[5] != '>')
		return -1;
	hi = memchr(digit, v.p[3], 16);
	lo = memchr(digit, v.p[4], 16);
	return hi == NULL || lo == NULL ? -1 :
	    (int)((hi - digit) << 4 | (lo - digit));
}

/* make_special - the unknown piece and the bytes */
static int
make_special(struct spm *s, struct err *e)
{
	for (uint32_t i = 0; i < s->n; i++) {
		int byte = byte_of(spm_bytes(s, s->piece[i]));

		if (s->type[i] == SPM_UNKNOWN && s->unk != SPM_NONE)
			return err_set(e, FATE_REJECT, "pieces %u and %u are "
			    "both the unknown one", s->unk, i);
		if (s->type[i] == SPM_UNKNOWN)
			s->unk = i;
		if (s->type[i] != SPM_BYTE)
			continue;
		if (!s->byte_fallback)
			return err_set(e, FATE_REJECT, "piece %u is a byte, "
			    "and there is no byte_fallback", i);
		if (byte == -1)
			return err_set(e, FATE_REJECT, "piece %u is no byte "
			    "like <0x0A>", i);
		s->byte[byte] = i;
	}
	if (s->unk == SPM_NONE)
		return err_set(e, FATE_REJECT, "no piece is the unknown one");
	for (unsigned i = 0; s->byte_fallback && i < 256; i++)
		if (s->byte[i] == SPM_NONE)
			return err_set(e, FATE_REJECT, "byte_fallback, and no "
			    "piece is byte %u", i);
	return 0;
}

/* make_name - one piece by its bytes.  For BPE the library has one table of all
 * pieces, else one of those that text is made into and one of the rest.  slot:
 * of both */
static int
make_name(struct spm *s, struct spm_name *const slot[2], uint32_t id,
    struct err *e)
{
	struct view v = spm_bytes(s, s->text[id]);
	uint32_t hash = name_hash(v), at, other;
	bool kept = is_reserved(s, id);
	const struct spm_names *t = kept ? &s->reserved : &s->names;

	if (v.n == 0 || s->piece[id].n >= PIECE_MAX)
		return err_set(e, FATE_REJECT, "piece %u is %s", id,
		    v.n == 0 ? "empty" : "too long");
	if (memchr(v.p, '\0', v.n) != NULL)
		return v.n == 1 && s->type[id] == SPM_UNUSED ? 0 :
		    err_set(e, FATE_REJECT, "piece %u holds a NUL", id);
	at = names_place(s, t, v, hash);
	other = t->slot[at].id;
	if (other == SPM_NONE && s->kind == SPM_BPE && !s->plain)
		other = spm_find(s, kept ? &s->names : &s->reserved, v);
	if (other != SPM_NONE)
		/* llama2.c's search finds the first of equals */
		return s->plain ? 0 : err_set(e, FATE_REJECT, "pieces %u and "
		    "%u are the same", other, id);
	slot[kept][at] = (struct spm_name){ hash, id };
	if (!kept && v.n > s->longest)
		s->longest = v.n;
	return 0;
}

/* make_weights - what Unigram adds for a piece: its score, but for a
 * user-defined one a tenth for each byte after the first */
static void
make_weights(struct arena *a, struct spm *s)
{
	float least = FLT_MAX, *weight;

	weight = arena_array(a, s->n, sizeof(*weight));
	for (uint32_t i = 0; i < s->n; i++)
		if (s->type[i] == SPM_NORMAL && s->score[i] < least)
			least = s->score[i];
	for (uint32_t i = 0; i < s->n; i++) {
		weight[i] = i == s->unk ? least - UNKNOWN_LESS :
		    s->type[i] != SPM_USER_DEFINED ? s->score[i] :
		    (float)(OWN_BYTE * (double)(s->piece[i].n - 1));
		if (fabsf(weight[i]) > s->heaviest)
			s->heaviest = fabsf(weight[i]);
	}
	s->weight = weight;
}

/* make_tries - of the pieces that Unigram walks, and of user-defined ones */
static int
make_tries(struct arena *a, struct spm *s, const struct spm_rules *rules,
    struct err *e)
{
	struct view *key = arena_array(a, s->n, sizeof(*key));
	struct view *own = arena_array(a, s->n, sizeof(*own));
	uint32_t *value = arena_array(a, s->n, sizeof(*value)), n = 0, nown = 0;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->type[i] == SPM_USER_DEFINED)
			own[nown++] = spm_bytes(s, s->piece[i]);
	if (spm_norm_make(a, rules, own, nown, &s->norm, e) == -1)
		return -1;
	for (uint32_t i = nown = 0; i < s->n; i++)
		if (s->type[i] == SPM_USER_DEFINED)
			own[nown++] = spm_bytes(s, s->text[i]);
	if (trie_make(a, own, value, nown, &s->own, e) == -1)
		return err_prefix(e, "user-defined pieces: ");
	if (s->kind != SPM_UNIGRAM)
		return 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->type[i] == SPM_NORMAL ||
		    s->type[i] == SPM_USER_DEFINED) {
			key[n] = spm_bytes(s, s->text[i]);
			value[n++] = i;
		}
	if (n == 0)
		return err_set(e, FATE_REJECT, "no piece that text could be "
		    "made into");
	return trie_make(a, key, value, n, &s->pieces, e) == -1 ?
	    err_prefix(e, "pieces: ") : 0;
}

/* make_links - which characters follow one another in a piece */
static void
make_links(struct arena *a, struct spm *s)
{
	struct links *l = arena_alloc(a, sizeof(*l));

	for (uint32_t i = 0; i < s->n; i++) {
		if (is_reserved(s, i))
			continue;
		links_add(l, spm_bytes(s, s->text[i]));
		if (s->type[i] == SPM_UNUSED && s->kind == SPM_BPE)
			s->unused = true;
	}
	links_end(l);
	s->links = l;
}

static int
make_names(struct arena *a, struct spm *s, struct err *e)
{
	struct spm_name *const slot[2] = { names_new(a, s->n, &s->names),
	    names_new(a, s->n, &s->reserved) };

	for (uint32_t i = 0; i < s->n; i++)
		if (make_name(s, slot, i, e) == -1)
			return -1;
	return 0;
}

static int32_t
find_control(const struct spm *s, const char *name)
{
	uint32_t id = name == NULL ? SPM_NONE : spm_find(s, &s->reserved,
	    view_of(name));

	return id == SPM_NONE || s->type[id] != SPM_CONTROL ? -1 : (int32_t)id;
}

/* make_back - a normalizer for decoded text, where there is a table for it */
static int
make_back(struct arena *a, const struct spm_rules *rules, struct spm *s,
    struct err *e)
{
	if (rules->charsmap.n == 0)
		return 0;
	s->back = arena_alloc(a, sizeof(*s->back));
	return spm_norm_make(a, rules, NULL, 0, s->back, e) == -1 ?
	    err_prefix(e, "denormalizer: ") : 0;
}

struct spm *
spm_make(struct arena *a, const struct spm_spec *spec, struct err *e)
{
	struct spm *s = arena_alloc(a, sizeof(*s));
	struct slot *slot;
	uint8_t *type;
	float *score;

	s->kind = spec->kind;
	s->n = (uint32_t)spec->n;
	s->byte_fallback = spec->byte_fallback;
	s->plain = spec->plain;
	s->fold = spec->rules.escape;
	s->unk = SPM_NONE;
	memset(s->byte, 0xff, sizeof(s->byte));
	type = arena_alloc(a, s->n);
	score = arena_array(a, s->n, sizeof(*score));
	for (uint32_t i = 0; i < s->n; i++) {
		type[i] = (uint8_t)spec->piece[i].type;
		score[i] = spec->piece[i].score;
	}
	s->type = type;
	s->score = score;
	s->norm.fold = s->fold;
	s->norm.suffix = spec->suffix;
	if (make_pool(a, s, spec, e) == -1 || make_special(s, e) == -1 ||
	    make_names(a, s, e) == -1 ||
	    make_tries(a, s, &spec->rules, e) == -1 ||
	    make_back(a, &spec->back, s, e) == -1)
		return NULL;
	make_weights(a, s);
	make_links(a, s);
	slot = arena_array(a, s->n, sizeof(*slot));
	for (uint32_t i = 0; i < s->n; i++)
		slot[i] = spm_slot(s, i);
	s->slot = slot;
	s->bos = find_control(s, spec->bos);
	s->eos = find_control(s, spec->eos);
	arena_defer(a, spm_rooms_free, s);
	return s;
}

struct spm *
spm_open(struct arena *a, struct view file, struct err *e)
{
	struct spm_spec spec;

	return spm_read(a, file, &spec, e) == -1 ? NULL :
	    spm_make(a, &spec, e);
}
