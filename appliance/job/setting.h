/* SPDX-License-Identifier: Apache-2.0 */
#ifndef JOB_SETTING_H
#define JOB_SETTING_H

#include "appliance/job/plan.h"

/* setting.h - the lines above the first pipeline (quern-job(5), SETTINGS) */

/* setting_all - defaults, then each line */
void setting_all(struct plan *, struct arena *, const struct lang *,
    struct faults *);

#endif
