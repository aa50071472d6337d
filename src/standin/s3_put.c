/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/aws_chunked.h"
#include "standin/s3_put.h"

#include "base/codec.h"
#include "standin/s3_lock.h"
#include "standin/s3_owner.h"
#include "standin/s3_record.h"
#include "standin/s3_sse.h"

#include <stdio.h>
#include <string.h>

/* Headers that are kept as they came and given back with the object. */
static const char *const kept[] = {"content-type", "content-encoding", "content-disposition", "content-language",
    "cache-control", "expires", "x-amz-website-redirect-location", "x-amz-storage-class"};

static bool set_text(json_t *object, const char *name, struct cof_view value)
{
    return json_object_set_new(object, name, cof_s3_string(value)) == 0;
}

/* The value without its "aws-chunked", which was a coding of the way here and not of the object. */
static void add_codings(struct cof_view value, struct cof_buf *out)
{
    struct cof_view one, rest;

    while (value.len > 0) {
        bool spaced;

        (void)cof_view_split(value, ',', &one, &rest);
        value = rest;
        spaced = one.len > 0 && one.data[0] == ' ';
        one = cof_view_trim(one);
        if (one.len == 0 || cof_view_eq_nocase(one, COF_LIT("aws-chunked")))
            continue;
        cof_buf_add_str(out, out->len == 0 ? "" : spaced ? ", " : ",");
        cof_buf_add(out, one);
    }
}

static bool bad_text(struct cof_s3_call *c)
{
    (void)cof_s3_fail(c, 400, "InvalidArgument", "A header value is not UTF-8.");
    return false;
}

static bool keep_headers(struct cof_s3_call *c, json_t *head)
{
    struct cof_buf codings;
    bool good = true;

    cof_buf_init(&codings, 8192);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0] && good; i++) {
        struct cof_view value = cof_s3_header(c, kept[i]);

        if (value.len == 0)
            continue;
        if (strcmp(kept[i], "content-encoding") == 0) {
            add_codings(value, &codings);
            value = cof_buf_view(&codings);
            if (value.len == 0)
                continue;
        }
        if (strcmp(kept[i], "x-amz-storage-class") == 0 && cof_view_eq_str(value, "STANDARD"))
            continue;
        good = set_text(head, kept[i], value) || bad_text(c);
    }
    cof_buf_done(&codings);
    if (good && json_object_get(head, "content-type") == NULL)
        good = set_text(head, "content-type", COF_LIT("binary/octet-stream"));
    return good;
}

static bool keep_meta(struct cof_s3_call *c, json_t *meta)
{
    const struct cof_headers *h = &c->req->head->headers;
    size_t total = 0;

    for (size_t i = 0; i < h->n; i++) {
        struct cof_view name = cof_headers_name(h, i), value = cof_headers_value(h, i);
        char lower[256];
        const json_t *before;

        if (name.len <= 11 || name.len >= sizeof lower ||
            !cof_view_eq_nocase(cof_view_sub(name, 0, 11), COF_LIT("x-amz-meta-")))
            continue;
        name = cof_view_sub(name, 11, SIZE_MAX);
        for (size_t k = 0; k < name.len; k++)
            lower[k] = (char)(name.data[k] >= 'A' && name.data[k] <= 'Z' ? name.data[k] | 0x20 : name.data[k]);
        lower[name.len] = '\0';
        total += name.len + value.len;
        if (total > COF_S3_META_MAX) {
            (void)cof_s3_fail(
                c, 400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size");
            return false;
        }
        before = json_object_get(meta, lower);
        if (before != NULL) {
            struct cof_buf both;
            bool good;

            cof_buf_init(&both, 3 * COF_S3_META_MAX);
            cof_buf_add_str(&both, json_string_value(before));
            cof_buf_add_str(&both, ",");
            cof_buf_add(&both, value);
            good = set_text(meta, lower, cof_buf_view(&both));
            cof_buf_done(&both);
            if (!good)
                return bad_text(c);
        } else if (!set_text(meta, lower, value)) {
            return bad_text(c);
        }
    }
    return true;
}

/* spec: letters, digits and spaces of any script (here: all beyond ASCII), and + - = . _ : / @ */
static bool tag_chars_ok(struct cof_view text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t b = text.data[i];
        bool alnum = (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z');

        if (!alnum && b < 0x80 && (b == 0 || strchr(" +-=._:/@", b) == NULL))
            return false;
    }
    return cof_view_is_utf8(text);
}

/* Characters, not bytes. */
static size_t n_characters(struct cof_view text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

bool cof_s3_tag_ok(struct cof_view key, struct cof_view value)
{
    return key.len >= 1 && n_characters(key) <= 128 && n_characters(value) <= 256 && tag_chars_ok(key) &&
        tag_chars_ok(value) && !cof_view_starts(key, COF_LIT("aws:"));
}

enum cof_err cof_s3_bad_tag(struct cof_s3_call *c, struct cof_view key, struct cof_view value, const char *message)
{
    const struct cof_s3_detail details[] = {{"TagKey", key}, {"TagValue", value}};

    return cof_s3_fail_of(c, 400, "InvalidTag", message, details, 2);
}

/* Whether the tag may be added; if not, the reply says why. */
static bool tag_or_told(struct cof_s3_call *c, const json_t *tags, struct cof_view name, struct cof_view value)
{
    if (!cof_s3_tag_ok(name, COF_LIT("")))
        (void)cof_s3_bad_tag(c, name, (struct cof_view){NULL, 0}, "The TagKey you have provided is invalid");
    else if (!cof_s3_tag_ok(name, value))
        (void)cof_s3_bad_tag(c, name, value, "The TagValue you have provided is invalid");
    else if (json_object_size(tags) == COF_S3_TAGS_MAX)
        (void)cof_s3_fail(c, 400, "BadRequest", "Object tags cannot be greater than 10");
    else
        return true;
    return false;
}

bool cof_s3_put_tags(struct cof_s3_call *c, struct cof_view text, json_t **out, enum cof_err *err)
{
    struct cof_view raw_name, raw_value, whole = text;
    struct cof_buf name, value;
    bool good = true, told = false;

    *out = json_object();
    *err = *out == NULL ? COF_E_MEMORY : COF_OK;
    cof_buf_init(&name, 8192);
    cof_buf_init(&value, 8192);
    while (good && *err == COF_OK && cof_query_next(&text, &raw_name, &raw_value)) {
        cof_buf_reset(&name);
        cof_buf_reset(&value);
        good = cof_uri_decode(raw_name, true, &name) == COF_OK && cof_uri_decode(raw_value, true, &value) == COF_OK &&
            name.len > 0 && cof_view_find(raw_value, '=') == SIZE_MAX && json_object_get(*out, cof_buf_cstr(&name)) == NULL;
        told = good && !tag_or_told(c, *out, cof_buf_view(&name), cof_buf_view(&value));
        good = good && !told;
        if (good && !set_text(*out, cof_buf_cstr(&name), cof_buf_view(&value)))
            *err = COF_E_MEMORY;
    }
    if (!good && !told)
        (void)cof_s3_bad_argument(c, "x-amz-tagging", whole,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
            "name duplicates.");
    cof_buf_done(&name);
    cof_buf_done(&value);
    if (!good || *err != COF_OK) {
        json_decref(*out);
        *out = NULL;
        return false;
    }
    return true;
}

/* The classes are kept and told; where the bytes lie is the same for all of them. */
static bool class_ok(struct cof_s3_call *c)
{
    static const char *const classes[] = {"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA",
        "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"};
    struct cof_view given = cof_s3_header(c, "x-amz-storage-class");

    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (given.len == 0 || cof_view_eq_str(given, classes[i]))
            return true;
    {
        const struct cof_s3_detail details[] = {{"StorageClassRequested", given}};

        (void)cof_s3_fail_of(c, 400, "InvalidStorageClass", "The storage class you specified is not valid", details, 1);
    }
    return false;
}

static bool redirect_ok(struct cof_s3_call *c)
{
    struct cof_view to = cof_s3_header(c, "x-amz-website-redirect-location");

    if (to.len == 0 || cof_view_starts(to, COF_LIT("/")) || cof_view_starts(to, COF_LIT("http://")) ||
        cof_view_starts(to, COF_LIT("https://")))
        return true;
    (void)cof_s3_fail(c, 400, "InvalidRedirectLocation",
        "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.");
    return false;
}

/* spec: CopyObject, "x-amz-tagging": of a copy only where the directive says REPLACE */
static bool takes_tags(const struct cof_s3_call *c)
{
    return cof_s3_header(c, "x-amz-copy-source").len == 0 || cof_view_eq_str(cof_s3_header(c, "x-amz-tagging-directive"), "REPLACE");
}

bool cof_s3_put_fields(struct cof_s3_call *c, json_t *record, enum cof_err *err)
{
    json_t *head = json_object(), *meta = json_object(), *tags = NULL;

    *err = COF_OK;
    if (json_object_set_new(record, "head", head) != 0 || json_object_set_new(record, "meta", meta) != 0) {
        *err = COF_E_MEMORY;
        return false;
    }
    if (!cof_s3_owner_for_object(c, record, err) || !class_ok(c) || !redirect_ok(c) || !keep_headers(c, head) || !keep_meta(c, meta) ||
        !cof_s3_lock_for_write(c, record, err))
        return false;
    if (cof_s3_header(c, "x-amz-tagging").len > 0 && takes_tags(c)) {
        if (!cof_s3_allowed_too(c, "s3:PutObjectTagging", NULL, err) || !cof_s3_put_tags(c, cof_s3_header(c, "x-amz-tagging"), &tags, err))
            return false;
        if (json_object_set_new(record, "tags", tags) != 0) {
            *err = COF_E_MEMORY;
            return false;
        }
    }
    return true;
}

const char *cof_s3_sum_header(enum cof_checksum_alg alg)
{
    return cof_aws_checksum_header(alg);
}

bool cof_s3_sum_value_ok(enum cof_checksum_alg alg, struct cof_view value)
{
    struct cof_buf bytes;
    bool good;

    cof_buf_init(&bytes, 128);
    good = cof_base64_decode(value, &bytes) == COF_OK && bytes.len == cof_checksum_size(alg);
    cof_buf_done(&bytes);
    return good;
}

static bool bad_value(struct cof_s3_call *c, const char *header)
{
    char message[100];

    (void)snprintf(message, sizeof message, "Value for %s header is invalid.", header);
    (void)cof_s3_fail(c, 400, "InvalidRequest", message);
    return false;
}

/* A checksum by an algorithm that nobody knows is not taken for none. */
static bool sum_headers_known(struct cof_s3_call *c)
{
    static const char *const others[] = {"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"};
    const struct cof_headers *h = &c->req->head->headers;

    for (size_t i = 0; i < h->n; i++) {
        struct cof_view name = cof_headers_name(h, i), start = COF_LIT("x-amz-checksum-");
        bool known = !cof_view_eq_nocase(cof_view_sub(name, 0, start.len), start);

        for (size_t k = 0; k < sizeof others / sizeof others[0] && !known; k++)
            known = cof_view_eq_nocase(name, cof_view_str(others[k]));
        if (known || cof_checksum_named(cof_view_sub(name, start.len, SIZE_MAX)) != COF_CHECKSUM_NONE)
            continue;
        (void)cof_s3_fail(
            c, 400, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.");
        return false;
    }
    return true;
}

bool cof_s3_put_sum(struct cof_s3_call *c, struct cof_s3_sum *out)
{
    struct cof_view trailer = cof_s3_header(c, "x-amz-trailer"),
                    named = cof_s3_header(c, "x-amz-sdk-checksum-algorithm");

    *out = (struct cof_s3_sum){.alg = COF_CHECKSUM_NONE};
    for (enum cof_checksum_alg alg = COF_CHECKSUM_CRC32; alg <= COF_CHECKSUM_LAST; alg++) {
        struct cof_view value = cof_s3_header(c, cof_s3_sum_header(alg));
        bool trails = cof_view_eq_nocase(trailer, cof_view_str(cof_s3_sum_header(alg)));

        if (value.len == 0 && !trails)
            continue;
        if (out->alg != COF_CHECKSUM_NONE || (value.len > 0 && trails)) {
            (void)cof_s3_fail(c, 400, "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
            return false;
        }
        *out = (struct cof_s3_sum){alg, value, trails};
    }
    if (out->value.len > 0 && !cof_s3_sum_value_ok(out->alg, out->value))
        return bad_value(c, cof_s3_sum_header(out->alg));
    if (!sum_headers_known(c))
        return false;
    if (trailer.len > 0 && (out->alg == COF_CHECKSUM_NONE || !out->trailer)) {
        (void)cof_s3_fail(c, 400, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported");
        return false;
    }
    if (named.len > 0 && out->alg != COF_CHECKSUM_NONE && cof_checksum_named(named) != out->alg)
        return bad_value(c, "x-amz-sdk-checksum-algorithm");
    if (out->alg == COF_CHECKSUM_NONE && named.len > 0) {
        (void)cof_s3_fail(c, 400, "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found.");
        return false;
    }
    return true;
}

void cof_s3_put_headers(struct cof_s3_call *c, const struct cof_s3_told *told)
{
    struct cof_headers *h = &c->reply->headers;
    char etag[80];

    cof_s3_quote(told->etag, etag);
    cof_headers_set(h, "ETag", etag);
    if (cof_s3_versioning_of(c) != COF_S3_UNVERSIONED)
        cof_headers_set(h, "x-amz-version-id", told->id);
    cof_s3_sse_headers(c, told->sse);
    if (told->alg != COF_CHECKSUM_NONE) {
        cof_headers_set(h, cof_s3_sum_header(told->alg), told->sum);
        cof_headers_set(h, "x-amz-checksum-type", told->type);
    }
}
