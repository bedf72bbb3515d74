/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/compiled.h"
#include "appliance/text/vocab_kept.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define REVISION	1	/* of the conversions: of what they write */
#define SMALL		((size_t)256 << 10)	/* bytes that are soon hashed */

enum { TAG_FROM = 1, TAG_NAME, TAG_FILE, TAG_CONFIG, TAG_HASH };

/*
 * from_key - where to look for it: a hash at the speed of memory, which need
 * not resist anyone
 */
static struct hash
from_key(const struct vocab_from *v)
{
	struct hash h = { .b = "made" };
	XXH3_state_t s;
	XXH128_hash_t x;

	XXH3_128bits_reset(&s);
	XXH3_128bits_update(&s, v->how, strlen(v->how) + 1);
	for (size_t i = 0; i < v->n; i++) {
		uint64_t n = v->part[i].n;

		XXH3_128bits_update(&s, &n, sizeof(n));
		XXH3_128bits_update(&s, v->part[i].p, v->part[i].n);
	}
	x = XXH3_128bits_digest(&s);
	memcpy(h.b + 16, &x.low64, 8);
	memcpy(h.b + 24, &x.high64, 8);
	return h;
}

/* from_same - is it what lies in an image: the name, then each part behind its
 * length */
static bool
from_same(const struct vocab_from *v, struct view in)
{
	size_t len = strlen(v->how) + 1;
	uint64_t n;

	if (in.n < len || memcmp(in.p, v->how, len) != 0)
		return false;
	in = (struct view){ in.p + len, in.n - len };
	for (size_t i = 0; i < v->n; i++) {
		if (in.n < sizeof(n))
			return false;
		memcpy(&n, in.p, sizeof(n));
		in = (struct view){ in.p + sizeof(n), in.n - sizeof(n) };
		if (n != v->part[i].n || n > in.n ||
		    memcmp(in.p, v->part[i].p, n) != 0)
			return false;
		in = (struct view){ in.p + n, in.n - n };
	}
	return in.n == 0;
}

/* section - bytes */
static struct view
section(struct view image, uint32_t tag)
{
	struct view v;

	v.p = compiled_get(image, tag, 1, &v.n);
	return v;
}

bool
vocab_kept_find(struct arena *a, int dir, const struct vocab_from *v,
    struct vocab_made *made)
{
	struct view image, hash, name;
	struct hash key;

	if (dir == -1)
		return false;
	key = from_key(v);
	image = compiled_map(a, dir, COMPILED_FILE, REVISION, &key);
	if (image.p == NULL || !from_same(v, section(image, TAG_FROM)))
		return false;
	hash = section(image, TAG_HASH);
	name = section(image, TAG_NAME);
	made->file = section(image, TAG_FILE);
	made->config = section(image, TAG_CONFIG);
	if (hash.n != HASH_LEN || made->file.p == NULL ||
	    made->config.p == NULL || name.p == NULL)
		return false;
	made->name = arena_strn(a, name.p, name.n);
	memcpy(made->hash.b, hash.p, HASH_LEN);
	return true;
}

/* put - an image of it all */
static void
put(int dir, const struct vocab_from *v, const struct vocab_made *made)
{
	struct arena *a = arena_new();
	struct hash key = from_key(v);
	struct compiling *c;
	struct buf from;
	struct err absent;

	buf_init(&from, (size_t)1 << 31);
	buf_add(&from, v->how, strlen(v->how) + 1);
	for (size_t i = 0; i < v->n; i++) {
		uint64_t n = v->part[i].n;

		buf_add(&from, &n, sizeof(n));
		buf_view(&from, v->part[i]);
	}
	c = compiled_begin(a, COMPILED_FILE, REVISION);
	compiled_add(c, TAG_FROM, from.p, 1, from.n);
	compiled_add(c, TAG_NAME, made->name, 1, strlen(made->name));
	compiled_add(c, TAG_FILE, made->file.p, 1, made->file.n);
	compiled_add(c, TAG_CONFIG, made->config.p, 1, made->config.n);
	compiled_add(c, TAG_HASH, made->hash.b, 1, HASH_LEN);
	if (!from.full)
		(void)compiled_keep(dir, compiled_end(c), &key, &absent);
	buf_free(&from);
	arena_free(a);
}

void
vocab_kept_put(int dir, const struct vocab_from *v, struct vocab_made *made)
{
	made->hash = hash_of(NULL, made->file.p, made->file.n);
	if (dir != -1)
		put(dir, v, made);
}

struct hash
vocab_kept_hash(int dir, struct view file)
{
	struct vocab_made made = { .name = "" };
	struct vocab_from from = { "file", &file, 1 };
	struct arena *a;

	if (dir == -1 || file.n < SMALL)
		return hash_of(NULL, file.p, file.n);
	a = arena_new();
	if (!vocab_kept_find(a, dir, &from, &made)) {
		made.hash = hash_of(NULL, file.p, file.n);
		put(dir, &from, &made);
	}
	arena_free(a);
	return made.hash;
}
