/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_HF_IMAGE_H
#define TEXT_HF_IMAGE_H

#include "appliance/text/hf_model.h"

/*
 * hf_image.h - a tokenizer.json compiled (compiled.h): its model as tables, and
 * what is beside the model as JSON, which is read at each opening.
 */

#define HF_IMAGE_REVISION	1

/* hf_image_make - of a file and its model; empty if there is a token with a
 * NUL */
struct view hf_image_make(struct arena *, const struct hf_model *,
    struct view root);

/* hf_image_attach - the model of an image that is at least as large as it says,
 * which must outlive it, and the rest; whatever is in it is checked.  NULL: it
 * is not good */
struct hf_model *hf_image_attach(struct arena *, struct view image,
    struct view *rest);

#endif
