/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/id.h"
#include "appliance/base/msg.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";

void
id_new(char out[ID_LEN + 1])
{
	unsigned char bits[8];
	struct tm tm;
	time_t now = time(NULL);
	ssize_t n;

	while ((n = getrandom(bits, sizeof(bits), 0)) == -1 && errno == EINTR)
		continue;
	if (n != (ssize_t)sizeof(bits))
		panic("getrandom: %s", strerror(errno));
	gmtime_r(&now, &tm);
	strftime(out, ID_LEN + 1, "%Y%m%d-%H%M%S-", &tm);
	for (size_t i = 0; i < 8; i++)
		out[16 + i] = letters[bits[i] & 31];
	out[ID_LEN] = '\0';
}

/* id_char - may c stand at place i of an id */
static bool
id_char(size_t i, char c)
{
	if (i == 8 || i == 15)
		return c == '-';
	if (i < 15)
		return c >= '0' && c <= '9';
	return c != '\0' && strchr(letters, c) != NULL;
}

bool
id_prefix(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if (i == ID_LEN || !id_char(i, s[i]))
			return false;
	return i > 0;
}

bool
id_valid(const char *s)
{
	return strlen(s) == ID_LEN && id_prefix(s);
}

bool
name_valid(const char *s, size_t n)
{
	if (n == 0 || n > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((s[i] >= 'a' && s[i] <= 'z') ||
		    (s[i] >= '0' && s[i] <= '9'))
			continue;
		if (i == 0 || (s[i] != '.' && s[i] != '_' && s[i] != '-'))
			return false;
	}
	return true;
}

unsigned
name_distance(const char *a, const char *b)
{
	unsigned row[65], diag, up, best;
	size_t n = strlen(a), m = strlen(b);

	if (n > 64 || m > 64)
		return 99;
	for (size_t j = 0; j <= m; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		diag = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			up = row[j];
			best = diag + (a[i - 1] != b[j - 1]);
			if (up + 1 < best)
				best = up + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diag = up;
		}
	}
	return row[m];
}
