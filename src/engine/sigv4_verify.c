/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sigv4_verify.h"

#include "base/date.h"
#include "base/num.h"
#include "format/uri.h"

#include <string.h>

#define TEXT_MAX 1048576
#define CLAIM_MAX 65536
#define CANONICAL_FIRST 1000 /* bytes that most canonical requests fit in */
#define ALGORITHM "AWS4-HMAC-SHA256"

void cof_sigv4_claim_done(struct cof_sigv4_claim *claim)
{
    if (claim == NULL)
        return;
    cof_buf_done(&claim->text);
    *claim = (struct cof_sigv4_claim){0};
}

static bool is_day(struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] < '0' || v.data[i] > '9')
            return false;
    return v.len == 8;
}

/* Access keys may hold no slash; so the scope is the last four parts. */
static bool split_credential(struct cof_view credential, struct cof_sigv4_claim *claim, enum cof_sigv4_fault *fault)
{
    enum cof_sigv4_fault before = *fault;
    struct cof_view rest;

    *fault = COF_SIGV4_CREDENTIAL;
    if (!cof_view_split(credential, '/', &claim->access_key_id, &rest) || !cof_view_split(rest, '/', &claim->day, &rest) ||
        !cof_view_split(rest, '/', &claim->region, &rest) || !cof_view_split(rest, '/', &claim->service, &claim->terminal) ||
        cof_view_find(claim->terminal, '/') != SIZE_MAX || claim->access_key_id.len == 0 || claim->region.len == 0 || claim->service.len == 0)
        return false;
    *fault = COF_SIGV4_DAY;
    if (!is_day(claim->day))
        return false;
    *fault = COF_SIGV4_TERMINAL;
    if (!cof_view_eq(claim->terminal, COF_LIT("aws4_request")))
        return false;
    *fault = before;
    return true;
}

/* Lower case, sorted, each once. */
static bool is_header_list(struct cof_view names)
{
    struct cof_view name, before = {0};

    while (names.len > 0) {
        (void)cof_view_split(names, ';', &name, &names);
        if (!cof_is_token(name) || (before.len > 0 && cof_view_cmp(before, name) >= 0))
            return false;
        for (size_t i = 0; i < name.len; i++)
            if (name.data[i] >= 'A' && name.data[i] <= 'Z')
                return false;
        before = name;
    }
    return before.len > 0;
}

/* host and every x-amz-* header the request has must be signed: what is not could be anybody's. As each name stands in the list once, the
 * fields that it names are all there are when they are as many. */
static bool signs_enough(const struct cof_http_head *head, struct cof_view names)
{
    size_t n_signed = 0, n_there = 0;
    bool host = false;
    struct cof_view name;

    while (names.len > 0) {
        (void)cof_view_split(names, ';', &name, &names);
        host = host || cof_view_eq(name, COF_LIT("host"));
        if (cof_view_starts(name, COF_LIT("x-amz-")))
            n_signed += cof_headers_count_of(&head->headers, name);
    }
    for (size_t i = 0; i < head->headers.n; i++)
        n_there += cof_view_eq_nocase(cof_view_sub(cof_headers_name(&head->headers, i), 0, 6), COF_LIT("x-amz-"));
    return host && n_signed == n_there;
}

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=..." in any order, spaces after commas optional. */
static bool read_header(struct cof_view value, struct cof_sigv4_claim *claim, enum cof_sigv4_fault *fault)
{
    struct cof_view word, part, name, text, credential = {0};
    int seen = 0;

    if (!cof_view_split(value, ' ', &word, &value) || !cof_view_eq(word, COF_LIT(ALGORITHM)))
        return false;
    while (value.len > 0) {
        (void)cof_view_split(value, ',', &part, &value);
        if (!cof_view_split(cof_view_trim(part), '=', &name, &text))
            return false;
        if (cof_view_eq(name, COF_LIT("Credential")) && credential.len == 0)
            credential = text;
        else if (cof_view_eq(name, COF_LIT("SignedHeaders")) && claim->signed_headers.len == 0)
            claim->signed_headers = text;
        else if (cof_view_eq(name, COF_LIT("Signature")) && claim->signature.len == 0)
            claim->signature = text;
        else
            return false;
        seen++;
    }
    return seen == 3 && claim->signature.len > 0 && split_credential(credential, claim, fault);
}

/* Copies a decoded query parameter into the claim's text; *out is set to where it will be (offset, length). */
struct piece {
    size_t at, len;
};

static enum cof_err query_piece(struct cof_view query, const char *name, struct cof_buf *text, struct piece *out)
{
    enum cof_err err;

    out->at = text->len;
    err = cof_query_get(query, name, text);
    out->len = text->len - out->at;
    return err;
}

static struct cof_view piece_view(const struct cof_buf *text, struct piece p)
{
    return cof_view_sub(cof_buf_view(text), p.at, p.len);
}

/* How long a presigned request lives: 0 (then it is over at once) to seven days. */
static bool read_expires(struct cof_view text, struct cof_sigv4_claim *claim, enum cof_sigv4_fault *fault)
{
    uint64_t seconds;
    bool negative = text.len > 1 && text.data[0] == '-';

    *fault = COF_SIGV4_EXPIRES;
    if (cof_parse_u64(cof_view_sub(text, negative ? 1 : 0, SIZE_MAX), INT64_MAX / 1000, &seconds) != COF_OK)
        return false;
    *fault = negative ? COF_SIGV4_EXPIRES_NEGATIVE : COF_SIGV4_EXPIRES_LONG;
    if (negative || seconds > COF_SIGV4_EXPIRES_MAX_S)
        return false;
    *fault = COF_SIGV4_QUERY;
    claim->expires_s = seconds;
    return true;
}

static bool read_query(struct cof_view query, struct cof_sigv4_claim *claim, enum cof_sigv4_fault *fault)
{
    struct piece algorithm, credential, date, expires, names, signature, token = {0};
    struct cof_buf *text = &claim->text;
    enum cof_err has_token;

    if (query_piece(query, "X-Amz-Algorithm", text, &algorithm) != COF_OK ||
        query_piece(query, "X-Amz-Credential", text, &credential) != COF_OK ||
        query_piece(query, "X-Amz-Date", text, &date) != COF_OK ||
        query_piece(query, "X-Amz-Expires", text, &expires) != COF_OK ||
        query_piece(query, "X-Amz-SignedHeaders", text, &names) != COF_OK ||
        query_piece(query, "X-Amz-Signature", text, &signature) != COF_OK)
        return false;
    has_token = query_piece(query, "X-Amz-Security-Token", text, &token);
    if ((has_token != COF_OK && has_token != COF_E_NOT_FOUND) || cof_buf_err(text) != COF_OK)
        return false;
    claim->date = piece_view(text, date);
    claim->signed_headers = piece_view(text, names);
    claim->signature = piece_view(text, signature);
    claim->session_token = piece_view(text, token);
    *fault = COF_SIGV4_ALGORITHM;
    if (!cof_view_eq(piece_view(text, algorithm), COF_LIT(ALGORITHM)))
        return false;
    *fault = COF_SIGV4_QUERY;
    if (!split_credential(piece_view(text, credential), claim, fault))
        return false;
    *fault = COF_SIGV4_DATE_FORM;
    if (cof_date_parse_amz(claim->date, &claim->time_ms) != COF_OK)
        return false;
    *fault = COF_SIGV4_DATE_OTHER;
    if (!cof_view_eq(cof_view_sub(claim->date, 0, 8), claim->day))
        return false;
    return read_expires(piece_view(text, expires), claim, fault) && claim->signature.len > 0;
}

/* X-Amz-Date, or else Date in either of its forms. */
static bool read_date(const struct cof_http_head *head, struct cof_sigv4_claim *claim)
{
    char amz[COF_DATE_MAX];
    struct cof_view value;

    if (cof_headers_get(&head->headers, "x-amz-date", &value)) {
        claim->date = value;
        return cof_date_parse_amz(value, &claim->time_ms) == COF_OK;
    }
    if (!cof_headers_get(&head->headers, "date", &value))
        return false;
    if (cof_date_parse_amz(value, &claim->time_ms) == COF_OK) {
        claim->date = value;
        return true;
    }
    if (cof_date_parse_http(value, &claim->time_ms) != COF_OK)
        return false;
    cof_date_amz(claim->time_ms, amz);
    cof_buf_add_str(&claim->text, amz);
    claim->date = cof_buf_view(&claim->text);
    return claim->date.len > 0;
}

enum cof_err cof_sigv4_claim_read(const struct cof_http_head *head, struct cof_sigv4_claim *claim,
                                  enum cof_sigv4_fault *fault)
{
    struct cof_view header;
    bool by_header = cof_headers_get(&head->headers, "authorization", &header);
    bool by_query = cof_query_has(head->query, "X-Amz-Signature") || cof_query_has(head->query, "X-Amz-Algorithm") ||
                    cof_query_has(head->query, "X-Amz-Credential");
    bool ok, old = cof_query_has(head->query, "AWSAccessKeyId") && cof_query_has(head->query, "Signature");

    *claim = (struct cof_sigv4_claim){.presigned = by_query};
    cof_buf_init(&claim->text, CLAIM_MAX);
    *fault = COF_SIGV4_NONE;
    if (!by_header && !by_query && !old)
        return COF_E_NOT_FOUND;
    *fault = COF_SIGV4_TWICE;
    if ((by_header && (by_query || old)) || cof_headers_count(&head->headers, "authorization") > 1)
        return COF_E_FORMAT;
    *fault = COF_SIGV4_OLD;
    if (!by_query && (old || cof_view_starts(header, COF_LIT("AWS "))))
        return COF_E_FORMAT;
    *fault = by_query ? COF_SIGV4_QUERY : COF_SIGV4_MALFORMED;
    ok = by_query ? read_query(head->query, claim, fault) : read_header(header, claim, fault) && read_date(head, claim);
    if (!ok || !is_header_list(claim->signed_headers))
        return COF_E_FORMAT;
    *fault = COF_SIGV4_DATE_OTHER;
    if (!cof_view_eq(cof_view_sub(claim->date, 0, 8), claim->day))
        return COF_E_FORMAT;
    if (by_header)
        (void)cof_headers_get(&head->headers, "x-amz-security-token", &claim->session_token);
    *fault = COF_SIGV4_HEADERS;
    if (!signs_enough(head, claim->signed_headers))
        return COF_E_FORMAT;
    *fault = COF_SIGV4_FINE;
    return COF_OK;
}

static enum cof_err check_time(const struct cof_sigv4_claim *claim, int64_t now_ms, enum cof_sigv4_fault *fault)
{
    *fault = claim->presigned ? COF_SIGV4_EARLY : COF_SIGV4_SKEWED;
    if (claim->time_ms > now_ms + COF_SIGV4_SKEW_MS)
        return COF_E_AUTH;
    if (!claim->presigned && claim->time_ms < now_ms - COF_SIGV4_SKEW_MS)
        return COF_E_AUTH;
    *fault = COF_SIGV4_EXPIRED;
    if (claim->presigned && now_ms >= claim->time_ms + (int64_t)claim->expires_s * 1000)
        return COF_E_AUTH;
    *fault = COF_SIGV4_FINE;
    return COF_OK;
}

enum cof_err cof_sigv4_claim_check_by(const struct cof_sigv4_claim *claim, const struct cof_http_head *head,
                                      struct cof_view payload_hash, const struct cof_secret *signing_key, int64_t now_ms,
                                      enum cof_sigv4_fault *fault)
{
    struct cof_sigv4_request request = {
        .method = head->method,
        .path = head->path,
        .query = head->query,
        .headers = &head->headers,
        .payload_hash = payload_hash,
        .s3_path = cof_view_eq(claim->service, COF_LIT("s3")),
    };
    char expected[COF_SIGV4_SIGNATURE + 1];
    struct cof_buf canonical, text;
    enum cof_err err = check_time(claim, now_ms, fault);

    if (err != COF_OK)
        return err;
    cof_buf_init(&canonical, TEXT_MAX);
    cof_buf_init(&text, 4096);
    err = cof_buf_reserve(&canonical, CANONICAL_FIRST);
    if (err == COF_OK)
        err = cof_sigv4_canonical_request(&request, claim->signed_headers, NULL, &canonical);
    if (err == COF_OK)
        err = cof_sigv4_string_to_sign(claim->date, claim->region, claim->service, cof_buf_view(&canonical), &text);
    if (err == COF_OK)
        err = cof_sigv4_signature(signing_key, cof_buf_view(&text), expected);
    if (err == COF_OK && !cof_equal_ct(cof_view_str(expected), claim->signature))
        err = COF_E_AUTH;
    if (err == COF_E_FORMAT)
        err = COF_E_AUTH;
    *fault = err == COF_OK ? COF_SIGV4_FINE : COF_SIGV4_MISMATCH;
    cof_buf_done(&canonical);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_sigv4_claim_check(const struct cof_sigv4_claim *claim, const struct cof_http_head *head,
                                   struct cof_view payload_hash, struct cof_view secret_access_key, int64_t now_ms,
                                   struct cof_secret *signing_key, enum cof_sigv4_fault *fault)
{
    struct cof_secret key COF_SECRET_AUTO = {0};
    enum cof_err err = check_time(claim, now_ms, fault);

    if (err == COF_OK)
        err = cof_sigv4_signing_key(secret_access_key, claim->day, claim->region, claim->service, &key);
    if (err == COF_OK)
        err = cof_sigv4_claim_check_by(claim, head, payload_hash, &key, now_ms, fault);
    if (err == COF_OK && signing_key != NULL)
        err = cof_secret_set(signing_key, cof_secret_view(&key));
    return err;
}
