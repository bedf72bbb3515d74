/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "appliance/base/arena.h"

/*
 * buf.h - views (bytes that live elsewhere) and growable buffers.
 *
 * A buffer is born with the size it may never exceed.  An addition that would
 * exceed it changes nothing and sets `full`, which stays set: writers add
 * freely and test once at the end.
 */

struct view {
	const char *p;
	size_t n;
};

#define VIEW(s)	((struct view){ (s), sizeof(s) - 1 })

struct view view_of(const char *);
bool view_eq(struct view, struct view);
bool view_is(struct view, const char *);
int view_cmp(struct view, struct view);		/* bytewise */
struct view view_keep(struct arena *, struct view);

struct buf {
	char *p;
	size_t n, cap, max;
	bool full;
};

/* buf_new - a buffer whose memory goes with the arena */
struct buf *buf_new(struct arena *, size_t max);
void buf_init(struct buf *, size_t max);	/* then buf_free */
void buf_free(void *);

int buf_reserve(struct buf *, size_t more);	/* -1 and full if too much */
void buf_add(struct buf *, const void *, size_t);
void buf_char(struct buf *, char);
void buf_str(struct buf *, const char *);
void buf_view(struct buf *, struct view);
void buf_printf(struct buf *, const char *, ...) BASE_PRINTF(2, 3);
const char *buf_cstr(struct buf *);		/* ends it with NUL */
struct view buf_get(const struct buf *);

/* JSON text, RFC 8259: strings escaped as little as the standard allows */
void buf_json(struct buf *, struct view);		/* "…" */
void buf_json_str(struct buf *, const char *);
void buf_json_num(struct buf *, double);		/* null if not finite */

/* buf_word - a word as the job language reads it back, quoted if need be */
void buf_word(struct buf *, const char *);

#endif
