/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/job/run.h"
#include "appliance/store/artefact.h"
#include "appliance/store/dataset.h"
#include "appliance/text/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SPLITS_MAX	16

struct sink {
	const char *name;
	bool append, empty;
	int work, fd;
	const char *tmp, *pack;		/* names in work/ and packs/ */
	const char *shell;		/* a shell's work directory */
	struct pack_writer writer;
	struct buf *line;
	struct {
		struct view name;
		int64_t n;
	} split[SPLITS_MAX];
	size_t nsplits;
	bool imported;			/* an attempt before us came so far */
	enum kind made;			/* not records: a stage's directory */
};

/* the journal, a batch's worth: the pack's length, then the splits' counts */
struct sink_mark {
	int64_t len;
	uint64_t nsplits;
};

int
sink_plan(const char *name, struct needs *needs, struct err *e)
{
	if (!name_valid(name, strlen(name)))
		return err_set(e, FATE_REJECT, "'%s' is no name: a to z, 0 to "
		    "9, then also '.', '_', '-'; at most 64", name);
	needs->sink = needs->store = true;
	needs->saves = name;
	return 0;
}

/* sink_restore - the pack's length and the splits' counts at the mark */
static int64_t
sink_restore(struct stage *s, struct sink *k)
{
	struct view past = stage_journal(s);
	const char *p = past.p, *end = past.p + past.n;
	struct sink_mark m = { .len = 0 };

	while ((size_t)(end - p) >= sizeof(m)) {
		memcpy(&m, p, sizeof(m));
		p += sizeof(m);
		k->nsplits = 0;
		for (uint64_t i = 0; i < m.nsplits && i < SPLITS_MAX; i++) {
			uint64_t n;

			memcpy(&n, p, 8);
			memcpy(&k->split[i].n, p + 8, 8);
			k->split[i].name = (struct view){ p + 16, n };
			k->nsplits++;
			p += 16 + n;
		}
	}
	return m.len;
}

int
sink_open(struct stage *s, const char *name, unsigned how, struct err *e)
{
	struct sink *k = arena_alloc(s->arena, sizeof(*k));
	struct store *store = stage_store(s);
	const char *job = stage_is_shell(s) ? "shell" : stage_job(s);
	char id[ID_LEN + 1];
	int64_t len;

	s->state = k;
	k->name = name;
	k->append = how & SINK_APPEND;
	k->empty = how & SINK_EMPTY;
	k->line = buf_new(s->arena, REC_MAX * 4);
	if (stage_is_shell(s)) {
		id_new(id);
		job = arena_printf(s->arena, "shell-%s", id);
		k->shell = arena_printf(s->arena, "work/%s", job);
	}
	k->fd = -1;
	k->made = s->run->pipe->stage[s->own->place].needs.makes;
	k->work = store_work(store, job, e);
	if (k->work == -1)
		return -1;
	if (k->made != KIND_NONE)
		return 0;
	k->tmp = arena_printf(s->arena, "%s.pack", name);
	k->pack = arena_printf(s->arena, "%s.%s.pack", job, name);
	len = sink_restore(s, k);
	k->imported = len > 0 && !file_exists(k->work, k->tmp) &&
	    file_exists(store->packs, k->pack);
	if (k->imported)
		return 0;
	k->fd = openat(k->work, k->tmp, O_RDWR | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0640);
	if (k->fd == -1)
		return err_errno(e, "cannot create a pack");
	stage_sync(s, k->fd);
	if (len == 0)
		return pack_create(&k->writer, k->fd, PACK_RECORDS,
		    &store->seals, e);
	return pack_resume(&k->writer, k->fd, len, &store->seals, e);
}

/* sink_split - count a record under its split */
static void
sink_split(struct stage *s, struct sink *k, struct arena *a,
    const struct rec *r)
{
	struct view split;
	size_t i;

	if (!rec_str(a, r, "split", &split))
		return;
	for (i = 0; i < k->nsplits; i++)
		if (view_eq(k->split[i].name, split))
			break;
	if (i == SPLITS_MAX)
		return;
	if (i == k->nsplits) {
		k->split[i].name = view_keep(s->arena, split);
		k->split[i].n = 0;
		k->nsplits++;
	}
	k->split[i].n++;
}

/* sink_note - the journal's entry for a batch */
static void
sink_note(struct stage *s, const struct sink *k)
{
	struct sink_mark m = { k->writer.len, k->nsplits };
	uint64_t n;

	stage_append(s, &m, sizeof(m));
	for (size_t i = 0; i < k->nsplits; i++) {
		n = k->split[i].name.n;
		stage_append(s, &n, 8);
		stage_append(s, &k->split[i].n, 8);
		stage_append(s, k->split[i].name.p, n);
	}
}

int
sink_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct sink *k = s->state;
	struct view id;

	(void)scratch;
	if (k->imported || k->made != KIND_NONE)
		return 0;
	for (size_t i = 0; i < b->n; i++) {
		struct rec *r = &b->rec[i];

		if (!rec_str(b->arena, r, "id", &id)) {
			rec_fail(b->arena, r, "it has no id");
			continue;
		}
		k->line->n = 0;
		rec_print(k->line, r);
		if (pack_add(&k->writer, id, buf_get(k->line), e) == -1)
			return -1;
		sink_split(s, k, b->arena, r);
	}
	if (pack_flush(&k->writer, e) == -1)
		return -1;
	sink_note(s, k);
	return 0;
}

/* sink_verdicts - the pipeline's verdicts into a pack of their own; NULL if
 * there are none, and when it fails (*rc -1) */
static const char *
sink_verdicts(struct stage *s, struct sink *k, int *rc, struct err *e)
{
	const char *tmp = arena_printf(s->arena, "%s.verdicts", k->name);
	const char *name = arena_printf(s->arena, "%.*s.verdicts",
	    (int)strlen(k->pack) - 5, k->pack);
	int from = stage_verdicts(s), fd;
	struct pack_writer w;
	struct lines l;
	struct view line, id;
	struct rec r;
	int64_t at;

	*rc = 0;
	if (from == -1 || lseek(from, 0, SEEK_END) == 0)
		return NULL;
	if (file_exists(stage_store(s)->packs, name))
		return name;
	lseek(from, 0, SEEK_SET);
	fd = openat(k->work, tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0640);
	if (fd == -1) {
		*rc = err_errno(e, "cannot create a pack");
		return NULL;
	}
	*rc = pack_create(&w, fd, PACK_VERDICTS, &stage_store(s)->seals, e);
	lines_open(&l, lines_fd, &from, REC_MAX);
	while (*rc == 0 && lines_next(&l, &line, &at) == LINES_LINE)
		if (rec_parse(s->arena, line, &r, e) == 0 &&
		    rec_str(s->arena, &r, "id", &id))
			*rc = pack_add(&w, id, line, e);
	lines_close(&l);
	if (*rc == 0)
		*rc = pack_finish(&w, e);
	pack_abandon(&w);
	close(fd);
	if (*rc == 0)
		*rc = store_import(stage_store(s), k->work, tmp, name, e);
	return *rc == 0 ? name : NULL;
}

/* sink_before - append: the packs of the version that is added to */
static int
sink_before(struct stage *s, struct sink *k, struct version *v,
    struct err *e)
{
	struct version old;
	int rc = store_resolve(stage_store(s), s->arena, k->name, NULL, NULL,
	    &old, e);

	if (rc == -1)
		return -1;
	if (rc == 0 || (old.npacks > 0 && strcmp(old.pack[old.npacks - 1],
	    k->pack) == 0))
		return 0;		/* none yet, or it is already ours */
	if (old.kind != STORE_DATASET)
		return err_set(e, FATE_REJECT, "'%s' is a %s", k->name,
		    store_kinds[old.kind]);
	v->npacks = old.npacks;
	v->pack = arena_grow(s->arena, old.pack, old.npacks, old.npacks + 1,
	    sizeof(*v->pack));
	v->nverdicts = old.nverdicts;
	v->verdict = arena_grow(s->arena, old.verdict, old.nverdicts,
	    old.nverdicts + 1, sizeof(*v->verdict));
	stage_input(s, arena_printf(s->arena, "%s@%u", old.name, old.number));
	return 0;
}

/* sink_count - records and bytes of the version; replaced ones do not count */
static int
sink_count(struct stage *s, struct version *v, struct err *e)
{
	struct arena *a = arena_new();
	struct dataset *d = dataset_open(stage_store(s), a, v, e);
	struct view line;
	int rc = d == NULL ? -1 : 0;

	if (rc == 0 && v->npacks == 1) {
		v->records = d->pack[0]->frames;
		v->bytes = d->pack[0]->bytes;
	} else if (rc == 0) {
		while ((rc = dataset_next(d, &line, e)) == 1) {
			v->records++;
			v->bytes += (int64_t)line.n;
		}
	}
	arena_free(a);
	return rc;
}

/* sink_head - what every version says of itself */
static void
sink_head(struct stage *s, const struct sink *k, struct version *v)
{
	v->name = k->name;
	v->created = time(NULL);
	v->job = stage_is_shell(s) ? NULL : stage_job(s);
	v->pipeline = stage_pipeline(s);
	v->key = stage_result_key(s);
	v->input = (const char **)(uintptr_t)stage_inputs(s, &v->ninputs);
}

/* sink_name - publish; latest waits for the gates that the job has on it */
static int
sink_name(struct stage *s, struct version *v, struct err *e)
{
	int gates = s->run->pipe->stage[s->own->place].needs.gated;

	if (store_publish(stage_store(s), v, gates == 0, e) == -1)
		return -1;
	msg_info("saved '%s@%u', %lld %s%s", v->name, v->number,
	    (long long)v->records, v->kind == STORE_DATASET ? "records" :
	    "files", gates > 0 ? "; latest waits for its gates" : "");
	stage_result(s, "saved", view_of(arena_printf(s->arena,
	    "\"%s@%u\"", v->name, v->number)));
	return 0;
}

/* sink_artefact - the directory that a stage before us has made */
static int
sink_artefact(struct stage *s, struct sink *k, struct err *e)
{
	struct version v = { .kind = (enum store_kind)(k->made -
	    KIND_DATASET) };

	sink_head(s, k, &v);
	if (artefact_take(stage_store(s), k->work, arena_printf(s->arena,
	    "%s.made", stage_pipeline(s)), arena_printf(s->arena, "%s.%s",
	    stage_job(s), k->name), &v, e) == -1)
		return -1;
	return sink_name(s, &v, e);
}

/* sink_publish - the version */
static int
sink_publish(struct stage *s, struct sink *k, struct err *e)
{
	struct version v = { .kind = STORE_DATASET };
	const char *verdicts;
	int rc;

	verdicts = sink_verdicts(s, k, &rc, e);
	if (rc == -1)
		return -1;
	v.pack = arena_array(s->arena, 1, sizeof(*v.pack));
	v.verdict = arena_array(s->arena, 1, sizeof(*v.verdict));
	if (k->append && sink_before(s, k, &v, e) == -1)
		return -1;
	v.pack[v.npacks++] = k->pack;
	if (verdicts != NULL)
		v.verdict[v.nverdicts++] = verdicts;
	sink_head(s, k, &v);
	v.nsplits = k->append ? 0 : k->nsplits;
	v.split = arena_array(s->arena, v.nsplits, sizeof(*v.split));
	for (size_t i = 0; i < v.nsplits; i++)
		v.split[i] = arena_printf(s->arena, "%.*s=%lld",
		    (int)k->split[i].name.n, k->split[i].name.p,
		    (long long)k->split[i].n);
	return sink_count(s, &v, e) == -1 ? -1 : sink_name(s, &v, e);
}

/* sink_nothing - a source that shrank to nothing must not become what everybody
 * reads from now on, unless that is said */
static int
sink_nothing(struct stage *s, const struct sink *k, struct err *e)
{
	struct version v;
	struct err none;

	if (store_resolve(stage_store(s), s->arena, k->name, NULL, NULL, &v,
	    &none) == 1 && v.records > 0)
		return err_set(e, FATE_REJECT, "no record came to 'save': "
		    "'%s@%u' with %lld records stays; empty=yes if nothing is "
		    "meant", k->name, v.number, (long long)v.records);
	stage_warn(s, "'%s' has no records: none came to 'save'", k->name);
	return 0;
}

int
sink_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct sink *k = s->state;

	(void)out;
	if (k->made != KIND_NONE)
		return sink_artefact(s, k, e) == -1 ? -1 : 1;
	if (!k->imported && k->writer.n == 0 && !k->append && !k->empty &&
	    sink_nothing(s, k, e) == -1)
		return -1;
	if (!k->imported) {
		if (pack_finish(&k->writer, e) == -1 ||
		    store_import(stage_store(s), k->work, k->tmp, k->pack,
		    e) == -1)
			return -1;
		k->imported = true;
	}
	return sink_publish(s, k, e) == -1 ? -1 : 1;
}

void
sink_close(struct stage *s)
{
	struct sink *k = s->state;
	struct err none;

	if (k == NULL)
		return;
	pack_abandon(&k->writer);
	if (k->fd != -1)
		close(k->fd);
	if (k->work != -1)
		close(k->work);
	/* a shell stage is never resumed */
	if (k->shell != NULL)
		(void)file_remove(stage_store(s)->dir, k->shell, &none);
}
