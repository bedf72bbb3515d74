/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/*
 * err.h - an error is a destination.
 *
 * Whatever can fail on outside conditions takes a struct err last and returns
 * 0, or -1 with the error filled in.  The fate says what happens next; a
 * process ends with the fate's exit status (sysexits.h), so that the spool
 * needs one switch and no protocol.  The text is written once, where the fact
 * is known: lower case, subject in single quotes, what is wrong before where.
 */

enum fate {
	FATE_DONE,	/* 0: published or printed */
	FATE_USAGE,	/* 64: a command line that cannot be understood */
	FATE_REJECT,	/* 65: job or data are wrong; no use to try again */
	FATE_NOINPUT,	/* 66: what was named is not there */
	FATE_BUG,	/* 70: our own fault */
	FATE_CREATE,	/* 73: the result's place cannot be made */
	FATE_SPACE,	/* 74: wait for space */
	FATE_RETRY,	/* 75: may succeed later */
	FATE_PERM,	/* 77: not allowed */
	FATE_STOP,	/* 143: stopped at a mark on request */
};

struct err {
	enum fate fate;
	char text[512];
};

/* err_set - record fate and text; always -1.  Bytes that are no UTF-8, as those
 * of a quoted word that was cut, become question marks; so below */
int err_set(struct err *, enum fate, const char *, ...) BASE_PRINTF(3, 4);

/* err_errno - the same with ": strerror(errno)"; the fate follows errno */
int err_errno(struct err *, const char *, ...) BASE_PRINTF(2, 3);

/* err_prefix - put a position in front of the text; always -1 */
int err_prefix(struct err *, const char *, ...) BASE_PRINTF(2, 3);

/* fate_exit - the exit status that carries a fate */
int fate_exit(enum fate);

/* fate_of_exit - the fate that an exit status carries; FATE_BUG if none */
enum fate fate_of_exit(int);

/* fate_name - one word for people: done, rejected, retry, ... */
const char *fate_name(enum fate);

#endif
