/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static const char *const weekdays[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat"
};

/* when_amount - NUMBER[UNIT]; fractions are allowed with a unit */
static int
when_amount(const char *s, const char *units, const int64_t *factor,
    int64_t *out)
{
	const char *u;
	char *end;
	double x;

	if (!isdigit((unsigned char)*s))
		return -1;
	errno = 0;
	x = strtod(s, &end);
	if (strpbrk(s, "xXpPeEnN") != NULL)	/* strtod's hex, nan, 1e9 */
		return -1;
	if (*end != '\0') {
		u = strchr(units, tolower((unsigned char)*end));
		if (u == NULL || end[1] != '\0')
			return -1;
		x *= (double)factor[u - units];
	}
	if (errno != 0 || x < 0 || x > 9e18)
		return -1;
	*out = (int64_t)x;
	return 0;
}

int
when_duration(const char *s, int64_t *out, struct err *e)
{
	static const int64_t factor[] = { 1, 60, 3600, 86400, 604800 };

	if (when_amount(s, "smhdw", factor, out) == -1)
		return err_set(e, FATE_REJECT,
		    "'%s' is not a duration such as 90s, 10m, 2h, 1d, 1w", s);
	return 0;
}

int
when_size(const char *s, int64_t *out, struct err *e)
{
	static const int64_t factor[] = { 1, 1 << 10, 1 << 20, 1 << 30,
	    (int64_t)1 << 40 };

	if (when_amount(s, "bkmgt", factor, out) == -1)
		return err_set(e, FATE_REJECT,
		    "'%s' is not a size such as 64K, 4M, 2G", s);
	return 0;
}

/* when_clock - HH:MM */
static int
when_clock(const char *s, int *hour, int *min)
{
	char c;

	if (sscanf(s, "%2d:%2d%c", hour, min, &c) != 2 || *hour < 0 ||
	    *hour > 23 || *min < 0 || *min > 59)
		return -1;
	return 0;
}

int
when_time(const char *s, time_t now, time_t *out, struct err *e)
{
	struct tm tm;
	int64_t d;
	const char *end;

	if (*s == '+') {
		if (when_duration(s + 1, &d, e) == -1)
			return -1;
		*out = now + d;
		return 0;
	}
	localtime_r(&now, &tm);
	tm.tm_sec = 0;
	if (when_clock(s, &tm.tm_hour, &tm.tm_min) == 0) {
		*out = mktime(&tm);
		if (*out <= now) {
			tm.tm_mday++;
			*out = mktime(&tm);
		}
		return 0;
	}
	memset(&tm, 0, sizeof(tm));
	end = strptime(s, "%Y-%m-%d", &tm);
	if (end != NULL && *end == 'T')
		end = strptime(end + 1, "%H:%M", &tm);
	if (end != NULL && *end == ':')
		end = strptime(end + 1, "%S", &tm);
	if (end == NULL || *end != '\0')
		return err_set(e, FATE_REJECT, "'%s' is not a time such as "
		    "2026-12-01T02:00, 02:00 or +2h", s);
	tm.tm_isdst = -1;
	*out = mktime(&tm);
	return 0;
}

/* when_days - "mon,wed,fri" or "day" to a bit set */
static int
when_days(const char *s, unsigned *days)
{
	size_t n, i;

	if (strcasecmp(s, "day") == 0) {
		*days = 0x7f;
		return 0;
	}
	for (*days = 0; *s != '\0'; s += n + (s[n] == ',')) {
		n = strcspn(s, ",");
		for (i = 0; i < 7; i++)
			if (n == 3 && strncasecmp(s, weekdays[i], 3) == 0)
				break;
		if (i == 7)
			return -1;
		*days |= 1u << i;
	}
	return *days == 0 ? -1 : 0;
}

int
when_calendar(const char *s, struct calendar *c, struct err *e)
{
	char first[64], second[16] = "", third[16] = "", extra;
	struct err ignored;
	int n;

	memset(c, 0, sizeof(*c));
	n = sscanf(s, "%63s %15s %15s %c", first, second, third, &extra);
	if (n == 1 && strcasecmp(first, "hour") == 0) {
		c->seconds = 3600;
		return 0;
	}
	if (n == 1 && when_duration(first, &c->seconds, &ignored) == 0 &&
	    c->seconds > 0)
		return 0;
	if (n >= 1 && n <= 2 && when_days(first, &c->days) == 0) {
		c->kind = EVERY_WEEK;
		if (n == 1 || when_clock(second, &c->hour, &c->min) == 0)
			return 0;
	}
	if (n >= 2 && n <= 3 && strcasecmp(first, "month") == 0) {
		c->kind = EVERY_MONTH;
		c->mday = atoi(second);
		if (c->mday >= 1 && c->mday <= 31 && (n == 2 ||
		    when_clock(third, &c->hour, &c->min) == 0))
			return 0;
	}
	return err_set(e, FATE_REJECT, "'%s' is not a calendar such as "
	    "\"sun 02:00\", \"mon,wed 08:30\", \"day 02:00\", \"month 1 "
	    "02:00\", \"hour\" or \"15m\"", s);
}

/* month_days - days in tm's month */
static int
month_days(const struct tm *tm)
{
	struct tm last = { .tm_year = tm->tm_year, .tm_mon = tm->tm_mon + 1,
	    .tm_mday = 0, .tm_hour = 12, .tm_isdst = -1 };

	mktime(&last);
	return last.tm_mday;
}

time_t
when_next(const struct calendar *c, time_t t)
{
	struct tm tm;
	time_t at;
	int want;

	if (c->kind == EVERY_INTERVAL)
		return t - t % c->seconds + c->seconds;
	localtime_r(&t, &tm);
	for (int day = 0; day < 400; day++) {
		struct tm d = { .tm_year = tm.tm_year, .tm_mon = tm.tm_mon,
		    .tm_mday = tm.tm_mday + day, .tm_hour = c->hour,
		    .tm_min = c->min, .tm_isdst = -1 };

		at = mktime(&d);
		if (at <= t)
			continue;
		if (c->kind == EVERY_WEEK && (c->days & 1u << d.tm_wday))
			return at;
		want = c->mday < month_days(&d) ? c->mday : month_days(&d);
		if (c->kind == EVERY_MONTH && d.tm_mday == want)
			return at;
	}
	return t + 86400;
}

const char *
when_show_duration(int64_t s, char *out)
{
	if (s < 60)
		snprintf(out, 32, "%ds", (int)s);
	else if (s < 3600)
		snprintf(out, 32, "%dm%02ds", (int)(s / 60), (int)(s % 60));
	else if (s < 172800)
		snprintf(out, 32, "%dh%02dm", (int)(s / 3600),
		    (int)(s % 3600 / 60));
	else
		snprintf(out, 32, "%lldd%02dh", (long long)(s / 86400),
		    (int)(s % 86400 / 3600));
	return out;
}

const char *
when_show_size(double n, char *out)
{
	static const char units[] = "BKMGTP";
	int i = 0;

	for (; n >= 1024 && units[i + 1] != '\0'; i++)
		n /= 1024;
	snprintf(out, 32, i == 0 ? "%.0f%c" : "%.1f%c", n, units[i]);
	return out;
}

const char *
when_show_time(time_t t, char *out)
{
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

double
when_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}
