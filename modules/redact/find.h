/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REDACT_FIND_H
#define REDACT_FIND_H

#include "appliance/base/buf.h"

/*
 * find.h - personal data that can be recognised by its form.
 *
 *   e-mail  local part of dots and atoms (RFC 5322), domain with a dot
 *   IP      v4 as four octets; v6 as RFC 4291 writes it
 *   phone   international "+" and 7 to 15 digits (E.164), or a national number
 *           that begins with 0 or a bracket and is written in groups
 *   card    13 to 19 digits in groups that pass the Luhn check (ISO/IEC 7812)
 *   IBAN    country, check digits, 11 to 30 characters, mod 97 = 1 (ISO 13616)
 */

enum find_kind { FIND_EMAIL, FIND_IP, FIND_PHONE, FIND_CARD, FIND_IBAN,
	FIND_KINDS };

extern const char *const find_names[FIND_KINDS];

/* find_next - the next one at or after *at among the kinds in the bit set;
 * false if there is none; *at moves behind it */
bool find_next(struct view text, size_t *at, unsigned kinds,
    enum find_kind *, struct view *);

/* the checks alone, for tests */
bool find_luhn(const char *digits, size_t n);
bool find_mod97(const char *iban, size_t n);

#endif
