/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of 16 bits by cuBLASLt.  A matrix that lies in 16 bits (nums.cuh) is
 * read where it is, others are rounded into memory of their own; sums are floats,
 * results what their memory holds.  The way to compute a product, cuBLASLt's
 * algorithm, is chosen when its shape first comes, by cuBLASLt's own estimate,
 * not by the clock: the same library then gives the same bytes in every run.  It
 * is kept with a run all the same, so that a run that goes on takes the same ways
 * whatever the estimate has become.
 */
#include "kernels/cuda/narrow.cuh"
#include "kernels/cuda/tape.cuh"

#define LT_SHAPES	512		/* that are remembered */
#define TEXT_BYTES	((size_t)1 << 18)	/* of them as text */
#define LT_ALIGN	8		/* numbers that a row is a multiple of */

/* all that a way depends on; aligned: a, b and c, in bytes */
struct lt_shape {
	int ta, tb, result;		/* of what form: struct nums' */
	size_t M, N, K, ldc, aligned[3];
	enum kernel_precision precision;
};

/* gemm_part's arguments; of 16 bits, a and b are the rounded ones */
struct product {
	struct lt_shape s;
	const void *a, *b;
	void *c;
	size_t lda, ldb;
	float alpha, beta;
};

struct lt {
	cublasLtHandle_t handle;
	uint16_t *half[2];		/* a and b, rounded */
	size_t bytes[2];
	struct lt_shape shape[LT_SHAPES];
	cublasLtMatmulAlgo_t way[LT_SHAPES];
	bool from_run[LT_SHAPES];	/* an earlier one's; not looked at yet */
	size_t shapes, taken, refused;	/* of those: used, or not possible */
};

/* lt_must - a product that cuBLASLt cannot start cannot be made up for */
static void
lt_must(const struct cuda *c, cublasStatus_t rc, const char *what)
{
	if (rc != CUBLAS_STATUS_SUCCESS)
		lost(c, what, cublasGetStatusString(rc));
}

/* lt_open - false: it does not start */
static bool
lt_open(struct cuda *c)
{
	c->lt = (struct lt *)mem_alloc(sizeof(*c->lt));
	memset(c->lt, 0, sizeof(*c->lt));
	return cublasLtCreate(&c->lt->handle) == CUBLAS_STATUS_SUCCESS;
}

static void
lt_close(struct cuda *c)
{
	if (c->lt == NULL)
		return;
	for (int i = 0; i < 2; i++)
		if (c->lt->half[i] != NULL)
			cudaFree(c->lt->half[i]);
	if (c->lt->handle != NULL)
		cublasLtDestroy(c->lt->handle);
	mem_free(c->lt);
}

/* lt_round - matrix i, rows of n; the numbers that its rows lie apart */
static size_t
lt_round(struct cuda *c, int i, struct nums from, size_t rows, size_t n,
    size_t ld)
{
	size_t wide = (n + LT_ALIGN - 1) / LT_ALIGN * LT_ALIGN;
	size_t bytes = rows * wide * sizeof(uint16_t);
	struct lt *lt = c->lt;

	if (bytes > lt->bytes[i]) {
		/* what is under way may still read the old one */
		tape_flush(c);
		must(c, cudaStreamSynchronize(c->stream), "finish");
		must(c, cudaFree(lt->half[i]), "give memory back");
		must(c, cudaMalloc((void **)&lt->half[i], bytes),
		    "get memory for rounded numbers");
		lt->bytes[i] = bytes;
	}
	LAUNCH(c, blocks_for(rows * wide), THREADS, 0, narrow_rows,
	    lt->half[i], wide, from, rows, n, ld, c->precision);
	return wide;
}

/* a product as cuBLASLt is told of it: column-major, so all is turned */
struct lt_call {
	cublasLtMatmulDesc_t call;
	cublasLtMatrixLayout_t a, b, c;
};

static void
lt_describe(const struct cuda *c, struct lt_call *l, const struct lt_shape *s,
    size_t lda, size_t ldb)
{
	cudaDataType_t half = s->precision == PRECISION_BF16 ? CUDA_R_16BF :
	    CUDA_R_16F;
	cudaDataType_t result = s->result == NUMS_REAL ? CUDA_R_32F :
	    s->result == FORM_BF16 ? CUDA_R_16BF : CUDA_R_16F;
	cublasOperation_t a = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
	cublasOperation_t b = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N;

	lt_must(c, cublasLtMatmulDescCreate(&l->call, CUBLAS_COMPUTE_32F,
	    CUDA_R_32F), "describe a product");
	lt_must(c, cublasLtMatmulDescSetAttribute(l->call,
	    CUBLASLT_MATMUL_DESC_TRANSA, &b, sizeof(b)), "turn a matrix");
	lt_must(c, cublasLtMatmulDescSetAttribute(l->call,
	    CUBLASLT_MATMUL_DESC_TRANSB, &a, sizeof(a)), "turn a matrix");
	lt_must(c, cublasLtMatrixLayoutCreate(&l->b, half, s->tb ? s->K : s->N,
	    s->tb ? s->N : s->K, (int64_t)ldb), "describe a matrix");
	lt_must(c, cublasLtMatrixLayoutCreate(&l->a, half, s->ta ? s->M : s->K,
	    s->ta ? s->K : s->M, (int64_t)lda), "describe a matrix");
	lt_must(c, cublasLtMatrixLayoutCreate(&l->c, result, s->N, s->M,
	    (int64_t)s->ldc), "describe a matrix");
}

/* lt_choose - the best way by cuBLASLt's estimate, told how everything lies;
 * to it, our b is a */
static cublasLtMatmulAlgo_t
lt_choose(const struct cuda *c, const struct lt_call *l,
    const size_t aligned[3])
{
	static const cublasLtMatmulPreferenceAttributes_t which[] = {
		CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
		CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
		CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
		CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES };
	cublasLtMatmulPreference_t wish;
	cublasLtMatmulHeuristicResult_t best;
	size_t work = WORK_BYTES;
	int found = 0;

	lt_must(c, cublasLtMatmulPreferenceCreate(&wish), "ask for a way");
	lt_must(c, cublasLtMatmulPreferenceSetAttribute(wish,
	    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &work, sizeof(work)),
	    "ask for a way");
	for (size_t i = 0; i < sizeof(which) / sizeof(*which); i++) {
		uint32_t bytes = (uint32_t)aligned[i < 2 ? i : 2];

		lt_must(c, cublasLtMatmulPreferenceSetAttribute(wish,
		    which[i], &bytes, sizeof(bytes)), "ask for a way");
	}
	lt_must(c, cublasLtMatmulAlgoGetHeuristic(c->lt->handle, l->call,
	    l->b, l->a, l->c, l->c, wish, 1, &best, &found),
	    "find a way to multiply");
	if (found == 0)
		lt_must(c, CUBLAS_STATUS_NOT_SUPPORTED, "multiply");
	cublasLtMatmulPreferenceDestroy(wish);
	return best.algo;
}

/* lt_fits - does the library still have an earlier run's way */
static bool
lt_fits(const struct cuda *c, const struct lt_call *l,
    const cublasLtMatmulAlgo_t *way)
{
	cublasLtMatmulHeuristicResult_t r;

	return cublasLtMatmulAlgoCheck(c->lt->handle, l->call, l->b, l->a,
	    l->c, l->c, way, &r) == CUBLAS_STATUS_SUCCESS &&
	    r.workspaceSize <= WORK_BYTES;
}

static bool
lt_equal(const struct lt_shape *a, const struct lt_shape *b)
{
	return a->ta == b->ta && a->tb == b->tb && a->M == b->M &&
	    a->N == b->N && a->K == b->K && a->ldc == b->ldc &&
	    a->result == b->result && a->precision == b->precision &&
	    memcmp(a->aligned, b->aligned, sizeof(a->aligned)) == 0;
}

/* lt_way - for a shape, as before if it has come before */
static cublasLtMatmulAlgo_t
lt_way(struct cuda *c, const struct lt_call *l, const struct lt_shape *s)
{
	struct lt *lt = c->lt;
	size_t i = 0;

	while (i < lt->shapes && !lt_equal(&lt->shape[i], s))
		i++;
	if (i == LT_SHAPES)
		return lt_choose(c, l, s->aligned);
	if (i == lt->shapes) {
		lt->shape[lt->shapes++] = *s;
		lt->way[i] = lt_choose(c, l, s->aligned);
	} else if (lt->from_run[i] && lt_fits(c, l, &lt->way[i])) {
		lt->taken++;
	} else if (lt->from_run[i]) {
		lt->refused++;
		lt->way[i] = lt_choose(c, l, s->aligned);
	}
	lt->from_run[i] = false;
	return lt->way[i];
}

/* lt_head - whose ways they are: no other GPU or library can take them */
static void
lt_head(const struct cuda *c, struct buf *b)
{
	buf_printf(b, "%s, %s, cuBLASLt %zu\n", c->name, c->isa,
	    (size_t)cublasLtGetVersion());
}

/* lt_chosen - kernel.h's: a line for each shape; a cublasLtMatmulAlgo_t may be
 * kept as its bytes (cuBLAS's manual) */
static const char *
lt_chosen(void *dev)
{
	struct cuda *c = (struct cuda *)dev;
	struct buf *b = &c->text;

	b->n = 0;
	lt_head(c, b);
	for (size_t i = 0; i < c->lt->shapes; i++) {
		const struct lt_shape *s = &c->lt->shape[i];
		const unsigned char *p =
		    (const unsigned char *)&c->lt->way[i];

		buf_printf(b, "%d %d %d %d %zu %zu %zu %zu %zu %zu %zu ",
		    (int)s->precision, s->result, s->ta, s->tb, s->M, s->N,
		    s->K, s->ldc, s->aligned[0], s->aligned[1],
		    s->aligned[2]);
		for (size_t k = 0; k < sizeof(c->lt->way[i]); k++)
			buf_printf(b, "%02x", p[k]);
		buf_char(b, '\n');
	}
	return buf_cstr(b);
}

/* lt_line - one of lt_chosen's; false: it is none */
static bool
lt_line(const char *line, struct lt_shape *s, cublasLtMatmulAlgo_t *way)
{
	unsigned char *to = (unsigned char *)way;
	unsigned byte;
	int precision, at = 0;

	memset(s, 0, sizeof(*s));
	if (sscanf(line, "%d %d %d %d %zu %zu %zu %zu %zu %zu %zu %n",
	    &precision, &s->result, &s->ta, &s->tb, &s->M, &s->N, &s->K,
	    &s->ldc, &s->aligned[0], &s->aligned[1], &s->aligned[2], &at) !=
	    11 || at == 0 || strspn(line + at, "0123456789abcdef") !=
	    2 * sizeof(*way))
		return false;
	s->precision = (enum kernel_precision)precision;
	for (size_t k = 0; k < sizeof(*way); k++, at += 2) {
		if (sscanf(line + at, "%2x", &byte) != 1)
			return false;
		to[k] = (unsigned char)byte;
	}
	return line[at] == '\n';
}

/* lt_take - kernel.h's choose */
static int
lt_take(void *dev, const char *lines, char *why, size_t len)
{
	struct cuda *c = (struct cuda *)dev;
	struct lt *lt = c->lt;
	const char *end = strchr(lines, '\n');
	struct buf *b = &c->text;

	b->n = 0;
	lt_head(c, b);
	if (end == NULL || strncmp(lines, buf_cstr(b), b->n) != 0) {
		snprintf(why, len, "they are those of '%.*s'", end == NULL ?
		    0 : (int)(end - lines), lines);
		return -1;
	}
	lt->shapes = 0;
	for (lines = end + 1; *lines != '\0'; lines = strchr(lines, '\n') +
	    1) {
		if (lt->shapes == LT_SHAPES || !lt_line(lines,
		    &lt->shape[lt->shapes], &lt->way[lt->shapes])) {
			snprintf(why, len, "line %zu of them is none",
			    lt->shapes + 2);
			lt->shapes = 0;
			return -1;
		}
		lt->from_run[lt->shapes++] = true;
	}
	return 0;
}

/* lt_told - members for the record */
static void
lt_told(const struct cuda *c, struct buf *b)
{
	static const struct {
		const char *name;
		cublasLtMatmulAlgoConfigAttributes_t which;
	} part[] = { { "algorithm", CUBLASLT_ALGO_CONFIG_ID },
	    { "tile", CUBLASLT_ALGO_CONFIG_TILE_ID },
	    { "stages", CUBLASLT_ALGO_CONFIG_STAGES_ID },
	    { "split_k", CUBLASLT_ALGO_CONFIG_SPLITK_NUM } };
	const struct lt *lt = c->lt;

	buf_printf(b, ",\"cublaslt\":%zu,\"ways_of_the_run_before\":%zu,"
	    "\"ways_refused\":%zu,\"products\":[",
	    (size_t)cublasLtGetVersion(), lt->taken, lt->refused);
	for (size_t i = 0; i < lt->shapes; i++) {
		const struct lt_shape *s = &lt->shape[i];

		buf_printf(b, "%s{\"rows\":%zu,\"columns\":%zu,\"sums\":%zu,"
		    "\"turned\":\"%s%s\"", i > 0 ? "," : "", s->M, s->N, s->K,
		    s->ta ? "a" : "", s->tb ? "b" : "");
		for (size_t k = 0; k < sizeof(part) / sizeof(*part); k++) {
			int value = -1;
			size_t got;

			if (cublasLtMatmulAlgoConfigGetAttribute(&lt->way[i],
			    part[k].which, &value, sizeof(value), &got) ==
			    CUBLAS_STATUS_SUCCESS)
				buf_printf(b, ",\"%s\":%d", part[k].name,
				    value);
		}
		buf_char(b, '}');
	}
	buf_char(b, ']');
}

/* lt_aligned - to how many bytes, 256 at most */
static size_t
lt_aligned(const void *p)
{
	size_t n = 1;

	while (n < 256 && (uintptr_t)p % (2 * n) == 0)
		n *= 2;
	return n;
}

/* lt_operand - matrix i, rows of n: where it is, if it lies as it is to be
 * multiplied, else rounded */
static const void *
lt_operand(struct cuda *c, int i, const void *x, size_t rows, size_t n,
    size_t *ld)
{
	int form = c->precision == PRECISION_BF16 ? FORM_BF16 : FORM_F16;
	struct nums at = nums_of(c, (const real *)x);

	if (at.form == form && *ld % LT_ALIGN == 0 && (uintptr_t)at.p % 16 ==
	    0)
		return at.p;
	*ld = lt_round(c, i, at, rows, n, *ld);
	return c->lt->half[i];
}

/* lt_halve - make of a product of reals one of 16 bits */
static void
lt_halve(struct cuda *c, struct product *p)
{
	struct lt_shape *s = &p->s;

	s->precision = c->precision;
	p->a = lt_operand(c, 0, p->a, s->ta ? s->K : s->M, s->ta ? s->M :
	    s->K, &p->lda);
	p->b = lt_operand(c, 1, p->b, s->tb ? s->N : s->K, s->tb ? s->K :
	    s->N, &p->ldb);
	s->aligned[0] = lt_aligned(p->a);
	s->aligned[1] = lt_aligned(p->b);
	s->aligned[2] = lt_aligned(p->c);
}

static cublasStatus_t
lt_start(struct cuda *c, const struct product *p)
{
	cublasLtMatmulAlgo_t way;
	struct lt_call l;
	cublasStatus_t rc;

	lt_describe(c, &l, &p->s, p->lda, p->ldb);
	way = lt_way(c, &l, &p->s);
	rc = cublasLtMatmul(c->lt->handle, l.call, &p->alpha, p->b, l.b, p->a,
	    l.a, &p->beta, p->c, l.c, p->c, l.c, &way, c->work, WORK_BYTES,
	    c->stream);
	cublasLtMatrixLayoutDestroy(l.a);
	cublasLtMatrixLayoutDestroy(l.b);
	cublasLtMatrixLayoutDestroy(l.c);
	cublasLtMatmulDescDestroy(l.call);
	return rc;
}
