/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA device: memory, products by cuBLAS (those of 16 bits: lt.cuh), and
 * kernels of our own for all else (table.cuh).  Everything goes through one stream, so
 * operations run in the order of their calls.  They are not waited for: an
 * error that one of them left shows at the next put, get or sum, which end the
 * process with 75, since a context that has failed can compute nothing any
 * more.
 *
 * The only C++ in the house is what nvcc asks for; outward it is C.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/table.cuh"

#include "kernels/cuda/lt.cuh"

static void
must(const struct cuda *c, cudaError_t rc, const char *what)
{
	if (rc != cudaSuccess)
		msg_fatal(75, "GPU %d: cannot %s: %s", c->number, what,
		    cudaGetErrorString(rc));
}

static void
start_kernel(struct cuda *c, const struct start *s)
{
	cudaError_t rc = cudaSuccess;

	if (s->shared > 48 * 1024)
		rc = cudaFuncSetAttribute(s->f,
		    cudaFuncAttributeMaxDynamicSharedMemorySize,
		    (int)s->shared);
	if (rc == cudaSuccess)
		rc = cudaLaunchKernel(s->f, s->grid, dim3(s->block), s->arg,
		    s->shared, c->stream);
	must(c, rc, s->name);
}

static void
cuda_close(void *dev)
{
	struct cuda *c = (struct cuda *)dev;

	lt_close(c);
	if (c->blas != NULL)
		cublasDestroy(c->blas);
	if (c->work != NULL)
		cudaFree(c->work);
	if (c->stream != NULL)
		cudaStreamDestroy(c->stream);
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
	c->halves = prop.major >= 8;
	if (cublasCreate(&c->blas) != CUBLAS_STATUS_SUCCESS ||
	    cublasSetStream(c->blas, c->stream) != CUBLAS_STATUS_SUCCESS ||
	    !lt_open(c))
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

	if (cudaMalloc(&p, bytes) != cudaSuccess) {
		(void)cudaGetLastError();	/* out of memory is no failure */
		return NULL;
	}
	must(c, cudaMemsetAsync(p, 0, bytes, c->stream), "clear memory");
	return p;
}

static void
cuda_release(void *dev, void *p)
{
	struct cuda *c = (struct cuda *)dev;

	must(c, cudaStreamSynchronize(c->stream), "finish");
	must(c, cudaFree(p), "give memory back");
}

static void
cuda_put(void *dev, void *to, const void *host, size_t bytes)
{
	struct cuda *c = (struct cuda *)dev;

	must(c, cudaMemcpyAsync(to, host, bytes, cudaMemcpyHostToDevice,
	    c->stream), "copy to it");
	must(c, cudaStreamSynchronize(c->stream), "copy to it");
}

static void
cuda_get(void *dev, void *host, const void *from, size_t bytes)
{
	struct cuda *c = (struct cuda *)dev;

	must(c, cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost,
	    c->stream), "copy from it");
	must(c, cudaStreamSynchronize(c->stream), "copy from it");
}

/* Row-major c = op(a) op(b) is column-major c' = op(b)' op(a)' */
static void
cuda_gemm_part(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *out, size_t ldc)
{
	struct cuda *c = (struct cuda *)dev;
	real one = (real)alpha, keep = (real)beta;
	cublasStatus_t rc;

	if (M == 0 || N == 0)
		return;
	if (c->precision != PRECISION_F32 && K > 0) {
		lt_gemm(c, ta, tb, M, N, K, one, a, lda, b, ldb, keep, out,
		    ldc);
		return;
	}
	rc = cublasSgemm_64(c->blas, tb ? CUBLAS_OP_T : CUBLAS_OP_N,
	    ta ? CUBLAS_OP_T : CUBLAS_OP_N, (int64_t)N, (int64_t)M,
	    (int64_t)K, &one, b, (int64_t)ldb, a, (int64_t)lda, &keep, out,
	    (int64_t)ldc);
	if (rc != CUBLAS_STATUS_SUCCESS)
		msg_fatal(75, "GPU %d: cannot start 'gemm': %s", c->number,
		    cublasGetStatusString(rc));
}

static void
cuda_gemm(void *dev, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, const real *b, double beta, real *out)
{
	cuda_gemm_part(dev, ta, tb, M, N, K, alpha, a, ta ? M : K, b,
	    tb ? K : N, beta, out, N);
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
	table_fill(&k);
	return k;
}

extern "C" KERNELS
{
	static const struct kernels mine = table();

	return &mine;
}
