/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELS_KERNEL_H
#define KERNELS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/*
 * kernel.h - a device: a table of operations.  A shared object exports one
 * symbol, `kernels`, which gives the table for this machine.  kernels/ref is
 * the truth: plain loops that sum in double.  Every other table is tested
 * against it on odd shapes, and ref itself by central differences (there it is
 * compiled with REAL=double).
 *
 * All pointers but those said to be the host's are the device's memory.
 * Matrices are row-major without gaps unless a stride is given.  Shapes: B
 * sequences of T positions, R = B * T rows, C channels, H query heads, G
 * key/value heads (H a multiple of G), D channels a head, V words.  `grad`
 * operations add to the gradients of parameters and overwrite those of inputs,
 * unless said otherwise; parameters' gradients of norms and tables may be NULL:
 * not wanted.  Operations cannot fail: what can is open and alloc.
 *
 * The same binary, ISA, device and number of threads give the same bytes.  The
 * operations under "inference" promise more: a row's result does not depend on
 * the other rows, nor on the number of threads.
 */

#define KERNEL_ABI	6

#ifndef REAL
#define REAL	float
#endif
typedef REAL real;

/* where query, key and value rows begin and how far apart rows are, in reals;
 * a query sees itself and the window - 1 places before it; scores are scaled,
 * then made cap * tanh(score / cap) */
struct kernel_heads {
	size_t B, T, H, G, D;
	size_t q, k, v;			/* strides of rows */
	size_t window;			/* 0: everything before it */
	double scale, cap;		/* 0: 1/sqrt(D); 0: none */
	/* attend alone: the first place of its sequence that each of the B * T
	 * queries sees, which does not fall along a sequence; NULL: 0 */
	const int32_t *from;
	/* and the place behind the last one: rows that have the same from and
	 * to are a text and see one another both ways (window 0); NULL: a
	 * query sees nothing behind itself */
	const int32_t *to;
	/* and dropout of what a query makes of a key: number ((b * H + h) * T +
	 * t) * T + j drawn by the key (kernels/drop.h) is below `drop`: 0, else
	 * the probability / (1 - drop); in attend and its gradient alone */
	double drop;
	uint64_t key;
};

/* scores of T queries and K keys of a sequence: query t sees the keys from
 * from[t] on and before to[t], none if they are the same; key j's score gains
 * bias[bucket[j - t + T - 1]][h], of a table [N,H], or NULL: nothing (a
 * relative position bias, T5: Raffel et al. 2020) */
struct kernel_relative {
	size_t H, T, K, N;
	const int32_t *from, *to;	/* [T] */
	const int32_t *bucket;		/* [T + K - 1] */
	const real *bias;
};

enum kernel_act {
	ACT_GELU,			/* by tanh: gelu_new */
	ACT_GELU_ERF,			/* as it is defined */
	ACT_SILU, ACT_RELU
};

/*
 * A frozen matrix in fewer bits, its numbers in a row without gaps.  Halves lie
 * as they are.  NF4 (QLoRA, Dettmers et al. 2023, as bitsandbytes lays it out):
 * two numbers a byte, the first in the high bits; a number is a code
 * (kernels/held.h) times the scale of its 64 neighbours.  A scale is a float,
 * or double quantised: map[its byte] times the step of its 256 neighbours, plus
 * mean.
 */
enum kernel_form { FORM_BF16, FORM_F16, FORM_NF4 };

struct kernel_held {
	enum kernel_form form;
	const void *data;
	const float *scale;		/* NF4's, unless double quantised: */
	const uint8_t *byte;
	const float *step, *map;	/* map[256] */
	float mean;
};
/* places of a page of a cache (vLLM's block, Kwon et al. 2023) */
#define KERNEL_PAGE	16

/* rows of a cache, on the device: row r is place pos[r] of sequence slot[r];
 * place p lies in page table[slot * per + p / KERNEL_PAGE] */
struct kernel_places {
	const int32_t *table, *slot, *pos;
	size_t per;
};

/* forms of quantised weights (block32.h) */
enum kernel_quant { KERNEL_Q8, KERNEL_Q4 };

/*
 * What gemm, gemm_part, attend and attend_grad may make of the numbers that
 * they multiply, so as to be faster: those of 16 bits (kernels/half.h).  They
 * sum in 32 bits at least and their results are reals.  Attention may round to
 * bf16 where f16 was asked for.
 */
enum kernel_precision { PRECISION_F32, PRECISION_BF16, PRECISION_F16 };

/* what a teacher held to be likely: in each row K words, none twice, and their
 * probabilities at a temperature */
#define KERNEL_TAUGHT	128		/* most words */

struct kernel_teacher {
	const int32_t *id;		/* [R,K] */
	const real *p;			/* [R,K] */
	size_t K;
	double temperature, alpha;
};

/* AdamW (Loshchilov and Hutter 2019, as PyTorch computes it) */
struct kernel_adamw {
	double lr, beta1, beta2, eps, decay;
	double scale;			/* of the gradient, from clipping */
	int64_t step;			/* from 1 */
};

struct kernel_array {
	const real *x;
	size_t n;
};

/* stretches of calls that come again and again (graph_begin): a pass that
 * learns, forward or all of it, and one that only looks; the way back where the
 * host has judged in between; an optimiser's step */
enum kernel_graph { GRAPH_LEARN, GRAPH_LOOK, GRAPH_BACK, GRAPH_UPDATE,
	KERNEL_GRAPHS };

struct kernels {
	unsigned abi;
	const char *name;		/* "ref", "cpu", "cuda" */

	/* open - NULL with the reason; number: of threads, or of the GPU */
	void *(*open)(int number, char *why, size_t len);
	void (*close)(void *);
	const char *(*isa)(void *);	/* "avx2", "sm_90" */
	void *(*alloc)(void *, size_t bytes);	/* zeroed; or NULL */
	void (*release)(void *, void *);
	void (*put)(void *, void *to, const void *host, size_t bytes);
	void (*get)(void *, void *host, const void *from, size_t bytes);
	void (*fill)(void *, real *x, size_t n, double value);
	/* from now on; F32 before.  -1: the device gains nothing by it */
	int (*precision)(void *, enum kernel_precision);

	/* c[M,N] = alpha op(a) op(b) + beta c; a is [M,K], or [K,M] if ta; b is
	 * [K,N], or [N,K] if tb */
	void (*gemm)(void *, int ta, int tb, size_t M, size_t N, size_t K,
	    double alpha, const real *a, const real *b, double beta, real *c);
	void (*bias)(void *, real *y, const real *b, size_t R, size_t N);
	void (*bias_grad)(void *, real *db, const real *dy, size_t R, size_t N);
	void (*add)(void *, real *y, const real *x, size_t n);

	/* y = token[id] + place[pos]; place may be NULL */
	void (*embed)(void *, real *y, const real *token, const real *place,
	    const int32_t *id, const int32_t *pos, size_t R, size_t C);
	void (*embed_grad)(void *, real *dtoken, real *dplace, const real *dy,
	    const int32_t *id, const int32_t *pos, size_t R, size_t C);

	/* normalise a row (y may be x); keep[R] is 1/deviation, mean[R] the
	 * mean.  The gradient of the input is added to dx */
	void (*layernorm)(void *, real *y, real *mean, real *keep,
	    const real *x, const real *w, const real *b, size_t R, size_t C,
	    double eps);
	void (*layernorm_grad)(void *, real *dx, real *dw, real *db,
	    const real *dy, const real *x, const real *w, const real *mean,
	    const real *keep, size_t R, size_t C);
	void (*rmsnorm)(void *, real *y, real *keep, const real *x,
	    const real *w, size_t R, size_t C, double eps);
	void (*rmsnorm_grad)(void *, real *dx, real *dw, const real *dy,
	    const real *x, const real *w, const real *keep, size_t R,
	    size_t C);

	/* rmsnorm of each of `heads` heads of D channels of each row, w[D] for
	 * all of them; rows of y and x lie ystride and xstride apart (y may be
	 * x), keep[R,heads].  dx (overwritten) has x's stride, dy y's */
	void (*headnorm)(void *, real *y, size_t ystride, real *keep,
	    const real *x, size_t xstride, const real *w, size_t R,
	    size_t heads, size_t D, double eps);
	void (*headnorm_grad)(void *, real *dx, real *dw, const real *dy,
	    size_t ystride, const real *x, size_t xstride, const real *w,
	    const real *keep, size_t R, size_t heads, size_t D);

	/* turn the pairs (i, i + N/2) of the first N channels of each of
	 * `heads` heads of D channels of each row in place; table[pos][N] is
	 * N/2 cosines, then N/2 sines; back: by minus the angle */
	void (*rope)(void *, real *x, const real *table, const int32_t *pos,
	    size_t R, size_t stride, size_t heads, size_t D, size_t N,
	    int back);

	/* two at once, the numbers being those of one after the other.  x += r,
	 * then layernorm of it, or rmsnorm where mean is NULL.  headnorm, then
	 * rope of what it made; its gradient is rope's, which stays in dy, then
	 * headnorm's */
	void (*add_norm)(void *, real *y, real *mean, real *keep, real *x,
	    const real *r, const real *w, const real *b, size_t R, size_t C,
	    double eps);
	void (*headnorm_rope)(void *, real *y, size_t ystride, real *keep,
	    const real *x, size_t xstride, const real *w, const real *table,
	    const int32_t *pos, size_t R, size_t heads, size_t D, size_t N,
	    double eps);
	void (*headnorm_rope_grad)(void *, real *dx, real *dw, real *dy,
	    size_t ystride, const real *x, size_t xstride, const real *w,
	    const real *keep, const real *table, const int32_t *pos, size_t R,
	    size_t heads, size_t D, size_t N);

	/* attention, causal unless heads say `to`; y is [R,H*D], lse[B,H,T] the
	 * log of each row's sum; dq, dk, dv have the strides of q, k, v */
	void (*attend)(void *, real *y, real *lse, const real *q,
	    const real *k, const real *v, const struct kernel_heads *);
	void (*attend_grad)(void *, real *dq, real *dk, real *dv,
	    const real *dy, const real *y, const real *lse, const real *q,
	    const real *k, const real *v, const struct kernel_heads *);

	/* x[H,T,K], scores, become their softmax over the keys that each query
	 * sees, 0 elsewhere.  dp, the gradient of that p, becomes the scores';
	 * what of it is the bias's is added to dbias[N,H], unless NULL */
	void (*softmax)(void *, real *x, const struct kernel_relative *);
	void (*softmax_grad)(void *, real *dp, real *dbias, const real *p,
	    const struct kernel_relative *);

	/* an activation; y may be x, dx may be dy */
	void (*act)(void *, real *y, const real *x, size_t n, enum kernel_act);
	void (*act_grad)(void *, real *dx, const real *dy, const real *x,
	    size_t n, enum kernel_act);
	/* x[R,2F] is gate, then up: y[R,F] = act(gate) * up */
	void (*glu)(void *, real *y, const real *x, size_t R, size_t F,
	    enum kernel_act);
	void (*glu_grad)(void *, real *dx, const real *dy, const real *x,
	    size_t R, size_t F, enum kernel_act);

	/* a row times its weight, y[r] = w[r] x[r] (y may be x); dx may be
	 * dy, dw[R] is overwritten */
	void (*weigh)(void *, real *y, const real *x, const real *w, size_t R,
	    size_t C);
	void (*weigh_grad)(void *, real *dx, real *dw, const real *dy,
	    const real *x, const real *w, size_t R, size_t C);

	/* softmax and cross-entropy: loss[R] of each row against its target,
	 * 0 where the target is negative; with scale != 0 the logits become
	 * their gradient times scale; with cap != 0 the logits count as
	 * cap * tanh(logit / cap) */
	void (*classify)(void *, real *loss, real *logits,
	    const int32_t *target, size_t R, size_t V, double scale,
	    double cap);

	/* distillation (Hinton et al. 2015): of each row with a target alpha
	 * times temperature squared times the Kullback-Leibler divergence of
	 * teacher from softmax(logits / temperature), all words but the K being
	 * one, plus 1 - alpha times the cross-entropy, which is nll[R] as well.
	 * Otherwise as classify; the logits are overwritten in any case */
	void (*distill)(void *, real *loss, real *nll, real *logits,
	    const int32_t *target, const struct kernel_teacher *, size_t R,
	    size_t V, double scale, double cap);

	void (*adamw)(void *, real *p, const real *g, real *m, real *v,
	    size_t n, const struct kernel_adamw *);
	/* the sum of the squares of all numbers of n arrays, on the host */
	double (*sumsq)(void *, const struct kernel_array *, size_t n);

	/* gemm on parts of wider matrices: the rows of a, b and c are lda, ldb
	 * and ldc reals apart */
	void (*gemm_part)(void *, int ta, int tb, size_t M, size_t N, size_t K,
	    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
	    double beta, real *c, size_t ldc);
	void (*mix)(void *, real *y, double s, const real *x, double t,
	    size_t n);			/* y = s y + t x */
	/* y = x / (1 - p) where a number drawn by key and index is not below
	 * p, else 0 (kernels/drop.h); add: y is added to */
	void (*dropout)(void *, real *y, const real *x, size_t n, double p,
	    uint64_t key, int add);
	/* DoRA (Liu et al. 2024).  norm[N]: the length of each row of w[N,K] +
	 * scale b[N,r] a[r,K]; turn: keep[R,N] = y (keep may be NULL), then
	 * y[r][n] *= m[n] / norm[n], rows of y ldy apart; turn_grad: dm[n] +=
	 * sum over rows of dy[r][n] keep[r][n] / norm[n] */
	void (*dora_norm)(void *, real *norm, const real *w, const real *a,
	    const real *b, double scale, size_t N, size_t K, size_t r);
	void (*dora_turn)(void *, real *y, size_t ldy, real *keep,
	    const real *m, const real *norm, size_t R, size_t N);
	void (*dora_turn_grad)(void *, real *dm, const real *dy, size_t ldy,
	    const real *keep, const real *norm, size_t R, size_t N);

	/*
	 * Inference.  pack lays a [N,K] matrix out for product, in
	 * packed_size(N, K) bytes; product: y[R,N] = x[R,K] w^T.  store puts
	 * keys and values [R,G*D], `stride` reals from row to row, into the
	 * pages of a cache, where each is 2 KERNEL_PAGE G D reals in an order
	 * of the device's; look is attention over it: row r is a query and
	 * sees its sequence up to itself.  Of the heads, B, T, k and v are not
	 * read.  softcap: y = cap * tanh(y / cap).
	 */
	size_t (*packed_size)(void *, size_t N, size_t K);
	void (*pack)(void *, void *packed, const real *w, size_t N, size_t K);
	void (*product)(void *, real *y, const real *x, const void *packed,
	    size_t R, size_t N, size_t K);
	void (*store)(void *, real *cache, const real *k, const real *v,
	    const struct kernel_places *, size_t R, size_t stride, size_t G,
	    size_t D);
	void (*look)(void *, real *y, const real *q, const real *cache,
	    const struct kernel_places *, size_t R,
	    const struct kernel_heads *);
	void (*softcap)(void *, real *y, size_t n, double cap);

	/* y[R,K]: rows first, first + 1, ... of a held matrix of K columns,
	 * or rows row[R] of it */
	void (*widen)(void *, real *y, const struct kernel_held *,
	    const int32_t *row, size_t first, size_t R, size_t K);
	/* numbers in 16 bits, to the nearest, ties to even (IEEE 754): narrow -
	 * y[n], which widen reads; round - y as widen would give it back (y may
	 * be x).  Neither is for NF4 */
	void (*narrow)(void *, uint16_t *y, const real *x, size_t n,
	    enum kernel_form);
	void (*round)(void *, real *y, const real *x, size_t n,
	    enum kernel_form);
	/*
	 * Inference with quantised weights; a device may lack it.  quant_pack
	 * lays out the blocks (block32.h) of a [N,K] matrix, of which each row
	 * has whole ones; row n, a multiple of 16, begins quant_size(n, K)
	 * bytes on.  quant_product: as product, x quantised as block32_row
	 * does; the sum within a block is exact.  quant_embed: y[R,K] are the
	 * rows id[R] of the matrix.
	 */
	size_t (*quant_size)(void *, enum kernel_quant, size_t N, size_t K);
	void (*quant_pack)(void *, enum kernel_quant, void *packed,
	    const void *blocks, size_t N, size_t K);
	void (*quant_product)(void *, enum kernel_quant, real *y,
	    const real *x, const void *packed, size_t R, size_t N, size_t K);
	void (*quant_embed)(void *, enum kernel_quant, real *y,
	    const void *packed, const int32_t *id, size_t R, size_t N,
	    size_t K);
	/* store and look with a cache of halves (half.h's f16); a device may
	 * lack them */
	void (*store_half)(void *, uint16_t *cache, const real *k,
	    const real *v, const struct kernel_places *, size_t R,
	    size_t stride, size_t G, size_t D);
	void (*look_half)(void *, real *y, const real *q,
	    const uint16_t *cache, const struct kernel_places *, size_t R,
	    const struct kernel_heads *);

	/*
	 * A device may lack what follows.  halves - numbers of 16 bits (not
	 * NF4), which lie at p in memory of alloc, as a tensor: a pointer that
	 * stands for them where operations ask for reals, places being counted
	 * in reals as always; what is written is rounded to the nearest, and
	 * nothing else may read or write by it.  So may lie: operands and
	 * results of products under the precision of that form; x and y of
	 * biases, norms, rope, activations, attention, add, mix, dropout,
	 * weigh, dora_turn, softcap, widen, narrow and round; their gradients;
	 * and logits, which classify and distill overwrite.
	 */
	real *(*halves)(void *, void *p, enum kernel_form);
	/* classify and distill of logits whose rows lie ld apart; what has
	 * halves has these */
	void (*classify_part)(void *, real *loss, real *logits,
	    const int32_t *target, size_t R, size_t V, size_t ld,
	    double scale, double cap);
	void (*distill_part)(void *, real *loss, real *nll, real *logits,
	    const int32_t *target, const struct kernel_teacher *, size_t R,
	    size_t V, size_t ld, double scale, double cap);
	/*
	 * What is called from graph_begin to graph_end, a device may start at
	 * its end, and all at once if it is the same operations as the last
	 * time between those of that number; their arguments may differ.  The
	 * results are the same.  put, get, sumsq and memory in between take
	 * what is gained by it.
	 */
	void (*graph_begin)(void *, enum kernel_graph);
	void (*graph_end)(void *);
	/* what it has to tell of its work, a JSON object for a run's record;
	 * until the next call */
	const char *(*told)(void *);
	/* how it has chosen to compute what it could choose, in lines, to be
	 * kept with a run; until the next call.  choose - as an earlier run
	 * did, before the first product: 0; -1 with the reason, and it chooses
	 * anew */
	const char *(*chosen)(void *);
	int (*choose)(void *, const char *lines, char *why, size_t len);
	/* when the device is lost the process ends with 75; words(arg) are the
	 * last that are said then */
	void (*on_loss)(void *, const char *(*words)(void *arg), void *arg);
};

/* KERNELS - the exported symbol */
#define KERNELS	__attribute__((visibility("default"))) \
	const struct kernels *kernels(void)
KERNELS;

#endif
