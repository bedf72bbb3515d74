/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_NF_H
#define TEXT_HF_NF_H

#include "appliance/text/hf_char.h"
#include "appliance/text/hf_text.h"

/*
 * hf_nf.h - normal forms of Unicode 9.0 (UAX 15) with the steps of hf_text.
 * The decompositions are utf8proc's; what came after 9.0 is left as it is.
 */

enum hf_form { HF_NFC, HF_NFD, HF_NFKC, HF_NFKD };

void hf_nf(const struct hf_chars *, struct hf_text *, enum hf_form);

#endif
