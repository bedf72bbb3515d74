/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_SPM_TABLE_H
#define TEXT_SPM_TABLE_H

#include "appliance/text/links.h"
#include "appliance/text/slots.h"
#include "appliance/text/spm.h"
#include "appliance/text/trie.h"

#include <stdatomic.h>

/*
 * spm_table.h - the tables of a vocabulary, which spm_make fills.
 *
 * Within, the sign for a blank (U+2581) is one byte, a blank, wherever blanks
 * are escaped, in pieces and in normalized text: words are shorter, and both
 * are the same to the library as well.  A blank in a piece, which escaped text
 * never has, is then SPM_NEVER.
 */

#define SPM_NONE	UINT32_MAX
#define SPM_NEVER	'\xff'
#define SPM_SIGN	LINKS_SIGN

struct spm_norm {
	struct trie map;		/* charsmap; values: places in `to` */
	struct view to;			/* strings with a NUL after each */
	struct trie own;		/* user-defined pieces: kept */
	bool dummy, squeeze, escape, suffix;
	bool fold;			/* the sign becomes a blank */
	bool plain[128];		/* itself, whatever ASCII comes after */
	bool graphic, ascii;		/* all that is printed is so; all but
					 * blanks */
	bool high;			/* what is not ASCII may change */
	bool blank;			/* a blank is one, before ASCII */
	uint64_t begins[1024];		/* bits by spm_three: a key begins so */
};

/* spm_three - the code point of three bytes, below 2^16 */
static inline unsigned
spm_three(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
}

struct spm_room;			/* spm_room.h */

struct spm_ref {			/* bytes of the pool */
	uint32_t at, n;
};

struct spm_name {
	uint32_t hash, id;		/* id SPM_NONE: free */
};

struct spm_names {			/* ids by bytes */
	const struct spm_name *slot;
	uint32_t mask;
};

#define SPM_ROOMS	64

struct spm {
	enum spm_kind kind;
	bool byte_fallback, plain, fold;
	bool unused;			/* pieces that are cut again */
	uint32_t n, unk, byte[256];
	int32_t bos, eos;
	struct view unknown;
	struct view pool;
	const struct spm_ref *text, *piece;	/* within; as in the file */
	const struct slot *slot;	/* decoded, where a text has begun */
	const uint8_t *type;
	const float *score;
	const float *weight;		/* Unigram: what a piece adds */
	float heaviest;			/* the largest without its sign */
	struct spm_names names, reserved;	/* what text is made into; what
					 * is not: types 2, 3 and 6 */
	struct trie pieces, own;	/* Unigram's; user-defined ones */
	size_t longest;			/* bytes of a piece */
	const struct links *links;	/* of pieces that text is made into */
	struct spm_norm norm, *back;
	_Atomic(struct spm_room *) room[SPM_ROOMS];
};

/* spm_norm_make - rules to tables; own: user-defined pieces.  spm_norm_ready -
 * tables and rules are there: check them, and find the rest */
int spm_norm_make(struct arena *, const struct spm_rules *,
    const struct view *own, size_t n, struct spm_norm *, struct err *);
int spm_norm_ready(struct spm_norm *, struct err *);

/* spm_norm_run - add the normalized text to a buffer, with 96 bytes to spare */
void spm_norm_run(const struct spm_norm *, struct view, struct buf *);

/* spm_slot - what a piece is decoded to, see slot */
struct slot spm_slot(const struct spm *, uint32_t id);

static inline struct view
spm_bytes(const struct spm *s, struct spm_ref r)
{
	return (struct view){ s->pool.p + r.at, r.n };
}

/* spm_find - the id of these bytes, SPM_NONE */
uint32_t spm_find(const struct spm *, const struct spm_names *, struct view);

#endif
