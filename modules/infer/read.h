/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INFER_READ_H
#define INFER_READ_H

#include "appliance/model/model.h"
#include "appliance/module.h"
#include "modules/infer/infer.h"

/*
 * read.h - encoders: what their head says of each record.  Texts are computed
 * side by side without padding, the longest first.
 */

struct reads;				/* an encoder at work */

struct reads_told {
	int64_t rows, refused, tokens;
};

/* reads_open - dir: the model's; what its adapter says that is not known is
 * added to `told` */
struct reads *reads_open(struct stage *, const struct infer_conf *, int dir,
    int adapter, struct buf *told, struct err *);

/* reads_batch - fields for each record that can be read, a fault for others */
int reads_batch(struct reads *, struct batch *, struct reads_told *,
    struct err *);

#endif
