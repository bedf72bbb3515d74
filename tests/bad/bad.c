/* SPDX-License-Identifier: Apache-2.0 */
/* bad - a module that misbehaves on request, for the tests of what it costs */
#include "appliance/base/base.h"
#include "appliance/module.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct bad_conf {
	int act;
	int64_t ms;
};

enum { BAD_SEGV, BAD_LOOP, BAD_LEAK, BAD_FORK, BAD_SOCKET, BAD_SCRIBBLE,
	BAD_SLOW, BAD_RETRY, BAD_ABORT, BAD_OPEN, BAD_DISK };

static const struct opt bad_opts[] = {
	OPT_ENUM(struct bad_conf, act, "slow", "segv|loop|leak|fork|socket|"
	    "scribble|slow|retry|abort|open|disk", OPT_POSITIONAL, "the deed"),
	OPT_INT(struct bad_conf, ms, "100", 0, 1e6, 0, "for slow, a batch"),
	OPT_DONE
};

/* bad_leak - memory that is touched and never given back */
static void
bad_leak(void)
{
	for (;;) {
		char *p = mem_alloc((size_t)1 << 20);

		memset(p, 1, (size_t)1 << 20);
	}
}

/* bad_disk - a file that grows and grows */
static int
bad_disk(struct stage *s, struct err *e)
{
	static char block[1 << 20];
	int fd = openat(stage_dir(s), "big", O_WRONLY | O_CREAT | O_CLOEXEC,
	    0600);

	while (!stage_stopping(s)) {
		struct timespec ts = { 0, 10000000 };

		if (file_put(fd, block, sizeof(block)) == -1)
			return err_errno(e, "big");
		nanosleep(&ts, NULL);
	}
	return stage_stop(e);
}

static int
bad_batch(struct stage *s, void *scratch, struct batch *b, struct err *e)
{
	const struct bad_conf *conf = s->conf;
	volatile int *null = NULL;
	struct timespec ts = { conf->ms / 1000, conf->ms % 1000 * 1000000 };
	int fd;

	(void)scratch;
	(void)b;
	switch (conf->act) {
	case BAD_SEGV:
		return *null;
	case BAD_ABORT:
		abort();
	case BAD_LOOP:
		for (;;)
			null = NULL;
	case BAD_LEAK:
		bad_leak();
		return 0;
	case BAD_DISK:
		return bad_disk(s, e);
	case BAD_FORK:
		if (fork() != -1)
			for (;;)
				pause();
		return err_set(e, FATE_REJECT, "fork: %s", strerror(errno));
	case BAD_SOCKET:
		if (socket(AF_INET, SOCK_STREAM, 0) != -1)
			return 0;
		return err_set(e, FATE_REJECT, "socket: %s", strerror(errno));
	case BAD_OPEN:
		fd = open("/etc/passwd", O_RDONLY);
		if (fd != -1)
			return 0;
		return err_set(e, FATE_REJECT, "open: %s", strerror(errno));
	case BAD_SCRIBBLE:
		for (fd = 3; fd < 64; fd++)
			(void)!write(fd, "scribble\n", 9);
		return 0;
	case BAD_RETRY:
		return err_set(e, FATE_RETRY, "not now");
	default:
		nanosleep(&ts, NULL);
		return 0;
	}
}

MODULE = {
	.abi = MODULE_ABI, .revision = 1,
	.name = "bad", .summary = "misbehave, for tests",
	.options = bad_opts, .conf_size = sizeof(struct bad_conf),
	.batch = bad_batch,
};
