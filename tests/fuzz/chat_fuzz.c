/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/base/words.h"
#include "appliance/text/bpe.h"
#include "appliance/text/chat.h"
#include "appliance/text/utf8.h"

/* a template, a NUL, messages: whatever they are, the ids are the rendered text
 * again, with a mask they are the same; and a template that writes no special
 * token makes none of what the messages spell */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const specials[] = { "<s>", "</s>", "<e>" };

/* vocabulary - the special tokens, then bytes */
static struct view
vocabulary(struct arena *a)
{
	struct buf *b = buf_new(a, 1 << 20);
	char c[8];

	buf_str(b, "{\"added_tokens\":[");
	for (size_t i = 0; i < 3; i++)
		buf_printf(b, "%s{\"id\":%zu,\"content\":\"%s\",\"special\":"
		    "true}", i > 0 ? "," : "", i, specials[i]);
	buf_str(b, "],\"pre_tokenizer\":{\"type\":\"ByteLevel\","
	    "\"add_prefix_space\":false},\"decoder\":{\"type\":"
	    "\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{");
	for (size_t i = 0; i < 3; i++)
		buf_printf(b, "\"%s\":%zu,", specials[i], i);
	for (size_t i = 0; i < 256; i++) {
		buf_str(b, i > 0 ? "," : "");
		buf_json(b, (struct view){ c, utf8_put(bpe_byte_char(
		    (unsigned char)i), c) });
		buf_printf(b, ":%zu", 3 + i);
	}
	buf_str(b, "},\"merges\":[]}}");
	return buf_get(b);
}

/* encode - with and without a mask: the same ids, and the text again */
static void
encode(struct arena *a, const struct tokenizer *t, const struct chat *c,
    const struct chat_ask *ask, bool own)
{
	struct buf *b = buf_new(a, (size_t)1 << 28);
	struct chat_ids ids, masked;
	struct jinja_text text;
	struct err e;

	if (chat_encode(c, a, ask, false, &ids, &e) == -1)
		return;
	if (chat_render(c, a, ask, &text, &e) == -1)
		panic("rendered once only");
	if (tokenizer_decode(t, ids.id, ids.n, b) == -1 ||
	    !view_eq(buf_get(b), text.text))
		panic("not the text");
	for (size_t i = 0; i < ids.n; i++)
		if (!own && ids.id[i] < 3)
			panic("a special token of a message's");
	if (chat_encode(c, a, ask, true, &masked, &e) == -1)
		return;
	if (masked.n != ids.n || (ids.n > 0 && memcmp(masked.id, ids.id,
	    ids.n * sizeof(*ids.id)) != 0))
		panic("other ids with a mask");
	for (size_t i = 0; i < ids.n; i++)
		if (masked.mask[i] > 1)
			panic("a mask that is none");
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char mine[] = "{% for m in messages %}{{ m.content }}"
	    "{{ m|tojson }}{{ m.role ~ 'e' }}{% endfor %}";
	const uint8_t *nul = n > 0 ? memchr(p, '\0', n) : NULL;
	struct arena *a = arena_new();
	struct chat_from from = { 0 };
	struct chat_ask ask = { 0 };
	struct view file = vocabulary(a), messages;
	struct tokenizer *t;
	struct chat *c;
	struct err e;

	t = tokenizer_open(a, file, &e);
	if (t == NULL)
		panic("%s", e.text);
	if (nul == NULL || utf8_check((const char *)p, n) != n ||
	    json_value((struct view){ (const char *)nul + 1,
	    n - 1 - (size_t)(nul - p) }, &messages, &e) == -1)
		goto out;
	ask.messages = messages;
	from.template = view_of(mine);
	c = chat_open(a, &from, t, file, &e);
	if (c != NULL)
		encode(a, t, c, &ask, false);
	from.template = (struct view){ (const char *)p, (size_t)(nul - p) };
	from.begin = "<s>";
	from.end = "<e>";
	for (int i = 0; i < 2; i++, from.begin = from.end = NULL) {
		c = chat_open(a, &from, t, file, &e);
		if (c != NULL)
			encode(a, t, c, &ask, true);
	}
out:
	arena_free(a);
	return 0;
}
