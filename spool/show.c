/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/progress.h"
#include "spool/quern.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/* show_colour - a colour only on a terminal, and never with NO_COLOR */
static const char *
show_colour(const char *code)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && (no == NULL || *no == '\0') ? code : "";
}

/* show_owner - a user's name, or number; out holds 33 bytes */
static const char *
show_owner(uid_t uid, char *out)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw != NULL)
		snprintf(out, 33, "%.32s", pw->pw_name);
	else
		snprintf(out, 33, "%lu", (unsigned long)uid);
	return out;
}

/*
 * show_locked - a pipeline whose lock is held is running; we look with a
 * shared lock on a read-only descriptor and let go at once
 */
static bool
show_locked(int dir, const char *pipeline)
{
	char name[NAME_MAX_LEN + 8];
	bool held;
	int fd;

	snprintf(name, sizeof(name), "lock.%s", pipeline);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd == -1)
		return false;
	held = flock(fd, LOCK_SH | LOCK_NB) == -1;
	close(fd);
	return held;
}

/* show_load - a job with the state of its running pipelines */
static struct job *
show_load(struct quern *q, enum place place, const char *id, int *dir,
    struct err *e)
{
	struct job *j;

	*dir = spool_job(&q->spool, place, id, e);
	if (*dir == -1)
		return NULL;
	j = ticket_load(*dir, id, place, e);
	if (j == NULL) {
		close(*dir);
		return NULL;
	}
	for (size_t i = 0; place == PLACE_RUN && i < j->npipes; i++)
		if (j->pipe[i].state == PIPE_WAIT &&
		    show_locked(*dir, j->pipe[i].name))
			j->pipe[i].state = PIPE_RUN;
	return j;
}

/* list_json - one job as an object */
static void
list_json(struct buf *b, const struct job *j, const char *why)
{
	size_t done = 0;

	for (size_t i = 0; i < j->npipes; i++)
		done += j->pipe[i].state == PIPE_DONE;
	buf_printf(b, "{\"id\":\"%s\",\"place\":\"%s\",\"priority\":%d,"
	    "\"owner\":%lu,\"submitted\":%lld,\"ended\":%lld,\"fate\":%d,"
	    "\"pipelines\":%zu,\"pipelines_done\":%zu,\"file\":", j->id,
	    place_names[j->place], j->priority, (unsigned long)j->owner,
	    (long long)j->submitted, (long long)j->ended, j->fate, j->npipes,
	    done);
	buf_json_str(b, j->drop == NULL ? "" : j->drop);
	buf_str(b, ",\"why\":");
	buf_json_str(b, why);
	buf_char(b, '}');
}

/* list_row - one job as a line of the table */
static void
list_row(const struct job *j, const char *why)
{
	static const char *const colours[PLACES] = {
		"", "\033[33m", "\033[36m", "\033[32m", "\033[31m"
	};
	const char *colour = show_colour(colours[j->place]);
	char owner[33], age[32];
	size_t done = 0;

	for (size_t i = 0; i < j->npipes; i++)
		done += j->pipe[i].state == PIPE_DONE;
	printf("%s  %s%-6s%s %4d  %-8s  %-7s  %2zu/%-2zu  %s\n", j->id, colour,
	    place_names[j->place], *colour != '\0' ? "\033[0m" : "",
	    j->priority, show_owner(j->owner, owner),
	    when_show_duration(time(NULL) - j->submitted, age), done,
	    j->npipes, why);
}

/* list_place - all jobs of one place; how many, or -1 */
static int
list_place(struct quern *q, enum place p, struct buf *b, int n, struct err *e)
{
	bool draining = file_exists(q->spool.root, "drain");
	char why[200], **ids;
	struct job *j;
	size_t count;
	int dir;

	if (spool_ids(&q->spool, q->arena, p, &ids, &count, e) == -1)
		return -1;
	for (size_t i = 0; i < count; i++) {
		j = show_load(q, p, ids[i], &dir, e);
		if (j == NULL)
			continue;	/* it has moved meanwhile */
		if (q->json) {
			if (n > 0)
				buf_str(b, ",\n");
			list_json(b, j, job_why(j, draining, why));
		} else {
			if (n == 0)
				puts("ID                        PLACE  PRIO  "
				    "OWNER     AGE      PIPES  WHY");
			list_row(j, job_why(j, draining, why));
		}
		n++;
		ticket_free(j);
		close(dir);
	}
	return n;
}

int
verb_list(struct quern *q, int argc, char **argv, struct err *e)
{
	struct buf *b = buf_new(q->arena, (size_t)1 << 30);
	bool want[PLACES] = { false }, any = false;
	unsigned set;
	int i, n = 0;

	i = quern_options(argc, argv, "a", &set, e);
	if (i == -1)
		return -1;
	for (; i < argc; i++) {
		int p = 0;

		while (p < PLACES && strcmp(argv[i], place_names[p]) != 0)
			p++;
		if (p == PLACES)
			return err_set(e, FATE_USAGE, "no place '%s': queue "
			    "run hold done failed", argv[i]);
		want[p] = any = true;
	}
	for (int p = 0; p < PLACES && !any; p++)
		want[p] = p < PLACE_DONE || QUERN_OPT(set, 'a');
	for (int p = 0; p < PLACES && n >= 0; p++)
		if (want[p])
			n = list_place(q, (enum place)p, b, n, e);
	if (n == -1)
		return -1;
	if (q->json)
		printf("[%s]\n", buf_cstr(b));
	else if (n == 0 && !q->quiet)
		puts("no jobs");
	return 0;
}

/* show_rate - "1234/s, 40 %, 2m10s to go" */
static void
show_rate(const struct progress *p)
{
	char eta[32];
	double part;

	if (p->seconds > 0)
		printf("  %.0f records/s", (double)p->records /
		    (double)p->seconds);
	if (p->total > 0 && p->done > 0) {
		part = (double)p->done / (double)p->total;
		if (part > 1)
			part = 1;
		printf("  %.0f %%, %s to go", part * 100, when_show_duration(
		    (int64_t)((double)p->seconds * (1 - part) / part), eta));
	}
}

/* show_pipe - one pipeline and its stages */
static void
show_pipe(struct quern *q, const struct job *j, const struct pipe *p, int dir)
{
	struct progress pr;
	char spent[32];

	printf("\n%-12s %s", p->name, pipe_state_names[p->state]);
	if (!progress_load(q->arena, dir, p->name, &pr)) {
		printf("%s%s\n", p->why == NULL ? "" : ": ",
		    p->why == NULL ? "" : p->why);
		return;
	}
	printf(", %s", when_show_duration(pr.seconds, spent));
	if (p->tries > 0)
		printf(", attempt %d of %d", p->tries + 1, j->attempts);
	if (p->state == PIPE_RUN)
		show_rate(&pr);
	printf("%s%s\n", p->why == NULL ? "" : ": ",
	    p->why == NULL ? "" : p->why);
	if (pr.note != NULL)
		printf("  %s\n", pr.note);
	if (pr.nstages > 0)
		printf("  %-16s %10s %10s %10s %10s\n", "stage", "in", "kept",
		    "dropped", "failed");
	for (size_t i = 0; i < pr.nstages; i++)
		printf("  %-16s %10lld %10lld %10lld %10lld\n",
		    pr.stage[i].name, (long long)pr.stage[i].in,
		    (long long)pr.stage[i].kept,
		    (long long)pr.stage[i].dropped,
		    (long long)pr.stage[i].failed);
}

/* show_pipe_json - the same as an object */
static void
show_pipe_json(struct quern *q, struct buf *b, const struct pipe *p, int dir)
{
	struct progress pr;

	buf_printf(b, "{\"name\":\"%s\",\"state\":\"%s\",\"tries\":%d,"
	    "\"crashes\":%d,\"why\":", p->name, pipe_state_names[p->state],
	    p->tries, p->crashes);
	buf_json_str(b, p->why == NULL ? "" : p->why);
	progress_load(q->arena, dir, p->name, &pr);
	buf_printf(b, ",\"seconds\":%lld,\"records\":%lld,\"done\":%lld,"
	    "\"total\":%lld,\"stages\":[", (long long)pr.seconds,
	    (long long)pr.records, (long long)pr.done, (long long)pr.total);
	for (size_t i = 0; i < pr.nstages; i++)
		buf_printf(b, "%s{\"name\":\"%s\",\"in\":%lld,\"kept\":%lld,"
		    "\"dropped\":%lld,\"failed\":%lld}", i > 0 ? "," : "",
		    pr.stage[i].name, (long long)pr.stage[i].in,
		    (long long)pr.stage[i].kept,
		    (long long)pr.stage[i].dropped,
		    (long long)pr.stage[i].failed);
	buf_str(b, "]}");
}

/* show_error - the words of a rejection */
static void
show_error(struct quern *q, int dir)
{
	struct view text;
	struct err e;

	if (file_exists(dir, "error") &&
	    file_read(q->arena, dir, "error", WORDS_MAX, &text, &e) == 0)
		printf("%.*s\n", (int)text.n, text.p);
}

/* show_head - the job itself */
static void
show_head(struct quern *q, const struct job *j, const char *why, int dir)
{
	char owner[33], when[32];

	printf("job        %s\nfile       %s\nowner      %s\nplace      "
	    "%s%s%s\nsubmitted  %s\n", j->id, j->drop,
	    show_owner(j->owner, owner), place_names[j->place],
	    *why == '\0' ? "" : ": ", why,
	    when_show_time(j->submitted, when));
	printf("priority   %d\nattempts   %d\n", j->priority, j->attempts);
	if (j->template != NULL)
		printf("template   %s\n", j->template);
	if (j->ended != 0)
		printf("ended      %s\n", when_show_time(j->ended, when));
	show_error(q, dir);
	if (file_exists(dir, "result"))
		printf("result     %s/%s/%s/result\n", q->spool.path,
		    place_names[j->place], j->id);
}

int
verb_show(struct quern *q, int argc, char **argv, struct err *e)
{
	bool draining = file_exists(q->spool.root, "drain");
	struct buf *b = buf_new(q->arena, (size_t)1 << 30);
	char id[ID_LEN + 1], why[200];
	enum place place;
	struct job *j;
	int dir;

	if (argc != 2)
		return quern_usage("show", e);
	if (spool_find(&q->spool, argv[1], id, &place, e) == -1)
		return -1;
	j = show_load(q, place, id, &dir, e);
	if (j == NULL)
		return -1;
	if (q->json) {
		list_json(b, j, job_why(j, draining, why));
		b->n--;
		buf_str(b, ",\"stages_by_pipeline\":[");
		for (size_t i = 0; i < j->npipes; i++) {
			if (i > 0)
				buf_char(b, ',');
			show_pipe_json(q, b, &j->pipe[i], dir);
		}
		printf("%s]}\n", buf_cstr(b));
	} else {
		show_head(q, j, job_why(j, draining, why), dir);
		for (size_t i = 0; i < j->npipes; i++)
			show_pipe(q, j, &j->pipe[i], dir);
	}
	close(dir);
	ticket_free(j);
	return 0;
}
