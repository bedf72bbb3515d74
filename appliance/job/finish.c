/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/conf.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/job/finish.h"
#include "appliance/job/report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_MAX	((size_t)256 << 20)

struct finish {
	struct arena *arena;
	int dir, result;
	const char *id;
	const char *name[64];		/* pipelines, in the ticket's order */
	const char *after[64];		/* "0,2": what each has waited for */
	size_t n;
};

/* finish_names - the pipelines that the ticket lists */
static int
finish_names(struct finish *f, struct err *e)
{
	struct view text;
	struct words w;
	struct line l;

	if (file_read(f->arena, f->dir, "ticket", WORDS_MAX, &text, e) == -1 ||
	    words_open(&w, f->arena, text.p, text.n, e) == -1)
		return -1;
	for (;;) {
		if (words_next(&w, &l, e) == -1)
			return -1;
		if (l.n == 0)
			return 0;
		if (l.n < 2 || strcmp(l.word[0].s, "pipeline") != 0 ||
		    f->n == BASE_COUNT(f->name))
			continue;
		f->after[f->n] = "";
		for (size_t i = 2; i < l.n; i++)
			if (strncmp(l.word[i].s, "after=", 6) == 0)
				f->after[f->n] = l.word[i].s + 6;
		f->name[f->n++] = l.word[1].s;
	}
}

/* finish_edges - pairs of names: the first was waited for by the second */
static void
finish_edges(const struct finish *f, struct buf *b)
{
	const char *sep = "", *p;
	unsigned long from;
	char *end;

	buf_str(b, ",\"edges\":[");
	for (size_t i = 0; i < f->n; i++)
		for (p = f->after[i]; *p != '\0'; p = *end == ',' ? end + 1 :
		    end) {
			from = strtoul(p, &end, 10);
			if (end == p)
				break;
			if (from >= f->n)
				continue;
			buf_printf(b, "%s[\"%s\",\"%s\"]", sep,
			    f->name[from], f->name[i]);
			sep = ",";
		}
	buf_char(b, ']');
}

/* finish_pieces - result.json: the pipelines' own results in an array; and the
 * page made of it */
static int
finish_pieces(struct finish *f, struct err *e)
{
	struct buf *b = buf_new(f->arena, (size_t)1 << 30);
	struct buf *page = buf_new(f->arena, (size_t)1 << 30);
	const char *sep = "";
	struct view piece;

	buf_str(b, "{\"result\":1,\"job\":");
	buf_json_str(b, f->id);
	finish_edges(f, b);
	buf_str(b, ",\"pipelines\":[");
	for (size_t i = 0; i < f->n; i++) {
		const char *name = arena_printf(f->arena, "result.%s.json",
		    f->name[i]);

		if (!file_exists(f->dir, name))
			continue;
		if (file_read(f->arena, f->dir, name, PIECE_MAX, &piece,
		    e) == -1)
			return -1;
		while (piece.n > 0 && piece.p[piece.n - 1] == '\n')
			piece.n--;
		buf_str(b, sep);
		buf_char(b, '\n');
		buf_view(b, piece);
		sep = ",";
	}
	buf_str(b, "]}\n");
	if (file_replace(f->result, "result.json", buf_get(b), 0640, false,
	    e) == -1 || report_html(f->arena, buf_get(b), page, e) == -1)
		return -1;
	return file_replace(f->result, "report.html", buf_get(page), 0640,
	    false, e);
}

/* finish_append - one pipeline's rejects behind the others */
static int
finish_append(struct finish *f, int out, const char *pipeline, struct err *e)
{
	const char *name = arena_printf(f->arena, "work.%s/rejects", pipeline);
	char buf[65536];
	ssize_t n;
	int fd, rc = 0;

	fd = openat(f->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return 0;
	while (rc == 0 && (n = file_get(fd, buf, sizeof(buf))) > 0)
		if (file_put(out, buf, (size_t)n) == -1)
			rc = err_errno(e, "cannot write rejects.jsonl");
	close(fd);
	return rc;
}

/* finish_rejects - rejects.jsonl, not there if nothing was rejected */
static int
finish_rejects(struct finish *f, struct err *e)
{
	struct stat st;
	int out, rc = 0;

	out = openat(f->result, ".rejects.tmp", O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0640);
	if (out == -1)
		return err_errno(e, "cannot create rejects.jsonl");
	for (size_t i = 0; i < f->n && rc == 0; i++)
		rc = finish_append(f, out, f->name[i], e);
	if (rc == 0 && fstat(out, &st) == 0 && st.st_size > 0)
		rc = file_rename(f->result, ".rejects.tmp", f->result,
		    "rejects.jsonl", e);
	else
		unlinkat(f->result, ".rejects.tmp", 0);
	close(out);
	return rc;
}

/* finish_sweep - what writers that were killed have left behind */
static int
finish_sweep(int dir, struct err *e)
{
	struct dirent *d;
	size_t n;
	DIR *list;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 || (list = fdopendir(fd)) == NULL)
		return err_errno(e, "cannot read the job's directory");
	while ((d = readdir(list)) != NULL) {
		n = strlen(d->d_name);
		/* .state.tmp is quernd's, which is alive */
		if (d->d_name[0] == '.' && n > 5 &&
		    strcmp(d->d_name, ".state.tmp") != 0 &&
		    strcmp(d->d_name + n - 4, ".tmp") == 0)
			unlinkat(dir, d->d_name, 0);
	}
	closedir(list);
	return 0;
}

/* finish_work - what a done job has left in the store's work directory; one
 * that failed keeps it, for it may be run again */
static int
finish_work(struct finish *f, struct err *e)
{
	struct conf conf;
	struct view fate;
	struct err none;

	for (size_t i = 0; i < f->n; i++)
		if (file_read(f->arena, f->dir, arena_printf(f->arena,
		    "fate.%s", f->name[i]), 4096, &fate, &none) == -1 ||
		    fate.n < 7 || memcmp(fate.p, "fate 0 ", 7) != 0)
			return 0;
	if (conf_load(&conf, f->arena, NULL, e) == -1)
		return -1;
	return file_remove(AT_FDCWD, arena_printf(f->arena, "%s/work/%s",
	    conf.store, f->id), e);
}

int
finish_main(const char *path, struct err *e)
{
	struct finish f = { .arena = arena_new(), .result = -1 };
	int rc = -1;

	f.id = strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
	f.dir = file_dir(AT_FDCWD, path, e);
	if (f.dir == -1)
		return -1;
	if (mkdirat(f.dir, "result", 0750) == -1 && errno != EEXIST)
		return err_errno(e, "cannot make the result directory");
	f.result = file_dir(f.dir, "result", e);
	if (f.result != -1 && finish_names(&f, e) == 0 &&
	    finish_pieces(&f, e) == 0 && finish_rejects(&f, e) == 0 &&
	    finish_sweep(f.dir, e) == 0 && finish_sweep(f.result, e) == 0 &&
	    finish_work(&f, e) == 0)
		rc = 0;
	if (f.result != -1)
		close(f.result);
	close(f.dir);
	arena_free(f.arena);
	return rc;
}
