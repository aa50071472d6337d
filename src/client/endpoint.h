/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS's own host names by service and region, for all partitions, FIPS and dual-stack ("Service endpoints and quotas").
 */
#ifndef COF_CLIENT_ENDPOINT_H
#define COF_CLIENT_ENDPOINT_H

#include "engine/aws_request.h"

/* COF_E_CONFIG with words for a region that is no region name, or FIPS where there is none. */
COF_MUST_USE enum cof_err cof_endpoint_host(enum cof_aws_service service, const char *region, bool fips,
                                            bool dual_stack, char out[static 256], struct cof_diag *diag);

#endif
