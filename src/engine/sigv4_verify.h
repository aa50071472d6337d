/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's side of Signature Version 4: reads the claim out of a request (Authorization header or presigned query),
 * so that the caller can look up the secret, and then checks it. Strict: one algorithm, one claim, all of host and
 * x-amz-* signed, times within limits.
 */
#ifndef COF_ENGINE_SIGV4_VERIFY_H
#define COF_ENGINE_SIGV4_VERIFY_H

#include "engine/sigv4.h"
#include "format/http1.h"

#define COF_SIGV4_SKEW_MS 900000         /* 15 minutes either way */
#define COF_SIGV4_EXPIRES_MAX_S 604800   /* a presigned URL lives at most 7 days */

/* Why a claim was refused, for AWS's own error codes. */
enum cof_sigv4_fault {
    COF_SIGV4_FINE,
    COF_SIGV4_NONE,           /* no signature at all */
    COF_SIGV4_MALFORMED,      /* IncompleteSignature, AuthorizationHeaderMalformed */
    COF_SIGV4_TWICE,          /* header and query both */
    COF_SIGV4_HEADERS,        /* something that must be signed is not */
    COF_SIGV4_OLD,            /* a signature of an earlier version than 4 */
    COF_SIGV4_QUERY,          /* presigned, and a parameter is missing or malformed */
    COF_SIGV4_ALGORITHM,      /* presigned, and by another algorithm */
    COF_SIGV4_CREDENTIAL,     /* the credential does not fall into its five parts, */
    COF_SIGV4_DAY,            /* or its day is none, */
    COF_SIGV4_TERMINAL,       /* or it does not end in aws4_request */
    COF_SIGV4_DATE_FORM,      /* presigned, and X-Amz-Date is no date */
    COF_SIGV4_DATE_OTHER,     /* the credential is of another day than the request */
    COF_SIGV4_EXPIRES,        /* presigned, and X-Amz-Expires is no number */
    COF_SIGV4_EXPIRES_NEGATIVE,
    COF_SIGV4_EXPIRES_LONG,   /* more than seven days */
    COF_SIGV4_EARLY,          /* presigned for a time to come */
    COF_SIGV4_SKEWED,         /* RequestTimeTooSkewed, SignatureDoesNotMatch "expired" */
    COF_SIGV4_EXPIRED,        /* presigned and over */
    COF_SIGV4_MISMATCH,       /* SignatureDoesNotMatch */
};

struct cof_sigv4_claim {
    struct cof_buf text; /* owns what the views below point into */
    struct cof_view access_key_id, day, region, service, terminal, signed_headers, signature, session_token, date;
    bool presigned; /* told by parameters of the query; known of a malformed claim too */
    int64_t time_ms;
    uint64_t expires_s; /* presigned */
};

/* Reads the claim. COF_E_NOT_FOUND: the request is not signed; COF_E_FORMAT: *fault says what is wrong. */
COF_MUST_USE enum cof_err cof_sigv4_claim_read(const struct cof_http_head *head, struct cof_sigv4_claim *claim,
                                               enum cof_sigv4_fault *fault);
void cof_sigv4_claim_done(struct cof_sigv4_claim *claim);

/* Checks it against the secret. payload_hash: as in struct cof_sigv4_request (for a header-signed S3 request the value of
 * x-amz-content-sha256, which the caller compares with the body). COF_E_AUTH with *fault. *signing_key (may be NULL) is
 * for chunk signatures. */
COF_MUST_USE enum cof_err cof_sigv4_claim_check(const struct cof_sigv4_claim *claim, const struct cof_http_head *head,
                                                struct cof_view payload_hash, struct cof_view secret_access_key,
                                                int64_t now_ms, struct cof_secret *signing_key,
                                                enum cof_sigv4_fault *fault);
/* The same with the signing key at hand: that of the claim's day, region and service (cof_sigv4_signing_key). */
COF_MUST_USE enum cof_err cof_sigv4_claim_check_by(const struct cof_sigv4_claim *claim, const struct cof_http_head *head,
                                                   struct cof_view payload_hash, const struct cof_secret *signing_key,
                                                   int64_t now_ms, enum cof_sigv4_fault *fault);

#endif
