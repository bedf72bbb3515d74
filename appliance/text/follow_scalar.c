/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/follow_scalar.h"

#define DIGITS	15

enum { S_IN = 1, S_REST, S_ESCAPE, S_HEX };	/* a string's */
enum { N_MINUS = 1, N_ZERO, N_INT, N_DOT, N_FRACTION, N_E, N_SIGN, N_POWER };

/* rest_of - a character's first byte: how many follow, and the first of them
 * from which to which (Unicode, table 3-7) */
static unsigned
rest_of(unsigned char c, unsigned *lo, unsigned *hi)
{
	*lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	return c < 0xc2 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 0;
}

/* hex_step - at: digits read; count: those so far were D, of half a pair if
 * 8 to F follows */
static enum follow_verdict
hex_step(struct follow_frame *t, unsigned char c)
{
	bool digit = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <=
	    'f');

	if (!digit || (t->at == 1 && t->count == 1 && (c < '0' || c > '7')))
		return FOLLOW_DEAD;
	t->count = t->at == 0 && (c | 32) == 'd';
	if (++t->at == 4)
		t->state = S_IN;
	return FOLLOW_STAY;
}

enum follow_verdict
follow_string(struct follow_frame *t, unsigned char c)
{
	unsigned lo, hi, rest;

	switch (t->state) {
	case FOLLOW_START:
		t->state = S_IN;
		return c == '"' ? FOLLOW_STAY : FOLLOW_DEAD;
	case S_REST:			/* at: bytes left; count: lo, hi */
		lo = t->count >> 8;
		hi = t->count & 255;
		if (c < lo || c > hi)
			return FOLLOW_DEAD;
		t->count = 0x80bf;
		if (--t->at == 0)
			t->state = S_IN;
		return FOLLOW_STAY;
	case S_ESCAPE:
		t->state = c == 'u' ? S_HEX : S_IN;
		t->at = t->count = 0;
		return c != 0 && strchr("\"\\/bfnrtu", c) != NULL ?
		    FOLLOW_STAY : FOLLOW_DEAD;
	case S_HEX:
		return hex_step(t, c);
	default:
		break;
	}
	if (c == '"')
		return FOLLOW_DONE;
	if (c < 0x20)
		return FOLLOW_DEAD;
	if (c == '\\')
		t->state = S_ESCAPE;
	if (c < 0x80)
		return FOLLOW_STAY;
	rest = rest_of(c, &lo, &hi);
	t->state = S_REST;
	t->at = (uint16_t)rest;
	t->count = (uint16_t)(lo << 8 | hi);
	return rest > 0 ? FOLLOW_STAY : FOLLOW_DEAD;
}

/* number_digit - one more in a state that counts them; true if it may be */
static bool
number_digit(struct follow_frame *t, unsigned state, unsigned char c,
    unsigned most)
{
	if (c < '0' || c > '9' || (t->state == state && t->count == most))
		return false;
	t->count = t->state == state ? (uint16_t)(t->count + 1) : 1;
	t->state = (uint16_t)state;
	return true;
}

enum follow_verdict
follow_number(struct follow_frame *t, unsigned char c, bool whole)
{
	switch (t->state) {
	case FOLLOW_START:
		if (c == '-') {
			t->state = N_MINUS;
			return FOLLOW_STAY;
		}
		/* fall through */
	case N_MINUS:
		if (c != '0')
			return number_digit(t, N_INT, c, DIGITS) ?
			    FOLLOW_STAY : FOLLOW_DEAD;
		t->state = N_ZERO;
		return FOLLOW_STAY;
	case N_INT:
		if (number_digit(t, N_INT, c, DIGITS))
			return FOLLOW_STAY;
		/* fall through */
	case N_ZERO:
		if (whole || (c != '.' && (c | 32) != 'e'))
			return FOLLOW_PASS;
		t->state = c == '.' ? N_DOT : N_E;
		return FOLLOW_STAY;
	case N_DOT:
		return number_digit(t, N_FRACTION, c, DIGITS) ? FOLLOW_STAY :
		    FOLLOW_DEAD;
	case N_FRACTION:
		if (number_digit(t, N_FRACTION, c, DIGITS))
			return FOLLOW_STAY;
		if ((c | 32) != 'e')
			return FOLLOW_PASS;
		t->state = N_E;
		return FOLLOW_STAY;
	case N_E:
		t->state = N_SIGN;
		if (c == '+' || c == '-')
			return FOLLOW_STAY;
		/* fall through */
	case N_SIGN:
		return number_digit(t, N_POWER, c, 2) ? FOLLOW_STAY :
		    FOLLOW_DEAD;
	default:
		return number_digit(t, N_POWER, c, 2) ? FOLLOW_STAY :
		    FOLLOW_PASS;
	}
}

bool
follow_number_ends(const struct follow_frame *t)
{
	return t->state == N_ZERO || t->state == N_INT || t->state ==
	    N_FRACTION || t->state == N_POWER;
}

bool
follow_string_within(const struct follow_frame *t)
{
	return t->state == S_IN;
}
