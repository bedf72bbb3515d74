/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_DECODE_H
#define TEXT_HF_DECODE_H

#include "appliance/text/hf_parts.h"
#include "appliance/text/hf_pattern.h"

/*
 * hf_decode.h - decoders as they were read.
 */

enum decode_kind { DECODE_BYTES, DECODE_WORDPIECE, DECODE_METASPACE,
	DECODE_BPE, DECODE_CTC, DECODE_REPLACE, DECODE_FUSE, DECODE_STRIP,
	DECODE_FALLBACK };

struct decode_step {
	enum decode_kind kind;
	struct view text, word;		/* prefix, suffix, pad, content */
	uint32_t c;			/* replacement; what is stripped */
	bool keep, cleanup;		/* keep: blanks of the first token */
	int64_t start, stop;
	struct hf_pattern pattern;
};

struct hf_decode {
	struct decode_step *v;
	size_t n, cap;
	bool none;			/* tokens with blanks between */
	int16_t byte[324];		/* of the byte-level alphabet; -1 */
	bool open;			/* what follows may see any bytes */
};

/* hf_decode_local - is each token decoded by itself once a text has begun, but
 * for runs of bytes; hf_decode_byte - which of these a token is, -1 */
bool hf_decode_local(const struct hf_decode *);
int hf_decode_byte(const struct hf_decode *, struct view token);

#endif
