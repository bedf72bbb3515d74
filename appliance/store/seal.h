/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_SEAL_H
#define STORE_SEAL_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/base/opt.h"

/*
 * seal.h - encryption of packs at rest, with the keys that quern.conf's seal=
 * names: the first seals what is written, every one opens what it sealed.
 *
 * A pack has a key of its own, BLAKE2b-256 of "quern pack" and the pack's salt
 * under the site's key; each frame's body is XChaCha20-Poly1305 (IETF, as
 * libsodium has it) with the frame's head and place as additional data, so that
 * a frame cannot be moved, and a nonce of 16 bytes drawn when the file was
 * opened for writing and 8 of the place, so that what is written anew after a
 * resume has another one.  Ids are hashed with SipHash-2-4 under the pack's
 * key: an index of a sealed pack tells how many records there are and how long,
 * and nothing else.
 */

#define SEAL_ID		16		/* bytes that name a key */
#define SEAL_SALT	16
#define SEAL_NONCE	24
#define SEAL_MORE	40		/* bytes that sealing adds to a frame */

struct seal {				/* a site's key */
	unsigned char id[SEAL_ID], key[32];
	const char *path;
};

struct seals {
	const struct seal *v;
	size_t n;
};

struct seal_pack {			/* a pack's key; on: it is sealed */
	bool on;
	unsigned char key[32], hash[16], epoch[16];
};

/*
 * seals_load - read key files: at least 32 bytes each, regular, and not to be
 * read by others
 */
int seals_load(struct seals *, struct arena *, const struct opt_list *paths,
    struct err *);

/* seals_find - the key of that id, or NULL */
const struct seal *seals_find(const struct seals *,
    const unsigned char id[SEAL_ID]);

/* seal_begin - the pack's key from its salt; draws a new epoch for nonces */
void seal_begin(struct seal_pack *, const struct seal *,
    const unsigned char salt[SEAL_SALT]);

uint64_t seal_hash(const struct seal_pack *, struct view id);

/*
 * seal_close - n bytes at body + SEAL_NONCE are sealed in place: nonce before,
 * tag behind, SEAL_MORE in all; head: what is bound to it
 * seal_open - n + SEAL_MORE bytes at body: the n plain ones are at body +
 * SEAL_NONCE then; false if they are not what was sealed
 */
void seal_close(const struct seal_pack *, char *body, size_t n, int64_t place,
    const void *head, size_t nhead);
bool seal_open(const struct seal_pack *, char *body, size_t n, int64_t place,
    const void *head, size_t nhead);

#endif
