/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/base64.h"

/* digit - its value, or -1 */
static int
digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
base64(struct arena *a, struct view v, struct view *bytes)
{
	char *out = arena_alloc(a, v.n / 4 * 3 + 1);
	size_t n = 0, pad = 0;
	uint32_t bits = 0;
	int d;

	if (v.n == 0 || v.n % 4 != 0)
		return false;
	while (pad < 2 && v.p[v.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < v.n; i++) {
		d = i < v.n - pad ? digit(v.p[i]) : 0;
		if (d == -1)
			return false;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 == 3) {
			out[n++] = (char)(bits >> 16);
			out[n++] = (char)(bits >> 8);
			out[n++] = (char)bits;
		}
	}
	*bytes = (struct view){ out, n - pad };
	return (pad == 0 || out[n - 1] == 0) && (pad < 2 || out[n - 2] == 0);
}
