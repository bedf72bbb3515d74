/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CUDA_EMU_RT_CUH
#define TESTS_CUDA_EMU_RT_CUH

/*
 * cuda_emu_rt.cuh - the calls of CUDA's runtime and of cuBLAS that kernels/cuda
 * makes, on a machine without a GPU; cuda_emu.cuh runs the kernels.  Types and
 * names are CUDA 13's, of each only what is used.  Everything is done when it
 * is called, but what a stream captures: that is done when its graph is
 * launched, with the arguments as they were then or as they were set since.
 *
 * From the environment, to be read when the device is opened:
 * QUERN_EMU_FAIL	after so many kernels and products the GPU is lost
 * QUERN_EMU_GRAPHS	"no": what a stream captured cannot be made a graph
 * QUERN_EMU_WAY	the algorithm that cuBLASLt estimates to be the best:
 *			2 sums from behind
 * QUERN_EMU_VERSION	cuBLASLt's
 */

#include <stdint.h>
#include <stdio.h>
#include <utility>

#define CUDART_VERSION	13000

enum cudaError_t {
	cudaSuccess, cudaErrorMemoryAllocation = 2,
	cudaErrorIllegalAddress = 700,
	cudaErrorStreamCaptureUnsupported = 900,
	cudaErrorStreamCaptureInvalidated = 901
};

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
enum { cudaStreamNonBlocking = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone,
	cudaStreamCaptureStatusActive };

struct cudaDeviceProp {
	char name[256];
	int major, minor;
};

/* what the emulator must know of a kernel: how to call it */
struct emu_known {
	const void *f;
	void (*call)(const void *f, void **arg);
	const size_t *size;		/* of its arguments */
	unsigned n;
};

#define EMU_KNOWN	256
#define EMU_ARGS	32

static emu_known emu_known_all[EMU_KNOWN];

struct cublasLtMatrixLayoutStruct {
	int bits;			/* CUDA_R_32F, _16BF, _16F */
	uint64_t rows, cols;
	int64_t ld;
};
struct cublasLtMatmulDescStruct { int turned[2]; };
struct cublasLtMatmulAlgo_t { uint64_t data[8]; };
typedef cublasLtMatrixLayoutStruct *cublasLtMatrixLayout_t;
typedef cublasLtMatmulDescStruct *cublasLtMatmulDesc_t;

/* a product, column-major; lt: of which the algorithm says how it sums */
struct emu_product {
	cublasLtMatmulDescStruct op;
	cublasLtMatrixLayoutStruct a, b, c;
	const void *pa, *pb;
	void *pc;
	float alpha, beta;
	uint64_t way;
};

struct emu_node {
	const emu_known *kernel;	/* or NULL: product */
	dim3 grid, block;
	size_t shared;
	void *arg[EMU_ARGS];
	emu_product product;
	emu_node *next;
};

struct emu_graph {
	emu_node *first, **end, *last;
};

struct emu_stream {
	emu_graph *capture;
	bool broken;
};

typedef emu_stream *cudaStream_t;
typedef emu_graph *cudaGraph_t, *cudaGraphExec_t;
typedef emu_node *cudaGraphNode_t;
struct cudaGraphEdgeData;

struct cudaKernelNodeParams {
	void *func;
	dim3 gridDim, blockDim;
	unsigned sharedMemBytes;
	void **kernelParams, **extra;
};

static struct {
	long left;			/* until it is lost; 0: never */
	bool lost, no_graphs;
	long way, version;
} emu_gpu;

/* emu_rc - what every call returns of a GPU that is lost */
static cudaError_t
emu_rc(cudaError_t rc)
{
	return emu_gpu.lost ? cudaErrorIllegalAddress : rc;
}

/* emu_counts - one more is started; is there still a GPU to do it */
static bool
emu_counts(void)
{
	if (emu_gpu.left > 0 && --emu_gpu.left == 0)
		emu_gpu.lost = true;
	return !emu_gpu.lost;
}

static long
emu_number(const char *name, long otherwise)
{
	const char *s = getenv(name);

	return s == NULL ? otherwise : atol(s);
}

static void
emu_settings(void)
{
	const char *graphs = getenv("QUERN_EMU_GRAPHS");

	emu_gpu.left = emu_number("QUERN_EMU_FAIL", 0);
	emu_gpu.lost = false;
	emu_gpu.no_graphs = graphs != NULL && strcmp(graphs, "no") == 0;
	emu_gpu.way = emu_number("QUERN_EMU_WAY", 1);
	emu_gpu.version = emu_number("QUERN_EMU_VERSION", 130100);
}

static const char *
cudaGetErrorString(cudaError_t rc)
{
	switch (rc) {
	case cudaSuccess:
		return "no error";
	case cudaErrorMemoryAllocation:
		return "out of memory";
	case cudaErrorIllegalAddress:
		return "an illegal memory access was encountered";
	default:
		return "operation failed due to a previous error during "
		    "capture";
	}
}

static cudaError_t
cudaGetLastError(void)
{
	return emu_rc(cudaSuccess);
}

static cudaError_t
cudaSetDevice(int)
{
	emu_settings();
	return cudaSuccess;
}

static cudaError_t
cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
	snprintf(p->name, sizeof(p->name), "emulated GPU");
	p->major = 9;
	p->minor = 0;
	return cudaSuccess;
}

static cudaError_t
cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
	*s = (cudaStream_t)calloc(1, sizeof(**s));
	return cudaSuccess;
}

static cudaError_t
cudaStreamDestroy(cudaStream_t s)
{
	free(s);
	return cudaSuccess;
}

/* emu_apart - of what a stream that captures cannot do */
static cudaError_t
emu_apart(cudaStream_t s)
{
	if (s->capture == NULL)
		return emu_rc(cudaSuccess);
	s->broken = true;
	return cudaErrorStreamCaptureUnsupported;
}

static cudaError_t
cudaStreamSynchronize(cudaStream_t s)
{
	return emu_apart(s);
}

static cudaError_t
cudaMalloc(void **p, size_t n)
{
	/* as the runtime gives it out: algorithms depend on that */
	*p = aligned_alloc(256, n == 0 ? 256 : (n + 255) / 256 * 256);
	return emu_rc(*p == NULL ? cudaErrorMemoryAllocation : cudaSuccess);
}

static cudaError_t
cudaFree(void *p)
{
	free(p);
	return emu_rc(cudaSuccess);
}

static cudaError_t
cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s)
{
	cudaError_t rc = emu_apart(s);

	if (rc == cudaSuccess)
		memset(p, value, n);
	return rc;
}

static cudaError_t
cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind,
    cudaStream_t s)
{
	cudaError_t rc = emu_apart(s);

	if (rc == cudaSuccess)
		memcpy(to, from, n);
	return rc;
}

static cudaError_t
cudaFuncSetAttribute(const void *, cudaFuncAttribute, int bytes)
{
	return (size_t)bytes > EMU_SHARED ? cudaErrorIllegalAddress :
	    cudaSuccess;
}

/* emu_call - a kernel, from where its arguments lie */
template<class... P, size_t... I> static void
emu_spread(void (*f)(P...), void **arg, std::index_sequence<I...>)
{
	f(*(P *)arg[I]...);
}

template<class... P> static void
emu_call(const void *f, void **arg)
{
	emu_spread((void (*)(P...))f, arg, std::index_sequence_for<P...>());
}

template<class... P> static void
emu_know(void (*f)(P...))
{
	static const size_t size[] = { sizeof(P)... };
	emu_known *k = emu_known_all;

	while (k->f != NULL && k->f != (const void *)f)
		if (++k == emu_known_all + EMU_KNOWN)
			abort();
	*k = emu_known{ (const void *)f, emu_call<P...>, size,
	    sizeof...(P) };
}

#define KNOW(f)	emu_know(f)

static const emu_known *
emu_find(const void *f)
{
	for (const emu_known *k = emu_known_all; k->f != NULL; k++)
		if (k->f == f)
			return k;
	abort();
}

static void
emu_kernel(const emu_known *k, dim3 grid, unsigned block, size_t shared,
    void **arg)
{
	if (emu_counts())
		emu_run(grid, block, shared, k->call, k->f, arg);
}

/* emu_add - a node behind the last one */
static emu_node *
emu_add(emu_graph *g)
{
	emu_node *n = (emu_node *)calloc(1, sizeof(*n));

	if (g->first == NULL)
		g->end = &g->first;
	*g->end = g->last = n;
	g->end = &n->next;
	return n;
}

/* emu_args - copies, as they are now */
static void
emu_args(emu_node *n, void **arg)
{
	for (unsigned i = 0; i < n->kernel->n; i++) {
		free(n->arg[i]);
		n->arg[i] = malloc(n->kernel->size[i]);
		memcpy(n->arg[i], arg[i], n->kernel->size[i]);
	}
}

static cudaError_t
cudaLaunchKernel(const void *f, dim3 grid, dim3 block, void **arg,
    size_t shared, cudaStream_t s)
{
	const emu_known *k = emu_find(f);
	emu_node *n;

	if (s->capture == NULL) {
		emu_kernel(k, grid, block.x, shared, arg);
		return cudaSuccess;	/* what went wrong shows later */
	}
	n = emu_add(s->capture);
	n->kernel = k;
	n->grid = grid;
	n->block = block;
	n->shared = shared;
	emu_args(n, arg);
	return cudaSuccess;
}

static cudaError_t
cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode)
{
	s->capture = (emu_graph *)calloc(1, sizeof(*s->capture));
	s->broken = false;
	return emu_rc(cudaSuccess);
}

static void
emu_drop(emu_graph *g)
{
	for (emu_node *n = g->first, *next; n != NULL; n = next) {
		next = n->next;
		for (unsigned i = 0; i < EMU_ARGS; i++)
			free(n->arg[i]);
		free(n);
	}
	free(g);
}

static cudaError_t
cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
	*g = s->capture;
	s->capture = NULL;
	if (!s->broken && !emu_gpu.no_graphs)
		return emu_rc(cudaSuccess);
	emu_drop(*g);
	*g = NULL;
	return cudaErrorStreamCaptureInvalidated;
}

static cudaError_t
cudaStreamGetCaptureInfo(cudaStream_t s, cudaStreamCaptureStatus *status,
    unsigned long long *, cudaGraph_t *, const cudaGraphNode_t **last,
    const cudaGraphEdgeData **, size_t *n)
{
	*status = s->capture == NULL ? cudaStreamCaptureStatusNone :
	    cudaStreamCaptureStatusActive;
	if (s->capture != NULL)
		*last = &s->capture->last;
	*n = s->capture != NULL && s->capture->first != NULL;
	return cudaSuccess;
}

/* the nodes are the same ones: nothing here sets those of a graph */
static cudaError_t
cudaGraphInstantiate(cudaGraphExec_t *x, cudaGraph_t g, unsigned long long)
{
	*x = g;
	return emu_rc(cudaSuccess);
}

static cudaError_t
cudaGraphDestroy(cudaGraph_t)
{
	return cudaSuccess;
}

static cudaError_t
cudaGraphExecDestroy(cudaGraphExec_t x)
{
	emu_drop(x);
	return cudaSuccess;
}

static cudaError_t
cudaGraphExecKernelNodeSetParams(cudaGraphExec_t, cudaGraphNode_t n,
    const cudaKernelNodeParams *p)
{
	if (n->kernel == NULL || n->kernel->f != p->func)
		return cudaErrorIllegalAddress;
	n->grid = p->gridDim;
	n->block = p->blockDim;
	n->shared = p->sharedMemBytes;
	emu_args(n, p->kernelParams);
	return cudaSuccess;
}

static float
emu_at(const cublasLtMatrixLayoutStruct *m, const void *p, size_t i, size_t k)
{
	size_t at = i + k * (size_t)m->ld;

	return m->bits == 0 ? ((const float *)p)[at] : m->bits == 14 ?
	    half_bf16(((const uint16_t *)p)[at]) :
	    half_f16(((const uint16_t *)p)[at]);
}

static void
emu_set(const cublasLtMatrixLayoutStruct *m, void *p, size_t i, size_t k,
    float x)
{
	size_t at = i + k * (size_t)m->ld;

	if (m->bits == 0)
		((float *)p)[at] = x;
	else
		((uint16_t *)p)[at] = m->bits == 14 ? half_to_bf16(x) :
		    half_to_f16(x);
}

static void
emu_multiply(const emu_product *p)
{
	uint64_t K = p->op.turned[0] ? p->a.rows : p->a.cols;

	if (!emu_counts())
		return;
	for (size_t i = 0; i < p->c.rows; i++)
		for (size_t j = 0; j < p->c.cols; j++) {
			float sum = 0;

			for (size_t n = 0; n < K; n++) {
				size_t k = p->way == 2 ? K - 1 - n : n;

				sum += emu_at(&p->a, p->pa, p->op.turned[0] ?
				    k : i, p->op.turned[0] ? i : k) *
				    emu_at(&p->b, p->pb, p->op.turned[1] ?
				    j : k, p->op.turned[1] ? k : j);
			}
			emu_set(&p->c, p->pc, i, j, p->alpha * sum +
			    (p->beta == 0 ? 0 : p->beta * emu_at(&p->c, p->pc,
			    i, j)));
		}
}

static void
emu_product_start(cudaStream_t s, const emu_product *p)
{
	if (s->capture == NULL)
		emu_multiply(p);
	else
		emu_add(s->capture)->product = *p;
}

static cudaError_t
cudaGraphLaunch(cudaGraphExec_t x, cudaStream_t)
{
	for (emu_node *n = x->first; n != NULL; n = n->next)
		if (n->kernel != NULL)
			emu_kernel(n->kernel, n->grid, n->block.x, n->shared,
			    n->arg);
		else
			emu_multiply(&n->product);
	return cudaSuccess;
}

/* cuBLAS */
enum cublasStatus_t { CUBLAS_STATUS_SUCCESS, CUBLAS_STATUS_INVALID_VALUE = 7,
	CUBLAS_STATUS_NOT_SUPPORTED = 15 };
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum { CUBLAS_PEDANTIC_MATH = 2 };
enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16F = 2, CUDA_R_16BF = 14 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68 };
enum { CUBLASLT_MATMUL_DESC_TRANSA = 3, CUBLASLT_MATMUL_DESC_TRANSB };
enum cublasLtMatmulPreferenceAttributes_t {
	CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
	CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES };
enum cublasLtMatmulAlgoConfigAttributes_t { CUBLASLT_ALGO_CONFIG_ID,
	CUBLASLT_ALGO_CONFIG_TILE_ID, CUBLASLT_ALGO_CONFIG_SPLITK_NUM,
	CUBLASLT_ALGO_CONFIG_STAGES_ID = 6 };

#define EMU_ALGO	0x656d75	/* of ours, so that others show */

typedef struct emu_blas { cudaStream_t stream; } *cublasHandle_t;
typedef struct emu_lt { int none; } *cublasLtHandle_t;
typedef struct emu_wish { int none; } *cublasLtMatmulPreference_t;

struct cublasLtMatmulHeuristicResult_t {
	cublasLtMatmulAlgo_t algo;
	size_t workspaceSize;
};

static const char *
cublasGetStatusString(cublasStatus_t)
{
	return "the requested functionality is not supported";
}

template<class T> static cublasStatus_t
emu_new(T **p)
{
	*p = (T *)calloc(1, sizeof(T));
	return CUBLAS_STATUS_SUCCESS;
}

template<class T> static cublasStatus_t
emu_free(T *p)
{
	free(p);
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasSetStream(cublasHandle_t h, cudaStream_t s)
{
	h->stream = s;
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasSetWorkspace(cublasHandle_t, void *, size_t)
{
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasSetMathMode(cublasHandle_t, int)
{
	return CUBLAS_STATUS_SUCCESS;
}

#define cublasCreate			emu_new
#define cublasDestroy			emu_free
#define cublasLtCreate			emu_new
#define cublasLtDestroy			emu_free
#define cublasLtMatmulDescDestroy	emu_free
#define cublasLtMatrixLayoutDestroy	emu_free
#define cublasLtMatmulPreferenceCreate	emu_new
#define cublasLtMatmulPreferenceDestroy	emu_free

static cublasStatus_t
cublasSgemm_64(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb,
    int64_t m, int64_t n, int64_t k, const float *alpha, const float *a,
    int64_t lda, const float *b, int64_t ldb, const float *beta, float *c,
    int64_t ldc)
{
	uint64_t M = (uint64_t)m, N = (uint64_t)n, K = (uint64_t)k;
	emu_product p = { { { ta, tb } },
	    { CUDA_R_32F, ta ? K : M, ta ? M : K, lda },
	    { CUDA_R_32F, tb ? N : K, tb ? K : N, ldb },
	    { CUDA_R_32F, M, N, ldc }, a, b, c, *alpha, *beta, 1 };

	emu_product_start(h->stream, &p);
	return CUBLAS_STATUS_SUCCESS;
}

static size_t
cublasLtGetVersion(void)
{
	return (size_t)emu_gpu.version;
}

static cublasStatus_t
cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *d, cublasComputeType_t,
    cudaDataType_t)
{
	return emu_new(d);
}

static cublasStatus_t
cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, int which,
    const void *p, size_t)
{
	d->turned[which - CUBLASLT_MATMUL_DESC_TRANSA] =
	    *(const cublasOperation_t *)p;
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *m, cudaDataType_t type,
    uint64_t rows, uint64_t cols, int64_t ld)
{
	if (ld < (int64_t)rows)
		return CUBLAS_STATUS_INVALID_VALUE;
	emu_new(m);
	**m = cublasLtMatrixLayoutStruct{ type, rows, cols, ld };
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t, int,
    const void *, size_t)
{
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int,
    cublasLtMatmulHeuristicResult_t *best, int *found)
{
	memset(best, 0, sizeof(*best));
	best->algo.data[0] = (uint64_t)emu_gpu.way;
	best->algo.data[7] = EMU_ALGO;
	*found = 1;
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t,
    cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
    cublasLtMatrixLayout_t, const cublasLtMatmulAlgo_t *way,
    cublasLtMatmulHeuristicResult_t *result)
{
	memset(result, 0, sizeof(*result));
	return way->data[7] == EMU_ALGO ? CUBLAS_STATUS_SUCCESS :
	    CUBLAS_STATUS_NOT_SUPPORTED;
}

static cublasStatus_t
cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t *way,
    cublasLtMatmulAlgoConfigAttributes_t which, void *to, size_t n,
    size_t *written)
{
	int value = which == CUBLASLT_ALGO_CONFIG_ID ? (int)way->data[0] : 1;

	memcpy(to, &value, n);
	*written = n;
	return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t op, const float *alpha,
    const void *a, cublasLtMatrixLayout_t la, const void *b,
    cublasLtMatrixLayout_t lb, const float *beta, const void *,
    cublasLtMatrixLayout_t, void *d, cublasLtMatrixLayout_t ld,
    const cublasLtMatmulAlgo_t *way, void *, size_t, cudaStream_t s)
{
	emu_product p = { *op, *la, *lb, *ld, a, b, d, *alpha, *beta,
	    way->data[0] };

	/* what tensor cores read comes 16 bytes at a time */
	if (way->data[7] != EMU_ALGO || (uintptr_t)a % 16 != 0 ||
	    (uintptr_t)b % 16 != 0 || la->ld % 8 != 0 || lb->ld % 8 != 0)
		return CUBLAS_STATUS_NOT_SUPPORTED;
	emu_product_start(s, &p);
	return CUBLAS_STATUS_SUCCESS;
}

#endif
