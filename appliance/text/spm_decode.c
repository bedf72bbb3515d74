/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/words.h"
#include "appliance/text/spm_table.h"

/* bytes_end - what a run of byte pieces was; a byte that is no UTF-8 is
 * U+FFFD */
static void
bytes_end(const struct spm *s, struct buf *bytes, struct buf *out)
{
	size_t at = 0, good;

	/* one by itself is most often the end of a line */
	if (bytes->n == 1 && (bytes->p[0] & 0x80) == 0 && out->n < out->cap) {
		out->p[out->n++] = bytes->p[0];
		bytes->n = 0;
		return;
	}
	while (at < bytes->n) {
		good = s->plain ? bytes->n - at :
		    utf8_check(bytes->p + at, bytes->n - at);
		buf_add(out, bytes->p + at, good);
		at += good;
		if (at < bytes->n) {
			buf_str(out, "\xef\xbf\xbd");
			at++;
		}
	}
	bytes->n = 0;
}

/* byte_put - one more of them */
static inline void
byte_put(struct buf *bytes, int byte)
{
	if (bytes->n < bytes->cap)
		bytes->p[bytes->n++] = (char)byte;
	else
		buf_char(bytes, (char)byte);
}

/* byte_of - which byte an id is; -1 */
static int
byte_of(const struct spm *s, uint32_t id)
{
	return s->type[id] == SPM_BYTE ? (unsigned char)s->slot[id].text[0] :
	    -1;
}

/* piece_text - the sign is a blank again, the first one left out if `cut`; was
 * there one to leave out */
static bool
piece_text(struct view v, bool cut, struct buf *out)
{
	bool first = cut && v.n >= 3 && memcmp(v.p, SPM_SIGN, 3) == 0;

	for (size_t i = first ? 3 : 0; i < v.n; i++)
		if (v.n - i >= 3 && memcmp(v.p + i, SPM_SIGN, 3) == 0) {
			buf_char(out, ' ');
			i += 2;
		} else
			buf_char(out, v.p[i]);
	return first;
}

/* spm_slot - a piece as text, where one has begun; those of bytes are told by
 * the first */
struct slot
spm_slot(const struct spm *s, uint32_t id)
{
	struct slot none = { .n = SLOT_OTHER }, slot;
	struct view v = s->type[id] == SPM_UNKNOWN ? s->unknown :
	    spm_bytes(s, s->piece[id]);
	struct buf b;

	for (unsigned c = 0; s->type[id] == SPM_BYTE && c < 256; c++)
		if (s->byte[c] == id)
			none.text[0] = (char)c;
	if (s->type[id] == SPM_BYTE || v.n > 3 * SLOT_TEXT)
		return none;
	buf_init(&b, 3 * SLOT_TEXT);
	if (s->type[id] == SPM_UNKNOWN)
		buf_view(&b, v);
	else if (s->type[id] != SPM_CONTROL)
		piece_text(v, false, &b);
	slot = slot_of(buf_get(&b));
	buf_free(&b);
	return slot;
}

/* decode_plain - as llama2.c: a blank directly after begin was put there */
static void
decode_plain(const struct spm *s, const uint32_t *ids, size_t n,
    struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		struct view t = spm_bytes(s, s->piece[ids[i]]);
		int byte = byte_of(s, ids[i]);
		bool put = i > 0 && (int32_t)ids[i - 1] == s->bos && t.n > 0 &&
		    t.p[0] == ' ';

		if (byte != -1)
			buf_char(out, (char)byte);
		else if (s->type[ids[i]] == SPM_NORMAL)
			buf_add(out, t.p + put, t.n - put);
	}
}

/* decode_pieces - where nothing stands before it yet, a sign that begins a
 * piece was put there by the normalizer, which is to say one, or all if it
 * squeezes */
static void
decode_pieces(const struct spm *s, const uint32_t *ids, size_t n,
    struct buf *bytes, struct buf *out)
{
	bool begin = true, seen = false, strips = s->norm.dummy ||
	    s->norm.squeeze;
	size_t was = out->n;

	for (size_t i = 0; i < n; i++) {
		uint32_t id = ids[i];
		int byte = byte_of(s, id);

		if (byte != -1) {
			byte_put(bytes, byte);
			continue;
		}
		bytes_end(s, bytes, out);
		if (seen || out->n > was)
			begin = false;
		if (!begin && !seen) {
			/* the next one that is none of these is for below */
			i += slots_put(s->slot, s->n, ids + i, n - i, out);
			if (i == n)
				break;
			id = ids[i];
			if ((byte = byte_of(s, id)) != -1) {
				byte_put(bytes, byte);
				continue;
			}
		}
		seen = false;
		if (s->type[id] == SPM_UNKNOWN)
			buf_view(out, s->unknown);
		else if (s->type[id] != SPM_CONTROL)
			seen = piece_text(spm_bytes(s, s->piece[id]),
			    begin && strips, out) && !s->norm.squeeze;
	}
	bytes_end(s, bytes, out);
}

int
spm_decode(const struct spm *s, const uint32_t *ids, size_t n,
    struct buf *out)
{
	struct buf bytes, text;

	for (size_t i = 0; i < n; i++)
		if (ids[i] >= s->n)
			return -1;
	if (s->plain) {
		decode_plain(s, ids, n, out);
		return 0;
	}
	buf_init(&bytes, n + 1);
	if (s->back == NULL)
		decode_pieces(s, ids, n, &bytes, out);
	else {
		buf_init(&text, out->max);
		decode_pieces(s, ids, n, &bytes, &text);
		spm_norm_run(s->back, buf_get(&text), out);
		buf_free(&text);
	}
	buf_free(&bytes);
	return 0;
}
