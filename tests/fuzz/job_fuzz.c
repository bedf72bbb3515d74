/* SPDX-License-Identifier: Apache-2.0 */
#include "appliance/base/base.h"
#include "appliance/job/plan.h"

/* The job language: any bytes give a plan or faults, never anything else */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct arena *a = arena_new();
	struct buf *b = buf_new(a, (size_t)64 << 20);
	struct faults f;
	struct plan plan;

	faults_init(&f, a, "fuzz");
	plan_make(&plan, a, (struct view){ (const char *)p, n }, NULL, &f);
	if (f.n == 0) {
		plan_json(&plan, b);
		plan_ticket(&plan, b);
	}
	arena_free(a);
	return 0;
}
