/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The normalizer: at each place the longest of a table of strings is replaced
 * (precompiled_charsmap: u32 bytes of a trie, the trie, strings that end with
 * NUL), blanks are squeezed and escaped.  User-defined pieces go before the
 * table and stay as they are.
 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/spm_table.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

#define MAP_KEYS	32u	/* keys that the library looks at, by length */
#define OWN_KEYS	64u
#define TO_MAX		255u	/* bytes that one key may become */
#define SPARE		96u	/* behind the text: a block and a key */

/* map_check - does every value lie in the strings, and is each short enough */
static int
map_check(const struct spm_norm *m, struct err *e)
{
	const uint32_t *unit = m->map.unit;
	size_t run = 0;

	for (uint32_t i = 0; i < m->map.n; i++) {
		uint32_t at = i ^ trie_offset(unit[i]);

		if ((unit[i] & 0x80000100) != 0x100)
			continue;
		if (at >= m->map.n || (unit[at] & 0x80000000) == 0 ||
		    (unit[at] & 0x7fffffff) >= m->to.n)
			return err_set(e, FATE_REJECT, "its charsmap is "
			    "damaged: unit %u leads nowhere", i);
	}
	for (size_t i = 0; i < m->to.n; i++) {
		run = m->to.p[i] == '\0' ? 0 : run + 1;
		if (run > TO_MAX)
			return err_set(e, FATE_REJECT, "its charsmap has a "
			    "string of more than %u bytes", TO_MAX);
	}
	return 0;
}

static int
map_open(struct arena *a, struct view blob, struct spm_norm *m, struct err *e)
{
	uint32_t size, *unit;
	char *to;

	if (blob.n <= 4 || (memcpy(&size, blob.p, 4), size) >= blob.n - 4 ||
	    size % 4 != 0 || size == 0)
		return err_set(e, FATE_REJECT, "its charsmap is damaged: "
		    "%zu bytes do not hold its trie", blob.n);
	unit = arena_copy(a, blob.p + 4, size);
	m->map = (struct trie){ unit, size / 4 };
	to = arena_alloc(a, blob.n - 4 - size + 1);
	memcpy(to, blob.p + 4 + size, blob.n - 4 - size);
	m->to = (struct view){ to, blob.n - 4 - size + 1 };
	return 0;
}

/* leads_on - is there a key of c and then another ASCII character */
static bool
leads_on(const struct trie *t, unsigned char c)
{
	for (unsigned d = 0; t->n > 0 && d < 128; d++) {
		uint32_t place = 0;

		if (trie_step(t, &place, c) &&
		    trie_step(t, &place, (unsigned char)d))
			return true;
	}
	return false;
}

/* is_plain - does an ASCII character before another stay what it is */
static bool
is_plain(const struct spm_norm *m, unsigned char c)
{
	char self[2] = { (char)c, '\0' };
	uint32_t place = 0, value;

	if ((m->own.n > 0 && trie_step(&m->own, &place, c)) ||
	    leads_on(&m->map, c))
		return false;
	return trie_longest(&m->map, self, 1, 1, &value) == 0 ||
	    strcmp(m->to.p + value, self) == 0;
}

int
spm_norm_make(struct arena *a, const struct spm_rules *rules,
    const struct view *own, size_t n, struct spm_norm *m, struct err *e)
{
	uint32_t *value = arena_array(a, n + 1, sizeof(*value));

	m->dummy = rules->dummy_prefix;
	m->squeeze = rules->squeeze;
	m->escape = rules->escape;
	if (rules->charsmap.n > 0 && map_open(a, rules->charsmap, m, e) == -1)
		return -1;
	if (trie_make(a, own, value, n, &m->own, e) == -1)
		return err_prefix(e, "user-defined pieces: ");
	return spm_norm_ready(m, e);
}

/* begins_of - the characters of three bytes that keys begin with, or that begin
 * with a key */
static void
begins_of(struct spm_norm *m, const struct trie *t)
{
	uint32_t place[3], value;
	bool in, key[2];

	for (unsigned a = 0; t->n > 0 && a < 16; a++) {
		place[0] = 0;
		if (!trie_step(t, &place[0], (unsigned char)(0xe0 | a)))
			continue;
		key[0] = trie_value(t, place[0], &value);
		for (unsigned b = 0; b < 64; b++) {
			place[1] = place[0];
			in = trie_step(t, &place[1], (unsigned char)(0x80 |
			    b));
			key[1] = key[0] || (in && trie_value(t, place[1],
			    &value));
			for (unsigned c = 0; (in || key[1]) && c < 64; c++) {
				place[2] = place[1];
				if (key[1] || trie_step(t, &place[2],
				    (unsigned char)(0x80 | c)))
					m->begins[a << 6 | b] |= (uint64_t)1 <<
					    c;
			}
		}
	}
}

int
spm_norm_ready(struct spm_norm *m, struct err *e)
{
	if (m->map.n > 0 && map_check(m, e) == -1)
		return -1;
	m->graphic = m->ascii = true;
	for (unsigned c = 0; c < 128; c++) {
		m->plain[c] = is_plain(m, (unsigned char)c);
		m->ascii &= m->plain[c];
		m->graphic &= m->plain[c] || c <= ' ' || c == 0x7f;
	}
	m->blank = m->plain[' '] && (m->fold || !m->escape);
	m->plain[' '] = false;
	m->high = m->map.n > 0 || m->own.n > 0;
	begins_of(m, &m->map);
	begins_of(m, &m->own);
	return 0;
}

/* valid_len - bytes of the scalar at p; 0: it is none */
static size_t
valid_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = links_bytes(s, n);
	uint32_t c;

	if (p[0] < 0x80)
		return 1;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if (len == 2 && (p[0] & 0xe0) == 0xc0)
		return p[0] >= 0xc2 ? 2 : 0;
	if (len == 3 && (p[0] & 0xf0) == 0xe0) {
		c = (p[0] & 15u) << 12 | (p[1] & 63u) << 6;
		return c >= 0x800 && (c < 0xd800 || c > 0xdfff) ? 3 : 0;
	}
	if (len == 4 && (p[0] & 0xf8) == 0xf0) {
		c = (p[0] & 7u) << 18 | (p[1] & 63u) << 12;
		return c >= 0x10000 && c <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

/* prefix_of - what the text begins with becomes, and how many bytes that are */
static struct view
prefix_of(const struct spm_norm *m, const char *p, size_t n, size_t *len)
{
	uint32_t value;

	if ((*len = trie_longest(&m->own, p, n, OWN_KEYS, &value)) > 0)
		return (struct view){ p, *len };
	if ((*len = trie_longest(&m->map, p, n, MAP_KEYS, &value)) > 0)
		return view_of(m->to.p + value);
	if ((*len = valid_len(p, n)) > 0)
		return (struct view){ p, *len };
	*len = 1;
	return VIEW("\xef\xbf\xbd");
}

static struct view
blank_of(const struct spm_norm *m)
{
	return m->escape && !m->fold ? VIEW(SPM_SIGN) : VIEW(" ");
}

static void
norm_put(const struct spm_norm *m, struct view v, struct buf *out)
{
	struct view blank = blank_of(m);

	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == ' ')
			buf_view(out, blank);
		else if (m->fold && v.n - i >= 3 &&
		    memcmp(v.p + i, SPM_SIGN, 3) == 0) {
			buf_char(out, ' ');
			i += 2;
		} else
			buf_char(out, v.p[i]);
	}
}

/* begins - is a character of three bytes one that a key or a user-defined piece
 * begins with */
static inline bool
begins(const struct spm_norm *m, const char *p)
{
	unsigned c = spm_three(p);

	return m->begins[c / 64] >> c % 64 & 1;
}

/* quick_three - the same for those of three bytes that follow one another; how
 * many bytes */
static inline size_t
quick_three(const struct spm_norm *m, const char *p, size_t n, char *to)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t i;

	/* 0xe0 and 0xed have rules for what follows */
	for (i = 0; i + 3 <= n && u[i] > 0xe0 && u[i] < 0xf0 && u[i] != 0xed &&
	    ((u[i + 1] ^ 0x80) | (u[i + 2] ^ 0x80)) < 0x40; i += 3) {
		if ((m->high && begins(m, p + i)) || (m->fold &&
		    u[i] == 0xe2 && memcmp(p + i, SPM_SIGN, 3) == 0))
			break;
		memcpy(to + i, p + i, 3);
	}
	return i;
}

/* quick_char - a character beyond ASCII that nothing is done with; its bytes,
 * 0: this is for norm_one */
static inline size_t
quick_char(const struct spm_norm *m, const char *p, size_t n, char *to)
{
	size_t len = valid_len(p, n);

	if (m->high && (len != 3 || begins(m, p)))
		return 0;
	if (len == 3 && m->fold && memcmp(p, SPM_SIGN, 3) == 0)
		return 0;
	memcpy(to, p, len);
	return len;
}

/* norm_block - 32 bytes that are only copied, or as many of them; *blank as
 * below.  One byte behind them is looked at */
#ifdef __x86_64__
__attribute__((target("avx2"))) static size_t
norm_block(const struct spm_norm *m, const char *p, bool *blank, char *to)
{
	__m256i v = _mm256_loadu_si256((const void *)p), bad;
	uint32_t high, is, stop;
	size_t n;

	/* as signed bytes, what is beyond ASCII is below all others */
	bad = m->ascii ? _mm256_setzero_si256() : _mm256_or_si256(
	    _mm256_cmpgt_epi8(_mm256_set1_epi8(' '), v),
	    _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f)));
	high = (uint32_t)_mm256_movemask_epi8(v);
	is = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8(' ')));
	stop = (uint32_t)_mm256_movemask_epi8(bad) | high;
	if (m->squeeze)
		stop |= is & (is << 1 | *blank);
	/* what a table could join with the character behind it */
	if (m->high)
		stop |= high >> 1 | (uint32_t)((unsigned char)p[32] >> 7) <<
		    31;
	n = stop == 0 ? 32 : (size_t)__builtin_ctz(stop);
	_mm256_storeu_si256((void *)to, v);
	if (n > 0)
		*blank = m->squeeze && (is >> (n - 1) & 1);
	return n;
}

static bool
norm_block_here(const struct spm_norm *m)
{
	return m->blank && (m->ascii || m->graphic) &&
	    __builtin_cpu_supports("avx2");
}
#else
static size_t
norm_block(const struct spm_norm *m, const char *p, bool *blank, char *to)
{
	(void)m, (void)p, (void)blank, (void)to;
	return 0;
}

static bool
norm_block_here(const struct spm_norm *m)
{
	(void)m;
	return false;
}
#endif

/* norm_quick - as far as nothing but copying is to be done; the next place */
static size_t
norm_quick(const struct spm_norm *m, struct view v, size_t i, bool *blank,
    struct buf *out)
{
	char *to = out->p + out->n;
	bool was = *blank, blocks = norm_block_here(m);
	size_t len;

	while (i < v.n) {
		unsigned char c = (unsigned char)v.p[i];

		if (blocks && c < 0x80 && v.n - i > 32) {
			len = norm_block(m, v.p + i, &was, to);
			to += len;
			i += len;
			if (len == 32)
				continue;
			c = (unsigned char)v.p[i];
		}

		if (c >= 0x80) {
			len = quick_three(m, v.p + i, v.n - i, to);
			if (len == 0)
				len = quick_char(m, v.p + i, v.n - i, to);
			if (len == 0)
				break;
			to += len;
			i += len;
			was = false;
			continue;
		}
		if (m->high && i + 1 < v.n && (unsigned char)v.p[i + 1] >= 0x80)
			break;
		if (m->plain[c]) {
			*to++ = (char)c;
			was = false;
		} else if (c == ' ' && m->blank) {
			if (!was)
				*to++ = ' ';
			was = m->squeeze;
		} else
			break;
		i++;
	}
	*blank = was;
	out->n = (size_t)(to - out->p);
	return i;
}

/* norm_one - one replacement; `blank`: what came before ended with one */
static size_t
norm_one(const struct spm_norm *m, struct view v, size_t i, bool *blank,
    struct buf *out)
{
	size_t len;
	struct view to = prefix_of(m, v.p + i, v.n - i, &len);

	while (*blank && to.n > 0 && to.p[0] == ' ') {
		to.p++;
		to.n--;
	}
	if (to.n > 0) {
		norm_put(m, to, out);
		*blank = m->squeeze && to.p[to.n - 1] == ' ';
	}
	return i + len;
}

void
spm_norm_run(const struct spm_norm *m, struct view v, struct buf *out)
{
	struct view blank = blank_of(m), to;
	size_t first = out->n, i = 0, len;
	bool prev = m->squeeze;

	while (m->squeeze && i < v.n) {
		to = prefix_of(m, v.p + i, v.n - i, &len);
		if (!view_is(to, " "))
			break;
		i += len;
	}
	(void)buf_reserve(out, SPARE);
	if (i == v.n)
		return;
	if (m->dummy && !m->suffix)
		buf_view(out, blank);
	while (i < v.n) {
		(void)buf_reserve(out, v.n - i + SPARE);
		if (out->full)
			panic("a normalized text of more than %zu bytes",
			    out->max);
		i = norm_quick(m, v, i, &prev, out);
		if (i < v.n)
			i = norm_one(m, v, i, &prev, out);
	}
	while (m->squeeze && out->n - first >= blank.n && memcmp(out->p +
	    out->n - blank.n, blank.p, blank.n) == 0)
		out->n -= blank.n;
	if (m->dummy && m->suffix)
		buf_view(out, blank);
	(void)buf_reserve(out, SPARE);
}
