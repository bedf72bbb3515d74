/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/file.h"
#include "appliance/base/msg.h"
#include "appliance/model/gguf_model.h"
#include "appliance/text/gguf_put.h"
#include "appliance/text/json.h"

#include <sys/mman.h>
#include <unistd.h>

/* a model's file: its config.json must be JSON, its tensors readable, what is
 * made of its vocabulary a file that its reader at least survives; and from
 * config.json and vocabulary a GGUF's keys */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define NUMBERS	((uint64_t)1 << 20)	/* more of them are not read */

static void
fuzz_again(struct arena *a, const struct source *s, struct err *e)
{
	struct buf *b = buf_new(a, (size_t)16 << 20);
	struct tensors t;
	const char *extra;
	uint64_t n;

	if (gguf_keys(a, s->config, b, &n, e) == 0 && s->tokenizer_name != NULL)
		gguf_words(a, s, b, &n, e);
	if (gguf_named(a, s->config, &s->tensors, &t, &extra, e) == 0)
		for (size_t i = 0; i < t.n; i++)
			if (t.v[i].count <= NUMBERS && t.v[i].form != NULL)
				tensor_read(&t.v[i], arena_array(a,
				    (size_t)t.v[i].count + 1, sizeof(float)),
				    e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static int fd = -1;
	struct arena *a;
	struct view root;
	struct source s;
	struct err e;

	if (fd == -1)
		fd = memfd_create("source", MFD_CLOEXEC);
	if (ftruncate(fd, 0) == -1 || pwrite(fd, p, n, 0) != (ssize_t)n)
		return 0;
	a = arena_new();
	if (source_open(a, fd, -1, &s, NULL, &e) == 0) {
		if (json_value(s.config, &root, &e) == -1)
			panic("its config.json is none: %s", e.text);
		for (size_t i = 0; i < s.tensors.n; i++)
			if (s.tensors.v[i].count <= NUMBERS)
				tensor_read(&s.tensors.v[i], arena_array(a,
				    (size_t)s.tensors.v[i].count + 1,
				    sizeof(float)), &e);
		fuzz_again(a, &s, &e);
	}
	arena_free(a);
	return 0;
}
