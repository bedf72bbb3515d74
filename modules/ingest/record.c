/* SPDX-License-Identifier: Apache-2.0 */
/* From the bytes of an open file to records, by format */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"
#include "modules/ingest/ingest.h"

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

void
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

int
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
