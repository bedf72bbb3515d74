/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/err.h"

#include <errno.h>

static const struct {
	enum fate fate;
	int status;
	const char *name;
} fates[] = {
	{ FATE_DONE, 0, "done" },
	{ FATE_USAGE, 64, "usage" },
	{ FATE_REJECT, 65, "rejected" },
	{ FATE_NOINPUT, 66, "no-input" },
	{ FATE_BUG, 70, "bug" },
	{ FATE_CREATE, 73, "cannot-create" },
	{ FATE_SPACE, 74, "no-space" },
	{ FATE_RETRY, 75, "retry" },
	{ FATE_PERM, 77, "not-allowed" },
	{ FATE_STOP, 143, "stopped" },
	{ FATE_STOP, 130, "stopped" },
};

/* errno_fate - what an errno from a system call means for the job */
static enum fate
errno_fate(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return FATE_SPACE;
	case ENOENT:
	case ENOTDIR:
		return FATE_NOINPUT;
	case EACCES:
	case EPERM:
	case EROFS:
		return FATE_PERM;
	case EEXIST:
	case EISDIR:
	case ELOOP:
	case EXDEV:
	case EINVAL:
	case ENAMETOOLONG:
		return FATE_REJECT;
	default:
		return FATE_RETRY;
	}
}

/* follows - bytes behind the first of a well-formed character (RFC 3629); -1:
 * it is none */
static int
follows(const unsigned char *p)
{
	int n = p[0] < 0x80 ? 0 : p[0] < 0xc2 ? -1 : p[0] < 0xe0 ? 1 :
	    p[0] < 0xf0 ? 2 : p[0] < 0xf5 ? 3 : -1;

	for (int i = 1; i <= n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return -1;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return -1;
	return n;
}

/* mend - a text that is quoted may be cut within a character, or be no text;
 * reports are JSON, which must be */
static void
mend(struct err *e)
{
	unsigned char *p = (unsigned char *)e->text;
	int n;

	for (; *p != '\0'; p += 1 + n) {
		n = follows(p);
		if (n == -1) {
			*p = '?';
			n = 0;
		}
	}
}

int
err_set(struct err *e, enum fate fate, const char *fmt, ...)
{
	va_list ap;

	e->fate = fate;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	mend(e);
	return -1;
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	int error = errno;
	va_list ap;
	size_t n;

	e->fate = errno_fate(error);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", strerror(error));
	mend(e);
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->text)];
	va_list ap;
	size_t n;

	memcpy(old, e->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, "%s", old);
	mend(e);
	return -1;
}

int
fate_exit(enum fate fate)
{
	for (size_t i = 0; i < BASE_COUNT(fates); i++)
		if (fates[i].fate == fate)
			return fates[i].status;
	return 70;
}

enum fate
fate_of_exit(int status)
{
	for (size_t i = 0; i < BASE_COUNT(fates); i++)
		if (fates[i].status == status)
			return fates[i].fate;
	return FATE_BUG;
}

const char *
fate_name(enum fate fate)
{
	for (size_t i = 0; i < BASE_COUNT(fates); i++)
		if (fates[i].fate == fate)
			return fates[i].name;
	return "bug";
}
