/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is called between graph_begin and graph_end becomes a CUDA graph.
 *
 * Those calls start nothing.  They are taken down: kernels with their
 * arguments, products with all that they depend on.  At the end that is beside
 * what the stretch was the last time.  If it is the same kernels and products,
 * its graph is launched, in which arguments that differ are set before (a rate,
 * the key of a dropout, a step's number); if there is none yet, one is captured
 * and launched; if it is not the same, all is started as it is.  So a graph
 * never computes with what another step had, whatever the caller does.
 *
 * Whoever has to wait for the device in between, for a copy, a sum or memory
 * that moves, has all started that was taken down before (tape_flush), and that
 * stretch is no graph.
 */
#ifndef CUDA_TAPE_CUH
#define CUDA_TAPE_CUH

#include "kernels/cuda/grid.cuh"

#define TAPE_ARGS	32		/* most of a kernel */
#define TAPE_TRIES	8		/* graphs that nobody replays */

/* one call; a product's only argument is its struct product, and f is NULL */
struct item {
	struct start s;			/* s.arg: not set */
	size_t at;			/* of its arguments in `bytes` */
	bool changed;			/* since the graph was made or set */
	cudaGraphNode_t node;
};

struct tape {
	struct item *v;
	size_t n, cap;
	size_t at;			/* of this time's calls */
	bool same;			/* they are the last time's so far */
	unsigned char *bytes;		/* the arguments */
	size_t used, room;
	cudaGraphExec_t graph;		/* of v[0 .. n-1], or NULL */
	uint64_t made, replayed, plain;
};

/* product_start - lt.cuh's and cuBLAS's */
struct product;
static cublasStatus_t product_start(struct cuda *, const struct product *);

static cudaError_t
kernel_start(struct cuda *c, const struct start *s)
{
	cudaError_t rc = cudaSuccess;

	if (s->shared > 48 * 1024)
		rc = cudaFuncSetAttribute(s->f,
		    cudaFuncAttributeMaxDynamicSharedMemorySize,
		    (int)s->shared);
	c->last = s->name;
	return rc != cudaSuccess ? rc : cudaLaunchKernel(s->f, s->grid,
	    dim3(s->block), s->arg, s->shared, c->stream);
}

/* any_start - of a kernel or a product: NULL, or why it could not be */
static const char *
any_start(struct cuda *c, const struct start *s)
{
	cublasStatus_t got;
	cudaError_t rc;

	if (s->f != NULL) {
		rc = kernel_start(c, s);
		return rc == cudaSuccess ? NULL : cudaGetErrorString(rc);
	}
	c->last = s->name;
	got = product_start(c, (const struct product *)s->arg[0]);
	return got == CUBLAS_STATUS_SUCCESS ? NULL :
	    cublasGetStatusString(got);
}

static void
must_start(struct cuda *c, const struct start *s)
{
	const char *why = any_start(c, s);

	if (why != NULL)
		lost(c, "start a kernel", why);
}

/* item_args - where its arguments lie, one by one */
static struct start
item_args(const struct tape *t, const struct item *it, void *arg[TAPE_ARGS])
{
	struct start s = it->s;
	size_t at = it->at;

	for (unsigned i = 0; i < s.n; i++) {
		arg[i] = t->bytes + at;
		at += (s.size[i] + 15) / 16 * 16;
	}
	s.arg = arg;
	return s;
}

/* item_set - the arguments are those of s; were they others */
static bool
item_set(struct tape *t, const struct item *it, const struct start *s)
{
	void *arg[TAPE_ARGS];
	bool differ = false;

	item_args(t, it, arg);
	for (unsigned i = 0; i < s->n; i++) {
		differ |= memcmp(arg[i], s->arg[i], s->size[i]) != 0;
		memcpy(arg[i], s->arg[i], s->size[i]);
	}
	return differ;
}

/* item_same - is it that call, but for arguments that a graph can be given */
static bool
item_same(const struct tape *t, const struct item *it, const struct start *s)
{
	void *arg[TAPE_ARGS];

	if (it->s.f != s->f)
		return false;
	if (s->f != NULL)
		return true;
	item_args(t, it, arg);
	return memcmp(arg[0], s->arg[0], s->size[0]) == 0;
}

/* tape_add - a call behind those that were the last time's */
static void
tape_add(struct tape *t, const struct start *s)
{
	size_t bytes = 0;
	struct item *it;

	for (unsigned i = 0; i < s->n; i++)
		bytes += (s->size[i] + 15) / 16 * 16;
	if (t->at < t->n)
		t->used = t->v[t->at].at;
	t->same = false;
	if (t->at == t->cap) {
		t->cap = t->cap == 0 ? 256 : 2 * t->cap;
		t->v = (struct item *)mem_grow(t->v, t->cap * sizeof(*t->v));
	}
	while (t->used + bytes > t->room) {
		t->room = t->room == 0 ? 1 << 16 : 2 * t->room;
		t->bytes = (unsigned char *)mem_grow(t->bytes, t->room);
	}
	it = &t->v[t->at];
	*it = item();
	it->s = *s;
	it->at = t->used;
	t->used += bytes;
	t->n = t->at + 1;
	item_set(t, it, s);
}

/* tape_take - take a call down */
static void
tape_take(struct tape *t, const struct start *s)
{
	struct item *it = t->v + t->at;
	bool other;

	if (s->n > TAPE_ARGS)
		panic("'%s' has more than %d arguments", s->name, TAPE_ARGS);
	if (t->at < t->n && item_same(t, it, s)) {
		other = it->s.grid.x != s->grid.x || it->s.grid.y !=
		    s->grid.y || it->s.grid.z != s->grid.z ||
		    it->s.block != s->block || it->s.shared != s->shared;
		it->s.grid = s->grid;
		it->s.block = s->block;
		it->s.shared = s->shared;
		it->changed |= item_set(t, it, s) || other;
	} else
		tape_add(t, s);
	t->at++;
}

static void
start_kernel(struct cuda *c, const struct start *s)
{
	if (c->tape != NULL)
		tape_take(c->tape, s);
	else
		must_start(c, s);
}

static void
tape_forget(struct tape *t)
{
	if (t->graph != NULL)
		(void)cudaGraphExecDestroy(t->graph);
	t->graph = NULL;
}

/* tape_plain - all that was taken down, one after the other */
static void
tape_plain(struct cuda *c, struct tape *t)
{
	void *arg[TAPE_ARGS];
	struct start s;

	for (size_t i = 0; i < t->at; i++) {
		s = item_args(t, &t->v[i], arg);
		must_start(c, &s);
	}
	t->plain++;
}

static void
tape_flush(struct cuda *c)
{
	struct tape *t = c->tape;

	if (t == NULL)
		return;
	c->tape = NULL;
	tape_plain(c, t);
	tape_forget(t);
	t->n = 0;
}

/* last_node - what a stream that is captured depends on now */
static cudaGraphNode_t
last_node(const struct cuda *c)
{
	enum cudaStreamCaptureStatus status;
	const cudaGraphNode_t *last = NULL;
	const cudaGraphEdgeData *edges = NULL;	/* who takes none may get none:
						 * those of cuBLAS can overlap */
	size_t n = 0;

#if CUDART_VERSION >= 13000
	if (cudaStreamGetCaptureInfo(c->stream, &status, NULL, NULL, &last,
	    &edges, &n) != cudaSuccess || n != 1)
		return NULL;
#elif CUDART_VERSION >= 12030
	if (cudaStreamGetCaptureInfo_v3(c->stream, &status, NULL, NULL, &last,
	    &edges, &n) != cudaSuccess || n != 1)
		return NULL;
#else
	(void)edges;
	if (cudaStreamGetCaptureInfo_v2(c->stream, &status, NULL, NULL, &last,
	    &n) != cudaSuccess || n != 1)
		return NULL;
#endif
	return last[0];
}

/* tape_capture - the graph: NULL, or why there is none */
static const char *
tape_capture(struct cuda *c, struct tape *t)
{
	void *arg[TAPE_ARGS];
	const char *why = NULL;
	cudaGraph_t graph = NULL;
	cudaError_t rc;
	struct start s;

	rc = cudaStreamBeginCapture(c->stream,
	    cudaStreamCaptureModeThreadLocal);
	if (rc != cudaSuccess)
		return cudaGetErrorString(rc);
	for (size_t i = 0; why == NULL && i < t->n; i++) {
		struct item *it = &t->v[i];

		s = item_args(t, it, arg);
		why = any_start(c, &s);
		it->changed = false;
		it->node = last_node(c);
		if (why == NULL && it->node == NULL)
			why = "a captured call has no node";
	}
	rc = cudaStreamEndCapture(c->stream, &graph);
	if (rc == cudaSuccess && why == NULL)
		rc = cudaGraphInstantiate(&t->graph, graph, 0);
	if (graph != NULL)
		(void)cudaGraphDestroy(graph);
	if (rc != cudaSuccess) {
		t->graph = NULL;
		(void)cudaGetLastError();	/* it is no failure */
	}
	return why != NULL || rc == cudaSuccess ? why :
	    cudaGetErrorString(rc);
}

/* tape_set - what differs, in the graph; false: it cannot be set */
static bool
tape_set(struct tape *t)
{
	void *arg[TAPE_ARGS];

	for (size_t i = 0; i < t->n; i++) {
		struct item *it = &t->v[i];
		struct start s = item_args(t, it, arg);
		struct cudaKernelNodeParams p = {};

		if (!it->changed)
			continue;
		p.func = (void *)s.f;
		p.gridDim = s.grid;
		p.blockDim = dim3(s.block);
		p.sharedMemBytes = (unsigned)s.shared;
		p.kernelParams = s.arg;
		if (cudaGraphExecKernelNodeSetParams(t->graph, it->node, &p) !=
		    cudaSuccess) {
			(void)cudaGetLastError();
			return false;
		}
		it->changed = false;
	}
	return true;
}

static void
cuda_graph_begin(void *dev, enum kernel_graph which)
{
	struct cuda *c = (struct cuda *)dev;
	struct tape *t = &c->tapes[which];

	tape_flush(c);
	if (c->no_graphs != NULL || t->made >= TAPE_TRIES + t->replayed)
		return;
	t->at = 0;
	t->same = true;
	c->tape = t;
}

static void
cuda_graph_end(void *dev)
{
	struct cuda *c = (struct cuda *)dev;
	struct tape *t = c->tape;
	bool steady;

	if (t == NULL)
		return;
	c->tape = NULL;
	steady = t->same && t->at == t->n && t->n > 0;
	t->n = t->at;
	if (t->graph != NULL && (!steady || !tape_set(t)))
		tape_forget(t);
	else if (t->graph != NULL)
		t->replayed++;
	else if (steady) {
		c->no_graphs = tape_capture(c, t);
		t->made += c->no_graphs == NULL;
	}
	if (t->graph == NULL) {
		tape_plain(c, t);
		return;
	}
	c->last = "a graph";
	must(c, cudaGraphLaunch(t->graph, c->stream), "launch a graph");
}

static void
tape_close(struct cuda *c)
{
	c->tape = NULL;
	for (int i = 0; i < KERNEL_GRAPHS; i++) {
		tape_forget(&c->tapes[i]);
		mem_free(c->tapes[i].v);
		mem_free(c->tapes[i].bytes);
	}
}

#endif
