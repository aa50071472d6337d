/* SPDX-License-Identifier: Apache-2.0
 *
 * Error replies of AWS services in their three shapes (S3 XML, query XML, JSON), as one of our codes with words and a hint.
 * Replies are hostile; what they say is shown, never trusted.
 */
#ifndef COF_ENGINE_AWS_ERROR_H
#define COF_ENGINE_AWS_ERROR_H

#include "engine/aws_request.h"
#include "format/http1.h"

struct cof_aws_error {
    char code[96];       /* AWS's: "AccessDenied"; empty when the reply has none */
    char message[320];
    char request_id[64];
    enum cof_err err;    /* ours */
};

/* status is not 2xx. Fills out and diag (cause, request id, hint); returns out->err. */
enum cof_err cof_aws_error_read(enum cof_aws_service service, const struct cof_http_head *head, struct cof_view body,
                                struct cof_aws_error *out, struct cof_diag *diag);

#endif
