/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INGEST_UNPACK_H
#define INGEST_UNPACK_H

#include "appliance/module.h"

#include <sys/types.h>

/*
 * unpack.h - a file's bytes, through gzip (RFC 1952, members one after the
 * other) or Zstandard (RFC 8878, frames likewise) if its first bytes say so.
 * A damaged or cut-short archive is a named fault, not an early end.
 */

struct unpack;

/* unpack_open - takes the descriptor over */
struct unpack *unpack_open(struct arena *, int fd, const char *name,
    struct err *);

/* unpack_read - up to n bytes; 0 at the end; -1 (errno EIO when damaged) */
ssize_t unpack_read(void *, void *, size_t n);

/* unpack_skip - forward to an offset of the unpacked bytes, for a resume */
int unpack_skip(struct unpack *, int64_t offset, struct err *);

/* unpack_fault - why unpack_read failed */
const char *unpack_fault(const struct unpack *);

/* unpack_place - bytes of the packed file that have been read */
int64_t unpack_place(const struct unpack *);

#endif
