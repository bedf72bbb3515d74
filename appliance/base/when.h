/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_WHEN_H
#define BASE_WHEN_H

#include "appliance/base/err.h"

#include <time.h>

/*
 * when.h - amounts and times as people write them.
 *
 * Durations: 90, 90s, 10m, 2h, 1d, 1w (no unit: seconds).  Sizes: 100, 64K,
 * 4M, 2G, 1T (powers of 1024).  Times: 2026-12-01, 2026-12-01T02:00[:00],
 * 02:00 (the next), +2h.  Calendars: "hour", "15m", "day 02:00",
 * "sun 02:00", "mon,wed,fri 08:30", "month 1 02:00"; local time.
 */

int when_duration(const char *, int64_t *seconds, struct err *);
int when_size(const char *, int64_t *bytes, struct err *);
int when_time(const char *, time_t now, time_t *, struct err *);

struct calendar {
	enum { EVERY_INTERVAL, EVERY_WEEK, EVERY_MONTH } kind;
	int64_t seconds;	/* EVERY_INTERVAL: since the epoch */
	unsigned days;		/* EVERY_WEEK: bit 0 is Sunday */
	int mday;		/* EVERY_MONTH: 1 to 31, at most the last */
	int hour, min;
};

int when_calendar(const char *, struct calendar *, struct err *);

/* when_next - the first firing after t */
time_t when_next(const struct calendar *, time_t t);

/* as text: 1h02m, 4.0G, 2026-11-24T02:00:00Z; out holds at least 32 bytes */
const char *when_show_duration(int64_t seconds, char *out);
const char *when_show_size(double bytes, char *out);
const char *when_show_time(time_t, char *out);

/* when_mono - seconds on a clock that is never set */
double when_mono(void);

#endif
