/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/aws_request.h"

#include "format/uri.h"

#define PATH_MAX_BYTES 8192
#define BODY_MAX ((size_t)2 << 20)

const char *cof_aws_service_name(enum cof_aws_service service)
{
    static const char *const names[] = {"s3", "kms", "sqs", "sts"};

    return names[service];
}

void cof_aws_request_init(struct cof_aws_request *request, enum cof_aws_service service, const char *method)
{
    *request = (struct cof_aws_request){.service = service, .method = method};
    cof_buf_init(&request->path, PATH_MAX_BYTES);
    cof_buf_init(&request->query, PATH_MAX_BYTES);
    cof_headers_init(&request->headers);
    cof_buf_init_secret(&request->body, BODY_MAX);
}

void cof_aws_request_done(struct cof_aws_request *request)
{
    if (request == NULL)
        return;
    cof_buf_done(&request->path);
    cof_buf_done(&request->query);
    cof_headers_done(&request->headers);
    cof_buf_done(&request->body);
}

enum cof_err cof_aws_request_err(const struct cof_aws_request *request)
{
    enum cof_err err = cof_buf_err(&request->path);

    if (err == COF_OK)
        err = cof_buf_err(&request->query);
    if (err == COF_OK)
        err = cof_buf_err(&request->body);
    return err == COF_OK ? cof_headers_err(&request->headers) : err;
}

void cof_aws_request_query(struct cof_aws_request *request, const char *name, struct cof_view value)
{
    if (request->query.len > 0)
        cof_buf_add_u8(&request->query, '&');
    cof_uri_encode(&request->query, cof_view_str(name), false);
    cof_buf_add_u8(&request->query, '=');
    cof_uri_encode(&request->query, value, false);
}
