/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CPU_TABLE_H
#define CPU_TABLE_H

#include "kernels/cpu/cpu.h"

/* table.h - the operations of the CPU's table that lie in other files than it:
 * each is what kernel.h says */

#include "kernels/cpu/cpu.h"

void OP(gemm_part)(void *, int ta, int tb, size_t M, size_t N, size_t K,
    double alpha, const real *a, size_t lda, const real *b, size_t ldb,
    double beta, real *c, size_t ldc);
void OP(mix)(void *, real *y, double s, const real *x, double t, size_t n);
void OP(dropout)(void *, real *y, const real *x, size_t n, double p,
    uint64_t key, int add);
void OP(dora_norm)(void *, real *norm, const real *w, const real *a,
    const real *b, double scale, size_t N, size_t K, size_t r);
void OP(dora_turn)(void *, real *y, size_t ldy, real *keep, const real *m,
    const real *norm, size_t R, size_t N);
void OP(dora_turn_grad)(void *, real *dm, const real *dy, size_t ldy,
    const real *keep, const real *norm, size_t R, size_t N);
void OP(layernorm)(void *, real *y, real *mean, real *keep, const real *x,
    const real *w, const real *b, size_t R, size_t C, double eps);
void OP(layernorm_grad)(void *, real *dx, real *dw, real *db, const real *dy,
    const real *x, const real *w, const real *mean, const real *keep, size_t R,
    size_t C);
void OP(rmsnorm)(void *, real *y, real *keep, const real *x, const real *w,
    size_t R, size_t C, double eps);
void OP(rmsnorm_grad)(void *, real *dx, real *dw, const real *dy,
    const real *x, const real *w, const real *keep, size_t R, size_t C);
void OP(headnorm)(void *, real *y, size_t ystride, real *keep, const real *x,
    size_t xstride, const real *w, size_t R, size_t heads, size_t D,
    double eps);
void OP(headnorm_grad)(void *, real *dx, real *dw, const real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, size_t R, size_t heads, size_t D);
void OP(rope)(void *, real *x, const real *table, const int32_t *pos, size_t R,
    size_t stride, size_t heads, size_t D, size_t N, int back);
void OP(add_norm)(void *, real *y, real *mean, real *keep, real *x,
    const real *r, const real *w, const real *b, size_t R, size_t C,
    double eps);
void OP(headnorm_rope)(void *, real *y, size_t ystride, real *keep,
    const real *x, size_t xstride, const real *w, const real *table,
    const int32_t *pos, size_t R, size_t heads, size_t D, size_t N,
    double eps);
void OP(headnorm_rope_grad)(void *, real *dx, real *dw, real *dy,
    size_t ystride, const real *x, size_t xstride, const real *w,
    const real *keep, const real *table, const int32_t *pos, size_t R,
    size_t heads, size_t D, size_t N);
void OP(act)(void *, real *y, const real *x, size_t n, enum kernel_act);
void OP(act_grad)(void *, real *dx, const real *dy, const real *x, size_t n,
    enum kernel_act);
void OP(glu)(void *, real *y, const real *x, size_t R, size_t F,
    enum kernel_act);
void OP(glu_grad)(void *, real *dx, const real *dy, const real *x, size_t R,
    size_t F, enum kernel_act);
void OP(weigh)(void *, real *y, const real *x, const real *w, size_t R,
    size_t C);
void OP(weigh_grad)(void *, real *dx, real *dw, const real *dy, const real *x,
    const real *w, size_t R, size_t C);
void OP(softcap)(void *, real *y, size_t n, double cap);
void OP(classify)(void *, real *loss, real *logits, const int32_t *target,
    size_t R, size_t V, double scale, double cap);
void OP(distill)(void *, real *loss, real *nll, real *logits,
    const int32_t *target, const struct kernel_teacher *, size_t R, size_t V,
    double scale, double cap);
void OP(attend)(void *, real *y, real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *);
void OP(attend_grad)(void *, real *dq, real *dk, real *dv, const real *dy,
    const real *y, const real *lse, const real *q, const real *k,
    const real *v, const struct kernel_heads *);
void OP(softmax)(void *, real *x, const struct kernel_relative *);
void OP(softmax_grad)(void *, real *dp, real *dbias, const real *p,
    const struct kernel_relative *);
size_t OP(packed_size)(void *, size_t N, size_t K);
void OP(pack)(void *, void *packed, const real *w, size_t N, size_t K);
void OP(product)(void *, real *y, const real *x, const void *packed, size_t R,
    size_t N, size_t K);
void OP(store)(void *, real *cache, const real *k, const real *v,
    const struct kernel_places *, size_t R, size_t stride, size_t G, size_t D);
void OP(look)(void *, real *y, const real *q, const real *cache,
    const struct kernel_places *, size_t R, const struct kernel_heads *);
void OP(store_half)(void *, uint16_t *cache, const real *k, const real *v,
    const struct kernel_places *, size_t R, size_t stride, size_t G, size_t D);
void OP(look_half)(void *, real *y, const real *q, const uint16_t *cache,
    const struct kernel_places *, size_t R, const struct kernel_heads *);
void OP(widen)(void *, real *y, const struct kernel_held *,
    const int32_t *row, size_t first, size_t R, size_t K);
void OP(narrow)(void *, uint16_t *y, const real *x, size_t n,
    enum kernel_form);
void OP(round)(void *, real *y, const real *x, size_t n, enum kernel_form);

#endif
