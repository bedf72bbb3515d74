/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"
#include "appliance/job/mark.h"

int
mark_write(struct run *r, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, WORDS_MAX);
	buf_printf(&b, "mark 1 batches=%lld records=%lld rejected=%lld "
	    "seconds=%lld threads=%d rejects=%lld verdicts=%lld\n",
	    (long long)r->batches, (long long)r->records,
	    (long long)r->rejected, (long long)(r->seconds_before +
	    (int64_t)(when_mono() - r->began)), r->threads,
	    (long long)r->rejects_len, (long long)r->verdicts_len);
	for (size_t i = 0; i < r->nstages; i++) {
		struct stage_own *o = r->stage[i].own;

		buf_printf(&b, "stage %s journal=%lld in=%lld kept=%lld "
		    "dropped=%lld failed=%lld\n", r->stage[i].module->name,
		    (long long)o->journal_len, (long long)o->counts.in,
		    (long long)o->counts.kept, (long long)o->counts.dropped,
		    (long long)o->counts.failed);
		for (struct stage_rule *p = o->rules; p != NULL; p = p->next) {
			buf_str(&b, "rule ");
			buf_word(&b, p->rule);
			buf_printf(&b, " n=%lld\n", (long long)p->n);
		}
	}
	rc = file_replace(r->work, "mark", buf_get(&b), 0640, true, e);
	buf_free(&b);
	return rc;
}

/* mark_rule - a rule's count for the last stage read */
static void
mark_rule(struct arena *a, struct mark_stage *s, const struct line *l)
{
	struct stage_rule *rule = arena_alloc(a, sizeof(*rule)), **at;

	rule->rule = l->word[1].s;
	rule->n = line_num(l, "n");
	for (at = &s->rules; *at != NULL; at = &(*at)->next)
		continue;
	*at = rule;
}

/* mark_line - one line; n counts stages */
static int
mark_line(struct arena *a, const struct plan_pipe *p, struct mark *m,
    size_t *n, const struct line *l, struct err *e)
{
	struct mark_stage *s;

	if (strcmp(l->word[0].s, "mark") == 0) {
		m->batches = line_num(l, "batches");
		m->records = line_num(l, "records");
		m->rejected = line_num(l, "rejected");
		m->seconds = line_num(l, "seconds");
		m->threads = (int)line_num(l, "threads");
		m->rejects_len = line_num(l, "rejects");
		m->verdicts_len = line_num(l, "verdicts");
	} else if (l->n > 1 && strcmp(l->word[0].s, "rule") == 0 && *n > 0) {
		mark_rule(a, &m->stage[*n - 1], l);
	} else if (l->n > 1 && strcmp(l->word[0].s, "stage") == 0) {
		if (*n == p->nstages || strcmp(l->word[1].s,
		    p->stage[*n].module->name) != 0)
			return err_set(e, FATE_REJECT, "the mark is of other "
			    "stages; use quern rerun --from");
		s = &m->stage[(*n)++];
		s->journal = line_num(l, "journal");
		s->in = line_num(l, "in");
		s->kept = line_num(l, "kept");
		s->dropped = line_num(l, "dropped");
		s->failed = line_num(l, "failed");
	}
	return 0;
}

int
mark_read(struct arena *a, int work, const struct plan_pipe *p,
    struct mark *m, struct err *e)
{
	struct view text;
	struct words w;
	struct line l;
	size_t n = 0;

	if (file_read(a, work, "mark", WORDS_MAX, &text, e) == -1 ||
	    words_open(&w, a, text.p, text.n, e) == -1)
		return -1;
	for (;;) {
		if (words_next(&w, &l, e) == -1)
			return err_prefix(e, "mark: ");
		if (l.n == 0)
			break;
		if (mark_line(a, p, m, &n, &l, e) == -1)
			return -1;
	}
	if (n != p->nstages || m->threads < 1)
		return err_set(e, FATE_REJECT, "the mark is of other stages; "
		    "use quern rerun --from");
	return 0;
}
