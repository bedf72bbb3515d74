/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ID_H
#define BASE_ID_H

/*
 * id.h - names of jobs and of things.
 *
 * A job's id is YYYYMMDD-HHMMSS-xxxxxxxx: UTC, then 40 random bits in base 32
 * (Crockford's letters, lower case).  It sorts by age and is never reused.
 */

#define ID_LEN	24
#define NAME_MAX_LEN	64

void id_new(char out[ID_LEN + 1]);
bool id_valid(const char *);
bool id_prefix(const char *);		/* could begin an id */

/* name_valid - [a-z0-9][a-z0-9._-]{0,63} */
bool name_valid(const char *, size_t n);

/* name_distance - edit distance, for "did you mean"; 99 if a word is long */
unsigned name_distance(const char *, const char *);

#endif
