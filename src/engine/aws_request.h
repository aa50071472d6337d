/* SPDX-License-Identifier: Apache-2.0
 *
 * One call to an AWS service as data: what the *_call modules build and src/client/aws.h signs and sends; and the
 * encryption contexts they carry.
 */
#ifndef COF_ENGINE_AWS_REQUEST_H
#define COF_ENGINE_AWS_REQUEST_H

#include "crypto/checksum.h"
#include "format/headers.h"

enum cof_aws_service { COF_AWS_S3, COF_AWS_KMS, COF_AWS_SQS, COF_AWS_STS };

/* "s3", "kms", "sqs", "sts": the name in endpoints and credential scopes. */
const char *cof_aws_service_name(enum cof_aws_service service);

struct cof_aws_request {
    enum cof_aws_service service;
    const char *method;
    char bucket[64];       /* S3: goes into host or path, as the endpoint wants it */
    struct cof_buf path;   /* encoded, beginning with '/'; S3: the key */
    struct cof_buf query;  /* encoded, without '?' */
    struct cof_headers headers; /* Host, dates and signature are added when it is sent */
    struct cof_buf body;   /* small bodies, whole; wiped */
    bool streaming;        /* S3 uploads: length bytes follow from a writer */
    uint64_t length;
    char payload_sha256[65]; /* hex, for streamed bodies over plain HTTP; empty: not known */
    enum cof_checksum_alg checksum; /* streamed bodies: sent as trailer (aws-chunked) */
    bool is_anonymous;     /* not signed */
    bool replayable;       /* sending it twice does what sending it once does */
};

void cof_aws_request_init(struct cof_aws_request *request, enum cof_aws_service service, const char *method);
void cof_aws_request_done(struct cof_aws_request *request); /* takes NULL, idempotent */
/* The first failure of any of the builders. */
COF_MUST_USE enum cof_err cof_aws_request_err(const struct cof_aws_request *request);
/* Adds name=value to the query, encoding both. */
void cof_aws_request_query(struct cof_aws_request *request, const char *name, struct cof_view value);

/* Name and value of an encryption context; sorted by name wherever order matters. */
struct cof_pair {
    struct cof_view name, value;
};

#endif
