/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint is one file in the stage's directory: a head, the progress, how
 * the device has chosen to compute (kernel.h), what is trained and its moments,
 * and at the end a hash of all that.  It is
 * written beside the last one and renamed.  The best parameters are a file of
 * the same form without moments; a later best that an interrupted run left is
 * made again with the same bytes, so the two files need not change together.
 */
#include "appliance/base/base.h"
#include "modules/train/train.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECKPOINT_VERSION	5
#define CHOSEN_MAX	((uint64_t)1 << 20)

struct head {
	char magic[8];
	uint64_t version, reals, steps;
	int64_t threads;
	char isa[32];
	struct hash run;		/* origin.h's */
};

/* one pass over a checkpoint's parts, in or out, with the hash beside */
struct pass {
	int fd;
	bool out;
	struct hash_state hash;
	char *chosen;			/* what was read of it; or NULL */
};

static int
pass_part(struct pass *p, void *data, size_t n)
{
	if (p->out ? file_put(p->fd, data, n) == -1 :
	    file_get(p->fd, data, n) != (ssize_t)n)
		return -1;
	hash_add(&p->hash, data, n);
	return 0;
}

/* pass_reals - numbers of the device by way of the host */
static int
pass_reals(struct pass *p, struct train *t, real *x, real *host, size_t n)
{
	const struct kernels *k = t->device->k;

	if (p->out)
		k->get(t->device->dev, host, x, n * sizeof(*host));
	if (pass_part(p, host, n * sizeof(*host)) == -1)
		return -1;
	if (!p->out)
		k->put(t->device->dev, x, host, n * sizeof(*host));
	return 0;
}

static void
head_of(struct train *t, struct head *h)
{
	*h = (struct head){ "QUERNCKP", CHECKPOINT_VERSION,
	    t->optimise.all, (uint64_t)t->steps, stage_threads(t->stage),
	    "", t->origin.run };
	snprintf(h->isa, sizeof(h->isa), "%s",
	    t->device->k->isa(t->device->dev));
}

/* head_same - is the file of this run; other threads or another instruction
 * set go on, and are told */
static int
head_same(struct train *t, const struct head *h, struct err *e)
{
	struct head mine;

	head_of(t, &mine);
	if (memcmp(h->magic, mine.magic, 8) != 0 ||
	    h->version != mine.version || h->reals != mine.reals ||
	    h->steps != mine.steps ||
	    memcmp(h->run.b, mine.run.b, HASH_LEN) != 0)
		return err_set(e, FATE_REJECT, "the checkpoint is of another "
		    "base, other records or other options than these; %s%s",
		    t->beside == NULL ? "rerun the job" : "it lies in ",
		    t->beside == NULL ? "" : t->beside);
	if (h->threads != mine.threads || strcmp(h->isa, mine.isa) != 0)
		stage_warn(t->stage, "resumed with %lld threads (%s) what "
		    "began with %lld (%.31s): the result is equal within "
		    "rounding, not to the byte", (long long)mine.threads,
		    mine.isa, (long long)h->threads, h->isa);
	return 0;
}

/* pass_params - what is trained, and with moments how it was moving */
static int
pass_params(struct pass *p, struct train *t, bool moments, real *host)
{
	const struct optimise *o = &t->optimise;

	for (size_t i = 0; i < o->n; i++) {
		const struct param *q = &o->v[i];
		size_t n = q->rows * q->cols;

		if (pass_reals(p, t, q->p, host, n) == -1)
			return -1;
		if (!moments)
			continue;
		if (pass_reals(p, t, q->m, host, n) == -1 || (q->v != NULL &&
		    pass_reals(p, t, q->v, host, n) == -1))
			return -1;
	}
	return 0;
}

/* pass_chosen - the device's choices, of which there may be none */
static int
pass_chosen(struct pass *p, struct train *t)
{
	const struct device *d = t->device;
	const char *now = p->out && d->k->chosen != NULL ?
	    d->k->chosen(d->dev) : "";
	uint64_t n = strlen(now);

	if (pass_part(p, &n, sizeof(n)) == -1 || n > CHOSEN_MAX)
		return -1;
	p->chosen = mem_alloc(n + 1);
	memcpy(p->chosen, now, p->out ? n : 0);
	return pass_part(p, p->chosen, n);
}

/* chosen_take - after the hash was right; another device's are left */
static void
chosen_take(struct train *t, const struct pass *p)
{
	const struct device *d = t->device;
	char why[256] = "the CPU makes none";

	if (*p->chosen == '\0' || (d->k->choose != NULL &&
	    d->k->choose(d->dev, p->chosen, why, sizeof(why)) == 0))
		return;
	stage_warn(t->stage, "the choices of algorithms before it was "
	    "interrupted are not taken: %s; the result is equal within "
	    "rounding, not to the byte", why);
}

/* pass_all - every part, then the hash */
static int
pass_all(struct pass *p, struct train *t, struct progress *at, bool moments)
{
	size_t most = 0, n;
	struct hash mine, theirs;
	real *host;
	int rc;

	for (size_t i = 0; i < t->optimise.n; i++) {
		n = t->optimise.v[i].rows * t->optimise.v[i].cols;
		most = n > most ? n : most;
	}
	host = mem_alloc(most * sizeof(*host));
	rc = pass_part(p, at, sizeof(*at)) == -1 || pass_chosen(p, t) == -1 ?
	    -1 : pass_params(p, t, moments, host);
	mem_free(host);
	if (rc == -1)
		return -1;
	mine = hash_end(&p->hash);
	if (p->out)
		return file_put(p->fd, mine.b, HASH_LEN);
	return file_get(p->fd, theirs.b, HASH_LEN) == HASH_LEN &&
	    memcmp(mine.b, theirs.b, HASH_LEN) == 0 ? 0 : -1;
}

static int
file_out(struct train *t, const char *name, bool moments, struct err *e)
{
	int dir = t->dir, rc;
	const char *tmp = arena_printf(t->stage->arena, ".%s.tmp", name);
	struct pass p = { .out = true };
	struct head h;

	if (dir == -1)
		return 0;		/* nothing is resumed */
	p.fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (p.fd == -1)
		return err_errno(e, "cannot create '%s'", name);
	head_of(t, &h);
	hash_begin(&p.hash, NULL);
	rc = pass_part(&p, &h, sizeof(h)) == -1 ||
	    pass_all(&p, t, &t->at, moments) == -1 ? -1 : 0;
	if (rc == -1)
		err_errno(e, "cannot write '%s'", name);
	else
		file_sync(p.fd, name);
	close(p.fd);
	mem_free(p.chosen);
	if (rc == 0)
		rc = file_rename(dir, tmp, dir, name, e);
	if (rc == 0)
		file_sync(dir, "the stage's directory");
	return rc;
}

/* file_in - 1, 0 there is none, -1 damaged */
static int
file_in(struct train *t, const char *name, bool moments, struct progress *at,
    struct err *e)
{
	int dir = t->dir, rc;
	struct pass p = { .out = false };
	struct head h;

	if (dir == -1 || !file_exists(dir, name))
		return 0;
	p.fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p.fd == -1)
		return err_errno(e, "cannot open '%s'", name);
	hash_begin(&p.hash, NULL);
	rc = pass_part(&p, &h, sizeof(h));
	if (rc == 0 && head_same(t, &h, e) == -1)
		rc = -2;
	if (rc == 0)
		rc = pass_all(&p, t, at, moments);
	close(p.fd);
	if (rc == 0 && moments)
		chosen_take(t, &p);
	mem_free(p.chosen);
	if (rc == -1)
		err_set(e, FATE_REJECT, "'%s' is damaged: its hash does not "
		    "agree; %s%s", name, t->beside == NULL ? "rerun the job" :
		    "it lies in ", t->beside == NULL ? "" : t->beside);
	return rc == 0 ? 1 : -1;
}

/* beside_make - a directory that only a run of ours has made; what a user keeps
 * under its name is not touched */
static int
beside_make(struct train *t, int at, struct err *e)
{
	const char *checkpoint = arena_printf(t->stage->arena, "%s/checkpoint",
	    t->beside);

	if (t->conf->resume)
		(void)unlinkat(at, t->beside, AT_REMOVEDIR);	/* if empty */
	if (mkdirat(at, t->beside, 0750) == 0 || (errno == EEXIST &&
	    t->conf->resume && file_exists(at, checkpoint)))
		return 0;
	return errno == EEXIST ? err_set(e, FATE_REJECT, "'%s' is there "
	    "already: remove it, if a run that was killed left it",
	    t->beside) : err_errno(e, "cannot make '%s'", t->beside);
}

int
checkpoint_open(struct train *t, struct err *e)
{
	const struct train_conf *c = t->conf;
	bool shell = stage_is_shell(t->stage);
	const char *out;
	int at;

	t->dir = stage_dir(t->stage);
	if (!shell || (c->valid == NULL && !c->resume) ||
	    t->ranks.at.rank > 0)
		return 0;
	out = stage_output(t->stage, c->out, &at, e);
	if (out == NULL)
		return -1;
	t->beside = arena_printf(t->stage->arena, "%s.%s", out, c->resume ?
	    "kept" : "trials");
	if (beside_make(t, at, e) == -1) {
		t->beside = NULL;	/* it is not ours */
		return -1;
	}
	t->dir = file_dir(at, t->beside, e);
	return t->dir == -1 ? -1 : 0;
}

void
checkpoint_close(struct train *t)
{
	struct err ignored;
	int at;

	if (t->beside == NULL)
		return;
	if (t->dir != -1)
		close(t->dir);
	(void)stage_output(t->stage, t->conf->out, &at, &ignored);
	if (t->done || !t->conf->resume)
		(void)file_remove(at, t->beside, &ignored);
	else
		(void)unlinkat(at, t->beside, AT_REMOVEDIR);	/* empty */
}

int
checkpoint_write(struct train *t, struct err *e)
{
	if (file_out(t, "checkpoint", true, e) == -1)
		return -1;
	t->kept = t->at.step;
	return 0;
}

int
checkpoint_read(struct train *t, struct err *e)
{
	int rc = file_in(t, "checkpoint", true, &t->at, e);

	return rc == -1 ? -1 : join_resume(t, rc, e);
}

int
best_write(struct train *t, struct err *e)
{
	return file_out(t, "best", false, e);
}

int
best_read(struct train *t, struct err *e)
{
	struct progress ignored;

	return file_in(t, "best", false, &ignored, e);
}
