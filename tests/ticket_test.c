/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tap.h"

#include "appliance/base/file.h"
#include "spool/ticket.h"

#include <fcntl.h>
#include <unistd.h>

static const char entry[] = "entry 1\nowner 1000\nsubmitted 5\n"
    "drop \"a b\" 1 2 3\n";
static const char ticket[] = "ticket 1\npriority 70\nattempts 4\n"
    "not-before 9\nevery \"sun 02:00\"\ncatch-up none\nafter x y\n"
    "pipeline one cores=2 memory=3 disk=4 seconds=5 gpus=auto after=\n"
    "pipeline two cores=0 memory=0 disk=0 seconds=0 gpus=1 after=0\n"
    "unknown line\n";

int
main(void)
{
	const char *path = tap_dir();
	struct job *j;
	struct err e;
	int dir;

	dir = file_dir(AT_FDCWD, path, &e);
	file_replace(dir, "entry", VIEW(entry), 0600, false, &e);
	tap(ticket_load(dir, "i", PLACE_QUEUE, &e) == NULL,
	    "a queued job without a ticket is none");
	j = ticket_load(dir, "i", PLACE_FAILED, &e);
	tap(j != NULL && j->npipes == 0, "a rejected one has none");
	ticket_free(j);
	file_replace(dir, "ticket", VIEW(ticket), 0600, false, &e);
	j = ticket_load(dir, "i", PLACE_QUEUE, &e);
	tap(j->owner == 1000 && j->submitted == 5 && j->drop_ctime == 3,
	    "entry");
	tap(j->priority == 70 && j->attempts == 4 && j->not_before == 9 &&
	    !j->catch_up && j->nafter == 2, "settings");
	tap_str(j->every, "sun 02:00", "calendar");
	tap(j->npipes == 2 && j->pipe[0].gpus == GPUS_AUTO &&
	    j->pipe[0].seconds == 5 && j->pipe[1].after == 1, "pipelines");
	j->pipe[0].state = PIPE_DONE;
	j->pipe[1].state = PIPE_RUN;
	j->pipe[1].why = "with \"quotes\" and\nlines";
	j->pipe[1].tries = 2;
	j->priority = 10;
	j->held = HELD_SPACE;
	tap(ticket_save(j, dir, &e) == 0, "save");
	ticket_free(j);
	j = ticket_load(dir, "i", PLACE_RUN, &e);
	tap(j->priority == 10 && j->held == HELD_SPACE &&
	    j->pipe[0].state == PIPE_DONE && j->pipe[1].tries == 2,
	    "and load again");
	tap(j->pipe[1].state == PIPE_WAIT, "what ran is looked for by lock");
	tap_str(j->pipe[1].why, "with \"quotes\" and\nlines", "words survive");
	ticket_free(j);
	file_remove(AT_FDCWD, path, &e);
	return tap_done();
}
