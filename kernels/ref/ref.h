/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REF_REF_H
#define REF_REF_H

#include "kernels/kernel.h"

struct ref {
	enum kernel_precision precision;
};

/* ref.h - the parts of ref's table; each is what kernel.h says, in plain loops
 * that sum in double */

void ref_layernorm(void *, real *y, real *mean, real *keep, const real *x,
    const real *w, const real *b, size_t R, size_t C, double eps);
void ref_layernorm_grad(void *, real *dx, real *dw, real *db, const real *dy,
    const real *x, const real *w, const real *mean, const real *keep, size_t R,
    size_t C);
void ref_rmsnorm(void *, real *y, real *keep, const real *x, const real *w,
    size_t R, size_t C, double eps);
void ref_rmsnorm_grad(void *, real *dx, real *dw, const real *dy,
    const real *x, const real *w, const real *keep, size_t R, size_t C);
void ref_headnorm(void *, real *y, size_t ystride, real *keep, const real *x,
    size_t xstride, const real *w, size_t R, size_t heads, size_t D,
    double eps);
void ref_headnorm_grad(void *, real *dx, real *dw, const real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, size_t R, size_t heads, size_t D);
void ref_rope(void *, real *x, const real *table, const int32_t *pos, size_t R,
    size_t stride, size_t heads, size_t D, size_t N, int back);
void ref_add_norm(void *, real *y, real *mean, real *keep, real *x,
    const real *r, const real *w, const real *b, size_t R, size_t C,
    double eps);
void ref_headnorm_rope(void *, real *y, size_t ystride, real *keep,
    const real *x, size_t xstride, const real *w, const real *table,
    const int32_t *pos, size_t R, size_t heads, size_t D, size_t N,
    double eps);
void ref_headnorm_rope_grad(void *, real *dx, real *dw, real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, const real *table, const int32_t *pos, size_t R,
    size_t heads, size_t D, size_t N);
void ref_act(void *, real *y, const real *x, size_t n, enum kernel_act);
void ref_act_grad(void *, real *dx, const real *dy, const real *x, size_t n,
    enum kernel_act);
void ref_glu(void *, real *y, const real *x, size_t R, size_t F,
    enum kernel_act);
void ref_glu_grad(void *, real *dx, const real *dy, const real *x, size_t R,
    size_t F, enum kernel_act);
void ref_weigh(void *, real *y, const real *x, const real *w, size_t R,
    size_t C);
void ref_weigh_grad(void *, real *dx, real *dw, const real *dy, const real *x,
    const real *w, size_t R, size_t C);
void ref_attend(void *, real *y, real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *);
void ref_attend_grad(void *, real *dq, real *dk, real *dv, const real *dy,
    const real *y, const real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *);
void ref_softmax(void *, real *x, const struct kernel_relative *);
void ref_softmax_grad(void *, real *dp, real *dbias, const real *p,
    const struct kernel_relative *);
void ref_distill(void *, real *loss, real *nll, real *logits,
    const int32_t *target, const struct kernel_teacher *, size_t R, size_t V,
    double scale, double cap);
void ref_store(void *, real *cache, const real *k, const real *v,
    const struct kernel_places *, size_t R, size_t stride, size_t G, size_t D);
void ref_look(void *, real *y, const real *q, const real *cache,
    const struct kernel_places *, size_t R, const struct kernel_heads *);
void ref_gemm_part(void *, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *c, size_t ldc);
void ref_mix(void *, real *y, double s, const real *x, double t, size_t n);
void ref_dropout(void *, real *y, const real *x, size_t n, double p,
    uint64_t key, int add);
void ref_dora_norm(void *, real *norm, const real *w, const real *a,
    const real *b, double scale, size_t N, size_t K, size_t r);
void ref_dora_turn(void *, real *y, size_t ldy, real *keep, const real *m,
    const real *norm, size_t R, size_t N);
void ref_dora_turn_grad(void *, real *dm, const real *dy, size_t ldy,
    const real *keep, const real *norm, size_t R, size_t N);
void ref_widen(void *, real *y, const struct kernel_held *,
    const int32_t *row, size_t first, size_t R, size_t K);
void ref_narrow(void *, uint16_t *y, const real *x, size_t n,
    enum kernel_form);
void ref_round(void *, real *y, const real *x, size_t n, enum kernel_form);

size_t ref_quant_size(void *, enum kernel_quant, size_t N, size_t K);
void ref_quant_pack(void *, enum kernel_quant, void *packed,
    const void *blocks, size_t N, size_t K);
void ref_quant_product(void *, enum kernel_quant, real *y, const real *x,
    const void *packed, size_t R, size_t N, size_t K);
void ref_quant_embed(void *, enum kernel_quant, real *y, const void *packed,
    const int32_t *id, size_t R, size_t N, size_t K);

#endif
