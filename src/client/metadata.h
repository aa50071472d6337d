/* SPDX-License-Identifier: Apache-2.0
 *
 * Small GETs (and the one PUT) of the endpoints on the machine that hand out credentials: container agents and the
 * instance metadata service. Private to the credentials.
 */
#ifndef COF_CLIENT_METADATA_H
#define COF_CLIENT_METADATA_H

#include "client/aws.h"

struct cof_metadata;

struct cof_metadata_request {
    struct cof_aws_endpoint endpoint; /* with has_addr: connected there */
    const char *method;
    struct cof_view target;           /* path and query, as on the wire */
    const char *header;               /* one header's name, or NULL */
    struct cof_view value;
    int64_t total_ms;
};

/* done: once, from the loop; body lives until it returns. Refuses replies over 64 KiB. */
COF_MUST_USE enum cof_err cof_metadata_start(struct cof_http_client *http, const struct cof_metadata_request *request,
                                             void (*done)(void *ctx, enum cof_err err, int status,
                                                          struct cof_view body),
                                             void *ctx, struct cof_metadata **out);
void cof_metadata_cancel(struct cof_metadata *metadata); /* takes NULL */

/* "http://host[:port]/path?query" in two; target begins with '/'. COF_E_CONFIG. */
COF_MUST_USE enum cof_err cof_metadata_url(const char *url, struct cof_aws_endpoint *endpoint, struct cof_view *target,
                                           struct cof_diag *diag);

#endif
