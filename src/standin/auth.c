/* SPDX-License-Identifier: Apache-2.0 */
#include "standin/auth.h"

#include "base/codec.h"
#include "base/date.h"
#include "base/num.h"
#include "crypto/hash.h"
#include "format/uri.h"

#include <stdlib.h>
#include <string.h>

#define SKEW_MS (15 * 60 * 1000)
#define EXPIRES_MAX_S (7 * 24 * 3600)
#define PARAMS_MAX 256
#define CANONICAL_MAX ((size_t)512 << 10)

const struct cof_auth_code *cof_auth_code(enum cof_auth_failure failure, enum cof_auth_shape shape)
{
#define INVALID_TOKEN "The security token included in the request is invalid."
#define EXPIRED_TOKEN "The security token included in the request is expired"
#define MISMATCH "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    static const struct cof_auth_code codes[][3] = {
        [COF_AUTH_FINE] = {{500, "InternalError", ""}, {500, "InternalFailure", ""}, {500, "InternalFailure", ""}},
        [COF_AUTH_MISSING] = {{403, "AccessDenied", "Access Denied"},
                              {400, "MissingAuthenticationTokenException", "Request is missing Authentication Token"},
                              {403, "MissingAuthenticationToken", "Request is missing Authentication Token"}},
        [COF_AUTH_MALFORMED] = {{400, "AuthorizationHeaderMalformed", "The authorization header is malformed."},
                                {400, "IncompleteSignatureException", "Authorization header is malformed."},
                                {400, "IncompleteSignature", "Authorization header is malformed."}},
        [COF_AUTH_SCOPE] = {{400, "AuthorizationHeaderMalformed", "The authorization header is malformed; the credential scope is wrong."},
                            {400, "InvalidSignatureException", "Credential should be scoped to a valid date, region and service."},
                            {403, "SignatureDoesNotMatch", "Credential should be scoped to a valid date, region and service."}},
        [COF_AUTH_UNKNOWN_KEY] = {{403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
                                  {400, "UnrecognizedClientException", INVALID_TOKEN},
                                  {403, "InvalidClientTokenId", INVALID_TOKEN}},
        [COF_AUTH_BAD_TOKEN] = {{400, "InvalidToken", "The provided token is malformed or otherwise invalid."},
                                {400, "UnrecognizedClientException", INVALID_TOKEN},
                                {403, "InvalidClientTokenId", INVALID_TOKEN}},
        [COF_AUTH_EXPIRED_TOKEN] = {{400, "ExpiredToken", "The provided token has expired."},
                                    {400, "ExpiredTokenException", EXPIRED_TOKEN},
                                    {403, "ExpiredToken", EXPIRED_TOKEN}},
        [COF_AUTH_SKEWED] = {{403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."},
                             {400, "InvalidSignatureException", "Signature expired or not yet current: the request time is too far from the current time."},
                             {403, "SignatureDoesNotMatch", "Signature expired or not yet current: the request time is too far from the current time."}},
        [COF_AUTH_EXPIRED] = {{403, "AccessDenied", "Request has expired"},
                              {400, "InvalidSignatureException", "Signature expired."},
                              {403, "SignatureDoesNotMatch", "Signature expired."}},
        [COF_AUTH_NOT_SIGNED] = {{403, "AccessDenied", "There were headers present in the request which were not signed"},
                                 {400, "InvalidSignatureException", "There were headers present in the request which were not signed"},
                                 {403, "SignatureDoesNotMatch", "There were headers present in the request which were not signed"}},
        [COF_AUTH_SIGNATURE] = {{403, "SignatureDoesNotMatch", MISMATCH}, {400, "InvalidSignatureException", MISMATCH},
                                {403, "SignatureDoesNotMatch", MISMATCH}},
        [COF_AUTH_PAYLOAD] = {{400, "InvalidRequest", "Missing or invalid required header for this request: x-amz-content-sha256"},
                              {400, "InvalidSignatureException", "x-amz-content-sha256 is invalid."},
                              {400, "InvalidRequest", "x-amz-content-sha256 is invalid."}},
    };

    return &codes[failure][shape];
}

/* KEY/20261123/us-east-1/s3/aws4_request; the key may hold slashes no more than an access key id does. */
static bool read_credential(struct cof_view text, struct cof_auth *a)
{
    struct cof_view end, rest = text;

    return cof_view_split(rest, '/', &a->access_key_id, &rest) && cof_view_split(rest, '/', &a->date, &rest) &&
        cof_view_split(rest, '/', &a->region, &rest) && cof_view_split(rest, '/', &a->service, &rest) &&
        !cof_view_split(rest, '/', &end, &rest) && cof_view_eq(end, COF_LIT("aws4_request")) &&
        a->access_key_id.len >= 4 && a->access_key_id.len <= 128 && a->date.len == 8;
}

static bool read_header(struct cof_view text, struct cof_auth *a)
{
    struct cof_view field, name, value, credential = {NULL, 0};

    if (!cof_view_starts(text, COF_LIT("AWS4-HMAC-SHA256 ")))
        return false;
    text = cof_view_sub(text, 17, SIZE_MAX);
    while (text.len > 0) {
        struct cof_view rest, *slot;

        (void)cof_view_split(text, ',', &field, &rest);
        text = rest;
        if (!cof_view_split(cof_view_trim(field), '=', &name, &value))
            return false;
        slot = cof_view_eq_str(name, "Credential") ? &credential : cof_view_eq_str(name, "SignedHeaders") ? &a->signed_headers :
            cof_view_eq_str(name, "Signature") ? &a->signature : NULL;
        if (slot == NULL || slot->len > 0 || value.len == 0)
            return false;
        *slot = value;
    }
    return a->signed_headers.len > 0 && a->signature.len == 64 && read_credential(credential, a);
}

/* Takes one decoded parameter; its view must survive later growth of the builder, so offsets come first. */
static bool take_param(const struct cof_http_head *head, struct cof_buf *b, const char *name, size_t span[2])
{
    span[0] = b->len;
    if (cof_query_get(head->query, name, b) != COF_OK)
        return false;
    span[1] = b->len - span[0];
    return true;
}

static bool read_query(const struct cof_http_head *head, struct cof_auth *a)
{
    size_t cred[2], date[2], expires[2], headers[2], sig[2], alg[2], token[2] = {0, 0};
    uint64_t seconds;
    struct cof_view all;

    a->presigned = true;
    if (!take_param(head, &a->decoded, "X-Amz-Algorithm", alg) || !take_param(head, &a->decoded, "X-Amz-Credential", cred) ||
        !take_param(head, &a->decoded, "X-Amz-Date", date) || !take_param(head, &a->decoded, "X-Amz-SignedHeaders", headers) ||
        !take_param(head, &a->decoded, "X-Amz-Signature", sig) || !take_param(head, &a->decoded, "X-Amz-Expires", expires))
        return false;
    if (cof_query_has(head->query, "X-Amz-Security-Token") && !take_param(head, &a->decoded, "X-Amz-Security-Token", token))
        return false;
    all = cof_buf_view(&a->decoded);
    a->signed_headers = cof_view_sub(all, headers[0], headers[1]);
    a->signature = cof_view_sub(all, sig[0], sig[1]);
    a->token = cof_view_sub(all, token[0], token[1]);
    a->time = cof_view_sub(all, date[0], date[1]);
    if (cof_parse_u64(cof_view_sub(all, expires[0], expires[1]), EXPIRES_MAX_S, &seconds) != COF_OK || seconds == 0)
        return false;
    a->expires_s = (int64_t)seconds;
    return cof_view_eq_str(cof_view_sub(all, alg[0], alg[1]), "AWS4-HMAC-SHA256") && a->signature.len == 64 &&
        read_credential(cof_view_sub(all, cred[0], cred[1]), a);
}

static bool read_payload(const struct cof_http_head *head, struct cof_auth *a)
{
    static const struct { const char *text; enum cof_payload kind; } kinds[] = {
        {"UNSIGNED-PAYLOAD", COF_PAYLOAD_UNSIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", COF_PAYLOAD_CHUNKS_SIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", COF_PAYLOAD_CHUNKS_SIGNED_TRAILER},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", COF_PAYLOAD_CHUNKS_TRAILER},
    };
    struct cof_view text;

    if (!cof_headers_get(&head->headers, "x-amz-content-sha256", &text)) {
        a->payload = a->presigned ? COF_PAYLOAD_UNSIGNED : COF_PAYLOAD_ABSENT;
        return true;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (cof_view_eq_str(text, kinds[i].text)) {
            a->payload = kinds[i].kind;
            return true;
        }
    a->payload = COF_PAYLOAD_HASH;
    return cof_hex_decode_fixed(text, a->payload_hash, sizeof a->payload_hash) == COF_OK;
}

enum cof_auth_failure cof_auth_read(const struct cof_http_head *head, struct cof_auth *a)
{
    struct cof_view header;
    bool has_header = cof_headers_get(&head->headers, "authorization", &header);
    bool has_query = cof_query_has(head->query, "X-Amz-Algorithm") || cof_query_has(head->query, "X-Amz-Signature");

    *a = (struct cof_auth){0};
    cof_buf_init(&a->decoded, 65536);
    if (!read_payload(head, a))
        return COF_AUTH_PAYLOAD;
    if (!has_header && !has_query)
        return COF_AUTH_MISSING;
    a->is_signed = true;
    if ((has_header && has_query) || cof_headers_count(&head->headers, "authorization") > 1)
        return COF_AUTH_MALFORMED;
    if (has_header) {
        if (!read_header(header, a))
            return COF_AUTH_MALFORMED;
        (void)cof_headers_get(&head->headers, "x-amz-security-token", &a->token);
        if (!cof_headers_get(&head->headers, "x-amz-date", &a->time))
            return COF_AUTH_MALFORMED;
    } else if (!read_query(head, a)) {
        return COF_AUTH_MALFORMED;
    } else if (a->payload == COF_PAYLOAD_ABSENT) {
        a->payload = COF_PAYLOAD_UNSIGNED; /* spec: presigned requests leave the body unsigned unless they say more */
    }
    return cof_date_parse_amz(a->time, &a->time_ms) == COF_OK ? COF_AUTH_FINE : COF_AUTH_MALFORMED;
}

void cof_auth_done(struct cof_auth *a)
{
    if (a == NULL)
        return;
    cof_buf_done(&a->decoded);
    cof_secret_done(&a->signing_key);
    *a = (struct cof_auth){0};
}

static bool is_signed_header(const struct cof_auth *a, struct cof_view name)
{
    struct cof_view list = a->signed_headers, one, rest;

    while (list.len > 0) {
        (void)cof_view_split(list, ';', &one, &rest);
        list = rest;
        if (cof_view_eq_nocase(one, name))
            return true;
    }
    return false;
}

static bool all_signed(const struct cof_http_head *head, const struct cof_auth *a)
{
    if (!is_signed_header(a, COF_LIT("host")))
        return false;
    for (size_t i = 0; i < head->headers.n; i++) {
        struct cof_view name = cof_headers_name(&head->headers, i);

        if (name.len >= 6 && cof_view_eq_nocase(cof_view_sub(name, 0, 6), COF_LIT("x-amz-")) && !is_signed_header(a, name))
            return false;
    }
    return true;
}

struct param {
    size_t name, name_len, value_len; /* in the builder; the value follows its name */
};

static int compare_params(const struct param *a, const struct param *b, const uint8_t *t)
{
    int c = cof_view_cmp(cof_view_of(t + a->name, a->name_len), cof_view_of(t + b->name, b->name_len));

    return c != 0 ? c : cof_view_cmp(cof_view_of(t + a->name + a->name_len, a->value_len),
        cof_view_of(t + b->name + b->name_len, b->value_len));
}

/* Insertion sort: lists are short, and qsort_r is no portable C. */
static void sort_params(struct param *params, size_t n, const uint8_t *text)
{
    for (size_t i = 1; i < n; i++) {
        struct param one = params[i];
        size_t at = i;

        for (; at > 0 && compare_params(&params[at - 1], &one, text) > 0; at--)
            params[at] = params[at - 1];
        params[at] = one;
    }
}

/* Decodes and encodes again, so that every spelling of a byte becomes one. */
static enum cof_err add_normal(struct cof_buf *out, struct cof_view raw, bool keep_slash)
{
    struct cof_buf plain;
    enum cof_err err;

    cof_buf_init(&plain, CANONICAL_MAX);
    err = cof_uri_decode(raw, false, &plain);
    if (err == COF_OK)
        cof_uri_encode(out, cof_buf_view(&plain), keep_slash);
    cof_buf_done(&plain);
    return err == COF_OK ? cof_buf_err(out) : err;
}

static enum cof_err add_query(struct cof_buf *out, const struct cof_http_head *head, const struct cof_auth *a)
{
    struct param *params = calloc(PARAMS_MAX, sizeof *params);
    struct cof_view query = head->query, name, value;
    struct cof_buf text;
    enum cof_err err = params == NULL ? COF_E_MEMORY : COF_OK;
    size_t n = 0;

    cof_buf_init(&text, CANONICAL_MAX);
    while (err == COF_OK && cof_query_next(&query, &name, &value)) {
        if (a->presigned && cof_view_eq_str(name, "X-Amz-Signature"))
            continue;
        if (n == PARAMS_MAX) {
            err = COF_E_LIMIT;
            break;
        }
        params[n].name = text.len;
        err = add_normal(&text, name, false);
        params[n].name_len = text.len - params[n].name;
        if (err == COF_OK)
            err = add_normal(&text, value, false);
        params[n].value_len = text.len - params[n].name - params[n].name_len;
        n++;
    }
    if (err == COF_OK) {
        sort_params(params, n, text.data);
        for (size_t i = 0; i < n; i++) {
            cof_buf_add_str(out, i == 0 ? "" : "&");
            cof_buf_add_bytes(out, text.data + params[i].name, params[i].name_len);
            cof_buf_add_str(out, "=");
            cof_buf_add_bytes(out, text.data + params[i].name + params[i].name_len, params[i].value_len);
        }
        err = cof_buf_err(out);
    }
    cof_buf_done(&text);
    free(params);
    return err;
}

/* Runs of spaces become one. */
static void add_collapsed(struct cof_buf *out, struct cof_view value)
{
    value = cof_view_trim(value);
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] != ' ' || value.data[i - 1] != ' ')
            cof_buf_add_u8(out, value.data[i]);
}

static enum cof_err add_headers(struct cof_buf *out, const struct cof_http_head *head, const struct cof_auth *a)
{
    struct cof_view list = a->signed_headers, name, rest, last = {NULL, 0};

    while (list.len > 0) {
        bool first = true;

        (void)cof_view_split(list, ';', &name, &rest);
        list = rest;
        if (cof_view_cmp(last, name) >= 0)
            return COF_E_FORMAT; /* sorted, and none twice */
        last = name;
        cof_buf_add(out, name);
        cof_buf_add_u8(out, ':');
        for (size_t i = 0; i < head->headers.n; i++) {
            if (!cof_view_eq_nocase(cof_headers_name(&head->headers, i), name))
                continue;
            cof_buf_add_str(out, first ? "" : ",");
            add_collapsed(out, cof_headers_value(&head->headers, i));
            first = false;
        }
        cof_buf_add_u8(out, '\n');
    }
    return cof_buf_err(out);
}

static void add_payload(struct cof_buf *out, const struct cof_http_head *head, const struct cof_auth *a, const uint8_t body_hash[32])
{
    struct cof_view text;

    if (cof_headers_get(&head->headers, "x-amz-content-sha256", &text))
        cof_buf_add(out, text);
    else if (a->payload == COF_PAYLOAD_UNSIGNED)
        cof_buf_add_str(out, "UNSIGNED-PAYLOAD");
    else
        cof_hex_add(out, cof_view_of(body_hash, 32));
}

static enum cof_err canonical(const struct cof_http_head *head, const struct cof_auth *a, const uint8_t body_hash[32], struct cof_buf *out)
{
    enum cof_err err;

    cof_buf_add(out, head->method);
    cof_buf_add_u8(out, '\n');
    if (cof_view_eq_str(a->service, "s3"))
        err = add_normal(out, head->path, true);
    else {
        cof_uri_encode(out, head->path, true); /* spec: other services encode the path as sent once more */
        err = cof_buf_err(out);
    }
    cof_buf_add_u8(out, '\n');
    if (err == COF_OK)
        err = add_query(out, head, a);
    cof_buf_add_u8(out, '\n');
    if (err == COF_OK)
        err = add_headers(out, head, a);
    cof_buf_add_u8(out, '\n');
    cof_buf_add(out, a->signed_headers);
    cof_buf_add_u8(out, '\n');
    add_payload(out, head, a, body_hash);
    return err == COF_OK ? cof_buf_err(out) : err;
}

static enum cof_err derive_key(const struct cof_auth *a, const char *secret, struct cof_secret *out)
{
    struct cof_view steps[4] = {a->date, a->region, a->service, COF_LIT("aws4_request")};
    uint8_t first[4 + 128];
    size_t len = strlen(secret);
    enum cof_err err;

    if (len > sizeof first - 4)
        return COF_E_LIMIT;
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret, len);
    err = cof_hmac(COF_SHA256, cof_view_of(first, len + 4), &steps[0], 1, out->bytes);
    out->len = 32;
    for (size_t i = 1; i < 4 && err == COF_OK; i++)
        err = cof_hmac(COF_SHA256, cof_secret_view(out), &steps[i], 1, out->bytes);
    cof_wipe(first, sizeof first);
    return err;
}

static enum cof_err check_signature(const struct cof_http_head *head, struct cof_auth *a, const char *secret,
                                    const uint8_t body_hash[32], bool *good)
{
    uint8_t digest[32], want[32], given[32];
    char hex[65];
    struct cof_view parts[9];
    struct cof_buf text;
    enum cof_err err;

    *good = false;
    cof_buf_init(&text, CANONICAL_MAX);
    err = canonical(head, a, body_hash, &text);
    if (err == COF_OK)
        err = cof_hash_once(COF_SHA256, cof_buf_view(&text), digest);
    cof_buf_done(&text);
    if (err == COF_OK)
        err = derive_key(a, secret, &a->signing_key);
    if (err != COF_OK)
        return err == COF_E_MEMORY ? err : COF_OK; /* what cannot be written canonically was not signed so */
    cof_hex_encode(digest, sizeof digest, hex);
    parts[0] = COF_LIT("AWS4-HMAC-SHA256\n");
    parts[1] = a->time;
    parts[2] = COF_LIT("\n");
    parts[3] = cof_view_of(a->date.data, (size_t)(a->service.data + a->service.len - a->date.data)); /* date/region/service */
    parts[4] = COF_LIT("/aws4_request\n");
    parts[5] = cof_view_str(hex);
    err = cof_hmac(COF_SHA256, cof_secret_view(&a->signing_key), parts, 6, want);
    if (err == COF_OK && cof_hex_decode_fixed(a->signature, given, sizeof given) == COF_OK)
        *good = cof_equal_ct(cof_view_of(want, 32), cof_view_of(given, 32));
    if (!*good)
        cof_secret_done(&a->signing_key);
    return err;
}

static enum cof_auth_failure check_time(const struct cof_auth *a, int64_t now_ms)
{
    if (!cof_view_eq(a->date, cof_view_sub(a->time, 0, 8)))
        return COF_AUTH_SCOPE;
    if (!a->presigned)
        return a->time_ms > now_ms + SKEW_MS || a->time_ms < now_ms - SKEW_MS ? COF_AUTH_SKEWED : COF_AUTH_FINE;
    if (a->time_ms > now_ms + SKEW_MS)
        return COF_AUTH_SKEWED;
    return now_ms > a->time_ms + a->expires_s * 1000 ? COF_AUTH_EXPIRED : COF_AUTH_FINE;
}

static enum cof_auth_failure check_token(const struct cof_auth *a, const struct cof_iam_key *key, int64_t now_ms)
{
    if (key->session_token == NULL)
        return a->token.len == 0 ? COF_AUTH_FINE : COF_AUTH_BAD_TOKEN;
    if (a->token.len == 0)
        return COF_AUTH_UNKNOWN_KEY;
    if (!cof_equal_ct(a->token, cof_view_str(key->session_token)))
        return COF_AUTH_BAD_TOKEN;
    return key->expires_ms != 0 && now_ms >= key->expires_ms ? COF_AUTH_EXPIRED_TOKEN : COF_AUTH_FINE;
}

enum cof_err cof_auth_check(const struct cof_store *store, const struct cof_http_head *head, struct cof_auth *a, const char *region,
                            const uint8_t body_hash[32], int64_t now_ms, struct cof_iam_key *key, enum cof_auth_failure *failure)
{
    bool good = false;
    enum cof_err err;

    *key = (struct cof_iam_key){0};
    *failure = check_time(a, now_ms);
    if (*failure == COF_AUTH_FINE && !cof_view_eq_str(a->region, region))
        *failure = COF_AUTH_SCOPE;
    if (*failure == COF_AUTH_FINE && !all_signed(head, a))
        *failure = COF_AUTH_NOT_SIGNED;
    if (*failure != COF_AUTH_FINE)
        return COF_OK;
    err = cof_iam_key_get(store, a->access_key_id, key);
    if (err == COF_E_NOT_FOUND) {
        *failure = COF_AUTH_UNKNOWN_KEY;
        return COF_OK;
    }
    if (err == COF_OK)
        err = check_signature(head, a, key->secret, body_hash, &good);
    if (err == COF_OK)
        *failure = good ? check_token(a, key, now_ms) : COF_AUTH_SIGNATURE;
    if (err != COF_OK || *failure != COF_AUTH_FINE)
        cof_iam_key_done(key);
    return err;
}
