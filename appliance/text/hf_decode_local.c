/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/text/hf_decode.h"

/* is_quiet - can what is put for another text not look like a byte's token */
static bool
is_quiet(struct view v)
{
	return v.n == 0 || view_is(v, " ") || view_is(v, "\xe2\x96\x81");
}

/* hf_decode_local - what is stripped once all is one is so at its start */
bool
hf_decode_local(const struct hf_decode *m)
{
	bool fused = false, bytes = false;

	for (size_t i = 0; i < m->n; i++) {
		const struct decode_step *s = &m->v[i];

		if (bytes && s->kind != DECODE_FUSE && !fused)
			return false;	/* it would change what bytes were */
		bytes = bytes || s->kind == DECODE_FALLBACK;
		if (s->kind == DECODE_FUSE)
			fused = true;
		else if (fused ? s->kind != DECODE_STRIP || s->stop != 0 :
		    s->kind != DECODE_WORDPIECE &&
		    s->kind != DECODE_METASPACE &&
		    s->kind != DECODE_FALLBACK &&
		    (s->kind != DECODE_REPLACE ||
		    s->pattern.literal.p == NULL || !is_quiet(s->text)))
			return false;
	}
	return !m->none;
}
