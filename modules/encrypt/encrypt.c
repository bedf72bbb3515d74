/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encrypt - records into a sealed file, or out of one.  libsodium's
 * secretstream (XChaCha20-Poly1305) under a key file, or under a passphrase
 * stretched with Argon2id; a cut-short or altered file is a fault, never an
 * early end.
 *
 *   file    "QUERNENC", u8 version 1, u8 kind (0 key file, 1 passphrase), 6
 *           zeros, 16 bytes salt, 24 bytes stream header; then chunks: u32
 *           length of the sealed part, the sealed part (at most 64 KiB of
 *           records and 17 bytes of tag); the last chunk is marked final
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/text/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#define CHUNK	((size_t)64 << 10)
#define SEALED	(CHUNK + crypto_secretstream_xchacha20poly1305_ABYTES)
#define HEAD	56

struct encrypt_conf {
	int act;
	const char *path, *key, *passphrase;
};

enum { ACT_SEAL, ACT_OPEN };

static const struct opt encrypt_opts[] = {
	{ .name = "do", .type = OPT_ENUM, .flags = OPT_POSITIONAL |
	    OPT_NEEDED, .offset = offsetof(struct encrypt_conf, act),
	    .words = "seal|open",
	    .help = "write a sealed file, or read one" },
	OPT_PATH_OUT(struct encrypt_conf, path, NULL, OPT_POSITIONAL |
	    OPT_NEEDED, "the sealed file"),
	{ .name = "keyfile", .type = OPT_PATH_IN,
	    .offset = offsetof(struct encrypt_conf, key),
	    .flags = OPT_NOKEY, .help = "file of at least 32 random bytes" },
	{ .name = "passphrase", .type = OPT_PATH_IN,
	    .offset = offsetof(struct encrypt_conf, passphrase),
	    .flags = OPT_NOKEY,
	    .help = "file whose first line is the passphrase" },
	OPT_DONE
};

struct encrypt {
	int fd, at;
	const char *path, *tmp;
	crypto_secretstream_xchacha20poly1305_state stream;
	struct buf *text;		/* to be sealed, or opened */
	struct lines lines;
	size_t used;			/* of text, when opening */
	bool final, published;
	const char *fault;
};

static int
encrypt_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct encrypt_conf *conf = arg;

	if ((conf->key == NULL) == (conf->passphrase == NULL))
		return err_set(e, FATE_REJECT, "give either keyfile= or "
		    "passphrase=");
	needs->source = conf->act == ACT_OPEN;
	needs->sink = conf->act == ACT_SEAL;
	needs->unmarked = true;
	return 0;
}

/* encrypt_key - the stream's key, from the file or the passphrase */
static int
encrypt_key(struct stage *s, unsigned char kind, const unsigned char *salt,
    unsigned char key[crypto_secretstream_xchacha20poly1305_KEYBYTES],
    struct err *e)
{
	const struct encrypt_conf *conf = s->conf;
	const char *path = conf->key != NULL ? conf->key : conf->passphrase;
	struct view v;

	if ((kind == 1) != (conf->passphrase != NULL))
		return err_set(e, FATE_REJECT, "'%s' was sealed with a %s",
		    conf->path, kind == 1 ? "passphrase" : "key file");
	if (file_read(s->arena, AT_FDCWD, path, 65536, &v, e) == -1)
		return -1;
	if (kind == 0) {
		if (v.n < 32)
			return err_set(e, FATE_REJECT, "key file '%s' holds "
			    "fewer than 32 bytes", path);
		crypto_generichash(key,
		    crypto_secretstream_xchacha20poly1305_KEYBYTES,
		    (const unsigned char *)v.p, v.n, salt, 16);
		return 0;
	}
	v.n = strcspn(v.p, "\r\n");
	if (v.n == 0)
		return err_set(e, FATE_REJECT, "no passphrase in '%s'", path);
	if (crypto_pwhash(key, crypto_secretstream_xchacha20poly1305_KEYBYTES,
	    v.p, v.n, salt, crypto_pwhash_OPSLIMIT_MODERATE,
	    crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13) != 0)
		return err_set(e, FATE_RETRY, "no memory for Argon2id");
	return 0;
}

/* encrypt_chunk - seal what is in text and write it */
static int
encrypt_chunk(struct stage *s, struct encrypt *c, size_t n, bool final,
    struct err *e)
{
	unsigned char out[SEALED];
	unsigned long long len;
	uint32_t size;

	(void)s;
	crypto_secretstream_xchacha20poly1305_push(&c->stream, out, &len,
	    (const unsigned char *)(c->text->p == NULL ? "" : c->text->p), n,
	    NULL, 0, final ? crypto_secretstream_xchacha20poly1305_TAG_FINAL :
	    0);
	size = (uint32_t)len;
	if (file_put(c->fd, &size, sizeof(size)) == -1 ||
	    file_put(c->fd, out, len) == -1)
		return err_errno(e, "cannot write '%s'", c->path);
	memmove(c->text->p, c->text->p + n, c->text->n - n);
	c->text->n -= n;
	return 0;
}

/* encrypt_begin - the head of a new sealed file */
static int
encrypt_begin(struct stage *s, struct encrypt *c, struct err *e)
{
	const struct encrypt_conf *conf = s->conf;
	unsigned char head[HEAD] = "QUERNENC\1";
	unsigned char key[crypto_secretstream_xchacha20poly1305_KEYBYTES];

	c->path = stage_output(s, conf->path, &c->at, e);
	if (c->path == NULL)
		return -1;
	c->tmp = arena_printf(s->arena, "%s.part", c->path);
	/* needs.unmarked: the stream's state is nobody's to keep */
	c->fd = openat(c->at, c->tmp, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->fd == -1)
		return err_errno(e, "cannot create '%s'", c->path);
	head[9] = conf->passphrase != NULL;
	randombytes_buf(head + 16, 16);
	if (encrypt_key(s, head[9], head + 16, key, e) == -1)
		return -1;
	crypto_secretstream_xchacha20poly1305_init_push(&c->stream, head + 32,
	    key);
	sodium_memzero(key, sizeof(key));
	if (file_put(c->fd, head, sizeof(head)) == -1)
		return err_errno(e, "cannot write '%s'", c->path);
	return 0;
}

/* encrypt_read - unsealed bytes, for the reader of lines */
static ssize_t
encrypt_read(void *arg, void *p, size_t n)
{
	struct encrypt *c = arg;
	unsigned char in[SEALED], out[CHUNK], tag;
	unsigned long long len;
	uint32_t size;

	while (c->used == c->text->n && !c->final) {
		if (file_get(c->fd, &size, sizeof(size)) != sizeof(size) ||
		    size > sizeof(in) || file_get(c->fd, in, size) !=
		    (ssize_t)size) {
			c->fault = "the sealed file is cut short";
			errno = EIO;
			return -1;
		}
		if (crypto_secretstream_xchacha20poly1305_pull(&c->stream, out,
		    &len, &tag, in, size, NULL, 0) != 0) {
			c->fault = "the key is wrong or the file was altered";
			errno = EIO;
			return -1;
		}
		c->final = tag ==
		    crypto_secretstream_xchacha20poly1305_TAG_FINAL;
		c->text->n = c->used = 0;
		buf_add(c->text, out, len);
	}
	if (n > c->text->n - c->used)
		n = c->text->n - c->used;
	memcpy(p, c->text->p + c->used, n);
	c->used += n;
	return (ssize_t)n;
}

/* encrypt_unseal - check the head of a sealed file */
static int
encrypt_unseal(struct stage *s, struct encrypt *c, struct err *e)
{
	const struct encrypt_conf *conf = s->conf;
	unsigned char head[HEAD];
	unsigned char key[crypto_secretstream_xchacha20poly1305_KEYBYTES];
	int rc;

	c->path = conf->path;
	c->fd = open(conf->path, O_RDONLY | O_CLOEXEC);
	if (c->fd == -1)
		return err_errno(e, "cannot open '%s'", conf->path);
	if (file_get(c->fd, head, sizeof(head)) != sizeof(head) ||
	    memcmp(head, "QUERNENC\1", 9) != 0 || head[9] > 1)
		return err_set(e, FATE_REJECT, "'%s' is no sealed file",
		    conf->path);
	if (encrypt_key(s, head[9], head + 16, key, e) == -1)
		return -1;
	rc = crypto_secretstream_xchacha20poly1305_init_pull(&c->stream,
	    head + 32, key);
	sodium_memzero(key, sizeof(key));
	if (rc != 0)
		return err_set(e, FATE_REJECT, "the head of '%s' is damaged",
		    conf->path);
	lines_open(&c->lines, encrypt_read, c, REC_MAX);
	arena_defer(s->arena, lines_close, &c->lines);
	return 0;
}

static int
encrypt_open(struct stage *s, struct err *e)
{
	const struct encrypt_conf *conf = s->conf;
	struct encrypt *c = arena_alloc(s->arena, sizeof(*c));

	s->state = c;
	c->fd = -1;
	if (sodium_init() == -1)
		return err_set(e, FATE_BUG, "libsodium does not start");
	c->text = buf_new(s->arena, (size_t)1 << 30);
	return conf->act == ACT_SEAL ? encrypt_begin(s, c, e) :
	    encrypt_unseal(s, c, e);
}

/* encrypt_seal - records into chunks of equal length */
static int
encrypt_seal(struct stage *s, struct encrypt *c, struct batch *b,
    struct err *e)
{
	for (size_t i = 0; i < b->n; i++) {
		rec_print(c->text, &b->rec[i]);
		buf_char(c->text, '\n');
		while (c->text->n >= CHUNK)
			if (encrypt_chunk(s, c, CHUNK, false, e) == -1)
				return -1;
	}
	return 0;
}

static int
encrypt_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct encrypt_conf *conf = s->conf;
	struct encrypt *c = s->state;
	struct view line;
	int64_t at;

	(void)scratch;
	if (conf->act == ACT_SEAL)
		return encrypt_seal(s, c, b, e);
	while (!batch_full(b)) {
		struct rec *r;

		switch (lines_next(&c->lines, &line, &at)) {
		case LINES_END:
			return 1;
		case LINES_LINE:
			break;
		default:
			return err_set(e, FATE_REJECT, "'%s': %s", c->path,
			    c->fault == NULL ? "damaged" : c->fault);
		}
		r = batch_add(b);
		b->bytes += line.n;
		line = view_keep(b->arena, line);
		if (rec_parse(b->arena, line, r, e) == -1)
			return -1;
	}
	return 0;
}

static int
encrypt_finish(struct stage *s, struct batch *out, struct err *e)
{
	const struct encrypt_conf *conf = s->conf;
	struct encrypt *c = s->state;

	(void)out;
	if (conf->act == ACT_OPEN)
		return 1;
	if (encrypt_chunk(s, c, c->text->n, true, e) == -1)
		return -1;
	file_sync(c->fd, c->path);
	if (file_rename(c->at, c->tmp, c->at, c->path, e) == -1)
		return -1;
	c->published = true;
	return 1;
}

static void
encrypt_close(struct stage *s)
{
	const struct encrypt_conf *conf = s->conf;
	struct encrypt *c = s->state;

	if (c == NULL || c->fd == -1)
		return;
	close(c->fd);
	if (conf->act == ACT_SEAL && !c->published)
		unlinkat(c->at, c->tmp, 0);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "encrypt", .summary = "records into a sealed file, or out of "
	    "one",
	.options = encrypt_opts, .conf_size = sizeof(struct encrypt_conf),
	.plan = encrypt_plan, .open = encrypt_open, .batch = encrypt_batch,
	.finish = encrypt_finish, .close = encrypt_close,
};
