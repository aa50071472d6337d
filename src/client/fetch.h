/* SPDX-License-Identifier: Apache-2.0
 *
 * An asynchronous AWS call whose reply comes whole: what the KMS, SQS and STS calls are made of.
 */
#ifndef COF_CLIENT_FETCH_H
#define COF_CLIENT_FETCH_H

#include "client/aws.h"

struct cof_fetch;

struct cof_fetch_events {
    /* Once, from the loop: body is the whole reply on COF_OK, and lives until done returns; error as in cof_aws. */
    void (*done)(void *ctx, enum cof_err err, struct cof_view body, const struct cof_aws_error *error,
                 const struct cof_diag *diag);
    void (*drop)(void *ctx); /* after done, or on cancel: free ctx. May be NULL */
    void *ctx;
};

/* Takes request over. On failure nothing is called, drop neither. */
COF_MUST_USE enum cof_err cof_fetch_start(struct cof_aws *aws, struct cof_aws_request *request, size_t body_max,
                                          const struct cof_fetch_events *events, struct cof_fetch **out);
void cof_fetch_cancel(struct cof_fetch *fetch); /* done is not called */

#endif
