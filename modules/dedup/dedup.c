/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dedup - of texts that are the same, or nearly, the first stays.  Exact:
 * the same bytes.  MinHash: candidates by bands, each verified by the true
 * Jaccard similarity of 5-word shingles.  The verdict names the survivor.
 */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/text/near.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct dedup_conf {
	const char *text;
	int by;
	double jaccard;
};

enum { BY_MINHASH, BY_EXACT };

static const struct opt dedup_opts[] = {
	OPT_ENUM(struct dedup_conf, by, "minhash", "minhash|exact",
	    OPT_POSITIONAL, "what makes two texts the same"),
	OPT_FLOAT(struct dedup_conf, jaccard, "0.8", 0.3, 1, 0,
	    "similarity from which on they are, for minhash"),
	OPT_TEXT(struct dedup_conf, text, "text", 0, "field that is compared"),
	OPT_DONE
};

struct dedup {
	struct near *near;		/* the survivors */
	int fd;
};

/* dedup_file - survivors' shingles: in the work directory, or unnamed */
static int
dedup_file(struct stage *s, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char name[64];
	int dir = stage_dir(s), fd;

	snprintf(name, sizeof(name), "dedup.shingles");
	if (dir != -1)
		fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC |
		    O_NOFOLLOW, 0640);
	else
		fd = open(tmp == NULL ? "/tmp" : tmp, O_RDWR | O_TMPFILE |
		    O_CLOEXEC, 0600);
	if (fd == -1)
		err_errno(e, "cannot create a file for shingles");
	return fd;
}

static int
dedup_open(struct stage *s, struct err *e)
{
	struct dedup *d = arena_alloc(s->arena, sizeof(*d));
	struct view past = stage_journal(s);
	int64_t len = 0;

	s->state = d;
	d->fd = dedup_file(s, e);
	if (d->fd == -1)
		return -1;
	if (past.n >= sizeof(len))
		memcpy(&len, past.p + past.n - sizeof(len), sizeof(len));
	if (ftruncate(d->fd, len) == -1)
		return err_errno(e, "cannot cut the file of shingles");
	stage_sync(s, d->fd);
	d->near = near_open(s->arena, d->fd, e);
	return d->near == NULL ? -1 : 0;
}

/*
 * dedup_exact - a text's one "shingle" is a hash of its bytes, so that the same
 * index serves; four of them make 128 bits
 */
static void
dedup_exact(struct stage *s, struct arena *a, struct view text,
    struct near_text *t)
{
	struct hash h = hash_of(stage_key(s), text.p, text.n);

	t->n = 4;
	t->shingle = arena_copy(a, h.b, 16);
	for (int b = 0; b < 14; b++)
		t->band[b] = (hash_u64(h) + (uint64_t)b) | 1;
}

/* dedup_record - keep it and remember it, or drop it naming the survivor */
static int
dedup_record(struct stage *s, struct arena *a, struct rec *r, struct err *e)
{
	const struct dedup_conf *conf = s->conf;
	struct dedup *d = s->state;
	struct view text, id = { "", 0 }, of;
	struct near_text t;
	double similarity;
	int rc;

	if (!rec_str(a, r, conf->text, &text)) {
		rec_fail(a, r, "no text in '%s'", conf->text);
		return 0;
	}
	rec_str(a, r, "id", &id);
	if (conf->by == BY_EXACT)
		dedup_exact(s, a, text, &t);
	else
		near_text(a, text, &t);
	rc = near_find(d->near, a, &t, conf->by == BY_EXACT ? 1 :
	    conf->jaccard, NEAR_ANY, &of, &similarity, e);
	if (rc == -1)
		return -1;
	if (rc == 0)
		return near_add(d->near, &t, id, 0, e);
	rec_drop(r, "duplicate", similarity, conf->by == BY_EXACT ? 1 :
	    conf->jaccard);
	r->of = arena_strn(a, of.p, of.n);
	return 0;
}

static int
dedup_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct dedup *d = s->state;
	int64_t len;

	(void)scratch;
	for (size_t i = 0; i < b->n; i++)
		if (dedup_record(s, b->arena, &b->rec[i], e) == -1)
			return -1;
	len = near_length(d->near);
	stage_append(s, &len, sizeof(len));
	return 0;
}

static void
dedup_close(struct stage *s)
{
	struct dedup *d = s->state;

	if (d != NULL && d->fd != -1)
		close(d->fd);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "dedup", .summary = "drop texts that repeat an earlier one",
	.options = dedup_opts, .conf_size = sizeof(struct dedup_conf),
	.open = dedup_open, .batch = dedup_batch, .close = dedup_close,
};
