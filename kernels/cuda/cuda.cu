/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA device: memory, products by cuBLAS (those of 16 bits: lt.cuh), and
 * kernels of our own for all else (table.cuh).  Everything goes through one
 * stream, so operations run in the order of their calls.  They are not waited for: an
 * error that one of them left shows at the next put, get or sum, which end the
 * process with 75, since a context that has failed can compute nothing any
 * more.
 *
 * The only C++ in the house is what nvcc asks for; outward it is C.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/tape.cuh"
#include "kernels/cuda/table.cuh"

#include "kernels/cuda/lt.cuh"

static void
lost(const struct cuda *c, const char *what, const char *why)
{
	msg_fatal(75, "GPU %d (%s): cannot %s: %s; %s was started last%s%s",
	    c->number, c->name, what, why, c->last == NULL ? "nothing" :
	    c->last, c->words == NULL ? "" : "; ", c->words == NULL ? "" :
	    c->words(c->words_arg));
}

static void
must(const struct cuda *c, cudaError_t rc, const char *what)
{
	if (rc != cudaSuccess)
		lost(c, what, cudaGetErrorString(rc));
}

static void
cuda_close(void *dev)
{
	struct cuda *c = (struct cuda *)dev;

	lt_close(c);
	tape_close(c);
	if (c->blas != NULL)
		cublasDestroy(c->blas);
	if (c->work != NULL)
		cudaFree(c->work);
	if (c->stream != NULL)
		cudaStreamDestroy(c->stream);
	while (c->nblocks > 0)
		block_drop(c, c->block[0].p);
	mem_free(c->block);
	mem_free(c->tapes);
	buf_free(&c->text);
	mem_free(c);
}

/* cuda_begin - stream and BLAS of a chosen device; CUDA's reason if not */
static const char *
cuda_begin(struct cuda *c)
{
	struct cudaDeviceProp prop;
	cudaError_t rc = cudaSetDevice(c->number);

	if (rc == cudaSuccess)
		rc = cudaGetDeviceProperties(&prop, c->number);
	if (rc == cudaSuccess)
		rc = cudaStreamCreateWithFlags(&c->stream,
		    cudaStreamNonBlocking);
	if (rc == cudaSuccess)
		rc = cudaMalloc((void **)&c->work, WORK_BYTES);
	if (rc != cudaSuccess)
		return cudaGetErrorString(rc);
	snprintf(c->isa, sizeof(c->isa), "sm_%d%d", prop.major, prop.minor);
	snprintf(c->name, sizeof(c->name), "%.60s", prop.name);
	c->halves = prop.major >= 8;
	if (cublasCreate(&c->blas) != CUBLAS_STATUS_SUCCESS ||
	    cublasSetStream(c->blas, c->stream) != CUBLAS_STATUS_SUCCESS ||
	    cublasSetWorkspace(c->blas, c->work, WORK_BYTES) !=
	    CUBLAS_STATUS_SUCCESS || !lt_open(c))
		return "cuBLAS does not start";
	/* 32-bit products are 32-bit: TF32 would be another arithmetic */
	cublasSetMathMode(c->blas, CUBLAS_PEDANTIC_MATH);
	return NULL;
}

static void *
cuda_open(int number, char *why, size_t len)
{
	struct cuda *c = (struct cuda *)mem_alloc(sizeof(*c));
	const char *reason;

	memset(c, 0, sizeof(*c));
	c->number = number;
	buf_init(&c->text, TEXT_BYTES);
	c->tapes = (struct tape *)mem_alloc(KERNEL_GRAPHS * sizeof(*c->tapes));
	memset(c->tapes, 0, KERNEL_GRAPHS * sizeof(*c->tapes));
	reason = cuda_begin(c);
	if (reason == NULL)
		return c;
	snprintf(why, len, "%s", reason);
	cuda_close(c);
	return NULL;
}

static const char *
cuda_isa(void *dev)
{
	return ((struct cuda *)dev)->isa;
}

static void *
cuda_alloc(void *dev, size_t bytes)
{
	struct cuda *c = (struct cuda *)dev;
	void *p;

	tape_flush(c);
	if (cudaMalloc(&p, bytes) != cudaSuccess) {
		(void)cudaGetLastError();	/* out of memory is no failure */
		return NULL;
	}
	must(c, cudaMemsetAsync(p, 0, bytes, c->stream), "clear memory");
	block_add(c, p, bytes);
	return p;
}

static void
cuda_release(void *dev, void *p)
{
	struct cuda *c = (struct cuda *)dev;

	tape_flush(c);
	must(c, cudaStreamSynchronize(c->stream), "finish");
	block_drop(c, p);
	must(c, cudaFree(p), "give memory back");
}

static void
cuda_put(void *dev, void *to, const void *host, size_t bytes)
{
	struct cuda *c = (struct cuda *)dev;

	tape_flush(c);
	must(c, cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice,
	    c->stream), "copy to it");
	must(c, cudaStreamSynchronize(c->stream), "copy to it");
}

static void
cuda_get(void *dev, void *host, const void *from, size_t bytes)
{
	struct cuda *c = (struct cuda *)dev;

	tape_flush(c);
	must(c, cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost,
	    c->stream), "copy from it");
	must(c, cudaStreamSynchronize(c->stream), "copy from it");
}

/* Row-major c = op(a) op(b) is column-major c' = op(b)' op(a)' */
static cublasStatus_t
product_start(struct cuda *c, const struct product *p)
{
	const struct lt_shape *s = &p->s;

	if (s->precision != PRECISION_F32)
		return lt_start(c, p);
	return cublasSgemm_64(c->blas, s->tb ? CUBLAS_OP_T : CUBLAS_OP_N,
	    s->ta ? CUBLAS_OP_T : CUBLAS_OP_N, (int64_t)s->N, (int64_t)s->M,
	    (int64_t)s->K, &p->alpha, (const float *)p->b, (int64_t)p->ldb,
	    (const float *)p->a, (int64_t)p->lda, &p->beta, (float *)p->c,
	    (int64_t)s->ldc);
}

static void
cuda_gemm_part(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *out, size_t ldc)
{
	static const size_t size = sizeof(struct product);
	struct cuda *c = (struct cuda *)dev;
	struct product p;
	void *arg = &p;
	struct start s = { NULL, "gemm", dim3(1), 1, 1, 0, &arg, &size };
	struct nums to = nums_of(c, out);

	if (M == 0 || N == 0)
		return;
	memset(&p, 0, sizeof(p));	/* and what lies between members */
	p.s.ta = ta;
	p.s.tb = tb;
	p.s.M = M;
	p.s.N = N;
	p.s.K = K;
	p.s.ldc = ldc;
	p.a = a;
	p.b = b;
	p.c = to.p;
	p.s.result = to.form;
	p.lda = lda;
	p.ldb = ldb;
	p.alpha = (real)alpha;
	p.beta = (real)beta;
	if (c->precision != PRECISION_F32 && K > 0)
		lt_halve(c, &p);
	else if (to.form != NUMS_REAL || nums_of(c, a).form != NUMS_REAL ||
	    nums_of(c, b).form != NUMS_REAL)
		panic("a product of 32 bits of numbers of 16");
	start_kernel(c, &s);
}

static void
cuda_gemm(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, const real *b, double beta, real *out)
{
	cuda_gemm_part(dev, ta, tb, M, N, K, alpha, a, ta ? M : K, b,
	    tb ? K : N, beta, out, N);
}

static void
cuda_on_loss(void *dev, const char *(*words)(void *), void *arg)
{
	struct cuda *c = (struct cuda *)dev;

	c->words = words;
	c->words_arg = arg;
}

static const char *
cuda_told(void *dev)
{
	struct cuda *c = (struct cuda *)dev;
	struct buf *b = &c->text;
	uint64_t made = 0, replayed = 0, plain = 0;

	for (int i = 0; i < KERNEL_GRAPHS; i++) {
		made += c->tapes[i].made;
		replayed += c->tapes[i].replayed;
		plain += c->tapes[i].plain;
	}
	b->n = 0;
	buf_str(b, "{\"device\":\"cuda\",\"isa\":");
	buf_json_str(b, c->isa);
	buf_str(b, ",\"name\":");
	buf_json_str(b, c->name);
	buf_printf(b, ",\"graphs\":{\"made\":%llu,\"replayed\":%llu,"
	    "\"plain\":%llu", (unsigned long long)made,
	    (unsigned long long)replayed, (unsigned long long)plain);
	if (c->no_graphs != NULL) {
		buf_str(b, ",\"none\":");
		buf_json_str(b, c->no_graphs);
	}
	buf_char(b, '}');
	lt_told(c, b);
	buf_char(b, '}');
	return buf_cstr(b);
}

static struct kernels
table(void)
{
	struct kernels k;

	memset(&k, 0, sizeof(k));
	k.abi = KERNEL_ABI;
	k.name = "cuda";
	k.open = cuda_open;
	k.close = cuda_close;
	k.isa = cuda_isa;
	k.alloc = cuda_alloc;
	k.release = cuda_release;
	k.put = cuda_put;
	k.get = cuda_get;
	k.gemm = cuda_gemm;
	k.gemm_part = cuda_gemm_part;
	k.halves = cuda_halves;
	k.graph_begin = cuda_graph_begin;
	k.graph_end = cuda_graph_end;
	k.told = cuda_told;
	k.chosen = lt_chosen;
	k.choose = lt_take;
	k.on_loss = cuda_on_loss;
	table_fill(&k);
	return k;
}

extern "C" KERNELS
{
	static const struct kernels mine = table();

	return &mine;
}
