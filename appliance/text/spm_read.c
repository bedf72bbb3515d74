/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two kinds of files say.  Field numbers are those of SentencePiece's
 * sentencepiece_model.proto; those that only say how a model was trained are
 * passed over.
 */
#include "appliance/base/base.h"
#include "appliance/text/proto.h"
#include "appliance/text/spm.h"

#include <math.h>

#define PIECES_MAX	((size_t)1 << 24)
#define BIN_BYTES	3u		/* the first id of the bytes */

static int
wire_bad(struct err *e, const char *what)
{
	return err_set(e, FATE_REJECT, "no SentencePiece model: %s is cut "
	    "short or no protocol buffer", what);
}

static int
read_piece(struct view message, struct spm_piece *piece, size_t i,
    struct err *e)
{
	struct proto r = proto_of(message);
	struct proto_field f;
	int rc;

	*piece = (struct spm_piece){ .text = VIEW(""), .type = SPM_NORMAL };
	while ((rc = proto_next(&r, &f)) == 1) {
		if (f.number == 1 && f.wire == PROTO_BYTES)
			piece->text = f.bytes;
		else if (f.number == 2 && f.wire == PROTO_32)
			piece->score = proto_float(&f);
		else if (f.number == 3 && f.wire == PROTO_VARINT) {
			if (f.value < SPM_NORMAL || f.value > SPM_BYTE)
				return err_set(e, FATE_REJECT, "piece %zu has "
				    "type %llu, which is none", i,
				    (unsigned long long)f.value);
			piece->type = (enum spm_type)f.value;
		}
	}
	if (rc == -1)
		return wire_bad(e, "a piece");
	if (!isfinite(piece->score))
		return err_set(e, FATE_REJECT, "piece %zu has no finite "
		    "score", i);
	return 0;
}

static int
read_trainer(struct arena *a, struct view message, struct spm_spec *s,
    struct err *e)
{
	struct proto r = proto_of(message);
	struct proto_field f;
	int rc;

	while ((rc = proto_next(&r, &f)) == 1) {
		bool on = f.value != 0;

		if (f.number == 3 && f.wire == PROTO_VARINT) {
			if (f.value < SPM_UNIGRAM || f.value > SPM_CHAR)
				return err_set(e, FATE_REJECT, "model_type "
				    "%llu is none of UNIGRAM, BPE, WORD, CHAR",
				    (unsigned long long)f.value);
			s->kind = (enum spm_kind)f.value;
		} else if (f.number == 24 && f.wire == PROTO_VARINT)
			s->suffix = on;
		else if (f.number == 35 && f.wire == PROTO_VARINT)
			s->byte_fallback = on;
		else if (f.number == 44 && f.wire == PROTO_BYTES)
			/* a C string to the library */
			s->unknown = view_of(arena_strn(a, f.bytes.p,
			    f.bytes.n));
		else if (f.number == 46 && f.wire == PROTO_BYTES)
			s->bos = arena_strn(a, f.bytes.p, f.bytes.n);
		else if (f.number == 47 && f.wire == PROTO_BYTES)
			s->eos = arena_strn(a, f.bytes.p, f.bytes.n);
	}
	return rc == -1 ? wire_bad(e, "its trainer_spec") : 0;
}

static int
read_rules(struct view message, struct spm_rules *rules, struct err *e)
{
	struct proto r = proto_of(message);
	struct proto_field f;
	int rc;

	while ((rc = proto_next(&r, &f)) == 1) {
		bool on = f.value != 0;

		if (f.number == 2 && f.wire == PROTO_BYTES)
			rules->charsmap = f.bytes;
		else if (f.wire != PROTO_VARINT)
			continue;
		else if (f.number == 3)
			rules->dummy_prefix = on;
		else if (f.number == 4)
			rules->squeeze = on;
		else if (f.number == 5)
			rules->escape = on;
	}
	return rc == -1 ? wire_bad(e, "a normalizer_spec") : 0;
}

/* read_count - how many pieces there are; -1: no such file */
static int64_t
read_count(struct view file, struct err *e)
{
	struct proto r = proto_of(file);
	struct proto_field f;
	int64_t n = 0;
	int rc;

	while ((rc = proto_next(&r, &f)) == 1)
		n += f.number == 1 && f.wire == PROTO_BYTES;
	if (rc == -1)
		return wire_bad(e, "it");
	if (n == 0 || (uint64_t)n > PIECES_MAX)
		return err_set(e, FATE_REJECT, "no SentencePiece model: it "
		    "has %lld pieces", (long long)n);
	return n;
}

int
spm_read(struct arena *a, struct view file, struct spm_spec *s, struct err *e)
{
	static const struct spm_rules rules = { .dummy_prefix = true,
	    .squeeze = true, .escape = true };
	int64_t n = read_count(file, e);
	struct proto r = proto_of(file);
	struct proto_field f;
	int rc = 0;

	if (n == -1)
		return -1;
	*s = (struct spm_spec){ .kind = SPM_UNIGRAM, .rules = rules,
	    .back = rules, .unknown = VIEW(" \xe2\x81\x87 "), .bos = "<s>",
	    .eos = "</s>" };
	s->piece = arena_array(a, (size_t)n, sizeof(*s->piece));
	while (rc == 0 && proto_next(&r, &f) == 1) {
		if (f.wire != PROTO_BYTES)
			continue;
		if (f.number == 1) {
			rc = read_piece(f.bytes, &s->piece[s->n], s->n, e);
			s->n++;
		} else if (f.number == 2)
			rc = read_trainer(a, f.bytes, s, e);
		else if (f.number == 3)
			rc = read_rules(f.bytes, &s->rules, e);
		else if (f.number == 5)
			rc = read_rules(f.bytes, &s->back, e);
	}
	return rc;
}

int
spm_read_bin(struct arena *a, struct view file, struct spm_spec *s,
    struct err *e)
{
	size_t at = 4, cap = 0;
	uint32_t len;

	*s = (struct spm_spec){ .kind = SPM_BPE, .byte_fallback = true,
	    .plain = true, .rules = { .dummy_prefix = true } };
	while (at < file.n && file.n - at >= 8) {
		struct spm_piece *p;

		memcpy(&len, file.p + at + 4, 4);
		if (len > file.n - at - 8)
			break;
		if (s->n == cap) {
			cap = cap == 0 ? 1024 : cap * 2;
			s->piece = arena_grow(a, s->piece, s->n, cap,
			    sizeof(*s->piece));
		}
		p = &s->piece[s->n];
		memcpy(&p->score, file.p + at, 4);
		p->text = (struct view){ file.p + at + 8, len };
		p->type = s->n == 0 ? SPM_UNKNOWN : s->n < BIN_BYTES ?
		    SPM_CONTROL : s->n < BIN_BYTES + 256 ? SPM_BYTE :
		    SPM_NORMAL;
		if (!isfinite(p->score))
			return err_set(e, FATE_REJECT, "token %zu has no "
			    "finite score", s->n);
		s->n++;
		at += 8 + len;
	}
	if (at != file.n || s->n < BIN_BYTES + 256)
		return err_set(e, FATE_REJECT, "none of the vocabularies that "
		    "are read: as a tokenizer.bin, token %zu at byte %zu of "
		    "%zu does not fit", s->n, at, file.n);
	for (unsigned i = 0; i < 256; i++)
		s->piece[BIN_BYTES + i].text = view_of(arena_printf(a,
		    "<0x%02X>", i));
	s->bos = arena_strn(a, s->piece[1].text.p, s->piece[1].text.n);
	s->eos = arena_strn(a, s->piece[2].text.p, s->piece[2].text.n);
	return 0;
}
