/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PREDICT_LORA_H
#define MODEL_PREDICT_LORA_H

#include "appliance/model/adapter.h"
#include "appliance/model/predict.h"

/*
 * predict_lora.h - several adapters beside one predict's weights, which stay as
 * they are, packed or mapped: a row that names an adapter gets its low-rank
 * product added to the base's (LoRA, Hu et al. 2021; rows of many adapters in
 * one call: Punica, Chen et al. 2023), and with a magnitude m the sum becomes
 * m / |w + scale B A| times as long (DoRA, Liu et al. 2024; w as this predict
 * has it, rounded if it is).  Biases are added behind that.
 *
 * Adapters are for attention, MLPs and a head of its own; what else one brings
 * (experts, parts saved whole) is refused by name.
 */

/* predict_adapters_check - can it stand beside other adapters */
int predict_adapters_check(const struct predict *, const struct adapter *,
    struct err *);

/* predict_adapters - after predict_packed, before the run goes, with adapters
 * that have been checked; run: the base's, which magnitudes beside floats
 * need.  The adapters may go afterwards.  A row's adapter is its place in v,
 * counted from 1 */
int predict_adapters(struct predict *, struct arena *, const struct adapter *v,
    size_t n, const real *run, struct err *);

/* for predict.c: which of a layer's matrices; a head's layer is L */
enum lora_matrix { LORA_QKV, LORA_OUT, LORA_UP, LORA_DOWN, LORA_MATRICES };

/* predict_lora_rows - of the rows that come now which has what adapter; pick:
 * rows of those, or NULL for the first n */
void predict_lora_rows(struct predict *, const uint32_t *adapter,
    const int32_t *pick, size_t n);

/* predict_lora_add - to y[n,N], the product of x[n,K] with a matrix */
void predict_lora_add(struct predict *, size_t layer, enum lora_matrix,
    real *y, const real *x, size_t N, size_t K);

#endif
