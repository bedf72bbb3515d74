/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/text/gguf_tokenizer.h"
#include "appliance/text/json.h"
#include "appliance/text/vocab.h"

/* vocab.txt, vocab.json with merges.txt, GGUF's keys: what is made of them is
 * JSON.  The first byte chooses, 0 ends one of several files */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must_be_json(struct view v)
{
	struct view root;
	struct err e;

	if (json_value(v, &root, &e) == -1)
		panic("no JSON: %s", e.text);
}

/* part - up to the next 0 */
static struct view
part(struct view *rest)
{
	size_t n = strnlen(rest->p, rest->n);
	struct view v = { rest->p, n };

	n += n < rest->n;
	rest->p += n;
	rest->n -= n;
	return v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct view rest = { (const char *)p + 1, n - 1 }, one, two;
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, 1 << 24);
	struct gguf_files f;
	struct gguf g;
	struct err e;

	if (n > 0 && p[0] == 't') {
		one = part(&rest);
		if (vocab_lines(a, one, rest, b, &e) == 0)
			must_be_json(buf_get(b));
	} else if (n > 0 && p[0] == 'j') {
		one = part(&rest);
		two = part(&rest);
		if (vocab_pair(a, one, two, rest, b, &e) == 0)
			must_be_json(buf_get(b));
	} else if (n > 0 && gguf_parse(a, rest, rest.n, &g, &e) == 0 &&
	    gguf_tokenizer(a, &g, p[0] == 'b', &f, &e) == 0 &&
	    f.name != NULL && strcmp(f.name, "tokenizer.json") == 0)
		must_be_json(f.file);
	arena_free(a);
	return 0;
}
