/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/model/gguf_model.h"
#include "appliance/model/source.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/vocab.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX	((size_t)1 << 20)
#define WORDS_MAX	((size_t)64 << 20)	/* of tokenizer_config.json */

static void
source_close(void *arg)
{
	close((int)(intptr_t)arg);
}

/* takes - is it a model that is computed, if that is asked */
static int
takes(const struct source *s, struct shape *shape, struct err *e)
{
	return shape == NULL ? 0 : shape_parse(s->config, shape, e);
}

/* put_made - its vocabulary, or none */
static void
put_made(struct source *s, const struct vocab_made *made)
{
	s->tokenizer_name = made->name;
	s->tokenizer_file = made->file;
	s->tokenizer_hash = made->hash;
}

/* open_gguf - path NULL: at is the file */
static int
open_gguf(struct arena *a, int at, const char *path, int images,
    struct source *s, struct shape *shape, struct err *e)
{
	struct vocab_made made;
	unsigned number, of;
	int64_t parts;

	s->kind = SOURCE_GGUF;
	if ((path != NULL && gguf_shard(path, &number, &of) ?
	    gguf_shards(a, at, path, &s->gguf, e) :
	    gguf_open(a, at, path, &s->gguf, e)) == -1)
		return -1;
	if (path == NULL && gguf_whole(&s->gguf, "split.count", &parts) &&
	    parts > 1)
		return err_set(e, FATE_REJECT, "it is one of %lld files of a "
		    "model: name the directory that has them, and no other "
		    ".gguf", (long long)parts);
	if (gguf_config(a, &s->gguf, &s->config, e) == -1 ||
	    takes(s, shape, e) == -1 ||
	    gguf_tensors(a, &s->gguf, &s->tensors, e) == -1 ||
	    gguf_tokenizer_kept(a, &s->gguf, true, images, &made, e) == -1)
		return -1;
	put_made(s, &made);
	s->tokenizer_config = made.config;
	return 0;
}

/* open_file - by its first bytes */
static int
open_file(struct arena *a, int at, uint64_t size, int images,
    struct source *s, struct shape *shape, struct err *e)
{
	char head[512] = "";
	int fd;
	ssize_t n = pread(at, head, sizeof(head), 0);

	if (n == -1)
		return err_errno(e, "cannot read the file");
	if (gguf_is((struct view){ head, (size_t)n }))
		return open_gguf(a, at, NULL, images, s, shape, e);
	fd = fcntl(at, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(e, "cannot keep the file open");
	arena_defer(a, source_close, (void *)(intptr_t)fd);
	return llama2c_open(a, fd, (struct view){ head, (size_t)n }, size, s,
	    e) == -1 ? -1 : takes(s, shape, e);
}

/* only_gguf - the one .gguf file of a directory without config.json, or the
 * first part of the one that is there in parts */
static const char *
only_gguf(struct arena *a, int dir)
{
	const char *found = NULL;
	unsigned number, of;
	struct err e;
	char **name;
	size_t n, len;

	if (file_exists(dir, "config.json") ||
	    file_list(a, dir, ".", &name, &n, &e) == -1)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		len = strlen(name[i]);
		if (len < 5 || strcmp(name[i] + len - 5, ".gguf") != 0)
			continue;
		if (gguf_shard(name[i], &number, &of) && number > 1)
			continue;
		if (found != NULL)
			return NULL;
		found = name[i];
	}
	return found;
}

bool
source_gguf_is(int at, const char *arch)
{
	struct arena *a = arena_new();
	const char *path = NULL;
	struct gguf g;
	struct view name;
	struct stat st;
	struct err e;
	bool is = fstat(at, &st) == 0;

	if (is && S_ISDIR(st.st_mode)) {
		path = only_gguf(a, at);
		is = path != NULL;
	}
	is = is && gguf_open(a, at, path, &g, &e) == 0 &&
	    gguf_text(&g, "general.architecture", &name) &&
	    view_is(name, arch);
	arena_free(a);
	return is;
}

static int
open_directory(struct arena *a, int dir, int images, struct source *s,
    struct shape *shape, struct err *e)
{
	struct vocab_made made;
	const char *gguf = only_gguf(a, dir);

	if (gguf != NULL)
		return open_gguf(a, dir, gguf, images, s, shape, e);
	if (file_read(a, dir, "config.json", CONFIG_MAX, &s->config, e) == -1 ||
	    takes(s, shape, e) == -1 ||
	    tensors_model(a, dir, &s->tensors, e) == -1)
		return -1;
	if (vocab_dir(a, dir, images, &made, e) == -1)
		return -1;
	put_made(s, &made);
	if (file_exists(dir, "tokenizer.model") && file_read(a, dir,
	    "tokenizer.model", TOKENIZER_MAX, &s->spm, e) == -1)
		return -1;
	if (file_exists(dir, "chat_template.jinja") && file_read(a, dir,
	    "chat_template.jinja", WORDS_MAX, &s->chat_template, e) == -1)
		return -1;
	return file_exists(dir, "tokenizer_config.json") ?
	    file_read(a, dir, "tokenizer_config.json", WORDS_MAX,
	    &s->tokenizer_config, e) : 0;
}

int
source_open(struct arena *a, int at, int images, struct source *s,
    struct shape *shape, struct err *e)
{
	struct stat st;

	*s = (struct source){ .kind = SOURCE_DIRECTORY };
	if (fstat(at, &st) == -1)
		return err_errno(e, "cannot look at the model");
	if (S_ISDIR(st.st_mode))
		return open_directory(a, at, images, s, shape, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, FATE_REJECT, "it is neither a directory nor "
		    "a regular file");
	return open_file(a, at, (uint64_t)st.st_size, images, s, shape, e);
}
