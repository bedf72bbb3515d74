/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_CONTRAST_H
#define MODEL_CONTRAST_H

#include "appliance/engine/device.h"

/*
 * contrast.h - embeddings of pairs: each first one is to be nearest to its own
 * second one among all second ones (InfoNCE, van den Oord et al. 2018;
 * sentence-transformers' MultipleNegativesRankingLoss).
 */

/*
 * contrast - x[n,C]: first, second, first, second, ... of n / 2 pairs; the sum
 * of the pairs' losses: cross-entropy of products divided by the temperature,
 * of vectors of length 1 if they are normalised.  dx, unless NULL: its gradient
 */
double contrast(const real *x, size_t n, size_t C, bool normalize,
    double temperature, real *dx);

#endif
