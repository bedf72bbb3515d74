/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/text/bpe.h"
#include "appliance/text/compiled.h"
#include "appliance/text/hf.h"
#include "appliance/text/proto.h"
#include "appliance/text/spm.h"
#include "appliance/text/tokenizer.h"

/* what published vocabularies call the end of a text */
static const char *const ends[] = { "<|endoftext|>", "</s>", "<eos>",
    "<|end_of_text|>" };
static const char *const begins[] = { "<s>", "<bos>", "<|begin_of_text|>" };

/* find_any - the first of some names that the vocabulary has.  Where its file
 * calls tokens special only they count: others of such a look are text */
static int32_t
find_any(const struct tokenizer *t, const char *const *name, size_t n)
{
	const struct bpe *b = t->bpe;
	bool said = b != NULL ? bpe_special(b, BPE_NONE) :
	    hf_special(t->hf, NULL);

	for (size_t i = 0; i < n; i++) {
		int64_t id = b != NULL ? bpe_find(b, name[i]) :
		    hf_find(t->hf, name[i]);

		if (id != -1 && (!said || (b != NULL ? bpe_special(b,
		    (uint32_t)id) : hf_special(t->hf, name[i]))))
			return (int32_t)id;
	}
	return -1;
}

/* is_ranks - a rank file: text that begins with base64 and has no NUL soon, as
 * the length in tokenizer.bin has, or with head lines */
static bool
is_ranks(struct view file)
{
	size_t n = file.n < 8 ? file.n : 8;
	char c = n == 0 ? '\0' : file.p[0];

	if (c == '#')
		return true;
	return ((c >= '0' && c <= '9') || ((c | 32) >= 'a' &&
	    (c | 32) <= 'z') || c == '+' || c == '/') &&
	    memchr(file.p, '\0', n) == NULL;
}

/* is_model - a SentencePiece model: its first field is a piece, or what comes
 * before the pieces in some writers' order */
static bool
is_model(struct view file)
{
	struct proto r = proto_of(file);
	struct proto_field f, in;

	if (proto_next(&r, &f) != 1 || f.wire != PROTO_BYTES || f.number > 5)
		return false;
	r = proto_of(f.bytes);
	return f.bytes.n == 0 || proto_next(&r, &in) == 1;
}

/* make_spm - from its file */
static struct spm *
make_spm(struct arena *a, struct view file, bool model, struct err *e)
{
	struct spm_spec spec;

	return (model ? spm_read(a, file, &spec, e) : spm_read_bin(a, file,
	    &spec, e)) == -1 ? NULL : spm_make(a, &spec, e);
}

/* keep_spm - its image in a directory; that it cannot be kept is no fault */
static void
keep_spm(const struct spm *s, const struct hash *hash, int dir)
{
	struct arena *own = arena_new();
	struct err absent;

	(void)compiled_keep(dir, spm_compile(own, s), hash, &absent);
	arena_free(own);
}

/* open_spm - a SentencePiece vocabulary; Llama's family, which is BPE, has the
 * token that begins a text in front of every text */
static int
open_spm(struct tokenizer *t, struct arena *a, struct view file,
    const struct hash *hash, int dir, struct err *e)
{
	bool model = is_model(file);

	if (dir != -1)
		t->spm = spm_map(a, dir, hash);
	if (t->spm == NULL) {
		t->spm = make_spm(a, file, model, e);
		if (t->spm == NULL)
			return -1;
		if (dir != -1)
			keep_spm(t->spm, hash, dir);
	}
	t->name = model ? "tokenizer.model" : "tokenizer.bin";
	t->size = spm_size(t->spm);
	t->bos = spm_bos(t->spm);
	t->end = spm_eos(t->spm);
	t->begins = t->bos >= 0 && spm_kind(t->spm) == SPM_BPE;
	return 0;
}

enum kind { KIND_JSON, KIND_RANKS, KIND_TEKKEN };

/* open_bpe - a byte-level vocabulary */
static int
open_bpe(struct tokenizer *t, struct arena *a, struct view file,
    enum kind kind, const struct hash *hash, int dir, struct err *e)
{
	struct bpe *b = kind == KIND_RANKS ? bpe_open_ranks(a, file, e) :
	    kind == KIND_TEKKEN ? bpe_open_tekken(a, file, e) :
	    bpe_open(a, file, e);
	struct err absent;

	t->bpe = b;
	/* that it cannot be kept is no fault */
	if (b != NULL && dir != -1)
		(void)bpe_keep(b, dir, hash, &absent);
	return b == NULL ? -1 : 0;
}

/* is_json - an object, after blanks */
static bool
is_json(struct view file)
{
	size_t i = 0;

	while (i < file.n && strchr(" \t\r\n", file.p[i]) != NULL &&
	    file.p[i] != '\0')
		i++;
	return i < file.n && file.p[i] == '{';
}

/* keep_hf - its image in a directory */
static void
keep_hf(const struct hf *t, struct view file, const struct hash *hash, int dir)
{
	struct arena *own = arena_new();
	struct view image = hf_compile(own, t, file);
	struct err absent;

	if (image.p != NULL)
		(void)compiled_keep(dir, image, hash, &absent);
	arena_free(own);
}

/* open_hf - by the general reader; every text must have ids */
static int
open_hf(struct tokenizer *t, struct arena *a, struct view file,
    const struct hash *hash, int dir, struct err *e)
{
	const char *why;

	t->hf = hf_open(a, file, e);
	if (t->hf == NULL)
		return -1;
	why = hf_may_fail(t->hf);
	if (why != NULL)
		return err_set(e, FATE_REJECT, "%s", why);
	if (dir != -1)
		keep_hf(t->hf, file, hash, dir);
	return 0;
}

/* open_mapped - what was compiled before; false: it was not */
static bool
open_mapped(struct tokenizer *t, struct arena *a, const struct hash *hash,
    int dir)
{
	t->bpe = bpe_map(a, dir, hash);
	if (t->bpe == NULL)
		t->hf = hf_map(a, dir, hash);
	return t->bpe != NULL || t->hf != NULL;
}

/* open_done - what is asked of a vocabulary that has named tokens */
static struct tokenizer *
open_done(struct tokenizer *t)
{
	t->size = t->bpe != NULL ? bpe_size(t->bpe) : hf_size(t->hf);
	t->end = find_any(t, ends, BASE_COUNT(ends));
	t->bos = find_any(t, begins, BASE_COUNT(begins));
	return t;
}

struct tokenizer *
tokenizer_open(struct arena *a, struct view file, struct err *e)
{
	return tokenizer_open_kept(a, file, NULL, -1, e);
}

struct tokenizer *
tokenizer_open_kept(struct arena *a, struct view file,
    const struct hash *hash, int dir, struct err *e)
{
	struct tokenizer *t = arena_alloc(a, sizeof(*t));
	static const char *const names[] = { "tokenizer.json",
	    "tokenizer.tiktoken", "tekken.json" };
	enum kind kind = is_ranks(file) ? KIND_RANKS : KIND_JSON;

	if (kind == KIND_JSON && !is_json(file))
		return open_spm(t, a, file, hash, dir, e) == -1 ? NULL : t;
	if (kind == KIND_JSON && bpe_is_tekken(file))
		kind = KIND_TEKKEN;
	t->name = names[kind];
	if (dir != -1 && open_mapped(t, a, hash, dir))
		return open_done(t);
	/* byte-level BPE of a common kind by bpe.h, all else by hf.h */
	if (open_bpe(t, a, file, kind, hash, dir, e) == -1 && (kind !=
	    KIND_JSON || open_hf(t, a, file, hash, dir, e) == -1))
		return NULL;
	return open_done(t);
}

struct tokenizer *
tokenizer_open_all(struct arena *a, struct view file, struct err *e)
{
	struct tokenizer *t = arena_alloc(a, sizeof(*t));

	t->name = "tokenizer.json";
	if (!is_json(file)) {
		err_set(e, FATE_REJECT, "only a tokenizer.json says which "
		    "special tokens there are");
		return NULL;
	}
	return open_hf(t, a, file, NULL, -1, e) == -1 ? NULL : open_done(t);
}

const char *
tokenizer_find(int dir)
{
	static const char *const names[] = { "tokenizer.json",
	    "tokenizer.model", "tokenizer.bin", "tokenizer.tiktoken",
	    "tekken.json" };

	for (size_t i = 0; i < BASE_COUNT(names); i++)
		if (file_exists(dir, names[i]))
			return names[i];
	return NULL;
}

struct tokenizer_scratch {
	struct bpe_scratch *bpe;
	struct hf_scratch *hf;
};

struct tokenizer_scratch *
tokenizer_scratch(const struct tokenizer *t, struct arena *a)
{
	struct tokenizer_scratch *s = arena_alloc(a, sizeof(*s));

	s->bpe = t->bpe == NULL ? NULL : bpe_scratch(a, t->bpe);
	s->hf = t->hf == NULL ? NULL : hf_scratch(a, t->hf);
	return s;
}

int
tokenizer_encode_all(const struct tokenizer *t, struct arena *a,
    struct view text, bool all, bool find, uint32_t **ids, size_t *n,
    struct err *e)
{
	unsigned flags = find ? HF_SPECIAL : 0;
	struct hf_encoding x;

	if (!all)
		return hf_encode_ids(t->hf, a, text, flags, ids, n, e);
	if (hf_encode(t->hf, a, text, NULL, flags | HF_TEMPLATE | HF_LIMITS,
	    &x, e) == -1)
		return -1;
	*ids = arena_array(a, x.n + 1, sizeof(**ids));
	*n = x.n;
	for (size_t i = 0; i < x.n; i++)
		(*ids)[i] = x.v[i].id;
	return 0;
}

size_t
tokenizer_encode_with(const struct tokenizer *t, struct tokenizer_scratch *s,
    struct arena *a, struct view text, uint32_t **ids)
{
	struct err e;
	size_t n;

	if (t->spm != NULL)
		return spm_encode(t->spm, a, text, ids);
	if (t->bpe != NULL)
		return bpe_encode(t->bpe, s == NULL ? NULL : s->bpe, a, text,
		    ids);
	/* what could fail was refused when it was opened */
	if (hf_ids(t->hf, s == NULL ? NULL : s->hf, a, text, ids, &n, &e) ==
	    -1)
		panic("%s", e.text);
	return n;
}

size_t
tokenizer_encode(const struct tokenizer *t, struct arena *a, struct view text,
    uint32_t **ids)
{
	return tokenizer_encode_with(t, NULL, a, text, ids);
}

int
tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n,
    struct buf *b)
{
	if (t->spm != NULL)
		return spm_decode(t->spm, ids, n, b);
	return t->bpe != NULL ? bpe_decode(t->bpe, ids, n, b) :
	    hf_decode(t->hf, ids, n, HF_BYTES, b);
}
