/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/store/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define PACK_HEAD	64
#define PACK_BLOCK	((size_t)1 << 20)

#define PACK_MAX	((size_t)64 << 20)	/* bytes of a payload */
#define PACK_ID		65536

#define HEAD_ID		16		/* places in the header */
#define HEAD_SALT	32

struct pack_frame {
	uint32_t len, idlen;
	uint64_t id, sum;
};

#define FRAME_BOUND	8		/* bytes of it that a sealed body is
					 * bound to: the lengths */

static const char head_magic[8] = "QUERNPK1", foot_magic[8] = "QUERNPKE";

/* pack_hash - of an id, as this pack's index has it */
static uint64_t
pack_hash(const struct seal_pack *s, struct view id)
{
	return s->on ? seal_hash(s, id) : XXH3_64bits(id.p, id.n);
}

/* pack_key - what opens a pack with this head */
static int
pack_key(struct seal_pack *s, const char head[PACK_HEAD], const char *name,
    const struct seals *keys, struct err *e)
{
	static const char none[SEAL_ID];
	const unsigned char *id = (const unsigned char *)head + HEAD_ID;
	const struct seal *key;
	char hex[2 * SEAL_ID + 1];

	if (memcmp(id, none, SEAL_ID) == 0)
		return 0;
	key = seals_find(keys, id);
	if (key == NULL) {
		for (size_t i = 0; i < SEAL_ID; i++)
			snprintf(hex + 2 * i, 3, "%02x", id[i]);
		return err_set(e, FATE_PERM, "'%s' is sealed with the key %s, "
		    "which no file of seal= in quern.conf has", name, hex);
	}
	seal_begin(s, key, (const unsigned char *)head + HEAD_SALT);
	return 0;
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
pack_create(struct pack_writer *w, int fd, enum pack_kind kind,
    const struct seals *keys, struct err *e)
{
	char head[PACK_HEAD] = { 0 };
	uint32_t k = (uint32_t)kind;

	*w = (struct pack_writer){ .fd = fd, .len = PACK_HEAD };
	buf_init(&w->out, (size_t)1 << 30);
	memcpy(head, head_magic, 8);
	memcpy(head + 8, &k, 4);
	if (keys->n > 0) {
		memcpy(head + HEAD_ID, keys->v[0].id, SEAL_ID);
		if (getrandom(head + HEAD_SALT, SEAL_SALT, 0) != SEAL_SALT)
			return err_errno(e, "no random bytes");
		seal_begin(&w->seal, &keys->v[0],
		    (const unsigned char *)head + HEAD_SALT);
	}
	if (ftruncate(fd, 0) == -1 || lseek(fd, 0, SEEK_SET) == -1 ||
	    file_put(fd, head, sizeof(head)) == -1)
		return err_errno(e, "cannot write a pack");
	return 0;
}

int
pack_resume(struct pack_writer *w, int fd, int64_t len,
    const struct seals *keys, struct err *e)
{
	struct pack p = { .fd = fd, .name = "pack", .end = len };
	char head[PACK_HEAD];
	struct pack_reader r;
	struct view payload;
	int64_t at = PACK_HEAD;
	int rc;

	*w = (struct pack_writer){ .fd = fd, .len = len };
	buf_init(&w->out, (size_t)1 << 30);
	if (ftruncate(fd, len) == -1)
		return err_errno(e, "cannot cut a pack to its mark");
	if (pread(fd, head, PACK_HEAD, 0) != PACK_HEAD)
		return err_errno(e, "cannot read a pack");
	if (pack_key(&w->seal, head, p.name, keys, e) == -1)
		return -1;
	p.seal = w->seal;
	pack_read(&r, &p, 0);
	while ((rc = pack_next(&r, &payload, e)) == 1) {
		pack_note(w, pack_hash(&p.seal, r.id), at);
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
	static const char room[SEAL_NONCE];
	struct pack_frame f = { (uint32_t)payload.n, (uint32_t)id.n,
	    pack_hash(&w->seal, id), 0 };
	size_t at = w->out.n, n = id.n + payload.n;

	if (payload.n > PACK_MAX || id.n > PACK_ID)
		return err_set(e, FATE_REJECT, "a record of %zu bytes with an "
		    "id of %zu", payload.n, id.n);
	pack_note(w, f.id, w->len);
	buf_add(&w->out, &f, sizeof(f));
	if (w->seal.on)
		buf_add(&w->out, room, SEAL_NONCE);
	buf_view(&w->out, id);
	buf_view(&w->out, payload);
	if (w->seal.on)
		buf_add(&w->out, room, SEAL_MORE - SEAL_NONCE);
	if (w->out.full)
		return err_set(e, FATE_BUG, "a pack was not flushed");
	if (w->seal.on) {
		seal_close(&w->seal, w->out.p + at + sizeof(f), n, w->len, &f,
		    FRAME_BOUND);
		n += SEAL_MORE;
	}
	f.sum = XXH3_64bits(w->out.p + at + sizeof(f), n);
	memcpy(w->out.p + at, &f, sizeof(f));
	w->len += (int64_t)(sizeof(f) + n);
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
pack_finish(struct pack_writer *w, struct err *e)
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
pack_foot(struct pack *p, struct arena *a, int64_t size,
    const struct seals *keys, struct err *e)
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
	if (pack_key(&p->seal, head, p->name, keys, e) == -1)
		return -1;
	p->end = (int64_t)at;
	p->frames = (int64_t)n;
	p->bytes = (int64_t)bytes;
	p->index = index;
	return 0;
}

struct pack *
pack_open(struct arena *a, int dir, const char *name, const struct seals *keys,
    struct err *e)
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
	return pack_foot(p, a, st.st_size, keys, e) == -1 ? NULL : p;
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
pack_next(struct pack_reader *r, struct view *payload, struct err *e)
{
	const struct seal_pack *s = &r->pack->seal;
	struct pack_frame f;
	char *body;
	size_t n;

	if (r->offset >= r->pack->end)
		return 0;
	if (!pack_want(r, sizeof(f)))
		return err_set(e, FATE_REJECT, "'%s' is cut short at %lld",
		    r->pack->name, (long long)r->offset);
	memcpy(&f, r->buf + r->at, sizeof(f));
	n = (size_t)f.idlen + f.len + (s->on ? SEAL_MORE : 0);
	if (f.len > PACK_MAX || f.idlen > PACK_ID ||
	    !pack_want(r, sizeof(f) + n))
		return err_set(e, FATE_REJECT, "'%s' is damaged at %lld",
		    r->pack->name, (long long)r->offset);
	body = r->buf + r->at + sizeof(f);
	if (XXH3_64bits(body, n) != f.sum)
		return err_set(e, FATE_REJECT, "'%s' is damaged at %lld: a "
		    "checksum does not fit", r->pack->name,
		    (long long)r->offset);
	r->at += sizeof(f) + n;
	if (s->on) {
		if (!seal_open(s, body, (size_t)f.idlen + f.len, r->offset, &f,
		    FRAME_BOUND))
			return err_set(e, FATE_REJECT, "'%s' was altered at "
			    "%lld: it is not what was sealed", r->pack->name,
			    (long long)r->offset);
		body += SEAL_NONCE;
	}
	r->id = (struct view){ body, f.idlen };
	*payload = (struct view){ body + f.idlen, f.len };
	r->offset += (int64_t)(sizeof(f) + n);
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
pack_has(const struct pack *p, struct view id)
{
	uint64_t hash = pack_hash(&p->seal, id);
	size_t i = pack_upper(p, hash);

	return i > 0 && p->index[i - 1].id == hash;
}

int
pack_find(const struct pack *p, struct arena *a, struct view id,
    struct view *payload, struct err *e)
{
	uint64_t hash = pack_hash(&p->seal, id);
	struct pack_reader r;
	struct view line;
	bool same = false;
	int rc;

	for (size_t i = pack_upper(p, hash); i > 0 &&
	    p->index[i - 1].id == hash; i--) {
		pack_read(&r, p, (int64_t)p->index[i - 1].offset);
		rc = pack_next(&r, &line, e);
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
