/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenize -o VOCABULARY DIR - prints milliseconds of CPU time to open one, from
 * its file and from its image, which is kept in the directory, both with reading
 * and hashing the file; best of eight
 *
 * tokenize [-j THREADS] [-r ROUNDS] [-b BYTES] VOCABULARY TEXT... - texts to ids
 * and back, in documents of about so many bytes (64 KiB) that end with a line;
 * prints for each text, tab-separated: its name, bytes, ids, the beginning of
 * their BLAKE2b if there is one thread; MB of text in a second of CPU time, of
 * the first round and of the best; the best by the clock, with decoding; the best
 * of decoding, by CPU time.
 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/hash.h"
#include "appliance/base/msg.h"
#include "appliance/text/tokenizer.h"
#include "appliance/text/vocab.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct work {
	const struct tokenizer *tok;
	struct tokenizer_scratch *scratch;
	struct view text;
	size_t doc;
	int part, parts;		/* every so many documents */
	bool hashed;
	double cpu, back;
	size_t ids;
	struct hash_state hash;
};

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* doc_end - where the document that begins at a place ends */
static size_t
doc_end(const struct work *w, size_t at)
{
	const char *line;

	if (w->text.n - at <= w->doc)
		return w->text.n;
	line = memchr(w->text.p + at + w->doc, '\n', w->text.n - at - w->doc);
	return line == NULL ? w->text.n : (size_t)(line + 1 - w->text.p);
}

static void *
round_run(void *arg)
{
	struct work *w = arg;
	struct arena *a = arena_new();
	struct buf out;
	uint32_t *ids;
	size_t n, end;
	int doc = 0;
	double t;

	buf_init(&out, (size_t)1 << 30);
	w->cpu = w->back = 0;
	w->ids = 0;
	hash_begin(&w->hash, NULL);
	for (size_t at = 0; at < w->text.n; at = end, doc++) {
		end = doc_end(w, at);
		if (doc % w->parts != w->part)
			continue;
		arena_reset(a);
		t = seconds(CLOCK_THREAD_CPUTIME_ID);
		n = tokenizer_encode_with(w->tok, w->scratch, a,
		    (struct view){ w->text.p + at, end - at }, &ids);
		w->cpu += seconds(CLOCK_THREAD_CPUTIME_ID) - t;
		w->ids += n;
		if (w->hashed)
			hash_add(&w->hash, ids, n * sizeof(*ids));
		out.n = 0;
		t = seconds(CLOCK_THREAD_CPUTIME_ID);
		tokenizer_decode(w->tok, ids, n, &out);
		w->back += seconds(CLOCK_THREAD_CPUTIME_ID) - t;
	}
	buf_free(&out);
	arena_free(a);
	return NULL;
}

/* round_all - one round in all threads; seconds by the clock */
static double
round_all(struct work *w, int threads, bool hashed)
{
	double t = seconds(CLOCK_MONOTONIC);
	pthread_t id[64];

	for (int i = 0; i < threads; i++) {
		w[i].hashed = hashed;
		pthread_create(&id[i], NULL, round_run, &w[i]);
	}
	for (int i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
	return seconds(CLOCK_MONOTONIC) - t;
}

/* text_run - all rounds over one text */
static void
text_run(struct work *w, int threads, int rounds, const char *name)
{
	double first = 0, best = 0, wall = 0, back = 0, t, cpu, mb, to;
	char hex[HASH_HEX + 1] = "-";
	size_t ids = 0;

	mb = (double)w[0].text.n / 1e6;
	for (int r = 0; r <= rounds; r++) {
		t = round_all(w, threads, r == rounds);
		cpu = to = 0;
		ids = 0;
		for (int i = 0; i < threads; i++) {
			cpu += w[i].cpu;
			to += w[i].back;
			ids += w[i].ids;
		}
		first = r == 0 ? mb / cpu : first;
		best = mb / cpu > best ? mb / cpu : best;
		back = mb / to > back ? mb / to : back;
		if (r < rounds)
			wall = mb / t > wall ? mb / t : wall;
	}
	if (threads == 1)
		hash_hex(hash_end(&w[0].hash), hex);
	printf("%s\t%zu\t%zu\t%.16s\t%.1f\t%.1f\t%.1f\t%.0f\n", name,
	    w[0].text.n, ids, hex, first, best, wall, back);
}

/* opening - one opening; milliseconds, and those in which the file is read and
 * hashed or looked for.  dir -1: from the file */
static double
opening(const char *path, int dir, double *read)
{
	struct arena *a = arena_new();
	double t = seconds(CLOCK_THREAD_CPUTIME_ID), m;
	struct vocab_made v;
	struct err e;

	if (vocab_read(a, AT_FDCWD, path, dir, &v, &e) == -1)
		msg_fatal(65, "%s", e.text);
	m = seconds(CLOCK_THREAD_CPUTIME_ID);
	if (tokenizer_open_kept(a, v.file, &v.hash, dir, &e) == NULL)
		msg_fatal(65, "%s", e.text);
	*read = (m - t) * 1e3;
	t = (seconds(CLOCK_THREAD_CPUTIME_ID) - t) * 1e3;
	arena_free(a);
	return t;
}

static void
openings(const char *path, const char *images)
{
	struct err e;
	int dir = file_dir(AT_FDCWD, images, &e);
	double from = 1e9, mapped = 1e9, read = 0, t, r;

	if (dir == -1)
		msg_fatal(65, "%s", e.text);
	for (int i = 0; i < 9; i++) {
		t = opening(path, -1, &r);
		from = t < from ? t : from;
		t = opening(path, dir, &r);
		if (i > 0 && t < mapped) {
			mapped = t;
			read = r;
		}
	}
	printf("%s: opened from its file in %.1f ms, the second time in "
	    "%.1f, of which reading took %.1f\n", path, from, mapped, read);
	close(dir);
}

int
main(int argc, char **argv)
{
	bool open = false;
	struct arena *a = arena_new();
	struct tokenizer *tok;
	struct work w[64] = { 0 };
	struct view file, text;
	int threads = 1, rounds = 3, c;
	size_t doc = 65536;
	struct err e;

	while ((c = getopt(argc, argv, "j:r:b:o")) != -1) {
		if (c == 'j')
			threads = atoi(optarg);
		else if (c == 'r')
			rounds = atoi(optarg);
		else if (c == 'o')
			open = true;
		else
			doc = (size_t)atoll(optarg);
	}
	if (open && argc - optind == 2) {
		openings(argv[optind], argv[optind + 1]);
		arena_free(a);
		return 0;
	}
	if (argc - optind < 2 || threads < 1 || threads > 64 || file_read(a,
	    AT_FDCWD, argv[optind], TOKENIZER_MAX, &file, &e) == -1)
		msg_fatal(64, "tokenize [-j N] [-r N] [-b N] VOCABULARY "
		    "TEXT...");
	tok = tokenizer_open(a, file, &e);
	if (tok == NULL)
		msg_fatal(65, "%s", e.text);
	for (int i = 0; i < threads; i++)
		w[i] = (struct work){ .tok = tok, .doc = doc, .part = i,
		    .parts = threads,
		    .scratch = tokenizer_scratch(tok, a) };
	for (int k = optind + 1; k < argc; k++) {
		if (file_read(a, AT_FDCWD, argv[k], (size_t)1 << 31, &text,
		    &e) == -1)
			msg_fatal(65, "%s", e.text);
		for (int i = 0; i < threads; i++)
			w[i].text = text;
		text_run(w, threads, rounds, argv[k]);
	}
	arena_free(a);
	return 0;
}
