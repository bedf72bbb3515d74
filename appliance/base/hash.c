/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/hash.h"

#include <sodium.h>

_Static_assert(sizeof(crypto_generichash_state) <=
    sizeof(((struct hash_state *)0)->opaque), "hash_state holds libsodium's");

void
hash_begin(struct hash_state *s, const struct hash_key *key)
{
	crypto_generichash_init((void *)s->opaque,
	    key == NULL ? NULL : key->b, key == NULL ? 0 : sizeof(key->b),
	    HASH_LEN);
}

void
hash_add(struct hash_state *s, const void *p, size_t n)
{
	if (n > 0)
		crypto_generichash_update((void *)s->opaque, p, n);
}

void
hash_word(struct hash_state *s, const char *word)
{
	hash_add(s, word, strlen(word) + 1);
}

struct hash
hash_end(struct hash_state *s)
{
	struct hash h;

	crypto_generichash_final((void *)s->opaque, h.b, sizeof(h.b));
	return h;
}

struct hash
hash_of(const struct hash_key *key, const void *p, size_t n)
{
	struct hash_state s;

	hash_begin(&s, key);
	hash_add(&s, p, n);
	return hash_end(&s);
}

uint64_t
hash_u64(struct hash h)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | h.b[i];
	return x;
}

void
hash_hex(struct hash h, char out[HASH_HEX + 1])
{
	sodium_bin2hex(out, HASH_HEX + 1, h.b, sizeof(h.b));
}

int
hash_parse(struct view hex, struct hash *h)
{
	size_t n;

	if (hex.n != HASH_HEX || sodium_hex2bin(h->b, sizeof(h->b), hex.p,
	    hex.n, NULL, &n, NULL) != 0 || n != sizeof(h->b))
		return -1;
	return 0;
}
