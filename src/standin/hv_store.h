/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated hypervisor of a stand-in: its root is made at first use and kept sealed in the store (space "hypervisor",
 * key "root").
 */
#ifndef COF_STANDIN_HV_STORE_H
#define COF_STANDIN_HV_STORE_H

#include "standin/hypervisor.h"
#include "standin/standin.h"

#define COF_HV_SPACE "hypervisor"
#define COF_HV_ROOT COF_LIT("root")

/* Opens it (cof_hv_free). */
COF_MUST_USE enum cof_err cof_hv_open(struct cof_standin *s, int64_t now_ms, struct cof_hv **out);

#endif
