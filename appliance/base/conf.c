/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/conf.h"
#include "appliance/base/file.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

const struct opt conf_opts[] = {
	OPT_PATH_IN(struct conf, spool, SPOOLDIR, 0,
	    "directory of the spool; one mount"),
	OPT_PATH_IN(struct conf, store, STOREDIR, 0,
	    "directory of the store; one mount"),
	OPT_TEXT(struct conf, user, "quern", 0,
	    "user that quernd becomes when root starts it"),
	OPT_INT(struct conf, jobs, "4", 1, 256, 0,
	    "pipelines that run at the same time"),
	OPT_INT(struct conf, threads, "0", 0, 1024, 0,
	    "cores shared out among pipelines; 0 is all of the machine's"),
	OPT_TEXT(struct conf, gpus, "none", 0,
	    "GPUs lent to pipelines: none, or numbers with commas"),
	OPT_SIZE(struct conf, min_free, "256M", 0, 0, 0,
	    "free space in spool and store below which nothing is started"),
	OPT_DURATION(struct conf, keep_done, "30d", 0, 0, 0,
	    "how long finished jobs are kept; 0 is for ever"),
	OPT_DURATION(struct conf, keep_failed, "90d", 0, 0, 0,
	    "how long failed jobs are kept; 0 is for ever"),
	OPT_INT(struct conf, max_queue_per_owner, "10000", 1, 1e9, 0,
	    "jobs of one owner in the queue; later drops wait in incoming"),
	OPT_DURATION(struct conf, backoff, "30s", 0, 0, 0,
	    "wait before the second attempt; doubles up to an hour"),
	OPT_DURATION(struct conf, grace, "30s", 0, 3600, 0,
	    "time that a stopped worker has to reach a mark before KILL"),
	OPT_INT(struct conf, checkers, "2", 1, 64, 0,
	    "admission checks that run at the same time"),
	OPT_TEXT(struct conf, on_done, NULL, 0,
	    "program run with id and directory of each finished job"),
	OPT_TEXT(struct conf, on_fail, NULL, 0,
	    "program run with id and directory of each failed job"),
	OPT_LIST(struct conf, readable, NULL, 0,
	    "directories that jobs may read from"),
	OPT_LIST(struct conf, writable, NULL, 0,
	    "directories that write may put files into"),
	OPT_LIST(struct conf, seal, NULL, 0,
	    "key files; the first seals the store's records, all open them"),
	OPT_BOOL(struct conf, ranks, "no", 0,
	    "allow sockets to ranks started by srun or mpirun"),
	OPT_DONE
};

/* conf_line - NAME = VALUE */
static int
conf_line(struct conf *c, struct arena *a, const struct line *l, struct err *e)
{
	struct buf *value = buf_new(a, WORDS_MAX);

	if (l->n < 2 || strcmp(l->word[1].s, "=") != 0)
		return err_set(e, FATE_REJECT, "%u:%u: a line is NAME = VALUE",
		    l->word[0].line, l->word[0].col);
	for (size_t i = 2; i < l->n; i++) {
		if (value->n > 0 && value->p[value->n - 1] != ',')
			buf_char(value, ' ');
		buf_str(value, l->word[i].s);
	}
	if (opt_set(conf_opts, c, a, l->word[0].s, buf_cstr(value), e) == -1)
		return err_prefix(e, "%u:%u: ", l->word[0].line,
		    l->word[0].col);
	return 0;
}

/* conf_read - the file over the defaults */
static int
conf_read(struct conf *c, struct arena *a, const char *path, struct err *e)
{
	struct view text;
	struct words w;
	struct line l;

	if (file_read(a, AT_FDCWD, path, WORDS_MAX, &text, e) == -1)
		return -1;
	if (words_open(&w, a, text.p, text.n, e) == -1)
		return err_prefix(e, "%s:", path);
	for (;;) {
		if (words_next(&w, &l, e) == -1)
			return err_prefix(e, "%s:", path);
		if (l.n == 0)
			break;
		if (conf_line(c, a, &l, e) == -1)
			return err_prefix(e, "%s:", path);
	}
	c->path = path;
	return 0;
}

/* conf_path - the file to read; NULL if there is none and need not be */
static const char *
conf_path(struct conf *c, struct arena *a, const char *path)
{
	const char *root = secure_getenv("QUERN_ROOT");
	const char *usual = CONFDIR "/quern.conf";

	if (root != NULL && *root != '\0') {
		c->spool = arena_printf(a, "%s/spool", root);
		c->store = arena_printf(a, "%s/store", root);
		usual = arena_printf(a, "%s/quern.conf", root);
	}
	if (path == NULL)
		path = secure_getenv("QUERN_CONF");
	if (path != NULL)
		return path;
	return file_exists(AT_FDCWD, usual) ? usual : NULL;
}

int
conf_load(struct conf *c, struct arena *a, const char *path, struct err *e)
{
	memset(c, 0, sizeof(*c));
	if (opt_defaults(conf_opts, c, a, e) == -1)
		return -1;
	path = conf_path(c, a, path);
	if (path != NULL && conf_read(c, a, path, e) == -1)
		return -1;
	if (c->spool[0] != '/' || c->store[0] != '/')
		return err_set(e, FATE_REJECT, "spool '%s' and store '%s' must "
		    "be whole paths", c->spool, c->store);
	return 0;
}

void
conf_print(const struct conf *c, struct buf *b)
{
	for (const struct opt *o = conf_opts; o->name != NULL; o++) {
		struct buf v;

		buf_init(&v, WORDS_MAX);
		opt_value(o, c, &v);
		if (v.n > 0) {
			buf_printf(b, "%s = ", o->name);
			buf_word(b, buf_cstr(&v));
			buf_char(b, '\n');
		} else
			buf_printf(b, "# %s =\n", o->name);
		buf_free(&v);
	}
}

int
conf_threads(const struct conf *c)
{
	cpu_set_t set;

	if (c->threads > 0)
		return (int)c->threads;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return CPU_COUNT(&set);
	return 1;
}

bool
conf_launched(void)
{
	static const char *const set[] = { "OMPI_COMM_WORLD_RANK",
	    "PMIX_RANK", "PMI_RANK", "SLURM_PROCID" };

	for (size_t i = 0; i < BASE_COUNT(set); i++)
		if (secure_getenv(set[i]) != NULL)
			return true;
	return false;
}
