/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/auth.h"

#include "base/codec.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

const struct cof_auth_code *cof_auth_code(enum cof_auth_failure failure, enum cof_auth_shape shape)
{
#define INVALID_TOKEN "The security token included in the request is invalid."
#define EXPIRED_TOKEN "The security token included in the request is expired"
#define MALFORMED "Authorization header is malformed."
#define QUERY_ERROR "AuthorizationQueryParametersError"
#define HEADER_ERROR "AuthorizationHeaderMalformed"
#define NO_DATE "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
#define MISMATCH                                                                                                       \
    "The request signature we calculated does not match the signature you provided. Check your key and signing "       \
    "method."
    static const struct cof_auth_code codes[][3] =
        {
            [COF_AUTH_FINE] = {{500, "InternalError", ""}, {500, "InternalFailure", ""}, {500, "InternalFailure", ""}},
            [COF_AUTH_MISSING] = {{403, "AccessDenied", "Access Denied"},
                {400, "MissingAuthenticationTokenException", "Request is missing Authentication Token"},
                {403, "MissingAuthenticationToken", "Request is missing Authentication Token"}},
            [COF_AUTH_MALFORMED] = {{400, HEADER_ERROR, "The authorization header is malformed; the authorization header requires three components: "
                                       "Credential, SignedHeaders, and Signature."},
                {400, "IncompleteSignatureException", "Authorization header is malformed."},
                {400, "IncompleteSignature", "Authorization header is malformed."}},
            [COF_AUTH_TWICE] = {{400, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature "
                                       "query string parameter or the Authorization header should be specified"},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_OLD] = {{400, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC- "
                                       "SHA256."},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_QUERY] = {{400, "AuthorizationQueryParametersError", "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                                       "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_ALGORITHM] = {{400, QUERY_ERROR, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_CREDENTIAL] = {{400, HEADER_ERROR, ""}, {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_DAY] = {{400, HEADER_ERROR, ""}, {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_TERMINAL] = {{400, HEADER_ERROR, ""}, {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_DATE_FORM] = {{400, QUERY_ERROR, "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_DATE_OTHER] = {{400, HEADER_ERROR, ""}, {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_EXPIRES] = {{400, "AuthorizationQueryParametersError", "X-Amz-Expires should be a number"},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_EXPIRES_NEGATIVE] = {{400, "AuthorizationQueryParametersError", "X-Amz-Expires must be non-negative"},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_EXPIRES_LONG] = {{400, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires "
                                       "must be less than 604800 seconds"},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_EARLY] = {{403, "AccessDenied", "Request is not yet valid"},
                {400, "InvalidSignatureException", "Signature not yet current."},
                {403, "SignatureDoesNotMatch", "Signature not yet current."}},
            [COF_AUTH_NO_SCHEME] = {{400, "InvalidArgument", "Unsupported Authorization Type"},
                {400, "IncompleteSignatureException", MALFORMED}, {400, "IncompleteSignature", MALFORMED}},
            [COF_AUTH_NO_DATE] = {{403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"},
                {400, "IncompleteSignatureException", NO_DATE}, {400, "IncompleteSignature", NO_DATE}},
            [COF_AUTH_SCOPE] = {{400, "AuthorizationHeaderMalformed",
                                    "The authorization header is malformed; the credential scope is wrong."},
                {400, "InvalidSignatureException", "Credential should be scoped to a valid date, region and service."},
                {403, "SignatureDoesNotMatch", "Credential should be scoped to a valid date, region and service."}},
            [COF_AUTH_UNKNOWN_KEY] = {{403, "InvalidAccessKeyId",
                                          "The AWS Access Key Id you provided does not exist in our records."},
                {400, "UnrecognizedClientException", INVALID_TOKEN}, {403, "InvalidClientTokenId", INVALID_TOKEN}},
            [COF_AUTH_BAD_TOKEN] = {{400, "InvalidToken", "The provided token is malformed or otherwise invalid."},
                {400, "UnrecognizedClientException", INVALID_TOKEN}, {403, "InvalidClientTokenId", INVALID_TOKEN}},
            [COF_AUTH_EXPIRED_TOKEN] = {{400, "ExpiredToken", "The provided token has expired."},
                {400, "ExpiredTokenException", EXPIRED_TOKEN}, {403, "ExpiredToken", EXPIRED_TOKEN}},
            [COF_AUTH_SKEWED] = {{403, "RequestTimeTooSkewed",
                                     "The difference between the request time and the current time is too large."},
                {400, "InvalidSignatureException",
                    "Signature expired or not yet current: the request time is too far from the current time."},
                {403, "SignatureDoesNotMatch",
                    "Signature expired or not yet current: the request time is too far from the current time."}},
            [COF_AUTH_EXPIRED] = {{403, "AccessDenied", "Request has expired"},
                {400, "InvalidSignatureException", "Signature expired."},
                {403, "SignatureDoesNotMatch", "Signature expired."}},
            [COF_AUTH_NOT_SIGNED] =
                {{403, "AccessDenied", "There were headers present in the request which were not signed"},
                    {400, "InvalidSignatureException",
                        "There were headers present in the request which were not signed"},
                    {403, "SignatureDoesNotMatch", "There were headers present in the request which were not signed"}},
            [COF_AUTH_SIGNATURE] = {{403, "SignatureDoesNotMatch", MISMATCH},
                {400, "InvalidSignatureException", MISMATCH}, {403, "SignatureDoesNotMatch", MISMATCH}},
            [COF_AUTH_PAYLOAD] =
                {{400, "InvalidRequest", "Missing or invalid required header for this request: x-amz-content-sha256"},
                    {400, "InvalidSignatureException", "x-amz-content-sha256 is invalid."},
                    {400, "InvalidRequest", "x-amz-content-sha256 is invalid."}},
            [COF_AUTH_BAD_PAYLOAD] =
                {{400, "InvalidArgument",
                     "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                     "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."},
                    {400, "InvalidSignatureException", "x-amz-content-sha256 is invalid."},
                    {400, "InvalidRequest", "x-amz-content-sha256 is invalid."}},
        };

    return &codes[failure][shape];
}

bool cof_auth_credential_words(const struct cof_auth *a, enum cof_auth_failure failure, char *out, size_t size)
{
    const char *about = a->claim.presigned ? "Error parsing the X-Amz-Credential parameter; " : "The authorization header is malformed; ";
    struct cof_view day = cof_view_sub(a->claim.day, 0, 40), end = cof_view_sub(a->claim.terminal, 0, 40), date = cof_view_sub(a->claim.date, 0, 8);

    switch ((int)failure) {
    case COF_AUTH_CREDENTIAL:
        (void)snprintf(out, size, "%sthe Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".", about);
        return true;
    case COF_AUTH_DAY:
        (void)snprintf(out, size, "%sincorrect date format \"%.*s\". This date in the credential must be in the format \"yyyyMMdd\".", about,
            (int)day.len, day.len == 0 ? "" : (const char *)day.data);
        return true;
    case COF_AUTH_TERMINAL:
        (void)snprintf(out, size, "%sincorrect terminal \"%.*s\". This endpoint uses \"aws4_request\".", about, (int)end.len,
            end.len == 0 ? "" : (const char *)end.data);
        return true;
    case COF_AUTH_DATE_OTHER:
        (void)snprintf(out, size, "%sInvalid credential date \"%.*s\". This date is not the same as X-Amz-Date: \"%.*s\".",
            a->claim.presigned ? "" : about, (int)day.len, (const char *)day.data, (int)date.len, (const char *)date.data);
        return true;
    default:
        return false;
    }
}

static bool read_payload(const struct cof_http_head *head, struct cof_auth *a)
{
    static const struct { const char *text; enum cof_payload kind; } kinds[] = {
        {COF_SIGV4_UNSIGNED, COF_PAYLOAD_UNSIGNED},
        {COF_SIGV4_STREAMING, COF_PAYLOAD_CHUNKS_SIGNED},
        {COF_SIGV4_STREAMING_TRAILER, COF_PAYLOAD_CHUNKS_SIGNED_TRAILER},
        {COF_SIGV4_STREAMING_UNSIGNED_TRAILER, COF_PAYLOAD_CHUNKS_TRAILER},
    };

    if (!cof_headers_get(&head->headers, "x-amz-content-sha256", &a->payload_text))
        return true;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (cof_view_eq_str(a->payload_text, kinds[i].text)) {
            a->payload = kinds[i].kind;
            return true;
        }
    a->payload = COF_PAYLOAD_HASH;
    return cof_hex_decode_fixed(a->payload_text, a->payload_hash, sizeof a->payload_hash) == COF_OK;
}

static enum cof_auth_failure of_fault(enum cof_sigv4_fault fault)
{
    switch (fault) {
    case COF_SIGV4_FINE:
        return COF_AUTH_FINE;
    case COF_SIGV4_NONE:
        return COF_AUTH_MISSING;
    case COF_SIGV4_MALFORMED:
        return COF_AUTH_MALFORMED;
    case COF_SIGV4_TWICE:
        return COF_AUTH_TWICE;
    case COF_SIGV4_OLD:
        return COF_AUTH_OLD;
    case COF_SIGV4_QUERY:
        return COF_AUTH_QUERY;
    case COF_SIGV4_ALGORITHM:
        return COF_AUTH_ALGORITHM;
    case COF_SIGV4_CREDENTIAL:
        return COF_AUTH_CREDENTIAL;
    case COF_SIGV4_DAY:
        return COF_AUTH_DAY;
    case COF_SIGV4_TERMINAL:
        return COF_AUTH_TERMINAL;
    case COF_SIGV4_DATE_FORM:
        return COF_AUTH_DATE_FORM;
    case COF_SIGV4_DATE_OTHER:
        return COF_AUTH_DATE_OTHER;
    case COF_SIGV4_EXPIRES:
        return COF_AUTH_EXPIRES;
    case COF_SIGV4_EXPIRES_NEGATIVE:
        return COF_AUTH_EXPIRES_NEGATIVE;
    case COF_SIGV4_EXPIRES_LONG:
        return COF_AUTH_EXPIRES_LONG;
    case COF_SIGV4_EARLY:
        return COF_AUTH_EARLY;
    case COF_SIGV4_HEADERS:
        return COF_AUTH_NOT_SIGNED;
    case COF_SIGV4_SKEWED:
        return COF_AUTH_SKEWED;
    case COF_SIGV4_EXPIRED:
        return COF_AUTH_EXPIRED;
    case COF_SIGV4_MISMATCH:
        break;
    }
    return COF_AUTH_SIGNATURE;
}

static enum cof_auth_failure what_is_malformed(const struct cof_http_head *head)
{
    struct cof_view value;

    if (!cof_headers_get(&head->headers, "authorization", &value))
        return COF_AUTH_MALFORMED;
    if (!cof_view_starts(value, COF_LIT("AWS4-HMAC-SHA256")))
        return COF_AUTH_NO_SCHEME;
    return cof_headers_count(&head->headers, "x-amz-date") + cof_headers_count(&head->headers, "date") == 0 ? COF_AUTH_NO_DATE :
                                                                                                             COF_AUTH_MALFORMED;
}

enum cof_err cof_auth_read(const struct cof_http_head *head, struct cof_auth *a, enum cof_auth_failure *failure)
{
    enum cof_sigv4_fault fault = COF_SIGV4_FINE;
    enum cof_err err;

    *a = (struct cof_auth){0};
    *failure = COF_AUTH_FINE;
    err = cof_sigv4_claim_read(head, &a->claim, &fault);
    a->is_signed = err == COF_OK;
    if (err == COF_E_NOT_FOUND)
        fault = COF_SIGV4_NONE;
    else if (err != COF_OK && fault == COF_SIGV4_FINE)
        fault = COF_SIGV4_MALFORMED;
    if (!read_payload(head, a))
        *failure = COF_AUTH_BAD_PAYLOAD;
    if (a->is_signed && a->claim.presigned && a->payload == COF_PAYLOAD_ABSENT) {
        a->payload = COF_PAYLOAD_UNSIGNED; /* spec: a presigned request leaves its body unsigned unless it says more */
        a->payload_text = COF_LIT(COF_SIGV4_UNSIGNED);
    }
    if (err != COF_OK)
        *failure = of_fault(fault);
    if (*failure == COF_AUTH_MALFORMED)
        *failure = what_is_malformed(head);
    return err == COF_E_MEMORY ? err : COF_OK;
}

void cof_auth_sign_body(struct cof_auth *a, enum cof_auth_failure *failure)
{
    a->payload = COF_PAYLOAD_ABSENT;
    if (*failure == COF_AUTH_BAD_PAYLOAD)
        *failure = COF_AUTH_FINE;
}

void cof_auth_done(struct cof_auth *a)
{
    if (a == NULL)
        return;
    cof_sigv4_claim_done(&a->claim);
    cof_secret_done(&a->signing_key);
    *a = (struct cof_auth){0};
}

static enum cof_auth_failure check_token(const struct cof_auth *a, const struct cof_iam_key *key, int64_t now_ms)
{
    struct cof_view token = a->claim.session_token;

    if (key->session_token == NULL)
        return token.len == 0 ? COF_AUTH_FINE : COF_AUTH_BAD_TOKEN;
    if (token.len == 0)
        return COF_AUTH_UNKNOWN_KEY;
    if (!cof_equal_ct(token, cof_view_str(key->session_token)))
        return COF_AUTH_BAD_TOKEN;
    return key->expires_ms != 0 && now_ms >= key->expires_ms ? COF_AUTH_EXPIRED_TOKEN : COF_AUTH_FINE;
}

void cof_auth_keys_done(struct cof_auth_keys *keys)
{
    cof_wipe(keys, sizeof *keys);
}

static bool is_text(const char *kept, size_t size, struct cof_view v)
{
    return v.len < size && strlen(kept) == v.len && memcmp(kept, v.data, v.len) == 0;
}

static void keep_text(char *kept, struct cof_view v)
{
    memcpy(kept, v.data, v.len);
    kept[v.len] = '\0';
}

/* The signing key into a->signing_key, out of those of late or derived anew. */
static enum cof_err find_key(struct cof_auth *a, struct cof_auth_keys *keys, struct cof_view secret)
{
    const struct cof_sigv4_claim *c = &a->claim;
    size_t oldest = 0;
    enum cof_err err;

    if (keys == NULL || secret.len > COF_SECRET_MAX || c->access_key_id.len >= sizeof keys->items[0].access_key_id ||
        c->day.len >= sizeof keys->items[0].day || c->region.len >= sizeof keys->items[0].region || c->service.len >= sizeof keys->items[0].service)
        return cof_sigv4_signing_key(secret, c->day, c->region, c->service, &a->signing_key);
    keys->now++;
    for (size_t i = 0; i < COF_AUTH_KEYS; i++) {
        if (keys->items[i].used != 0 && is_text(keys->items[i].access_key_id, sizeof keys->items[i].access_key_id, c->access_key_id) &&
            is_text(keys->items[i].service, sizeof keys->items[i].service, c->service) &&
            is_text(keys->items[i].day, sizeof keys->items[i].day, c->day) &&
            is_text(keys->items[i].region, sizeof keys->items[i].region, c->region) &&
            cof_equal_ct(cof_secret_view(&keys->items[i].secret), secret)) {
            keys->items[i].used = keys->now;
            return cof_secret_set(&a->signing_key, cof_secret_view(&keys->items[i].key));
        }
        if (keys->items[i].used < keys->items[oldest].used)
            oldest = i;
    }
    err = cof_sigv4_signing_key(secret, c->day, c->region, c->service, &a->signing_key);
    if (err == COF_OK)
        err = cof_secret_set(&keys->items[oldest].key, cof_secret_view(&a->signing_key));
    if (err == COF_OK)
        err = cof_secret_set(&keys->items[oldest].secret, secret);
    if (err != COF_OK)
        return err;
    keep_text(keys->items[oldest].access_key_id, c->access_key_id);
    keep_text(keys->items[oldest].day, c->day);
    keep_text(keys->items[oldest].region, c->region);
    keep_text(keys->items[oldest].service, c->service);
    keys->items[oldest].used = keys->now;
    return COF_OK;
}

static enum cof_err check_claim(struct cof_auth_keys *keys, const struct cof_http_head *head, struct cof_auth *a, const uint8_t body_hash[32],
                                const struct cof_known_caller *caller, int64_t now_ms, enum cof_auth_failure *failure)
{
    enum cof_sigv4_fault fault = COF_SIGV4_FINE;
    struct cof_view payload = a->payload_text;
    char hex[65];
    enum cof_err err;

    if (a->payload == COF_PAYLOAD_ABSENT) {
        cof_hex_encode(body_hash, 32, hex);
        payload = cof_view_str(hex);
    }
    err = find_key(a, keys, cof_view_str(caller->secret));
    if (err == COF_OK)
        err = cof_sigv4_claim_check_by(&a->claim, head, payload, &a->signing_key, now_ms, &fault);
    if (err != COF_OK)
        cof_secret_done(&a->signing_key);
    *failure =
        err == COF_OK ? check_token(a, &caller->principal.key, now_ms) : of_fault(fault == COF_SIGV4_FINE ? COF_SIGV4_MISMATCH : fault);
    return err == COF_E_MEMORY ? err : COF_OK;
}

enum cof_err cof_auth_check(struct cof_callers *callers, const struct cof_store *store, const char *account, struct cof_auth_keys *keys,
    const struct cof_http_head *head, struct cof_auth *a, const char *region, const uint8_t body_hash[32], int64_t now_ms,
    struct cof_known_caller **caller, enum cof_auth_failure *failure)
{
    enum cof_err err;

    *caller = NULL;
    *failure = cof_view_eq_str(a->claim.region, region) ? COF_AUTH_FINE : a->claim.presigned ? COF_AUTH_QUERY : COF_AUTH_SCOPE;
    if (*failure != COF_AUTH_FINE)
        return COF_OK;
    err = cof_callers_get(callers, store, account, a->claim.access_key_id, caller);
    if (err == COF_E_NOT_FOUND) {
        *failure = COF_AUTH_UNKNOWN_KEY;
        return COF_OK;
    }
    if (err == COF_OK)
        err = check_claim(keys, head, a, body_hash, *caller, now_ms, failure);
    if (err != COF_OK || *failure != COF_AUTH_FINE) {
        cof_known_caller_unref(*caller);
        *caller = NULL;
    }
    return err;
}
