/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/buf.h"
#include "appliance/base/file.h"
#include "appliance/base/words.h"
#include "spool/ticket.h"

#include <stdlib.h>

const char *const place_names[PLACES] = {
	"queue", "run", "hold", "done", "failed"
};

const char *const pipe_state_names[] = { "waiting", "running", "done",
	"failed" };

static const char *const held_names[] = { "not", "user", "space", "template" };

/* word_num - a whole number, or 0 */
static int64_t
word_num(const char *s)
{
	return strtoll(s, NULL, 10);
}

/* word_place - which of names a word is; 0 if none */
static int
word_place(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], s) == 0)
			return (int)i;
	return 0;
}

/* word_after - "0,2" to a bit set */
static uint64_t
word_after(const char *s)
{
	uint64_t set = 0;
	char *end;
	unsigned long i;

	while (*s != '\0') {
		i = strtoul(s, &end, 10);
		if (end == s || i >= PIPES_MAX)
			break;
		set |= (uint64_t)1 << i;
		s = *end == ',' ? end + 1 : end;
	}
	return set;
}

/* pipe_word - one name=value of a pipeline line */
static void
pipe_word(struct job *j, struct pipe *p, const char *s)
{
	const char *v = strchr(s, '=');
	size_t n;

	if (v == NULL)
		return;
	n = (size_t)(v++ - s);
#define IS(name)	(n == sizeof(name) - 1 && strncmp(s, name, n) == 0)
	if (IS("cores"))
		p->cores = word_num(v);
	else if (IS("memory"))
		p->memory = word_num(v);
	else if (IS("disk"))
		p->disk = word_num(v);
	else if (IS("seconds"))
		p->seconds = word_num(v);
	else if (IS("gpus"))
		p->gpus = strcmp(v, "auto") == 0 ? GPUS_AUTO : (int)word_num(v);
	else if (IS("after"))
		p->after = word_after(v);
	else if (IS("state"))
		p->state = (enum pipe_state)word_place(pipe_state_names, 4, v);
	else if (IS("tries"))
		p->tries = (int)word_num(v);
	else if (IS("crashes"))
		p->crashes = (int)word_num(v);
	else if (IS("not-before"))
		p->not_before = (time_t)word_num(v);
	else if (IS("why"))
		p->why = arena_str(j->arena, v);
#undef IS
}

/* ticket_pipe - a pipeline line of ticket (makes one) or state (finds it) */
static void
ticket_pipe(struct job *j, const struct line *l)
{
	struct pipe *p = NULL;

	for (size_t i = 0; i < j->npipes; i++)
		if (strcmp(j->pipe[i].name, l->word[1].s) == 0)
			p = &j->pipe[i];
	if (p == NULL && j->npipes < PIPES_MAX) {
		j->pipe = arena_grow(j->arena, j->pipe, j->npipes,
		    j->npipes + 1, sizeof(*j->pipe));
		p = &j->pipe[j->npipes++];
		p->name = arena_str(j->arena, l->word[1].s);
	}
	for (size_t i = 2; p != NULL && i < l->n; i++)
		pipe_word(j, p, l->word[i].s);
}

/* ticket_after - the jobs that this one waits for */
static void
ticket_after(struct job *j, const struct line *l)
{
	j->nafter = l->n - 1;
	j->after = arena_array(j->arena, j->nafter, sizeof(*j->after));
	for (size_t i = 0; i < j->nafter; i++)
		j->after[i] = arena_str(j->arena, l->word[i + 1].s);
}

/* ticket_drop - the drop's name and identity */
static void
ticket_drop(struct job *j, const struct line *l)
{
	j->drop = arena_str(j->arena, l->word[1].s);
	if (l->n < 5)
		return;
	j->drop_dev = (uint64_t)word_num(l->word[2].s);
	j->drop_ino = (uint64_t)word_num(l->word[3].s);
	j->drop_ctime = word_num(l->word[4].s);
}

/* ticket_line - one line of entry, ticket or state; unknown words are passed */
static void
ticket_line(struct job *j, const struct line *l)
{
	const char *k = l->word[0].s, *v = l->n > 1 ? l->word[1].s : "";

	if (l->n > 1 && strcmp(k, "pipeline") == 0)
		ticket_pipe(j, l);
	else if (l->n > 1 && strcmp(k, "after") == 0)
		ticket_after(j, l);
	else if (l->n > 1 && strcmp(k, "drop") == 0)
		ticket_drop(j, l);
	else if (strcmp(k, "owner") == 0)
		j->owner = (uid_t)word_num(v);
	else if (strcmp(k, "submitted") == 0)
		j->submitted = (time_t)word_num(v);
	else if (strcmp(k, "template") == 0)
		j->template = arena_str(j->arena, v);
	else if (strcmp(k, "priority") == 0)
		j->priority = (int)word_num(v);
	else if (strcmp(k, "attempts") == 0)
		j->attempts = (int)word_num(v);
	else if (strcmp(k, "not-before") == 0)
		j->not_before = (time_t)word_num(v);
	else if (strcmp(k, "every") == 0)
		j->every = arena_str(j->arena, v);
	else if (strcmp(k, "catch-up") == 0)
		j->catch_up = strcmp(v, "latest") == 0;
	else if (strcmp(k, "held") == 0)
		j->held = (enum held)word_place(held_names, 4, v);
	else if (strcmp(k, "hold-wanted") == 0)
		j->hold_wanted = true;
	else if (strcmp(k, "cancelled") == 0)
		j->cancelled = true;
	else if (strcmp(k, "fired") == 0)
		j->fired = (time_t)word_num(v);
	else if (strcmp(k, "ended") == 0)
		j->ended = (time_t)word_num(v);
	else if (strcmp(k, "fate") == 0)
		j->fate = (int)word_num(v);
	else if (strcmp(k, "why") == 0)
		j->why = arena_str(j->arena, v);
}

/* ticket_read - one of the three files */
static int
ticket_read(struct job *j, struct arena *scratch, int dir, const char *name,
    struct err *e)
{
	struct view text;
	struct words w;
	struct line l;

	if (file_read(scratch, dir, name, WORDS_MAX, &text, e) == -1 ||
	    words_open(&w, scratch, text.p, text.n, e) == -1)
		return err_prefix(e, "%s: %s: ", j->id, name);
	for (;;) {
		if (words_next(&w, &l, e) == -1)
			return err_prefix(e, "%s: %s: ", j->id, name);
		if (l.n == 0)
			return 0;
		ticket_line(j, &l);
	}
}

struct job *
ticket_load(int dir, const char *id, enum place place, struct err *e)
{
	struct arena *a = arena_new(), *scratch = arena_new();
	struct job *j = arena_alloc(a, sizeof(*j));
	int rc;

	j->arena = a;
	snprintf(j->id, sizeof(j->id), "%s", id);
	j->place = place;
	j->priority = 50;
	j->attempts = 1;
	j->catch_up = true;
	rc = ticket_read(j, scratch, dir, "entry", e);
	if (rc == 0 && (place != PLACE_FAILED || file_exists(dir, "ticket")))
		rc = ticket_read(j, scratch, dir, "ticket", e);
	if (rc == 0 && file_exists(dir, "state"))
		rc = ticket_read(j, scratch, dir, "state", e);
	arena_free(scratch);
	if (rc == 0)
		return j;
	arena_free(a);
	return NULL;
}

void
ticket_free(struct job *j)
{
	arena_free(j->arena);
}

/* save_pipe - a pipeline's line in the state file */
static void
save_pipe(struct buf *b, const struct pipe *p)
{
	/* a running pipeline is found by its lock, not by this file */
	buf_printf(b, "pipeline %s state=%s tries=%d crashes=%d "
	    "not-before=%lld", p->name,
	    pipe_state_names[p->state == PIPE_RUN ? PIPE_WAIT : p->state],
	    p->tries, p->crashes, (long long)p->not_before);
	if (p->why != NULL) {
		buf_str(b, " why=");
		buf_word(b, p->why);
	}
	buf_char(b, '\n');
}

int
ticket_save(const struct job *j, int dir, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, WORDS_MAX);
	buf_printf(&b, "priority %d\n", j->priority);
	if (j->held != HELD_NOT)
		buf_printf(&b, "held %s\n", held_names[j->held]);
	if (j->hold_wanted)
		buf_str(&b, "hold-wanted\n");
	if (j->cancelled)
		buf_str(&b, "cancelled\n");
	if (j->fired != 0)
		buf_printf(&b, "fired %lld\n", (long long)j->fired);
	if (j->ended != 0)
		buf_printf(&b, "ended %lld\nfate %d\n", (long long)j->ended,
		    j->fate);
	if (j->why != NULL) {
		buf_str(&b, "why ");
		buf_word(&b, j->why);
		buf_char(&b, '\n');
	}
	for (size_t i = 0; i < j->npipes; i++)
		save_pipe(&b, &j->pipe[i]);
	rc = file_replace(dir, "state", buf_get(&b), 0640, false, e);
	buf_free(&b);
	return rc;
}

int
ticket_entry(const struct job *j, const char *hash, int dir, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, WORDS_MAX);
	buf_printf(&b, "entry 1\nowner %lu\nsubmitted %lld\ndrop ",
	    (unsigned long)j->owner, (long long)j->submitted);
	buf_word(&b, j->drop);
	buf_printf(&b, " %llu %llu %lld\n", (unsigned long long)j->drop_dev,
	    (unsigned long long)j->drop_ino, (long long)j->drop_ctime);
	if (hash != NULL)
		buf_printf(&b, "hash %s\n", hash);
	if (j->template != NULL)
		buf_printf(&b, "template %s\n", j->template);
	rc = file_replace(dir, "entry", buf_get(&b), 0640, false, e);
	buf_free(&b);
	return rc;
}
