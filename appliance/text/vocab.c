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

/* made - what a conversion has written */
static int
made(const struct buf *b, struct view *file, struct err *e)
{
	*file = buf_get(b);
	return b->full ? err_set(e, FATE_REJECT, "the vocabulary is longer "
	    "than %zu bytes", TOKENIZER_MAX) : 0;
}

int
vocab_dir(struct arena *a, int dir, const char **name, struct view *file,
    struct err *e)
{
	bool pair = file_exists(dir, "vocab.json") &&
	    file_exists(dir, "merges.txt");
	struct view config, vocab, merges;
	struct buf *b;

	*name = tokenizer_find(dir);
	if (*name != NULL)
		return file_read(a, dir, *name, TOKENIZER_MAX, file, e);
	if (!pair && !file_exists(dir, "vocab.txt"))
		return 0;
	*name = "tokenizer.json";
	b = buf_new(a, TOKENIZER_MAX);
	if (dir_file(a, dir, "tokenizer_config.json", CONFIG_MAX, &config,
	    e) == -1 || dir_file(a, dir, pair ? "vocab.json" : "vocab.txt",
	    TOKENIZER_MAX, &vocab, e) == -1)
		return -1;
	if (!pair)
		return vocab_lines(a, vocab, config, b, e) == -1 ?
		    err_prefix(e, "vocab.txt: ") : made(b, file, e);
	if (file_read(a, dir, "merges.txt", TOKENIZER_MAX, &merges, e) == -1)
		return -1;
	return vocab_pair(a, vocab, merges, config, b, e) == -1 ?
	    err_prefix(e, "vocab.json and merges.txt: ") : made(b, file, e);
}

/* read_dir - one that must have a vocabulary */
static int
read_dir(struct arena *a, int at, const char *path, struct view *file,
    struct err *e)
{
	const char *name;
	int dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (dir == -1)
		return err_errno(e, "cannot open '%s'", path);
	rc = vocab_dir(a, dir, &name, file, e);
	close(dir);
	if (rc == 0 && name == NULL)
		return err_set(e, FATE_REJECT, "no vocabulary in '%s': neither "
		    "tokenizer.json, tokenizer.model, tokenizer.bin, "
		    "tokenizer.tiktoken, tekken.json, vocab.json and "
		    "merges.txt, nor vocab.txt", path);
	return rc;
}

/* read_gguf - only its header is read */
static int
read_gguf(struct arena *a, int at, const char *path, struct view *file,
    struct err *e)
{
	struct gguf_files f;
	struct gguf g;

	if (gguf_open(a, at, path, &g, e) == -1 ||
	    gguf_tokenizer(a, &g, false, &f, e) == -1)
		return -1;
	if (f.name == NULL)
		return err_set(e, FATE_REJECT, "'%s' has no vocabulary", path);
	*file = f.file;
	return 0;
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
vocab_read(struct arena *a, int at, const char *path, struct view *file,
    struct err *e)
{
	static const struct view none = { "", 0 };
	char head[4] = "";
	struct stat st;
	struct buf *b;
	int fd;

	if (fstatat(at, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
		return read_dir(a, at, path, file, e);
	fd = openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd != -1) {
		(void)!pread(fd, head, sizeof(head), 0);
		close(fd);
	}
	if (gguf_is((struct view){ head, sizeof(head) }))
		return read_gguf(a, at, path, file, e);
	if (file_read(a, at, path, TOKENIZER_MAX, file, e) == -1)
		return -1;
	if (!is_lines(*file))
		return 0;
	b = buf_new(a, TOKENIZER_MAX);
	return vocab_lines(a, *file, none, b, e) == -1 ? -1 :
	    made(b, file, e);
}
