/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/store/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PACK_HEAD	64
#define PACK_BLOCK	((size_t)1 << 20)

#define PACK_MAX	((size_t)64 << 20)	/* bytes of a payload */
#define PACK_ID		65536

struct pack_frame {
	uint32_t len, idlen;
	uint64_t id, sum;
};

/* pack_sum - over id and payload, which lie one behind the other */
static uint64_t
pack_sum(const char *p, size_t n)
{
	return XXH3_64bits(p, n);
}

static const char head_magic[8] = "QUERNPK1", foot_magic[8] = "QUERNPKE";

uint64_t
pack_id(struct view id)
{
	return XXH3_64bits(id.p, id.n);
}

/* pack_note - one more entry of the index */
static void
pack_note(struct pack_writer *w, uint64_t id, int64_t offset)
{
	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 1024 : w->cap * 2;
		w->index = mem_grow(w->index, w->cap * sizeof(*w->index));
	}
	w->index[w->n++] = (struct pack_entry){ id, (uint64_t)offset };
}

void
pack_abandon(void *arg)
{
	struct pack_writer *w = arg;

	buf_free(&w->out);
	mem_free(w->index);
	w->index = NULL;
}

int
pack_create(struct pack_writer *w, int fd, enum pack_kind kind, struct err *e)
{
	char head[PACK_HEAD] = { 0 };
	uint32_t k = (uint32_t)kind;

	*w = (struct pack_writer){ .fd = fd, .len = PACK_HEAD };
	buf_init(&w->out, (size_t)1 << 30);
	memcpy(head, head_magic, 8);
	memcpy(head + 8, &k, 4);
	if (ftruncate(fd, 0) == -1 || lseek(fd, 0, SEEK_SET) == -1 ||
	    file_put(fd, head, sizeof(head)) == -1)
		return err_errno(e, "cannot write a pack");
	return 0;
}

int
pack_resume(struct pack_writer *w, int fd, int64_t len, struct err *e)
{
	struct pack p = { .fd = fd, .name = "pack", .end = len };
	struct pack_reader r;
	struct view payload;
	uint64_t id;
	int64_t at = PACK_HEAD;
	int rc;

	*w = (struct pack_writer){ .fd = fd, .len = len };
	buf_init(&w->out, (size_t)1 << 30);
	if (ftruncate(fd, len) == -1)
		return err_errno(e, "cannot cut a pack to its mark");
	pack_read(&r, &p, 0);
	while ((rc = pack_next(&r, &payload, &id, e)) == 1) {
		pack_note(w, id, at);
		w->bytes += (int64_t)payload.n;
		at = r.offset;
	}
	pack_read_end(&r);
	if (rc == 0 && lseek(fd, len, SEEK_SET) == -1)
		return err_errno(e, "cannot write a pack");
	return rc;
}

int
pack_flush(struct pack_writer *w, struct err *e)
{
	if (w->out.n > 0 && file_put(w->fd, w->out.p, w->out.n) == -1)
		return err_errno(e, "cannot write a pack");
	w->out.n = 0;
	return 0;
}

int
pack_add(struct pack_writer *w, struct view id, struct view payload,
    struct err *e)
{
	struct pack_frame f = { (uint32_t)payload.n, (uint32_t)id.n,
	    pack_id(id), 0 };
	size_t at = w->out.n;

	if (payload.n > PACK_MAX || id.n > PACK_ID)
		return err_set(e, FATE_REJECT, "a record of %zu bytes with an "
		    "id of %zu", payload.n, id.n);
	pack_note(w, f.id, w->len);
	buf_add(&w->out, &f, sizeof(f));
	buf_view(&w->out, id);
	buf_view(&w->out, payload);
	if (w->out.full)
		return err_set(e, FATE_BUG, "a pack was not flushed");
	f.sum = pack_sum(w->out.p + at + sizeof(f), id.n + payload.n);
	memcpy(w->out.p + at, &f, sizeof(f));
	w->len += (int64_t)(sizeof(f) + id.n + payload.n);
	w->bytes += (int64_t)payload.n;
	return w->out.n >= PACK_BLOCK ? pack_flush(w, e) : 0;
}

/* entry_cmp - by id, then by place */
static int
entry_cmp(const void *va, const void *vb)
{
	const struct pack_entry *a = va, *b = vb;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

int
pack_seal(struct pack_writer *w, struct err *e)
{
	char foot[PACK_HEAD] = { 0 };
	uint64_t n = w->n, at = (uint64_t)w->len, bytes = (uint64_t)w->bytes;
	uint64_t sum;

	if (pack_flush(w, e) == -1)
		return -1;
	if (w->n > 1)
		qsort(w->index, w->n, sizeof(*w->index), entry_cmp);
	sum = XXH3_64bits(w->index, w->n * sizeof(*w->index));
	memcpy(foot, foot_magic, 8);
	memcpy(foot + 8, &n, 8);
	memcpy(foot + 16, &at, 8);
	memcpy(foot + 24, &bytes, 8);
	memcpy(foot + 32, &sum, 8);
	if (file_put(w->fd, w->index, w->n * sizeof(*w->index)) == -1 ||
	    file_put(w->fd, foot, sizeof(foot)) == -1)
		return err_errno(e, "cannot write a pack");
	file_sync(w->fd, "pack");
	return 0;
}

/* pack_close - the arena's closer */
static void
pack_close(void *arg)
{
	struct pack *p = arg;

	close(p->fd);
}

/* pack_foot - read and check footer and index */
static int
pack_foot(struct pack *p, struct arena *a, int64_t size, struct err *e)
{
	char foot[PACK_HEAD], head[PACK_HEAD];
	uint64_t n, at, bytes, sum;
	struct pack_entry *index;

	if (size < 2 * PACK_HEAD ||
	    pread(p->fd, head, PACK_HEAD, 0) != PACK_HEAD ||
	    pread(p->fd, foot, PACK_HEAD, size - PACK_HEAD) != PACK_HEAD ||
	    memcmp(head, head_magic, 8) != 0 ||
	    memcmp(foot, foot_magic, 8) != 0)
		return err_set(e, FATE_REJECT, "'%s' is no complete pack",
		    p->name);
	memcpy(&n, foot + 8, 8);
	memcpy(&at, foot + 16, 8);
	memcpy(&bytes, foot + 24, 8);
	memcpy(&sum, foot + 32, 8);
	if (at < PACK_HEAD || at > (uint64_t)size - PACK_HEAD ||
	    ((uint64_t)size - PACK_HEAD - at) / sizeof(*index) != n)
		return err_set(e, FATE_REJECT, "the footer of '%s' is damaged",
		    p->name);
	index = arena_array(a, n, sizeof(*index));
	for (size_t got = 0, want = n * sizeof(*index); got < want; ) {
		ssize_t r = pread(p->fd, (char *)index + got, want - got,
		    (off_t)(at + got));

		if (r <= 0)
			return err_set(e, FATE_RETRY, "cannot read '%s'",
			    p->name);
		got += (size_t)r;
	}
	if (XXH3_64bits(index, n * sizeof(*index)) != sum)
		return err_set(e, FATE_REJECT, "the index of '%s' is damaged",
		    p->name);
	p->end = (int64_t)at;
	p->frames = (int64_t)n;
	p->bytes = (int64_t)bytes;
	p->index = index;
	return 0;
}

struct pack *
pack_open(struct arena *a, int dir, const char *name, struct err *e)
{
	struct pack *p = arena_alloc(a, sizeof(*p));
	struct stat st;

	p->name = arena_str(a, name);
	p->fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p->fd == -1) {
		err_errno(e, "cannot open the pack '%s'", name);
		return NULL;
	}
	arena_defer(a, pack_close, p);
	if (fstat(p->fd, &st) == -1) {
		err_errno(e, "cannot read the pack '%s'", name);
		return NULL;
	}
	return pack_foot(p, a, st.st_size, e) == -1 ? NULL : p;
}

void
pack_read(struct pack_reader *r, const struct pack *p, int64_t offset)
{
	*r = (struct pack_reader){ .pack = p, .cap = PACK_BLOCK,
	    .offset = offset < PACK_HEAD ? PACK_HEAD : offset };
	r->buf = mem_alloc(r->cap);
}

void
pack_read_end(void *arg)
{
	struct pack_reader *r = arg;

	mem_free(r->buf);
	r->buf = NULL;
}

/* pack_want - see to it that n bytes lie in the buffer; false at the end */
static bool
pack_want(struct pack_reader *r, size_t n)
{
	int64_t left;
	ssize_t got;

	if (r->n - r->at >= n)
		return true;
	memmove(r->buf, r->buf + r->at, r->n - r->at);
	r->n -= r->at;
	r->at = 0;
	if (n > r->cap) {
		r->cap = n + PACK_BLOCK;
		r->buf = mem_grow(r->buf, r->cap);
	}
	left = r->pack->end - r->offset - (int64_t)r->n;
	while (r->n < n && left > 0) {
		size_t want = r->cap - r->n;

		if ((int64_t)want > left)
			want = (size_t)left;
		got = pread(r->pack->fd, r->buf + r->n, want,
		    r->offset + (int64_t)r->n);
		if (got <= 0)
			return false;
		r->n += (size_t)got;
		left -= got;
	}
	return r->n >= n;
}

int
pack_next(struct pack_reader *r, struct view *payload, uint64_t *id,
    struct err *e)
{
	struct pack_frame f;

	if (r->offset >= r->pack->end)
		return 0;
	if (!pack_want(r, sizeof(f)))
		return err_set(e, FATE_REJECT, "'%s' is cut short at %lld",
		    r->pack->name, (long long)r->offset);
	memcpy(&f, r->buf + r->at, sizeof(f));
	if (f.len > PACK_MAX || f.idlen > PACK_ID ||
	    !pack_want(r, sizeof(f) + f.idlen + f.len))
		return err_set(e, FATE_REJECT, "'%s' is damaged at %lld",
		    r->pack->name, (long long)r->offset);
	r->id = (struct view){ r->buf + r->at + sizeof(f), f.idlen };
	*payload = (struct view){ r->id.p + f.idlen, f.len };
	if (pack_sum(r->id.p, (size_t)f.idlen + f.len) != f.sum)
		return err_set(e, FATE_REJECT, "'%s' is damaged at %lld: a "
		    "checksum does not fit", r->pack->name,
		    (long long)r->offset);
	*id = f.id;
	r->at += sizeof(f) + f.idlen + f.len;
	r->offset += (int64_t)(sizeof(f) + f.idlen + f.len);
	return 1;
}

/* pack_upper - the place behind the last entry of an id */
static size_t
pack_upper(const struct pack *p, uint64_t id)
{
	size_t lo = 0, hi = (size_t)p->frames, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (p->index[mid].id <= id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
pack_has(const struct pack *p, uint64_t id)
{
	size_t i = pack_upper(p, id);

	return i > 0 && p->index[i - 1].id == id;
}

int
pack_find(const struct pack *p, struct arena *a, struct view id,
    struct view *payload, struct err *e)
{
	uint64_t hash = pack_id(id), h;
	struct pack_reader r;
	struct view line;
	bool same = false;
	int rc;

	for (size_t i = pack_upper(p, hash); i > 0 &&
	    p->index[i - 1].id == hash; i--) {
		pack_read(&r, p, (int64_t)p->index[i - 1].offset);
		rc = pack_next(&r, &line, &h, e);
		/* two ids may share a hash */
		same = rc == 1 && view_eq(r.id, id);
		if (same)
			*payload = view_keep(a, line);
		pack_read_end(&r);
		if (rc == -1)
			return -1;
		if (same)
			return 1;
	}
	return 0;
}
