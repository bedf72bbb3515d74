/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MSG_H
#define BASE_MSG_H

/*
 * msg.h - what a process says to its administrator.
 *
 * Lines go to stderr as "program: text"; under a service manager that reads
 * stderr into its journal (JOURNAL_STREAM is set) they start with "<level>"
 * instead; after msg_syslog() they go to syslog.  msg_tag() adds where in the
 * work we are ("clean: ").  Only mains and this file end a process.
 */

enum msg_level { MSG_ERROR = 3, MSG_WARN = 4, MSG_INFO = 6, MSG_DEBUG = 7 };

/* msg_open - the program's name; messages above level are not said */
void msg_open(const char *program, enum msg_level level);
void msg_level(enum msg_level);

/* msg_syslog - from now on to syslog, for a daemon without a terminal */
void msg_syslog(void);

/* msg_stamp - start each stderr line with the time (a job's log) */
void msg_stamp(bool);

/* msg_over - a progress line stands on the terminal: messages go over it */
void msg_over(bool);

void msg_error(const char *, ...) BASE_PRINTF(1, 2);
void msg_warn(const char *, ...) BASE_PRINTF(1, 2);
void msg_info(const char *, ...) BASE_PRINTF(1, 2);
void msg_debug(const char *, ...) BASE_PRINTF(1, 2);

/* msg_fatal - say it and exit with a fate's status; for what cannot go on */
void msg_fatal(int status, const char *, ...)
    BASE_PRINTF(2, 3) __attribute__((noreturn));

/* panic - a bug: file, line, abort; never compiled out */
#define panic(...)	msg_panic(__FILE__, __LINE__, __VA_ARGS__)
void msg_panic(const char *file, int line, const char *, ...)
    BASE_PRINTF(3, 4) __attribute__((noreturn));

#endif
