/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/utf8.h"
#include "modules/redact/find.h"

#include <arpa/inet.h>
#include <ctype.h>

const char *const find_names[FIND_KINDS] = { "email", "ip", "phone", "card",
	"iban" };

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
alnum(char c)
{
	return digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* word - part of a word in any script: such a neighbour forbids a match */
static bool
word(char c)
{
	return alnum(c) || c == '_' || (unsigned char)c >= 0x80;
}

bool
find_luhn(const char *d, size_t n)
{
	unsigned sum = 0, x;

	for (size_t i = 0; i < n; i++) {
		x = (unsigned)(d[n - 1 - i] - '0');
		if (i % 2 == 1 && (x *= 2) > 9)
			x -= 9;
		sum += x;
	}
	return n > 0 && sum % 10 == 0;
}

bool
find_mod97(const char *s, size_t n)
{
	unsigned r = 0;

	if (n < 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[(i + 4) % n];

		if (digit(c))
			r = (r * 10 + (unsigned)(c - '0')) % 97;
		else
			r = (r * 100 + (unsigned)((c | 32) - 'a') + 10) % 97;
	}
	return r == 1;
}

/* atom - a character of an e-mail's local part */
static bool
atom(char c)
{
	return alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) !=
	    NULL);
}

/* email_domain - length of a domain with at least one dot; 0 */
static size_t
email_domain(const char *p, const char *end)
{
	const char *from = p, *label = p, *last = NULL;

	for (; p < end && (alnum(*p) || *p == '-' || *p == '.'); p++) {
		if (*p != '.')
			continue;
		if (p == label || p[-1] == '-')
			break;
		last = p;
		label = p + 1;
	}
	if (last == NULL)
		return 0;
	/* a dot at the end closes the sentence, not the domain */
	while (p > from && (p[-1] == '.' || p[-1] == '-'))
		p--;
	for (last = p; last > from && last[-1] != '.'; last--)
		if (!((last[-1] | 32) >= 'a' && (last[-1] | 32) <= 'z') &&
		    last[-1] != '-' && !digit(last[-1]))
			return 0;
	return last == from || p - last < 2 || digit(*last) ? 0 :
	    (size_t)(p - from);
}

/* find_email - around the @ at `at` */
static bool
find_email(struct view t, size_t at, struct view *v)
{
	const char *p = t.p + at, *end = t.p + t.n;
	size_t n;

	while (p > t.p && t.p + at - p < 64) {
		const char *q = p - 1;
		size_t len;

		/* letters of any script are atoms too (RFC 6531) */
		while (q > t.p && ((unsigned char)*q & 0xc0) == 0x80)
			q--;
		if (q == p - 1 ? !atom(*q) : !utf8_letter(utf8_get(q, &len)))
			break;
		p = q;
	}
	while (p < t.p + at && (*p == '.' || *p == '\'' || *p == '/' ||
	    *p == '=' || *p == '`' || *p == '*' || *p == '|'))
		p++;
	n = email_domain(t.p + at + 1, end);
	if (p == t.p + at || n == 0 || t.p[at - 1] == '.')
		return false;
	*v = (struct view){ p, (size_t)(t.p + at + 1 + n - p) };
	return true;
}

/* find_ip4 - at a digit that no word precedes */
static bool
find_ip4(struct view t, size_t at, struct view *v)
{
	const char *p = t.p + at, *end = t.p + t.n;
	char text[16];
	struct in_addr in;

	if (at > 0 && (word(p[-1]) || p[-1] == '.'))
		return false;
	while (p < end && (digit(*p) || *p == '.') && p - (t.p + at) < 16)
		p++;
	while (p > t.p + at && p[-1] == '.')
		p--;
	if (p - (t.p + at) > 15 || (p < end && word(*p)))
		return false;
	memcpy(text, t.p + at, (size_t)(p - (t.p + at)));
	text[p - (t.p + at)] = '\0';
	*v = (struct view){ t.p + at, (size_t)(p - (t.p + at)) };
	return inet_pton(AF_INET, text, &in) == 1;
}

/* find_ip6 - at a hex digit or colon that begins a word */
static bool
find_ip6(struct view t, size_t at, struct view *v)
{
	const char *p = t.p + at, *end = t.p + t.n;
	char text[48];
	struct in6_addr in;
	int colons = 0;

	if (at > 0 && (word(p[-1]) || p[-1] == ':'))
		return false;
	for (; p < end && (isxdigit((unsigned char)*p) || *p == ':' ||
	    *p == '.') && p - (t.p + at) < 46; p++)
		colons += *p == ':';
	while (p > t.p + at && (p[-1] == '.' || (p[-1] == ':' &&
	    !(p - (t.p + at) > 2 && p[-2] == ':'))))
		p--;
	if (colons < 2 || p - (t.p + at) < 3 || (p < end && word(*p)))
		return false;
	memcpy(text, t.p + at, (size_t)(p - (t.p + at)));
	text[p - (t.p + at)] = '\0';
	*v = (struct view){ t.p + at, (size_t)(p - (t.p + at)) };
	return inet_pton(AF_INET6, text, &in) == 1;
}

/* groups - digits with single separators between them; how many digits, and
 * where they end */
static size_t
groups(const char *p, const char *end, const char *separators, char *digits,
    size_t max, const char **after)
{
	size_t n = 0;

	while (p < end && n < max) {
		if (digit(*p)) {
			digits[n++] = *p++;
			*after = p;
		} else if (n > 0 && strchr(separators, *p) != NULL &&
		    *p != '\0' && p + 1 < end && digit(p[1]))
			p++;
		else
			break;
	}
	return n;
}

/* card_length - do the first digits and the length belong to an issuer
 * (ISO/IEC 7812 ranges of the large networks) */
static bool
card_length(const char *d, size_t n)
{
	switch (d[0]) {
	case '3':
		if (d[1] == '4' || d[1] == '7')
			return n == 15;
		return d[1] == '5' ? n == 16 : n == 14 &&
		    strchr("0689", d[1]) != NULL;
	case '4':
		return n == 13 || n == 16 || n == 19;
	case '6':
		return n >= 13 && n <= 19;
	default:
		return (d[0] == '2' || d[0] == '5') && n == 16;
	}
}

/* find_card - at a digit that begins a word */
static bool
find_card(struct view t, size_t at, struct view *v)
{
	const char *p = t.p + at, *end = t.p + t.n, *after = p;
	char d[24];
	size_t n;

	if (at > 0 && (word(p[-1]) || strchr(".-+", p[-1]) != NULL))
		return false;
	n = groups(p, end, " -", d, 20, &after);
	if (n < 13 || !card_length(d, n))
		return false;
	if (after < end && (word(*after) || (*after == '-' &&
	    after + 1 < end && digit(after[1]))))
		return false;
	*v = (struct view){ p, (size_t)(after - p) };
	return find_luhn(d, n);
}

/* find_iban - at a letter that begins a word */
static bool
find_iban(struct view t, size_t at, struct view *v)
{
	const char *p = t.p + at, *end = t.p + t.n, *after = NULL;
	char s[40];
	size_t n = 0;

	if ((at > 0 && word(p[-1])) || end - p < 15 ||
	    !isupper((unsigned char)p[0]) || !isupper((unsigned char)p[1]) ||
	    !digit(p[2]) || !digit(p[3]))
		return false;
	/* groups of four with single blanks; the longest that checks wins */
	for (; p < end && n < 34; p++) {
		if (digit(*p) || isupper((unsigned char)*p))
			s[n++] = *p;
		else if (*p != ' ' || p + 1 == end || n % 4 != 0 ||
		    !(digit(p[1]) || isupper((unsigned char)p[1])))
			break;
		if (n >= 15 && (p + 1 == end || !word(p[1])) &&
		    find_mod97(s, n))
			after = p + 1;
	}
	if (after == NULL)
		return false;
	*v = (struct view){ t.p + at, (size_t)(after - (t.p + at)) };
	return true;
}

/* phone_national - a leading 0 or bracket, 9 to 12 digits in at least two
 * groups: "030 1234567", "(0171) 555-1234", "555-123-4567" */
static bool
phone_shape(const char *p, const char *end, size_t n, bool plus)
{
	size_t seps = 0;

	for (const char *q = p; q < end; q++)
		seps += strchr(" -./()", *q) != NULL;
	if (plus)
		return n >= 7 && n <= 15;
	if (*p == '(' || *p == '0')
		return n >= 8 && n <= 12 && seps >= 1;
	/* the North American 3-3-4 */
	return n == 10 && end - p == 12 && (p[3] == '-' || p[3] == '.') &&
	    p[7] == p[3];
}

/* find_phone - at a +, a bracket or a digit that begins a word */
static bool
find_phone(struct view t, size_t at, struct view *v)
{
	const char *p = t.p + at, *q, *end = t.p + t.n, *after;
	bool plus = *p == '+';
	size_t n = 0, open = 0;

	if (at > 0 && (word(p[-1]) || strchr(".-+/:=", p[-1]) != NULL))
		return false;
	for (q = after = p + plus; q < end && q - p < 28; q++) {
		if (digit(*q)) {
			n++;
			after = q + 1;
		} else if (*q == '(' && open == 0 && n <= 4)
			open = 1;
		else if (*q == ')' && open == 1)
			open = 2;
		else if (strchr(" -./", *q) == NULL || *q == '\0' ||
		    (q > p && strchr(" -./", q[-1]) != NULL))
			break;
	}
	if (open == 1 || (after < end && (word(*after) || (*after == '.' &&
	    after + 1 < end && digit(after[1])))))
		return false;
	*v = (struct view){ p, (size_t)(after - p) };
	return phone_shape(p, after, n, plus);
}

/* find_at - the kinds that can begin with the character at `at`, the stricter
 * first: a checksum beats a shape */
static bool
find_at(struct view t, size_t at, unsigned kinds, enum find_kind *k,
    struct view *v)
{
	char c = t.p[at];

#define TRY(kind, fn)	((kinds & 1u << (kind)) && fn(t, at, v) &&	\
	    ((*k = (kind)), true))
	if (c == '@')
		return TRY(FIND_EMAIL, find_email);
	if (isupper((unsigned char)c) && TRY(FIND_IBAN, find_iban))
		return true;
	if (digit(c) && (TRY(FIND_IP, find_ip4) || TRY(FIND_CARD, find_card)))
		return true;
	if ((isxdigit((unsigned char)c) || c == ':') &&
	    TRY(FIND_IP, find_ip6))
		return true;
	return (digit(c) || c == '+' || c == '(') &&
	    TRY(FIND_PHONE, find_phone);
#undef TRY
}

bool
find_next(struct view t, size_t *at, unsigned kinds, enum find_kind *k,
    struct view *v)
{
	/* what has a checksum is that, wanted or not: a part of it is no
	 * telephone's number */
	unsigned checked = 1u << FIND_CARD | 1u << FIND_IBAN;
	size_t floor = *at;

	for (size_t i = *at; i < t.n; i++) {
		char c = t.p[i];

		if (c != '@' && !digit(c) && c != '+' && c != '(' && c != ':' &&
		    !(alnum(c) && (i == 0 || !word(t.p[i - 1]))))
			continue;
		if (!find_at(t, i, kinds | checked, k, v))
			continue;
		if (!(kinds & 1u << *k)) {
			i = (size_t)(v->p - t.p) + v->n - 1;
			continue;
		}
		/* an address may reach back, but not into what was found */
		if ((size_t)(v->p - t.p) < floor) {
			v->n -= floor - (size_t)(v->p - t.p);
			v->p = t.p + floor;
		}
		*at = (size_t)(v->p + v->n - t.p);
		return true;
	}
	*at = t.n;
	return false;
}
