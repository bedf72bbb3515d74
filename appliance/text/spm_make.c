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

/* fold - a piece as it is within */
static struct view
fold(struct arena *a, const struct spm *s, struct view v)
{
	char *to;
	size_t n = 0;

	if (!s->fold)
		return v;
	to = arena_alloc(a, v.n + 1);
	for (size_t i = 0; i < v.n; i++)
		if (v.n - i >= 3 && memcmp(v.p + i, SPM_SIGN, 3) == 0) {
			to[n++] = ' ';
			i += 2;
		} else
			to[n++] = v.p[i] == ' ' ? SPM_NEVER : v.p[i];
	return (struct view){ to, n };
}

static uint32_t
name_hash(struct view v)
{
	return (uint32_t)XXH3_64bits(v.p, v.n);
}

static struct spm_names
names_new(struct arena *a, size_t n)
{
	struct spm_names t;
	size_t size = 4;

	while (size < 2 * n)
		size *= 2;
	t.slot = arena_array(a, size, sizeof(*t.slot));
	t.mask = (uint32_t)(size - 1);
	for (size_t i = 0; i < size; i++)
		t.slot[i].id = SPM_NONE;
	return t;
}

/* names_place - where these bytes are or would be */
static uint32_t
names_place(const struct spm_names *t, const struct view *text, struct view v,
    uint32_t hash)
{
	uint32_t i = hash & t->mask;

	while (t->slot[i].id != SPM_NONE && (t->slot[i].hash != hash ||
	    !view_eq(text[t->slot[i].id], v)))
		i = (i + 1) & t->mask;
	return i;
}

uint32_t
spm_find(const struct spm_names *t, const struct view *text, struct view v)
{
	return t->slot[names_place(t, text, v, name_hash(v))].id;
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
		int byte = byte_of(s->piece[i]);

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
 * pieces, else one of those that text is made into and one of the rest */
static int
make_name(struct spm *s, uint32_t id, struct err *e)
{
	struct view v = s->text[id];
	uint32_t hash = name_hash(v), at, other;
	struct spm_names *t = is_reserved(s, id) ? &s->reserved : &s->names;

	if (v.n == 0 || s->piece[id].n >= PIECE_MAX)
		return err_set(e, FATE_REJECT, "piece %u is %s", id,
		    v.n == 0 ? "empty" : "too long");
	if (memchr(v.p, '\0', v.n) != NULL)
		return v.n == 1 && s->type[id] == SPM_UNUSED ? 0 :
		    err_set(e, FATE_REJECT, "piece %u holds a NUL", id);
	at = names_place(t, s->text, v, hash);
	other = t->slot[at].id;
	if (other == SPM_NONE && s->kind == SPM_BPE && !s->plain)
		other = spm_find(t == &s->names ? &s->reserved : &s->names,
		    s->text, v);
	if (other != SPM_NONE)
		/* llama2.c's search finds the first of equals */
		return s->plain ? 0 : err_set(e, FATE_REJECT, "pieces %u and "
		    "%u are the same", other, id);
	t->slot[at].hash = hash;
	t->slot[at].id = id;
	if (t == &s->names && v.n > s->longest)
		s->longest = v.n;
	return 0;
}

/* make_weights - what Unigram adds for a piece: its score, but for a
 * user-defined one a tenth for each byte after the first */
static void
make_weights(struct arena *a, struct spm *s)
{
	float least = FLT_MAX;

	s->weight = arena_array(a, s->n, sizeof(*s->weight));
	for (uint32_t i = 0; i < s->n; i++)
		if (s->type[i] == SPM_NORMAL && s->score[i] < least)
			least = s->score[i];
	for (uint32_t i = 0; i < s->n; i++) {
		s->weight[i] = i == s->unk ? least - UNKNOWN_LESS :
		    s->type[i] != SPM_USER_DEFINED ? s->score[i] :
		    (float)(OWN_BYTE * (double)(s->piece[i].n - 1));
		if (fabsf(s->weight[i]) > s->heaviest)
			s->heaviest = fabsf(s->weight[i]);
	}
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
			own[nown++] = s->piece[i];
	if (spm_norm_make(a, rules, own, nown, &s->norm, e) == -1)
		return -1;
	for (uint32_t i = nown = 0; i < s->n; i++)
		if (s->type[i] == SPM_USER_DEFINED)
			own[nown++] = s->text[i];
	if (trie_make(a, own, value, nown, &s->own, e) == -1)
		return err_prefix(e, "user-defined pieces: ");
	if (s->kind != SPM_UNIGRAM)
		return 0;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->type[i] == SPM_NORMAL ||
		    s->type[i] == SPM_USER_DEFINED) {
			key[n] = s->text[i];
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
make_links(struct spm *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (is_reserved(s, i))
			continue;
		links_add(&s->links, s->text[i]);
		if (s->type[i] == SPM_UNUSED && s->kind == SPM_BPE)
			s->unused = true;
	}
	links_end(&s->links);
}

static int
make_names(struct arena *a, struct spm *s, struct err *e)
{
	s->names = names_new(a, s->n);
	s->reserved = names_new(a, s->n);
	for (uint32_t i = 0; i < s->n; i++)
		if (make_name(s, i, e) == -1)
			return -1;
	return 0;
}

static int32_t
find_control(const struct spm *s, const char *name)
{
	uint32_t id = name == NULL ? SPM_NONE : spm_find(&s->reserved,
	    s->text, view_of(name));

	return id == SPM_NONE || s->type[id] != SPM_CONTROL ? -1 : (int32_t)id;
}

static void
spm_drop(void *arg)
{
	struct spm *s = arg;

	for (unsigned i = 0; i < SPM_ROOMS; i++)
		spm_room_free(atomic_exchange(&s->room[i], NULL));
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

	s->kind = spec->kind;
	s->n = (uint32_t)spec->n;
	s->byte_fallback = spec->byte_fallback;
	s->plain = spec->plain;
	s->fold = spec->rules.escape;
	s->unknown = spec->unknown;
	s->unk = SPM_NONE;
	memset(s->byte, 0xff, sizeof(s->byte));
	s->piece = arena_array(a, s->n, sizeof(*s->piece));
	s->text = arena_array(a, s->n, sizeof(*s->text));
	s->type = arena_alloc(a, s->n);
	s->score = arena_array(a, s->n, sizeof(*s->score));
	for (uint32_t i = 0; i < s->n; i++) {
		s->piece[i] = spec->piece[i].text;
		s->type[i] = (uint8_t)spec->piece[i].type;
		s->score[i] = spec->piece[i].score;
		s->text[i] = fold(a, s, s->piece[i]);
	}
	s->norm.fold = s->fold;
	s->norm.suffix = spec->suffix;
	if (make_special(s, e) == -1 || make_names(a, s, e) == -1 ||
	    make_tries(a, s, &spec->rules, e) == -1 ||
	    make_back(a, &spec->back, s, e) == -1)
		return NULL;
	make_weights(a, s);
	make_links(s);
	s->slot = arena_array(a, s->n, sizeof(*s->slot));
	for (uint32_t i = 0; i < s->n; i++)
		s->slot[i] = spm_slot(s, i);
	s->bos = find_control(s, spec->bos);
	s->eos = find_control(s, spec->eos);
	arena_defer(a, spm_drop, s);
	return s;
}

struct spm *
spm_open(struct arena *a, struct view file, struct err *e)
{
	struct spm_spec spec;

	return spm_read(a, file, &spec, e) == -1 ? NULL :
	    spm_make(a, &spec, e);
}
