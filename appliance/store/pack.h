/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include "appliance/base/buf.h"
#include "appliance/base/err.h"
#include "appliance/store/seal.h"

/*
 * pack.h - an append-only file of framed, checksummed records, all numbers
 * little-endian:
 *
 *   header   64 bytes: "QUERNPK1", u32 kind, u32 0, 16 bytes key id (zero: not
 *            sealed), 16 bytes salt (zero: not sealed), zeros
 *   frame    u32 length of the payload, u32 length of the id, u64 hash of the
 *            id, u64 XXH3-64 of the body, the body: the id, the payload (one
 *            JSON object); if sealed (seal.h), 24 bytes nonce, both encrypted,
 *            16 bytes tag.  The hash is XXH3-64, or SipHash-2-4 if sealed
 *   index    (u64 id hash, u64 offset of the frame) sorted, for every frame
 *   footer   64 bytes: "QUERNPKE", u64 frames, u64 offset of the index, u64
 *            payload bytes, u64 XXH3-64 of the index, zeros
 *
 * A pack without a footer is being written.  Order of calls: pack_create or
 * pack_resume, pack_add, pack_finish; or pack_open, then pack_read, pack_next
 * and pack_find.
 */

enum pack_kind { PACK_RECORDS = 1, PACK_VERDICTS = 2 };

struct pack_entry {
	uint64_t id, offset;
};

struct pack_writer {
	int fd;
	struct buf out;			/* not yet written */
	int64_t len;			/* with what is in out */
	struct pack_entry *index;
	size_t n, cap;
	int64_t bytes;
	struct seal_pack seal;
};

/*
 * pack_create - take over an empty file, sealed with the first of the keys if
 * there is one; pack_resume - one that was cut to len, whose frames are read
 * again for the index
 */
int pack_create(struct pack_writer *, int fd, enum pack_kind,
    const struct seals *, struct err *);
int pack_resume(struct pack_writer *, int fd, int64_t len,
    const struct seals *, struct err *);
int pack_add(struct pack_writer *, struct view id, struct view payload,
    struct err *);
int pack_flush(struct pack_writer *, struct err *);	/* to the kernel */
int pack_finish(struct pack_writer *, struct err *);	/* index, foot, fsync */
void pack_abandon(void *writer);			/* memory only */

struct pack {
	int fd;
	const char *name;
	int64_t end;			/* of the frames */
	int64_t frames, bytes;
	const struct pack_entry *index;	/* in the arena */
	struct seal_pack seal;
};

/* pack_open - checks header, footer and index, and that it can be opened */
struct pack *pack_open(struct arena *, int dir, const char *name,
    const struct seals *, struct err *);

/* a sequential reader: buffers blocks, checks each frame */
struct pack_reader {
	const struct pack *pack;
	char *buf;
	size_t at, n, cap;
	int64_t offset;			/* of the next frame */
	struct view id;			/* of the frame just read */
};

void pack_read(struct pack_reader *, const struct pack *, int64_t offset);
void pack_read_end(void *reader);

/* pack_next - 1 a payload (good until the next call), 0 end, -1 damaged */
int pack_next(struct pack_reader *, struct view *payload, struct err *);

/* pack_has - does a frame with this id's hash exist */
bool pack_has(const struct pack *, struct view id);

/* pack_find - the last frame of an id: 1 with its payload in the arena, 0 */
int pack_find(const struct pack *, struct arena *, struct view id,
    struct view *payload, struct err *);

#endif
