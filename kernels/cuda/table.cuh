/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that are kernels of ours; the others are cuda.cu's */
#include "kernels/cuda/act.cuh"
#include "kernels/cuda/flash.cuh"
#include "kernels/cuda/held.cuh"
#include "kernels/cuda/infer.cuh"
#include "kernels/cuda/row.cuh"
#include "kernels/cuda/softmax.cuh"
#include "kernels/cuda/word.cuh"

__global__ static void
fill_all(real *x, size_t n, real value)
{
	EACH(i, n)
		x[i] = value;
}

static void
cuda_fill(void *dev, real *x, size_t n, double value)
{
	struct cuda *c = (struct cuda *)dev;

	if (n > 0)
		LAUNCH(c, blocks_for(n), THREADS, 0, fill_all, x, n,
		    (real)value);
}

static int
cuda_precision(void *dev, enum kernel_precision p)
{
	struct cuda *c = (struct cuda *)dev;

	if (p != PRECISION_F32 && !c->halves)
		return -1;
	c->precision = p;
	return 0;
}

static void
table_fill(struct kernels *k)
{
	k->fill = cuda_fill;
	k->precision = cuda_precision;
	k->bias = cuda_bias;
	k->bias_grad = cuda_bias_grad;
	k->add = cuda_add;
	k->embed = cuda_embed;
	k->embed_grad = cuda_embed_grad;
	k->layernorm = cuda_layernorm;
	k->layernorm_grad = cuda_layernorm_grad;
	k->rmsnorm = cuda_rmsnorm;
	k->rmsnorm_grad = cuda_rmsnorm_grad;
	k->headnorm = cuda_headnorm;
	k->headnorm_grad = cuda_headnorm_grad;
	k->rope = cuda_rope;
	k->add_norm = cuda_add_norm;
	k->headnorm_rope = cuda_headnorm_rope;
	k->headnorm_rope_grad = cuda_headnorm_rope_grad;
	k->attend = cuda_attend;
	k->attend_grad = cuda_attend_grad;
	k->softmax = cuda_softmax;
	k->softmax_grad = cuda_softmax_grad;
	k->act = cuda_act;
	k->act_grad = cuda_act_grad;
	k->glu = cuda_glu;
	k->glu_grad = cuda_glu_grad;
	k->weigh = cuda_weigh;
	k->weigh_grad = cuda_weigh_grad;
	k->classify = cuda_classify;
	k->distill = cuda_distill;
	k->classify_part = cuda_classify_part;
	k->distill_part = cuda_distill_part;
	k->adamw = cuda_adamw;
	k->sumsq = cuda_sumsq;
	k->mix = cuda_mix;
	k->dropout = cuda_dropout;
	k->dora_norm = cuda_dora_norm;
	k->dora_turn = cuda_dora_turn;
	k->dora_turn_grad = cuda_dora_turn_grad;
	k->softcap = cuda_softcap;
	k->packed_size = cuda_packed_size;
	k->pack = cuda_pack;
	k->product = cuda_product;
	k->store = cuda_store;
	k->look = cuda_look;
	k->widen = cuda_widen;
	k->narrow = cuda_narrow;
	k->round = cuda_round;
}
