/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first tokens of a vocabulary.  Characters are ordered by code point, for
 * byte-level BPE by the characters that stand for bytes.  Too rare ones are
 * left out by two rules.  That of SentencePiece, coverage, ends a word at
 * them, since text will have an unknown there; that of Hugging Face,
 * limit_alphabet, takes them out of words as if they had not been written.
 */
#include "appliance/base/base.h"
#include "appliance/text/bpe.h"
#include "appliance/text/learn_own.h"
#include "appliance/text/utf8.h"

#include <stdlib.h>

#define CHARS	0x110000

struct letter {
	uint32_t c;
	int64_t count;			/* INT64_MAX: kept in any case */
};

/* letter_cmp - the most frequent first, then by code point */
static int
letter_cmp(const void *va, const void *vb)
{
	const struct letter *a = va, *b = vb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->c < b->c ? -1 : a->c > b->c;
}

/* alphabet_bytes - <0x00> to <0xFF> */
static void
alphabet_bytes(struct learn_vocab *v)
{
	char name[8];

	for (unsigned i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "<0x%02X>", i);
		(void)learn_vocab_put(v, view_of(name));
	}
}

/* alphabet_level - byte-level BPE's alphabet, 256 characters for bytes */
static void
alphabet_level(struct learn_vocab *v, struct learn_alphabet *al)
{
	char out[4];

	for (uint32_t c = 0; c < 256 + 68; c++)
		for (unsigned i = 0; i < 256; i++)
			if (bpe_byte_char((unsigned char)i) == c) {
				al->id[i] = learn_vocab_put(v,
				    (struct view){ out, utf8_put(c, out) });
			}
}

void
learn_letters(struct arena *a, int64_t **count, const struct learn_word *w)
{
	size_t len;

	if (*count == NULL)
		*count = arena_array(a, CHARS, sizeof(**count));
	for (uint32_t at = 0; at < w->n; at += (uint32_t)len)
		(*count)[utf8_get(w->p + at, &len)] += w->count;
}

/* alphabet_count - the characters that are there, the most frequent first */
static struct letter *
alphabet_count(struct arena *a, const struct learn_conf *conf, int64_t *count,
    size_t *n)
{
	const char *more = conf->initial_alphabet;
	struct letter *l;
	size_t len, k = 0;

	for (; more != NULL && *more != '\0'; more += len)
		count[utf8_get(more, &len)] = INT64_MAX;
	for (size_t c = *n = 0; c < CHARS; c++)
		*n += count[c] != 0;
	l = arena_array(a, *n + 1, sizeof(*l));
	for (uint32_t c = 0; c < CHARS; c++)
		if (count[c] != 0)
			l[k++] = (struct letter){ c, count[c] };
	qsort(l, *n, sizeof(*l), letter_cmp);
	return l;
}

/* alphabet_limit - say of the rare characters what becomes of them */
static size_t
alphabet_limit(const struct learn_conf *conf, const struct letter *l,
    size_t n, struct learn_alphabet *al)
{
	double all = 0, sum = 0;
	size_t keep = 0;

	for (size_t i = 0; i < n; i++)
		if (l[i].count != INT64_MAX)
			all += (double)l[i].count;
	for (; keep < n; keep++) {
		if (l[keep].count == INT64_MAX)
			continue;
		if (sum >= conf->coverage * all)
			break;
		sum += (double)l[keep].count;
	}
	for (size_t i = keep; i < n; i++)
		al->id[l[i].c] = LEARN_BREAK;
	if (conf->limit_alphabet > 0 && keep > (size_t)conf->limit_alphabet) {
		for (size_t i = (size_t)conf->limit_alphabet; i < keep; i++)
			al->id[l[i].c] = LEARN_DROP;
		keep = (size_t)conf->limit_alphabet;
	}
	return keep;
}

int
learn_alphabet(struct arena *a, const struct learn_conf *conf,
    int64_t *count, struct learn_vocab *v, struct learn_alphabet *al,
    struct err *e)
{
	struct letter *l;
	size_t n, keep;
	char out[4];

	al->id = arena_array(a, CHARS, sizeof(*al->id));
	for (size_t i = 0; i < conf->nspecial; i++)
		(void)learn_vocab_put(v, view_of(conf->special[i]));
	al->first = v->n;
	if (conf->kind == LEARN_BPE) {
		alphabet_level(v, al);
		return 0;
	}
	if (conf->byte_fallback && conf->kind != LEARN_WORDPIECE)
		alphabet_bytes(v);
	al->first = v->n;
	l = alphabet_count(a, conf, count, &n);
	keep = alphabet_limit(conf, l, n, al);
	if (v->n + keep >= conf->size)
		return err_set(e, FATE_REJECT, "a vocabulary of %u cannot hold "
		    "%u special tokens and bytes and the texts' %zu "
		    "characters: coverage or limit_alphabet keep fewer",
		    conf->size, v->n, keep);
	for (size_t i = 0; i < keep; i++)
		al->id[l[i].c] = 0;
	for (size_t i = 0; i < keep; i++)	/* by code point from here on */
		l[i].count = 0;
	qsort(l, keep, sizeof(*l), letter_cmp);
	for (size_t i = 0; i < keep; i++)
		al->id[l[i].c] = learn_vocab_put(v, (struct view){ out,
		    utf8_put(l[i].c, out) });
	al->chars = v->n - al->first;
	return 0;
}

/* symbol_of - a character's id, in a word's first place or after that */
static uint32_t
symbol_of(const struct learn_conf *conf, const struct learn_alphabet *al,
    struct learn_vocab *v, uint32_t c, bool first)
{
	uint32_t id = al->id[c];
	char out[8] = "##";

	if (first || conf->kind != LEARN_WORDPIECE || id >= LEARN_BREAK)
		return id;
	return learn_vocab_put(v, (struct view){ out, 2 +
	    utf8_put(c, out + 2) });
}

/* text_close - the arena's closer */
static void
text_close(void *arg)
{
	struct learn_text *t = arg;

	mem_free(t->symbol);
	mem_free(t->length);
	mem_free(t->count);
}

/* text_part - one more word, empty yet */
static void
text_part(struct learn_text *t, int64_t count)
{
	if (t->words == t->cap) {
		t->cap = t->cap * 2 + 4096;
		t->length = mem_grow(t->length, t->cap * sizeof(*t->length));
		t->count = mem_grow(t->count, t->cap * sizeof(*t->count));
	}
	t->length[t->words] = 0;
	t->count[t->words++] = count;
}

/* text_symbol - one more symbol of the last word */
static void
text_symbol(struct learn_text *t, uint32_t id)
{
	if (t->n == t->room) {
		t->room = t->room * 2 + 65536;
		t->symbol = mem_grow(t->symbol, t->room *
		    sizeof(*t->symbol));
	}
	t->symbol[t->n++] = id;
	t->length[t->words - 1]++;
}

struct learn_text *
learn_text_new(struct arena *a, size_t room)
{
	struct learn_text *t = arena_alloc(a, sizeof(*t));

	t->symbol = mem_grow(NULL, room * sizeof(*t->symbol));
	t->room = room;
	t->distinct = true;
	arena_defer(a, text_close, t);
	return t;
}

void
learn_symbols(const struct learn_conf *conf, const struct learn_word *w,
    const struct learn_alphabet *al, struct learn_vocab *v,
    struct learn_text *t)
{
	size_t len = 1;
	uint32_t id;

	text_part(t, w->count);
	for (uint32_t at = 0; at < w->n; at += (uint32_t)len) {
		id = conf->kind == LEARN_BPE ?
		    al->id[(unsigned char)w->p[at]] :
		    symbol_of(conf, al, v, utf8_get(w->p + at, &len),
		    at == 0);
		if (id >= LEARN_BREAK)
			t->distinct = false;
		if (id == LEARN_BREAK)
			text_part(t, w->count);
		else if (id != LEARN_DROP)
			text_symbol(t, id);
	}
}
