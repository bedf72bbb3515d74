/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_FOLD_H
#define TEXT_HF_FOLD_H

#include "appliance/text/hf_char.h"

/*
 * hf_fold.h - characters that are one where case does not count (CaseFolding
 * of Unicode 16.0, C and S), and those that fold to several (F), which
 * Oniguruma takes for these.
 */

#define HF_FOLDS	4		/* characters that are one, at most */

/* hf_fold - what a character folds to, by itself */
uint32_t hf_fold(uint32_t);

/* hf_fold_class - a character and all that are one with it; how many */
size_t hf_fold_class(uint32_t, uint32_t out[HF_FOLDS]);

/* hf_fold_long - does it fold to several characters; or is one of a set such */
bool hf_fold_long(uint32_t);
bool hf_fold_long_in(const uint32_t *set);

/* hf_fold_pair - does what some character folds to begin with these two */
bool hf_fold_pair(uint32_t, uint32_t);

/* hf_fold_set - each character of a set brings those that are one with it */
void hf_fold_set(uint32_t *set);

#endif
