/* SPDX-License-Identifier: Apache-2.0 */
/* from - the records of a dataset in the store */
#include "appliance/base/base.h"
#include "appliance/module.h"
#include "appliance/store/dataset.h"
#include "appliance/store/ref.h"

struct from_conf {
	const char *data;
};

static const struct opt from_opts[] = {
	OPT_REF(OPT_DATASET, struct from_conf, data, NULL,
	    OPT_POSITIONAL | OPT_NEEDED,
	    "the dataset, as NAME[@VERSION|@TAG][:SPLIT]"),
	OPT_DONE
};

/* the journal: where the next record begins, and in which version */
struct from_place {
	uint64_t version, pack;
	int64_t offset, bytes;
};

struct from {
	struct ref ref;
	struct dataset *data;
	struct from_place place;
};

static int
from_plan(const void *arg, struct needs *needs, struct err *e)
{
	(void)arg;
	(void)e;
	needs->source = needs->store = true;
	return 0;
}

/* from_version - the same version in each attempt, whatever `latest` says */
static int
from_version(struct stage *s, struct from *f, struct version *v,
    struct err *e)
{
	const struct from_conf *conf = s->conf;
	struct view past = stage_journal(s);
	const char *text;

	text = conf->data;
	if (past.n >= sizeof(f->place)) {
		if (ref_parse(s->arena, text, &f->ref, e) == -1)
			return -1;
		memcpy(&f->place, past.p + past.n - sizeof(f->place),
		    sizeof(f->place));
		text = arena_printf(s->arena, "%s@%llu%s%s", f->ref.name,
		    (unsigned long long)f->place.version,
		    f->ref.split == NULL ? "" : ":",
		    f->ref.split == NULL ? "" : f->ref.split);
	}
	return stage_version(s, text, KIND_DATASET, v, &f->ref, e);
}

static int
from_open(struct stage *s, struct err *e)
{
	struct from *f = arena_alloc(s->arena, sizeof(*f));
	struct version v;
	bool resumed;

	s->state = f;
	if (from_version(s, f, &v, e) == -1)
		return -1;
	resumed = f->place.version != 0;
	f->place.version = v.number;
	f->data = dataset_open(stage_store(s), s->arena, &v, e);
	if (f->data == NULL)
		return -1;
	if (resumed)
		dataset_seek(f->data, f->place.pack, f->place.offset);
	stage_total(s, v.bytes);
	return 0;
}

/* from_split - does a record belong to the split that is wanted */
static bool
from_split(const struct from *f, struct arena *a, const struct rec *r)
{
	struct view split;

	return f->ref.split == NULL || (rec_str(a, r, "split", &split) &&
	    view_is(split, f->ref.split));
}

static int
from_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct from *f = s->state;
	struct view line;
	struct rec *r;
	int rc = 1;

	(void)scratch;
	while (!batch_full(b) && (rc = dataset_next(f->data, &line, e)) == 1) {
		f->place.bytes += (int64_t)line.n;
		line = view_keep(b->arena, line);
		r = batch_add(b);
		if (rec_parse(b->arena, line, r, e) == -1)
			return -1;
		if (from_split(f, b->arena, r))
			b->bytes += line.n;
		else
			b->n--;
	}
	if (rc == -1)
		return -1;
	dataset_place(f->data, &f->place.pack, &f->place.offset);
	stage_append(s, &f->place, sizeof(f->place));
	stage_done(s, f->place.bytes);
	return rc == 0;
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "from", .summary = "read a dataset of the store",
	.options = from_opts, .conf_size = sizeof(struct from_conf),
	.plan = from_plan, .open = from_open, .batch = from_batch,
};
