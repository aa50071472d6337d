/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sigv4.h"

#include "base/codec.h"
#include "base/date.h"
#include "crypto/hash.h"
#include "format/uri.h"

#include <stdlib.h>
#include <string.h>

#define QUERY_MAX 1024    /* parameters */
#define PIECE_MAX 65536   /* bytes of one encoded name or value */
#define TEXT_MAX 1048576  /* bytes of a canonical request */
#define ALGORITHM "AWS4-HMAC-SHA256"

static const struct cof_view slash = {(const uint8_t *)"/", 1};

/* Dot segments and double slashes removed (RFC 3986 section 5.2.4), for services other than S3. */
static void normalise(struct cof_view path, struct cof_buf *out)
{
    size_t start = out->len;
    bool trailing = path.len > 0 && path.data[path.len - 1] == '/';
    struct cof_view segment;

    while (path.len > 0) {
        bool more = cof_view_split(path, '/', &segment, &path);
        if (segment.len == 0 || cof_view_eq(segment, COF_LIT("."))) {
            trailing = !more && segment.len > 0 ? true : trailing;
        } else if (cof_view_eq(segment, COF_LIT(".."))) {
            while (out->len > start && out->data[out->len - 1] != '/')
                cof_buf_truncate(out, out->len - 1);
            if (out->len > start)
                cof_buf_truncate(out, out->len - 1);
            trailing = !more ? true : trailing;
        } else {
            cof_buf_add(out, slash);
            cof_buf_add(out, segment);
        }
        if (!more)
            break;
    }
    if (out->len == start || trailing)
        cof_buf_add(out, slash);
}

static enum cof_err canonical_path(const struct cof_sigv4_request *request, struct cof_buf *out)
{
    struct cof_buf path;
    enum cof_err err = COF_OK;

    if (request->path.len == 0) {
        cof_buf_add(out, slash);
        return COF_OK;
    }
    cof_buf_init(&path, PIECE_MAX);
    if (request->s3_path)
        err = cof_uri_decode(request->path, false, &path);
    else
        normalise(request->path, &path);
    if (err == COF_OK)
        err = cof_buf_err(&path);
    if (err == COF_OK)
        cof_uri_encode(out, cof_buf_view(&path), true);
    cof_buf_done(&path);
    return err;
}

struct parameter {
    struct cof_view name, value; /* encoded */
};

static int by_name_then_value(const void *a, const void *b)
{
    const struct parameter *x = a, *y = b;
    int c = cof_view_cmp(x->name, y->name);

    return c != 0 ? c : cof_view_cmp(x->value, y->value);
}

/* Decodes what is on the wire and encodes it the one canonical way; appended to out. */
static enum cof_err recode(struct cof_view raw, struct cof_buf *out)
{
    struct cof_buf plain;
    enum cof_err err;

    cof_buf_init(&plain, PIECE_MAX);
    err = cof_uri_decode(raw, false, &plain);
    if (err == COF_OK)
        cof_uri_encode(out, cof_buf_view(&plain), false);
    cof_buf_done(&plain);
    return err;
}

/* The signature itself is no part of what is signed. */
static enum cof_err canonical_query(struct cof_view query, struct cof_buf *out)
{
    struct cof_view name, value, all;
    struct parameter *list;
    struct cof_buf text;
    size_t *ends, n = 0, most = 1;
    enum cof_err err;

    if (query.len == 0)
        return COF_OK;
    for (size_t i = 0; i < query.len && most < QUERY_MAX; i++)
        most += query.data[i] == '&';
    list = calloc(most, sizeof *list);
    ends = calloc(2 * most, sizeof *ends);
    err = list == NULL || ends == NULL ? COF_E_MEMORY : COF_OK;
    cof_buf_init(&text, TEXT_MAX);
    while (err == COF_OK && cof_query_next(&query, &name, &value)) {
        if (cof_view_eq(name, COF_LIT("X-Amz-Signature")))
            continue;
        if (n == most) {
            err = COF_E_LIMIT;
            break;
        }
        err = recode(name, &text);
        ends[2 * n] = text.len;
        if (err == COF_OK)
            err = recode(value, &text);
        ends[2 * n++ + 1] = text.len;
    }
    if (err == COF_OK)
        err = cof_buf_err(&text);
    all = cof_buf_view(&text);
    for (size_t i = 0; err == COF_OK && i < n; i++) {
        size_t from = i == 0 ? 0 : ends[2 * i - 1];
        list[i].name = cof_view_sub(all, from, ends[2 * i] - from);
        list[i].value = cof_view_sub(all, ends[2 * i], ends[2 * i + 1] - ends[2 * i]);
    }
    if (err == COF_OK && n > 1)
        qsort(list, n, sizeof *list, by_name_then_value);
    for (size_t i = 0; err == COF_OK && i < n; i++) {
        if (i > 0)
            cof_buf_add_str(out, "&");
        cof_buf_add(out, list[i].name);
        cof_buf_add_str(out, "=");
        cof_buf_add(out, list[i].value);
    }
    cof_buf_done(&text);
    free(list);
    free(ends);
    return err;
}

/* Headers that proxies add or change, and the signature's own. */
static bool is_unsigned(struct cof_view name)
{
    static const char *const names[] = {"authorization", "connection", "expect", "transfer-encoding", "upgrade",
                                        "user-agent", "x-amzn-trace-id"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (cof_view_eq_nocase(name, cof_view_str(names[i])))
            return true;
    return false;
}

static void add_lower(struct cof_buf *out, struct cof_view v)
{
    for (size_t i = 0; i < v.len; i++)
        cof_buf_add_u8(out, v.data[i] >= 'A' && v.data[i] <= 'Z' ? (uint8_t)(v.data[i] | 0x20) : v.data[i]);
}

static int by_text(const void *a, const void *b)
{
    return cof_view_cmp(*(const struct cof_view *)a, *(const struct cof_view *)b);
}

/* The names of all headers that are to be signed, lower case, sorted, each once, joined by ';'. */
static enum cof_err choose_headers(const struct cof_headers *headers, struct cof_buf *out)
{
    struct cof_view names[COF_HEADERS_MAX];
    struct cof_buf text;
    size_t n = 0, from = 0;
    enum cof_err err;

    cof_buf_init(&text, COF_HEADERS_BYTES_MAX);
    for (size_t i = 0; i < headers->n; i++)
        if (!is_unsigned(cof_headers_name(headers, i)))
            add_lower(&text, cof_headers_name(headers, i));
    err = cof_buf_err(&text);
    for (size_t i = 0; err == COF_OK && i < headers->n; i++)
        if (!is_unsigned(cof_headers_name(headers, i))) {
            names[n++] = cof_view_sub(cof_buf_view(&text), from, headers->field[i].name_len);
            from += headers->field[i].name_len;
        }
    if (n > 1)
        qsort(names, n, sizeof names[0], by_text);
    for (size_t i = 0; err == COF_OK && i < n; i++) {
        if (i > 0 && cof_view_eq(names[i], names[i - 1]))
            continue;
        if (i > 0)
            cof_buf_add_str(out, ";");
        cof_buf_add(out, names[i]);
    }
    cof_buf_done(&text);
    return err;
}

/* Trimmed, and runs of spaces made one. */
static void add_value(struct cof_buf *out, struct cof_view v)
{
    size_t from = 0;

    v = cof_view_trim(v);
    for (size_t i = 1; i < v.len; i++)
        if (v.data[i] == ' ' && v.data[i - 1] == ' ') {
            cof_buf_add(out, cof_view_sub(v, from, i - from));
            from = i + 1;
        }
    cof_buf_add(out, cof_view_sub(v, from, SIZE_MAX));
}

/* "name:value,value\n" for each signed name; a name that the request does not have is an error. */
static enum cof_err canonical_headers(const struct cof_headers *headers, struct cof_view names, struct cof_buf *out)
{
    struct cof_view name;

    while (names.len > 0) {
        size_t found = 0;
        (void)cof_view_split(names, ';', &name, &names);
        cof_buf_add(out, name);
        cof_buf_add_str(out, ":");
        for (size_t i = 0; i < headers->n; i++)
            if (cof_view_eq_nocase(cof_headers_name(headers, i), name)) {
                if (found++ > 0)
                    cof_buf_add_str(out, ",");
                add_value(out, cof_headers_value(headers, i));
            }
        if (found == 0)
            return COF_E_FORMAT;
        cof_buf_add_str(out, "\n");
    }
    return COF_OK;
}

enum cof_err cof_sigv4_canonical_request(const struct cof_sigv4_request *request, struct cof_view signed_headers,
                                         struct cof_buf *signed_out, struct cof_buf *canonical)
{
    enum cof_err err = COF_OK;

    if (signed_headers.len == 0 && signed_out == NULL)
        return COF_E_FORMAT; /* nothing is signed, and nobody asked for a list */
    if (signed_headers.len == 0) {
        size_t start = signed_out->len;

        err = choose_headers(request->headers, signed_out);
        if (err == COF_OK)
            err = cof_buf_err(signed_out);
        if (err != COF_OK)
            return err;
        signed_headers = cof_view_sub(cof_buf_view(signed_out), start, SIZE_MAX);
    }
    cof_buf_add(canonical, request->method);
    cof_buf_add_str(canonical, "\n");
    if ((err = canonical_path(request, canonical)) != COF_OK)
        return err;
    cof_buf_add_str(canonical, "\n");
    if ((err = canonical_query(request->query, canonical)) != COF_OK)
        return err;
    cof_buf_add_str(canonical, "\n");
    if ((err = canonical_headers(request->headers, signed_headers, canonical)) != COF_OK)
        return err;
    cof_buf_add_str(canonical, "\n");
    cof_buf_add(canonical, signed_headers);
    cof_buf_add_str(canonical, "\n");
    cof_buf_add(canonical, request->payload_hash);
    return cof_buf_err(canonical);
}

static void add_scope(struct cof_buf *out, struct cof_view date, struct cof_view region, struct cof_view service)
{
    cof_buf_add(out, cof_view_sub(date, 0, 8));
    cof_buf_add(out, slash);
    cof_buf_add(out, region);
    cof_buf_add(out, slash);
    cof_buf_add(out, service);
    cof_buf_add_str(out, "/aws4_request");
}

static enum cof_err add_sha256(struct cof_buf *out, struct cof_view data)
{
    uint8_t digest[32];
    enum cof_err err = cof_hash_once(COF_SHA256, data, digest);

    if (err == COF_OK)
        cof_hex_add(out, cof_view_of(digest, sizeof digest));
    return err;
}

enum cof_err cof_sigv4_string_to_sign(struct cof_view date, struct cof_view region, struct cof_view service,
                                      struct cof_view canonical_request, struct cof_buf *out)
{
    enum cof_err err;

    cof_buf_add_str(out, ALGORITHM "\n");
    cof_buf_add(out, date);
    cof_buf_add_str(out, "\n");
    add_scope(out, date, region, service);
    cof_buf_add_str(out, "\n");
    err = add_sha256(out, canonical_request);
    return err == COF_OK ? cof_buf_err(out) : err;
}

enum cof_err cof_sigv4_signing_key(struct cof_view secret_access_key, struct cof_view day, struct cof_view region,
                                   struct cof_view service, struct cof_secret *out)
{
    const struct cof_view steps[] = {day, region, service, COF_LIT("aws4_request")};
    struct cof_buf seed;
    enum cof_err err;

    cof_secret_done(out);
    cof_buf_init_secret(&seed, 1024);
    cof_buf_add_str(&seed, "AWS4");
    cof_buf_add(&seed, secret_access_key);
    err = cof_buf_err(&seed);
    for (size_t i = 0; err == COF_OK && i < 4; i++) {
        uint8_t next[32];
        err = cof_hmac(COF_SHA256, i == 0 ? cof_buf_view(&seed) : cof_secret_view(out), &steps[i], 1, next);
        if (err == COF_OK)
            err = cof_secret_set(out, cof_view_of(next, sizeof next));
        cof_wipe(next, sizeof next);
    }
    cof_buf_done(&seed);
    if (err != COF_OK)
        cof_secret_done(out);
    return err;
}

enum cof_err cof_sigv4_signature(const struct cof_secret *signing_key, struct cof_view string_to_sign,
                                 char out[static COF_SIGV4_SIGNATURE + 1])
{
    uint8_t mac[32];
    enum cof_err err = cof_hmac(COF_SHA256, cof_secret_view(signing_key), &string_to_sign, 1, mac);

    out[0] = '\0';
    if (err == COF_OK)
        cof_hex_encode(mac, sizeof mac, out);
    return err;
}

/* From request to signature: the part that signing by header and by query share. */
static enum cof_err sign(const struct cof_sigv4_request *request, const struct cof_sigv4_credentials *credentials,
                         const struct cof_sigv4_scope *scope, struct cof_view date, struct cof_buf *signed_headers,
                         char signature[static COF_SIGV4_SIGNATURE + 1])
{
    struct cof_secret key COF_SECRET_AUTO = {0};
    struct cof_buf canonical, text;
    enum cof_err err;

    cof_buf_init(&canonical, TEXT_MAX);
    cof_buf_init(&text, 4096);
    err = cof_sigv4_canonical_request(request, (struct cof_view){0}, signed_headers, &canonical);
    if (err == COF_OK)
        err = cof_sigv4_string_to_sign(date, scope->region, scope->service, cof_buf_view(&canonical), &text);
    if (err == COF_OK)
        err = cof_sigv4_signing_key(credentials->secret_access_key, cof_view_sub(date, 0, 8), scope->region,
                                    scope->service, &key);
    if (err == COF_OK)
        err = cof_sigv4_signature(&key, cof_buf_view(&text), signature);
    cof_buf_done(&canonical);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_sigv4_sign(const struct cof_sigv4_request *request, struct cof_headers *headers,
                            const struct cof_sigv4_credentials *credentials, const struct cof_sigv4_scope *scope,
                            char seed[COF_SIGV4_SIGNATURE + 1])
{
    struct cof_sigv4_request with = *request;
    char date[COF_DATE_MAX], signature[COF_SIGV4_SIGNATURE + 1];
    struct cof_buf signed_headers, value;
    enum cof_err err;

    with.headers = headers;
    cof_buf_init(&signed_headers, 16384);
    cof_buf_init(&value, 32768);
    cof_date_amz(scope->now_ms, date);
    cof_headers_set(headers, "X-Amz-Date", date);
    if (credentials->session_token.len > 0) {
        cof_headers_remove(headers, "X-Amz-Security-Token");
        cof_headers_add(headers, COF_LIT("X-Amz-Security-Token"), credentials->session_token);
    }
    err = cof_headers_err(headers);
    if (err == COF_OK)
        err = sign(&with, credentials, scope, cof_view_str(date), &signed_headers, signature);
    if (err == COF_OK) {
        cof_buf_add_str(&value, ALGORITHM " Credential=");
        cof_buf_add(&value, credentials->access_key_id);
        cof_buf_add(&value, slash);
        add_scope(&value, cof_view_str(date), scope->region, scope->service);
        cof_buf_add_str(&value, ", SignedHeaders=");
        cof_buf_add(&value, cof_buf_view(&signed_headers));
        cof_buf_add_str(&value, ", Signature=");
        cof_buf_add_str(&value, signature);
        cof_headers_remove(headers, "Authorization");
        cof_headers_add(headers, COF_LIT("Authorization"), cof_buf_view(&value));
        err = cof_buf_err(&value) != COF_OK ? cof_buf_err(&value) : cof_headers_err(headers);
    }
    if (err == COF_OK && seed != NULL)
        memcpy(seed, signature, sizeof signature);
    cof_buf_done(&signed_headers);
    cof_buf_done(&value);
    return err;
}

enum cof_err cof_sigv4_presign(const struct cof_sigv4_request *request, const struct cof_sigv4_credentials *credentials,
                               const struct cof_sigv4_scope *scope, uint32_t expires_s, struct cof_buf *query_out)
{
    struct cof_sigv4_request with = *request;
    char date[COF_DATE_MAX], signature[COF_SIGV4_SIGNATURE + 1];
    struct cof_buf names, credential, again;
    size_t start = query_out->len;
    enum cof_err err;

    cof_buf_init(&names, 16384);
    cof_buf_init(&credential, 1024);
    cof_buf_init(&again, 16384);
    cof_date_amz(scope->now_ms, date);
    err = choose_headers(request->headers, &names);
    cof_buf_add(&credential, credentials->access_key_id);
    cof_buf_add(&credential, slash);
    add_scope(&credential, cof_view_str(date), scope->region, scope->service);
    if (request->query.len > 0) {
        cof_buf_add(query_out, request->query);
        cof_buf_add_str(query_out, "&");
    }
    cof_buf_add_str(query_out, "X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=");
    cof_uri_encode(query_out, cof_buf_view(&credential), false);
    cof_buf_printf(query_out, "&X-Amz-Date=%s&X-Amz-Expires=%u&X-Amz-SignedHeaders=", date, expires_s);
    cof_uri_encode(query_out, cof_buf_view(&names), false);
    if (credentials->session_token.len > 0) {
        cof_buf_add_str(query_out, "&X-Amz-Security-Token=");
        cof_uri_encode(query_out, credentials->session_token, false);
    }
    if (err == COF_OK)
        err = cof_buf_err(query_out) != COF_OK ? cof_buf_err(query_out) : cof_buf_err(&credential);
    with.query = cof_view_sub(cof_buf_view(query_out), start, SIZE_MAX);
    if (err == COF_OK)
        err = sign(&with, credentials, scope, cof_view_str(date), &again, signature);
    if (err == COF_OK) {
        cof_buf_add_str(query_out, "&X-Amz-Signature=");
        cof_buf_add_str(query_out, signature);
        err = cof_buf_err(query_out);
    }
    cof_buf_done(&names);
    cof_buf_done(&credential);
    cof_buf_done(&again);
    return err;
}

static enum cof_err chained(const struct cof_secret *signing_key, const char *algorithm, struct cof_view date,
                            struct cof_view region, struct cof_view service, struct cof_view previous, bool empty_line,
                            struct cof_view data, char out[static COF_SIGV4_SIGNATURE + 1])
{
    struct cof_buf text;
    enum cof_err err = COF_OK;

    out[0] = '\0';
    cof_buf_init(&text, 4096);
    cof_buf_add_str(&text, algorithm);
    cof_buf_add_str(&text, "\n");
    cof_buf_add(&text, date);
    cof_buf_add_str(&text, "\n");
    add_scope(&text, date, region, service);
    cof_buf_add_str(&text, "\n");
    cof_buf_add(&text, previous);
    cof_buf_add_str(&text, "\n");
    if (empty_line) {
        err = add_sha256(&text, (struct cof_view){0});
        cof_buf_add_str(&text, "\n");
    }
    if (err == COF_OK)
        err = add_sha256(&text, data);
    if (err == COF_OK)
        err = cof_buf_err(&text);
    if (err == COF_OK)
        err = cof_sigv4_signature(signing_key, cof_buf_view(&text), out);
    cof_buf_done(&text);
    return err;
}

enum cof_err cof_sigv4_chunk(const struct cof_secret *signing_key, struct cof_view date, struct cof_view region,
                             struct cof_view service, struct cof_view previous, struct cof_view chunk,
                             char out[static COF_SIGV4_SIGNATURE + 1])
{
    return chained(signing_key, ALGORITHM "-PAYLOAD", date, region, service, previous, true, chunk, out);
}

enum cof_err cof_sigv4_trailer(const struct cof_secret *signing_key, struct cof_view date, struct cof_view region,
                               struct cof_view service, struct cof_view previous, struct cof_view canonical_trailers,
                               char out[static COF_SIGV4_SIGNATURE + 1])
{
    return chained(signing_key, ALGORITHM "-TRAILER", date, region, service, previous, false, canonical_trailers, out);
}
