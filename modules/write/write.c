/* SPDX-License-Identifier: Apache-2.0 */
/* write - a file of JSON Lines, complete or not there at all */
#include "appliance/base/base.h"
#include "appliance/module.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct write_conf {
	const char *path, *field;
};

static const struct opt write_opts[] = {
	OPT_PATH_OUT(struct write_conf, path, NULL,
	    OPT_POSITIONAL | OPT_NEEDED,
	    "the file; a relative one lies in the job's result directory"),
	OPT_TEXT(struct write_conf, field, NULL, 0,
	    "write only this field's text, one a line, instead of records"),
	OPT_DONE
};

/* what the journal keeps: how long the temporary was, and which file it is */
struct write_mark {
	int64_t len;
	uint64_t ino;
};

struct write {
	int at, fd;
	const char *path, *tmp;
	struct write_mark mark;
	bool published;			/* by an attempt that died after it */
	struct buf *line;
};

static int
write_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct write_conf *conf = arg;
	size_t n = strlen(conf->path);

	if (n == 0 || conf->path[n - 1] == '/')
		return err_set(e, FATE_REJECT, "'%s' is no file's name",
		    conf->path);
	needs->sink = true;
	return 0;
}

/* write_tmp - the temporary: beside the file, the same in each attempt */
static const char *
write_tmp(struct stage *s, const char *path)
{
	const char *base = strrchr(path, '/');
	int dir = base == NULL ? 0 : (int)(base - path + 1);
	struct hash_state h;
	char hex[HASH_HEX + 1];

	hash_begin(&h, NULL);
	hash_word(&h, path);
	hash_hex(hash_end(&h), hex);
	return arena_printf(s->arena, "%.*s.%.8s.%.100s.part", dir, path, hex,
	    path + dir);
}

/* write_resume - cut the temporary to the mark, or see that it was published */
static int
write_resume(struct stage *s, struct write *w, struct err *e)
{
	struct view past = stage_journal(s);
	struct stat st;

	if (past.n < sizeof(w->mark))
		return 0;
	memcpy(&w->mark, past.p + past.n - sizeof(w->mark), sizeof(w->mark));
	if (fstat(w->fd, &st) == 0 && st.st_ino == w->mark.ino &&
	    st.st_size >= w->mark.len)
		return 0;
	if (fstatat(w->at, w->path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == w->mark.ino) {
		unlinkat(w->at, w->tmp, 0);
		w->published = true;
		return 0;
	}
	return err_set(e, FATE_REJECT, "'%s' was removed while the job was "
	    "at rest; use quern rerun --from", w->tmp);
}

static int
write_open(struct stage *s, struct err *e)
{
	const struct write_conf *conf = s->conf;
	struct write *w = arena_alloc(s->arena, sizeof(*w));
	struct stat st;

	s->state = w;
	w->path = stage_output(s, conf->path, &w->at, e);
	if (w->path == NULL)
		return -1;
	w->line = buf_new(s->arena, (size_t)1 << 30);
	w->tmp = write_tmp(s, w->path);
	w->fd = openat(w->at, w->tmp, O_RDWR | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (w->fd == -1)
		return err_errno(e, "cannot create '%s'", w->path);
	if (write_resume(s, w, e) == -1)
		return -1;
	if (w->published)
		return 0;
	if (ftruncate(w->fd, w->mark.len) == -1 ||
	    lseek(w->fd, w->mark.len, SEEK_SET) == -1 ||
	    fstat(w->fd, &st) == -1)
		return err_errno(e, "cannot cut '%s'", w->tmp);
	w->mark.ino = st.st_ino;
	stage_sync(s, w->fd);
	return 0;
}

/* write_record - the whole record, or one field's text */
static int
write_record(const struct write_conf *conf, struct write *w, struct arena *a,
    struct rec *r)
{
	struct view text;

	if (conf->field == NULL)
		rec_print(w->line, r);
	else if (rec_str(a, r, conf->field, &text))
		buf_view(w->line, text);
	else
		return -1;
	buf_char(w->line, '\n');
	return 0;
}

static int
write_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct write_conf *conf = s->conf;
	struct write *w = s->state;

	(void)scratch;
	if (w->published)
		return 0;
	w->line->n = 0;
	for (size_t i = 0; i < b->n; i++)
		if (write_record(conf, w, b->arena, &b->rec[i]) == -1)
			rec_fail(b->arena, &b->rec[i], "no text in '%s'",
			    conf->field);
	if (w->line->full)
		return err_set(e, FATE_REJECT, "a batch of more than 1 GiB");
	if (file_put(w->fd, w->line->p, w->line->n) == -1)
		return err_errno(e, "cannot write '%s'", conf->path);
	w->mark.len += (int64_t)w->line->n;
	stage_append(s, &w->mark, sizeof(w->mark));
	return 0;
}

/* write_finish - publish */
static int
write_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct write *w = s->state;
	const char *slash = strrchr(w->path, '/');
	int dir;

	(void)out;
	if (w->published)
		return 1;
	file_sync(w->fd, w->path);
	if (file_rename(w->at, w->tmp, w->at, w->path, e) == -1)
		return -1;
	w->published = true;
	dir = openat(w->at, slash == NULL || slash == w->path ? "." :
	    arena_strn(s->arena, w->path, (size_t)(slash - w->path)),
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir != -1) {
		file_sync(dir, "directory");
		close(dir);
	}
	return 1;
}

static void
write_close(struct stage *s)
{
	struct write *w = s->state;

	if (w == NULL || w->fd == -1)
		return;
	close(w->fd);
	if (stage_is_shell(s) && !w->published)
		unlinkat(w->at, w->tmp, 0);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "write", .summary = "write records to a file",
	.options = write_opts, .conf_size = sizeof(struct write_conf),
	.plan = write_plan, .open = write_open, .batch = write_batch,
	.finish = write_finish, .close = write_close,
};
