/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ingest - files to records.  Whole documents, lines or paragraphs of text;
 * lines of JSON; rows of tables.  What cannot be read is a fault with its
 * place, and the next file goes on.
 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/lines.h"
#include "appliance/text/utf8.h"
#include "modules/ingest/files.h"
#include "modules/ingest/format.h"
#include "modules/ingest/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct ingest_conf {
	struct opt_list path;
	const char *subject, *text;
	int format, unit;
	bool repair;
};

enum { UNIT_FILE, UNIT_PARAGRAPH, UNIT_LINE };

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

/* the journal: where the next record begins */
struct ingest_place {
	uint64_t file;
	int64_t offset, number;
};

struct ingest {
	struct files files;
	struct ingest_place place;
	struct arena *arena;		/* of the open file */
	struct unpack *unpack;		/* NULL: no file is open */
	struct lines lines;
	struct table table;
	enum format format;
	int64_t done, binary;
	int fd;
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

/* ingest_id - keyed hash of name and offset: the same when read again */
static struct view
ingest_id(struct stage *s, struct arena *a, const char *path, int64_t offset)
{
	struct hash_state h;
	char hex[HASH_HEX + 1], place[32];

	snprintf(place, sizeof(place), "%lld", (long long)offset);
	hash_begin(&h, stage_key(s));
	hash_word(&h, path);
	hash_word(&h, place);
	hash_hex(hash_end(&h), hex);
	return (struct view){ arena_strn(a, hex, 24), 24 };
}

/* ingest_mark - id, source and offset, where the record has none of its own */
static void
ingest_mark(struct stage *s, struct batch *b, struct rec *r, int64_t offset)
{
	const struct ingest_conf *conf = s->conf;
	struct ingest *in = s->state;
	const char *path = in->files.file[in->place.file].path;
	struct view v;

	if (!rec_raw(r, "id", &v))
		rec_set_str(b->arena, r, "id",
		    ingest_id(s, b->arena, path, offset));
	if (!rec_raw(r, "source", &v))
		rec_set_str(b->arena, r, "source", view_of(path));
	if (!rec_raw(r, "offset", &v))
		rec_set_int(b->arena, r, "offset", offset);
	if (conf->subject != NULL && rec_raw(r, conf->subject, &v))
		rec_set_raw(b->arena, r, "subject", v);
	if (conf->text != NULL && strcmp(conf->text, "text") != 0 &&
	    rec_raw(r, conf->text, &v))
		rec_set_raw(b->arena, r, "text", v);
}

/* ingest_fault - a record that stands for what could not be read */
static void
ingest_fault(struct stage *s, struct batch *b, int64_t offset,
    const char *why)
{
	struct rec *r = batch_add(b);

	ingest_mark(s, b, r, offset);
	rec_fail(b->arena, r, "%s", why);
}

/* ingest_valid - text as UTF-8; false if it is not and must not be repaired */
static bool
ingest_valid(struct stage *s, struct batch *b, struct view *v, size_t *repairs)
{
	const struct ingest_conf *conf = s->conf;
	struct view out = utf8_repair(b->arena, *v, repairs);

	if (*repairs > 0 && !conf->repair)
		return false;
	*v = out;
	return true;
}

/* ingest_text - a record of plain text */
static void
ingest_text(struct stage *s, struct batch *b, struct view text,
    struct view title, int64_t offset, size_t length)
{
	struct rec *r;
	size_t repairs, more;

	if (!ingest_valid(s, b, &text, &repairs) ||
	    !ingest_valid(s, b, &title, &more)) {
		ingest_fault(s, b, offset, "not UTF-8 text");
		return;
	}
	r = batch_add(b);
	b->bytes += text.n;
	ingest_mark(s, b, r, offset);
	rec_set_int(b->arena, r, "length", (int64_t)length);
	if (title.n > 0)
		rec_set_str(b->arena, r, "title", title);
	rec_set_str(b->arena, r, "text", text);
	if (repairs > 0)
		rec_fact(b->arena, r, "utf8_repairs", (double)repairs);
}

/* ingest_whole - a whole file as one record */
static int
ingest_whole(struct stage *s, struct ingest *in, struct batch *b)
{
	struct buf *all = buf_new(b->arena, REC_MAX);
	struct view text, title = { "", 0 };
	char block[65536];
	ssize_t n;

	while ((n = unpack_read(in->unpack, block, sizeof(block))) > 0) {
		buf_add(all, block, (size_t)n);
		if (all->full) {
			ingest_fault(s, b, 0, "longer than 16 MiB; use "
			    "unit=paragraph or unit=line");
			return 1;
		}
	}
	if (n == -1) {
		ingest_fault(s, b, 0, unpack_fault(in->unpack));
		return 1;
	}
	text = buf_get(all);
	if (memchr(text.p, '\0', text.n) != NULL) {
		ingest_fault(s, b, 0, "binary data, not text");
		return 1;
	}
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0) {
		text.p += 3;
		text.n -= 3;
	}
	if (in->format == FORMAT_MAN)
		text = format_man(b->arena, text);
	else if (in->format == FORMAT_HTML) {
		size_t repairs;

		text = format_html(b->arena,
		    utf8_repair(b->arena, text, &repairs), &title);
	}
	ingest_text(s, b, text, title, 0, all->n);
	return 1;
}

/* ingest_json - a line as a record */
static void
ingest_json(struct stage *s, struct batch *b, struct view line, int64_t offset,
    int64_t number)
{
	struct rec *r;
	struct err bad;
	char why[600];
	size_t repairs;

	line = view_keep(b->arena, line);
	if (!ingest_valid(s, b, &line, &repairs)) {
		ingest_fault(s, b, offset, "not UTF-8 text");
		return;
	}
	r = batch_add(b);
	b->bytes += line.n;
	if (rec_parse(b->arena, line, r, &bad) == -1) {
		b->n--;
		snprintf(why, sizeof(why), "line %lld: %s", (long long)number,
		    bad.text);
		ingest_fault(s, b, offset, why);
		return;
	}
	ingest_mark(s, b, r, offset);
	if (repairs > 0)
		rec_fact(b->arena, r, "utf8_repairs", (double)repairs);
}

/* ingest_row - a row of a table as a record; 1 at the end */
static int
ingest_row(struct stage *s, struct ingest *in, struct batch *b)
{
	struct table *t = &in->table;
	struct view *field;
	struct rec *r;
	struct err bad;
	int64_t offset = in->lines.offset;
	size_t repairs;
	int n;

	n = table_row(t, b->arena, &field, &offset, &bad);
	if (n == 0)
		return 1;
	if (n == -1 || (size_t)n != t->ncols) {
		if (n != -1)
			err_set(&bad, FATE_REJECT, "line %lld: %d fields, the "
			    "head has %zu", (long long)in->lines.number, n,
			    t->ncols);
		ingest_fault(s, b, offset, bad.text);
		return n == -1;
	}
	for (size_t i = 0; i < t->ncols; i++)
		if (!ingest_valid(s, b, &field[i], &repairs)) {
			ingest_fault(s, b, offset, "not UTF-8 text");
			return 0;
		}
	r = batch_add(b);
	for (size_t i = 0; i < t->ncols; i++) {
		rec_set_str(b->arena, r, arena_strn(b->arena, t->head[i].p,
		    t->head[i].n), field[i]);
		b->bytes += field[i].n;
	}
	ingest_mark(s, b, r, offset);
	return 0;
}

/* ingest_paragraph - lines up to an empty one; 1 at the end */
static int
ingest_paragraph(struct stage *s, struct ingest *in, struct batch *b,
    bool lines)
{
	struct buf *text = buf_new(b->arena, REC_MAX);
	struct view line, none = { "", 0 };
	int64_t offset, at = in->lines.offset;
	int rc;

	while ((rc = lines_next(&in->lines, &line, &offset)) == LINES_LINE) {
		if (line.n == 0 && text->n == 0)
			continue;
		if (line.n == 0)
			break;
		if (text->n == 0)
			at = offset;
		else
			buf_char(text, '\n');
		buf_view(text, line);
		if (lines)
			break;
	}
	if (rc == LINES_ERROR) {
		ingest_fault(s, b, in->lines.offset, unpack_fault(in->unpack));
		return 1;
	}
	if (rc == LINES_LONG || text->full)
		ingest_fault(s, b, at, "longer than 16 MiB");
	else if (text->n > 0)
		ingest_text(s, b, buf_get(text), none, at, text->n);
	return rc == LINES_END;
}

/* ingest_line - the next line of JSON; 1 at the end */
static int
ingest_line(struct stage *s, struct ingest *in, struct batch *b)
{
	struct view line;
	int64_t offset;
	char why[80];

	switch (lines_next(&in->lines, &line, &offset)) {
	case LINES_END:
		return 1;
	case LINES_ERROR:
		ingest_fault(s, b, in->lines.offset, unpack_fault(in->unpack));
		return 1;
	case LINES_LONG:
		snprintf(why, sizeof(why), "line %lld is longer than 16 MiB",
		    (long long)in->lines.number);
		ingest_fault(s, b, offset, why);
		return 0;
	default:
		if (line.n > 0)
			ingest_json(s, b, line, offset, in->lines.number);
		return 0;
	}
}

/* ingest_some - one record, or the end of the file (1) */
static int
ingest_some(struct stage *s, struct ingest *in, struct batch *b)
{
	const struct ingest_conf *conf = s->conf;

	switch (in->format) {
	case FORMAT_JSONL:
		return ingest_line(s, in, b);
	case FORMAT_CSV:
	case FORMAT_TSV:
		return ingest_row(s, in, b);
	case FORMAT_BINARY:
		in->binary++;
		ingest_fault(s, b, 0, "binary data, not text");
		return 1;
	case FORMAT_TEXT:
	case FORMAT_MARKDOWN:
		if (conf->unit != UNIT_FILE)
			return ingest_paragraph(s, in, b,
			    conf->unit == UNIT_LINE);
		/* FALLTHROUGH */
	default:
		return ingest_whole(s, in, b);
	}
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
	.plan = ingest_plan, .open = ingest_open, .batch = ingest_batch,
	.finish = ingest_finish, .close = ingest_close,
};
