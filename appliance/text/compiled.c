/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/compiled.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define ORDER	0x01020304u
#define FORMAT	1
#define ALIGN	((size_t)64)

struct head {
	char magic[8];
	uint32_t version, order, engine, revision;
	uint64_t size;
	unsigned char source[HASH_LEN];
	uint64_t check;
	uint32_t sections;
	uint32_t zero[13];
};

_Static_assert(sizeof(struct head) == 128, "the head is 128 bytes");

struct section {
	uint32_t tag, width;
	uint64_t at, count;
};

struct compiling {
	struct arena *arena;
	struct head head;
	struct section section[COMPILED_SECTIONS];
	const void *from[COMPILED_SECTIONS];
	size_t at;			/* where the next one begins */
};

struct compiling *
compiled_begin(struct arena *a, uint32_t engine, uint32_t revision)
{
	struct compiling *c = arena_alloc(a, sizeof(*c));

	c->arena = a;
	c->head = (struct head){ .version = FORMAT, .order = ORDER,
	    .engine = engine, .revision = revision };
	memcpy(c->head.magic, "QUERNVOC", 8);
	return c;
}

void
compiled_add(struct compiling *c, uint32_t tag, const void *p, size_t width,
    size_t count)
{
	uint32_t i = c->head.sections++;

	c->section[i] = (struct section){ tag, (uint32_t)width, 0, count };
	c->from[i] = p;
}

/* round_up - to where a section may begin */
static size_t
round_up(size_t n)
{
	return (n + ALIGN - 1) & ~(ALIGN - 1);
}

struct view
compiled_end(struct compiling *c)
{
	struct head *h = &c->head;
	size_t at = round_up(sizeof(*h) + h->sections * sizeof(c->section[0]));
	char *image;

	for (uint32_t i = 0; i < h->sections; i++) {
		c->section[i].at = at;
		at = round_up(at + c->section[i].width * c->section[i].count);
	}
	h->size = at;
	image = arena_alloc(c->arena, at);
	memcpy(image, h, sizeof(*h));
	memcpy(image + sizeof(*h), c->section,
	    h->sections * sizeof(c->section[0]));
	for (uint32_t i = 0; i < h->sections; i++)
		if (c->section[i].count > 0)
			memcpy(image + c->section[i].at, c->from[i],
			    c->section[i].width * c->section[i].count);
	return (struct view){ image, at };
}

/* image_check - over all but the head */
static uint64_t
image_check(struct view v)
{
	return XXH3_64bits(v.p + sizeof(struct head),
	    v.n - sizeof(struct head));
}

/* sections_good - every one lies within the image, aligned */
static bool
sections_good(struct view v, uint32_t n)
{
	size_t table = sizeof(struct head) + n * sizeof(struct section);
	struct section s;
	uint64_t bytes;

	if (n > COMPILED_SECTIONS || table > v.n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&s, v.p + sizeof(struct head) + i * sizeof(s),
		    sizeof(s));
		if (s.at % ALIGN != 0 || s.at < table || s.at > v.n ||
		    __builtin_mul_overflow((uint64_t)s.width, s.count,
		    &bytes) || bytes > v.n - s.at)
			return false;
	}
	return true;
}

/* head_good - is it that of an image of so many bytes */
static bool
head_good(const struct head *h, uint32_t engine, uint32_t revision, size_t n)
{
	static const uint32_t zero[BASE_COUNT(h->zero)];

	return memcmp(h->magic, "QUERNVOC", 8) == 0 && h->version == FORMAT &&
	    h->order == ORDER && h->engine == engine &&
	    h->revision == revision && h->size == n &&
	    memcmp(h->zero, zero, sizeof(zero)) == 0;
}

bool
compiled_is(struct view v, uint32_t engine, uint32_t revision,
    const struct hash *source)
{
	struct head h;

	if (v.n < sizeof(h))
		return false;
	memcpy(&h, v.p, sizeof(h));
	if (!head_good(&h, engine, revision, v.n) ||
	    !sections_good(v, h.sections))
		return false;
	return source == NULL || (memcmp(h.source, source->b,
	    HASH_LEN) == 0 && h.check == image_check(v));
}

const void *
compiled_get(struct view v, uint32_t tag, size_t width, size_t *count)
{
	struct section s;
	struct head h;

	memcpy(&h, v.p, sizeof(h));
	for (uint32_t i = 0; i < h.sections; i++) {
		memcpy(&s, v.p + sizeof(h) + i * sizeof(s), sizeof(s));
		if (s.tag == tag && s.width == width) {
			*count = s.count;
			return v.p + s.at;
		}
	}
	*count = 0;
	return NULL;
}

void
compiled_name(const struct hash *source, char out[COMPILED_NAME])
{
	hash_hex(*source, out);
	memcpy(out + HASH_HEX, ".quernvoc", sizeof(".quernvoc"));
}

/* map_close - an arena's closer */
static void
map_close(void *arg)
{
	struct view *v = arg;

	munmap((void *)(uintptr_t)v->p, v->n);
}

/*
 * compiled_map - the name in the directory is not trusted by itself: a file is
 * ours if we own it, or root does, and nobody else may write to it
 */
struct view
compiled_map(struct arena *a, int dir, uint32_t engine, uint32_t revision,
    const struct hash *source)
{
	struct view none = { NULL, 0 }, *v;
	char name[COMPILED_NAME];
	struct stat st;
	struct head h;
	void *p = MAP_FAILED;
	int fd;

	compiled_name(source, name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1)
		return none;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_uid == geteuid() || st.st_uid == 0) &&
	    (st.st_mode & 022) == 0 &&
	    pread(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
	    head_good(&h, engine, revision, (size_t)st.st_size))
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE |
		    MAP_POPULATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return none;
	v = arena_alloc(a, sizeof(*v));
	*v = (struct view){ p, (size_t)st.st_size };
	arena_defer(a, map_close, v);
	return compiled_is(*v, engine, revision, source) ? *v : none;
}

/* keep_write - the whole image to a temporary of our own: once it has its name
 * it is never written to again, since others may have mapped it */
static int
keep_write(int dir, const char *tmp, struct view image)
{
	int fd, rc;

	(void)unlinkat(dir, tmp, 0);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	rc = file_put(fd, image.p, image.n);
	return close(fd) == -1 ? -1 : rc;
}

int
compiled_keep(int dir, struct view image, const struct hash *source,
    struct err *e)
{
	char name[COMPILED_NAME], tmp[COMPILED_NAME + 24];
	char *head = (char *)(uintptr_t)image.p;
	uint64_t check = image_check(image);

	memcpy(head + offsetof(struct head, source), source->b, HASH_LEN);
	memcpy(head + offsetof(struct head, check), &check, sizeof(check));
	compiled_name(source, name);
	snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid());
	if (keep_write(dir, tmp, image) == -1)
		err_errno(e, "cannot write '%s'", name);
	else if (file_rename(dir, tmp, dir, name, e) == 0)
		return 0;
	(void)unlinkat(dir, tmp, 0);
	return -1;
}
