/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest - files to records.  Whole documents, lines or paragraphs of text;
 * lines of JSON; rows of tables.  What cannot be read is a fault with its
 * place, and the next file goes on.
 */
#include "appliance/base/base.h"
#include "modules/ingest/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct opt ingest_opts[] = {
	OPT_PATH_IN(struct ingest_conf, path, NULL, OPT_POSITIONAL |
	    OPT_NEEDED | OPT_MANY,
	    "files, directories or globs; - is standard input"),
	OPT_ENUM(struct ingest_conf, format, "auto", FORMAT_WORDS, 0,
	    "what the files are"),
	OPT_ENUM(struct ingest_conf, unit, "file", "file|paragraph|line", 0,
	    "what of a text file makes a record"),
	OPT_TEXT(struct ingest_conf, subject, NULL, 0,
	    "field whose value names the person that a record is about"),
	OPT_TEXT(struct ingest_conf, text, NULL, 0,
	    "field of JSON or column of a table that becomes text"),
	OPT_BOOL(struct ingest_conf, repair, "yes", 0,
	    "make invalid UTF-8 valid (U+FFFD) instead of failing the record"),
	OPT_DONE
};

static int
ingest_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct ingest_conf *conf = arg;

	for (size_t i = 0; i < conf->path.n; i++)
		if (strcmp(conf->path.v[i], "-") == 0 && conf->path.n > 1)
			return err_set(e, FATE_REJECT, "'-' stands alone");
	needs->source = true;
	return 0;
}

/* ingest_key - the files that it would read: path, size, time, inode */
static int
ingest_key(const void *arg, struct hash_state *h, struct err *e)
{
	const struct ingest_conf *conf = arg;
	struct files f = { .n = 0 };
	struct arena *a = arena_new();
	char text[96];
	int rc = files_find(&f, a, &conf->path, e);

	for (size_t i = 0; rc == 0 && i < f.n; i++) {
		snprintf(text, sizeof(text), "%lld %lld %llu",
		    (long long)f.file[i].size, (long long)f.file[i].mtime,
		    (unsigned long long)f.file[i].ino);
		hash_word(h, f.file[i].path);
		hash_word(h, text);
	}
	arena_free(a);
	return rc;
}

static int
ingest_open(struct stage *s, struct err *e)
{
	const struct ingest_conf *conf = s->conf;
	struct ingest *in = arena_alloc(s->arena, sizeof(*in));
	struct view past = stage_journal(s);
	bool std = strcmp(conf->path.v[0], "-") == 0;
	int dir = stage_dir(s);

	s->state = in;
	in->arena = arena_new();
	if (std) {
		if (!stage_is_shell(s))
			return err_set(e, FATE_REJECT, "a job has no standard "
			    "input");
		files_add_stdin(&in->files, s->arena);
		return 0;
	}
	if (past.n >= sizeof(in->place)) {
		memcpy(&in->place, past.p + past.n - sizeof(in->place),
		    sizeof(in->place));
		if (files_load(&in->files, s->arena, dir, e) == -1)
			return -1;
	} else {
		if (files_find(&in->files, s->arena, &conf->path, e) == -1)
			return -1;
		if (dir != -1 && files_save(&in->files, dir, e) == -1)
			return -1;
	}
	for (uint64_t i = 0; i < in->place.file && i < in->files.n; i++)
		in->done += in->files.file[i].size;
	stage_total(s, in->files.bytes);
	if (in->files.n == 0)
		stage_warn(s, "there is no file in '%s'", conf->path.v[0]);
	return 0;
}

/* ingest_end - the open file is through */
static void
ingest_end(struct ingest *in)
{
	in->done += in->files.file[in->place.file].size;
	in->place.file++;
	in->place.offset = in->place.number = 0;
	in->unpack = NULL;
	arena_reset(in->arena);
}

/* ingest_table - the head of a table, read again when a file is resumed */
static int
ingest_table(struct ingest *in, struct err *e)
{
	struct table *t = &in->table;
	struct view *head;
	int64_t offset;
	int n;

	*t = (struct table){ .lines = &in->lines,
	    .separator = in->format == FORMAT_CSV ? ',' : '\t',
	    .quotes = in->format == FORMAT_CSV };
	n = table_row(t, in->arena, &head, &offset, e);
	if (n == -1)
		return -1;
	t->head = head;
	t->ncols = (size_t)n;
	if (n > 0 && head[0].n >= 3 &&
	    memcmp(head[0].p, "\xef\xbb\xbf", 3) == 0) {
		head[0].p += 3;
		head[0].n -= 3;
	}
	for (int i = 0; i < n; i++)
		if (utf8_check(head[i].p, head[i].n) != head[i].n)
			return err_set(e, FATE_REJECT,
			    "the name of column %d is not UTF-8", i + 1);
	return 0;
}

/* ingest_skip - to the place where the mark was */
static int
ingest_skip(struct ingest *in, struct err *e)
{
	int64_t skip = in->place.offset - in->lines.offset;
	struct view line;
	int64_t offset;

	if (in->place.offset == 0)
		return 0;
	if (in->lines.offset == 0) {
		if (unpack_skip(in->unpack, skip, e) == -1)
			return -1;
		in->lines.offset = in->place.offset;
	}
	while (in->lines.offset < in->place.offset)
		if (lines_next(&in->lines, &line, &offset) < LINES_LINE)
			return err_set(e, FATE_REJECT, "shorter than when it "
			    "was first read");
	in->lines.number = in->place.number;
	return 0;
}

/* ingest_format - what a file is, by its name and its first bytes unpacked; it
 * is opened once more for that, so standard input must be told or is JSON */
static enum format
ingest_format(const struct ingest_conf *conf, const struct source_file *f,
    struct arena *a)
{
	char head[8192];
	struct unpack *u;
	struct err e;
	size_t n = 0;
	ssize_t r;
	int fd;

	if (conf->format != FORMAT_AUTO)
		return (enum format)conf->format;
	if (f->ino == 0)
		return FORMAT_JSONL;
	fd = files_open(f, &e);
	if (fd == -1 || (u = unpack_open(a, fd, f->path, &e)) == NULL)
		return FORMAT_TEXT;
	while (n < sizeof(head) &&
	    (r = unpack_read(u, head + n, sizeof(head) - n)) > 0)
		n += (size_t)r;
	return format_guess(f->path, (struct view){ head, n });
}

/* ingest_file - open the next file; 1 none left, 0 open, -1 a fault in e */
static int
ingest_file(struct stage *s, struct ingest *in, struct err *e)
{
	const struct source_file *f;
	int fd;

	if (in->place.file >= in->files.n)
		return 1;
	f = &in->files.file[in->place.file];
	in->format = ingest_format(s->conf, f, in->arena);
	fd = f->ino == 0 ? dup(STDIN_FILENO) : files_open(f, e);
	if (fd == -1)
		return -1;
	in->fd = fd;
	in->unpack = unpack_open(in->arena, fd, f->path, e);
	if (in->unpack == NULL)
		return -1;
	lines_open(&in->lines, unpack_read, in->unpack, REC_MAX);
	arena_defer(in->arena, lines_close, &in->lines);
	if ((in->format == FORMAT_CSV || in->format == FORMAT_TSV) &&
	    ingest_table(in, e) == -1)
		return -1;
	return ingest_skip(in, e);
}

static int
ingest_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct ingest *in = s->state;
	int rc;

	(void)scratch;
	while (!batch_full(b)) {
		if (in->unpack == NULL) {
			rc = ingest_file(s, in, e);
			if (rc == 1)
				break;
			if (rc == -1) {
				if (e->fate == FATE_RETRY)
					return -1;
				ingest_fault(s, b, in->place.offset, e->text);
				ingest_end(in);
				continue;
			}
		}
		if (ingest_some(s, in, b) == 0) {
			in->place.offset = in->lines.offset;
			in->place.number = in->lines.number;
			continue;
		}
		if (in->files.file[in->place.file].ino != 0 &&
		    !files_same(&in->files.file[in->place.file], in->fd))
			return err_set(e, FATE_REJECT, "'%s' changed while it "
			    "was read", in->files.file[in->place.file].path);
		ingest_end(in);
	}
	stage_append(s, &in->place, sizeof(in->place));
	stage_done(s, in->done + (in->unpack == NULL ? 0 :
	    unpack_place(in->unpack)));
	return in->place.file >= in->files.n && in->unpack == NULL;
}

static int
ingest_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct ingest *in = s->state;
	char text[160];

	(void)out;
	(void)e;
	snprintf(text, sizeof(text), "{\"files\":%zu,\"bytes\":%lld,"
	    "\"links_passed_over\":%zu}", in->files.n,
	    (long long)in->files.bytes, in->files.links);
	stage_result(s, "source", view_of(text));
	return 1;
}

static void
ingest_close(struct stage *s)
{
	struct ingest *in = s->state;

	if (in != NULL)
		arena_free(in->arena);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "ingest", .summary = "read files into records",
	.options = ingest_opts, .conf_size = sizeof(struct ingest_conf),
	.plan = ingest_plan, .key = ingest_key, .open = ingest_open,
	.batch = ingest_batch,
	.finish = ingest_finish, .close = ingest_close,
};
