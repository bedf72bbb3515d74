/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_pattern.h"
#include "appliance/text/utf8.h"

int
hf_pattern_open(struct arena *a, const struct hf_chars *chars,
    struct view json, struct hf_pattern *p, struct err *e)
{
	struct view v, text;

	*p = (struct hf_pattern){ .known = NULL };
	if (json_get(json, "String", &v) && json_string(a, v, &text)) {
		if (text.n > 0) {
			p->literal = text;
			return 0;
		}
	} else if (!json_get(json, "Regex", &v) || !json_string(a, v, &text))
		return err_set(e, FATE_REJECT, "a pattern is neither String "
		    "nor Regex");
	else
		p->known = bpe_pattern_of(text);
	if (p->known == NULL)
		p->regex = hf_regex_open(a, chars, text, e);
	return p->known == NULL && p->regex == NULL ? -1 : 0;
}

size_t
hf_pattern_times(const struct hf_pattern *p, size_t n)
{
	if (p->literal.p != NULL)
		return n <= p->literal.n ? 1 : (n - 1) / p->literal.n + 1;
	/* nothing is found before each character and at the end */
	if (p->regex != NULL && p->regex->empty)
		return 1 + 2 * n;
	return n == 0 ? 1 : n;
}

/* find_literal - from left, not overlapping */
static void
find_literal(struct view want, struct view v, struct hf_matches *m)
{
	size_t done = 0, at = 0;
	const char *hit;

	while ((hit = memmem(v.p + at, v.n - at, want.p, want.n)) != NULL) {
		at = (size_t)(hit - v.p) + want.n;
		hf_found(m, &done, at - want.n, at);
	}
	hf_found_end(m, done, v.n);
}

void
hf_pattern_find(const struct hf_pattern *p, struct view v,
    struct hf_matches *m)
{
	size_t done = 0, from, to;
	struct hf_search *s;

	if (v.n == 0)
		return;
	if (p->literal.p != NULL) {
		find_literal(p->literal, v, m);
	} else if (p->known != NULL) {
		while (done < v.n)
			hf_found(m, &done, done, done + bpe_piece(p->known,
			    v.p + done, v.n - done));
	} else {
		s = hf_search_new(p->regex, v);
		while (hf_search_next(s, &from, &to))
			hf_found(m, &done, from, to);
		hf_search_free(s);
		hf_found_end(m, done, v.n);
	}
}
