/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index - passages of records by their words, for search
 *
 * The version before of the same name is taken over: segments by links, what
 * has not changed as it is.  What has, is marked as deleted there and indexed
 * anew; few segments are kept by merging the small ones.
 */
#include "appliance/base/base.h"
#include "appliance/index/build.h"
#include "appliance/index/index.h"
#include "appliance/module.h"
#include "appliance/store/artefact.h"
#include "modules/index/places.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SEGMENTS	8		/* more are merged */
#define SEGMENTS_MAX	4096

struct index_conf {
	const char *text, *title, *out;
	int64_t words, overlap, memory;
	int stem;
	bool keep;
};

static const struct opt index_opts[] = {
	OPT_TEXT(struct index_conf, text, "text", 0,
	    "field that is searched and shown"),
	OPT_TEXT(struct index_conf, title, "title", 0,
	    "field whose words count in each passage, if it is there"),
	OPT_ENUM(struct index_conf, stem, "english", STEMMERS, 0,
	    "the language whose endings are cut off"),
	OPT_INT(struct index_conf, words, "200", 0, 1000000, 0,
	    "most words of a passage; 0: a record is one passage"),
	OPT_INT(struct index_conf, overlap, "0", 0, 1000000, 0,
	    "words that a passage shares with the one before"),
	OPT_BOOL(struct index_conf, keep, "no", 0,
	    "what an earlier version has and the input has not, stays"),
	OPT_SIZE(struct index_conf, memory, "256M", 1 << 20, 1e12, OPT_NOKEY,
	    "memory after which a segment is written"),
	OPT_PATH_OUT(struct index_conf, out, NULL, OPT_NOKEY,
	    "directory that the index is written to, instead of a save"),
	OPT_DONE
};

struct made {
	struct stage *stage;
	const struct index_conf *conf;
	int dir;
	struct index ix;		/* the new version's */
	struct build *build;
	struct places places;
	unsigned char *dead;		/* of documents in build */
	size_t dead_cap;
	unsigned next;			/* number of the next file */
	int64_t added, same, deleted;
};

static int
index_plan(const void *arg, struct needs *needs, struct err *e)
{
	const struct index_conf *c = arg;

	if (c->words > 0 && c->overlap * 2 > c->words)
		return err_set(e, FATE_REJECT, "overlap=%lld is more than half "
		    "of words=%lld", (long long)c->overlap,
		    (long long)c->words);
	needs->unmarked = true;
	needs->makes = c->out == NULL ? KIND_INDEX : KIND_NONE;
	needs->sink = c->out != NULL;
	needs->store = c->out == NULL;
	return 0;
}

/* stem_name - the word of the enum */
static const char *
stem_name(struct arena *a, const struct index_conf *c)
{
	struct buf *b = buf_new(a, 64);

	opt_value(opt_find(index_opts, "stem"), c, b);
	return arena_str(a, buf_cstr(b));
}

/* dead_mark - a bit in a map that is there */
static void
dead_mark(unsigned char *map, uint32_t doc)
{
	map[doc / 8] |= (unsigned char)(1 << doc % 8);
}

/* kill - the document at a place is no more */
static void
kill(struct made *m, const struct place *p)
{
	struct segment *s;

	if (p->seg == UINT32_MAX)
		return;
	if (p->seg == m->ix.nsegs) {	/* it is still in memory */
		dead_mark(m->dead, p->doc);
		return;
	}
	s = &m->ix.seg[p->seg];
	if (s->dead == NULL)
		s->dead = arena_alloc(m->stage->arena, s->foot.docs / 8 + 1);
	dead_mark(s->dead, p->doc);
}

/* take_over - the files of the version before, and where its documents are */
static int
take_over(struct made *m, const struct version *v, struct err *e)
{
	struct arena *a = m->stage->arena;
	struct index *old;
	int from = artefact_open(stage_store(m->stage), v, e), rc = 0;

	if (from == -1)
		return -1;
	old = index_open(a, from, 1, 0, e);
	if (old == NULL || strcmp(old->stem, m->ix.stem) != 0 ||
	    old->words != m->ix.words || old->overlap != m->ix.overlap) {
		close(from);
		if (old == NULL)
			return -1;
		msg_info("'%s@%u' was made with other options: all is indexed "
		    "anew", v->name, v->number);
		return 0;
	}
	for (size_t i = 0; i < v->npacks && rc == 0; i++)
		if (strcmp(v->pack[i] + HASH_HEX + 1, "head") != 0)
			rc = artefact_link(from, m->dir, v, i, e);
	close(from);
	memcpy(m->ix.seg, old->seg, old->nsegs * sizeof(*old->seg));
	m->ix.nsegs = old->nsegs;
	for (uint32_t i = 0; i < old->nsegs && rc == 0; i++) {
		const struct segment *s = &old->seg[i];
		unsigned number = (unsigned)strtoul(s->file, NULL, 10);

		m->next = number >= m->next ? number + 1 : m->next;
		for (uint32_t k = 0; k < s->foot.docs; k++)
			if (!segment_dead(s, k)) {
				struct place *p = places_get(&m->places,
				    segment_id(s, k));

				p->seg = i;
				p->doc = k;
			}
	}
	stage_input(m->stage, arena_printf(a, "%s@%u", v->name, v->number));
	return rc;
}

/* open_before - the version before, if there is one that can be taken over */
static int
open_before(struct made *m, struct err *e)
{
	struct stage *s = m->stage;
	const char *name = stage_saves(s);
	struct version v;
	int rc;

	if (name == NULL || m->conf->out != NULL)
		return 0;
	rc = store_resolve(stage_store(s), s->arena, name, NULL, NULL, &v, e);
	if (rc != 1 || v.kind != STORE_INDEX)
		return rc == -1 ? -1 : 0;
	return take_over(m, &v, e);
}

static int
index_stage_open(struct stage *s, struct err *e)
{
	const struct index_conf *c = s->conf;
	struct made *m = arena_alloc(s->arena, sizeof(*m));

	s->state = m;
	m->stage = s;
	m->conf = c;
	m->dir = -1;
	if (stage_is_shell(s) && c->out == NULL)
		return err_set(e, FATE_USAGE, "'out' is missing: a shell has "
		    "no save for the index");
	m->ix = (struct index){ .arena = s->arena,
	    .stem = stem_name(s->arena, c), .words = c->words,
	    .overlap = c->overlap };
	m->ix.seg = arena_array(s->arena, SEGMENTS_MAX, sizeof(*m->ix.seg));
	places_open(&m->places, stage_key(s));
	arena_defer(s->arena, places_close, &m->places);
	m->build = build_open(s->arena, m->ix.stem, (size_t)c->words,
	    (size_t)c->overlap, e);
	m->dir = m->build == NULL ? -1 : stage_make(s, c->out, e);
	return m->dir == -1 ? -1 : open_before(m, e);
}

/* new_file - the next segment's, created */
static int
new_file(struct made *m, const char **name, struct err *e)
{
	int fd;

	if (m->ix.nsegs == SEGMENTS_MAX)
		return err_set(e, FATE_REJECT, "too many segments: a larger "
		    "memory=");
	*name = arena_printf(m->stage->arena, "%u.seg", m->next++);
	fd = openat(m->dir, *name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	    0640);
	return fd == -1 ? err_errno(e, "cannot create '%s'", *name) : fd;
}

/* flush - what is in memory becomes a segment */
static int
flush(struct made *m, struct err *e)
{
	/* segments move about in their array, what is mapped must not */
	struct segment *s = arena_alloc(m->stage->arena, sizeof(*s));
	uint32_t docs = build_docs(m->build);
	unsigned char *dead;
	const char *name;
	int fd, rc;

	if (docs == 0)
		return 0;
	fd = new_file(m, &name, e);
	if (fd == -1)
		return -1;
	rc = build_write(m->build, fd, e);
	close(fd);
	if (rc == -1 || segment_open(s, m->stage->arena, m->dir, name,
	    e) == -1)
		return -1;
	dead = arena_copy(m->stage->arena, m->dead, docs / 8 + 1);
	for (uint32_t i = 0; i <= docs / 8; i++)
		if (dead[i] != 0)
			s->dead = dead;
	memset(m->dead, 0, m->dead_cap);
	m->ix.seg[m->ix.nsegs++] = *s;
	return 0;
}

/* dead_room - a bit for one more document in memory */
static void
dead_room(struct made *m)
{
	size_t need = build_docs(m->build) / 8 + 2, cap = m->dead_cap;

	if (need <= cap)
		return;
	m->dead_cap = cap == 0 ? 1024 : cap * 2;
	m->dead = arena_grow(m->stage->arena, m->dead, cap, m->dead_cap, 1);
}

/* doc_hash - of all that is indexed of a record */
static void
doc_hash(struct build_doc *d)
{
	const struct view part[] = { d->title, d->source, d->text };
	struct hash_state h;
	struct hash out;

	hash_begin(&h, NULL);
	for (size_t i = 0; i < BASE_COUNT(part); i++) {
		hash_add(&h, &part[i].n, sizeof(part[i].n));
		hash_add(&h, part[i].p, part[i].n);
	}
	hash_add(&h, &d->offset, sizeof(d->offset));
	out = hash_end(&h);
	memcpy(d->hash, out.b, sizeof(d->hash));
}

/* known - is the document at a place the same as this one */
static bool
known(const struct made *m, const struct place *p, const struct build_doc *d)
{
	const struct segment *s = &m->ix.seg[p->seg];

	return p->seg < m->ix.nsegs &&
	    memcmp(s->doc[p->doc].hash, d->hash, sizeof(d->hash)) == 0;
}

static int
index_record(struct made *m, struct arena *a, struct rec *r, struct err *e)
{
	const struct index_conf *c = m->conf;
	struct build_doc d = { .source = VIEW(""), .title = VIEW("") };
	struct place *p;

	if (!rec_str(a, r, "id", &d.id)) {
		rec_fail(a, r, "no text in 'id'");
		return 0;
	}
	if (!rec_str(a, r, c->text, &d.text)) {
		rec_fail(a, r, "no text in '%s'", c->text);
		return 0;
	}
	(void)rec_str(a, r, "source", &d.source);
	(void)rec_str(a, r, c->title, &d.title);
	(void)rec_int(r, "offset", &d.offset);
	doc_hash(&d);
	p = places_get(&m->places, d.id);
	if (p->seg != UINT32_MAX && known(m, p, &d)) {
		m->same += !p->seen;
		p->seen = true;
		return 0;
	}
	m->deleted += p->seg != UINT32_MAX;
	m->added++;
	kill(m, p);
	dead_room(m);
	p->seg = (uint32_t)m->ix.nsegs;
	p->doc = build_doc(m->build, &d);
	p->seen = true;
	return build_size(m->build) > (size_t)c->memory ? flush(m, e) : 0;
}

static int
index_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	struct made *m = s->state;

	(void)scratch;
	for (size_t i = 0; i < b->n; i++)
		if (index_record(m, b->arena, &b->rec[i], e) == -1)
			return -1;
	return 0;
}

/* kill_unseen - what the input no longer has */
static void
kill_unseen(struct made *m)
{
	for (size_t i = 0; m->places.v != NULL && i <= m->places.mask; i++) {
		const struct place *p = &m->places.v[i];

		if (p->seg < m->ix.nsegs && !p->seen) {
			kill(m, p);
			m->deleted++;
		}
	}
}

static int
smaller(const void *va, const void *vb)
{
	const struct segment *a = va, *b = vb;

	return (a->live_tokens > b->live_tokens) -
	    (a->live_tokens < b->live_tokens);
}

/* forget - a segment's files leave the new version */
static int
forget(struct made *m, const struct segment *s, struct err *e)
{
	const char *dead = arena_printf(m->stage->arena, "%.*s.dead",
	    (int)strcspn(s->file, "."), s->file);

	return file_remove(m->dir, s->file, e) == -1 ||
	    file_remove(m->dir, dead, e) == -1 ? -1 : 0;
}

/* merge_first - the first n segments become one */
static int
merge_first(struct made *m, size_t n, struct err *e)
{
	struct arena *a = m->stage->arena;
	struct segment **part = arena_array(a, n, sizeof(*part));
	struct segment *one = arena_alloc(a, sizeof(*one));
	const char *name;
	uint64_t docs = 0;
	int fd, rc;

	for (size_t i = 0; i < n; i++) {
		part[i] = arena_copy(a, &m->ix.seg[i], sizeof(**part));
		docs += part[i]->live_docs;
	}
	if (docs > 0) {
		fd = new_file(m, &name, e);
		if (fd == -1)
			return -1;
		rc = segment_merge(part, n, fd, e);
		close(fd);
		if (rc == -1 || segment_open(one, a, m->dir, name, e) == -1)
			return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (forget(m, part[i], e) == -1)
			return -1;
	m->ix.nsegs -= n;
	memmove(m->ix.seg, m->ix.seg + n, m->ix.nsegs * sizeof(*one));
	if (docs > 0)
		m->ix.seg[m->ix.nsegs++] = *one;
	return 0;
}

/* tidy - drop what is dead, merge what is small */
static int
tidy(struct made *m, struct err *e)
{
	size_t few = 0;

	index_count(&m->ix);
	qsort(m->ix.seg, m->ix.nsegs, sizeof(*m->ix.seg), smaller);
	if (m->ix.nsegs > SEGMENTS)
		few = m->ix.nsegs - SEGMENTS / 2;
	for (size_t i = 0; i < m->ix.nsegs; i++)
		if (m->ix.seg[i].live_docs * 2 < m->ix.seg[i].foot.docs)
			few = i + 1 > few ? i + 1 : few;
	return few > 0 ? merge_first(m, few, e) : 0;
}

static int
index_finish(struct stage *s, struct batch *out, struct err *e)
{
	struct made *m = s->state;

	(void)out;
	if (flush(m, e) == -1)
		return -1;
	if (!m->conf->keep)
		kill_unseen(m);
	if (tidy(m, e) == -1)
		return -1;
	index_count(&m->ix);
	if (m->ix.docs == 0)
		return err_set(e, FATE_REJECT, "there is nothing to index");
	if (index_head(&m->ix, m->dir, e) == -1)
		return -1;
	msg_info("%llu documents, %llu passages; %lld added, %lld as they "
	    "were, %lld deleted", (unsigned long long)m->ix.docs,
	    (unsigned long long)m->ix.chunks, (long long)m->added,
	    (long long)m->same, (long long)m->deleted);
	stage_result(s, "index", view_of(arena_printf(s->arena,
	    "{\"documents\":%llu,\"passages\":%llu,\"words\":%llu,"
	    "\"added\":%lld,\"same\":%lld,\"deleted\":%lld,\"segments\":%zu}",
	    (unsigned long long)m->ix.docs, (unsigned long long)m->ix.chunks,
	    (unsigned long long)m->ix.tokens, (long long)m->added,
	    (long long)m->same, (long long)m->deleted, m->ix.nsegs)));
	return stage_made(s, m->conf->out, e) == -1 ? -1 : 1;
}

static void
index_close(struct stage *s)
{
	struct made *m = s->state;

	if (m != NULL && m->dir != -1)
		close(m->dir);
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "index", .summary = "passages by their words, for search",
	.options = index_opts, .conf_size = sizeof(struct index_conf),
	.plan = index_plan, .open = index_stage_open, .batch = index_batch,
	.finish = index_finish, .close = index_close,
};
