/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/store/seal.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#define KEY_MIN		32
#define KEY_MAX		65536
#define HEAD_MAX	32		/* of a frame, with its place */

_Static_assert(SEAL_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES &&
    SEAL_MORE == SEAL_NONCE + crypto_aead_xchacha20poly1305_ietf_ABYTES &&
    sizeof(((struct seal_pack *)0)->hash) == crypto_shorthash_KEYBYTES,
    "sizes are libsodium's");

/* seal_derive - n bytes for one purpose from a key */
static void
seal_derive(unsigned char *out, size_t n, const unsigned char key[32],
    const char *purpose, const unsigned char *salt, size_t nsalt)
{
	struct hash_key k;
	struct hash_state s;
	struct hash h;

	memcpy(k.b, key, sizeof(k.b));
	hash_begin(&s, &k);
	hash_word(&s, purpose);
	hash_add(&s, salt, nsalt);
	h = hash_end(&s);
	memcpy(out, h.b, n);
	sodium_memzero(&k, sizeof(k));
	sodium_memzero(&h, sizeof(h));
}

/* seal_load - one key file */
static int
seal_load(struct seal *s, struct arena *a, const char *path, struct err *e)
{
	struct stat st;
	struct view v;
	struct hash h;

	if (file_read(a, AT_FDCWD, path, KEY_MAX, &v, e) == -1)
		return -1;
	if (stat(path, &st) == -1)
		return err_errno(e, "cannot read '%s'", path);
	if (st.st_mode & 07)
		return err_set(e, FATE_PERM, "others may use the key file "
		    "'%s'; chmod o= %s", path, path);
	if (v.n < KEY_MIN)
		return err_set(e, FATE_REJECT, "the key file '%s' has %zu "
		    "bytes, at least %d are needed: head -c 32 /dev/urandom "
		    "makes one", path, v.n, KEY_MIN);
	h = hash_of(NULL, v.p, v.n);
	memcpy(s->key, h.b, sizeof(s->key));
	seal_derive(s->id, SEAL_ID, s->key, "quern key id", NULL, 0);
	s->path = path;
	sodium_memzero((void *)(uintptr_t)v.p, v.n);
	return 0;
}

int
seals_load(struct seals *s, struct arena *a, const struct opt_list *paths,
    struct err *e)
{
	struct seal *v = arena_array(a, paths->n, sizeof(*v));

	if (paths->n > 0 && sodium_init() == -1)
		return err_set(e, FATE_BUG, "libsodium does not start");
	for (size_t i = 0; i < paths->n; i++)
		if (seal_load(&v[i], a, paths->v[i], e) == -1)
			return err_prefix(e, "seal=: ");
	s->v = v;
	s->n = paths->n;
	return 0;
}

const struct seal *
seals_find(const struct seals *s, const unsigned char id[SEAL_ID])
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(s->v[i].id, id, SEAL_ID) == 0)
			return &s->v[i];
	return NULL;
}

void
seal_begin(struct seal_pack *p, const struct seal *s,
    const unsigned char salt[SEAL_SALT])
{
	p->on = true;
	seal_derive(p->key, sizeof(p->key), s->key, "quern pack", salt,
	    SEAL_SALT);
	seal_derive(p->hash, sizeof(p->hash), p->key, "quern ids", NULL, 0);
	randombytes_buf(p->epoch, sizeof(p->epoch));
}

uint64_t
seal_hash(const struct seal_pack *p, struct view id)
{
	uint64_t h;

	crypto_shorthash((unsigned char *)&h, (const unsigned char *)id.p,
	    id.n, p->hash);
	return h;
}

/* seal_head - a frame's head and its place, which the body is bound to */
static size_t
seal_head(unsigned char out[HEAD_MAX], const void *head, size_t n,
    int64_t place)
{
	memcpy(out, head, n);
	memcpy(out + n, &place, sizeof(place));
	return n + sizeof(place);
}

void
seal_close(const struct seal_pack *p, char *body, size_t n, int64_t place,
    const void *head, size_t nhead)
{
	unsigned char *at = (unsigned char *)body, more[HEAD_MAX];
	size_t nmore = seal_head(more, head, nhead, place);

	memcpy(at, p->epoch, sizeof(p->epoch));
	memcpy(at + sizeof(p->epoch), &place, sizeof(place));
	crypto_aead_xchacha20poly1305_ietf_encrypt(at + SEAL_NONCE, NULL,
	    at + SEAL_NONCE, n, more, nmore, NULL, at, p->key);
}

bool
seal_open(const struct seal_pack *p, char *body, size_t n, int64_t place,
    const void *head, size_t nhead)
{
	unsigned char *at = (unsigned char *)body, more[HEAD_MAX];
	size_t nmore = seal_head(more, head, nhead, place);

	return crypto_aead_xchacha20poly1305_ietf_decrypt(at + SEAL_NONCE,
	    NULL, NULL, at + SEAL_NONCE, n + SEAL_MORE - SEAL_NONCE, more,
	    nmore, at, p->key) == 0;
}
