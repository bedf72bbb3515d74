/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/base/msg.h"
#include "appliance/model/peft.h"
#include "tests/fuzz/dir.h"

/* an adapter's two files, the first up to a NUL: what opens is laid on a small
 * base, and if it fits it is written and must fit again */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
fuzz_fit(struct arena *a, int dir, const struct peft *p)
{
	struct shape s = { .family = FAMILY_GPT2, .V = 5, .T = 4, .C = 4,
	    .L = 1, .H = 2, .G = 2, .D = 2, .F = 6, .eps = 1e-5,
	    .tied = true, .qkv_bias = true, .mlp_bias = true };
	struct weights w;
	struct adapter d;
	struct peft again;
	struct err e;

	weights_layout(a, &s, &w);
	if (peft_fit(a, p, &w, &d, &e) == -1)
		return;
	if (peft_write(a, &d, &w, dir, &e) == -1 ||
	    peft_open(a, dir, &again, &e) == -1 ||
	    peft_fit(a, &again, &w, &d, &e) == -1)
		panic("what fits does not fit again: %s", e.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	int dir = fuzz_dir();
	const uint8_t *end = memchr(p, 0, n);
	size_t k = end == NULL ? n : (size_t)(end - p);
	struct arena *a;
	struct peft peft;
	struct err e;

	if (dir == -1)
		return 0;
	a = arena_new();
	file_replace(dir, "adapter_config.json", (struct view){
	    (const char *)p, k }, 0600, false, &e);
	k += end != NULL;
	file_replace(dir, "adapter_model.safetensors", (struct view){
	    (const char *)p + k, n - k }, 0600, false, &e);
	if (peft_open(a, dir, &peft, &e) == 0)
		fuzz_fit(a, dir, &peft);
	arena_free(a);
	return 0;
}
