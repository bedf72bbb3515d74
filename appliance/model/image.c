/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/image.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORDER	0x01020304u
#define FORMAT	1u
#define LAYOUT	2u			/* of the devices' packed weights */
#define BODY	((size_t)4096)		/* where it begins: a page */
#define LARGE	((size_t)2 << 20)	/* a large page */
#define PIECE	((size_t)32 << 20)	/* moved at once */

struct head {
	char magic[8];
	uint32_t version, order;
	uint64_t bytes;
	unsigned char key[HASH_LEN];
	uint64_t check;
};

/* key_file - what tells one state of a file from another */
static bool
key_file(struct hash_state *h, int fd)
{
	struct stat st;
	uint64_t v[5];

	if (fstat(fd, &st) == -1)
		return false;
	v[0] = (uint64_t)st.st_dev;
	v[1] = (uint64_t)st.st_ino;
	v[2] = (uint64_t)st.st_size;
	v[3] = (uint64_t)st.st_mtim.tv_sec;
	v[4] = (uint64_t)st.st_mtim.tv_nsec;
	hash_add(h, v, sizeof(v));
	return true;
}

bool
image_key(const struct tensors *t, struct view config, const char *device,
    enum packed_form form, struct hash *key)
{
	uint32_t v[2] = { LAYOUT, (uint32_t)form };
	struct hash_state h;

	hash_begin(&h, NULL);
	hash_word(&h, device);
	hash_add(&h, v, sizeof(v));
	hash_add(&h, config.p, config.n);
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i].values != NULL)
			return false;
		/* tensors lie in few files, many to each */
		if ((i == 0 || t->v[i].fd != t->v[i - 1].fd) &&
		    !key_file(&h, t->v[i].fd))
			return false;
	}
	*key = hash_end(&h);
	return true;
}

static void
image_name(const struct hash *key, char out[IMAGE_NAME])
{
	hash_hex(*key, out);
	memcpy(out + HASH_HEX, ".quernpak", sizeof(".quernpak"));
}

/* image_close - an arena's closer */
static void
image_close(void *arg)
{
	struct image *m = arg;

	if (m->body != NULL)
		munmap((char *)m->body - BODY, m->bytes + BODY);
	if (m->fd != -1)
		close(m->fd);
}

/* map_at - mmap, where a large page could begin; or NULL */
static char *
map_at(size_t bytes, int prot, int flags, int fd)
{
	size_t all = (bytes + LARGE - 1) / LARGE * LARGE + LARGE;
	char *p = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
	    MAP_NORESERVE, -1, 0), *at;

	if (p == MAP_FAILED)
		return NULL;
	at = p + (LARGE - (uintptr_t)p % LARGE) % LARGE;
	if (mmap(at, bytes, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED) {
		munmap(p, all);
		return NULL;
	}
	if (at > p)
		munmap(p, (size_t)(at - p));
	bytes = (bytes + BODY - 1) / BODY * BODY;
	munmap(at + bytes, all - (size_t)(at - p) - bytes);
	return at;
}

/* image_take - map the file; from then on it is the arena's */
static bool
image_take(struct image *m, struct arena *a, int fd, int prot, int flags)
{
	struct image *own;
	char *p = map_at(m->bytes + BODY, prot, flags, fd);

	if (p == NULL)
		return false;
	m->body = p + BODY;
	own = arena_copy(a, m, sizeof(*m));
	own->fd = -1;
	arena_defer(a, image_close, own);
	return true;
}

static bool
head_is(const struct image *m)
{
	struct head h;

	memcpy(&h, (const char *)m->body - BODY, sizeof(h));
	return memcmp(h.magic, "QUERNPAK", 8) == 0 && h.version == FORMAT &&
	    h.order == ORDER && h.bytes == m->bytes &&
	    memcmp(h.key, m->key.b, HASH_LEN) == 0;
}

bool
image_map(struct image *m, struct arena *a, int dir, const struct hash *key,
    size_t bytes)
{
	char name[IMAGE_NAME];
	struct stat st;
	bool good;
	int fd;

	*m = (struct image){ .bytes = bytes, .fd = -1, .key = *key };
	image_name(key, name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return false;
	good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == geteuid() || st.st_uid == 0) &&
	    (st.st_mode & 022) == 0 && (uint64_t)st.st_size == bytes + BODY &&
	    image_take(m, a, fd, PROT_READ, MAP_SHARED) && head_is(m);
	close(fd);
	if (!good)
		return false;
	memcpy(&m->check, (const char *)m->body - BODY + offsetof(struct head,
	    check), sizeof(m->check));
	/* all of it is read for every token */
	(void)madvise((char *)m->body - BODY, bytes + BODY, MADV_WILLNEED);
	return true;
}

/* image_part - the name of one that is being made */
static void
image_part(const struct hash *key, char out[IMAGE_NAME + 24])
{
	char name[IMAGE_NAME];

	image_name(key, name);
	snprintf(out, IMAGE_NAME + 24, "%s.%d", name, (int)getpid());
}

bool
image_begin(struct image *m, struct arena *a, int dir, const struct hash *key,
    size_t bytes)
{
	char part[IMAGE_NAME + 24];

	*m = (struct image){ .bytes = bytes, .key = *key };
	image_part(key, part);
	(void)unlinkat(dir, part, 0);
	m->fd = openat(dir, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (m->fd == -1)
		return false;
	/* blocks now: where they were missing later, writing would kill us */
	if (posix_fallocate(m->fd, 0, (off_t)(bytes + BODY)) == 0 &&
	    image_take(m, a, m->fd, PROT_READ | PROT_WRITE, MAP_SHARED))
		return true;
	(void)unlinkat(dir, part, 0);
	close(m->fd);
	return false;
}

int
image_end(struct image *m, int dir, struct err *e)
{
	char part[IMAGE_NAME + 24], name[IMAGE_NAME];
	struct head h = { .version = FORMAT, .order = ORDER,
	    .bytes = m->bytes };
	int rc;

	memcpy(h.magic, "QUERNPAK", 8);
	memcpy(h.key, m->key.b, HASH_LEN);
	h.check = m->check = XXH3_64bits(m->body, m->bytes);
	memcpy((char *)m->body - BODY, &h, sizeof(h));
	image_part(&m->key, part);
	image_name(&m->key, name);
	/* a name must not stand for what a power cut has left half */
	rc = msync((char *)m->body - BODY, m->bytes + BODY, MS_SYNC);
	if (rc == -1)
		err_errno(e, "cannot write '%s'", name);
	else
		rc = file_rename(dir, part, dir, name, e);
	if (rc == -1)
		image_drop(m, dir);
	else
		close(m->fd);
	m->fd = -1;
	return rc;
}

void
image_drop(struct image *m, int dir)
{
	char part[IMAGE_NAME + 24];

	image_part(&m->key, part);
	(void)unlinkat(dir, part, 0);
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
}

/* large_pages - does the kernel give them to those who ask */
static bool
large_pages(void)
{
	char text[64];
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled",
	    O_RDONLY | O_CLOEXEC);
	ssize_t n = fd == -1 ? 0 : file_get(fd, text, sizeof(text) - 1);

	if (fd != -1)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n > 0 && strstr(text, "[never]") == NULL;
}

/*
 * The copy takes the file's place by one mremap, and who reads meanwhile sees
 * the one or the other: no pointer changes.  What it was a copy of is not ours
 * any more, so that no more than a piece is in memory twice.
 */
bool
image_large(struct image *m)
{
	char *to = (char *)m->body - BODY + m->moved, *from;
	size_t n = (m->bytes + BODY - m->moved) / LARGE * LARGE;

	n = n < PIECE ? n : PIECE;
	if (n == 0 || (m->moved == 0 && !large_pages()))
		return false;
	from = map_at(n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1);
	if (from == NULL)
		return false;
	if (madvise(from, n, MADV_HUGEPAGE) == 0) {
		memcpy(from, to, n);
		if (mprotect(from, n, PROT_READ) == 0 && mremap(from, n, n,
		    MREMAP_MAYMOVE | MREMAP_FIXED, to) != MAP_FAILED) {
			m->moved += n;
			return true;
		}
	}
	munmap(from, n);
	return false;
}
