/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/base/when.h"
#include "spool/quern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* ask_put - leave a request for quernd: ID.verb, with a number or empty */
static int
ask_put(struct quern *q, const char *id, const char *verb, const char *number,
    struct err *e)
{
	char name[ID_LEN + 16], tmp[ID_LEN + 32];
	int fd;

	snprintf(name, sizeof(name), "%s.%s", id, verb);
	snprintf(tmp, sizeof(tmp), ".%s.%d.part", name, (int)getpid());
	fd = openat(q->spool.incoming, tmp,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	if (fd == -1)
		return err_errno(e, "cannot leave a request in '%s/incoming'",
		    q->spool.path);
	if (number != NULL && file_put(fd, number, strlen(number)) == -1) {
		err_errno(e, "cannot write a request");
		close(fd);
		unlinkat(q->spool.incoming, tmp, 0);
		return -1;
	}
	close(fd);
	return file_rename(q->spool.incoming, tmp, q->spool.incoming, name, e);
}

/* ask_one - find the job, say so if nobody will listen for now */
static int
ask_one(struct quern *q, const char *prefix, const char *verb,
    const char *number, struct err *e)
{
	char id[ID_LEN + 1], file[ID_LEN + 5];
	enum place place;

	snprintf(file, sizeof(file), "%.*s.job", ID_LEN, prefix);
	if (id_valid(prefix) && file_exists(q->spool.incoming, file))
		memcpy(id, prefix, sizeof(id));	/* not admitted yet */
	else if (spool_find(&q->spool, prefix, id, &place, e) == -1)
		return -1;
	return ask_put(q, id, verb, number, e);
}

int
verb_ask(struct quern *q, int argc, char **argv, struct err *e)
{
	const char *number = NULL;
	char *end;
	long n;
	int i = 1;

	if (strcmp(argv[0], "priority") == 0 && argc > 2) {
		number = argv[i++];
		n = strtol(number, &end, 10);
		if (*end != '\0' || end == number || n < 0 || n > 100)
			return err_set(e, FATE_USAGE,
			    "a priority is 0 to 100, not '%s'", number);
	}
	if (i >= argc || (number == NULL && argv[0][0] == 'p'))
		return quern_usage(argv[0], e);
	for (; i < argc; i++)
		if (ask_one(q, argv[i], argv[0], number, e) == -1)
			return -1;
	if (!q->quiet && !spool_alive(&q->spool))
		msg_info("quernd is not running; it will be done when it is");
	return 0;
}

int
verb_rerun(struct quern *q, int argc, char **argv, struct err *e)
{
	char id[ID_LEN + 1], number[16] = "";
	const char *from = NULL;
	enum place place;
	struct job *j;
	size_t i;

	if (argc == 4 && strcmp(argv[1], "--from") == 0)
		from = argv[2];
	else if (argc != 2)
		return quern_usage("rerun", e);
	if (spool_find(&q->spool, argv[argc - 1], id, &place, e) == -1)
		return -1;
	if (place < PLACE_DONE)
		return err_set(e, FATE_USAGE, "'%s' has not ended", id);
	j = spool_load(&q->spool, place, id, e);
	if (j == NULL)
		return -1;
	for (i = 0; from != NULL && i < j->npipes; i++)
		if (strcmp(j->pipe[i].name, from) == 0)
			break;
	if (j->npipes == 0)
		err_set(e, FATE_USAGE, "'%s' was rejected; submit a corrected "
		    "file", id);
	else if (from != NULL && i == j->npipes)
		err_set(e, FATE_USAGE, "'%s' has no pipeline '%s'", id, from);
	else {
		if (from != NULL)
			snprintf(number, sizeof(number), "%zu", i);
		ticket_free(j);
		return ask_put(q, id, "rerun", number, e);
	}
	ticket_free(j);
	return -1;
}

/* prune_one - remove a job if it ended before a time */
static int
prune_one(struct quern *q, enum place p, const char *id, time_t before,
    struct err *e)
{
	struct job *j = spool_load(&q->spool, p, id, e);
	time_t ended;

	if (j == NULL)
		return -1;
	ended = j->ended != 0 ? j->ended : j->submitted;
	ticket_free(j);
	if (ended > before)
		return 0;
	return spool_rm(&q->spool, p, id, e) == -1 ? -1 : 1;
}

int
verb_prune(struct quern *q, int argc, char **argv, struct err *e)
{
	int64_t age = q->conf.keep_done;
	size_t n, removed = 0;
	char **ids;
	int one;

	if (argc > 2)
		return quern_usage("prune", e);
	if (argc == 2 && when_duration(argv[1], &age, e) == -1)
		return -1;
	if (faccessat(q->spool.root, "done", W_OK, AT_EACCESS) == -1)
		return err_set(e, FATE_PERM, "only root and the spool's owner "
		    "prune; quern rm removes jobs of your own");
	for (enum place p = PLACE_DONE; p <= PLACE_FAILED; p++) {
		if (spool_ids(&q->spool, q->arena, p, &ids, &n, e) == -1)
			return -1;
		for (size_t i = 0; i < n; i++) {
			one = prune_one(q, p, ids[i], time(NULL) - age, e);
			if (one == -1)
				return -1;
			removed += (size_t)one;
		}
	}
	if (!q->quiet)
		printf("%zu jobs removed\n", removed);
	return 0;
}

int
verb_migrate(struct quern *q, int argc, char **argv, struct err *e)
{
	int from;

	(void)argv;
	if (argc != 1)
		return quern_usage("migrate", e);
	from = spool_migrate(q->conf.spool, e);
	if (from != -1)
		printf("the spool '%s' %s format 1\n", q->conf.spool,
		    from == 1 ? "has" : "now has");
	return from == -1 ? -1 : 0;
}

int
verb_drain(struct quern *q, int argc, char **argv, struct err *e)
{
	int fd;

	if (argc != 1)
		return quern_usage(argv[0], e);
	if (strcmp(argv[0], "resume") == 0) {
		if (unlinkat(q->spool.root, "drain", 0) == -1 &&
		    errno != ENOENT)
			return err_errno(e, "cannot end the drain of '%s'",
			    q->spool.path);
		return 0;
	}
	fd = openat(q->spool.root, "drain", O_WRONLY | O_CREAT | O_CLOEXEC,
	    0644);
	if (fd == -1)
		return err_errno(e, "cannot drain '%s'", q->spool.path);
	close(fd);
	return 0;
}
