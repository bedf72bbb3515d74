/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_SCRIPT_H
#define TEXT_HF_SCRIPT_H

#include "appliance/base/base.h"

/*
 * hf_script.h - the scripts that tokenizers' UnicodeScripts tells apart, which
 * takes kana for Han.  The numbers mean nothing but the same or not.
 */

#define HF_SCRIPT_ANY	0		/* blanks, and what has no script */

unsigned hf_script(uint32_t);

#endif
