/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/text/gguf_tokenizer.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/vocab.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX	((size_t)16 << 20)

/* dir_file - a file of a directory, empty if it is not there */
static int
dir_file(struct arena *a, int dir, const char *name, size_t max,
    struct view *v, struct err *e)
{
	*v = (struct view){ "", 0 };
	return file_exists(dir, name) ? file_read(a, dir, name, max, v, e) : 0;
}

/* read_plain - a file that stays as it is */
static int
read_plain(struct arena *a, int dir, int images, struct vocab_made *made,
    struct err *e)
{
	if (file_read(a, dir, made->name, TOKENIZER_MAX, &made->file, e) == -1)
		return -1;
	made->hash = vocab_kept_hash(images, made->file);
	return 0;
}

/* done - what a conversion has written */
static int
done(const struct buf *b, int images, const struct vocab_from *from,
    struct vocab_made *made, struct err *e)
{
	if (b->full)
		return err_set(e, FATE_REJECT, "the vocabulary is longer "
		    "than %zu bytes", TOKENIZER_MAX);
	*made = (struct vocab_made){ .name = "tokenizer.json",
	    .file = buf_get(b), .config = { "", 0 } };
	vocab_kept_put(images, from, made);
	return 0;
}

/* from_lines - vocab.txt, and its tokenizer_config.json or nothing */
static int
from_lines(struct arena *a, struct view text, struct view config, int images,
    struct vocab_made *made, struct err *e)
{
	const struct view part[] = { text, config };
	struct vocab_from from = { "vocab.txt", part, BASE_COUNT(part) };
	struct buf *b;

	if (vocab_kept_find(a, images, &from, made))
		return 0;
	b = buf_new(a, TOKENIZER_MAX);
	return vocab_lines(a, text, config, b, e) == -1 ? -1 :
	    done(b, images, &from, made, e);
}

/* from_pair - vocab.json and merges.txt */
static int
from_pair(struct arena *a, int dir, struct view config, int images,
    struct vocab_made *made, struct err *e)
{
	struct view part[3] = { config };
	struct vocab_from from = { "vocab.json", part, BASE_COUNT(part) };
	struct buf *b;

	if (file_read(a, dir, "vocab.json", TOKENIZER_MAX, &part[1], e) ==
	    -1 || file_read(a, dir, "merges.txt", TOKENIZER_MAX, &part[2],
	    e) == -1)
		return -1;
	if (vocab_kept_find(a, images, &from, made))
		return 0;
	b = buf_new(a, TOKENIZER_MAX);
	return vocab_pair(a, part[1], part[2], config, b, e) == -1 ?
	    err_prefix(e, "vocab.json and merges.txt: ") :
	    done(b, images, &from, made, e);
}

int
vocab_dir(struct arena *a, int dir, int images, struct vocab_made *made,
    struct err *e)
{
	bool pair = file_exists(dir, "vocab.json") &&
	    file_exists(dir, "merges.txt");
	struct view config, vocab;

	*made = (struct vocab_made){ .name = tokenizer_find(dir) };
	if (made->name != NULL)
		return read_plain(a, dir, images, made, e);
	if (!pair && !file_exists(dir, "vocab.txt"))
		return 0;
	if (dir_file(a, dir, "tokenizer_config.json", CONFIG_MAX, &config,
	    e) == -1)
		return -1;
	if (pair)
		return from_pair(a, dir, config, images, made, e);
	if (file_read(a, dir, "vocab.txt", TOKENIZER_MAX, &vocab, e) == -1)
		return -1;
	return from_lines(a, vocab, config, images, made, e) == -1 ?
	    err_prefix(e, "vocab.txt: ") : 0;
}

/* read_dir - one that must have a vocabulary */
static int
read_dir(struct arena *a, int at, const char *path, int images,
    struct vocab_made *made, struct err *e)
{
	int dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (dir == -1)
		return err_errno(e, "cannot open '%s'", path);
	rc = vocab_dir(a, dir, images, made, e);
	close(dir);
	if (rc == 0 && made->name == NULL)
		return err_set(e, FATE_REJECT, "no vocabulary in '%s': neither "
		    "tokenizer.json, tokenizer.model, tokenizer.bin, "
		    "tokenizer.tiktoken, tekken.json, vocab.json and "
		    "merges.txt, nor vocab.txt", path);
	return rc;
}

/* read_gguf - only its header is read */
static int
read_gguf(struct arena *a, int at, const char *path, int images,
    struct vocab_made *made, struct err *e)
{
	struct gguf g;

	if (gguf_open(a, at, path, &g, e) == -1 ||
	    gguf_tokenizer_kept(a, &g, false, images, made, e) == -1)
		return -1;
	return made->name != NULL ? 0 : err_set(e, FATE_REJECT, "'%s' has no "
	    "vocabulary", path);
}

/* is_lines - a vocab.txt: not JSON, no NUL, and [UNK] on a line of its own */
static bool
is_lines(struct view v)
{
	const char *at = v.p, *end = v.p + v.n;

	if (v.n == 0 || v.p[0] == '{' || memchr(v.p, '\0', v.n) != NULL)
		return false;
	while ((at = memmem(at, (size_t)(end - at), "[UNK]", 5)) != NULL) {
		if ((at == v.p || at[-1] == '\n') && (at + 5 == end ||
		    at[5] == '\n' || at[5] == '\r'))
			return true;
		at += 5;
	}
	return false;
}

int
vocab_read(struct arena *a, int at, const char *path, int images,
    struct vocab_made *made, struct err *e)
{
	char head[4] = "";
	struct stat st;
	int fd;

	if (fstatat(at, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return read_dir(a, at, path, images, made, e);
	fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd != -1) {
		(void)!pread(fd, head, sizeof(head), 0);
		close(fd);
	}
	if (gguf_is((struct view){ head, sizeof(head) }))
		return read_gguf(a, at, path, images, made, e);
	*made = (struct vocab_made){ .name = path };
	if (file_read(a, at, path, TOKENIZER_MAX, &made->file, e) == -1)
		return -1;
	if (is_lines(made->file))
		return from_lines(a, made->file, (struct view){ "", 0 },
		    images, made, e);
	made->hash = vocab_kept_hash(images, made->file);
	return 0;
}
