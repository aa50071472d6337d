/* SPDX-License-Identifier: Apache-2.0
 *
 * AWS Signature Version 4: one canonicaliser for signing and for checking, requests by header and by query, and the
 * chain of chunk signatures of aws-chunked bodies. ("Signature Version 4 signing process" and "Signature Calculations
 * for the Authorization Header", AWS documentation.) src/engine/sigv4_verify.h is the server's side.
 */
#ifndef COF_ENGINE_SIGV4_H
#define COF_ENGINE_SIGV4_H

#include "base/secret.h"
#include "format/headers.h"

#define COF_SIGV4_SIGNATURE 64 /* hex digits */
#define COF_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define COF_SIGV4_STREAMING "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define COF_SIGV4_STREAMING_TRAILER "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
#define COF_SIGV4_STREAMING_UNSIGNED_TRAILER "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

struct cof_sigv4_credentials {
    struct cof_view access_key_id, secret_access_key;
    struct cof_view session_token; /* empty: none */
};

struct cof_sigv4_request {
    struct cof_view method;
    struct cof_view path;  /* as it goes on the wire (S3: percent-encoded once) */
    struct cof_view query; /* as it goes on the wire, without '?' */
    const struct cof_headers *headers;
    struct cof_view payload_hash; /* hex SHA-256 of the body, or one of the words above */
    bool s3_path; /* S3: the path is encoded once and not normalised; others encode what is on the wire again */
};

struct cof_sigv4_scope {
    int64_t now_ms;
    struct cof_view region, service;
};

/* What a signature is over. signed_headers: "host;x-amz-date", lower case and sorted; empty to sign every header but those
 * that proxies change: then signed_out (else it may be NULL) gets the list. What is given is appended. COF_E_FORMAT for an encoding error. */
COF_MUST_USE enum cof_err cof_sigv4_canonical_request(const struct cof_sigv4_request *request,
                                                      struct cof_view signed_headers, struct cof_buf *signed_out,
                                                      struct cof_buf *canonical);
/* date: "20260101T000000Z". */
COF_MUST_USE enum cof_err cof_sigv4_string_to_sign(struct cof_view date, struct cof_view region, struct cof_view service,
                                                   struct cof_view canonical_request, struct cof_buf *out);
/* day: "20260101". */
COF_MUST_USE enum cof_err cof_sigv4_signing_key(struct cof_view secret_access_key, struct cof_view day,
                                                struct cof_view region, struct cof_view service, struct cof_secret *out);
/* Writes COF_SIGV4_SIGNATURE digits and a NUL. */
COF_MUST_USE enum cof_err cof_sigv4_signature(const struct cof_secret *signing_key, struct cof_view string_to_sign,
                                              char out[static COF_SIGV4_SIGNATURE + 1]);

/* Signs by header: adds X-Amz-Date, X-Amz-Security-Token (when there is a token) and Authorization to headers, which must
 * be the request's own. *seed (may be NULL) gets the signature, where chunk signatures begin. */
COF_MUST_USE enum cof_err cof_sigv4_sign(const struct cof_sigv4_request *request, struct cof_headers *headers,
                                         const struct cof_sigv4_credentials *credentials,
                                         const struct cof_sigv4_scope *scope, char seed[COF_SIGV4_SIGNATURE + 1]);
/* Signs by query (a presigned URL): appends the whole query, signature included, to query_out. */
COF_MUST_USE enum cof_err cof_sigv4_presign(const struct cof_sigv4_request *request,
                                            const struct cof_sigv4_credentials *credentials,
                                            const struct cof_sigv4_scope *scope, uint32_t expires_s,
                                            struct cof_buf *query_out);

/* The signature of the next chunk of a STREAMING-AWS4-HMAC-SHA256-PAYLOAD body; previous is the one before it. */
COF_MUST_USE enum cof_err cof_sigv4_chunk(const struct cof_secret *signing_key, struct cof_view date,
                                          struct cof_view region, struct cof_view service, struct cof_view previous,
                                          struct cof_view chunk, char out[static COF_SIGV4_SIGNATURE + 1]);
/* The signature of its trailers: "name:value\n" for each, lower-case names. */
COF_MUST_USE enum cof_err cof_sigv4_trailer(const struct cof_secret *signing_key, struct cof_view date,
                                            struct cof_view region, struct cof_view service, struct cof_view previous,
                                            struct cof_view canonical_trailers,
                                            char out[static COF_SIGV4_SIGNATURE + 1]);

#endif
