/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS clients by region, each opened when it is first needed: for keys that are where their ARNs say. Not for several threads.
 */
#ifndef COF_CLIENT_REGIONS_H
#define COF_CLIENT_REGIONS_H

#include "client/session.h"

#define COF_REGIONS_MAX 10

struct cof_region {
    char name[64];
    struct cof_loop *loop;
    struct cof_session session;
};

struct cof_regions {
    struct cof_aws_overrides overrides; /* but the region */
    const struct cof_log *log;
    struct cof_region *items[COF_REGIONS_MAX];
    size_t n;
};

/* Settings and credentials come from the process's environment, as of the first call of a region. */
void cof_regions_init(struct cof_regions *regions, const struct cof_aws_overrides *overrides, const struct cof_log *log);
/* ctx is the struct cof_regions: for struct cof_keyring_kms. */
COF_MUST_USE enum cof_err cof_regions_client(void *ctx, struct cof_view region, struct cof_aws **out, struct cof_diag *diag);
void cof_regions_done(struct cof_regions *regions); /* takes a zeroed one */

#endif
