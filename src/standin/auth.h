/* SPDX-License-Identifier: Apache-2.0
 *
 * Who signed a request: Signature Version 4 in the Authorization header or in the query (presigned), checked against
 * the keys of iam.h, and AWS's errors when it does not hold (engine/sigv4_verify.h does the signature itself).
 */
#ifndef COF_STANDIN_AUTH_H
#define COF_STANDIN_AUTH_H

#include "engine/sigv4_verify.h"
#include "standin/callers.h"

/* What x-amz-content-sha256 says about the body. */
enum cof_payload {
    COF_PAYLOAD_ABSENT,           /* no header: the body's own hash is signed */
    COF_PAYLOAD_HASH,
    COF_PAYLOAD_UNSIGNED,
    COF_PAYLOAD_CHUNKS_SIGNED,         /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    COF_PAYLOAD_CHUNKS_SIGNED_TRAILER, /* ...-TRAILER */
    COF_PAYLOAD_CHUNKS_TRAILER,        /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};

/* Why not; the shape is the service's (cof_auth_codes). */
enum cof_auth_failure {
    COF_AUTH_FINE,
    COF_AUTH_MISSING,     /* unsigned */
    COF_AUTH_MALFORMED,
    COF_AUTH_TWICE,       /* header and query both */
    COF_AUTH_OLD,         /* signed in an older way than version 4 */
    COF_AUTH_NO_SCHEME,   /* another Authorization than AWS's */
    COF_AUTH_QUERY,       /* presigned, and malformed */
    COF_AUTH_ALGORITHM,   /* presigned by another algorithm */
    COF_AUTH_CREDENTIAL,  /* not in five parts, of a day that is none, or with another end */
    COF_AUTH_DAY,
    COF_AUTH_TERMINAL,
    COF_AUTH_DATE_FORM,   /* presigned, and X-Amz-Date is no date */
    COF_AUTH_DATE_OTHER,  /* of another day than the credential */
    COF_AUTH_EXPIRES,     /* presigned, and X-Amz-Expires is no number, is negative, is too long */
    COF_AUTH_EXPIRES_NEGATIVE,
    COF_AUTH_EXPIRES_LONG,
    COF_AUTH_EARLY,       /* presigned for a time to come */
    COF_AUTH_NO_DATE,     /* neither x-amz-date nor Date */
    COF_AUTH_SCOPE,       /* date, region or service of the scope */
    COF_AUTH_UNKNOWN_KEY,
    COF_AUTH_BAD_TOKEN,
    COF_AUTH_EXPIRED_TOKEN,
    COF_AUTH_SKEWED,
    COF_AUTH_EXPIRED,     /* a presigned request */
    COF_AUTH_NOT_SIGNED,  /* a header that must be signed is not */
    COF_AUTH_SIGNATURE,
    COF_AUTH_PAYLOAD,     /* x-amz-content-sha256 is missing (S3) */
    COF_AUTH_BAD_PAYLOAD, /* or no value of the kinds above */
};

enum cof_auth_shape { COF_AUTH_SHAPE_S3, COF_AUTH_SHAPE_JSON, COF_AUTH_SHAPE_QUERY };

struct cof_auth_code {
    int status;
    const char *code, *message;
};
const struct cof_auth_code *cof_auth_code(enum cof_auth_failure failure, enum cof_auth_shape shape);
struct cof_auth;
/* S3's own words for what is wrong with a credential, which quote it. False: it has none for this. */
bool cof_auth_credential_words(const struct cof_auth *auth, enum cof_auth_failure failure, char *out, size_t size);

struct cof_auth {
    bool is_signed;
    struct cof_sigv4_claim claim;
    enum cof_payload payload;
    struct cof_view payload_text;  /* as it was signed; a view into the head */
    uint8_t payload_hash[32];      /* COF_PAYLOAD_HASH */
    struct cof_secret signing_key; /* after a check that went well */
};

/* Signing keys of late: four HMACs saved a request. The secret is compared with the one a key was derived from, so that a
 * changed secret finds none. */
#define COF_AUTH_KEYS 64
struct cof_auth_keys {
    struct {
        char access_key_id[32], day[9], region[32], service[16];
        struct cof_secret secret, key;
        uint64_t used; /* 0: empty */
    } items[COF_AUTH_KEYS];
    uint64_t now;
};
void cof_auth_keys_done(struct cof_auth_keys *keys); /* wipes */

/* Reads, decides nothing but form. Fails (err) only for memory. */
COF_MUST_USE enum cof_err cof_auth_read(const struct cof_http_head *head, struct cof_auth *out,
                                        enum cof_auth_failure *failure);
/* Of a service other than S3: the body's own hash is what must have been signed, whatever x-amz-content-sha256 says. */
void cof_auth_sign_body(struct cof_auth *auth, enum cof_auth_failure *failure);
void cof_auth_done(struct cof_auth *auth);

/* Checks time, scope, key, token and signature. body_hash: SHA-256 of the body in place of an absent header (and
 * unused otherwise). keys may be NULL; account is the stand-in's own. On COF_AUTH_FINE *caller is the caller's, to be given back;
 * else NULL. Fails (err) only for the store or memory. */
COF_MUST_USE enum cof_err cof_auth_check(struct cof_callers *callers, const struct cof_store *store, const char *account,
    struct cof_auth_keys *keys, const struct cof_http_head *head, struct cof_auth *auth, const char *region, const uint8_t body_hash[32],
    int64_t now_ms, struct cof_known_caller **caller, enum cof_auth_failure *failure);

#endif
