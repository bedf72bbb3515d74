/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of words: embeddings, losses, and the sum of squares */
#include "kernels/cuda/nums.cuh"

__global__ static void
embed_rows(real *y, const real *token, const real *place, const int32_t *id,
    const int32_t *pos, size_t R, size_t C)
{
	EACH(i, R * C) {
		size_t r = i / C, c = i % C;

		y[i] = token[(size_t)id[r] * C + c] + (place == NULL ? 0 :
		    place[(size_t)pos[r] * C + c]);
	}
}

static void
cuda_embed(void *dev, real *y, const real *token, const real *place,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * C > 0)
		LAUNCH(c, blocks_for(R * C), THREADS, 0, embed_rows, y, token,
		    place, id, pos, R, C);
}

/*
 * embed_sums - table[key[r]] += dy[r], rows in their order.  A block takes a
 * row; the first row of a key adds up all rows that have it and the others
 * leave, so nothing is added by two blocks and no order is left to chance.  Some
 * words are a twentieth of a text: their rows are listed, so that several are
 * read at once.
 */
#define SUM_CHANNELS	4		/* of a thread at a time */
#define SUM_ROWS	4		/* read at once */

/* embed_some - n rows, in their order */
static __device__ inline void
embed_some(float sum[SUM_CHANNELS], const real *dy, const size_t *row,
    size_t n, size_t first, size_t C)
{
	for (size_t i = 0; i < n; i += SUM_ROWS) {
		float x[SUM_ROWS][SUM_CHANNELS];

UNROLL
		for (size_t j = 0; j < SUM_ROWS; j++)
UNROLL
			for (size_t k = 0; k < SUM_CHANNELS; k++) {
				size_t c = first + k * THREADS + threadIdx.x;

				x[j][k] = i + j < n && c < C ?
				    dy[row[i + j] * C + c] : 0;
			}
UNROLL
		for (size_t j = 0; j < SUM_ROWS; j++)
UNROLL
			for (size_t k = 0; k < SUM_CHANNELS; k++)
				sum[k] += x[j][k];
	}
}

__global__ static void
embed_sums(real *table, const real *dy, const int32_t *key, size_t R, size_t C)
{
	__shared__ unsigned hit[WARPS];
	__shared__ size_t row[THREADS];
	size_t me = blockIdx.x, slice = SUM_CHANNELS * THREADS;
	int32_t mine = key[me];

	for (size_t first = 0; first < C; first += slice) {
		float sum[SUM_CHANNELS] = { 0 };

		for (size_t base = 0; base < R; base += THREADS) {
			size_t r = base + threadIdx.x, n = 0, at = 0;
			bool same = r < R && key[r] == mine;
			unsigned here = __ballot_sync(ALL_LANES, same);

			if (threadIdx.x % WARP == 0)
				hit[threadIdx.x / WARP] = here;
			__syncthreads();
			for (size_t w = 0; w < WARPS; w++) {
				at += w < threadIdx.x / WARP ?
				    (size_t)__popc(hit[w]) : 0;
				n += (size_t)__popc(hit[w]);
			}
			here &= (1u << threadIdx.x % WARP) - 1;
			if (same)
				row[at + (size_t)__popc(here)] = r;
			__syncthreads();
			if (n > 0 && row[0] < me)
				return;		/* every thread sees it */
			embed_some(sum, dy, row, n, first, C);
			__syncthreads();	/* row is read by now */
		}
		for (size_t k = 0, c = first + threadIdx.x; k < SUM_CHANNELS;
		    k++, c += THREADS)
			if (c < C)
				table[(size_t)mine * C + c] += sum[k];
	}
}

static void
cuda_embed_grad(void *dev, real *dtoken, real *dplace, const real *dy,
    const int32_t *id, const int32_t *pos, size_t R, size_t C)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * C == 0)
		return;
	if (dtoken != NULL)
		LAUNCH(c, (unsigned)R, THREADS, 0, embed_sums, dtoken, dy, id,
		    R, C);
	if (dplace != NULL)
		LAUNCH(c, (unsigned)R, THREADS, 0, embed_sums, dplace, dy, pos,
		    R, C);
}

/* capped - cap * tanh(x / cap), or x */
static __device__ inline float
capped(float x, float cap)
{
	return cap == 0 ? x : cap * tanhf(x / cap);
}

/* classify_rows - a block takes a row: its largest logit and the sum of the
 * exponentials in one pass, then its gradient in place */
__global__ static void
classify_rows(real *loss, struct nums x, const int32_t *target, size_t V,
    size_t ld, float scale, float cap)
{
	__shared__ float part[WARPS];
	int32_t want = target[blockIdx.x];
	float max = -INFINITY, sum = 0, most, lse;

	x = nums_at(x, (size_t)blockIdx.x * ld);
	for (size_t i = threadIdx.x; i < V; i += THREADS) {
		float v = capped(nums_get(x, i), cap);

		if (v > max) {
			sum = sum * expf(max - v) + 1;
			max = v;
		} else
			sum += expf(v - max);
	}
	most = block_max(max, part);
	sum = max == -INFINITY ? 0 : sum * expf(max - most);
	lse = most + logf(block_sum(sum, part));
	if (threadIdx.x == 0)
		loss[blockIdx.x] = want < 0 ? 0 : lse - capped(nums_get(x,
		    (size_t)want), cap);
	__syncthreads();		/* thread 0 has read what is wanted */
	for (size_t i = threadIdx.x; i < V && (scale != 0 || cap != 0);
	    i += THREADS) {
		float v = capped(nums_get(x, i), cap);
		float slope = cap == 0 ? 1 : 1 - v / cap * (v / cap);

		if (scale != 0)
			v = want < 0 ? 0 : scale * slope * (expf(v - lse) -
			    (i == (size_t)want ? 1.0f : 0.0f));
		nums_put(x, i, v);
	}
}

static void
cuda_classify_part(void *dev, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, size_t ld, double scale, double cap)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * V > 0)
		LAUNCH(c, (unsigned)R, THREADS, 0, classify_rows, loss,
		    nums_of(c, logits), target, V, ld, (float)scale,
		    (float)cap);
}

static void
cuda_classify(void *dev, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, double scale, double cap)
{
	cuda_classify_part(dev, loss, logits, target, R, V, V, scale, cap);
}

/* a row of distillation: the words that the teacher names are set aside while
 * the others are summed; ref/distill.c has the formulas */
struct distill_row {
	float named[KERNEL_TAUGHT], p[KERNEL_TAUGHT];
	float part[WARPS];
	float wanted;
};

/* distill_sum - the sum of exp((x - max) t) over a row */
static __device__ inline float
distill_sum(struct nums x, size_t V, float max, float t, float *part)
{
	float sum = 0;

	for (size_t i = threadIdx.x; i < V; i += THREADS)
		sum += expf((nums_get(x, i) - max) * t);
	return block_sum(sum, part);
}

__global__ static void
distill_rows(real *loss, real *nll, struct nums logits, const int32_t *target,
    struct kernel_teacher o, size_t V, size_t ld, float scale, float cap)
{
	__shared__ struct distill_row w;
	const struct nums x = nums_at(logits, (size_t)blockIdx.x * ld);
	const int32_t *id = o.id + blockIdx.x * o.K;
	const int32_t want = target[blockIdx.x];
	const unsigned me = threadIdx.x;
	const float t = 1 / (float)o.temperature, a = (float)o.alpha;
	const float csq = cap == 0 ? 0 : 1 / (cap * cap);
	float max = -INFINITY, others, soft, hard, rest[2], mine = 0, fade;

	if (want < 0) {
		for (size_t i = me; i < V; i += THREADS)
			nums_put(x, i, 0);
		if (me == 0)
			loss[blockIdx.x] = nll[blockIdx.x] = 0;
		return;
	}
	for (size_t i = me; i < V; i += THREADS) {
		float v = capped(nums_get(x, i), cap);

		if (cap != 0)
			nums_put(x, i, v);
		max = fmaxf(max, v);
	}
	max = block_max(max, w.part);
	if (me == 0)
		w.wanted = nums_get(x, (size_t)want);
	if (me < o.K) {
		w.named[me] = nums_get(x, (size_t)id[me]);
		w.p[me] = o.p[blockIdx.x * o.K + me];
	}
	__syncthreads();		/* the target may be one of them */
	if (me < o.K)
		nums_put(x, (size_t)id[me], -INFINITY);
	__syncthreads();
	others = distill_sum(x, V, max, t, w.part);
	soft = others + block_sum(me < o.K ? expf((w.named[me] - max) * t) : 0,
	    w.part);
	hard = distill_sum(x, V, max, 1, w.part) + block_sum(me < o.K ?
	    expf(w.named[me] - max) : 0, w.part);
	rest[0] = fmaxf(1 - block_sum(me < o.K ? w.p[me] : 0, w.part), 0);
	rest[1] = fmaxf(others / soft, 1e-37f);
	soft = max * t + logf(soft);
	hard = max + logf(hard);
	if (me < o.K && w.p[me] > 0)
		mine = w.p[me] * (logf(w.p[me]) - (w.named[me] * t - soft));
	mine = block_sum(mine, w.part);
	if (me == 0) {
		if (rest[0] > 0)
			mine += rest[0] * logf(rest[0] / rest[1]);
		nll[blockIdx.x] = hard - w.wanted;
		loss[blockIdx.x] = a / (t * t) * mine + (1 - a) * (hard -
		    w.wanted);
	}
	fade = scale * a / t * (1 - rest[0] / rest[1]);
	for (size_t i = me; i < V; i += THREADS) {
		float y = nums_get(x, i);
		float g = fade * expf(y * t - soft) + scale * (1 - a) *
		    (expf(y - hard) - (i == (size_t)want ? 1.0f : 0.0f));

		nums_put(x, i, cap == 0 ? g : g * (1 - csq * y * y));
	}
	__syncthreads();		/* those of the named are nonsense */
	if (me < o.K) {
		float y = w.named[me];

		nums_put(x, (size_t)id[me], scale * (1 - csq * y * y) * (a /
		    t * (expf(y * t - soft) - w.p[me]) + (1 - a) * (expf(y -
		    hard) - (id[me] == want ? 1.0f : 0.0f))));
	}
}

static void
cuda_distill_part(void *dev, real *loss, real *nll, real *logits,
    const int32_t *target, const struct kernel_teacher *o, size_t R, size_t V,
    size_t ld, double scale, double cap)
{
	struct cuda *c = (struct cuda *)dev;

	if (R * V > 0)
		LAUNCH(c, (unsigned)R, THREADS, 0, distill_rows, loss, nll,
		    nums_of(c, logits), target, *o, V, ld, (float)scale,
		    (float)cap);
}

static void
cuda_distill(void *dev, real *loss, real *nll, real *logits,
    const int32_t *target, const struct kernel_teacher *o, size_t R, size_t V,
    double scale, double cap)
{
	cuda_distill_part(dev, loss, nll, logits, target, o, R, V, V, scale,
	    cap);
}

#define SUM_BLOCKS	1024

/* sum_block - of THREADS threads in double, in thread 0; sum: THREADS places */
static __device__ inline double
sum_block(double mine, double *sum)
{
	sum[threadIdx.x] = mine;
	__syncthreads();
	for (unsigned way = THREADS / 2; way > 0; way /= 2) {
		if (threadIdx.x < way)
			sum[threadIdx.x] += sum[threadIdx.x + way];
		__syncthreads();
	}
	return sum[0];
}

/* sumsq_parts - each block's part of the squares of all arrays */
__global__ static void
sumsq_parts(double *parts, const struct kernel_array *a, size_t n)
{
	__shared__ double sum[THREADS];
	double mine = 0;

	for (size_t k = 0; k < n; k++)
		EACH(i, a[k].n)
			mine += (double)a[k].x[i] * (double)a[k].x[i];
	mine = sum_block(mine, sum);
	if (threadIdx.x == 0)
		parts[blockIdx.x] = mine;
}

/* sumsq_all - one block */
__global__ static void
sumsq_all(double *all, const double *parts, size_t n)
{
	__shared__ double sum[THREADS];
	double mine = 0;

	for (size_t i = threadIdx.x; i < n; i += THREADS)
		mine += parts[i];
	mine = sum_block(mine, sum);
	if (threadIdx.x == 0)
		*all = mine;
}

static void cuda_get(void *dev, void *host, const void *from, size_t bytes);

/* the work memory holds the sum, the parts, the list of arrays; the host waits
 * once, whose list is read before that */
static double
cuda_sumsq(void *dev, const struct kernel_array *a, size_t n)
{
	struct cuda *c = (struct cuda *)dev;
	double *parts = (double *)c->work + 1, sum;
	struct kernel_array *list = (struct kernel_array *)(parts +
	    SUM_BLOCKS + 1);
	size_t most = 0, blocks;

	for (size_t i = 0; i < n; i++)
		most += a[i].n;
	blocks = blocks_for(most) < SUM_BLOCKS ? blocks_for(most) : SUM_BLOCKS;
	if (n * sizeof(*a) > WORK_BYTES / 2)
		panic("a sum over %zu arrays", n);
	tape_flush(c);
	must(c, cudaMemcpyAsync(list, a, n * sizeof(*a),
	    cudaMemcpyHostToDevice, c->stream), "copy to it");
	LAUNCH(c, (unsigned)blocks, THREADS, 0, sumsq_parts, parts, list, n);
	LAUNCH(c, 1, THREADS, 0, sumsq_all, (double *)c->work, parts,
	    blocks);
	cuda_get(dev, &sum, c->work, sizeof(sum));
	return sum;
}
