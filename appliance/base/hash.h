/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "appliance/base/buf.h"

/*
 * hash.h - content and identity hashes: BLAKE2b (RFC 7693) by libsodium.
 *
 * Records are hashed under a key (the store's), so that nothing can be guessed
 * from a hash once the key is gone; files are hashed without.
 */

#define HASH_LEN	32
#define HASH_HEX	(2 * HASH_LEN)

struct hash {
	unsigned char b[HASH_LEN];
};

struct hash_key {
	unsigned char b[32];
};

/* a hash that is fed in pieces; key may be NULL */
struct hash_state {
	_Alignas(64) unsigned char opaque[384];
};

void hash_begin(struct hash_state *, const struct hash_key *);
void hash_add(struct hash_state *, const void *, size_t);
void hash_word(struct hash_state *, const char *);	/* with its NUL */
struct hash hash_end(struct hash_state *);

struct hash hash_of(const struct hash_key *, const void *, size_t);
uint64_t hash_u64(struct hash);
void hash_hex(struct hash, char out[HASH_HEX + 1]);
int hash_parse(struct view hex, struct hash *);

#endif
