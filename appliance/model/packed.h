/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PACKED_H
#define MODEL_PACKED_H

#include "appliance/engine/device.h"

/*
 * packed.h - a matrix laid out for products, in floats or in GGUF's blocks of
 * 32 (Q8_0: 8.5 bits a number; Q4_0: 4.5).  Pointers are the device's memory.
 */

enum packed_form { PACKED_F32, PACKED_Q8, PACKED_Q4 };

extern const char *const packed_names[];	/* "f32", "q8", "q4" */

/* packed_check - can the device compute with this form */
int packed_check(const struct device *, enum packed_form, struct err *);

size_t packed_size(const struct device *, enum packed_form, size_t rows,
    size_t cols);

/* packed_put - from the host's [rows, cols]; quantised numbers must be finite
 * and at most 65504: what a half can hold */
int packed_put(const struct device *, enum packed_form, void *to,
    const real *from, size_t rows, size_t cols, struct err *);

/* packed_product - y[R,N] = x[R,K] w^T */
void packed_product(const struct device *, enum packed_form, real *y,
    const real *x, const void *w, size_t R, size_t N, size_t K);

/* packed_rows - y[R,K]: the rows id[R] of a quantised matrix [N,K] */
void packed_rows(const struct device *, enum packed_form, real *y,
    const void *w, const int32_t *id, size_t R, size_t N, size_t K);

#endif
