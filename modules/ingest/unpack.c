/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "modules/ingest/unpack.h"

#include <errno.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define UNPACK_BLOCK	((size_t)128 << 10)

struct unpack {
	int fd;
	const char *name, *fault;
	enum { PLAIN, GZIP, ZSTD } kind;
	unsigned char *in;
	size_t at, n;			/* what of `in` is not yet used */
	int64_t place;
	bool ended, between;		/* between: no member is open */
	z_stream z;
	ZSTD_DStream *zd;
};

/* unpack_close - the arena's closer */
static void
unpack_close(void *arg)
{
	struct unpack *u = arg;

	if (u->kind == GZIP)
		inflateEnd(&u->z);
	if (u->zd != NULL)
		ZSTD_freeDStream(u->zd);
	close(u->fd);
	mem_free(u->in);
}

/* unpack_fill - the next block of the packed file; 0 at its end */
static ssize_t
unpack_fill(struct unpack *u)
{
	ssize_t n;

	if (u->at < u->n)
		return (ssize_t)(u->n - u->at);
	if (u->ended)
		return 0;
	n = file_get(u->fd, u->in, UNPACK_BLOCK);
	if (n == -1) {
		u->fault = strerror(errno);
		return -1;
	}
	u->ended = (size_t)n < UNPACK_BLOCK;
	u->at = 0;
	u->n = (size_t)n;
	u->place += n;
	return n;
}

struct unpack *
unpack_open(struct arena *a, int fd, const char *name, struct err *e)
{
	static const unsigned char gz[] = { 0x1f, 0x8b };
	static const unsigned char zs[] = { 0x28, 0xb5, 0x2f, 0xfd };
	struct unpack *u = arena_alloc(a, sizeof(*u));

	u->fd = fd;
	u->name = arena_str(a, name);
	u->in = mem_alloc(UNPACK_BLOCK);
	arena_defer(a, unpack_close, u);
	if (unpack_fill(u) == -1) {
		err_set(e, FATE_RETRY, "cannot read '%s': %s", name, u->fault);
		return NULL;
	}
	u->between = true;
	if (u->n >= sizeof(gz) && memcmp(u->in, gz, sizeof(gz)) == 0) {
		u->kind = GZIP;
		if (inflateInit2(&u->z, 15 + 16) != Z_OK)
			panic("inflateInit2");
	} else if (u->n >= sizeof(zs) && memcmp(u->in, zs, sizeof(zs)) == 0) {
		u->kind = ZSTD;
		u->zd = ZSTD_createDStream();
		if (u->zd == NULL)
			panic("ZSTD_createDStream");
	}
	return u;
}

/* gzip_step - inflate what there is into out; bytes made, -1 damaged */
static ssize_t
gzip_step(struct unpack *u, unsigned char *out, size_t n)
{
	int rc;

	if (u->between) {
		/* zero padding behind the last member is allowed */
		while (u->at < u->n && u->in[u->at] == 0)
			u->at++;
		if (u->at == u->n)
			return 0;
		inflateReset(&u->z);
		u->between = false;
	}
	u->z.next_in = u->in + u->at;
	u->z.avail_in = (unsigned)(u->n - u->at);
	u->z.next_out = out;
	u->z.avail_out = (unsigned)n;
	rc = inflate(&u->z, Z_NO_FLUSH);
	u->at = u->n - u->z.avail_in;
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
		u->fault = "gzip data is damaged";
		return -1;
	}
	u->between = rc == Z_STREAM_END;
	return (ssize_t)(n - u->z.avail_out);
}

/* zstd_step - the same for Zstandard */
static ssize_t
zstd_step(struct unpack *u, unsigned char *out, size_t n)
{
	ZSTD_inBuffer in = { u->in, u->n, u->at };
	ZSTD_outBuffer o = { out, n, 0 };
	size_t rc = ZSTD_decompressStream(u->zd, &o, &in);

	u->at = in.pos;
	if (ZSTD_isError(rc)) {
		u->fault = "zstd data is damaged";
		return -1;
	}
	u->between = rc == 0;
	return (ssize_t)o.pos;
}

ssize_t
unpack_read(void *arg, void *p, size_t n)
{
	struct unpack *u = arg;
	ssize_t have, got;

	if (n > ((size_t)1 << 30))
		n = (size_t)1 << 30;
	for (;;) {
		have = unpack_fill(u);
		if (have == -1) {
			errno = EIO;
			return -1;
		}
		if (u->kind == PLAIN) {
			if ((size_t)have > n)
				have = (ssize_t)n;
			memcpy(p, u->in + u->at, (size_t)have);
			u->at += (size_t)have;
			return have;
		}
		if (have == 0 && u->between)
			return 0;
		got = u->kind == GZIP ? gzip_step(u, p, n) :
		    zstd_step(u, p, n);
		if (got != 0) {
			if (got == -1)
				errno = EIO;
			return got;
		}
		if (have == 0) {
			u->fault = "the archive is cut short";
			errno = EIO;
			return -1;
		}
	}
}

int
unpack_skip(struct unpack *u, int64_t offset, struct err *e)
{
	char buf[16384];
	ssize_t n;

	while (offset > 0) {
		n = unpack_read(u, buf, offset > (int64_t)sizeof(buf) ?
		    sizeof(buf) : (size_t)offset);
		if (n <= 0)
			return err_set(e, FATE_REJECT, "'%s' is shorter than "
			    "when it was first read", u->name);
		offset -= n;
	}
	return 0;
}

const char *
unpack_fault(const struct unpack *u)
{
	return u->fault == NULL ? "cannot be read" : u->fault;
}

int64_t
unpack_place(const struct unpack *u)
{
	return u->place - (int64_t)(u->n - u->at);
}
