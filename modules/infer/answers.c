/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished row in the stage's directory: its key, why it ended, its tokens,
 * XXH3-64 of all that.  A row's tokens follow from its key alone, so what is
 * found again may be used whatever batch it stands in.
 */
#include "appliance/base/base.h"
#include "modules/infer/infer.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ANSWERS_MAX	((size_t)1 << 36)

struct frame {
	uint64_t key[2];
	uint32_t why, n;
};

static int
answer_cmp(const void *va, const void *vb)
{
	const struct answer *a = va, *b = vb;

	return memcmp(a->key, b->key, sizeof(a->key));
}

/* answers_scan - whole frames from the start of the file; bytes they fill */
static size_t
answers_scan(struct answers *s, struct arena *a, struct view file)
{
	size_t at = 0, cap = 0;
	struct frame f;
	uint64_t sum;

	while (file.n - at >= sizeof(f) + sizeof(sum)) {
		memcpy(&f, file.p + at, sizeof(f));
		if (f.n > (file.n - at - sizeof(f) - sizeof(sum)) / 4)
			break;
		memcpy(&sum, file.p + at + sizeof(f) + (size_t)f.n * 4,
		    sizeof(sum));
		if (sum != XXH3_64bits(file.p + at, sizeof(f) +
		    (size_t)f.n * 4))
			break;
		if (s->n == cap) {
			cap = cap == 0 ? 256 : cap * 2;
			s->v = arena_grow(a, s->v, s->n, cap, sizeof(*s->v));
		}
		s->v[s->n++] = (struct answer){ { f.key[0], f.key[1] }, f.why,
		    f.n, arena_copy(a, file.p + at + sizeof(f),
		    (size_t)f.n * 4) };
		at += sizeof(f) + (size_t)f.n * 4 + sizeof(sum);
	}
	return at;
}

int
answers_open(struct answers *s, struct arena *a, int dir, struct err *e)
{
	struct view file = VIEW("");
	size_t whole;

	s->fd = -1;
	if (dir == -1)
		return 0;
	if (file_exists(dir, "answers") &&
	    file_read(a, dir, "answers", ANSWERS_MAX, &file, e) == -1)
		return -1;
	whole = answers_scan(s, a, file);
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), answer_cmp);
	s->fd = openat(dir, "answers", O_WRONLY | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (s->fd == -1 || ftruncate(s->fd, (off_t)whole) == -1 ||
	    lseek(s->fd, 0, SEEK_END) == -1)
		return err_errno(e, "cannot keep answers");
	return 0;
}

const struct answer *
answers_find(const struct answers *s, const uint64_t key[2])
{
	struct answer want = { { key[0], key[1] }, 0, 0, NULL };

	return s->n == 0 ? NULL :
	    bsearch(&want, s->v, s->n, sizeof(*s->v), answer_cmp);
}

int
answers_add(struct answers *s, const struct ask *q, struct err *e)
{
	const struct generate_row *r = &q->row;
	struct frame f = { { q->key[0], q->key[1] }, (uint32_t)r->why,
	    (uint32_t)r->nout };
	struct arena *a;
	struct buf *b;
	uint64_t sum;
	int rc = 0;

	if (s->fd == -1)
		return 0;
	a = arena_new();
	b = buf_new(a, sizeof(f) + r->nout * 4 + sizeof(sum));
	buf_add(b, &f, sizeof(f));
	buf_add(b, r->out, r->nout * 4);
	sum = XXH3_64bits(b->p, b->n);
	buf_add(b, &sum, sizeof(sum));
	if (file_put(s->fd, b->p, b->n) == -1)
		rc = err_errno(e, "cannot keep an answer");
	arena_free(a);
	return rc;
}
