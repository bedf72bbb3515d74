/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_BASE64_H
#define TEXT_BASE64_H

#include "appliance/base/arena.h"
#include "appliance/base/buf.h"

/* base64 - the bytes of base64 (RFC 4648, section 4) with its padding, in the
 * arena; false if it is not that, to the last bit */
bool base64(struct arena *, struct view, struct view *bytes);

#endif
