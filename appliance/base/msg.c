/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static const char *program = "quern";
static enum msg_level loudest = MSG_INFO;
static enum { TO_STDERR, TO_JOURNAL, TO_SYSLOG } sink;
static bool stamped, over;

void
msg_open(const char *name, enum msg_level level)
{
	program = name;
	loudest = level;
	if (getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO))
		sink = TO_JOURNAL;
}

void
msg_level(enum msg_level level)
{
	loudest = level;
}

void
msg_syslog(void)
{
	openlog(program, LOG_PID, LOG_DAEMON);
	sink = TO_SYSLOG;
}

void
msg_stamp(bool on)
{
	stamped = on;
}

void
msg_over(bool on)
{
	over = on;
}

/*
 * msg_say - one line, one write: lines of several processes that append to one
 * log stay whole
 */
static void
msg_say(enum msg_level level, const char *fmt, va_list ap)
{
	char text[1024], line[1200], when[40] = "";
	struct tm tm;
	time_t now;
	int n;

	if (level > loudest)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	if (sink == TO_SYSLOG) {
		syslog((int)level, "%s", text);
		return;
	}
	if (stamped) {
		now = time(NULL);
		gmtime_r(&now, &tm);
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	}
	if (sink == TO_JOURNAL)
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		n = snprintf(line, sizeof(line), "%s%s%s: %s%s\n",
		    over ? "\r\033[K" : "", when, program,
		    level == MSG_WARN ? "warning: " : "", text);
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	while (write(STDERR_FILENO, line, (size_t)n) == -1 && errno == EINTR)
		continue;
}

#define SAY(level) do {							\
	va_list ap;							\
	va_start(ap, fmt);						\
	msg_say(level, fmt, ap);					\
	va_end(ap);							\
} while (0)

void
msg_error(const char *fmt, ...)
{
	SAY(MSG_ERROR);
}

void
msg_warn(const char *fmt, ...)
{
	SAY(MSG_WARN);
}

void
msg_info(const char *fmt, ...)
{
	SAY(MSG_INFO);
}

void
msg_debug(const char *fmt, ...)
{
	SAY(MSG_DEBUG);
}

void
msg_fatal(int status, const char *fmt, ...)
{
	SAY(MSG_ERROR);
	exit(status);
}

void
msg_panic(const char *file, int line, const char *fmt, ...)
{
	msg_error("panic at %s:%d", file, line);
	SAY(MSG_ERROR);
	abort();
}
