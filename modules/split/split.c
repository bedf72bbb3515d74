/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split - each record gets a split by a hash of its id: the same id the same
 * split, whatever else there is.  Near-duplicates that fall on two sides are
 * leaks; they are counted and said.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/text/near.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct split_conf {
	double valid, test;
	const char *by, *text;
	bool leaks;
};

static const struct opt split_opts[] = {
	OPT_FLOAT(struct split_conf, valid, "5", 0, 100, 0,
	    "percent of records for validation"),
	OPT_FLOAT(struct split_conf, test, "5", 0, 100, 0,
	    "percent of records for test"),
	OPT_TEXT(struct split_conf, by, "id", 0,
	    "field that decides; records that share it share a split"),
	OPT_BOOL(struct split_conf, leaks, "yes", 0,
	    "look for near-duplicates across splits and report them"),
	OPT_TEXT(struct split_conf, text, "text", 0,
	    "field in which they are looked for"),
	OPT_DONE
};

static const char *const names[] = { "train", "valid", "test" };

/* the journal: the shingle file's length and the counts */
struct split_mark {
	int64_t len, n[3], leaks;
};

struct split {
	struct near *near;
	struct split_mark mark;
	int fd;
};

static int
split_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct split_conf *conf = arg;

	(void)needs;
	if (conf->valid + conf->test > 100)
		return err_set(e, FATE_REJECT, "valid= and test= are more "
		    "than 100 percent");
	return 0;
}

static int
split_open(struct stage *s, struct err *e)
{
	const struct split_conf *conf = s->conf;
	struct split *p = arena_alloc(s->arena, sizeof(*p));
	struct view past = stage_journal(s);
	const char *tmp = getenv("TMPDIR");
	int dir = stage_dir(s);

	s->state = p;
	p->fd = -1;
	if (past.n >= sizeof(p->mark))
		memcpy(&p->mark, past.p + past.n - sizeof(p->mark),
		    sizeof(p->mark));
	if (!conf->leaks)
		return 0;
	p->fd = dir != -1 ? openat(dir, "split.shingles", O_RDWR | O_CREAT |
	    O_CLOEXEC | O_NOFOLLOW, 0640) :
	    open(tmp == NULL ? "/tmp" : tmp, O_RDWR | O_TMPFILE | O_CLOEXEC,
	    0600);
	if (p->fd == -1 || ftruncate(p->fd, p->mark.len) == -1)
		return err_errno(e, "cannot create a file for shingles");
	stage_sync(s, p->fd);
	p->near = near_open(s->arena, p->fd, e);
	return p->near == NULL ? -1 : 0;
}

/* split_of - 53 bits of the hash as a number in 0 to 100 */
static uint32_t
split_of(const struct split_conf *conf, struct view by)
{
	uint64_t h = hash_u64(hash_of(NULL, by.p, by.n));
	double x = (double)(h >> 11) / 9007199254740992.0 * 100;

	return x < conf->test ? 2 : x < conf->test + conf->valid ? 1 : 0;
}

/* split_leak - is there a near-duplicate in another split */
static int
split_leak(struct stage *s, struct arena *a, const struct rec *r,
    uint32_t which, struct err *e)
{
	const struct split_conf *conf = s->conf;
	struct split *p = s->state;
	struct view text, of, id = { "", 0 };
	struct near_text t;
	double similarity;
	int rc;

	if (!rec_str(a, r, conf->text, &text))
		return 0;
	near_text(a, text, &t);
	rc = near_find(p->near, a, &t, 0.8, which, &of, &similarity, e);
	if (rc == -1)
		return -1;
	p->mark.leaks += rc;
	rec_str(a, r, "id", &id);
	return near_add(p->near, &t, id, which, e);
}

static int
split_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct split_conf *conf = s->conf;
	struct split *p = s->state;
	struct view by;
	uint32_t which;

	(void)scratch;
	for (size_t i = 0; i < b->n; i++) {
		struct rec *r = &b->rec[i];

		if (!rec_str(b->arena, r, conf->by, &by)) {
			rec_fail(b->arena, r, "no text in '%s'", conf->by);
			continue;
		}
		which = split_of(conf, by);
		if (conf->leaks &&
		    split_leak(s, b->arena, r, which, e) == -1)
			return -1;
		p->mark.n[which]++;
		rec_set_str(b->arena, r, "split", view_of(names[which]));
	}
	if (conf->leaks)
		p->mark.len = near_length(p->near);
	stage_append(s, &p->mark, sizeof(p->mark));
	return 0;
}

static int
split_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct split *p = s->state;

	(void)out;
	(void)e;
	if (p->mark.leaks > 0)
		stage_warn(s, "%lld records have a near-duplicate in another "
		    "split; run dedup before split",
		    (long long)p->mark.leaks);
	stage_result(s, "splits", view_of(arena_printf(s->arena,
	    "{\"train\":%lld,\"valid\":%lld,\"test\":%lld,\"leaks\":%lld}",
	    (long long)p->mark.n[0], (long long)p->mark.n[1],
	    (long long)p->mark.n[2], (long long)p->mark.leaks)));
	return 1;
}

static void
split_close(struct stage *s)
{
	struct split *p = s->state;

	if (p != NULL && p->fd != -1)
		close(p->fd);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "split", .summary = "divide into train, valid and test",
	.options = split_opts, .conf_size = sizeof(struct split_conf),
	.plan = split_plan, .open = split_open, .batch = split_batch,
	.finish = split_finish, .close = split_close,
};
