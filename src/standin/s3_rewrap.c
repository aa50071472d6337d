/* SPDX-License-Identifier: Apache-2.0
 *
 * UpdateObjectEncryption (S3 API Reference, January 2026): an object's data key is wrapped anew, by another KMS key; its bytes, version, ETag,
 * checksums and date stay. From SSE-S3 or SSE-KMS, to SSE-KMS alone.
 */
#include "base/codec.h"
#include "standin/s3_body.h"
#include "standin/s3_crypt.h"
#include "standin/s3_find.h"
#include "standin/s3_lock.h"
#include "standin/s3_record.h"
#include "standin/s3_sse.h"
#include "standin/s3_upload.h"

#include <string.h>

#define LOCKED                                                                                                                   \
    "The encryption type for the specified object can't be updated because that object is protected by S3 Object Lock. If the "  \
    "object has a governance-mode retention period or a legal hold, you must first remove the Object Lock status on the object " \
    "before you issue your UpdateObjectEncryption request. You can't use the UpdateObjectEncryption operation with objects that " \
    "have an Object Lock compliance mode retention period applied to them."
#define WANTS_KMS                                                                                                             \
    "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are SSEKMS. " \
    "Modify the request to specify SSE-KMS for the updated encryption type, and then try again."

static bool refuse(struct cof_s3_call *c, const char *message)
{
    (void)cof_s3_fail(c, 400, "InvalidRequest", message);
    return false;
}

/* arn:aws[...]:kms:REGION:ACCOUNT:key/ID of the bucket's account. */
static bool key_ok(struct cof_s3_call *c, struct cof_view arn)
{
    struct cof_view parts[6], rest = arn;
    bool good = true;

    for (size_t i = 0; i < 5; i++)
        good = cof_view_split(rest, ':', &parts[i], &rest) && good;
    if (arn.len == 0)
        return refuse(c, "Requests that modify an object's encryption type to SSE-KMS require an Amazon Web Services KMS key Amazon Resource "
                         "Name (ARN). Modify the request to specify a KMS key ARN, and then try again.");
    if (!good || !cof_view_eq_str(parts[0], "arn") || !cof_view_starts(parts[1], COF_LIT("aws")) || !cof_view_eq_str(parts[2], "kms") ||
        parts[4].len != 12 || !cof_view_starts(rest, COF_LIT("key/")) || rest.len == 4)
        return refuse(c, "Requests that modify an object's encryption type to SSE-KMS require a valid Amazon Web Services KMS key Amazon "
                         "Resource Name (ARN). Confirm that you have a correctly formatted KMS key ARN in your request, and then try again.");
    if (cof_view_eq_str(parts[4], cof_s3_owner(c)))
        return true;
    (void)cof_s3_fail(c, 403, "AccessDenied", "The Amazon Web Services KMS key in the request must be owned by the same account as the bucket. "
                                              "Modify the request to specify a KMS key from the same account, and then try again.");
    return false;
}

/* What the body asks for. Its texts live as long as the XML. */
static bool read_wish(struct cof_s3_call *c, const struct cof_xml_node *root, struct cof_s3_sse *out)
{
    const struct cof_xml_node *kms = cof_xml_child(root, "SSE-KMS");
    struct cof_view bucket_key = cof_xml_text(kms, "BucketKeyEnabled");

    *out = (struct cof_s3_sse){.mode = COF_S3_SSE_KMS, .key_id = cof_xml_text(kms, "KMSKeyArn")};
    out->bucket_key = cof_view_eq_str(bucket_key, "true");
    if (kms == NULL)
        return refuse(c, WANTS_KMS);
    if (bucket_key.len > 0 && !out->bucket_key && !cof_view_eq_str(bucket_key, "false"))
        return refuse(c, "The BucketKeyEnabled value isn't valid. Valid values are true or false. Modify the request to specify a valid value, and "
                         "then try again.");
    return key_ok(c, out->key_id);
}

static bool may_change(struct cof_s3_call *c, const json_t *record, enum cof_err *err)
{
    const char *mode = cof_s3_text(json_object_get(record, "sse"), "mode");

    if (!cof_s3_lock_lets_go(c, record, true, err)) {
        if (*err == COF_OK)
            *err = cof_s3_fail(c, 403, "AccessDenied", LOCKED);
        return false;
    }
    if (strcmp(mode, "SSE-C") == 0)
        return refuse(c, "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or SSE-C. Only "
                         "source objects encrypted with SSE-S3 or SSE-KMS are supported.");
    return true;
}

/* Each segment's key from under one key-encryption key to under another. */
static enum cof_err rewrap_segments(struct cof_s3_call *c, json_t *parts, const struct cof_secret *from, const struct cof_secret *to)
{
    struct cof_secret key COF_SECRET_AUTO = {0};
    uint8_t wrapped[COF_S3_WRAPPED];
    char hex[2 * COF_S3_WRAPPED + 1];
    struct cof_buf bound;
    enum cof_err err = COF_OK;
    json_t *segment;
    size_t i;

    cof_buf_init(&bound, 8192);
    cof_s3_bound(c, &bound);
    json_array_foreach(parts, i, segment) {
        if (err == COF_OK)
            err = cof_hex_decode_fixed(cof_view_str(cof_s3_text(segment, "key")), wrapped, sizeof wrapped);
        if (err == COF_OK)
            err = cof_s3_unwrap(cof_s3_sse_kek(c->s, from), cof_buf_view(&bound), wrapped, &key);
        if (err == COF_OK)
            err = cof_s3_wrap(cof_standin_rng(c->s), cof_s3_sse_kek(c->s, to), cof_buf_view(&bound), &key, wrapped);
        if (err != COF_OK)
            break;
        cof_hex_encode(wrapped, sizeof wrapped, hex);
        if (json_object_set_new(segment, "key", json_string(hex)) != 0)
            err = COF_E_MEMORY;
    }
    cof_buf_done(&bound);
    return err;
}

static enum cof_err rewrap(struct cof_s3_call *c, json_t *record, struct cof_s3_sse *wish)
{
    const struct cof_s3_sse none = {.mode = COF_S3_SSE_NONE};
    const json_t *old = json_object_get(record, "sse");
    struct cof_secret from COF_SECRET_AUTO = {0}, to COF_SECRET_AUTO = {0};
    json_t *sse = NULL;
    enum cof_err err;

    wish->context = cof_view_str(cof_s3_text(old, "given"));
    if (!cof_s3_sse_open(c, old, &none, &from, &err) || !cof_s3_sse_begin(c, wish, &sse, &to, &err))
        return err;
    err = rewrap_segments(c, json_object_get(record, "parts"), &from, &to);
    if (err == COF_OK && json_object_set(record, "sse", sse) != 0)
        err = COF_E_MEMORY;
    if (err == COF_OK)
        err = cof_s3_object_update(c, record);
    if (err == COF_OK)
        cof_reply_set(c->reply, 200, NULL, COF_LIT(""));
    json_decref(sse);
    return err;
}

enum cof_err cof_s3_update_object_encryption(struct cof_s3_call *c)
{
    struct cof_xml_node *root = NULL;
    struct cof_s3_sse wish;
    json_t *record = NULL;
    enum cof_err err;

    if (cof_s3_find_version(c, "s3:UpdateObjectEncryption", "s3:UpdateObjectEncryption", &record, &err) &&
        cof_s3_allowed(c, "s3:PutObject", true, NULL, false, &err) && (root = cof_s3_body_xml(c, "ObjectEncryption", true, &err)) != NULL &&
        read_wish(c, root, &wish) && may_change(c, record, &err))
        err = rewrap(c, record, &wish);
    cof_xml_free(root);
    json_decref(record);
    return err;
}
